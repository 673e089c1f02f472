"""Deep Dream: against Google's step written out by hand, and what is shown of it."""

import functools
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from omegaconf import OmegaConf
from PIL import Image
from tests.figures.test_figures import assert_readable, texts_of

from netgaze.data.digits import Digits
from netgaze.errors import NetgazeError
from netgaze.figure import Finding
from netgaze.figures.deep_dream import DeepDream
from netgaze.files import to_plain
from netgaze.gallery import look
from netgaze.models.resnet import ResNet
from netgaze.models.siamese_cnn import SiameseCNN
from netgaze.schedules import Constant
from netgaze.subject import Subject
from netgaze.tasks.siamese import Siamese
from netgaze.tasks.supervised import Supervised
from netgaze.text import format_value

SMALL = {"size": 48, "octaves": 2, "steps": 4, "jitter": 8}
NAME = "a class with a long name 1"


def subject_of(data, model, kind=Supervised, label="run", **arguments):
    optimizer = functools.partial(torch.optim.SGD, lr=0.1)
    task = kind(model=model, num_classes=data.num_classes, optimizer=optimizer, schedule=Constant(), **arguments)
    task.name_classes(data.class_names)
    return Subject(label, task=lambda: task, data=lambda: data, training=True)


@pytest.fixture(scope="module")
def digits():
    """A small residual network, trained for some steps on the embedded digits."""
    data = Digits(num_classes=10, num_channels=1, image_size=32, mean=[0.3], std=[0.35], num_val=100)
    data.setup()
    torch.manual_seed(0)
    model = ResNet(depths=[1, 1], widths=[8, 16], stem="cifar", in_channels=1, num_classes=10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for number in range(12):
        rows = slice(number * 60, number * 60 + 60)
        logits = model(data.normalize(data.images("train")[rows]))
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(logits, data.labels("train")[rows]).backward()
        optimizer.step()
    return subject_of(data, model)


@pytest.fixture
def photo(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a photo.png")
    return str(tmp_path / "a photo.png")


def google_step(values, gradient_of, step, jitter, generator):
    """`make_step` of google/deepdream: roll, one normalized step up, roll back, clip."""
    down, right = torch.randint(-jitter, jitter + 1, (2,), generator=generator).tolist()
    rolled = values.roll((down, right), (2, 3))
    gradient = gradient_of(rolled)
    rolled = rolled + step / gradient.abs().mean() * gradient
    return rolled.roll((-down, -right), (2, 3)).clamp(0, 255)


@pytest.mark.parametrize("num_steps", [1, 3])
def test_googles_steps_written_by_hand(supervised, photo, num_steps):
    model, data = supervised.task.model.eval(), supervised.data
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (data.mean, data.std))

    def gradient_of(values):
        values = values.clone().requires_grad_()
        maps = model.layer1(model.relu(model.bn1(model.conv1((values / 255 - mean) / std))))
        maps.backward(maps.detach())  # as Google sets the layer's gradient to its activation
        return values.grad

    expected = data.read_picture(photo, 90)[None].float()
    assert expected.shape == (1, 3, 60, 90)
    generator = torch.Generator().manual_seed(7)
    for _ in range(num_steps):
        expected = google_step(expected, gradient_of, 6.0, 20, generator)
    figure = DeepDream(
        layers=["layer1"], images=[photo], size=90, octaves=1, steps=num_steps, step=6.0, jitter=20, seed=7
    )
    finding = figure.compute(supervised)
    found = finding.arrays["dream0_0"].astype(float)
    assert np.abs(found - expected[0].permute(1, 2, 0).detach().numpy()).max() <= 0.5001
    before = finding.arrays["base0"].astype(float)
    assert np.abs(found - before).max() > 5


def test_octaves_by_hand(digits):
    """Detail found at a small size is enlarged and added to the image at the next; no shifts, so nothing is drawn."""
    model, data = digits.task.model.eval(), digits.data

    def resized(image, side):
        return torch.nn.functional.interpolate(image, (side, side), mode="bilinear", align_corners=True)

    base = resized(data.images("test")[[5]] / 255, 64)
    bases = [resized(base, 46), base]
    detail = torch.zeros_like(bases[0])
    for octave, start in enumerate(bases):
        image = (start + (detail if octave == 0 else resized(detail, 64))).requires_grad_()
        for _ in range(2):
            activation = model.forward_features((image - data.mean[0]) / data.std[0])
            (gradient,) = torch.autograd.grad(activation.square().sum() / 2, image)
            image = (image + 1.5 / 255 * gradient / gradient.abs().mean()).detach().clamp(0, 1).requires_grad_()
        detail = (image - start).detach()
    figure = DeepDream(layers=["layer2"], indices=[5], size=64, octaves=2, octave_scale=1.4, steps=2, jitter=0)
    found = figure.compute(digits).arrays["dream0_0"][..., 0] / 255
    assert np.abs(found - image[0, 0].detach().numpy()).max() <= 1.01 / 255


def test_raises_the_activation_of_each_layer(digits):
    finding = DeepDream(**SMALL, step=6.0).compute(digits)
    assert finding.arrays["goals"].tolist() == ["layer1", "layer2"]
    for layer in ("layer1", "layer2"):
        before, after, ratio = (finding.numbers[f"{layer}/{name}"] for name in ("before", "after", "ratio"))
        assert after > 1.1 * before
        assert ratio == pytest.approx(after / before)


def test_before_and_after_are_the_mean_square_of_what_is_shown(digits):
    data, model = digits.data, digits.task.model
    finding = DeepDream(layers=["layer1"], **SMALL).compute(digits)
    for when, array in (("before", "base0"), ("after", "dream0_0")):
        shown = torch.from_numpy(finding.arrays[array][..., :1]).permute(2, 0, 1)[None]
        with torch.no_grad():
            maps = model.eval().layer1(model.relu(model.bn1(model.conv1(data.normalize(shown)))))
        assert finding.numbers[f"layer1/{when}"] == pytest.approx(float((maps**2).mean()), rel=0.01)


@pytest.mark.parametrize("channel", [0, 5])
def test_a_channel_and_a_class_gain(digits, supervised, channel):
    numbers = DeepDream(layers=["layer2"], channel=channel, **SMALL).compute(digits).numbers
    name = f"layer2 channel {channel}"
    assert numbers[f"{name}/gain"] == pytest.approx(numbers[f"{name}/after"] - numbers[f"{name}/before"])
    assert numbers[f"{name}/gain"] > 0
    numbers = DeepDream(class_name="7", **SMALL, step=6.0).compute(digits).numbers
    assert numbers["class 7/after"] > numbers["class 7/before"] + 0.04
    assert DeepDream(class_name=NAME, **SMALL).compute(supervised).numbers[f"class {NAME}/gain"] > 0


def test_the_seed_decides(digits):
    first, second, other = (DeepDream(noise=True, seed=seed, **SMALL).compute(digits) for seed in (3, 3, 4))
    assert first.numbers == second.numbers
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(array, second.arrays[name])
    assert (first.arrays["base0"] != other.arrays["base0"]).any()
    assert 0.4 * 255 <= first.arrays["base0"].min() < first.arrays["base0"].max() <= 0.6 * 255 + 1
    one, two = (DeepDream(indices=[2], seed=seed, **SMALL).compute(digits).arrays for seed in (3, 4))
    np.testing.assert_array_equal(one["base0"], two["base0"])
    assert (one["dream0_0"] != two["dream0_0"]).any()


def test_total_variation_smooths(digits):
    def roughness(weight):
        finding = DeepDream(layers=["layer1"], indices=[0], total_variation=weight, **SMALL).compute(digits)
        return float((np.diff(finding.arrays["dream0_0"].astype(float), axis=1) ** 2).mean())

    assert roughness(1000.0) < 0.7 * roughness(0.0)


def test_small_octaves_are_left_out_and_said(digits):
    finding = DeepDream(layers=["layer1"], size=48, octaves=4, steps=1).compute(digits)
    assert [finding.arrays[f"frames0_0_{octave}"].shape[1] for octave in range(2)] == [34, 48]
    assert "frames0_0_2" not in finding.arrays
    assert "Sizes used: the largest 2 of 4; the others are below 32 pixels" in finding.caption
    assert "Sizes used" not in DeepDream(layers=["layer1"], size=48, octaves=2, steps=1).compute(digits).caption
    tiny = DeepDream(layers=["layer1"], size=20, octaves=2, steps=1).compute(digits)
    assert tiny.arrays["dream0_0"].shape == (20, 20, 3)


def test_a_network_for_one_size_is_shown_that(make_data, photo):
    data = make_data()
    data.image_size = 100
    model = SiameseCNN(in_channels=3, num_classes=8)
    subject = subject_of(data, model, Siamese, embedding_dim=8)
    finding = DeepDream(layers=["features.2"], images=[photo], size=120, steps=1).compute(subject)
    assert finding.arrays["dream0_0"].shape == (100, 100, 3)
    assert "does not accept 80x120 pixels (SiameseCNN needs images of 91 to 106 pixels a side" in finding.caption
    assert "100x100 are used" in finding.caption
    assert "Sizes used: the largest 1 of 4" in finding.caption
    assert finding.numbers["features.2/ratio"] > 1
    with pytest.raises(NetgazeError, match=f"class_name={NAME}: this network has no classes"):
        DeepDream(class_name=NAME).compute(subject)
    data.image_size = 64
    with pytest.raises(NetgazeError, match="cannot read images of 64x64 pixels: SiameseCNN needs"):
        DeepDream(layers=["features.2"], images=[photo], size=120).compute(subject)


def test_what_does_not_exist_is_a_sentence(supervised):
    with pytest.raises(NetgazeError, match=r"no layer layr2\. Nearest names: layer2, .*It has layer1, layer2, conv1"):
        DeepDream(layers=["layr2"], **SMALL).compute(supervised)
    with pytest.raises(NetgazeError, match="no channel 8: the layer has channels 0 to 7"):
        DeepDream(layers=["layer1"], channel=8, **SMALL).compute(supervised)
    with pytest.raises(NetgazeError, match=r"long name 9 is no class of this network\. Nearest names: a class"):
        DeepDream(class_name="a class with a long name 9", **SMALL).compute(supervised)
    with pytest.raises(NetgazeError, match="indices names image 400"):
        DeepDream(indices=[400], **SMALL).compute(supervised)
    supervised.task.model.feature_layers = ()
    with pytest.raises(NetgazeError, match="names no stages"):
        DeepDream(**SMALL).compute(supervised)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"images": ["a.png"], "noise": True}, "choose only one of"),
        ({"images": ["a.png"], "indices": [1]}, "choose only one of"),
        ({"class_name": "cat", "channel": 1}, "either class_name"),
        ({"steps": 0}, r"deep_dream.steps=0 must be 1 or more"),
        ({"octave_scale": 1.0}, "octave_scale must be above 1"),
    ],
)
def test_arguments_that_do_not_fit(arguments, said):
    with pytest.raises(NetgazeError, match=said):
        DeepDream(**arguments)


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
    DeepDream(**SMALL).compute(supervised)
    with pytest.raises(NetgazeError):
        DeepDream(channel=99, **SMALL).compute(supervised)
    after = state()
    assert before[0] == after[0]
    assert before[2] == after[2] == 0
    for old, new in zip(before[1], after[1], strict=True):
        assert old[0] == new[0]
        assert (old[1] is None and new[1] is None) or torch.equal(old[1], new[1])
    assert all(torch.equal(old, new) for old, new in zip(before[3], after[3], strict=True))
    assert torch.equal(before[4], after[4])


