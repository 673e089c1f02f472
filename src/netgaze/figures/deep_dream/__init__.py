"""What appears in an image that is changed until a network responds more?"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure as Picture
from torch import Tensor
from tqdm import tqdm

from netgaze.drawing.examples import choose_examples, name_files
from netgaze.drawing.panels import GRAY, WIDTH
from netgaze.drawing.rows import Row, lay_out_columns, make_text
from netgaze.errors import NetgazeError
from netgaze.figure import Figure, Finding
from netgaze.figures.deep_dream.goals import choose_goals
from netgaze.figures.deep_dream.octaves import Octaves, resize, to_frames, to_picture
from netgaze.figures.deep_dream.tiles import list_cells, name_dreams
from netgaze.files import make_file_names
from netgaze.glossary import Glossary, Meaning
from netgaze.inside import image_search
from netgaze.ranks import shows_progress
from netgaze.subject import Subject, device_of, evaluating
from netgaze.text import show

_MOST_PICTURES = 6  # each has a dream per layer and network


class DeepDream(Figure):
    """Google's Deep Dream (Mordvintsev et al. 2015): an image changed until a layer responds more to it.

    Each layer has its own dream, of the same image for every network. It is optimized from small sizes ("octaves") to
    large ones: the change so far is enlarged and added to the image at the next size. A step shifts the image at
    random, follows the gradient of half the squared norm of the layer with a mean change of `step`, and clips at black
    and white. Deviation from the original: the gradient is that of pixel values, before networks divide them by a
    standard deviation per channel.

    Args:
        layers: `named_modules` names; null for the last three of the model's stages. Maps have channels first, tokens
            last.
        channel: a single channel of the layers, whose mean is maximized; null for the whole layers.
        class_name: a class whose logit is maximized, instead of layers.
        indices: images of the split; null for one by the seed.
        images: your picture files instead, uncropped; at most six.
        noise: True starts from a square of gray noise instead.
        size: of the result's longer side, in pixels.
        octaves: number of sizes; those below 32 pixels, or smaller than the network accepts, are left out.
        octave_scale: ratio of one size to the next.
        steps: in each octave.
        step: mean change of a pixel value in a step, in 0..255.
        jitter: the largest shift, in pixels; no more than half the shorter side.
        total_variation: weight of the image's total variation (see `image_search`), which is subtracted.
        seed: of the choice of the image, of noise and of shifts.

    Raises:
        NetgazeError: arguments that exclude each other, or numbers that are out of range.
    """

    title = "Deep Dream"
    question = "What appears in an image that is changed until a layer, channel or class responds more?"
    look_for = (
        "See which shapes the layer adds to the image: edges and textures from shallow layers, parts of objects from "
        "deep layers of a well-trained network. Compare the same layer across the networks."
    )
    pitfall = (
        "Optimization raises any activation, that of an untrained network too, so the numbers alone are no evidence: "
        "compare what appears. The dream depends on the start image, the step and the sizes, and shows what increases "
        "the activation, not what the layer needs to classify images."
    )
    needs = ("task", "data")
    glossary = Glossary(
        {
            "<layer>/before": Meaning(
                "<layer>: before",
                "Mean squared activation for the image at full size (channel: mean activation; class: logit).",
            ),
            "<layer>/after": Meaning("<layer>: after", "The same for the dream."),
            "<layer>/ratio": Meaning("<layer>: ratio", "After over before."),
            "<layer>/gain": Meaning("<layer>: gain", "After minus before."),
        }
    )

    def __init__(
        self,
        *,
        layers: Sequence[str] | None = None,
        channel: int | None = None,
        class_name: str | None = None,
        indices: Sequence[int] | None = None,
        images: Sequence[str] | None = None,
        noise: bool = False,
        size: int = 384,
        octaves: int = 4,
        octave_scale: float = 1.4,
        steps: int = 10,
        step: float = 1.5,
        jitter: int = 32,
        total_variation: float = 0.0,
        seed: int = 0,
    ):
        if (indices is not None) + bool(images) + noise > 1:
            raise NetgazeError(
                "figure.deep_dream: choose only one of indices (of the split), images (your files) and noise."
            )
        if class_name is not None and (layers is not None or channel is not None):
            raise NetgazeError("figure.deep_dream: choose either class_name, or layers and channel.")
        for name, value, low in (
            ("size", size, 1),
            ("octaves", octaves, 1),
            ("steps", steps, 1),
            ("jitter", jitter, 0),
        ):
            if value < low:
                raise NetgazeError(f"figure.deep_dream.{name}={value} must be {low} or more.")
        if octave_scale <= 1 or step <= 0 or total_variation < 0:
            raise NetgazeError(
                "figure.deep_dream: octave_scale must be above 1, step above 0, total_variation 0 or more."
            )
        self.layers, self.channel, self.class_name = layers, channel, class_name
        self.indices, self.images, self.noise, self.size, self.seed = indices, images or (), noise, size, seed
        self.octaves = Octaves(octaves, octave_scale, steps, step, jitter, total_variation, seed)

    def compute(self, subject: Subject) -> Finding:
        """Of image i: `base<i>` [H,W,3]; of goal j: `dream<i>_<j>`, and for octave o `frames<i>_<j>_<o>` [t,h,w,3].

        The last frame of an octave is what it ended with, at its own size. All are uint8. `images` and `goals` are
        their names.

        Raises:
            NetgazeError: no such layer, channel or class, or the network cannot be shown these images.
        """
        numbers, arrays, notes = dict[str, Any](), dict[str, np.ndarray](), dict[str, None]()
        with evaluating(subject.task) as task:
            task.requires_grad_(False)
            goals = choose_goals(task, self.layers, self.channel, self.class_name)
            images, device = self._choose_images(subject), device_of(task)
            read = image_search.normalize(subject.data.mean, subject.data.std)
            for i, (name, image) in enumerate(images.items()):
                bases, note = self.octaves.of(image.to(device), [goal.run for goal in goals], subject.data.image_size)
                notes |= dict.fromkeys(note)
                arrays[f"base{i}"] = to_picture(bases[-1])
                for j, goal in enumerate(goals):
                    title, quiet = show(f"{subject.label}: {goal.name}"), not shows_progress()
                    with tqdm(desc=title, total=len(bases) * self.octaves.steps, leave=False, disable=quiet) as bar:
                        run = image_search.chain([read, goal.run])
                        dream, frames = self.octaves.dream(bases, run, goal.maximized, bar)
                    arrays[f"dream{i}_{j}"] = to_picture(dream)
                    arrays |= {f"frames{i}_{j}_{octave}": np.stack(some) for octave, some in enumerate(frames)}
                    with torch.no_grad():
                        before, after = (float(goal.measured(run(shown))) for shown in (bases[-1], dream))
                    key = goal.name if len(images) == 1 else f"{name}/{goal.name}"
                    numbers |= {f"{key}/before": before, f"{key}/after": after}
                    numbers |= self._compare_numbers(key, before, after)
        arrays |= {"images": np.array(list(images)), "goals": np.array([goal.name for goal in goals])}
        return Finding(numbers, arrays, self._write_caption(list(notes)))

    def _choose_images(self, subject: Subject) -> dict[str, Tensor]:
        """What to start from by name, [1,C,H,W] in 0..1, the longer side `size` pixels."""
        data = subject.data
        if self.noise:
            shape = (1, data.num_channels, self.size, self.size)
            return {"noise": 0.4 + 0.2 * torch.rand(shape, generator=torch.Generator().manual_seed(self.seed))}
        if self.images:
            paths = self.images[:_MOST_PICTURES]
            read = [data.read_picture(path, self.size) for path in paths]
            return {name: image[None] / 255 for name, image in zip(name_files(paths), read, strict=True)}
        rows = choose_examples(data.labels(subject.split).numpy(), 1, self.seed, self.indices)
        images = data.images(subject.split, torch.from_numpy(rows)) / 255
        large = resize(images, (self.size, self.size))
        return {f"image {row}": image[None] for row, image in zip(rows, large, strict=True)}

    def _compare_numbers(self, key: str, before: float, after: float) -> dict[str, float | None]:
        if self.channel is None and self.class_name is None:
            return {f"{key}/ratio": after / before if before else None}
        return {f"{key}/gain": after - before}

    @property
    def _unit(self) -> str:
        whole = "mean squared activation" if self.channel is None else "mean activation"
        return whole if self.class_name is None else "logit"

    def _write_caption(self, notes: list[str]) -> str:
        sought = "half its squared norm" if self._unit == "mean squared activation" else f"its {self._unit}"
        caption = (
            f"Top: the image; below it, one dream per layer, channel or class, which raises {sought}. The numbers are "
            f"the {self._unit} before and after; an untrained network's rises too, so compare what appears."
        )
        if len(self.images) > _MOST_PICTURES:
            notes = [f"Of {len(self.images)} pictures, the first {_MOST_PICTURES} are shown.", *notes]
        return " ".join([caption, *notes])

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """One column per network; for each image one row for itself, then one row for each of its dreams."""
        words = f"Numbers below: {self._unit} for the image, then for its dream"
        head = [Row(0.05), make_text(words, WIDTH / 2, ha="center", color=GRAY)]
        return lay_out_columns(findings, list_cells, gap=0.12, head=head)

    def files(self, finding: Finding) -> dict[str, np.ndarray]:
        """Of each goal the dream, what each octave ended with, and all steps as an animation at the dream's size."""
        arrays, files = finding.arrays, dict[str, np.ndarray]()
        names = name_dreams(arrays, "_")
        for stem, (i, j) in zip(make_file_names(names.values()), names, strict=True):
            num = sum(key.startswith(f"frames{i}_{j}_") for key in arrays)
            octaves = [arrays[f"frames{i}_{j}_{octave}"] for octave in range(num)]
            files[f"{stem}_dream"] = arrays[f"dream{i}_{j}"]
            files |= {f"{stem}_octave{octave}": frames[-1] for octave, frames in enumerate(octaves, start=1)}
            files[stem] = to_frames(arrays[f"base{i}"], octaves)
        return files
