"""Opens weight files from others: runs no code, reads tensors only when needed."""

import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import safe_open

from netgaze.errors import NetgazeError
from netgaze.weights.first_bytes import AGAIN, find_kind
from netgaze.weights.inert import MAX_NAME, Global, Reader, make_printable
from netgaze.weights.onnx_graph import open_onnx
from netgaze.weights.stored import MAKERS, STORAGES, Storage, Stored

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # what torch.save wrote first before version 1.6


@contextmanager
def open_weights(path: Path) -> Iterator[Any]:
    """What a file holds, as dicts, lists, plain values, `inert.Inert` and, for each tensor, a `stored.Stored`.

    Tensors can be read while it is open.

    Raises:
        NetgazeError: the file is damaged, or no file of weights.
    """
    try:
        kind = find_kind(path)
    except OSError as error:
        raise NetgazeError(f"Cannot read {path}: {error.strerror}.") from error
    with ExitStack() as files:
        try:
            content = _OPENERS[kind](path, files)
        except NetgazeError:
            raise
        except Exception as error:  # readers of broken files raise nearly everything
            raise explain_damage(path, error) from error
        yield content


def explain_damage(path: Path | str, error: Exception) -> NetgazeError:
    """What is said of a file that cannot be read to its end."""
    if isinstance(error, MemoryError):
        return NetgazeError(f"{path} does not fit into memory.")
    said = next(iter(str(error).splitlines()), "").strip().rstrip(".")[:200]
    return NetgazeError(f"{path} is not a complete checkpoint ({said or type(error).__name__}). {AGAIN}.")


def check_stored(path: Path | str) -> None:
    """Refuse a checkpoint of torch whose records are compressed: torch never does that, and a small one could grow.

    Raises:
        NetgazeError: it is such a file.
    """
    with zipfile.ZipFile(path) as archive:
        for record in archive.infolist():
            _check_record(record, Path(path))


def _check_record(record: zipfile.ZipInfo, path: Path) -> None:
    if record.compress_type != zipfile.ZIP_STORED or record.file_size > path.stat().st_size:
        raise NetgazeError(
            f"{path} was packed again by another program: {make_printable(record.filename)[:80]} in it is compressed. "
            "Give the file as torch.save wrote it."
        )


def _open_zip(path: Path, files: ExitStack) -> Any:
    """As torch.save writes since version 1.6, and TorchScript, whose code is left where it is."""
    archive = files.enter_context(zipfile.ZipFile(path))
    records = {record.filename: record for record in archive.infolist()}
    pickles = [name for name in records if name.rpartition("/")[2] == "data.pkl"]
    if len(pickles) > 1:
        raise NetgazeError(f"{path} holds {len(pickles)} checkpoints. Give a file with a single one.")
    folder = pickles[0].removesuffix("data.pkl")

    def read(name: str) -> bytes:
        if name not in records:
            raise ValueError("a tensor's numbers are missing")
        _check_record(records[name], path)
        return archive.read(name)

    if f"{folder}byteorder" in records and read(f"{folder}byteorder") != b"little":
        raise NetgazeError(
            f"{path} was written on a machine with another byte order. Save it again on a machine like this one."
        )
    read_latest = lru_cache(maxsize=1)(read)  # many tensors may lie in one storage

    def load_storage(reference: Any) -> Storage:
        key, dtype, num = _parse_reference(reference)
        return Storage(dtype, num, partial(read_latest, f"{folder}data/{key}"))

    return Reader(io.BytesIO(read(pickles[0])), load_storage, MAKERS).read()


def _open_legacy(path: Path, files: ExitStack) -> Any:
    """As torch.save wrote before version 1.6: pickles, and then the storages in the order that the last one names."""
    file = files.enter_context(path.open("rb"))
    places: dict[str, int] = {}
    storages: dict[str, Storage] = {}

    def load_storage(reference: Any) -> Any:
        if reference[0] == "module":  # a network's class, with its source
            return reference[1]
        key, dtype, num = _parse_reference(reference)
        if reference[5:] not in ((), (None,)):
            raise ValueError("its storages overlap")
        storages.setdefault(key, Storage(dtype, num, partial(_read_legacy, file, places, key, num, dtype)))
        return storages[key]

    reader = Reader(file, load_storage, MAKERS)
    content = reader.read()
    if type(content) is not int or content != _LEGACY_MAGIC:
        return content  # pickled without torch.save: has no tensors that can be read
    _, _, content, keys = (reader.read() for _ in range(4))
    for key in keys:
        storage = storages[key]
        places[key] = file.tell()
        file.seek(8 + storage.num * (storage.dtype or torch.uint8).itemsize, io.SEEK_CUR)
    return content


def _read_legacy(file: BinaryIO, places: dict[str, int], key: str, num: int, dtype: torch.dtype | None) -> bytes:
    size = num * (dtype or torch.uint8).itemsize
    file.seek(0, io.SEEK_END)
    end = file.tell()
    if key not in places or places[key] + 8 + size > end:
        raise ValueError("it ends before its last tensor")
    file.seek(places[key])
    if int.from_bytes(file.read(8), "little") != num:
        raise ValueError("a tensor's numbers are missing")
    return file.read(size)


def _parse_reference(reference: Any) -> tuple[str, torch.dtype | None, int]:
    """Name, kind and number of the numbers that a pickle refers to."""
    word, kind, key, _, num = reference[:5]
    if word != "storage" or not isinstance(kind, Global) or type(key) is not str or type(num) is not int:
        raise ValueError("it refers to something that is no tensor")
    if len(key) > MAX_NAME or not 0 <= num < 1 << 60:
        raise ValueError("a tensor has an impossible size")
    return key, STORAGES.get(kind.name.rpartition(".")[2]), num


def _open_safetensors(path: Path, files: ExitStack) -> dict[str, Stored]:
    file = files.enter_context(safe_open(path, framework="pt"))
    stored = {}
    for name in file.keys():  # noqa: SIM118
        shape = tuple(file.get_slice(name).get_shape())
        stored[make_printable(name[:MAX_NAME])] = Stored(shape, partial(file.get_tensor, name))
    return stored


_OPENERS: dict[str, Callable[[Path, ExitStack], Any]] = {
    "zip": _open_zip,
    "pickle": _open_legacy,
    "safetensors": _open_safetensors,
    "onnx": open_onnx,
}
