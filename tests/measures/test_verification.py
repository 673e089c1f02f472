"""Verification: scikit-learn on the full matrix, loops from the definitions, closed forms."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from sklearn.metrics import roc_auc_score, roc_curve

from netgaze.measures import verification
from netgaze.measures.verification import verify, verify_folds

ALONE = pytest.mark.parametrize("alone", [False, True])
SEEDS = pytest.mark.parametrize("seed", range(4))


def drawn(seed=0, alone=False, num=40, people=9, side=3, dim=3):
    """Embeddings on a grid of integers: distances are exact and many are equal."""
    generator = torch.Generator().manual_seed(seed)

    def some(num):
        return (
            torch.randint(-side, side + 1, (num, dim), generator=generator).float(),
            torch.randint(people, (num,), generator=generator) * 7 - 3,
        )

    gallery, who = some(num)
    gallery += who[:, None] % 4  # some likeness within a person
    if alone:
        return gallery, who
    probe, probe_who = some(num // 2)
    return gallery, who, probe + probe_who[:, None] % 4, probe_who


def listed(gallery, people, probe=None, probe_people=None):
    """Every pair as (gallery index, probe index, distance, same), probe by probe."""
    alone = probe is None
    if alone:
        probe, probe_people = gallery, people
    pairs = []
    for j in range(len(probe)):
        for i in range(j if alone else len(gallery)):
            distance = math.sqrt(sum((a - b) ** 2 for a, b in zip(gallery[i].tolist(), probe[j].tolist(), strict=True)))
            pairs.append((i, j, distance, bool(people[i] == probe_people[j])))
    return pairs


def columns(pairs):
    """Distances and whether same, as arrays."""
    return np.array([pair[2] for pair in pairs]), np.array([pair[3] for pair in pairs])


def corners(far, tar):
    """The points where a polyline bends, and its ends."""
    points = [(0.0, 0.0)]
    line = list(zip(far, tar, strict=True))
    for before, here, after in zip(line, line[1:], line[2:], strict=False):
        cross = (here[0] - before[0]) * (after[1] - here[1]) - (here[1] - before[1]) * (after[0] - here[0])
        if abs(cross) > 1e-12:
            points.append(here)
    return np.array([*points, (1.0, 1.0)])


def crossing(far, tar):
    """FAR where a polyline meets FAR = 1 - TAR, along its length."""
    steps = np.arange(len(far))
    place = brentq(lambda s: np.interp(s, steps, far) + np.interp(s, steps, tar) - 1, 0, len(far) - 1, xtol=1e-13)
    return np.interp(place, steps, far)


def accuracies(distances, same, threshold):
    """The four numbers at a threshold, by their definitions."""
    said = distances <= threshold
    far, tar = said[~same].mean(), said[same].mean()
    return {"acc": (said == same).mean(), "acc_macro": (tar + 1 - far) / 2, "far": far, "frr": 1 - tar}


# --- the curve and what follows from it ---


@ALONE
@SEEDS
def test_the_curve_is_that_of_scikit_learn(seed, alone):
    material = drawn(seed, alone)
    distances, same = columns(listed(*material))
    found = verify(*material, cuts=[2.5, 3.0], block=7)
    assert (found.num_same, found.num_different) == (same.sum(), (~same).sum())
    assert len(np.unique(distances)) < len(distances) / 3, "there should be ties"
    far, tar, threshold = found.curve()
    np.testing.assert_allclose(corners(far, tar), corners(*roc_curve(same, -distances)[:2]), atol=1e-12)
    for place in range(len(far)):
        said = distances <= threshold[place]
        assert (far[place], tar[place]) == pytest.approx((said[~same].mean(), said[same].mean()), abs=1e-12)
    assert (np.diff(threshold) > 0).all()


@ALONE
@SEEDS
def test_rates_are_those_of_scikit_learn(seed, alone):
    material = drawn(seed, alone)
    distances, same = columns(listed(*material))
    found = verify(*material, block=16)
    far, tar, _ = roc_curve(same, -distances, drop_intermediate=False)
    assert found.auc == pytest.approx(roc_auc_score(same, -distances), abs=1e-12)
    assert found.eer == pytest.approx(crossing(far, tar), abs=1e-9)
    for limit in (0, 0.004, 0.01, 0.1, 0.5, 1):
        answer = found.tar_at(limit)
        assert answer["value"] == pytest.approx(tar[far <= limit].max(), abs=1e-12)
        assert answer["accepted"] == limit * (~same).sum()
        assert answer["interval"] is None


def test_a_rate_is_supported_by_thirty_errors():
    material = drawn(people=4, num=40)
    found = verify(*material)
    enough = 30 / found.num_different
    assert found.tar_at(enough * 1.0001)["supported"]
    assert not found.tar_at(enough * 0.9999)["supported"]


@ALONE
def test_numbers_at_a_threshold(alone):
    material = drawn(1, alone)
    distances, same = columns(listed(*material))
    cuts = [0.0, 1.5, 2.0, math.sqrt(5), 100.0]
    found = verify(*material, cuts=cuts)
    for threshold in [*cuts, *distances[same][:10]]:
        assert found.at(threshold) == pytest.approx(accuracies(distances, same, threshold), abs=1e-12)
    for threshold in (1.50001, 200.0):
        with pytest.raises(ValueError, match=f"expected a cut or a distance of a same pair .* got {threshold}"):
            found.at(threshold)


# --- loops ---


@ALONE
@SEEDS
def test_rank_one_is_that_of_a_loop(seed, alone):
    material = drawn(seed, alone, people=30)
    gallery, people = material[:2]
    probe, probe_people = material[2:] or material
    hits = []
    for j in range(len(probe)):
        others = [i for i in range(len(gallery)) if not (alone and i == j)]
        if probe_people[j] not in people[others]:
            continue
        nearest = min(others, key=lambda i: (round(float((gallery[i] - probe[j]).square().sum())), i))
        hits.append(bool(people[nearest] == probe_people[j]))
    assert len(hits) < len(probe), "someone should be missing from the gallery"
    assert verify(*material, block=11).rank1 == pytest.approx(np.mean(hits), abs=1e-12)


@ALONE
@pytest.mark.parametrize("num", [1, 6, 10_000])
def test_the_hardest_pairs_are_those_of_a_loop(alone, num):
    material = drawn(2, alone)
    pairs = listed(*material)
    found = verify(*material, num_hardest=num, block=3)
    same = sorted((pair for pair in pairs if pair[3]), key=lambda pair: (-pair[2], pair[0], pair[1]))[:num]
    different = sorted((pair for pair in pairs if not pair[3]), key=lambda pair: (pair[2], pair[0], pair[1]))[:num]
    assert found.hardest_same.tolist() == [[i, j] for i, j, _, _ in same]
    assert found.hardest_same_distances.tolist() == [pair[2] for pair in same]
    assert found.hardest_different.tolist() == [[i, j] for i, j, _, _ in different]
    assert found.hardest_different_distances.tolist() == [pair[2] for pair in different]


@ALONE
def test_the_histogram_is_numpys(alone):
    material = drawn(3, alone)
    distances, same = columns(listed(*material))
    found = verify(*material, block=9)
    everything = torch.cat([some for some in material if some.ndim == 2]).double()
    bound = 2 * float((everything - everything.mean(dim=0)).norm(dim=1).max())
    assert found.edges == pytest.approx(np.linspace(0, bound, 201))
    assert distances.max() <= found.edges[-1]
    assert (found.same_histogram == np.histogram(distances[same], found.edges)[0]).all()
    assert (found.different_histogram == np.histogram(distances[~same], found.edges)[0]).all()


# --- properties ---

shapes = st.tuples(st.integers(0, 10_000), st.booleans(), st.integers(12, 30), st.integers(2, 8))


@settings(max_examples=25, deadline=None)
@given(shapes, st.integers(1, 40), st.randoms(use_true_random=False))
def test_neither_blocks_nor_the_order_of_images_matter(shape, block, random):
    seed, alone, num, people = shape
    material = drawn(seed, alone, num=num, people=people)
    try:
        found = verify(*material, num_hardest=5, cuts=[2.0])
    except ValueError:
        return
    order = random.sample(range(num), num)
    moved = verify(material[0][order], material[1][order], *material[2:], num_hardest=5, cuts=[2.0], block=block)
    for name in ("thresholds", "same", "different", "above", "same_histogram", "different_histogram"):
        np.testing.assert_array_equal(getattr(found, name), getattr(moved, name), err_msg=name)
    np.testing.assert_array_equal(found.hardest_same_distances, moved.hardest_same_distances)
    np.testing.assert_array_equal(found.hardest_different_distances, moved.hardest_different_distances)


@settings(max_examples=25, deadline=None)
@given(shapes, st.floats(0.1, 3))
def test_any_embeddings(shape, noise):
    seed, alone, num, people = shape
    material = drawn(seed, alone, num=num, people=people)
    generator = torch.Generator().manual_seed(seed)
    material = tuple(
        some + noise * torch.randn(some.shape, generator=generator) if some.ndim == 2 else some for some in material
    )
    distances, same = columns(listed(*material))
    if same.all() or not same.any():
        return
    found = verify(*material, block=8)
    assert found.auc == pytest.approx(roc_auc_score(same, -distances), abs=1e-9)
    far, tar, _ = roc_curve(same, -distances, drop_intermediate=False)
    assert found.eer == pytest.approx(crossing(far, tar), abs=1e-9)
    assert 0 <= found.eer <= 1
    assert 0 <= found.rank1 <= 1


# --- the bootstrap ---


def replicas(material, replicates, seed):
    """Distances and kinds of the pairs of each replicate, every pair written out as often as it weighs; and rank-1."""
    people, probe_people = material[1], (material[3] if len(material) > 2 else material[1])
    known = sorted({*people.tolist(), *probe_people.tolist()})
    draws = np.random.default_rng(seed).multinomial(len(known), [1 / len(known)] * len(known), size=replicates)
    for draw in draws:
        times = dict(zip(known, draw.tolist(), strict=True))
        distances, kinds = [], []
        for i, j, distance, same in listed(*material):
            one, other = times[int(people[i])], times[int(probe_people[j])]
            weight = one if same else one * other
            distances += [distance] * weight
            kinds += [same] * weight
        kinds = np.array(kinds, dtype=bool)
        if kinds.any() and not kinds.all():
            yield np.array(distances), kinds, times


@ALONE
def test_intervals_are_those_of_pairs_written_out(alone):
    material = drawn(5, alone, num=24, people=5)
    found = verify(*material, cuts=[2.5], replicates=30, seed=3, block=10)
    answers = {name: [] for name in ("eer", "auc", "acc", "acc_macro", "far", "frr", "tar")}
    for distances, same, _ in replicas(material, 30, 3):
        far, tar, _ = roc_curve(same, -distances, drop_intermediate=False)
        answers["eer"].append(crossing(far, tar))
        answers["auc"].append(roc_auc_score(same, -distances))
        answers["tar"].append(tar[far <= 0.1].max())
        for name, value in accuracies(distances, same, 2.5).items():
            answers[name].append(value)
    numbers = found.numbers(2.5)
    numbers["tar_interval"] = numbers["tar"]["0.1"]["interval"]
    for name, values in answers.items():
        assert numbers[f"{name}_interval"] == pytest.approx(np.percentile(values, [2.5, 97.5]).tolist(), abs=1e-9), name


@ALONE
def test_rank_one_of_a_replicate_weighs_by_person(alone):
    material = drawn(6, alone, num=24, people=6)
    found = verify(*material, replicates=8, seed=1)
    probe_people = material[3] if not alone else material[1]
    shares = []
    for _, _, times in replicas(material, 8, 1):
        total = hit = 0.0
        for person, weight in times.items():
            mine = (probe_people == person).nonzero().flatten().tolist()
            known = int((material[1] == person).sum()) > int(alone)
            if not mine or not known:
                continue
            for j in mine:
                others = [i for i in range(24) if not (alone and i == j)]
                probe = material[0] if alone else material[2]
                nearest = min(others, key=lambda i: (round(float((material[0][i] - probe[j]).square().sum())), i))
                total, hit = total + weight, hit + weight * bool(material[1][nearest] == person)
        shares.append(hit / total)
    assert found.rank1_replicates == pytest.approx(np.array(shares))


@pytest.mark.parametrize("people", [[0, 0, 1, 1], [0, 0, 1, 2]], ids=["one person drawn", "no same pair drawn"])
def test_replicates_without_pairs_of_both_kinds_are_left_out(people):
    material = torch.tensor([[0.0], [1.0], [1.5], [4.0]]), torch.tensor(people)
    found = verify(*material, replicates=200)
    kept = sum(1 for _ in replicas(material, 200, 0))
    assert 50 < kept < 150
    assert len(found.rank1_replicates) == len(found.same_replicates) == len(found.different_replicates) == kept
    assert np.isfinite(found.numbers(1.0)["eer_interval"]).all()


def test_no_interval_without_replicates_of_both_kinds():
    seed = next(seed for seed in range(99) if np.random.default_rng(seed).multinomial(2, [0.5, 0.5], 1).max() == 2)
    found = verify(torch.tensor([[0.0], [1.0], [4.0]]), torch.tensor([0, 0, 1]), replicates=1, seed=seed)
    assert len(found.rank1_replicates) == 0
    assert "eer_interval" not in found.numbers(1.0)
    assert found.tar_at(0.1)["interval"] is None


def test_a_thinned_grid_keeps_cuts_exact_and_the_rest_near(monkeypatch):
    material = tuple(some + torch.rand(some.shape) * 0.5 if some.ndim == 2 else some for some in drawn(7, num=60))
    kwargs = {"cuts": [2.5], "replicates": 20}
    full = verify(*material, **kwargs)
    monkeypatch.setattr(verification, "MOST_STEPS", 40)
    thin = verify(*material, **kwargs)
    assert len(thin.grid) <= 41 < len(full.grid)
    assert thin.eer == full.eer
    one, other = thin.numbers(2.5), full.numbers(2.5)
    for name in ("acc", "acc_macro", "far", "frr", "rank1"):
        assert one[f"{name}_interval"] == pytest.approx(other[f"{name}_interval"], abs=1e-12)
    assert one["auc_interval"] == pytest.approx(other["auc_interval"], abs=0.01)
    missing = float(np.setdiff1d(thin.thresholds, thin.grid)[0])
    assert thin.at(missing) == full.at(missing)
    with pytest.raises(ValueError, match="expected a cut, for an interval"):
        thin.numbers(missing)


def test_numbers_go_through_json():
    found = verify(*drawn(), cuts=[2.0], replicates=5)
    numbers = found.numbers(2.0)
    assert json.loads(json.dumps(numbers, allow_nan=False)) == numbers
    assert list(numbers["tar"]) == ["0.1", "0.01", "0.001", "0.0001"]
    names = {"eer", "auc", "rank1", "acc", "acc_macro", "far", "frr"}
    counts = {"tar", "num_same", "num_different", "num_people"}
    assert set(numbers) == names | {f"{name}_interval" for name in names} | counts
    assert set(verify(*drawn(), cuts=[2.0]).numbers(2.0)) == names | counts
    assert numbers["num_people"] == len(torch.cat([drawn()[1], drawn()[3]]).unique())


# --- the rules for a threshold ---


@ALONE
@SEEDS
def test_chosen_thresholds_are_as_good_as_any(seed, alone):
    material = drawn(seed, alone)
    distances, same = columns(listed(*material))
    found = verify(*material, cuts=[2.01, 3.3])
    everywhere = [-1.0, *np.unique(distances)]
    results = [accuracies(distances, same, candidate) for candidate in everywhere]

    def chosen(rule, far=None):
        threshold = found.threshold(rule, far)
        below, above = distances[distances <= threshold], distances[distances > threshold]
        if threshold > distances.min():
            assert below.max() in distances[same]
            assert threshold == (pytest.approx((below.max() + above.min()) / 2) if len(above) else below.max())
        return accuracies(distances, same, threshold)

    assert chosen("accuracy")["acc_macro"] == pytest.approx(max(result["acc_macro"] for result in results))
    at_same = [accuracies(distances, same, candidate) for candidate in np.unique(distances[same])]
    best = min(abs(result["far"] - result["frr"]) for result in at_same)
    result = chosen("eer")
    assert abs(result["far"] - result["frr"]) == pytest.approx(best)
    for far in (0, 0.001, 0.01, 0.1, 0.5, 1):
        result = chosen("far", far)
        assert result["far"] <= far
        assert result["frr"] == pytest.approx(min(some["frr"] for some in results if some["far"] <= far))
        assert 1 - result["frr"] == pytest.approx(found.tar_at(far)["value"])


def test_of_equal_thresholds_the_smallest():
    gallery = torch.tensor([[0.0], [1.0], [10.0], [14.0]])
    people = torch.tensor([0, 0, 1, 2])
    assert verify(gallery, people).threshold("accuracy") == 2.5  # between 1 and 4
    gallery = torch.tensor([[0.0], [1.0], [1.5], [10.0], [12.0]])  # same at 1 and 2, different at .5 and 1.5
    people = torch.tensor([0, 0, 1, 2, 2])
    found = verify(gallery, people)
    assert found.threshold("far", 0.0) == np.nextafter(0.5, 0)
    assert found.threshold("far", 0.125) == 1.25


def test_cuts_are_not_chosen():
    probe = torch.tensor([[1.0], [5.0], [2.0], [3.0], [4.0], [6.0]])
    material = torch.zeros(1, 1), torch.tensor([0]), probe, torch.tensor([0, 0, 1, 2, 3, 4])
    assert verify(*material).threshold("eer") == 1.5
    assert verify(*material, cuts=[3.5]).threshold("eer") == 1.5, "FAR and FRR are both a half at the cut"


def test_unknown_rules():
    found = verify(*drawn())
    for rule, far in (("best", None), ("far", None)):
        with pytest.raises(ValueError, match="expected accuracy, eer, or far with a rate"):
            found.threshold(rule, far)


# --- closed forms and errors ---


def test_people_far_apart():
    gallery = torch.tensor([[0.0, 0.0], [0.0, 1.0], [9.0, 0.0], [9.0, 1.0]])
    found = verify(gallery, torch.tensor([5, 5, 2, 2]), cuts=[4.0])
    assert (found.eer, found.auc, found.rank1) == (0, 1, 1)
    assert (found.num_same, found.num_different, found.num_people) == (2, 4, 2)
    assert found.at(4.0) == {"acc": 1, "acc_macro": 1, "far": 0, "frr": 0}
    for rule in ("accuracy", "eer", "far"):
        assert found.threshold(rule, 0.001) == 5.0


def test_all_embeddings_alike():
    found = verify(torch.ones(6, 4), torch.tensor([0, 0, 1, 1, 2, 2]), num_hardest=2)
    far, tar, _ = found.curve()
    assert (found.eer, found.auc) == (0.5, 0.5)
    assert (far.tolist(), tar.tolist()) == ([0, 1], [0, 1])
    assert found.threshold("accuracy") == 0.0
    assert found.threshold("far", 0.1) < 0
    assert found.hardest_different.tolist() == [[0, 2], [0, 3]]
    assert found.same_histogram.sum() == found.same_histogram[0] == 3


def test_an_image_is_not_compared_with_itself():
    gallery, people = torch.eye(3), torch.tensor([0, 0, 1])
    assert verify(gallery, people).num_same == 1
    assert verify(gallery, people, gallery, people).num_same == 5


@pytest.mark.parametrize(("people", "got"), [([0, 1, 2], "0 and 3"), ([4, 4, 4], "3 and 0")])
def test_pairs_of_one_kind_only(people, got):
    with pytest.raises(ValueError, match=f"expected pairs of the same person and of different people .* got {got}"):
        verify(torch.eye(3), torch.tensor(people))


def test_what_does_not_fit():
    gallery, people = torch.eye(3), torch.tensor([0, 0, 1])
    with pytest.raises(ValueError, match="both or neither"):
        verify(gallery, people, gallery)
    with pytest.raises(ValueError, match=r"as probe, of one D, got \[3, 2\] and \[3\]"):
        verify(gallery, people, gallery[:, :2], people)
    with pytest.raises(ValueError, match=r"as gallery, of one D, got \[3, 3\] and \[2\]"):
        verify(gallery, people[:2])
    with pytest.raises(ValueError, match="NaN or infinity in the gallery"):
        verify(gallery / 0, people)


# --- ten folds ---


def folded(material, seed, most):
    """The pairs of ten folds: drawn from the list of all pairs of a kind, dealt one by one."""
    generator = np.random.default_rng(seed)
    pairs = listed(*material)
    kinds = [[pair[2] for pair in pairs if pair[3] == kind] for kind in (True, False)]
    num = min(most, *map(len, kinds))
    folds = [[] for _ in range(10)]
    for kind, distances in zip((True, False), kinds, strict=True):
        for place, rank in enumerate(generator.choice(len(distances), num, replace=False)):
            folds[place % 10].append((distances[rank], kind))
    return folds, 2 * num


def share(pairs, threshold):
    return sum((distance <= threshold) == kind for distance, kind in pairs) / len(pairs)


@ALONE
@pytest.mark.parametrize("most", [25, 60, 3000])
def test_ten_folds_are_those_of_a_loop(alone, most):
    material = drawn(8, alone)
    folds, num = folded(material, 4, most)
    accuracies = []
    for test in range(10):
        train = [pair for fold in range(10) if fold != test for pair in folds[fold]]
        steps = sorted({distance for distance, _ in train})
        best = max(range(len(steps)), key=lambda k: (share(train, steps[k]), -k))
        upper = steps[best + 1] if best + 1 < len(steps) else steps[best]
        accuracies.append(share(folds[test], (steps[best] + upper) / 2))
    answer = verify_folds(*material, seed=4, most=most)
    assert answer["pairs"] == num
    assert answer["mean"] == pytest.approx(np.mean(accuracies))
    assert answer["error"] == pytest.approx(np.std(accuracies, ddof=1) / math.sqrt(10))


def test_ten_folds_are_facenets():
    """Facenet goes through thresholds 0.01 apart; here distances are so few that each occurs in every nine folds."""
    material = drawn(9, False, num=80, side=1, dim=2)
    folds, _ = folded(material, 0, 3000)
    steps = np.arange(0, 10, 0.01)
    accuracies = []
    for test in range(10):
        train = np.array([pair for fold in range(10) if fold != test for pair in folds[fold]])
        assert {distance for distance, _ in folds[test]} <= set(train[:, 0])
        scores = [np.mean((train[:, 0] < step) == train[:, 1]) for step in steps]
        held_out = np.array(folds[test])
        accuracies.append(np.mean((held_out[:, 0] < steps[np.argmax(scores)]) == held_out[:, 1]))
    assert verify_folds(*material)["mean"] == pytest.approx(np.mean(accuracies))


def test_ten_folds_need_ten_pairs():
    gallery = torch.arange(16.0)[:, None]
    with pytest.raises(ValueError, match=r"expected at least 10 pairs .* got 8 and 112"):
        verify_folds(gallery, torch.arange(16) // 2)
    with pytest.raises(ValueError, match="most=9"):
        verify_folds(gallery, torch.arange(16) // 4, most=9)
