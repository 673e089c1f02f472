"""Reads the weights of an ONNX file: the initializers of its graph.

An ONNX file is one protobuf message, fields in a row: a number with the field's kind, then a number or a length and so
many bytes. A whole reader makes an object of every field, and a small file could fill the memory with them.
"""

import math
import mmap
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from netgaze.weights.inert import MAX_NAME, make_printable
from netgaze.weights.stored import Stored

# Numbers of fields, from onnx.proto: of a model, of its graph, and of a tensor.
_GRAPH, _INITIALIZER = 7, 5
_DIMS, _KIND, _FLOATS, _NAME, _RAW, _DOUBLES, _LOCATION = 1, 2, 4, 8, 9, 10, 14
_NUMBER, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # kinds of fields
_DTYPES = {
    **{1: torch.float32, 2: torch.uint8, 3: torch.int8, 5: torch.int16, 6: torch.int32, 7: torch.int64},
    **{9: torch.bool, 10: torch.float16, 11: torch.float64, 16: torch.bfloat16},
}
_MAX_FIELDS = 2_000_000
_MAX_DIMS = 64


@dataclass(frozen=True)
class _Message:
    """A part of the file, from `start` to before `end`; `left` counts the fields that may still be read of all."""

    content: mmap.mmap
    start: int
    end: int
    left: list[int]

    def fields(self) -> Iterator[tuple[int, "int | _Message"]]:
        """The fields in their order: each number with its value, or with the part that it is."""
        place = self.start
        while place < self.end:
            self.left[0] -= 1
            if self.left[0] < 0:
                raise ValueError("it has more parts than any network")
            key, place = self._read_number(place)
            number, kind = key >> 3, key & 7
            if kind == _NUMBER:
                value, place = self._read_number(place)
                yield number, value
                continue
            size = {_FIXED64: 8, _FIXED32: 4}.get(kind, -1)
            if kind == _BYTES:
                size, place = self._read_number(place)
            if not 0 <= size <= self.end - place:
                raise ValueError("it ends before its last tensor")
            yield number, _Message(self.content, place, place + size, self.left)
            place += size

    def numbers(self) -> Iterator[int]:
        """The numbers that stand packed in it."""
        place = self.start
        while place < self.end:
            value, place = self._read_number(place)
            yield value

    def read(self) -> bytes:
        """The bytes."""
        return self.content[self.start : self.end]

    def _read_number(self, place: int) -> tuple[int, int]:
        """A number of seven bits a byte, the lowest first, and the place behind it."""
        value = 0
        for shift in range(0, 70, 7):
            if place >= self.end:
                break
            byte = self.content[place]
            value, place = value | (byte & 127) << shift, place + 1
            if byte < 128:
                return value, place
        raise ValueError("it ends within a number")


@dataclass
class _Initializer:
    """What the file says of one tensor."""

    name: str = ""
    kind: int = 0
    shape: list[int] = field(default_factory=list)
    numbers: _Message | None = None
    is_elsewhere: bool = False


def open_onnx(path: Path, files: ExitStack) -> dict[str, Stored]:
    """The tensors that a file keeps beside the nodes of its graph, by name; they can be read while it is open.

    Args:
        path: the file.
        files: closes it.

    Raises:
        ValueError: it is damaged.
    """
    file = files.enter_context(path.open("rb"))
    content = files.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    model, found = _Message(content, 0, len(content), [_MAX_FIELDS]), dict[str, Stored]()
    for graph in _list_parts(model, _GRAPH):
        for part in _list_parts(graph, _INITIALIZER):
            tensor = _parse(part)
            found[tensor.name] = _describe(tensor)
    return found


def _list_parts(message: _Message, number: int) -> Iterator[_Message]:
    return (value for each, value in message.fields() if each == number and isinstance(value, _Message))


def _parse(part: _Message) -> _Initializer:
    tensor = _Initializer()
    for number, value in part.fields():
        if isinstance(value, int):
            tensor.shape += [value] if number == _DIMS else []
            tensor.kind = value if number == _KIND else tensor.kind
            tensor.is_elsewhere |= number == _LOCATION and value == 1
        elif number == _DIMS:
            tensor.shape += islice(value.numbers(), _MAX_DIMS + 1)
        elif number == _NAME:
            tensor.name = make_printable(value.read()[:MAX_NAME].decode("utf-8", "backslashreplace"))
        elif number in (_RAW, _FLOATS, _DOUBLES):
            tensor.numbers = value
    if len(tensor.shape) > _MAX_DIMS or any(size >= 1 << 62 for size in tensor.shape):
        raise ValueError("a tensor has an impossible shape")
    return tensor


def _describe(tensor: _Initializer) -> Stored:
    dtype, numbers, shape = _DTYPES.get(tensor.kind), tensor.numbers, tuple(tensor.shape)

    def read() -> Tensor:
        assert dtype is not None
        assert numbers is not None
        if math.prod(shape) * dtype.itemsize != numbers.end - numbers.start:
            raise ValueError("a tensor has another size than its shape says")
        if not math.prod(shape):
            return torch.empty(shape, dtype=dtype)
        return torch.frombuffer(bytearray(numbers.read()), dtype=dtype).view(shape)

    if tensor.is_elsewhere:
        return Stored(shape, read, "its numbers lie in another file")
    if dtype is None or numbers is None:
        return Stored(shape, read, "its numbers are of a kind that is not read here")
    return Stored(shape, read)
