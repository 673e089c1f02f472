"""Checkpoints that lie: read as far as they fit, or refused in a sentence, and no memory is spent on them."""

import collections
import json
import pickle
import struct
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from netgaze.errors import NetgazeError
from netgaze.models.resnet import ResNet
from netgaze.weights import load_weights, read_checkpoint, restore

MEGABYTES = 300  # that a file may cost beyond what the process had before


def network() -> ResNet:
    return ResNet(depths=[1], widths=[4], stem="cifar", in_channels=3, num_classes=10)


OWN = network().state_dict()


@dataclass
class Storage:
    """What a file says of a storage, and what it holds of it."""

    key: str
    num: int
    content: bytes


@dataclass
class Claim:
    """A tensor as a file may claim it."""

    shape: tuple
    strides: tuple
    offset: object = 0
    num: object = 1
    content: bytes = b"\0" * 4
    kind: type = torch.FloatStorage
    storage: Storage = field(init=False)

    def __reduce__(self):
        return torch._utils._rebuild_tensor_v2, (self.storage, self.offset, self.shape, self.strides, False, {})


def write(path: Path, content, compression: int = zipfile.ZIP_STORED, folder: str = "a") -> None:
    """A checkpoint in torch's form, whose tensors are claims or real ones."""
    storages: list[Storage] = []

    class Pickler(pickle.Pickler):
        def persistent_id(self, thing):
            return ("storage", torch.FloatStorage, thing.key, "cpu", thing.num) if isinstance(thing, Storage) else None

        def reducer_override(self, thing):
            if isinstance(thing, torch.Tensor):
                numbers = thing.float().contiguous()
                thing = Claim(tuple(thing.shape), numbers.stride(), 0, thing.numel(), numbers.numpy().tobytes())
            if isinstance(thing, Claim):
                thing.storage = Storage(str(len(storages)), thing.num, thing.content)
                storages.append(thing.storage)
                return thing.__reduce__()
            return NotImplemented

    with zipfile.ZipFile(path, "w", compression, compresslevel=1) as archive:
        with archive.open(f"{folder}/data.pkl", "w", force_zip64=True) as file:
            Pickler(file, protocol=2).dump(content)
        for storage in storages:
            archive.writestr(f"{folder}/data/{storage.key}", storage.content)


def raw(path: Path, content: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", content)


def claim(path: Path, **said) -> None:
    """All as it should be but `conv1.weight` [4,3,3,3]."""
    standard = {"shape": (4, 3, 3, 3), "strides": (27, 9, 3, 1), "num": 108, "content": b"\0" * 432}
    write(path, OWN | {"conv1.weight": Claim(**standard | said)})


def nest(depth: int) -> bytes:
    """Dicts in dicts: {"a": {"a": ...}}."""
    return b"\x80\x02" + b"}X\x01\0\0\0a" * depth + b"N" + b"s" * depth + b"."


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("a/data.pkl", pickle.dumps({}))
        with archive.open("a/data/0", "w", force_zip64=True) as file:
            for _ in range(MEGABYTES + 50):
                file.write(bytes(1 << 20))


def pickled_bomb(path: Path) -> None:
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("a/data.pkl", "w", force_zip64=True) as file,
    ):
        for _ in range(MEGABYTES + 50):
            file.write(b"}" * (1 << 20))


def tensors_header(path: Path, header: dict, content: bytes = b"\0" * 432, length: int | None = None) -> None:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + content)


def place(start: int, end: int, shape=(4, 3, 3, 3)) -> dict:
    return {"dtype": "F32", "shape": list(shape), "data_offsets": [start, end]}


