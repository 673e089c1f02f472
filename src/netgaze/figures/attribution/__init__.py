"""Do several attribution methods find the same evidence, and which of them pass the tests?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Picture
from torch import Tensor

from netgaze.drawing.examples import choose_examples, denormalize, find_upright_rows
from netgaze.drawing.faithfulness import Trial
from netgaze.drawing.faithfulness_words import FAITHFULNESS, TRIAL_CAPTION
from netgaze.drawing.heat import POINTING, choose_masked, describe_coarseness, enlarge, load_examples, score_pointing
from netgaze.errors import NetgazeError
from netgaze.figure import Figure, Finding
from netgaze.figures.attribution.methods import METHODS, make_explain
from netgaze.figures.attribution.page import draw_blocks
from netgaze.glossary import Glossary, Meaning
from netgaze.subject import Subject, evaluating

# Of each method among the numbers; the table has the others.
_MAIN = (
    *(f"{kind}_gain{end}" for kind in ("deletion", "insertion") for end in ("", "_low", "_high")),
    "spearman_all",
)


class Attribution(Figure):
    """Maps of the evidence for the true class by three methods of captum, with the tests of `Cam`.

    Integrated gradients and occlusion replace pixels by the mean color; Grad-CAM weights the outputs of a layer by the
    gradients of the logit, and equals `Cam`'s map up to scale where the last maps are pooled into a linear head. All
    keep their signs. Each method has its own unit, and therefore its own color scale.

    Args:
        methods: of integrated_gradients, occlusion and grad_cam, in this order beside one another.
        layer: whose outputs Grad-CAM weighs, by its name; None for the last of the network's stages.
        num_shared: images that are shown, the same for every network.
        indices: images of the split to show in place of the seed's choice.
        num_dropped: at most so many images are tested with pixels replaced, and scored where they have masks.
        share: of the pixels to replace for `drop`, 0..1.
        num_steps: in which all pixels of an image are replaced, for deletion and insertion.
        num_randomized: at most so many of these images are also shown to networks with randomized layers.
        path_steps: of integrated gradients, from the mean color to the image.
        seed: of the choice of images, of the noise and of the layers.

    Raises:
        NetgazeError: no method or an unknown one, no step, or no image to show or to test.
    """

    title = "Attribution methods"
    question = "Do several attribution methods find the same evidence for a class, and which of them pass the tests?"
    look_for = (
        "Compare the maps of one image across the methods, then each method's tests: deletion and insertion have to "
        "beat noise (an interval above 0), and the correlation with the map of a network with random layers has to "
        "fall."
    )
    pitfall = (
        "A plausible map need not be faithful: a method whose maps stay the same once the layers are random shows the "
        "image's edges rather than what the network learned. Every method has its own unit and color scale, so do not "
        "compare the strength of colors between columns; compare with the untrained network instead."
    )
    needs = ("classes", "data")
    glossary = Glossary(
        POINTING
        | FAITHFULNESS
        | {
            "method": Meaning("method"),
            "trials": Meaning("all numbers of each method"),
            "num_scored": Meaning("images scored", "Number of images with object masks behind the shares on objects."),
        }
        | {
            f"{method}_{name}": replace(FAITHFULNESS[name], words=f"{words}: {FAITHFULNESS[name].words}")
            for method, words in METHODS.items()
            for name in _MAIN
        }
    )

    def __init__(
        self,
        *,
        methods: Sequence[str] = tuple(METHODS),
        layer: str | None = None,
        num_shared: int = 3,
        indices: Sequence[int] | None = None,
        num_dropped: int = 100,
        share: float = 0.2,
        num_steps: int = 10,
        num_randomized: int = 25,
        path_steps: int = 32,
        seed: int = 0,
    ):
        known = ", ".join(METHODS)
        if not methods:
            raise NetgazeError(f"figure.attribution.methods is empty. Choose from {known}.")
        if unknown := [method for method in methods if method not in METHODS]:
            raise NetgazeError(f"figure.attribution.methods: unknown method {unknown[0]}. Choose from {known}.")
        for name, value in (("path_steps", path_steps), ("num_shared", num_shared)):
            if value < 1:
                raise NetgazeError(f"figure.attribution.{name}={value} must be 1 or more.")
        if indices is not None and not indices:
            raise NetgazeError(
                "figure.attribution.indices=[] names no image. Name one, or use null for the seed's choice."
            )
        self.methods, self.layer, self.path_steps = list(dict.fromkeys(methods)), layer, path_steps
        self.num_shared, self.indices, self.seed = num_shared, indices, seed
        self.trial = Trial(num_dropped, share, num_steps, num_randomized, seed)

    def compute(self, subject: Subject) -> Finding:
        """Images [n,H,W,3] with the map of the true class by each method [A,n,H,W]; the results of each trial.

        The arrays of a trial (`Verdict.arrays`) are stacked by method; a row of `table` has a method's numbers.
        """
        shown = choose_examples(subject.data.labels(subject.split).numpy(), self.num_shared, self.seed, self.indices)
        tried = choose_masked(subject, self.trial.num_dropped, self.trial.num_dropped, self.seed)
        layer = self._choose_layer(subject)
        explains = {method: make_explain(method, layer, self.path_steps) for method in self.methods}
        with evaluating(subject.task):
            examples, targets = load_examples(subject, shown)
            small = [explain(subject.task, examples, targets) for explain in explains.values()]
        verdicts = {method: self.trial.run(subject, explain, tried[0]) for method, explain in explains.items()}
        trials = {method: verdict.numbers | _score(verdict.maps, *tried) for method, verdict in verdicts.items()}
        each = [verdict.arrays for verdict in verdicts.values()]
        arrays = {name: np.stack([one[name] for one in each]) for name in each[0]} | _describe_examples(subject, shown)
        arrays["images"] = denormalize(examples, subject.data.mean, subject.data.std)
        arrays["maps"] = np.stack([enlarge(maps, examples.shape[-2:]).numpy() for maps in small])
        arrays["methods"] = np.array(self.methods)
        numbers: dict[str, Any] = {f"{method}_{name}": trials[method][name] for method in trials for name in _MAIN}
        numbers |= {name: trials[self.methods[0]][name] for name in ("num_dropped", "num_randomized")}
        coarsest = min((maps.shape[1:] for maps in small), key=min)
        caption = self._write_caption(layer) + describe_coarseness(*coarsest)
        return Finding(numbers | {"trials": trials}, arrays, caption)

    def _choose_layer(self, subject: Subject) -> str:
        """The layer of Grad-CAM; a network that names no stages has none by default."""
        stages = getattr(subject.task.model, "feature_layers", ())
        if self.layer is None and "grad_cam" in self.methods and not stages:
            raise NetgazeError(
                "This network names no stages. Choose a layer for Grad-CAM, as in figure.attribution.layer=conv1."
            )
        return self.layer or next(reversed(stages), "")

    def _write_caption(self, layer: str) -> str:
        caption = (
            "Maps of the true class, of the same images for every network. Red is evidence for the class, blue against "
            "it. Each method has its own unit and scale: the value of the full color stands above its column. ✓ marks "
            "a correct prediction, × an incorrect one. "
        )
        if "grad_cam" in self.methods:
            caption += f"Grad-CAM is of the layer {layer}. "
        return caption + TRIAL_CAPTION

    def table(self, finding: Finding) -> list[dict[str, Any]]:
        """One row per method: all numbers of its trial, and its shares on objects."""
        return [{"method": METHODS[method]} | trial for method, trial in finding.numbers["trials"].items()]

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A block per network, two in a row: one row per image, one column per method, and below it its tests."""
        return draw_blocks(findings)


def _score(maps: Tensor, images: np.ndarray, masks: Tensor | None) -> dict[str, Any]:
    """How well maps [N,h,w] lie on the objects of images, indices [N] with masks [N,H,W]; nothing without masks."""
    if masks is None:
        return {}
    return score_pointing(enlarge(maps, masks.shape[-2:]), masks) | {"num_scored": len(images)}


def _describe_examples(subject: Subject, shown: np.ndarray) -> dict[str, np.ndarray]:
    """True and predicted classes of images of the split, names and probabilities [n]."""
    outputs, names = subject.outputs(subject.split), np.array(subject.task.class_names)
    rows = find_upright_rows(outputs.index, shown)
    predicted, targets = outputs.logits[rows].argmax(axis=1), outputs.targets[rows]
    return {
        "true": names[targets],
        "predicted": names[predicted],
        "probability_true": outputs.probabilities[rows, targets],
        "probability_predicted": outputs.probabilities[rows, predicted],
    }
