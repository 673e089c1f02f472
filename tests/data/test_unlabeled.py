"""Few labels, wrong labels, uneven classes: what is trained on, and what is left without a label."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from netgaze.data.augment import Augment
from netgaze.data.base import ImageData
from netgaze.data.digits import Digits
from netgaze.data.images import Images
from netgaze.data.sampler import PlainBatches, ResampledBatches
from netgaze.errors import NetgazeError
from netgaze.pseudo_labels import PseudoLabels

FACTS = {"num_classes": 3, "num_channels": 1, "image_size": 4, "mean": [0.5], "std": [0.2]}

DIGITS = {"num_classes": 10, "num_channels": 1, "image_size": 32, "mean": [0.3], "std": [0.4]}


class Numbered(ImageData):
    """300 images for training, whose every pixel is the image's number; 30 to validate and 30 to test by."""

    def load(self):
        self.class_names = ["a", "b", "c"]
        numbers = torch.arange(360)
        pixels = torch.stack([numbers // 256, numbers % 256], dim=1).to(torch.uint8)
        images = pixels.repeat(1, 8).view(360, 1, 4, 4)
        worn = numbers % 2 == 0
        parts = {"train": slice(0, 300), "val": slice(300, 330), "test": slice(330, 360)}
        return {
            name: Images(images[part], numbers[part] % 3, marks={"even": worn[part]}) for name, part in parts.items()
        }


def numbered(**changes):
    return Numbered(**FACTS | changes)


def numbers(images: torch.Tensor) -> list[int]:
    return (images[:, 0, 0, 0].long() * 256 + images[:, 0, 0, 1]).tolist()


FEW = [
    {"per_class": 10},
    {"labeled_fraction": 0.1},
    {"labeled_fraction": 0.5, "long_tail": 5},
    {"per_class": 4, "limit": 60},
]


@pytest.mark.parametrize("few", FEW, ids=str)
class TestUnlabeled:
    def test_with_the_labeled_ones_they_are_the_whole(self, few):
        data = numbered(**few)
        whole = numbered(**{name: value for name, value in few.items() if name in ("limit", "long_tail")})
        labeled, unlabeled = numbers(data.images("train")), numbers(data.images("unlabeled"))
        assert sorted(labeled + unlabeled) == numbers(whole.images("train"))
        assert unlabeled == sorted(unlabeled)
        assert numbers(data.images("val")) == numbers(whole.images("val"))
        assert numbers(data.images("test")) == numbers(whole.images("test"))
        assert set(data.splits) == {"train", "val", "test"}

    def test_nobody_is_told_their_labels(self, few):
        data = numbered(**few)
        given = data.labels("unlabeled")
        assert given.dtype == torch.int64
        assert given.tolist() == [-1] * len(data.images("unlabeled"))
        assert torch.cat([batch.labels for batch in data.batches("unlabeled", 7)]).tolist() == given.tolist()

    def test_who_judges_knows_them(self, few):
        data = numbered(**few)
        assert data.true_labels("unlabeled").tolist() == [number % 3 for number in numbers(data.images("unlabeled"))]

    def test_all_ways_to_an_image_agree(self, few):
        data = numbered(**few, augment=Augment(flip=True))
        images = data.images("unlabeled")
        assert torch.equal(data.images("unlabeled", [5, 0, 5]), images[[5, 0, 5]])
        assert torch.equal(data.images("unlabeled", torch.tensor([2])), images[2:3])
        assert torch.equal(data.images("unlabeled", np.array([3, 1])), images[[3, 1]])
        assert torch.equal(torch.cat([batch.images for batch in data.batches("unlabeled", 7)]), data.normalize(images))

    def test_another_seed_takes_other_labels_away(self, few):
        first, again, other = (numbered(**few, seed=seed).unlabeled_digest for seed in (0, 0, 1))
        assert first == again != other


def test_no_pixel_is_copied_before_it_is_asked_for():
    data = numbered(per_class=10)
    part = data._split("unlabeled")
    assert part.labeled.whole.data_ptr() == data.splits["train"].whole.data_ptr()
    part.labeled.whole[part.labeled.index[3]] = 77
    assert (data.images("unlabeled", [3]) == 77).all()


def test_the_digest_follows_pixels_and_order_not_labels():
    data = numbered(per_class=10)
    part, known = data._split("unlabeled"), data.unlabeled_digest
    assert known == numbered(per_class=10, mean=[0.1]).unlabeled_digest
    assert known == replace(part, labeled=replace(part.labeled, labels=part.labels.flip(0))).digest
    assert known != replace(part, labeled=replace(part.labeled, index=part.labeled.index.flip(0))).digest
    part.labeled.whole[part.labeled.index[0], 0, 0, 0] += 1
    assert known != replace(part).digest


def test_masks_of_unlabeled_images():
    class Masked(Numbered):
        def load(self):
            splits = super().load()
            masks = torch.zeros(2, 4, 4, dtype=torch.bool)
            masks[0, 0], masks[1, 3] = True, True
            mask_of = torch.full((300,), -1)
            mask_of[[107, 208]] = torch.tensor([1, 0])
            train = splits["train"]
            return splits | {"train": Images(train.images, train.labels, masks, mask_of)}

    data = Masked(**FACTS, per_class=10, seed=1)
    there, masks = data.masks("unlabeled")
    assert numbers(data.images("unlabeled", there)) == [107, 208], "so drawn that both are unlabeled"
    assert masks[0, 3].all()
    assert masks[1, 0].all()
    assert masks.sum() == 8


@pytest.mark.parametrize("ask", ["images", "labels", "true_labels", "batches", "digest"])
def test_where_all_have_labels_it_is_said(ask, says):
    data = numbered()
    with says("Numbered has no unlabeled images: give data.per_class=100 or data.labeled_fraction=0.1"):
        if ask == "digest":
            _ = data.unlabeled_digest
        else:
            list(getattr(data, ask)("unlabeled"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"per_class": 3, "labeled_fraction": 0.2}, "Give one, and null for the other"),
        ({"pseudo_labels": "a"}, "needs unlabeled images, but there are none"),
        ({"sampler": "often"}, "Unknown data.sampler=often"),
        ({"epoch_size": 0}, "data.epoch_size=0 must be 1 or more"),
        ({"long_tail": 0.5}, "data.long_tail=0.5"),
        ({"labeled_fraction": 1.0}, "data.labeled_fraction=1.0"),
        ({"labeled_fraction": 0.005}, "fewer than one for each of the 3 classes"),
        ({"label_noise": -0.5}, "data.label_noise=-0.5"),
        ({"per_class": 21, "long_tail": 5}, "data.per_class=21 must be from 1 to 20"),
    ],
    ids=str,
)
def test_what_cannot_be_is_said(changes, words, says):
    with says(words):
        numbered(**changes).setup()


