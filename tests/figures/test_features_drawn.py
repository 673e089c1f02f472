"""Probe, spectrum and views: what they compute of known features, and that the picture shows that."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import RidgeClassifier
from tests.figures.conftest import Blobs
from tests.figures.reader import assert_shows, find_line, make_pictures, read

from netgaze.data.augment import Augment
from netgaze.drawing.panels import GRAY, RIGHT, WRONG
from netgaze.errors import NetgazeError
from netgaze.figure import Finding
from netgaze.figures.probe import Probe
from netgaze.figures.spectrum import Spectrum
from netgaze.figures.views import Views
from netgaze.measures.collapse import alignment, effective_rank, uniformity
from netgaze.measures.probe import STRENGTHS


class Known:
    """A subject of known features, as far as these figures ask it."""

    def __init__(self, features, labels, split="test", control=False):
        self.banks, self.split, self.control = features, split, control
        self.data = type("Data", (), {"class_names": ["a", "b", "c"], "labels": lambda _, split: labels[split]})()

    def bank(self, split):
        return self.banks[split]


def make_known(split="test", width=6, noise=1.0, **options):
    generator = torch.Generator().manual_seed(0)
    centers = torch.randn(3, width, generator=generator)
    labels = {name: torch.arange(num) % 3 for name, num in (("train", 600), ("val", 90), ("test", 300))}
    features = {
        name: centers[each] + noise * torch.randn(len(each), width, generator=generator)
        for name, each in labels.items()
    }
    return Known(features, labels, split, **options)


class TestProbe:
    def test_few_labels_and_all(self):
        numbers = Probe(per_class=[1, 10, 500], draws=3).compute(make_known()).numbers
        assert {"probe", "probe_1", "probe_10", "probe_1_std", "probe_10_std"} <= set(numbers)
        assert "probe_500" not in numbers, "there are 200 a class"
        assert numbers["probe_1"] < numbers["probe"]
        assert (numbers["num_images"], numbers["num_labels"]) == (300, 600)

    def test_all_labels_are_scikit_learns(self):
        known = make_known()
        found = Probe(per_class=[]).compute(known)
        rows = known.banks["train"].double().numpy()
        mean_value = ((rows - rows.mean(axis=0)) ** 2).sum() / rows.shape[1]
        scores = []
        for strength in STRENGTHS:
            # scikit-learn's has targets of -1 and 1: twice ours, with the same answers.
            theirs = RidgeClassifier(alpha=strength * mean_value).fit(rows, known.data.labels("train"))
            scores.append([theirs.score(known.banks[split], known.data.labels(split)) for split in ("val", "test")])
        best = max(range(len(STRENGTHS)), key=lambda place: (scores[place][0], -place))
        assert found.numbers["probe"] == pytest.approx(scores[best][1])
        assert found.numbers["strength"] == STRENGTHS[best]

    def test_what_validation_measures_it_does_not_choose(self):
        """Validation's labels turned round give the same choice, and so the rest of 1 where classes are two."""
        known = make_known("val")
        right = Probe(per_class=[]).compute(known).numbers
        assert right["num_labels"] == 540
        wrong = make_known("val")
        labels = {name: known.data.labels(name) for name in ("train", "val", "test")} | {"val": torch.zeros(90).long()}
        turned = Probe(per_class=[]).compute(Known(wrong.banks, labels, "val")).numbers
        assert turned["strength"] == right["strength"]
        assert turned["probe"] != right["probe"]

    def test_draws_are_the_same_for_every_network(self):
        one, two = (Probe(per_class=[2]).compute(make_known(noise=noise)) for noise in (1.0, 0.0))
        assert two.numbers["probe_2"] == 1
        again = Probe(per_class=[2]).compute(make_known(noise=1.0))
        assert again.numbers == one.numbers
        assert Probe(per_class=[2], seed=7).compute(make_known()).numbers["probe_2"] != one.numbers["probe_2"]

    def test_the_picture_shows_means_and_ranges(self):
        arrays = {
            "per_class": np.array([1.0, 10.0, 50.0]),
            "mean": np.array([0.3, 0.5, 0.7]),
            "lowest": np.array([0.2, 0.4, 0.7]),
            "highest": np.array([0.4, 0.6, 0.7]),
        }
        findings = {
            "net": Finding({"probe": 0.7, "num_images": 400}, arrays | {"control": np.array(False)}),
            "untrained": Finding(
                {"probe": 0.25}, arrays | {"mean": np.array([0.1, 0.2, 0.3]), "control": np.array(True)}
            ),
        }
        drawn = read(Probe().draw(findings))
        (plot,) = drawn.plots
        assert (plot.xlabel, plot.ylabel, plot.xscale) == ("labels per class", "accuracy of the probe", "log")
        assert find_line(plot, [0.3, 0.5, 0.7]).x == [1, 10, 50]
        assert find_line(plot, [0.1, 0.2, 0.3]).color == GRAY
        assert len(plot.bands) == 2
        drawn.say("net: 70.0 ± 4.7% with all labels")
        assert plot.xticks["10"] == 10


