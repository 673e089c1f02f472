"""Attributions by captum (Kokhlikyan et al. 2020), as signed maps of evidence for a class's logit."""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from netgaze.drawing.faithfulness import Explain
from netgaze.drawing.shown_layers import to_maps
from netgaze.errors import NetgazeError
from netgaze.inside.layers import reach

METHODS = {
    "integrated_gradients": "integrated gradients",
    "occlusion": "occlusion",
    "grad_cam": "Grad-CAM",
}
UNITS = {
    "integrated_gradients": "logits per pixel",
    "occlusion": "logits lost",
    "grad_cam": "logits per position",
}
_AT_ONCE = 100  # points of the path from the baseline to the images that go through the network together
_CELLS = 8  # of the grid that is occluded, across; a window is two cells wide


def make_explain(method: str, layer: str, path_steps: int) -> Explain:
    """The function that makes the maps of a method.

    Args:
        method: one of `METHODS`.
        layer: whose outputs Grad-CAM weights, by its `named_modules` name.
        path_steps: of the integral from the mean color to the image.
    """
    if method == "integrated_gradients":
        return partial(_integrate, path_steps=path_steps)
    return partial(_weigh, layer=layer) if method == "grad_cam" else _occlude


def _integrate(task: Any, examples: Tensor, targets: Tensor, path_steps: int) -> Tensor:
    """Integrated gradients (Sundararajan et al. 2017) from the mean color, the sum over colors, [B,H,W].

    Their sum is the class's logit less that of a picture of the mean color, as near as so many steps come.
    """
    from captum.attr import IntegratedGradients  # a second to import, and most commands ask for none

    shown = examples.detach().clone().requires_grad_()
    at_once = max(_AT_ONCE, len(shown))
    method = IntegratedGradients(task)
    found = method.attribute(shown, target=targets, n_steps=path_steps, internal_batch_size=at_once)
    return found.detach().sum(dim=1).float().cpu()


@torch.no_grad()
def _occlude(task: Any, examples: Tensor, targets: Tensor) -> Tensor:
    """By how much the logit falls while a window has the mean color (Zeiler and Fergus 2014), [B,h,w] by cells.

    A cell's value is the mean over the windows that it lies in, up to four.
    """
    from captum.attr import Occlusion

    channels, height, width = examples.shape[1:]
    cell = math.ceil(max(height, width) / _CELLS)
    window, strides = (channels, 2 * cell, 2 * cell), (channels, cell, cell)
    found = Occlusion(task).attribute(examples, sliding_window_shapes=window, strides=strides, target=targets)
    return F.avg_pool2d(found[:, :1].float(), cell, ceil_mode=True)[:, 0].cpu()


def _weigh(task: Any, examples: Tensor, targets: Tensor, layer: str) -> Tensor:
    """Grad-CAM (Selvaraju et al. 2017) at a layer, without its ReLU: evidence against a class is evidence, [B,h,w]."""
    from captum.attr import LayerGradCam

    check_layer(task.model, layer, examples[:1])
    shown = examples.detach().clone().requires_grad_()
    found = LayerGradCam(task, task.model.get_submodule(layer)).attribute(shown, target=targets)
    return found.detach()[:, 0].float().cpu()


def check_layer(model: Any, layer: str, examples: Tensor) -> None:
    """Check that a layer has maps [B,C,h,w] for Grad-CAM.

    Raises:
        NetgazeError: it has none, or there is no such layer.
    """
    with torch.no_grad():
        output = reach(model, layer)(examples)
    if output.ndim != 4 or to_maps(output, layer).shape != output.shape:
        shape = "x".join(map(str, output.shape[1:]))
        raise NetgazeError(
            f"Grad-CAM needs a layer with maps, but {layer} gives {shape} for each image. Choose another, as in "
            "figure.attribution.layer=layer3, or leave grad_cam out of figure.attribution.methods."
        )
