"""A person's own faces, one folder each: who is who, what cannot be read, and what is too little."""

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from PIL import Image
from tests.conftest import composed

from netgaze.data.face_folder import FaceFolder

STATS = {"num_channels": 3, "mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)}
NAMES = ["Ada", "Bo", "Cy", "Di", "Ed", "Flo", "Gus", "Hal"]


def paint(path, color, size=(12, 9), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, color).save(path)


@pytest.fixture
def album(tmp_path):
    """Eight people, the n-th with n + 3 photos of different sizes; red says who, green which."""
    root = tmp_path / "album"
    for person, name in enumerate(NAMES):
        for photo in range(person + 3):
            paint(root / name / f"{photo:02}.png", (20 * person, photo, 7), (8 + 3 * photo, 40 - 2 * person))
    (root / "notes.txt").write_text("not a person")
    (root / ".thumbnails").mkdir()
    return root


def opened(root, num_classes=8, **changes):
    return FaceFolder(**({"dir": str(root), "num_classes": num_classes, "image_size": 8} | STATS | changes))


def colors(data, *splits):
    """(person, photo) of every image, each of one color."""
    found = []
    for split in splits or ("train", "val", "test"):
        images = data.images(split)
        assert torch.equal(images, images[:, :, :1, :1].expand_as(images))
        found += [(red // 20, green) for red, green, _ in images[:, :, 0, 0].tolist()]
    return found


ALL = [(person, photo) for person in range(8) for photo in range(person + 3)]


def test_each_folder_is_a_person(album):
    data = opened(album)
    assert sorted(colors(data)) == ALL
    assert data.class_names == NAMES
    for split in ("train", "val", "test"):
        assert [person for person, _ in colors(data, split)] == data.labels(split).tolist()
    people = [set(data.labels(split).tolist()) for split in ("train", "val", "test")]
    assert [len(some) for some in people] == [4, 2, 2]
    assert len(set.union(*people)) == 8
    assert list(data.comparisons("test")) == ["all pairs"]


def test_subfolders_and_other_kinds_of_images_count(album):
    paint(album / "Ada" / "2019" / "summer.jpg", (0, 200, 7), (50, 50))
    paint(album / "Ada" / "gray.pgm", 33, mode="L")
    whole = opened(album).photos()
    assert torch.bincount(whole.labels).tolist() == [5, *range(4, 11)]


@pytest.mark.parametrize(("num", "expected"), [(6, 2), (10, 2), (20, 3), (100, 15)])
def test_null_is_fifteen_percent_and_two_at_least(num, expected, tmp_path):
    data = opened(tmp_path, num_classes=num)
    assert (data.num_val_people, data.num_test_people) == (expected, expected)
    typed = opened(tmp_path, num_classes=num, num_val_people=3, num_test_people=4)
    assert (typed.num_val_people, typed.num_test_people) == (3, 4)


def test_the_yaml_counts_the_people(album):
    data = instantiate(composed("data=face_folder", f"data.dir='{album}'", "data.image_size=8").data)
    assert data.num_classes == 8
    assert sorted(colors(data)) == ALL


def test_photos_of_different_sizes_become_squares(tmp_path):
    """The center of the shorter side's square, or both sides scaled; sizes need not agree."""
    rows = np.zeros((9, 27, 3), np.uint8)
    rows[:, 7:20] = 255
    for number in range(6):
        paint(tmp_path / f"p{number}" / "high.png", (255, 255, 255), (11, 30 + number))
        Image.fromarray(rows).save(tmp_path / f"p{number}" / "wide.png")
    cropped, squashed = (opened(tmp_path, 6, fit=fit).photos().images for fit in ("crop", "squash"))
    assert cropped.shape == squashed.shape == (12, 3, 8, 8)
    assert cropped.min() == 255
    assert squashed[1::2, :, :, [0, 7]].max() == 0
    assert squashed[1::2, :, :, 4].min() > 200
    assert squashed[::2].min() == 255


def test_own_pictures_are_fitted_as_the_set_is(album, tmp_path):
    whole = opened(album, fit="squash")
    own = whole.read_images([str(album / "Cy" / "01.png")])
    place = ALL.index((2, 1))
    assert torch.equal(own[0], whole.photos().images[place])
    assert whole.own_fit == "squash"


def test_corrupt_photos_are_left_out_and_named(album):
    (album / "Bo" / "01.png").write_bytes(b"no image")
    good = (album / "Hal" / "04.png").read_bytes()
    (album / "Hal" / "04.png").write_bytes(good[: len(good) // 2])
    (album / "Hal" / "._05.png").write_bytes(b"a note of the file system")
    data = opened(album)
    said = f"Left out 2 of {len(ALL)} images that cannot be read: Bo/01.png, Hal/04.png"
    assert data.found.list_warnings() == [said]
    assert sorted(colors(data)) == [photo for photo in ALL if photo not in [(1, 1), (7, 4)]]
    for split in ("train", "val", "test"):
        assert [person for person, _ in colors(data, split)] == data.labels(split).tolist()


def test_a_person_whose_photos_are_all_corrupt(album, says):
    for path in (album / "Ed").iterdir():
        path.write_bytes(b"no image")
    with says("No image of Ed in .*album can be read"):
        opened(album).setup()


def test_a_person_without_photos(album, says):
    (album / "Ike").mkdir()
    (album / "Ike" / "letter.txt").write_text("Sorry, no photo.")
    data = opened(album)
    assert data.found.list_warnings() == ["Ike holds no pictures, only files of .txt, and is left out."]


def test_parts_are_people_of_their_own(album, tmp_path, says):
    """train/ and test/ as VGGFace2 has them; validation is drawn from training's people."""
    root = tmp_path / "divided"
    for place, name in enumerate(NAMES):
        (root / ("train" if place < 6 else "Test")).mkdir(parents=True, exist_ok=True)
        (album / name).rename(root / ("train" if place < 6 else "Test") / name)
    data = opened(root, num_val_people=2)
    people = {split: set(data.labels(split).tolist()) for split in ("train", "val", "test")}
    assert people["test"] == {6, 7}
    assert people["train"] | people["val"] == set(range(6))
    assert len(people["val"]) == 2
    assert sorted(colors(data)) == ALL
    (root / "Test" / "Ada").mkdir()
    paint(root / "Test" / "Ada" / "9.png", (0, 99, 7))
    with says("Ada has a folder in train and in test.*data=folder task=supervised"):
        opened(root, num_val_people=2).setup()


def test_no_folder_and_no_people(tmp_path, says):
    with says("Cannot read the folder .*nowhere"):
        opened(tmp_path / "nowhere").setup()
    paint(tmp_path / "loose.png", (1, 2, 3))
    with says("has no folders of classes"):
        opened(tmp_path, 0).setup()


def test_too_few_people(tmp_path, says):
    for person in range(5):
        paint(tmp_path / f"p{person}" / "a.png", (1, 2, 3))
        paint(tmp_path / f"p{person}" / "b.png", (1, 2, 3))
    with says("2 or more of the 5 people of FaceFolder"):
        opened(tmp_path, 5).setup()


def test_one_photo_each(tmp_path, says):
    for person in range(7):
        paint(tmp_path / f"p{person}" / "a.png", (1, 2, 3))
    with says("who have images have one image each"):
        opened(tmp_path, 7).setup()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fit": "stretch"}, r"Unknown data\.fit=stretch"),
        ({"num_channels": 2, "mean": [0.5] * 2, "std": [0.2] * 2}, r"data\.num_channels=2 is not possible"),
        ({"num_classes": 6}, r"FaceFolder has 8 classes, but data\.num_classes=6\. Type data\.num_classes=8"),
    ],
)
def test_wrong_settings(album, changes, words, says):
    with says(words):
        opened(album, **changes).setup()
