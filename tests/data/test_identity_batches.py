"""Batches of P people with K images each: what must hold for any people, sizes, seeds, epochs and ranks."""

from collections import Counter
from itertools import chain, groupby

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from netgaze.data.sampler import IdentityBatches

SEED = st.integers(0, 2**32 - 1)
EPOCH = st.integers(0, 1000)
# Images of each person; at least two people have two.
PEOPLE = st.lists(st.integers(1, 15), min_size=2, max_size=12).filter(lambda sizes: sum(n > 1 for n in sizes) > 1)
K = st.integers(2, 5)
P = st.integers(2, 6)


def labels_of(sizes, seed=0):
    """That many images of each person, in a random order, under names with gaps."""
    labels = torch.repeat_interleave(torch.arange(len(sizes)) * 3 + 5, torch.tensor(sizes))
    return labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))]


def made(labels, p=4, k=3, epoch=0, **options):
    sampler = IdentityBatches(labels, p * k, k, **options)
    sampler.set_epoch(epoch)
    return sampler


def drawn(sampler):
    return [batch.tolist() for batch in sampler]


def group_sizes(n, k):
    """A loop: what n images of a person are dealt into."""
    sizes = []
    while n:
        size = k + 1 if n == k + 1 else min(k, n)
        sizes.append(size)
        n -= size
    return sizes


@given(PEOPLE, P, K, SEED, EPOCH)
def test_each_image_of_everyone_with_two_once(sizes, p, k, seed, epoch):
    labels = labels_of(sizes, seed)
    indices = [index for batch in drawn(made(labels, p, k, epoch, seed=seed)) for index in batch]
    able = torch.tensor([5 + 3 * person for person, n in enumerate(sizes) if n > 1])
    assert sorted(indices) == torch.isin(labels, able).nonzero().flatten().tolist()


@given(st.integers(2, 8), st.integers(1, 5), P, K, SEED, EPOCH)
def test_equal_people_with_full_rounds_are_seen_whole(factor, rounds, p, k, seed, epoch):
    """All people in every round, as many as fill batches: each image once, K of each person, P people a batch."""
    labels = labels_of([rounds * k] * (factor * p))
    batches = drawn(made(labels, p, k, epoch, seed=seed))
    assert sorted(index for batch in batches for index in batch) == list(range(len(labels)))
    assert len(batches) == factor * rounds
    for batch in batches:
        assert Counter(Counter(labels[batch].tolist()).values()) == {k: p}


