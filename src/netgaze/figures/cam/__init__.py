"""Where in the image does the network see the evidence for a class?"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure as Picture

from netgaze.drawing.examples import balanced_choice, choose_examples, denormalize, find_upright_rows, rebuild_examples
from netgaze.drawing.faithfulness import Trial
from netgaze.drawing.faithfulness_words import FAITHFULNESS, TRIAL_CAPTION
from netgaze.drawing.heat import POINTING, choose_masked, compute_maps, describe_coarseness, enlarge, score_pointing
from netgaze.figure import Figure, Finding
from netgaze.figures.cam.page import draw_examples
from netgaze.glossary import Glossary, Meaning
from netgaze.subject import Subject, device_of, evaluating


class Cam(Figure):
    """Class activation maps (Zhou et al. 2016): the evidence for a class at each place of the last feature maps.

    M_c(x,y) = sum_k w_k^c f_k(x,y), from `task.class_maps`, enlarged bilinearly to the image's size. Zhou et al. scale
    each map to 0..1; here maps keep their sign and unit (of a pooled network the logit is their mean plus a bias) on
    one scale per network, so that a network without evidence does not look as confident as one with it. Other heads
    have maps of their own, see their `class_maps`.

    Shown are the same images for every network, each of a different class; then, chosen for each network, its most
    confident correct prediction of some of its classes, and its most confident error with the map of the predicted
    class.

    Args:
        num_shared: images that every network is shown, and classes for which each shows its best.
        indices: images of the split to show in place of the seed's choice.
        num_scored: at most so many images are scored against their masks.
        num_dropped: at most so many images are tested with pixels replaced.
        share: of the pixels to replace for `drop`, 0..1.
        num_steps: in which all pixels of an image are replaced, for deletion and insertion.
        num_randomized: at most so many of these images are also shown to networks with randomized layers.
        seed: of the choice of images, of the noise and of the layers.

    Raises:
        NetgazeError: no step, no image to test, or no share of the pixels.
    """

    title = "Class activation maps"
    question = "Where does the network see the evidence for a class, and is the object there?"
    look_for = (
        "See whether the evidence (red) lies on the object or on its background, first for the images that all "
        "networks share, then for each network's most confident error. Where the data has object masks, compare the "
        "map's peak on the object with the image's center, and the evidence on the object with its area."
    )
    pitfall = (
        "The map has few cells and is enlarged, so its smooth outline is not the outline of an object. Compare it with "
        "the map of the untrained network, and the probability lost without its pixels with what a noise map of the "
        "same coarseness costs: if the control looks as good, the map is no evidence."
    )
    needs = ("classes", "data")
    glossary = Glossary(
        POINTING
        | FAITHFULNESS
        | {
            "map_height": Meaning("map height", "Before enlargement."),
            "map_width": Meaning("map width", "Before enlargement."),
            "num_scored": Meaning("images scored", "Number of images with object masks behind the shares on objects."),
        }
    )

    def __init__(
        self,
        *,
        num_shared: int = 3,
        indices: Sequence[int] | None = None,
        num_scored: int = 1000,
        num_dropped: int = 200,
        share: float = 0.2,
        num_steps: int = 10,
        num_randomized: int = 50,
        seed: int = 0,
    ):
        self.num_shared, self.indices = num_shared, indices
        self.num_scored, self.seed = num_scored, seed
        self.trial = Trial(num_dropped, share, num_steps, num_randomized, seed)

    def compute(self, subject: Subject) -> Finding:
        """Examples [n,H,W,3] of three kinds, each with the map [n,H,W] of one class; the results of the trial."""
        kinds, rows, classes = self._choose(subject)
        outputs, names = subject.outputs(subject.split), np.array(subject.task.class_names)
        there = rows >= 0
        examples = rebuild_examples(subject, np.where(there, rows, 0))
        with evaluating(subject.task), torch.no_grad():
            small = subject.task.class_maps(examples.to(device_of(subject.task))).float().cpu()
        maps = enlarge(_pick(small, torch.from_numpy(classes)), examples.shape[-2:])
        predicted = outputs.logits[rows].argmax(axis=1)
        arrays = {
            "kinds": np.array(kinds),
            "there": there,
            "images": denormalize(examples, subject.data.mean, subject.data.std),
            "maps": maps.numpy(),
            "unit": np.array(subject.task.model.map_unit),
            "asked": names[classes],
            "true": names[outputs.targets[rows]],
            "predicted": names[predicted],
            "probability_true": outputs.probabilities[rows, outputs.targets[rows]],
            "probability_predicted": outputs.probabilities[rows, predicted],
        }
        scored, masks = choose_masked(subject, self.num_scored, self.trial.num_dropped, self.seed)
        verdict = self.trial.run(subject, _explain, scored)
        numbers = {"map_height": small.shape[-2], "map_width": small.shape[-1]} | verdict.numbers
        numbers |= {} if masks is None else _score(subject, scored, masks)
        return Finding(numbers, arrays | verdict.arrays, _write_caption(numbers))

    def _choose(self, subject: Subject) -> tuple[list[str], np.ndarray, np.ndarray]:
        """The kind, the row of the outputs (-1: there is none) and the mapped class of every example."""
        outputs = subject.outputs(subject.split)
        predicted, confidence = outputs.logits.argmax(axis=1), outputs.probabilities.max(axis=1)
        right = predicted == outputs.targets
        images = choose_examples(subject.data.labels(subject.split).numpy(), self.num_shared, self.seed, self.indices)
        shared = find_upright_rows(outputs.index, images)
        own = balanced_choice(np.arange(subject.task.num_classes), self.num_shared, self.seed)
        best = [_find_surest(confidence, right & (predicted == number)) for number in own]
        error = _find_surest(confidence, ~right)
        kinds = ["shared"] * len(shared) + ["best"] * len(best) + ["error"]
        classes = np.concatenate([outputs.targets[shared], own, [predicted[error]]])
        return kinds, np.concatenate([shared, best, [error]]).astype(np.int64), classes

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """Two columns per network: the image, and the map over it; below them the tests of all maps."""
        return draw_examples(findings)


@torch.no_grad()
def _explain(task: Any, examples: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The maps of the true classes, [B,h,w]."""
    return _pick(task.class_maps(examples).float().cpu(), targets.cpu())


