"""ONNX files: onnxruntime answers as the network does, and the weights come back to the bit."""

import importlib.util
import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from netgaze.build import build
from netgaze.data.pixels import normalize
from netgaze.errors import NetgazeError
from netgaze.exports.onnx import Onnx, _compare
from netgaze.weights import load_weights

COUNTER = "num_batches_tracked"
NO_NORMS = ["optim=sgd", "optim.lr=0.01"]
LARGE = [
    ["model=vgg19", *NO_NORMS],
    ["model=alexnet", "data.image_size=64", *NO_NORMS],
    ["model=timm", "model.name=convnext_atto"],
    ["model=timm", "model.name=vit_tiny_patch16_224", "data.image_size=224"],
]
NETWORKS = [
    ["model=resnet_small"],
    ["model=resnet20"],
    ["model=airbench"],
    ["model=inception", *NO_NORMS],
    ["model=grid_resnet"],
    ["model=siamese_cnn", "data.image_size=100", *NO_NORMS],
    ["model=timm", "model.name=resnet18"],
    ["task=dynamic_conv"],
    *(pytest.param(words, marks=pytest.mark.slow) for words in LARGE),
]


def run(path, images: torch.Tensor) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_inputs()] == ["images"]
    return session.run(None, {"images": images.numpy()})[0]


def answer(exported) -> np.ndarray:
    """What the network says of the images, normalized as the data does it."""
    return exported.answer(normalize(exported.pixels, exported.mean, exported.std)).numpy()


@pytest.mark.parametrize("words", NETWORKS, ids=lambda words: words[1 if words[0] == "model=timm" else 0])
def test_a_network_is_the_same_to_onnxruntime_and_comes_back(words, export_of, tmp_path):
    exported = export_of(*words)
    said = Onnx().write(exported, tmp_path / "model.onnx")
    assert said.startswith("onnxruntime gives the same logits on 8 test images, within ")
    expected = answer(exported)
    for num in (1, 3, 8):  # any number of images
        given = run(tmp_path / "model.onnx", exported.pixels[:num].float() / 255)
        assert np.allclose(given, expected[:num], atol=1e-4 * np.abs(expected).max())
    model = exported.answer.model
    torch.manual_seed(1)
    fresh = build(json.loads(exported.facts["model"]))
    report = load_weights(fresh, str(tmp_path / "model.onnx"))
    assert report.new == []
    for name, value in model.state_dict().items():
        assert name.endswith(COUNTER) or torch.equal(fresh.state_dict()[name], value), name
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]  # no second file with the weights


def test_normalization_is_left_out_by_choice(export_of, tmp_path):
    exported = export_of()
    Onnx(normalize=False).write(exported, tmp_path / "a.onnx")
    assert (exported.values.min(), exported.values.max()) == (0, 1)
    normalized = normalize(exported.pixels, exported.mean, exported.std).contiguous()
    assert np.allclose(run(tmp_path / "a.onnx", normalized), answer(exported), atol=1e-4)
    names = {each.name for each in onnx.load(tmp_path / "a.onnx").graph.initializer}
    assert "model.conv1.weight" in names
    assert not any(name.startswith("normalize") for name in names)


def test_the_file_says_what_it_is(export_of, tmp_path):
    names = ["cat", "día", "\ud7ff<b>\n"]
    Onnx(opset=20, license="mit").write(export_of(names=names), tmp_path / "a.onnx")
    model = onnx.load(tmp_path / "a.onnx")
    onnx.checker.check_model(model, full_check=True)
    known = onnxruntime.InferenceSession(str(tmp_path / "a.onnx")).get_modelmeta().custom_metadata_map
    assert json.loads(known["class_names"]) == names
    assert known["license"] == "mit"
    assert known["input"] == "values in 0..1, which the graph normalizes"
    assert [(each.domain, each.version) for each in model.opset_import] == [("", 20)]
    shape = model.graph.input[0].type.tensor_type.shape.dim
    assert [each.dim_param or each.dim_value for each in shape] == ["batch", 3, 32, 32]
    assert b"site-packages" not in (tmp_path / "a.onnx").read_bytes()  # nor any other place on this machine
    assert b"/src/netgaze" not in (tmp_path / "a.onnx").read_bytes()