class TestSpectrum:
    def test_it_is_that_of_the_features(self):
        known = make_known(width=5)
        found = Spectrum(num_images=100).compute(known)
        rows = known.banks["test"][torch.linspace(0, 299, 100).long()]
        expected = torch.linalg.eigvalsh(rows.double().T.cov()).flip(0)
        np.testing.assert_allclose(found.arrays["shares"], (expected / expected.sum()).numpy())
        assert found.numbers["rankme"] == pytest.approx(effective_rank(rows))
        assert found.numbers["rank"] == pytest.approx(effective_rank(rows - rows.mean(dim=0)))
        assert (found.numbers["num_images"], found.numbers["num_features"]) == (100, 5)
        assert "decay" not in found.numbers, "five eigenvalues have none"
        assert "100 images" in found.caption

    def test_of_a_collapsed_network_it_says_so(self):
        known = make_known()
        known.banks["test"] = torch.ones(300, 6)
        numbers = Spectrum().compute(known).numbers
        assert numbers["feature_std"] == pytest.approx(0, abs=1e-6)
        assert numbers["rankme"] == pytest.approx(1, rel=1e-3)

    def test_the_picture_shows_a_line_per_network(self):
        shares = {"a": np.array([0.5, 0.25, 0.125, 1e-9]), "b": np.array([0.9, 0.1])}
        numbers = {"rank": 2.5, "rankme": 1.5, "num_features": 4}
        findings = {
            label: Finding(numbers, {"shares": each, "control": np.array(label == "b")})
            for label, each in shares.items()
        }
        drawn = read(Spectrum().draw(findings))
        (plot,) = drawn.plots
        assert find_line(plot, [0.5, 0.25, 0.125]).x == [1, 2, 3]
        assert find_line(plot, [0.9, 0.1]).color == GRAY
        assert (plot.xscale, plot.yscale) == ("log", "log")
        assert "a: rank 2.50 of 4 features, RankMe 1.50" in drawn.text


class TestViews:
    def test_numbers_are_of_the_views_that_the_data_draws(self, subjects):
        subject = subjects[0]
        found = Views(num_examples=3, num_images=20).compute(subject)
        index = torch.linspace(0, 39, 20).long()
        first, second = map(subject.features_of, subject.data.draw_views(subject.split, index, 2))
        assert found.numbers["alignment"] == pytest.approx(alignment(first, second))
        assert found.numbers["uniformity"] == pytest.approx(uniformity(first))
        np.testing.assert_allclose(found.arrays["same"], torch.cosine_similarity(first, second).numpy(), atol=1e-6)
        assert found.arrays["other"][0] == pytest.approx(
            torch.cosine_similarity(first[:1], second[-1:]).item(), abs=1e-6
        )
        assert found.arrays["views"].shape == (2, 3, 16, 16, 3)

    def test_without_augmentation_there_are_none(self, subjects, monkeypatch):
        monkeypatch.setattr(subjects[0].data, "augment", None)
        with pytest.raises(NetgazeError, match="no augmentation"):
            Views().compute(subjects[0])

    def test_the_picture_shows_images_their_views_and_both_histograms(self):
        pictures = make_pictures(2, 3, 4)  # networks of other augmentation; an image and two views; examples
        numbers = {"alignment": 0.25, "uniformity": -2.5}
        findings = {
            label: Finding(
                numbers,
                {
                    "images": pictures[0, 0],
                    "views": pictures[place, 1:],
                    "same": np.array([0.9, 0.9, 0.5]),
                    "other": np.array([0.1, 0.1, -0.2]),
                },
            )
            for place, label in enumerate(("one", "two"))
        }
        drawn = read(Views().draw(findings))
        lines = drawn.grid()
        assert_shows(lines[0], pictures[0, 0])
        assert_shows(lines[1], pictures[0, 1])
        assert_shows(lines[2], pictures[0, 2])
        assert_shows(lines[3], pictures[0, 0])
        assert_shows(lines[4], pictures[1, 1])
        assert len(drawn.plots) == 2
        assert drawn.legend == {"two views of an image": RIGHT.lower(), "views of two images": WRONG.lower()}
        assert drawn.text.count("alignment 0.250, uniformity -2.50") == 2

    def test_networks_of_one_augmentation_stand_below_one_set_of_examples(self):
        pictures = make_pictures(3, 2)
        arrays = {"images": pictures[0], "views": pictures[1:], "same": np.array([0.5]), "other": np.array([0.5])}
        findings = {label: Finding({"alignment": 0.1, "uniformity": -1.0}, arrays) for label in ("one", "two")}
        assert len(read(Views().draw(findings)).grid()) == 3


def test_drawn_views_are_those_of_the_augmentation_and_always_the_same():
    data = Blobs(augment=Augment(flip=True, color_jitter=[0.4, 0.4, 0.4, 0.1]))
    index, state = torch.tensor([4, 2]), torch.random.get_rng_state()
    first, second = data.draw_views("test", index, 2)
    assert first.dtype == torch.uint8
    assert first.shape == (2, 3, 16, 16)
    assert not torch.equal(first, second)
    torch.rand(5)
    again = data.draw_views("test", index, 2)
    assert torch.equal(first, again[0])
    assert torch.equal(second, again[1])
    torch.random.set_rng_state(state)
    other = data.with_augment(None)
    assert torch.equal(other.draw_views("test", index, 1)[0], data.images("test", index))
    assert data.augment is not None
