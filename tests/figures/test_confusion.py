"""The confusion matrix, the accuracy of each class and the bins of confidence: where and as they were counted."""

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_hex
from tests.figures.reader import find_line, read

from netgaze.drawing.panels import GRAY, RIGHT, WRONG
from netgaze.figure import Finding
from netgaze.figures.confusion import Confusion, _choose_classes
from netgaze.figures.confusion.trust import measure_trust
from netgaze.measures.calibration import Answers, Bins, fit_temperature, trace_least_risk, trace_risk
from netgaze.measures.confusion import PairCounts
from netgaze.passes import Outputs

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
        "bin_counts": np.roll(np.arange(_BINS) * 40, place),
        "bin_accuracy": np.where(share > 0.02, np.roll(share, 3 + place) * 7, np.nan),
        "bin_confidence": (np.arange(_BINS) + 0.3) / _BINS,
        "coverage": np.linspace(0.1, 1, 10),
        "risk": np.linspace(0.02 + place / 10, 0.3, 10),
        "risk_least": np.linspace(0, 0.2 + place / 20, 10),
    }
    if place == 0:
        arrays["scaled_accuracy"] = np.where(share > 0.05, share * 6, np.nan)
        arrays["scaled_confidence"] = np.where(share > 0.05, share * 5, np.nan)
        arrays["scaled_counts"] = np.where(share > 0.05, np.arange(_BINS) * 3, 0)
    numbers = {"acc": counts.trace() / counts.sum(), "acc_macro": shares.diagonal().mean(), "ece": 0.125 + place / 10}
    numbers |= {"ece_adaptive": 0.131, "brier": 0.456, "nll": 0.789, "aurc": 0.061, "aurc_least": 0.017}
    numbers |= {"risk_half": 0.042 + place / 10}
    if place == 0:
        numbers |= {"temperature": 1.37, "ece_scaled": 0.021, "ece_adaptive_scaled": 0.022}
        numbers |= {"brier_scaled": 0.433, "nll_scaled": 0.701}
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


def test_reliability_has_each_bin_at_its_confidence_over_the_number_of_its_examples(drawn, findings):
    accuracies, counts = plots(drawn, "accuracy"), plots(drawn, "confidence", "examples")
    for accuracy, count, finding in zip(accuracies, counts, findings.values(), strict=True):
        arrays = finding.arrays
        for plot, values, color in (
            (accuracy, np.nan_to_num(arrays["bin_accuracy"]), RIGHT),
            (count, arrays["bin_counts"], GRAY),
        ):
            assert [bar.x for bar in plot.bars] == pytest.approx([place / _BINS for place in range(_BINS)])
            assert [bar.width for bar in plot.bars] == pytest.approx([1 / _BINS] * _BINS)
            assert [bar.height for bar in plot.bars] == pytest.approx(values.tolist())
            assert {bar.color for bar in plot.bars} == {color.lower()}
            assert plot.xlim == (0, 1)
        assert accuracy.ylim == (0, 1)
        ideal = accuracy.lines[0]
        assert (ideal.x, ideal.y) == ([0, 1], [0, 1])
        assert (accuracy.x, accuracy.width) == pytest.approx((count.x, count.width))
        assert accuracy.y + accuracy.height < count.y
        assert count.yscale == "log"
        assert count.ylim[0] < 1
        assert count.ylim[1] > arrays["bin_counts"].max()


def test_the_line_over_the_bars_is_at_the_temperature(drawn, findings):
    first, second = plots(drawn, "accuracy")
    arrays = findings["one"].arrays
    there = arrays["scaled_counts"] >= 30
    assert 0 < there.sum() < np.isfinite(arrays["scaled_accuracy"]).sum()
    line = first.lines[1]
    assert line.x == pytest.approx(arrays["scaled_confidence"][there].tolist())
    assert line.y == pytest.approx(arrays["scaled_accuracy"][there].tolist())
    assert first.title == "line: temperature 1.37"
    assert len(second.lines) == 1
    assert "temperature" not in second.title


def test_risk_over_coverage_stands_beside_the_best_and_the_worst(drawn, findings):
    for plot, finding in zip(plots(drawn, "risk (error rate)"), findings.values(), strict=True):
        arrays, error = finding.arrays, 1 - finding.numbers["acc"]
        for values, color, style in ((arrays["risk"], RIGHT, "-"), (arrays["risk_least"], GRAY, ":")):
            line = find_line(plot, values)
            assert line.x == pytest.approx(arrays["coverage"].tolist())
            assert (line.color, line.style) == (color.lower(), style)
        (level,) = (line for line in plot.lines if line.y == pytest.approx([error, error]))
        assert (level.color, level.style) == (WRONG.lower(), "--")
        assert plot.ylim == (0, pytest.approx(1.15 * (1 - findings["one"].numbers["acc"]))), "one axis for both"


def test_what_is_said_of_trust_stands_between_matrix_and_plots(drawn):
    matrices = sorted((plot for plot in drawn.plots if plot.matrix is not None), key=lambda plot: plot.x)
    first, second = drawn.say("confident half 4.2%"), drawn.say("confident half 14.2%")
    assert first.x < second.x
    assert matrices[0].y + matrices[0].height < first.y < plots(drawn, "accuracy")[0].y
    for words in ("at temperature 1.37: calibration error 2.1%", "adaptive 2.2%, Brier 0.433, log loss 0.701 nats"):
        assert drawn.say(words).x == first.x
    assert first.text == "error in the most confident half 4.2%"
    assert drawn.text.count("area under the risk curve 6.1% (least possible 1.7%)") == 2
    assert drawn.text.count("adaptive calibration error 13.1%") == 2
    assert drawn.text.count("Brier 0.456, log loss 0.789 nats") == 2


