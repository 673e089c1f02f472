"""People divided, drawn and compared: nobody is in two splits, and pairs are those that a double loop finds."""

import logging
from collections import Counter
from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from netgaze.data.faces import GLASSES, FaceData
from netgaze.data.images import Images

SEED = st.integers(0, 2**40)
FACTS = {"num_channels": 1, "image_size": 4, "mean": [0.5], "std": [0.25]}


class Made(FaceData):
    """So many photos of each person, in no order; each photo's pixels are its number, so that it is known again."""

    def __init__(self, sizes, worn=None, **arguments):
        options = {"num_val_people": 2, "num_test_people": 2, "num_classes": len(sizes)} | FACTS | arguments
        super().__init__(**options)
        labels = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
        self.order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
        self.who = labels[self.order]
        self.marks = {} if worn is None else {GLASSES: torch.tensor(worn)[self.order]}

    def photos(self):
        self.class_names = [f"p{person}" for person in range(self.num_classes)]
        numbers = torch.arange(len(self.who))
        pixels = torch.stack([numbers // 256, numbers % 256], 1).repeat_interleave(8, 1).reshape(-1, 1, 4, 4)
        return Images(pixels.to(torch.uint8), self.who, marks=self.marks)


def numbers_of(images):
    """Which photos these are."""
    return (images[:, 0, 0, 0].long() * 256 + images[:, 0, 3, 3].long()).tolist()


def seen(data, split):
    return set(data.labels(split).tolist())


def fewest(num):
    """Numbers of validation and test people that leave at least two of `num` to train on."""
    return st.tuples(st.integers(2, num - 4), st.integers(2, num - 4)).filter(lambda both: sum(both) <= num - 2)


DIVISIONS = st.integers(6, 25).flatmap(lambda num: st.tuples(st.just(num), fewest(num)))


@given(DIVISIONS, SEED, st.data())
def test_each_photo_is_in_one_split_and_nobody_in_two(division, seed, draw):
    num, (num_val, num_test) = division
    sizes = draw.draw(st.lists(st.integers(2, 5), min_size=num, max_size=num))
    data = Made(sizes, num_val_people=num_val, num_test_people=num_test, split_seed=seed)
    people = {split: seen(data, split) for split in ("train", "val", "test")}
    assert {split: len(some) for split, some in people.items()} == {
        "train": num - num_val - num_test,
        "val": num_val,
        "test": num_test,
    }
    assert len(set.union(*people.values())) == num
    found = [number for split in people for number in numbers_of(data.images(split))]
    assert sorted(found) == list(range(sum(sizes)))
    for split in people:
        assert data.who[numbers_of(data.images(split))].tolist() == data.labels(split).tolist()


@given(DIVISIONS, st.integers(0, 1000))
def test_folds_test_everyone_at_most_once(division, order):
    num, (num_val, num_test) = division
    folds = num // num_test
    options = {"num_val_people": num_val, "num_test_people": num_test}
    tested = [seen(Made([2] * num, split_seed=order * folds + fold, **options), "test") for fold in range(folds)]
    assert all(not first & second for first, second in combinations(tested, 2))
    assert len(set.union(*tested)) == folds * num_test


def test_the_next_folds_are_of_another_order():
    tested = [frozenset(seen(Made([2] * 20, num_test_people=4, split_seed=seed), "test")) for seed in range(50)]
    assert len(set(tested)) > 45
    for start in range(0, 50, 5):
        assert frozenset.union(*tested[start : start + 5]) == frozenset(range(20))
    people = Counter(person for some in tested[::5] for person in some)
    assert len(people) > 15, "first folds of ten orders test mostly different people"


def test_validation_changes_with_the_fold():
    assert len({frozenset(seen(Made([2] * 20, num_test_people=4, split_seed=seed), "val")) for seed in range(5)}) > 1


def test_the_seed_of_the_run_does_not_divide():
    prints = {Made([3] * 12, seed=seed).fingerprint for seed in range(3)}
    assert len(prints) == 1


@given(SEED, st.integers(0, 1000))
def test_glasses_in_the_test_alone(seed, drawn):
    worn = torch.rand(60, generator=torch.Generator().manual_seed(drawn)) < 0.5
    worn[::6] = worn[1::6] = False  # two photos of everyone are left
    some, everything = (Made([6] * 10, worn.tolist(), split_seed=seed, glasses=glasses) for glasses in ("test", "all"))
    assert torch.equal(some.images("test"), everything.images("test"))
    for split in ("train", "val"):
        whole = everything.splits[split]
        bare = whole.take((~whole.marks[GLASSES]).nonzero().flatten())
        assert torch.equal(some.images(split), bare.images)
        assert torch.equal(some.labels(split), bare.labels)
        assert not some.splits[split].marks[GLASSES].any()


def pairs(gallery, probe):
    """The pairs of a comparison, by the photos' places."""
    if probe is None:
        return {frozenset(pair) for pair in combinations(gallery.tolist(), 2)}
    return {frozenset((one, other)) for one in gallery.tolist() for other in probe.tolist()}


@given(SEED, st.lists(st.booleans(), min_size=24, max_size=24))
def test_comparisons_by_glasses_are_those_of_a_double_loop(seed, worn):
    data = Made([4] * 6, worn, split_seed=seed)
    for split in ("train", "val", "test"):
        marks = data.splits[split].marks[GLASSES].tolist()
        expected = {"all pairs": set(), "without glasses": set(), "with glasses": set(), "mixed": set()}
        for i in range(len(marks)):
            for j in range(i):
                name = "mixed" if marks[i] != marks[j] else "with glasses" if marks[i] else "without glasses"
                expected[name].add(frozenset((i, j)))
                expected["all pairs"].add(frozenset((i, j)))
        found = {name: pairs(*both) for name, both in data.comparisons(split).items()}
        if len(set(marks)) == 1:
            expected = {"all pairs": expected["all pairs"]}
        assert found == expected


def test_without_marks_all_pairs_are_compared():
    data = Made([4] * 6)
    assert list(data.comparisons("test")) == ["all pairs"]
    assert len(pairs(*data.comparisons("test")["all pairs"])) == 8 * 7 // 2


def test_who_has_a_single_image_is_named(caplog):
    whole = Made([3] * 12, num_val_people=3, num_test_people=4)
    few = {"train": 3, "val": 1, "test": 2}
    alone = {split: sorted(seen(whole, split))[:num] for split, num in few.items()}
    sizes = [1 if any(person in some for some in alone.values()) else 3 for person in range(12)]
    with caplog.at_level(logging.WARNING, "netgaze"):
        Made(sizes, num_val_people=3, num_test_people=4).setup()
    assert len(caplog.records) == 3
    said = {record.args[2]: record.getMessage() for record in caplog.records}
    for split, people in alone.items():
        names = said[split].rpartition(": ")[2].split(", ")
        assert f"{len(people)} people of {split} have a single image" in said[split]
        assert sorted(names) == [f"p{person}" for person in people]


def test_of_many_with_a_single_image_five_are_named(caplog):
    with caplog.at_level(logging.WARNING, "netgaze"):
        Made([1] * 14 + [3] * 16, split_seed=1).setup()
    (line,) = [record.getMessage() for record in caplog.records if record.args[2] == "train"]
    names = line.rpartition(": ")[2]
    assert names.endswith(" ...")
    assert len(set(names.removesuffix(" ...").split(", "))) == 5


def test_nobody_is_named_where_all_have_two(caplog):
    with caplog.at_level(logging.INFO, "netgaze"):
        Made([2] * 8).setup()
    assert not caplog.records


def sizes_with(split, num_images, seed=0):
    """Three photos of everyone, but `num_images` of the people of one split."""
    whole = Made([3] * 9, split_seed=seed)
    return [num_images if person in seen(whole, split) else 3 for person in range(9)]


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_split_without_any_pair(split, says):
    with says(rf"Made: the \d people of the {split} split who have images have one image each.*data\.split_seed"):
        Made(sizes_with(split, 1)).setup()


@pytest.mark.parametrize(("split", "left"), [("train", 0), ("val", 0), ("val", 1)])
def test_a_split_of_which_glasses_leave_nobody_to_compare(split, left, says):
    """All photos of its people, but for those of one, show glasses and are left out."""
    whole = Made([3] * 9)
    covered = sorted(seen(whole, split))[left:]
    worn = [person in covered for person in range(9) for _ in range(3)]
    with says(f"the {left} people of the {split} split who have images are too few"):
        Made([3] * 9, worn, glasses="test").setup()
    Made([3] * 9, worn).setup()


@pytest.mark.parametrize(("num", "num_val", "num_test"), [(5, 2, 2), (9, 2, 6), (9, 1, 2), (9, 2, 1), (9, 0, 2)])
def test_too_few_people(num, num_val, num_test, says):
    with says(rf"data\.num_val_people={num_val} and data\.num_test_people={num_test} .*of the {num} people of Made"):
        Made([3] * num, num_val_people=num_val, num_test_people=num_test).setup()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"glasses": "train"}, r"Unknown data\.glasses=train\. Choose all or test"),
        ({"images_per_person": 1}, r"data\.images_per_person=1 must be 2 or more"),
        ({"images_per_person": 4, "batch_size": 7}, r"data\.batch_size=7 at least twice that"),
        ({"gradual_epochs": -1}, r"data\.gradual_epochs=-1 must be 0 or more"),
    ],
)
def test_wrong_settings(changes, words, says):
    with says(words):
        Made([3] * 9, **changes)


