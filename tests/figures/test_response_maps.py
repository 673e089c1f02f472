"""Response maps: which images, whose peak, which frame, against naive loops; on networks with a filter a class."""

import functools
import itertools

import numpy as np
import pytest
import torch
from PIL import Image
from tests.figures.reader import assert_shows, make_pictures, read
from tests.figures.test_figures import assert_readable, texts_of

from netgaze.drawing.examples import balanced_choice, choose_right
from netgaze.drawing.heat import compute_maps, enlarge
from netgaze.drawing.panels import GRAY, RIGHT, WRONG, color_signed
from netgaze.errors import NetgazeError
from netgaze.figure import Finding
from netgaze.figures.cam import Cam
from netgaze.figures.response_maps import ResponseMaps, count_peaks
from netgaze.models.dynamic_conv import DynamicConv
from netgaze.schedules import Constant
from netgaze.subject import Subject, evaluating
from netgaze.tasks.supervised import Supervised
from netgaze.text import format_value


def filters_a_class(data, filter="dynamic"):
    torch.manual_seed(3)
    model = DynamicConv(
        up_to="layer1",
        depths=[1, 1],
        widths=[8, 16],
        stem="cifar",
        in_channels=data.num_channels,
        image_size=data.image_size,
        num_classes=data.num_classes,
        filter=filter,
    )
    optimizer = functools.partial(torch.optim.SGD, lr=0.1)
    task = Supervised(model=model, num_classes=data.num_classes, optimizer=optimizer, schedule=Constant())
    task.name_classes(data.class_names)
    return Subject(filter, task=lambda: task, data=lambda: data, training=True)


def test_peak_shares_on_maps_made_by_hand():
    maps = torch.zeros(4, 3, 2, 2)
    maps[0, 1, 0, 1] = 2.0  # the target alone
    maps[1, 0, 0, 0], maps[1, 1, 1, 1] = 2.0, 2.0  # a tie of two
    maps[2, 2, 0, 0] = 1.0  # another one; all three tie in the last
    shares = count_peaks(maps, torch.tensor([1, 1, 1, 1]))
    assert shares.tolist() == pytest.approx([1, 1 / 2, 0, 1 / 3])


def test_peak_highest_against_a_loop_over_all_that_the_task_makes(supervised, rotation):
    for subject in (supervised, rotation, filters_a_class(supervised.data)):
        data, task = subject.data, subject.task
        scored, found, lowest = balanced_choice(data.labels("test").numpy(), 30, 0), [], []
        with evaluating(task), torch.no_grad():
            for image in scored:
                shown = data.normalize(data.images("test")[[image]])
                for example, target in zip(*task.make_examples(shown, data.labels("test")[[image]]), strict=True):
                    maps = task.model.class_maps(example[None])[0]
                    found.append(max(range(len(maps)), key=lambda k, maps=maps: float(maps[k].max())) == target)
                    lowest.append(min(range(len(maps)), key=lambda k, maps=maps: float(maps[k].min())) == target)
        numbers = ResponseMaps(num_scored=30).compute(subject).numbers
        assert numbers["peak_highest"] == pytest.approx(np.mean(found))
        assert numbers["trough_lowest"] == pytest.approx(np.mean(lowest))
        assert numbers["chance"] == pytest.approx(1 / len(task.class_names))
    assert len(found) == 30


def test_one_filter_for_all_classes_is_chance_exactly(data):
    numbers = ResponseMaps().compute(filters_a_class(data, "static")).numbers
    assert numbers["peak_highest"] == pytest.approx(1 / 3, abs=1e-12)


def test_scores_on_the_object_are_cams(subjects):
    for subject in subjects[:2]:
        ours, theirs = ResponseMaps().compute(subject).numbers, Cam().compute(subject).numbers
        for name in ("peak_on_object", "mass_on_object", "object_area", "center_on_object", "map_width"):
            assert ours[name] == pytest.approx(theirs[name]), name


def test_maps_of_the_other_sign_exchange_peaks_and_troughs(data, monkeypatch):
    subject = filters_a_class(data)
    as_they_are = ResponseMaps().compute(subject).numbers
    maps = type(subject.task).class_maps
    monkeypatch.setattr(type(subject.task), "class_maps", lambda task, images: -maps(task, images))
    exchanged = ResponseMaps().compute(subject).numbers
    pairs = [("peak_highest", "trough_lowest"), ("peak_on_object", "trough_on_object")]
    for one, other in (*pairs, ("mass_on_object", "negative_mass_on_object")):
        assert (as_they_are[one], as_they_are[other]) == (exchanged[other], exchanged[one])
        assert as_they_are[one] != as_they_are[other]


