"""What must hold for every number of images, batch size, seed and rank."""

import math
from collections import Counter

import torch
from hypothesis import given
from hypothesis import strategies as st

from netgaze.data.sampler import PlainBatches, ResampledBatches, round_randomly

NUM = st.integers(1, 200)
SIZE = st.integers(1, 50)
SEED = st.integers(0, 2**32 - 1)
EPOCH = st.integers(0, 1000)


def indices(sampler):
    batches = list(sampler)
    return torch.cat(batches).tolist() if batches else []


@given(NUM, SIZE, SEED, EPOCH)
def test_every_image_once_an_epoch(num, size, seed, epoch):
    sampler = PlainBatches(num, size, shuffle=True, seed=seed)
    sampler.set_epoch(epoch)
    assert sorted(indices(sampler)) == list(range(num))


@given(NUM, SIZE, st.integers(1, 8), st.booleans(), SEED)
def test_ranks_share_the_images_out(num, size, world, shuffle, seed):
    parts = [
        indices(PlainBatches(num, size, shuffle=shuffle, seed=seed, rank=rank, world=world)) for rank in range(world)
    ]
    together = [index for part in parts for index in part]
    assert len(set(together)) == len(together)
    assert len(together) == (num - num % world if shuffle else num)
    if shuffle:
        assert len({len(part) for part in parts}) == 1


@given(NUM, SIZE, SEED, EPOCH)
def test_the_order_follows_from_seed_and_epoch_alone(num, size, seed, epoch):
    fresh = PlainBatches(num, size, shuffle=True, seed=seed)
    used = PlainBatches(num, size, shuffle=True, seed=seed)
    list(used)
    torch.manual_seed(seed % 1000)
    torch.rand(3)
    for sampler in (fresh, used):
        sampler.set_epoch(epoch)
    assert indices(fresh) == indices(used)


@given(NUM, SIZE, st.booleans(), st.integers(1, 4))
def test_its_length_is_the_number_of_batches(num, size, drop_last, world):
    for rank in range(world):
        sampler = PlainBatches(num, size, drop_last=drop_last, rank=rank, world=world)
        batches = list(sampler)
        assert len(batches) == len(sampler)
        assert all(len(batch) == size for batch in (batches if drop_last else batches[:-1]))


def test_epochs_and_seeds_differ():
    orders = []
    for seed in (0, 1):
        for epoch in (0, 1):
            sampler = PlainBatches(100, 10, shuffle=True, seed=seed)
            sampler.set_epoch(epoch)
            orders.append(tuple(indices(sampler)))
    assert len(set(orders)) == 4


def test_without_shuffling_the_order_is_the_set_s():
    assert indices(PlainBatches(10, 3)) == list(range(10))


LABELS = st.lists(st.integers(0, 6), min_size=1, max_size=80).map(torch.tensor)
POWER = st.sampled_from([1.0, 0.5, 0.0])


def resampled(labels, batch_size=7, power=0.5, epoch=0, **more):
    sampler = ResampledBatches(labels, batch_size, power=power, **more)
    sampler.set_epoch(epoch)
    return sampler


def exact_shares(labels, power, num):
    counts = Counter(labels.tolist())
    total = sum(count**power for count in counts.values())
    return {label: num * count**power / total for label, count in counts.items()}


@given(LABELS, POWER, st.none() | NUM, SEED, EPOCH)
def test_each_class_has_its_share_of_an_epoch(labels, power, epoch_size, seed, epoch):
    drawn = indices(resampled(labels, power=power, epoch_size=epoch_size, seed=seed, epoch=epoch))
    num = len(labels) if epoch_size is None else epoch_size
    assert len(drawn) == num
    found = Counter(labels[drawn].tolist())
    for label, share in exact_shares(labels, power, num).items():
        assert math.floor(share + 1e-9) <= found[label] <= math.ceil(share - 1e-9)


