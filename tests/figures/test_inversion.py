"""Inversion: images that come back, numbers against direct ones, and what is said where a search is not done."""

from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from omegaconf import OmegaConf
from PIL import Image
from tests.figures.reader import assert_shows, make_pictures, read
from tests.figures.test_deep_dream import subject_of
from tests.figures.test_figures import assert_readable, texts_of
from torch import nn

from netgaze.drawing.panels import GRAY, WRONG
from netgaze.errors import NetgazeError
from netgaze.figure import Finding
from netgaze.figures.inversion import Inversion
from netgaze.gallery import look
from netgaze.inside import feature_match
from netgaze.inside.feature_match import FeatureMatch, draw_noise
from netgaze.models.base import PooledNet
from netgaze.text import format_value

BRIEF = {"layers": ["layer1", "layer2"], "steps": 20}


class Linear(PooledNet):
    """A convolution that mixes colors and neighbors and can be undone; a mean over 4x4 places, which cannot."""

    filter_layers = ("mixed",)
    feature_layers = ("mixed", "pooled")
    num_features = 3

    def __init__(self):
        super().__init__()
        self.mixed, self.pooled, self.fc = nn.Conv2d(3, 3, 3, padding=1), nn.AvgPool2d(4), nn.Linear(3, 3)
        with torch.no_grad():
            self.mixed.weight.mul_(0.3)
            for channel in range(3):
                self.mixed.weight[channel, (channel + 1) % 3, 1, 1] += 1.0

    def forward_features(self, images):
        return self.pooled(self.mixed(images))


@pytest.fixture
def linear(data):
    torch.manual_seed(0)
    return subject_of(data, Linear())


def undone(model, features):
    """The one image, normalized, that a linear convolution makes these features of: its matrix, solved."""
    shape = features.shape
    with torch.no_grad():
        basis = torch.eye(features.numel()).view(-1, *shape[1:])
        bias = model.mixed(torch.zeros(1, *shape[1:]))
        matrix = (model.mixed(basis) - bias).flatten(1).T.double()
    return torch.linalg.solve(matrix, (features - bias).flatten().double()).view(shape)


def test_an_invertible_layer_gives_the_image_back(linear):
    finding = Inversion(layers=["mixed"], indices=[3], steps=400, tolerance=1e-5).compute(linear)
    data, model = linear.data, linear.task.model
    image = data.normalize(data.images("test")[[3]])
    with torch.no_grad():
        solved = undone(model, model.mixed(image))
    torch.testing.assert_close(solved.float(), image, atol=1e-3, rtol=0)  # the oracle has a single answer
    found = (torch.from_numpy(finding.arrays["found"][0, 0]) - 0.5) / 0.5
    assert float((found - solved[0]).abs().mean()) < 0.02
    assert finding.numbers["mixed/error"] < 1e-5
    assert finding.numbers["mixed/distance"] < 0.01
    assert finding.numbers["mixed/correlation"] > 0.999
    assert finding.numbers["mixed/converged"]
    assert finding.numbers["mixed/steps"] < 400


def test_where_a_pool_loses_the_image_the_features_match_all_the_same(linear):
    finding = Inversion(indices=[3], steps=200, tolerance=1e-5).compute(linear)
    numbers = finding.numbers
    assert numbers["pooled/error"] < 1e-4
    assert numbers["pooled/distance"] > 0.1
    assert numbers["pooled/distance"] > 10 * numbers["mixed/distance"]


