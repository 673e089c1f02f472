"""The speed record's network: its count, its whitening, and that a group begins by handing maps on."""

import pytest
import torch
from omegaconf import OmegaConf
from tests.conftest import CONF

from netgaze.build import build
from netgaze.errors import NetgazeError
from netgaze.models.airbench import AirbenchNet


def network(**changes):
    return AirbenchNet(**({"widths": [16, 32, 32], "in_channels": 3, "num_classes": 10} | changes))


def smooth_images(num: int) -> torch.Tensor:
    noise = torch.randn(num, 3, 34, 34, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.avg_pool2d(noise, 3, 1) * torch.tensor([1.0, 3.0, 0.5]).view(1, 3, 1, 1) + 0.2


def test_the_record_has_as_many_parameters():
    """1.97 million: counted by hand from the layers of airbench94 (24 -> 64 -> 64 -> 256 ... -> 10)."""
    settings = OmegaConf.to_container(OmegaConf.load(CONF / "model" / "airbench.yaml"))
    model = build(settings | {"in_channels": 3, "num_classes": 10})
    pairs = [(24, 64), (64, 64), (64, 256), (256, 256), (256, 256), (256, 256)]
    convolutions = sum(9 * a * b for a, b in pairs) + 24 * 12 + 24
    norms = 2 * sum(b for _, b in pairs)
    assert sum(p.numel() for p in model.parameters()) == convolutions + norms + 256 * 10
    assert sum(p.numel() for p in model.parameters() if not p.requires_grad) == 24 * 12 + norms // 2


def test_patches_come_out_white():
    model, images = network(), smooth_images(200)
    model.init_from_images(images)
    out = model.whiten(images)[:, :12].transpose(0, 1).flatten(1).double()  # the bias is zero
    moments = out @ out.T / out.shape[1]
    eigenvalues = torch.linalg.eigvalsh(_moments(images)).flip(0)
    assert torch.allclose(moments, torch.diag(eigenvalues / (eigenvalues + 5e-4)), atol=1e-4)


def _moments(images):
    patches = images.unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 12).double()
    return patches.T @ patches / len(patches)


def test_each_direction_is_there_with_both_signs_and_does_not_learn():
    model = network()
    model.init_from_images(smooth_images(50))
    weight = model.whiten.weight
    assert torch.equal(weight[:12], -weight[12:])
    assert not weight.requires_grad
    assert model.whiten.bias.requires_grad


def test_the_first_filters_of_a_convolution_hand_maps_on():
    maps = torch.randn(2, 24, 8, 8)
    assert torch.allclose(network().groups[0].conv1(maps)[:, :16], maps[:, :16], atol=1e-6)


def test_scales_of_norms_stay_one():
    norms = [m for m in network(depth=3).modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert len(norms) == 9
    assert all(not norm.weight.requires_grad and norm.bias.requires_grad for norm in norms)
    assert all((norm.momentum, norm.eps) == (0.4, 1e-12) for norm in norms)


def test_a_third_convolution_makes_the_rest_a_residual():
    group = network(depth=3).groups[0].eval()
    for layer in group.rest:
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.zeros_(layer.weight)
    maps = torch.randn(2, 24, 8, 8)
    first = group.act1(group.norm1(group.pool(group.conv1(maps))))
    assert torch.allclose(group(maps), torch.nn.functional.gelu(first))


def test_features_are_scaled_maxima():
    model, images = network().eval(), torch.randn(2, 3, 32, 32)
    maps = model.forward_features(images)
    assert maps.shape == (2, 32, 3, 3)
    assert torch.allclose(model.forward_head(maps, pre_logits=True), maps.amax(dim=(2, 3)) / 9)


def test_images_that_leave_no_map_are_refused_in_a_sentence():
    assert network().eval()(torch.randn(1, 3, 9, 9)).shape == (1, 10)
    with pytest.raises(NetgazeError, match="9 pixels a side or more, got 8x8"):
        network()(torch.randn(1, 3, 8, 8))
