"""The base of export formats, and their input: a network with its facts."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from netgaze.verifier import Verifier


class Normalize(nn.Module):
    """Images of values in 0..1 [B,C,H,W] -> as a network wants them, of the same shape.

    Args:
        mean, std: of values in 0..1, a number per channel.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1))

    def forward(self, values: Tensor) -> Tensor:
        """Take the mean off, and divide by the standard deviation."""
        return (values - self.mean) / self.std


class Answer(nn.Module):
    """What a trained network says of images, as one module.

    Args:
        task: a `tasks.base.Task`.
        normalize: what images go through first; None where they come normalized.

    Attributes:
        output: what it gives: "logits" of a classification, "embeddings" of what tells pairs apart, whose distance
            counts, and "features" of any other task, those before the network's last layer.
    """

    def __init__(self, task: Any, normalize: nn.Module | None = None):
        super().__init__()
        self.normalize = normalize
        self.task = task
        self.model = task.model  # of a module with two names an exported graph keeps the last
        classifies = "logits" if task.classifies else "features"
        self.output = "embeddings" if isinstance(task, Verifier) else classifies

    def forward(self, images: Tensor) -> Tensor:
        """Images [B,C,H,W] -> logits [B,K], embeddings [B,E] or features [B,D]."""
        if self.normalize is not None:
            images = self.normalize(images)
        if self.output == "features":
            return self.model.forward_head(self.model.forward_features(images), pre_logits=True)
        return self.task(images)


@dataclass(frozen=True)
class Exported:
    """A run's network, and what a file says of it.

    Attributes:
        answer: takes normalized images; on the CPU, in fp32 and evaluation mode.
        pixels: some images to try it on, uint8 [N,C,H,W].
        mean, std: by which it wants images normalized, of values in 0..1, a number per channel.
        facts: what whoever opens the file may ask, as text by name; lists and mappings as JSON.
    """

    answer: Answer
    pixels: Tensor
    mean: Sequence[float]
    std: Sequence[float]
    facts: Mapping[str, str]

    @classmethod
    def of_task(cls, task: Any, data: Any, num: int, facts: Mapping[str, str]) -> "Exported":
        """A copy of a task's network, which stays where it is, and the first images of the test.

        Args:
            task: a `tasks.base.Task`.
            data: a `data.base.ImageData`.
            num: images, at most.
            facts: see above.
        """
        pixels = data.images("test", torch.arange(min(num, len(data.labels("test")))))
        answer = Answer(copy.deepcopy(task).cpu().float()).eval().requires_grad_(False)
        return cls(answer, pixels, data.mean, data.std, facts)

    @property
    def values(self) -> Tensor:
        """The images as values in 0..1, float32 [N,C,H,W]."""
        return self.pixels.float() / 255

    @property
    def normalize(self) -> Normalize:
        """Makes of such values what the network takes."""
        return Normalize(self.mean, self.std)


class Export(ABC):
    """A form in which a network is written; a subclass says how, and how it is read again.

    Attributes:
        file: its name in `<run>/export/`.

    Args:
        license: under which you give the weights away, as "mit" or "cc-by-4.0"; null says that it is not stated.
    """

    file: str

    def __init__(self, *, license: str | None = None):
        self.license = None if license is None else str(license)  # a number is a text, too, where it is typed

    @abstractmethod
    def write(self, exported: Exported, path: Path) -> str:
        """Write the network to a path, and read it again: what was found, in a sentence.

        Raises:
            NetgazeError: it cannot be written in this form, or what was written says something else.
        """

    @abstractmethod
    def explain(self, exported: Exported) -> str:
        """Markdown for the card: what is in the file, and how to load it."""
