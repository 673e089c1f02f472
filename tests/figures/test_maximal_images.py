"""Maximal images: against a loop over all images, and the image that is made for a channel."""

import numpy as np
import pytest
import torch
from tests.figures.test_figures import assert_readable, texts_of

from netgaze.drawing.examples import balanced_choice
from netgaze.errors import NetgazeError
from netgaze.figure import Finding
from netgaze.figures.maximal_images import MaximalImages
from netgaze.figures.maximal_images.search import make_robust


def naive_scores(subject, layer, rows):
    """The maximum over places of every channel, image by image, [N,C]."""
    model, data = subject.task.model.eval(), subject.data
    scores = []
    with torch.no_grad():
        for row in rows:
            maps = model.relu(model.bn1(model.conv1(data.normalize(data.images("test")[[row]]))))
            maps = model.layer1(maps)
            maps = maps if layer == "layer1" else model.layer2(maps)
            scores.append([max(channel.flatten().tolist()) for channel in maps[0]])
    return np.array(scores)


@pytest.mark.parametrize(("layer", "num_scored"), [("layer1", 40), ("layer2", 40), ("layer2", 17)])
def test_strongest_images_against_a_loop(supervised, layer, num_scored):
    rows = balanced_choice(supervised.data.labels("test").numpy(), num_scored, 3)
    scores = naive_scores(supervised, layer, rows)
    channels = [6, 1]
    figure = MaximalImages(layer=layer, channels=channels, num_each=5, num_scored=num_scored, steps=2, seed=3)
    finding = figure.compute(supervised)
    assert finding.numbers["num_scored"] == num_scored
    for place, channel in enumerate(channels):
        order = sorted(range(num_scored), key=lambda image, channel=channel: -scores[image, channel])[:5]
        assert finding.arrays["index"][place].tolist() == rows[order].tolist()
        assert finding.arrays["scores"][place] == pytest.approx(scores[order, channel], abs=1e-5)
        assert finding.numbers[f"channel {channel}/best_image"] == pytest.approx(scores[:, channel].max(), abs=1e-5)
        median = finding.numbers[f"channel {channel}/median_image"]
        assert median == pytest.approx(np.median(scores[:, channel]), abs=1e-5)
        for number, image in enumerate(finding.arrays["index"][place]):
            expected = supervised.data.images("test")[image].permute(1, 2, 0).numpy()
            np.testing.assert_array_equal(finding.arrays["images"][place, number], expected)


def test_dead_channels_are_not_chosen(supervised):
    model = supervised.task.model
    with torch.no_grad():
        for channel in range(0, 16, 4):  # nothing reaches the last ReLU of every fourth channel
            for norm in (model.layer2[0].bn2, model.layer2[0].downsample[1]):
                norm.weight[channel], norm.bias[channel] = 0.0, -1.0
    finding = MaximalImages(num_channels=16, steps=1).compute(supervised)
    assert finding.arrays["channels"].tolist() == [channel for channel in range(16) if channel % 4]
    assert finding.numbers["dead_channels"] == 0.25
    few = MaximalImages(num_channels=3, steps=1, seed=5).compute(supervised).arrays["channels"]
    assert len(set(few.tolist())) == 3
    assert (few % 4 != 0).all()
    with torch.no_grad():
        model.layer2[0].bn2.weight.zero_(), model.layer2[0].downsample[1].weight.zero_()
    with pytest.raises(NetgazeError, match="No channel of layer2 differs between images"):
        MaximalImages(steps=1).compute(supervised)


def test_the_optimized_image_answers_more_the_longer_it_is_sought(supervised):
    channels = [3, 7]
    short, long = (MaximalImages(channels=channels, steps=steps).compute(supervised) for steps in (1, 64))
    for place, channel in enumerate(channels):
        name = f"channel {channel}/optimized"
        assert long.numbers[name] > 1.1 * short.numbers[name]
        shown = torch.from_numpy(long.arrays["optimized"][place]).permute(2, 0, 1)[None]
        with torch.no_grad():
            maps = supervised.task.model.eval().forward_features(supervised.data.normalize(shown))
        assert long.numbers[name] == pytest.approx(float(maps[0, channel].max()), rel=0.02)


