"""A person's own images, as they come: layouts, image kinds, broken files, the cache."""

import logging
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from netgaze.data import decode as decode_module
from netgaze.data.count import count_classes
from netgaze.data.decode import Form, decode
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


def test_different_classes_in_train_and_test(tmp_path):
    for path in ("train/cat/a.png", "train/dog/a.png", "test/cat/a.png", "test/bird/a.png"):
        paint(tmp_path / path)
    with pytest.raises(NetgazeError, match="different classes: bird, dog"):
        opened(tmp_path).setup()


def test_no_folder_no_classes_no_images(tmp_path):
    with pytest.raises(NetgazeError, match=r"Cannot read the folder .*nowhere"):
        opened(tmp_path / "nowhere").setup()
    with pytest.raises(NetgazeError, match="has no folders"):
        opened(tmp_path).setup()
    (tmp_path / "cat").mkdir()
    with pytest.raises(NetgazeError, match="cat holds no images"):
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
    assert middle(tmp_path / "dark.tif") == [40] * 3


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


def test_unreadable_files_are_left_out_and_named_once(photos, caplog):
    (photos / "cat" / "05.png").write_bytes(b"no image")
    good = (photos / "dog" / "07.png").read_bytes()
    (photos / "dog" / "07.png").write_bytes(good[: len(good) // 2])
    (photos / "cat" / "._06.png").write_bytes(b"a note of the file system")
    with caplog.at_level(logging.WARNING, "netgaze"):
        data = opened(photos)
        data.setup()
    assert len(caplog.records) == 1
    assert "Left out 2 of 40" in caplog.text
    assert "cat/05.png" in caplog.text.replace("\\", "/")
    found = set().union(*(colors(data, split) for split in ("train", "val", "test")))
    assert found == {(red, n, 0) for red in (200, 50) for n in range(20)} - {(200, 5, 0), (50, 7, 0)}
    for split in ("train", "val", "test"):
        assert torch.equal(data.labels(split), (data.images(split)[:, 0, 0, 0] < 100).long())


def test_a_class_without_a_readable_image(photos):
    for path in (photos / "dog").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(NetgazeError, match="class dog"):
        opened(photos).setup()


def test_postscript_is_not_handed_to_another_program(tmp_path):
    (tmp_path / "page.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")
    with pytest.raises(OSError, match="cannot identify"):
        decode(tmp_path / "page.png", Form(8, 3, "crop"))


@pytest.fixture
def decodings(monkeypatch):
    """The files decoded since."""
    seen = []

    def counted(path, form):
        seen.append(path)
        return decode(path, form)

    monkeypatch.setattr(decode_module, "decode", counted)
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
    (path,) = decode_module.cache_root().rglob("*.npy")
    content = bytearray(path.read_bytes())
    content[-5] ^= 255
    path.write_bytes(content)
    assert opened(photos).fingerprint == first
    assert len(decodings) == 80


def test_a_cache_that_cannot_be_written(photos, monkeypatch):
    def denied(*args):
        raise PermissionError

    monkeypatch.setattr(decode_module, "open_memmap", denied)
    with pytest.raises(NetgazeError, match="NETGAZE_CACHE"):
        opened(photos).setup()


def test_images_stay_on_disk_and_torch_does_not_warn(photos):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = opened(photos)
        data.setup()
    train, test = data.images("train"), data.images("test")
    assert train.untyped_storage().data_ptr() == test.untyped_storage().data_ptr(), "slices of one file, no copies"
