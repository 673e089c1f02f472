"""Weights by name, with a report; files of others cannot run code."""

import hashlib
import io
import os
import pickle

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from netgaze import weights
from netgaze.errors import NetgazeError
from netgaze.models.resnet import ResNet
from netgaze.weights import load_weights, read_checkpoint, restore


def network(num_classes: int = 10) -> ResNet:
    return ResNet(depths=[1], widths=[4], stem="cifar", in_channels=3, num_classes=num_classes)


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "module.model."])
@pytest.mark.parametrize("nest", [None, "state_dict", "model_state_dict"])
def test_prefixes_and_nests_are_taken_off(prefix, nest, tmp_path):
    weights = {f"{prefix}{name}": value for name, value in network().state_dict().items()}
    torch.save({nest: weights, "epoch": 3} if nest else weights, tmp_path / "weights.pth")
    report = load_weights(network(), str(tmp_path / "weights.pth"))
    assert (report.loaded, report.skipped, report.new) == (list(network().state_dict()), {}, [])


def test_prefixes_are_taken_off_though_other_tensors_have_none(tmp_path):
    """A task's checkpoint holds its own tensors beside the network's; an averaged one counts."""
    weights = {f"module.{name}": value for name, value in network().state_dict().items()}
    last = list(weights)[-1]
    weights[last.removeprefix("module.")] = weights.pop(last)
    torch.save(weights | {"n_averaged": torch.tensor(3)}, tmp_path / "weights.pth")
    report = load_weights(network(), str(tmp_path / "weights.pth"))
    assert sorted(report.loaded) == sorted(network().state_dict())
    assert list(report.skipped) == ["n_averaged"]


def test_of_two_with_one_name_the_bare_one_counts(tmp_path):
    own, other = network(), network()
    weights = other.state_dict() | {f"model.{name}": value + 1 for name, value in other.state_dict().items()}
    torch.save(weights, tmp_path / "weights.pth")
    report = load_weights(own, str(tmp_path / "weights.pth"))
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in own.state_dict().items())
    assert all(name.startswith("model.") for name in report.skipped)


@pytest.mark.parametrize("content", [b"a" * 64, b"101\n", b"\x80\x02}q\x00(", b""])
def test_bytes_that_are_no_weights_are_a_sentence(content, tmp_path):
    (tmp_path / "weights.pth").write_bytes(content)
    with pytest.raises(NetgazeError, match=r"weights\.pth (is|was) (damaged|empty|a text|not written by train\.py)"):
        read_checkpoint(tmp_path / "weights.pth")


def test_all_by_name(tmp_path):
    source, target = network(), network()
    torch.save(source.state_dict(), tmp_path / "a.pt")
    report = load_weights(target, str(tmp_path / "a.pt"))
    assert all(torch.equal(source.state_dict()[name], value) for name, value in target.state_dict().items())
    assert (report.skipped, report.new) == ({}, [])


def test_another_head_is_skipped_and_said(tmp_path):
    torch.save(network(4).state_dict() | {"extra": torch.zeros(1)}, tmp_path / "a.pt")
    target = network(10)
    before = target.fc.weight.clone()
    report = load_weights(target, str(tmp_path / "a.pt"))
    assert set(report.skipped) == {"fc.weight", "fc.bias", "extra"}
    assert report.new == ["fc.weight", "fc.bias"]
    assert torch.equal(target.fc.weight, before)
    assert "shape [4, 4], here [10, 4]" in str(report)


def test_nothing_fits(tmp_path):
    torch.save({"other": torch.zeros(2)}, tmp_path / "a.pt")
    with pytest.raises(NetgazeError, match="none of its 1 tensors fits"):
        load_weights(network(), str(tmp_path / "a.pt"))


def test_missing(tmp_path):
    with pytest.raises(NetgazeError, match="no such file"):
        load_weights(network(), str(tmp_path / "nowhere.pt"))


class Evil:
    def __reduce__(self):
        return os.system, ("touch pwned",)


