"""Maps put to the test on networks whose evidence is known, against loops; and the plots of what was found."""

import functools

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from tests.figures.reader import find_line, read
from torch import nn

from netgaze.drawing.faithfulness import Trial
from netgaze.drawing.faithfulness_plots import find_top, make_trial_legend, make_trial_plots
from netgaze.drawing.faithfulness_words import FAITHFULNESS, describe_trial
from netgaze.drawing.heat import enlarge, load_examples
from netgaze.drawing.rows import align, lay_out
from netgaze.errors import NetgazeError
from netgaze.figure import Finding
from netgaze.inside.cascade import randomize_downward
from netgaze.measures.faithfulness import measure_area
from netgaze.schedules import Constant
from netgaze.subject import Subject, evaluating
from netgaze.tasks.supervised import Supervised

SIDE = 8


class Corner(nn.Module):
    """Looks at the upper left 2x2 pixels alone: what is bright there is class 0, what is dark class 1."""

    feature_layers = ()

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 2, bias=False)
        self.fc.weight.data = torch.tensor([[1.0], [-1.0]]).expand(2, 4).clone()

    def forward(self, images):
        return self.fc(images[:, 0, :2, :2].flatten(1))


class Bright:
    """Images that are bright everywhere, of class 0; without masks."""

    def images(self, split, index=slice(None)):
        values = torch.arange(30).view(-1, 1, 1, 1) % 5 + 200
        return values.expand(-1, 1, SIDE, SIDE).to(torch.uint8)[index]

    def labels(self, split):
        return torch.zeros(30, dtype=torch.int64)

    def normalize(self, images):
        return images.float() / 255


@pytest.fixture
def corner():
    optimizer = functools.partial(torch.optim.SGD, lr=0.1)
    task = Supervised(model=Corner(), num_classes=2, optimizer=optimizer, schedule=Constant())
    return Subject("corner", task=lambda: task, data=Bright)


def point(task, examples, targets):
    """The maps of one who knows: the corner, whatever the weights."""
    maps = torch.zeros(len(examples), SIDE, SIDE)
    maps[:, :2, :2] = 1.0
    return maps


def guess(task, examples, targets):
    """Maps of noise, of as many pixels as the control has."""
    return torch.rand(len(examples), SIDE, SIDE, generator=torch.Generator().manual_seed(9))


def weigh(task, examples, targets):
    """The class's weights over the image, as small as there are weights."""
    return (task.model.fc.weight[targets].view(-1, 2, 2) * examples[:, 0, :2, :2]).detach()


def make_trial_of(**changes):
    return Trial(**{"num_dropped": 30, "share": 0.25, "num_steps": 8, "num_randomized": 6, "seed": 0} | changes)


def test_a_perfect_map_wins_what_can_be_won(corner):
    """All is lost with the four pixels of the corner; these are gone at the first step of eight."""
    verdict = make_trial_of().run(corner, point, np.arange(30))
    numbers, arrays = verdict.numbers, verdict.arrays
    whole = float(torch.tensor([202 / 255 * 4, -202 / 255 * 4]).softmax(0)[0])
    assert arrays["curves"][0] == pytest.approx([whole] + [0.5] * 8, abs=2e-3)
    assert arrays["curves"][1] == pytest.approx([0.5] + [whole] * 8, abs=2e-3)
    assert numbers["drop"] == pytest.approx(whole - 0.5, abs=2e-3)
    assert numbers["deletion_area"] == pytest.approx(0.5 + (whole - 0.5) / 16, abs=2e-3)
    assert numbers["insertion_area"] == pytest.approx(whole - (whole - 0.5) / 16, abs=2e-3)
    for kind in ("deletion", "insertion"):
        assert 0 < numbers[f"{kind}_gain_low"] < numbers[f"{kind}_gain"] < numbers[f"{kind}_gain_high"]
        sign = -1 if kind == "deletion" else 1
        own, noise = numbers[f"{kind}_area"], numbers[f"{kind}_area_random"]
        place = ["deletion", "insertion"].index(kind)
        assert [own, noise] == pytest.approx(measure_area(arrays["curves"][[place, place + 2]], arrays["shares"]))
        assert numbers[f"{kind}_gain"] == pytest.approx(sign * (own - noise))