DOUBLING = b"".join(b"h" + bytes([n]) + b"h" + bytes([n]) + b"\x86q" + bytes([n + 1]) for n in range(99))
LOADS, HUGE = "loads", 10**12
CASES = {
    # What is claimed of the shape.
    "huge_shape": (lambda p: claim(p, shape=(10**6, 10**6), strides=(10**6, 1), num=HUGE), "conv1.weight new"),
    "huge_storage": (lambda p: claim(p, num=HUGE), LOADS),
    "expanded": (
        lambda p: claim(p, shape=(10**5, 10**5), strides=(0, 0), num=1, content=b"\0" * 4),
        "conv1.weight new",
    ),
    "expanded_and_fits": (lambda p: claim(p, strides=(0, 0, 0, 0), num=1, content=b"\0" * 4), LOADS),
    "short": (lambda p: claim(p, content=b"\0" * 400), r"is not a complete checkpoint \(a tensor is larger than what"),
    "beyond": (lambda p: claim(p, offset=1), "a tensor is larger than what the file holds"),
    "far_strides": (lambda p: claim(p, strides=(2**40, 9, 3, 1)), "a tensor is larger than what the file holds"),
    "negative_stride": (lambda p: claim(p, strides=(27, 9, 3, -1)), "a tensor has an impossible shape"),
    "negative_offset": (lambda p: claim(p, offset=-1), "a tensor has an impossible shape"),
    "shape_of_texts": (lambda p: claim(p, shape=("4", 3, 3, 3)), "a tensor has an impossible shape"),
    "shape_of_truths": (lambda p: claim(p, shape=(True,) * 4), "a tensor has an impossible shape"),
    "shape_of_a_thousand": (lambda p: claim(p, shape=(1,) * 1000, strides=(1,) * 1000), "a tensor has no shape"),
    "other_strides": (lambda p: claim(p, strides=(1,)), "a tensor has a wrong shape"),
    "negative_storage": (lambda p: claim(p, num=-1), "a tensor has an impossible size"),
    "huge_number": (lambda p: claim(p, num=1 << 4000), "a tensor has an impossible size"),
    "no_storage": (lambda p: raw(p, pickle.dumps(collections.OrderedDict(a=1), 2)), "no tensor is in it"),
    # What is packed.
    "bomb": (bomb, "was packed again by another program"),
    "bomb_of_weights": (lambda p: write(p, OWN, zipfile.ZIP_DEFLATED), "was packed again by another program"),
    "bomb_of_dicts": (pickled_bomb, "was packed again by another program"),
    "outside": (lambda p: write(p, OWN, folder="../../a"), LOADS),
    # What is nested.
    "deep": (lambda p: raw(p, nest(200_000)), "no tensor is in it"),
    "wide": (lambda p: write(p, dict.fromkeys(map(str, range(100_000)), 1.5) | OWN), LOADS),
    "wide_dicts": (lambda p: write(p, {str(n): {} for n in range(110_000)}), "contains more tensors or nested levels"),
    "many_tensors": (
        lambda p: write(p, {str(n): OWN["fc.bias"] for n in range(60_000)}),
        "contains more tensors or nested levels",
    ),
    "many_values": (lambda p: raw(p, b"\x80\x02(" + b"N" * 2_000_000 + b"l."), "holds more than 2,000,000 values"),
    "many_dicts": (lambda p: raw(p, b"\x80\x02(" + b"}" * 20_000_000 + b"l."), "holds more than 2,000,000 values"),
    "doubled": (lambda p: raw(p, b"\x80\x02)q\0" + DOUBLING + b"."), "no tensor is in it"),
    "doubled_key": (lambda p: raw(p, b"\x80\x02)q\0" + DOUBLING + b"}h\x63Ns."), "no tensor is in it"),
    "doubled_name": (lambda p: raw(p, b"\x80\x04)q\0" + DOUBLING + b"\x8c\x01a\x93."), "a name that is no text"),
    "copied": (
        lambda p: raw(
            p,
            b"\x80\x02]("
            + b"X\x01\0\0\0aN\x86" * 100_000
            + b"eq\0("
            + b"ccollections\nOrderedDict\nh\0\x85R" * 999
            + b"l.",
        ),
        "holds more than 2,000,000 values",
    ),
    "in_itself": (lambda p: raw(p, b"\x80\x02}q\0X\x01\0\0\0ah\0s."), "no tensor is in it"),
    "far_memo": (lambda p: raw(p, b"\x80\x02}r\xff\xff\xff\xff."), "no tensor is in it"),
    "long_bytes": (
        lambda p: raw(p, b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b"a."),
        "is not a complete checkpoint",
    ),
    "long_array": (
        lambda p: raw(p, b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b"a."),
        "is not a complete checkpoint",
    ),
    "long_digits": (lambda p: raw(p, b"L" + b"9" * 1_000_000 + b"L\n."), "is not a complete checkpoint"),
    "no_stop": (lambda p: raw(p, b"\x80\x02}"), "is not a complete checkpoint"),
    "nothing_there": (lambda p: raw(p, b"\x80\x02R."), "is not a complete checkpoint"),
    # What is named.
    "numbers": (lambda p: write(p, {0: OWN["conv1.weight"], 1.5: 1, None: 2, (1, 2): OWN["fc.bias"]} | OWN), LOADS),
    "long_name": (lambda p: write(p, {"a" * 10_000_000: OWN["fc.bias"]} | OWN), LOADS),
    "dots": (
        lambda p: write(p, {"." * 900: OWN["fc.bias"], "a." * 400: OWN["fc.bias"], "": OWN["fc.bias"]} | OWN),
        LOADS,
    ),
    "lines": (lambda p: write(p, {"a\nERROR b\x1b[31m\u202e": OWN["fc.bias"]} | OWN), LOADS),
    "surrogate": (lambda p: write(p, {"a\udc80": OWN["fc.bias"]} | OWN), LOADS),
    # The other form.
    "overlapping": (
        lambda p: tensors_header(p, {"conv1.weight": place(0, 432), "a": place(0, 432)}),
        "is not a complete checkpoint",
    ),
    "giant_header": (lambda p: tensors_header(p, {}, b" " * 90, 1 << 39), "is not a complete checkpoint"),
    "header_beyond": (lambda p: tensors_header(p, {}, b"", 1000), "is not a complete checkpoint"),
    "huge_tensor": (
        lambda p: tensors_header(p, {"conv1.weight": place(0, 4 * HUGE, (10**6, 10**6))}),
        "is not a complete checkpoint",
    ),
    "overflow": (
        lambda p: tensors_header(p, {"conv1.weight": place(0, 432, (1 << 62, 1 << 62, 8))}),
        "is not a complete checkpoint",
    ),
    "backwards": (lambda p: tensors_header(p, {"conv1.weight": place(432, 0)}), "is not a complete checkpoint"),
}

