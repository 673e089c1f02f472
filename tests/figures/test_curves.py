"""Learning curves: each number of each run in its plot, over its epochs."""

import numpy as np
import pytest
from tests.figures.reader import find_line, read

from netgaze.figure import Finding
from netgaze.figures.curves import Curves
from netgaze.subject import Subject

EPOCHS = [1, 2, 3, 4]
NUMBERS = ["train/loss", "val/loss", "train/acc", "val/acc", "lr"]
TITLES = ["loss", "accuracy", "learning rate"]
LABELS = {"train/loss": "train", "val/loss": "validation", "train/acc": "train", "val/acc": "validation"}
BEST = {"one": 3, "two": 2}


def make_findings():
    values = np.random.default_rng(5).permutation(40).reshape(2, 5, 4) / 40
    return {
        label: Finding(
            {"best/epoch": best, "best/val/loss": 0.125 * best, "best/val/acc": 0.25 * best},
            {"epoch": np.array(EPOCHS), **dict(zip(NUMBERS, values[place], strict=True))},
        )
        for place, (label, best) in enumerate(BEST.items())
    }


@pytest.fixture
def findings():
    return make_findings()


def find_rows(drawn):
    """The plots line by line, each from left to right."""
    ys = sorted({round(plot.y, 2) for plot in drawn.plots})
    return [sorted((plot for plot in drawn.plots if round(plot.y, 2) == y), key=lambda plot: plot.x) for y in ys]


def test_each_number_has_its_plot_and_color_over_its_epochs(findings):
    drawn = read(Curves().draw(findings))
    rows = find_rows(drawn)
    assert [len(row) for row in rows] == [2, 2, 2]
    for names, row in zip((NUMBERS[:2], NUMBERS[2:4], NUMBERS[4:]), rows, strict=True):
        for plot, finding in zip(row, findings.values(), strict=True):
            lines = [find_line(plot, finding.arrays[name]) for name in names]
            assert all(line.x == EPOCHS for line in lines)
            assert len({line.style for line in lines}) == len({line.color for line in lines}) == len(names)
            assert len({line.marker for line in lines} - {""}) == len(names), "few epochs are marked"
            for name, line in zip(names, lines, strict=True):
                if name in LABELS:
                    assert line.color == drawn.legend[LABELS[name]]
            assert len(plot.lines) == len(names) + 1, "and the best epoch's"


def test_a_dotted_line_marks_the_best_epoch_of_each_run(findings):
    for row in find_rows(read(Curves().draw(findings))):
        for plot, best in zip(row, BEST.values(), strict=True):
            (line,) = (line for line in plot.lines if line.style == ":")
            assert line.x == [best, best]


def test_plots_of_a_row_have_the_same_axes_that_hold_all_values(findings):
    rows = find_rows(read(Curves().draw(findings)))
    for names, row in zip((NUMBERS[:2], NUMBERS[2:4], NUMBERS[4:]), rows, strict=True):
        values = np.concatenate([finding.arrays[name] for finding in findings.values() for name in names])
        assert row[0].ylim == row[1].ylim
        margin = 0.06 * np.ptp(values)
        assert row[0].ylim == pytest.approx((values.min() - margin, values.max() + margin))
        assert all(plot.xlim[0] < 1 < 4 < plot.xlim[1] for plot in row)
        assert all(set(plot.xticks.values()) <= set(range(6)) for plot in row), "epochs are whole"


def test_words_stand_at_the_left_and_below(findings):
    rows = find_rows(read(Curves().draw(findings)))
    assert [row[0].ylabel for row in rows] == TITLES
    assert [row[1].ylabel for row in rows] == [""] * 3
    assert [[plot.xlabel for plot in row] for row in rows] == [["", ""], ["", ""], ["epoch", "epoch"]]