def test_a_channel_that_is_silent_on_gray_is_woken(supervised):
    model, data = supervised.task.model.eval(), supervised.data
    gray = data.normalize(torch.full((1, 3, 16, 16), 128, dtype=torch.uint8))
    kept = {}
    handle = model.layer2[0].relu2.register_forward_hook(lambda layer, inputs, output: kept.update(sum=inputs[0]))
    with torch.no_grad():
        model(gray)
        model.layer2[0].bn2.bias[4] -= kept["sum"][0, 4].max() + 0.2
        assert float(model.forward_features(gray)[0, 4].max()) == 0
    handle.remove()
    assert MaximalImages(channels=[4], steps=48).compute(supervised).numbers["channel 4/optimized"] > 0.1


@pytest.mark.parametrize("size", [8, 16, 32, 100])
def test_a_network_sees_the_size_that_it_knows(size):
    generator = torch.Generator().manual_seed(0)
    for _ in range(30):
        image = torch.rand(1, 3, size, size)
        for transform in make_robust(size, generator):
            image = transform(image)
        assert image.shape == (1, 3, size, size)
        assert float(image.min()) >= 0
        assert float(image.max()) <= 1


def test_the_seed_decides(supervised):
    first, second, other = (MaximalImages(steps=3, seed=seed).compute(supervised) for seed in (1, 1, 2))
    assert first.numbers == second.numbers
    np.testing.assert_array_equal(first.arrays["optimized"], second.arrays["optimized"])
    assert first.arrays["channels"].tolist() != other.arrays["channels"].tolist()


def test_what_does_not_exist_is_a_sentence(supervised):
    with pytest.raises(NetgazeError, match=r"no layer layer7\. Nearest names: layer"):
        MaximalImages(layer="layer7").compute(supervised)
    for channel in (16, -1):
        with pytest.raises(NetgazeError, match=f"layer2 has no channel {channel}"):
            MaximalImages(channels=[channel]).compute(supervised)
    with pytest.raises(NetgazeError, match="num_each=0 must be 1 or more"):
        MaximalImages(num_each=0)


def test_leaves_the_network_as_it_was(supervised):
    task = supervised.task
    task.train()
    task.model.conv1.weight.requires_grad = False
    weights = {name: value.clone() for name, value in task.state_dict().items()}
    generator = torch.get_rng_state()
    MaximalImages(steps=3).compute(supervised)
    assert all(module.training for module in task.modules())
    assert [name for name, p in task.named_parameters() if not p.requires_grad] == ["model.conv1.weight"]
    assert all(p.grad is None for p in task.parameters())
    assert not any(module._forward_hooks for module in task.modules())
    assert all(torch.equal(weights[name], value) for name, value in task.state_dict().items())
    assert torch.equal(generator, torch.get_rng_state())


@pytest.mark.parametrize("num_columns", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_draws_from_what_was_saved(subjects, tmp_path, num_columns):
    figure, findings = MaximalImages(steps=2), {}
    for number, subject in enumerate([*subjects[:3], *subjects[:2]][:num_columns]):
        figure.compute(subject).save(tmp_path / "found", "key")
        findings[f"{number} {subject.label}"] = Finding.load(tmp_path / "found", "key")
    findings[next(iter(findings))].arrays["scores"][0, 0] = -1234.5
    picture = figure.draw(findings)
    assert_readable(picture)
    words = [text for text, _ in texts_of(picture)]
    assert "-1,230" in words
    for channel in findings["0 supervised"].arrays["channels"]:
        assert any(text.startswith(f"channel {channel}: ") for text in words)
