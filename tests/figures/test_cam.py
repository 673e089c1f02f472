"""Class activation maps against grad-cam, and their scores on maps and masks made by hand."""

import numpy as np
import pytest
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from tests.figures.reader import assert_shows, find_line, make_pictures, read
from tests.figures.test_faithfulness import make_trial
from tests.figures.test_response_maps import filters_a_class

from netgaze.drawing.evidence import overlay
from netgaze.drawing.examples import balanced_choice
from netgaze.drawing.faithfulness import Verdict
from netgaze.drawing.heat import describe_pointing, enlarge, score_pointing
from netgaze.drawing.panels import RIGHT, WRONG
from netgaze.errors import NetgazeError
from netgaze.figure import Finding
from netgaze.figures.cam import Cam, _write_caption
from netgaze.subject import evaluating
from netgaze.text import format_value


def scaled(maps):
    maps = maps - maps.min(axis=(1, 2), keepdims=True)
    return maps / maps.max(axis=(1, 2), keepdims=True)


def test_equals_gradcam_on_a_pooled_linear_head(supervised):
    data, task = supervised.data, supervised.task
    images, targets = data.normalize(data.images("test")[:6]), data.labels("test")[:6]
    with evaluating(task), torch.no_grad():
        small = task.class_maps(images)[torch.arange(6), targets]
    ours = enlarge(small.clamp(min=0), images.shape[-2:]).numpy()
    task.eval()
    with GradCAM(task.model, [task.model.layer2]) as method:
        theirs = method(images, [ClassifierOutputTarget(int(target)) for target in targets])
    assert ours.max(axis=(1, 2)).min() > 0
    np.testing.assert_allclose(scaled(ours), scaled(theirs), atol=1e-3)


def test_the_mean_of_the_evidence_and_the_bias_is_the_logit(supervised):
    images = supervised.data.normalize(supervised.data.images("test")[:4])
    with evaluating(supervised.task) as task, torch.no_grad():
        logits = task.class_maps(images).mean(dim=(2, 3)) + task.model.fc.bias
        torch.testing.assert_close(logits, task(images))


def test_peak_and_mass_on_maps_made_by_hand():
    maps = torch.zeros(3, 4, 4)
    maps[0, 1, 1], maps[0, 3, 3] = 3.0, 1.0  # peak on the object, three quarters of the mass
    maps[1, 0, 0], maps[1, 2, 2], maps[1, 3, 0] = 6.0, 2.0, -9.0  # peak off the object, a quarter of the mass
    maps[0, 0, 3] = -9.0
    maps[2] = -1.0  # no positive evidence: left out of the mass; its peak is on the object
    maps[2, 2, 2], maps[2, 0, 0] = -0.5, -9.0
    masks = torch.zeros(3, 4, 4, dtype=torch.bool)
    masks[:, 1:3, 1:3] = True
    numbers = score_pointing(maps, masks)
    assert numbers["peak_on_object"] == pytest.approx(2 / 3)
    assert numbers["mass_on_object"] == pytest.approx((0.75 + 0.25) / 2)
    assert numbers["object_area"] == 0.25
    assert numbers["center_on_object"] == 1.0


def test_maps_without_positive_evidence_have_no_mass():
    numbers = score_pointing(-torch.ones(2, 4, 4), torch.ones(2, 4, 4, dtype=torch.bool))
    assert numbers["mass_on_object"] is None
    said = "map peak on object 100.0% (image center 100.0%), no positive evidence (area 100.0%)"
    assert describe_pointing(numbers) == said


def test_every_network_is_shown_the_same_images_upright(subjects):
    shared = []
    for subject in subjects[:3]:
        finding = Cam().compute(subject)
        some = finding.arrays["kinds"] == "shared"
        shared.append(finding.arrays["images"][some])
        assert (finding.arrays["asked"][some] == finding.arrays["true"][some]).all()
    np.testing.assert_array_equal(shared[0], shared[1])
    np.testing.assert_array_equal(shared[0], shared[2])


def test_named_images_are_shown_as_they_are(supervised, rotation):
    for subject in (supervised, rotation):
        arrays = Cam(indices=[7, 2]).compute(subject).arrays
        images = subject.data.images("test")[[7, 2]].permute(0, 2, 3, 1).numpy()
        np.testing.assert_array_equal(arrays["images"][:2], images)


