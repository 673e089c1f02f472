"""From rows of runs to an answer: means of runs that repeat one setting, a ranking, and who is shown."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from netgaze.glossary import NUMBERS, explain, find_margin, format_number
from netgaze.rows import Row

SHARED_NUMBER = "test/knn20"  # compares networks that were trained to predict different things


def choose_pictured(rows: Sequence[Row], most: int) -> list[Row]:
    """The runs whose pictures are shown, best first: at most `most`, and of those that share a setting the best.

    Where the data was divided in several ways, of each setting the run on the first division that all of them have.
    """
    means = average_repeats(rows)
    if not means:
        return rank(rows)[1][:most]
    settings = [identify_setting(row) for row in rank(means)[1][:most]]
    order = rank(rows)[1]
    groups = [[row for row in order if identify_setting(row) == setting] for setting in settings]
    shared = set.intersection(*({row.get("drawn") for row in group} for group in groups))
    if shared:
        first = min(shared, key=lambda drawn: (drawn is not None, drawn))
        groups = [[row for row in group if row.get("drawn") == first] for group in groups]
    return [group[0] for group in groups]


def rank(rows: Sequence[Row]) -> tuple[str | None, list[Row]]:
    """The number by which runs can be told apart fairly, and the finished runs, best first.

    Runs that predict the same classes of the same data compare by what chose their best epochs, on the validation
    split; where nothing was chosen, as of published networks that were only tested, by the same number of the test.
    Others compare by a shared number where every one has it, or else not at all: then the number is None.
    """
    finished = [row for row in rows if row["status"] == "finished"]
    kinds = {(row.get("kind"), row.get("monitor"), row.get("eval_fingerprint")) for row in finished}
    if len(kinds) == 1:
        number, sign = str(finished[0].get("monitor")), 1 if finished[0].get("monitor_mode") == "max" else -1
        if all(map(is_only_tested, finished)):
            number = f"test/{number.rpartition('/')[2]}"
    else:
        number, sign = SHARED_NUMBER, 1
    same_data = len({row.get("eval_fingerprint") for row in finished}) == 1
    if not finished or not same_data or any(row.get(number) is None for row in finished):
        return None, finished
    return number, sorted(finished, key=lambda row: -sign * row[number])


def is_only_tested(row: Row) -> bool:
    """Whether a network was tested as it came: no epoch of it was trained or chosen here."""
    return row.get("best/epoch") == 0 and row.get(str(row.get("monitor"))) is None


def measure_margin(row: Row, name: str) -> float | None:
    """What stands behind the ± of a number; None where nothing is known of it.

    Of a mean over repeated runs their standard deviation, of one run's share of examples the distance to the farther
    end of its 95 % Wilson interval.
    """
    if "std" in row:
        return row["std"].get(name)
    return find_margin(row, name, explain(name, NUMBERS))


def show_number(row: Row, name: str) -> str:
    """A run's number as a reader wants it, with its margin."""
    return format_number(row.get(name), explain(name, NUMBERS), measure_margin(row, name))


@dataclass(frozen=True)
class Spread:
    """A number over repetitions.

    Attributes:
        mean: of the repetitions.
        std: their standard deviation (n - 1), None of a single one.
        num: how many they are.
        margin: of a single one, see `measure_margin`.
    """

    mean: float
    std: float | None
    num: int
    margin: float | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """One standard deviation below and above the mean."""
        return self.mean - (self.std or 0.0), self.mean + (self.std or 0.0)

    def show(self, name: str) -> str:
        """As a reader wants the number of that name: with its standard deviation or, of a single one, its margin."""
        return format_number(self.mean, explain(name, NUMBERS), self.margin if self.std is None else self.std)


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
    margins = []
    for row in rows:
        value, base = row.get(name), row.get(above) if above else 0.0
        if value is not None and base is not None:
            values.setdefault(identify_repeat(row), []).append(value - base)
            margins.append(None if above else measure_margin(row, name))
    means = [statistics.fmean(own) for own in values.values()]
    if not means:
        return None
    std = statistics.stdev(means) if len(means) > 1 else None
    return Spread(statistics.fmean(means), std, len(means), margins[0] if std is None else None)


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