@given(LABELS, POWER, NUM, SEED)
def test_none_comes_again_before_each_of_its_class_came(labels, power, epoch_size, seed):
    drawn = Counter(indices(resampled(labels, power=power, epoch_size=epoch_size, seed=seed)))
    for label in set(labels.tolist()):
        times = [drawn[index] for index in range(len(labels)) if labels[index] == label]
        assert max(times) - min(times) <= 1


@given(LABELS, POWER, NUM, st.integers(1, 5), SEED)
def test_ranks_share_a_resampled_epoch_out(labels, power, epoch_size, world, seed):
    whole = indices(resampled(labels, power=power, epoch_size=epoch_size, seed=seed))
    parts = [
        indices(resampled(labels, power=power, epoch_size=epoch_size, seed=seed, rank=rank, world=world))
        for rank in range(world)
    ]
    assert {len(part) for part in parts} == {epoch_size // world}
    assert [index for step in zip(*parts, strict=True) for index in step] == whole[: epoch_size // world * world]


@given(LABELS, POWER, NUM, SIZE, st.booleans(), st.integers(1, 4))
def test_the_length_of_a_resampled_epoch(labels, power, epoch_size, size, drop_last, world):
    for rank in range(world):
        sampler = resampled(labels, size, power, epoch_size=epoch_size, drop_last=drop_last, rank=rank, world=world)
        batches = list(sampler)
        assert len(batches) == len(sampler)
        assert all(len(batch) == size for batch in (batches if drop_last else batches[:-1]))


def test_shares_by_hand():
    """Of 900, 100 and 25 images the roots are 30, 10 and 5: of 450 images 300, 100 and 50."""
    labels = torch.tensor([0] * 900 + [1] * 100 + [4] * 25)
    for power, counts in ((0.5, [300, 100, 0, 0, 50]), (0.0, [150, 150, 0, 0, 150])):
        assert labels[indices(resampled(labels, power=power, epoch_size=450))].bincount().tolist() == counts
    assert labels[indices(resampled(labels, power=1.0, epoch_size=41))].bincount().tolist() == [36, 4, 0, 0, 1]
    assert sorted(indices(resampled(labels, power=1.0))) == list(range(1025)), "all of them once"


def test_a_class_too_rare_for_each_epoch_is_seen_in_some():
    """Five images an epoch of twenty classes: each comes in a quarter of 400 epochs."""
    labels = torch.arange(20).repeat_interleave(3)
    epochs = [labels[indices(resampled(labels, power=0.0, epoch_size=5, epoch=epoch))] for epoch in range(400)]
    assert all(len(drawn.unique()) == 5 for drawn in epochs)
    counts = torch.cat(epochs).bincount(minlength=20)
    assert counts.min() > 60
    assert counts.max() < 140


def test_a_fraction_of_an_image_falls_by_lot():
    shares = torch.tensor([0.7, 0.2, 0.1, 3.0, 1.5, 1.5], dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.stack([round_randomly(shares, generator) for _ in range(4000)]).double()
    assert set(drawn.sum(dim=1).tolist()) == {7.0}
    torch.testing.assert_close(drawn.mean(dim=0), shares, atol=0.035, rtol=0)
    assert set(drawn[:, 3].tolist()) == {3.0}


def test_resampled_epochs_and_seeds_differ_and_repeat():
    labels = torch.arange(100) % 4
    orders = {
        (seed, epoch): tuple(indices(resampled(labels, seed=seed, epoch=epoch))) for seed in (0, 1) for epoch in (0, 1)
    }
    assert len(set(orders.values())) == 4
    torch.manual_seed(5)
    assert orders[1, 1] == tuple(indices(resampled(labels, seed=1, epoch=1)))


def test_the_classes_of_a_resampled_epoch_are_mixed():
    labels = torch.tensor([0] * 300 + [1] * 100)
    first = labels[indices(resampled(labels, power=0.0))[:200]]
    assert 70 < int(first.sum()) < 130
