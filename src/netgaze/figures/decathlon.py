"""How many points of the Visual Decathlon are a set of runs worth?"""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from netgaze.drawing.panels import (
    GRAY,
    RIGHT,
    SMALL,
    TEXT,
    TITLE,
    WIDTH,
    WRONG,
    Sheet,
    measure_lines,
    shorten,
    wrap_words,
)
from netgaze.figure import Finding
from netgaze.measures.metrics import DECATHLON_ERRORS, score_decathlon
from netgaze.subject import Subject

# (classes, test images), as published.
_OFFICIAL = {
    "aircraft": (100, 3333),
    "cifar100": (100, 10_000),
    "daimlerpedcls": (2, 19_600),
    "dtd": (47, 1880),
    "gtsrb": (43, 12_630),
    "imagenet12": (1000, 48_238),
    "omniglot": (1623, 8115),
    "svhn": (10, 26_032),
    "ucf101": (101, 3783),
    "vgg-flowers": (102, 6149),
}
_BASELINE = 250
_NAMES, _BARS, _ROW, _LINE = 1.1, 3.6, 0.36, 0.14  # inches
_NOT_OFFICIAL = "points for other classes or test images than the official ones are not the challenge's"


class Decathlon:
    """Points of the ten sets of the Visual Decathlon, a set a run, and their sum: see `metrics.decathlon_points`.

    Of several runs of a set, the better by validation accuracy counts. Points count as the challenge's only where a
    run has the official number of classes and was tested on the official number of images: a subset is easier, and
    half of a validation split is not the test.

    Numbers of a run: `set`, `error` (of the test, 0..1), `points` (0..1000), `val/acc`, and `official`: yes, or what
    differs. Of a run that cannot count, `not_counted` says why.
    """

    title = "Visual Decathlon"
    question = "How many points of the Visual Decathlon are these runs worth, and which sets are missing?"
    needs = ("metrics", "config")
    metrics = ()

    def compute(self, subject: Subject) -> Finding:
        """The set of a run, its error and its points."""
        config, metrics = subject.config or {}, subject.metrics or {}
        name, why = config.get("data", {}).get("set"), _why_not(config, metrics)
        if why:
            return Finding({"not_counted": why}, {}, f"Not counted: {why}.")
        error = 1 - metrics["test/acc"]
        numbers = {"set": name, "error": error, "points": score_decathlon({name: error})[name]}
        numbers |= {"val/acc": metrics.get("val/acc"), "official": _official(name, config, metrics)}
        return Finding(numbers, {}, _caption(numbers))

    def compare(self, findings: dict[str, Finding]) -> dict[str, Any]:
        """The score of all runs together, and all that it must not be quoted without."""
        counted = _counted(findings)
        said = {
            "score": _score(counted),
            "sets counted": f"{len(counted)} of {len(_OFFICIAL)}",
            "missing sets (no points)": ", ".join(name for name in _OFFICIAL if name not in counted) or "none",
        }
        others = _others(counted)
        if others:
            said[f"not official ({_NOT_OFFICIAL})"] = ", ".join(f"{name}: {what}" for name, what in others.items())
        outdone = _outdone(findings, counted)
        if outdone:
            said["of several runs of a set, the better by validation accuracy counts; left aside"] = ", ".join(outdone)
        return said

    def draw(self, findings: dict[str, Finding]) -> Figure:
        """A bar a set, ten places; beside it the run that counts."""
        counted = _counted(findings)
        head, foot = _head(counted), _foot(findings, counted)
        top = 0.42 + measure_lines(head, TEXT)
        bottom = top + _ROW * len(_OFFICIAL)
        sheet = Sheet(bottom + 0.5 + (measure_lines(foot, SMALL) if foot else 0))
        sheet.text(WIDTH / 2, 0.1, _total(counted), TITLE, ha="center", weight="bold")
        sheet.text(WIDTH / 2, 0.34, head, ha="center", color=WRONG if _others(counted) else GRAY)
        _plot(sheet.axes(_NAMES, top, _BARS, _ROW * len(_OFFICIAL)), counted)
        for place, name in enumerate(_OFFICIAL):
            _write(sheet, top + place * _ROW, name, counted.get(name))
        if foot:
            sheet.text(0.1, bottom + 0.42, foot, SMALL, color=GRAY)
        return sheet.figure


def _why_not(config: dict[str, Any], metrics: dict[str, Any]) -> str | None:
    """Why a run has no points to count; None where it has."""
    data = config.get("data", {})
    if data.get("set") not in _OFFICIAL:
        return "its data is none of the ten sets"
    if config.get("task", {}).get("num_classes") != data.get("num_classes"):
        return "its task predicts something else than the set's classes"
    return None if "test/acc" in metrics else "it has no test accuracy yet"


def _official(name: str, config: dict[str, Any], metrics: dict[str, Any]) -> str:
    """How a run's classes and test images differ from the official ones; yes where they do not."""
    found = (config["data"].get("num_classes"), metrics.get("test/images"))
    different = [
        f"{_count(num)} of {_count(official)} {what}"
        for num, official, what in zip(found, _OFFICIAL[name], ("classes", "test images"), strict=True)
        if num != official
    ]
    return f"no: {', '.join(different)}" if different else "yes"


