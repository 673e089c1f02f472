"""A course's AlexNet and ResNet-18 for 128x128 images, against torchvision's with a pool taken out."""

import pytest
import torch
import torchvision
from torch import nn

from netgaze.models.alexnet import AlexNet
from netgaze.models.resnet import ResNet

RESNET18 = {"depths": [2, 2, 2, 2], "widths": [64, 128, 256, 512], "in_channels": 3, "num_classes": 100}


def test_resnet18_without_its_pool():
    own, other = ResNet(stem="imagenet_nopool", **RESNET18).eval(), torchvision.models.resnet18(num_classes=100).eval()
    other.maxpool = nn.Identity()
    own.load_state_dict(other.state_dict())
    images = torch.randn(2, 3, 128, 128)
    with torch.no_grad():
        maps = own.forward_features(images)
        assert maps.shape == (2, 512, 8, 8)  # what the course's average pool of 8 makes one of
        assert torch.allclose(own(images), other(images), atol=1e-4)
        features = own.forward_head(maps, pre_logits=True)
        assert torch.allclose(features, nn.functional.avg_pool2d(maps, 8).flatten(1), atol=1e-5)


def test_alexnet_without_its_first_pool():
    torch.manual_seed(0)
    own = AlexNet(form="nopool", hidden_dim=32, in_channels=3, num_classes=10).eval()
    layers = list(torchvision.models.alexnet(weights=None).features)
    other = nn.Sequential(*layers[:2], *layers[3:])
    other.load_state_dict(own.features.state_dict())
    images = torch.randn(2, 3, 128, 128)
    with torch.no_grad():
        maps = own.forward_features(images)
        assert maps.shape == (2, 256, 7, 7)
        assert torch.allclose(maps, other(images), atol=1e-5)
        assert torch.allclose(own(images), own.classifier(maps.flatten(1)), atol=1e-6)  # 7x7 is read as it is


def test_alexnets_layers_for_filters_and_maps_are_convolutions_and_what_follows_them():
    for form in ("torchvision", "nopool"):
        with torch.device("meta"):
            model = AlexNet(form=form, in_channels=3, num_classes=10)
        assert all(isinstance(model.get_submodule(name), nn.Conv2d) for name in model.filter_layers)
        kinds = [type(model.get_submodule(name)).__name__ for name in model.feature_layers]
        first = "MaxPool2d" if form == "torchvision" else "ReLU"
        assert kinds == [first, "MaxPool2d", "ReLU", "ReLU", "MaxPool2d"]


@pytest.mark.parametrize("make", [lambda: AlexNet(form="x", in_channels=3, num_classes=2)])
def test_an_unknown_form_is_refused(make):
    with pytest.raises(ValueError, match="one of torchvision, nopool, got x"):
        make()