def test_each_network_has_its_title_and_numbers_above_its_matrix(drawn):
    matrices = sorted((plot for plot in drawn.plots if plot.matrix is not None), key=lambda plot: plot.x)
    titles = [drawn.say(label) for label in COUNTS]
    assert all(title.bold for title in titles)
    assert abs(titles[0].x - matrices[0].middle[0]) < 1.2 < abs(titles[1].x - matrices[0].middle[0])
    first, second = drawn.say("calibration error 12.5%"), drawn.say("calibration error 22.5%")
    accuracies = [word.text for word in drawn.words if word.text.startswith("accuracy")]
    assert accuracies == [
        "accuracy 47.4 ± 15.4%, class mean 47.5 ± 20.5%",
        "accuracy 67.4 ± 14.4%, class mean 67.4 ± 21.8%",
    ]
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
    whole = make_finding(COUNTS["two"], 1)
    numbers = whole.numbers | {"acc": 0.5, "acc_macro": 0.25, "ece": 0.1, "top5": 0.75, "per_class_acc": accuracies}
    del numbers["num_images"], numbers["num_images_macro"]
    drawn = read(Confusion().draw({"one": Finding(numbers, whole.arrays | arrays)}))
    (plot,) = (plot for plot in drawn.plots if plot.matrix is not None)
    np.testing.assert_allclose(plot.matrix, counts[np.ix_(shown, shown)] / counts.sum(axis=1)[shown, None])
    assert plot.yticks == plot.xticks == {"class 3": 0, "class 7": 1, "class 30": 2, "class 38": 3}
    for words in (
        "accuracy 50.0%, class mean 25.0%",
        "top-5 75.0%, calibration error 10.0%",
        "best: class 39 90%, class 38 87.9%",
        "worst: class 0 10%, class 1 12.1%",
        "drawn: the 4 most confused of 40 classes",
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


def make_outputs(num=200, seed=0, scale=3.0):
    rng = np.random.default_rng(seed)
    logits = scale * rng.normal(size=(num, 3)).astype(np.float32)
    return Outputs(
        logits, np.where(rng.random(num) < 0.7, logits.argmax(axis=1), rng.integers(0, 3, num)), np.arange(num)
    )


def test_trust_is_of_what_is_measured_and_its_temperature_of_others():
    measured, others = make_outputs(), make_outputs(seed=1)
    numbers, arrays = measure_trust(measured, others)
    assert numbers["temperature"] == fit_temperature(others.logits, others.targets)
    assert numbers["acc_val"] == np.mean(others.logits.argmax(axis=1) == others.targets)
    assert numbers["temperature"] != fit_temperature(measured.logits, measured.targets)
    for end, answers in (
        ("", Answers.of(measured.logits, measured.targets)),
        ("_scaled", Answers.of(measured.logits, measured.targets, numbers["temperature"])),
    ):
        bins = Bins.of_equal_width(answers)
        assert numbers[f"ece{end}"] == bins.error
        assert numbers[f"ece_adaptive{end}"] == Bins.of_equal_mass(answers).error
        assert numbers[f"brier{end}"] == answers.brier.mean()
        assert numbers[f"nll{end}"] == answers.nll.mean()
        prefix = "scaled" if end else "bin"
        np.testing.assert_array_equal(arrays[f"{prefix}_accuracy"], bins.accuracy)
        np.testing.assert_array_equal(arrays[f"{prefix}_confidence"], bins.confidence)
    assert arrays["bin_counts"].sum() == 200
    right = measured.logits.argmax(axis=1) == measured.targets
    risks = trace_risk(measured.probabilities.max(axis=1), right)
    assert numbers["aurc"] == pytest.approx(risks.mean())
    assert numbers["aurc_least"] == pytest.approx(trace_least_risk(right).mean())
    assert numbers["risk_half"] == pytest.approx(risks[99])
    np.testing.assert_allclose(arrays["risk"], np.interp(arrays["coverage"], np.arange(1, 201) / 200, risks), atol=1e-6)


def test_validation_that_was_learned_is_called_so(supervised):
    assert "learned" not in Confusion().compute(supervised).caption
    logits = np.eye(3, dtype=np.float32)[supervised.data.labels("val").numpy()]
    supervised._outputs["val"] = Outputs(logits, supervised.data.labels("val").numpy(), np.arange(30))
    finding = Confusion().compute(supervised)
    assert finding.numbers["acc_val"] == 1
    assert "Validation accuracy is 100.0%, far above the accuracy here" in finding.caption


def test_without_other_examples_there_is_no_temperature(supervised):
    numbers, arrays = measure_trust(make_outputs(), None)
    assert not [name for name in [*numbers, *arrays] if "scaled" in name or name == "temperature"]
    finding = Confusion().compute(supervised)
    assert "the temperature chosen on validation" in finding.caption
    assert finding.numbers["temperature"] == fit_temperature(
        *map(vars(supervised.outputs("val")).get, ("logits", "targets"))
    )
    supervised.split = "val"
    finding = Confusion().compute(supervised)
    assert "No temperature is chosen" in finding.caption
    assert "temperature" not in finding.numbers


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