def test_a_file_cannot_run_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Evil()}, "zip.pt")
    with open("raw.pt", "wb") as file:
        pickle.dump(Evil(), file)
    for name in ("zip.pt", "raw.pt"):
        with pytest.raises(NetgazeError):
            read_checkpoint(name)
    assert not os.path.exists("pwned")


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_file_is_said(tmp_path, share):
    torch.save(network().state_dict(), tmp_path / "a.pt")
    content = (tmp_path / "a.pt").read_bytes()
    (tmp_path / "a.pt").write_bytes(content[: int(share * len(content))])
    with pytest.raises(NetgazeError, match=r"a\.pt"):
        read_checkpoint(tmp_path / "a.pt")


class TestSafetensors:
    @pytest.mark.parametrize("prefix", ["", "module.", "model."])
    @pytest.mark.parametrize("name", ["a.safetensors", "a.SafeTensors"])
    def test_all_by_name(self, tmp_path, prefix, name):
        source, target = network(), network()
        save_file({f"{prefix}{key}": value for key, value in source.state_dict().items()}, tmp_path / name)
        report = load_weights(target, str(tmp_path / name))
        assert all(torch.equal(source.state_dict()[key], value) for key, value in target.state_dict().items())
        assert (report.skipped, report.new) == ({}, [])

    def test_halves_become_whole_numbers_again(self, tmp_path):
        source, target = network(), network()
        save_file({key: value.half() for key, value in source.state_dict().items()}, tmp_path / "a.safetensors")
        load_weights(target, str(tmp_path / "a.safetensors"))
        assert target.conv1.weight.dtype == torch.float32
        torch.testing.assert_close(target.conv1.weight, source.conv1.weight, rtol=1e-3, atol=1e-3)

    @pytest.mark.parametrize("share", [0.0, 0.001, 0.2, 0.99])
    def test_a_truncated_file_is_said(self, tmp_path, share):
        path = tmp_path / "a.safetensors"
        save_file(dict(network().state_dict()), path)
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(
            NetgazeError, match=r"a\.safetensors is (empty|no file of weights .*|not a complete checkpoint \(.*\))\."
        ):
            load_weights(network(), str(path))

    @pytest.mark.parametrize("content", [b"\xff" * 64, b"\x02" + bytes(7) + b"[]", b"<html>not found</html>" * 9])
    def test_a_corrupt_file_is_said(self, tmp_path, content):
        (tmp_path / "a.safetensors").write_bytes(content)
        with pytest.raises(NetgazeError, match=r"a\.safetensors is (no file of weights|an HTML page)"):
            load_weights(network(), str(tmp_path / "a.safetensors"))

    def test_missing(self, tmp_path):
        with pytest.raises(NetgazeError, match="There is no checkpoint at"):
            read_checkpoint(tmp_path / "a.safetensors")


def capitals(weights):
    """Names as in a course's ResNet: Conv1, BN1, Layer1.0.Conv1."""
    changed = (("conv", "Conv"), ("bn", "BN"), ("layer", "Layer"), ("fc", "FC"))
    named = {}
    for name, value in weights.items():
        for ours, theirs in changed:
            name = name.replace(ours, theirs)
        named[name] = value
    return named


