"""What must hold for every number of images, batch size, seed and rank."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from netgaze.data.sampler import PlainBatches

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
