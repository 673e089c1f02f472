"""Stages from the last to the first, drawn anew in a copy: what changes, what stays, and that a seed is a seed."""

import functools

import pytest
import torch
from torch import nn

from netgaze.inside.cascade import copy_with_model, list_stages, randomize_downward
from netgaze.models.dynamic_conv import DynamicConv
from netgaze.models.resnet import ResNet
from netgaze.models.vgg import VGG
from netgaze.schedules import Constant
from netgaze.tasks.supervised import Supervised

TRUNK = {"depths": [1, 1], "widths": [4, 8], "stem": "cifar", "in_channels": 3}


def make_resnet():
    torch.manual_seed(3)
    return ResNet(**TRUNK, num_classes=5).eval()


def list_names(model):
    """The weights of each stage by their names."""
    names = {module: name for name, module in model.named_modules()}
    return {stage: [names[module] for module in modules] for stage, modules in list_stages(model).items()}


def test_stages_of_a_residual_network_go_from_the_head_to_the_stem():
    stages = list_names(make_resnet())
    assert list(stages) == ["head", "layer2", "layer1", "stem"]
    assert stages["head"] == ["fc"]
    assert stages["stem"] == ["conv1", "bn1"]
    assert stages["layer1"][:2] == ["layer1.0.conv1", "layer1.0.bn1"]
    assert all(name.startswith("layer2.") for name in stages["layer2"])


def test_a_stage_that_only_pools_has_the_layers_before_it():
    model = VGG(depths=[1, 2], widths=[4, 8], hidden_dim=8, in_channels=3, num_classes=4)
    stages = list_names(model)
    first, second = model.feature_layers
    assert list(stages) == ["head", second, first]
    assert len(stages[first]) == 1
    assert len(stages[second]) == 2
    assert all(name.startswith("classifier") for name in stages["head"])


def test_a_network_that_names_no_stages_is_one():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4, 2))
    assert list_names(model) == {"head": ["0", "2"]}


def test_no_weights_are_left_out():
    for model in (make_resnet(), DynamicConv(**TRUNK, up_to="layer2", image_size=16, num_classes=3)):
        modules = [module for some in list_stages(model).values() for module in some]
        found = {id(weights) for module in modules for weights in module.parameters(recurse=False)}
        assert found == {id(weights) for weights in model.parameters()}
        assert len(modules) == len(set(modules))


def test_each_step_draws_one_stage_more():
    model = make_resnet()
    before = {name: weights.clone() for name, weights in model.state_dict().items()}
    changed = []
    for stage in randomize_downward(model, seed=0):
        changed.append({name for name, weights in model.state_dict().items() if not torch.equal(weights, before[name])})
        assert stage == list(list_stages(model))[len(changed) - 1]
    assert changed[0] == {"fc.weight", "fc.bias"}
    assert {name.partition(".")[0] for name in changed[1] - changed[0]} == {"layer2"}
    assert {name.partition(".")[0] for name in changed[2] - changed[1]} == {"layer1"}
    assert "conv1.weight" in changed[3] - changed[2]


def test_weights_without_a_way_to_draw_them_are_shuffled():
    model = DynamicConv(**TRUNK, up_to="layer2", image_size=16, num_classes=3, filter="static_per_class")
    before = model.filters.weight.detach().clone()
    next(randomize_downward(model, seed=0))
    after = model.filters.weight.detach()
    assert not torch.equal(after, before)
    assert torch.equal(after.flatten().sort().values, before.flatten().sort().values)


@pytest.mark.parametrize("seed", [0, 7])
def test_a_seed_draws_the_same_and_leaves_the_others_alone(seed):
    state, found = torch.get_rng_state(), []
    for _ in range(2):
        model = make_resnet()
        torch.set_rng_state(state)
        list(randomize_downward(model, seed))
        assert torch.equal(torch.get_rng_state(), state)
        found.append(model.fc.weight.detach().clone())
    assert torch.equal(*found)
    other = make_resnet()
    list(randomize_downward(other, seed + 100))
    assert not torch.equal(other.fc.weight, found[0])


def test_a_copy_changes_alone():
    model = make_resnet()
    optimizer = functools.partial(torch.optim.SGD, lr=0.1)
    task = Supervised(model=model, num_classes=5, optimizer=optimizer, schedule=Constant()).eval()
    before = {name: weights.clone() for name, weights in task.state_dict().items()}
    twin, images = copy_with_model(task), torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(twin(images), task(images))
    list(randomize_downward(twin.model, 0))
    assert not torch.allclose(twin(images), task(images))
    assert task.model is model
    assert all(torch.equal(weights, before[name]) for name, weights in task.state_dict().items())
