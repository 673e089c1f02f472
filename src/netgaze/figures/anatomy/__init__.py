"""What does each layer of a network cost, and how much of the image does it see?"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Picture

from netgaze.figure import Figure, Finding
from netgaze.figures.anatomy.bars import draw_bars
from netgaze.glossary import Glossary, Meaning
from netgaze.inside.anatomy import Layer, estimate_memory, group_parts, list_layers, sum_totals
from netgaze.subject import Subject
from netgaze.text import format_value

_TITLES = ("layer", "kind", "output", "activations", "params", "no bias", "multiply-adds", "field", "stride")
_NUM_WORDS = 3  # of these columns are words, the others numbers


class Anatomy(Figure):
    """What each layer of any network costs and sees, one row per layer; the weights do not matter.

    See `netgaze.inside.anatomy` for what counts as an activation, a parameter and a multiply-add, and for the receptive
    field. All numbers but those of training are of one image; an MB is a million bytes.

    Args:
        every_layer: True also shows layers that cost nothing (activation functions, dropout, sums of branches).
        precision: bits per activation, 32 or 16.
        batch_size: of the training step.
        optimizer_states: values that the optimizer keeps per weight: 1 for SGD with momentum, 2 for Adam.

    Raises:
        ValueError: another precision, a batch without images, or fewer than 0 states.
    """

    title = "Anatomy: cost and receptive field per layer"
    question = "What does each layer cost in parameters, memory and computation, and how much of the image does it see?"
    look_for = (
        "Find the layers that hold most parameters, most activations and most multiply-adds: in most convolutional "
        "networks these are different layers. Then see from which layer on the receptive field exceeds the image "
        "(dashed line)."
    )
    pitfall = (
        "Multiply-adds are not time: measure how long a network takes on your device. The receptive field is an upper "
        "bound, and a position responds mostly to the center of its field. The memory of a training step is an "
        "estimate without buffers and the working space of single operations."
    )
    needs = ("model",)
    controls = "none"  # an untrained network costs and sees the same
    glossary = Glossary(
        {
            "params": Meaning("parameters"),
            "params_no_bias": Meaning("parameters without biases"),
            "activations": Meaning(
                "activations",
                "Values stored for one image in a forward pass, including the image; what can overwrite its input adds "
                "none.",
            ),
            "macs": Meaning("multiply-adds", "For one image.", "", "lower"),
            "activation_mb": Meaning("memory of activations", "Of one image, at the chosen precision.", "MB"),
            "training_mb": Meaning(
                "memory of a training step", "Peak estimate for training the whole network.", "MB", "lower"
            ),
            "training_mb/<part>": Meaning("memory of a training step: <part>", "", "MB"),
            "precision": Meaning("bits per activation"),
            "batch_size": Meaning("batch size"),
            "parts": Meaning("totals per part"),
            "layer": Meaning("layer"),
            "kind": Meaning("kind"),
            "output": Meaning("output", "Shape of the layer's output: channels, height, width."),
            "activation_bytes": Meaning("activations, bytes"),
            "receptive_field": Meaning(
                "receptive field", "Side of the square of pixels that one position depends on.", "px"
            ),
            "stride": Meaning("stride", "Distance between the receptive fields of neighboring positions.", "px"),
            "start": Meaning("first pixel", "Of the first position's receptive field; negative in the padding.", "px"),
        }
    )

    def __init__(
        self, *, every_layer: bool = False, precision: int = 32, batch_size: int = 128, optimizer_states: int = 1
    ):
        if precision not in (16, 32):
            raise ValueError(f"figure.anatomy.precision={precision}: expected 16 or 32")
        if batch_size < 1 or optimizer_states < 0:
            raise ValueError(
                f"figure.anatomy.batch_size={batch_size} and optimizer_states={optimizer_states}: expected 1 or more, "
                "and 0 or more"
            )
        self.every_layer, self.precision = every_layer, precision
        self.batch_size, self.optimizer_states = batch_size, optimizer_states

    def compute(self, subject: Subject) -> Finding:
        """The layers [L]: `words` [L,3] (name, kind, shape), `counts` [L,5] and `sees` [L,3]; and the `image` [3].

        Counts are activations, params, params_no_bias, macs and the call; `sees` are the field, the stride and the
        start, NaN where there is none.
        """
        rows = list_layers(subject.model, subject.input_shape)
        memory = estimate_memory(
            subject.model,
            subject.input_shape,
            self.batch_size,
            precision=self.precision,
            optimizer_states=self.optimizer_states,
        )
        found = sum_totals(rows)
        numbers: dict[str, Any] = found | {"activation_mb": found["activations"] * self.precision / 8e6}
        numbers["training_mb"] = memory.pop("total") / 1e6
        numbers |= {f"training_mb/{what}": size / 1e6 for what, size in memory.items()}
        numbers |= {"precision": self.precision, "batch_size": self.batch_size, "parts": group_parts(rows)}
        shown = [row for row in rows if self.every_layer or row.params or row.macs or row.activations]
        arrays = {"image": np.array(subject.input_shape)} | _pack(shown)
        caption = (
            "Counts are for one image. The receptive field includes padding, so it may exceed the image. Layers that "
            "can overwrite their input, such as ReLU, add no activations. A training step stores weights, gradients, "
            f"optimizer states ({self.optimizer_states} per weight), and what the backward pass needs of "
            f"{self.batch_size} images at {self.precision} bits."
            + ("" if self.every_layer else " Layers that cost nothing are left out.")
        )
        return Finding(numbers, arrays, caption)

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A block per network, one below the other on the same scales: a bar per layer or block of layers."""
        shapes = {label: finding.arrays["image"].tolist() for label, finding in findings.items()}
        return draw_bars(
            {label: _unpack(finding) for label, finding in findings.items()},
            {label: _describe_totals(finding.numbers, shapes[label]) for label, finding in findings.items()},
            {label: max(shape[1:]) for label, shape in shapes.items()},
        )

    def table(self, finding: Finding) -> list[dict[str, Any]]:
        """One row per layer for `anatomy.csv` and the report, in integers; None for missing values."""
        return [
            {
                "layer": row.name,
                "kind": name_kind(row),
                "output": name_shape(row),
                "activations": row.activations,
                "activation_bytes": row.activations * finding.numbers["precision"] // 8,
                "params": row.params,
                "params_no_bias": row.params_no_bias,
                "macs": row.macs,
                "receptive_field": row.receptive_field,
                "stride": row.stride,
                "start": row.start,
            }
            for row in _unpack(finding)
        ]

    def metadata(self, findings: Mapping[str, Finding]) -> dict[str, Any]:
        """`totals`: params, params_no_bias, activations and macs of the network; of several by label."""
        names = ("params", "params_no_bias", "activations", "macs")
        each = {label: {name: finding.numbers[name] for name in names} for label, finding in findings.items()}
        return {"totals": each if len(each) > 1 else next(iter(each.values()))}

    def summary(self, findings: Mapping[str, Finding]) -> str:
        """The table of each network in aligned columns, with the totals in the last line."""
        return "\n\n".join(_write_table(label, finding) for label, finding in findings.items())


