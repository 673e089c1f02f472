"""Chosen pseudo-labels against naive counts, in every state of emptiness; the real task on real unlabeled images."""

import functools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.figures.test_figures import CONF, assert_readable, make_figure, texts_of
from tests.figures.test_words import find_wordless

from netgaze.errors import NetgazeError
from netgaze.figure import Finding
from netgaze.figures.pseudo_labels import PseudoLabels, _split_thirds
from netgaze.gallery import look
from netgaze.models.resnet import ResNet
from netgaze.pseudo_labels import Labeler, choose
from netgaze.schedules import Constant
from netgaze.subject import Subject
from netgaze.tasks.pseudo_labels import PseudoLabels as Task


class Unlabeled:
    """Images whose pixels count them, and the labels that were taken away."""

    fingerprint = "unlabeled"

    def __init__(self, truth, class_names, channels=3):
        self._truth, self.class_names, self.channels = torch.as_tensor(truth), class_names, channels

    def true_labels(self, split):
        assert split == "unlabeled"
        return self._truth

    def images(self, split, index):
        assert split == "unlabeled"
        values = torch.arange(len(self._truth), dtype=torch.uint8)[index]
        return values[:, None, None, None].expand(-1, self.channels, 8, 8)


class Chooser(Labeler):
    """A task that has chosen."""

    classifies = True

    def __init__(self, class_names, chosen):
        self.class_names, self.chosen = class_names, chosen

    def choose(self, data):
        return self.chosen


def a_subject(index, label, truth, num_classes, scores=None, rank=None, title="teacher", config=None, channels=3):
    """A network that chose these images for these classes, best first in each."""
    index, label = (torch.as_tensor(part, dtype=torch.int64) for part in (index, label))
    names = [f"a class with a long name {number}" for number in range(num_classes)]
    if rank is None:
        rank = [int((label[:place] == own).sum()) for place, own in enumerate(label)]
    scores = torch.linspace(1, 0.01, len(index)) if scores is None else torch.as_tensor(scores)
    rank = torch.as_tensor(rank, dtype=torch.int64)
    chosen = SimpleNamespace(index=index, label=label, score=scores, rank=rank)
    task = Chooser(names, chosen)
    data = Unlabeled(torch.as_tensor(truth, dtype=torch.int64), names, channels)
    config = {"task": {"k": 1000, "p": 2}} if config is None else config
    return Subject(title, task=lambda: task, data=lambda: data, config=config, training=True)


@st.composite
def choices(draw):
    """Truth [N], and pairs of an image and a class, none twice, in any order."""
    num_classes, num = draw(st.integers(1, 5)), draw(st.integers(1, 40))
    truth = draw(st.lists(st.integers(0, num_classes - 1), min_size=num, max_size=num))
    pair = st.tuples(st.integers(0, num - 1), st.integers(0, num_classes - 1))
    return num_classes, truth, draw(st.lists(pair, unique=True, max_size=60))


