"""Gradient maps against grad-cam on a head of several layers, against CAM on a pooled one, and a head by hand."""

import numpy as np
import pytest
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

from netgaze.models.gradcam import compute_gradient_maps
from netgaze.models.resnet import ResNet
from netgaze.models.vgg import VGG


class SignedGradCAM(GradCAM):
    """Keeps what it adds up before it takes the positive part and scales it."""

    def get_cam_image(self, *arguments, **named):
        self.signed = super().get_cam_image(*arguments, **named)
        return self.signed


def vgg():
    torch.manual_seed(0)
    return VGG(depths=[1, 1], widths=[6, 8], hidden_dim=16, in_channels=3, num_classes=4).eval()


def images(num=3):
    return torch.randn(num, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("target", range(4))
def test_is_grad_cam_before_its_relu_times_the_places(target):
    """Grad-cam averages the gradients over the 8x8 places, here they are summed."""
    model = vgg()
    with torch.no_grad():
        all_maps = model.class_maps(images())
    with SignedGradCAM(model, [model.features[-1]]) as method:
        method(images(), [ClassifierOutputTarget(target)] * 3)
    assert all_maps.min() < 0 < all_maps.max()
    np.testing.assert_allclose(all_maps[:, target], method.signed * 64, rtol=1e-4, atol=1e-7)


def test_is_cam_on_a_pooled_linear_head():
    model = ResNet(depths=[1, 1], widths=[4, 8], stem="cifar", in_channels=3, num_classes=5).eval()
    maps = model.forward_features(images()).detach()
    torch.testing.assert_close(
        compute_gradient_maps(model.forward_head, maps), model.class_maps(images()), rtol=1e-4, atol=1e-5
    )


def test_a_head_by_hand():
    """One logit is the square of the sum of map 0, so its gradient is twice that sum at each of the 2x2 places."""
    maps = torch.tensor([[[[1.0, 2.0], [3.0, -1.0]], [[5.0, 5.0], [5.0, 5.0]]]])
    found = compute_gradient_maps(lambda maps: maps[:, :1].sum(dim=(2, 3)) ** 2, maps)
    assert torch.equal(found, 4 * 2 * 5.0 * maps[:, :1])


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_needs_no_gradients_around_it_and_leaves_none(mode):
    model = vgg()
    expected = model.class_maps(images())
    with mode():
        found = model.class_maps(images())
    assert torch.equal(found, expected)
    assert not expected.requires_grad
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_frozen_network_has_maps():
    model = vgg().requires_grad_(False)
    assert model.class_maps(images()).abs().sum() > 0


def test_each_image_for_itself():
    model = vgg()
    together, alone = (model.class_maps(images()[:num]) for num in (3, 1))
    torch.testing.assert_close(together[:1], alone)


def test_classes_are_in_order():
    """A class whose last row is zero has an empty map."""
    model = vgg()
    nn.init.zeros_(model.get_classifier().weight[2])
    found = model.class_maps(images()).abs().sum(dim=(0, 2, 3))
    assert (found > 0).tolist() == [True, True, False, True]