def name_kind(row: Layer) -> str:
    """A layer's kind, and which of its calls this is if not the first."""
    return row.kind if row.call == 1 else f"{row.kind} (call {row.call})"


def name_shape(row: Layer) -> str:
    """A layer's output as 64x224x224."""
    return "x".join(map(str, row.output_shape))


def _pack(rows: list[Layer]) -> dict[str, np.ndarray]:
    return {
        "words": np.array([(row.name, row.kind, name_shape(row)) for row in rows]),
        "counts": np.array([(r.activations, r.params, r.params_no_bias, r.macs, r.call) for r in rows]),
        "sees": np.array([(row.receptive_field, row.stride, row.start) for row in rows], dtype=float),
    }


def _unpack(finding: Finding) -> list[Layer]:
    """The layers as they were stored."""
    rows = []
    for words, counts, sees in zip(*(finding.arrays[name] for name in ("words", "counts", "sees")), strict=True):
        name, what, size = map(str, words)
        activations, params, params_no_bias, macs, call = map(int, counts)
        field, stride, start = (None if np.isnan(number) else int(number) for number in sees)
        output = tuple(int(side) for side in size.split("x") if side)
        rows.append(Layer(name, what, output, activations, params, params_no_bias, macs, field, stride, start, call))
    return rows


def _describe_totals(numbers: dict[str, Any], image: list[int]) -> str:
    """The totals in a line or two."""
    return (
        f"{numbers['params']:,} parameters ({numbers['params_no_bias']:,} without biases), "
        f"{numbers['activations']:,} activations ({format_value(numbers['activation_mb'])} MB) and {numbers['macs']:,} "
        f"multiply-adds for one image of {'x'.join(map(str, image))}; "
        f"{format_value(numbers['training_mb'])} MB to train with batches of {numbers['batch_size']}"
    )


def _write_table(label: str, finding: Finding) -> str:
    rows, numbers = _unpack(finding), finding.numbers
    lines = [list(_TITLES)]
    for row in rows:
        counts = (row.activations, row.params, row.params_no_bias, row.macs, row.receptive_field, row.stride)
        cells = ["-" if number is None else f"{number:,}" for number in counts]
        lines.append([row.name or "(itself)", name_kind(row), name_shape(row), *cells])
    sums = (numbers[name] for name in ("activations", "params", "params_no_bias", "macs"))
    lines.append(["total", "", "", *(f"{number:,}" for number in sums), "", ""])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = [
        "  ".join(
            cell.ljust(width) if place < _NUM_WORDS else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    said = f"{label}: {_describe_totals(numbers, finding.arrays['image'].tolist())}."
    return "\n".join([said, *aligned])
