"""The map of training examples: which point lies where, which images are shown with which words, what is compared."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex
from tests.figures.conftest import make_record
from tests.figures.reader import assert_shows, read
from tests.figures.test_figures import assert_readable

from netgaze.drawing.examples import to_rgb
from netgaze.drawing.panels import RIGHT, WRONG
from netgaze.errors import NetgazeError
from netgaze.figures.dynamics import Dynamics
from netgaze.measures.dynamics import (
    average_epochs,
    correlate_ranks,
    count_forgotten,
    deviate_epochs,
    find_never_learned,
    measure_auroc,
    rank_forgotten,
)
from netgaze.records import Record
from netgaze.subject import Subject
from netgaze.text import format_share

NUM = 60


def a_subject(data, record, label="run"):
    return Subject(label, data=lambda: data, examples=lambda: record)


@pytest.fixture
def noisy(make_data):
    data = make_data(label_noise=0.3, seed=3)
    data.class_names = ["cat", "dog", "emu"]
    return data


@pytest.fixture
def record(noisy):
    """Right labels are learned from some epoch on, wrong ones seldom; the first example was never shown."""
    given, rng = noisy.labels("train").numpy(), np.random.default_rng(0)
    wrong = given != noisy.true_labels("train").numpy()
    margin = (rng.normal(0, 1.5, (6, NUM)) + np.where(wrong, -2, 2)).astype(np.float16)
    answers = np.where(margin > 0, given, (given + 1) % 3).astype(np.int8)
    probability = (1 / (1 + np.exp(-margin.astype(float)))).astype(np.float16)
    right = (margin > 0).astype(np.float16)
    for values in (margin, probability, right):
        values[:, 0] = np.nan
    answers[:, 0] = -1
    return Record(probability, right, margin, answers, np.array(noisy.class_names))


@pytest.fixture
def finding(noisy, record):
    return Dynamics(num_each=3).compute(a_subject(noisy, record))


def test_numbers_are_of_all_that_was_seen(finding, record):
    numbers, right = finding.numbers, record.right[:, 1:]
    assert (numbers["num_examples"], numbers["epochs"]) == (NUM - 1, 6)
    assert numbers["confidence"] == pytest.approx(average_epochs(record.probability)[1:].mean(), rel=1e-5)
    assert numbers["variability"] == pytest.approx(deviate_epochs(record.probability)[1:].mean(), rel=1e-5)
    times, never = count_forgotten(right), find_never_learned(right)
    assert numbers["never_learned"] == never.mean() > 0
    assert numbers["forgotten"] == (times > 0).mean() > 0
    assert numbers["unforgettable"] == ((times == 0) & ~never).mean() > 0


def test_each_measure_is_judged_by_the_labels_that_are_wrong(finding, noisy, record):
    wrong = (noisy.labels("train") != noisy.true_labels("train")).numpy()
    numbers = finding.numbers
    assert numbers["wrong_labels"] == wrong.sum() > 5
    expected = {
        "aum": -average_epochs(record.margin),
        "confidence": -average_epochs(record.probability),
        "variability": deviate_epochs(record.probability),
        "forgetting": rank_forgotten(record.right),
        "last": -record.probability[-1],
    }
    for name, scores in expected.items():
        assert numbers[f"auroc_{name}"] == pytest.approx(measure_auroc(scores, wrong), abs=1e-6)
    assert numbers["auroc_aum"] > 0.9
    num = wrong[1:].sum()
    lowest = np.argsort(average_epochs(record.margin)[1:])[:num] + 1
    assert numbers["found"] == wrong[lowest].mean()


def test_with_labels_that_are_all_right_there_is_nothing_to_find(data):
    numbers = Dynamics().compute(a_subject(data, make_record(data.class_names, NUM))).numbers
    assert not {name for name in numbers if name.startswith(("auroc", "wrong", "found"))}


def test_hardest_most_forgotten_and_easiest_in_this_order(finding, noisy, record):
    confidence, times = average_epochs(record.probability)[1:], count_forgotten(record.right)[1:]
    hardest = np.argsort(confidence)[:3] + 1
    easiest = np.argsort(confidence)[::-1][:3] + 1
    forgotten = sorted(range(NUM - 1), key=lambda row: (-times[row], confidence[row]))[:3]
    rows = [*hardest, *(row + 1 for row in forgotten), *easiest]
    assert finding.arrays["tiles"].tolist() == [int(row) for row in rows]
    images = to_rgb(noisy.images("train", rows))
    drawn = read(Dynamics().draw({"run": finding}))
    for line, expected in zip(drawn.grid(), images.reshape(3, 3, *images.shape[1:]), strict=True):
        assert_shows(line, expected)
    heads = [words.y for name in ("hardest", "forgotten most", "easiest") for words in [drawn.say(name)]]
    assert all(head < line[0].y < head + 0.4 for head, line in zip(heads, drawn.grid(), strict=True))


def test_each_image_has_its_label_its_last_answer_and_what_it_was(finding, noisy, record):
    drawn, names = read(Dynamics().draw({"run": finding})), noisy.class_names
    given, true = noisy.labels("train").tolist(), noisy.true_labels("train").tolist()
    confidence, times = average_epochs(record.probability), count_forgotten(record.right)
    for place, tile in enumerate([tile for line in drawn.grid() for tile in line]):
        row = int(finding.arrays["tiles"][place])
        answer = int(record.answers[-1, row])
        said = "".join(words.text for words in drawn.words_below(tile, 1.2)).replace(" ", "")
        assert f"label:{names[given[row]]}".replace(" ", "") in said
        assert (f"predicted:{names[answer]}".replace(" ", "") in said) == (answer != given[row])
        assert (f"true:{names[true[row]]}".replace(" ", "") in said) == (true[row] != given[row])
        plural = "" if times[row] == 1 else "s"
        number = (
            f"forgotten{times[row]}time{plural}" if 3 <= place < 6 else f"confidence{format_share(confidence[row])}"
        )
        assert number in said
        assert drawn.frame_of(tile) == ("right" if answer == given[row] else "wrong")


def test_the_last_answer_is_that_of_the_last_epoch_with_the_example(noisy, record):
    answers = record.answers.copy()
    answers[-1] = -1
    finding = Dynamics().compute(a_subject(noisy, replace(record, answers=answers)))
    expected = np.array(noisy.class_names)[answers[-2, finding.arrays["tiles"]]]
    np.testing.assert_array_equal(finding.arrays["tile_answer"], expected)


def test_each_point_lies_at_its_deviation_and_confidence(finding, record):
    plot = read(Dynamics().draw({"run": finding})).plot("variability", "confidence: mean")
    rights, wrongs = plot.points
    wrong = finding.arrays["wrong"]
    places = np.stack([deviate_epochs(record.probability), average_epochs(record.probability)], axis=1)
    for points, own in ((rights, ~wrong), (wrongs, wrong)):
        expected = places[own & np.isfinite(places[:, 1])]
        np.testing.assert_allclose(sorted(points.places.tolist()), sorted(expected.tolist()), atol=1e-6)


def test_points_are_colored_by_how_often_they_were_right_and_wrong_labels_are_crosses(finding, record):
    picture = Dynamics().draw({"run": finding})
    (axes,) = (axes for axes in picture.axes if axes.get_ylabel().startswith("confidence: mean"))
    rows = [row for row in finding.arrays["points"] if not finding.arrays["wrong"][row]]
    points, crosses = axes.collections
    np.testing.assert_allclose(points.get_array(), average_epochs(record.right)[rows])
    assert (points.get_cmap().name, points.get_clim()) == ("viridis", (0, 1))
    assert to_hex(crosses.get_edgecolor()[0]) == WRONG.lower()


def test_histograms_are_of_right_and_of_wrong_labels_apart(finding, record):
    drawn, wrong = read(Dynamics().draw({"run": finding})), finding.arrays["wrong"]
    seen = np.arange(NUM) > 0
    values = {"mean margin: ": average_epochs(record.margin), "times forgotten": None}
    for words, own in values.items():
        plot = drawn.plot(words, "share")
        for steps, group, color in zip(plot.steps, (seen & ~wrong, seen & wrong), (RIGHT, WRONG), strict=True):
            assert steps.color[:7] == color.lower()
            assert sum(steps.values) == pytest.approx(1)
            if own is not None:
                expected = np.histogram(own[group], steps.edges)[0] / group.sum()
                np.testing.assert_allclose(steps.values, expected, atol=1 / group.sum() + 1e-9)
    never, times = find_never_learned(record.right), count_forgotten(record.right)
    plot, steps = drawn.plot("times forgotten"), drawn.plot("times forgotten").steps[1]
    assert [words.replace("\n", " ") for words in plot.xticks] == [*map(str, range(times.max() + 1)), "never correct"]
    group = seen & wrong
    assert steps.values[-1] == pytest.approx(never[group].mean())
    assert steps.values[0] == pytest.approx((~never & (times == 0))[group].mean())
    assert steps.values[1] == pytest.approx((times == 1)[group].mean())


def test_what_is_forgotten_very_often_stands_together(data):
    record = make_record(data.class_names, NUM, num_epochs=24)
    record.right[:, :2] = np.arange(24)[:, None] % 2 == 0  # forgotten 12 times
    plot = read(Dynamics().draw({"run": Dynamics().compute(a_subject(data, record))})).plot("times forgotten")
    times = count_forgotten(record.right)
    assert list(plot.xticks)[-2:] == ["8+", "never\ncorrect"]
    (steps,) = plot.steps
    assert steps.values[8] == pytest.approx((times >= 8).mean())
    assert steps.values[7] == pytest.approx((times == 7).mean())


def test_of_many_examples_some_are_points(noisy, record):
    finding = Dynamics(most_points=10, seed=1).compute(a_subject(noisy, record))
    assert len(set(finding.arrays["points"])) == 10
    assert 0 not in Dynamics().compute(a_subject(noisy, record)).arrays["points"]
    assert read(Dynamics().draw({"run": finding})).plot("variability").title == "10 of them, drawn at random"


@pytest.mark.parametrize("seed", [0, 1])
def test_points_are_no_more_often_wrong_than_others(make_data, seed):
    """Also where the data drew the labels that it made wrong by the same seed."""
    sizes = (("train", 3000), ("val", 30), ("test", 30))
    data = make_data(label_noise=0.3, seed=seed, sizes=sizes)
    finding = Dynamics(most_points=600, seed=seed).compute(a_subject(data, make_record(data.class_names, 3000)))
    wrong = finding.arrays["wrong"]
    assert wrong[finding.arrays["points"]].mean() == pytest.approx(wrong.mean(), abs=0.06)


def test_networks_are_compared_on_the_images_that_both_have_with_one_label(make_data):
    """Another order, another subset, another label: images are known by their pixels."""
    data, other = make_data(), make_data(per_class=15, label_noise=0.2)
    images, others = (each.images("train").flatten(1).tolist() for each in (data, other))
    pairs = [(images.index(image), place) for place, image in enumerate(others)]
    pairs = [(a, b) for a, b in pairs if data.labels("train")[a] == other.labels("train")[b]]
    assert 20 < len(pairs) < 45
    records = make_record(data.class_names, NUM, seed=1), make_record(data.class_names, len(others), seed=2)
    figure = Dynamics()
    findings = {
        label: figure.compute(a_subject(own, record, label))
        for label, own, record in zip("ab", (data, other), records, strict=True)
    }
    rows, places = map(list, zip(*pairs, strict=True))
    compared = figure.compare(findings)
    assert compared["common: a and b"] == len(pairs)
    for name, kind in (("confidence", "probability"), ("aum", "margin")):
        first, second = (average_epochs(getattr(record, kind)).astype(np.float32) for record in records)
        expected = correlate_ranks(first[rows], second[places])
        assert compared[f"{name}: a and b"] == pytest.approx(expected)
    words = f"a and b: rank correlation of confidence {compared['confidence: a and b']:z.2f}"
    picture = figure.draw(findings)
    assert read(picture).say(words)
    assert_readable(picture)


def test_a_network_finds_hard_what_it_finds_hard(finding):
    compared = Dynamics().compare({"one": finding, "two": finding})
    assert compared == {"common: one and two": NUM} | {
        f"{name}: one and two": pytest.approx(1) for name in ("confidence", "aum")
    }


def test_whoever_turns_images_finds_some_of_them_hard_too(data):
    records = make_record(["0°", "90°"], NUM, seed=1), make_record(data.class_names, NUM, seed=2)
    findings = {label: Dynamics().compute(a_subject(data, it)) for label, it in zip("ab", records, strict=True)}
    for order in ("ab", "ba"):
        compared = Dynamics().compare({label: findings[label] for label in order})
        assert compared[f"common: {order[0]} and {order[1]}"] == NUM


def test_networks_of_other_images_are_not_compared(data, make_data):
    other = make_data()
    other.splits["train"].whole.fill_(7)
    record = make_record(data.class_names, NUM)
    findings = {label: Dynamics().compute(a_subject(own, record)) for label, own in (("a", data), ("b", other))}
    assert Dynamics().compare(findings) == {}


def test_of_rotations_there_are_no_labels_to_tell(data):
    record = make_record(["0°", "90°", "180°", "270°"], NUM)
    finding = Dynamics(num_each=2).compute(a_subject(data, record))
    picture = Dynamics().draw({"turns": finding})
    drawn = read(picture)
    assert_readable(picture)
    assert "label" not in drawn.text
    assert all(drawn.frame_of(tile) is None for tile in drawn.tiles)


def test_one_epoch_without_anything_forgotten_is_drawn(data):
    record = make_record(data.class_names, NUM, num_epochs=1)
    picture = Dynamics().draw({"one": Dynamics().compute(a_subject(data, record))})
    assert_readable(picture)
    assert read(picture).say("forgotten most often: none")


@pytest.mark.parametrize("name", ["num_each", "most_points"])
def test_numbers_below_one_are_refused(name):
    with pytest.raises(NetgazeError, match=f"figure.dynamics.{name}=0"):
        Dynamics(**{name: 0})
