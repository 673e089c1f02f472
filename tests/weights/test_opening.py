"""What a file is by its first bytes; pickles, whole networks, TorchScript: read for their tensors, and nothing runs."""

import argparse
import builtins
import collections
import datetime
import functools
import gzip
import io
import os
import pathlib
import pickle
import tarfile
import types
import zipfile

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import save_file
from torch import nn

from netgaze.errors import NetgazeError
from netgaze.models.resnet import ResNet
from netgaze.weights import load_weights
from netgaze.weights.nests import gather_tensors
from netgaze.weights.opening import open_weights


def network(num_classes: int = 10) -> ResNet:
    return ResNet(depths=[1], widths=[4], stem="cifar", in_channels=3, num_classes=num_classes)


def check_all(path, source: nn.Module) -> None:
    target = network()
    report = load_weights(target, str(path))
    assert (report.skipped, report.new) == ({}, [])
    assert all(torch.equal(source.state_dict()[name], value) for name, value in target.state_dict().items())


def save_legacy(content, path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


SAVES = {"zip": torch.save, "legacy": save_legacy, "protocol 4": functools.partial(torch.save, pickle_protocol=4)}


class Counted(dict):
    """A mapping of a class that is not known here, with something of its own."""

    def __init__(self, *args):
        super().__init__(*args)
        self.note = "kept"


PLAIN = {
    "numpy_scalar": np.float64(93.1),
    "numpy_array": np.arange(6.0).reshape(2, 3),
    "numpy_dtype": np.dtype("float32"),
    "namespace": argparse.Namespace(lr=0.1, nested=argparse.Namespace(a=1)),
    "simple": types.SimpleNamespace(a=[1, 2]),
    "path": pathlib.PurePosixPath("a/b"),
    "date": datetime.datetime(2024, 1, 2),
    "partial": functools.partial(torch.optim.Adam, lr=1e-3),
    "config": OmegaConf.create({"optim": {"lr": 0.1, "steps": [1, 2]}}),
    "default": collections.defaultdict(list, {"a": [1]}),
    "ordered": collections.OrderedDict(a=1),
    "counter": collections.Counter("abca"),
    "deque": collections.deque([1, 2]),
    "set": {1, 2},
    "frozen": frozenset({"a"}),
    "complex": 1 + 2j,
    "bytes": b"\x00\xff",
    "large": 1 << 200,
    "device": torch.device("cpu"),
    "dtype": torch.bfloat16,
    "size": torch.Size([2, 3]),
    "own": Counted({"a": 1}),
    "slice": slice(1, 2),
    "generator": torch.get_rng_state(),
}


@pytest.mark.parametrize("save", SAVES.values(), ids=SAVES)
def test_plain_values_beside_the_weights_are_no_obstacle(save, tmp_path):
    source = network()
    save({"state_dict": source.state_dict(), **PLAIN}, tmp_path / "a.pth")
    check_all(tmp_path / "a.pth", source)


@pytest.mark.parametrize("save", SAVES.values(), ids=SAVES)
@pytest.mark.parametrize("wrap", [collections.OrderedDict, Counted, lambda it: collections.defaultdict(list, it)])
def test_mappings_of_any_class_hold_weights(save, wrap, tmp_path):
    source = network()
    save({"weights": wrap(source.state_dict())}, tmp_path / "a.pth")
    check_all(tmp_path / "a.pth", source)


@pytest.mark.parametrize("save", SAVES.values(), ids=SAVES)
@pytest.mark.parametrize("wrap", [lambda it: it, nn.DataParallel, lambda it: {"model": it, "epoch": 1}])
def test_a_whole_network_is_read_for_its_tensors(save, wrap, tmp_path):
    source = network()
    save(wrap(source), tmp_path / "a.pth")
    check_all(tmp_path / "a.pth", source)


@pytest.mark.parametrize("trace", [True, False])
def test_torchscript_is_read_for_its_tensors(trace, tmp_path):
    source = network().eval()
    images = torch.randn(2, 3, 16, 16)
    scripted = torch.jit.trace(source, images) if trace else torch.jit.script(nn.Sequential(source.layer1))
    scripted.save(tmp_path / "a.pt")
    if trace:
        target = network()
        report = load_weights(target, str(tmp_path / "a.pt"))
        assert not report.new
        assert torch.equal(target.eval()(images), source(images))
    else:
        with open_weights(tmp_path / "a.pt") as content:
            found = gather_tensors(content, "a.pt").tensors
            assert set(found) == {f"0.{name}" for name in source.layer1.state_dict()}
            assert torch.equal(found["0.0.conv1.weight"].read(), source.layer1[0].conv1.weight)


@pytest.mark.parametrize("save", SAVES.values(), ids=SAVES)
def test_every_form_of_tensor_is_read_as_torch_reads_it(save, tmp_path):
    base = torch.arange(120.0).reshape(2, 3, 4, 5)
    tensors = {
        "plain": base.clone(),
        "part": base[1, :, 1:3],
        "steps": base[:, ::2, :, ::3],
        "turned": base.permute(3, 1, 0, 2),
        "last": base.contiguous(memory_format=torch.channels_last),
        "expanded": torch.tensor([2.0]).expand(3, 4),
        "empty": torch.zeros(0, 3),
        "single": torch.tensor(7),
        "parameter": nn.Parameter(base.clone()),
        "buffer": nn.Buffer(base.clone()),
    }
    kinds = (
        torch.float64,
        torch.float16,
        torch.bfloat16,
        torch.int8,
        torch.uint8,
        torch.int16,
        torch.int32,
        torch.bool,
    )
    tensors |= {str(kind): base.to(kind) for kind in (*kinds, torch.int64, torch.complex64)}
    if save is not save_legacy:
        tensors["float8"] = base.to(torch.float8_e4m3fn)
    save(tensors, tmp_path / "a.pth")
    with open_weights(tmp_path / "a.pth") as content:
        assert set(content) == set(tensors)
        for name, value in tensors.items():
            read = content[name].read()
            assert read.dtype == value.dtype
            assert tuple(read.shape) == content[name].shape == tuple(value.shape)
            assert torch.equal(read, value.detach()), name


MARK = "ran"


class Evil:
    """Whatever runs one of these leaves a file."""

    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args


TOUCH = f"open({MARK!r}, 'w').close()"
EVILS = {
    "os.system": Evil(os.system, f"touch {MARK}"),
    "eval": Evil(eval, TOUCH),
    "exec": Evil(exec, TOUCH),
    "open": Evil(builtins.open, MARK, "w"),
    "getattr": Evil(getattr, Evil(__import__, "os"), "system"),
    "numpy": Evil(np.load, MARK),
    "torch.load": Evil(torch.load, MARK),
    "partial": functools.partial(os.system, Evil(os.system, f"touch {MARK}")),
    "path": Evil(pathlib.Path.touch, Evil(pathlib.Path, MARK)),
    "hub": Evil(torch.hub.load, ".", MARK),
    "setattr": Evil(setattr, Evil(__import__, "netgaze.weights"), "load_weights", 1),
}
# Written by hand: module and function as lines, the argument, the call.
RAW = {
    "posix": f"cposix\nsystem\n(S'touch {MARK}'\ntR.",
    "inst": f"(S'touch {MARK}'\niposix\nsystem\n.",
    "obj": f"(cposix\nsystem\nS'touch {MARK}'\no.",
    "attribute": f'cbuiltins\neval\n(S"{TOUCH}"\ntR.',
    "stack_global": f"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c{chr(6 + len(MARK))}touch {MARK}\x85R.",
    "newobj": f"\x80\x02cposix\nsystem\nX{chr(6 + len(MARK))}\0\0\0touch {MARK}\x85\x81.",
    "build": f"cposix\nsystem\n(dS'__setstate__'\ncposix\nsystem\nsbS'touch {MARK}'\nb.",
    "reconstruct": f"cnumpy._core.multiarray\n_reconstruct\n(cposix\nsystem\n(I0\ntS'b'\ntR(S'touch {MARK}'\ntb.",
    "extension": "\x80\x02\x82\x01.",
}


@pytest.mark.parametrize("evil", [*EVILS, *RAW])
@pytest.mark.parametrize("form", ["zip", "legacy", "pickle", "inside"])
def test_nothing_in_a_file_runs(evil, form, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = network()
    if evil in RAW:
        raw = RAW[evil].encode("latin1")
        if form in ("zip", "inside"):
            with zipfile.ZipFile("a.pth", "w") as archive:
                archive.writestr("a/data.pkl", raw)
        else:
            magic = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({}, 2)
            pathlib.Path("a.pth").write_bytes((magic if form == "legacy" else b"") + raw + pickle.dumps([], 2))
    elif form == "pickle":
        pathlib.Path("a.pth").write_bytes(pickle.dumps({"state_dict": EVILS[evil]}))
    else:
        content = {"state_dict": own.state_dict() | {"evil": EVILS[evil]}} if form == "inside" else EVILS[evil]
        (save_legacy if form == "legacy" else torch.save)(content, "a.pth")
    if form == "inside" and evil in EVILS:  # the weights beside it are weights all the same
        check_all("a.pth", own)
    else:
        with pytest.raises(NetgazeError, match=r"a\.pth"):
            load_weights(network(), "a.pth")
    assert not os.path.exists(MARK)
    assert load_weights.__module__ == "netgaze.weights"


def test_what_runs_would_leave_its_file(tmp_path, monkeypatch):
    """The exploits above are real ones."""
    monkeypatch.chdir(tmp_path)
    for evil in (EVILS["os.system"], EVILS["eval"], EVILS["open"]):
        pickle.loads(pickle.dumps(evil))
        os.remove(MARK)
    for name in ("posix", "inst", "obj", "attribute", "stack_global"):
        pickle.loads(RAW[name].encode("latin1"))
        os.remove(MARK)


def save_packed(path, names) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"\x93NUMPY")
    return path.read_bytes()


def save_tar(path) -> bytes:
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("a.pth"))
    return path.read_bytes()


