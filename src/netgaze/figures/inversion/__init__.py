"""Feature inversion: reconstruct an image from its features at each depth."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure as Picture
from torch import Tensor
from tqdm import tqdm

from netgaze.drawing.rows import Row, lay_out, make_title
from netgaze.drawing.shown_layers import check_images, choose_layers, describe_left_out, name_images
from netgaze.errors import NetgazeError
from netgaze.figure import Figure, Finding
from netgaze.figures.inversion.depths import make_plots
from netgaze.figures.inversion.images import make_image
from netgaze.glossary import Glossary, Meaning
from netgaze.inside import image_search
from netgaze.inside.feature_match import FeatureMatch, Match, draw_noise
from netgaze.inside.layers import reach
from netgaze.ranks import shows_progress
from netgaze.subject import Subject, device_of, evaluating
from netgaze.text import show

_LOSSES = ("squared", "relative")


class Inversion(Figure):
    """Images, found by gradient descent, whose features at a layer match an image's (Mahendran and Vedaldi 2015).

    The search starts from middle gray with a little noise, the same for every network and layer, and minimizes the sum
    of squared differences of the features, plus optional penalties; see `FeatureMatch` for the formula, the search and
    convergence.

    Args:
        layers: `named_modules` names; null for the model's stages.
        indices: images of the split; null for one drawn by the seed. At most six are shown.
        images: your own picture files instead, fitted as the data's images are.
        loss: "squared", the sum of squared differences; or "relative", the sum divided by the squared norm of the
            image's features, as in the paper, so that a penalty's weight means the same at every layer.
        alpha_weight, alpha: of the sum of |x|^alpha over normalized pixel values.
        tv_weight, beta: of the total variation of the normalized image, to the power of beta / 2.
        steps: at most; each costs a forward and backward pass or a little more.
        tolerance: relative error at which features count as matched: 0.001 is 3% of their norm.
        seed: of the image and of the noise.

    Raises:
        NetgazeError: arguments that exclude each other or are out of range.
    """

    title = "Feature inversion"
    question = "Which image has the same features at a layer, and how much of the original does it keep at each depth?"
    look_for = (
        "The depth at which colors, positions and details are lost: there the feature error is still small while the "
        "pixel distance grows. Compare the depths with those of the untrained network."
    )
    pitfall = (
        "A search that did not converge also looks like lost information: check the feature error first. An unlike "
        "image shows that many images share these features; another seed or penalty finds another one."
    )
    needs = ("task", "data")
    glossary = Glossary(
        {
            "start_distance": Meaning("start: pixel distance", "Of the starting noise to the image."),
            "<image>/start_distance": Meaning(
                "<image>: start: pixel distance", "Of the noise at the start to the image."
            ),
            "<layer>/error": Meaning(
                "<layer>: feature error",
                "Squared distance to the image's features, divided by their squared norm; 0 if equal.",
                "",
                "lower",
            ),
            "<layer>/start": Meaning("<layer>: feature error at the start", "The same before the search.", "", "lower"),
            "<layer>/distance": Meaning(
                "<layer>: pixel distance",
                "Root mean square difference of pixel values (0..1) to the image: what the features have lost.",
                "",
                "lower",
            ),
            "<layer>/correlation": Meaning(
                "<layer>: correlation",
                "Of the pixel values with the image's, -1..1; - if either is constant.",
                "",
                "higher",
            ),
            "<layer>/steps": Meaning("<layer>: steps", "Taken by the search."),
            "<layer>/converged": Meaning("<layer>: converged", "Whether the search ended before the step limit."),
        }
    )

    def __init__(
        self,
        *,
        layers: Sequence[str] | None = None,
        indices: Sequence[int] | None = None,
        images: Sequence[str] | None = None,
        loss: str = "squared",
        alpha_weight: float = 0.0,
        alpha: float = 6.0,
        tv_weight: float = 0.0,
        beta: float = 2.0,
        steps: int = 1000,
        tolerance: float = 0.001,
        seed: int = 0,
    ):
        check_images("inversion", indices, images)
        if loss not in _LOSSES:
            raise NetgazeError(f"Unknown figure.inversion.loss={loss}. Choose one of {', '.join(_LOSSES)}.")
        if alpha_weight < 0 or tv_weight < 0 or alpha <= 0 or beta <= 0:
            raise NetgazeError(
                "figure.inversion: alpha and beta must be above 0, alpha_weight and tv_weight 0 or more."
            )
        if steps < 1 or not 0 < tolerance < 1:
            raise NetgazeError("figure.inversion: steps must be 1 or more, tolerance between 0 and 1.")
        self.layers, self.indices, self.images, self.seed = layers, indices, images or (), seed
        self.match = FeatureMatch(loss == "relative", alpha_weight, alpha, tv_weight, beta, steps, tolerance)

    def compute(self, subject: Subject) -> Finding:
        """Of n images and L layers `images` [n,C,H,W] and `found` [n,L,C,H,W], float32 in 0..1; `names`, `layers`.

        `curve<i>_<j>` [steps + 1] is the relative error of image i at layer j, at the start and after each step.

        Raises:
            NetgazeError: no such layer, or one that is all zero for an image.
        """
        names, images = name_images(subject, self.indices, self.images, self.seed)
        task = subject.task
        with evaluating(task):
            task.requires_grad_(False)
            layers, device = (
                choose_layers(task.model, self.layers, stem=False, key="figure.inversion.layers"),
                device_of(task),
            )
            read = image_search.normalize(subject.data.mean, subject.data.std)
            start, sought = draw_noise(images[:1].shape, self.seed), images.float() / 255
            arrays = {"images": sought.numpy(), "names": np.array(names), "layers": np.array(layers)}
            numbers, found = dict[str, Any](), list[Tensor]()
            quiet = not shows_progress()
            with tqdm(
                desc=show(f"{subject.label}: layers"), total=len(layers) * len(names), leave=False, disable=quiet
            ) as bar:
                for i, name in enumerate(names):
                    before = "" if len(names) == 1 else f"{name}/"
                    numbers[f"{before}start_distance"] = _measure_distance(start, sought[[i]])
                    for j, layer in enumerate(layers):
                        run = reach(task.model, layer)
                        with torch.no_grad():
                            target = run(read(sought[[i]].to(device)))
                        if not target.any():
                            raise NetgazeError(f"{layer} is all zero for {name}. Choose other figure.inversion.layers.")
                        match = self.match.of(target, run, read, start.to(device))
                        numbers |= _measure_match(f"{before}{layer}", match, sought[[i]])
                        arrays[f"curve{i}_{j}"] = np.array(match.curve, dtype=np.float32)
                        found.append(match.image.cpu())
                        bar.update()
        arrays["found"] = torch.cat(found).unflatten(0, (len(names), len(layers))).numpy()
        return Finding(numbers, arrays, self._write_caption(numbers))

    def _write_caption(self, numbers: dict[str, Any]) -> str:
        caption = (
            "Each image was found by a search from gray noise, so that its features match those of the image at the "
            "left. Error: squared distance of the features, divided by their squared norm. Distance: root mean square "
            "difference of pixel values in 0..1; the noise itself has "
            + " and ".join(f"{value:.2g}" for name, value in numbers.items() if name.endswith("start_distance"))
            + ". A small error with a large distance: many images look the same to that layer. "
            + self.match.said()
        )
        ends = {name.removesuffix("/converged"): done for name, done in numbers.items() if name.endswith("/converged")}
        short = [name for name, done in ends.items() if not done]
        if short:
            caption += (
                f" NOT converged within {self.match.steps} steps: {', '.join(short)}; their distance may change with "
                "more figure.inversion.steps."
            )
        return caption + describe_left_out(self.images or self.indices)

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """For each network a row per image: the image, its reconstruction at each depth, and the error curves."""
        rows: list[Row] = []
        for label, finding in findings.items():
            images = range(len(finding.arrays["names"]))
            rows += [make_title(label, below=0.08), *(make_image(finding, i) for i in images)]
        return lay_out([*rows, make_plots(findings)])


def _measure_match(key: str, match: Match, image: Tensor) -> dict[str, Any]:
    found = match.image.cpu()
    pairs = torch.stack([found.flatten(), image.flatten()])
    constant = float(pairs.std(dim=1).min()) == 0
    return {
        f"{key}/error": match.error,
        f"{key}/start": match.curve[0],
        f"{key}/distance": _measure_distance(found, image),
        f"{key}/correlation": None if constant else float(torch.corrcoef(pairs)[0, 1]),
        f"{key}/steps": len(match.curve) - 1,
        f"{key}/converged": match.converged,
    }


def _measure_distance(one: Tensor, other: Tensor) -> float:
    return float((one - other).square().mean().sqrt())