def test_data_without_masks_have_no_such_scores(supervised, monkeypatch):
    monkeypatch.setattr(type(supervised.data), "masks", lambda self, split: None)
    names = {"map_height", "map_width", "peak_highest", "trough_lowest", "chance", "num_scored"}
    assert set(ResponseMaps().compute(supervised).numbers) == names


def test_evidence_comes_in_small_batches_and_is_whole(rotation, monkeypatch):
    monkeypatch.setattr("netgaze.drawing.heat._MOST_MAPS", 28)  # four classes: seven images at once
    images = np.array([5, 1, 30, 2, 9, 17, 4, 11, 0])
    with evaluating(rotation.task) as task, torch.no_grad():
        batches = list(compute_maps(rotation, images, upright=False))
        assert [len(index) for index, *_ in batches] == [7, 2]
        assert [len(targets) for _, _, targets, _ in batches] == [28, 8]
        _, examples, targets, maps = batches[0]
        assert targets.tolist() == [0] * 7 + [1] * 7 + [2] * 7 + [3] * 7
        torch.testing.assert_close(maps, task.class_maps(examples))
        upright = next(compute_maps(rotation, images))
        assert torch.equal(upright[1], examples[:7])
        assert torch.equal(upright[2], targets[:7])


def test_the_rule_takes_the_first_right_image_of_each_class():
    rng = np.random.default_rng(0)
    labels, right = rng.integers(0, 4, 60), rng.random(60) < 0.4
    right[labels == 2] = False
    order = list(balanced_choice(labels, 60, 7))
    found = choose_right(labels, right, 4, 7)
    for place, image in enumerate(found):
        label = labels[order[place]]
        own = [other for other in order if labels[other] == label]
        assert image == next((other for other in own if right[other]), own[0])
    assert sorted(labels[found]) == [0, 1, 2, 3]
    more = choose_right(labels, right, 8, 7)
    assert list(more[:4]) == list(found)
    assert len(set(more)) == 8
    assert right[more[labels[more] != 2]].all()


def test_shown_are_images_that_the_network_is_right_about_where_there_are_any(supervised):
    outputs, names = supervised.outputs("test"), supervised.task.class_names
    order = balanced_choice(outputs.targets, 40, 0)
    zeros, ones, twos = (order[outputs.targets[order] == k] for k in range(3))
    outputs.logits[:] = np.eye(3)[outputs.targets]
    outputs.logits[ones] = [5, 0, 0]  # never right about class 1
    outputs.logits[zeros[:2]] = [0, 0, 7]  # wrong about the first two of class 0
    figure = ResponseMaps(num_images=3)
    finding = figure.compute(supervised)
    pictures = supervised.data.images("test").permute(0, 2, 3, 1).numpy()
    for name, image in zip(names, (zeros[2], ones[0], twos[0]), strict=True):
        row = list(finding.arrays["true"]).index(name)
        np.testing.assert_array_equal(finding.arrays["images"][row], pictures[image])
        np.testing.assert_allclose(finding.arrays["scores"][row], outputs.logits[image])
        assert (finding.arrays["predicted"][row] == name) == (name != names[1])
    words = " ".join(words for words, _ in texts_of(figure.draw({"run": finding})))
    assert (words.count("✓"), words.count("×")) == (2, 1)


def test_named_images_their_maps_scores_and_frames(subjects, data):
    for subject in (*subjects[:2], filters_a_class(data)):
        arrays = ResponseMaps(indices=[7, 2]).compute(subject).arrays
        images = subject.data.images("test")[[7, 2]]
        np.testing.assert_array_equal(arrays["images"], images.permute(0, 2, 3, 1).numpy())
        with evaluating(subject.task) as task, torch.no_grad():
            examples = subject.data.normalize(images)
            np.testing.assert_allclose(arrays["maps"], task.class_maps(examples), rtol=1e-4, atol=1e-6)
            np.testing.assert_allclose(arrays["scores"], task(examples), rtol=1e-4, atol=1e-6)
            target = task.make_examples(examples, subject.data.labels("test")[[7, 2]])[1][:2]
        assert [list(row) for row in arrays["classes"]] == [task.class_names] * 2
        np.testing.assert_array_equal(arrays["framed"], np.eye(len(task.class_names), dtype=bool)[target])


