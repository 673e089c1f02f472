"""Own pictures: against the network run by hand on the same pictures, and what is said and shown of them."""

import re

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from omegaconf import OmegaConf
from PIL import Image
from tests.figures.test_figures import CONF, assert_readable, make_figure
from tests.figures.test_words import find_wordless

from netgaze.drawing.heat import enlarge
from netgaze.errors import NetgazeError
from netgaze.figures import predict
from netgaze.figures.predict import Predict
from netgaze.subject import Subject, evaluating

SIZE = 16


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(1)
    sizes = {"wide.png": (30, 50), "square.png": (SIZE, SIZE), "a photo with quite a long name of 2024.png": (9, 8)}
    for name, size in sizes.items():
        Image.fromarray(rng.integers(0, 255, (*size, 3), dtype=np.uint8)).save(tmp_path / name)
    return [str(tmp_path / name) for name in sizes]


def by_hand(subject, files, fit=None):
    """Softmax [N,K] and maps [N,K,h,w] of the network on what the data reads."""
    images = subject.data.normalize(subject.data.read_images(files, fit))
    with evaluating(subject.task) as task, torch.no_grad():
        return torch.softmax(task(images).double(), dim=1).numpy(), task.class_maps(images)


def many(make_data, make_subjects, num_classes=12):
    data = make_data(num_classes=num_classes, sizes=(("train", 24), ("val", 24), ("test", 24)))
    data.class_names = [f"amusement_park_or_building_facade_{number}" for number in range(num_classes)]
    subjects = make_subjects(data)[:3]
    for subject in (subjects[0], subjects[2]):
        subject.task.name_classes(data.class_names)
    return subjects


