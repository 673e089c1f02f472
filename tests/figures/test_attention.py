"""Attention of a small transformer against a loop of its own, who is left out, and where it lies on the page."""

import functools
import json
import math

import matplotlib
import numpy as np
import pytest
import torch
from tests.conftest import NO_FIGURES
from tests.figures.conftest import SIZE
from tests.figures.reader import assert_shows, find_line, make_pictures, read
from tests.figures.test_figures import assert_readable, make_figure
from tests.tiny_runs import train
from torch import nn

from netgaze.drawing.evidence import overlay
from netgaze.drawing.heat import choose_masked, enlarge, score_pointing
from netgaze.errors import NetgazeError
from netgaze.experiment import open_run
from netgaze.figure import Finding
from netgaze.figures.attention import Attention
from netgaze.gallery import look
from netgaze.models.base import LinearNet
from netgaze.schedules import Constant
from netgaze.subject import Subject
from netgaze.tasks.supervised import Supervised

SIDE, WIDTH, HEADS = 4, 12, 3


class Transformer(LinearNet):
    """Patches of 4x4 behind a class token, two layers of torch's own; what `read` picks of it, or its mean, is read."""

    last_layer, filter_layers, feature_layers, num_features = "fc", ("patches",), ("layers.0", "layers.1"), WIDTH

    def __init__(self, *, in_channels=3, num_classes=3, read=0):
        super().__init__()
        pitch = SIZE // SIDE
        self.patches = nn.Conv2d(in_channels, WIDTH, pitch, pitch)
        self.first = nn.Parameter(torch.randn(1, 1, WIDTH))
        self.places = nn.Parameter(torch.randn(1, SIDE**2 + 1, WIDTH))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(WIDTH, HEADS, 2 * WIDTH, batch_first=True) for _ in range(2)
        )
        self.fc, self.read = nn.Linear(WIDTH, num_classes), read

    def forward_tokens(self, images):
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.first.expand(len(images), -1, -1), tokens], dim=1) + self.places
        for layer in self.layers:
            tokens = layer(tokens)
        return tokens

    def forward(self, images):
        tokens = self.forward_tokens(images)
        picked = tokens[:, self.read]
        return self.fc(picked if picked.ndim == 2 else picked.mean(dim=1))


def make_subject(data, label="transformer", seed=0, **changes):
    torch.manual_seed(seed)
    model = Transformer(in_channels=data.num_channels, num_classes=data.num_classes, **changes)
    with torch.no_grad():  # sharper than the first weights, whose attention is even
        for layer in model.layers:
            layer.self_attn.in_proj_weight.mul_(2)
    optimizer = functools.partial(torch.optim.SGD, lr=0.1)
    task = Supervised(model=model, num_classes=data.num_classes, optimizer=optimizer, schedule=Constant())
    task.name_classes(data.class_names)
    return Subject(label, task=lambda: task, data=lambda: data, training=True, config={}, control=seed > 0)


@torch.no_grad()
def list_weights(subject, index):
    """Weights of each layer for images, as torch's layers give them, [B,H,T,T]."""
    model = subject.task.eval().model
    images = subject.data.normalize(subject.data.images("test", index))
    inputs = []
    handles = [layer.register_forward_pre_hook(lambda _, args: inputs.append(args[0])) for layer in model.layers]
    with torch.enable_grad():  # in which torch takes no fast path
        model(images)
    for handle in handles:
        handle.remove()
    pairs = zip(model.layers, inputs, strict=True)
    return [layer.self_attn(x, x, x, need_weights=True, average_attn_weights=False)[1] for layer, x in pairs]


