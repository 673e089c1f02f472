"""Confused pairs against scikit-learn's matrix and loops, and what is shown of them."""

import numpy as np
import pytest
import torch
from matplotlib.text import Text
from sklearn.metrics import confusion_matrix
from tests.figures.reader import assert_shows, make_pictures, read
from tests.figures.test_figures import assert_readable

from netgaze.drawing.examples import denormalize
from netgaze.drawing.panels import RIGHT, WRONG
from netgaze.figure import Finding
from netgaze.figures.confused_pairs import ConfusedPairs
from netgaze.figures.confusion import Confusion
from netgaze.passes import Outputs

NAMES = ["building_facade", "amusement_park", "courtyard", "dam"]


@pytest.fixture
def answers(make_data, make_subjects):
    """Call it with targets, predictions and confidence: a network of four classes that answers so on its test split."""

    def make(targets, predicted, confidence=None):
        targets, predicted = np.array(targets), np.array(predicted)
        data = make_data(num_classes=4, sizes=(("train", 8), ("val", 8), ("test", len(targets))))
        data.splits["test"].labels[:] = torch.from_numpy(targets)
        subject = make_subjects(data)[0]
        subject.task.name_classes(NAMES)
        logits = np.zeros((len(targets), 4), dtype=np.float32)
        logits[np.arange(len(targets)), predicted] = 2.0 if confidence is None else confidence
        subject._outputs["test"] = Outputs(logits, targets, np.arange(len(targets)))
        return subject

    return make


@pytest.fixture
def noisy(answers):
    rng = np.random.default_rng(0)
    targets = rng.choice(4, 120, p=[0.4, 0.3, 0.2, 0.1])
    predicted = np.where(rng.random(120) < 0.4, targets, rng.integers(0, 4, 120))
    return answers(targets, predicted, rng.uniform(0.5, 5, 120))


def words_of(picture):
    return [text.get_text() for text in picture.findobj(Text)]


def test_pairs_are_those_of_a_naive_count(noisy):
    finding, outputs = ConfusedPairs(num_pairs=5).compute(noisy), noisy.outputs("test")
    matrix = confusion_matrix(outputs.targets, outputs.logits.argmax(axis=1))
    found = [
        (matrix[a, b] / matrix[a].sum(), matrix[a, b], a, b)
        for a in range(4)
        for b in range(4)
        if a != b and matrix[a, b]
    ]
    expected = sorted(found, key=lambda pair: (-pair[0], -pair[1], pair[2], pair[3]))[:5]
    arrays, numbers = finding.arrays, finding.numbers
    assert [tuple(pair) for pair in arrays["pairs"]] == [(NAMES[a], NAMES[b]) for _, _, a, b in expected]
    assert arrays["counts"].tolist() == [count for _, count, _, _ in expected]
    assert arrays["totals"].tolist() == [matrix[a].sum() for _, _, a, _ in expected]
    assert arrays["shares"].tolist() == pytest.approx([share for share, *_ in expected])
    assert arrays["reverse"].tolist() == pytest.approx([matrix[b, a] / matrix[b].sum() for _, _, a, b in expected])
    errors = matrix.sum() - matrix.trace()
    assert numbers["num_errors"] == errors
    assert numbers["share_of_errors"] == pytest.approx(sum(count for _, count, _, _ in expected) / errors)
    named = {f"{NAMES[a]} as {NAMES[b]}": pytest.approx(share) for share, _, a, b in expected}
    assert {name: share for name, share in numbers.items() if " as " in name} == named
    assert list(named) == [name for name in numbers if " as " in name]


def test_all_pairs_are_all_errors(noisy):
    assert ConfusedPairs(num_pairs=12).compute(noisy).numbers["share_of_errors"] == pytest.approx(1)


