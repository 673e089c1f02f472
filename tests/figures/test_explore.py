"""What the page one clicks in is told of each image: answers, losses, evidence, neighbors, places, pictures."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

from netgaze.drawing.examples import denormalize, to_rgb
from netgaze.errors import NetgazeError
from netgaze.figures.explore import Explore
from netgaze.figures.explore.parts import hand_over
from netgaze.figures.explore.snapshots import place_snapshots
from netgaze.records import Snapshots
from netgaze.subject import Subject, evaluating


@pytest.fixture
def found(supervised):
    return Explore(num_images=30).compute(supervised)


def find_votes(subject, rows, num_classes=3):
    bank, queries = subject.features("train").float(), subject.features("test")[rows].float()
    bank, queries = (torch.nn.functional.normalize(part) for part in (bank, queries))
    similar, near = (queries @ bank.T).topk(20)
    votes = torch.zeros(len(rows), num_classes, dtype=torch.float64)
    votes.scatter_add_(1, subject.data.labels("train")[near], (similar.double() / 0.07).exp())
    return (votes / votes.sum(dim=1, keepdim=True)).numpy()


def test_answers_and_losses_are_the_networks_own(supervised, found):
    arrays, outputs = found.arrays, supervised.outputs("test")
    rows = arrays["index"]
    np.testing.assert_array_equal(arrays["labels"], supervised.data.labels("test")[rows])
    np.testing.assert_array_equal(arrays["head_classes"][:, 0], outputs.logits[rows].argmax(axis=1))
    expected = np.sort(outputs.probabilities[rows], axis=1)[:, ::-1]
    np.testing.assert_allclose(arrays["head_shares"], expected, rtol=1e-5)
    losses = torch.nn.functional.cross_entropy(
        torch.from_numpy(outputs.logits[rows]), torch.from_numpy(arrays["labels"]), reduction="none"
    )
    np.testing.assert_allclose(arrays["head_loss"], losses, rtol=1e-4)
    assert "own_classes" not in arrays


def test_votes_are_of_the_nearest_training_images(subjects):
    for subject in subjects:
        arrays = Explore(num_images=30).compute(subject).arrays
        shares = find_votes(subject, arrays["index"])
        np.testing.assert_array_equal(arrays["vote_classes"][:, 0], shares.argmax(axis=1))
        np.testing.assert_allclose(arrays["vote_shares"], np.sort(shares, axis=1)[:, ::-1], rtol=1e-4, atol=1e-8)
        own = shares[np.arange(30), arrays["labels"]]
        np.testing.assert_allclose(np.exp(-arrays["vote_loss"]), (20 * own + 0.05) / 20.15, rtol=1e-4)


def test_training_images_do_not_vote_on_themselves(supervised):
    arrays = Explore(num_images=30, splits=["train", "test"]).compute(supervised).arrays
    assert np.bincount(arrays["split"]).tolist() == [15, 15]
    own = arrays["index"][:15]
    bank = torch.nn.functional.normalize(supervised.features("train"))
    similar = bank[own] @ bank.T
    similar[torch.arange(15), torch.from_numpy(own)] = -2
    votes = torch.zeros(15, 3, dtype=torch.float64)
    top = similar.topk(20)
    votes.scatter_add_(1, supervised.data.labels("train")[top.indices], (top.values.double() / 0.07).exp())
    shares = (votes / votes.sum(dim=1, keepdim=True)).sort(dim=1, descending=True).values
    np.testing.assert_allclose(arrays["vote_shares"][:15], shares, rtol=1e-4, atol=1e-8)
    np.testing.assert_array_equal(arrays["vote_classes"][:15, 0], votes.argmax(dim=1))


def test_neighbors_are_the_nearest_of_those_shown(supervised, found):
    features = torch.nn.functional.normalize(supervised.features("test")[found.arrays["index"]])
    similar = features @ features.T
    similar.fill_diagonal_(-2)
    np.testing.assert_array_equal(found.arrays["near"], similar.topk(10).indices)


def test_places_are_those_of_the_features(supervised, found):
    features = supervised.features("test")[found.arrays["index"]].numpy()
    expected = PCA(2, random_state=0).fit_transform(features)
    np.testing.assert_allclose(found.arrays["plane_pca"], expected, rtol=1e-4, atol=1e-5)
    assert trustworthiness(features, found.arrays["plane"], n_neighbors=5) > 0.8


@pytest.mark.parametrize("place", [0, 1])
def test_evidence_is_of_the_likeliest_classes_and_the_true_one(subjects, place):
    subject = subjects[place]
    arrays = Explore(num_images=30).compute(subject).arrays
    rows = arrays["index"]
    with evaluating(subject.task), torch.no_grad():
        maps = subject.task.class_maps(subject.data.normalize(subject.data.images("test", rows))).float().numpy()
    classes = arrays["heat_classes"]
    targets = arrays["labels"] if place == 0 else np.zeros(30, int)  # of rotation, the images are upright
    assert (classes == targets[:, None]).any(axis=1).all()
    own = np.take_along_axis(maps, classes[:, :, None, None], axis=1)
    bounded = np.clip(own / np.quantile(np.abs(own), 0.99), -1, 1)
    np.testing.assert_allclose((arrays["heat"] - 128.0) / 127, bounded, atol=0.005)


def test_the_true_class_has_a_map_where_only_some_have_room(supervised, monkeypatch):
    monkeypatch.setattr("netgaze.figures.explore.evidence._MOST_BYTES", 1)
    classes = Explore(num_images=30).compute(supervised).arrays["heat_classes"]
    labels = Explore(num_images=30).compute(supervised).arrays["labels"]
    assert classes.shape == (30, 2)
    assert (classes == labels[:, None]).any(axis=1).all()


def test_a_network_that_names_something_else_says_what(rotation):
    part = explore(rotation)[rotation.label]["network"]
    assert part["own"]["class_names"] == ["0°", "90°", "180°", "270°"]
    assert part["answers"]["by"] == "neighbors"
    assert part["heat"]["class_names"] == part["own"]["class_names"]


def test_raw_pixels_answer_by_their_neighbors_alone(subjects):
    part = explore(subjects[3])["raw pixels"]["network"]
    assert set(part) == {"maps", "neighbors", "answers"}


def explore(*subjects, **arguments):
    figure = Explore(num_images=30, **arguments)
    findings = {subject.label: figure.compute(subject) for subject in subjects}
    for label, arrays in figure.relate(findings, {subject.label: subject for subject in subjects}).items():
        findings[label].arrays |= arrays
    return {label: figure.explore(finding) for label, finding in findings.items()}


def test_all_networks_are_shown_the_same_images_which_travel_once(subjects):
    parts = list(explore(*subjects).values())
    assert len({part["set"] for part in parts}) == 1
    assert ["sprite" in part["images"] for part in parts] == [True, False, False, False]
    for part in parts[1:]:
        np.testing.assert_array_equal(part["images"]["index"], parts[0]["images"]["index"])


def test_of_untrained_networks_with_the_same_features_the_one_that_answers_most_is_shown(subjects):
    control = subjects[2]
    lost = Subject("lost", task=lambda: control.task, data=lambda: control.data, control=True, training=True)
    lost._is_lost = lambda: True
    parts = explore(lost, control, subjects[3])
    assert [label for label, part in parts.items() if part] == [control.label, "raw pixels"]
    trained = explore(subjects[0], Subject("twin", task=lambda: subjects[0].task, data=lambda: control.data))
    assert all(trained.values())


def test_other_images_are_another_set(make_data, make_subjects):
    one, other = (make_subjects(make_data(num_classes=num))[0] for num in (3, 4))
    other.label = "other"
    parts = list(explore(one, other).values())
    assert parts[0]["set"] != parts[1]["set"]
    assert all("sprite" in part["images"] for part in parts)


def read_tiles(found):
    sheet = np.asarray(Image.open(io.BytesIO(found["sprite"].tobytes())))
    side, across = int(found["side"]), int(found["across"])
    for number in range(len(found["index"])):
        row, column = divmod(number, across)
        yield sheet[row * side : (row + 1) * side, column * side : (column + 1) * side]


def test_each_tile_is_its_image(supervised):
    figure = Explore(num_images=30)
    finding = figure.compute(supervised)
    finding.arrays |= figure.relate({"a": finding}, {"a": supervised})["a"]
    pictures = to_rgb(supervised.data.images("test", finding.arrays["index"])).astype(int)
    tiles = np.stack(list(read_tiles(finding.arrays))).astype(int)
    distances = np.abs(tiles[:, None] - pictures[None]).mean(axis=(2, 3, 4))
    np.testing.assert_array_equal(distances.argmin(axis=1), np.arange(30))


def test_places_fill_a_square_of_two_bytes_and_keep_their_shape(found):
    part = hand_over(found.arrays | {"set": np.array("set")})["network"]["maps"]["t-SNE"].astype(float)
    plane = found.arrays["plane"].astype(float)
    assert part.min() == 0 or part.max() == 65535
    scale = (part[1:] - part[0]) / (plane[1:] - plane[0])
    assert np.median(scale) == pytest.approx(65535 / np.ptp(plane, axis=0).max(), rel=1e-3)
    np.testing.assert_allclose(part[1:] - part[0], (plane[1:] - plane[0]) * np.median(scale), atol=3)


def test_the_same_network_is_placed_where_it_lies_in_its_own_map(subjects):
    pytest.importorskip("openTSNE")
    supervised, rotation = subjects[:2]
    figure = Explore(num_images=40, shared_map=True)
    findings = {label: figure.compute(it) for label, it in (("a", supervised), ("b", supervised), ("c", rotation))}
    placed = figure.relate(findings, {"a": supervised, "b": supervised, "c": rotation})
    plane, reach = findings["a"].arrays["plane"], np.ptp(findings["a"].arrays["plane"])
    assert "plane_shared" not in placed["a"]
    near, far = (np.linalg.norm(placed[name]["plane_shared"] - plane, axis=1).mean() / reach for name in "bc")
    assert near < 0.1 < far
    of_c = findings["c"].arrays
    in_a, in_c = (np.median(it[of_c["near"]], axis=1) for it in (plane, of_c["plane"]))
    one, other = (np.linalg.norm(placed["c"]["plane_shared"] - it, axis=1).mean() for it in (in_a, in_c))
    assert one < other


def test_numbers_that_one_byte_cannot_hold_have_two(found):
    many = found.arrays | {"set": np.array("set"), "near": found.arrays["near"] + 250}
    for arrays, dtype in ((many, "uint16"), (many | {"near": found.arrays["near"]}, "uint8")):
        neighbors = hand_over(arrays)["network"]["neighbors"]
        assert neighbors.dtype == dtype
        np.testing.assert_array_equal(neighbors, arrays["near"])


def keep(found, epochs=3, named=True, extra=0):
    rng, num = np.random.default_rng(0), len(found.arrays["index"])
    index = np.concatenate([found.arrays["index"][::-1], 1000 + np.arange(extra)])
    return Snapshots(
        np.arange(1, epochs + 1),
        index,
        rng.normal(size=(epochs, num + extra, 5)).astype(np.float16),
        rng.integers(0, 3, (epochs, num + extra)).astype(np.int16) if named else np.full((epochs, num), -1, np.int16),
        rng.random((epochs, num + extra)).astype(np.float16),
    )


class TestSnapshots:
    def test_each_image_keeps_its_own_answers(self, supervised, found):
        kept = keep(found, extra=4)
        supervised.snapshots = kept
        placed = place_snapshots(supervised, found.arrays, 0)
        np.testing.assert_array_equal(placed["epoch_classes"], kept.answers[:, 29::-1])
        np.testing.assert_array_equal(placed["epoch_shares"], kept.shares[:, 29::-1])
        features = kept.features[0, 29::-1].astype(float)
        assert trustworthiness(features, placed["epoch_planes"][0], n_neighbors=5) > 0.75

    def test_without_a_head_the_others_vote(self, rotation):
        found = Explore(num_images=30).compute(rotation)
        rotation.snapshots = kept = keep(found, named=False)
        placed = place_snapshots(rotation, found.arrays, 0)
        features = torch.nn.functional.normalize(torch.from_numpy(kept.features[1, ::-1].astype(np.float32)))
        similar = (features @ features.T).fill_diagonal_(-2)
        votes = torch.zeros(30, 3, dtype=torch.float64)
        top = similar.topk(10)
        votes.scatter_add_(1, torch.from_numpy(found.arrays["labels"])[top.indices], (top.values.double() / 0.07).exp())
        np.testing.assert_array_equal(placed["epoch_classes"][1], votes.argmax(dim=1))

    def test_of_other_images_none_is_shown(self, supervised, found, caplog):
        found.arrays["index"] = found.arrays["index"] + 500
        supervised.snapshots = keep(Explore(num_images=20).compute(supervised))
        assert place_snapshots(supervised, found.arrays, 0) == {}
        assert "other images" in caplog.text

    def test_a_run_without_has_none(self, supervised, found):
        assert place_snapshots(supervised, found.arrays, 0) == {}

    def test_what_is_no_snapshot_is_refused(self, tmp_path, found):
        kept = keep(found)
        kept.save(tmp_path / "whole.npz")
        np.testing.assert_array_equal(Snapshots.load(tmp_path / "whole.npz").features, kept.features)
        Snapshots(**vars(kept) | {"shares": kept.shares[:, 1:]}).save(tmp_path / "short.npz")
        with pytest.raises(NetgazeError, match="do not match"):
            Snapshots.load(tmp_path / "short.npz")
        np.savez(tmp_path / "other.npz", epochs=np.arange(3))
        with pytest.raises(NetgazeError, match="not a file of snapshots"):
            Snapshots.load(tmp_path / "other.npz")


@pytest.mark.parametrize("wrong", [{"num_images": 1}, {"num_images": 100_000}, {"splits": []}, {"splits": ["tests"]}])
def test_what_cannot_be_shown_is_said_at_once(wrong):
    with pytest.raises(NetgazeError, match=r"figure\.explore"):
        Explore(**wrong)


def test_a_class_more_than_images_does_no_harm(make_data, make_subjects):
    data = make_data(num_classes=30, sizes=(("train", 60), ("val", 30), ("test", 8)))
    subject = make_subjects(data)[0]
    arrays = Explore().compute(subject).arrays
    assert len(arrays["index"]) == 8
    assert arrays["near"].shape == (8, 7)
    assert denormalize(data.normalize(data.images("test", arrays["index"])), data.mean, data.std).shape == (
        8,
        16,
        16,
        3,
    )
