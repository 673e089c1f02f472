"""Every network under conf/model/ keeps the contract; published ones have their published sizes."""

import pytest
import torch
import torchvision
from omegaconf import OmegaConf
from tests.conftest import CONF

from netgaze.build import build
from netgaze.models.base import LinearNet, PooledNet
from netgaze.models.resnet import Bottleneck, ResNet
from netgaze.models.resnet_cifar import CifarResNet, OptionABlock
from netgaze.weights import IMAGENET_URL, load_weights

# But for a person's own, which test_own_net.py holds to the contract.
MODELS = sorted(path.stem for path in (CONF / "model").glob("*.yaml") if path.stem != "module")
# What is large is made thin, and shown images that it can read: the contract is of any size.
THIN = {name: {"widths": [8, 16, 32, 64]} for name in ("resnet18", "resnet18_128", "resnet50")}
THIN["alexnet"] = {"hidden_dim": 64}
THIN["alexnet_128"] = THIN["alexnet"]
THIN["vgg19"] = {"hidden_dim": 48, "widths": [8, 16, 32, 64, 64]}
SIZES = {"alexnet": 64, "siamese_cnn": 100}


def made(name: str, **changes):
    if name == "timm":
        pytest.importorskip("timm", reason="timm is not here (pip install netgaze[timm])")
    settings = OmegaConf.to_container(OmegaConf.load(CONF / "model" / f"{name}.yaml"))
    facts = {"in_channels": 3, "num_classes": 10, "image_size": 32}
    return build(
        settings | {name: value for name, value in facts.items() if name in settings} | THIN.get(name, {}) | changes
    )


def pictures(name: str, num: int):
    size = SIZES.get(name, 32)
    return torch.randn(num, 3, size, size)


@pytest.mark.parametrize("name", MODELS)
class TestContract:
    def test_head_on_features_is_the_network(self, name):
        model = made(name).eval()
        images = pictures(name, 2)
        maps = model.forward_features(images)
        features = model.forward_head(maps, pre_logits=True)
        assert maps.shape[:2] == (2, model.num_features)
        assert features.shape == (2, model.head_hidden_size)
        assert torch.equal(model(images), model.forward_head(maps))
        if isinstance(model, LinearNet):
            assert torch.allclose(model(images), model.get_classifier()(features))
        if isinstance(model, PooledNet):
            assert model.head_hidden_size == model.num_features
        assert torch.isfinite(model(images)).all()

    def test_every_parameter_gets_a_gradient(self, name):
        model = made(name)
        if name == "timm":  # which begins with the last norm of each block at zero, so that nothing behind it learns
            for module in model.modules():
                if isinstance(module, torch.nn.BatchNorm2d):
                    torch.nn.init.ones_(module.weight)
        model(pictures(name, 4)).square().sum().backward()
        learning = [(key, p.grad) for key, p in model.named_parameters() if p.requires_grad]
        without = [key for key, grad in learning if grad is None or not grad.abs().sum() > 0]
        assert without == []

    def test_class_maps_and_filters_are_of_the_classes(self, name):
        model = made(name, num_classes=7).eval()
        images = pictures(name, 2)
        maps = model.forward_features(images)
        with torch.no_grad():
            assert model.class_maps(images).shape == (2, 7, *maps.shape[2:])
        assert model.class_filters().shape[0] == 7
        if isinstance(model, LinearNet):
            assert model.class_filters().shape[1] == model.head_hidden_size
        if isinstance(model, PooledNet):
            logits = model.class_maps(images).mean(dim=(2, 3)) + model.get_classifier().bias
            torch.testing.assert_close(logits, model.forward_head(maps), rtol=1e-4, atol=1e-2)

    def test_the_head_is_what_makes_logits_of_maps(self, name):
        """Without its head layers a network gives the same maps, and its logits change with them alone."""
        model = made(name).eval()
        images = pictures(name, 2)
        maps, logits = model.forward_features(images), model(images)
        assert set(model.head_layers) <= {layer for layer, _ in model.named_modules()}
        for layer in model.head_layers:
            for parameter in model.get_submodule(layer).parameters():
                torch.nn.init.normal_(parameter)
        assert torch.equal(model.forward_features(images), maps)
        assert not torch.allclose(model(images), logits)

    def test_reset_classifier(self, name):
        model = made(name).eval()
        images = pictures(name, 2)
        features = model.forward_head(model.forward_features(images), pre_logits=True)
        model.reset_classifier(7)
        assert model(images).shape == (2, 7)
        assert torch.equal(model.forward_head(model.forward_features(images), pre_logits=True), features)

    def test_named_layers_exist(self, name):
        model = made(name)
        for layer in model.filter_layers:
            assert isinstance(model.get_submodule(layer), torch.nn.Conv2d)
        for layer in model.feature_layers:
            model.get_submodule(layer)
        assert model.filter_layers
        assert model.feature_layers

    def test_no_relu_is_in_place_or_shared(self, name):
        model = made(name).eval()
        relus = {key: module for key, module in model.named_modules() if isinstance(module, torch.nn.ReLU)}
        calls = dict.fromkeys(relus, 0)
        for key, module in relus.items():
            assert not module.inplace
            module.register_forward_hook(lambda *_, key=key: calls.update({key: calls[key] + 1}))
        model(pictures(name, 1))
        assert calls == dict.fromkeys(relus, 1)

    def test_one_seed_one_network(self, name):
        networks = []
        for _ in range(2):
            torch.manual_seed(3)
            networks.append(made(name).state_dict())
        assert all(torch.equal(networks[0][key], networks[1][key]) for key in networks[0])


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)])
def test_cifar_resnets_have_the_sizes_of_the_paper(depth, millions):
    """He et al. 2015, table 6."""
    count = sum(p.numel() for p in CifarResNet(depth=depth, in_channels=3, num_classes=10).parameters())
    assert round(count / 1e6, 2 if millions < 1 else 1) == millions