@given(PEOPLE, P, K, SEED, EPOCH)
def test_a_batch_is_groups_of_one_person_each(sizes, p, k, seed, epoch):
    labels = labels_of(sizes, seed)
    num_groups = sum(len(group_sizes(n, k)) for n in sizes if n > 1)
    batches = drawn(made(labels, p, k, epoch, seed=seed))
    assert len(batches) == max(1, num_groups // p)
    for batch in batches:
        runs = [len(list(run)) for _, run in groupby(labels[batch].tolist())]
        assert sum(-(-run // (k + 1)) for run in runs) <= 2 * p - 1
        assert len(set(batch)) == len(batch)


@given(PEOPLE, P, K, SEED, EPOCH)
def test_everyone_comes_once_before_half_of_the_epoch_of_those_with_two_groups(sizes, p, k, seed, epoch):
    """The first group of someone with g groups lies in the first of g equal shares of the order of all."""
    labels = labels_of([2 * k] * len(sizes), seed)
    names = [name for batch in drawn(made(labels, p, k, epoch, seed=seed)) for name in labels[batch].tolist()]
    assert len(set(names[: len(names) // 2])) == len(sizes)


@given(PEOPLE, st.integers(1, 5), SEED, EPOCH)
def test_ranks_share_the_batches_of_one_process(sizes, world, seed, epoch):
    """In each step they have what one has whose batches are `world` times as large, and each a part of it."""
    labels = labels_of(sizes, seed)
    alone = made(labels, 2 * world, 2, epoch, seed=seed)
    assume(alone.num_groups >= world)
    parts = [drawn(made(labels, 2, 2, epoch, seed=seed, rank=rank, world=world)) for rank in range(world)]
    steps = list(zip(*parts, strict=True))
    assert [sorted(chain(*step)) for step in steps] == [sorted(batch) for batch in drawn(alone)]
    assert all(all(step) for step in steps)


@given(PEOPLE, P, K, st.integers(1, 3), st.integers(0, 6), SEED)
def test_its_length_is_the_epoch_s_number_of_batches(sizes, p, k, world, ramp, seed):
    labels = labels_of([n + 2 for n in sizes], seed)
    held_back = torch.zeros(len(labels), dtype=torch.bool)
    for person in labels.unique():  # all but two of each
        held_back[(labels == person).nonzero().flatten()[2:]] = True
    sampler = made(labels, p, k, held_back=held_back, ramp=ramp, seed=seed, world=world)
    for epoch in (0, 1, 3, 7, 0):
        sampler.set_epoch(epoch)
        assert len(sampler) == len(list(sampler))


@given(PEOPLE, SEED, EPOCH)
def test_all_follows_from_seed_and_epoch_alone(sizes, seed, epoch):
    labels = labels_of(sizes, seed)
    held_back = torch.arange(len(labels)) % 3 == 0
    options = {"seed": seed, "held_back": held_back, "ramp": 0}
    used = made(labels, 2, 2, epoch + 1, **options)
    list(used)
    used.set_epoch(epoch)
    torch.manual_seed(seed % 1000)
    state = torch.get_rng_state()
    assert drawn(made(labels, 2, 2, epoch, **options)) == drawn(used) == drawn(used)
    assert torch.equal(torch.get_rng_state(), state)


def test_epochs_and_seeds_differ():
    labels = labels_of([6] * 10)
    orders = [str(drawn(made(labels, epoch=epoch, seed=seed))) for seed in (0, 1) for epoch in (0, 1)]
    assert len(set(orders)) == 4


def test_every_two_images_of_a_person_meet_in_some_epoch():
    labels = torch.tensor([0] * 4 + [1] * 4)
    met = set()
    for epoch in range(40):
        for batch in drawn(made(labels, 2, 2, epoch)):
            met |= {(i, j) for i in batch for j in batch if i < j and labels[i] == labels[j]}
    assert len(met) == 12


def test_batches_are_index_tensors():
    assert {(batch.dtype, batch.dim()) for batch in made(labels_of([3] * 8))} == {(torch.int64, 1)}


@pytest.mark.parametrize(
    ("n", "k", "expected"), [(2, 4, [2]), (4, 4, [4]), (5, 4, [5]), (6, 4, [4, 2]), (9, 4, [4, 5]), (11, 4, [4, 4, 3])]
)
def test_remainders(n, k, expected):
    """Two people with n images each, whose groups follow each other in turn."""
    labels = labels_of([n, n])
    names = [labels[batch].tolist() for batch in drawn(made(labels, 2, k))]
    assert [len(batch) for batch in names] == [2 * size for size in expected]
    assert all(sorted(Counter(batch).values()) == [size] * 2 for batch, size in zip(names, expected, strict=True))


@given(SEED)
def test_neighboring_rounds_do_not_meet_in_one_person(seed):
    """Three people in twos: batches lie across rounds, and each has two people all the same."""
    labels = labels_of([12] * 3)
    batches = drawn(made(labels, 2, 2, seed=seed))
    assert sorted(index for batch in batches for index in batch) == list(range(36))
    assert all(len(labels[batch].unique()) == 2 for batch in batches)


class TestRamp:
    def sampler(self, ramp, **options):
        """Two thousand images of 100 people, every second one held back."""
        labels = torch.arange(2000) // 20
        return made(labels, 5, 4, held_back=torch.arange(2000) % 2 == 1, ramp=ramp, **options), labels

    @pytest.mark.parametrize("ramp", [1, 4, 9])
    def test_held_back_images_come_along_a_line(self, ramp):
        sampler, _ = self.sampler(ramp)
        for epoch in range(ramp + 3):
            sampler.set_epoch(epoch)
            indices = torch.cat(list(sampler)).unique()
            share = (indices % 2 == 1).sum() / 1000
            assert share == pytest.approx(min(1, (epoch + 1) / (ramp + 1)), abs=0.05)
            assert (indices % 2 == 0).sum() > 980
            if epoch >= ramp:
                assert len(indices) == 2000

    def test_an_image_drawn_again_does_not_meet_itself(self):
        sampler, _ = self.sampler(9)
        batches = drawn(sampler)
        assert sum(map(len, batches)) > 1500  # of 1100 that take part
        assert all(len(set(batch)) == len(batch) for batch in batches)

    def test_each_epoch_draws_anew(self):
        first, second = (self.sampler(999, epoch=epoch)[0] for epoch in (499, 500))
        one, other = ({i for batch in drawn(s) for i in batch if i % 2} for s in (first, second))
        assert 200 < len(one & other) < 300  # a quarter of 1000

    def test_without_a_ramp_nothing_is_held_back(self):
        assert sorted(torch.cat(list(self.sampler(0)[0])).tolist()) == list(range(2000))

    def test_every_epoch_must_have_two_people(self):
        labels, held_back = torch.arange(20) // 4, torch.arange(20) >= 4
        made(labels, held_back=held_back)
        with pytest.raises(ValueError, match="two people or more with two images in every epoch, got 1"):
            made(labels, held_back=held_back, ramp=2)


@pytest.mark.parametrize("names", [[], [1, 2, 3], [1, 1, 2, 3]])
def test_fewer_than_two_people_are_refused(names):
    with pytest.raises(ValueError, match="expected two people or more"):
        made(torch.tensor(names, dtype=torch.int64))


@pytest.mark.parametrize(
    ("size", "k", "said"),
    [(8, 1, "expected 2 images a person or more, got 1"), (7, 4, "a batch of two people's images, 8, got 7")],
)
def test_sizes_that_make_no_pairs_are_refused(size, k, said):
    with pytest.raises(ValueError, match=said):
        IdentityBatches(labels_of([5, 5]), size, k)