def test_extras_are_the_dream_its_octaves_and_an_animation(digits):
    figure = DeepDream(layers=["layer2"], size=64, octaves=2, steps=7, indices=[1, 2])
    finding = figure.compute(digits)
    files = figure.files(finding)
    assert set(files) == {
        f"image_{row}_layer2{what}" for row in (1, 2) for what in ("", "_dream", "_octave1", "_octave2")
    }
    frames = files["image_1_layer2"]
    assert frames.shape == (15, 64, 64, 3)
    assert frames.dtype == np.uint8
    np.testing.assert_array_equal(frames[0], finding.arrays["base0"])
    np.testing.assert_array_equal(frames[-1], finding.arrays["dream0_0"])
    np.testing.assert_array_equal(files["image_1_layer2_dream"], files["image_1_layer2_octave2"])
    assert files["image_2_layer2_octave1"].shape == (46, 46, 3)
    many = DeepDream(layers=["layer1"], size=40, octaves=1, steps=60).compute(digits)
    assert many.arrays["frames0_0_0"].shape[0] == 20
    np.testing.assert_array_equal(many.arrays["frames0_0_0"][-1], many.arrays["dream0_0"])


@pytest.mark.parametrize("num_columns", [1, 3])
def test_draws_from_what_was_saved(subjects, tmp_path, photo, num_columns):
    figure = DeepDream(images=[photo, photo.replace("a photo", "b")], **SMALL)
    Image.open(photo).rotate(90, expand=True).save(tmp_path / "b.png")
    findings = {}
    for subject in subjects[:num_columns]:
        figure.compute(subject).save(tmp_path / "found", "key")
        findings[subject.label] = Finding.load(tmp_path / "found", "key")
    picture = figure.draw(findings)
    assert isinstance(picture, Figure)
    assert_readable(picture)
    words = " ".join(text for text, _ in texts_of(picture))
    assert words.count("a photo.png") == words.count("b.png") == num_columns
    first = findings["supervised"].numbers["a photo.png/layer2/before"]
    assert f"layer2: {format_value(first)} to" in words.replace("\n", " ")