class TestNoise:
    def test_only_what_is_trained_on_is_wrong(self):
        data, clean = numbered(label_noise=0.6), numbered()
        wrong = data.labels("train") != clean.labels("train")
        assert 90 < int(wrong.sum()) < 150, "180 drawn anew, of which a third stays by chance"
        for split in ("val", "test"):
            assert torch.equal(data.labels(split), clean.labels(split))
        assert torch.equal(data.images("train"), clean.images("train"))
        assert data.fingerprint != clean.fingerprint
        assert data.eval_fingerprint == clean.eval_fingerprint
        assert torch.equal(data.true_labels("train"), clean.labels("train"))

    def test_it_follows_from_the_seed(self):
        draws = [numbered(label_noise=0.5, seed=seed).labels("train") for seed in (0, 0, 1)]
        assert torch.equal(draws[0], draws[1])
        assert not torch.equal(draws[0], draws[2])

    def test_marks_stay_with_their_images(self):
        data = numbered(label_noise=0.5, per_class=20)
        even = [number % 2 == 0 for number in numbers(data.images("train"))]
        assert data.splits["train"].marks["even"].tolist() == even
        assert data.labels("train").tolist() != data.true_labels("train").tolist()


def test_a_long_tail_is_of_training_alone_and_a_fact_of_the_data():
    data, other, again = (numbered(long_tail=10, **more) for more in ({}, {"split_seed": 1}, {"seed": 1}))
    assert data.labels("train").bincount().tolist() == [100, 31, 10]
    assert data.labels("val").bincount().tolist() == [10, 10, 10]
    assert numbers(data.images("train")) == numbers(again.images("train")) != numbers(other.images("train"))


@pytest.fixture
def labeled(tmp_path):
    """write(data, index, label, **changes): a folder with a file of pseudo-labels."""

    def write(data, index, label, **changes):
        index, label = (torch.tensor(values, dtype=torch.int64) for values in (index, label))
        facts = {"unlabeled": data.unlabeled_digest, "class_names": tuple(data.class_names)} | changes
        PseudoLabels(index, label, torch.ones(len(index)), torch.arange(len(index)), **facts).write(tmp_path)
        return str(tmp_path)

    return write


