"""What several tests of the data room share."""

import os
import pickle
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from netgaze.data.cifar10 import FOLDER, META, TEST, TRAIN
from netgaze.errors import NetgazeError


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """A cache of its own for each test, so that none finds what another left."""
    monkeypatch.setenv("NETGAZE_CACHE", str(tmp_path_factory.mktemp("cache")))


def save_noise(folder: Path, num: int) -> np.random.Generator:
    """Save `num` pictures of noise for each of two classes; the generator, to go on with."""
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for number in range(num):
            pixels = rng.integers(0, 256, (10, 9, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:02}.png")
    return rng


@pytest.fixture(scope="session")
def cifar_files(tmp_path_factory) -> Iterator[Path]:
    """A folder that holds CIFAR-10 in its official form and size, with random pixels. Never write to it."""
    root = tmp_path_factory.mktemp("cifar")
    folder = root / FOLDER
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in (*TRAIN, TEST):
        write_batch(folder / name, rng.integers(0, 256, (10_000, 3072), np.uint8), [i % 10 for i in range(10_000)])
    (folder / META).write_bytes(pickle.dumps({"label_names": [f"class {i}" for i in range(10)]}, protocol=2))
    yield root
    shutil.rmtree(root)  # 180 MB, which pytest would keep


@pytest.fixture
def cifar_copy(cifar_files, tmp_path) -> Iterator[Path]:
    """The same files by hard link: replace them, never write into them."""
    (tmp_path / FOLDER).mkdir()
    for path in (cifar_files / FOLDER).iterdir():
        os.link(path, tmp_path / FOLDER / path.name)
    yield tmp_path
    shutil.rmtree(tmp_path / FOLDER)  # else pytest keeps what it links to


@pytest.fixture
def replace_batch() -> Callable:
    """write(path, data, labels): put another batch in a file's place."""

    def replace(path: Path, data: object, labels: object) -> None:
        path.unlink()
        write_batch(path, data, labels)

    return replace


@pytest.fixture
def real_cifar() -> Path:
    """The folder that holds the real CIFAR-10."""
    root = Path(os.environ.get("NETGAZE_DATA") or Path(__file__).parents[2] / "data")
    if not (root / FOLDER).is_dir():
        pytest.skip(f"no CIFAR-10 at {root}: set NETGAZE_DATA")
    return root


def write_batch(path: Path, data: object, labels: object) -> None:
    path.write_bytes(pickle.dumps({"data": data, "labels": labels}, protocol=2))


@pytest.fixture
def real_decathlon() -> Path:
    """The folder that holds (a part of) the real Visual Decathlon."""
    root = Path(os.environ.get("NETGAZE_DATA") or Path(__file__).parents[2] / "data")
    if not (root / "decathlon-1.0" / "annotations").is_dir():
        pytest.skip(f"no Visual Decathlon at {root}: set NETGAZE_DATA")
    return root


@pytest.fixture
def says() -> Callable:
    """To be entered with words (a pattern): what is inside must fail by one or two sentences that hold them."""

    @contextmanager
    def check(words: str) -> Iterator[None]:
        with pytest.raises(NetgazeError, match=words) as said:
            yield
        message = str(said.value)
        assert message[0].isupper() or message.startswith(("/", "data."))
        assert message.endswith(".")
        assert len(re.findall(r"\.(?= [A-Z]|$)", message)) <= 2, message

    return check


@pytest.fixture
def real_faces() -> Path:
    """The folder that holds the real AT&T faces."""
    return _real("att_faces")


@pytest.fixture
def real_meglass() -> Path:
    """The folder that holds MeGlass, or its lists alone."""
    return _real("meglass", "meta.txt") / "meglass"


def _real(*needed: str) -> Path:
    root = Path(os.environ.get("NETGAZE_DATA") or Path(__file__).parents[2] / "data")
    if not root.joinpath(*needed).exists():
        pytest.skip(f"no {needed[0]} at {root}: set NETGAZE_DATA")
    return root