def _count(num: int | None) -> str:
    return "unknown" if num is None else f"{num:,}"


def _caption(numbers: dict[str, Any]) -> str:
    if numbers["official"] == "yes":
        return "Points: 1000 for no error, 250 for the error of the challenge's finetuned baseline."
    return f"Not the official {numbers['set']} ({numbers['official'].removeprefix('no: ')}): {_NOT_OFFICIAL}."


def _counted(findings: dict[str, Finding]) -> dict[str, tuple[str, Finding]]:
    """The label and finding that count for each set, in the order of the sets."""
    best: dict[str, tuple[str, Finding]] = {}
    for label, finding in findings.items():
        name = finding.numbers.get("set")
        if name and (name not in best or _validation(finding) > _validation(best[name][1])):
            best[name] = label, finding
    return {name: best[name] for name in _OFFICIAL if name in best}


def _validation(finding: Finding) -> float:
    accuracy = finding.numbers["val/acc"]
    return -1.0 if accuracy is None else accuracy


def _score(counted: dict[str, tuple[str, Finding]]) -> float:
    return float(sum(finding.numbers["points"] for _, finding in counted.values()))


def _others(counted: dict[str, tuple[str, Finding]]) -> dict[str, str]:
    """By set, what differs from the official one."""
    told = {name: finding.numbers["official"] for name, (_, finding) in counted.items()}
    return {name: what.removeprefix("no: ") for name, what in told.items() if what != "yes"}


def _outdone(findings: dict[str, Finding], counted: dict[str, tuple[str, Finding]]) -> list[str]:
    """The runs in whose place another of the same set counts."""
    winners = {label for label, _ in counted.values()}
    return [
        f"{label} ({finding.numbers['set']})"
        for label, finding in findings.items()
        if "set" in finding.numbers and label not in winners
    ]


def _total(counted: dict[str, tuple[str, Finding]]) -> str:
    sets = "all ten sets" if len(counted) == len(_OFFICIAL) else f"{len(counted)} of ten sets"
    return f"{_score(counted):,.0f} points in {sets}"


def _head(counted: dict[str, tuple[str, Finding]]) -> str:
    words, others = "Of 10,000; the challenge's finetuned baseline has 2,500.", _others(counted)
    if others:
        words = f"Not the challenge's score: {_NOT_OFFICIAL} (hatched: {', '.join(others)})."
    return wrap_words(words, WIDTH - 0.4, TEXT)


def _foot(findings: dict[str, Finding], counted: dict[str, tuple[str, Finding]]) -> str:
    lines = []
    outdone = _outdone(findings, counted)
    if outdone:
        lines.append(f"Of several runs of a set, the better by validation accuracy counts; not {', '.join(outdone)}.")
    lines += [
        f"Not counted: {label} ({finding.numbers['not_counted']})."
        for label, finding in findings.items()
        if "not_counted" in finding.numbers
    ]
    return wrap_words("\n".join(lines), WIDTH - 0.2, SMALL) if lines else ""


def _plot(axes: Axes, counted: dict[str, tuple[str, Finding]]) -> None:
    for place, name in enumerate(_OFFICIAL):
        if name not in counted:
            axes.barh(place, 1000, height=0.62, fill=False, edgecolor="#BBBBBB", linestyle=":")
            axes.text(500, place, "missing", ha="center", va="center", fontsize=SMALL, color=GRAY)
            continue
        numbers = counted[name][1].numbers
        style = (
            {"color": RIGHT} if numbers["official"] == "yes" else {"fill": False, "hatch": "///", "edgecolor": WRONG}
        )
        axes.barh(place, numbers["points"], height=0.62, **style)
    axes.axvline(_BASELINE, color="black", linestyle="--", linewidth=1)
    axes.set(xlim=(0, 1000), ylim=(len(_OFFICIAL) - 0.5, -0.5), xticks=[0, _BASELINE, 500, 750, 1000])
    axes.set_yticks(range(len(_OFFICIAL)), list(_OFFICIAL), fontsize=TEXT)
    axes.set_xlabel("points (dashed: 250, the finetuned baseline)", fontsize=TEXT)


def _write(sheet: Sheet, y: float, name: str, found: tuple[str, Finding] | None) -> None:
    """Beside a bar: points, errors and run, and below them what is not official."""
    baseline = f"{DECATHLON_ERRORS[name] / 2:.2f} %"
    lines, colors = [f"no run; baseline's error {baseline}"], [GRAY]
    if found is not None:
        label, numbers = found[0], found[1].numbers
        lines = [f"{numbers['points']:.0f}: error {100 * numbers['error']:.2f} % (baseline {baseline}), {label}"]
        colors = ["black", WRONG]
        if numbers["official"] != "yes":
            lines.append(numbers["official"].removeprefix("no: "))
    x, width = _NAMES + _BARS + 0.15, WIDTH - _NAMES - _BARS - 0.25
    top = y + (_ROW - len(lines) * _LINE) / 2
    for place, (line, color) in enumerate(zip(lines, colors, strict=False)):
        sheet.text(x, top + place * _LINE, shorten(line, width, SMALL), SMALL, color=color)