def test_resnet18_is_torchvisions():
    """Same names, same shapes, and with the same weights the same answers."""
    theirs = torchvision.models.resnet18().eval()
    ours = ResNet(depths=[2] * 4, widths=[64, 128, 256, 512], stem="imagenet", in_channels=3, num_classes=1000).eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(2, 3, 64, 64)
    assert torch.allclose(ours(images), theirs(images), atol=1e-5)


class TestResNet50:
    def network(self, **changes):
        standard = {"depths": [3, 4, 6, 3], "widths": [64, 128, 256, 512], "stem": "imagenet", "in_channels": 3}
        return ResNet(**standard | {"num_classes": 1000, "block": "bottleneck"} | changes)

    def test_torchvisions_file_loads_whole_and_answers_the_same(self, tmp_path):
        theirs, ours = torchvision.models.resnet50(weights=None).eval(), self.network().eval()
        torch.save(theirs.state_dict(), tmp_path / "resnet50.pth")
        report = load_weights(ours, str(tmp_path / "resnet50.pth"))
        assert (len(report.loaded), report.skipped, report.new) == (320, {}, [])
        assert sum(p.numel() for p in ours.parameters()) == 25_557_032
        images = torch.randn(2, 3, 64, 64)
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-4)

    def test_its_file_is_torchvisions_first(self):
        assert f"{IMAGENET_URL}/{self.network().imagenet_file}" == torchvision.models.ResNet50_Weights.IMAGENET1K_V1.url

    @pytest.mark.parametrize("change", [{"depths": [3, 4, 23, 3]}, {"in_channels": 1}, {"widths": [8, 16, 32, 64]}])
    def test_others_have_no_file(self, change):
        with torch.device("meta"):
            assert self.network(**change).imagenet_file is None

    def test_a_bottleneck_shows_its_3x3_filters(self):
        model = self.network(depths=[1], widths=[4])
        assert model.get_submodule(model.filter_layers[1]).kernel_size == (3, 3)
        assert isinstance(model.layer1[0], Bottleneck)

    def test_another_block_is_said(self):
        with pytest.raises(ValueError, match="expected block to be one of basic, bottleneck, got dense"):
            self.network(block="dense")


def test_stems():
    sizes = {"cifar": (4, 4), "imagenet": (1, 1)}
    for stem, size in sizes.items():
        model = ResNet(depths=[1] * 4, widths=[8] * 4, stem=stem, in_channels=1, num_classes=3).eval()
        assert model.forward_features(torch.randn(1, 1, 32, 32)).shape[-2:] == size


def test_option_a_shortcut_by_hand():
    """Every second pixel, zeros around the old channels."""
    block = OptionABlock(2, 4, stride=2)
    x = torch.arange(2 * 4 * 4.0).view(1, 2, 4, 4)
    expected = torch.zeros(1, 4, 2, 2)
    expected[0, 1] = torch.tensor([[0.0, 2.0], [8.0, 10.0]])
    expected[0, 2] = torch.tensor([[16.0, 18.0], [24.0, 26.0]])
    assert torch.equal(block.shortcut(x), expected)


@pytest.mark.parametrize("depth", [0, 2, 19, 21])
def test_wrong_depths_are_refused(depth):
    with pytest.raises(ValueError, match="6n\\+2"):
        CifarResNet(depth=depth, in_channels=3, num_classes=10)


def test_stages_must_match():
    with pytest.raises(ValueError, match="as many depths as widths"):
        ResNet(depths=[1, 1], widths=[8], stem="cifar", in_channels=3, num_classes=10)
