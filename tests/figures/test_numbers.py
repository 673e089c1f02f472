"""The numbers of figures and of metrics against scikit-learn and naive loops."""

import numpy as np
import pytest
import torch
from sklearn.manifold import trustworthiness
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, recall_score
from sklearn.neighbors import KNeighborsClassifier
from tests.figures.test_figures import assert_readable
from torchmetrics.functional.classification import multiclass_calibration_error

from netgaze.drawing.examples import balanced_choice, choose_examples, denormalize, rebuild_examples
from netgaze.drawing.panels import MOST_NAMES
from netgaze.errors import NetgazeError
from netgaze.figures.confusion import Confusion
from netgaze.figures.curves import Curves
from netgaze.figures.data_card import DataCard
from netgaze.figures.extremes import Extremes
from netgaze.figures.filters import Filters, measure_filters
from netgaze.figures.knn import Knn
from netgaze.figures.tsne import Tsne
from netgaze.measures.metrics import knn_accuracy, vote_weighted
from netgaze.measures.neighbors import find_nearest
from netgaze.measures.planes import leave_one_out
from netgaze.passes import Outputs
from netgaze.subject import Subject


@pytest.fixture
def clouds():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(300) % 3
    features = torch.randn(300, 8, generator=generator) + labels[:, None] * 0.7
    return features[:200], labels[:200], features[200:], labels[200:]


@pytest.mark.parametrize("k", [1, 20, 150])
def test_knn_accuracy_is_sklearns(clouds, k):
    bank, bank_labels, queries, labels = clouds
    theirs = KNeighborsClassifier(k, metric="cosine", weights=lambda distance: np.exp((1 - distance) / 0.07))
    expected = theirs.fit(bank.double(), bank_labels).score(queries.double(), labels)
    assert knn_accuracy(bank, bank_labels, queries, labels, ks=(k,)) == {f"knn{k}": pytest.approx(expected)}


def test_knn_leaves_out_what_the_bank_cannot_fill(clouds):
    assert set(knn_accuracy(*clouds, ks=(20, 201))) == {"knn20"}


def test_nearest_against_a_loop(clouds):
    bank, _, queries, _ = clouds
    similarities, indices = find_nearest(queries, bank, 5, chunk=7)
    for number, query in enumerate(queries):
        cosine = torch.nn.functional.cosine_similarity(query[None], bank)
        best = cosine.sort(descending=True)
        assert torch.equal(indices[number], best.indices[:5])
        torch.testing.assert_close(similarities[number], best.values[:5])


def test_nearest_leaves_out_self(clouds):
    bank = clouds[0]
    _, with_self = find_nearest(bank, bank, 3, chunk=11)
    _, without = find_nearest(bank, bank, 2, chunk=11, leave_out_self=True)
    assert torch.equal(with_self[:, 0], torch.arange(len(bank)))
    assert torch.equal(with_self[:, 1:], without)


def test_weighted_vote_against_a_loop():
    generator = torch.Generator().manual_seed(0)
    similarities = torch.rand(50, 9, generator=generator) * 2 - 1
    labels = torch.randint(0, 4, (50, 9), generator=generator)
    for row, winner in enumerate(vote_weighted(similarities, labels, 4)):
        votes = [0.0] * 4
        for similarity, label in zip(similarities[row], labels[row], strict=True):
            votes[label] += float(np.exp(float(similarity) / 0.07))
        assert int(winner) == int(np.argmax(votes))


def test_confusion_and_accuracies_are_sklearns(rotation):
    finding, outputs = Confusion().compute(rotation), rotation.outputs("test")
    predicted = outputs.logits.argmax(axis=1)
    np.testing.assert_array_equal(finding.arrays["counts"], confusion_matrix(outputs.targets, predicted))
    assert finding.numbers["acc"] == pytest.approx(accuracy_score(outputs.targets, predicted))
    assert finding.numbers["acc_macro"] == pytest.approx(balanced_accuracy_score(outputs.targets, predicted))
    table = Confusion().table(finding)
    assert [row["class"] for row in table] == rotation.task.class_names
    assert [row["examples"] for row in table] == np.bincount(outputs.targets).tolist()
    recalls = recall_score(outputs.targets, predicted, average=None)
    assert [row["accuracy"] for row in table] == pytest.approx(recalls.tolist())


