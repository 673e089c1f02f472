"""Feature maps: against a pass image by image, and what is shown of them."""

import functools
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image
from tests.figures.test_deep_dream import subject_of
from tests.figures.test_figures import assert_readable, texts_of
from torch import nn

from netgaze.drawing.shown_layers import to_maps
from netgaze.errors import NetgazeError
from netgaze.figure import Finding
from netgaze.figures.feature_maps import FeatureMaps
from netgaze.models.base import PooledNet
from netgaze.models.siamese_cnn import SiameseCNN
from netgaze.tasks.siamese import Siamese
from netgaze.text import format_value

LAYERS = ["conv1", "layer1", "layer2"]


def by_hand(subject, images):
    """The maps of three layers, each image by itself: layer -> [N,C,h,w]."""
    model, found = subject.task.model.eval(), {layer: [] for layer in LAYERS}
    with torch.no_grad():
        for image in images:
            maps = model.conv1(subject.data.normalize(image[None]))
            found["conv1"].append(maps)
            maps = model.layer1(model.relu(model.bn1(maps)))
            found["layer1"].append(maps)
            found["layer2"].append(model.layer2(maps))
    return {layer: torch.cat(maps).numpy() for layer, maps in found.items()}


def silence(norms, channels):
    """Nothing that is above zero leaves these channels of the norms."""
    with torch.no_grad():
        for norm in norms:
            norm.weight[channels], norm.bias[channels] = 0.0, -1.0


@pytest.mark.parametrize("batch", [500, 7])
def test_against_a_pass_image_by_image(supervised, batch, monkeypatch):
    block = supervised.task.model.layer2[0]
    silence([block.bn2, block.downsample[1]], [2, 5, 11])
    monkeypatch.setattr(type(supervised.data), "test_batch_size", batch)
    finding = FeatureMaps(indices=[4, 17], channels=None).compute(supervised)
    assert finding.arrays["layers"].tolist() == LAYERS
    everything = by_hand(supervised, supervised.data.images("test"))
    for j, layer in enumerate(LAYERS):
        maps, of_two = everything[layer], everything[layer][[4, 17]]
        order = finding.arrays[f"channels{j}"]
        np.testing.assert_allclose(finding.arrays[f"maps{j}"], of_two[:, order], atol=1e-5)
        strength = [np.mean([abs(value) for value in of_two[:, k].ravel()]) for k in order]
        assert sorted(order.tolist()) == list(range(maps.shape[1]))
        assert all(strength[k] >= strength[k + 1] - 1e-6 for k in range(len(order) - 1))
        dead = [not (maps[:, k] > 0).any() for k in range(maps.shape[1])]
        assert finding.numbers[f"{layer}/dead"] == pytest.approx(np.mean(dead))
        assert finding.arrays[f"dead{j}"].tolist() == [dead[k] for k in order]
        assert finding.numbers[f"{layer}/active"] == pytest.approx((maps > 0).mean(), abs=1e-4)
        size = [finding.numbers[f"{layer}/{what}"] for what in ("channels", "height", "width")]
        assert size == list(maps.shape[1:])
    assert finding.numbers["layer2/dead"] == 3 / 16
    assert finding.numbers["num_scored"] == 40


def test_a_channel_that_one_image_of_the_split_wakes_is_not_dead(supervised):
    data, norm = supervised.data, supervised.task.model.bn1
    model = supervised.task.model.eval()
    with torch.no_grad():
        reached = model.bn1(model.conv1(data.normalize(data.images("test"))))[:, 3].flatten(1).amax(dim=1)
        first, second = reached.topk(2).values
        norm.bias[3] -= (first + second) / 2
    image = int(reached.argmin())
    figure = functools.partial(FeatureMaps, layers=["relu"], indices=[image], channels=None)
    finding = figure().compute(supervised)
    place = finding.arrays["channels0"].tolist().index(3)
    assert not finding.arrays["maps0"][0, place].any()
    assert not finding.arrays["dead0"][place]
    with torch.no_grad():
        norm.bias[3] -= first - second
    assert figure().compute(supervised).arrays["dead0"][place]


