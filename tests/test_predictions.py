"""What a run keeps of its test: in order, small, whole, and read with care."""

import numpy as np
import pytest
import torch

from netgaze.predictions import Duel, Predictions

LOGITS = torch.tensor([[2.0, 0, 0], [0, 3, 0], [0, 0, 1], [1, 0, 0]])
TARGETS, INDEX = torch.tensor([0, 1, 1, 2]), torch.tensor([3, 0, 0, 1])


@pytest.fixture
def kept():
    return Predictions.of(LOGITS, TARGETS, INDEX)


def test_answers_lie_in_the_order_of_images_then_of_targets(kept):
    assert kept.index.tolist() == [0, 0, 1, 3]
    assert kept.targets.tolist() == [1, 1, 2, 0]
    assert kept.predicted.tolist() == [1, 2, 0, 0]
    expected = LOGITS.softmax(dim=1).max(dim=1).values[[1, 2, 3, 0]]
    np.testing.assert_allclose(kept.confidence, expected, atol=1e-3)
    assert kept.right.tolist() == [True, False, False, True]


def test_batches_do_not_matter(kept):
    order = [2, 3, 1, 0]
    turned = Predictions.of(LOGITS[order], TARGETS[order], INDEX[order])
    assert turned.is_of_same_test(kept)


def test_a_file_is_small_and_gives_them_back(kept, tmp_path):
    kept.save(tmp_path / "predictions.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.npz"]
    found = Predictions.load(tmp_path / "predictions.npz")
    for name, values in vars(kept).items():
        assert getattr(found, name).dtype == values.dtype
        assert (getattr(found, name) == values).all()
    assert (kept.index.dtype, kept.confidence.dtype) == (np.uint8, np.float16)


def test_the_smallest_type_that_holds_them_all():
    num = 70_000
    kept = Predictions.of(torch.eye(300)[torch.arange(num) % 300], torch.arange(num) % 300, torch.arange(num))
    assert (kept.index.dtype, kept.predicted.dtype) == (np.uint32, np.uint16)
    assert (kept.predicted == np.arange(num) % 300).all()


@pytest.mark.parametrize(
    "change",
    [
        {"targets": np.zeros(3, np.uint8)},  # another size
        {"targets": np.zeros((4, 1), np.uint8)},
        {"predicted": np.zeros(4, np.float32)},  # another kind
        {"index": -np.ones(4, np.int64)},
        {"index": np.array([None] * 4)},  # a pickle
        {"more": np.zeros(4)},
        {"confidence": None},  # lacking
    ],
)
def test_a_file_that_is_none_of_ours_is_not_taken(kept, change, tmp_path):
    arrays = {name: values for name, values in (vars(kept) | change).items() if values is not None}
    np.savez(tmp_path / "a.npz", **arrays)
    assert Predictions.load(tmp_path / "a.npz") is None


def test_a_damaged_file_and_none(kept, tmp_path):
    assert Predictions.load(tmp_path / "a.npz") is None
    kept.save(tmp_path / "a.npz")
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(content[: len(content) // 2])
    assert Predictions.load(tmp_path / "a.npz") is None


def made(predicted, targets=(0, 1, 2, 0, 1), index=range(5)):
    values = [np.array(list(part), np.uint8) for part in (index, targets, predicted)]
    return Predictions(*values, np.ones(len(values[0]), np.float16))


def test_a_duel_counts_what_one_alone_has_right():
    duel = Duel.of(made([0, 1, 2, 1, 0]), made([0, 0, 0, 0, 0]))  # right: 0 1 2, and 0 3
    assert (duel.num, duel.only_first, duel.only_second) == (5, 2, 1)
    assert duel.p == 1.0
    assert Duel(100, 12, 2).p == pytest.approx(2 * (1 + 14 + 91) / 2**14)


def test_no_duel_on_other_examples():
    assert Duel.of(made([0] * 5), made([0] * 5, targets=(0, 1, 2, 0, 2))) is None
    assert Duel.of(made([0] * 5), made([0] * 5, index=(0, 1, 2, 3, 5))) is None
    assert Duel.of(made([0] * 5), made([0] * 4, (0, 1, 2, 0), range(4))) is None
