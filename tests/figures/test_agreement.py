"""Agreement: whose answers count, which images are shown, what is said; and that the picture shows that."""

import numpy as np
import pytest
import torch
from tests.figures.reader import assert_shows, make_pictures, read

from netgaze.figure import Finding
from netgaze.figures.agreement import Agreement
from netgaze.figures.agreement.duels import choose_rows, describe_duels, list_duels, read_duels

NAMES = np.array(["cat", "dog", "ship"])


def make_finding(answers, labels, confidence=None, own=True, images="set"):
    answers, labels = np.array(answers), np.array(labels)
    sure = np.full(len(labels), 0.5) if confidence is None else np.array(confidence)
    arrays = {"labels": labels, "names": NAMES, "images": np.array(images)}
    for kind in ("knn", "own") if own else ("knn",):
        arrays |= {f"{kind}_answers": answers, f"{kind}_confidence": sure}
    return Finding({"num_images": len(labels)}, arrays)


def make_duel(right, other, num=400):
    """Two networks that are right on the images of these places."""
    labels = np.zeros(num, int)
    findings = {
        name: make_finding(np.where(np.isin(np.arange(num), places), 0, wrong), labels)
        for name, places, wrong in (("one", right, 1), ("two", other, 2))
    }
    return list_duels(findings)


class TestCompute:
    def test_a_classifier_answers_by_itself(self, supervised):
        found = Agreement().compute(supervised)
        outputs = supervised.outputs("test")
        np.testing.assert_array_equal(found.arrays["own_answers"], outputs.logits.argmax(axis=1))
        assert found.numbers["acc"] == pytest.approx((outputs.logits.argmax(axis=1) == outputs.targets).mean())
        np.testing.assert_allclose(found.arrays["own_confidence"], outputs.probabilities.max(axis=1))

    def test_another_task_answers_by_its_neighbors(self, rotation):
        found = Agreement().compute(rotation)
        assert "own_answers" not in found.arrays
        assert "acc" not in found.numbers
        bank, rows = rotation.features("train"), rotation.features("test")
        bank, rows = (torch.nn.functional.normalize(part) for part in (bank, rows))
        similar, near = (rows @ bank.T).topk(20)
        votes = torch.zeros(40, 3, dtype=torch.float64)
        votes.scatter_add_(1, rotation.data.labels("train")[near], (similar.double() / 0.07).exp())
        np.testing.assert_array_equal(found.arrays["knn_answers"], votes.argmax(dim=1).numpy())

    def test_two_networks_meet_on_what_both_can_say(self, subjects):
        findings = {subject.label: Agreement().compute(subject) for subject in subjects[:3]}
        duels = list_duels(findings)
        first, other, control = findings
        assert duels[first, other].is_voted
        assert not duels[first, control].is_voted
        np.testing.assert_array_equal(duels[first, other].answers[0], findings[first].arrays["knn_answers"])


def test_networks_of_other_images_are_not_compared():
    labels = np.zeros(10, int)
    findings = {name: make_finding(labels, labels, images=name) for name in ("one", "two")}
    assert list_duels(findings) == {}


def test_of_each_kind_those_are_shown_that_both_are_surest_of():
    labels = np.zeros(8, int)
    findings = {
        "one": make_finding([0, 0, 0, 0, 1, 1, 1, 1], labels, [0.9, 0.8, 0.7, 0.6, 0.9, 0.9, 0.5, 0.4]),
        "two": make_finding([0, 0, 1, 1, 0, 0, 1, 2], labels, [0.3, 0.7, 0.2, 0.9, 0.1, 0.8, 0.9, 0.9]),
    }
    rows, cells = choose_rows(list_duels(findings)["one", "two"], 1)
    assert rows.tolist() == [1, 3, 5, 6]
    assert cells.tolist() == [0, 1, 2, 3]


