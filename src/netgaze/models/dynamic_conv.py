"""Generated filters, one per class: a dynamic convolution on a residual trunk.

A label-guided form of dynamic filters (Jia et al. 2016; Landi et al. 2019, arXiv 1907.02985): an embedding of each
class goes through a small generator and becomes a filter; the response of the image's feature maps to that filter
goes through a small predictor, the same for all classes, and becomes the score of that class.

Landi et al. write f_t = l2[tanh(W_f s_t + b_f)] and DC_t = f_t * I / sqrt(d_I). Deviations here: the generator has a
hidden layer, and d is the number of values in a filter, F k^2, which for a 1x1 filter is their number of channels.
"""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from netgaze.errors import NetgazeError
from netgaze.models.base import init_convolutions
from netgaze.models.resnet import ResNetTrunk

FILTERS = ("dynamic", "static", "static_per_class", "static_shared")
RESCALES = ("divide", "multiply", "none")


class GeneratedFilters(nn.Module):
    """A filter for each class, written by a generator that reads the class's embedding.

    Args:
        num_classes: K.
        shape: of one filter, (F, k, k).
        embedding_dim: values of a class's embedding.
        hidden_dim: units of the generator's hidden layer.
    """

    def __init__(self, num_classes: int, shape: tuple[int, int, int], embedding_dim: int, hidden_dim: int):
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(num_classes, embedding_dim)
        self.generator = nn.Sequential(
            nn.Linear(embedding_dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, math.prod(shape)), nn.Tanh()
        )

    def forward(self) -> Tensor:
        """All filters at once, [K,F,k,k]; each has length 1 over its own values, never over the classes.

        Under bf16 autocast 1 is as near as bf16 comes: within half a percent.
        """
        written = nn.functional.normalize(self.generator(self.embedding.weight), dim=1)
        return written.view(-1, *self.shape)


class StaticFilters(nn.Module):
    """Ordinary trainable filters, as a convolution of its own would have.

    Args:
        num: of filters.
        shape: of one filter, (F, k, k).
    """

    def __init__(self, num: int, shape: tuple[int, int, int]):
        super().__init__()
        self.weight = nn.Conv2d(shape[0], num, shape[1], bias=False).weight

    def forward(self) -> Tensor:
        """[num,F,k,k]."""
        return self.weight


