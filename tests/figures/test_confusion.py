"""The confusion matrix, the accuracy of each class and the bins of confidence: where and as they were counted."""

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_hex
from tests.figures.reader import read

from netgaze.drawing.panels import GRAY, RIGHT, WRONG
from netgaze.figure import Finding
from netgaze.figures.confusion import Confusion, _choose_classes, bin_reliability
from netgaze.measures.confusion import PairCounts

NAMES = np.array(["cat", "dog", "emu"])
COUNTS = {"one": [[5, 2, 1], [0, 3, 7], [4, 6, 10]], "two": [[9, 0, 3], [4, 8, 2], [1, 5, 14]]}
_BINS = 15


def make_finding(counts, place=0):
    counts = np.array(counts)
    true, answer = np.nonzero(counts)
    each = counts[true, answer]
    shares = counts / counts.sum(axis=1, keepdims=True)
    wrong = np.flatnonzero(true != answer)
    share = np.arange(1, _BINS + 1) / 120
    arrays = {
        "names": NAMES,
        "examples": counts.sum(axis=1),
        "pairs": np.stack([true, answer], axis=1),
        "pair_counts": each,
        "shown": np.arange(3),
        "counts": counts,
        "worst": wrong[np.argsort(-shares[true, answer][wrong], kind="stable")],
        "bin_share": np.roll(share, place),
        "bin_accuracy": np.where(share > 0.02, np.roll(share, 3 + place) * 7, np.nan),
        "bin_confidence": (np.arange(_BINS) + 0.3) / _BINS,
    }
    numbers = {"acc": counts.trace() / counts.sum(), "acc_macro": shares.diagonal().mean(), "ece": 0.125 + place / 10}
    numbers |= {"num_images": int(counts.sum()), "num_images_macro": 20.0}
    return Finding(numbers | {"per_class_acc": dict(zip(NAMES, shares.diagonal(), strict=True))}, arrays)


@pytest.fixture
def findings():
    return {label: make_finding(counts, place) for place, (label, counts) in enumerate(COUNTS.items())}


@pytest.fixture
def drawn(findings):
    return read(Confusion().draw(findings))


def plots(drawn, *words):
    """Those with such words, from left to right."""
    found = [plot for plot in drawn.plots if all(word in (plot.title, plot.xlabel, plot.ylabel) for word in words)]
    return sorted(found, key=lambda plot: plot.x)


def test_rows_are_classes_and_columns_answers(drawn):
    matrices = sorted((plot for plot in drawn.plots if plot.matrix is not None), key=lambda plot: plot.x)
    for plot, counts in zip(matrices, COUNTS.values(), strict=True):
        counts = np.array(counts)
        np.testing.assert_allclose(plot.matrix, counts / counts.sum(axis=1, keepdims=True))
        assert plot.colors == ("viridis", 0, 1)
        assert plot.xticks == plot.yticks == {"cat": 0, "dog": 1, "emu": 2}
        assert plot.ylim[0] > plot.ylim[1], "the first class is on top"
        assert plot.xlim[0] < plot.xlim[1]
        written = [[int(plot.cell(row, column)) for column in range(3)] for row in range(3)]
        assert written == counts.tolist()


def test_counts_can_be_read_on_their_cells(drawn):
    for plot in (plot for plot in drawn.plots if plot.matrix is not None):
        for word in plot.words:
            bright = plot.matrix[round(word.y), round(word.x)] > 0.6
            assert word.color == ("#000000" if bright else "#ffffff")


def test_bars_are_the_diagonal_beside_their_rows(drawn):
    matrices = sorted((plot for plot in drawn.plots if plot.matrix is not None), key=lambda plot: plot.x)
    for matrix, plot, counts in zip(matrices, plots(drawn, "class accuracy"), COUNTS.values(), strict=True):
        shares = np.diag(counts) / np.sum(counts, axis=1)
        assert [bar.width for bar in plot.bars] == pytest.approx(shares)
        assert [bar.y + bar.height / 2 for bar in plot.bars] == pytest.approx([0, 1, 2])
        assert [bar.color for bar in plot.bars] == [to_hex(color) for color in colormaps["viridis"](shares)]
        assert (plot.xlim, plot.ylim) == ((0, 1), matrix.ylim)
        assert (plot.y, plot.height) == pytest.approx((matrix.y, matrix.height))
        assert plot.x > matrix.x + matrix.width
        (mean,) = plot.lines
        assert mean.x == pytest.approx([shares.mean()] * 2)
        assert (mean.color, mean.style) == (WRONG.lower(), "--")