CHILD = """
import json, resource, sys
from netgaze.errors import NetgazeError
from netgaze.models.resnet import ResNet
from netgaze.weights import load_weights

def network():
    return ResNet(depths=[1], widths=[4], stem="cifar", in_channels=3, num_classes=10)

import torch
network()(torch.zeros(1, 3, 8, 8)).sum().backward()  # what the process needs anyway
pages = int(open("/proc/self/statm").read().split()[0])
most = pages * resource.getpagesize() + int(sys.argv[1]) * 2**20
resource.setrlimit(resource.RLIMIT_AS, (most, most))
outcomes = {}
for path in sys.argv[2:]:
    try:
        report = load_weights(network(), path)
        outcomes[path] = ", ".join(report.new) + " new" if report.new else "loads"
        json.dumps(vars(report), ensure_ascii=False).encode()
        assert len(str(report).splitlines()) < 50, str(report)
        assert len(str(report)) < 5000 and str(report).replace(chr(10), "").isprintable(), str(report)
    except NetgazeError as error:
        outcomes[path] = str(error)
    except BaseException as error:
        outcomes[path] = f"not a sentence: {error!r}"
print(json.dumps(outcomes))
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    if sys.platform != "linux":
        pytest.skip("limits of memory are Linux's")
    folder = tmp_path_factory.mktemp("hostile")
    paths = {name: folder / f"{name}.pth" for name in CASES}
    for name, (make, _) in CASES.items():
        make(paths[name])
    words = [sys.executable, "-c", CHILD, str(MEGABYTES), *map(str, paths.values())]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    for path in paths.values():
        path.unlink()
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout)
    return {name: said[str(path)] for name, path in paths.items()}


@pytest.mark.parametrize("name", CASES)
def test_a_lie_is_refused_in_a_sentence_or_costs_nothing(name, outcomes):
    import re

    assert re.search(CASES[name][1], outcomes[name]), outcomes[name][:500]
    assert len(outcomes[name]) < 600
    assert "\n" not in outcomes[name]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_precisions_are_read(dtype, tmp_path):
    torch.save({name: value.to(dtype) for name, value in OWN.items()}, tmp_path / "a.pth")
    model = network()
    report = load_weights(model, str(tmp_path / "a.pth"))
    assert (report.skipped, report.new) == ({}, [])
    torch.testing.assert_close(model.conv1.weight.data, OWN["conv1.weight"], rtol=1e-2, atol=1e-2)
    assert {value.dtype for value in model.parameters()} == {torch.float32}


def unread(value: torch.Tensor) -> dict:
    scale = torch.quantize_per_tensor(value.abs(), 0.1, 0, torch.quint8)
    return {
        "int8": (value.to(torch.int8), "holds int8, here float32"),
        "bool": (value.to(torch.bool), "holds bool, here float32"),
        "complex": (value.to(torch.complex64), "holds complex64, here float32"),
        "quantized": (scale, "it is quantized"),
        "sparse": (value.to_sparse(), "it is sparse"),
        "meta": (value.to("meta"), "it has a shape and no numbers"),
        "single": (torch.tensor(1.0), "shape [], here [4, 3, 3, 3]"),
    }


@pytest.mark.parametrize("kind", unread(torch.zeros(1, 1, 1, 1)))
@pytest.mark.parametrize("new_form", [True, False])
def test_other_kinds_are_left_and_it_is_said(kind, new_form, tmp_path, caplog):
    value, said = unread(OWN["conv1.weight"])[kind]
    torch.save(OWN | {"conv1.weight": value}, tmp_path / "a.pth", _use_new_zipfile_serialization=new_form)
    report = load_weights(network(), str(tmp_path / "a.pth"))
    assert report.new == ["conv1.weight"]
    assert report.skipped == {"conv1.weight": said}
    assert "of the backbone's numbers stay random" in caplog.text


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("save", [torch.save, save_file])
def test_what_is_not_finite_is_refused_and_nothing_is_changed(number, save, tmp_path):
    weights = {name: value.clone() for name, value in OWN.items()}
    weights["bn1.running_var"][1] = number
    save(weights, tmp_path / "a.pth")
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(NetgazeError, match=r"bn1\.running_var holds numbers that are not finite .* an earlier epoch"):
        load_weights(model, str(tmp_path / "a.pth"))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_what_grows_too_large_for_the_precision_is_not_finite(tmp_path):
    torch.save(OWN | {"fc.bias": torch.full((10,), 1e300, dtype=torch.float64)}, tmp_path / "a.pth")
    with pytest.raises(NetgazeError, match=r"fc\.bias holds numbers that are not finite"):
        load_weights(network(), str(tmp_path / "a.pth"))


def test_only_what_fits_must_be_finite(tmp_path):
    torch.save(OWN | {"other": torch.tensor(float("nan"))}, tmp_path / "a.pth")
    assert load_weights(network(), str(tmp_path / "a.pth")).new == []


class TestARunOfAStranger:
    def test_its_checkpoint_is_torchs_and_not_compressed(self, tmp_path):
        path = tmp_path / "best.ckpt"
        bomb(path)
        with pytest.raises(NetgazeError, match=r"packed again by another program: a/data\.pkl in it"):
            read_checkpoint(path)
        torch.save({}, path, _use_new_zipfile_serialization=False)
        with pytest.raises(NetgazeError, match=r"was not written by train\.py"):
            read_checkpoint(path)

    @pytest.mark.parametrize("kind", ["complex", "sparse", "meta", "text"])
    def test_its_tensors_are_plain(self, kind):
        value = "a" if kind == "text" else unread(OWN["conv1.weight"])[kind][0]
        with pytest.raises(
            NetgazeError, match=r"best\.ckpt was not written by train\.py: conv1\.weight holds no plain"
        ):
            restore(network(), {"state_dict": OWN | {"conv1.weight": value}}, "best.ckpt")


def test_the_limit_would_be_met(tmp_path):
    """The cases above prove something: what torch itself would take for one of them is refused there."""
    code = CHILD.replace("load_weights(network(), path)", "torch.empty(2**30)").replace(
        "except NetgazeError", "except OSError"
    )
    done = subprocess.run([sys.executable, "-c", code, str(MEGABYTES), "a"], capture_output=True, text=True, check=True)
    assert "not a sentence" in json.loads(done.stdout)["a"]


def test_where_nothing_can_be_used_it_is_said_why(tmp_path):
    torch.save({name: value.to_sparse() for name, value in OWN.items() if value.ndim}, tmp_path / "a.pth")
    with pytest.raises(NetgazeError, match=r"tensors can be used\. Of conv1\.weight: it is sparse"):
        load_weights(network(), str(tmp_path / "a.pth"))
    torch.save({name: value.to(torch.int8) for name, value in OWN.items() if value.ndim}, tmp_path / "a.pth")
    with pytest.raises(NetgazeError, match=r"nothing in it fits\. conv1\.weight: holds int8, here float32"):
        load_weights(network(), str(tmp_path / "a.pth"))
    (tmp_path / "a.pth").write_bytes(pickle.dumps(OWN))
    with pytest.raises(NetgazeError, match=r"nothing in it fits\. conv1\.weight: it was not stored by torch\.save"):
        load_weights(network(), str(tmp_path / "a.pth"))


def test_a_module_is_unread_without_its_tensors(tmp_path):
    torch.save(nn.ReLU(), tmp_path / "a.pth")
    with pytest.raises(NetgazeError, match="no tensor is in it"):
        load_weights(network(), str(tmp_path / "a.pth"))
