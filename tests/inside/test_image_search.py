"""Images found by gradient, against steps, sums and transforms written out by hand."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from netgaze.errors import NetgazeError
from netgaze.inside import image_search
from netgaze.inside.image_search import Fourier, NormalizedAscent, Pixels, search
from netgaze.inside.layers import reach
from netgaze.models.resnet import ResNet
from netgaze.models.siamese_cnn import SiameseCNN


def drawn(seed):
    return torch.Generator().manual_seed(seed)


def hooks(model):
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


@pytest.fixture
def model():
    torch.manual_seed(0)
    return ResNet(depths=[1, 1], widths=[4, 8], stem="cifar", in_channels=3, num_classes=5).eval()


@pytest.fixture
def images():
    return torch.randn(2, 3, 12, 14, generator=drawn(1))


def test_a_normalized_step_written_by_hand():
    values = nn.Parameter(torch.tensor([0.5, 0.1, 0.9, 0.3]))
    still = nn.Parameter(torch.ones(3))
    values.grad, still.grad = torch.tensor([1.0, -3.0, 0.0, 4.0]), torch.zeros(3)
    NormalizedAscent([values, still], lr=0.2).step()
    assert values.tolist() == pytest.approx([0.5 - 0.2 * 1 / 2, 0.1 + 0.2 * 3 / 2, 0.9, 0.3 - 0.2 * 4 / 2])
    assert still.tolist() == [1, 1, 1]


@pytest.mark.parametrize("beta", [2.0, 1.5, 3.0])
def test_total_variation_against_a_loop(beta):
    image = torch.rand(1, 2, 5, 4, generator=drawn(0), dtype=torch.float64)
    expected = 0.0
    for channel in range(2):
        for y in range(5):
            for x in range(4):
                here = image[0, channel, y, x]
                right = image[0, channel, y, x + 1] - here if x + 1 < 4 else 0.0
                below = image[0, channel, y + 1, x] - here if y + 1 < 5 else 0.0
                expected += float(right**2 + below**2) ** (beta / 2)
    assert float(image_search.total_variation(image, beta)) == pytest.approx(expected, rel=1e-6)


def test_total_variation_of_a_flat_image_has_a_gradient():
    image = torch.full((1, 1, 4, 4), 0.5, requires_grad=True)
    image_search.total_variation(image, 1.5).backward()
    assert image.grad.tolist() == torch.zeros(1, 1, 4, 4).tolist()


@pytest.mark.parametrize("alpha", [6.0, 3.0])
def test_alpha_norm_against_a_loop(alpha):
    image = torch.randn(1, 3, 4, 5, generator=drawn(2), dtype=torch.float64)
    expected = sum(abs(value) ** alpha for value in image.flatten().tolist())
    assert float(image_search.alpha_norm(image, alpha)) == pytest.approx(expected)


def naive_fourier(coefficients, height, width, decay):
    """The same image from a sum over all frequencies, in Lucid's colors."""
    channels = coefficients.shape[1]
    values = np.zeros((channels, height, width))
    ys, xs = np.mgrid[:height, :width]
    for row in range(height):
        for column in range(width // 2 + 1):
            fy, fx = (row if row < (height + 1) // 2 else row - height) / height, column / width
            scale = 1 / max(math.hypot(fy, fx), 1 / max(height, width)) ** decay
            wave = np.exp(2j * np.pi * (fy * ys + fx * xs))
            twice = 1 if column == 0 or 2 * column == width else 2  # the other half of the spectrum mirrors this one
            for channel in range(channels):
                real, imaginary = coefficients[0, channel, row, column].tolist()
                values[channel] += twice * (complex(real, imaginary) * scale * wave).real
    values /= math.sqrt(height * width) * 4
    if channels == 3:
        colors = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
        colors /= max(np.linalg.norm(colors[:, column]) for column in range(3))
        values = np.stack([sum(colors[c, k] * values[k] for k in range(3)) for c in range(3)])
    return 1 / (1 + np.exp(-values))


@pytest.mark.parametrize("shape", [(3, 6, 8), (3, 7, 5), (1, 5, 6), (1, 6, 9)], ids=str)
def test_fourier_against_a_sum_over_frequencies(shape):
    image = Fourier(shape, drawn(0), sd=0.5, decay=1.5)
    found = image().detach()
    assert found.shape == (1, *shape)
    expected = naive_fourier(image.coefficients.detach(), *shape[1:], decay=1.5)
    np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-5)


def test_fourier_starts_gray_by_its_seed():
    first, second, other = (Fourier((3, 32, 32), drawn(seed)) for seed in (0, 0, 1))
    assert torch.equal(first(), second())
    assert not torch.equal(first(), other())
    assert float(first.coefficients.detach().std()) == pytest.approx(0.01, rel=0.05)
    assert float((first().detach() - 0.5).abs().max()) < 0.05


def test_reached_is_the_submodules_run_by_hand(model, images):
    stem = model.relu(model.bn1(model.conv1(images)))
    expected = {"conv1": model.conv1(images), "layer1": model.layer1(stem)}
    expected |= {"layer2": model.layer2(expected["layer1"]), "fc": model(images)}
    for layer, output in expected.items():
        assert torch.equal(reach(model, layer)(images), output)
    assert hooks(model) == 0


def test_reached_stops_at_the_layer(model, images, monkeypatch):
    def never(maps):
        raise AssertionError("went on")

    monkeypatch.setattr(model.layer2, "forward", never)
    assert reach(model, "layer1")(images).shape == (2, 4, 12, 14)
    with pytest.raises(AssertionError, match="went on"):
        reach(model, "fc")(images)


def test_no_hook_stays_after_an_error(images):
    model = SiameseCNN(in_channels=3, num_classes=2)
    with pytest.raises(NetgazeError, match="91 to 106 pixels"):
        reach(model, "features.2")(images)
    assert hooks(model) == 0


def test_a_layer_that_does_not_exist_or_does_not_run(model, images):
    with pytest.raises(
        NetgazeError, match=r"no layer layer3\. Nearest names: layer2, layer1, .* It has layer1, layer2,"
    ):
        reach(model, "layer3")
    with pytest.raises(NetgazeError, match="and 2 more"):
        reach(model, "")
    model.unused = nn.Linear(1, 1)
    with pytest.raises(NetgazeError, match="unused gives no tensor"):
        reach(model, "unused")(images)
    assert hooks(model) == 0


def test_objectives():
    maps = torch.randn(2, 3, 4, 5, generator=drawn(0), requires_grad=True)
    image_search.halve_squared_norm(maps).backward()
    assert torch.equal(maps.grad, maps)
    maps = maps.detach()
    assert float(image_search.channel_mean(1, maps)) == pytest.approx(float(maps[:, 1].mean()))
    tokens = maps.flatten(2).transpose(1, 2)
    assert float(image_search.channel_mean(1, tokens)) == pytest.approx(float(maps[:, 1].mean()))
    logits = torch.tensor([[1.0, 5.0, 3.0]])
    assert float(image_search.channel_mean(2, logits)) == 3
    for channel in (-1, 3):
        with pytest.raises(NetgazeError, match=f"no channel {channel}: the layer has channels 0 to 2"):
            image_search.channel_mean(channel, maps)
    assert float(image_search.squared_error(torch.tensor([1.0, 2.0]), torch.tensor([4.0, 0.0]))) == 13


def test_normalize():
    image = torch.rand(1, 3, 2, 2)
    found = image_search.normalize([0.1, 0.2, 0.3], [0.5, 0.25, 0.2])(image)
    for channel, (mean, std) in enumerate(((0.1, 0.5), (0.2, 0.25), (0.3, 0.2))):
        assert torch.allclose(found[0, channel], (image[0, channel] - mean) / std)


def test_jitter_can_be_undone():
    image = torch.arange(2 * 9 * 11.0).view(1, 2, 9, 11)
    shift, again = image_search.jitter(3, drawn(5)), drawn(5)
    seen = set()
    for _ in range(60):
        shifted = shift(image)
        down, right = torch.randint(-3, 4, (2,), generator=again).tolist()
        seen |= {(down, right)}
        assert torch.equal(shifted.roll((-down, -right), (2, 3)), image)
    assert {down for down, _ in seen} == {right for _, right in seen} == set(range(-3, 4))


def test_pad_scale_and_rotate():
    image = torch.rand(1, 3, 8, 12, generator=drawn(0))
    padded = image_search.pad(2, 0.25)(image)
    assert padded.shape == (1, 3, 12, 16)
    assert torch.equal(padded[:, :, 2:-2, 2:-2], image)
    assert float(padded[0, 0, 0, 0]) == 0.25
    assert image_search.random_scale([1.5], drawn(0))(image).shape == (1, 3, 12, 18)
    sizes = {image_search.random_scale([0.5, 2.0], drawn(seed))(image).shape[2] for seed in range(20)}
    assert sizes == {4, 16}
    square = image[..., :8]
    assert torch.allclose(image_search.random_rotate([0], drawn(0))(image), image, atol=1e-5)
    assert torch.allclose(image_search.random_rotate([90], drawn(0))(square), square.rot90(-1, (2, 3)), atol=1e-5)
    half = image_search.random_rotate([180], drawn(0))(image)
    assert torch.allclose(half, image.flip(2, 3), atol=1e-5)


def test_a_turned_dot_keeps_its_distance_in_an_oblong_image():
    image = torch.zeros(1, 1, 21, 41)
    image[0, 0, 10, 28] = 1  # eight pixels right of the middle
    turned = image_search.random_rotate([90], drawn(0))(image)
    assert divmod(int(turned.argmax()), 41) == (18, 20)  # clockwise: now below it


def test_search_finds_the_corner_of_a_linear_objective():
    weights = torch.randn(1, 3, 4, 4, generator=drawn(3))
    image = Pixels(torch.full((1, 3, 4, 4), 0.5))
    steps = []
    values = search(
        image, lambda shown: -(weights * shown).sum(), torch.optim.SGD(image.parameters(), lr=9.0), 60, steps.append
    )
    assert torch.equal(image(), (weights > 0).float())
    assert len(values) == 60
    assert values[0] == pytest.approx(-0.5 * float(weights.sum()), abs=1e-5)
    assert values[-1] == pytest.approx(-float(weights.clamp(min=0).sum()), abs=1e-5)
    assert steps == list(range(60))


@pytest.mark.parametrize("kind", [Pixels, Fourier])
def test_search_recovers_a_known_image(kind):
    target = torch.nn.functional.interpolate(
        0.3 + 0.4 * torch.rand(1, 3, 3, 3, generator=drawn(0)), (8, 9), mode="bilinear"
    )
    image = Pixels(torch.full_like(target, 0.5)) if kind is Pixels else Fourier((3, 8, 9), drawn(1))
    before = float((image().detach() - target).abs().max())
    search(
        image,
        lambda shown: image_search.squared_error(target, shown),
        torch.optim.Adam(image.parameters(), lr=0.05),
        400,
    )
    assert before > 0.1
    assert float((image().detach() - target).abs().max()) < 0.02


def test_search_recovers_an_image_through_a_layer_by_momentum(model):
    target = 0.3 + 0.4 * torch.rand(1, 3, 6, 6, generator=drawn(0))
    run = reach(model, "conv1")
    goal = run(target).detach()
    image = Pixels(torch.full_like(target, 0.5))
    optimizer = torch.optim.SGD(image.parameters(), lr=0.02, momentum=0.9)
    values = search(image, lambda shown: image_search.squared_error(goal, run(shown)), optimizer, 300)
    assert values[-1] < 1e-3 * values[0]


def test_every_step_ends_in_the_valid_range():
    image = Pixels(torch.rand(1, 3, 4, 4, generator=drawn(0)))
    ranges = []
    search(
        image,
        lambda shown: -shown.square().sum(),
        NormalizedAscent(image.parameters(), lr=0.6),
        3,
        lambda step: ranges.append(tuple(float(end) for end in image().detach().aminmax())),
    )
    assert all(low >= 0 and high <= 1 for low, high in ranges)


def test_a_value_that_is_not_finite_is_a_sentence():
    image = Pixels(torch.full((1, 1, 2, 2), 0.5))
    with pytest.raises(NetgazeError, match=r"met nan in step 1\. Choose smaller steps\."):
        search(image, lambda shown: shown.sum() * math.nan, torch.optim.SGD(image.parameters(), lr=1.0), 5)