def roll_by_hand(weights, row):
    """Of one image, in NumPy: layers [L,H,T,T] -> the row or the mean of rows."""
    rolled = np.eye(SIDE**2 + 1)
    for layer in weights:
        rolled = (0.5 * layer.mean(axis=0) + 0.5 * np.eye(len(rolled))) @ rolled
    return rolled[row].reshape(-1, len(rolled)).mean(axis=0)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (0, "the class token"),
        (slice(1, None), "the mean of the patches"),
        (slice(0, None), "the mean of 17 of 17 tokens"),
    ],
    ids=str,
)
def test_maps_are_rolled_out_from_what_is_read(data, row, words):
    finding = Attention(indices=[7, 2]).compute(make_subject(data, read=row))
    weights = torch.stack(list_weights(make_subject(data, read=row), [7, 2])).numpy()
    for place in range(2):
        patches = roll_by_hand(weights[:, place], row)[1:].reshape(SIDE, SIDE)
        expected = enlarge(torch.from_numpy(patches / patches.mean() - 1)[None].float(), (SIZE, SIZE))[0]
        np.testing.assert_allclose(finding.arrays["maps"][place], expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(finding.arrays["images"], data.images("test")[[7, 2]].permute(0, 2, 3, 1))
    assert finding.arrays["true"].tolist() == [data.class_names[data.labels("test")[place]] for place in (7, 2)]
    assert str(finding.arrays["reads"]) == words
    assert words in finding.caption


def test_numbers_are_means_over_images_heads_and_layers(data):
    """Of more images than are looked at together."""
    finding = Attention(num_images=20).compute(make_subject(data))
    index, masks = choose_masked(make_subject(data), 20, 20, 0)
    assert len(index) == 20
    weights = torch.stack(list_weights(make_subject(data), index)).double().numpy()  # [L,B,H,T,T]
    rows = np.arange(SIDE**2) // SIDE, np.arange(SIDE**2) % SIDE
    apart = np.hypot(*(line[:, None] - line for line in rows)) * SIZE / SIDE
    among = weights[..., 1:, 1:] / weights[..., 1:, 1:].sum(axis=-1, keepdims=True)
    distances = (among * apart).sum(axis=-1).mean(axis=(1, 3))  # [L,H]
    entropies = -(weights * np.log(weights)).sum(axis=-1).mean(axis=(1, 3)) / math.log(SIDE**2 + 1)
    np.testing.assert_allclose(finding.arrays["distances"], distances.ravel(), rtol=1e-4)
    np.testing.assert_allclose(finding.arrays["entropies"], entropies.ravel(), rtol=1e-4)
    assert finding.arrays["layers"].tolist() == [0] * HEADS + [1] * HEADS
    numbers = finding.numbers
    assert numbers["distance"] == pytest.approx(distances.mean(), rel=1e-4)
    assert numbers["entropy"] == pytest.approx(entropies.mean(), rel=1e-4)
    assert numbers["distance_even"] == pytest.approx(apart.mean())
    assert (numbers["num_layers"], numbers["num_heads"], numbers["map_height"]) == (2, 6, SIDE)
    maps = [roll_by_hand(weights[:, place], 0)[1:].reshape(SIDE, SIDE) for place in range(20)]
    maps = torch.from_numpy(np.stack([each / each.mean() - 1 for each in maps])).float()
    expected = score_pointing(enlarge(maps, masks.shape[-2:]), masks)
    assert {name: numbers[name] for name in expected} == pytest.approx(expected, rel=1e-4)
    assert numbers["num_scored"] == numbers["num_images"] == 20
    table = Attention().table(finding)
    assert [row["layer"] for row in table] == [1, 2]
    np.testing.assert_allclose([row["distance"] for row in table], distances.mean(axis=1), rtol=1e-4)
    np.testing.assert_allclose([row["distance_lowest"] for row in table], distances.min(axis=1), rtol=1e-4)
    np.testing.assert_allclose([row["distance_highest"] for row in table], distances.max(axis=1), rtol=1e-4)
    np.testing.assert_allclose([row["entropy"] for row in table], entropies.mean(axis=1), rtol=1e-4)


def test_what_has_no_attention_is_left_out_in_a_sentence(data, subjects, tmp_path, caplog):
    caplog.set_level("INFO")
    seen = look({"attention": Attention(num_images=5)}, [make_subject(data), *subjects], tmp_path)
    said = json.loads((tmp_path / "attention.json").read_text())
    assert list(seen["attention"]) == ["transformer"]
    assert said["left_out"] == {
        "supervised": "no attention",
        "rotation with a longer label, lr=0.1": "no attention",
        "untrained": "no attention",
        "raw pixels": "no task and no attention",
    }
    assert not look({"attention": Attention()}, subjects, tmp_path)
    assert "attention is left out: supervised has no attention" in caplog.text


def test_whether_there_is_attention_is_asked_only_where_it_counts(data, monkeypatch):
    subject = make_subject(data)
    monkeypatch.setattr(Transformer, "forward", None)
    assert subject.lacks(("task", "data")) == []
    monkeypatch.undo()
    assert subject.lacks(("attention",)) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"num_shared": 0}, r"figure.attention.num_shared=0 must be 1 or more"),
        ({"num_images": 0}, r"figure.attention.num_images=0 must be 1 or more"),
        ({"indices": []}, "names no image"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_is_said(arguments, words):
    with pytest.raises(NetgazeError, match=words):
        Attention(**arguments)


def test_it_leaves_the_network_as_it_was(data):
    subject = make_subject(data)
    task = subject.task.train()
    task.model.patches.requires_grad_(False)
    before, drawn = {name: value.clone() for name, value in task.state_dict().items()}, torch.get_rng_state()
    make_figure("attention", num_images=5).compute(subject)
    assert all(module.training for module in task.modules())
    assert [name for name, p in task.named_parameters() if not p.requires_grad] == [
        "model.patches.weight",
        "model.patches.bias",
    ]
    assert all(parameter.grad is None for parameter in task.parameters())
    assert all(torch.equal(before[name], value) for name, value in task.state_dict().items())
    assert torch.equal(drawn, torch.get_rng_state())


@pytest.mark.parametrize("num", [1, 2, 4, 5, 7])
def test_it_can_be_read_from_what_was_saved(num, data, tmp_path):
    figure, findings = make_figure("attention", num_images=5), {}
    for number in range(min(num, 2)):
        figure.compute(make_subject(data, seed=number)).save(tmp_path / str(number), "key")
        findings[f"ViT, ImageNet weights, lr=0.0{number}"] = Finding.load(tmp_path / str(number), "key")
    for number in range(2, num):
        findings[f"ViT, ImageNet weights, lr=0.0{number}"] = Finding.load(tmp_path / "1", "key")
    before = dict(matplotlib.rcParams)
    assert_readable(figure.draw(findings))
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("arguments", [{"num_channels": 1, "num_classes": 40}, {"num_classes": 2}], ids=str)
def test_gray_images_and_other_numbers_of_classes(arguments, make_data):
    data = make_data(sizes=(("train", 90), ("val", 40), ("test", 45)), **arguments)
    figure = make_figure("attention", num_images=5)
    assert_readable(figure.draw({"a": figure.compute(make_subject(data))}))


def test_data_without_masks_is_not_scored(data, monkeypatch):
    monkeypatch.setattr(type(data), "masks", lambda *_: None)
    finding = Attention(num_images=5).compute(make_subject(data))
    assert not {"peak_on_object", "num_scored"} & finding.numbers.keys()
    assert "object" not in read(Attention().draw({"a": finding})).text


PICTURES = make_pictures(2, 3)


def make_finding(place, scale=1.0):
    maps = scale * np.random.default_rng(place).normal(size=(3, 4, 4))
    distances = np.array([3.0, 5.0, 4.0, 9.0, 10.0]) + place
    numbers = {"distance": 6.0 + place, "distance_even": 8.0, "entropy": 0.5 + 0.1 * place}
    numbers |= {"map_height": 7 + place, "map_width": 7 + place, "num_images": 5}
    numbers |= {"peak_on_object": 0.7, "center_on_object": 0.6, "mass_on_object": 0.4, "object_area": 0.2}
    arrays = {"images": PICTURES[place], "maps": maps, "true": np.array(["cat", "dog", "emu"])}
    arrays |= {"layers": np.array([0, 0, 0, 1, 1]), "distances": distances, "reads": np.array("the class token")}
    return Finding(numbers, arrays)


@pytest.fixture
def findings():
    return {"one": make_finding(0), "two": make_finding(1, scale=0.1)}


@pytest.fixture
def drawn(findings):
    return read(Attention().draw(findings))


def test_each_image_is_left_of_its_map_and_all_maps_have_one_scale(drawn, findings):
    scale = float(np.quantile(np.abs(np.concatenate([it.arrays["maps"] for it in findings.values()])), 0.99))
    lines = drawn.grid()
    assert len(lines) == 3
    for number, line in enumerate(lines):
        expected = []
        for finding in findings.values():
            picture = finding.arrays["images"][number]
            expected += [picture, overlay(picture, finding.arrays["maps"][number], scale)]
        assert_shows(line, expected)
        for tile in line[::2]:
            assert [each.text for each in drawn.words_below(tile, within=0.2)] == [["cat", "dog", "emu"][number]]
    assert [(bar.low, bar.high) for bar in drawn.color_bars] == [(-scale, scale)] * 2


def test_distances_stand_below_their_network(drawn, findings):
    tiles = drawn.grid()[-1]
    assert len(drawn.plots) == 2
    for plot, finding, tile in zip(drawn.plots, findings.values(), tiles[::2], strict=True):
        distances = finding.arrays["distances"]
        heads = find_line(plot, distances)
        assert heads.x == [1, 1, 1, 2, 2]
        assert heads.marker == "o"
        mean = find_line(plot, [distances[:3].mean(), distances[3:].mean()])
        assert mean.x == [1, 2]
        assert find_line(plot, [8.0, 8.0]).style == ":"
        assert plot.ylim == (0, pytest.approx(1.1 * 11))
        assert plot.y > tile.y
        assert tile.x < plot.middle[0] < tile.x + 2.7
    assert set(drawn.legend) == {"a head", "mean of the layer", "even attention"}


def test_captions_say_the_numbers(drawn):
    for words in ("7x7 map from the class token", "distance 6.0 px (even 8.0), entropy 0.50"):
        drawn.say(words)
    for words in ("8x8 map from", "distance 7.0 px (even 8.0), entropy 0.60"):
        drawn.say(words)
    assert drawn.text.count("map peak on object 70.0% (image center 60.0%), evidence on object 40.0%") == 2
    assert drawn.text.count("(area 20.0%)") == 2


@pytest.mark.slow
def test_a_run_of_timms_transformer(tmp_path):
    """Trained, opened again by its folder, and looked at; the class maps beside it."""
    pytest.importorskip("timm", reason="timm is not here (pip install netgaze[timm])")
    words = ["data=shapes", "data.limit=100", "trainer.max_epochs=1", "trainer.precision=32", "trainer.threads=1"]
    model = ["model=timm", "model.name=vit_tiny_patch16_224", "optim=adamw"]
    model += ["model.kwargs={patch_size:4,embed_dim:24,depth:2,num_heads:3}"]
    folder = train(tmp_path / "run", *words, *model, *NO_FIGURES)
    subject = open_run(folder, label="ViT")
    figures = {"attention": make_figure("attention", num_images=10), "cam": make_figure("cam", num_scored=10)}
    found = look(figures, [subject], tmp_path / "seen")
    numbers = found["attention"]["ViT"].numbers
    assert (numbers["num_layers"], numbers["num_heads"], numbers["map_height"]) == (2, 6, 8)
    assert found["cam"]["ViT"].numbers["map_height"] == 8
    assert str(found["attention"]["ViT"].arrays["reads"]) == "the mean of the patches"
    assert (tmp_path / "seen" / "attention.png").stat().st_size > 2000
