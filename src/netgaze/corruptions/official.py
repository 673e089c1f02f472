"""CIFAR-10-C in its official files: `<kind>.npy` and `labels.npy`, opened so that nothing in them runs."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from netgaze.corruptions.kinds import KINDS, SEVERITIES
from netgaze.errors import NetgazeError

_LABELS = "labels.npy"
_ADVICE = (
    "Give figure.robustness.dir=<the folder CIFAR-10-C of the official archive, zenodo.org/records/2535967>, or "
    "dir=null to corrupt the images here."
)


class OfficialFiles:
    """The files of CIFAR-10-C, or of another split in their form: N images of a severity after the other.

    Args:
        dir: the folder.
        num_images: how many there are of a severity, N.
        shape: (C, H, W) of an image.

    Raises:
        NetgazeError: a file is missing, or not what it should be.
    """

    def __init__(self, dir: str, num_images: int, shape: tuple[int, ...]):
        self.folder, self.num_images = Path(dir).expanduser(), num_images
        channels, height, width = shape
        total = num_images * len(SEVERITIES)
        self.labels = self._open(_LABELS, (total,))
        self._images = {kind: self._open(f"{kind}.npy", (total, height, width, channels), np.uint8) for kind in KINDS}

    def _open(self, name: str, shape: tuple[int, ...], dtype: type | None = None) -> np.ndarray:
        path = self.folder / name
        if not path.is_file():
            raise NetgazeError(f"{path} is missing. {_ADVICE}")
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except Exception as error:  # a broken file can raise nearly everything
            raise NetgazeError(f"{path} cannot be read as an array ({str(error)[:200]}). {_ADVICE}") from error
        if not isinstance(array, np.ndarray) or array.shape != shape or not _is_of(array, dtype):
            found = f"{array.dtype} {list(array.shape)}" if isinstance(array, np.ndarray) else "several arrays"
            kind = "integers" if dtype is None else "uint8"
            raise NetgazeError(
                f"{path} holds {found}; for the {self.num_images:,} images of the split it must hold {kind} "
                f"{list(shape)}, those of five severities. {_ADVICE}"
            )
        return array

    def check_labels(self, labels: Tensor) -> None:
        """Whether the files are of images with these labels, [N].

        Raises:
            NetgazeError: they are not.
        """
        for severity, own in zip(SEVERITIES, self.labels.reshape(len(SEVERITIES), -1), strict=True):
            if not np.array_equal(own, labels.numpy()):
                raise NetgazeError(
                    f"{self.folder / _LABELS} has other labels, at severity {severity}, than the images of the split: "
                    f"it belongs to other images, or to another order. {_ADVICE}"
                )

    def read(self, kind: str, severity: int, index: Tensor) -> Tensor:
        """The corrupted images at `index` [B] of the split, uint8 [B,C,H,W]."""
        rows = (severity - 1) * self.num_images + index.numpy()
        return torch.from_numpy(self._images[kind][rows]).permute(0, 3, 1, 2)


def _is_of(array: np.ndarray, dtype: type | None) -> bool:
    return array.dtype == dtype if dtype is not None else array.dtype.kind in "iu"


def stamp_files(dir: str) -> list[tuple[str, int, int]]:
    """Names, times and sizes of the files in a folder: what was found in them is stale when these change."""
    paths = sorted(Path(dir).expanduser().glob("*.npy"))
    return [(path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in paths]