@pytest.mark.parametrize("number", [0, 1, 2])
def test_probabilities_and_maps_are_the_networks(subjects, files, number):
    subject = subjects[number]
    finding = Predict(images=files).compute(subject)
    probabilities, maps = by_hand(subject, files)
    names, arrays = subject.task.class_names, finding.arrays
    num = len(names)
    assert arrays["classes"].shape == arrays["probabilities"].shape == (3, num) == (3, probabilities.shape[1])
    for row in range(3):
        order = sorted(range(num), key=lambda place, row=row: -probabilities[row, place])
        assert arrays["classes"][row].tolist() == [names[place] for place in order]
        np.testing.assert_allclose(arrays["probabilities"][row], probabilities[row, order], rtol=1e-4)
        heat = enlarge(maps[row : row + 1, order[0]], (SIZE, SIZE))[0]
        np.testing.assert_allclose(arrays["maps"][row], heat, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(arrays["probabilities"].sum(axis=1), 1, rtol=1e-5)
    read = subject.data.read_images(files).permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(arrays["pictures"], read)


def test_every_picture_has_a_row_of_the_table(subjects, files):
    figure = Predict(images=files, num_classes=2)
    finding = figure.compute(subjects[0])
    probabilities, _ = by_hand(subjects[0], files)
    rows = figure.table(finding)
    assert [row["picture"] for row in rows] == finding.arrays["names"].tolist()
    for row, own in zip(rows, probabilities, strict=True):
        first, second = np.argsort(-own)[:2]
        assert list(row) == ["picture", "class", "probability", "class 2", "probability 2"]
        assert (row["class"], row["class 2"]) == tuple(subjects[0].task.class_names[place] for place in (first, second))
        assert row["probability"] == pytest.approx(own[first], abs=1e-3)


def test_the_five_likeliest_of_many(make_data, make_subjects, files):
    subject = many(make_data, make_subjects)[0]
    probabilities, _ = by_hand(subject, files)
    arrays = Predict(images=files).compute(subject).arrays
    assert arrays["probabilities"].shape == (3, 5)
    np.testing.assert_allclose(arrays["probabilities"], np.sort(probabilities, axis=1)[:, ::-1][:, :5], rtol=1e-4)
    assert (np.diff(arrays["probabilities"], axis=1) <= 0).all()
    assert (arrays["probabilities"].sum(axis=1) < 1).all()
    assert Predict(images=files, num_classes=2).compute(subject).arrays["classes"].shape == (3, 2)


def test_an_image_of_the_data_gets_the_answer_it_had(supervised, tmp_path):
    outputs, names = supervised.outputs("test"), np.array(supervised.task.class_names)
    for number in range(8):
        pixels = supervised.data.images("test")[number].permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    arrays = Predict(images=[str(tmp_path / f"{number}.png") for number in range(8)]).compute(supervised).arrays
    assert arrays["classes"][:, 0].tolist() == names[outputs.logits[:8].argmax(axis=1)].tolist()
    np.testing.assert_allclose(arrays["probabilities"][:, 0], outputs.probabilities[:8].max(axis=1), rtol=1e-4)


def test_the_fit_is_the_one_that_was_asked_for(supervised, files):
    for fit in ("crop", "squash"):
        arrays = Predict(images=files[:1], fit=fit).compute(supervised).arrays
        read = supervised.data.read_images(files[:1], fit).permute(0, 2, 3, 1).numpy()
        np.testing.assert_array_equal(arrays["pictures"], read)
        expected = np.sort(by_hand(supervised, files[:1], fit)[0])[:, ::-1]
        np.testing.assert_allclose(arrays["probabilities"], expected, rtol=1e-4)
    default = Predict(images=files[:1]).compute(supervised).arrays["pictures"]
    assert (default != arrays["pictures"]).any()


def test_numbers_and_words(supervised, files):
    figure = Predict(images=files)
    finding = figure.compute(supervised)
    names, tops = (
        ["wide.png", "square.png", "a photo with quite a long name of 2024.png"],
        finding.numbers["top_classes"],
    )
    assert list(tops) == names == [name for name in finding.numbers if name != "top_classes"]
    for row, name in enumerate(names):
        assert list(tops[name]) == finding.arrays["classes"][row].tolist()
        assert list(tops[name].values()) == finding.arrays["probabilities"][row].tolist()
        first, probability = next(iter(tops[name].items()))
        assert finding.numbers[name] == f"{first} {probability:.2f}"
    assert find_wordless(figure, {"one": finding}) == []
    lines = figure.summary({"one": finding, "two": finding}).split("\n")
    assert len(lines) == 6
    words = ", ".join(f"{name} {probability:.2f}" for name, probability in tops["wide.png"].items())
    assert lines[:2] == [f"wide.png: {words}  [one]", f"wide.png: {words}  [two]"]


def test_files_of_one_name_are_told_apart(supervised, files, tmp_path):
    (tmp_path / "other").mkdir()
    Image.open(files[1]).save(tmp_path / "other" / "wide.png")
    finding = Predict(images=[files[0], str(tmp_path / "other" / "wide.png")]).compute(supervised)
    assert finding.arrays["names"].tolist() == [f"{tmp_path.name}/wide.png", "other/wide.png"]
    assert len(finding.numbers["top_classes"]) == 2


def test_twelve_are_drawn_but_all_are_counted_in_batches(supervised, files, monkeypatch):
    monkeypatch.setattr(predict, "_BATCH", 13)
    own, seen = files * 9, []
    read = supervised.data.read_images
    monkeypatch.setattr(supervised.data, "read_images", lambda paths, fit: seen.append(len(paths)) or read(paths, fit))
    figure = Predict(images=own)
    finding = figure.compute(supervised)
    assert seen == [13, 13, 1]
    assert len(finding.arrays["maps"]) == len(finding.arrays["pictures"]) == 12
    assert len(finding.arrays["probabilities"]) == len(finding.arrays["names"]) == 27
    np.testing.assert_allclose(finding.arrays["probabilities"][24:], finding.arrays["probabilities"][:3], rtol=1e-4)
    assert "Of 27 pictures the first 12 are shown; the numbers are of all." in finding.caption
    assert "pictures the first" not in Predict(images=files).compute(supervised).caption
    assert_readable(figure.draw({"run": finding}))


def test_the_caption_says_what_was_done_to_pictures(supervised, files):
    captions = {fit: Predict(images=files, fit=fit).compute(supervised).caption for fit in (None, "squash")}
    long = "a photo with quite a long name of 2024.png"
    assert f"In pixels wide.png is 50 x 30, {long} is 8 x 9, fitted to 16 x 16: the shorter side" in captions[None]
    assert "both sides were scaled" in captions["squash"]
    assert captions[None].endswith(f"Enlarged and so blurred: {long}.")
    assert "fitted" not in Predict(images=files[1:2]).compute(supervised).caption
    assert "The maps are 8x8, enlarged." in captions[None]
    assert "and 2 more, fitted" in Predict(images=files[:1] * 8).compute(supervised).caption


def test_a_turned_photo_has_the_size_that_a_person_sees(supervised, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20), (200, 30, 30)).save(tmp_path / "turned.jpg", exif=exif)
    assert "turned.jpg is 20 x 40" in Predict(images=[str(tmp_path / "turned.jpg")]).compute(supervised).caption


