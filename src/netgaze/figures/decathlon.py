"""How many points of the Visual Decathlon are a set of runs worth?"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from matplotlib.figure import Figure as Picture

from netgaze.drawing.panels import GRAY, RIGHT, SMALL, TEXT, TITLE, WIDTH, WRONG, Sheet, shorten, wrap_words
from netgaze.drawing.rows import Row, align, lay_out, make_text, stack
from netgaze.figure import Figure, Finding
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


class Decathlon(Figure):
    """Points of the ten sets of the Visual Decathlon, a set per run, and their sum: see `metrics.score_decathlon`.

    Of several runs of a set, the better by validation accuracy counts. Points count as the challenge's only where a
    run has the official number of classes and was tested on the official number of images: a subset is easier, and
    half of a validation split is not the test.

    Numbers of a run: `set`, `error` (of the test, 0..1), `points` (0..1000), `val/acc`, and `official`: yes, or what
    differs. Of a run that cannot count, `not_counted` says why.
    """

    title = "Visual Decathlon"
    question = "How many points of the Visual Decathlon are these runs worth, and which sets are missing?"
    needs = ("metrics", "config")

    def compute(self, subject: Subject) -> Finding:
        """The set of a run, its error and its points."""
        config, metrics = subject.config or {}, subject.metrics or {}
        name, why = config.get("data", {}).get("set"), _refuse(config, metrics)
        if why:
            return Finding({"not_counted": why}, {}, f"Not counted: {why}.")
        error = 1 - metrics["test/acc"]
        numbers = {"set": name, "error": error, "points": score_decathlon({name: error})[name]}
        numbers |= {"val/acc": metrics.get("val/acc"), "official": _compare_official(name, config, metrics)}
        return Finding(numbers, {}, _write_caption(numbers))

    def compare(self, findings: Mapping[str, Finding]) -> dict[str, Any]:
        """The score of all runs together, and all that it must not be quoted without."""
        counted = _choose_counted(findings)
        said = {
            "score": _sum_points(counted),
            "sets counted": f"{len(counted)} of {len(_OFFICIAL)}",
            "missing sets (no points)": ", ".join(name for name in _OFFICIAL if name not in counted) or "none",
        }
        others = _list_unofficial(counted)
        if others:
            said[f"not official ({_NOT_OFFICIAL})"] = ", ".join(f"{name}: {what}" for name, what in others.items())
        outdone = _list_outdone(findings, counted)
        if outdone:
            said["of several runs of a set, the better by validation accuracy counts; left aside"] = ", ".join(outdone)
        return said

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A bar per set, ten places; beside it the run that counts."""
        counted = _choose_counted(findings)
        color = WRONG if _list_unofficial(counted) else GRAY
        bars = [
            Row(_ROW * len(_OFFICIAL), partial(_draw_bars, counted=counted)),
            stack(Row(_ROW, partial(_draw_words, name=name, found=counted.get(name))) for name in _OFFICIAL),
        ]
        rows = [
            Row(0.1),
            make_text(_describe_total(counted), WIDTH / 2, TITLE, height=0.24, ha="center", weight="bold"),
            make_text(_write_head(counted), WIDTH / 2, below=0.08, ha="center", color=color),
            align(bars),
            Row(0.42),
        ]
        foot = _write_foot(findings, counted)
        rows += [make_text(foot, size=SMALL, color=GRAY)] if foot else []
        return lay_out([*rows, Row(0.08)])


def _refuse(config: dict[str, Any], metrics: dict[str, Any]) -> str | None:
    """Why a run has no points to count; None where it has."""
    data = config.get("data", {})
    if data.get("set") not in _OFFICIAL:
        return "its data is none of the ten sets"
    if config.get("task", {}).get("num_classes") != data.get("num_classes"):
        return "its task predicts something else than the set's classes"
    return None if "test/acc" in metrics else "it has no test accuracy yet"