def test_reliability_has_each_bin_at_its_confidence(drawn, findings):
    accuracies, shares = plots(drawn, "confidence", "accuracy"), plots(drawn, "confidence", "share of examples")
    for accuracy, share, finding in zip(accuracies, shares, findings.values(), strict=True):
        arrays = finding.arrays
        for plot, values, color in (
            (accuracy, np.nan_to_num(arrays["bin_accuracy"]), RIGHT),
            (share, arrays["bin_share"], GRAY),
        ):
            assert [bar.x for bar in plot.bars] == pytest.approx([place / _BINS for place in range(_BINS)])
            assert [bar.width for bar in plot.bars] == pytest.approx([1 / _BINS] * _BINS)
            assert [bar.height for bar in plot.bars] == pytest.approx(values.tolist())
            assert {bar.color for bar in plot.bars} == {color.lower()}
            assert plot.xlim == (0, 1)
        assert accuracy.ylim == (0, 1)
        (ideal,) = accuracy.lines
        assert (ideal.x, ideal.y) == ([0, 1], [0, 1])
        assert accuracy.x < share.x


def test_each_network_has_its_title_and_numbers_above_its_matrix(drawn):
    matrices = sorted((plot for plot in drawn.plots if plot.matrix is not None), key=lambda plot: plot.x)
    titles = [drawn.say(label) for label in COUNTS]
    assert all(title.bold for title in titles)
    assert abs(titles[0].x - matrices[0].middle[0]) < 1.2 < abs(titles[1].x - matrices[0].middle[0])
    first, second = drawn.say("calibration error 12.5 %"), drawn.say("calibration error 22.5 %")
    accuracies = [word.text for word in drawn.words if word.text.startswith("accuracy")]
    assert accuracies == ["accuracy 47.4 ± 15.4 %, macro 47.5 ± 20.5 %", "accuracy 67.4 ± 14.4 %, macro 67.4 ± 21.8 %"]
    assert (first.x, second.x) == (titles[0].x, titles[1].x)
    pairs = [[word.text for word in drawn.words if word.x == title.x and " as " in word.text] for title in titles]
    assert pairs == [
        ["70% of dog as emu", "30% of emu as dog", "25% of cat as dog"],
        ["28.6% of dog as cat", "25% of cat as emu", "25% of emu as dog"],
    ]


def test_what_is_as_frequent_as_the_last_pair_named_is_counted():
    counts = [[4, 2, 2], [2, 4, 2], [0, 5, 3]]
    drawn = read(Confusion().draw({"one": make_finding(counts)}))
    lines = drawn.text.split("\n")
    start = lines.index("62.5% of emu as dog")
    assert lines[start + 1 : start + 4] == ["25% of cat as dog", "25% of cat as emu", "and 2 more at 25%"]
    assert "more at" not in read(Confusion().draw({"one": make_finding(COUNTS["one"])})).text


def test_of_many_classes_those_of_the_most_frequent_confusions_are_shown():
    targets, predicted = np.arange(120) % 60, np.arange(120) % 60
    predicted[[7, 67, 9, 101]] = [55, 55, 3, 58]  # both of 7, one of 9, one of 41
    shown = _choose_classes(PairCounts.of(targets, predicted, 60))
    assert shown.tolist() == [*range(25), 41, 55, 58]
    assert _choose_classes(PairCounts.of(targets % 28, predicted % 28, 28)).tolist() == list(range(28))