class DynamicConv(ResNetTrunk):
    """A residual trunk up to some stage, one filter per class, and a predictor on the responses.

    `filter` chooses what the responses are responses to:
        dynamic: a generated filter for each class, and a predictor from a class's response map to its one score.
        static: one trainable filter and the same predictor: the literal "without the generator". All classes see the
            same map through the same predictor, so their scores are equal by construction, and so is chance.
        static_per_class: a trainable filter for each class; the rest as dynamic.
        static_shared: one trainable filter, and a predictor with an output for each class.

    `rescale`, by the square root of d, the number of values in a filter: "divide" (Landi et al. 2019: a unit filter's
    response is then at most the root mean square of what it lies on), "multiply" (up to d times as much), "none".

    Args:
        up_to: the last stage of the trunk, "layer1" ... ; ResNet-18 up to layer1 gives 64 maps of 8x8 for 32x32.
        depths, widths, stem, in_channels: of the whole residual network, see `ResNetTrunk`.
        image_size: side of the images in pixels, which fixes the size of the maps that the predictor reads.
        num_classes: K.
        filter: see above.
        kernel_size: side k of the filters, odd; the maps keep their size.
        rescale: see above.
        embedding_dim: of a class.
        generator_dim: hidden units of the generator.
        predictor_dim: hidden units of the predictor.

    Raises:
        ValueError: an unknown stage, filter or rescale, or an even kernel.
    """

    head_layers = ("filters", "predictor")
    map_unit = "filter response"  # which the predictor reads: its mean is no logit

    def __init__(
        self,
        *,
        up_to: str,
        depths: Sequence[int],
        widths: Sequence[int],
        stem: str,
        in_channels: int,
        image_size: int,
        num_classes: int,
        filter: str = "dynamic",
        kernel_size: int = 1,
        rescale: str = "divide",
        embedding_dim: int = 128,
        generator_dim: int = 256,
        predictor_dim: int = 64,
    ):
        stages = [f"layer{number}" for number in range(1, len(depths) + 1)]
        _check("up_to", up_to, stages)
        _check("filter", filter, FILTERS)
        _check("rescale", rescale, RESCALES)
        if kernel_size < 1 or kernel_size % 2 != 1 or int(kernel_size) != kernel_size:
            raise ValueError(f"expected an odd, whole kernel_size of 1 or more, got {kernel_size}")
        kept = stages.index(up_to) + 1
        super().__init__(depths=depths[:kept], widths=widths[:kept], stem=stem, in_channels=in_channels)
        self.filter, self.embedding_dim, self.generator_dim = filter, embedding_dim, generator_dim
        self.predictor_dim = predictor_dim
        self.filter_shape = (self.num_features, kernel_size, kernel_size)
        size = math.prod(self.filter_shape)
        self.scale = {"divide": size**-0.5, "multiply": size**0.5, "none": 1.0}[rescale]
        self.image_size, self.map_size = image_size, math.ceil(image_size / self.reduction)
        self.reset_classifier(num_classes)
        init_convolutions(self)

    def reset_classifier(self, num_classes: int) -> None:
        """Put a fresh head for `num_classes` classes in place of the old one."""
        self.num_classes = num_classes
        self.filters: nn.Module
        if self.filter == "dynamic":
            self.filters = GeneratedFilters(num_classes, self.filter_shape, self.embedding_dim, self.generator_dim)
        else:
            self.filters = StaticFilters(num_classes if self.filter == "static_per_class" else 1, self.filter_shape)
        outputs = num_classes if self.filter == "static_shared" else 1
        self.predictor = nn.Sequential(
            nn.Linear(self.map_size**2, self.predictor_dim), nn.ReLU(), nn.Linear(self.predictor_dim, outputs)
        )
        self.filters.to(self.conv1.weight)
        self.predictor.to(self.conv1.weight)

    @property
    def head_hidden_size(self) -> int:
        """Features with `pre_logits`: the maps' means."""
        return self.num_features

    def responses(self, maps: Tensor) -> Tensor:
        """What each filter finds at each place, rescaled: [B,F,h,w] -> [B,K,h,w], or [B,1,h,w] for a single filter."""
        filters = self.filters()
        return nn.functional.conv2d(maps, filters, padding=filters.shape[-1] // 2) * self.scale

    def forward_head(self, maps: Tensor, pre_logits: bool = False) -> Tensor:
        """[B,F,h,w] -> logits [B,K], all classes in one pass.

        With `pre_logits` the maps' means [B,F]: the maps are the last thing that all classes share, and what comes
        after them is made for one class at a time.

        Raises:
            NetgazeError: the maps are not of the size that the predictor was built for.
        """
        if pre_logits:
            return maps.mean(dim=(2, 3))
        if maps.shape[-2:] != (self.map_size, self.map_size):
            raise NetgazeError(
                f"This network's predictor reads maps of {self.map_size}x{self.map_size}, as images of "
                f"{self.image_size} pixels give, but got maps of {maps.shape[-2]}x{maps.shape[-1]}. "
                "Show it images of that size, or train it with another data.image_size."
            )
        scores = self.predictor(self.responses(maps).flatten(2))
        # In fp32: of the literal control the gradient is a sum that cancels, and its bf16 rounding would grow forever.
        return scores.flatten(1).float().expand(-1, self.num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """[B,C,H,W] -> logits [B,K]."""
        return self.forward_head(self.forward_features(images))

    def class_filters(self) -> Tensor:
        """The filter of each class, [K,F k^2]; where all classes share one, K times the same."""
        return self.filters().flatten(1).expand(self.num_classes, -1)

    def class_maps(self, images: Tensor) -> Tensor:
        """[B,C,H,W] -> the response map of each class, [B,K,h,w]."""
        return self.responses(self.forward_features(images)).expand(-1, self.num_classes, -1, -1)


def _check(key: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ValueError(f"expected {key} to be one of {', '.join(known)}, got {value}")
