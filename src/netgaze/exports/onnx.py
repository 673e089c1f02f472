"""ONNX: the network as a graph that runs without torch, checked by onnxruntime."""

import importlib
import importlib.util
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from netgaze.errors import NetgazeError
from netgaze.exports.base import Answer, Export, Exported

_NEEDED = ("onnx", "onnxscript")
_OLDEST = 18  # operator set that torch writes
_LARGEST = 2_000_000_000  # bytes of one file: protobuf holds no more
_INSTEAD = "Export it with export=safetensors."
_ROUNDING = 1e-3  # of the largest number that the network gives
_NOISY = ("onnxscript", "onnx_ir", "torch.onnx")
_SNIPPET = """\
import json

import numpy as np
import onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession("{file}")
image = Image.open("picture.png").convert("{mode}").resize(({size}, {size}))
pixels = np.asarray(image, dtype=np.float32).reshape({size}, {size}, {channels}).transpose(2, 0, 1)[None] / 255
{prepare}(answer,) = session.run(None, {{"images": images}})
{show}
"""
_NORMALIZE = """\
known = session.get_modelmeta().custom_metadata_map
mean, std = (np.array(json.loads(known[name]), np.float32).reshape(-1, 1, 1) for name in ("mean", "std"))
images = (pixels - mean) / std
"""
_NAME = """\
names = json.loads(session.get_modelmeta().custom_metadata_map["class_names"])
print(names[answer[0].argmax()])"""


class Onnx(Export):
    """A graph with the weights inside: `images` [N,C,H,W] float32 -> `logits` [N,K] (`embeddings`, `features`).

    N is free. Weights keep their names, behind `model.`, so that `init=` takes them back; norms are not folded into
    convolutions, which runtimes do themselves.

    Args:
        opset: the operator set, 18 or newer: what older ones lack torch does not write.
        normalize: whether mean and standard deviation are part of the graph, so that it takes values in 0..1; else it
            takes images that are normalized already.
        license: see `Export`.

    Raises:
        NetgazeError: the packages are not installed, or the operator set is too old.
    """

    file = "model.onnx"

    def __init__(self, *, opset: int = _OLDEST, normalize: bool = True, license: str | None = None):
        super().__init__(license=license)
        if missing := [name for name in _NEEDED if importlib.util.find_spec(name) is None]:
            raise NetgazeError(f"export=onnx needs {' and '.join(missing)}: pip install 'netgaze[export]'.")
        if opset < _OLDEST:
            raise NetgazeError(
                f"export.onnx.opset={opset}: torch writes {_OLDEST} or newer. Give such a number, or leave it out."
            )
        self.opset, self.normalize = opset, normalize

    def write(self, exported: Exported, path: Path) -> str:
        """Write the graph, and ask it about some test images: by how much the answers differ, in a sentence.

        Raises:
            NetgazeError: the network cannot be written so, is too large, or the file answers something else.
        """
        images = exported.values if self.normalize else exported.normalize(exported.values)
        answer = Answer(exported.answer.task, exported.normalize if self.normalize else None)
        graph = self._trace(answer, images)
        _forget_machine(graph)
        facts = {**exported.facts, "input": self._describe_input(), "license": self.license or "not stated"}
        for key, value in facts.items():
            graph.metadata_props.add(key=key, value=value)
        importlib.import_module("onnx").checker.check_model(graph, full_check=True)
        path.write_bytes(graph.SerializeToString())
        with torch.no_grad():
            expected = exported.answer(exported.normalize(exported.values))
        return _compare(path, images, expected, answer.output)

    def explain(self, exported: Exported) -> str:
        """Markdown for the card: input, output, and a program that asks onnxruntime about a picture."""
        channels, size = exported.pixels.shape[1:3]
        output = exported.answer.output
        program = _SNIPPET.format(
            file=self.file,
            mode="RGB" if channels == 3 else "L",
            size=size,
            channels=channels,
            prepare="images = pixels\n" if self.normalize else _NORMALIZE,
            show=_NAME if output == "logits" else "print(answer[0])",
        )
        program = program if "json." in program else program.removeprefix("import json\n\n")
        return (
            f"`{self.file}` (opset {self.opset}) takes `images`, float32 [N,{channels},{size},{size}], "
            f"{self._describe_input()}, and gives `{output}`. N is free.\n\n```python\n{program}```"
        )

    def _describe_input(self) -> str:
        if self.normalize:
            return "values in 0..1, which the graph normalizes"
        return "values in 0..1 that were normalized by mean and std"

    def _trace(self, answer: Answer, images: Tensor) -> Any:
        """A network as an ONNX graph, traced with two images of the form of these, [N,C,H,W]."""
        name = type(answer.model).__name__
        try:
            with _silence():
                program = torch.onnx.export(
                    answer.eval(),
                    (torch.zeros(2, *images.shape[1:]),),
                    dynamo=True,
                    optimize=False,  # else norms are folded, and weights lose their names
                    input_names=["images"],
                    output_names=[answer.output],
                    dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
                    opset_version=self.opset,
                    verbose=False,
                )
            assert program is not None
            graph = program.model_proto
        except Exception as error:  # what torch cannot trace it says in many ways
            said = next(iter(str(error).strip().splitlines()), type(error).__name__)[:200].rstrip(".")
            raise NetgazeError(f"{name} cannot be written as ONNX: {said}. {_INSTEAD}") from error
        written = next(each.version for each in graph.opset_import if each.domain in ("", "ai.onnx"))
        if written != self.opset:
            raise NetgazeError(f"export.onnx.opset={self.opset}: torch wrote {written} instead. Choose that number.")
        if not graph.graph.input[0].type.tensor_type.shape.dim[0].dim_param:
            raise NetgazeError(f"{name} cannot be written as ONNX for any number of images. {_INSTEAD}")
        if (size := graph.ByteSize()) > _LARGEST:
            raise NetgazeError(f"{name} has {size / 1e9:.1f} GB, and an ONNX file holds 2. {_INSTEAD}")
        return graph