def test_an_image_that_is_not_there_is_named(supervised):
    with pytest.raises(NetgazeError, match="image 40, but the split has images 0 to 39"):
        ResponseMaps(indices=[40]).compute(supervised)


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize("channels", [1, 3])
def test_own_images_have_an_answer_and_no_frame(kind, channels, make_data, make_subjects, tmp_path):
    subject = make_subjects(make_data(num_channels=channels))[kind]
    paths = [str(tmp_path / f"{number}.png") for number in range(2)]
    for number, path in enumerate(paths):
        Image.new("RGB", (30, 20), (200, 40 * number, 90)).save(path)
    figure = ResponseMaps(images=paths)
    finding = figure.compute(subject)
    assert not finding.arrays["framed"].any()
    with evaluating(subject.task) as task, torch.no_grad():
        logits = task(subject.data.normalize(subject.data.read_images(paths)))
    np.testing.assert_allclose(finding.arrays["scores"], logits, rtol=1e-4, atol=1e-6)
    predicted = [task.class_names[int(k)] for k in logits.argmax(dim=1)]
    assert list(finding.arrays["predicted"]) == predicted
    picture = figure.draw({"run": finding})
    assert_readable(picture)
    words = [words for words, _ in texts_of(picture)]
    assert sum(line.startswith("predicted:") for line in words) == 2
    assert not any(line.startswith(("is", "✓", "×")) for line in words)
    assert not thick_frames(picture)


def test_indices_and_images_at_once_are_refused():
    with pytest.raises(NetgazeError, match=r"indices .* or images"):
        ResponseMaps(indices=[1], images=["a.png"])


def test_of_many_classes_the_true_one_and_the_highest(make_data, make_subjects):
    sizes = (("train", 46), ("val", 46), ("test", 46))
    subject = make_subjects(make_data(num_classes=23, sizes=sizes))[0]
    arrays = ResponseMaps(indices=[3, 8], max_classes=5).compute(subject).arrays
    outputs, names = subject.outputs("test"), np.array(subject.task.class_names)
    for row, image in enumerate((3, 8)):
        others = [k for k in np.argsort(-outputs.logits[image]) if k != outputs.targets[image]]
        assert list(arrays["classes"][row]) == list(names[[outputs.targets[image], *others[:4]]])
        np.testing.assert_allclose(arrays["scores"][row], outputs.logits[image][[outputs.targets[image], *others[:4]]])
        assert arrays["framed"][row].tolist() == [True] + [False] * 4
        with evaluating(subject.task) as task, torch.no_grad():
            maps = task.class_maps(subject.data.normalize(subject.data.images("test")[[image]]))[0]
        np.testing.assert_allclose(arrays["maps"][row, 2], maps[others[1]], rtol=1e-4, atol=1e-6)


def thick_frames(picture):
    """Places of the frames around true classes."""
    return [patch.get_xy() for axes in picture.axes for patch in axes.patches if patch.get_linewidth() == 2]


def test_the_frame_is_around_the_true_class_on_the_sheet(supervised):
    figure = ResponseMaps(indices=[0, 1, 2])
    picture = figure.draw({"run": figure.compute(supervised)})
    tiles = [image.get_extent() for image in picture.axes[0].images]  # in each row the image, then a map per class
    width = 1 + supervised.data.num_classes
    targets = supervised.data.labels("test")[:3].tolist()
    expected = [tiles[row * width + 1 + target] for row, target in enumerate(targets)]
    assert len(tiles) == 3 * width
    assert thick_frames(picture) == [(left, top) for left, _, _, top in expected]


def test_maps_of_nothing_are_white(findings):
    findings["one"].arrays["maps"][:] = 0.0
    drawn = read(ResponseMaps().draw({"one": findings["one"]}))
    assert all((tile.image > 240).all() for tile in drawn.grid()[0][1:])
    assert drawn.color_bars[0].high == 1.0


@pytest.mark.parametrize("num_classes", [2, 12, pytest.param(40, marks=pytest.mark.slow)])
def test_networks_of_many_classes_are_readable(num_classes, make_data):
    data = make_data(num_classes=num_classes, sizes=(("train", 80), ("val", 80), ("test", 80)))
    for figure in (ResponseMaps(), ResponseMaps(max_classes=20)):
        findings = {name: figure.compute(filters_a_class(data, name)) for name in ("dynamic", "static_shared")}
        assert_readable(figure.draw(findings))


