"""The AT&T faces: both layouts, folder and archive, what can be wrong with them, and the real ones where they are."""

import hashlib
import random
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from netgaze.data import att_faces as module
from netgaze.data.att_faces import ALWAYS, ARCHIVE, FOLDER, SOMETIMES, AttFaces, wears_glasses
from netgaze.data.faces import GLASSES

STATS = {"num_classes": 40, "num_channels": 1, "mean": (0.5,), "std": (0.25,)}
LAYOUTS = ["plain", "notebook"]
WIDTH, HEIGHT = 12, 14


def folder_of(person, layout):
    if layout == "plain":
        return f"s{person}"
    return f"data/faces/{'testing' if person in (5, 6, 7) else 'training'}/s{person}"


def pixels_of(person, photo):
    """The left says who, the right which photo."""
    pixels = np.empty((HEIGHT, WIDTH), np.uint8)
    pixels[:, : WIDTH // 2], pixels[:, WIDTH // 2 :] = person, 20 * photo
    return pixels


def content_of(person, photo):
    return b"P5\n%d %d\n255\n" % (WIDTH, HEIGHT) + pixels_of(person, photo).tobytes()


EVERY = [(person, photo) for person in range(1, 41) for photo in range(1, 11)]


def named(layout):
    """(name, content) of all files, in no order, with what else lies about."""
    files = [(f"{folder_of(*one[:1], layout)}/{one[1]}.pgm", content_of(*one)) for one in EVERY]
    readme = "data/faces/training/README" if layout == "notebook" else "README"
    files += [(readme, b"The Database of Faces"), (f"__MACOSX/{folder_of(1, layout)}/._1.pgm", b"a note")]
    random.Random(0).shuffle(files)
    return files


def lay(root, layout):
    for name, content in named(layout):
        path = root / FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def pack(path, layout, leave_out=()):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in named(layout):
            if name not in leave_out:
                archive.writestr(name, content)
    return path


@pytest.fixture(autouse=True)
def made_up_is_official(monkeypatch, tmp_path):
    """The made-up photos' pixels count as the official ones, and no address leads to the network."""
    pixels = hashlib.sha256(b"".join(pixels_of(*one).tobytes() for one in EVERY)).hexdigest()
    monkeypatch.setattr(module, "PIXELS", pixels)
    monkeypatch.setattr(module, "URLS", ((tmp_path / "no mirror" / "a.zip").as_uri(),))


@pytest.fixture(params=LAYOUTS)
def layout(request):
    return request.param


@pytest.fixture
def faces(tmp_path, layout):
    return lay(tmp_path / "data", layout)


def opened(root, **changes):
    return AttFaces(**({"dir": str(root), "image_size": 8} | STATS | changes))


def people(data):
    """The people of each split, by their numbers in the set."""
    return {name: {int(data.class_names[label][1:]) for label in split.labels} for name, split in data.splits.items()}


def assert_whole(data):
    """All photos in order, who is in them, and who wears glasses."""
    whole = data.photos()
    assert whole.images.shape == (400, 1, 8, 8)
    seen = [(left, right // 20) for left, right in whole.images[:, 0, 0, [0, 7]].tolist()]
    assert seen == EVERY
    assert whole.labels.tolist() == [person - 1 for person, _ in EVERY]
    assert data.class_names == [f"s{number}" for number in range(1, 41)]
    assert whole.marks[GLASSES].tolist() == wears_glasses().tolist()


def test_both_layouts(faces):
    assert_whole(opened(faces))


def test_what_macos_adds_to_an_archive_is_passed_over(tmp_path):
    """Wherever it stands among the names: _ comes after capitals and before small letters."""
    for parent in ("ORL", "orl"):
        root = tmp_path / parent / FOLDER
        for person, photo in EVERY:
            path = root / parent / f"s{person}" / f"{photo}.pgm"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content_of(person, photo))
        (root / "__MACOSX" / parent / "s7").mkdir(parents=True)
        (root / "__MACOSX" / parent / "s7" / "._1.pgm").write_bytes(b"a note")
        assert_whole(opened(tmp_path / parent))


def lay_as(root, name, save):
    """All photos below `root`, each as `name` says, written by `save(image, path)`."""
    for person, photo in EVERY:
        path = root / name.format(person=person, photo=photo)
        path.parent.mkdir(parents=True, exist_ok=True)
        save(Image.fromarray(pixels_of(person, photo)), path)
    return root


@pytest.mark.parametrize(
    "name",
    ["s{person}/{photo}.png", "S{person}/{photo}.BMP", "a/b/s{person:02}/{photo:02}.tif", "{person}/{photo}.webp"],
)
@pytest.mark.parametrize("folder", [FOLDER, f"{FOLDER}/orl_faces", "of my own"])
def test_any_format_without_loss_and_any_nesting(tmp_path, name, folder):
    ending = name.rpartition(".")[2].lower()
    options = {"lossless": True} if ending == "webp" else {}
    lay_as(tmp_path / folder, name, lambda image, path: image.save(path, **options))
    around = [tmp_path] if folder.startswith(FOLDER) else []
    direct = [tmp_path / folder] if folder == FOLDER or not name.startswith("{") else []  # a folder 40 is no mark
    for root in around + direct:
        data = opened(root, download=False)
        assert_whole(data)
        assert data.fingerprint == opened(lay(tmp_path / "official", "plain")).fingerprint


def test_pixels_in_color_are_the_same_pixels(tmp_path):
    lay_as(tmp_path / FOLDER, "s{person}/{photo}.png", lambda image, path: image.convert("RGB").save(path))
    assert_whole(opened(tmp_path))


def test_jpeg_changes_pixels_and_may_be_trusted(tmp_path, says):
    lay_as(tmp_path / FOLDER, "s{person}/{photo}.jpg", lambda image, path: image.save(path, quality=30))
    with says(r"not the official ones: their pixels differ, as those of JPEG files do\. Set data\.verify=false"):
        opened(tmp_path).setup()
    assert opened(tmp_path, verify=False).photos().images.shape == (400, 1, 8, 8)


def test_beside_a_converted_copy_the_original_counts(faces):
    path = next((faces / FOLDER).rglob("s3/7.pgm"))
    Image.new("L", (WIDTH, HEIGHT)).save(path.with_suffix(".bmp"))
    assert_whole(opened(faces))


def test_an_archive_typed_itself(tmp_path):
    path = pack(tmp_path / "by hand" / "orl.zip", "plain")
    assert_whole(opened(path, download=False))
    assert (path.parent / FOLDER).is_dir()


def test_layouts_are_the_same_data(tmp_path):
    prints = {opened(lay(tmp_path / layout, layout)).fingerprint for layout in LAYOUTS}
    assert len(prints) == 1


def test_an_archive_put_there_by_hand(tmp_path, layout):
    pack(tmp_path / "data" / ARCHIVE, layout)
    assert_whole(opened(tmp_path / "data", download=False))
    (tmp_path / "data" / ARCHIVE).unlink()
    assert_whole(opened(tmp_path / "data", download=False))


def test_downloaded_once(tmp_path, layout):
    source = pack(tmp_path / "mirror" / "att%26t.zip", layout)
    first = opened(tmp_path / "data", url=source.as_uri())
    first.prepare_data()
    source.unlink()
    assert_whole(opened(tmp_path / "data", download=False))
    assert opened(tmp_path / "data").fingerprint == first.fingerprint
    left = sorted(path.name for path in (tmp_path / "data").iterdir() if not path.name.endswith(".lock"))
    assert left == [FOLDER, ARCHIVE]


def test_known_addresses_come_after_the_typed_one(tmp_path, monkeypatch):
    known, worse = (tmp_path / "mirror" / name for name in ("known.zip", "worse.zip"))
    monkeypatch.setattr(module, "URLS", (pack(known, "plain").as_uri(),))
    assert_whole(opened(tmp_path / "data", url=(tmp_path / "nothing.zip").as_uri()))
    monkeypatch.setattr(module, "URLS", (pack(worse, "plain", leave_out=["s3/7.pgm"]).as_uri(),))
    assert_whole(opened(tmp_path / "again", url=known.as_uri()))


def test_nothing_there_and_no_mirror(tmp_path, says):
    with says(r"Could not download att_faces\.zip.*by hand"):
        opened(tmp_path).setup()


def test_nothing_there_and_no_download(tmp_path, says):
    with says(r"no AT&T faces at .*att_faces or .*att_faces\.zip.*data\.download=true"):
        opened(tmp_path, download=False).setup()


@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_a_broken_archive(tmp_path, share, says):
    path = pack(tmp_path / ARCHIVE, "plain")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with says(r"att_faces\.zip is broken or incomplete .*Remove it to download it again"):
        opened(tmp_path).setup()
    assert not (tmp_path / FOLDER).exists()


def test_another_archive_is_too_large(tmp_path, monkeypatch, says):
    pack(tmp_path / ARCHIVE, "plain")
    monkeypatch.setattr(module, "MOST_BYTES", 10_000)
    with says("holds more than 0 MB"):
        opened(tmp_path).setup()


@pytest.mark.parametrize("verify", [True, False])
def test_a_missing_photo(faces, layout, verify, says):
    for person, photo in ((17, 4), (30, 10)):
        (faces / FOLDER / folder_of(person, layout) / f"{photo}.pgm").unlink()
    with says(r"att_faces lacks 2 of the 400 photos, s17/4 first .*Put them there, or name another folder"):
        opened(faces, verify=verify).setup()


def test_a_missing_person(faces, layout, says):
    for photo in range(1, 11):
        (faces / FOLDER / folder_of(40, layout) / f"{photo}.pgm").unlink()
    (faces / FOLDER / folder_of(40, layout)).rmdir()
    with says(r"lacks 10 of the 400 photos, s40/1 first"):
        opened(faces).setup()


def test_an_archive_that_lacks_photos_is_mended_as_the_sentence_says(tmp_path, says):
    pack(tmp_path / ARCHIVE, "plain", leave_out=["s3/7.pgm"])
    with says(r"s3/7 first .* or name another folder with data\.dir= to have the official ones downloaded there\."):
        opened(tmp_path).setup()
    assert_whole(opened(tmp_path / "another", url=pack(tmp_path / "good.zip", "plain").as_uri()))


def change_pixel(root, layout, person=40, photo=10):
    path = root / FOLDER / folder_of(person, layout) / f"{photo}.pgm"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_a_pixel_that_differs(faces, layout, says):
    change_pixel(faces, layout)
    with says(r"att_faces are not the official ones: their pixels differ.*Set data\.verify=false if you trust"):
        opened(faces).setup()
    assert_whole(opened(faces, verify=False))


def test_two_photos_exchanged(faces, layout, says):
    one, other = (faces / FOLDER / folder_of(person, layout) / "1.pgm" for person in (8, 9))
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    with says("not the official ones"):
        opened(faces).setup()


def test_other_files_with_the_same_pixels_are_right(faces, layout):
    """The pixels count, not the files: a mirror may have written a comment, or text for bytes."""
    path = faces / FOLDER / folder_of(2, layout) / "3.pgm"
    path.write_bytes(content_of(2, 3).replace(b"P5\n", b"P5\n# by another program\n"))
    words = " ".join(map(str, pixels_of(2, 4).flatten()))
    (path.parent / "4.pgm").write_text(f"P2\n{WIDTH} {HEIGHT}\n255\n{words}\n")
    assert_whole(opened(faces))


@pytest.mark.parametrize("content", [b"", b"no image", content_of(5, 2)[:-20]], ids=["empty", "text", "cut"])
def test_a_corrupt_photo(faces, layout, content, says):
    (faces / FOLDER / folder_of(5, layout) / "2.pgm").write_bytes(content)
    with says("not the official ones"):
        opened(faces).setup()
    with says(rf"{folder_of(5, layout)}.2\.pgm cannot be read"):
        opened(faces, verify=False).setup()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fit": "stretch"}, r"Unknown data\.fit=stretch"),
        ({"split": "random"}, r"Unknown data\.split=random\. Choose people or notebook"),
        ({"num_channels": 2, "mean": [0.5] * 2, "std": [0.2] * 2}, r"data\.num_channels=2 is not possible"),
        ({"num_classes": 39}, r"AT&T faces has 40 classes, but data\.num_classes=39"),
        ({"split": "notebook", "num_val_people": 1}, r"data\.num_val_people=1 must be from 2 to 35"),
        ({"split": "notebook", "num_val_people": 36}, r"data\.num_val_people=36 must be from 2 to 35"),
        ({"num_val_people": 30, "num_test_people": 9}, "of the 40 people of AT&T faces"),
    ],
)
def test_wrong_settings(tmp_path, changes, words, says):
    with says(words):
        opened(lay(tmp_path, "plain"), **changes).setup()