@pytest.mark.parametrize("layer", ["layer1", "layer2"])
def test_numbers_against_direct_ones(supervised, layer):
    finding = Inversion(layers=[layer], indices=[7], steps=25, seed=4).compute(supervised)
    data, model = supervised.data, supervised.task.model.eval()
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (data.mean, data.std))

    def features(values):
        with torch.no_grad():
            maps = model.layer1(model.relu(model.bn1(model.conv1((values - mean) / std))))
            return (maps if layer == "layer1" else model.layer2(maps)).double().numpy()

    image, found = data.images("test")[[7]] / 255, torch.from_numpy(finding.arrays["found"][0])
    begun = (0.5 + 0.05 * torch.randn((1, 3, 16, 16), generator=torch.Generator().manual_seed(4))).clamp(0, 1)
    wanted = features(image)

    def error(values):
        return ((features(values) - wanted) ** 2).sum() / (wanted**2).sum()

    numbers = finding.numbers
    assert numbers[f"{layer}/error"] == pytest.approx(error(found), rel=1e-3)
    assert numbers[f"{layer}/start"] == pytest.approx(error(begun), rel=1e-3)
    pairs = [values.flatten().numpy() for values in (found, image)]
    assert numbers[f"{layer}/distance"] == pytest.approx(np.sqrt(np.mean((pairs[0] - pairs[1]) ** 2)), rel=1e-4)
    assert numbers[f"{layer}/correlation"] == pytest.approx(np.corrcoef(*pairs)[0, 1], rel=1e-4)
    assert numbers["start_distance"] == pytest.approx(float((begun - image).square().mean() ** 0.5), rel=1e-4)
    curve = finding.arrays["curve0_0"]
    assert len(curve) == numbers[f"{layer}/steps"] + 1 == 26
    assert curve[0] == pytest.approx(error(begun), rel=1e-3)
    assert curve[-1] == pytest.approx(error(found), rel=1e-3)
    assert (np.diff(curve) <= 0).all()  # the sum of squares alone is sought: it never rises
    assert curve[-1] < 0.2 * curve[0]
    np.testing.assert_array_equal(finding.arrays["images"], image.numpy())
    assert found.min() >= 0
    assert found.max() <= 1


def test_what_has_not_converged_is_said(supervised):
    figure = Inversion(layers=["layer1", "layer2"], steps=2)
    finding = figure.compute(supervised)
    assert [finding.numbers[f"{layer}/converged"] for layer in ("layer1", "layer2")] == [False, False]
    assert [finding.numbers[f"{layer}/steps"] for layer in ("layer1", "layer2")] == [2, 2]
    assert "NOT converged within 2 steps: layer1, layer2;" in finding.caption
    words = [text for text, _ in texts_of(figure.draw({"run": finding}))]
    assert words.count("not converged") == 2


@pytest.mark.parametrize(("tolerance", "steps"), [(0.3, 100), (0.02, 200), (1e-9, 45)])
def test_a_search_ends_where_the_error_is_small_enough(supervised, tolerance, steps):
    finding = Inversion(layers=["layer2"], steps=steps, tolerance=tolerance).compute(supervised)
    curve, taken = finding.arrays["curve0_0"], finding.numbers["layer2/steps"]
    converged = finding.numbers["layer2/converged"]
    assert converged is bool(curve[taken] <= tolerance)
    assert all(curve[end] > tolerance for end in range(30, taken, 30))
    assert taken == steps if not converged else taken % 30 == 0
    assert ("NOT converged" in finding.caption) is not converged


def test_a_search_ends_where_the_loss_rests(supervised):
    """A heavy penalty leaves an error that cannot fall to the tolerance; the tolerance alone ends nothing then."""
    finding = Inversion(layers=["layer1"], loss="relative", alpha_weight=1.0, alpha=2.0, steps=600).compute(supervised)
    curve, taken = finding.arrays["curve0_0"], finding.numbers["layer1/steps"]
    assert finding.numbers["layer1/converged"]
    assert taken < 600
    assert curve[-1] > 0.001
    assert curve[-1] == pytest.approx(curve[-2], rel=0.01)
    easy = Inversion(layers=["layer1"], alpha_weight=1e-12, tolerance=0.9, steps=60).compute(supervised)
    assert easy.numbers["layer1/steps"] > 30


