"""The challenge's layout and lists read naively beside ours, its download from a local address, and broken files."""

import logging
import shutil
import tarfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image
from tests.conftest import REAL

from netgaze.data import miniplaces
from netgaze.data.boxes import BACKGROUND, Box, draw_mask, read_boxes
from netgaze.data.miniplaces import Miniplaces
from netgaze.errors import NetgazeError
from netgaze.files import hash_md5

STATS = {"num_channels": 3, "image_size": 128, "mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)}
CLASSES = ["/a/abbey", "/b/bakery/shop", "/y/yard"]
OBJECTS = ["wall", "chair", "tree"]
BOX = """<objects><class>{}</class><bndbox><xmin>{}</xmin><xmax>{}</xmax><ymin>{}</ymin><ymax>{}</ymax></bndbox>
</objects>"""


def write_image(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (128, 128, 3), np.uint8)
    Image.fromarray(pixels).save(path)


def write_boxes(path: Path, *boxes: tuple) -> None:
    """Two elements on top, and no root: as the official files are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("<filename>1.jpg</filename>\n" + "\n".join(BOX.format(*box) for box in boxes))


@pytest.fixture
def places(tmp_path) -> Path:
    """Three classes of 12 training images on disk, of 15 listed, and 6 validation images; some with boxes."""
    root = tmp_path / "miniplaces"
    train, val = [], []
    for label, name in enumerate(CLASSES):
        for number in range(1, 16):
            path = f"train{name}/{number:08}.jpg"
            train.append(f"{path} {label}")
            if number <= 12:
                write_image(root / "images" / path, 100 * label + number)
    for number in range(1, 7):
        val.append(f"val/{number:08}.jpg {number % 3}")
        write_image(root / "images" / "val" / f"{number:08}.jpg", 1000 + number)
    for name, lines in {
        "train": train,
        "val": val,
        "categories": [f"{name} {label}" for label, name in enumerate(CLASSES)],
        "object_categories": [f"{name} {label}" for label, name in enumerate(OBJECTS)],
    }.items():
        (root / f"{name}.txt").write_text("\n".join(lines) + "\n")
    write_boxes(root / "objects/val/00000002.xml", (1, 1, 64, 1, 32), (0, 1, 128, 1, 128))
    write_boxes(root / "objects/val/00000003.xml", (0, 1, 128, 1, 128))
    write_boxes(root / "objects/train/a/abbey/00000001.xml", (2, 65, 128, 128, 128))
    return tmp_path


def made(folder: Path, **changes) -> Miniplaces:
    return Miniplaces(**{"dir": str(folder), "num_classes": 3, "num_val": 6, "download": False} | STATS | changes)


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).transpose(2, 0, 1)


def test_splits_are_the_lists_read_naively(places):
    data = made(places)
    assert data.splits.keys() == {"train", "val", "test"}
    assert data.class_names == ["abbey", "bakery/shop", "yard"]
    root = places / "miniplaces"
    listed = [line.split(" ") for line in (root / "val.txt").read_text().splitlines()]
    assert np.array_equal(data.images("test"), np.stack([read(root / "images" / name) for name, _ in listed]))
    assert data.labels("test").tolist() == [int(label) for _, label in listed]
    on_disk = {read(path).tobytes(): path for path in (root / "images" / "train").rglob("*.jpg")}
    seen = []
    for split, num in (("train", 30), ("val", 6)):
        assert data.labels(split).bincount().tolist() == [num // 3] * 3
        for image, label in zip(data.images(split), data.labels(split), strict=True):
            path = on_disk[image.contiguous().numpy().tobytes()]
            assert CLASSES[label] in str(path)
            seen.append(path)
    assert sorted(seen) == sorted(on_disk.values())  # each once: the splits are disjoint and whole


def test_absent_images_are_counted_and_said_once(places, caplog):
    with caplog.at_level(logging.INFO):
        data = made(places)
        data.prepare_data()
        data.setup()
    assert [record.message for record in caplog.records if "not on disk" in record.message] == [
        "Miniplaces: of 45 images in train.txt, 9 are not on disk"
    ]


def test_five_percent_are_held_out_unless_said_but_one_a_class(places):
    data = made(places, num_val=None)
    assert data.labels("val").tolist() == [0, 1, 2]


def test_without_boxes_there_are_no_masks(places, caplog):
    shutil.rmtree(places / "miniplaces" / "objects")
    with caplog.at_level(logging.INFO):
        data = made(places)
        assert data.masks("test") is None
    assert "so no image has object boxes" in caplog.text


def test_a_class_with_a_single_image_is_trained_on_and_said(places):
    for path in sorted((places / "miniplaces/images/train/y/yard").iterdir())[1:]:
        path.unlink()
    data = made(places)
    assert any("val has no image of" in each and "yard" in each for each in data.found.list_warnings())


def test_images_of_another_size_are_scaled_and_windows_cut(places):
    data = made(places, image_size=48, stored_size=64)
    assert data.images("test").shape == (6, 3, 48, 48)
    stored = data.splits["test"].images
    path = places / "miniplaces" / "images" / "val" / "00000001.jpg"
    scaled = np.asarray(Image.open(path).resize((64, 64), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    assert np.array_equal(stored[0], scaled)
    there, masks = data.masks("test")
    assert (there.tolist(), masks.shape) == ([1], (1, 48, 48))
    assert masks[0].float().mean() == pytest.approx((8 * 24) / 48**2)  # of 32x16, what the window of 48 leaves


def test_masks_are_the_boxes_of_things_alone(places):
    data = made(places)
    there, masks = data.masks("test")
    assert there.tolist() == [1]  # image 3 holds nothing but a wall
    expected = torch.zeros(128, 128, dtype=torch.bool)
    expected[0:32, 0:64] = True
    assert torch.equal(masks[0], expected)
    known = sum(len(found[0]) for split in ("train", "val") if (found := data.masks(split)) is not None)
    assert known == 1


def test_a_subset_keeps_whose_mask_is_whose(places):
    data = made(places)
    part = data.splits["test"].take(torch.tensor([4, 1, 0]))
    assert (part.mask_of >= 0).tolist() == [False, True, False]
    assert torch.equal(part.masks[part.mask_of[1]], data.masks("test")[1][0])


def test_a_mask_is_the_union_of_boxes_pixel_by_pixel():
    boxes = [Box("chair", 3, 5, 10, 6), Box("tree", 9, 6, 128, 8), Box("wall", 1, 1, 128, 128), Box("cup", 0, 0, 1, 1)]
    expected = torch.zeros(128, 128, dtype=torch.bool)
    for box in boxes:
        for row in range(1, 129):
            for column in range(1, 129):
                if box.name != "wall" and box.top <= row <= box.bottom and box.left <= column <= box.right:
                    expected[row - 1, column - 1] = True
    assert torch.equal(draw_mask(boxes, 128), expected)
    assert torch.equal(draw_mask(boxes, 256), expected.repeat_interleave(2, 0).repeat_interleave(2, 1))


@pytest.mark.parametrize(
    "content",
    ["not XML <", BOX.format(99, 1, 2, 1, 2), BOX.format(1, "", 2, 1, 2), "<objects>" * 200_000],
    ids=["no XML", "unknown object", "no number", "too large"],
)
def test_broken_boxes_are_named(places, content):
    path = places / "miniplaces/objects/val/00000002.xml"
    path.write_text(content)
    with pytest.raises(NetgazeError, match=r"00000002\.xml is not a file of object boxes"):
        made(places).setup()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("val.txt", "val/00000001.jpg\n", "val.txt, line 1, is not a name and a number"),
        ("val.txt", "val/../../00000001.jpg 1\n", "is not a name and a number"),
        ("val.txt", "val/00000001.jpg 7\n", "names classes that are not in categories.txt"),
        ("val.txt", "val/00000099.jpg 1\n", "None of the 1 images"),
        ("categories.txt", "/a/abbey 1\n", "does not number its lines from 0"),
    ],
)
def test_broken_lists_are_named(places, name, content, said):
    (places / "miniplaces" / name).write_text(content)
    with pytest.raises(NetgazeError, match=said):
        made(places).setup()


def test_it_is_downloaded_from_the_first_address_that_has_it(places, tmp_path_factory, monkeypatch):
    served, fresh = tmp_path_factory.mktemp("served"), tmp_path_factory.mktemp("fresh")
    root = places / "miniplaces"
    with tarfile.open(served / "data.tar.gz", "w:gz") as tar:
        tar.add(root / "objects", "objects")
        tar.add(root / "images", "./images")
    monkeypatch.setattr(miniplaces, "ARCHIVE_MD5", hash_md5(served / "data.tar.gz"))
    monkeypatch.setattr(miniplaces, "LISTS_URL", root.as_uri())
    urls = ((served / "none.tar.gz").as_uri(), (served / "data.tar.gz").as_uri())
    monkeypatch.setattr(miniplaces, "URLS", urls)
    data = made(fresh, download=True)
    assert data.fingerprint == made(places).fingerprint
    (served / "data.tar.gz").unlink()
    assert made(fresh, download=True).fingerprint == data.fingerprint  # what is there is not fetched again


def test_without_files_and_download_a_sentence(tmp_path):
    with pytest.raises(NetgazeError, match=r"There is no .*images\. Put the challenge's files there"):
        made(tmp_path).setup()


@pytest.fixture(scope="module")
def real():
    if not (REAL / "miniplaces").is_dir():
        pytest.skip("the real Miniplaces is not here (NETGAZE_DATA)")
    # Small pictures: this is about lists and boxes.
    published = {"mean": (0.4583, 0.4467, 0.4135), "std": (0.262, 0.259, 0.277)}
    return Miniplaces(dir=str(REAL), num_classes=100, num_channels=3, image_size=16, **published)


@pytest.mark.slow
def test_the_real_challenge(real):
    assert real.labels("test").bincount().tolist() == [100] * 100
    assert len(real.class_names) == 100
    assert len(real.labels("train")) + len(real.labels("val")) >= 10_000
    assert real.labels("val").unique().numel() == 100
    values = real.images("train").float().div(255).mean(dim=(0, 2, 3))
    assert torch.allclose(values, torch.tensor(real.mean), atol=0.01)  # as published
    there, _ = real.masks("test")
    assert 350 < len(there) <= 371


def test_real_boxes_agree_with_a_naive_reading():
    root = REAL / "miniplaces"
    if not root.is_dir():
        pytest.skip("the real Miniplaces is not here (NETGAZE_DATA)")
    names = [line.split(" ")[0] for line in (root / "object_categories.txt").read_text().splitlines()]
    assert set(names) >= BACKGROUND
    paths = sorted((root / "objects" / "val").rglob("*.xml"))
    assert len(paths) == 371
    for path in paths[:40]:
        expected = []
        for item in ElementTree.fromstring(f"<r>{path.read_text()}</r>").findall("objects"):
            box = {side.tag: int(side.text) for side in item.find("bndbox")}
            expected.append((names[int(item.find("class").text)], *(box[k] for k in ("xmin", "ymin", "xmax", "ymax"))))
        found = read_boxes(path, names)
        assert [(box.name, box.left, box.top, box.right, box.bottom) for box in found] == expected
        assert all(1 <= box.left <= box.right <= 128 and 1 <= box.top <= box.bottom <= 128 for box in found)
