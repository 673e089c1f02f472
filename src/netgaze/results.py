"""From rows of runs to an answer: a ranking, and who is shown and who wins."""

from collections.abc import Sequence

from netgaze.repeats import average_repeats, identify_setting
from netgaze.runs import Row

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
    split. Others compare by a shared number where every one has it, or else not at all: then the number is None.
    """
    finished = [row for row in rows if row["status"] == "finished"]
    kinds = {(row.get("kind"), row.get("monitor"), row.get("eval_fingerprint")) for row in finished}
    if len(kinds) == 1:
        number, sign = str(finished[0].get("monitor")), 1 if finished[0].get("monitor_mode") == "max" else -1
    else:
        number, sign = SHARED_NUMBER, 1
    same_data = len({row.get("eval_fingerprint") for row in finished}) == 1
    if not finished or not same_data or any(row.get(number) is None for row in finished):
        return None, finished
    return number, sorted(finished, key=lambda row: -sign * row[number])


def name_winner(rows: Sequence[Row]) -> str:
    """A sentence that names the winner, by its mean where runs differ in their seeds, or says why there is none."""
    means = average_repeats(rows)
    number, order = rank(means or rows)
    if len(order) < 2:
        return "No winner: fewer than two runs finished." if len(rows) > 1 else ""
    if number is None:
        return "No winner is named: the runs do not share a number that could be compared fairly."
    first, second = order[0], order[1]
    if first[number] == second[number]:
        tied = ", ".join(row["label"] for row in order if row[number] == first[number])
        return f"No single winner: {tied} tie at {number} {first[number]:.4f}."
    test = f"; its test accuracy is {first['test/acc']:.4f}" if "test/acc" in first and number != "test/acc" else ""
    why = "" if number == first.get("monitor") else " (the tasks differ; this number they share)"
    why += " (means over runs)" if means else ""
    return (
        f"Winner: {first['label']}, with {number} {first[number]:.4f} against {second[number]:.4f} "
        f"of the next, {second['label']}{why}{test}."
    )
