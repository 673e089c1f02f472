"""Image files in place of a tensor, decoded when needed."""

import os
from concurrent.futures import ThreadPoolExecutor
from copy import copy

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from netgaze.data.decode import Form, decode
from netgaze.data.parallel import Files
from netgaze.data.values import Ranges
from netgaze.errors import NetgazeError
from netgaze.ranks import count_cores


class Streamed:
    """Image files in the place of a tensor uint8 [N,C,S,S].

    Args:
        files: of pictures that can be read.
        form: what they become.
        ranges: see `decode.decode`.
    """

    device = torch.device("cpu")

    def __init__(self, files: Files, form: Form, ranges: Ranges) -> None:
        names = [os.fsencode(file) for file in files]
        # In one run of bytes: processes that only look at a million strings copy them, by counting who holds each.
        self._names = b"".join(names)
        self._ends = np.cumsum(list(map(len, names)), dtype=np.int64)
        self._starts = self._ends - [len(name) for name in names]
        self.form, self.ranges = form, dict(ranges)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, rows: slice) -> "Streamed":
        part = copy(self)
        part._starts, part._ends = self._starts[rows], self._ends[rows]
        return part

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, S, S)."""
        return len(self), self.form.channels, self.form.size, self.form.size

    def gather(self, rows: Tensor) -> Tensor:
        """The images at `rows` [M], uint8 [M,C,S,S], channels last in memory.

        Raises:
            NetgazeError: a file cannot be read any more.
        """
        numbers = rows.tolist()
        if len(numbers) > 1 and get_worker_info() is None:
            with ThreadPoolExecutor(count_cores()) as pool:
                images = list(pool.map(self._decode, numbers))
        else:
            images = [self._decode(number) for number in numbers]
        size = self.form.size
        pixels = np.stack(images) if images else np.zeros((0, size, size, self.form.channels), np.uint8)
        return torch.from_numpy(pixels).permute(0, 3, 1, 2)

    def _decode(self, number: int) -> np.ndarray:
        path = os.fsdecode(self._names[self._starts[number] : self._ends[number]])
        try:
            return decode(path, self.form, self.ranges)
        except Exception as error:  # readers of broken files raise nearly everything
            raise NetgazeError(
                f"{path} could be opened when the run began, and cannot be read: {error}. Replace it or take it away, "
                "and start anew; data.decode=cached leaves out what is damaged inside."
            ) from error