def test_micro_and_macro_differ_on_unequal_classes():
    logits = torch.eye(2)[torch.tensor([0] * 9 + [0])]
    targets = torch.tensor([0] * 9 + [1])
    from netgaze.measures.metrics import classification_metrics

    assert classification_metrics(logits, targets) == {"acc": pytest.approx(0.9), "acc_macro": pytest.approx(0.5)}


def test_reliability_bins_give_the_calibration_error(supervised):
    arrays, numbers = Confusion().compute(supervised).arrays, Confusion().compute(supervised).numbers
    gaps = np.abs(arrays["bin_accuracy"] - arrays["bin_confidence"])
    shares = arrays["bin_counts"] / arrays["bin_counts"].sum()
    assert np.nansum(gaps * shares) == pytest.approx(numbers["ece"], abs=1e-9)
    outputs = supervised.outputs("test")
    probabilities, targets = torch.from_numpy(outputs.probabilities), torch.from_numpy(outputs.targets)
    assert numbers["ece"] == pytest.approx(float(multiclass_calibration_error(probabilities, targets, 3)), abs=1e-5)


def test_most_confused_pairs_are_the_largest_shares(supervised):
    finding = Confusion().compute(supervised)
    shares = finding.arrays["counts"] / finding.arrays["counts"].sum(axis=1, keepdims=True)
    np.fill_diagonal(shares, 0)
    pairs = [share for name, share in finding.numbers.items() if " as " in name]
    assert pairs == pytest.approx(sorted(shares[shares > 0].ravel(), reverse=True)[:5])


def test_tsne_numbers(supervised):
    finding = Tsne(num_images=27).compute(supervised)
    index = balanced_choice(supervised.data.labels("test").numpy(), 27, 0)
    features, labels = supervised.features("test")[index].numpy(), supervised.data.labels("test").numpy()[index]
    np.testing.assert_array_equal(finding.arrays["labels"], labels)
    expected = trustworthiness(features, finding.arrays["plane"], n_neighbors=10)
    assert finding.numbers["trustworthiness"] == pytest.approx(expected)
    right = 0
    for number in range(27):
        distance = np.linalg.norm(features - features[number], axis=1)
        distance[number] = np.inf
        right += np.bincount(labels[np.argsort(distance)[:5]]).argmax() == labels[number]
    assert finding.numbers["knn5_features"] == pytest.approx(right / 27)
    assert finding.numbers["knn5_plane"] == leave_one_out(finding.arrays["plane"], labels, 5)


def test_the_planes_neighbors_are_those_in_the_plane(supervised, monkeypatch):
    plane = np.random.default_rng(0).normal(size=(27, 2))
    monkeypatch.setattr("netgaze.figures.tsne.embed", lambda *args: plane)
    finding = Tsne(num_images=27).compute(supervised)
    found = leave_one_out(plane, finding.arrays["labels"], 5)
    assert finding.numbers["knn5_plane"] == found < finding.numbers["knn5_features"]


def test_tsne_of_more_classes_than_images_shows_several_of_each_in_styles_of_their_own(make_data, make_subjects):
    sizes = (("train", 130), ("val", 130), ("test", 520))
    subject = make_subjects(make_data(num_classes=130, sizes=sizes))[0]
    subject._features["test"] = torch.rand(520, 5, generator=torch.Generator().manual_seed(0))
    finding = Tsne(num_images=24).compute(subject)
    shown, counts = np.unique(finding.arrays["labels"], return_counts=True)
    assert counts.tolist() == [4] * 6
    assert "24 images" in finding.caption
    assert "6 of the 130 classes" in finding.caption
    (legend,) = Tsne().draw({"run": finding}).legends
    assert [text.get_text() for text in legend.get_texts()] == [f"a class with a long name {k}" for k in shown]
    styles = {(handle.get_color(), handle.get_marker()) for handle in legend.legend_handles}
    assert len(styles) == len(shown)