def test_the_gallery_leaves_out_raw_pixels_and_writes_files(subjects, tmp_path):
    seen = look({"deep_dream": DeepDream(layers=["layer1"], **SMALL)}, [subjects[0], subjects[3]], tmp_path)
    assert list(seen["deep_dream"]) == ["supervised"]
    folder = tmp_path / "deep_dream" / "supervised"
    assert {path.name for path in folder.iterdir()} == {
        "layer1.gif",
        "layer1_dream.png",
        "layer1_octave1.png",
        "layer1_octave2.png",
    }
    with Image.open(folder / "layer1.gif") as animation:
        assert animation.n_frames == 9
        assert animation.size == (48, 48)
    pixels = np.asarray(Image.open(tmp_path / "deep_dream.png").convert("L"))
    assert 0.02 < (pixels < 200).mean() < 0.9
    assert to_plain(seen["deep_dream"]["supervised"].numbers)


def test_own_pictures_come_from_the_command_line():
    path = Path(__file__).parents[2] / "conf" / "figure" / "deep_dream.yaml"
    config = OmegaConf.create({"images": ["a.jpg"], "figure": {"deep_dream": OmegaConf.load(path)}})
    assert list(config.figure.deep_dream.images) == ["a.jpg"]
    assert path.read_text().startswith("# @package figure.deep_dream\n")
