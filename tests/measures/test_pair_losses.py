"""Losses of embeddings: naive loops, closed forms on the unit circle, symmetries, and pytorch-metric-learning."""

import math
from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytorch_metric_learning import distances, losses, miners, reducers
from torch.nn import functional as F

from netgaze.measures.collapse import embedding_std
from netgaze.measures.pair_losses import contrastive, draw_balanced_pairs, list_pairs, mining_contrastive, triplet

LABELS = st.lists(st.integers(0, 4), max_size=12).map(lambda names: torch.tensor(names, dtype=torch.int64))
SEED = st.integers(0, 2**32 - 1)
# Losses of (embeddings, labels); each lets the same batch be seen in another order or under other names.
OF_A_BATCH = {
    "contrastive": lambda embeddings, labels: of_pairs(contrastive, embeddings, list_pairs(labels)),
    "mining": mining_contrastive,
    "mining all": lambda embeddings, labels: mining_contrastive(embeddings, labels, share=1),
    "triplet": triplet,
    "soft triplet": lambda embeddings, labels: triplet(embeddings, labels, margin=None),
}


def of_pairs(loss, embeddings, chosen, **options):
    first, second, different = chosen
    return loss(embeddings[first], embeddings[second], different, **options)


def batch(num=12, people=4, dim=5, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(num, dim, generator=generator, dtype=torch.float64)
    return embeddings.requires_grad_(**options), torch.randint(people, (num,), generator=generator)


def circle(*degrees):
    angles = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def as_set(first, second):
    return set(zip(first.tolist(), second.tolist(), strict=True))


class TestPairs:
    @given(LABELS)
    def test_all_of_them_once_and_named_right(self, labels):
        first, second, different = list_pairs(labels)
        assert list(zip(first.tolist(), second.tolist(), strict=True)) == list(combinations(range(len(labels)), 2))
        names = labels.tolist()
        assert different.tolist() == [one != other for one, other in combinations(names, 2)]
        assert different.dtype == torch.bool

    @given(LABELS, SEED)
    def test_balanced_ones_are_all_of_the_rarer_kind_and_as_many_others(self, labels, seed):
        torch.manual_seed(seed)
        first, second, different = draw_balanced_pairs(labels)
        everything = list_pairs(labels)
        same, other = (
            as_set(*(x[~everything[2]] for x in everything[:2])),
            as_set(*(x[everything[2]] for x in everything[:2])),
        )
        some, some_other = as_set(first[~different], second[~different]), as_set(first[different], second[different])
        assert len(as_set(first, second)) == len(first)
        assert (first < second).all()
        assert some <= same
        assert some_other <= other
        assert len(some) == len(some_other) == min(len(same), len(other))
        assert first.dtype == second.dtype == torch.int64
        assert different.dtype == torch.bool

    def test_the_lot_is_the_global_generator_s_and_reaches_every_pair(self):
        labels = torch.tensor([0, 0, 1, 2, 3])
        torch.manual_seed(5)
        before = [draw_balanced_pairs(labels) for _ in range(200)]
        torch.manual_seed(5)
        again = [draw_balanced_pairs(labels) for _ in range(200)]
        assert all(
            torch.equal(x, y) for one, two in zip(before, again, strict=True) for x, y in zip(one, two, strict=True)
        )
        drawn = [next(iter(as_set(first[different], second[different]))) for first, second, different in before]
        assert set(drawn) == set(combinations(range(5), 2)) - {(0, 1)}
        assert max(map(drawn.count, drawn)) < 60  # 22 expected of each


class TestContrastive:
    @pytest.mark.parametrize("margin", [0.5, 2.0, 5.0])
    def test_a_loop(self, margin):
        embeddings, labels = batch(seed=1)
        terms = []
        for i in range(12):
            for j in range(i + 1, 12):
                d = math.sqrt(sum((a - b + 1e-6) ** 2 for a, b in zip(*embeddings[[i, j]].tolist(), strict=True)))
                terms.append(d**2 if labels[i] == labels[j] else max(0, margin - d) ** 2)
        loss = of_pairs(contrastive, embeddings, list_pairs(labels), margin=margin)
        assert loss.item() == pytest.approx(sum(terms) / len(terms), rel=1e-12)

    def test_on_the_circle(self):
        """Chords: of 60 degrees 1, of 90 the root of 2, of 180 the diameter, 2."""
        first, second = circle(0, 0, 0, 0), circle(60, 60, 90, 180)
        different = torch.tensor([False, True, True, True])
        expected = (1 + (2 - 1) ** 2 + (2 - math.sqrt(2)) ** 2 + 0) / 4
        assert contrastive(first, second, different).item() == pytest.approx(expected, abs=1e-5)
        assert contrastive(first, second, different, margin=1).item() == pytest.approx(1 / 4, abs=1e-5)

    def test_the_two_of_a_pair_may_change_places(self):
        embeddings, labels = batch(seed=2)
        first, second, different = list_pairs(labels)
        swapped = of_pairs(contrastive, embeddings, (second, first, different))
        assert of_pairs(contrastive, embeddings, (first, second, different)).item() == pytest.approx(
            swapped.item(), 1e-5
        )

    def test_same_pairs_are_pytorch_metric_learning_s(self):
        embeddings, labels = batch(seed=3)
        theirs = losses.ContrastiveLoss(
            distance=distances.LpDistance(normalize_embeddings=False, power=2), reducer=reducers.MeanReducer()
        )
        first, second, different = list_pairs(labels)
        same = (first[~different], second[~different])
        expected = theirs(embeddings, indices_tuple=(*same, torch.empty(0).long(), torch.empty(0).long()))
        ours = contrastive(embeddings[same[0]], embeddings[same[1]], torch.zeros(len(same[0]), dtype=torch.bool))
        assert ours.item() == pytest.approx(expected.item(), rel=1e-5)


class TestMiningContrastive:
    @pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.8, 1.0])
    @pytest.mark.parametrize("people", [2, 4, 8])
    def test_a_loop(self, share, people):
        embeddings, labels = batch(people=people, seed=4)
        same, other = [], []
        for i in range(12):
            for j in range(i + 1, 12):
                a, b = embeddings[i].tolist(), embeddings[j].tolist()
                cosine = sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)
                (same if labels[i] == labels[j] else other).append(cosine)
        num = max(1, round(share * len(same)))
        low, high = sorted(same)[:num], sorted(other, reverse=True)[:num]
        expected = -sum(low) / (2 * len(low)) + sum(high) / (2 * len(high))
        assert mining_contrastive(embeddings, labels, share).item() == pytest.approx(expected, rel=1e-10)

    def test_on_the_circle(self):
        """Same pairs 0-90 and 120-180, hardest that of 90; hardest different pair 90-120, then 0-120, 90-180."""
        embeddings, labels = circle(0, 90, 120, 180), torch.tensor([0, 0, 1, 1])
        cos30 = math.sqrt(3) / 2
        assert mining_contrastive(embeddings, labels, 0.5).item() == pytest.approx(cos30 / 2)
        assert mining_contrastive(embeddings, labels, 1).item() == pytest.approx(-0.5 / 4 + cos30 / 4)

    @pytest.mark.parametrize(("degrees", "bound"), [((0, 0, 180, 180), -1), ((0, 180, 0, 180), 1)])
    def test_its_bounds_are_reached(self, degrees, bound):
        assert mining_contrastive(circle(*degrees), torch.tensor([0, 0, 1, 1])).item() == pytest.approx(bound)

    def test_the_length_of_an_embedding_does_not_matter(self):
        embeddings, labels = batch(seed=5)
        lengths = torch.linspace(0.1, 9, 12)[:, None]
        loss = mining_contrastive(embeddings, labels).item()
        assert mining_contrastive(lengths * embeddings, labels).item() == pytest.approx(loss)

    @pytest.mark.parametrize("sizes", [(3, 1), (6, 3), (10, 6)])
    def test_all_of_as_many_same_as_different_pairs_are_pytorch_metric_learning_s(self, sizes):
        labels = torch.repeat_interleave(torch.tensor([0, 1]), torch.tensor(sizes))
        embeddings = batch(len(labels), seed=6)[0]
        theirs = losses.ContrastiveLoss(
            pos_margin=1,
            neg_margin=-1,
            distance=distances.CosineSimilarity(),
            reducer=reducers.MultipleReducers({f"{kind}_loss": reducers.MeanReducer() for kind in ("pos", "neg")}),
        )
        expected = (theirs(embeddings, labels) - 2) / 2
        assert mining_contrastive(embeddings, labels, share=1).item() == pytest.approx(expected.item())

    def test_a_kind_that_is_not_there_adds_nothing(self):
        embeddings = circle(0, 60)
        assert mining_contrastive(embeddings, torch.tensor([0, 0])).item() == pytest.approx(-0.25)
        assert mining_contrastive(embeddings, torch.tensor([0, 1])).item() == pytest.approx(0.25)

    @pytest.mark.parametrize("share", [0, -0.1, 1.01, math.nan])
    def test_wrong_shares_are_refused(self, share):
        with pytest.raises(ValueError, match="expected a share above 0 and up to 1"):
            mining_contrastive(*batch(), share)


