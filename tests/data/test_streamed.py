"""Images that are decoded as they are needed are those that the cache would hold, and teach the same."""

import os
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from tests.conftest import NO_FIGURES
from tests.data.conftest import save_noise
from tests.tiny_runs import read_rows, read_run, train

from netgaze.data import cache, streaming
from netgaze.data.face_folder import FaceFolder
from netgaze.data.folder import Folder
from netgaze.data.images import Images
from netgaze.data.loading import fits
from netgaze.errors import NetgazeError
from netgaze.files import cache_root
from netgaze.ranks import count_cores

FACTS = {"num_classes": 2, "num_channels": 3, "image_size": 8, "mean": (0.5,), "std": (0.25,)}


@pytest.fixture
def photos(tmp_path):
    """Two classes of twenty pictures of noise; among them three of 16 bits, and one that is none."""
    rng = save_noise(tmp_path / "photos", 20)
    for number, most in ((4, 4000), (9, 300), (15, 1000)):
        deep = rng.integers(0, most, (9, 9), dtype=np.uint16)
        Image.fromarray(deep).save(tmp_path / "photos" / "dog" / f"{number:02}.png")
    (tmp_path / "photos" / "cat" / "07.png").write_bytes(b"no picture")
    return tmp_path / "photos"


def open_folder(root, way, **changes):
    return Folder(dir=str(root), decode=way, **FACTS | changes)


@pytest.mark.parametrize("changes", [{}, {"limit": 12}, {"per_class": 4}, {"image_size": 16}], ids=str)
def test_they_are_those_of_the_cache(photos, changes):
    kept, streamed = (open_folder(photos, way, **changes) for way in ("cached", "streamed"))
    for split in ("train", "val", "test", *(["unlabeled"] if "per_class" in changes else [])):
        expected = kept.images(split)
        assert torch.equal(streamed.images(split), expected)
        assert torch.equal(streamed.labels(split), kept.labels(split))
        for index in ([2, 0], np.array([1]), torch.tensor([], dtype=torch.int64)):
            assert torch.equal(streamed.images(split, index), kept.images(split, index))
        mine, theirs = (list(data.batches(split, 5)) for data in (streamed, kept))
        for one, other in zip(mine, theirs, strict=True):
            assert torch.equal(one.images, other.images)
            assert torch.equal(one.index, other.index)
    every = range(len(kept.labels("train")))
    assert streamed.name_images("train", every) == kept.name_images("train", every)
    whole, part = open_folder(photos, "streamed", image_size=streamed.image_size), streamed.number_images("train")
    numbers = whole.number_images("train")
    known = dict(zip(whole.name_images("train", range(len(numbers))), numbers, strict=True))
    assert [known[name] for name in streamed.name_images("train", every)] == part.tolist()
    assert len(set(part.tolist())) == len(every)
    assert streamed.splits["train"].streamed
    assert not kept.splits["train"].streamed
    assert streamed.found.remarks.ranges == kept.found.remarks.ranges == {"whole": (0.0, 4095.0)}
    assert streamed.found.remarks.ignored == kept.found.remarks.ignored == {"cannot be read": ["cat/07.png"]}
    assert streamed.splits["train"].nbytes == kept.splits["train"].nbytes


@pytest.mark.parametrize("changes", [[], ["data.augment.alternate_flip=true", "data.image_size=16"]], ids=str)
def test_a_network_learns_the_same(photos, tmp_path, changes):
    """To the bit, through processes that decode, in training, validation and test."""
    tiny = ["model.depths=[1,1]", "model.widths=[16,16]", "optim.lr=0.05", "trainer.max_epochs=2"]
    tiny += ["trainer.precision=32", "trainer.threads=1", "data.batch_size=8", "data.image_size=8", "control=null"]
    words = ["data=folder", f"data.dir={photos}", *tiny, *NO_FIGURES, *changes]
    runs = [train(tmp_path / way, *words, f"data.decode={way}") for way in ("cached", "streamed")]
    assert read_rows(runs[0]) == read_rows(runs[1])
    said = read_run(runs[1])["found"]["notes"]
    assert any(f"decoded as they are needed, by {count_cores()} processes" in note for note in said)
    one, other = (np.load(run / "predictions.npz") for run in runs)
    for name in one.files:
        assert np.array_equal(one[name], other[name])


def test_headers_are_read_once(photos, monkeypatch):
    first = open_folder(photos, "streamed")
    first.setup()
    monkeypatch.setattr(streaming, "look_through", None)
    again = open_folder(photos, "streamed")
    assert again.fingerprint == first.fingerprint
    assert not list(cache_root().rglob("*.npy"))
    (path,) = cache_root().glob("headers/*.json")
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(TypeError):
        open_folder(photos, "streamed").setup()