def test_confusion_of_more_classes_than_pixels_shows_the_most_confused(make_data, make_subjects):
    rng = np.random.default_rng(0)
    subject = make_subjects(make_data(num_classes=300, sizes=(("train", 300), ("val", 300), ("test", 900))))[0]
    subject.task.name_classes(subject.data.class_names)
    targets = np.arange(900) % 300
    predicted = np.where(np.isin(targets, [7, 150, 299]), (targets + 1) % 300, targets)  # always wrong
    predicted[rng.permutation(np.flatnonzero(targets == 20))[:1]] = 21  # one of three
    logits = np.eye(300, dtype=np.float32)[predicted]
    subject._outputs["test"] = Outputs(logits, targets, np.arange(900))
    figure = Confusion()
    finding = figure.compute(subject)
    assert len(finding.arrays["shown"]) == MOST_NAMES
    assert {7, 8, 150, 151, 299, 0, 20, 21} <= set(finding.arrays["shown"])
    within = np.ix_(finding.arrays["shown"], finding.arrays["shown"])
    np.testing.assert_array_equal(finding.arrays["counts"], confusion_matrix(targets, predicted)[within])
    pairs, counts = finding.arrays["pairs"], finding.arrays["pair_counts"]
    whole = np.zeros((300, 300), dtype=int)
    whole[pairs[:, 0], pairs[:, 1]] = counts
    np.testing.assert_array_equal(whole, confusion_matrix(targets, predicted))
    assert len(figure.table(finding)) == 300
    assert "300 classes" in finding.caption
    assert_readable(figure.draw({"run": finding}))


def test_leave_one_out_of_two_far_groups():
    points = np.concatenate([np.random.default_rng(0).normal(size=(10, 2)) + shift for shift in (0, 50)])
    assert leave_one_out(points, np.repeat([0, 1], 10), 5) == 1.0
    assert leave_one_out(points, np.tile([0, 1], 10), 1000) <= 1.0


def test_knn_figure_shows_sorted_neighbors_of_different_classes(supervised):
    finding = Knn(num_queries=3, num_neighbors=4).compute(supervised)
    assert len(set(finding.arrays["query_labels"])) == 3
    assert (np.diff(finding.arrays["similarities"], axis=1) <= 0).all()
    bank, features = supervised.features("train"), supervised.features("test")
    labels = supervised.data.labels("train"), supervised.data.labels("test")
    expected = knn_accuracy(bank, labels[0], features, labels[1])
    assert {name: finding.numbers[name] for name in expected} == expected
    _, near = find_nearest(features[choose_examples(labels[1].numpy(), 3, 0, None)], bank, 4)
    shown = supervised.data.images("train", near.flatten()).permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(finding.arrays["neighbors"].reshape(shown.shape), shown)
    np.testing.assert_array_equal(finding.arrays["neighbor_labels"], labels[0][near])
    asked = choose_examples(labels[1].numpy(), 3, 0, None)
    np.testing.assert_array_equal(finding.arrays["query_labels"], labels[1][asked])
    images = supervised.data.images("test", torch.from_numpy(asked)).permute(0, 2, 3, 1)
    np.testing.assert_array_equal(finding.arrays["queries"], images)
    right = finding.arrays["neighbor_labels"] == finding.arrays["query_labels"][:, None]
    assert finding.numbers["shown_right"] == pytest.approx(right.mean())