class TestPseudoLabels:
    def test_they_are_what_is_trained_on(self, labeled):
        teacher = numbered(per_class=10)
        path = labeled(teacher, [4, 9, 4], [2, 0, 1])
        data = numbered(per_class=10, pseudo_labels=path)
        assert torch.equal(data.images("train"), teacher.images("unlabeled", [4, 9, 4]))
        assert data.labels("train").tolist() == [2, 0, 1]
        assert torch.equal(data.true_labels("train"), teacher.true_labels("unlabeled")[[4, 9, 4]])
        assert data.unlabeled_digest == teacher.unlabeled_digest
        assert data.fingerprint != teacher.fingerprint
        assert data.eval_fingerprint == teacher.eval_fingerprint
        assert torch.equal(data.images("unlabeled"), teacher.images("unlabeled"))

    def test_the_file_itself_will_do(self, labeled):
        path = labeled(numbered(per_class=10), [4], [2])
        assert numbered(per_class=10, pseudo_labels=f"{path}/pseudo_labels.npz").labels("train").tolist() == [2]

    def test_noise_comes_after_them(self, labeled):
        path = labeled(numbered(per_class=10), list(range(90)), [0, 1, 2] * 30)
        data = numbered(per_class=10, pseudo_labels=path, label_noise=1.0)
        assert data.labels("train").tolist() != [0, 1, 2] * 30

    @pytest.mark.parametrize("changes", [{"seed": 1}, {"per_class": 11}, {"limit": 200}, {"long_tail": 2}], ids=str)
    def test_labels_of_other_images_are_refused(self, labeled, changes, says):
        path = labeled(numbered(per_class=10), [4], [2])
        with says("the labels are of other images. Give the same data"):
            numbered(**{"per_class": 10, "pseudo_labels": path} | changes).setup()

    def test_labels_of_other_classes_are_refused(self, labeled, says):
        teacher = numbered(per_class=10)
        path = labeled(teacher, [4], [2], class_names=("b", "a", "c"))
        with says("the labels are of other images"):
            numbered(per_class=10, pseudo_labels=path).setup()

    @pytest.mark.parametrize(("index", "words"), [([], "no image"), ([3, 270], "images beyond the 270 unlabeled ones")])
    def test_a_file_that_names_none_or_others_is_refused(self, labeled, index, words, says):
        path = labeled(numbered(per_class=10), index, [0] * len(index))
        with says(f"names {words}. Let its run write it again"):
            numbered(per_class=10, pseudo_labels=path).setup()

    def test_where_there_is_none_it_is_said(self, tmp_path):
        with pytest.raises(NetgazeError, match="There are no pseudo-labels"):
            numbered(per_class=10, pseudo_labels=str(tmp_path)).setup()


class TestSampler:
    def test_what_nobody_asked_for_stays_as_it_was(self):
        data = numbered(seed=3, batch_size=16)
        batches = data.training_batches(data.labels("train"), 0, 1)
        assert type(batches) is PlainBatches
        expected = PlainBatches(300, 16, shuffle=True, drop_last=True, seed=3)
        assert all(map(torch.equal, batches, expected))

    @pytest.mark.parametrize(
        ("changes", "power"),
        [({"sampler": "sqrt"}, 0.5), ({"sampler": "uniform"}, 0.0), ({"epoch_size": 50}, 1.0)],
        ids=str,
    )
    def test_asked_for(self, changes, power):
        data = numbered(**changes, batch_size=1, long_tail=10)
        batches, num = data.training_batches(data.labels("train"), 0, 1), changes.get("epoch_size", 141)
        assert isinstance(batches, ResampledBatches)
        weights = torch.tensor([100.0, 31.0, 10.0]) ** power
        counts = data.labels("train")[torch.cat(list(batches))].bincount()
        assert (counts - num * weights / weights.sum()).abs().max() < 1
        assert len(list(data.train_dataloader())) == num

    def test_batches_are_full(self):
        data = numbered(epoch_size=50, batch_size=8)
        assert [len(index) for index in data.training_batches(data.labels("train"), 0, 1)] == [8] * 6

    def test_a_small_epoch_is_a_batch_that_is_not_full(self):
        data = numbered(epoch_size=5, batch_size=8)
        assert [len(index) for index in data.training_batches(data.labels("train"), 0, 1)] == [5]

    def test_features_are_drawn_as_images_are(self):
        data = Digits(**DIGITS, limit=100, sampler="uniform", long_tail=5, batch_size=4, epoch_size=40)
        features = {split: data.images(split).flatten(1).float()[None] for split in ("train", "val", "test")}
        labels = torch.cat([batch.labels for batch in data.with_features(features).train_dataloader()])
        assert labels.bincount().tolist() == [4] * 10
