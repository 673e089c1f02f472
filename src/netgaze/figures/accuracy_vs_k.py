"""How many pseudo-labels a class are best for a student?"""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from netgaze.drawing.line_key import draw_key, measure_key
from netgaze.drawing.panels import GRAY, SMALL, TEXT, WIDTH, Sheet, measure_lines, wrap_words
from netgaze.figure import Finding
from netgaze.figures.k_plots import key_of, plot_accuracy, plot_right, set_ks
from netgaze.figures.k_series import Curve, curves, not_counted, settings_of, supervised
from netgaze.subject import Subject

_LEFT, _WIDE, _UPPER, _LOWER = 0.9, 5.4, 3.0, 1.5  # inches: the plots' left edge, their width and heights
_CAPTION = (
    "K: the pseudo-labels of a class, those with the highest scores of the teacher. P: the classes that an image may "
    "count for. Runs that differ in their seeds alone are one point: their mean, with the standard deviation (n - 1) "
    "as its bar, or as a line's band. The best K is that of the highest validation accuracy; the test only measures "
    "it. With K come more and more varied images, and fewer of them rightly labeled: the lower plot."
)


class AccuracyVsK:
    """Accuracy of students over K (Yalniz et al. 2019, arXiv 1905.00546, figure 5), a point a K, a curve a setting.

    A run is a student where its config has a stage `pseudo_labels`. Runs that differ in seed and division of the data
    alone are one point. A run without stages that predicts the same classes is a line to hold the curves against.

    Numbers of a run: `k`, `p`, `acc` (the finetuned student's test accuracy, 0..1), `student` (before finetuning),
    `teacher`, `right` (share of the pseudo-labels that are right), `val_acc`; null where not known. `same_network`:
    whether the teacher is the student's network, trained on the same labels alone. Of a line `acc`, `val_acc` and
    `supervised`; of both `num_classes`, `data`, `repeat` and the other `settings`. Of a run that is neither,
    `not_counted` says why.
    """

    title = "Accuracy against K"
    question = "How many pseudo-labels a class are best for a student, and how far is it above its teacher?"
    needs = ("metrics", "config")
    metrics = ()
    controls = False

    def compute(self, subject: Subject) -> Finding:
        """What a run is, and its numbers."""
        config, metrics = subject.config or {}, subject.metrics or {}
        choice = _stages(config).get("pseudo_labels", {}).get("task", {})
        is_student = {"k", "p"} <= set(choice)
        why = _why_not(config, metrics, is_student)
        if why:
            return Finding({"not_counted": why}, {}, f"Not counted: {why}.")
        data = config.get("data", {})
        numbers: dict[str, Any] = {"acc": metrics["test/acc"], "val_acc": metrics.get("val/acc")}
        if is_student:
            names = {"student": "student/acc", "teacher": "teacher/acc", "right": "unlabeled/right"}
            numbers |= {name: metrics.get(key) for name, key in names.items()} | {"k": choice["k"], "p": choice["p"]}
            own = {"model", "data", "init", "run"} & set(_stages(config).get("teacher", {}))
            numbers |= {"same_network": not own}
        else:
            numbers |= {"supervised": True}
        numbers |= {
            "num_classes": config.get("task", {}).get("num_classes"),
            "data": data.get("_target_"),
            "repeat": [config.get("seed"), data.get("split_seed")],
            "settings": settings_of(config),
        }
        return Finding(numbers, {}, _CAPTION)

    def compare(self, findings: dict[str, Finding]) -> dict[str, Any]:
        """Of each curve the best K by validation, and what it is worth."""
        found = curves(findings)
        said: dict[str, Any] = {}
        for curve in found:
            before = f"{curve.name}: " if len(found) > 1 else ""
            said |= {f"{before}{key}": value for key, value in _best(curve).items()}
        others = not_counted(findings)
        return said | ({"not counted": ", ".join(f"{run} ({why})" for run, why in others.items())} if others else {})

    def draw(self, findings: dict[str, Finding]) -> Figure:
        """Accuracy over K, below it the share of right pseudo-labels; beside them what the lines are."""
        found, lines = curves(findings), supervised(findings)
        head, foot = _head(found), _foot(findings)
        x, top = _LEFT + _WIDE + 0.25, 0.15 + measure_lines(head, TEXT) + 0.15
        key = key_of(found, lines)
        height = max(_UPPER + 0.2 + _LOWER + 0.45, measure_key(key, WIDTH - x - 0.1))
        sheet = Sheet(top + height + (measure_lines(foot, SMALL) + 0.15 if foot else 0.05))
        sheet.text(0.1, 0.12, head)
        upper = sheet.axes(_LEFT, top, _WIDE, _UPPER)
        lower = sheet.axes(_LEFT, top + _UPPER + 0.2, _WIDE, _LOWER)
        plot_accuracy(upper, found, lines)
        plot_right(lower, found)
        set_ks(upper, lower, sorted({k for curve in found for k in curve.runs}), _WIDE)
        draw_key(sheet, x, top, WIDTH - x - 0.1, key)
        if foot:
            sheet.text(0.1, top + height + 0.05, foot, SMALL, color=GRAY)
        return sheet.figure


