"""Layers: numbers of each stage, depths against their definition, and that the picture shows them."""

import numpy as np
import pytest
import torch
from scipy.stats import ttest_ind
from tests.figures.reader import assert_shows, find_line, make_pictures, read

from netgaze.drawing.panels import GRAY
from netgaze.figure import Finding, join_related
from netgaze.figures.layers import Layers
from netgaze.inside.layers import reach_all
from netgaze.measures.collapse import effective_rank
from netgaze.measures.metrics import knn_accuracy, vote_weighted
from netgaze.measures.neighbors import find_nearest


def pool(subject, split):
    with torch.no_grad():
        images = subject.data.normalize(subject.data.images(split))
        found = reach_all(subject.task.eval().model, ["layer1", "layer2"])(images)
    return [maps.mean(dim=(2, 3)) for maps in found.values()]


def test_numbers_are_those_of_each_stages_features(make_data, make_subjects):
    supervised = make_subjects(make_data(sizes=(("train", 300), ("val", 30), ("test", 200))))[0]
    found = Layers().compute(supervised)
    labels, differ = supervised.data.labels, False
    for name, bank, rows in zip(("layer1", "layer2"), pool(supervised, "train"), pool(supervised, "test"), strict=True):
        expected = knn_accuracy(bank, labels("train"), rows, labels("test"), ks=(20,))["knn20"]
        assert found.numbers[f"knn20 {name}"] == pytest.approx(expected)
        differ |= expected != knn_accuracy(bank, labels("train"), rows, labels("test"), ks=(30,))["knn30"]
        assert found.numbers[f"rank {name}"] == pytest.approx(effective_rank(rows - rows.mean(dim=0)), rel=1e-3)
    assert differ, "20 and 30 neighbors give one answer: this tells nothing"
    assert found.numbers["num_train"] == 300


def test_depth_is_the_stage_from_which_on_neighbors_give_the_networks_answer(supervised):
    found = Layers().compute(supervised)
    bank_labels, votes = supervised.data.labels("train"), []
    for bank, rows in zip(pool(supervised, "train"), pool(supervised, "test"), strict=True):
        similar, near = find_nearest(rows, bank, 30)
        votes.append(vote_weighted(similar, bank_labels[near], 3))
    answers = torch.from_numpy(supervised.outputs("test").logits.argmax(axis=1))
    depths = [2 if votes[1][i] != answers[i] else 1 if votes[0][i] != answers[i] else 0 for i in range(40)]
    assert found.numbers["depth"] == pytest.approx(np.mean(depths))
    assert found.numbers["unsettled"] == pytest.approx(np.mean(np.array(depths) == 2))
    np.testing.assert_allclose(found.arrays["depth_shares"], np.bincount(depths, minlength=3) / 40)


def test_of_a_network_that_names_no_classes_the_last_neighbors_answer(rotation):
    assert Layers().compute(rotation).numbers["unsettled"] == 0


def test_pixels_are_a_single_stage_without_depth(subjects):
    found = Layers().compute(subjects[3])
    assert list(found.arrays["stages"]) == ["pixels"]
    assert "depth" not in found.numbers


def make_finding(knn, control=False, num=2000, setting="", images="set", depths=None, is_voted=False):
    stages = np.array([f"layer{place}" for place in range(1, len(knn) + 1)])
    numbers = {"num_images": num, "depth": 1.5, "settled_first": 0.25, "unsettled": 0.125}
    for stage, value in zip(stages, knn, strict=True):
        numbers |= {f"knn20 {stage}": value, f"probe {stage}": value + 0.05, f"rank {stage}": 100 * value}
    arrays = {
        "stages": stages,
        "control": np.array(control),
        "pictures": make_pictures(4),
        "is_deep": np.array([False, False, True, True]),
        "true": np.array(["cat", "dog", "cat", "dog"]),
        "answers": np.array(["cat", "dog", "dog", "dog"]),
        "votes": np.array([["cat", "dog", "ship", "cat"], ["cat", "dog", "bird", "cat"]]),
        "shown_depths": np.array([0, 0, 2, 2]),
        "depth_shares": np.array([0.25, 0.625, 0.125]),
        "setting": np.array(setting),
        "images": np.array(images),
        "is_voted": np.array(is_voted),
        "depths": np.arange(num) % 3 if depths is None else np.array(depths),
    }
    numbers["depth"] = 1.5 if depths is None else float(np.mean(depths))
    return Finding(numbers, arrays)


def test_a_network_that_knows_less_at_its_end_is_told_so():
    said = Layers().differences({"a": make_finding([0.6, 0.5]), "b": make_finding([0.5, 0.6], images="others")})
    assert said == [
        "a separates the classes best at layer1, not at its last stage (20-neighbor accuracy 60.0% and 50.0%)."
    ]
    assert Layers().differences({"a": make_finding([0.51, 0.5])}) == [], "within chance"


