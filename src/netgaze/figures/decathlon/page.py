"""How `Decathlon` lays out the points: a bar per set, and words beside it."""

from collections.abc import Mapping
from functools import partial

from matplotlib.figure import Figure as Picture

from netgaze.drawing.panels import GRAY, RIGHT, SMALL, TEXT, TITLE, WIDTH, WRONG, Sheet
from netgaze.drawing.rows import Row, align, lay_out, make_text, stack
from netgaze.drawing.words import shorten, wrap_words
from netgaze.figure import Finding
from netgaze.figures.decathlon.standing import (
    NOT_OFFICIAL,
    OFFICIAL,
    choose_counted,
    list_outdone,
    list_unofficial,
    sum_points,
)
from netgaze.measures.metrics import DECATHLON_ERRORS

_BASELINE = 250
_NAMES, _BARS, _ROW, _LINE = 1.1, 3.6, 0.36, 0.14  # inches


def draw_points(findings: Mapping[str, Finding]) -> Picture:
    """The page, from findings of `Decathlon`."""
    counted = choose_counted(findings)
    color = WRONG if list_unofficial(counted) else GRAY
    bars = [
        Row(_ROW * len(OFFICIAL), partial(_draw_bars, counted=counted)),
        stack(Row(_ROW, partial(_draw_words, name=name, found=counted.get(name))) for name in OFFICIAL),
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


def _describe_total(counted: dict[str, tuple[str, Finding]]) -> str:
    sets = "all ten sets" if len(counted) == len(OFFICIAL) else f"{len(counted)} of ten sets"
    return f"{sum_points(counted):,.0f} points in {sets}"


def _write_head(counted: dict[str, tuple[str, Finding]]) -> str:
    words, others = "Of 10,000; the challenge's finetuned baseline has 2,500.", list_unofficial(counted)
    if others:
        words = f"Not the challenge's score: {NOT_OFFICIAL} (hatched: {', '.join(others)})."
    return wrap_words(words, WIDTH - 0.4, TEXT)


def _write_foot(findings: Mapping[str, Finding], counted: dict[str, tuple[str, Finding]]) -> str:
    lines = []
    outdone = list_outdone(findings, counted)
    if outdone:
        lines.append(f"Of several runs of a set, the better by validation accuracy counts; not {', '.join(outdone)}.")
    lines += [
        f"Not counted: {label} ({finding.numbers['not_counted']})."
        for label, finding in findings.items()
        if "not_counted" in finding.numbers
    ]
    return wrap_words("\n".join(lines), WIDTH - 0.2, SMALL) if lines else ""


def _draw_bars(sheet: Sheet, y: float, counted: dict[str, tuple[str, Finding]]) -> None:
    axes = sheet.axes(_NAMES, y, _BARS, _ROW * len(OFFICIAL))
    for place, name in enumerate(OFFICIAL):
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
    axes.set(xlim=(0, 1000), ylim=(len(OFFICIAL) - 0.5, -0.5), xticks=[0, _BASELINE, 500, 750, 1000])
    axes.set_yticks(range(len(OFFICIAL)), list(OFFICIAL), fontsize=TEXT)
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
