"""A network's prediction after the pixels that a map marks are removed, or when only they are left."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from netgaze.measures.faithfulness import rank_pixels


@torch.no_grad()
def trace_removal(
    network: Callable[[Tensor], Tensor], examples: Tensor, targets: Tensor, maps: Tensor, shares: Sequence[float]
) -> tuple[Tensor, Tensor]:
    """The deletion and the insertion curve of maps (Petsiuk et al. 2018, RISE): the probability of a class.

    Deletion replaces the pixels of an image in the order of its map, the highest first; insertion puts them back in
    this order into an image without any. Deviation: what stands for a pixel that is gone is zero, the mean color, in
    both; RISE begins insertion with a blurred image, which gives away more of what the map has not marked.

    Args:
        network: examples -> logits [B,K], in evaluation mode.
        examples: normalized, [B,C,H,W].
        targets: the classes, [B].
        maps: [B,H,W].
        shares: of the pixels, 0..1 each.

    Returns:
        Deletion and insertion, each the probability at every share, float32 [B,S] on the CPU.
    """
    ranks, num_pixels = rank_pixels(maps).to(examples.device).unsqueeze(1), maps[0].numel()
    rows = torch.arange(len(targets))

    def read(shown: Tensor) -> Tensor:
        return network(shown).float().softmax(dim=1).cpu()[rows, targets.cpu()]

    marked = [ranks < round(share * num_pixels) for share in shares]
    deleted = [read(examples.masked_fill(some, 0.0)) for some in marked]
    inserted = [read(examples.masked_fill(~some, 0.0)) for some in marked]
    return torch.stack(deleted, dim=1), torch.stack(inserted, dim=1)
