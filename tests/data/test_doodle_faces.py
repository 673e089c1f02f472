"""Drawn faces as a data set: drawn once, gray as Pillow makes it, glasses on every second image."""

import numpy as np
import pytest
import torch
from PIL import Image

from netgaze.data import doodle_faces as module
from netgaze.data.doodle_faces import DoodleFaces
from netgaze.data.faces import GLASSES
from netgaze.files import cache_root

COLOR = {"num_channels": 3, "mean": (0.5,) * 3, "std": (0.25,) * 3}
GRAY = {"num_channels": 1, "mean": (0.5,), "std": (0.25,)}


def opened(**changes):
    few = {"num_classes": 8, "images_each": 4, "num_val_people": 2, "num_test_people": 3, "image_size": 32}
    return DoodleFaces(**(few | COLOR | changes))


@pytest.fixture
def drawings(monkeypatch):
    """(people, seed, size) of the sets drawn since."""
    seen, draw = [], module.draw_faces

    def counted(people, worn, seed, size):
        seen.append((len(people), seed, size))
        return draw(people, worn, seed, size)

    monkeypatch.setattr(module, "draw_faces", counted)
    return seen


def test_drawn_once(drawings):
    first = opened().fingerprint
    assert opened().fingerprint == first
    opened(num_val_people=3, batch_size=16, glasses="test", seed=7).setup()
    opened(**GRAY).setup()
    assert drawings == [(32, 0, 32)]


def test_drawn_anew_for_other_pictures(drawings):
    prints = {opened(**changes).fingerprint for changes in ({}, {"split_seed": 1}, {"images_each": 6})}
    opened(image_size=48).setup()
    opened(num_classes=9).setup()
    assert len(prints) == 3
    assert drawings == [(32, 0, 32), (32, 1, 32), (48, 0, 32), (32, 0, 48), (36, 0, 32)]


def test_drawn_anew_when_the_pictures_change(drawings, monkeypatch):
    opened().setup()
    monkeypatch.setattr(module, "VERSION", module.VERSION + 1)
    opened().setup()
    assert len(drawings) == 2


def test_a_damaged_cache_is_drawn_again(drawings):
    first = opened().fingerprint
    (path,) = cache_root().rglob("*.npz")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert opened().fingerprint == first
    assert len(drawings) == 2


def test_what_is_drawn_is_what_is_had():
    whole = opened().photos()
    people = np.arange(8).repeat(4)
    drawn = module.draw_faces(people, np.tile([False, True], 16), 0, 32)
    assert torch.equal(whole.images, torch.from_numpy(drawn))
    assert whole.labels.tolist() == people.tolist()


def test_every_second_image_of_each_wears_glasses():
    whole = opened(images_each=5).photos()
    for person in range(8):
        assert whole.marks[GLASSES][whole.labels == person].tolist() == [False, True, False, True, False]
    bare = torch.from_numpy(module.draw_faces(whole.labels.numpy(), np.zeros(40, bool), 0, 32))
    differ = (whole.images != bare).flatten(1).any(1)
    assert differ.tolist() == whole.marks[GLASSES].tolist()


def test_gray_is_pillow_s(monkeypatch):
    """Of all colors, drawn at random, and of the drawings."""
    rng = np.random.default_rng(0)
    lot = rng.integers(0, 256, (32, 3, 32, 32), np.uint8)
    for images in (opened().photos().images.numpy(), lot):
        monkeypatch.setattr(module, "cached_arrays", lambda *args, images=images: {"images": images.copy()})
        gray = opened(**GRAY).photos().images
        assert gray.shape == (32, 1, 32, 32)
        assert gray.dtype == torch.uint8
        pillow = [np.asarray(Image.fromarray(image.transpose(1, 2, 0)).convert("L")) for image in images]
        difference = np.abs(gray[:, 0].numpy().astype(int) - np.stack(pillow))
        assert difference.max() <= 1
        assert difference.mean() < 0.01


@pytest.mark.parametrize("size", [16, 32, 64])
@pytest.mark.parametrize("facts", [COLOR, GRAY], ids=["color", "gray"])
def test_sizes(size, facts):
    data = opened(image_size=size, **facts)
    channels = facts["num_channels"]
    shapes = {name: tuple(data.images(name).shape) for name in ("train", "val", "test")}
    assert shapes == {
        "train": (12, channels, size, size),
        "val": (8, channels, size, size),
        "test": (12, channels, size, size),
    }
    assert data.class_names == [f"person {number}" for number in range(1, 9)]
    assert set(data.comparisons("test")) == {"all pairs", "without glasses", "with glasses", "mixed"}
    assert data.images("train").float().std(0).mean() > 15, "the drawings differ"


def test_trained_without_glasses():
    data = opened(glasses="test")
    assert {name: int(split.marks[GLASSES].sum()) for name, split in data.splits.items()} == {
        "train": 0,
        "val": 0,
        "test": 6,
    }
    assert len(data.labels("train")) == 6


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images_each": 1}, r"data\.images_each=1 must be 2 or more"),
        ({"num_channels": 2}, r"data\.num_channels=2 is not possible"),
        ({"num_test_people": 5}, r"of the 8 people of Doodle faces"),
    ],
)
def test_wrong_settings(changes, words, says):
    channels = changes.get("num_channels", 3)
    with says(words):
        opened(**({"mean": [0.5] * channels, "std": [0.2] * channels} | changes)).setup()
