"""Files that are whole or not there: written beside their name, then renamed."""

import csv
import hashlib
import io
import json
import math
import os
import re
import uuid
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netgaze.errors import NetgazeError
from netgaze.text import show

if TYPE_CHECKING:
    import numpy as np  # the command line answers before it is imported

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
    except PermissionError as error:
        raise NetgazeError(f"Cannot write {path}: permission denied. Choose a folder you may write to.") from error
    except OSError as error:
        raise NetgazeError(f"Cannot write {path}: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


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


def read_json(path: Path | str) -> Any:
    """Read a JSON file.

    Raises:
        NetgazeError: the file is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise NetgazeError(f"{path} is not a JSON file ({error}). It may be damaged.") from error


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


def digest(*parts: Any) -> str:
    """A short name (16 hex digits) for the content of strings, numbers, dicts and arrays."""
    import numpy as np

    state = hashlib.blake2b(digest_size=8)
    for part in parts:
        if isinstance(part, np.ndarray):
            state.update(f"{part.dtype}{part.shape}".encode())
            state.update(np.ascontiguousarray(part).data)
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


def cache_root() -> Path:
    """Where decoded images and features are kept: `$NETGAZE_CACHE`, else `~/.cache/netgaze`."""
    return Path(os.environ.get("NETGAZE_CACHE") or Path.home() / ".cache" / "netgaze")


def read_arrays(path: Path | str) -> "dict[str, np.ndarray] | None":
    """The arrays of an npz file, or None where there is none or a damaged one."""
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
        return None


def cached_arrays(folder: str, key: str, make: "Callable[[], dict[str, np.ndarray]]") -> "dict[str, np.ndarray]":
    """Arrays from the cache, made and stored if they are not there; a damaged file is made again.

    A cache that cannot be written to costs time, not the run: the arrays are then made each time.
    """
    import numpy as np

    path = cache_root() / folder / f"{key}.npz"
    stored = read_arrays(path)
    if stored is not None:
        return stored
    arrays = make()
    try:
        with atomic_write(path) as beside, open(beside, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
    except NetgazeError:
        pass
    return arrays
