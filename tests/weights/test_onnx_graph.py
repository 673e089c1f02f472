"""Weights out of ONNX files: as the library onnx reads and writes them, and files that lie."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper, save
from torch import nn

from netgaze.errors import NetgazeError
from netgaze.models.resnet import ResNet
from netgaze.weights import load_weights
from netgaze.weights.opening import open_weights

GROWTH = 100  # megabytes that a hostile file may cost


def network() -> ResNet:
    return ResNet(depths=[1], widths=[4], stem="cifar", in_channels=3, num_classes=10)


def write(path, tensors):
    """A model of the library's making whose graph has nothing but initializers."""
    save(helper.make_model(helper.make_graph([], "weights", [], [], initializer=tensors)), path)
    return path


def read(path):
    with open_weights(path) as found:
        return {name: stored.read() for name, stored in found.items() if not stored.flaw}


def state(model: nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "uint8", "int8", "int16", "int32", "int64", "bool"])
@pytest.mark.parametrize("shape", [(2, 3, 4), (7,), (), (0, 3)])
def test_tensors_are_what_the_library_reads(dtype, shape, tmp_path):
    array = (np.random.default_rng(0).random(shape) * 100).astype(dtype)
    path = write(tmp_path / "a.onnx", [numpy_helper.from_array(np.asarray(array), "a")])
    assert np.array_equal(read(path)["a"].numpy(), array)
    assert read(path)["a"].numpy().dtype == array.dtype


@pytest.mark.parametrize(("kind", "dtype"), [(TensorProto.FLOAT, "float32"), (TensorProto.DOUBLE, "float64")])
def test_numbers_that_are_not_raw(kind, dtype, tmp_path):
    values = np.random.default_rng(0).random((3, 2)).astype(dtype)
    path = write(tmp_path / "a.onnx", [helper.make_tensor("a", kind, (3, 2), values.flatten())])
    assert np.array_equal(read(path)["a"].numpy(), values)


def test_bfloat16(tmp_path):
    raw = torch.tensor([1.5, -2.0]).bfloat16()
    tensor = helper.make_tensor("a", TensorProto.BFLOAT16, (2,), raw.view(torch.int16).numpy().tobytes(), raw=True)
    assert torch.equal(read(write(tmp_path / "a.onnx", [tensor]))["a"], raw)


def test_a_network_comes_back_whatever_stands_before_its_names(tmp_path):
    source, target = network(), network()
    tensors = [numpy_helper.from_array(value, f"net.{name}") for name, value in state(source).items()]
    report = load_weights(target, str(write(tmp_path / "a.onnx", tensors)))
    assert (report.skipped, report.new, report.place) == ({}, [], "net.")
    assert all(torch.equal(source.state_dict()[name], value) for name, value in target.state_dict().items())


def test_a_folder_that_was_exported_is_its_file(tmp_path):
    source, target = network(), network()
    write(tmp_path / "model.onnx", [numpy_helper.from_array(value, name) for name, value in state(source).items()])
    load_weights(target, str(tmp_path))
    assert torch.equal(source.conv1.weight, target.conv1.weight)


def test_numbers_in_another_file_are_not_looked_for(tmp_path):
    tensor = numpy_helper.from_array(network().conv1.weight.detach().numpy(), "conv1.weight")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    path = write(tmp_path / "a.onnx", [tensor])
    with pytest.raises(NetgazeError, match=r"conv1.weight: its numbers lie in another file\."):
        load_weights(network(), str(path))


@pytest.mark.parametrize("change", ["short", "long", "negative", "huge"])
def test_a_tensor_of_another_size_than_it_says(change, tmp_path):
    tensor = numpy_helper.from_array(network().conv1.weight.detach().numpy(), "conv1.weight")
    if change in ("short", "long"):
        tensor.raw_data = tensor.raw_data[:-4] if change == "short" else tensor.raw_data + bytes(4)
    else:
        tensor.dims[0] = -4 if change == "negative" else 1 << 62
    with pytest.raises(NetgazeError, match=r"is not a complete checkpoint \(a tensor has an"):
        load_weights(network(), str(write(tmp_path / "a.onnx", [tensor])))


def test_a_file_that_is_cut_anywhere(tmp_path):
    path = write(tmp_path / "a.onnx", [numpy_helper.from_array(v, name) for name, v in state(network()).items()])
    whole = path.read_bytes()
    for end in range(10, len(whole), len(whole) // 40):
        path.write_bytes(whole[:end])
        with pytest.raises(NetgazeError):
            load_weights(network(), str(path))


def number(value: int) -> bytes:
    """A number as protobuf writes it."""
    low, rest = value & 127, value >> 7
    return bytes([low | 128]) + number(rest) if rest else bytes([low])


@pytest.mark.parametrize("field", [b"\x0a\x00", b"\x2a\x00", b"\x08\x01"])
def test_a_small_file_does_not_fill_the_memory(field, tmp_path):
    """Twenty megabytes of empty nodes, empty tensors or numbers: the library makes 1.5 GB of objects of the first."""
    body = field * 10_000_000
    (tmp_path / "a.onnx").write_bytes(b"\x08\x07\x3a" + number(len(body)) + body)
    code = f"""
import resource, sys
from pathlib import Path
from netgaze.errors import NetgazeError
from netgaze.weights.opening import open_weights
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    with open_weights(Path({str(tmp_path / "a.onnx")!r})):
        sys.exit("it was opened")
except NetgazeError as error:
    assert "it has more parts than any network" in str(error), error
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
sys.exit(grown > {GROWTH} and f"{{grown:.0f}} MB")
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