def test_an_image_that_is_not_there_is_named(supervised):
    with pytest.raises(NetgazeError, match="image 40, but the split has images 0 to 39"):
        Cam(indices=[40]).compute(supervised)


def test_best_and_error_are_the_surest(rotation):
    arrays, outputs = Cam().compute(rotation).arrays, rotation.outputs("test")
    predicted, confidence = outputs.logits.argmax(1), outputs.probabilities.max(1)
    error = arrays["kinds"] == "error"
    wrong = predicted != outputs.targets
    assert arrays["probability_predicted"][error][0] == confidence[wrong].max()
    for number in np.flatnonzero((arrays["kinds"] == "best") & arrays["there"]):
        own = (rotation.task.class_names.index(arrays["asked"][number]) == predicted) & ~wrong
        assert arrays["probability_predicted"][number] == confidence[own].max()


def test_only_images_that_have_masks_are_scored(supervised, monkeypatch):
    """Some images of a split have masks: each is held against its own image's map."""
    data, there = supervised.data, torch.tensor([31, 3, 17]).sort().values
    masks = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0)) < 0.3
    monkeypatch.setattr(type(data), "masks", lambda self, split: (there, masks))
    finding = Cam().compute(supervised)
    images, targets = data.normalize(data.images("test")[there]), data.labels("test")[there]
    with evaluating(supervised.task) as task, torch.no_grad():
        maps = enlarge(task.class_maps(images)[torch.arange(3), targets], (16, 16))
    expected = score_pointing(maps, masks)
    assert finding.numbers["num_scored"] == 3
    assert {name: finding.numbers[name] for name in expected} == pytest.approx(expected, abs=1e-5)
    assert "Shares on objects are of 3 images." in finding.caption


def test_a_coarse_map_is_called_coarse(supervised):
    assert "too coarse" not in Cam().compute(supervised).caption
    assert "image_size" in _write_caption({"map_height": 2, "map_width": 2})


UNITS = ["logits", "filter response"]
KINDS = ["shared", "shared", "best", "best", "error"]
ANSWERS = {  # of each network's examples: true and predicted class, their probabilities
    "one": [
        ("cat", "cat", 0.91, 0.91),
        ("dog", "emu", 0.2, 0.75),
        ("emu", "emu", 0.83, 0.83),
        None,
        ("cat", "dog", 0.12, 0.65),
    ],
    "two": [
        ("cat", "emu", 0.31, 0.42),
        ("dog", "dog", 0.5, 0.5),
        ("emu", "emu", 0.77, 0.77),
        ("fox", "fox", 0.6, 0.6),
        None,
    ],
}
WORDS = {
    "one": [["✓ cat 0.91"], ["true: dog 0.20", "× emu 0.75"], ["✓ emu 0.83"], [], ["true: cat 0.12", "× dog 0.65"]],
    "two": [["true: cat 0.31", "× emu 0.42"], ["✓ dog 0.50"], ["✓ emu 0.77"], ["✓ fox 0.60"], []],
}
NUMBERS = {
    "one": {"map_height": 4, "map_width": 5, "drop": 0.25, "drop_random": 0.125},
    "two": {"map_height": 8, "map_width": 7, "drop": -0.001, "drop_random": 0.5, "peak_on_object": 0.75}
    | {"center_on_object": 0.35, "mass_on_object": 0.45, "object_area": 0.15},
}
SIZES = {"one": 10.0, "two": 0.001}  # of the values of their maps


def make_findings():
    pictures, maps = make_pictures(2, 5), np.random.default_rng(0).normal(size=(2, 5, 4, 4))
    findings = {}
    for place, (label, answers) in enumerate(ANSWERS.items()):
        there = np.array([answer is not None for answer in answers])
        true, predicted, probability_true, probability_predicted = zip(
            *(answer or ("", "", 0.0, 0.0) for answer in answers), strict=True
        )
        arrays = {
            "kinds": np.array(KINDS),
            "there": there,
            "images": pictures[place],
            "unit": np.array(UNITS[place % 2]),
            "maps": np.where(there[:, None, None], maps[place] * SIZES[label], 1e6),
            "asked": np.array(["cat", "dog", "emu", "fox", "dog"]),
            "true": np.array(true),
            "predicted": np.array(predicted),
            "probability_true": np.array(probability_true),
            "probability_predicted": np.array(probability_predicted),
        }
        numbers, trial = make_trial(place)
        findings[label] = Finding(numbers | NUMBERS[label], arrays | trial)
    return findings


