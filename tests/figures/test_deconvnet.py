"""The deconvnet figure: numbers, patches and frames against loops over images and against the gradient's support."""

import numpy as np
import pytest
import torch
from PIL import Image
from tests.figures.test_figures import assert_readable, texts_of

from netgaze.drawing.examples import balanced_choice
from netgaze.errors import NetgazeError
from netgaze.figures.deconvnet import Deconvnet
from netgaze.figures.deconvnet.patches import cut_patches, find_frames, find_tiles
from netgaze.inside.deconvolution import PATHS, carry_back, keep_all, keep_channel, keep_place
from netgaze.inside.receptive_bounds import Field
from netgaze.models.vgg import VGG


def layer_maps(subject, layer, rows):
    model = subject.task.model.eval()
    maps = model.layer1(model.relu(model.bn1(model.conv1(subject.data.normalize(subject.data.images("test", rows))))))
    return maps if layer == "layer1" else model.layer2(maps)


@pytest.fixture
def finding(supervised):
    return Deconvnet(indices=[3], num_patches=4, num_scored=7, seed=2).compute(supervised)


def test_shapes(finding):
    assert finding.arrays["back"].shape == (1, 2, 3, 3, 16, 16, 3)
    assert finding.arrays["paths"].tolist() == list(PATHS)
    assert finding.arrays["layers"].tolist() == ["layer1", "layer2"]


@torch.no_grad()
def test_the_strongest_channel_and_what_is_drawn(finding, supervised):
    model, data = supervised.task.model.eval(), supervised.data
    images = data.normalize(data.images("test", [3]))
    for place, layer in enumerate(("layer1", "layer2")):
        maps = layer_maps(supervised, layer, [3])[0]
        channel = max(range(len(maps)), key=lambda number, maps=maps: float(maps[number].mean()))
        assert finding.arrays["channels"][0, place] == channel
        keeps = (keep_all, keep_channel(torch.tensor([channel])), keep_place(torch.tensor([channel])))
        for kind, keep in enumerate(keeps):
            for number, path in enumerate(PATHS):
                expected = find_tiles(carry_back(model, layer, images, keep, path))[0]
                assert np.abs(finding.arrays["back"][0, place, kind, number].astype(int) - expected).max() <= 1
        for number, path in enumerate(PATHS):
            back = carry_back(model, layer, images, keep_all, path)
            likeness = np.corrcoef(back.flatten(), images.flatten())[0, 1]
            assert finding.arrays["likeness"][0, place, number] == pytest.approx(likeness, abs=1e-5)


@torch.no_grad()
def test_the_channel_that_answers_most_is_that_of_the_largest_mean(supervised):
    differ = 0
    for rows in ([0, 1, 2], [5, 6, 7], [11, 14, 18]):
        found = Deconvnet(indices=rows, num_scored=1).compute(supervised).arrays["channels"]
        for place, layer in enumerate(("layer1", "layer2")):
            maps = layer_maps(supervised, layer, rows)
            assert found[:, place].tolist() == maps.mean(dim=(2, 3)).argmax(dim=1).tolist()
            differ += int((maps.amax(dim=(2, 3)).argmax(dim=1) != maps.mean(dim=(2, 3)).argmax(dim=1)).sum())
    assert differ


@torch.no_grad()
def test_patches_against_a_loop(finding, supervised):
    for place, layer in enumerate(("layer1", "layer2")):
        channel = finding.arrays["channels"][0, place]
        maps = [layer_maps(supervised, layer, [row])[0, channel] for row in range(40)]
        order = sorted(range(40), key=lambda row, maps=maps: -float(maps[row].max()))[:4]
        assert finding.arrays[f"index{place}"].tolist() == order
        assert finding.arrays[f"scores{place}"] == pytest.approx([float(maps[row].max()) for row in order], rel=1e-5)
    # layer1: three 3x3 convolutions see 7 pixels about their place; beyond the border there is gray.
    size, channel = finding.numbers["layer1/receptive_field"], finding.arrays["channels"][0, 0]
    assert size == 7
    for patch, row in zip(finding.arrays["patches0"], finding.arrays["index0"], strict=True):
        image = supervised.data.images("test", [row])[0]
        top, left = np.unravel_index(int(layer_maps(supervised, "layer1", [row])[0, channel].argmax()), (16, 16))
        for y in range(7):
            for x in range(7):
                down, right = top - 3 + y, left - 3 + x
                inside = 0 <= down < 16 and 0 <= right < 16
                expected = image[:, down, right].tolist() if inside else [128] * 3
                assert patch[y, x].tolist() == expected
    # Beside each its one place alone, carried back by both paths and cut out in the same frame.
    model, index = supervised.task.model, finding.arrays["index0"]
    images = supervised.data.normalize(supervised.data.images("test", index))
    back = find_tiles(carry_back(model, "layer1", images, keep_place(torch.full((4,), int(channel)))))
    for own, row, whole_back in zip(finding.arrays["patches_back0"], index, back, strict=True):
        place = int(layer_maps(supervised, "layer1", [row])[0, channel].argmax())
        expected = cut_patches(whole_back[None], find_frames(Field(7, 1, -3), np.array([place]), 16, 16))[0]
        assert np.abs(own.astype(int) - expected).max() <= 1