def _stages(config: dict[str, Any]) -> dict[str, Any]:
    return config.get("stages") or {}


def _why_not(config: dict[str, Any], metrics: dict[str, Any], is_student: bool) -> str | None:
    """Why a run is neither a student nor something to hold it against; None where it is."""
    if "test/acc" not in metrics:
        return "it has no test accuracy"
    if is_student:
        return None
    if _stages(config):
        return "its stages choose no pseudo-labels"
    if config.get("data", {}).get("pseudo_labels") or {"k", "p"} <= set(config.get("task", {})):
        return "it is a stage of a student, not the student"
    return None


def _best(curve: Curve) -> dict[str, Any]:
    """The best K by validation, and the numbers of its runs."""
    k = curve.best
    if k is None:
        return {"best K": "not named, for no run knows its validation accuracy"}
    acc, teacher, gain = curve.points("acc")[k], curve.points("teacher").get(k), curve.gain(k)
    said = {
        "best K (by validation accuracy)": k,
        "P": curve.p,
        "validation accuracy": curve.points("val_acc")[k].mean,
        "test accuracy": acc.mean,
        "its teacher's test accuracy": teacher and teacher.mean,
        "gain over its teacher": gain and gain.mean,
    }
    if gain and gain.deviation is not None:
        said["standard deviation of the gain over repetitions"] = gain.deviation
    return said | {"repetitions": acc.num}


def _head(found: Sequence[Curve]) -> str:
    lines = []
    for curve in found:
        name = f"P={curve.p}" if len(found) == 1 else curve.name
        k = curve.best
        if k is None:
            lines.append(f"{name}: no best K is named, for no run knows its validation accuracy.")
            continue
        acc, teacher, gain = curve.points("acc")[k], curve.points("teacher").get(k), curve.gain(k)
        runs = f"{acc.num} runs" if acc.num > 1 else "one run"
        only = "the only K is" if len(curve.runs) == 1 else "best K by validation:"
        said = f"{name}: {only} {k:,}, test accuracy {acc} ({runs})"
        said += "" if teacher is None or gain is None else f", teacher {teacher}, gain {gain}"
        lines.append(said)
    return wrap_words("\n".join(lines) or "No student is among these runs.", WIDTH - 0.2, TEXT)


def _foot(findings: dict[str, Finding]) -> str:
    """One sentence a reason, naming all whom it keeps out."""
    others = not_counted(findings)
    reasons = {why: [run for run in others if others[run] == why] for why in others.values()}
    said = [f"Not counted: {', '.join(runs)} ({why})." for why, runs in reasons.items()]
    return wrap_words("\n".join(said), WIDTH - 0.2, SMALL) if said else ""
