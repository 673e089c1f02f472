"""A person's own images, as they come: layouts, image kinds, broken files, the cache."""

import errno
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from netgaze.data import cache as cache_module
from netgaze.data import reading
from netgaze.data.count import count_classes
from netgaze.data.decode import Form, decode, decode_opened
from netgaze.data.folder import Folder
from netgaze.errors import NetgazeError

STATS = {"num_channels": 3, "mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)}


def paint(path, color=(200, 30, 30), size=(20, 16), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, color).save(path, **options)
    return path


@pytest.fixture
def photos(tmp_path):
    """Two classes of twenty images; an image's color says its class and number."""
    root = tmp_path / "photos"
    for red, name in ((200, "cat"), (50, "dog")):
        for number in range(20):
            paint(root / name / f"{number:02}.png", (red, number, 0))
    (root / "README.txt").write_text("not a class")
    (root / ".hidden").mkdir()
    return root


def opened(root, **changes):
    return Folder(**({"dir": str(root), "num_classes": 2, "image_size": 8} | STATS | changes))


def colors(data, split):
    return {tuple(image[:, 0, 0].tolist()) for image in data.images(split)}


def test_splits_are_stratified_disjoint_and_complete(photos):
    data = opened(photos)
    parts = [colors(data, split) for split in ("train", "val", "test")]
    assert [len(part) for part in parts] == [28, 6, 6]
    assert len(set().union(*parts)) == 40
    assert data.class_names == ["cat", "dog"]
    for split in ("train", "val", "test"):
        labels = data.labels(split)
        assert torch.bincount(labels).tolist() == [len(labels) // 2] * 2
        assert torch.equal(labels, (data.images(split)[:, 0, 0, 0] < 100).long())


def test_own_numbers(photos):
    data = opened(photos, num_val=4, num_test=10)
    assert [len(data.labels(split)) for split in ("train", "val", "test")] == [26, 4, 10]


@pytest.mark.parametrize("own", [("test",), ("val",), ("val", "test")], ids=str)
def test_own_splits(photos, tmp_path, own):
    root = tmp_path / "divided"
    for split in ("train", *own):
        for number, name in enumerate(("cat", "dog")):
            for index in range(10):
                paint(root / split / name / f"{index}.png", (100 * number, index, len(split)))
    data = opened(root, num_val=4, num_test=4)
    for split in own:
        assert {color[2] for color in colors(data, split)} == {len(split)}
        assert len(data.labels(split)) == 20
    assert len(data.labels("train")) == 20 - 4 * (2 - len(own))
    assert count_classes(str(root)) == 2


def test_a_class_that_the_test_lacks_and_one_that_training_lacks(tmp_path):
    for number, name in enumerate(("cat", "dog")):
        for index in range(6):
            paint(tmp_path / "train" / name / f"{index}.png", (100 * number, index, 1))
    for path in ("test/cat/a.png", "test/bird/a.png"):
        paint(tmp_path / path)
    data = opened(tmp_path)
    assert data.labels("test").tolist() == [0]
    assert data.class_names == ["cat", "dog"]
    assert data.found.list_warnings() == [
        "test has 1 picture of bird, a class that training lacks; left out.",
        "test has no image of dog, which training has.",
    ]


def paint_classes(root, counts):
    """So many images of each class, all different."""
    for red, (name, count) in enumerate(counts.items()):
        for number in range(count):
            paint(root / name / f"{number:03}.png", (40 * red, number, 9))


@pytest.mark.parametrize(
    ("counts", "sizes", "each"),
    [
        ({str(c): 5 for c in range(10)}, [30, 10, 10], [3, 1, 1]),
        ({"ash": 3, "birch": 3}, [2, 2, 2], [1, 1, 1]),
        ({"ash": 100, "birch": 100}, [140, 30, 30], [70, 15, 15]),
    ],
    ids=["ten by five", "three each", "many"],
)
def test_defaults_fit_small_sets(tmp_path, counts, sizes, each):
    paint_classes(tmp_path, counts)
    data = opened(tmp_path, num_classes=len(counts))
    splits = ("train", "val", "test")
    assert [len(data.labels(split)) for split in splits] == sizes
    for split, num in zip(splits, each, strict=True):
        assert torch.bincount(data.labels(split)).tolist() == [num] * len(counts)


def test_a_class_of_one_image_is_trained_on_and_named(tmp_path):
    paint_classes(tmp_path, {"ash": 30, "birch": 30, "cedar": 1, "elm": 2})
    data = opened(tmp_path, num_classes=4)
    counts = {split: torch.bincount(data.labels(split), minlength=4).tolist() for split in ("train", "val", "test")}
    assert counts["train"][2:] == [1, 1]
    assert counts["test"][2:] == [0, 1]
    assert counts["val"][2:] == [0, 0]
    assert data.found.list_warnings() == [
        "val has no image of cedar, elm, which training has.",
        "test has no image of cedar, which training has.",
    ]


@pytest.mark.parametrize("key", ["num_val", "num_test"])
def test_none_at_all_is_refused_not_ignored(photos, key):
    with pytest.raises(NetgazeError, match=rf"data\.{key}=0 must leave at least one image for each of the 2 classes"):
        opened(photos, **{key: 0}).setup()


def test_single_images_cannot_be_divided(tmp_path):
    paint_classes(tmp_path, {"ash": 1, "birch": 1})
    with pytest.raises(NetgazeError, match=r"data\.num_test: each class has a single image"):
        opened(tmp_path).setup()


def test_copies_are_named_and_counted(tmp_path):
    paint_classes(tmp_path / "train", {"cat": 8, "dog": 8})
    for number in range(2):
        paint(tmp_path / "test" / "cat" / f"copy{number}.png", (0, number, 9))
        paint(tmp_path / "test" / "dog" / f"new{number}.png", (77, number, 9))
    paint(tmp_path / "train" / "dog" / "again.png", (40, 3, 9))
    said = opened(tmp_path, num_val=2).found.list_warnings()
    assert any("so that test flatters" in each and "test/cat/copy0.png of train/cat/000.png" in each for each in said)
    assert sum("copies" in each for each in said) <= 3
    paint_classes(tmp_path / "clean", {"cat": 8, "dog": 8})
    assert not [each for each in opened(tmp_path / "clean").found.list_warnings() if "copies" in each]


def test_pictures_that_look_alike(tmp_path):
    """Brighter, smaller, compressed: a near copy. Other noise is none, and nothing is said unless it is asked for."""
    rng = np.random.default_rng(0)
    for part in ("train", "val", "test"):
        for name in ("cat", "dog"):
            for number in range(4):
                coarse = Image.fromarray(rng.integers(0, 200, (6, 6, 3), dtype=np.uint8))
                path = paint(tmp_path / part / name / f"{number}.png")
                coarse.resize((64, 64), Image.Resampling.BICUBIC).save(path)
    with Image.open(tmp_path / "train" / "cat" / "0.png") as first:
        alike = first.resize((50, 50)).point(lambda value: min(255, value + 20))
        alike.save(tmp_path / "test" / "cat" / "alike.jpg", quality=80)
    said = opened(tmp_path, image_size=32, near_copies=True).found.list_warnings()
    assert said == [
        "1 picture of test is nearly a copy of one of train and val, so that test flatters the network: "
        "test/cat/alike.jpg of train/cat/0.png"
    ]
    assert opened(tmp_path, image_size=32).found.list_warnings() == []


def test_labels_in_a_table_train_like_folders(photos, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    rows = ["file,kind"]
    for path in sorted(photos.rglob("*.png")):
        name = f"{path.parent.name}_{path.name}"
        (flat / name).write_bytes(path.read_bytes())
        rows.append(f"{name},{path.parent.name}")
    (flat / "labels.csv").write_text("\n".join(rows))
    by_table, by_folder = opened(flat), opened(photos)
    assert by_table.fingerprint == by_folder.fingerprint
    assert by_table.class_names == by_folder.class_names == ["cat", "dog"]
    assert count_classes(str(flat)) == 2


def test_no_folder_no_classes_no_images(tmp_path):
    with pytest.raises(NetgazeError, match=r"Cannot read the folder .*nowhere"):
        opened(tmp_path / "nowhere").setup()
    with pytest.raises(NetgazeError, match="holds no pictures"):
        opened(tmp_path).setup()
    (tmp_path / "cat").mkdir()
    with pytest.raises(NetgazeError, match="holds no pictures"):
        opened(tmp_path).setup()


@pytest.mark.parametrize(
    ("changes", "words"), [({"fit": "stretch"}, "data.fit=stretch"), ({"num_classes": 3}, "data.num_classes=3")]
)
def test_wrong_settings(photos, changes, words):
    with pytest.raises(NetgazeError, match=words):
        opened(photos, **changes).setup()


def test_count_classes_needs_no_torch(photos):
    script = (
        "import sys; from netgaze.data.count import count_classes; "
        f"print(count_classes({str(photos)!r}), 'torch' in sys.modules, 'numpy' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["2", "False", "False"]


def middle(path, **form):
    return decode(path, Form(**({"size": 8, "channels": 3, "fit": "crop"} | form)))[4, 4].tolist()


def test_kinds_of_images(tmp_path):
    assert middle(paint(tmp_path / "gray.png", 77, mode="L")) == [77] * 3
    assert middle(paint(tmp_path / "palette.png", (200, 30, 30)).rename(tmp_path / "p.png")) == [200, 30, 30]
    assert middle(paint(tmp_path / "cmyk.jpg", (0, 0, 0, 0), mode="CMYK")) == [255] * 3
    assert middle(paint(tmp_path / "one_bit.png", 1, mode="1")) == [255] * 3
    Image.new("RGB", (9, 9), (200, 30, 30)).quantize(4).save(tmp_path / "palette.gif")
    assert middle(tmp_path / "palette.gif") == [200, 30, 30]
    assert middle(paint(tmp_path / "color.png", (255, 255, 255)), channels=1) == [255]


def test_transparent_parts_are_white(tmp_path):
    assert middle(paint(tmp_path / "clear.png", (9, 9, 9, 0), mode="RGBA")) == [255] * 3
    assert middle(paint(tmp_path / "half.png", (0, 0, 0, 128), mode="RGBA")) == [127] * 3
    assert middle(paint(tmp_path / "solid.png", (9, 99, 9, 255), mode="RGBA")) == [9, 99, 9]
    assert middle(paint(tmp_path / "gray_clear.png", (9, 0), mode="LA")) == [255] * 3
    assert middle(paint(tmp_path / "key.png", (9, 9, 9), transparency=(9, 9, 9))) == [255] * 3


def test_sixteen_bits(tmp_path):
    Image.fromarray(np.full((9, 9), 65_535, np.uint16)).save(tmp_path / "white.png")
    Image.fromarray(np.full((9, 9), 257 * 40, np.uint16)).save(tmp_path / "dark.tif")
    assert middle(tmp_path / "white.png") == [255] * 3
    assert middle(tmp_path / "dark.tif") == [160] * 3, "alone it is read as 14 bits"
    found = decode(tmp_path / "dark.tif", Form(8, 3, "crop"), {"whole": (0, 65_535)})
    assert found[4, 4].tolist() == [40] * 3


def test_upright_by_exif(tmp_path):
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side: turn by 90 degrees, clockwise
    Image.fromarray(pixels).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    image = decode(tmp_path / "turned.jpg", Form(8, 3, "crop"))
    assert image[:, 6:].min() > 200
    assert image[:, :2].max() < 50


def test_crop_and_squash(tmp_path):
    pixels = np.zeros((8, 24, 3), np.uint8)
    pixels[:, 8:16] = 255
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    assert decode(tmp_path / "wide.png", Form(8, 3, "crop")).min() == 255
    squashed = decode(tmp_path / "wide.png", Form(8, 3, "squash"))
    assert squashed[:, [0, 7]].max() == 0
    assert squashed[:, 4].min() > 200


def test_large_photos_keep_their_content(tmp_path):
    """The shortcut for large JPEGs gives what a full reading gives, but for rounding."""
    ramp = np.linspace(0, 255, 1024).astype(np.uint8)
    pixels = np.stack([np.tile(ramp, (768, 1)), np.tile(ramp[:768, None], (1, 1024)), np.full((768, 1024), 80)], 2)
    Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "large.jpg", quality=95)
    Image.open(tmp_path / "large.jpg").save(tmp_path / "large.png")
    large, full = (decode(tmp_path / f"large.{kind}", Form(32, 3, "crop")) for kind in ("jpg", "png"))
    assert np.abs(large.astype(int) - full).max() <= 6


def test_unreadable_files_are_left_out_and_named(photos):
    (photos / "cat" / "05.png").write_bytes(b"no image")
    good = (photos / "dog" / "07.png").read_bytes()
    (photos / "dog" / "07.png").write_bytes(good[: len(good) // 2])
    (photos / "cat" / "._06.png").write_bytes(b"a note of the file system")
    data = opened(photos)
    assert data.found.list_warnings() == ["Left out 2 of 40 images that cannot be read: cat/05.png, dog/07.png"]
    assert data.found.as_facts()["ignored"] == {
        "hidden": {"count": 2, "first": [".hidden", "cat/._06.png"]},
        "ending .txt": {"count": 1, "first": ["README.txt"]},
        "cannot be read": {"count": 2, "first": ["cat/05.png", "dog/07.png"]},
    }
    found = set().union(*(colors(data, split) for split in ("train", "val", "test")))
    assert found == {(red, n, 0) for red in (200, 50) for n in range(20)} - {(200, 5, 0), (50, 7, 0)}
    for split in ("train", "val", "test"):
        assert torch.equal(data.labels(split), (data.images(split)[:, 0, 0, 0] < 100).long())


def test_a_class_without_a_readable_image(photos):
    for path in (photos / "dog").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(NetgazeError, match=r"class dog"):
        opened(photos).setup()
    for path in (photos / "cat").iterdir():
        path.write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(NetgazeError, match=r"None of the 40 pictures .*Git LFS pointer.*git lfs pull"):
        opened(photos).setup()


def test_postscript_is_not_handed_to_another_program(tmp_path):
    (tmp_path / "page.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")
    with pytest.raises(OSError, match="cannot identify"):
        decode(tmp_path / "page.png", Form(8, 3, "crop"))


@pytest.fixture
def decodings(monkeypatch):
    """The files decoded since."""
    seen = []

    def counted(path, *rest):
        seen.append(path)
        return decode_opened(path, *rest)

    monkeypatch.setattr(reading, "decode_opened", counted)
    return seen


def test_decoded_once(photos, decodings):
    first = opened(photos)
    first.setup()
    assert len(decodings) == 40
    assert opened(photos).fingerprint == first.fingerprint
    assert len(decodings) == 40


def test_decoded_again_when_files_or_settings_change(photos, decodings):
    opened(photos).setup()
    paint(photos / "cat" / "03.png", (1, 2, 3), size=(31, 17))
    data = opened(photos)
    assert (1, 2, 3) in set().union(*(colors(data, split) for split in ("train", "val", "test")))
    opened(photos, fit="squash").setup()
    assert len(decodings) == 120


def test_a_damaged_cache_is_made_again(photos, decodings):
    first = opened(photos).fingerprint
    (path,) = cache_module.cache_root().rglob("*.npy")
    content = bytearray(path.read_bytes())
    content[-5] ^= 255
    path.write_bytes(content)
    assert opened(photos).fingerprint == first
    assert len(decodings) == 80


def test_a_cache_that_cannot_be_written(photos, monkeypatch):
    def denied(*args):
        raise PermissionError

    monkeypatch.setattr(cache_module, "open_memmap", denied)
    with pytest.raises(NetgazeError, match="NETGAZE_CACHE"):
        opened(photos).setup()


def test_a_full_disk_is_said_before_it_kills(photos, monkeypatch):
    """Writing into a mapped file without room for it ends the process; the room is taken first."""

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(NetgazeError, match=r"Cannot write .*No space left on device.*NETGAZE_CACHE"):
        opened(photos).setup()
    assert not [path for path in cache_module.cache_root().rglob("*") if path.is_file()]


def test_images_stay_on_disk_and_torch_does_not_warn(photos):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = opened(photos)
        data.setup()
    train, test = data.images("train"), data.images("test")
    assert train.untyped_storage().data_ptr() == test.untyped_storage().data_ptr(), "slices of one file, no copies"


@pytest.mark.parametrize("split", ["train", "val", "test"])
@pytest.mark.parametrize("changes", [{}, {"limit": 20, "split_seed": 3}, {"per_class": 5, "seed": 1}], ids=str)
def test_images_are_named_by_their_files(photos, split, changes):
    """Also where pictures cannot be read, a part of them is taken, or the rest is in another order."""
    (photos / "cat" / "03.png").write_bytes(b"broken")
    data = opened(photos, **changes)
    every = range(len(data.labels(split)))
    names = data.name_images(split, every)
    assert len(set(names)) == len(every)
    for name, image in zip(names, data.images(split), strict=True):
        with Image.open(photos / name) as picture:
            assert image[:, 0, 0].tolist() == list(picture.getpixel((0, 0)))
    assert data.name_images(split, [2, 0]) == [names[2], names[0]]
