"""A person's own pictures, as they come: odd sizes, odd kinds, broken files, odd paths."""

import logging
import subprocess
import sys
import warnings

import numpy as np
import pytest
from PIL import Image
from torchvision import transforms

from netgaze.data import decode
from netgaze.data.decode import Form, read_images, read_picture
from netgaze.errors import NetgazeError
from netgaze.folders.pictures import find_pictures

FITS = ("crop", "center", "squash")
RED = (200, 30, 30)


def paint(path, color=RED, size=(20, 16), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, color).save(path, **options)
    return path


def read(path, fit="crop", size=8, channels=3):
    """One picture, [S,S,C]."""
    return read_images([str(path)], Form(size, channels, fit))[0].permute(1, 2, 0).numpy()


def colors(path, **form):
    """The distinct colors of a picture that has one throughout."""
    found = {tuple(pixel) for pixel in read(path, **form).reshape(-1, form.get("channels", 3)).tolist()}
    whole = {tuple(pixel) for pixel in read_picture(str(path), 8, 3).flatten(1).T.tolist()}
    assert len(found) == len(whole) == 1
    if form.get("channels", 3) == 3:
        assert found == whole
    return found.pop()


@pytest.mark.parametrize(
    ("content", "name"),
    [(b"no picture at all", "a.jpg"), (b"", "empty.png"), (b"\x89PNG\r\n\x1a\n", "head.png"), (b"GIF89a", "head.gif")],
)
def test_what_is_no_picture_is_said(tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    path = str(tmp_path / name)
    for reading in (lambda: read_images([path], Form(8, 3, "crop")), lambda: read_picture(path, 8, 3)):
        with pytest.raises(NetgazeError, match=rf"^images: .*{name} cannot be read as a picture: [^:]+\.$"):
            reading()


def test_a_missing_file_and_a_folder_in_its_place_are_said(tmp_path):
    for reading in (lambda path: read_images([path], Form(8, 3, "crop")), lambda path: read_picture(path, 8, 3)):
        with pytest.raises(NetgazeError, match=r"^images: there is no file .*nowhere\.jpg\.$"):
            reading(str(tmp_path / "nowhere.jpg"))
        with pytest.raises(NetgazeError, match="cannot be read as a picture"):
            reading(str(tmp_path))


@pytest.mark.parametrize("kind", ["jpg", "png", "gif"])
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_truncated_picture_is_said(tmp_path, kind, share):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = tmp_path / f"cut.{kind}"
    Image.fromarray(noise).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(NetgazeError, match=f"cut.{kind} cannot be read as a picture"):
        read(path)


def test_too_many_pixels_are_said(tmp_path, monkeypatch):
    path = paint(tmp_path / "huge.png", size=(100, 100))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4000)
    with pytest.raises(NetgazeError, match=r"huge\.png has too many pixels\. Make it smaller"):
        read(path)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 3)])
def test_the_smallest_pictures(tmp_path, fit, size):
    path = paint(tmp_path / "dot.png", size=size)
    assert colors(path, fit=fit) == RED


_MEASURED = """
import resource, sys
from netgaze.data.decode import Form, read_images, read_picture
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
before = peak()
for path in sys.argv[1:]:
    for fit in ("crop", "center", "squash"):
        assert tuple(read_images([path], Form(224, 3, fit)).shape) == (1, 3, 224, 224)
    read_picture(path, 512, 3)
    print(peak() - before)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no account of memory")
@pytest.mark.slow
def test_large_and_very_long_pictures_need_little_memory(tmp_path):
    """Megabytes, the peak so far: a JPEG is read at a part of its size; of a PNG (120 MB) there is one copy."""
    sizes = {"tall.png": (1, 5000), "wide.png": (5000, 1), "large.jpg": (8000, 5000), "large.png": (8000, 5000)}
    paths = [paint(tmp_path / name, (200, 200, 200), size=size) for name, size in sizes.items()]
    words = [sys.executable, "-c", _MEASURED, *map(str, paths)]
    printed = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    for name, peak, most in zip(sizes, map(float, printed.split()), (60, 60, 80, 250), strict=True):
        assert peak < most, name


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("kind", ["png", "jpg"])
@pytest.mark.parametrize("size", [(1, 5000), (5000, 1), (3, 5000)])
def test_very_long_pictures(tmp_path, fit, kind, size):
    path = paint(tmp_path / f"long.{kind}", (200, 200, 200), size=size)
    assert np.abs(read(path, fit, size=64).astype(int) - 200).max() <= 1
    longest = read_picture(str(path), 50, 3)
    assert sorted(longest.shape[1:]) == [1, 50]


@pytest.mark.parametrize("shape", [(7, 130, 3), (130, 7, 3)])
def test_the_center_of_a_very_long_picture_is_its_center(tmp_path, shape):
    """Scaled alone as in the whole, but for rounding; the whole is torchvision's."""
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "long.png")
    whole = transforms.Compose([transforms.Resize(24), transforms.CenterCrop(24)])
    expected = np.asarray(whole(Image.open(tmp_path / "long.png"))).astype(int)
    assert np.abs(read(tmp_path / "long.png", "center", size=24) - expected).max() <= 1
    assert expected.std() > 20