WHOLE = io.BytesIO()
torch.save(network().state_dict(), WHOLE)
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 46830571\n"
FIRST_BYTES = [
    (b"", "is empty. Copy or download it again"),
    (bytes(5000), "holds nothing but zeros: its download was never finished"),
    (b"<!DOCTYPE html><html>Virus scan warning</html>", "is an HTML page, not weights: a download that failed"),
    (b"\n <HTML>", "is an HTML page"),
    (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "is an XML text"),
    (b'{"weight_map": {"conv1.weight": "a"}}', "is a JSON text"),
    (b"Not Found", r"is a text, not weights \(it begins 'Not Found'\)"),
    ("Größe".encode(), "is a text, not weights"),
    (LFS, "is a Git LFS pointer: the weights themselves were not fetched. Run git lfs pull"),
    (gzip.compress(WHOLE.getvalue()), "is a packed file. Unpack it"),
    (b"BZh91AY", "is a packed file"),
    (b"7z\xbc\xaf\x27\x1c", "is a packed file"),
    (b"Rar!\x1a\x07\x01\x00", "is a packed file"),
    (b"\x89HDF\r\n\x1a\n" + bytes(90), "is an HDF5 file, as Keras"),
    (b"\x08\x01\x12\x9a\x04\x0a\x98", "is a model in TensorFlow's form. Load it where it was made"),
    (b"\x08\x07\x12\x07pytorch\x1a\x052.1.0:", "is not a complete checkpoint .it ends within a number"),
    (b"\x1c\0\0\0TFL3" + bytes(90), "is a TensorFlow Lite file"),
    (b"GGUF\x03\0\0\0", "is a GGUF file"),
    (b"\x93NUMPY\x01\0", "is a NumPy array"),
    (b"\x89PNG\r\n\x1a\n", "is a picture or a document"),
    (b"\xff\xd8\xff\xe0", "is a picture or a document"),
    (b"\xa8", "is no file of weights of a kind that is known here"),
    (b"\xfe" * 600, "is no file of weights of a kind that is known here"),
    (WHOLE.getvalue()[:-100], "is incomplete or damaged: its end is missing or wrong"),
    (WHOLE.getvalue()[:600], "is incomplete or damaged"),
    (b"\x80\x02}q\x00(", "is not a complete checkpoint"),
    (pickle.dumps({"a": 1}), "no tensor is in it. Load it where it was made, and store torch.save"),
]


