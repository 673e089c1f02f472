"""The sentence that says which run is best, by how much, and whether that is more than chance."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from netgaze.glossary import NUMBERS, explain, format_number
from netgaze.predictions import Duel
from netgaze.program import spell
from netgaze.results import average_repeats, is_only_tested, measure_margin, rank, show_number
from netgaze.rows import Row
from netgaze.run import Run

_CHANCE = 0.05  # a p below it is called more than chance


def name_winner(rows: Sequence[Row]) -> str:
    """A few sentences that name the winner, by its mean where runs differ in their seeds, or say why there is none.

    The validation split decides, never the test split, except for networks that were only tested. Whether two differ on
    the test split by more than chance is said wherever both kept their predictions.
    """
    means = average_repeats(rows)
    number, order = rank(means or rows)
    if len(order) == 1 and means:
        return "No winner: the runs differ in their seeds alone."
    if len(order) < 2:
        return "No winner: fewer than two runs finished." if len(rows) > 1 else ""
    if number is None:
        said = "No winner: the runs have no number in common that compares them fairly."
        return said + _compare_tests(*order) if len(order) == 2 and not means else said
    first, second = order[0], order[1]
    if first[number] == second[number]:
        tied = ", ".join(row["label"] for row in order if row[number] == first[number])
        return f"No single winner: {tied} tie at {_show(first, number)}."
    if all(map(is_only_tested, order)) and not means:
        return _name_better(first, second, number)
    why = "" if number == first.get("monitor") else " (their tasks differ; this number they have in common)"
    why += " (means ± standard deviations over runs)" if means else ""
    test = f" Its test accuracy is {show_number(first, 'test/acc')}." if _adds_test(first, number) else ""
    duel = None if means else find_duel(first, second)
    return (
        f"Winner: {first['label']}, with {_show(first, number)} against {show_number(second, number)} for the next, "
        f"{second['label']}{why}: {_judge_lead(first, second, number)}.{test}{_describe_duel(duel)}"
    )


def find_duel(first: Row, second: Row) -> Duel | None:
    """Two runs' predictions of the same test examples, compared; None where they cannot be.

    They must predict the same classes of the same data, and have kept the predictions behind the rows' accuracies.
    """
    same = all(first.get(key) == second.get(key) for key in ("kind", "eval_fingerprint"))
    predictions = [_read_predictions(row) for row in (first, second)]
    return Duel.of(*predictions) if same and all(predictions) else None


def _read_predictions(row: Row) -> Any:
    """A run's predictions, where they are those of the row: a run of several networks kept only those of its best."""
    kept = Run(Path(row["folder"])).predictions if row.get("folder") else None
    known = row.get("test/acc")
    return kept if kept and known is not None and abs(kept.right.mean() - known) < 1e-6 else None


def _name_better(first: Row, second: Row, number: str) -> str:
    """For networks that were only tested, where no choice could favor one of them."""
    duel, apart = find_duel(first, second), _is_apart(first, second, number)
    start = "No clear winner, but ahead" if duel and duel.p >= _CHANCE else "Winner" if duel or apart else "Ahead"
    lead = _judge_lead(first, second, number) if duel is None else _count_points(first, second, number)
    return (
        f"{start}: {first['label']}, with {_show(first, number)} against {show_number(second, number)} for the next, "
        f"{second['label']}: {lead}. Nothing was trained or chosen here, so the test split compares them."
        f"{_describe_duel(duel)}{'' if apart else _ask_for_predictions(first, second)}"
    )


def _compare_tests(first: Row, second: Row) -> str:
    """Two runs of which only one was chosen on validation, compared on the same test split, which chooses neither."""
    duel = find_duel(first, second)
    if duel is None:
        return ""
    said = f" The test accuracy of {first['label']} is {show_number(first, 'test/acc')}, of {second['label']} "
    return f"{said}{show_number(second, 'test/acc')}.{_describe_duel(duel)}"


def _ask_for_predictions(*rows: Row) -> str:
    """Which runs were tested before runs kept their predictions, and how to get these."""
    lacking = [row["label"] for row in rows if "test/acc" in row and _read_predictions(row) is None]
    if not lacking:
        return ""
    return (
        f" Whether that is more than chance is unknown: {' and '.join(lacking)} kept no predictions "
        f"(predictions.npz). Run the same command again, into a new folder: {spell('train')} ... trainer.max_epochs=0."
    )


def _judge_lead(first: Row, second: Row, number: str) -> str:
    """By how much the first leads, and whether the uncertainty is as large as that."""
    margins = _list_margins(first, second, number)
    within = margins and abs(first[number] - second[number]) <= max(margins)
    return _count_points(first, second, number) + (", within the uncertainty" if within else "")


def _count_points(first: Row, second: Row, number: str) -> str:
    lead, meaning = abs(first[number] - second[number]), explain(number, NUMBERS)
    if meaning is None or meaning.unit != "%":
        return f"a lead of {format_number(lead, meaning)}"
    return f"a lead of {100 * lead:.{1 if lead >= 5e-4 else 2}f} points"


def _is_apart(first: Row, second: Row, number: str) -> bool:
    """Whether the two intervals have nothing in common."""
    margins = _list_margins(first, second, number)
    return len(margins) == 2 and abs(first[number] - second[number]) > sum(margins)


def _list_margins(first: Row, second: Row, number: str) -> list[float]:
    margins = [measure_margin(row, number) for row in (first, second)]
    return [margin for margin in margins if margin is not None]


def _describe_duel(duel: Duel | None) -> str:
    if duel is None:
        return ""
    more = "more than chance" if duel.p < _CHANCE else "no more than chance"
    return (
        f" Of the same {duel.num:,} test examples only the first classifies {duel.only_first:,} correctly, only the "
        f"second {duel.only_second:,}: {more} (McNemar's test, p {_show_p(duel.p)})."
    )


def _show_p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.2g}"


def _adds_test(row: Row, number: str) -> bool:
    return "test/acc" in row and number != "test/acc"


def _show(row: Row, number: str) -> str:
    meaning = explain(number, NUMBERS)
    return f"{meaning.words if meaning else number} {show_number(row, number)}"