def test_maps_of_noise_have_no_advantage(corner):
    numbers = make_trial_of().run(corner, guess, np.arange(30)).numbers
    for kind in ("deletion", "insertion"):
        assert numbers[f"{kind}_gain_low"] < 0 < numbers[f"{kind}_gain_high"]


def test_a_map_of_the_opposite_is_worse_than_noise(corner):
    numbers = make_trial_of().run(corner, lambda *given: -point(*given), np.arange(30)).numbers
    assert numbers["deletion_gain_high"] < 0
    assert numbers["insertion_gain_high"] < 0


def test_noise_is_as_coarse_as_the_map(supervised, monkeypatch):
    seen = []

    def trace(task, examples, targets, maps, shares):
        seen.append(maps)
        return torch.zeros(2, len(targets), len(shares))

    monkeypatch.setattr("netgaze.drawing.faithfulness.trace_removal", trace)
    make_trial_of(seed=4).run(supervised, lambda _, examples, __: torch.ones(len(examples), 3, 2), np.arange(7))
    own, noise = seen
    assert torch.equal(own, torch.ones(7, 16, 16))
    drawn = torch.rand(7, 3, 2, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(noise, enlarge(drawn, (16, 16)))


def test_the_drop_is_that_of_a_loop(supervised):
    """Whatever the share, as it need not be one of the steps."""
    images, maps = np.array([3, 8, 11]), torch.rand(3, 16, 16)
    verdict = make_trial_of(share=0.3, num_steps=4).run(supervised, lambda *_: maps, images)
    assert verdict.arrays["shares"].tolist() == [0, 0.25, 0.3, 0.5, 0.75, 1]
    falls = []
    with evaluating(supervised.task) as task, torch.no_grad():
        examples, targets = load_examples(supervised, images)
        for number in range(3):
            hole = examples[[number]].clone()
            threshold = maps[number].flatten().sort(descending=True).values[round(0.3 * 256) - 1]
            hole[0, :, maps[number] >= threshold] = 0
            before, after = (task(x).softmax(1)[0, targets[number]] for x in (examples[[number]], hole))
            falls.append(float(before - after))
    assert verdict.numbers["drop"] == pytest.approx(np.mean(falls), abs=1e-5)
    assert verdict.numbers["num_dropped"] == 3
    assert torch.equal(verdict.maps, maps)


def make_explain(task, examples, targets):
    with torch.no_grad():
        return task.class_maps(examples)[torch.arange(len(targets)), targets].cpu()


def test_correlations_are_of_maps_before_and_after_each_stage(supervised):
    images = np.array([5, 2, 9, 30])
    before = {name: weights.clone() for name, weights in supervised.task.state_dict().items()}
    verdict = make_trial_of(seed=3).run(supervised, make_explain, images)
    assert all(torch.equal(weights, before[name]) for name, weights in supervised.task.state_dict().items())
    arrays, numbers = verdict.arrays, verdict.numbers
    assert arrays["stages"].tolist() == ["none", "head", "layer2", "layer1", "stem"]
    np.testing.assert_allclose(arrays["spearman"][:, 0], 1)
    with evaluating(supervised.task) as task:
        examples, targets = load_examples(supervised, images)
        for place, _ in enumerate(randomize_downward(task.model, 3), start=1):
            pairs = list(zip(verdict.maps.numpy(), make_explain(task, examples, targets).numpy(), strict=True))
            signed = [spearmanr(one.ravel(), other.ravel()).statistic for one, other in pairs]
            absolute = [spearmanr(abs(one).ravel(), abs(other).ravel()).statistic for one, other in pairs]
            assert arrays["spearman"][0, place] == pytest.approx(np.mean(signed), abs=1e-6)
            assert arrays["spearman"][1, place] == pytest.approx(np.mean(absolute), abs=1e-6)
    assert numbers["spearman_head"] == arrays["spearman"][0, 1]
    assert numbers["spearman_abs_all"] == arrays["spearman"][1, -1]
    maps = verdict.maps.flatten(1).numpy()
    others = [spearmanr(maps[number], maps[number - 1]).statistic for number in range(4)]
    assert numbers["spearman_others"] == pytest.approx(np.mean(others), abs=1e-6)


def test_a_map_that_does_not_read_the_weights_stays_as_it_was(corner):
    verdict = make_trial_of(num_dropped=10).run(corner, point, np.arange(30))
    assert verdict.arrays["stages"].tolist() == ["none", "head"]
    assert verdict.numbers["spearman_all"] == pytest.approx(1)
    assert make_trial_of().run(corner, weigh, np.arange(10)).numbers["spearman_all"] < 0.9
    assert verdict.numbers["num_randomized"] == 6
    assert verdict.numbers["num_dropped"] == 10


def test_all_numbers_are_explained(corner):
    assert set(make_trial_of().run(corner, point, np.arange(10)).numbers) == set(FAITHFULNESS)


@pytest.mark.parametrize(
    "wrong", [{"num_dropped": 0}, {"num_steps": 0}, {"num_randomized": 0}, {"share": 0.0}, {"share": 1.2}], ids=str
)
def test_what_cannot_be_tried_is_said(wrong):
    with pytest.raises(NetgazeError, match="cam and attribution"):
        make_trial_of(**wrong)


def make_trial(place=0):
    """Numbers and arrays of a trial, different in every cell and for every place."""
    shares = np.array([0.0, 0.3, 1.0])
    arrays = {
        "shares": shares,
        "curves": np.array([[0.9, 0.4, 0.1], [0.1, 0.6, 0.9], [0.9, 0.5, 0.15], [0.15, 0.3, 0.9]]) - place / 50,
        "stages": np.array(["none", "head", "layer2"]),
        "spearman": np.array([[1.0, 0.3, 0.05], [1.0, 0.45, -0.1]]) - place / 40,
        "spearman_others": np.array([0.2, 0.35]) - place / 30,
    }
    numbers = {"deletion_area": 0.3 + 0.3 * place, "deletion_area_random": 0.41, "deletion_gain": 0.11 - 0.3 * place}
    numbers |= {"deletion_gain_low": 0.08, "deletion_gain_high": 0.14, "insertion_area": 0.62}
    numbers |= {"insertion_area_random": 0.5, "insertion_gain": 0.12, "insertion_gain_low": 0.1}
    numbers |= {"insertion_gain_high": 0.15, "spearman_all": 0.05, "spearman_others": 0.2}
    return numbers, arrays


def test_the_words_are_of_the_numbers():
    assert describe_trial(make_trial()[0]).split("\n") == [
        "points better than noise:",
        "deletion +11.0 (8.0 to 14.0)",
        "insertion +12.0 (10.0 to 15.0)",
        "all layers random 0.05 (another image 0.20)",
    ]


def test_all_plots_of_a_page_end_above_its_highest_curve():
    findings = [Finding({}, {"curves": np.array([[0.1, high], [0.2, 0.1]])}) for high in (0.3, 0.5)]
    assert find_top(findings) == pytest.approx(0.55)
    assert find_top([Finding({}, {"curves": np.full((2, 4, 3), value)}) for value in (0.99, 0.01)]) == 1
    assert find_top([Finding({}, {"curves": np.full((4, 3), 0.01)})]) == 0.1


def test_each_line_is_what_the_legend_says():
    arrays = [make_trial(place)[1] for place in range(2)]
    plots = align(make_trial_plots(0.2 + 3 * place, 2.5, each, 0.95) for place, each in enumerate(arrays))
    drawn = read(lay_out([plots, make_trial_legend()]))
    names = list(drawn.legend)
    assert names[0] == "deletion"
    removals, others = drawn.plots[:2], drawn.plots[2:]
    for removal, other, each in zip(removals, others, arrays, strict=True):
        assert (removal.xlim, removal.ylim) == ((0, 1), (0, 0.95))
        for place, curve in enumerate(each["curves"]):
            line = find_line(removal, curve)
            assert line.x == each["shares"].tolist()
            assert line.color == drawn.legend[names[place]]
            assert line.style == ("-" if place < 2 else "--")
            assert ("deletion" in names[place]) is (place % 2 == 0)
            assert ("noise" in names[place]) is (place > 1)
        assert list(other.xticks) == ["none", "head", "layer2"]
        for place in range(2):
            line = find_line(other, each["spearman"][place])
            assert line.color == drawn.legend[names[4 + place]]
            level = find_line(other, [each["spearman_others"][place]] * 2)
            assert (level.color, level.style) == (line.color, ":")
        assert ("absolute" in names[4], "absolute" in names[5]) == (False, True)
        assert other.ylim[0] < each["spearman"].min()
