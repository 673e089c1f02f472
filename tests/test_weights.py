"""Weights by name, with a report; files of others cannot run code."""

import os
import pickle

import pytest
import torch

from netgaze.errors import NetgazeError
from netgaze.models.resnet import ResNet
from netgaze.weights import find_weights, load_weights, read_checkpoint


def network(num_classes: int = 10) -> ResNet:
    return ResNet(depths=[1], widths=[4], stem="cifar", in_channels=3, num_classes=num_classes)


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "module.model."])
@pytest.mark.parametrize("nest", [None, "state_dict", "model_state_dict"])
def test_prefixes_and_nests_are_taken_off(prefix, nest):
    weights = {f"{prefix}{name}": value for name, value in network().state_dict().items()}
    assert list(find_weights({nest: weights, "epoch": 3} if nest else weights)) == list(network().state_dict())


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