def test_a_layer_of_which_nothing_leads_back_stands_still(supervised):
    model = supervised.task.model
    with torch.no_grad():
        model.conv1.weight.zero_(), model.bn1.bias.fill_(0.7)
    finding = Inversion(layers=["layer1"], steps=30).compute(supervised)
    np.testing.assert_allclose(finding.arrays["found"][0, 0], draw_noise((1, 3, 16, 16), 0)[0], atol=1e-3)
    assert finding.numbers["layer1/error"] < 1e-9  # all images look the same
    assert finding.numbers["layer1/converged"]
    with torch.no_grad():
        model.bn1.bias.zero_()
    with pytest.raises(NetgazeError, match="relu is all zero for image 8"):
        Inversion(layers=["relu"], indices=[8]).compute(supervised)


def variation(image):
    return float(np.square(np.diff(image, axis=-1)).sum() + np.square(np.diff(image, axis=-2)).sum())


def test_penalties_pull_their_numbers(supervised):
    def found(**penalty):
        finding = Inversion(layers=["layer2"], loss="relative", steps=40, **penalty).compute(supervised)
        return finding.arrays["found"][0, 0], finding.numbers["layer2/error"]

    plain, error = found()
    smooth, smooth_error = found(tv_weight=1e-3)
    dull, dull_error = found(alpha_weight=1e-2)
    assert variation(smooth) < 0.3 * variation(plain)
    assert (np.abs(2 * dull - 1) ** 6).sum() < 0.5 * (np.abs(2 * plain - 1) ** 6).sum()
    assert smooth_error > error
    assert dull_error > error


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("beta", [1.0, 2.0])
def test_the_loss_is_the_papers(relative, beta, monkeypatch):
    """With a linear layer and weights of penalties, the gradient of the written formula is zero where it ends."""
    monkeypatch.setattr(feature_match, "_FLAT", 1e-9)  # to the very end
    torch.manual_seed(1)
    mix = torch.randn(12, 12, dtype=torch.float64) + 3 * torch.eye(12)

    def run(seen):
        return (seen.flatten(1) @ mix)[:, :, None]

    def read(image):
        return (image - 0.4) / 0.3

    image = 0.3 + 0.4 * torch.rand(1, 3, 2, 2, dtype=torch.float64)
    target = run(read(image))
    match = FeatureMatch(relative, 0.02, 4.0, 0.3, beta, 400, 1e-9).of(
        target, run, read, draw_noise((1, 3, 2, 2), 0).double()
    )
    found = match.image.clone().requires_grad_()
    x = read(found)
    error = ((run(x) - target) ** 2).sum()
    scale = (target**2).sum() if relative else 1.0
    penalty = 0.02 * (x.abs() ** 4).sum()
    for c in range(3):
        for row in range(2):
            for column in range(2):
                right = x[0, c, row, 1] - x[0, c, row, column]  # zero at the border
                below = x[0, c, 1, column] - x[0, c, row, column]
                penalty = penalty + 0.3 * (right**2 + below**2 + 1e-12) ** (beta / 2)
    (gradient,) = torch.autograd.grad(error / scale + penalty, found)
    (alone,) = torch.autograd.grad(((run(read(found)) - target) ** 2).sum() / scale, found)
    assert 0 < float(match.image.min()) < float(match.image.max()) < 1
    assert float(gradient.norm()) < 0.02 * float(alone.norm())


def test_without_penalties_both_losses_are_one_search(supervised):
    first, second = (Inversion(loss=loss, **BRIEF).compute(supervised) for loss in ("squared", "relative"))
    np.testing.assert_array_equal(first.arrays["found"], second.arrays["found"])


def test_the_seed_decides(supervised):
    first, second, other = (Inversion(indices=[2], seed=seed, **BRIEF).compute(supervised) for seed in (1, 1, 2))
    assert first.numbers == second.numbers
    np.testing.assert_array_equal(first.arrays["found"], second.arrays["found"])
    assert np.abs(first.arrays["found"] - other.arrays["found"]).max() > 0.01


