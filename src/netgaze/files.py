"""Reads and writes files; a file is written completely, then renamed."""

import csv
import errno
import hashlib
import io
import json
import logging
import math
import os
import re
import stat
import tempfile
import uuid
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netgaze.errors import NetgazeError
from netgaze.text import show

if TYPE_CHECKING:
    import numpy as np  # the command line answers before it is imported
    from omegaconf import DictConfig

MOST_JSON_BYTES = 100_000_000  # of a run's file of facts or numbers
MOST_LIST_BYTES = 200_000_000  # of a list of images, a line each
MOST_YAML_BYTES, MOST_YAML_DEPTH = 1_000_000, 50  # of a run's config
MOST_ARRAY_BYTES = 8_000_000_000  # of a file of arrays, unpacked
LOOKED_AT = ("features", "outputs", "findings", "planes")  # folders of the cache: what was seen of networks
MOST_CACHE_BYTES, MOST_KEPT_BYTES = 20_000_000_000, 2_000_000_000  # of these together, and of one file in them

log = logging.getLogger(__name__)

_MOST_BYTES = 180  # of a name made of words: with what is put before and after it less than 255


@contextmanager
def atomic_write(path: Path | str) -> Iterator[Path]:
    """Yield a path to write to; on success it becomes `path` in one step, on failure nothing is left.

    Raises:
        NetgazeError: the folder cannot be written to.
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        os.replace(beside, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def cannot_write(path: Path | str, error: OSError) -> NetgazeError:
    """Why a file could not be written, and what to do."""
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    advice = "Make room there, or choose another folder" if is_full else "Choose a folder you may write to"
    return NetgazeError(f"Cannot write {path}: {error.strerror or error}. {advice}.")


@contextmanager
def saying_what_cannot_be_written(path: Path | str) -> Iterator[None]:
    """Where a library writes to `path` by itself, turn its errors into a sentence.

    Raises:
        NetgazeError: it could not.
    """
    try:
        yield
    except OSError as error:
        raise cannot_write(path, error) from error


def check_writable(folder: Path | str) -> None:
    """Whether files can be written into a folder, which is made: better said before the work than after it.

    Raises:
        NetgazeError: they cannot.
    """
    with saying_what_cannot_be_written(folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")


def write_text(path: Path | str, text: str) -> None:
    """Write `text` to `path`, whole; lone surrogates, which UTF-8 has not, as JSON and Python escape them."""
    with atomic_write(path) as beside:
        beside.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_csv(path: Path | str, rows: Sequence[Mapping[str, Any]]) -> None:
    r"""Write rows as CSV, whole; columns in order of first appearance, empty where a row has none.

    Text is written as it is, line breaks, quotes and a leading = too: programs read such a table, and what a
    spreadsheet would take for a formula is a name like any other. Characters that cannot be seen are escaped, as by
    `text.show`.
    """
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines: list[list[Any]] = [columns, *([row.get(name) for name in columns] for row in rows)]
    for line in lines:
        writer.writerow([show(value, keep="\n\t") if isinstance(value, str) else value for value in line])
    write_text(path, content.getvalue())


def write_json(path: Path | str, content: Any) -> None:
    """Write `content` as indented, standard JSON (numbers that are not finite become null), whole."""
    write_text(path, json.dumps(to_plain(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_bounded(path: Path | str, most_bytes: int) -> bytes:
    """The content of a file that may be a stranger's: of one that is far too large nothing is read.

    Raises:
        OSError: the file is not there, or cannot be read.
        NetgazeError: it is no plain file, or larger than `most_bytes`.
    """
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):
        raise NetgazeError(f"{path} is not a file. Put the file there.")
    if found.st_size > most_bytes:
        raise NetgazeError(
            f"{path} has {found.st_size / 1e6:.0f} MB, more than the {most_bytes / 1e6:g} MB "
            "that this kind of file can have. Put the right file there."
        )
    return Path(path).read_bytes()


def read_lines(path: Path | str) -> list[str]:
    """The lines of a list that comes with a set.

    Raises:
        OSError: the file is not there, or cannot be read.
        NetgazeError: it is no such text, or far too large.
    """
    try:
        return read_bounded(path, MOST_LIST_BYTES).decode().splitlines()
    except UnicodeDecodeError as error:
        raise NetgazeError(f"{path} cannot be read as text ({error}). Download the file again.") from error


def read_json(path: Path | str, most_bytes: int = MOST_JSON_BYTES) -> Any:
    """Read a JSON file.

    Raises:
        OSError: the file is not there, or cannot be read.
        NetgazeError: it is not JSON, or larger than `most_bytes`.
    """
    try:
        return json.loads(read_bounded(path, most_bytes).decode())
    except (ValueError, RecursionError) as error:  # numbers of a million digits and lists without end among them
        raise NetgazeError(f"{path} is not a JSON file ({error}). It may be damaged.") from error


def read_json_object(path: Path | str, most_bytes: int = MOST_JSON_BYTES) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Raises:
        OSError, NetgazeError: see `read_json`; or it holds something else.
    """
    content = read_json(path, most_bytes)
    if not isinstance(content, dict):
        raise NetgazeError(f"{path} holds a {type(content).__name__}, expected names and values. It may be damaged.")
    return content


