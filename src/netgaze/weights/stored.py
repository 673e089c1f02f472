"""A tensor in a file, with its shape known before it is read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

DTYPES = {str(value): value for value in vars(torch).values() if isinstance(value, torch.dtype)}
# What torch calls the storages in its files.
STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "UntypedStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
}
_MAX_DIMS = 64


@dataclass(frozen=True)
class Storage:
    """Numbers in a row, in a file.

    Attributes:
        dtype: of the numbers; None for a kind that is not read.
        num: how many numbers the file says there are.
        read: gives their bytes, no more than the file has.
    """

    dtype: torch.dtype | None
    num: int
    read: Callable[[], bytes]


@dataclass(frozen=True)
class Stored:
    """A tensor in a file.

    Attributes:
        shape: of the tensor.
        read: gives the tensor, dense and on the CPU.
        flaw: why it cannot be read as numbers, for a person; "" for most.
    """

    shape: tuple[int, ...]
    read: Callable[[], Tensor]
    flaw: str = ""


def _view(storage: Any, offset: Any, shape: Any, strides: Any, dtype: torch.dtype | None = None) -> Stored:
    """A tensor as a view of a storage; nothing of it is read yet."""
    shape, strides = _sizes(shape), _sizes(strides)
    _sizes((offset,))
    if len(shape) != len(strides):
        raise ValueError("a tensor has a wrong shape")
    if not isinstance(storage, Storage):  # pickled by itself, as plain pickle does
        return Stored(shape, _no_numbers, "it was not stored by torch.save")
    dtype = dtype or storage.dtype
    if dtype is None:
        return Stored(shape, _no_numbers, "it is quantized")
    last = 0 if 0 in shape else offset + 1 + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))

    def read() -> Tensor:
        content = storage.read()
        if last * dtype.itemsize > len(content):
            raise ValueError("a tensor is larger than what the file holds of it")
        if not last:
            return torch.empty(shape, dtype=dtype)
        numbers = torch.frombuffer(bytearray(content), dtype=dtype, count=len(content) // dtype.itemsize)
        return numbers.as_strided(shape, strides, offset).clone(memory_format=torch.contiguous_format)

    return Stored(shape, read)


def _sizes(values: Any) -> tuple[int, ...]:
    """Whole numbers of 0 or more."""
    if not isinstance(values, tuple) or len(values) > _MAX_DIMS:
        raise ValueError("a tensor has no shape")
    if not all(type(value) is int and 0 <= value < 1 << 62 for value in values):
        raise ValueError("a tensor has an impossible shape")
    return values


def _no_numbers() -> Tensor:
    raise ValueError("a tensor has no numbers")


def _make_v2(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Stored:
    return _view(storage, offset, shape, strides)


def _make_v3(storage: Any, offset: Any, shape: Any, strides: Any, grad: Any, hooks: Any, dtype: Any, *_: Any) -> Stored:
    known = DTYPES.get(getattr(dtype, "name", ""))
    if known is None:
        return Stored(_sizes(shape), _no_numbers, "its numbers are of a kind that is not known here")
    return _view(storage, offset, shape, strides, known)


def _make_flawed(flaw: str) -> Callable[..., Stored]:
    return lambda *_: Stored((), _no_numbers, flaw)


# What is made in place of what torch's own functions would, by their names in a pickle.
MAKERS: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": _make_v2,
    "torch._utils._rebuild_tensor_v2": _make_v2,
    "torch._utils._rebuild_tensor_v3": _make_v3,
    "torch._utils._rebuild_parameter": lambda data, *_: data,
    "torch._utils._rebuild_parameter_with_state": lambda data, *_: data,
    "torch._utils._rebuild_qtensor": _make_flawed("it is quantized"),
    "torch._utils._rebuild_sparse_tensor": _make_flawed("it is sparse"),
    "torch._utils._rebuild_nested_tensor": _make_flawed("it is nested"),
    "torch._utils._rebuild_meta_tensor_no_storage": _make_flawed("it has a shape and no numbers"),
}