def test_what_does_not_exist_is_a_sentence(supervised):
    with pytest.raises(NetgazeError, match=r"no layer layr2\. Nearest names: layer2"):
        Inversion(layers=["layr2"]).compute(supervised)
    with pytest.raises(NetgazeError, match="indices names image 400"):
        Inversion(indices=[400]).compute(supervised)
    supervised.task.model.feature_layers = ()
    with pytest.raises(NetgazeError, match=r"names no stages.*inversion\.layers=\[conv1\]"):
        Inversion().compute(supervised)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"indices": [1], "images": ["a.png"]}, "only one of them"),
        ({"loss": "cubed"}, "one of squared, relative"),
        ({"steps": 0}, "steps must be 1 or more"),
        ({"tolerance": 1.0}, "tolerance between 0 and 1"),
        ({"tv_weight": -1.0}, "tv_weight 0 or more"),
    ],
)
def test_arguments_that_do_not_fit(arguments, said):
    with pytest.raises(NetgazeError, match=said):
        Inversion(**arguments)


def test_a_loss_that_is_no_number_is_a_sentence(supervised):
    with pytest.raises(NetgazeError, match="met a loss of inf"):
        Inversion(tv_weight=1e308, loss="relative", **BRIEF).compute(supervised)


def test_leaves_the_network_as_it_was(supervised):
    task = supervised.task
    task.train()
    task.model.bn1.eval()
    task.model.conv1.weight.requires_grad = False
    task(supervised.data.normalize(supervised.data.images("train"))).sum().backward()

    def state():
        modes = [module.training for module in task.modules()]
        grads = [(p.requires_grad, None if p.grad is None else p.grad.clone()) for p in task.parameters()]
        hooks = sum(len(module._forward_hooks) for module in task.modules())
        return modes, grads, hooks, [value.clone() for value in task.state_dict().values()], torch.get_rng_state()

    before = state()
    Inversion(**BRIEF).compute(supervised)
    with pytest.raises(NetgazeError):
        Inversion(tv_weight=1e308, loss="relative", **BRIEF).compute(supervised)
    after = state()
    assert before[0] == after[0]
    assert before[2] == after[2] == 0
    for old, new in zip(before[1], after[1], strict=True):
        assert old[0] == new[0]
        assert (old[1] is None and new[1] is None) or torch.equal(old[1], new[1])
    assert all(torch.equal(old, new) for old, new in zip(before[3], after[3], strict=True))
    assert torch.equal(before[4], after[4])