@pytest.mark.parametrize("changes", [{"glasses": "test"}, {"gradual_epochs": 3}], ids=str)
def test_glasses_of_a_set_that_does_not_know_them(changes, says):
    with says(r"Made does not say who wears glasses\. Leave data\.glasses and gradual_epochs out"):
        Made([3] * 9, **changes).train_dataloader()


@pytest.mark.parametrize(("per_person", "people"), [(2, 4), (3, 2), (6, 3)])
def test_a_training_batch_is_p_people_with_k_images_each(per_person, people):
    data = Made([6] * 16, images_per_person=per_person, batch_size=per_person * people)
    assert len(seen(data, "train")) == 12
    batches = list(data.train_dataloader())
    found = [number for batch in batches for number in numbers_of(batch.images)]
    assert sorted(found) == sorted(numbers_of(data.images("train")))
    for batch in batches:
        assert Counter(Counter(batch.labels.tolist()).values()) == {per_person: people}
        assert data.who[numbers_of(batch.images)].tolist() == batch.labels.tolist()


def test_training_batches_by_seed_rank_and_world():
    def drawn(seed=0, rank=0, world=1, batch_size=6):
        data = Made([6] * 12, images_per_person=3, batch_size=batch_size, seed=seed)
        return [batch.tolist() for batch in data.training_batches(data.labels("train"), rank, world)]

    assert drawn() == drawn()
    assert drawn() != drawn(seed=1)
    both = zip(drawn(rank=0, world=2), drawn(rank=1, world=2), strict=True)
    assert [sorted(one + other) for one, other in both] == [sorted(batch) for batch in drawn(batch_size=12)]