UNITS = ["logits", "filter response"]
CLASSES = {"one": [["cat", "dog", "emu"]] * 2, "two": [["emu", "cat", "dog"], ["dog", "fox", "cat"]]}
ANSWERS = {  # of each network's images: is the true class known, true and predicted class, their probabilities
    "one": [(True, "cat", "cat", 0.9, 0.9), (True, "dog", "emu", 0.25, 0.7)],
    "two": [(True, "emu", "dog", 0.15, 0.65), (False, "", "fox", np.nan, 0.55)],
}
FRAMED = {"one": [0, 1], "two": [0, None]}  # the columns of the true classes
SCORES = {"one": [[3.25, -1.5, 0.5], [0.25, 2.125, -12.0]], "two": [[1.25, 0.5, 1.75], [-0.001, 8.5, -123.4]]}
SAID = {"one": [["3.25", "-1.50", "0.50"], ["0.25", "2.12", "-12.0"]], "two": [["1.25", "0.50", "1.75"]]}
SAID["two"].append(["0.00", "8.50", "-123"])
BOLD = {"one": [0, 2], "two": [2, 1]}  # the columns of the answers
WORDS = {
    "one": ["✓ cat 0.90", "true: dog 0.25 × emu 0.70"],
    "two": ["true: emu 0.15 × dog 0.65", "predicted: fox 0.55"],
}
COLORS = {"one": [RIGHT, WRONG], "two": [WRONG, GRAY]}


@pytest.fixture
def findings():
    """Two networks: one whose rows have the same classes, and maps as large as its images; and another."""
    pictures, rng, found = make_pictures(2, 2), np.random.default_rng(0), {}
    for place, label in enumerate(CLASSES):
        known, true, predicted, *probabilities = map(np.array, zip(*ANSWERS[label], strict=True))
        arrays = {
            "images": pictures[place],
            "unit": np.array(UNITS[place % 2]),
            "maps": rng.normal(size=(2, 3, 4, 4) if label == "one" else (2, 3, 2, 3)).astype(np.float32) * 10**place,
            "classes": np.array(CLASSES[label]),
            "scores": np.array(SCORES[label]),
            "framed": np.array([[column == framed for column in range(3)] for framed in FRAMED[label]]),
            "answers": np.array([[column == bold for column in range(3)] for bold in BOLD[label]]),
            "known": known,
            "true": true,
            "predicted": predicted,
            "probability_true": probabilities[0],
            "probability_predicted": probabilities[1],
        }
        numbers = {"map_height": 4, "map_width": 5, "num_scored": 1234, "peak_highest": 0.5, "trough_lowest": 0.25}
        found[label] = Finding(numbers | {"chance": 0.001}, arrays)
    found["two"].numbers |= {"peak_on_object": 0.75, "trough_on_object": 0.65, "center_on_object": 0.35}
    found["two"].numbers |= {"mass_on_object": 0.45, "object_area": 0.15}
    return found


@pytest.fixture
def drawn(findings):
    return read(ResponseMaps().draw(findings))


def rows_of(drawn):
    """Network, row of its images, tiles of the line."""
    places = [(label, row) for label in CLASSES for row in range(2)]
    return [(*place, line) for place, line in zip(places, drawn.grid(), strict=True)]


def test_each_map_stands_in_its_images_row_and_its_classs_column(drawn, findings):
    for label, row, (image, *maps) in rows_of(drawn):
        arrays = findings[label].arrays
        np.testing.assert_array_equal(image.image, arrays["images"][row])
        heats = [enlarge(torch.from_numpy(of_one), (4, 4)).numpy() for of_one in arrays["maps"]]
        expected = color_signed(heats[row], float(np.quantile(np.abs(heats), 0.99)))
        assert_shows(maps, (expected * 255).round().astype(np.uint8))
        assert all(image.x < one.x < other.x for one, other in itertools.pairwise(maps))


def test_names_stand_above_their_maps_once_where_rows_share_them(drawn):
    for label, row, (image, *maps) in rows_of(drawn):
        names = [[each.text for each in drawn.words_above(tile, 0.14) if each.text.isalpha()] for tile in maps]
        expected = [[name] for name in CLASSES[label][row]]
        assert names == ([[]] * 3 if (label, row) == ("one", 1) else expected)
        assert not drawn.words_above(image, within=0.14)


