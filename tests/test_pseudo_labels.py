"""The choice of pseudo-labels against a loop as the paper tells it; its file; what cannot be chosen or read."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from netgaze import pseudo_labels
from netgaze.errors import NetgazeError
from netgaze.places import PSEUDO_LABELS
from netgaze.pseudo_labels import PseudoLabels, choose, read


def naive(scores, k, p):
    """Each image's P best classes; then, class by class, its K candidates with the highest score."""
    kept = []
    for image, row in enumerate(scores.tolist()):
        order = sorted(range(len(row)), key=lambda label: (-row[label], label))
        kept += [(label, -row[label], image) for label in order[:p]]
    chosen = []
    for label in range(scores.shape[1]):
        own = sorted(candidate for candidate in kept if candidate[0] == label)[:k]
        chosen += [(image, label, -minus, rank) for rank, (_, minus, image) in enumerate(own)]
    return chosen


def listed(found):
    return list(zip(found.index.tolist(), found.label.tolist(), found.score.tolist(), found.rank.tolist(), strict=True))


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 30), st.integers(1, 6), st.integers(1, 40), st.data())
def test_the_choice_is_that_of_a_naive_loop(num_images, num_classes, k, data):
    """With many equal scores: the order among them is fixed too. K above N, P of all classes and no images are in."""
    p = data.draw(st.integers(1, num_classes))
    seed = data.draw(st.integers(0, 1000))
    coarse = torch.randint(4, (num_images, num_classes), generator=torch.Generator().manual_seed(seed))
    scores = coarse.float() / 4
    assert listed(choose(scores, k, p)) == naive(scores, k, p)


def test_the_choice_in_parts_is_the_choice_at_once(monkeypatch):
    scores = torch.randint(4, (29, 6), generator=torch.Generator().manual_seed(0)).float() / 4
    monkeypatch.setattr(pseudo_labels, "_AT_ONCE", 4 * 6)
    assert listed(choose(scores, 5, 2)) == naive(scores, 5, 2)


def test_an_image_may_belong_to_several_classes_where_p_is_above_one():
    scores = torch.tensor([[0.6, 0.4, 0.0], [0.5, 0.2, 0.3]])
    assert choose(scores, 5, 1).label.tolist() == [0, 0]
    found = choose(scores, 5, 2)
    assert list(zip(found.index.tolist(), found.label.tolist(), strict=True)) == [(0, 0), (1, 0), (0, 1), (1, 2)]
    assert found.score.tolist() == pytest.approx([0.6, 0.5, 0.4, 0.3])


def test_a_larger_k_adds_images_and_takes_none_away():
    scores = torch.rand(200, 7, generator=torch.Generator().manual_seed(3)).softmax(dim=1)
    smaller, larger = (
        set(zip(*(it.tolist() for it in (f.index, f.label)), strict=True))
        for f in (choose(scores, 10, 3), choose(scores, 25, 3))
    )
    assert smaller < larger


@pytest.mark.parametrize(("k", "p"), [(0, 1), (1, 0), (1, 4)])
def test_what_cannot_be_chosen_is_refused(k, p):
    with pytest.raises(ValueError, match=f"p from 1 to the 3 classes, got k={k} and p={p}"):
        choose(torch.rand(5, 3), k, p)


@pytest.fixture
def chosen():
    found = choose(torch.rand(20, 3, generator=torch.Generator().manual_seed(0)).softmax(dim=1), 4, 2)
    return PseudoLabels(found.index, found.label, found.score, found.rank, "0a1b", ("cat", "dog", "übel"))


def test_a_file_gives_back_what_was_written(chosen, tmp_path):
    chosen.write(tmp_path)
    for path in (tmp_path, tmp_path / PSEUDO_LABELS):
        found = read(path)
        for name in ("index", "label", "score", "rank"):
            assert torch.equal(getattr(found, name), getattr(chosen, name))
        assert (found.unlabeled, found.class_names) == ("0a1b", ("cat", "dog", "übel"))


def test_nothing_there_is_said(tmp_path):
    with pytest.raises(NetgazeError, match=r"no pseudo-labels at .*Write them with a run of task=pseudo_labels"):
        read(tmp_path)


def broken(arrays, name):
    if name == "missing":
        del arrays["score"]
    elif name == "length":
        arrays["rank"] = arrays["rank"][1:]
    elif name == "negative":
        arrays["index"][0] = -1
    elif name == "class":
        arrays["label"][0] = 3
    elif name == "kind":
        arrays["index"] = arrays["index"].astype(float)
    elif name == "pickle":
        arrays["class_names"] = np.array([object()])
    return arrays


@pytest.mark.parametrize("name", ["missing", "length", "negative", "class", "kind", "pickle"])
def test_a_file_that_is_none_is_refused(chosen, tmp_path, name):
    chosen.write(tmp_path)
    with np.load(tmp_path / PSEUDO_LABELS) as stored:
        arrays = broken(dict(stored), name)
    np.savez(tmp_path / PSEUDO_LABELS, **arrays)
    with pytest.raises(NetgazeError, match="holds no pseudo-labels, or damaged ones"):
        read(tmp_path)


def test_a_cut_file_is_refused(chosen, tmp_path):
    chosen.write(tmp_path)
    (tmp_path / PSEUDO_LABELS).write_bytes((tmp_path / PSEUDO_LABELS).read_bytes()[:100])
    with pytest.raises(NetgazeError, match="holds no pseudo-labels, or damaged ones"):
        read(tmp_path)


def test_a_file_of_version_0_1_is_read(tmp_path):
    replace(choose(torch.rand(6, 3), 2, 1), unlabeled="d", class_names=("a", "b", "c")).write(tmp_path)
    with np.load(tmp_path / PSEUDO_LABELS) as stored:
        arrays = {{"unlabeled": "unlabelled"}.get(name, name): stored[name] for name in stored.files}
    np.savez(tmp_path / PSEUDO_LABELS, **arrays)
    assert read(tmp_path).unlabeled == "d"
