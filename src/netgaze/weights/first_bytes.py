"""Identifies a weight file by its first bytes, as names mislead and downloads fail."""

import re
import zipfile
from pathlib import Path

from netgaze.errors import NetgazeError

AGAIN = "Copy or download it again"
CONVERT = "Load it where it was made, and store torch.save(model.state_dict(), 'weights.pth')"
_UNPACK = "Unpack it, and give the file of weights inside"

# How a file begins, what it then is, and what to do.
_BEGINNINGS = (
    (rb"\s*<(!doctype html|html|head|body|!--)", "an HTML page, not weights: a download that failed", AGAIN),
    (rb"\s*<\?xml", "an XML text, not weights", AGAIN),
    (rb"version https://git-lfs", "a Git LFS pointer: the weights themselves were not fetched", "Run git lfs pull"),
    (rb"\x1f\x8b|BZh|\xfd7zXZ\x00|\x28\xb5\x2f\xfd|7z\xbc\xaf|Rar!", "a packed file", _UNPACK),
    (rb".{257}ustar", "a tar archive", _UNPACK),
    (rb"\x89HDF", "an HDF5 file, as Keras and TensorFlow write", CONVERT),
    (rb"\x08\x01\x12", "a model in TensorFlow's form", CONVERT),
    (rb".{4}TFL3", "a TensorFlow Lite file", CONVERT),
    (rb"GGUF", "a GGUF file", CONVERT),
    (rb"\x93NUMPY", "a NumPy array", CONVERT),
    (rb"\x89PNG|\xff\xd8\xff|GIF8|%PDF", "a picture or a document, not weights", "Give a file of weights"),
)
_ONNX = rb"\x08[\x03-\x14][\x12\x1a\x22\x28\x32\x3a\x42]"  # a version, and then the next field of a model
# Files that a ZIP archive of another kind holds.
_INSIDE = (
    (r"\.npy$", "an archive of NumPy arrays", CONVERT),
    (r"(^|/)model\.weights\.h5$", "a Keras model", CONVERT),
    (r"(^|/)(archive_format|serialized_exported_program\.json)$", "a torch.export program", CONVERT),
)


def find_kind(path: Path) -> str:
    """How the weights in a file are stored: "zip" or "pickle", as torch.save writes them, "safetensors" or "onnx".

    Raises:
        NetgazeError: the file is something else, which is named, or cut.
    """
    with open(path, "rb") as file:
        start = file.read(512)
    if not start.strip(b"\0"):
        said = "holds nothing but zeros: its download was never finished" if start else "is empty"
        raise NetgazeError(f"{path} {said}. {AGAIN}.")
    if start.startswith(b"PK"):
        _check_archive(path)
        return "zip"
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < 1 << 40:
        return "safetensors"
    if re.match(_ONNX, start):
        return "onnx"
    for pattern, what, advice in _BEGINNINGS:
        if re.match(pattern, start, re.DOTALL | re.IGNORECASE):
            raise NetgazeError(f"{path} is {what}. {advice}.")
    if start[0] == 0x80 and start[1:2] <= b"\x05":
        return "pickle"
    raise NetgazeError(f"{path} is {_describe_text(start)}. Give a file that torch.save or safetensors wrote.")


def _describe_text(start: bytes) -> str:
    """What a file of no known kind looks like."""
    try:
        text = start.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(start) - 4 or not error.start:  # else a letter that the first bytes cut
            return "no file of weights of a kind that is known here"
        text = start[: error.start].decode("utf-8")
    if not re.sub(r"[\n\r\t]", "", text).isprintable():
        return "no file of weights of a kind that is known here"
    if text.lstrip()[:1] in ("{", "["):
        return "a JSON text, not weights"
    first = text.strip().partition("\n")[0]
    return f"a text, not weights (it begins {first[:40]!r})"


def _check_archive(path: Path) -> None:
    """Refuse a ZIP archive that is cut, or was not written by torch."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, MemoryError) as error:
        raise NetgazeError(f"{path} is incomplete or damaged: its end is missing or wrong. {AGAIN}.") from error
    if any(name.rpartition("/")[2] == "data.pkl" for name in names):
        return
    for pattern, what, advice in _INSIDE:
        if any(re.search(pattern, name) for name in names):
            raise NetgazeError(f"{path} is {what}. {advice}.")
    inside = next((name for name in names if re.search(r"\.(pth|pt|ckpt|bin|th|tar|safetensors)$", name)), None)
    found = f", with {inside[:80]!r} in it" if inside else ""
    raise NetgazeError(f"{path} is a ZIP archive that torch did not write{found}. {_UNPACK}.")