def test_examples_are_the_surest_of_their_kind(noisy):
    arrays, outputs = ConfusedPairs(num_pairs=4, num_each=3).compute(noisy).arrays, noisy.outputs("test")
    predicted = outputs.logits.argmax(axis=1)
    images = noisy.data.images("test").permute(0, 2, 3, 1).numpy()
    for number, pair in enumerate(arrays["pairs"]):
        first, second = (NAMES.index(name) for name in pair)
        for right, true in ((False, first), (True, second)):
            rows = [row for row in range(120) if outputs.targets[row] == true and predicted[row] == second]
            rows = sorted(rows, key=lambda row, second=second: -outputs.probabilities[row, second])[:3]
            own = (arrays["pair"] == number) & (arrays["right"] == right)
            np.testing.assert_allclose(arrays["confidence"][own], outputs.probabilities[rows, second])
            assert np.abs(arrays["images"][own].astype(int) - images[rows]).max() <= 1


def test_ties_go_by_number_and_then_by_order(answers):
    targets = [0] * 4 + [1] * 2 + [2] * 2 + [3] * 2
    predicted = [1, 1, 0, 0, 0, 1, 3, 2, 3, 0]  # halves: 2 of 4, then 1 of 2 three times
    arrays = ConfusedPairs().compute(answers(targets, predicted)).arrays
    pairs = [[0, 1], [1, 0], [2, 3], [3, 0]]
    assert arrays["pairs"].tolist() == [[NAMES[a], NAMES[b]] for a, b in pairs]
    assert arrays["reverse"].tolist() == [0.5, 0.5, 0, 0]
    assert arrays["alike"] == 0
    shares = ConfusedPairs(num_each=1).compute(answers(targets, predicted)).arrays
    assert shares["pair"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    unlike = answers([0] * 4 + [1] * 4 + [2] * 4, [1, 1, 1, 0, 0, 1, 1, 1, 0, 2, 2, 2])
    assert [int(ConfusedPairs(num_pairs=num).compute(unlike).arrays["alike"]) for num in (1, 2, 3)] == [0, 1, 0]
    for num, alike in ((1, 3), (2, 2), (3, 1)):
        assert ConfusedPairs(num_pairs=num).compute(answers(targets, predicted)).arrays["alike"] == alike


def test_of_tied_examples_the_first_are_shown(answers):
    subject = answers([0] * 6 + [1] * 6, [1] * 12)
    finding = ConfusedPairs(num_each=2).compute(subject)
    images = subject.data.images("test").permute(0, 2, 3, 1).numpy()
    assert np.abs(finding.arrays["images"].astype(int) - images[[0, 1, 6, 7]]).max() <= 1


def test_a_class_that_is_never_recognized_is_said(answers):
    figure = ConfusedPairs()
    finding = figure.compute(answers([0] * 4 + [1] * 4, [1] * 4 + [0] * 4))
    assert not finding.arrays["right"].any()
    picture = figure.draw({"run": finding})
    assert words_of(picture).count("none correct") == 2
    assert_readable(picture)


def test_a_network_without_errors(answers):
    figure = ConfusedPairs()
    targets = np.arange(12) % 4
    finding = figure.compute(answers(targets, targets))
    assert finding.numbers == {"num_errors": 0, "share_of_errors": None}
    picture = figure.draw({"perfect": finding})
    assert "no errors" in words_of(picture)
    assert_readable(picture)


def test_drawn_words_are_the_pairs(noisy):
    figure = ConfusedPairs(num_pairs=3)
    finding = figure.compute(noisy)
    picture = figure.draw({"one": finding, "a network with a long label, lr=0.1, seed=3": finding})
    assert_readable(picture)
    words, arrays = words_of(picture), finding.arrays
    for number in range(3):
        said = f"{arrays['counts'][number]} of {arrays['totals'][number]} ({100 * arrays['shares'][number]:.3g}%)"
        assert words.count(said) == 2
        assert f"reverse {100 * arrays['reverse'][number]:.3g}%" in words
    covered = finding.numbers["share_of_errors"]
    assert words.count(f"these 3 pairs make up {covered:.0%} of the {finding.numbers['num_errors']} errors") == 2
    assert "Pairs and examples are chosen for each network" in finding.caption


def test_examples_of_a_rotation_task_are_turned(rotation):
    arrays, outputs = ConfusedPairs(num_pairs=1, num_each=1).compute(rotation).arrays, rotation.outputs("test")
    predicted = outputs.logits.argmax(axis=1)
    first, second = (list(rotation.task.class_names).index(name) for name in arrays["pairs"][0])
    rows = np.flatnonzero((outputs.targets == first) & (predicted == second))
    row = rows[outputs.probabilities[rows, second].argmax()]
    data = rotation.data
    image = data.normalize(data.images("test")[[outputs.index[row]]])
    turned = rotation.task.make_examples(image, data.labels("test")[[outputs.index[row]]])[0][[first]]
    np.testing.assert_array_equal(arrays["images"][0], denormalize(turned, data.mean, data.std)[0])


@pytest.mark.parametrize("num_each", [1, 2, 8])
def test_few_and_many_examples_are_readable(noisy, num_each):
    figure = ConfusedPairs(num_each=num_each)
    assert_readable(figure.draw({"run": figure.compute(noisy)}))


def test_the_confusion_figure_has_the_accuracy_of_each_class(noisy, answers):
    outputs, figure = noisy.outputs("test"), Confusion()
    right = outputs.logits.argmax(axis=1) == outputs.targets
    finding = figure.compute(noisy)
    expected = {name: pytest.approx(right[outputs.targets == number].mean()) for number, name in enumerate(NAMES)}
    assert finding.numbers["per_class_acc"] == expected
    without = figure.compute(answers([0, 0, 1, 1], [0, 1, 1, 1])).numbers["per_class_acc"]
    assert without == dict(zip(NAMES, (0.5, 1.0, None, None), strict=True))


def test_the_confusion_figure_says_top5_and_names_the_best_and_worst_of_many(make_data, make_subjects):
    figure = Confusion()
    for num_classes, named in ((3, False), (23, False), (40, True)):
        sizes = (("train", 80), ("val", 80), ("test", 80))
        subject = make_subjects(make_data(num_classes=num_classes, sizes=sizes))[0]
        subject.task.name_classes([f"class_{number}" for number in range(num_classes)])
        finding = figure.compute(subject)
        picture = figure.draw({"run": finding})
        assert_readable(picture)
        words = words_of(picture)
        top5 = f"top-5 {100 * finding.numbers['top5']:.1f} ± " if num_classes > 5 else "top-5"
        assert any(top5 in line for line in words) == (num_classes > 5)
        ends = [line for line in words if line.startswith(("best: ", "worst: "))]
        assert len(ends) == 2 * named
        if named:
            shares = list(finding.numbers["per_class_acc"].items())
            best = sorted(shares, key=lambda pair: -pair[1])
            more = sum(share == best[1][1] for _, share in best[2:])
            expected = [f"{name} {100 * share:.3g}%" for name, share in best[:2]]
            assert ends[0] == "best: " + ", ".join(
                expected + [f"and {more} more at {100 * best[1][1]:.3g}%"] * bool(more)
            )
            assert ends[1].startswith("worst: ")
            assert "100%" not in ends[1]
            assert any("true class (row), predicted (column)" in word for word in words)
            assert "drawn: the 28 most confused of 40 classes" in words


def make_findings():
    """Two networks of three pairs, four mistaken and four recognized examples each, in no order; one has none."""
    pictures = make_pictures(2, 20)
    pair, right = np.tile([2, 0, 1, 0, 2, 0, 1, 0, 0, 1], 2), np.repeat([False, True], 10)
    findings = {}
    for place, label in enumerate(("first run", "other run")):
        arrays = {
            "pairs": np.roll([["cat", "dog"], ["dog", "emu"], ["fox", "cat"]], place, axis=0),
            "counts": np.array([9, 7, 5]) + place,
            "totals": np.array([10, 14, 20]) + 10 * place,
            "shares": np.array([0.9, 0.5, 0.25]) - 0.1 * place,
            "alike": np.array(1207 * place),
            "reverse": np.array([0.1, 0.2, 0.3]) + 0.4 * place,
            "pair": pair[: 20 - 3 * place],
            "right": right[: 20 - 3 * place],
            "confidence": (np.arange(20)[: 20 - 3 * place] + 30 * place) / 100,
            "images": pictures[place, : 20 - 3 * place],
        }
        arrays["right"] = arrays["right"] & (arrays["pair"] != 1 if place else True)
        findings[label] = Finding({"num_errors": 1234 + place, "share_of_errors": 0.625 - 0.25 * place}, arrays)
    return pictures, findings


def read_pair(drawn, line, arrays, number):
    """The images of a pair's halves, by whether they are right, as the finding has them; and that of the tiles."""
    for right in (False, True):
        own = np.flatnonzero((arrays["pair"] == number) & (arrays["right"] == right))
        frame = "right" if right else "wrong"
        tiles = [tile for tile in line if drawn.frame_of(tile) == frame]
        assert_shows(tiles, arrays["images"][own])
        below = [drawn.words_below(tile, 0.2)[0].text for tile in tiles]
        assert below == [f"{confidence:.2f}" for confidence in arrays["confidence"][own]]
        yield tiles


def test_each_pair_has_its_row_mistaken_left_recognized_right():
    _, findings = make_findings()
    drawn = read(ConfusedPairs(num_each=6).draw(findings))
    lines = drawn.grid()
    assert len(lines) == 6
    lefts = set()
    for place, finding in enumerate(findings.values()):
        for number in range(3):
            wrong, right = read_pair(drawn, lines[3 * place + number], finding.arrays, number)
            assert all(tile.x > wrong[-1].x for tile in right)
            lefts |= {(round(wrong[0].x, 2), round(right[0].x, 2) if right else None)}
    assert len({left for left, _ in lefts}) == 1
    assert len({right for _, right in lefts} - {None}) == 1, "halves begin at one place in all rows"


def test_words_left_of_a_pair_are_its_own():
    _, findings = make_findings()
    drawn = read(ConfusedPairs(num_each=6).draw(findings))
    words = [[word.text for word in drawn.words_left_of(line[0])] for line in drawn.grid()]
    assert words == [
        ["cat", "as dog", "9 of 10 (90%)", "reverse 10%"],
        ["dog", "as emu", "7 of 14 (50%)", "reverse 20%"],
        ["fox", "as cat", "5 of 20 (25%)", "reverse 30%"],
        ["fox", "as cat", "10 of 20 (80%)", "reverse 50%"],
        ["cat", "as dog", "8 of 24 (40%)", "reverse 60%"],
        ["dog", "as emu", "6 of 30 (15%)", "reverse 70%"],
    ]


def test_blocks_halves_and_what_is_missing_are_said():
    _, findings = make_findings()
    drawn = read(ConfusedPairs(num_each=6).draw(findings))
    lines = drawn.grid()
    for label, first, words in (
        ("first run", lines[0], "these 3 pairs make up 62% of the 1,234 errors"),
        (
            "other run",
            lines[3],
            "these 3 pairs make up 38% of the 1,235 errors; ties with the last: 1,207",
        ),
    ):
        assert drawn.say(label).bold
        assert drawn.say(words).text == words
        for word in (drawn.say(label), drawn.say(words)):
            assert 0 < first[0].y - word.y < 0.7
    (missing,) = (word for word in drawn.words if word.text == "none correct")
    assert lines[4][0].y < missing.y < lines[4][0].y + lines[4][0].height
    starts = {"wrong": lines[0][0].x, "right": next(tile.x for tile in lines[0] if drawn.frame_of(tile) == "right")}
    assert missing.x == pytest.approx(starts["right"])
    for name, color, words in (("wrong", WRONG, "first class"), ("right", RIGHT, "second class")):
        heads = [word for word in drawn.words if word.text.startswith(words)]
        assert [word.x for word in heads] == pytest.approx([starts[name]] * 2)
        assert {word.color for word in heads} == {color.lower()}
