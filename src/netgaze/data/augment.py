"""Augmentation of a whole batch on its device, drawn for each image and view.

Draws come from the device's global generator; what they do to images is in `pixels`, `distort` and `mixing`.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from netgaze.batch import Mixed
from netgaze.data.distort import blur, draw_windows, jitter_colors_, resize_windows, take_colors_
from netgaze.data.mixing import cutmix, draw_box, draw_boxes, draw_share, erase, measure_rest, mixup
from netgaze.data.pixels import choose_alternating, crop, cutout, flip, rotate90
from netgaze.errors import NetgazeError

_BLUR_SIGMA = (0.1, 2.0)  # pixels (Chen et al. 2020)


class Augment:
    """What a training batch goes through, in this order.

    Random crops, flips, resized crops, colors, grayscale, blur, quarter turns, cut-out; on normalized images erasing
    and mixing. Definitions are torchvision's, but for cut-out and alternating flips.

    Args:
        crop_padding: pixels around an image for random crops; 0 for none, unless images are stored larger than they are
            shown.
        padding_mode: what these are: "constant", zeros, or "reflect", the image mirrored, in torchvision's words.
        flip: mirror half of the images, drawn anew each time.
        alternate_flip: draw them once, and mirror in every other epoch the others, see `choose_alternating`.
        crop_scale: the smallest and the largest share of an image's area of which a window is cut and scaled to the
            whole size; None for no such windows.
        crop_ratio: the smallest and the largest width of these windows, in heights.
        color_jitter: strengths of brightness, contrast, saturation and hue, in an order drawn for each image: the first
            three change by a factor of 1-s..1+s, hue by -s..s of the color wheel, s up to 0.5. One number is that of
            brightness and contrast alone.
        color_jitter_prob: probability of all four.
        grayscale_prob: probability of an image without colors.
        blur_prob: probability of a Gaussian blur of 0.1 to 2 pixels, by a kernel of a tenth of the image.
        rotate90: quarter turns drawn at random (after every resample, so that no border tells the angle).
        cutout: side of the blacked-out square in pixels; 0 for none.
        erase: probability with which a rectangle of an image is set to the mean color (Zhong et al. 2020).
        mixup, cutmix: alpha of the Beta distribution of the shares in which images of a batch are mixed; 0 for never.
            Of both, one is drawn for each batch.

    Raises:
        NetgazeError: numbers that cannot be.
    """

    def __init__(
        self,
        *,
        crop_padding: int = 0,
        padding_mode: Literal["constant", "reflect"] = "constant",
        flip: bool = False,
        alternate_flip: bool = False,
        crop_scale: Sequence[float] | None = None,
        crop_ratio: Sequence[float] = (3 / 4, 4 / 3),
        color_jitter: Sequence[float] | float = 0.0,
        color_jitter_prob: float = 1.0,
        grayscale_prob: float = 0.0,
        blur_prob: float = 0.0,
        rotate90: bool = False,
        cutout: int = 0,
        erase: float = 0.0,
        mixup: float = 0.0,
        cutmix: float = 0.0,
    ) -> None:
        strengths = [color_jitter, color_jitter, 0.0, 0.0] if isinstance(color_jitter, float | int) else color_jitter
        _check(mixup >= 0 and cutmix >= 0, f"mixup={mixup} and cutmix={cutmix} are 0 or more")
        for name, value in (
            ("erase", erase),
            ("color_jitter_prob", color_jitter_prob),
            ("grayscale_prob", grayscale_prob),
            ("blur_prob", blur_prob),
        ):
            _check(0 <= value <= 1, f"{name}={value} is a probability, from 0 to 1")
        for name, pair, most in (("crop_scale", crop_scale, 1.0), ("crop_ratio", crop_ratio, float("inf"))):
            fits = pair is None or (len(pair) == 2 and 0 < pair[0] <= pair[1] <= most)
            _check(fits, f"{name}={pair} is the smallest and the largest, as [0.2,1]")
        fits = len(strengths) == 4 and min(strengths) >= 0 and strengths[3] <= 0.5
        _check(fits, f"color_jitter={color_jitter} is four numbers of 0 or more, the last, of hue, up to 0.5; or one")
        self.crop_padding, self.padding_mode = crop_padding, padding_mode
        self.flip, self.alternate_flip = flip, alternate_flip
        self.crop_scale, self.crop_ratio = crop_scale, crop_ratio
        self.color_jitter, self.color_jitter_prob = list(strengths), color_jitter_prob
        self.grayscale_prob, self.blur_prob = grayscale_prob, blur_prob
        self.rotate90, self.cutout = rotate90, cutout
        self.erase, self.mixup, self.cutmix = erase, mixup, cutmix

    def __call__(
        self, images: Tensor, size: int | None = None, *, index: Tensor | None = None, epoch: int = 0, seed: int = 0
    ) -> Tensor:
        """uint8 [B,C,H,W] -> values of 0..255 [B,C,S,S] with S = `size`, or [B,C,H,W] without.

        They are uint8, or float32 where images are distorted.

        Args:
            images: the batch.
            size: of the windows that are cut out.
            index: the place of each image in its split, int64 [B]; None for their order.
            epoch: counted from 0: flips alternate by it.
            seed: of the half that is mirrored first.
        """
        num, device = len(images), images.device
        room = 2 * self.crop_padding + (0 if size is None or self.crop_scale else images.shape[-1] - size)
        if room:
            top, left = torch.randint(room + 1, (2, num), device=device)
            images = crop(
                images, top, left, self.crop_padding, images.shape[-1] if self.crop_scale else size, self.padding_mode
            )
        if self.flip and self.alternate_flip:
            places = torch.arange(num, device=device) if index is None else index
            images = flip(images, choose_alternating(places, epoch, seed))
        elif self.flip:
            images = flip(images, torch.rand(num, device=device) < 0.5)
        if self.distorts:
            images = self._distort(images.to(torch.float32, copy=True), size)
        if self.rotate90:
            images = rotate90(images, torch.randint(4, (num,), device=device))
        if self.cutout:
            center_y = torch.randint(images.shape[-2], (num,), device=device)
            center_x = torch.randint(images.shape[-1], (num,), device=device)
            images = cutout(images, center_y, center_x, self.cutout)
        return images

    @property
    def distorts(self) -> bool:
        """Whether images are scaled, or their colors or sharpness changed."""
        return bool(self.crop_scale or any(self.color_jitter) or self.grayscale_prob or self.blur_prob)

    def _distort(self, images: Tensor, size: int | None) -> Tensor:
        """float32 [B,C,H,W] of 0..255 -> the same, [B,C,S,S] where windows are cut."""
        num, device, (height, width) = len(images), images.device, images.shape[-2:]
        if self.crop_scale:
            windows = draw_windows(num, height, width, self.crop_scale, self.crop_ratio, device)
            images = resize_windows(images, windows, size or width)
        if any(self.color_jitter):
            images = self._jitter(images.contiguous())
        if self.grayscale_prob:
            images = take_colors_(images, torch.rand(num, device=device) < self.grayscale_prob)
        if self.blur_prob:
            sigma = torch.empty(num, device=device).uniform_(*_BLUR_SIGMA)
            kernel_size = max(3, images.shape[-1] // 20 * 2 + 1)
            images = blur(images, sigma, torch.rand(num, device=device) < self.blur_prob, kernel_size)
        return images

    def _jitter(self, images: Tensor) -> Tensor:
        """Colors changed by draws; which images' hue comes first, second, third and last is shared out evenly."""
        num, device = len(images), images.device
        strengths = torch.tensor(self.color_jitter).view(4, 1).to(device, non_blocking=True)
        chosen = torch.rand(num, device=device) < self.color_jitter_prob
        low = torch.cat([(1 - strengths[:3]).clamp(min=0), -strengths[3:]])
        high = torch.cat([1 + strengths[:3], strengths[3:]])
        drawn = low + (high - low) * torch.rand(4, num, device=device)
        factors = torch.where(chosen, drawn[:3], 1.0)
        order = torch.rand(3, num, device=device).argsort(dim=0)
        hue_at = torch.randperm(num, device=device).tensor_split(4)
        return jitter_colors_(images, factors, torch.where(chosen, drawn[3], 0.0), order, hue_at)

    @property
    def mixes(self) -> bool:
        """Whether images are mixed with each other, and labels with them."""
        return bool(self.mixup or self.cutmix)

    def finish(self, images: Tensor) -> Tensor:
        """What follows once images [B,C,H,W] are normalized: erasing."""
        if not self.erase:
            return images
        height, width = images.shape[-2:]
        return erase(images, draw_boxes(len(images), self.erase, height, width, images.device))

    def mix(self, views: tuple[Tensor, ...], labels: Tensor) -> tuple[tuple[Tensor, ...], Mixed | None]:
        """Normalized views [B,C,H,W] of images with `labels` [B], mixed with each other where that is asked for."""
        if not self.mixes:
            return views, None
        height, width = views[0].shape[-2:]
        cuts = bool(self.cutmix) and (not self.mixup or bool(torch.rand(()) < 0.5))
        share = draw_share(self.cutmix if cuts else self.mixup)
        if cuts:
            box = draw_box(share, height, width)
            share, views = measure_rest(box, height, width), tuple(cutmix(view, box) for view in views)
        else:
            views = tuple(mixup(view, share) for view in views)
        return views, Mixed(labels.roll(1, 0), share)


def _check(fits: bool, said: str) -> None:
    if not fits:
        raise NetgazeError(f"data.augment: {said}.")