def read_config(path: Path | str) -> "DictConfig":
    """Read a run's YAML file, which may be a stranger's: no aliases, which can grow without end, and no Python objects.

    Raises:
        OSError: the file is not there, or cannot be read.
        NetgazeError: it is no such file.
    """
    import yaml
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    content, depth = read_bounded(path, MOST_YAML_BYTES), 0
    try:
        for event in yaml.parse(content.decode(), Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or depth > MOST_YAML_DEPTH:
                raise ValueError("aliases" if isinstance(event, yaml.AliasEvent) else "nested too deeply")
        config = OmegaConf.load(io.StringIO(content.decode()))
    except (ValueError, RecursionError, yaml.YAMLError, OmegaConfBaseException) as error:
        said = " ".join(str(error).split())
        raise NetgazeError(f"{path} is not a config that train.py wrote ({said[:200]}). It may be damaged.") from error
    if not isinstance(config, DictConfig) or not config:
        raise NetgazeError(f"{path} is not a config that train.py wrote: it has no keys. It may be damaged.")
    return config


def to_plain(content: Any) -> Any:
    """`content` with NumPy and torch numbers, tuples and paths turned into what JSON knows."""
    if isinstance(content, dict):
        return {str(key): to_plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [to_plain(value) for value in content]
    if isinstance(content, Path):
        return str(content)
    if hasattr(content, "tolist"):
        return to_plain(content.tolist())
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content


@dataclass(frozen=True)
class InParts:
    """An array of bytes that is too large to be in memory, for a digest: the same as that of the whole.

    Attributes:
        dtype: of its values.
        shape: of the whole.
        parts: along its first dimension, in order.
    """

    dtype: str
    shape: tuple[int, ...]
    parts: "Iterable[np.ndarray]"


def digest(*parts: Any) -> str:
    """A short name (16 hex digits) for the content of strings, numbers, dicts and arrays."""
    import numpy as np

    state = hashlib.blake2b(digest_size=8)
    for part in parts:
        if isinstance(part, np.ndarray):
            state.update(f"{part.dtype}{part.shape}".encode())
            state.update(np.ascontiguousarray(part).data)
        elif isinstance(part, InParts):
            state.update(f"{part.dtype}{part.shape}".encode())
            for each in part.parts:
                state.update(np.ascontiguousarray(each).data)
        else:
            state.update(json.dumps(to_plain(part), sort_keys=True, default=str).encode())
    return state.hexdigest()


def make_file_names(words: Iterable[str]) -> list[str]:
    """A file's or folder's name for each of some words: what no name may hold becomes _, and different words differ.

    They differ by more than capitals, which some file systems do not tell apart, and are no longer than all take.
    """
    names, taken = list[str](), set[str]()
    for each in words:
        stem = re.sub(r"[^\w.=-]+|^\.+", "_", each).encode()[:_MOST_BYTES].decode(errors="ignore")
        name = stem
        number = 2
        while name.lower() in taken:
            name, number = f"{stem}_{number}", number + 1
        names.append(name)
        taken.add(name.lower())
    return names


def hash_md5(path: Path | str) -> str:
    """The md5 of a file, as published lists of data sets state it."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def hash_sha256(path: Path | str) -> str:
    """The sha256 of a file, whose first digits torchvision writes into the names of its weights."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_web_page(path: Path | str) -> bool:
    """Whether a file is a page of HTML: what a server sends that asks for a login, or has the file no more."""
    with open(path, "rb") as file:
        return file.read(256).lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html"))


def cache_root() -> Path:
    """Where decoded images and features are kept: `$NETGAZE_CACHE`, else `~/.cache/netgaze`."""
    return Path(os.environ.get("NETGAZE_CACHE") or Path.home() / ".cache" / "netgaze")


def read_arrays(path: Path | str, most_bytes: int = MOST_ARRAY_BYTES) -> "dict[str, np.ndarray] | None":
    """The arrays of an npz file, or None where there is none, a damaged one or one that unpacks to too much."""
    import numpy as np

    try:
        with zipfile.ZipFile(path) as packed:
            if sum(member.file_size for member in packed.infolist()) > most_bytes:
                return None
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except Exception:  # a broken file can raise nearly everything
        return None


def read_cached(folder: str, key: str) -> "dict[str, np.ndarray] | None":
    """Arrays from the cache, or None where they are not there, or damaged; they count as used now."""
    path = cache_root() / folder / f"{key}.npz"
    stored = read_arrays(path)
    if stored is not None:
        mark_used(path)
    return stored


def write_cached(folder: str, key: str, arrays: "Mapping[str, np.ndarray]") -> None:
    """Arrays into the cache; one that cannot be written to costs time, not the run: they are then made each time.

    Those larger than `MOST_KEPT_BYTES` are not kept: of thousands of classes it takes less to compute than to store.
    """
    import numpy as np

    if sum(array.nbytes for array in arrays.values()) > MOST_KEPT_BYTES:
        return
    with suppress(NetgazeError):
        with atomic_write(cache_root() / folder / f"{key}.npz") as beside, open(beside, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        trim_cache()


def cached_arrays(folder: str, key: str, make: "Callable[[], dict[str, np.ndarray]]") -> "dict[str, np.ndarray]":
    """Arrays from the cache, made and stored if they are not there; a damaged file is made again."""
    stored = read_cached(folder, key)
    if stored is not None:
        return stored
    arrays = make()
    write_cached(folder, key, arrays)
    return arrays


def mark_used(path: Path) -> None:
    """Note that a file of the cache was of use now: those that were not for longest go first."""
    with suppress(OSError):
        os.utime(path)


def trim_cache(most_bytes: int = MOST_CACHE_BYTES) -> None:
    """Remove what was not used for longest, where features, outputs and findings in the cache are more than so much.

    Decoded images are no part of it: they belong to data sets, and stay.
    """
    files = []
    for folder in LOOKED_AT:
        for path in (cache_root() / folder).glob("*.npz"):
            with suppress(OSError):  # another process may be at it
                files.append((path.stat().st_mtime, path.stat().st_size, path))
    excess, removed = sum(size for _, size, _ in files) - most_bytes, 0
    for _, size, path in sorted(files):
        if excess <= 0:
            break
        with suppress(OSError):
            path.unlink()
            excess, removed = excess - size, removed + 1
    if removed:
        log.info(
            "%s exceeded %.0f GB. Removed the %d files unused for longest.",
            cache_root(),
            most_bytes / 1e9,
            removed,
        )
