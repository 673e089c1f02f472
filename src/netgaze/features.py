"""From a model and batches to features [N,D]."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from netgaze.files import digest


@torch.no_grad()
def extract(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], device: torch.device | str = "cpu") -> Tensor:
    """Penultimate features of every image, [N,D] float32 on the CPU, in eval mode and without autocast.

    Args:
        model: has `forward_features` and `forward_head(maps, pre_logits=True)`; its modes are put back.
        batches: yields (images [B,C,H,W], labels [B]); the labels are not read.
        device: where the model is.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        rows = []
        for images, _ in batches:
            maps = model.forward_features(images.to(device))  # type: ignore[operator]
            rows.append(model.forward_head(maps, pre_logits=True).float().cpu())  # type: ignore[operator]
        return torch.cat(rows)
    finally:
        for module, mode in modes.items():
            module.training = mode


def weights_digest(module: nn.Module) -> str:
    """A short name for all weights and buffers of a module."""
    state = module.state_dict()
    return digest(list(state), *(value.detach().float().cpu().numpy() for value in state.values()))