def _compare_official(name: str, config: dict[str, Any], metrics: dict[str, Any]) -> str:
    """How a run's classes and test images differ from the official ones; yes where they do not."""
    found = (config["data"].get("num_classes"), metrics.get("test/images"))
    different = [
        f"{_format_count(num)} of {_format_count(official)} {what}"
        for num, official, what in zip(found, _OFFICIAL[name], ("classes", "test images"), strict=True)
        if num != official
    ]
    return f"no: {', '.join(different)}" if different else "yes"


def _format_count(num: int | None) -> str:
    return "unknown" if num is None else f"{num:,}"


def _write_caption(numbers: dict[str, Any]) -> str:
    if numbers["official"] == "yes":
        return "Points: 1000 for no error, 250 for the error of the challenge's finetuned baseline."
    return f"Not the official {numbers['set']} ({numbers['official'].removeprefix('no: ')}): {_NOT_OFFICIAL}."


def _choose_counted(findings: Mapping[str, Finding]) -> dict[str, tuple[str, Finding]]:
    """The label and finding that count for each set, in the order of the sets."""
    best: dict[str, tuple[str, Finding]] = {}
    for label, finding in findings.items():
        name = finding.numbers.get("set")
        if name and (name not in best or _read_validation(finding) > _read_validation(best[name][1])):
            best[name] = label, finding
    return {name: best[name] for name in _OFFICIAL if name in best}


def _read_validation(finding: Finding) -> float:
    accuracy = finding.numbers["val/acc"]
    return -1.0 if accuracy is None else accuracy


def _sum_points(counted: dict[str, tuple[str, Finding]]) -> float:
    return float(sum(finding.numbers["points"] for _, finding in counted.values()))


def _list_unofficial(counted: dict[str, tuple[str, Finding]]) -> dict[str, str]:
    """By set, what differs from the official one."""
    told = {name: finding.numbers["official"] for name, (_, finding) in counted.items()}
    return {name: what.removeprefix("no: ") for name, what in told.items() if what != "yes"}


def _list_outdone(findings: Mapping[str, Finding], counted: dict[str, tuple[str, Finding]]) -> list[str]:
    """The runs in whose place another of the same set counts."""
    winners = {label for label, _ in counted.values()}
    return [
        f"{label} ({finding.numbers['set']})"
        for label, finding in findings.items()
        if "set" in finding.numbers and label not in winners
    ]


def _describe_total(counted: dict[str, tuple[str, Finding]]) -> str:
    sets = "all ten sets" if len(counted) == len(_OFFICIAL) else f"{len(counted)} of ten sets"
    return f"{_sum_points(counted):,.0f} points in {sets}"


def _write_head(counted: dict[str, tuple[str, Finding]]) -> str:
    words, others = "Of 10,000; the challenge's finetuned baseline has 2,500.", _list_unofficial(counted)
    if others:
        words = f"Not the challenge's score: {_NOT_OFFICIAL} (hatched: {', '.join(others)})."
    return wrap_words(words, WIDTH - 0.4, TEXT)


def _write_foot(findings: Mapping[str, Finding], counted: dict[str, tuple[str, Finding]]) -> str:
    lines = []
    outdone = _list_outdone(findings, counted)
    if outdone:
        lines.append(f"Of several runs of a set, the better by validation accuracy counts; not {', '.join(outdone)}.")
    lines += [
        f"Not counted: {label} ({finding.numbers['not_counted']})."
        for label, finding in findings.items()
        if "not_counted" in finding.numbers
    ]
    return wrap_words("\n".join(lines), WIDTH - 0.2, SMALL) if lines else ""


def _draw_bars(sheet: Sheet, y: float, counted: dict[str, tuple[str, Finding]]) -> None:
    axes = sheet.axes(_NAMES, y, _BARS, _ROW * len(_OFFICIAL))
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


def _draw_words(sheet: Sheet, y: float, name: str, found: tuple[str, Finding] | None) -> None:
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