def test_maps_are_of_each_networks_own_answer(subjects):
    pair = {subject.label: subject for subject in (subjects[0], subjects[2])}
    findings = {label: Agreement().compute(subject) for label, subject in pair.items()}
    for label, arrays in Agreement(num_shown=2).relate(findings, pair).items():
        findings[label].arrays |= arrays
    ((labels, shown),) = read_duels(findings).items()
    assert labels == tuple(pair)
    for place, subject in enumerate(pair.values()):
        images = subject.data.normalize(subject.data.images("test", shown["rows"]))
        with torch.no_grad():
            every = subject.task.eval().class_maps(images)
        own = findings[subject.label].arrays["own_answers"][shown["rows"]]
        small = every[torch.arange(len(own)), torch.from_numpy(own)]
        expected = torch.nn.functional.interpolate(small[:, None], (16, 16), mode="bilinear")[:, 0]
        np.testing.assert_allclose(shown[f"maps {place}"], expected.numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(shown["pictures"][0], supervised_picture(subjects[0], shown["rows"][0]))


def supervised_picture(subject, row):
    return subject.data.images("test", [row])[0].permute(1, 2, 0).numpy()


class TestWords:
    def test_who_is_right_more_often_is_said_with_its_counts(self):
        said = describe_duels(make_duel(range(340), range(60, 340)))
        assert said[-1] == "Of the 60 images that only one of one and two classifies correctly, one has 60 (p < 0.001)."
        assert said[0].startswith(
            "one and two predict the same class for 70% of the images; error consistency κ 0.58 ± 0.0"
        )

    def test_what_lies_within_chance_is_not_said(self):
        """Errors that meet as often as they would by chance, and accuracies that are equal."""
        first = np.arange(400) < 200
        second = np.arange(400) % 2 == 0
        assert describe_duels(make_duel(np.flatnonzero(first), np.flatnonzero(second))) == []

    def test_who_wins_by_a_hair_is_not_said(self):
        said = describe_duels(make_duel(range(340), [*range(300), *range(340, 375)]))
        assert len(said) == 1, said

    def test_votes_are_named(self):
        labels = np.zeros(100, int)
        answers = np.where(np.arange(100) < 80, 0, 1)
        findings = {name: make_finding(answers, labels, own=name == "one") for name in ("one", "two")}
        (sentence,) = describe_duels(list_duels(findings))
        assert "by votes of the nearest training images" in sentence


def test_numbers_of_pairs_have_meanings():
    labels = np.zeros(100, int)
    findings = {
        "a": make_finding(np.where(np.arange(100) < 80, 0, 1), labels),
        "b": make_finding(np.where(np.arange(100) < 60, 0, 1), labels),
    }
    found = Agreement().compare(findings)
    assert found["only_first of a and b"] == 20
    assert found["only_second of a and b"] == 0
    assert found["same_answer of a and b"] == 0.8
    assert found["kappa_low of a and b"] < found["kappa of a and b"] < found["kappa_high of a and b"]


def test_the_picture_shows_shares_images_maps_and_answers():
    labels = np.array([0] * 6 + [1] * 2)
    findings = {
        "one": make_finding([0, 0, 0, 0, 1, 1, 2, 2], labels, np.linspace(0.9, 0.6, 8)),
        "two": make_finding([0, 0, 1, 1, 0, 0, 2, 0], labels, np.linspace(0.9, 0.6, 8)),
    }
    pictures = make_pictures(8)
    rows, cells = choose_rows(list_duels(findings)["one", "two"], 2)
    shown = {"rows": rows, "cells": cells, "pictures": pictures[rows]}
    shown |= {f"maps {place}": np.ones((8, 4, 4)) for place in (0, 1)}
    findings["one"].arrays |= {f"{name} with two": values for name, values in shown.items()}
    drawn = read(Agreement().draw(findings))
    lines = drawn.grid()
    assert [len(line) for line in lines] == [6, 6, 6, 6], "two images of each kind, each with both maps"
    for kind, line in enumerate(lines):
        assert_shows(line[::3], pictures[rows[cells == kind]])
    below = [words.text for words in drawn.words_below(lines[0][0], within=0.6)]
    assert below == ["true: cat", "A: cat 0.90", "B: cat 0.90"]
    assert "only B correct" in drawn.text
    assert "same prediction 37.5%" in drawn.text
    assert "A: one; B: two" in drawn.text
