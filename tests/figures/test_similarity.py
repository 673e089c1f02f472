"""Similarity: which pairs are measured, what is added and said, and that the picture shows that."""

import numpy as np
import pytest
import torch
from tests.figures.reader import read

from netgaze.figures.similarity import Similarity
from netgaze.figures.similarity.pairs import Pair, describe_pairs, list_pairs, read_pairs
from netgaze.inside.layers import reach_all
from netgaze.measures.similarity import measure_cka


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NETGAZE_CACHE", str(tmp_path))


def relate(figure, subjects):
    findings = {subject.label: figure.compute(subject) for subject in subjects}
    for label, arrays in figure.relate(findings, {subject.label: subject for subject in subjects}).items():
        findings[label].arrays |= arrays
    return findings


def make_pair(cka, error=0.01, is_repeat=False, shared=0.3):
    cka = np.array(cka)
    names = np.array([f"layer{place}" for place in range(len(cka))])
    return Pair(
        names,
        names,
        cka,
        np.zeros_like(cka),
        cka,
        np.full_like(cka, error),
        np.array(shared),
        np.array(shared - 0.1),
        np.array(0.01),
        np.array(is_repeat),
    )


def test_each_stage_is_held_against_each(subjects):
    findings = relate(Similarity(num_permutations=5), subjects)
    pairs = read_pairs(findings)
    first, other, control, pixels = (subject.label for subject in subjects)
    assert list(pairs) == [(first, other), (first, control), (first, pixels), (other, control), (other, pixels)]
    stages = []
    for subject in subjects[:2]:
        model = subject.task.eval().model
        with torch.no_grad():
            images = subject.data.normalize(subject.data.images("test"))
            stages.append([it.mean(dim=(2, 3)) for it in reach_all(model, ["layer1", "layer2"])(images).values()])
    found = pairs[first, other].cka
    for row, one in enumerate(stages[0]):
        for column, two in enumerate(stages[1]):
            assert found[row, column] == pytest.approx(measure_cka(one, two), abs=1e-4)
    assert pairs[first, pixels].cka.shape == (2, 1)
    flat = subjects[3].data.images("test").permute(0, 2, 3, 1).flatten(1)
    assert pairs[first, pixels].cka[0, 0] == pytest.approx(measure_cka(stages[0][0], flat), abs=1e-4)


def test_a_network_is_itself(supervised):
    twin = dict.fromkeys(("one", "two"), supervised)
    findings = {label: Similarity().compute(subject) for label, subject in twin.items()}
    arrays = Similarity(num_permutations=20).relate(findings, twin)["one"]
    findings["one"].arrays |= arrays
    found = Similarity().compare(findings)
    assert found["cka_first of one and two"] == pytest.approx(1)
    assert found["mutual_knn of one and two"] == pytest.approx(1)
    assert arrays["is_repeat with two"], "one setting"


def test_other_seeds_of_one_setting_are_the_ceiling_and_other_settings_are_not(subjects):
    one, two = subjects[:2]
    one.config = {"task": {"a": 1}, "seed": 0, "data": {"seed": 0}}
    two.config = {"task": {"a": 1}, "seed": 1, "data": {"seed": 1}}
    assert one.setting == two.setting
    two.config = {"task": {"a": 2}, "seed": 1}
    assert one.setting != two.setting


def test_networks_of_other_images_are_not_compared(subjects, make_data, make_subjects):
    other = make_subjects(make_data(sizes=(("train", 60), ("val", 30), ("test", 33))))[0]
    other.label = "other"
    findings = {subject.label: Similarity().compute(subject) for subject in (subjects[0], other)}
    assert list_pairs(findings, {"supervised": subjects[0], "other": other}) == []


def test_what_was_measured_is_read_back(subjects, monkeypatch):
    before = read_pairs(relate(Similarity(num_permutations=5), subjects[:2]))
    monkeypatch.setattr("netgaze.figures.similarity.pairs.LayerProducts", None)
    after = read_pairs(relate(Similarity(num_permutations=5), subjects[:2]))
    for labels, pair in before.items():
        np.testing.assert_array_equal(pair.above_chance, after[labels].above_chance)


def test_a_grid_keeps_places(supervised):
    one = Similarity(grid=2).compute(supervised).arrays
    assert one["stage 0"].shape == (40, 8 * 4)
    means = one["stage 0"].reshape(40, 8, 4).mean(axis=2)
    np.testing.assert_allclose(means, Similarity().compute(supervised).arrays["stage 0"], rtol=1e-4)


class TestWords:
    CEILING = make_pair([[0.95, 0.3], [0.3, 0.88]], is_repeat=True)

    def test_stages_are_held_against_the_ceiling(self):
        pairs = {("a", "b"): make_pair([[0.93, 0.2], [0.2, 0.31]]), ("a", "a2"): self.CEILING}
        assert describe_pairs(pairs) == [
            "a and b: the first stages are nearly as similar as those of two seeds (CKA 0.93 of 0.95), the last stages "
            "are less similar than those of two seeds (CKA 0.31 of 0.88)."
        ]

    def test_both_ends_alike_are_said_at_once(self):
        pairs = {("a", "b"): make_pair([[0.2, 0.2], [0.2, 0.31]]), ("a", "a2"): self.CEILING}
        assert describe_pairs(pairs) == [
            "a and b: first and last stages are less similar than those of two seeds (CKA 0.20 of 0.95 and 0.31 "
            "of 0.88)."
        ]

    def test_what_is_unsure_is_not_said(self):
        pairs = {("a", "b"): make_pair([[0.93, 0.2], [0.2, 0.31]], error=0.4), ("a", "a2"): self.CEILING}
        assert describe_pairs(pairs) == []

    def test_without_a_ceiling_the_ends_are_held_against_each_other(self):
        assert describe_pairs({("a", "b"): make_pair([[0.9, 0.2], [0.2, 0.31]])}) == [
            "a and b: the first stages are more similar than the last ones (CKA above chance 0.90 and 0.31)."
        ]
        assert describe_pairs({("a", "b"): make_pair([[0.35, 0.2], [0.2, 0.31]])}) == []

    def test_controls_are_not_spoken_of(self, subjects):
        findings = relate(Similarity(num_permutations=3), subjects)
        networks = {label: finding for label, finding in findings.items() if label == "supervised"}
        assert Similarity().differences(networks) == []


def test_the_picture_shows_the_grid_and_names_the_ceiling():
    from netgaze.figures.similarity.page import draw_pairs

    pairs = {
        ("one", "two"): make_pair([[0.93, 0.25], [0.35, 0.31]]),
        ("one", "three"): make_pair([[0.95, 0.3], [0.3, 0.88]], is_repeat=True),
    }
    drawn = read(draw_pairs(pairs))
    first, second = (plot for plot in drawn.plots if plot.yticks)
    assert first.cell(0, 0) == "0.95", "the ceiling stands first"
    assert second.cell(0, 1) == "0.25", "row: the first network's stage; column: the second's"
    assert second.cell(1, 0) == "0.35"
    assert "the ceiling: another seed" in drawn.text
    assert "mutual kNN 30%, above chance 0.20" in drawn.text.replace("\n", " ")
