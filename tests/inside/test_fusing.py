"""Norms fused into convolutions: the same answers for every network, and no fusion where one would be wrong."""

import copy

import pytest
import torch
from tests.models.test_models import MODELS, made, pictures
from torch import nn

from netgaze.inside.fusing import _find_pairs, fuse
from netgaze.models.base import PooledNet
from netgaze.models.resnet import ResNet
from netgaze.models.resnet_cifar import CifarResNet


def shake_norms(model, seed=0):
    """Norms as training leaves them: statistics, scales and shifts of every size, some scales negative."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values, low, high in (
                (module.running_mean, -1, 1),
                (module.running_var, 0.2, 3),
                (module.weight, -0.5, 1.5),
                (module.bias, -1, 1),
            ):
                values.data.uniform_(low, high, generator=generator)
    return model.eval()


def count_norms(model):
    return sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())


@pytest.mark.parametrize("name", MODELS)
def test_every_network_answers_the_same(name):
    model, images = shake_norms(made(name)), pictures(name, 3)
    before = copy.deepcopy(model.state_dict())
    fused = fuse(model, images[:1])
    with torch.no_grad():
        maps, expected = fused.forward_features(images), model.forward_features(images)
        torch.testing.assert_close(maps, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
        for pre_logits in (True, False):
            theirs = model.forward_head(expected, pre_logits=pre_logits)
            mine = fused.forward_head(maps, pre_logits=pre_logits)
            torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-4 * float(theirs.abs().max()))
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in fused.modules())
    assert (count_norms(model) == 0) == (fused is model)


@pytest.mark.parametrize("name", [name for name in MODELS if name.startswith(("resnet", "dynamic", "grid"))])
def test_residual_networks_have_no_norm_left(name):
    assert count_norms(made(name)) > 0
    assert count_norms(fuse(made(name).eval(), pictures(name, 1))) == 0


class Net(PooledNet):
    """A network whose forward pass a test says; it has two convolutions and two norms."""

    filter_layers = feature_layers = ("first",)
    num_features = 6

    def __init__(self, way):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.one, self.two = nn.BatchNorm2d(6), nn.BatchNorm2d(6)
        self.fc = nn.Linear(6, 4)
        self.way = way

    def forward_features(self, images):
        return self.way(self, images)


def used_twice(net, x):
    return net.two(net.second(net.one(net.second(net.first(x)))))


def read_beside(net, x):
    maps = net.first(x)
    return net.one(maps) + maps


def changed_before(net, x):
    return net.one(net.first(x).mul_(2.0))


def same_norm_twice(net, x):
    return net.one(net.second(net.one(net.first(x))))


def weight_read_elsewhere(net, x):
    return net.one(net.first(x)) * net.first.weight.mean()


def statistics_read_elsewhere(net, x):
    return net.one(net.first(x)) * net.one.running_var.mean()


def view_beside(net, x):
    maps = net.first(x)
    return net.one(maps) + maps[:, :, :1, :1]


def named_for_another(net, x):
    """By the order of modules `one` follows `first`; it runs on what `second` gives."""
    maps = net.first(x).relu()
    return net.one(net.second(maps)) + net.two(maps)


WRONG = [
    used_twice,
    read_beside,
    changed_before,
    same_norm_twice,
    weight_read_elsewhere,
    statistics_read_elsewhere,
    view_beside,
]


@pytest.mark.parametrize("way", WRONG, ids=lambda way: way.__name__)
def test_where_a_fusion_would_be_wrong_there_is_none(way):
    model, images = shake_norms(Net(way)), torch.randn(3, 3, 8, 8)
    with torch.no_grad():
        assert _find_pairs(copy.deepcopy(model), images) == []
    assert fuse(model, images) is model


def test_what_is_fused_follows_the_images_and_no_order_of_modules():
    model, images = shake_norms(Net(named_for_another)), torch.randn(3, 3, 8, 8)
    fused = fuse(model, images[:1])
    assert isinstance(fused.one, nn.Identity)
    assert isinstance(fused.two, nn.BatchNorm2d), "it reads what a ReLU gave"
    with torch.no_grad():
        torch.testing.assert_close(fused.forward_features(images), model.forward_features(images))


class Doubled(nn.Conv2d):
    def forward(self, x):
        return 2 * super().forward(x)


@pytest.mark.parametrize("change", ["subclass", "hook", "no statistics", "no forward", "training"])
def test_what_is_no_plain_layer_stays(change):
    model = shake_norms(Net(lambda net, x: net.one(net.first(x))))
    if change == "subclass":
        model.first = Doubled(3, 6, 3, padding=1)
    elif change == "hook":
        model.first.register_forward_hook(lambda module, args, output: 3 * output)
    elif change == "no statistics":
        model.one = nn.BatchNorm2d(6, track_running_stats=False)
    elif change == "no forward":
        model.way = lambda net, x: 1 / 0
    else:
        model.one.train()
    images = torch.randn(2, 3, 8, 8)
    assert fuse(model, images) is model
    if change != "no forward":
        with torch.no_grad():
            assert _find_pairs(model, images) == []


def test_a_wrong_answer_is_noticed_whatever_was_fused(monkeypatch):
    """Nothing stands on the tracing alone: the copy must answer as the network does."""
    model = shake_norms(ResNet(depths=[1], widths=[8], stem="cifar", in_channels=3, num_classes=4))
    monkeypatch.setattr("netgaze.inside.fusing.fuse_conv_bn_eval", lambda convolution, norm: convolution)
    assert fuse(model, torch.randn(2, 3, 8, 8)) is model


def test_a_deep_network_is_fused_too():
    model = shake_norms(CifarResNet(depth=56, in_channels=3, num_classes=10))
    assert count_norms(fuse(model, torch.randn(2, 3, 32, 32))) == 0
