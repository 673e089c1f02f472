"""The nearest images of own pictures and of a split's: against scikit-learn, and what is shown of them."""

import functools

import numpy as np
import pytest
import torch
from matplotlib.text import Text
from PIL import Image
from sklearn.neighbors import NearestNeighbors
from tests.figures.reader import assert_shows, make_pictures, read
from tests.figures.test_figures import assert_readable, texts_of

from netgaze.data.digits import Digits
from netgaze.errors import NetgazeError
from netgaze.figure import Finding
from netgaze.figures.neighbors import Neighbors
from netgaze.measures.pixels import to_floats
from netgaze.models.resnet import ResNet
from netgaze.schedules import Constant
from netgaze.subject import Subject
from netgaze.tasks.supervised import Supervised
from netgaze.text import format_value


@pytest.fixture(scope="module")
def digits():
    data = Digits(
        num_classes=10, num_channels=1, image_size=32, mean=[0.306], std=[0.376], num_val=180, num_test=120, limit=300
    )
    data.setup()
    return data


def network(data, seed):
    torch.manual_seed(seed)
    model = ResNet(depths=[1, 1], widths=[4, 8], stem="cifar", in_channels=data.num_channels, num_classes=10)
    optimizer = functools.partial(torch.optim.SGD, lr=0.1)
    task = Supervised(model=model, num_classes=data.num_classes, optimizer=optimizer, schedule=Constant())
    task.name_classes(data.class_names)
    return task


@pytest.fixture
def columns(digits):
    """Two networks, one with a long name, and raw pixels."""
    names = ("supervised", "supervised, optim.lr=0.05, model=resnet, seed=1")
    tasks = [network(digits, seed) for seed in (0, 1)]
    subjects = [
        Subject(name, task=lambda task=task: task, data=lambda: digits, training=True)
        for name, task in zip(names, tasks, strict=True)
    ]
    return [*subjects, Subject("raw pixels", data=lambda: digits, pixels=True, control=True)]


def own_pictures(data, folder, rows, split="test"):
    paths = []
    for row in rows:
        paths.append(str(folder / f"digit{row}.png"))
        Image.fromarray(data.images(split)[row, 0].numpy()).save(paths[-1])
    return paths


def doubles(subject, split):
    """Features in float64, of pixels as shares of 255."""
    return to_floats(subject.features(split)).double().numpy()


def theirs(subject, split, queries, k, metric):
    """scikit-learn's distances and rows, of features in float64."""
    bank = doubles(subject, split)
    return NearestNeighbors(n_neighbors=k, algorithm="brute", metric=metric).fit(bank).kneighbors(queries)


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
@pytest.mark.parametrize("number", [0, 2])
def test_neighbors_are_sklearns(columns, distance, number):
    subject = columns[number]
    finding = Neighbors(indices=[5, 80, 11], split="val", num_neighbors=6, distance=distance).compute(subject)
    asked = doubles(subject, "val")[[5, 80, 11]]
    apart, rows = theirs(subject, "val", asked, 7, distance)
    assert rows[:, 0].tolist() == [5, 80, 11]
    np.testing.assert_array_equal(finding.arrays["neighbor_index"], rows[:, 1:])
    np.testing.assert_allclose(finding.arrays["distances"], apart[:, 1:], atol=2e-6, rtol=1e-6)
    labels = subject.data.labels("val").numpy()
    found, own = labels[rows[:, 1:]], labels[[5, 80, 11]]
    assert finding.numbers["agree_query"] == pytest.approx((found == own[:, None]).mean())
    most = [np.unique(row, return_counts=True)[1].max() / 6 for row in found]
    assert finding.numbers["agree_together"] == pytest.approx(np.mean(most))
    assert finding.numbers["classes of val 80"] == [str(label) for label in found[1]]
    np.testing.assert_allclose(finding.numbers["distances of val 80"], apart[1, 1:], atol=2e-6, rtol=1e-6)
    expected = subject.data.images("val")[torch.from_numpy(rows[1, 1:])][:, 0]
    np.testing.assert_array_equal(finding.arrays["neighbors"][1, ..., 0], expected)


def test_cosine_and_euclidean_are_two_questions(columns):
    one, other = (Neighbors(distance=name).compute(columns[2]) for name in ("euclidean", "cosine"))
    assert (one.arrays["neighbor_index"] != other.arrays["neighbor_index"]).any()
    assert other.arrays["distances"].max() < 1 < one.arrays["distances"].min()


def test_an_own_picture_of_the_split_finds_itself(columns, tmp_path):
    paths = own_pictures(columns[0].data, tmp_path, [7, 33])
    for subject in columns:
        finding = Neighbors(images=paths).compute(subject)
        assert finding.arrays["neighbor_index"][:, 0].tolist() == [7, 33]
        assert finding.arrays["distances"][:, 0] == pytest.approx([0, 0], abs=1e-4)
        assert (finding.arrays["distances"][:, 1] > 1e-3).all()
        assert finding.numbers["agree_query"] is None
        assert list(finding.arrays["query_names"]) == ["digit7.png", "digit33.png"]
        np.testing.assert_array_equal(finding.arrays["queries"], finding.arrays["neighbors"][:, 0])