@pytest.fixture
def findings():
    return make_findings()


@pytest.fixture
def drawn(findings):
    return read(Cam().draw(findings))


def scale_of(finding):
    return float(np.quantile(np.abs(finding.arrays["maps"][finding.arrays["there"]]), 0.99))


def test_each_image_is_left_of_the_map_that_lies_over_it(drawn, findings):
    """A row per example and in it a pair per network, each on its network's scale; nothing where there is none."""
    lines = drawn.grid()
    assert len(lines) == 5
    for number, line in enumerate(lines):
        pairs = []
        for finding in findings.values():
            arrays = finding.arrays
            if arrays["there"][number]:
                heat = overlay(arrays["images"][number], arrays["maps"][number], scale_of(finding))
                pairs += [arrays["images"][number], heat]
        assert_shows(line, pairs)
    firsts = [line[0].x for line in lines]
    assert len({round(x, 3) for x in firsts[:3]}) == 1
    assert firsts[3] > lines[2][1].x  # the second network's alone
    assert lines[4][1].x < lines[2][2].x  # the first network's alone


def test_the_words_below_each_pair_are_its_answer(drawn):
    for number, line in enumerate(drawn.grid()):
        shown = [label for label in ANSWERS if ANSWERS[label][number]]
        for label, pair in zip(shown, zip(line[::2], line[1::2], strict=True), strict=True):
            words = drawn.words_below(pair[0], within=0.28)
            assert [each.text for each in words] == WORDS[label][number]
            color = RIGHT if len(words) == 1 else WRONG
            assert {each.color for each in words} == {color.lower()}
            assert not drawn.words_below(pair[1], within=0.28)


def test_what_is_not_there_is_said_in_its_place(drawn):
    lines = drawn.grid()
    never = drawn.say("never correct for")
    (about,) = (each for each in drawn.words if each.text == "fox")
    assert lines[2][0].x < never.x < lines[2][1].x + lines[2][1].width
    assert lines[3][0].y - 0.35 < never.y < about.y < lines[3][0].y + lines[3][0].height
    error = drawn.say("no errors")
    assert lines[2][2].x < error.x < lines[2][3].x + lines[2][3].width
    assert error.y > lines[3][0].y + lines[3][0].height


def test_rows_that_no_network_has_take_a_line(findings):
    whole = read(Cam().draw(findings))
    for finding in findings.values():
        finding.arrays["there"][2:4] = False
    short = read(Cam().draw(findings))
    side = whole.tiles[0].height
    assert short.height < whole.height - 1.5 * side
    assert sum(each.text.startswith("never correct") for each in short.words) == 4


def test_each_column_has_its_title_numbers_and_scale(drawn, findings):
    lines = drawn.grid()
    columns = {"one": lines[0][:2], "two": lines[0][2:]}
    bars = sorted(drawn.color_bars, key=lambda bar: bar.x)
    for (label, (left, right)), bar in zip(columns.items(), bars, strict=True):
        title = drawn.say(label)
        assert left.x < title.x < right.x + right.width
        assert title.bold
        assert title.y < left.y
        assert left.x < bar.middle[0] < right.x + right.width
        assert bar.y > lines[-1][0].y
        assert (bar.low, bar.high) == pytest.approx((-scale_of(findings[label]), scale_of(findings[label])))
        assert bar.words == f"evidence ({findings[label].arrays['unit']})"
        assert bar.colors == "RdBu_r"
        assert bar.ticks == [format_value(-bar.high), "0", format_value(bar.high)]
    middle = columns["two"][0].x
    first, second = (
        " ".join(
            each.text for each in drawn.words if each.size == 7 and each.y < lines[0][0].y and (each.x > middle) is side
        )
        for side in (False, True)
    )
    lost = "map; without its top pixels {} points of probability lost (noise map {})"
    assert first == f"4x5 {lost.format('25.0', '12.5')}"
    pointing = "map peak on object 75.0% (image center 35.0%), evidence on object 45.0% (area 15.0%)"
    assert second == f"8x7 {lost.format('-0.1', '50.0')} {pointing}"