@pytest.mark.parametrize(("content", "said"), FIRST_BYTES, ids=[said[:24] for _, said in FIRST_BYTES])
@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_the_first_bytes_say_what_a_file_is(content, said, name, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(NetgazeError, match=f"{name}.* {said}|{name}: {said}") as error:
        load_weights(network(), str(tmp_path / name))
    assert "weights_only" not in str(error.value)


def test_archives_of_other_kinds(tmp_path):
    path = tmp_path / "a.pth"
    for names, said in (
        (["a.npy"], "is an archive of NumPy arrays"),
        (["config.json", "model.weights.h5"], "is a Keras model"),
        (["archive_format", "models/model.json"], r"is a torch\.export program"),
        (
            ["run/model.pth", "b.txt"],
            r"is a ZIP archive that torch did not write, with 'run/model\.pth' in it\. Unpack",
        ),
        (["b.txt"], r"is a ZIP archive that torch did not write\. Unpack"),
        (["a/data.pkl", "b/data.pkl"], "holds 2 checkpoints"),
    ):
        save_packed(path, names)
        with pytest.raises(NetgazeError, match=said):
            load_weights(network(), str(path))
    save_tar(path)
    with pytest.raises(NetgazeError, match=r"is a tar archive\. Unpack it"):
        load_weights(network(), str(path))


def test_the_ending_of_a_name_does_not_matter(tmp_path):
    source = network()
    torch.save(source.state_dict(), tmp_path / "a.safetensors")
    save_file(source.state_dict(), tmp_path / "a.pth")
    save_legacy(source.state_dict(), tmp_path / "a")
    for name in ("a.safetensors", "a.pth", "a"):
        check_all(tmp_path / name, source)


def test_a_folder_that_is_no_run_names_the_files_in_it(tmp_path):
    save_file(network().state_dict(), tmp_path / "weights.safetensors")
    with pytest.raises(NetgazeError, match=r"is a folder, but not a run's.*init=.*/weights\.safetensors\."):
        load_weights(network(), str(tmp_path))
