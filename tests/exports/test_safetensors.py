"""safetensors files, by that library's own reader: weights to the bit, and what is known of them in the header."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from netgaze.build import build
from netgaze.exports.safetensors import Safetensors
from netgaze.weights import load_weights


@pytest.mark.parametrize(
    "words",
    [["model=resnet_small"], ["model=timm", "model.name=resnet18"], ["task=siamese"], ["task=dynamic_conv"]],
    ids=" ".join,
)
def test_the_weights_are_there_under_their_names(words, export_of, tmp_path):
    exported = export_of(*words)
    path, model = tmp_path / "model.safetensors", exported.answer.model
    said = Safetensors(license="mit").write(exported, path)
    read, own = load_file(path), model.state_dict()
    assert said == f"{len(own)} tensors, {sum(value.numel() for value in own.values()):,} numbers"
    assert read.keys() == own.keys()
    assert all(torch.equal(read[name], value) for name, value in own.items())
    with safe_open(path, framework="pt") as file:
        assert file.metadata() == {"format": "pt", "license": "mit", **exported.facts}
    torch.manual_seed(1)
    fresh = build(json.loads(exported.facts["model"]))
    report = load_weights(fresh, str(path))
    assert (report.new, report.skipped) == ([], {})
    assert all(torch.equal(fresh.state_dict()[name], value) for name, value in own.items())


def test_weights_that_two_layers_share_are_written_twice(export_of, tmp_path):
    exported = export_of()
    model = exported.answer.model
    model.register_buffer("again", model.conv1.weight)
    model.conv1.weight.data = model.conv1.weight.data.to(memory_format=torch.channels_last)
    Safetensors().write(exported, tmp_path / "a.safetensors")
    read = load_file(tmp_path / "a.safetensors")
    assert torch.equal(read["again"], read["conv1.weight"])


def test_the_card_loads_it(export_of, tmp_path, monkeypatch):
    exported = export_of()
    export, scope = Safetensors(), {}
    export.write(exported, tmp_path / export.file)
    monkeypatch.chdir(tmp_path)
    exec(export.explain(exported).split("```python\n")[1].split("```")[0], scope)
    images = exported.normalize(exported.values)
    assert torch.allclose(scope["network"](images), exported.answer(images), atol=1e-4)
