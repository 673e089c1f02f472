"""Maps of evidence: computed, enlarged, scored against object masks, tried by taking pixels away."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from netgaze.drawing.examples import balanced_choice
from netgaze.glossary import Glossary, Meaning
from netgaze.subject import Subject, device_of

_COARSE = 4  # pixels of a map, across
_BATCH, _MOST_MAPS = 100, 20_000

# Of the numbers of `score_pointing`; "num_scored" says of how many images they are.
POINTING = Glossary(
    {
        "peak_on_object": Meaning(
            "peak on the object",
            "Share of maps whose highest pixel is on the object (Zhang et al. 2016's pointing game); to be held "
            "against the middle.",
            "%",
            "higher",
            "num_scored",
        ),
        "mass_on_object": Meaning(
            "evidence on the object",
            "Mean share of a map's positive evidence on the object; maps without any are left out. By chance the "
            "object's area.",
            "%",
            "higher",
        ),
        "object_area": Meaning(
            "area of the object", "Mean share of the image that is object: chance for both above.", "%"
        ),
        "center_on_object": Meaning(
            "middle on the object",
            "Share of images: what always pointing at the middle would reach.",
            "%",
            "",
            "num_scored",
        ),
    }
)


def compute_maps(
    subject: Subject, images: np.ndarray, upright: bool = True
) -> Iterator[tuple[np.ndarray, Tensor, Tensor, Tensor]]:
    """The maps of all classes for images of the subject's split, in batches that fit into memory.

    To be asked within `evaluating` and without gradients.

    Args:
        subject: with a task and data.
        images: indices into the split, [N].
        upright: only the first example that the task makes of each image; else all of them, the first ones first.

    Yields:
        The batch's part of `images` [B], examples [M,C,H,W] on the task's device, targets [M], maps [M,K,h,w].
    """
    task, data, split = subject.task, subject.data, subject.split
    device = device_of(task)
    step = max(1, min(_BATCH, _MOST_MAPS // task.num_classes))
    for start in range(0, len(images), step):
        index = images[start : start + step]
        examples, targets = task.make_examples(data.normalize(data.images(split, index)), data.labels(split)[index])
        num = len(index) if upright else len(targets)
        examples = examples[:num].to(device)
        yield index, examples, targets[:num].cpu(), task.class_maps(examples).float().cpu()


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
    """A sentence for maps that are too coarse to be read as places; nothing for others."""
    if min(height, width) >= _COARSE:
        return ""
    return (
        f" A map of {height}x{width} is too coarse to say where an object is: train with a larger data.image_size, "
        "or with a finer model.stem, where the model has one."
    )


def enlarge(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Maps [B,h,w] at the image's size [B,H,W], bilinear between the centers of pixels."""
    return F.interpolate(maps.unsqueeze(1), size=tuple(size), mode="bilinear", align_corners=False).squeeze(1)


def find_top_pixels(maps: Tensor, share: float) -> Tensor:
    """The `share` of pixels of each map [B,H,W] with the highest values: bool [B,H,W]."""
    flat = maps.flatten(1)
    highest = flat.topk(round(share * flat.shape[1]), dim=1).indices
    return torch.zeros_like(flat, dtype=torch.bool).scatter_(1, highest, True).view_as(maps)


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


def describe_mass(numbers: Mapping[str, float | None]) -> str:
    """How much positive evidence lies on the object, in words; nothing is said of maps that have none."""
    mass = "no positive mass" if numbers["mass_on_object"] is None else f"mass {numbers['mass_on_object']:.2f}"
    return f"{mass} (chance {numbers['object_area']:.2f})"


def measure_drops(task: nn.Module, examples: Tensor, targets: Tensor, maps: Sequence[Tensor], share: float) -> Tensor:
    """How far the target's probability falls when the top pixels of a map are set to zero, the images' mean.

    Args:
        task: examples -> logits.
        examples: normalized, [B,C,H,W].
        targets: [B].
        maps: each [B,H,W].
        share: of the pixels, 0..1.

    Returns:
        Falls in -1..1, a row for each of the maps, [len(maps),B].
    """
    rows = torch.arange(len(targets))

    def probability(shown: Tensor) -> Tensor:
        return task(shown).float().softmax(dim=1).cpu()[rows, targets]

    before = probability(examples)
    kept = [~find_top_pixels(heat, share).to(examples.device) for heat in maps]
    return torch.stack([before - probability(examples * some.unsqueeze(1)) for some in kept])
