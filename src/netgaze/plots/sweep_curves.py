"""A swept number: which one it is, the curves over it, and the lines to hold them against."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from netgaze.labels import REPEATS, find_differing, name_groups
from netgaze.results import SHARED_NUMBER, Spread, identify_question, identify_repeat, identify_setting, measure_spread
from netgaze.rows import Row

_FACTS = ("label", "run", "setting", "folder", "status", "kind", "monitor", "monitor_mode", "eval_fingerprint", "drawn")
_NO_SETTINGS = (*_FACTS, *REPEATS, "seconds", "error")
_NO_STAGES = ("train", "val", "test", "last", "unlabeled")  # `<any other>/acc` is an earlier stage's test accuracy


@dataclass(frozen=True)
class Curve:
    """Runs that differ in the swept number and in their repetition alone.

    Attributes:
        name: what tells it from the other curves; empty where it is the only one.
        points: of each number by its name, over the swept number, ascending.
        levels: numbers of earlier stages that the swept number does not change, by name.
        best: the swept number that is best by validation, of equal ones the lowest; None where none was chosen.
        gains: how far the test is above each of `levels` there, repetition by repetition.
    """

    name: str
    points: dict[str, dict[float, Spread]]
    levels: dict[str, Spread] = field(default_factory=dict)
    best: float | None = None
    gains: dict[str, Spread] = field(default_factory=dict)


@dataclass(frozen=True)
class Sweep:
    """What is drawn of a sweep.

    Attributes:
        key: what was swept.
        test: the name of the test's number, of which levels and lines are.
        panels: the names of numbers that share axes.
        curves: in the order of the runs.
        lines: runs without the swept number that predict the same classes of the same data, by what they are called.
        left_out: runs that are not drawn, and why.
    """

    key: str
    test: str
    panels: list[tuple[str, ...]]
    curves: list[Curve]
    lines: dict[str, Spread] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def read_sweep(rows: Sequence[Row]) -> Sweep | None:
    """What is to be drawn of runs; None where no number was swept, or each of its values came with other data."""
    finished = [row for row in rows if row["status"] == "finished"]
    key = find_swept_key(finished)
    groups = group_by_setting(finished, key) if key is not None else {}
    groups = {name: group for name, group in groups.items() if len({*map(identify_question, group)}) == 1}
    swept = [row for group in groups.values() for row in group]
    if key is None or not swept:
        return None
    test = "test/acc" if _is_known("test/acc", swept) else _name_test(swept[0])
    stages = [name for name in dict.fromkeys(name for row in swept for name in row) if _is_stage(name)]
    levels = [name for name in stages if _is_level(name, key, groups)]
    panels = _arrange_panels(test, [name for name in stages if name not in levels], swept)
    numbers = [name for panel in panels for name in panel]
    curves = [_make_curve(name, group, key, numbers, levels, test) for name, group in groups.items()]
    others = [row for row in rows if row not in swept]
    left_out = {row["label"]: why for row in others if (why := _explain_misfit(row, key, swept, test))}
    lines = _make_lines([row for row in others if row["label"] not in left_out], test)
    return Sweep(key, test, panels, curves, lines, left_out)


def find_swept_key(rows: Sequence[Row]) -> str | None:
    """The setting over whose numbers most runs compare, all else being equal; None where there is none.

    Of several such that of the most values, then the first that was typed; the others tell curves apart.
    """
    counts = {}
    for key in _list_settings(rows):
        groups = [group for group in group_by_setting(rows, key).values() if len(_list_values(group, key)) > 1]
        counts[key] = sum(map(len, groups)), max((len(_list_values(group, key)) for group in groups), default=0)
    return max((key for key in counts if any(counts[key])), key=counts.__getitem__, default=None)


def group_by_setting(rows: Sequence[Row], key: str) -> dict[str, list[Row]]:
    """The runs that have a number for the key, by what else tells them apart, repetitions aside."""
    numbered = [row for row in rows if _number(row.get(key)) is not None]
    others = [name for name in _list_settings(rows) if name != key]
    settings = [{name: str(row[name]) for name in others if row.get(name) is not None} for row in numbered]
    differing = find_differing(settings)
    names = name_groups(settings, differing) if differing else [""] * len(numbered)
    return {name: [row for row, own in zip(numbered, names, strict=True) if own == name] for name in names}


def _list_settings(rows: Sequence[Row]) -> list[str]:
    """The keys that differ: all names in the rows but those of numbers and of facts about a run."""
    return list(dict.fromkeys(name for row in rows for name in row if "/" not in name and name not in _NO_SETTINGS))


def _list_values(rows: Iterable[Row], key: str) -> list[float]:
    return sorted({value for row in rows if (value := _number(row.get(key))) is not None})


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _is_known(name: str, rows: Iterable[Row]) -> bool:
    return any(row.get(name) is not None for row in rows)


def _name_test(row: Row) -> str:
    """The test's counterpart of the number that chose a run's best epoch."""
    return f"test/{str(row.get('monitor')).rpartition('/')[2]}"


def _is_stage(name: str) -> bool:
    return name.endswith("/acc") and name.partition("/")[0] not in _NO_STAGES


def _is_level(name: str, key: str, groups: dict[str, list[Row]]) -> bool:
    """Whether no repetition's number changes with the swept one, which at least one of them ran with several values."""
    repeats: dict[tuple[Any, ...], list[Row]] = {}
    for curve, group in groups.items():
        for row in group:
            repeats.setdefault((curve, *identify_repeat(row)), []).append(row)
    changes = any(len({row[name] for row in rows if _is_known(name, [row])}) > 1 for rows in repeats.values())
    return not changes and any(len(_list_values(rows, key)) > 1 for rows in repeats.values())