class TestUpperAndLowerCase:
    def test_does_not_matter_where_no_name_fits_exactly(self, tmp_path):
        source, target = network(), network()
        theirs = capitals(source.state_dict())
        assert not set(theirs) & set(source.state_dict())
        torch.save({f"module.{name}": value for name, value in theirs.items()}, tmp_path / "a.pt")
        report = load_weights(target, str(tmp_path / "a.pt"))
        assert all(torch.equal(source.state_dict()[name], value) for name, value in target.state_dict().items())
        assert (set(report.loaded), report.skipped, report.new) == (set(source.state_dict()), {}, [])

    def test_the_report_still_names_what_was_left(self, tmp_path):
        source, target = network(4), network(10)
        torch.save(capitals(source.state_dict()) | {"Extra": torch.zeros(1)}, tmp_path / "a.pt")
        before = target.fc.weight.clone()
        report = load_weights(target, str(tmp_path / "a.pt"))
        assert torch.equal(target.conv1.weight, source.conv1.weight)
        assert torch.equal(target.fc.weight, before)
        none, other = "this network has no such tensor", "shape [4, 4], here [10, 4]"
        assert report.skipped == {"FC.weight": other, "FC.bias": "shape [4], here [10]", "Extra": none}
        assert report.new == ["fc.weight", "fc.bias"]
        assert "  skipped  FC.weight: shape [4, 4], here [10, 4]" in str(report)

    def test_an_exact_name_goes_first(self, tmp_path):
        source = network()
        other = torch.ones_like(source.conv1.weight)
        for name in ("Conv1.weight", "CONV1.weight"):
            for content in ({name: other} | source.state_dict(), source.state_dict() | {name: other}):
                torch.save(content, tmp_path / "a.pt")
                target = network()
                report = load_weights(target, str(tmp_path / "a.pt"))
                assert torch.equal(target.conv1.weight, source.conv1.weight)
                assert report.skipped == {name: "this network has no such tensor"}

    def test_two_names_for_one_are_both_skipped(self, tmp_path):
        content = dict(network().state_dict())
        value = content.pop("conv1.weight")
        torch.save(content | {"Conv1.weight": value, "CONV1.weight": value + 1}, tmp_path / "a.pt")
        report = load_weights(network(), str(tmp_path / "a.pt"))
        assert set(report.skipped) == {"Conv1.weight", "CONV1.weight"}
        assert report.new == ["conv1.weight"]

    def test_one_name_for_two_is_skipped(self, tmp_path):
        target = torch.nn.Module()
        target.one, target.ONE, target.two = (torch.nn.Linear(2, 2, bias=False) for _ in range(3))
        torch.save({"One.weight": torch.zeros(2, 2), "Two.weight": torch.zeros(2, 2)}, tmp_path / "a.pt")
        report = load_weights(target, str(tmp_path / "a.pt"))
        assert (report.loaded, list(report.skipped)) == (["two.weight"], ["One.weight"])
        assert report.new == ["one.weight", "ONE.weight"]
        assert not target.two.weight.any()


def published(folder, network) -> str:
    """A file of weights as torchvision publishes one: its name ends in the first digits of its sha256."""
    content = io.BytesIO()
    torch.save(network.state_dict(), content)
    name = f"resnet18-{hashlib.sha256(content.getvalue()).hexdigest()[:8]}.pth"
    (folder / name).write_bytes(content.getvalue())
    return name


@pytest.fixture
def torchvisions(tmp_path, monkeypatch):
    """A folder in the place of torchvision's server, and an empty one in the place of its cache."""
    (tmp_path / "server").mkdir()
    monkeypatch.setattr(weights.source, "IMAGENET_URL", (tmp_path / "server").as_uri())
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "server"


class TestImagenet:
    def test_is_fetched_once_and_kept_where_torchvision_keeps_it(self, torchvisions, tmp_path):
        source, target = network(), network()
        target.imagenet_file = published(torchvisions, source)
        load_weights(target, "imagenet")
        assert torch.equal(target.conv1.weight, source.conv1.weight)
        (torchvisions / target.imagenet_file).unlink()
        load_weights(target, "imagenet")
        assert (tmp_path / "hub" / "checkpoints" / target.imagenet_file).exists()

    def test_another_file_of_that_name_is_refused(self, torchvisions, tmp_path):
        target = network()
        target.imagenet_file = published(torchvisions, network())
        torch.save(network(3).state_dict(), torchvisions / target.imagenet_file)
        with pytest.raises(NetgazeError, match=r"a wrong checksum.*init=<folder>/resnet18-"):
            load_weights(target, "imagenet")
        assert not (tmp_path / "hub" / "checkpoints" / target.imagenet_file).exists()

    def test_a_network_that_torchvision_does_not_have(self):
        with pytest.raises(NetgazeError, match="publishes no ImageNet weights for this network"):
            load_weights(network(), "imagenet")

    @pytest.mark.parametrize(
        ("depths", "widths", "channels", "name"),
        [
            ([2, 2, 2, 2], [64, 128, 256, 512], 3, "resnet18-f37072fd.pth"),
            ([3, 4, 6, 3], [64, 128, 256, 512], 3, "resnet34-b627a593.pth"),
            ([2, 2], [64, 128], 3, "resnet18-f37072fd.pth"),
            ([2, 2, 2, 2], [32, 64, 128, 256], 3, None),
            ([1, 1, 1, 1], [64, 128, 256, 512], 3, None),
            ([2, 2, 2, 2], [64, 128, 256, 512], 1, None),
        ],
    )
    def test_which_networks_have_one(self, depths, widths, channels, name):
        model = ResNet(depths=depths, widths=widths, stem="imagenet", in_channels=channels, num_classes=2)
        assert model.imagenet_file == name

    def test_the_names_are_torchvisions(self):
        for ours, theirs in (
            ("resnet18-f37072fd.pth", torchvision.models.ResNet18_Weights.IMAGENET1K_V1),
            ("resnet34-b627a593.pth", torchvision.models.ResNet34_Weights.IMAGENET1K_V1),
        ):
            assert theirs.url == f"{weights.IMAGENET_URL}/{ours}"