def _pick(maps: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Of maps of all classes [B,K,h,w] that of one each, [B,h,w]."""
    return maps[torch.arange(len(classes)), classes]


def _score(subject: Subject, scored: np.ndarray, masks: torch.Tensor) -> dict[str, float | None]:
    """How well maps lie on the objects of images, indices [N] with masks [N,H,W]."""
    with evaluating(subject.task), torch.no_grad():
        small = torch.cat([_pick(maps, targets) for _, _, targets, maps in compute_maps(subject, scored)])
    return score_pointing(enlarge(small, masks.shape[-2:]), masks) | {"num_scored": len(scored)}


def _find_surest(confidence: np.ndarray, among: np.ndarray) -> int:
    """The place of the highest confidence [M] among some, or -1."""
    return int(np.where(among, confidence, -1).argmax()) if among.any() else -1


def _write_caption(numbers: dict[str, float]) -> str:
    size = f"{numbers['map_height']}x{numbers['map_width']}"
    scored = f" Shares on objects are of {numbers['num_scored']} images." if "num_scored" in numbers else ""
    caption = (
        "The first rows show the same images for every network; the most confident correct predictions and the error "
        "are chosen for each. ✓ marks a correct prediction, × an incorrect one. Red is evidence for the class, blue "
        "against it; with dynamic filters, whose predictor reads the maps, it may be the opposite. The maps are "
        f"{size}, enlarged."
    )
    coarse = describe_coarseness(int(numbers["map_height"]), int(numbers["map_width"]))
    return f"{caption}{scored}{coarse} {TRIAL_CAPTION}"
