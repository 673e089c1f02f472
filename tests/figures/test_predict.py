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
from tests.figures.reader import assert_shows, make_pictures, read
from tests.figures.test_figures import CONF, assert_readable, make_figure
from tests.figures.test_words import find_wordless

from netgaze.drawing.evidence import overlay
from netgaze.drawing.heat import enlarge
from netgaze.errors import NetgazeError
from netgaze.figure import Finding
from netgaze.figures import predict
from netgaze.figures.predict import Predict, page
from netgaze.subject import Subject, evaluating
from netgaze.text import format_value

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
    assert "The first 12 of 27 pictures are shown; the numbers cover all." in finding.caption
    assert "pictures the first" not in Predict(images=files).compute(supervised).caption
    assert_readable(figure.draw({"run": finding}))


def test_the_caption_says_what_was_done_to_pictures(supervised, files):
    captions = {fit: Predict(images=files, fit=fit).compute(supervised).caption for fit in (None, "squash")}
    long = "a photo with quite a long name of 2024.png"
    assert (
        f"Sizes in pixels: wide.png is 50 x 30, {long} is 8 x 9, fitted to 16 x 16: the shorter side" in captions[None]
    )
    assert "both sides were scaled" in captions["squash"]
    assert captions[None].endswith(f"Enlarged, hence blurred: {long}.")
    assert "fitted" not in Predict(images=files[1:2]).compute(supervised).caption
    assert "The maps are 8x8, enlarged." in captions[None]
    assert "and 2 more, fitted" in Predict(images=files[:1] * 8).compute(supervised).caption


def test_a_picture_with_one_short_side_is_blurred(supervised, tmp_path):
    Image.new("RGB", (40, 10)).save(tmp_path / "flat.png")
    caption = Predict(images=[str(tmp_path / "flat.png")]).compute(supervised).caption
    assert caption.endswith("Enlarged, hence blurred: flat.png.")


def test_a_turned_photo_has_the_size_that_a_person_sees(supervised, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20), (200, 30, 30)).save(tmp_path / "turned.jpg", exif=exif)
    assert "turned.jpg is 20 x 40" in Predict(images=[str(tmp_path / "turned.jpg")]).compute(supervised).caption


@pytest.mark.parametrize("images", [None, []])
def test_without_pictures(images):
    with pytest.raises(NetgazeError, match=r"needs your pictures: type images=\[a.jpg,b.jpg\]"):
        Predict(images=images)


def test_wrong_settings(files, supervised):
    with pytest.raises(NetgazeError, match=r"Unknown figure\.predict\.fit=stretch\. Choose crop, squash"):
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
    assert max(full) == min(full) <= page._MOST_BARS
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


UNITS = ["logits", "filter response"]
CLASSES = {
    "one": [["cat", "dog", "emu"], ["fox", "cat", "gnu"]],
    "two": [["dog", "cat", "fox"], ["emu", "gnu", "dog"]],
}
PROBABILITIES = {"one": [[0.75, 0.2, 0.0012], [0.5, 0.4, 0.05]], "two": [[0.625, 0.25, 0.1], [1.0, 0.00001, 0.0]]}
SAID = {"one": [["0.75", "0.20", "0.001"], ["0.50", "0.40", "0.05"]], "two": [["0.62", "0.25", "0.10"]]}
SAID["two"].append(["1.00", "<0.0001", "0.00"])


def make_findings(num=2):
    pictures, maps, found = make_pictures(num, 2), np.random.default_rng(0).normal(size=(num, 2, 4, 4)), {}
    for place in range(num):
        label = ["one", "two"][place % 2]
        arrays = {
            "names": np.array(["first.png", "second.png"]),
            "classes": np.array(CLASSES[label]),
            "probabilities": np.array(PROBABILITIES[label]),
            "pictures": pictures[place],
            "unit": np.array(UNITS[place % 2]),
            "maps": maps[place] * 10.0 ** (3 * place),
        }
        found[label if place < 2 else f"{label} {place}"] = Finding({}, arrays)
    return found