def test_each_column_has_its_title_and_its_best_epoch(findings):
    drawn = read(Curves().draw(findings))
    for label, best in BEST.items():
        title, caption = drawn.say(label), drawn.say(f"best epoch {best}")
        assert title.bold
        assert caption.x == title.x
        own = [word.text for word in drawn.words if word.x == title.x][1:]
        expected = [f"validation loss {0.125 * best:.3f}", f"validation accuracy {0.25 * best:.1%}"]
        assert own == [f"best epoch {best}", *expected]
    left, right = (drawn.say(label).x for label in BEST)
    plots = find_rows(drawn)[0]
    assert (left, right) == pytest.approx([plot.middle[0] for plot in plots])


def test_what_a_run_did_not_measure_is_said_and_gaps_are_bridged(findings):
    findings["two"].arrays |= {"val/knn20": np.array([np.nan, 0.5, np.nan, 0.75])}
    drawn = read(Curves().draw(findings))
    (row,) = (row for row in find_rows(drawn) if "features" in row[0].ylabel)
    assert [word.text for word in row[0].words] == ["not measured"]
    assert not row[0].lines
    assert not row[1].words
    line = find_line(row[1], [0.5, 0.75])
    assert line.x == [2, 4]
    assert line.color == drawn.legend["20 neighbors"]
    assert "200 neighbors" not in drawn.legend
    assert [row[0].ylabel for row in find_rows(drawn)] == ["loss", "accuracy", row[0].ylabel, "learning rate"]


def test_five_runs_stand_in_two_bands_with_the_same_axes(findings):
    five = {f"run {place}": findings["two" if place % 2 else "one"] for place in range(5)}
    rows = find_rows(read(Curves().draw(five)))
    assert [len(row) for row in rows] == [3, 3, 3, 2, 2, 2]
    for upper, lower, name in zip(rows[:3], rows[3:], ("train/loss", "train/acc", "lr"), strict=True):
        assert {plot.ylim for plot in upper + lower} == {upper[0].ylim}
        for plot, finding in zip(upper + lower, five.values(), strict=True):
            find_line(plot, finding.arrays[name])


def test_many_epochs_are_not_marked():
    finding = Finding({"best/epoch": 2}, {"epoch": np.arange(1, 21), "val/acc": np.arange(20) / 20})
    (plot,) = read(Curves().draw({"one": finding})).plots
    assert [line.marker for line in plot.lines] == ["", ""]
    assert find_line(plot, np.arange(20) / 20).x == list(range(1, 21))


def test_numbers_are_of_the_best_and_of_the_last_epoch():
    rows = [{"epoch": epoch, "val/acc": acc, "lr": ""} for epoch, acc in ((1, 0.2), (2, 0.7), (3, 0.4))]
    finding = Curves().compute(Subject("run", history=lambda: rows))
    assert finding.numbers == {"best/epoch": 2, "best/val/acc": 0.7, "last/val/acc": 0.4}
    assert set(finding.arrays) == {"epoch", "val/acc"}
    assert finding.arrays["val/acc"].tolist() == [0.2, 0.7, 0.4]
    kept = Subject("run", history=lambda: rows, metrics={"best/epoch": 1})
    assert Curves().compute(kept).numbers == {"best/epoch": 1, "best/val/acc": 0.2, "last/val/acc": 0.4}


def test_what_several_networks_have_stands_on_one_chart_too(findings):
    findings["one"].arrays |= {"val/knn20": np.array([0.25, np.nan, np.nan, 0.5])}
    findings["two"].arrays |= {"val/knn20": np.array([np.nan, 0.5, np.nan, 0.75])}
    chart = read(Curves().draw(findings)).plots[0]
    assert (chart.xlabel, chart.ylabel) == ("epoch", "20-neighbor accuracy")
    assert find_line(chart, [0.25, 0.5]).x == [1, 4]
    assert set(chart.xticks.values()) <= set(range(6)), "epochs are whole"
    assert find_line(chart, [0.5, 0.75]).x == [2, 4]
    short = findings["two"].arrays
    findings["two"].arrays = {name: values[:2] for name, values in short.items()}
    chart = read(Curves().draw(findings)).plots[0]
    assert chart.xlabel == "share of training"
    assert find_line(chart, [0.25, 0.5]).x == [0.25, 1]
    assert find_line(chart, [0.5]).x == [1]