def test_own_pictures(supervised, tmp_path):
    for number in range(2):
        pixels = np.random.default_rng(number).integers(0, 255, (30, 20, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"photo {number}.png")
    paths = [str(tmp_path / f"photo {number}.png") for number in range(2)]
    finding = Inversion(images=paths, **BRIEF).compute(supervised)
    shown = supervised.data.read_images(paths).numpy() / np.float32(255)
    np.testing.assert_allclose(finding.arrays["images"], shown, atol=1e-6)
    assert finding.arrays["found"].shape == (2, 2, 3, 16, 16)
    alone = Inversion(images=paths[1:], **BRIEF).compute(supervised)
    assert finding.numbers["photo 1.png/layer2/error"] == alone.numbers["layer2/error"]
    np.testing.assert_array_equal(finding.arrays["found"][1], alone.arrays["found"][0])
    path = Path(__file__).parents[2] / "conf" / "figure" / "inversion.yaml"
    config = OmegaConf.create({"images": ["a.jpg"], "figure": {"inversion": OmegaConf.load(path)}})
    assert list(config.figure.inversion.images) == ["a.jpg"]


@pytest.mark.parametrize("num_columns", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_draws_from_what_was_saved(subjects, tmp_path, num_columns):
    figure, findings = Inversion(indices=[0, 1], **BRIEF), {}
    for number, subject in enumerate([*subjects[:3], *subjects[:2]][:num_columns]):
        figure.compute(subject).save(tmp_path / "found", "key")
        findings[f"{number} {subject.label}"] = Finding.load(tmp_path / "found", "key")
    picture = figure.draw(findings)
    assert_readable(picture)
    words = [text for text, _ in texts_of(picture)]
    numbers = next(iter(findings.values())).numbers
    for key in ("image 0/layer1", "image 1/layer2"):
        assert f"error {format_value(numbers[f'{key}/error'], 2)}" in words
        assert f"distance {format_value(numbers[f'{key}/distance'], 2)}" in words
    left = next(axes for axes in picture.axes if axes.get_title() == "feature error by layer")
    drawn = [list(line.get_ydata()) for line in left.get_lines()]
    expected = [np.mean([numbers[f"image {row}/{layer}/error"] for row in (0, 1)]) for layer in ("layer1", "layer2")]
    assert len(drawn) == num_columns
    assert drawn[0] == pytest.approx(expected)


def test_many_layers_with_long_names_and_networks_with_others(supervised):
    finding = Inversion(**BRIEF).compute(supervised)
    arrays, numbers = dict(finding.arrays), dict(finding.numbers)
    names = [f"a.network.of.many.layers.{number}" for number in range(13)]
    arrays |= {"layers": np.array(names), "found": np.repeat(arrays["found"][:, :1], 13, axis=1)}
    arrays |= {f"curve0_{j}": arrays["curve0_0"] for j in range(13)}
    for name in names:
        numbers |= {f"{name}/{what}": numbers[f"layer1/{what}"] for what in ("error", "distance", "steps", "converged")}
    assert_readable(Inversion().draw({"few": finding, "many": Finding(numbers, arrays)}))


def test_the_gallery_leaves_out_raw_pixels(subjects, tmp_path):
    seen = look({"inversion": Inversion(**BRIEF)}, [subjects[0], subjects[3]], tmp_path)
    assert list(seen["inversion"]) == ["supervised"]
    pixels = np.asarray(Image.open(tmp_path / "inversion.png").convert("L"))
    assert 0.02 < (pixels < 200).mean() < 0.9


NAMES, LAYERS = ["image 4", "image 9"], ["conv1", "layer1", "layer2"]


def make_findings():
    """Two networks, two images, three layers; every number is another one."""
    findings = {}
    pictures = make_pictures(2, 2, 4)
    for place, label in enumerate(("one", "two")):
        images = np.moveaxis(pictures[place] / np.float32(255), -1, -3)
        numbers, arrays = {}, {"images": images[:, 0], "found": images[:, 1:], "names": np.array(NAMES)}
        arrays["layers"] = np.array(LAYERS)
        for i, name in enumerate(NAMES):
            numbers[f"{name}/start_distance"] = 0.2 + 0.1 * i + 0.02 * place
            for j, layer in enumerate(LAYERS):
                size = 1 + j + 3 * i + 6 * place
                numbers |= {f"{name}/{layer}/error": 0.001 * size, f"{name}/{layer}/distance": 0.01 * size}
                numbers |= {f"{name}/{layer}/steps": 10 * size, f"{name}/{layer}/converged": j != place}
                arrays[f"curve{i}_{j}"] = np.array([1.0, 0.1, 0.001 * size])
        findings[label] = Finding(numbers, arrays)
    return pictures, findings


def test_each_found_image_is_right_of_its_own_in_the_layers_order():
    pictures, findings = make_findings()
    lines = read(Inversion().draw(findings)).grid()
    assert len(lines) == 4
    for line, expected in zip(lines, pictures.reshape(4, 4, 4, 4, 3), strict=True):
        assert_shows(line, expected)


def test_the_words_below_say_what_was_found_of_whom():
    drawn = read(Inversion().draw(make_findings()[1]))
    for number, (image, *found) in enumerate(drawn.grid()):
        place, i = divmod(number, 2)
        assert [each.text for each in drawn.words_below(image, 0.3)] == [NAMES[i]]
        for j, tile in enumerate(found):
            size = 1 + j + 3 * i + 6 * place
            words = drawn.words_below(tile, 0.65)
            end = "not converged" if j == place else f"{10 * size} steps"
            expected = [
                LAYERS[j],
                f"error {format_value(0.001 * size, 2)}",
                f"distance {format_value(0.01 * size, 2)}",
                end,
            ]
            assert [each.text for each in words] == expected
            assert {each.color for each in words} == {(WRONG if j == place else GRAY).lower()}


def test_titles_stand_above_their_networks():
    drawn = read(Inversion().draw(make_findings()[1]))
    lines = [line[0].y for line in drawn.grid()]
    (one,), (two,) = ([each for each in drawn.words if each.text == label and each.bold] for label in ("one", "two"))
    assert one.y < lines[0] < lines[1] < two.y < lines[2]


def test_the_course_of_the_errors_is_beside_its_image_in_the_layers_colors():
    _, findings = make_findings()
    drawn = read(Inversion().draw(findings))
    courses = [plot for plot in drawn.plots if plot.title == "feature error by step"]
    for number, (plot, tiles) in enumerate(zip(courses, drawn.grid(), strict=True)):
        place, i = divmod(number, 2)
        assert tiles[-1].x + tiles[-1].width < plot.x
        assert tiles[0].y < plot.middle[1] < tiles[0].y + tiles[0].height + 0.6
        assert plot.yscale == "log"
        assert [line.y for line in plot.lines] == [
            pytest.approx([1.0, 0.1, 0.001 * (1 + j + 3 * i + 6 * place)]) for j in range(3)
        ]
        assert [line.x for line in plot.lines] == [[0, 1, 2]] * 3
        colors = [drawn.outline_of(tile)[0] for tile in tiles[1:]]
        assert [line.color for line in plot.lines] == colors
        shades = [sum(to_rgb(color)) for color in colors]
        assert shades == sorted(set(shades))  # dark for shallow layers
        assert drawn.outline_of(tiles[0]) is None


def test_errors_and_distances_by_layer_a_line_per_network():
    drawn = read(Inversion().draw(make_findings()[1]))
    errors, distances = drawn.plot("feature error by layer"), drawn.plot("pixel distance by layer")
    assert errors.x < distances.x
    for place, label in enumerate(("one", "two")):
        means = np.array([1 + j + 1.5 + 6 * place for j in range(3)])
        for plot, factor in ((errors, 0.001), (distances, 0.01)):
            line = plot.lines[place]
            assert line.x == [1, 2, 3]
            assert line.y == pytest.approx(factor * means)
            assert line.color == drawn.legend[label]
            assert plot.xlabel == "layer, shallow to deep"
            assert plot.xticks == {name: place + 1 for place, name in enumerate(LAYERS)}
    assert drawn.legend["one"] != drawn.legend["two"]
    assert errors.yscale == "log"
    assert errors.ylim[0] == pytest.approx(0.001)
    assert errors.ylim[1] > 0.0115
    start = distances.lines[2]
    assert start.y == pytest.approx([0.26, 0.26])
    assert (start.style, start.color) == (":", drawn.legend["starting noise"])
    assert distances.ylim[0] == 0
    assert distances.ylim[1] > 0.26


def test_layers_of_other_names_are_counted():
    _, findings = make_findings()
    findings["two"] = Finding(
        {name.replace("conv1", "stem"): number for name, number in findings["two"].numbers.items()},
        findings["two"].arrays | {"layers": np.array(["stem", *LAYERS[1:]])},
    )
    assert list(read(Inversion().draw(findings)).plot("feature error by layer").xticks) == ["1", "2", "3"]
