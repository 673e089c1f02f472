"""Maps of evidence: computed, enlarged, scored against object masks."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from netgaze.drawing.examples import balanced_choice
from netgaze.glossary import Glossary, Meaning
from netgaze.subject import Subject, device_of

_COARSE = 4  # pixels of a map, across
_BATCH, _MOST_MAPS = 100, 20_000

# The numbers of `score_pointing`; "num_scored" is their number of images.
POINTING = Glossary(
    {
        "peak_on_object": Meaning(
            "map peak on object",
            "Share of maps whose highest pixel lies on the object (pointing game, Zhang et al. 2016); compare with the "
            "image center.",
            "%",
            "higher",
            "num_scored",
        ),
        "mass_on_object": Meaning(
            "evidence on object",
            "Mean share of a map's positive evidence that lies on the object, without maps that have none. By chance "
            "it equals the object's area.",
            "%",
            "higher",
        ),
        "object_area": Meaning(
            "object area", "Mean share of the image that the object covers: chance for evidence on object.", "%"
        ),
        "center_on_object": Meaning(
            "image center on object",
            "Share of images whose center lies on the object: what always pointing at the center would reach.",
            "%",
            "",
            "num_scored",
        ),
    }
)


def load_examples(
    subject: Subject, images: np.ndarray, upright: bool = True, split: str | None = None
) -> tuple[Tensor, Tensor]:
    """The task's examples [M,C,H,W] and targets [M] from images of a split, on its device.

    Args:
        subject: with a task and data.
        images: indices into the split, [B].
        upright: only the first example that the task makes of each image; else all of them, the first ones first.
        split: None for the subject's own.
    """
    data, split, device = subject.data, split or subject.split, device_of(subject.task)
    shown = data.normalize(data.images(split, images))
    examples, targets = subject.task.make_examples(shown, data.labels(split)[images])
    num = len(images) if upright else len(targets)
    return examples[:num].to(device), targets[:num].to(device)


def compute_maps(
    subject: Subject, images: np.ndarray, upright: bool = True
) -> Iterator[tuple[np.ndarray, Tensor, Tensor, Tensor]]:
    """The maps of all classes for images of the subject's split, in batches that fit into memory.

    Call it within `evaluating` and without gradients.

    Args:
        subject: with a task and data.
        images: indices into the split, [N].
        upright: see `load_examples`.

    Yields:
        The batch's part of `images` [B], examples [M,C,H,W] on the task's device, targets [M], maps [M,K,h,w].
    """
    step = max(1, min(_BATCH, _MOST_MAPS // subject.task.num_classes))
    for start in range(0, len(images), step):
        index = images[start : start + step]
        examples, targets = load_examples(subject, index, upright)
        yield index, examples, targets.cpu(), subject.task.class_maps(examples).float().cpu()


def choose_masked(subject: Subject, num: int, otherwise: int, seed: int) -> tuple[np.ndarray, Tensor | None]:
    """`num` images of the split by `seed`, as evenly over the classes as those with object masks allow, and these.

    Returns:
        Indices [M] and masks bool [M,H,W]; without masks `otherwise` images of any kind, and None.
    """
    labels, known = subject.data.labels(subject.split).numpy(), subject.data.masks(subject.split)
    if known is None:
        return balanced_choice(labels, otherwise, seed), None
    there, masks = known
    some = balanced_choice(labels[there.numpy()], num, seed)
    return there.numpy()[some], masks[some]


def describe_coarseness(height: int, width: int) -> str:
    """A sentence for maps that are too coarse to localize anything; nothing for others."""
    if min(height, width) >= _COARSE:
        return ""
    return (
        f" A map of {height}x{width} is too coarse to localize an object: train with a larger data.image_size, or with "
        "a finer model.stem if the model has one."
    )


def enlarge(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Maps [B,h,w] at the image's size [B,H,W], bilinear between the centers of pixels."""
    return F.interpolate(maps.unsqueeze(1), size=tuple(size), mode="bilinear", align_corners=False).squeeze(1)


def score_pointing(maps: Tensor, masks: Tensor) -> dict[str, float | None]:
    """How well maps [B,H,W] lie on objects, masks bool [B,H,W]; see `Cam` for the numbers."""
    on = masks.flatten(1)
    peaks = maps.flatten(1).argmax(dim=1, keepdim=True)
    positive = maps.flatten(1).double().clamp(min=0)
    mass = positive.sum(dim=1)
    shares = (positive * on).sum(dim=1)[mass > 0] / mass[mass > 0]
    _, height, width = masks.shape
    return {
        "peak_on_object": float(on.gather(1, peaks).double().mean()),
        "mass_on_object": float(shares.mean()) if len(shares) else None,
        "object_area": float(on.double().mean()),
        "center_on_object": float(masks[:, height // 2, width // 2].double().mean()),
    }


def describe_pointing(numbers: Mapping[str, Any]) -> str:
    """How well peaks (and troughs, where they are scored) and positive evidence lie on the object, in words."""
    evidence, words = numbers["mass_on_object"], f"map peak on object {numbers['peak_on_object']:.1%}"
    if "trough_on_object" in numbers:
        words += f", trough {numbers['trough_on_object']:.1%}"
    said = "no positive evidence" if evidence is None else f"evidence on object {evidence:.1%}"
    return f"{words} (image center {numbers['center_on_object']:.1%}), {said} (area {numbers['object_area']:.1%})"