@given(choices())
def test_numbers_are_those_of_naive_counts(chosen):
    num_classes, truth, pairs = chosen
    index, label = [image for image, _ in pairs], [own for _, own in pairs]
    found = PseudoLabels().compute(a_subject(index, label, truth, num_classes))
    numbers, arrays = found.numbers, found.arrays
    by_class = {c: [truth[image] == c for image, own in pairs if own == c] for c in range(num_classes)}

    def share(values):
        return pytest.approx(sum(values) / len(values)) if values else None

    first, last = [], []
    for own in by_class.values():
        first += [right for place, right in enumerate(own) if place / len(own) < 0.1]
        last += [right for place, right in enumerate(reversed(own)) if place / len(own) < 0.1]
    assert numbers["images"] == len(pairs)
    assert numbers["distinct"] == len(set(index))
    assert numbers["in_several"] == sum(index.count(image) > 1 for image in set(index))
    assert numbers["share_right"] == share([right for own in by_class.values() for right in own])
    assert numbers["share_right_first_tenth"] == share(first)
    assert numbers["share_right_last_tenth"] == share(last)
    assert numbers["coverage"] == pytest.approx(len(set(index)) / len(truth))
    by_lot = [truth.count(own) / len(truth) for own in label]
    assert numbers["chance"] == share(by_lot)
    for c, own in by_class.items():
        assert arrays["counts"][c] == len(own)
        for tenth in range(10):
            inside = [right for place, right in enumerate(own) if place * 10 // len(own) == tenth]
            np.testing.assert_allclose(arrays["tenths"][c, tenth], np.mean(inside) if inside else np.nan)


@pytest.mark.parametrize("num_classes", [2, 10])
def test_right_up_to_the_half_then_wrong(num_classes):
    label = np.repeat(np.arange(num_classes), 40)
    truth = np.where(np.arange(len(label)) % 40 < 20, label, (label + 1) % num_classes)
    found = PseudoLabels().compute(a_subject(np.arange(len(label)), label, truth, num_classes))
    assert found.numbers["share_right"] == 0.5
    assert (found.numbers["share_right_first_tenth"], found.numbers["share_right_last_tenth"]) == (1, 0)
    assert found.numbers["chance"] == pytest.approx(1 / num_classes)
    assert found.numbers["coverage"] == 1
    assert found.numbers["in_several"] == 0
    np.testing.assert_array_equal(found.arrays["tenths"], [[1] * 5 + [0] * 5] * num_classes)


def test_a_tenth_of_twenty_is_two():
    place, label = np.tile(np.arange(20), 2), np.repeat([0, 1], 20)
    truth = np.where((place < 2) | (place >= 18), 1 - label, label)
    numbers = PseudoLabels().compute(a_subject(np.arange(40), label, truth, 2)).numbers
    assert (numbers["share_right_first_tenth"], numbers["share_right_last_tenth"]) == (0, 0)
    assert numbers["share_right"] == 0.8


def test_a_random_choice_is_right_by_chance():
    rng = np.random.default_rng(0)
    truth = np.minimum(rng.geometric(0.4, 20_000) - 1, 4)  # uneven classes, for which chance is not one in five
    label = rng.choice(5, 20_000, p=[0.6, 0.1, 0.1, 0.1, 0.1])
    numbers = PseudoLabels().compute(a_subject(rng.permutation(20_000), label, truth, 5)).numbers
    assert abs(numbers["chance"] - 0.2) > 0.05
    assert numbers["share_right"] == pytest.approx(numbers["chance"], abs=0.015)


@given(st.integers(0, 60), st.integers(1, 8))
def test_the_parts_of_a_row_show_no_image_twice(num, num_each):
    first, middle, last = _split_thirds(num, num_each)
    places = [*first, *middle, *last]
    assert places == sorted(set(places))
    assert len(places) == min(num, 3 * num_each)
    assert all(0 <= place < num for place in places)
    if num >= 3 * num_each:
        assert (first[0], last[-1]) == (0, num - 1)
        assert abs((middle[0] + middle[-1]) / 2 - (num - 1) / 2) <= 0.5


def test_the_images_shown_are_the_first_the_middle_and_the_last_of_each_class():
    rng = np.random.default_rng(1)
    label, rank = np.repeat([0, 1, 2], 21), np.tile(np.arange(21), 3)
    index, truth = rng.permutation(63), rng.integers(0, 3, 63)
    scores = 1 - rank / 30 - label / 100
    mixed = rng.permutation(63)  # the order of the pairs says nothing: the ranks do
    found = [
        PseudoLabels(num_each=2).compute(
            a_subject(index[order], label[order], truth, 3, scores[order].astype(np.float32), rank[order])
        )
        for order in (np.arange(63), mixed)
    ]
    for name, array in found[0].arrays.items():
        np.testing.assert_array_equal(array, found[1].arrays[name])
    assert found[0].numbers == found[1].numbers
    arrays, places = found[0].arrays, np.array([0, 1, 9, 10, 19, 20])
    shown = np.concatenate([index[own * 21 + places] for own in range(3)])
    np.testing.assert_array_equal(arrays["images"][:, 0, 0, 0], shown)
    assert arrays["images"].shape == (18, 8, 8, 3)
    np.testing.assert_array_equal(arrays["tile_true"], truth[shown])
    np.testing.assert_array_equal(arrays["tile_part"], np.tile([0, 0, 1, 1, 2, 2], 3))
    np.testing.assert_allclose(arrays["scores"][1], 0.99 - np.array([0, 10, 20]) / 30, rtol=1e-6)


def drawn(figure, *subjects):
    picture = figure.draw({subject.label: figure.compute(subject) for subject in subjects})
    assert_readable(picture)
    return " ".join(" ".join(words for words, _ in texts_of(picture)).split())


def test_classes_without_images_and_nothing_at_all(tmp_path):
    figure = PseudoLabels()
    few = a_subject([3, 4, 3], [0, 0, 2], [0, 1, 2, 0, 1], 4)
    words = drawn(figure, few)
    assert words.count("no images") == 2
    assert "2 images 50% correct" in words
    assert "1 image 0% correct" in words
    assert "3 pseudo-labels for 2 images, 33% correct" in words
    assert find_wordless(figure, {"few": figure.compute(few)}) == []
    rows = figure.table(figure.compute(few))
    assert [row["images"] for row in rows] == [2, 0, 1, 0]
    assert [row["share right"] for row in rows] == [0.5, None, 0.0, None]
    assert rows[1]["score of the first"] is None
    nothing = a_subject([], [], [0, 1], 2, title="nothing")
    found = figure.compute(nothing)
    assert found.numbers["images"] == found.numbers["distinct"] == found.numbers["coverage"] == 0
    assert all(found.numbers[name] is None for name in ("share_right", "share_right_last_tenth", "chance"))
    assert drawn(figure, nothing).count("no images") == 4  # the plot's, its key's, and two rows'
    seen = look({"pseudo_labels": figure}, [few, nothing], tmp_path)
    assert list(seen["pseudo_labels"]) == ["teacher", "nothing"]
    assert "a class with a long name 1,0,," in (tmp_path / "pseudo_labels.csv").read_text()


def test_wrong_ones_say_what_they_are():
    words = drawn(PseudoLabels(num_each=1), a_subject([0, 1], [0, 0], [0, 1], 2))
    assert words.count("is a c") == 1
    assert "1.00" in words
    assert "0.01" in words


def test_the_caption_names_k_and_p_and_that_truth_only_judges():
    caption = PseudoLabels().compute(a_subject([0], [0], [0], 1)).caption
    assert "K = 1,000" in caption
    assert "P = 2" in caption
    assert "Each network chooses its own images" in caption
    assert "are used only here" in caption
    assert "K =" not in PseudoLabels().compute(a_subject([0], [0], [0], 1, config={})).caption


def test_of_many_classes_all_networks_show_the_same():
    label = np.arange(23).repeat(2)
    first, other = (
        a_subject(np.arange(46), label, truth, 23, title=str(truth[0])) for truth in (label, label[::-1].copy())
    )
    figure = PseudoLabels(num_classes=7)
    rows = [figure.compute(subject).arrays["rows"] for subject in (first, other)]
    np.testing.assert_array_equal(*rows)
    assert len(set(rows[0])) == 7
    assert sorted(rows[0]) == list(rows[0])
    assert list(PseudoLabels(num_classes=7, seed=1).compute(first).arrays["rows"]) != list(rows[0])
    assert len(figure.table(figure.compute(first))) == 23


@pytest.mark.parametrize("arguments", [{"num_classes": 0}, {"num_each": 0}, {"num_each": 9}], ids=str)
def test_numbers_out_of_range_are_said(arguments):
    with pytest.raises(NetgazeError, match=f"{next(iter(arguments))}=. must be 1"):
        PseudoLabels(**arguments)


@pytest.mark.parametrize("num_each", [1, 3, 8])
@pytest.mark.parametrize("num_networks", [1, 2, 5])
@pytest.mark.slow
def test_readable_whatever_is_shown(num_each, num_networks):
    rng = np.random.default_rng(0)
    figure = PseudoLabels(num_each=num_each)
    arguments = (np.arange(90), rng.integers(0, 12, 90), rng.integers(0, 12, 90), 12)
    names = [f"ResNet-18, ImageNet weights, lr=0.0{number}" for number in range(num_networks)]
    words = drawn(figure, *(a_subject(*arguments, title=name, channels=1) for name in names))
    assert "chance, 8." in words


def labeling(data, k=5, p=2, seed=0):
    torch.manual_seed(seed)
    model = ResNet(depths=[1, 1], widths=[8, 16], stem="cifar", in_channels=3, num_classes=data.num_classes)
    optimizer = functools.partial(torch.optim.SGD, lr=0.1)
    task = Task(model=model, num_classes=data.num_classes, optimizer=optimizer, schedule=Constant(), k=k, p=p)
    task.name_classes(data.class_names)
    return task


@pytest.fixture
def labeled(make_data):
    """The real task on a real unlabeled part, and an untrained network to hold it against."""
    data = make_data(per_class=4)
    teacher, control = (labeling(data, seed=seed) for seed in range(2))
    return [
        Subject("teacher", task=lambda: teacher, data=lambda: data, config={}),
        Subject("untrained", task=lambda: control, data=lambda: data, config={}, control=True),
    ]


def test_the_real_task(labeled, tmp_path):
    figure, (teacher, _) = make_figure("pseudo_labels"), labeled
    findings, kept = {subject.label: figure.compute(subject) for subject in labeled}, {}
    for label, finding in findings.items():
        finding.save(tmp_path / label, "key")
        kept[label] = Finding.load(tmp_path / label, "key")
        assert kept[label].numbers == finding.numbers
    assert_readable(figure.draw(kept))
    again = figure.compute(teacher)
    for name, array in findings["teacher"].arrays.items():
        np.testing.assert_array_equal(array, again.arrays[name])
    data = teacher.data
    images = data.normalize(data.images("unlabeled"))
    with torch.no_grad():
        chosen = choose(teacher.task.eval()(images).softmax(dim=1), 5, 2)
    right = chosen.label == data.true_labels("unlabeled")[chosen.index]
    assert findings["teacher"].numbers["share_right"] == pytest.approx(right.double().mean().item())
    assert findings["teacher"].numbers["images"] == len(chosen)
    assert findings["teacher"].numbers["coverage"] == pytest.approx(len(chosen.index.unique()) / 48)
    first = data.images("unlabeled")[chosen.index[0]].permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(findings["teacher"].arrays["images"][0], first)


def test_the_network_is_left_as_it_was(labeled):
    task = labeled[0].task.train()
    task.model.bn1.eval()
    modes = [module.training for module in task.modules()]
    state, random = {key: value.clone() for key, value in task.state_dict().items()}, torch.get_rng_state()
    PseudoLabels().compute(labeled[0])
    assert [module.training for module in task.modules()] == modes
    assert all(torch.equal(value, state[key]) for key, value in task.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)


def test_who_cannot_be_asked_is_named(labeled, supervised, make_data, tmp_path):
    figure = PseudoLabels()
    supervised.config["task"]["k"] = 3
    pixels = Subject("raw pixels", data=lambda: labeled[0].data, pixels=True, control=True)
    seen = look({"pseudo_labels": figure}, [supervised, *labeled, pixels], tmp_path)
    assert list(seen["pseudo_labels"]) == ["teacher", "untrained"]
    said = (tmp_path / "pseudo_labels.json").read_text()
    assert "makes no pseudo-labels. Train one with task=pseudo_labels." in said
    assert '"raw pixels": "no classes and no config"' in said
    failed = look({"pseudo_labels": figure}, [supervised], tmp_path).failed
    assert "makes no pseudo-labels" in failed["pseudo_labels"].error
    whole = make_data()
    with pytest.raises(NetgazeError, match="has no unlabeled images"):
        figure.compute(Subject("whole", task=lambda: labeling(whole), data=lambda: whole, config={}))


def test_other_settings_are_another_question(labeled):
    """K and P are no part of the weights: a run that goes on with others must not be shown its old picture."""
    figure, task, data = PseudoLabels(), labeled[0].task, labeled[0].data
    names = {
        Subject("run", task=lambda: task, data=lambda: data, config={"task": {"k": k}}).identity(figure.needs)
        for k in (5, 5, 50)
    }
    assert len(names) == 2


def test_contract():
    figure = make_figure("pseudo_labels")
    assert figure.question.endswith("?")
    assert set(figure.needs) <= {"classes", "data", "config"}
    assert (CONF / "pseudo_labels.yaml").read_text().startswith("# @package figure.pseudo_labels\n")