def test_at_most_so_many_channels_the_strongest_first(supervised):
    every, few = (FeatureMaps(layers=["layer2"], channels=number).compute(supervised) for number in (None, 3))
    assert few.arrays["maps0"].shape[1] == 3
    assert few.arrays["channels0"].tolist() == every.arrays["channels0"][:3].tolist()
    assert few.numbers == every.numbers


class Tokens(nn.Module):
    """A class token and the patches, [B,1+P,C]."""

    def forward(self, maps):
        patches = maps.flatten(2).transpose(1, 2)
        return torch.cat([patches.mean(dim=1, keepdim=True) + 7, patches], dim=1)


class Last(nn.Module):
    """Channels last, [B,h,w,C]."""

    def forward(self, maps):
        return maps.permute(0, 2, 3, 1)


class Odd(PooledNet):
    """A network whose layers give maps, tokens, channels last, features, a pair, and one that is passed by."""

    filter_layers = feature_layers = ()

    def __init__(self):
        super().__init__()
        self.maps, self.tokens, self.last, self.unused = nn.Conv2d(3, 5, 3), Tokens(), Last(), nn.ReLU()
        self.pair, self.fc, self.num_features = nn.MaxPool2d(2, return_indices=True), nn.Linear(5, 3), 5

    def forward_features(self, images):
        maps = self.maps(images)
        self.tokens(maps), self.last(maps), self.pair(maps)
        return maps


def test_tokens_channels_last_and_features_are_maps_too(data):
    subject = subject_of(data, Odd())
    finding = FeatureMaps(layers=["maps", "tokens", "last", "fc"], channels=None).compute(subject)
    maps, tokens, last, fc = (finding.arrays[f"maps{j}"] for j in range(4))
    assert maps.shape == (1, 5, 14, 14)
    np.testing.assert_allclose(tokens, maps, atol=1e-6)
    np.testing.assert_allclose(last, maps, atol=1e-6)
    assert fc.shape == (1, 3, 1, 1)
    assert finding.numbers["fc/channels"] == 3
    assert_readable(FeatureMaps().draw({"odd": finding}))


def test_what_gives_no_maps_is_a_sentence(data, supervised):
    subject = subject_of(data, Odd())
    with pytest.raises(NetgazeError, match="layer pair gives no tensor"):
        FeatureMaps(layers=["maps", "pair"]).compute(subject)
    with pytest.raises(NetgazeError, match="layer unused gives no tensor"):
        FeatureMaps(layers=["maps", "unused"]).compute(subject)
    assert not any(module._forward_hooks for module in subject.task.modules())
    with pytest.raises(NetgazeError, match=r"names no stages.*feature_maps\.layers=\[conv1\]"):
        FeatureMaps().compute(subject)
    with pytest.raises(NetgazeError, match=r"no layer layr2\. Nearest names: layer2"):
        FeatureMaps(layers=["conv1", "layr2"]).compute(supervised)
    with pytest.raises(NetgazeError, match="indices names image 400"):
        FeatureMaps(indices=[400]).compute(supervised)
    with pytest.raises(NetgazeError, match="gives no maps"):
        to_maps(torch.zeros(2, 3, 4, 5, 6), "cube")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"indices": [1], "images": ["a.png"]}, "only one of them"),
        ({"indices": []}, "names no image"),
        ({"channels": 0}, "channels=0 must be 1 or more"),
        ({"scale": "picture"}, "Choose from layer, channel"),
    ],
)
def test_arguments_that_do_not_fit(arguments, said):
    with pytest.raises(NetgazeError, match=said):
        FeatureMaps(**arguments)


def test_leaves_the_network_as_it_was(supervised):
    task = supervised.task
    task.train()
    task.model.bn1.eval()
    task.model.conv1.weight.requires_grad = False
    modes, weights = [module.training for module in task.modules()], [*task.state_dict().values()]
    weights, generator = [value.clone() for value in weights], torch.get_rng_state()
    FeatureMaps().compute(supervised)
    assert [module.training for module in task.modules()] == modes
    assert [name for name, p in task.named_parameters() if not p.requires_grad] == ["model.conv1.weight"]
    assert not any(module._forward_hooks for module in task.modules())
    assert all(torch.equal(old, new) for old, new in zip(weights, task.state_dict().values(), strict=True))
    assert torch.equal(generator, torch.get_rng_state())