class TestTriplet:
    @pytest.mark.parametrize("margin", [None, 0.0, 0.3, 4.0])
    @pytest.mark.parametrize("people", [2, 4, 9])
    def test_a_loop(self, margin, people):
        embeddings, labels = batch(people=people, seed=7)
        points, names = embeddings.tolist(), labels.tolist()
        terms = []
        for a, name in enumerate(names):
            positives = [math.dist(points[a], points[p]) for p in range(12) if p != a and names[p] == name]
            negatives = [math.dist(points[a], points[n]) for n in range(12) if names[n] != name]
            if positives and negatives:
                excess = max(positives) - min(negatives)
                terms.append(math.log1p(math.exp(excess)) if margin is None else max(0, margin + excess))
        assert triplet(embeddings, labels, margin).item() == pytest.approx(sum(terms) / len(terms), rel=1e-10)

    def test_on_the_circle(self):
        """Chords: of 60 degrees 1, of 180 2; the image at 240 has no other of its person and is no anchor."""
        embeddings, labels = circle(0, 60, 240), torch.tensor([0, 0, 1])
        root3 = math.sqrt(3)  # of 120 degrees, from 0 to 240
        assert triplet(embeddings, labels, 1.5).item() == pytest.approx((1.5 + 1 - root3 + 1.5 + 1 - 2) / 2)
        assert triplet(embeddings, labels, 0.5).item() == 0
        soft = (math.log1p(math.exp(1 - root3)) + math.log1p(math.exp(1 - 2))) / 2
        assert triplet(embeddings, labels, None).item() == pytest.approx(soft)

    @pytest.mark.parametrize("soft", [False, True])
    @pytest.mark.parametrize("people", [2, 4, 9])
    def test_pytorch_metric_learning_s(self, people, soft):
        embeddings, labels = batch(16, people, seed=8)
        distance = distances.LpDistance(normalize_embeddings=False)
        theirs = losses.TripletMarginLoss(
            0 if soft else 0.3, smooth_loss=soft, distance=distance, reducer=reducers.MeanReducer()
        )
        hard = miners.BatchHardMiner(distance=distance)(embeddings, labels)
        expected = theirs(embeddings, labels, hard).item()
        assert triplet(embeddings, labels, None if soft else 0.3).item() == pytest.approx(expected, rel=1e-6)

    def test_small_distances_far_from_the_origin(self):
        """Of forty images, where torch's cdist would by itself go by matrix products, and find 0 or 0.1 for 0.01."""
        embeddings, labels = batch(40, seed=11)
        far = (0.01 * embeddings + 100).float()
        assert triplet(far, labels).item() == pytest.approx(triplet(far.double(), labels).item(), rel=1e-5)


