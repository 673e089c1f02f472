"""A run says what it found, keeps it, and reads a person's own pictures as it read its set."""

import json

import numpy as np
import pytest
from PIL import Image
from tests.commands import command
from tests.conftest import TINY

from netgaze.run import open_run

WORDS = [word for word in TINY if not word.startswith(("data=", "data.limit"))]
OWN = ["data=folder", "data.image_size=16", "data.num_channels=1", "data.mean=[0.5]", "data.std=[0.25]"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on pictures of 12 bits, whose set is gone since; with what it printed."""
    folder = tmp_path_factory.mktemp("deep")
    rng = np.random.default_rng(0)
    for kind, name in enumerate(("dark", "light")):
        (folder / "set" / name).mkdir(parents=True)
        for number in range(20):
            pixels = (rng.integers(0, 1000, (16, 16)) + 3000 * kind).astype(np.uint16)
            Image.fromarray(pixels).save(folder / "set" / name / f"{number}.png")
    (folder / "set" / "dark" / "notes.txt").write_text("no picture")
    (folder / "set" / "empty").mkdir()
    code, printed = command(*WORDS, *OWN, "data.dir=set", "figure=[]", "control=null", "hydra.run.dir=run", cwd=folder)
    assert code == 0, printed
    (folder / "set").rename(folder / "gone")
    return folder, printed


def test_what_was_found_is_said_and_kept(run):
    folder, printed = run
    for line in (
        "Folder: 28 train, 6 val, 6 test images of 1 x 16 x 16, values 0..4095",
        "2 classes of 14 training images each: dark, light",
        "val and test drawn from train",
        "Ignored 1 (ending .txt): dark/notes.txt",
        "Warning: empty holds no pictures and is left out.",
    ):
        assert line in printed
    found = json.loads((folder / "run" / "run.json").read_text())["found"]
    assert found["images"] == {"train": 28, "val": 6, "test": 6}
    assert found["classes"] == {"dark": [14, 3, 3], "light": [14, 3, 3]}
    assert found["ranges"] == {"whole": [0, 4095]}
    assert found["ignored"] == {"ending .txt": {"count": 1, "first": ["dark/notes.txt"]}}
    assert found["warnings"] == ["empty holds no pictures and is left out."]


def test_own_pictures_are_read_by_the_range_of_the_set(run):
    """A dark picture alone would be stretched; the run knows better, without its data."""
    folder, _ = run
    values = np.linspace(0, 800, 256).reshape(16, 16).astype(np.uint16)
    Image.fromarray(values).save(folder / "own.png")
    read = open_run(folder / "run").reader.read_images([str(folder / "own.png")])[0, 0].numpy()
    np.testing.assert_array_equal(read, np.rint(values / 4095 * 255))
