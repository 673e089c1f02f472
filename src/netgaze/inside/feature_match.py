"""The search for an image whose features match those of another (Mahendran and Vedaldi 2015)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from netgaze.errors import NetgazeError
from netgaze.inside import image_search
from netgaze.inside.layers import Transform

_FLAT, _STRETCH = 0.01, 30  # a loss that fell by less than this share in so many steps no longer improves
_NOISE = 0.05  # deviation of the noise around middle gray that a search starts from, of 0..1
_MEMORY = 20  # steps that L-BFGS remembers


@dataclass(frozen=True)
class Match:
    """The result of a search.

    Attributes:
        image: found, [1,C,H,W] in 0..1.
        error: squared distance of its features from the sought ones over their squared norm.
        curve: that error at the start and after each step, [steps + 1].
        converged: whether the search ended by itself, see `FeatureMatch`.
    """

    image: Tensor
    error: float
    curve: list[float]
    converged: bool


class _Logistic(nn.Module):
    """An image written down as a number for each pixel and channel, whose logistic function is the pixel's value."""

    def __init__(self, image: Tensor):
        super().__init__()
        self.values = nn.Parameter(image.clamp(0.001, 0.999).logit())

    def forward(self) -> Tensor:
        """The image, [1,C,H,W] in 0..1."""
        return self.values.sigmoid()


@dataclass(frozen=True)
class FeatureMatch:
    """How an image is sought: x with the least E + alpha_weight sum |x|^alpha + tv_weight sum (dx^2 + dy^2)^(beta/2).

    E is the sum of squared differences of the features, or with `relative` that over the sought features' squared norm.
    x is the image as the network reads it, normalized: its values lie around zero. The search is L-BFGS with a line
    search, over numbers whose logistic function is the image. Deviations from Mahendran and Vedaldi, who descend with
    momentum: these; on small networks Adam was left with several times the error after as many passes.

    It has converged, and ends, when the relative error is `tolerance` or less, or when the loss fell by less than 1 %
    in 30 steps; with penalties by the latter alone, as they may hold the error up. It looks every 30 steps.
    """

    relative: bool
    alpha_weight: float
    alpha: float
    tv_weight: float
    beta: float
    steps: int
    tolerance: float

    def of(self, target: Tensor, run: Transform, read: Transform, start: Tensor) -> Match:
        """Search from `start` [1,C,H,W] in 0..1 for an image with `run(read(image))` near `target`, not all zero.

        Raises:
            NetgazeError: the loss is no finite number.
        """
        norm = float(target.square().sum())
        image, curve = _Logistic(start), list[tuple[float, float]]()
        adept = torch.optim.LBFGS(
            image.parameters(),
            max_eval=25 * _STRETCH,  # no limit: a line search takes no more for a step
            history_size=_MEMORY,
            tolerance_grad=0,
            tolerance_change=0,
            line_search_fn="strong_wolfe",
        )

        def loss() -> Tensor:
            adept.zero_grad()
            seen = read(image())
            error = image_search.squared_error(target, run(seen)) / norm
            # Divided by a constant, a loss has the same minimum; so it is of the same size for every layer.
            value = error + self._penalty(seen) / (1.0 if self.relative else norm)
            value.backward()
            step = adept.state[image.values].get("n_iter", 0)
            _note(curve, step, float(value.detach()), float(error.detach()))
            return value

        converged = False
        for done in range(0, self.steps, _STRETCH):
            num = adept.param_groups[0]["max_iter"] = min(_STRETCH, self.steps - done)
            before = float(adept.step(loss).detach())
            now, error = curve[-1]
            converged = self._is_enough(error) or (num == _STRETCH and now > (1 - _FLAT) * before)
            if converged:
                break
        with torch.no_grad():
            found = image()
            error = float(image_search.squared_error(target, run(read(found)))) / norm
        return Match(found, error, [error for _, error in curve], converged)

    @property
    def _penalized(self) -> bool:
        return bool(self.alpha_weight or self.tv_weight)

    def _is_enough(self, error: float) -> bool:
        return error <= self.tolerance and not self._penalized

    def said(self) -> str:
        """The stopping rule, in a sentence."""
        enough = "" if self._penalized else f"its error is {self.tolerance:g} or less, or "
        return f"Checked every {_STRETCH} steps, a search ends when {enough}it no longer improves."

    def _penalty(self, seen: Tensor) -> Tensor:
        penalty = seen.new_zeros(())
        if self.alpha_weight:
            penalty = penalty + self.alpha_weight * image_search.alpha_norm(seen, self.alpha)
        if self.tv_weight:
            penalty = penalty + self.tv_weight * image_search.total_variation(seen, self.beta)
        return penalty


def draw_noise(shape: tuple[int, ...], seed: int) -> Tensor:
    """The start of a search: medium gray with a little noise by `seed`, [1,C,H,W] in 0..1."""
    generator = torch.Generator().manual_seed(seed)
    return (0.5 + _NOISE * torch.randn(shape, generator=generator)).clamp(0, 1)


def _note(curve: list[tuple[float, float]], step: int, loss: float, error: float) -> None:
    """Keep the least loss of each step, with the error that it has: a line search tries several images a step."""
    if not math.isfinite(loss):
        raise NetgazeError(f"inversion: the search met a loss of {loss} in step {step}. Choose smaller weights.")
    if step < len(curve):
        curve[step] = min(curve[step], (loss, error))
    else:
        curve.append((loss, error))
