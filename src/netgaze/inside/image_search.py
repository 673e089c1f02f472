"""Images found by gradient: parametrizations of an image, objectives, and one loop.

Images are [1,C,H,W] in 0..1 (pixels / 255); networks read them after `normalize`. To maximize, minimize the negative.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import reduce

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from netgaze.errors import NetgazeError
from netgaze.inside.layers import Transform, flatten_channels

# The square root of the covariance of ImageNet's colors, and what keeps the sigmoid from saturating: from Lucid.
_COLORS = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
_CONTRAST = 4.0


class Pixels(nn.Module):
    """An image parametrized by its pixels; the search begins at `image` [1,C,H,W]."""

    def __init__(self, image: Tensor):
        super().__init__()
        self.values = nn.Parameter(image.detach().clone())

    def forward(self) -> Tensor:
        """The image, [1,C,H,W]."""
        return self.values

    @torch.no_grad()
    def project(self) -> None:
        """Back into the valid range, 0..1."""
        self.values.clamp_(0, 1)


class Fourier(nn.Module):
    """An image [1,C,H,W] parametrized by its frequencies, of which the low ones change most easily.

    As in Lucent, after Olah et al. 2017 ("Feature visualization"): real FFT coefficients, drawn with deviation `sd`,
    over their frequency to the power `decay`; of three channels colors that vary independently; a sigmoid into 0..1.
    Deviation: for odd widths Lucent keeps one frequency more, which the inverse transform does not read.
    """

    scale: Tensor

    def __init__(self, shape: tuple[int, int, int], generator: Generator, sd: float = 0.01, decay: float = 1.0):
        super().__init__()
        self.size = shape[1:]
        frequencies = torch.hypot(torch.fft.fftfreq(shape[1])[:, None], torch.fft.rfftfreq(shape[2])[None])
        self.register_buffer("scale", frequencies.clamp(min=1 / max(self.size)) ** -decay)
        self.coefficients = nn.Parameter(sd * torch.randn(1, shape[0], *frequencies.shape, 2, generator=generator))

    def forward(self) -> Tensor:
        """The image, [1,C,H,W]."""
        spectrum = torch.view_as_complex(self.coefficients) * self.scale
        values = torch.fft.irfft2(spectrum, s=self.size, norm="ortho") / _CONTRAST
        if values.shape[1] == 3:
            values = torch.einsum("rc,nchw->nrhw", (_COLORS / _COLORS.norm(dim=0).max()).to(values), values)
        return values.sigmoid()

    def project(self) -> None:
        """Nothing: the sigmoid keeps the image in its range."""


def halve_squared_norm(activation: Tensor) -> Tensor:
    """Half the sum of squares: its gradient at the layer is the activation itself (Google's Deep Dream)."""
    return activation.square().sum() / 2


def channel_mean(channel: int, activation: Tensor) -> Tensor:
    """The mean of one channel, see `by_channel`; of logits [B,K], that of a class. Another channel: NetgazeError."""
    places = flatten_channels(activation)
    if not 0 <= channel < places.shape[1]:
        raise NetgazeError(
            f"There is no channel {channel}: the layer has channels 0 to {places.shape[1] - 1}. Choose one of these."
        )
    return places[:, channel].mean()


def squared_error(target: Tensor, activation: Tensor) -> Tensor:
    """The sum of squared differences from a target of the same shape (Mahendran and Vedaldi 2015)."""
    return (activation - target).square().sum()


def total_variation(image: Tensor, beta: float = 2.0) -> Tensor:
    """Sum over places of (squared difference to the right + to below) ** (beta / 2) (Mahendran and Vedaldi 2015).

    Beyond its border the image goes on as it ends. Where beta is not 2, 1e-12 is added to each sum of squares.
    """
    right, below = F.pad(image.diff(dim=3), (0, 1)), F.pad(image.diff(dim=2), (0, 0, 0, 1))
    squares = right.square() + below.square()
    return squares.sum() if beta == 2 else (squares + 1e-12).pow(beta / 2).sum()


def alpha_norm(image: Tensor, alpha: float = 6.0) -> Tensor:
    """Sum of |x| ** alpha, of values that lie around zero (Mahendran and Vedaldi 2015)."""
    return image.abs().pow(alpha).sum()


def normalize(mean: Sequence[float], std: Sequence[float]) -> Transform:
    """From 0..1 to what the network reads: (x - mean) / std, a number for each channel."""
    center, scale = (torch.tensor(values).view(1, -1, 1, 1) for values in (mean, std))
    return lambda image: (image - center.to(image)) / scale.to(image)


def chain(transforms: Iterable[Transform]) -> Transform:
    """One transform after the other."""
    steps = list(transforms)
    return lambda image: reduce(lambda seen, step: step(seen), steps, image)


def jitter(most: int, generator: Generator) -> Transform:
    """Shift down and right by -most..most pixels each, drawn; what leaves at one side comes in at the other."""
    return lambda image: image.roll(torch.randint(-most, most + 1, (2,), generator=generator).tolist(), (2, 3))


def pad(pixels: int, value: float = 0.5) -> Transform:
    """A border of one value."""
    return lambda image: F.pad(image, [pixels] * 4, value=value)


def random_scale(factors: Sequence[float], generator: Generator) -> Transform:
    """Enlarge by one of the factors, drawn; bilinearly."""

    def scale(image: Tensor) -> Tensor:
        factor = _drawn(factors, generator)
        size = [max(1, round(side * factor)) for side in image.shape[2:]]
        return F.interpolate(image, size, mode="bilinear", align_corners=False)

    return scale


def random_rotate(degrees: Sequence[float], generator: Generator) -> Transform:
    """Turn clockwise about the center by one of the angles, drawn; bilinearly, corners as the nearest border."""

    def rotate(image: Tensor) -> Tensor:
        angle, ratio = math.radians(_drawn(degrees, generator)), image.shape[2] / image.shape[3]
        cos, sin = math.cos(angle), math.sin(angle)
        matrix = torch.tensor([[[cos, sin * ratio, 0], [-sin / ratio, cos, 0]]]).to(image)
        grid = F.affine_grid(matrix, list(image.shape), align_corners=False)
        return F.grid_sample(image, grid, padding_mode="border", align_corners=False)

    return rotate


def _drawn(values: Sequence[float], generator: Generator) -> float:
    return values[int(torch.randint(len(values), (1,), generator=generator))]


class NormalizedAscent(torch.optim.Optimizer):
    """Steps of mean size `lr`, p -= lr * g / mean|g| (Google's deepdream); none where there is no gradient at all."""

    def __init__(self, params: Iterable[Tensor], lr: float):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step for all parameters that have a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None and bool(parameter.grad.any()):
                    parameter.sub_(group["lr"] * parameter.grad / parameter.grad.abs().mean())


def search(
    image: Pixels | Fourier,
    loss: Transform,
    optimizer: torch.optim.Optimizer,
    num_steps: int,
    after: Callable[[int], object] | None = None,
) -> list[float]:
    """Minimize `loss(image())`, a scalar, and bring the image back into its range after each of the steps.

    Args:
        image: what is changed.
        loss: of the image [1,C,H,W].
        optimizer: of the image's parameters.
        num_steps: of the optimizer.
        after: called after each step with its number, from 0 on.

    Returns:
        The loss before each step.

    Raises:
        NetgazeError: the loss is no finite number any more.
    """
    values = []
    for step in range(num_steps):
        optimizer.zero_grad()
        value = loss(image())
        values.append(float(value.detach()))
        if not math.isfinite(values[-1]):
            raise NetgazeError(f"The search for an image met {values[-1]} in step {step + 1}. Choose smaller steps.")
        value.backward()
        optimizer.step()
        image.project()
        if after is not None:
            after(step)
    return values