def _arrange_panels(test: str, stages: Sequence[str], swept: Sequence[Row]) -> list[tuple[str, ...]]:
    """Which numbers share axes: test and earlier stages, validation at the best and last epoch; others are alone."""
    monitors = [str(row.get("monitor")) for row in swept]
    panels = [(test, *stages), *((name, "last/val_acc") if name == "val/acc" else (name,) for name in monitors)]
    panels += [(name,) for name in ("unlabeled/right", *map(_name_test, swept), SHARED_NUMBER) if name != test]
    return [panel for panel in dict.fromkeys(panels) if _is_known(panel[0], swept)]


def _make_curve(
    name: str, group: Sequence[Row], key: str, numbers: Sequence[str], stages: Sequence[str], test: str
) -> Curve:
    by_value = {value: [row for row in group if _number(row[key]) == value] for value in _list_values(group, key)}
    points = {
        number: {value: spread for value, rows in by_value.items() if (spread := measure_spread(rows, number))}
        for number in numbers
    }
    levels = {stage: spread for stage in stages if (spread := measure_spread(group, stage))}
    chosen, sign = points.get(str(group[0].get("monitor")), {}), -1 if group[0].get("monitor_mode") == "min" else 1
    best = max(chosen, key=lambda value: sign * chosen[value].mean) if len(chosen) > 1 else None
    at_best = [] if best is None else by_value[best]
    gains = {stage: gain for stage in levels if (gain := measure_spread(at_best, test, above=stage))}
    return Curve(name, points, levels, best, gains)


def _explain_misfit(row: Row, key: str, swept: Sequence[Row], test: str) -> str | None:
    """Why a run that is not in a curve is no line to hold the curves against either; None where it is."""
    if row["status"] != "finished":
        return f"it is {row['status']}"
    if _number(row.get(key)) is not None:
        return f"its {key} came with other data"
    if row.get("kind") not in {other.get("kind") for other in swept}:
        return "it predicts other classes"
    if identify_question(row) not in {*map(identify_question, swept)}:
        return "it has other data than the others"
    return None if _is_known(test, [row]) else f"it has no {test}"


def _make_lines(rows: Sequence[Row], test: str) -> dict[str, Spread]:
    """The test's number of each setting, over its repetitions."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(identify_setting(row), []).append(row)
    named = {group[0]["setting" if len(group) > 1 else "label"]: group for group in groups.values()}
    return {name: spread for name, group in named.items() if (spread := measure_spread(group, test))}