def _forget_machine(graph: Any) -> None:
    """Take away what torch notes at every node: the lines of code behind it, with their places on this disk."""
    inner = graph.graph
    for part in (inner, *inner.node, *inner.value_info, *inner.input, *inner.output, *inner.initializer):
        part.ClearField("metadata_props")


@contextmanager
def _silence() -> Iterator[None]:
    """Keep what torch and its helpers remark while they trace out of the log: what goes wrong is raised."""
    loggers = [logging.getLogger(name) for name in _NOISY]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _compare(path: Path, images: Tensor, expected: Tensor, output: str) -> str:
    """How far what onnxruntime says of images is from what the network says, in a sentence.

    Raises:
        NetgazeError: further than by rounding.
    """
    if importlib.util.find_spec("onnxruntime") is None:
        return "not tried: pip install onnxruntime compares its answers with the network's"
    onnxruntime = importlib.import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        (given,) = session.run(None, {"images": images.numpy()})
    except Exception as error:  # onnxruntime's errors have no class in common
        said = next(iter(str(error).splitlines()), "").rstrip(".")
        raise NetgazeError(f"onnxruntime cannot run what was written ({said}). Choose an older opset.") from error
    apart = float((torch.from_numpy(given) - expected).abs().max()) if given.shape == expected.shape else torch.inf
    largest = float(expected.abs().max())
    if not apart <= _ROUNDING * max(largest, 1e-6):
        raise NetgazeError(
            f"What was written as ONNX gives other {output} than the network (apart by {apart:.2g}, the largest is "
            f"{largest:.2g}), and was not kept. {_INSTEAD}"
        )
    return f"onnxruntime gives the same {output} on {len(images)} test images, within {apart:.1g}"
