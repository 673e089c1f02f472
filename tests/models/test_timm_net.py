"""Timm's networks behind our contract; where timm is not installed, the sentence that says so."""

import sys

import pytest
import torch
from torch import nn

from netgaze.errors import NetgazeError
from netgaze.models.timm_net import TimmNet

FORMS = [
    ("resnet18", "maps"),
    ("mobilenetv3_small_050", "maps"),  # a hidden layer in its head
    ("convnext_atto", "maps"),  # a norm in its head
    ("vit_tiny_patch16_224", "tokens"),  # a class token
    ("mixer_s32_224", "tokens"),  # none
    ("swin_tiny_patch4_window7_224", "channels_last"),
]


def test_without_timm_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(NetgazeError, match=r"model=timm needs timm: pip install netgaze\[timm\]"):
        TimmNet(name="resnet18", image_size=32, in_channels=3, num_classes=10)


@pytest.fixture
def timm():
    return pytest.importorskip("timm", reason="timm is not here (pip install netgaze[timm])")


def network(name: str, **changes):
    return TimmNet(**{"name": name, "image_size": 64, "in_channels": 3, "num_classes": 5} | changes).eval()


@pytest.mark.usefixtures("timm")
class TestContract:
    @pytest.mark.parametrize(("name", "form"), FORMS)
    def test_features_head_and_maps(self, name, form):
        model = network(name)
        images = torch.randn(2, 3, 64, 64)
        maps = model.forward_features(images)
        features = model.forward_head(maps, pre_logits=True)
        assert model.form == form
        assert maps.shape == (2, model.num_features, 4, 4) if name.startswith("vit") else (2, model.num_features, 2, 2)
        assert features.shape == (2, model.head_hidden_size)
        if form == "channels_last":
            assert torch.equal(maps, model.network.forward_features(images).permute(0, 3, 1, 2))
        torch.testing.assert_close(model(images), model.fc(features))
        with torch.no_grad():
            assert model.class_maps(images).shape == (2, 5, *maps.shape[2:])
            assert model.class_maps(images).abs().sum() > 0
        assert model.class_filters().shape == (5, model.head_hidden_size)

    @pytest.mark.parametrize(("name", "form"), FORMS)
    def test_features_are_timms(self, timm, name, form):
        """Maps and back: the head is given what timm's own forward would give it."""
        model = network(name)
        images = torch.randn(2, 3, 64, 64)
        own = model.network.forward_head(model.network.forward_features(images), pre_logits=True)
        torch.testing.assert_close(model.forward_head(model.forward_features(images), pre_logits=True), own)

    @pytest.mark.parametrize(("name", "form"), FORMS)
    def test_named_layers_exist(self, name, form):
        model = network(name)
        assert model.filter_layers
        assert model.feature_layers
        assert all(isinstance(model.get_submodule(layer), nn.Conv2d) for layer in model.filter_layers)
        assert all(model.get_submodule(layer) for layer in model.feature_layers)

    @pytest.mark.parametrize("name", ["resnet18", "efficientnet_b0"])
    def test_nothing_is_in_place(self, timm, name):
        def in_place(module):
            return [layer for layer in module.modules() if getattr(layer, "inplace", False)]

        assert in_place(timm.create_model(name))
        assert not in_place(network(name))

    def test_the_head_alone_is_the_last_layer(self):
        model = network("mobilenetv3_small_050", in_channels=1)
        model.reset_classifier(3)
        assert model.head_layers == ("fc",)
        assert model(torch.randn(1, 1, 64, 64)).shape == (1, 3)
        assert {name for name, _ in model.named_children()} == {"network", "fc"}

    def test_it_is_ready_to_learn_and_untouched_by_the_trial(self):
        model = TimmNet(name="resnet18", image_size=32, in_channels=3, num_classes=5)
        assert all(module.training for module in model.modules())
        assert model.network.bn1.num_batches_tracked == 0


@pytest.mark.usefixtures("timm")
def test_patches_lie_where_they_are_in_the_image():
    """A patch of the embedding, carried through: row and column of the grid, not the other way round."""
    model = network("vit_tiny_patch16_224")
    model.network.blocks = model.network.norm = nn.Identity()
    nn.init.zeros_(model.network.pos_embed)
    images = torch.zeros(1, 3, 64, 64)
    images[:, :, 16:32, 48:64] = 1
    maps = model.forward_features(images)[0]
    odd = (maps - maps[:, :1, :1]).abs().sum(dim=0) > 0
    assert odd.nonzero().tolist() == [[1, 3]]


@pytest.mark.usefixtures("timm")
def test_what_is_given_to_one_size_is_built_for_it():
    assert network("vit_tiny_patch16_224", image_size=32).network.patch_embed.grid_size == (2, 2)


@pytest.mark.usefixtures("timm")
def test_further_arguments_are_timms():
    model = network("vit_tiny_patch16_224", kwargs={"patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 4})
    assert model.network.patch_embed.grid_size == (8, 8)
    assert len(model.network.blocks) == 2
    assert model.network.blocks[0].attn.num_heads == 4
    assert model.forward_features(torch.randn(2, 3, 64, 64)).shape == (2, 24, 8, 8)


@pytest.mark.usefixtures("timm")
@pytest.mark.parametrize(
    "name", ["img_size", "in_chans", "num_classes", "global_pool", "pretrained", "pretrained_cfg", "checkpoint_path"]
)
def test_what_is_chosen_elsewhere_is_no_further_argument(name):
    """A stored config of a stranger could otherwise name a file to load."""
    with pytest.raises(NetgazeError, match=f"model.kwargs: {name} cannot be chosen here"):
        network("vit_tiny_patch16_224", kwargs={"depth": 2, name: "anything"})


@pytest.mark.usefixtures("timm")
@pytest.mark.parametrize(
    ("name", "kwargs", "said"),
    [
        ("vit_tiny_patch16_224", {"patch": 4}, "unexpected keyword argument 'patch'"),
        ("resnet18", {"patch_size": 4}, "unexpected keyword argument 'patch_size'"),
        ("vit_tiny_patch16_224", {"num_heads": 5}, "cannot be used"),
    ],
    ids=str,
)
def test_further_arguments_that_do_not_fit_are_said(name, kwargs, said):
    with pytest.raises(NetgazeError, match=said):
        network(name, kwargs=kwargs)


@pytest.mark.usefixtures("timm")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("resnet19", "timm has no such network. Nearest names: resnet18"),
        ("inception_v3", "cannot be used with images of 32 pixels: .*Kernel size"),
        ("deit_tiny_distilled_patch16_224", "cannot be used with images of 32 pixels: .*(distill|no maps)"),
    ],
)
def test_what_cannot_be_is_said(name, said):
    with pytest.raises(NetgazeError, match=said):
        network(name, image_size=32)


@pytest.mark.parametrize("found", [torch.zeros(1, 8), torch.zeros(1, 7, 8), [torch.zeros(1, 8, 2, 2)]])
def test_features_without_a_grid_are_refused(found):
    class Network(nn.Module):
        num_prefix_tokens = 0

        def forward_features(self, images):
            return found

    from netgaze.models.timm_net import _form

    with pytest.raises(NetgazeError, match="no maps that its classifier reads"):
        _form(Network(), "odd", torch.zeros(1, 3, 32, 32))