class TestWherePairsPart:
    def say(self, one, other, num=2000, **options):
        return Layers().differences({"a": make_finding(one, num=num), "b": make_finding(other, num=num, **options)})

    def test_the_last_stages(self):
        assert self.say([0.4, 0.49, 0.76, 0.89], [0.41, 0.48, 0.56, 0.57]) == [
            "Up to layer2, a and b separate the classes equally well, within chance (20-neighbor accuracy 49.0% and "
            "48.0%); from layer3 on, a separates them better (76.0% and 56.0%)."
        ]
        assert self.say([0.4, 0.5], [0.41, 0.57]) == [
            "Up to layer1, a and b separate the classes equally well, within chance (20-neighbor accuracy 40.0% and "
            "41.0%); at layer2, b separates them better (50.0% and 57.0%)."
        ]

    def test_all_stages(self):
        assert self.say([0.3, 0.4], [0.5, 0.6]) == [
            "From layer1 on, b separates the classes better than a (20-neighbor accuracy of a and b: 30.0% and 50.0%)."
        ]

    @pytest.mark.parametrize("last", [0.81, 0.9])
    def test_those_that_meet_or_cross_again_do_not_part_for_good(self, last):
        assert self.say([0.4, 0.7, 0.8], [0.4, 0.6, last]) == [
            "Up to layer1, a and b separate the classes equally well, within chance (20-neighbor accuracy 40.0% and "
            "40.0%); at layer2, a separates them better (70.0% and 60.0%)."
        ]

    def test_within_chance_nothing_is_said(self):
        """Of 2,000 images 52.5% and 50% have intervals that overlap."""
        assert self.say([0.4, 0.525], [0.42, 0.5]) == []
        assert self.say([0.4, 0.6], [0.4, 0.5], num=20) == []

    def test_other_images_or_stages_are_not_compared(self):
        assert self.say([0.4, 0.8], [0.4, 0.5], images="others") == []
        assert self.say([0.4, 0.8], [0.4, 0.5, 0.9]) == []

    def test_repeats_speak_once(self):
        findings = {
            "a": make_finding([0.4, 0.8], setting="one"),
            "a2": make_finding([0.4, 0.8], setting="one"),
            "b": make_finding([0.4, 0.5], setting="two"),
        }
        assert len(Layers().differences(findings)) == 1


class TestWhichSettlesEarlier:
    def say(self, one, other, is_voted=False):
        knn, num = [0.4, 0.5, 0.6], len(one)
        findings = {
            "a": make_finding(knn, num=num, depths=one),
            "b": make_finding(knn, num=num, depths=other, is_voted=is_voted),
        }
        return Layers().differences(findings)

    def test_images_are_paired(self):
        """All that differs is every fifth image, by one stage: among all depths it would drown."""
        depths = np.arange(100) % 4
        later = depths + (np.arange(100) % 5 == 0) * (depths < 3)
        assert self.say(later, depths) == [
            "b settles its predictions at earlier stages than a: mean prediction depth 1.50 and 1.65 of 3 (difference "
            "0.15 ± 0.07)."
        ]
        assert self.say(depths, later)[0].startswith("a settles its predictions at earlier stages than b: ")
        assert ttest_ind(later, depths).pvalue > 0.05, "unpaired it would be chance"

    def test_within_chance_nothing_is_said(self):
        depths = np.arange(100) % 4
        assert self.say(depths, depths) == []
        assert self.say(depths, np.roll(depths, 1)) == []

    def test_votes_of_the_last_stage_are_not_held_against_answers(self):
        depths = np.arange(100) % 3
        assert self.say(depths, depths + 1, is_voted=True) == []


def test_what_sentences_are_made_from_is_found(supervised, rotation):
    pair = {it.label: it for it in (supervised, rotation)}
    findings = {label: Layers().compute(subject) for label, subject in pair.items()}
    one, other = findings.values()
    assert one.arrays["depths"].mean() == pytest.approx(one.numbers["depth"])
    assert one.arrays["depths"].shape == (40,)
    assert (bool(one.arrays["is_voted"]), bool(other.arrays["is_voted"])) == (False, True)
    join_related(Layers(), findings, pair.values())
    assert len(Layers().differences({"a": one, "b": one})) == len(Layers().differences({"a": one}))
    assert isinstance(Layers().differences(findings), list)


def test_the_picture_shows_lines_depths_and_images():
    pixels = Finding(
        {"knn20 pixels": 0.3, "probe pixels": 0.35, "rank pixels": 20.0, "num_images": 2000},
        {"stages": np.array(["pixels"]), "control": np.array(True)},
    )
    finding = make_finding([0.4, 0.7])
    drawn = read(Layers().draw({"net": finding, "raw pixels": pixels}))
    knn, probe, rank, depth = drawn.plots
    assert find_line(knn, [0.4, 0.7]).x == [0, 1]
    assert find_line(knn, [0.3, 0.3]).color == GRAY, "what has one stage is a level line"
    assert find_line(probe, [0.45, 0.75])
    assert find_line(rank, [40, 70])
    assert find_line(depth, [0.25, 0.625, 0.125]).x == [0, 1, 2]
    assert list(knn.xticks) == ["layer1", "layer2"]
    assert list(depth.xticks) == ["layer1", "layer2", "never"]
    lines = drawn.grid()
    assert_shows(lines[0], finding.arrays["pictures"][:2])
    assert_shows(lines[1], finding.arrays["pictures"][2:])
    below = [words.text for words in drawn.words_below(lines[1][0])]
    assert below[:3] == ["is cat", "predicted dog", "first: ship, bird"]
    assert "settled at the first stage 25%, never 12.5%" in drawn.text
