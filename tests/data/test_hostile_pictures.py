"""Pictures that claim more than there is: refused by their heads, in little memory."""

import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from netgaze.data.decode import Form, read_images, read_picture
from netgaze.errors import NetgazeError

SIDE = 40_000  # 1.6 * 10^9 pixels


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(*chunks, side=SIDE, kind=2):
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IEND", b"")


ZEROS = zlib.compress(bytes(50_000_000), 9)
GIANTS = {
    "png": png(chunk(b"IDAT", ZEROS)),
    "gif": b"GIF89a" + struct.pack("<HHBBB", SIDE, SIDE, 0x80, 0, 0) + bytes(6)
    + b"," + struct.pack("<HHHHB", 0, 0, SIDE, SIDE, 0) + b"\x02\x02D\x01\x00;",
    "bmp": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, SIDE, SIDE, 1, 24, 0, 0, 0, 0, 0, 0),
    "ppm": b"P6\n%d %d\n255\n" % (SIDE, SIDE) + bytes(100),
    "pgm": b"P5\n%d %d\n65535\n" % (SIDE, SIDE) + bytes(100),
    "qoi": b"qoif" + struct.pack(">IIBB", SIDE, SIDE, 3, 0) + bytes(100),
    "tif": b"II*\0\x08\0\0\0" + struct.pack("<H", 8)
    + b"".join(
        struct.pack("<HHII", tag, 4, 1, value)
        for tag, value in ((256, SIDE), (257, SIDE), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (279, 100))
    )
    + bytes(4),
    "psd": b"8BPS" + struct.pack(">H6sHIIHH", 1, bytes(6), 3, SIDE, SIDE, 8, 3) + bytes(40),
}  # fmt: skip


@pytest.mark.parametrize("kind", list(GIANTS))
def test_giants_are_refused_by_their_heads(tmp_path, kind):
    path = tmp_path / f"giant.{kind}"
    path.write_bytes(GIANTS[kind])
    for read in (lambda: read_images([str(path)], Form(8, 3, "crop")), lambda: read_picture(str(path), 8, 3)):
        with pytest.raises(
            NetgazeError, match=rf"^images: .*giant\.{kind} has too many pixels\. Make it smaller first\.$"
        ):
            read()


_IN_LITTLE = """
import resource, sys
from pathlib import Path
from netgaze.data.folder import Folder
now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + 400_000_000,) * 2)
data = Folder(dir=sys.argv[1], num_classes=2, num_channels=3, mean=[0.5], std=[0.25], image_size=8)
data.setup()
print(*sorted(data.found.as_facts()["ignored"]["too many pixels"]["first"]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory")
def test_a_folder_with_giants_is_read_in_little_memory(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(4):
            Image.new("RGB", (9, 9), (number, 0, 0)).save(tmp_path / name / f"{number}.png")
    for kind, content in GIANTS.items():
        (tmp_path / "a" / f"giant.{kind}").write_bytes(content)
    (tmp_path / "a" / "words.png").write_bytes(png(chunk(b"zTXt", b"a\0\0" + ZEROS), chunk(b"IDAT", b""), side=9))
    said = subprocess.run(
        [sys.executable, "-c", _IN_LITTLE, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
    assert said.stdout.split() == sorted(f"a/giant.{kind}" for kind in GIANTS)


@pytest.mark.parametrize("frames", [2, 300])
def test_of_many_frames_one_is_read(tmp_path, frames):
    shown = [Image.fromarray(np.full((8, 8), number % 256, np.uint8)) for number in range(frames)]
    shown[0].save(tmp_path / "many.gif", save_all=True, append_images=shown[1:])
    assert read_images([str(tmp_path / "many.gif")], Form(8, 1, "crop")).unique().tolist() == [0]
