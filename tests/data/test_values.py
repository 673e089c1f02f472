"""Numbers of all kinds in files: what is black, what is white, the same for the whole set and for a person's own."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from netgaze.data.decode import Form, decode
from netgaze.data.folder import Folder
from netgaze.data.values import check_range, choose_range, choose_ranges, describe_ranges, measure, to_bytes
from netgaze.errors import NetgazeError

STATS = {"num_channels": 1, "mean": (0.5,), "std": (0.25,), "image_size": 8}
RAMP = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4  # 0, 4, ..., 252


def save(path, values, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path, **options)


def put_set(root, values, ending=".tif"):
    """Two classes of ten pictures: a ramp and its mirror, each a little different."""
    for number in range(10):
        for name, picture in (("a", values), ("b", values[:, ::-1])):
            save(root / name / f"{number}{ending}", np.roll(picture, number, axis=0).copy())


def opened(root, **changes):
    return Folder(**({"dir": str(root), "num_classes": 2} | STATS | changes))


def read(path, **form):
    return decode(path, Form(**({"size": 8, "channels": 1, "fit": "center"} | form)))[..., 0]


def pixels(data, split="train"):
    return data.images(split)[:, 0]


@pytest.mark.parametrize(
    ("low", "high", "values", "expected"),
    [
        (0, 255, "uint16", (0, 255)),
        (3, 200, "uint16", (0, 255)),
        (0, 1000, "uint16", (0, 1023)),
        (0, 4000, "uint16", (0, 4095)),
        (0, 16_000, "uint16", (0, 16_383)),
        (0, 30_000, "uint16", (0, 65_535)),
        (0, 1, "uint16", (0, 1)),
        (0, 9, "uint16", (0, 9)),
        (0, 200_000, "int32", (0, 200_000)),
        (-1024, 3071, "int32", (-1024, 3071)),
        (0.0, 0.9, "float32", (0, 1)),
        (0.0, 200.5, "float32", (0, 255)),
        (0.0, 255.0, "float32", (0, 255)),
        (-1.0, 0.5, "float32", (-1, 1)),
        (0.25, 12.5, "float32", (0, 12.5)),
        (-50.0, -10.0, "float32", (-50, -10)),
        (0.0, 3e5, "float64", (0, 3e5)),
    ],
)
def test_the_range_of_a_set(low, high, values, expected):
    found = choose_range(measure(np.linspace(low, high, 50).astype(values)))
    assert found == pytest.approx(expected)


def test_the_range_is_of_all_pictures_of_a_kind():
    extents = [measure(np.array(values)) for values in ([0, 200], [0, 3000])]
    extents += [measure(np.array([0.0, 0.5], np.float32)), measure(np.array([np.nan], np.float32))]
    assert choose_ranges(extents) == {"whole": (0, 4095), "float": (0, 1)}
    assert describe_ranges({"whole": (0, 4095), "float": (0, 1)}) == "0..4095 (whole numbers), 0..1 (floats)"
    assert describe_ranges({}) == "0..255"


@given(
    st.lists(st.floats(width=32) | st.integers(-(2**31), 2**31), min_size=1, max_size=20),
    st.sampled_from(["float32", "float64"]),
)
def test_any_numbers_become_bytes_in_order(values, kind):
    """Larger numbers are never darker; nothing warns or overflows."""
    array = np.array(values, dtype=kind)
    found = to_bytes(array, {})
    assert found.dtype == np.uint8
    known = np.isfinite(array)
    order = np.argsort(array[known], kind="stable")
    assert (np.diff(found[known][order].astype(int)) >= 0).all()
    assert (found[np.isnan(array)] == 0).all()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("u16_full.png", RAMP.astype(np.uint16) * 257),
        ("u16_of_8.png", RAMP.astype(np.uint16)),
        ("u16.tif", RAMP.astype(np.uint16)),
        ("i32.tif", RAMP.astype(np.int32)),
        ("f32_255.tif", RAMP.astype(np.float32)),
        ("f32_1.tif", RAMP.astype(np.float32) / 255),
        ("u16.pgm", RAMP.astype(np.uint16) * 257),
    ],
)
def test_a_picture_is_what_its_8_bits_are(tmp_path, name, values):
    save(tmp_path / name, values)
    np.testing.assert_array_equal(read(tmp_path / name), RAMP)


def test_twelve_bits_and_what_is_no_number(tmp_path):
    save(tmp_path / "12.tif", (RAMP.astype(np.uint16) * 16))
    np.testing.assert_allclose(read(tmp_path / "12.tif").astype(int), RAMP, atol=1)
    holed = RAMP.astype(np.float32) / 255
    holed[0, :3] = np.nan, np.inf, -np.inf
    save(tmp_path / "holed.tif", holed)
    expected = RAMP.copy()
    expected[0, :3] = 0, 255, 0
    np.testing.assert_array_equal(read(tmp_path / "holed.tif"), expected)


def test_signed_numbers_keep_their_order(tmp_path):
    save(tmp_path / "ct.tif", (RAMP.astype(np.int32) - 128) * 10)
    found = read(tmp_path / "ct.tif")
    np.testing.assert_allclose(found.astype(float), RAMP.astype(float) * 255 / 252, atol=1)


@pytest.mark.parametrize("scale", [257, 1])
def test_colors_of_16_bits(tmp_path, scale):
    """Pillow reads the upper byte of each; here both count, as the samples of a PNG written by hand."""
    colors = np.stack([RAMP, RAMP[::-1], RAMP.T], axis=2)
    write_png16(tmp_path / "colors.png", colors.astype(np.uint16) * scale)
    found = decode(tmp_path / "colors.png", Form(8, 3, "center"))
    np.testing.assert_array_equal(found, colors)


def write_png16(path, values):
    """A PNG with 16 bits a channel, [H,W,3], as its specification says."""
    import struct
    import zlib

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    content = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)


MODES = {
    "1": "png", "L": "png", "LA": "png", "P": "png", "RGB": "png", "RGBA": "png", "CMYK": "tif", "YCbCr": "tif",
    "LAB": "tif", "I;16": "png", "I": "tif", "F": "tif",
}  # fmt: skip


@pytest.mark.parametrize("mode", list(MODES))
def test_all_modes_that_pillow_writes(tmp_path, mode):
    """A bright square on dark in every mode, against the same in RGB: within what the mode can hold."""
    from PIL import ImageCms

    square = np.zeros((8, 8, 3), np.uint8)
    square[2:6, 2:6] = 255
    plain = Image.fromarray(square)
    if mode == "LAB":
        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        image = ImageCms.applyTransform(plain, ImageCms.buildTransform(srgb, lab, "RGB", "LAB"))
    elif mode in ("I;16", "I", "F"):
        dtype = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        image = Image.fromarray(square[..., 0].astype(dtype))
    else:
        image = plain.convert(mode)
    path = tmp_path / f"square.{MODES[mode]}"
    image.save(path)
    with Image.open(path) as stored:
        assert stored.mode == mode
    np.testing.assert_allclose(decode(path, Form(8, 3, "center")).astype(int), square, atol=3)


def test_a_set_of_16_bits_reads_as_its_8_bits(tmp_path):
    put_set(tmp_path / "deep", RAMP.astype(np.uint16))
    put_set(tmp_path / "plain", RAMP, ".png")
    deep, plain = opened(tmp_path / "deep"), opened(tmp_path / "plain")
    assert torch.equal(pixels(deep), pixels(plain))
    assert deep.found.as_facts()["ranges"] == {"whole": [0, 255]}
    assert plain.found.as_facts()["ranges"] == {}


def test_a_dark_picture_of_a_bright_set_stays_dark(tmp_path):
    """The set decides, not the picture; also for a person's own."""
    put_set(tmp_path / "set", RAMP.astype(np.uint16) * 16)
    save(tmp_path / "set" / "a" / "dark.tif", RAMP.astype(np.uint16))
    data = opened(tmp_path / "set")
    data.setup()
    assert data.remarks.ranges == {"whole": (0, 4095)}
    save(tmp_path / "own.tif", RAMP.astype(np.uint16))
    own = data.read_images([str(tmp_path / "own.tif")])[0, 0].numpy()
    assert own.max() == round(252 / 4095 * 255)
    assert data.read_picture(str(tmp_path / "own.tif"), 8).max() == own.max()