def cells_of(drawn, findings):
    """Label, row, the picture's tile and the map's, and where the next column begins."""
    for row, line in enumerate(drawn.grid()):
        assert len(line) == 2 * len(findings)
        ends = [tile.x for tile in line[2::2]] + [drawn.width]
        for label, picture, over, end in zip(findings, line[::2], line[1::2], ends, strict=True):
            yield label, row, picture, over, end


def read_bars(drawn, picture, right, num=3):
    """The lines beside or below a picture: class, what is said of it, the bar's share, is it bold."""
    inside = [bar for bar in drawn.bars if picture.x - 0.02 <= bar.x < right and bar.y >= picture.y - 0.02]
    tops = sorted({round(bar.y, 3) for bar in inside})[:num]
    for top in tops:
        small, large = sorted((bar for bar in inside if round(bar.y, 3) == top), key=lambda bar: bar.width)
        name, number = (each for each in drawn.words if top < each.y < top + large.height and large.x < each.x < right)
        assert large.x < name.x < number.x < large.x + large.width
        assert (name.align, number.align) == ("left", "right")
        yield name.text, number.text, small.width / large.width, name.bold and number.bold


@pytest.mark.parametrize("num", [1, 2, 5])
def test_each_picture_and_map_stands_in_its_row_and_column(num):
    findings = make_findings(num)
    drawn = read(Predict(images=["a"]).draw(findings))
    for label, row, picture, over, end in cells_of(drawn, findings):
        arrays = findings[label].arrays
        scale = float(np.quantile(np.abs(arrays["maps"]), 0.99))
        heat = overlay(arrays["pictures"][row], arrays["maps"][row], scale)
        assert_shows([picture, over], [arrays["pictures"][row], heat])
        (title,) = (each for each in drawn.words if each.text == label and each.bold)
        assert picture.x < title.x < end


@pytest.mark.parametrize("num", [1, 2, 5])
def test_bars_are_of_the_cells_classes_likeliest_first(num):
    findings = make_findings(num)
    drawn = read(Predict(images=["a"]).draw(findings))
    for label, row, picture, _, end in cells_of(drawn, findings):
        names, said, shares, bold = zip(*read_bars(drawn, picture, end), strict=True)
        assert list(names) == CLASSES[label[:3]][row]
        assert list(said) == SAID[label[:3]][row]
        assert list(shares) == pytest.approx(PROBABILITIES[label[:3]][row])
        assert bold == (True, False, False)


def test_bars_stand_beside_the_pictures_where_there_is_room_else_below():
    for num, beside in ((1, True), (2, True), (5, False)):
        drawn = read(Predict(images=["a"]).draw(make_findings(num)))
        picture, over = drawn.grid()[0][:2]
        first = min(drawn.bars, key=lambda bar: (bar.y, bar.x))
        assert (first.x > over.x + over.width) is beside
        assert (first.y > picture.y + picture.height) is not beside


def test_each_row_has_its_files_name_and_each_column_its_scale():
    findings = make_findings()
    drawn = read(Predict(images=["a"]).draw(findings))
    lines = drawn.grid()
    for name, line in zip(("first.png", "second.png"), lines, strict=True):
        assert line[0].y - 0.25 < drawn.say(name).y < line[0].y
        assert abs(drawn.say(name).x - line[0].x) < 0.05
    bars = sorted(drawn.color_bars, key=lambda bar: bar.x)
    for bar, (label, finding), picture in zip(bars, findings.items(), lines[0][::2], strict=True):
        high = float(np.quantile(np.abs(finding.arrays["maps"]), 0.99))
        assert (bar.low, bar.high) == pytest.approx((-high, high))
        assert bar.ticks == [format_value(-high), "0", format_value(high)]
        assert (bar.colors, bar.words) == ("RdBu_r", f"evidence ({finding.arrays['unit']})")
        assert picture.x < bar.middle[0] < picture.x + 3 * picture.width
        assert abs(drawn.say(label).x - picture.x) < 4.6
        assert bar.y > lines[1][0].y + lines[1][0].height
    assert drawn.say("one").x < bars[0].x + bars[0].width < drawn.say("two").x
