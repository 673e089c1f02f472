"""Response maps: where each class finds evidence in an image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure as Picture
from torch import Tensor

from netgaze.drawing.examples import choose_examples, choose_right, denormalize, find_upright_rows, rebuild_examples
from netgaze.drawing.heat import POINTING, choose_masked, compute_maps, describe_coarseness, enlarge, score_pointing
from netgaze.drawing.rows import lay_out
from netgaze.errors import NetgazeError
from netgaze.figure import Figure, Finding
from netgaze.figures.response_maps.rows import make_blocks
from netgaze.glossary import Glossary, Meaning
from netgaze.subject import Subject, device_of, evaluating


@dataclass(frozen=True)
class _Shown:
    """The examples shown [n,C,H,W], their logits [n,K] and true classes [n], -1 if unknown."""

    examples: Tensor
    logits: np.ndarray
    targets: np.ndarray


class ResponseMaps(Figure):
    """The maps of all classes for some images: `task.class_maps`, on one signed color scale per network.

    Of a network with a filter per class these are the filters' responses; of a pooled network its class activation maps
    (Zhou et al. 2016); of a rotation network a map per angle, for the upright image.

    Args:
        num_images: shown, of different classes if possible; the caption states the rule.
        indices: images of the split to show instead.
        images: your own picture files to show instead; their true class is unknown.
        num_scored: images measured, at most.
        max_classes: maps beside an image. Of more classes, the true one's and the highest-scored.
        seed: of the images.

    Raises:
        NetgazeError: both `indices` and `images` are given.
    """

    title = "Response maps"
    question = "Where does each class find evidence in an image, and is it strongest for the true class?"
    look_for = (
        "Whether the framed map, of the true class, is the reddest of its row and red on the object. The share of "
        "images where the true class peaks highest should be far above chance."
    )
    pitfall = (
        "The maps are small grids enlarged, so their borders are no outlines. If a predictor reads the maps, low "
        "responses can be the evidence: then the true class has the lowest trough. Compare peaks with the image center "
        "and with the untrained network."
    )
    needs = ("classes", "data")
    glossary = Glossary(
        POINTING
        | {
            "map_height": Meaning("map height", "Before enlarging."),
            "map_width": Meaning("map width", "Before enlarging."),
            "peak_highest": Meaning(
                "true class highest",
                "Share of examples whose true class's map has the highest peak of all maps, before enlarging; a tie of "
                "n maps counts 1/n. A rotation network is scored on all four rotations.",
                "%",
                "higher",
                "num_scored",
            ),
            "trough_lowest": Meaning(
                "true class lowest",
                "The same for the lowest trough. A head that reads its maps through a predictor may use low responses "
                "as evidence: if this share is high, read the maps with reversed signs.",
                "%",
                "",
                "num_scored",
            ),
            "chance": Meaning("chance", "The share for a network with the same map for all classes.", "%"),
            "trough_on_object": Meaning(
                "map trough on object", "Share of maps whose lowest pixel is on the object.", "%", "", "num_scored"
            ),
            "negative_mass_on_object": Meaning("negative evidence on object", "As the positive evidence.", "%"),
            "num_scored": Meaning("images scored", "How many the numbers are measured on, spread over the classes."),
        }
    )

    def __init__(
        self,
        *,
        num_images: int = 5,
        indices: Sequence[int] | None = None,
        images: Sequence[str] | None = None,
        num_scored: int = 1000,
        max_classes: int = 10,
        seed: int = 0,
    ):
        if indices is not None and images:
            raise NetgazeError("Set figure.response_maps.indices (of the split) or images (your files), not both.")
        self.num_images, self.indices, self.images = num_images, indices, images or ()
        self.num_scored, self.max_classes, self.seed = num_scored, max_classes, seed

    def compute(self, subject: Subject) -> Finding:
        """Images [n,H,W,3] with the maps [n,T,h,w] of T classes, their names, scores and frames [n,T]; the numbers."""
        with evaluating(subject.task), torch.no_grad():
            picked = self._show_own(subject) if self.images else self._choose_from_split(subject)
            maps = subject.task.class_maps(picked.examples.to(device_of(subject.task))).float().cpu().numpy()
            numbers = {"map_height": maps.shape[-2], "map_width": maps.shape[-1]} | self._score(subject)
        classes = _choose_columns(picked, self.max_classes)
        rows = np.arange(len(classes))
        names, predicted = np.array(subject.task.class_names), picked.logits.argmax(axis=1)
        probabilities = torch.from_numpy(picked.logits).softmax(dim=1).numpy()
        known = picked.targets >= 0
        arrays = {
            "images": denormalize(picked.examples, subject.data.mean, subject.data.std),
            "maps": maps[rows[:, None], classes],
            "unit": np.array(subject.task.model.map_unit),
            "classes": names[classes],
            "scores": picked.logits[rows[:, None], classes],
            "framed": classes == picked.targets[:, None],
            "answers": classes == predicted[:, None],
            "known": known,
            "true": np.where(known, names[picked.targets], ""),
            "predicted": names[predicted],
            "probability_true": np.where(known, probabilities[rows, picked.targets], np.nan),
            "probability_predicted": probabilities[rows, predicted],
        }
        return Finding(numbers, arrays, self._write_caption(len(names)) + describe_coarseness(*maps.shape[-2:]))

    def _show_own(self, subject: Subject) -> _Shown:
        """Your own pictures, upright."""
        images = subject.data.normalize(subject.data.read_images(self.images))
        examples = subject.task.make_examples(images, torch.zeros(len(images), dtype=torch.int64))[0][: len(images)]
        logits = subject.task(examples.to(device_of(subject.task))).float().cpu().numpy()
        return _Shown(examples, logits, np.full(len(images), -1))

    def _choose_from_split(self, subject: Subject) -> _Shown:
        """Images of the split, upright: those named, or those of the rule."""
        outputs, labels = subject.outputs(subject.split), subject.data.labels(subject.split).numpy()
        upright = find_upright_rows(outputs.index, np.arange(len(labels)))
        if self.indices is not None:
            rows = upright[choose_examples(labels, 0, self.seed, self.indices)]
        else:
            right = outputs.logits[upright].argmax(axis=1) == outputs.targets[upright]
            rows = upright[choose_right(labels, right, self.num_images, self.seed)]
        return _Shown(rebuild_examples(subject, rows), outputs.logits[rows], outputs.targets[rows])

    def _score(self, subject: Subject) -> dict[str, float | None]:
        scored, masks = choose_masked(subject, self.num_scored, self.num_scored, self.seed)
        shares, own = [], []
        for index, _, targets, maps in compute_maps(subject, scored, upright=False):
            shares.append(torch.stack([count_peaks(maps, targets), count_peaks(-maps, targets)]))
            if masks is not None:
                own.append(maps[torch.arange(len(index)), targets[: len(index)]])
        highest, lowest = torch.cat(shares, dim=1).mean(dim=1).tolist()
        numbers: dict[str, float | None] = {
            "peak_highest": highest,
            "trough_lowest": lowest,
            "chance": 1 / subject.task.num_classes,
        }
        numbers["num_scored"] = len(scored)
        if masks is None:
            return numbers
        maps = enlarge(torch.cat(own), masks.shape[-2:])
        below = score_pointing(-maps, masks)
        troughs = {"trough_on_object": below["peak_on_object"], "negative_mass_on_object": below["mass_on_object"]}
        return numbers | score_pointing(maps, masks) | troughs

    def _write_caption(self, num_classes: int) -> str:
        caption = (
            "Red: positive response for a class; blue: negative, on one scale per network. Below: the class's score. "
            "A head with a predictor may use low responses as evidence: compare highest peak and lowest trough. "
        )
        if self.images:
            return caption + "Your own images have no true class: the predicted class is named, its score bold."
        if self.indices is None:
            caption += (
                "The seed draws an order of the images; of each class the first correctly predicted image is shown, or "
                "the first of all, marked as incorrect, if the network is never correct about the class. "
            )
        if num_classes > self.max_classes:
            caption += f"Of {num_classes} classes, the true one is shown, then those with the highest scores. "
        return caption + "The true class is framed; the score of the predicted class is bold."

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A block per network: a row per image, with the image left of its classes' maps."""
        return lay_out(make_blocks(findings))


def count_peaks(maps: Tensor, targets: Tensor) -> Tensor:
    """Has the target's map the highest peak? Maps [B,K,h,w], targets [B] -> 1, 0, or 1/n for a tie of n maps, [B]."""
    peaks = maps.flatten(2).amax(dim=2)
    highest = peaks == peaks.amax(dim=1, keepdim=True)
    return highest[torch.arange(len(targets)), targets].double() / highest.sum(dim=1)


def _choose_columns(picked: _Shown, most: int) -> np.ndarray:
    """The classes whose maps are shown for each image, [n,T]: all in order, or the true one and the highest-scored."""
    num_classes = picked.logits.shape[1]
    if num_classes <= most:
        return np.tile(np.arange(num_classes), (len(picked.logits), 1))
    first = picked.logits.copy()
    known = np.flatnonzero(picked.targets >= 0)
    first[known, picked.targets[known]] = np.inf
    return np.argsort(-first, axis=1, kind="stable")[:, :most]
