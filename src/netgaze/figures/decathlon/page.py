"""How `Decathlon` lays out the points: one bar per set, and words beside it."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure as Picture

from netgaze.drawing.panels import GRAY, PALE, RIGHT, SMALL, TEXT, TITLE, WIDTH, WRONG, Sheet
from netgaze.drawing.rows import Row, align, lay_out, make_aside, make_text, stack
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
_NAMES, _BARS, _ROW = 1.1, 3.6, 0.36  # inches
_POINTS = f"points (dashed: {_BASELINE}, the finetuned baseline)"


def draw_points(findings: Mapping[str, Finding]) -> Picture:
    """The page, from findings of `Decathlon`."""
    counted = choose_counted(findings)
    color = WRONG if list_unofficial(counted) else GRAY
    rows = [
        Row(0.1),
        make_text(_describe_total(counted), WIDTH / 2, TITLE, height=0.24, ha="center", weight="bold"),
        make_text(_write_head(counted), WIDTH / 2, below=0.08, ha="center", color=color),
        align([_make_bars(counted), stack(_make_words(name, counted.get(name)) for name in OFFICIAL)]),
    ]
    foot = _write_foot(findings, counted)
    rows += [make_text(foot, size=SMALL, color=GRAY)] if foot else []
    return lay_out([*rows, Row(0.08)])


def _describe_total(counted: dict[str, tuple[str, Finding]]) -> str:
    sets = "all ten sets" if len(counted) == len(OFFICIAL) else f"{len(counted)} of ten sets"
    return f"{sum_points(counted):,.0f} points in {sets}"


def _write_head(counted: dict[str, tuple[str, Finding]]) -> str:
    words, others = "Of 10,000; the challenge's finetuned baseline scores 2,500.", list_unofficial(counted)
    if others:
        words = f"Not the challenge's score: {NOT_OFFICIAL} (hatched: {', '.join(others)})."
    return wrap_words(words, WIDTH - 0.4, TEXT)


def _write_foot(findings: Mapping[str, Finding], counted: dict[str, tuple[str, Finding]]) -> str:
    lines = []
    outdone = list_outdone(findings, counted)
    if outdone:
        lines.append(
            f"Of several runs on a set, the one of highest validation accuracy counts; not {', '.join(outdone)}."
        )
    reasons = {
        label: found.numbers["not_counted"] for label, found in findings.items() if "not_counted" in found.numbers
    }
    for why in dict.fromkeys(reasons.values()):
        lines.append(f"Not counted: {'; '.join(label for label, own in reasons.items() if own == why)} ({why}).")
    return wrap_words("\n".join(lines), WIDTH - 0.2, SMALL) if lines else ""


def _make_bars(counted: dict[str, tuple[str, Finding]]) -> Row:
    """Ten places with the points of the run that counts: filled for the official set, hatched for a part of it."""

    def draw(sheet: Sheet, y: float) -> None:
        limits: Any = {"xlim": (0, 1000), "ylim": (len(OFFICIAL) - 0.5, -0.5), "xticks": [0, _BASELINE, 500, 750, 1000]}
        axes = sheet.axes(_NAMES, y, _BARS, _ROW * len(OFFICIAL), xlabel=_POINTS, size=TEXT, **limits)
        axes.set_yticks(range(len(OFFICIAL)), list(OFFICIAL), fontsize=TEXT)
        axes.axvline(_BASELINE, color="black", linestyle="--", linewidth=1)
        for place, name in enumerate(OFFICIAL):
            points, style = _choose_bar(counted.get(name))
            axes.barh(place, points, height=0.62, **style)
            if name not in counted:
                axes.text(500, place, "missing", ha="center", va="center", fontsize=SMALL, color=GRAY)

    return Row(_ROW * len(OFFICIAL) + 0.42, draw)


def _choose_bar(found: tuple[str, Finding] | None) -> tuple[float, dict[str, Any]]:
    """The length of a set's bar, and how it looks."""
    if found is None:
        return 1000, {"fill": False, "edgecolor": PALE, "linestyle": ":"}
    numbers = found[1].numbers
    official = {"color": RIGHT} if numbers["official"] == "yes" else {"fill": False, "hatch": "///", "edgecolor": WRONG}
    return numbers["points"], official


def _make_words(name: str, found: tuple[str, Finding] | None) -> Row:
    """Beside a bar: points, errors and run, and below them what is not official."""
    x, width, baseline = _NAMES + _BARS + 0.15, WIDTH - _NAMES - _BARS - 0.25, f"{DECATHLON_ERRORS[name] / 2:.2f}%"
    if found is None:
        return make_aside(f"no run; baseline's error {baseline}", x, _ROW, color=GRAY)
    label, numbers = found[0], found[1].numbers
    words = f"{numbers['points']:.0f}: error {100 * numbers['error']:.2f}% (baseline {baseline}), {label}"
    half, words = _ROW / 2, shorten(words, width, SMALL)
    if numbers["official"] == "yes":
        return make_aside(words, x, _ROW)
    part = shorten(numbers["official"].removeprefix("no: "), width, SMALL)
    return stack([make_aside(words, x, half), make_aside(part, x, half, color=WRONG)])
