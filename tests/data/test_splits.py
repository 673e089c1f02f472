"""Which images, and with which labels: held against published counts, closed forms and counting by hand."""

import itertools
import math

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from netgaze.data.splits import draw_fraction, draw_long_tailed, find_others, redraw_labels

LABELS = st.lists(st.integers(0, 5), min_size=1, max_size=120).map(torch.tensor)
SEED = st.integers(0, 2**40)


def alike(num_classes: int, num_each: int) -> torch.Tensor:
    return torch.arange(num_classes * num_each) % num_classes


class TestLongTail:
    @pytest.mark.parametrize(
        ("num_classes", "num_each", "ratio", "total"),
        [(10, 5000, 100, 12406), (10, 5000, 10, 20431), (100, 500, 100, 10847), (100, 500, 10, 19573)],
    )
    def test_as_many_as_are_published_of_cifar(self, num_classes, num_each, ratio, total):
        labels = alike(num_classes, num_each)
        counts = labels[draw_long_tailed(labels, ratio, 0)].bincount()
        assert int(counts.sum()) == total
        assert (int(counts[0]), int(counts[-1])) == (num_each, num_each // ratio)

    def test_each_class_of_cifar10_at_a_ratio_of_100(self):
        labels = alike(10, 5000)
        counts = labels[draw_long_tailed(labels, 100, 0)].bincount()
        assert counts.tolist() == [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]

    def test_a_count_that_is_whole_is_not_rounded_down(self):
        labels = alike(2, 98)  # 98 * 49^-1 is 1.9999999999999998 in float64
        assert labels[draw_long_tailed(labels, 49, 0)].bincount().tolist() == [98, 2]

    @given(LABELS, st.floats(1, 1000), SEED)
    def test_the_smallest_class_says_how_many_the_first_keeps(self, labels, ratio, seed):
        chosen = draw_long_tailed(labels, ratio, seed)
        counts = torch.bincount(labels[chosen])
        assert chosen.unique().tolist() == chosen.tolist()
        classes = sorted(set(labels.tolist()))
        most = min(labels.tolist().count(label) for label in classes)
        for place, label in enumerate(classes):
            exact = most * ratio ** (-place / max(1, len(classes) - 1))
            assert int(counts[label]) in {max(1, math.floor(exact)), max(1, math.floor(exact + 1e-6))}

    def test_another_seed_keeps_other_images(self):
        labels = alike(3, 50)
        assert torch.equal(draw_long_tailed(labels, 10, 1), draw_long_tailed(labels, 10, 1))
        assert not torch.equal(draw_long_tailed(labels, 10, 1), draw_long_tailed(labels, 10, 2))

    @pytest.mark.parametrize("ratio", [0.5, 0, -3, math.nan])
    def test_a_ratio_below_1_is_said(self, says, ratio):
        with says(f"data.long_tail={ratio} must be 1 or more"):
            draw_long_tailed(alike(3, 50), ratio, 0)


class TestShare:
    @given(LABELS, st.floats(0.01, 0.99), SEED)
    def test_the_same_of_each_class(self, labels, share, seed):
        num, classes = round(share * len(labels)), labels.unique()
        assume(num >= len(classes))
        chosen = draw_fraction(labels, share, seed)
        assert len(chosen.unique()) == len(chosen) == num
        kept = {int(label): int((labels[chosen] == label).sum()) for label in classes}
        over = {label: kept[label] - num * float((labels == label).sum()) / len(labels) for label in kept}
        assert min(kept.values()) >= 1
        for giver, taker in itertools.permutations(kept, 2):  # no image more of one for one of another comes nearer
            assert kept[giver] == 1 or over[giver] - over[taker] <= 1 + 1e-6

    def test_a_tenth_of_ten_classes(self):
        labels = alike(10, 30)
        assert labels[draw_fraction(labels, 0.1, 3)].bincount().tolist() == [3] * 10
        assert not torch.equal(draw_fraction(labels, 0.1, 3), draw_fraction(labels, 0.1, 4))

    @pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, math.nan])
    def test_a_share_is_between_0_and_1(self, says, share):
        with says(f"data.labeled_fraction={share} must be above 0"):
            draw_fraction(alike(3, 50), share, 0)

    def test_a_class_without_a_label_is_said(self, says):
        with says("keeps the labels of 2 of 150 training images, fewer than one for each of the 3 classes"):
            draw_fraction(alike(3, 50), 0.0133, 0)


@given(st.integers(0, 50), st.data())
def test_others_are_what_is_left(num, data):
    index = data.draw(st.sets(st.integers(0, num - 1))) if num else set()
    expected = [place for place in range(num) if place not in index]
    assert find_others(torch.tensor(sorted(index), dtype=torch.int64), num).tolist() == expected


class TestNoise:
    def test_exactly_so_many_are_drawn_anew(self):
        """Of labels that are all different, one drawn anew is another one, but for once in N."""
        labels = torch.arange(10_000)
        noisy = redraw_labels(labels, 0.25, 0)
        assert 2500 - 5 <= int((noisy != labels).sum()) <= 2500
        assert noisy.min() >= 0
        assert noisy.max() < 10_000

    @pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 1.0])
    def test_as_many_change_as_chance_says(self, share):
        """Of classes as frequent as q_c, one drawn anew changes with a probability of 1 - sum q_c^2."""
        labels = torch.tensor([0] * 12_000 + [1] * 6_000 + [2] * 2_000)
        probability = 1 - (0.6**2 + 0.3**2 + 0.1**2)
        num, changed = round(share * 20_000), int((redraw_labels(labels, share, 5) != labels).sum())
        assert abs(changed - num * probability) < 4 * math.sqrt(num * probability * (1 - probability))

    def test_classes_stay_as_frequent(self):
        labels = torch.tensor([0] * 12_000 + [1] * 6_000 + [2] * 2_000)
        counts = redraw_labels(labels, 1.0, 7).bincount().double() / 20_000
        torch.testing.assert_close(counts, torch.tensor([0.6, 0.3, 0.1]).double(), atol=0.015, rtol=0)

    @given(LABELS, st.floats(0, 1), SEED)
    def test_labels_stay_those_that_there_are_and_their_tensor_as_it_was(self, labels, share, seed):
        before = labels.clone()
        noisy = redraw_labels(labels, share, seed)
        assert torch.equal(labels, before)
        assert set(noisy.tolist()) <= set(labels.tolist())
        assert int((noisy != labels).sum()) <= round(share * len(labels))
        assert torch.equal(noisy, redraw_labels(labels, share, seed))

    def test_the_wrong_ones_are_not_the_first_of_the_training_order(self):
        """Order and noise follow from one seed, and must not be the same draw."""
        labels = torch.arange(10_000)
        wrong = redraw_labels(labels, 0.1, 0) != labels
        first = torch.randperm(10_000, generator=torch.Generator().manual_seed(0))[:1000]
        assert 50 < int(wrong[first].sum()) < 150

    @pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
    def test_a_share_is_from_0_to_1(self, says, share):
        with says(f"data.label_noise={share} must be from 0 to 1"):
            redraw_labels(alike(3, 50), share, 0)