def test_the_kinds_stand_beside_their_rows(drawn):
    tops = [line[0].y for line in drawn.grid()]
    bottoms = [line[0].y + line[0].height for line in drawn.grid()]
    for words, first, last in (("same images", 0, 1), ("most confident\n", 2, 3), ("most confident error", 4, 4)):
        said = [each for each in drawn.words if each.upright and words in each.text]
        assert len(said) == 1
        assert tops[first] < said[0].y < bottoms[last]
        assert said[0].x < drawn.tiles[0].x


def test_small_probabilities_keep_a_digit_and_long_names_their_distance(findings):
    arrays = findings["one"].arrays
    long = "a name that is a great deal longer than the two tiles that it describes"
    arrays["true"] = arrays["predicted"] = np.array([long] * 5)
    arrays["probability_true"][0] = 0.0012
    drawn = read(Cam().draw(findings))
    (words,) = drawn.words_below(drawn.grid()[0][0], within=0.28)
    assert words.text.startswith("✓ a name that")
    assert "…" in words.text
    assert words.text.endswith(" 0.001")


def test_more_than_five_networks_stand_in_bands(findings):
    one = findings["one"]
    drawn = read(Cam().draw({f"network {number}": one for number in range(8)}))
    lines = drawn.grid()
    assert [len(line) for line in lines] == [8, 8, 8, 8] * 2
    titles = [drawn.say(f"network {number}") for number in range(8)]
    assert [title.y < lines[0][0].y for title in titles] == [True] * 4 + [False] * 4
    for title, tile in zip(titles, [*lines[0][::2], *lines[4][::2]], strict=True):
        assert tile.x < title.x < tile.x + 2 * tile.width + 0.1


@pytest.mark.parametrize("kind", ["supervised", "dynamic"])
def test_maps_have_their_heads_unit(kind, supervised, data):
    subject = supervised if kind == "supervised" else filters_a_class(data)
    assert str(Cam().compute(subject).arrays["unit"]) == {"supervised": "logits", "dynamic": "filter response"}[kind]


def test_the_trial_is_of_the_true_classs_maps_of_the_images_scored(supervised):
    figure, tried = Cam(), []
    figure.trial = Recorder(tried)
    figure.compute(supervised)
    ((explain, images),) = tried
    assert images.tolist() == balanced_choice(supervised.data.labels("test").numpy(), 1000, 0).tolist()
    examples, targets = supervised.data.normalize(supervised.data.images("test")[:5]), torch.tensor([2, 0, 1, 1, 2])
    with evaluating(supervised.task) as task, torch.no_grad():
        expected = task.class_maps(examples)[torch.arange(5), targets]
        torch.testing.assert_close(explain(task, examples, targets), expected)


class Recorder:
    """Notes what it is to try, and finds nothing."""

    num_dropped = 12

    def __init__(self, tried):
        self.tried = tried

    def run(self, subject, explain, images):
        self.tried.append((explain, images))
        return Verdict(torch.zeros(1), {}, {})


def test_the_trial_stands_below_each_networks_maps(drawn, findings):
    bars = sorted(drawn.color_bars, key=lambda bar: bar.x)
    removals = [plot for plot in drawn.plots if plot.xlabel == "share of pixels"]
    others = [plot for plot in drawn.plots if plot.xlabel != "share of pixels"]
    for bar, removal, other, finding in zip(bars, removals, others, findings.values(), strict=True):
        assert bar.y < removal.y < other.y
        assert bar.x - 0.3 < removal.middle[0] < bar.x + bar.width + 0.3
        find_line(removal, finding.arrays["curves"][0])
        find_line(other, finding.arrays["spearman"][1])
        assert removal.ylim == (0, pytest.approx(0.99)), "of the highest curve of both"
    first, second = drawn.say("deletion +11.0 (8.0 to"), drawn.say("deletion -19.0 (8.0")
    assert others[0].y < first.y
    assert first.x < second.x
