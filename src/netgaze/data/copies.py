"""Duplicate pictures: identical pixels, or alike to the eye."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.functional import adaptive_avg_pool2d

from netgaze.text import count_of

_BITS = 4  # of 64 in which pictures that look alike may differ
_AT_ONCE = 512
_PARTS = ("train", "val", "test")


def find_equal(hashes: Sequence[bytes]) -> list[list[int]]:
    """Groups of indices whose hashes are equal, each of two or more."""
    first, groups = dict[bytes, int](), dict[int, list[int]]()
    for index, each in enumerate(hashes):
        known = first.setdefault(each, index)
        if known != index:
            groups.setdefault(known, [known]).append(index)
    return [groups[known] for known in sorted(groups)]


def find_alike(pictures: np.ndarray) -> list[list[int]]:
    """Pairs of indices whose pictures [N,S,S,C] look alike, the lower first; equal ones among them.

    By the difference hash: gray, 9 x 8 pixels, whether each is brighter than its left neighbor; of the 64 answers at
    most 4 may differ. It does not see changes of brightness, size or compression. Pictures without any structure have
    no such answers and are left out.
    """
    starts = range(0, len(pictures), _AT_ONCE)
    hashes = np.concatenate([_hash(pictures[start : start + _AT_ONCE]) for start in starts] or [np.zeros(0, np.uint64)])
    known, pairs = np.flatnonzero(hashes), list[list[int]]()
    for start in range(0, len(known), _AT_ONCE):
        rows = known[start : start + _AT_ONCE]
        distances = np.bitwise_count(hashes[rows, None] ^ hashes[None, known[start:]])
        near = np.argwhere(distances <= _BITS)
        pairs += [[int(rows[row]), int(known[start + column])] for row, column in near if column > row]
    return pairs


def _hash(pictures: np.ndarray) -> np.ndarray:
    """64 bits of each of [B,S,S,C]."""
    gray = torch.from_numpy(np.array(pictures)).float().mean(dim=3).unsqueeze(1)
    small = adaptive_avg_pool2d(gray, (8, 9)).squeeze(1)
    bits = (small[:, :, 1:] > small[:, :, :-1] + 0.5).flatten(1).numpy()
    return np.packbits(bits, axis=1).view(np.uint64).flatten()


def describe_copies(
    groups: Sequence[Sequence[int]], part_of: Sequence[str], names: Sequence[str], how: str
) -> list[str]:
    """A sentence on what is twice within the parts, and a sharper one on what training and another part share.

    Args:
        groups: indices that are copies of one another.
        part_of: of each index, its part; "" for none.
        names: of each index.
        how: "" for equal ones, "nearly" for those that look alike.
    """
    shared, within = dict[str, list[str]](), 0
    for group in groups:
        members = {part: [index for index in group if part_of[index] == part] for part in _PARTS}
        within += sum(max(0, len(indices) - 1) for indices in members.values())
        earlier: list[int] = []
        for part, indices in members.items():
            if earlier:
                shared.setdefault(part, []).extend(f"{names[index]} of {names[earlier[0]]}" for index in indices)
            earlier += indices
    said = [_describe_shared(part, pairs, how) for part, pairs in shared.items() if pairs]
    if within:
        are = "is" if within == 1 else "are"
        nearly = f" {how}" if how else ""
        said.append(f"{count_of(within, 'picture')} {are}{nearly} in the same part twice.")
    return said


def _describe_shared(part: str, pairs: Sequence[str], how: str) -> str:
    nearly = f" {how}" if how else ""
    copies = f"is{nearly} a copy of one" if len(pairs) == 1 else f"are{nearly} copies of ones"
    sources = " and ".join(_PARTS[: _PARTS.index(part)])
    more = " ..." if len(pairs) > 3 else ""
    return (
        f"{count_of(len(pairs), 'picture')} of {part} {copies} of {sources}, so that {part} flatters the network: "
        f"{', '.join(pairs[:3])}{more}"
    )
