"""Splits, facts, normalization, views and loaders of every data set."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytorch_lightning import Trainer
from torchvision.transforms.functional import resize

from netgaze.batch import Batch
from netgaze.data.augment import Augment
from netgaze.data.base import ImageData
from netgaze.data.images import Images
from netgaze.data.splits import draw_stratified, fit_share, hold_out
from netgaze.errors import NetgazeError

FACTS = {"num_classes": 3, "num_channels": 3, "image_size": 8, "mean": (0.5, 0.4, 0.3), "std": (0.2, 0.25, 0.3)}
LABELS = st.lists(st.integers(0, 5), min_size=1, max_size=120).map(torch.tensor)


class Tiny(ImageData):
    """Sixty random images."""

    def load(self):
        self.class_names = ["a", "b", "c"]
        generator = torch.Generator().manual_seed(0)
        images = torch.randint(256, (60, 3, 8, 8), dtype=torch.uint8, generator=generator)
        labels = torch.arange(60) % 3
        return {"train": Images(images, labels), "test": Images(images[:9], labels[:9])}


def tiny(**changes):
    return Tiny(**(FACTS | {"num_val": 12, "batch_size": 8} | changes))


@given(LABELS, st.data(), st.integers(0, 1000))
def test_stratified_counts_are_exact_and_fair(labels, data, seed):
    num = data.draw(st.integers(0, len(labels)))
    chosen = draw_stratified(labels, num, seed)
    assert len(chosen.unique()) == len(chosen) == num
    counts = labels.bincount()[labels.unique()]
    drawn = labels[chosen].bincount(minlength=int(labels.max()) + 1)[labels.unique()]
    shares = counts * num / len(labels)
    if num < len(counts) or shares.min() >= 1:
        assert (drawn - shares).abs().max() < 1 + 1e-6
    else:  # one a class comes first, at the cost of the others' shares
        assert drawn.min() >= 1
    assert torch.equal(chosen, draw_stratified(labels, num, seed))


@given(LABELS, st.data())
def test_held_out_is_a_partition(labels, data):
    classes, counts = labels.unique(return_counts=True)
    able = counts[counts > 1]
    if not len(able):
        with pytest.raises(NetgazeError, match="each class has a single image"):
            hold_out(labels, len(classes), 0, "data.num_val")
        return
    num = data.draw(st.integers(len(able), int(able.sum()) - len(able)))
    stays, out = hold_out(labels, num, 0, "data.num_val")
    assert torch.equal(torch.cat([stays, out]).sort().values, torch.arange(len(labels)))
    assert len(out) == num
    assert torch.equal(labels[stays].unique(), classes), "each class stays"
    assert torch.equal(labels[out].unique(), classes[counts > 1]), "and is held out, if it has two"


@given(LABELS, st.integers(-5, 500))
def test_a_share_that_fits_can_be_held_out(labels, num):
    if labels.unique(return_counts=True)[1].max() > 1:
        fitting = fit_share(labels, num)
        assert len(hold_out(labels, fitting, 0, "data.num_val")[1]) == fitting
        assert fitting == num or abs(fitting - num) == min(
            abs(other - num) for other in range(len(labels)) if _can_be_held_out(labels, other)
        )


def test_the_last_image_of_a_class_is_not_held_out():
    labels = torch.tensor([0] * 2 + [1] * 98)
    stays, out = hold_out(labels, 98, 0, "data.num_val")
    assert labels[stays].tolist() == [0, 1]
    assert labels[out].bincount().tolist() == [1, 97]


def _can_be_held_out(labels, num):
    try:
        return len(hold_out(labels, num, 0, "")[1]) == num
    except NetgazeError:
        return False


@pytest.mark.parametrize("num", [-1, 2, 58, 60])
def test_too_few_or_too_many_held_out(num):
    with pytest.raises(NetgazeError, match=f"data.num_val={num}"):
        tiny(num_val=num).setup()


def test_without_validation_all_images_are_trained_on():
    data = tiny(num_val=0)
    assert len(data.labels("val")) == 0
    assert torch.equal(data.images("train"), data.load()["train"].images)


def test_another_split_seed_holds_out_other_images():
    assert not torch.equal(tiny().images("val"), tiny(split_seed=1).images("val"))
    assert torch.equal(tiny().images("val"), tiny(seed=1).images("val"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_classes": 4}, "3 classes, but data.num_classes=4"),
        ({"image_size": 9}, "data.image_size"),
        ({"mean": (0.5, 0.5)}, "data.mean"),
        ({"limit": 2}, "data.limit=2"),
        ({"image_size": 0}, "data.image_size=0 must be 1 or more"),
        ({"num_channels": 2}, "Choose 3 .color. or 1 .gray."),
        ({"std": (0,)}, "must be above 0"),
        ({"split_seed": -1}, "data.split_seed=-1 must be 0 or more"),
    ],
    ids=str,
)
def test_wrong_facts_are_said(changes, words):
    with pytest.raises(NetgazeError, match=words):
        tiny(**changes).setup()


def test_limit_keeps_shares():
    data = tiny(limit=6)
    assert torch.bincount(data.labels("train")).tolist() == [2, 2, 2]
    assert len(data.labels("test")) == 6


def test_normalize():
    data = tiny()
    images = data.images("test")
    mean, std = (torch.tensor(FACTS[name]).view(-1, 1, 1) for name in ("mean", "std"))
    result = data.normalize(images)
    torch.testing.assert_close(result, (images / 255 - mean) / std)
    assert result.is_contiguous(memory_format=torch.channels_last)
    assert images.dtype == torch.uint8


def test_batches_are_the_split_in_order():
    data = tiny()
    batches = list(data.batches("train", batch_size=7))
    assert torch.equal(torch.cat([batch.images for batch in batches]), data.normalize(data.images("train")))
    assert torch.equal(torch.cat([batch.labels for batch in batches]), data.labels("train"))
    assert torch.cat([batch.index for batch in batches]).tolist() == list(range(len(data.labels("train"))))
    assert {len(batch.views) for batch in batches} == {1}


def test_fingerprint_follows_content_and_normalization():
    assert tiny().fingerprint == tiny().fingerprint
    assert tiny().fingerprint != tiny(split_seed=1).fingerprint
    assert tiny().fingerprint != tiny(mean=(0.1, 0.1, 0.1)).fingerprint


def test_only_training_batches_are_augmented():
    data = tiny(augment=Augment(cutout=8))
    data.trainer = Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
    batch = data.splits["train"][torch.arange(4)]
    plain = data.normalize(batch.images)
    data.trainer.testing = True
    assert torch.equal(data.on_after_batch_transfer(batch, 0).images, plain)
    data.trainer.training = True
    assert not torch.equal(data.on_after_batch_transfer(batch, 0).images, plain)


class TestViews:
    """Of a training batch as many as the task asks for, each image and each view by its own draw."""

    def in_training(self, **changes):
        data = tiny(augment=Augment(crop_padding=2), **changes)
        data.trainer = Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
        data.trainer.training = True
        return data

    def test_each_image_and_each_view_has_its_own_draw(self):
        data = self.in_training()
        one = data.splits["train"][torch.arange(1)].images
        batch = Batch((one.expand(40, -1, -1, -1),), torch.zeros(40, dtype=torch.int64), torch.arange(40))
        data.num_views = 3
        views = data.on_after_batch_transfer(batch, 0).views
        assert len(views) == 3
        for view in views:
            assert len(view.unique(dim=0)) > 12, "of 25 windows"
        for first, second in combinations(views, 2):
            assert (first != second).flatten(1).any(dim=1).float().mean() > 0.8

    @pytest.mark.parametrize("num_views", [1, 2])
    def test_the_first_view_is_drawn_as_if_there_were_no_other(self, num_views):
        data = self.in_training()
        data.num_views = num_views
        batch = data.splits["train"][torch.arange(16)]
        torch.manual_seed(3)
        expected = data.normalize(data.augment(batch.images, data.window))
        torch.manual_seed(3)
        assert torch.equal(data.on_after_batch_transfer(batch, 0).images, expected)

    def test_outside_training_one_view_is_the_image_and_several_are_always_the_same(self):
        data = self.in_training()
        data.trainer.training, data.trainer.validating = False, True
        batch = data.splits["val"][torch.arange(5)]
        (only,) = data.on_after_batch_transfer(batch, 0).views
        assert torch.equal(only, data.normalize(batch.images))
        data.num_views = 2
        state = torch.random.get_rng_state()
        first, second = data.on_after_batch_transfer(batch, 0).views
        assert torch.equal(torch.random.get_rng_state(), state)
        assert not torch.equal(first, second)
        torch.manual_seed(9)
        again = data.on_after_batch_transfer(batch, 0).views
        assert torch.equal(first, again[0])
        assert torch.equal(second, again[1])

    @pytest.mark.parametrize("changes", [{}, {"per_class": 8}], ids=str)
    def test_the_index_is_the_place_in_the_training_split(self, changes):
        data = self.in_training(**changes)
        whole, seen = data.splits["train"], []
        for batch in data.train_dataloader():
            shown = data.on_after_batch_transfer(batch, 0)
            assert shown.index is batch.index
            assert torch.equal(batch.images, whole.images[batch.index])
            assert torch.equal(batch.labels, whole.labels[batch.index])
            seen += batch.index.tolist()
        assert sorted(seen) == list(range(len(whole)))

    def test_a_batch_moves_as_a_whole(self):
        batch = tiny().splits["train"][torch.arange(4)]
        moved = replace(batch, views=batch.views * 2).to("meta")
        assert len(moved) == 4
        assert [part.device.type for part in (*moved.views, moved.labels, moved.index)] == ["meta"] * 4


class TestStoredSmaller:
    """Images are kept as they are stored, and enlarged a batch at a time."""

    def test_all_ways_to_an_image_agree(self):
        data = tiny(image_size=20, stored_size=8, augment=Augment())
        whole = resize(data.splits["test"].images, [20, 20], antialias=False)
        assert data.splits["test"].images.shape[-1] == data.window == 8
        assert (data.images("test").int() - whole.int()).abs().max() <= 1
        assert torch.equal(data.images("test", [4, 2]), data.images("test")[[4, 2]])
        assert torch.equal(
            torch.cat([batch.images for batch in data.batches("test", 2)]), data.normalize(data.images("test"))
        )
        data.trainer = Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
        data.trainer.training = True
        batch = data.on_after_batch_transfer(data.splits["test"][torch.arange(9)], 0)
        assert torch.equal(batch.images, data.normalize(data.images("test")))

    def test_augmented_before_they_are_enlarged(self):
        asked = []

        class Mirror(Augment):
            def __call__(self, images, size, index, epoch, seed):
                asked.append((tuple(images.shape), size, index.tolist()))
                return images.flip(3)

        data = tiny(image_size=20, stored_size=8, augment=Mirror())
        batch = next(data.batches("test", 4, augmented=True)).images
        assert asked == [((4, 3, 8, 8), 8, [0, 1, 2, 3])]
        assert torch.allclose(batch, data.normalize(data.images("test")[:4]).flip(3), atol=0.02)

    def test_masks_are_enlarged_too(self):
        class Masked(Tiny):
            def load(self):
                splits = super().load()
                for split in splits.values():
                    split.masks, split.mask_of = torch.zeros(1, 8, 8, dtype=torch.bool), torch.full((len(split),), -1)
                    split.masks[0, 2:4, 4:8], split.mask_of[3] = True, 0
                return splits

        data = Masked(**FACTS | {"num_val": 12, "image_size": 16, "stored_size": 8})
        there, masks = data.masks("test")
        expected = torch.zeros(1, 16, 16, dtype=torch.bool)
        expected[0, 4:8, 8:16] = True
        assert there.tolist() == [3]
        assert torch.equal(masks, expected)

    def test_who_is_eval_fingerprint_the_same_images(self):
        small, large = tiny(), tiny(image_size=20, stored_size=8)
        assert small.eval_fingerprint == large.eval_fingerprint, "the same photos, enlarged"
        assert small.fingerprint != large.fingerprint, "but features are other ones"


def test_loaders_leave_the_global_generator_alone():
    data = tiny()
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    assert len(list(data.train_dataloader())) == 6
    assert sum(len(batch) for batch in data.val_dataloader()) == 12
    assert torch.rand(1) == expected


def test_so_many_of_each_class_another_draw_a_seed():
    first, second, whole = tiny(per_class=4, seed=0), tiny(per_class=4, seed=1), tiny()
    for data in (first, second):
        assert data.labels("train").bincount().tolist() == [4, 4, 4]
        assert torch.equal(data.images("val"), whole.images("val"))
        assert torch.equal(data.images("test"), whole.images("test"))
        given = {image.numpy().tobytes() for image in whole.images("train")}
        assert all(image.numpy().tobytes() in given for image in data.images("train"))
    assert not torch.equal(first.images("train"), second.images("train"))
    assert torch.equal(first.images("train"), tiny(per_class=4, seed=0).images("train"))


def test_networks_of_other_draws_are_eval_fingerprint_the_same_images():
    first, second = tiny(per_class=4, seed=0), tiny(per_class=4, seed=1)
    assert first.fingerprint != second.fingerprint
    assert first.eval_fingerprint == second.eval_fingerprint
    assert first.eval_fingerprint != tiny(split_seed=5).eval_fingerprint


@pytest.mark.parametrize("num", [0, 17])
def test_more_of_each_class_than_there_are(num):
    with pytest.raises(NetgazeError, match=f"data.per_class={num} must be from 1 to 16"):
        tiny(per_class=num).setup()


def test_images_have_numbers_by_which_they_are_known_again():
    data, other = tiny(), tiny(per_class=2, seed=1)
    numbers, others = data.number_images("train"), other.number_images("train")
    assert numbers.dtype == np.uint64
    images, fewer = (each.images("train").flatten(1).tolist() for each in (data, other))
    assert len(fewer) < len(images)
    for image, number in zip(fewer, others, strict=True):
        assert number == numbers[images.index(image)]
    assert (numbers[:, None] == numbers).tolist() == [[one == two for two in images] for one in images]
    assert data.name_images("train", [0]) is None