def test_a_place_sees_no_more_than_its_frame(finding, supervised):
    """What carries a place back is zero outside the frame, and the frame is as small as the gradient's support."""
    left, top, side = finding.arrays["frames"][0, 0]
    inside = np.zeros((16, 16), dtype=bool)
    inside[max(top, 0) : top + side, max(left, 0) : left + side] = True
    place = finding.arrays["back"][0, 0, 2, 2].astype(int)
    assert (np.abs(place - 128)[~inside] <= 1).all()
    assert (np.abs(place - 128)[inside] > 1).any()
    images = supervised.data.normalize(supervised.data.images("test", [3])).requires_grad_()
    model = supervised.task.model.eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(weight.abs() + 0.01)
    maps = model.layer1(model.relu(model.bn1(model.conv1(images + 5))))
    row, column = top + 3, left + 3
    maps[0, 0, row, column].backward()
    assert torch.equal(images.grad[0].abs().sum(dim=0) > 0, torch.from_numpy(inside))


@torch.no_grad()
def test_numbers_against_numpy(finding, supervised):
    model, data = supervised.task.model.eval(), supervised.data
    rows = balanced_choice(data.labels("test").numpy(), 7, 2)
    images = data.normalize(data.images("test", rows))
    for layer in ("layer1", "layer2"):
        for path in PATHS:
            back = carry_back(model, layer, images, keep_all, path).numpy()
            likeness = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(back, images.numpy(), strict=True)]
            assert finding.numbers[f"{layer}/{path}/likeness"] == pytest.approx(np.mean(likeness), abs=1e-5)
            edges = []
            for one, image in zip(back, images.numpy(), strict=True):
                steps = np.zeros((16, 16))
                for y in range(16):
                    for x in range(16):
                        right = image[:, y, x + 1] - image[:, y, x] if x < 15 else np.zeros(3)
                        below = image[:, y + 1, x] - image[:, y, x] if y < 15 else np.zeros(3)
                        steps[y, x] = np.sqrt((right**2).sum() + (below**2).sum())
                edges.append(np.corrcoef(np.sqrt((one**2).sum(axis=0)).ravel(), steps.ravel())[0, 1])
            assert finding.numbers[f"{layer}/{path}/edges"] == pytest.approx(np.mean(edges), abs=1e-5)


def test_plain_networks_have_one_path(supervised):
    torch.manual_seed(0)
    sizes = {"depths": [1, 1], "widths": [4, 6], "hidden_dim": 8}
    supervised.task.model = VGG(**sizes, in_channels=3, num_classes=3)
    figure = Deconvnet(num_scored=5)
    finding = figure.compute(supervised)
    assert finding.arrays["paths"].tolist() == ["both"]
    assert "Residual" not in finding.caption
    picture = figure.draw({"plain": finding})
    assert_readable(picture)
    assert not any(words in PATHS for words, _ in texts_of(picture))


def test_own_pictures_and_a_channel(supervised, tmp_path):
    paths = []
    for number in (4, 9):
        paths.append(str(tmp_path / f"{number}.png"))
        Image.fromarray(supervised.data.images("test", [number])[0].permute(1, 2, 0).numpy()).save(paths[-1])
    own = Deconvnet(images=paths, channel=5, num_scored=5).compute(supervised)
    theirs = Deconvnet(indices=[4, 9], channel=5, num_scored=5).compute(supervised)
    assert np.array_equal(own.arrays["back"], theirs.arrays["back"])
    assert (own.arrays["channels"] == 5).all()
    assert own.arrays["back"].shape[0] == 2
    assert_readable(Deconvnet().draw({"own": own}))
    with pytest.raises(NetgazeError, match="layer1 has channels 0 to 7"):
        Deconvnet(channel=8).compute(supervised)


def test_layers_without_places(supervised):
    finding = Deconvnet(layers=["fc"], num_scored=4).compute(supervised)
    assert finding.arrays["frames"].tolist() == [[[0, 0, 16]]]
    assert finding.arrays["patches0"].shape == (9, 16, 16, 3)
    assert_readable(Deconvnet().draw({"scores": finding}))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"indices": [0], "images": ["a.png"]}, "only one of them"),
        ({"num_patches": 0}, "num_patches=0"),
        ({"num_scored": 0}, "num_scored=0"),
    ],
)
def test_wrong_arguments(arguments, words):
    with pytest.raises(NetgazeError, match=words):
        Deconvnet(**arguments)


def test_leaves_the_network_as_it_was(supervised):
    task = supervised.task.train()
    before = [parameter.clone() for parameter in task.parameters()]
    Deconvnet(num_scored=3).compute(supervised)
    assert all(module.training for module in task.modules())
    assert all(
        torch.equal(a, b) and b.grad is None and b.requires_grad for a, b in zip(before, task.parameters(), strict=True)
    )
    assert not any(module._forward_hooks for module in task.modules())


def test_each_network_is_asked_alone(subjects):
    figure = Deconvnet(num_scored=3)
    findings = {subject.label: figure.compute(subject) for subject in subjects[:3]}
    assert_readable(figure.draw(findings))