@pytest.mark.parametrize("seed", [0, 1, 17])
@pytest.mark.parametrize("num_val", [2, 5, 35])
def test_the_notebook_s_people(faces, seed, num_val):
    data = opened(faces, split="notebook", num_val_people=num_val, split_seed=seed)
    found = people(data)
    assert found["test"] == {5, 6, 7}
    assert (len(found["train"]), len(found["val"])) == (37 - num_val, num_val)
    assert found["train"] | found["val"] == set(range(1, 41)) - {5, 6, 7}
    assert len(data.labels("test")) == 30


def test_the_notebook_s_validation_is_drawn_by_seed(tmp_path):
    lay(tmp_path, "plain")
    drawn = {frozenset(people(opened(tmp_path, split="notebook", split_seed=seed))["val"]) for seed in range(6)}
    assert len(drawn) == 6


def test_eight_folds_test_all_forty(tmp_path):
    lay(tmp_path, "plain")
    tested = [people(opened(tmp_path, num_test_people=5, split_seed=seed))["test"] for seed in range(8)]
    assert sorted(person for some in tested for person in some) == list(range(1, 41))


def test_squash_and_crop(tmp_path):
    """Squashed, all of the photo is seen; cropped, its upper and lower edge are not."""
    lay(tmp_path, "plain")
    pixels = np.full((30, WIDTH), 10, np.uint8)
    pixels[[0, 1, -2, -1]] = 250
    Image.fromarray(pixels).save(tmp_path / FOLDER / "s1" / "1.pgm")
    squashed, cropped = (opened(tmp_path, fit=fit, verify=False) for fit in ("squash", "crop"))
    assert squashed.photos().images[0, 0, [0, -1]].min() > 60
    assert cropped.photos().images[0].max() == 10
    own = squashed.read_images([str(tmp_path / FOLDER / "s1" / "1.pgm")])
    assert torch.equal(own[0], squashed.photos().images[0])


