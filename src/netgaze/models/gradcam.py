"""Class maps for heads of any form, from the gradients of the logits."""

from collections.abc import Callable

import torch
from torch import Tensor


def compute_gradient_maps(head: Callable[[Tensor], Tensor], maps: Tensor) -> Tensor:
    """Grad-CAM of every class, [B,K,h,w]: M_c(x,y) = sum_k a_k^c f_k(x,y), a_k^c the logit's gradient over map k.

    Selvaraju et al. 2017, with two deviations. Gradients are summed over a map's places where the paper averages
    them, so that for a head of a global average and one linear layer a_k^c is its weight and M_c is CAM (Zhou et al.
    2016), sign, scale and all; the paper's maps are these divided by h*w. And the final ReLU is left out: evidence
    against a class is evidence. For a head of several layers the maps are a linear view at these images: a map's mean
    is no longer the logit less a bias.

    It costs one pass through the head and K back through it, one after the other, for memory's sake: nothing beside
    ten classes, but for VGG-19 with ImageNet's thousand about a thousand times the head's own time.

    Args:
        head: maps [B,F,h,w] -> logits [B,K], each image for itself, so in evaluation mode.
        maps: [B,F,h,w]; no gradient reaches what made them, and they may come from under `torch.no_grad()`.
    """
    with torch.inference_mode(False), torch.enable_grad():
        maps = maps.detach().clone().requires_grad_()  # a clone, as tensors made in inference mode take no gradients
        logits = head(maps)
        found = []
        for number in range(logits.shape[1]):
            (gradient,) = torch.autograd.grad(logits[:, number].sum(), maps, retain_graph=True)
            found.append(torch.einsum("bfhw,bf->bhw", maps.detach(), gradient.sum(dim=(2, 3))))
    return torch.stack(found, dim=1)