def test_another_split_is_searched(columns, tmp_path):
    paths = own_pictures(columns[2].data, tmp_path, [4], "train")
    assert Neighbors(images=paths, split="train").compute(columns[2]).arrays["distances"][0, 0] == 0
    assert Neighbors(images=paths, split="test").compute(columns[2]).arrays["distances"][0, 0] > 0


def test_the_seed_draws_the_same_queries_for_all(columns):
    figure = Neighbors(num_queries=4, seed=3)
    names = [figure.compute(subject).arrays["query_names"].tolist() for subject in columns]
    assert names[0] == names[1] == names[2]
    assert len(set(Neighbors(num_queries=4).compute(columns[2]).arrays["query_labels"])) == 4
    assert names[0] != Neighbors(num_queries=4).compute(columns[2]).arrays["query_names"].tolist()


def test_twelve_pictures_are_shown_and_the_rest_named(columns, tmp_path):
    paths = own_pictures(columns[2].data, tmp_path, range(13))
    finding = Neighbors(images=paths).compute(columns[2])
    assert len(finding.arrays["queries"]) == 12
    assert finding.caption.endswith("The first 12 of 13 pictures are shown.")
    assert "are shown" not in Neighbors(images=paths[:12]).compute(columns[2]).caption


def test_fit_is_handed_on(columns, tmp_path):
    Image.fromarray(np.arange(40 * 80, dtype=np.uint8).reshape(40, 80)).save(tmp_path / "wide.png")
    path = [str(tmp_path / "wide.png")]
    for fit in ("crop", "squash"):
        shown = Neighbors(images=path, fit=fit).compute(columns[2]).arrays["queries"][0, ..., 0]
        np.testing.assert_array_equal(shown, columns[2].data.read_images(path, fit)[0, 0])


def test_networks_are_compared_by_what_both_found(columns):
    findings = {subject.label: Neighbors(num_neighbors=8).compute(subject) for subject in columns}
    shares = Neighbors().compare(findings)
    first, _, last = (finding.arrays["neighbor_index"].tolist() for finding in findings.values())
    common = [len(set(one) & set(other)) / 8 for one, other in zip(first, last, strict=True)]
    assert len(shares) == 3
    assert shares["common to supervised and raw pixels"] == pytest.approx(np.mean(common))
    assert Neighbors().compare({"a": findings["raw pixels"], "b": findings["raw pixels"]}) == {"common to a and b": 1}


@pytest.mark.parametrize("num_neighbors", [1, 5, pytest.param(20, marks=pytest.mark.slow)])
@pytest.mark.parametrize("own", [False, True])
def test_all_is_readable(columns, tmp_path, monkeypatch, num_neighbors, own):
    monkeypatch.setattr(columns[0].data, "class_names", [f"building_facade_{number}" for number in range(10)])
    images = own_pictures(columns[0].data, tmp_path, [1, 2]) if own else None
    figure = Neighbors(images=images, num_neighbors=num_neighbors)
    findings = {subject.label: figure.compute(subject) for subject in columns}
    picture = figure.draw(findings)
    assert_readable(picture)
    tiles = [image.get_window_extent() for image in picture.axes[0].images]
    for said, box in texts_of(picture):
        for tile in [] if said == "×" else tiles:
            wide = min(box.x1, tile.x1) - max(box.x0, tile.x0)
            assert wide <= 1 or min(box.y1, tile.y1) - max(box.y0, tile.y0) <= 1, f"{said!r} lies on a picture"
    words = [text.get_text() for text in picture.findobj(Text)]
    assert words.count("raw pixels") == (2 if own else 3)
    nearest = findings["raw pixels"].arrays["distances"][0, 0]
    assert format_value(nearest) in "\n".join(words).split("\n")
    assert any(word.startswith("building_") for word in words)


def test_a_line_a_query_and_network_is_said(columns):
    findings = {"raw pixels": Neighbors(indices=[9], num_neighbors=2).compute(columns[2])}
    distances = findings["raw pixels"].numbers["distances of test 9"]
    classes = findings["raw pixels"].numbers["classes of test 9"]
    expected = ", ".join(f"{name} {distance:.4g}" for name, distance in zip(classes, distances, strict=True))
    assert Neighbors().summary(findings) == f"test 9: {expected}  [raw pixels]"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"split": "tset"}, "split=tset. Choose one of train, val, test"),
        ({"distance": "manhattan"}, "distance=manhattan. Choose one of euclidean, cosine"),
        ({"fit": "stretch"}, "fit=stretch. Choose one of null, crop, squash"),
        ({"num_neighbors": 0}, "1 or more"),
        ({"num_queries": 0}, "1 or more"),
        ({"images": []}, "empty list"),
        ({"indices": []}, "empty list"),
        ({"num_neighbors": 120}, "num_neighbors=120 must be at most 119, the images of the test split"),
        ({"indices": [120]}, "image 120, but the split has images 0 to 119"),
        ({"images": ["nowhere.png"]}, "nowhere.png"),
    ],
)
def test_what_cannot_be_is_said(columns, arguments, said):
    with pytest.raises(NetgazeError, match=said):
        Neighbors(**arguments).compute(columns[2])