def test_three_channels(tmp_path):
    gray, color = (opened(lay(tmp_path, "plain"), num_channels=channels).photos().images for channels in (1, 3))
    assert torch.equal(color, gray.expand(-1, 3, -1, -1))


def test_the_table_of_glasses():
    worn = wears_glasses().reshape(40, 10)
    assert int(worn.sum()) == 119
    assert int(worn.all(1).sum()) == 8
    assert int((worn.any(1) & ~worn.all(1)).sum()) == 7
    for person in range(1, 41):
        photos = [photo + 1 for photo in worn[person - 1].nonzero().flatten().tolist()]
        assert photos == (list(range(1, 11)) if person in ALWAYS else list(SOMETIMES.get(person, ())))
    assert not set(ALWAYS) & set(SOMETIMES)
    spots = {(1, 1): False, (2, 1): True, (2, 10): True, (4, 3): True, (4, 4): False, (36, 9): True, (36, 8): False}
    for (person, photo), expected in spots.items():
        assert bool(worn[person - 1, photo - 1]) is expected


@pytest.fixture
def official(monkeypatch):
    monkeypatch.setattr(module, "PIXELS", OFFICIAL)


OFFICIAL = module.PIXELS


def test_the_real_photos_are_official(real_faces, official):
    data = opened(real_faces, download=False, image_size=64)
    whole = data.photos()
    assert whole.images.shape == (400, 1, 64, 64)
    assert torch.bincount(whole.labels).tolist() == [10] * 40
    assert whole.images.flatten(1).unique(dim=0).shape[0] == 400
    pixels = whole.images.double() / 255
    assert float(pixels.mean()) == pytest.approx(0.4417, abs=5e-4)
    assert float(pixels.std()) == pytest.approx(0.1907, abs=5e-4)