def test_forty_megapixels(tmp_path):
    path = paint(tmp_path / "large.jpg", (200, 200, 200), size=(8000, 5000))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.abs(read(path, size=32).astype(int) - 200).max() <= 1


def test_the_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (20, 16), color) for color in (RED, (0, 255, 0), (0, 0, 255))]
    for kind, options in (("gif", {}), ("png", {}), ("webp", {"lossless": True})):
        frames[0].save(tmp_path / f"moving.{kind}", save_all=True, append_images=frames[1:], duration=50, **options)
        with Image.open(tmp_path / f"moving.{kind}") as opened:
            assert opened.n_frames == 3
        assert colors(tmp_path / f"moving.{kind}") == RED


@pytest.mark.parametrize(
    ("ink", "seen"),
    [
        ((0, 0, 0, 0), (255, 255, 255)),
        ((0, 255, 255, 0), (255, 0, 0)),
        ((255, 0, 255, 0), (0, 255, 0)),
        ((0, 0, 0, 255), (0, 0, 0)),
        ((0, 0, 0, 128), (127, 127, 127)),
    ],
)
def test_the_inks_of_a_print(tmp_path, ink, seen):
    """JPEGs of four inks are stored inverted, as Adobe's programs do; TIFFs as they are."""
    for path in (tmp_path / "print.jpg", tmp_path / "print.tif"):
        paint(path, ink, mode="CMYK", **({"quality": 95} if path.suffix == ".jpg" else {}))
        with Image.open(path) as opened:
            assert opened.mode == "CMYK"
        assert np.abs(np.array(colors(path)) - seen).max() <= 3
    assert b"Adobe" in (tmp_path / "print.jpg").read_bytes()


def test_gray_and_deep_pictures(tmp_path):
    assert colors(paint(tmp_path / "gray.jpg", 77, mode="L")) == (77, 77, 77)
    assert colors(paint(tmp_path / "color.png", (255, 255, 255)), channels=1) == (255,)
    ramp = np.linspace(0, 65_535, 64).astype(np.uint16)
    Image.fromarray(np.tile(ramp, (64, 1))).save(tmp_path / "deep.png")
    seen = read(tmp_path / "deep.png", size=64)
    np.testing.assert_array_equal(seen[0, :, 0], np.rint(ramp / 257))
    assert (seen == seen[:1, :, :1]).all()