def test_own_pictures_are_fitted_as_the_datas_are(supervised, tmp_path):
    paths = []
    for number in range(7):
        pixels = np.random.default_rng(number).integers(0, 255, (30, 20, 3), dtype=np.uint8)
        paths.append(str(tmp_path / f"photo {number}.png"))
        Image.fromarray(pixels).save(paths[-1])
    finding = FeatureMaps(images=paths, channels=None).compute(supervised)
    assert finding.arrays["names"].tolist() == [f"photo {number}.png" for number in range(6)]
    assert "Of 7 images the first 6 are shown." in finding.caption
    images = supervised.data.read_images(paths[:6])
    np.testing.assert_array_equal(finding.arrays["images"], images.permute(0, 2, 3, 1).numpy())
    maps = by_hand(supervised, images)["layer1"][:, finding.arrays["channels1"]]
    np.testing.assert_allclose(finding.arrays["maps1"], maps, atol=1e-5)
    path = Path(__file__).parents[2] / "conf" / "figure" / "feature_maps.yaml"
    config = OmegaConf.create({"images": ["a.jpg"], "figure": {"feature_maps": OmegaConf.load(path)}})
    assert list(config.figure.feature_maps.images) == ["a.jpg"]


@pytest.mark.parametrize("scale", ["layer", "channel"])
@pytest.mark.parametrize("num_columns", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_draws_from_what_was_saved(subjects, tmp_path, num_columns, scale):
    silence([subjects[0].task.model.bn1], [1, 6])
    figure, findings = FeatureMaps(layers=["relu", "layer2"], channels=8, indices=[0, 1], scale=scale), {}
    for number, subject in enumerate([*subjects[:3], *subjects[:2]][:num_columns]):
        figure.compute(subject).save(tmp_path / "found", "key")
        findings[f"{number} {subject.label}"] = Finding.load(tmp_path / "found", "key")
    picture = figure.draw(findings)
    assert_readable(picture)
    words = [text for text, _ in texts_of(picture)]
    first = next(iter(findings.values())).arrays
    names = {word.split("\n")[0] for word in words}
    assert first["channels0"][first["dead0"]].tolist() == [1, 6]
    for j in range(2):
        marks = [" ×" if dead else "" for dead in first[f"dead{j}"]]
        assert {f"{channel}{mark}" for channel, mark in zip(first[f"channels{j}"], marks, strict=True)} <= names
    unit = "activation" if scale == "layer" else "share of the channel's maximum"
    assert words.count(unit) == num_columns * 2 * 2


def test_colors_are_signed_only_where_values_are(supervised):
    finding = FeatureMaps(layers=["conv1", "layer1"]).compute(supervised)
    ticks = [text for text, _ in texts_of(FeatureMaps().draw({"run": finding}))]
    full = [np.quantile(np.abs(finding.arrays[f"maps{j}"]), 0.99) for j in range(2)]
    assert [f"-{format_value(full[0])}" in ticks, format_value(full[0]) in ticks] == [True, True]
    assert [f"-{format_value(full[1])}" in ticks, format_value(full[1]) in ticks] == [False, True]


def test_a_network_that_embeds(make_data):
    data = make_data()
    data.image_size = 100
    subject = subject_of(data, SiameseCNN(in_channels=3, num_classes=8), Siamese, embedding_dim=8)
    images = torch.randint(0, 255, (4, 3, 100, 100), dtype=torch.uint8)
    data._splits["test"] = type(data.splits["test"])(images, torch.tensor([0, 1, 2, 0]))
    data.stored_size = 100
    finding = FeatureMaps(channels=4).compute(subject)
    assert finding.arrays["layers"].tolist() == ["features.0", "features.2", "features.5", "features.7"]
    assert finding.numbers["num_scored"] == 4
