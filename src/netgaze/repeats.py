"""Runs that repeat one setting, with another seed or another division of the data: their means and deviations."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from netgaze.runs import Row


@dataclass(frozen=True)
class Spread:
    """Mean of a number over repetitions, its standard deviation (n - 1), None of a single one, and their number."""

    mean: float
    std: float | None
    num: int

    @property
    def ends(self) -> tuple[float, float]:
        """One standard deviation below and above the mean."""
        return self.mean - (self.std or 0.0), self.mean + (self.std or 0.0)

    def __str__(self) -> str:
        return f"{self.mean:.4f}" + ("" if self.std is None else f" ± {self.std:.4f}")


def identify_question(row: Row) -> tuple[Any, ...]:
    """What runs whose accuracies compare have in common: classes and data, but for how these were divided."""
    return row.get("kind"), None if row.get("drawn") is not None else row.get("eval_fingerprint")


def identify_setting(row: Row) -> tuple[Any, ...]:
    """What runs of several seeds, or of several divisions of the data, have in common."""
    return row["setting"], *identify_question(row)


def identify_repeat(row: Row) -> tuple[Any, Any]:
    """What tells runs of one setting apart."""
    return row.get("seed"), row.get("drawn")


def measure_spread(rows: Iterable[Row], name: str, above: str | None = None) -> Spread | None:
    """A number over the repetitions that know it, or how far it is above another; None where none knows it.

    A repetition that was run several times counts once, by its mean.
    """
    values: dict[tuple[Any, Any], list[float]] = {}
    for row in rows:
        value, base = row.get(name), row.get(above) if above else 0.0
        if value is not None and base is not None:
            values.setdefault(identify_repeat(row), []).append(value - base)
    means = [statistics.fmean(own) for own in values.values()]
    std = statistics.stdev(means) if len(means) > 1 else None
    return Spread(statistics.fmean(means), std, len(means)) if means else None


def average_repeats(rows: Sequence[Row]) -> list[Row]:
    """Finished runs that differ in nothing but their seed, or in how the data was divided, as one row of means.

    None where no two runs do. Such a row has the `setting` as its label, `runs` (how many), the mean of every number,
    and as `std` the standard deviation of every number over the runs (n - 1), where two or more have it.
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        if row["status"] == "finished":
            groups.setdefault(identify_setting(row), []).append(row)
    alone = all(len(group) < 2 for group in groups.values())
    repeated = any(len({*map(identify_repeat, group)}) < len(group) for group in groups.values())
    return [] if alone or repeated else [_average(group) for group in groups.values()]


def _average(group: Sequence[Row]) -> Row:
    merged = dict(group[0]) | {"label": group[0]["setting"], "runs": len(group), "std": {}}
    if merged.get("drawn") is not None:
        merged["eval_fingerprint"] = tuple(sorted({str(row.get("eval_fingerprint")) for row in group}))
    for name in group[0]:
        values = [row.get(name) for row in group]
        if ("/" in name or name == "seconds") and all(isinstance(value, int | float) for value in values):
            merged[name] = statistics.fmean(values)  # type: ignore[arg-type]
            if len(values) > 1:
                merged["std"][name] = statistics.stdev(values)  # type: ignore[type-var]
    return merged