def test_real_photos_are_where_their_names_say(real_faces, official):
    whole = opened(real_faces, download=False, image_size=64).photos().images
    root = real_faces / FOLDER
    for person, photo in ((1, 1), (5, 10), (10, 2), (40, 9)):
        (path,) = root.rglob(f"s{person}/{photo}.pgm")
        with Image.open(path) as image:
            assert image.size == (92, 112)
            expected = np.asarray(image.resize((64, 64), Image.Resampling.BILINEAR))
        np.testing.assert_array_equal(whole[10 * person + photo - 11, 0], expected)


def test_glasses_as_the_stand_in_of_meglass_has_them(real_meglass):
    """Its labels were made apart from our table; `origin.txt` says which photo is which."""
    folder = real_meglass / "standin"
    if not (folder / "origin.txt").exists():
        pytest.skip(f"there is no stand-in at {folder}")
    labels = dict(line.rsplit(" ", 1) for line in (folder / "meta.txt").read_text().splitlines())
    worn, seen = wears_glasses().reshape(40, 10), set()
    for line in (folder / "origin.txt").read_text().splitlines():
        name, _, photo = line.split(" ")
        person, number = (int(part) for part in photo.removeprefix("s").removesuffix(".pgm").split("/"))
        assert bool(worn[person - 1, number - 1]) == (labels[name] == "1"), photo
        seen.add((person, number))
    assert seen == set(EVERY)