def test_the_report_has_a_line_a_layer(tmp_path):
    torch.save(network(4).state_dict() | {"deep.a": torch.zeros(1), "deep.b": torch.zeros(1)}, tmp_path / "a.pt")
    lines = str(load_weights(network(10), str(tmp_path / "a.pt"))).splitlines()
    assert lines[0].endswith("18 tensors loaded, 4 skipped, 2 new")
    assert "  loaded   layer1 (12 tensors)" in lines
    assert "  skipped  deep (2 tensors): this network has no such tensor" in lines
    assert "  skipped  fc.bias: shape [4], here [10]" in lines
    assert "  new      fc (2 tensors)" in lines


class TestRestore:
    def test_all(self):
        source, target = network(), network()
        restore(target, {"state_dict": source.state_dict()}, "best.ckpt")
        assert all(torch.equal(source.state_dict()[name], value) for name, value in target.state_dict().items())

    def test_another_number_of_classes(self):
        target = network(10)
        before = {name: value.clone() for name, value in target.state_dict().items()}
        said = r"best.ckpt .* fc.weight is \[4, 4\], expected \[10, 4\] \(and 1 more\)"
        with pytest.raises(NetgazeError, match=said):
            restore(target, {"state_dict": network(4).state_dict()}, "best.ckpt")
        assert all(torch.equal(before[name], value) for name, value in target.state_dict().items())

    @pytest.mark.parametrize(("change", "said"), [("missing", "fc.bias is missing"), ("extra", "other is not known")])
    def test_other_names(self, change, said):
        state = dict(network().state_dict())
        if change == "missing":
            del state["fc.bias"]
        else:
            state["other"] = torch.zeros(1)
        with pytest.raises(NetgazeError, match=said):
            restore(network(), {"state_dict": state}, "best.ckpt")


@pytest.mark.slow
def test_a_resnet50_of_torchvisions_form(torchvisions):
    """As published: the file's name ends in its sha256's beginning; all 320 tensors fit by name."""
    theirs = torchvision.models.resnet50(weights=None)
    ours = ResNet(
        depths=[3, 4, 6, 3],
        widths=[64, 128, 256, 512],
        stem="imagenet",
        in_channels=3,
        num_classes=1000,
        block="bottleneck",
    )
    content = io.BytesIO()
    torch.save(theirs.state_dict(), content)
    whole = content.getvalue()
    ours.imagenet_file = f"resnet50-{hashlib.sha256(whole).hexdigest()[:8]}.pth"
    path = torchvisions / ours.imagenet_file
    altered = whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:]
    for wrong in (whole[:-100], altered):
        path.write_bytes(wrong)
        with pytest.raises(NetgazeError, match="a wrong checksum"):
            load_weights(ours, "imagenet")
    path.write_bytes(whole)
    report = load_weights(ours, "imagenet")
    assert (report.skipped, report.new) == ({}, [])
    assert len(report.loaded) == len(theirs.state_dict()) == 320
    images = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(ours.eval()(images), theirs.eval()(images))
    path.write_bytes(whole[:-100])
    with pytest.raises(NetgazeError, match=r"resnet50-.* is incomplete or damaged"):
        load_weights(ours, str(path))