def test_own_pictures_may_find_the_whole_split(columns, tmp_path):
    paths = own_pictures(columns[2].data, tmp_path, [3])
    found = Neighbors(images=paths, num_neighbors=120).compute(columns[2]).arrays["neighbor_index"]
    assert sorted(found[0]) == list(range(120))


FOUND = {"one": [[0, 1, 0], [2, 1, 2]], "two": [[1, 0, 2], [1, 1, 0]]}  # classes of what is near a cat and a dog
DISTANCES = {"one": [[0.0, 0.25, 2.0], [13.25, 120.25, 1500.0]], "two": [[0.0125, 0.5, 0.75], [1.0, 1.5, 9.96]]}
SAID = {"one": [["0", "0.250", "2.00"], ["13.2", "120", "1,500"]], "two": [["0.0125", "0.500", "0.750"]]}
SAID["two"].append(["1.00", "1.50", "9.96"])


def make_findings(labels=(0, 1)):
    pictures = make_pictures(2, 2, 4)  # networks, queries, the query and its neighbors
    return pictures, {
        label: Finding(
            {},
            {
                "queries": pictures[0, :, 0],
                "query_names": np.array(["test 5", "test 80"]),
                "query_labels": np.array(labels),
                "neighbors": pictures[place, :, 1:],
                "neighbor_labels": np.array(FOUND[label]),
                "neighbor_index": np.arange(6).reshape(2, 3) + place,
                "distances": np.array(DISTANCES[label]),
                "names": np.array(["cat", "dog", "emu"]),
            },
        )
        for place, label in enumerate(FOUND)
    }


def test_each_neighbor_in_its_row_and_frame_with_its_class_and_distance():
    pictures, findings = make_findings()
    drawn = read(Neighbors().draw(findings))
    lines = drawn.grid()
    assert_shows(lines[0], pictures[0, 0])
    assert_shows(lines[1], pictures[1, 0, 1:])
    assert_shows(lines[2], pictures[0, 1])
    assert_shows(lines[3], pictures[1, 1, 1:])
    assert [drawn.frame_of(line[0]) for line in lines[::2]] == [None, None]
    for number, line in enumerate(lines):
        query, label = number // 2, ("one", "two")[number % 2]
        for place, tile in enumerate(line[-3:]):
            near = FOUND[label][query][place]
            assert drawn.frame_of(tile) == ("right" if near == query else "wrong")
            words = [word.text for word in drawn.words_below(tile, 0.35)]
            assert words == [("cat", "dog", "emu")[near], SAID[label][query][place]]


def test_queries_and_rows_are_named():
    drawn = read(Neighbors().draw(make_findings()[1]))
    lines = drawn.grid()
    queries = [[word.text for word in drawn.words_below(line[0], 0.3)] for line in lines[::2]]
    assert queries == [["test 5", "cat"], ["test 80", "dog"]]
    beside = [[word.text for word in drawn.words_left_of(line[-3]) if word.align == "right"] for line in lines]
    assert beside == [["one", "2 of 3"], ["two", "1 of 3"], ["one", "1 of 3"], ["two", "2 of 3"]]
    assert drawn.say("Euclidean distance").y < lines[0][0].y


def test_own_pictures_have_no_class_and_their_neighbors_no_frames():
    drawn = read(Neighbors().draw(make_findings(labels=(-1, -1))[1]))
    assert not drawn.frames
    assert "2 of 3" not in drawn.text
    lines = drawn.grid()
    assert [[word.text for word in drawn.words_below(line[0], 0.3)] for line in lines[::2]] == [["test 5"], ["test 80"]]


def test_many_neighbors_go_on_in_a_second_line():
    pictures = make_pictures(12)
    finding = make_findings()[1]["one"]
    finding.arrays |= {"neighbors": np.stack([pictures[:11]] * 2), "neighbor_labels": np.zeros((2, 11), int)}
    finding.arrays["distances"] = np.arange(1.0, 23).reshape(2, 11)
    drawn = read(Neighbors().draw({"one": finding}))
    lines = drawn.grid()
    assert_shows(lines[0][1:], pictures[:8])
    assert_shows(lines[1], pictures[8:11])
    assert [tile.x for tile in lines[1]] == pytest.approx([tile.x for tile in lines[0][1:4]])
    assert [drawn.words_below(tile, 0.35)[1].text for tile in lines[1]] == ["9.00", "10.0", "11.0"]
