import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from tests.models import own_nets
from torch import nn

from netgaze import trusted
from netgaze.errors import NetgazeError
from netgaze.models.module import ModuleNet
from netgaze.models.own_net import OwnNet
from netgaze.tasks.base import split_off

# Of each network: its last layer, the layer of its last maps, whether their means are its features, stages.
FOUND = {
    "CourseNet": ("net.9", "net.5", False, ("net.1", "net.4", "net.5")),
    "Pooled": ("fc", "act", True, ("bn1", "bn2")),
    "Functional": ("fc2", "conv2", False, ("conv1", "conv2")),
    "ObjectOutput": ("classifier", "body.act", True, ("body.bn1", "body.bn2")),
    "Perceptron": ("net.3", None, True, ()),
    "ClassToken": ("head", "blocks.layers.1.norm1", False, ("blocks.layers.0",)),
}


@pytest.fixture
def made(request):
    torch.manual_seed(0)
    network = getattr(own_nets, request.param)()
    for module in network.modules():  # norms that do something
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
    return request.param, OwnNet(network, (3, 32, 32)).eval()


def images(num=3):
    return torch.randn(num, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def answer(name, network, shown):
    """The logits, or with a log-softmax what is as good."""
    found = network(shown)
    return found["logits"] if name == "ObjectOutput" else found


@pytest.mark.parametrize("made", FOUND, indirect=True)
class TestFound:
    def test_parts(self, made):
        name, model = made
        last, maps, pooled, stages = FOUND[name]
        assert model.last_layer == f"network.{last}"
        assert model._map_layer == (maps and f"network.{maps}")
        assert model._is_pooled is pooled
        assert model.feature_layers == tuple(f"network.{stage}" for stage in stages)
        assert len(model.remarks) == 1
        assert not any(getattr(module, "inplace", False) for module in model.modules())

    def test_answers_as_the_network_does(self, made):
        name, model = made
        untouched = copy.deepcopy(model.network)
        expected = answer(name, untouched, images())
        logits = model(images())
        if name == "Functional":
            logits = logits.log_softmax(dim=1)
        torch.testing.assert_close(logits, expected)

    def test_head_on_features_is_the_network(self, made):
        _, model = made
        maps = model.forward_features(images())
        features = model.forward_head(maps, pre_logits=True)
        assert maps.shape[:2] == (3, model.num_features)
        assert features.shape == (3, model.head_hidden_size)
        torch.testing.assert_close(model.forward_head(maps), model(images()))
        torch.testing.assert_close(model.get_classifier()(features), model(images()))

    def test_channels_may_lie_last_in_memory(self, made):
        name, model = made
        assert model.takes_channels_last is (name != "Functional")
        expected = model(images())
        if model.takes_channels_last:
            model.to(memory_format=torch.channels_last)
        last = images().contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(model(last), expected)
        torch.testing.assert_close(model.forward_head(model.forward_features(last)), expected)

    def test_modes_weights_and_draws_are_as_before(self, made):
        name, _ = made
        network = getattr(own_nets, name)().train()
        before, state = copy.deepcopy(network.state_dict()), torch.get_rng_state()
        OwnNet(network, (3, 32, 32))
        assert all(module.training for module in network.modules())
        assert torch.equal(torch.get_rng_state(), state)
        if name == "Perceptron":
            return  # whose weights were made just now
        assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
        assert all(parameter.grad is None for parameter in network.parameters())

    def test_class_maps_need_no_gradients_around_them(self, made):
        _, model = made
        expected = model.class_maps(images()).detach()
        assert expected.shape[:2] == (3, 10)
        with torch.inference_mode():
            torch.testing.assert_close(model.class_maps(images()), expected)

    def test_a_copy_answers_alike(self, made):
        _, model = made
        model.forward_features(images().requires_grad_())
        assert torch.equal(copy.deepcopy(model)(images()), model(images()))

    def test_head_layers_hold_the_last_layer_and_no_maps(self, made):
        _, model = made
        maps = model.forward_features(images()).detach().clone()
        for layer in model.head_layers:
            for parameter in model.get_submodule(layer).parameters():
                nn.init.normal_(parameter)
        assert torch.equal(model.forward_features(images()), maps) or model._map_layer is None
        (head,) = model.head_layers
        assert f"{model.last_layer}.".startswith(f"{head}.")

    def test_reset_classifier(self, made):
        _, model = made
        features = model.forward_head(model.forward_features(images()), pre_logits=True)
        model.reset_classifier(7)
        assert model(images()).shape == (3, 7)
        assert torch.equal(model.forward_head(model.forward_features(images()), pre_logits=True), features)

    def test_what_is_split_off_is_all_but_the_head(self, made):
        _, model = made
        modules, parameters = split_off(model, model.head_layers)
        inside = [*parameters, *(parameter for module in modules for parameter in module.parameters())]
        head = [p for layer in model.head_layers for p in model.get_submodule(layer).parameters()]
        assert sorted(map(id, [*inside, *head])) == sorted(map(id, model.parameters()))


class SignedGradCAM(GradCAM):
    """Grad-CAM before its ReLU and before it is scaled."""

    def get_cam_image(self, *args, **kwargs):
        self.signed = super().get_cam_image(*args, **kwargs)
        return self.signed


@pytest.mark.parametrize(("made", "places"), [("CourseNet", 64), ("Functional", 100)], indirect=["made"])
def test_maps_by_gradients_are_grad_cam(made, places):
    """Another's Grad-CAM on the same layer averages the gradients that are summed here."""
    name, model = made
    found = model.class_maps(images()).detach()
    layer = model.get_submodule(model._map_layer)
    if name == "Functional":  # whose answer is a log-softmax, and what comes after its maps writes into them
        untouched = copy.deepcopy(model.network)
        first = [nn.Sequential(untouched.conv1, nn.ReLU(), nn.MaxPool2d(2)), untouched.conv2]
        rest = [nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), untouched.fc1, nn.ReLU(), untouched.fc2]
        network, layer = nn.Sequential(*first, *rest), untouched.conv2
    else:
        network = model
    for target in (0, 4):
        with SignedGradCAM(network, [layer]) as method:
            method(images(), [ClassifierOutputTarget(target)] * 3)
        np.testing.assert_allclose(found[:, target], np.asarray(method.signed) * places, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("made", ["Pooled", "ObjectOutput", "Perceptron"], indirect=True)
def test_exact_maps_have_the_logits_as_their_means(made):
    _, model = made
    means = model.class_maps(images()).mean(dim=(2, 3)) + model.get_classifier().bias
    torch.testing.assert_close(means, model(images()), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("made", ["ClassToken"], indirect=True)
def test_maps_of_a_class_token_are_what_its_head_reads_of_patches(made):
    """By hand: the last block takes the place of the network from where its first norm has run."""
    _, model = made
    network = model.network
    with torch.no_grad():
        x = network.embed(images()).flatten(2).transpose(1, 2)
        x = torch.cat([network.token.expand(3, -1, -1), x], 1) + network.place
        x = network.blocks.layers[0](x)
        block, normed = network.blocks.layers[1], network.blocks.layers[1].norm1(x)
    leaf = normed.clone().requires_grad_()
    inner = x + block.self_attn(leaf, leaf, leaf, need_weights=False)[0]
    inner = inner + block._ff_block(block.norm2(inner))
    logits = network.head(network.norm(inner)[:, 0])
    expected = []
    for target in range(10):
        (gradient,) = torch.autograd.grad(logits[:, target].sum(), leaf, retain_graph=True)
        weights = gradient[:, 1:].sum(dim=1)
        expected.append(torch.einsum("bpf,bf->bp", normed[:, 1:], weights).unflatten(1, (4, 4)))
    torch.testing.assert_close(model.class_maps(images()), torch.stack(expected, dim=1), rtol=1e-3, atol=1e-6)


def test_other_maps_than_the_latest_have_no_head_but_a_pooled_one():
    pooled, plain = (OwnNet(network(), (3, 32, 32)).eval() for network in (own_nets.Pooled, own_nets.CourseNet))
    maps = pooled.forward_features(images())
    pooled.forward_features(images() + 1)
    torch.testing.assert_close(pooled.forward_head(maps), pooled(images()), rtol=1e-4, atol=1e-5)
    maps = plain.forward_features(images())
    plain.forward_features(images() + 1)
    with pytest.raises(RuntimeError, match="latest"):
        plain.forward_head(maps)


def test_dropout_in_training_is_what_the_head_reads():
    """Features of one pass belong together: of pooled maps the dropout behind them must not be forgotten."""
    network = own_nets.Pooled()
    network.pool = nn.Sequential(network.pool, nn.Dropout(0.9))
    model = OwnNet(network, (3, 32, 32)).train()
    assert model._is_pooled
    features = model.forward_head(model.forward_features(images()), pre_logits=True)
    assert (features == 0).float().mean() > 0.5


def test_the_last_of_several_layers_that_could_be_it():
    ends = [nn.Flatten(), nn.Linear(16 * 4, 10), nn.ReLU(), nn.Linear(10, 10)]
    model = OwnNet(nn.Sequential(nn.Conv2d(3, 16, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(2), *ends), (3, 32, 32))
    assert model.last_layer == "network.6"
    assert model._map_layer == "network.1", "a pool to a fixed size is of the head"


def test_stages_are_the_outermost_layers_of_each_size():
    """The first layer of a stage may give maps of the size before."""
    stages = [
        nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU()),
        nn.Sequential(nn.GroupNorm(2, 8), nn.Conv2d(8, 8, 3, 2), nn.ReLU()),
        nn.Sequential(nn.GroupNorm(2, 8), nn.Conv2d(8, 8, 3, 2), nn.ReLU()),
    ]
    model = OwnNet(nn.Sequential(*stages, nn.Flatten(), nn.Linear(8 * 49, 10)), (3, 32, 32))
    assert model.feature_layers == ("network.0", "network.1", "network.2")


class TestTyped:
    def test_layers(self):
        model = OwnNet(
            own_nets.CourseNet(), (3, 32, 32), map_layer="net.4", feature_layers=["net.1"], filter_layers=["net.3"]
        )
        assert model._map_layer == "network.net.4"
        assert model.forward_features(images()).shape == (3, 16, 16, 16)
        assert (model.feature_layers, model.filter_layers) == (("network.net.1",), ("network.net.3",))

    def test_output(self):
        model = OwnNet(own_nets.TwoHeads(), (3, 32, 32), output=1).eval()
        assert model.last_layer == "network.other"
        assert torch.equal(model(images()), model.network(images())[1])

    @pytest.mark.parametrize(
        ("network", "typed", "words"),
        [
            (own_nets.TwoHeads, {}, r"several tensors \(0 \[2, 10\], 1 \[2, 4\]\).*model.output=0"),
            (own_nets.Tempered, {}, "what follows its last linear layer, fc, changes the logits"),
            (own_nets.NoEnd, {}, "no linear layer"),
            (own_nets.Pooled, {"last_layer": "conv1"}, "model.last_layer=conv1 gives no logits.*fc"),
            (own_nets.Pooled, {"map_layer": "fc"}, "model.map_layer=fc gives no maps.*conv1, bn1, act"),
            (own_nets.Pooled, {"feature_layers": ["layer9"]}, "no layer layer9"),
            (nn.Identity, {}, "a classifier outputs"),
        ],
    )
    def test_mistakes(self, network, typed, words):
        with pytest.raises(NetgazeError, match=words):
            OwnNet(network(), (3, 32, 32), **typed)

    def test_images_that_it_cannot_read(self):
        with pytest.raises(NetgazeError, match="Pooled cannot read images of 1x32x32"):
            OwnNet(own_nets.Pooled(), (1, 32, 32))


def module_net(target, **more):
    return ModuleNet(target=target, image_size=32, in_channels=3, num_classes=5, **more)


class TestModule:
    @pytest.fixture(autouse=True)
    def own_file(self, tmp_path, monkeypatch):
        text = Path(own_nets.__file__).read_text(encoding="utf-8")
        (tmp_path / "brought_nets.py").write_text(text + "import brought_beside\n", encoding="utf-8")
        (tmp_path / "brought_beside.py").touch()
        (tmp_path / "broken_net.py").write_text("import no_such_thing\n", encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.path", list(__import__("sys").path))
        monkeypatch.setenv(trusted.TRUST, "")

    @pytest.mark.parametrize("target", ["brought_nets.CourseNet", "brought_nets.py:CourseNet"])
    def test_by_name_or_by_file(self, target):
        trusted.trust(target)
        model = module_net(target, kwargs={"width": 4})
        assert model.network.net[0].out_channels == 4
        assert model(images()).shape == (3, 5)
        assert "a fresh one of 5" in model.remarks[1]
        assert module_net(target).network.net[0].out_channels == 8

    def test_number_of_classes_is_the_tasks_where_it_is_asked_for(self):
        trusted.trust("brought_nets.py")
        model = module_net("brought_nets.py:ObjectOutput")
        assert model.get_classifier().out_features == 5
        assert len(model.remarks) == 1
        assert len(module_net("brought_nets.py:ObjectOutput", kwargs={"num_classes": 9}).remarks) == 2

    def test_a_function_that_was_typed(self):
        trusted.trust("brought_nets.py:make_pooled")
        assert module_net("brought_nets.py:make_pooled")(images()).shape == (3, 5)

    @pytest.mark.parametrize(
        ("target", "more", "words"),
        [
            ("brought_nets.py:Nothing", {}, "cannot be found"),
            ("broken_net.Net", {}, "No module named 'no_such_thing'"),
            ("no_such_file.py:Net", {}, "there is no file"),
            ("brought_nets.py:Pooled", {"kwargs": {"depth": 3}}, "refuses model.kwargs={'depth': 3}"),
            ("brought_nets.py:images", {}, "cannot be found"),
            ("brought_nets.py:Output", {}, "makes a Output, not a torch.nn.Module"),
        ],
    )
    def test_mistakes(self, target, more, words):
        trusted.trust(target)
        with pytest.raises(NetgazeError, match=words):
            module_net(target, **more)

    @pytest.mark.parametrize("target", ["torch.hub.load", "torchvision.models.resnet18"])
    def test_a_function_that_was_not_typed(self, target):
        with pytest.raises(NetgazeError, match="is refused: it is not a network class"):
            module_net(target)