def test_classes_that_are_shown_of_many_keep_their_names_and_examples():
    counts = np.random.default_rng(1).permutation(1600).reshape(40, 40) + 1
    names, shown = np.array([f"class {number}" for number in range(40)]), np.array([3, 7, 30, 38])
    true, answer = np.nonzero(counts)
    arrays = {"names": names, "examples": counts.sum(axis=1), "pairs": np.stack([true, answer], axis=1), "shown": shown}
    arrays |= {"pair_counts": counts[true, answer], "counts": counts[np.ix_(shown, shown)], "worst": np.arange(1, 9)}
    accuracies = dict(zip(names, np.linspace(0.1, 0.9, 40).round(3), strict=True))
    bins = {name: np.zeros(_BINS) for name in ("bin_share", "bin_accuracy")}
    numbers = {"acc": 0.5, "acc_macro": 0.25, "ece": 0.1, "top5": 0.75, "per_class_acc": accuracies}
    drawn = read(Confusion().draw({"one": Finding(numbers, arrays | bins)}))
    (plot,) = (plot for plot in drawn.plots if plot.matrix is not None)
    np.testing.assert_allclose(plot.matrix, counts[np.ix_(shown, shown)] / counts.sum(axis=1)[shown, None])
    assert plot.yticks == plot.xticks == {"class 3": 0, "class 7": 1, "class 30": 2, "class 38": 3}
    for words in (
        "accuracy 50.0 %, macro 25.0 %",
        "top-5 75.0 %, calibration error 10.0 %",
        "best: class 39 90%, class 38 87.9%",
        "worst: class 0 10%, class 1 12.1%",
        "drawn: 4 of 40 classes, those confused most",
    ):
        assert drawn.say(words).text == words


def test_three_networks_stand_in_two_lines(findings):
    drawn = read(Confusion().draw(findings | {"three": make_finding(COUNTS["one"])}))
    matrices = [plot for plot in drawn.plots if plot.matrix is not None]
    assert [plot.matrix[1, 2] for plot in matrices] == pytest.approx([0.7, 2 / 14, 0.7])
    assert matrices[0].y == matrices[1].y < matrices[2].y
    assert matrices[0].x < matrices[2].x < matrices[1].x, "the last one stands in the middle"


def test_the_table_has_each_class_with_its_examples(findings):
    rows = Confusion().table(findings["two"])
    assert [row["class"] for row in rows] == NAMES.tolist()
    assert [row["examples"] for row in rows] == [12, 14, 20]
    assert [row["accuracy"] for row in rows] == pytest.approx([9 / 12, 8 / 14, 14 / 20])


def test_bins_are_those_of_a_loop():
    rng = np.random.default_rng(3)
    probabilities = np.concatenate([rng.dirichlet(np.full(4, 0.4), 300), np.eye(4)[[2]], [[0.6, 0.4, 0, 0]]])
    targets = rng.integers(0, 4, 302)
    bins = bin_reliability(probabilities, targets)
    confidence, answer = probabilities.max(axis=1), probabilities.argmax(axis=1)
    for place in range(_BINS):
        inside = [row for row in range(302) if place < confidence[row] * _BINS <= place + 1]
        assert bins["bin_share"][place] == pytest.approx(len(inside) / 302)
        if inside:
            assert bins["bin_accuracy"][place] == pytest.approx(np.mean(answer[inside] == targets[inside]))
            assert bins["bin_confidence"][place] == pytest.approx(np.mean(confidence[inside]))
        else:
            assert np.isnan(bins["bin_accuracy"][place])
    assert bins["bin_share"].sum() == pytest.approx(1)


def test_pairs_are_counted_by_class_and_answer():
    answers = [(0, 0, 1), (0, 1, 3), (0, 3, 4), (1, 1, 1), (2, 0, 1), (2, 2, 1)]  # class, answer, how often
    true, answer, counts = np.array(answers).T
    order = np.random.default_rng(0).permutation(counts.sum())
    found = PairCounts.of(np.repeat(true, counts)[order], np.repeat(answer, counts)[order], 4)
    pairs = zip(found.true.tolist(), found.answer.tolist(), found.counts.tolist(), strict=True)
    assert list(pairs) == answers
    assert found.examples.tolist() == [8, 1, 2, 0]
    assert found.shares.tolist() == [0.125, 0.375, 0.5, 1, 0.5, 0.5]
    np.testing.assert_array_equal(found.recalls, [0.125, 1, 0.5, np.nan])
    assert found.num_errors == 8
    ranked = [(int(found.true[place]), int(found.answer[place])) for place in found.rank_errors()]
    assert ranked == [(0, 3), (2, 0), (0, 1)], "by share, then by number, which would set (0, 1) before (2, 0)"
    assert found.find_shares(np.array([0, 1, 3, 2]), np.array([3, 0, 3, 0])).tolist() == [0.5, 0, 0, 0.5]
    assert found.to_matrix(np.array([2, 0, 3])).tolist() == [[1, 1, 0], [0, 1, 4], [0, 0, 0]]