def test_glasses_come_in_over_epochs():
    """In epoch e a share of (e + 1) / 5 of those with glasses, from epoch 4 on all; those without always."""
    worn = [photo % 2 == 1 for photo in range(40 * 20)]
    data = Made([20] * 40, worn, gradual_epochs=4, images_per_person=4, batch_size=16)
    whole = data.splits["train"]
    sampler = data.training_batches(whole.labels, 0, 1)
    marked = set(whole.marks[GLASSES].nonzero().flatten().tolist())
    assert len(marked) == len(whole) // 2
    for epoch in (0, 1, 2, 3, 4, 9):
        sampler.set_epoch(epoch)
        drawn = {index for batch in sampler for index in batch.tolist()}
        assert len(drawn - marked) > 0.99 * (len(whole) - len(marked))
        assert len(drawn & marked) / len(marked) == pytest.approx(min(1, (epoch + 1) / 5), abs=0.06)
    assert drawn == set(range(len(whole)))


@pytest.mark.parametrize("gradual", [0, 2])
def test_too_few_people_with_two_images_to_make_a_batch(gradual, says):
    """One person has two bare photos; with glasses there are more, but those come later."""
    whole = Made([4] * 9)
    (kept, *others), sizes = sorted(seen(whole, "train")), [4] * 9
    worn = [person in others for person in range(9) for _ in range(4)]
    if not gradual:
        sizes = [1 if person in others else 4 for person in range(9)]
        worn = [False] * sum(sizes)
    data = Made(sizes, worn, gradual_epochs=gradual)
    assert kept in seen(data, "train")
    without = " without glasses" if gradual else ""
    with says(rf"1 of the people to train on have two images{without}, and a batch shows two such people"):
        data.train_dataloader()