def test_the_range_may_be_typed(tmp_path):
    put_set(tmp_path / "deep", RAMP.astype(np.uint16) + 1000)
    assert pixels(opened(tmp_path / "deep")).float().std() < 20
    typed = opened(tmp_path / "deep", value_range=[1000, 1255])
    plain = tmp_path / "plain"
    put_set(plain, RAMP, ".png")
    assert torch.equal(pixels(typed), pixels(opened(plain)))
    save(tmp_path / "own.tif", RAMP.astype(np.uint16) + 1000)
    np.testing.assert_array_equal(typed.read_images([str(tmp_path / "own.tif")])[0, 0], RAMP)


def test_masks_of_8_bits_become_visible_where_a_range_is_typed(tmp_path):
    put_set(tmp_path / "masks", (RAMP > 99).astype(np.uint8), ".png")
    plain, typed = opened(tmp_path / "masks"), opened(tmp_path / "masks", value_range=[0, 1])
    assert set(pixels(plain).unique().tolist()) == {0, 1}
    assert set(pixels(typed).unique().tolist()) == {0, 255}
    assert typed.found.values == "0..1"
    assert any("nearly black" in each for each in plain.found.list_warnings())
    save(tmp_path / "own.png", np.eye(8, dtype=np.uint8))
    np.testing.assert_array_equal(typed.read_images([str(tmp_path / "own.png")])[0, 0], 255 * np.eye(8))
    color = tmp_path / "color.png"
    Image.new("RGB", (8, 8), (0, 1, 0)).save(color)
    assert decode(color, Form(8, 3, "center"), check_range([0, 1]))[0, 0].tolist() == [0, 255, 0]


@pytest.mark.parametrize("typed", [5, [1], [1, 2, 3], [2, 1], [0, float("nan")], ["a", "b"], "0..1", [0, float("inf")]])
def test_ranges_that_cannot_be(typed):
    with pytest.raises(NetgazeError, match=r"data\.value_range=.* must be two numbers"):
        check_range(typed)


def test_a_set_of_nearly_one_shade_is_warned_of(tmp_path):
    put_set(tmp_path / "dark", RAMP.astype(np.uint16) // 100)
    save(
        tmp_path / "dark" / "a" / "stuck.tif",
        np.concatenate([RAMP[:7].astype(np.uint16) * 0, [[65_535] * 8]]).astype(np.uint16),
    )
    (warning,) = [
        each for each in opened(tmp_path / "dark").found.list_warnings() if "nearly" in each and "images are" in each
    ]
    assert "nearly black" in warning
    assert "data.value_range" in warning
    put_set(tmp_path / "good", RAMP, ".png")
    assert not [each for each in opened(tmp_path / "good").found.list_warnings() if "nearly" in each]
