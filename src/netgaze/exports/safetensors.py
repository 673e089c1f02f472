"""safetensors: the network's weights by name, with class names and settings in the header."""

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from netgaze.errors import NetgazeError
from netgaze.exports.base import Export, Exported

_SNIPPET = """\
import json

from netgaze.build import build
from safetensors import safe_open

with safe_open("{file}", framework="pt") as file:
    known = file.metadata()
    weights = {{name: file.get_tensor(name) for name in file.keys()}}
network = build(json.loads(known["model"]))
network.eval().load_state_dict(weights)
"""


class Safetensors(Export):
    """The weights and buffers of the network, under their names in it; numbers as they are in the checkpoint.

    What a task adds outside its network, as the whitening of face embeddings, is not among them.

    Args:
        license: see `Export`.
    """

    file = "model.safetensors"

    def write(self, exported: Exported, path: Path) -> str:
        """Write the weights, and read them again: how many there are, in a sentence.

        Raises:
            NetgazeError: what is read again differs.
        """
        weights = {name: value.contiguous().clone() for name, value in exported.answer.model.state_dict().items()}
        facts = {**exported.facts, "license": self.license or "not stated"}
        save_file(weights, path, metadata={"format": "pt", **facts})
        with safe_open(path, framework="pt") as file:
            for name, value in weights.items():
                if not torch.equal(file.get_tensor(name), value):
                    raise NetgazeError(f"{name} was not written correctly, and nothing was kept. Check the disk.")
        return f"{len(weights)} tensors, {sum(value.numel() for value in weights.values()):,} numbers"

    def explain(self, exported: Exported) -> str:
        """Markdown for the card: what is in the file, and how to load it."""
        mean, std = (list(each) for each in (exported.mean, exported.std))
        return (
            f"`{self.file}` holds the weights by name. With netgaze `init=<folder>/{self.file}` trains on from them; "
            f"in Python:\n\n```python\n{_SNIPPET.format(file=self.file)}```\n\nThe network takes float32 "
            f"[N,{','.join(map(str, exported.pixels.shape[1:]))}], values in 0..1 less the mean {mean}, divided by the "
            f"standard deviation {std}."
        )