def test_extremes_are_the_extremes_and_shown_as_seen(rotation):
    finding, outputs = Extremes(num_each=5).compute(rotation), rotation.outputs("test")
    ordered = np.sort(outputs.losses)
    np.testing.assert_allclose(finding.arrays["losses"], np.concatenate([ordered[::-1][:5], ordered[:5]]))
    hardest = outputs.losses.argmax()
    image = rotation.data.images("test")[outputs.index[hardest]].permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(finding.arrays["images"][0], np.rot90(image, outputs.targets[hardest]))
    assert finding.numbers["mean_loss"] == pytest.approx(outputs.losses.mean(), rel=1e-5)
    assert finding.numbers["median_loss"] == pytest.approx(ordered[len(ordered) // 2 - 1 :][:2].mean(), rel=1e-5)
    shown = np.concatenate([np.argsort(-outputs.losses)[:5], np.argsort(outputs.losses)[:5]])
    names = np.array(rotation.task.class_names)
    assert finding.arrays["true"].tolist() == names[outputs.targets[shown]].tolist()
    assert finding.arrays["predicted"].tolist() == names[outputs.logits[shown].argmax(axis=1)].tolist()
    assert finding.numbers["worst_tenth_share"] == pytest.approx(ordered[-16:].sum() / ordered.sum(), rel=1e-5)


def test_presented_gives_back_the_image(rotation):
    data = rotation.data
    pictures = denormalize(rebuild_examples(rotation, np.array([3, 43, 83])), data.mean, data.std)
    image = data.images("test")[3].permute(1, 2, 0).numpy()
    for turns, picture in enumerate(pictures):
        np.testing.assert_array_equal(picture, np.rot90(image, turns))


def test_turns_over_classes_are_those_of_a_loop():
    rng = np.random.default_rng(0)
    labels = rng.choice([3, 5, 9, 40], 200, p=[0.5, 0.3, 0.15, 0.05])
    draw = np.random.default_rng(7)
    turns = [[3, 5, 9, 40][k] for k in np.argsort(draw.permutation(4))]
    order = draw.permutation(200).tolist()
    waiting = {name: [image for image in order if labels[image] == name] for name in turns}
    expected = []
    while any(waiting.values()):
        expected += [waiting[name].pop(0) for name in turns if waiting[name]]
    assert balanced_choice(labels, 200, 7).tolist() == expected


def test_spread_takes_turns_over_classes():
    labels = np.array([0] * 50 + [1] * 3 + [2] * 20)
    index = balanced_choice(labels, 12, seed=0)
    assert sorted(labels[index[:3]]) == sorted(labels[index[3:6]]) == [0, 1, 2]
    assert np.bincount(labels[index]).tolist() == [5, 3, 4] or np.bincount(labels[index]).tolist() == [4, 3, 5]
    assert len(set(index)) == 12
    assert not np.array_equal(index, balanced_choice(labels, 12, seed=1))
    assert len(balanced_choice(labels, 1000, seed=0)) == 73
    np.testing.assert_array_equal(choose_examples(labels, 3, 0, [72, 5]), [72, 5])


def test_curves_mark_the_best_epoch(subjects):
    finding = Curves().compute(subjects[1])
    assert finding.numbers["best/epoch"] == 3
    assert finding.numbers["best/val/acc"] == pytest.approx(0.9)
    assert finding.numbers["last/val/acc"] == pytest.approx(0.8)
    assert np.isnan(finding.arrays["val/knn20"][[0, 2]]).all()
    kept = Subject("run", history=lambda: subjects[1].history, metrics={"best/epoch": 4})
    assert Curves().compute(kept).numbers["best/epoch"] == 4


def test_curves_of_no_epoch_and_of_rows_without_accuracy():
    for rows in ([], [{"epoch": 1, "train/loss": 1.0, "val/loss": ""}]):
        figure = Curves()
        figure.draw({"run": figure.compute(Subject("run", history=lambda rows=rows: rows))}).canvas.draw()


def test_filter_numbers():
    rng = np.random.default_rng(0)
    noise = measure_filters(rng.normal(size=(256, 3, 7, 7)))
    assert noise["smoothness"] == pytest.approx(0, abs=0.02)
    assert noise["color"] == pytest.approx(2 / 3, abs=0.01)
    assert noise["norm_std"] == pytest.approx(1 / np.sqrt(2 * 3 * 49), rel=0.15)
    ramp = np.tile(np.linspace(1, 2, 7), (4, 3, 7, 1))
    ramp[0] *= 0.001
    numbers = measure_filters(ramp)
    assert numbers["dead"] == 0.25
    assert numbers["smoothness"] > 0.95
    assert numbers["color"] == pytest.approx(0)
    assert "smoothness" not in measure_filters(rng.normal(size=(4, 8, 1, 1)))


def test_a_layer_that_is_not_there_is_told_its_nearest_names(supervised):
    with pytest.raises(NetgazeError, match=r"layer1\.0\.conv9 is no convolution.*layer1\.0\.conv1"):
        Filters(layers=["layer1.0.conv9"]).compute(supervised)
    with pytest.raises(NetgazeError, match="fc is no convolution"):
        Filters(layers=["fc"]).compute(supervised)


def test_data_card_counts_and_draws_the_same_data_once(subjects):
    figure = DataCard()
    findings = {subject.label: figure.compute(subject) for subject in subjects}
    first = findings["supervised"]
    found = {"values": "0..255", "ignored": {}, "warnings": []}
    assert first.numbers == {"classes": 3, "train": 60, "val": 30, "test": 40, "imbalance": 1.0, "found": found}
    assert first.arrays["counts"].tolist() == [[20, 20, 20], [10, 10, 10], [14, 13, 13]]
    alone = figure.draw({"supervised": first})
    assert figure.draw(findings).get_figheight() == alone.get_figheight()