def test_scores_stand_below_their_maps_and_the_answers_is_bold(drawn):
    for label, row, (image, *maps) in rows_of(drawn):
        (scores,) = zip(*(drawn.words_below(tile, within=0.2) for tile in maps), strict=True)
        assert [each.text for each in scores] == SAID[label][row]
        assert [each.bold for each in scores] == [column == BOLD[label][row] for column in range(3)]
        assert not drawn.words_below(image, within=0.2)


def test_the_true_classs_map_alone_has_the_thick_line(drawn):
    for label, row, (image, *maps) in rows_of(drawn):
        outlines = [drawn.outline_of(tile) for tile in maps]
        expected = [("#000000", 2.0) if column == FRAMED[label][row] else ("#bbbbbb", 0.5) for column in range(3)]
        assert outlines == expected
        assert drawn.outline_of(image) is None


def test_the_words_left_of_an_image_are_its_answer(drawn):
    for label, row, (image, *_) in rows_of(drawn):
        words = drawn.words_left_of(image)
        assert " ".join(each.text for each in words) == WORDS[label][row]
        assert {each.color for each in words} == {COLORS[label][row].lower()}


def test_each_block_has_its_title_numbers_and_scale(drawn, findings):
    lines = [line[0] for line in drawn.grid()]
    one, two = drawn.say("one"), drawn.say("two")
    assert one.y < lines[0].y < lines[1].y < two.y < lines[2].y
    peaks = [each for each in drawn.words if "4x5 maps; in 1,234 images" in each.text]
    assert [one.y < peaks[0].y < lines[0].y, two.y < peaks[1].y < lines[2].y] == [True, True]
    assert "the highest peak in 50%, the lowest trough in 25% (chance 0.1%)" in peaks[0].text
    pointing = drawn.say(
        "map peak on object 75.0%, trough 65.0% (image center 35.0%), evidence on object 45.0% (area 15.0%)"
    )
    assert pointing.y > two.y
    ends = ((lines[1], two), (lines[3], None))
    for bar, finding, (above, below) in zip(drawn.color_bars, findings.values(), ends, strict=True):
        heats = [enlarge(torch.from_numpy(of_one), (4, 4)).numpy() for of_one in finding.arrays["maps"]]
        assert bar.high == pytest.approx(np.quantile(np.abs(heats), 0.99))
        assert bar.low == -bar.high
        assert (bar.colors, bar.words) == ("RdBu_r", f"evidence ({finding.arrays['unit']})")
        assert bar.ticks == [format_value(-bar.high), "0", format_value(bar.high)]
        assert bar.y > above.y + above.height
        assert below is None or bar.y < below.y


def test_of_many_networks_the_first_images_are_drawn(findings):
    one = findings["one"].arrays
    for name in ("images", "maps", "classes", "scores", "framed", "answers", "known", "true", "predicted"):
        one[name] = np.concatenate([one[name]] * 2)
    for name in ("probability_true", "probability_predicted"):
        one[name] = np.concatenate([one[name]] * 2)
    drawn = read(ResponseMaps().draw({f"network {number}": findings["one"] for number in range(8)}))
    lines = drawn.grid()
    assert len(lines) == 3 * 8
    assert [[tile.image.tolist() for tile in line[:1]] for line in lines[:3]] == one["images"][:3, None].tolist()
    assert drawn.say("The first 3 of 4 images are drawn").y > lines[-1][0].y
    few = read(ResponseMaps().draw({f"network {number}": findings["one"] for number in range(6)}))
    assert len(few.grid()) == 4 * 6
    assert "are drawn" not in few.text


def test_many_maps_have_upright_names(findings):
    arrays = findings["one"].arrays
    for name in ("maps", "classes", "scores", "framed", "answers"):
        arrays[name] = np.concatenate([arrays[name]] * 7, axis=1)
    drawn = read(ResponseMaps().draw({"one": findings["one"]}))
    first = drawn.grid()[0]
    assert len(first) == 22
    for place, tile in enumerate(first[1:]):
        (name,) = (each for each in drawn.words if each.upright and tile.x < each.x < tile.x + tile.width)
        assert name.text == CLASSES["one"][0][place % 3]
        assert tile.y - 0.2 < name.y < tile.y