class TestSpread:
    def test_even_directions_are_1_and_one_direction_is_0(self):
        assert embedding_std(circle(*range(0, 360, 30))).item() == pytest.approx(1)
        assert embedding_std(circle(*range(0, 360, 30)) * torch.arange(1, 13)[:, None]).item() == pytest.approx(1)
        assert embedding_std(circle(40, 40, 40)).item() == 0
        assert embedding_std(circle(40)).item() == 0

    def test_half_a_line(self):
        """Two opposite directions along one of two axes: deviations of 1 and 0."""
        assert embedding_std(circle(0, 180)).item() == pytest.approx(math.sqrt(2) / 2)

    @pytest.mark.parametrize("dim", [2, 64, 512])
    def test_random_directions_are_about_1_in_any_number_of_dimensions(self, dim):
        assert embedding_std(
            torch.randn(2000, dim, generator=torch.Generator().manual_seed(0))
        ).item() == pytest.approx(1, 0.02)

    def test_a_loop(self):
        embeddings, _ = batch(seed=9, requires_grad=True)
        rows = [[x / math.hypot(*row) for x in row] for row in embeddings.tolist()]
        deviations = []
        for column in zip(*rows, strict=True):
            mean = sum(column) / 12
            deviations.append(math.sqrt(sum((x - mean) ** 2 for x in column) / 12))
        assert embedding_std(embeddings).item() == pytest.approx(math.sqrt(5) * sum(deviations) / 5)
        assert not embedding_std(embeddings).requires_grad