def test_transparent_parts_are_white(tmp_path):
    assert colors(paint(tmp_path / "clear.png", (9, 9, 9, 0), mode="RGBA")) == (255, 255, 255)
    assert colors(paint(tmp_path / "half.png", (0, 0, 0, 128), mode="RGBA")) == (127, 127, 127)
    assert colors(paint(tmp_path / "gray.png", (9, 0), mode="LA")) == (255, 255, 255)
    palette = Image.new("P", (20, 16), 1)
    palette.putpalette([9, 9, 9, *RED])
    for number, seen in ((0, RED), (1, (255, 255, 255))):
        for kind in ("png", "gif"):
            palette.save(tmp_path / f"palette{number}.{kind}", transparency=number)
            assert colors(tmp_path / f"palette{number}.{kind}") == seen


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_camera_that_was_turned(tmp_path, orientation):
    """Every way in which EXIF says that a camera was held, against Pillow's own names of them."""
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:24, :, 0] = 200
    pixels[:, :32, 1] = 200
    upright = Image.fromarray(pixels)
    turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # from upright to how it is stored
    stored = upright.transpose(Image.Transpose(turns[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "turned.jpg", exif=exif, quality=98, subsampling=0)
    upright.save(tmp_path / "upright.png")
    for fit in FITS:
        seen, expected = (read(tmp_path / name, fit).astype(int) for name in ("turned.jpg", "upright.png"))
        assert np.abs(seen - expected).max() < 25
    assert read_picture(str(tmp_path / "turned.jpg"), 32, 3).shape == (3, 24, 32)


@pytest.mark.parametrize("shape", [(90, 130), (131, 77), (64, 64), (33, 40), (20, 24)])
def test_crop_and_center_are_torchvisions(tmp_path, shape):
    """Center cuts at the same whole pixels; crop at parts of one, so a smooth picture differs by part of a step."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8))
    coarse.resize(shape[::-1], Image.Resampling.BICUBIC).save(tmp_path / "smooth.png")
    theirs = transforms.Compose([transforms.Resize(32), transforms.CenterCrop(32)])
    with Image.open(tmp_path / "smooth.png") as opened:
        expected = np.asarray(theirs(opened)).astype(int)
    center, crop = (read(tmp_path / "smooth.png", fit, size=32).astype(int) for fit in ("center", "crop"))
    np.testing.assert_array_equal(center, expected)
    step = np.abs(np.diff(expected, axis=0)).max() + np.abs(np.diff(expected, axis=1)).max()
    assert np.abs(crop - expected).max() <= max(2, 0.6 * step)
    assert np.abs(crop - expected).mean() < 3


def test_folders_are_searched(tmp_path, caplog):
    for name in ("b.JPG", "deep/er/a.png", "c.webp"):
        paint(tmp_path / "photos" / name)
    for name in (".DS_Store", "._b.jpg", "Thumbs.db", "notes.txt", "deep/.hidden.png"):
        (tmp_path / "photos" / name).write_bytes(b"no picture")
    paint(tmp_path / "photos" / ".thumbnails" / "b.png")
    single = paint(tmp_path / "single.png")
    with caplog.at_level(logging.INFO, "netgaze"):
        found = find_pictures([str(single), str(tmp_path / "photos"), str(tmp_path / "nowhere.png")])
    assert "photos: 4 files (hidden), the first is .DS_Store" in caplog.text
    assert "photos: 1 files (ending .txt), the first is notes.txt" in caplog.text
    names = [path[len(str(tmp_path)) + 1 :].replace("\\", "/") for path in found]
    assert names == ["single.png", "photos/b.JPG", "photos/c.webp", "photos/deep/er/a.png", "nowhere.png"]
    assert read_images(found[:-1], Form(8, 3, "crop")).shape == (4, 3, 8, 8)


def test_patterns_that_the_shell_left_alone(tmp_path):
    for name in ("b.jpg", "a.jpg", "c.png", "deep/d.jpg", "[1].jpg"):
        paint(tmp_path / name)
    root = str(tmp_path)
    assert find_pictures([f"{root}/*.jpg"]) == [f"{root}/{name}.jpg" for name in ("[1]", "a", "b")]
    assert find_pictures([f"{root}/**/d.*"]) == [f"{root}/deep/d.jpg"]
    assert find_pictures([f"{root}/[1].jpg"]) == [f"{root}/[1].jpg"], "a file of this name comes first"
    with pytest.raises(NetgazeError, match=r"^images: no file matches .*\*\.gif\.$"):
        find_pictures([f"{root}/*.gif"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS pointer"),
        (b"<!DOCTYPE html><html>404</html>", "web page"),
        (b"", "empty file"),
        (b"words", "damaged, or of a format that is not read"),
    ],
)
def test_what_a_file_is_instead_is_said(tmp_path, content, words):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(NetgazeError, match=f"a.jpg cannot be read as a picture: .*{words}"):
        read(tmp_path / "a.jpg")


def test_a_hidden_folder_that_was_named_is_searched(tmp_path):
    path = paint(tmp_path / ".mine" / "a.png")
    assert find_pictures([str(tmp_path / ".mine")]) == [str(path)]


@pytest.mark.parametrize("name", [None, ".DS_Store", "notes.txt"])
def test_a_folder_without_a_picture_is_said(tmp_path, name):
    (tmp_path / "empty").mkdir()
    if name:
        (tmp_path / "empty" / name).write_bytes(b"no picture")
    with pytest.raises(NetgazeError, match=r"^images: .*empty holds no pictures"):
        find_pictures([str(tmp_path / "empty")])


@pytest.mark.parametrize(
    "name", ["with blanks.png", "[brackets]{and}(more).png", "Zoë et é.png", "日本.png", "~tilde.png", "a,b=c#d.png"]
)
def test_odd_names(tmp_path, name, monkeypatch):
    folder = tmp_path / name.removesuffix(".png")
    path = paint(folder / name)
    assert find_pictures([str(folder)]) == [str(path)]
    assert colors(path) == RED
    monkeypatch.chdir(folder)
    assert find_pictures([name]) == [name]
    assert colors(name) == RED


def test_a_home_folder(tmp_path, monkeypatch):
    paint(tmp_path / "a.png")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert find_pictures(["~/a.png"]) == [str(tmp_path / "a.png")]
    assert colors("~/a.png") == RED


def test_no_other_reader_is_asked(tmp_path):
    (tmp_path / "page.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")
    with pytest.raises(NetgazeError, match="cannot be read as a picture"):
        read(tmp_path / "page.jpg")
    assert "EPS" not in decode.FORMATS


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0.0, 0.5, 1.0]], np.float32), [0, 128, 255]),
        (np.array([[0, 100, 200]], np.int32), [0, 100, 200]),
        (np.array([[0, 25_700, 65_535]], np.int32), [0, 100, 255]),
    ],
    ids=["shares", "8 bits", "16 bits"],
)
def test_numbers_of_other_kinds_are_read_by_their_range(values, expected, tmp_path):
    Image.fromarray(np.repeat(values, 3, axis=0)).save(tmp_path / "a.tif")
    read = read_images([str(tmp_path / "a.tif")], Form(3, 1, "crop"))
    assert read[0, 0, 0].tolist() == expected


def test_a_picture_named_twice_is_one(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    paths = [str(tmp_path / "a.png"), f"{tmp_path}/./a.png", str(tmp_path)]
    assert find_pictures(paths) == [str(tmp_path / "a.png")]