@pytest.mark.parametrize("task", ["simclr", "byol"])
def test_without_classes_features_are_given(task, export_of, tmp_path):
    exported = export_of(f"task={task}")
    assert "the same features" in Onnx().write(exported, tmp_path / "a.onnx")
    model = exported.answer.model
    normalized = normalize(exported.pixels, exported.mean, exported.std)
    expected = model.forward_head(model.forward_features(normalized), pre_logits=True).numpy()
    given = run(tmp_path / "a.onnx", exported.values)
    assert given.shape == (8, model.head_hidden_size)
    assert np.allclose(given, expected, atol=1e-4 * np.abs(expected).max())


def test_faces_are_embedded_as_they_are_compared(export_of, tmp_path):
    """Mirrored, whitened and of length one, where that is chosen."""
    exported = export_of("task=siamese", "task.mirror=true", "task.whiten=0.02", "task.normalize=true")
    task = exported.answer.task
    task.center.normal_()
    task.projection.normal_()
    assert "the same embeddings" in Onnx().write(exported, tmp_path / "a.onnx")
    expected = task.embed(normalize(exported.pixels, exported.mean, exported.std)).numpy()
    given = run(tmp_path / "a.onnx", exported.values)
    assert np.allclose(np.linalg.norm(given, axis=1), 1, atol=1e-5)
    assert np.allclose(given, expected, atol=1e-4)


@pytest.mark.parametrize("name", ["onnx", "onnxscript"])
def test_without_the_packages_it_says_what_to_install(name, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda each, *rest: None if each == name else find(each, *rest))
    with pytest.raises(NetgazeError, match=rf"export=onnx needs {name}: pip install 'netgaze\[export\]'\."):
        Onnx()


def test_without_onnxruntime_it_is_written_and_not_tried(export_of, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda each: None if each == "onnxruntime" else find(each))
    assert Onnx().write(export_of(), tmp_path / "a.onnx").startswith("not tried: pip install onnxruntime")
    onnx.checker.check_model(onnx.load(tmp_path / "a.onnx"), full_check=True)


def test_an_operator_set_that_torch_does_not_write(export_of, tmp_path):
    with pytest.raises(NetgazeError, match=r"export\.onnx\.opset=17: torch writes 18 or newer"):
        Onnx(opset=17)
    with pytest.raises(NetgazeError, match=r"export\.onnx\.opset=99|cannot be written as ONNX"):
        Onnx(opset=99).write(export_of(), tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


class Choosy(nn.Module):
    """Goes one way or another by what is in the images, which no graph can tell."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        return self.model(images if images.sum() > 0 else images.flip(3))


def test_a_network_that_is_no_graph_says_so(export_of, tmp_path):
    exported = export_of()
    exported.answer.task.model = exported.answer.model = Choosy(exported.answer.model)
    with pytest.raises(NetgazeError, match=r"Choosy cannot be written as ONNX: .*\. Export it with export=safetensors"):
        Onnx().write(exported, tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "other", [lambda it: it + it.abs().max() / 100, lambda it: it[:, 1:], lambda it: it * torch.nan]
)
def test_answers_that_differ_are_refused(other, export_of, tmp_path):
    exported = export_of()
    Onnx().write(exported, tmp_path / "a.onnx")
    expected = torch.from_numpy(answer(exported))
    _compare(tmp_path / "a.onnx", exported.values, expected, "logits")
    with pytest.raises(NetgazeError, match="gives other logits than the network"):
        _compare(tmp_path / "a.onnx", exported.values, other(expected), "logits")


@pytest.mark.parametrize("normalized", [True, False])
def test_the_card_loads_it(normalized, export_of, tmp_path, monkeypatch, capsys):
    from PIL import Image

    exported = export_of()
    export = Onnx(normalize=normalized)
    export.write(exported, tmp_path / export.file)
    Image.fromarray(exported.pixels[3].permute(1, 2, 0).numpy()).save(tmp_path / "picture.png")
    monkeypatch.chdir(tmp_path)
    scope = {}
    exec(export.explain(exported).split("```python\n")[1].split("```")[0], scope)
    assert np.allclose(scope["answer"][0], answer(exported)[3], atol=1e-4)
    names = json.loads(exported.facts["class_names"])
    assert capsys.readouterr().out.strip() == names[answer(exported)[3].argmax()]