def test_the_fingerprint_follows_files_labels_and_form(photos):
    def name(**changes):
        return open_folder(photos, "streamed", **changes).fingerprint

    first = name()
    for path in photos.rglob("*.png"):
        os.utime(path, (5, 5))
    moved = shutil.copytree(photos, photos.parent / "moved")
    assert open_folder(moved, "streamed").fingerprint == first, "times and places do not count"
    assert len({first, name(fit="squash"), name(split_seed=1), name(mean=(0.1,)), name(limit=9)}) == 5
    shutil.copy(photos / "dog" / "00.png", photos / "dog" / "01.png")
    assert name() != first


def break_inside(photos):
    """Of each picture the header stays, and of its pixels a few bytes."""
    for path in photos.rglob("*.png"):
        path.write_bytes(path.read_bytes()[:70])


def test_a_file_that_breaks_later_is_named_in_a_sentence(photos):
    for path in photos.rglob("cat/*.png"):
        path.unlink()
    rng = np.random.default_rng(1)
    for number in range(20):
        Image.fromarray(rng.integers(0, 256, (10, 9, 3), dtype=np.uint8)).save(photos / "cat" / f"{number:02}.png")
    data = open_folder(photos, "streamed")
    data.setup()
    break_inside(photos)
    loader = data.val_dataloader()
    for ask in (lambda: data.images("train"), lambda: list(loader), lambda: list(data.batches("val"))):
        with pytest.raises(NetgazeError) as said:
            ask()
        assert str(said.value).startswith(str(photos))
        assert "could be opened when the run began" in str(said.value)
        assert "Traceback" not in str(said.value)
        assert "\n" not in str(said.value)


class TestAuto:
    def is_streamed(self, photos):
        data = open_folder(photos, "auto")
        return data.splits["train"].streamed, " ".join(data.found.remarks.notes)

    def test_small_sets_are_cached(self, photos):
        assert self.is_streamed(photos) == (False, "val and test drawn from train")

    def test_sets_of_more_than_so_many_bytes_are_streamed(self, photos, monkeypatch):
        size = 40 * 8 * 8 * 3
        for most, expected in ((size, False), (size - 1, True)):
            monkeypatch.setattr(streaming, "_MOST_BYTES", most)
            shutil.rmtree(cache_root())
            streamed, said = self.is_streamed(photos)
            assert streamed == expected
            assert ("Images are decoded as they are needed" in said) == expected

    def test_a_disk_with_little_room_is_left_alone(self, photos, monkeypatch):
        size = 40 * 8 * 8 * 3
        for free, expected in ((2 * size, False), (2 * size - 1, True)):
            usage = type("Usage", (), {"free": free})
            monkeypatch.setattr(streaming.shutil, "disk_usage", lambda folder, usage=usage: usage)
            monkeypatch.setenv("NETGAZE_CACHE", str(photos.parent / f"cache{free}" / "deep"))
            assert self.is_streamed(photos)[0] == expected

    def test_what_is_cached_stays_so(self, photos, monkeypatch):
        open_folder(photos, "cached").setup()
        monkeypatch.setattr(streaming, "_MOST_BYTES", 1)
        monkeypatch.setattr(cache, "_fill", None)
        assert not self.is_streamed(photos)[0]

    def test_what_is_streamed_stays_so(self, photos):
        """A run knows its data by a name that says how they were read: it must not hang on the room on the disk."""
        open_folder(photos, "streamed").setup()
        assert self.is_streamed(photos)[0]
        open_folder(photos, "cached").setup()
        assert not self.is_streamed(photos)[0]

    def test_large_ones_are_said(self, photos, monkeypatch):
        monkeypatch.setattr(streaming, "_WORTH_SAYING", 40 * 8 * 8 * 3)
        assert f"Decoded images: 0.0 GB in {cache_root()}" in self.is_streamed(photos)[1]


def test_other_words_are_refused(photos, says):
    with says(r"Unknown data\.decode=lazy\. Choose auto, cached or streamed\."):
        open_folder(photos, "lazy")


def test_people_are_streamed_too(photos):
    for person in ("ann", "bob", "eve", "joe"):
        shutil.copytree(photos / "dog", photos / person)
    facts = FACTS | {"num_classes": 6, "batch_size": 8, "num_val_people": 2, "num_test_people": 2}
    kept, streamed = (FaceFolder(dir=str(photos), decode=way, **facts) for way in ("cached", "streamed"))
    for split in ("train", "val", "test"):
        assert torch.equal(kept.images(split), streamed.images(split))
        assert torch.equal(kept.labels(split), streamed.labels(split))


def test_streamed_images_lie_on_no_device(photos):
    part = open_folder(photos, "streamed").splits["train"]
    assert isinstance(part, Images)
    assert not fits(part, torch.device("cpu"))