@pytest.mark.parametrize("images", [None, []])
def test_without_pictures(images):
    with pytest.raises(NetgazeError, match=r"predict needs pictures of your own: type images=\[a.jpg,b.jpg\]"):
        Predict(images=images)


def test_wrong_settings(files, supervised):
    with pytest.raises(NetgazeError, match=r"figure\.predict\.fit=stretch is not known\. It is crop or squash"):
        Predict(images=files, fit="stretch")
    with pytest.raises(NetgazeError, match=r"num_classes=0 must be 1 or more"):
        Predict(images=files, num_classes=0)
    with pytest.raises(NetgazeError, match=r"there is no file nowhere\.jpg"):
        Predict(images=["nowhere.jpg"]).compute(supervised)


def test_its_yaml(files):
    assert make_figure("predict", images=files).images == files
    assert (CONF / "predict.yaml").read_text().startswith("# @package figure.predict\n")
    content = OmegaConf.to_container(OmegaConf.load(CONF / "predict.yaml"), resolve=False)
    assert content["images"] == "${oc.select:images,null}"


def test_raw_pixels_and_other_classes_are_left_out(subjects, data, make_data):
    assert subjects[3].lacks(Predict.needs) == ["classes"]
    other = make_data(num_classes=2)
    task = subjects[0].task
    assert Subject("other", task=lambda: task, data=lambda: other, train_data=lambda: data).lacks(Predict.needs) == [
        "classes"
    ]


@pytest.mark.parametrize("num_columns", [1, 2, 3, 5])
def test_draws_long_names_and_several_networks(make_data, make_subjects, files, num_columns):
    subjects = many(make_data, make_subjects)
    figure = Predict(images=files)
    findings = {
        f"ResNet-18, ImageNet weights, lr=0.0{number}": figure.compute(subjects[number % 3])
        for number in range(num_columns)
    }
    picture = figure.draw(findings)
    assert_readable(picture)
    FigureCanvasAgg(picture).draw()
    renderer = picture.canvas.get_renderer()
    bars = [patch for axes in picture.axes for patch in axes.patches if isinstance(patch, Rectangle)]
    whole = [bar.get_window_extent(renderer) for bar in bars if bar.get_alpha() == 0.08]
    assert len(whole) == sum(finding.arrays["classes"].size for finding in findings.values())
    names = [text for text in picture.findobj(Text) if re.match(r"(amusement|rot|0|90|180|270)", text.get_text())]
    inside = [
        any(box.x0 <= its.x0 and its.x1 <= box.x1 and box.y0 - 2 <= its.y0 and its.y1 <= box.y1 + 2 for box in whole)
        for its in (text.get_window_extent(renderer) for text in names if text.get_text().startswith("amusement"))
    ]
    assert inside
    assert all(inside)


def test_bars_are_as_long_as_probabilities(supervised, files):
    figure = Predict(images=files)
    finding = figure.compute(supervised)
    patches = [patch for axes in figure.draw({"run": finding}).axes for patch in axes.patches]
    full, parts = ([bar.get_width() for bar in patches if bar.get_alpha() == alpha] for alpha in (0.08, 0.35))
    assert max(full) == min(full) <= predict._MOST_BARS
    shares = np.array(parts) / np.array(full)
    np.testing.assert_allclose(shares, finding.arrays["probabilities"].ravel())


def test_tied_probabilities_keep_the_classes_order(supervised, files):
    with torch.no_grad():
        for parameter in supervised.task.parameters():
            parameter.zero_()
    assert Predict(images=files).compute(supervised).arrays["classes"][0].tolist() == supervised.task.class_names


def test_leaves_the_network_as_it_was(supervised, files):
    supervised.task.train()
    before = {key: value.clone() for key, value in supervised.task.state_dict().items()}
    Predict(images=files).compute(supervised)
    assert supervised.task.training
    assert all(torch.equal(before[key], value) for key, value in supervised.task.state_dict().items())