def test_one_image_of_each_is_no_batch(says):
    with says("0 of the people to train on have two images.*data.per_class"):
        Made([4] * 9, per_class=1).train_dataloader()


def odd(sizes, **changes):
    """Marks that say whether a photo's number is odd, and another."""
    data = Made(sizes, **changes)
    numbers = torch.arange(len(data.who))
    data.marks = {GLASSES: numbers % 2 == 1, "third": numbers % 3 == 0}
    return data


@pytest.mark.parametrize("changes", [{}, {"limit": 20}, {"per_class": 2}, {"limit": 30, "per_class": 2}], ids=str)
def test_marks_stay_with_their_photos(changes):
    data = odd([7] * 9, **changes)
    for part in data.splits.values():
        numbers = torch.tensor(numbers_of(part.images))
        assert part.marks[GLASSES].tolist() == (numbers % 2 == 1).tolist()
        assert part.marks["third"].tolist() == (numbers % 3 == 0).tolist()
    assert len(data.splits["train"]) == {"": 35, "limit": 20, "per_class": 10, "limitper_class": 10}["".join(changes)]


def test_take():
    whole = odd([7] * 9).splits["train"]
    index = torch.tensor([5, 0, 0, 12])
    part = whole.take(index)
    assert part.marks.keys() == whole.marks.keys()
    for name, mark in whole.marks.items():
        assert part.marks[name].tolist() == [bool(mark[place]) for place in index]
    assert whole.take(torch.zeros(0, dtype=torch.long)).marks[GLASSES].shape == (0,)


def test_marks_are_in_the_fingerprint():
    same, again, other, renamed, gone = (odd([7] * 9) for _ in range(5))
    other.marks["third"] = other.marks["third"].clone()
    other.marks["third"][17] ^= True
    renamed.marks["second"] = renamed.marks.pop("third")
    del gone.marks["third"]
    prints = [data.fingerprint for data in (same, again, other, renamed, gone)]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 4
    assert len({data.eval_fingerprint for data in (same, other, gone)}) == 1


@pytest.mark.parametrize("changes", [{"sampler": "sqrt"}, {"sampler": "uniform"}, {"epoch_size": 20}], ids=str)
def test_batches_of_people_are_not_resampled(changes, says):
    with says("are not for faces, whose batches are drawn by people"):
        Made([4] * 10, **changes)


def test_training_on_faces_may_be_uneven_and_partly_wrong():
    data, clean = Made([8] * 10, long_tail=4, label_noise=0.5), Made([8] * 10)
    assert sorted(data.true_labels("train").unique(return_counts=True)[1].tolist()) == [2, 2, 3, 4, 6, 8]
    assert data.true_labels("train").tolist() == data.who[numbers_of(data.images("train"))].tolist()
    assert data.labels("train").tolist() != data.true_labels("train").tolist()
    for split in ("val", "test"):
        assert torch.equal(data.images(split), clean.images(split))
        assert torch.equal(data.labels(split), clean.labels(split))
    assert len(list(data.training_batches(data.labels("train"), 0, 1)))