@pytest.mark.parametrize("loss", OF_A_BATCH.values(), ids=OF_A_BATCH)
class TestOfABatch:
    @given(seed=SEED)
    def test_neither_order_nor_names_matter(self, loss, seed):
        embeddings, labels = batch(seed=seed)
        generator = torch.Generator().manual_seed(seed)
        order, names = torch.randperm(12, generator=generator), torch.randperm(4, generator=generator)
        expected = pytest.approx(loss(embeddings, labels).item(), rel=1e-5, abs=1e-8)
        assert loss(embeddings[order], labels[order]).item() == expected
        assert loss(embeddings, names[labels] * 7 - 3).item() == expected

    @pytest.mark.parametrize("seed", range(3))
    def test_gradients_are_those_of_differences(self, loss, seed):
        embeddings, labels = batch(8, 3, seed=seed, requires_grad=True)
        assert torch.autograd.gradcheck(lambda x: loss(x, labels), embeddings)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_gradients_are_finite_where_embeddings_are_equal(self, loss, dtype):
        embeddings = torch.ones(6, 4, dtype=dtype, requires_grad=True)
        value = loss(embeddings, torch.tensor([0, 0, 1, 1, 2, 2]))
        value.backward()
        assert value.dtype == dtype
        assert value.shape == ()
        assert embeddings.grad.isfinite().all()

    def test_nothing_to_compare_is_0_with_gradients_of_0(self, loss):
        embeddings = torch.randn(1, 4, requires_grad=True)
        value = loss(embeddings, torch.zeros(1, dtype=torch.int64))
        value.backward()
        assert value.item() == 0
        assert torch.equal(embeddings.grad, torch.zeros(1, 4))

    def test_a_step_along_the_gradient_makes_it_smaller(self, loss):
        embeddings, labels = batch(seed=10, requires_grad=True)
        before = loss(embeddings, labels)
        before.backward()
        with torch.no_grad():
            assert loss(embeddings - 0.01 * F.normalize(embeddings.grad), labels) < before


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2]])
@pytest.mark.parametrize("margin", [None, 0.3])
def test_no_anchor_is_0_with_gradients_of_0(labels, margin):
    embeddings = torch.randn(3, 4, requires_grad=True)
    value = triplet(embeddings, torch.tensor(labels), margin)
    value.backward()
    assert value.item() == 0
    assert torch.equal(embeddings.grad, torch.zeros(3, 4))
