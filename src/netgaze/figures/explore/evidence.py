"""Class maps in one byte per position, of the true class and the most likely ones."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from netgaze.drawing.evidence import measure_scale
from netgaze.drawing.heat import load_examples
from netgaze.subject import Subject, evaluating

_BATCH = 250
_MOST_BYTES = 200  # of an image in each network
_MOST_SIDE = 10  # places of a map, across
_MOST_CLASSES = 10


def map_evidence(subject: Subject, rows: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Of each image the maps `heat` [N,c,h,w] of the classes `heat_classes` [N,c], and their `heat_unit`.

    The classes are the true one and the most likely, as many as fit; a map of more than 10 positions across is
    averaged to 10. 128 stands for no evidence, 255 and 1 for a value that 1% of all positions exceed.

    Args:
        subject: nothing is returned for one without class maps.
        rows: the images, by split.
    """
    if subject.pixels or subject.lacks(("classes",)):
        return {}
    with evaluating(subject.task), torch.no_grad():
        parts = list(_compute(subject, rows))
    classes, maps = (torch.cat(part).numpy() for part in zip(*parts, strict=True))
    bounded = np.clip(maps / measure_scale(maps), -1, 1)
    return {
        "heat": (bounded * 127 + 128).round().astype(np.uint8),
        "heat_classes": classes,
        "heat_unit": np.array(subject.task.model.map_unit),
    }


def _compute(subject: Subject, rows: Mapping[str, np.ndarray]) -> Iterator[tuple[Tensor, Tensor]]:
    """Classes and maps of some images at a time."""
    for split, own in rows.items():
        answers = torch.from_numpy(subject.class_outputs(split).logits[own])
        for start in range(0, len(own), _BATCH):
            some = slice(start, start + _BATCH)
            examples, targets = load_examples(subject, own[some], split=split)
            with torch.autocast(examples.device.type, torch.bfloat16, enabled=subject.precision == "bf16"):
                maps = subject.task.class_maps(examples).float().cpu()
            if max(maps.shape[-2:]) > _MOST_SIDE:
                height, width = (min(side, _MOST_SIDE) for side in maps.shape[-2:])
                maps = F.adaptive_avg_pool2d(maps, (height, width))
            classes = _choose_classes(answers[some], targets.cpu(), maps.shape[-2] * maps.shape[-1])
            yield classes, maps[torch.arange(len(maps))[:, None], classes]


def _choose_classes(logits: Tensor, targets: Tensor, num_places: int) -> Tensor:
    """The most likely classes of logits [B,K]; the last one is replaced by the true one [B] if that is missing."""
    num = min(logits.shape[1], _MOST_CLASSES, max(2, _MOST_BYTES // num_places))
    chosen = logits.topk(num, dim=1).indices
    is_missing = (chosen != targets[:, None]).all(dim=1)
    chosen[is_missing, -1] = targets[is_missing]
    return chosen
