"""Pairs of faces: numbers against netgaze.measures.verification, scikit-learn and loops, and what is shown of them."""

import functools
import re
from itertools import combinations

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from sklearn.metrics import roc_auc_score, roc_curve
from tests.figures.test_figures import assert_readable
from tests.figures.test_words import find_wordless

from netgaze.data.faces import GLASSES, FaceData
from netgaze.data.images import Images
from netgaze.drawing.examples import name_files
from netgaze.errors import NetgazeError
from netgaze.figures.verification import Verification, count_pairs, draw_images, slugify
from netgaze.figures.verification.columns import find_hardest
from netgaze.figures.verification.plots import bin_distances, trace_curve
from netgaze.figures.verify import Verify
from netgaze.measures.verification import verify, verify_folds
from netgaze.models.resnet import ResNet
from netgaze.schedules import Constant
from netgaze.subject import Subject
from netgaze.tasks.siamese import Siamese

SIZE = 16
PEOPLE, PHOTOS = 12, 6


class Faces(FaceData):
    """A pattern a person in noise; every third photo wears a dark bar."""

    def photos(self):
        rng = np.random.default_rng(0)
        self.class_names = [f"person {number}" for number in range(PEOPLE)]
        labels = np.arange(PEOPLE).repeat(PHOTOS)
        images = rng.integers(0, 140, (PEOPLE, 1, SIZE, SIZE))[labels] + rng.integers(
            0, 110, (len(labels), 1, SIZE, SIZE)
        )
        worn = np.arange(len(labels)) % 3 == 0
        images[worn, :, 5:8] = 10
        marks = {GLASSES: torch.from_numpy(worn)}
        return Images(torch.from_numpy(images.astype(np.uint8)), torch.from_numpy(labels), marks=marks)


def make_task(data, seed, **arguments):
    torch.manual_seed(seed)
    model = ResNet(depths=[1, 1], widths=[4, 8], stem="cifar", in_channels=1, num_classes=8)
    optimizer = functools.partial(torch.optim.SGD, lr=0.1)
    task = Siamese(
        model=model, num_classes=PEOPLE, optimizer=optimizer, schedule=Constant(), embedding_dim=8, **arguments
    )
    task.name_classes(data.class_names)
    return task


@pytest.fixture
def faces():
    facts = {"num_classes": PEOPLE, "num_channels": 1, "image_size": SIZE, "mean": [0.5], "std": [0.25]}
    data = Faces(num_val_people=4, num_test_people=5, images_per_person=2, batch_size=8, **facts)
    data.setup()
    return data


@pytest.fixture
def columns(faces):
    """A trained-like network, one with a longer name, an untrained one, and raw pixels."""
    tasks = [make_task(faces, 0), make_task(faces, 1, loss="triplet"), make_task(faces, 2)]
    names = ("siamese", "siamese, loss=triplet, embedding_dim=8", "untrained")
    subjects = [
        Subject(name, task=lambda task=task: task, data=lambda: faces, training=True)
        for name, task in zip(names, tasks, strict=True)
    ]
    return [*subjects, Subject("raw pixels", data=lambda: faces, pixels=True, control=True)]


def test_numbers_have_their_words(columns, tmp_path):
    figure = Verification(replicates=20)
    assert find_wordless(figure, {subject.label: figure.compute(subject) for subject in columns}) == []
    files = [str(tmp_path / f"{name}.png") for name in "ab"]
    for file in files:
        Image.new("L", (SIZE, SIZE)).save(file)
    figure = Verify(images=files)
    assert find_wordless(figure, {"one": figure.compute(columns[0])}) == []


def words_of(picture):
    return [text.get_text() for text in picture.findobj(Text)]


def distances_of(subject, gallery, probe):
    """(gallery index, probe index), distance, same person: by a loop."""
    embeddings = subject.embeddings("test").double().numpy()
    people = subject.data.labels("test").numpy()
    own, others = gallery.tolist(), [] if probe is None else probe.tolist()
    pairs = [(g, p) for g in own for p in others] if others else combinations(own, 2)
    found = [((g, p), np.linalg.norm(embeddings[g] - embeddings[p]), people[g] == people[p]) for g, p in pairs]
    return [list(column) for column in zip(*found, strict=True)]


@pytest.mark.parametrize("number", [0, 3])
def test_numbers_are_those_of_verification(columns, number):
    subject = columns[number]
    finding = Verification(replicates=20).compute(subject)
    embeddings, people = subject.embeddings("test"), subject.data.labels("test")
    compared = subject.data.comparisons("test")
    assert list(finding.numbers["comparisons"]) == ["all pairs", "without glasses", "with glasses", "mixed"]
    for name, (gallery, probe) in compared.items():
        pairs = [part for some in (gallery, probe) if some is not None for part in (embeddings[some], people[some])]
        expected = verify(*pairs, cuts=[subject.threshold], replicates=20, seed=0).numbers(subject.threshold)
        assert finding.numbers["comparisons"][name] == expected
    first = finding.numbers["comparisons"]["all pairs"]
    for name in ("eer", "auc", "rank1", "acc", "acc_macro"):
        assert finding.numbers[name] == first[name]
    folds = verify_folds(embeddings, people)
    assert [finding.numbers[f"ten_folds_{name}"] for name in folds] == list(folds.values())
    for name in ("without glasses", "with glasses", "mixed"):
        assert finding.numbers[f"eer_{slugify(name)}"] == finding.numbers["comparisons"][name]["eer"]


def test_eer_and_auc_are_sklearns(columns):
    for subject in columns[:2]:
        finding = Verification(replicates=0).compute(subject)
        for name, (gallery, probe) in subject.data.comparisons("test").items():
            _, distances, same = distances_of(subject, gallery, probe)
            numbers = finding.numbers["comparisons"][name]
            assert numbers["auc"] == pytest.approx(roc_auc_score(same, -np.array(distances)))
            far, tar, _ = roc_curve(same, -np.array(distances), drop_intermediate=False)
            along = np.linspace(0, len(far) - 1, 100_001)
            far, tar = (np.interp(along, np.arange(len(far)), rate) for rate in (far, tar))
            assert numbers["eer"] == pytest.approx(far[np.argmin(np.abs(far + tar - 1))], abs=1e-3)


def test_a_rate_that_few_pairs_support_is_no_metric(columns):
    finding = Verification(replicates=0).compute(columns[0])
    assert finding.numbers["comparisons"]["all pairs"]["num_different"] == 360
    assert "tar_far0.1" in finding.numbers
    assert not {"tar_far0.01", "tar_far0.001", "tar_far0.0001"} & set(finding.numbers)
    few = "fewer than 30 different pairs support it"
    assert f"TAR at FAR 0.01, 0.001, 0.0001 is left out: {few}." in finding.caption
    assert f"TAR at FAR 0.1 is left out (without glasses, with glasses, mixed): {few}." in finding.caption
    assert {"eer", "tar_far0.1", "eer_mixed"} <= set(Verification.metrics) & set(finding.numbers)


def test_comparisons_without_pairs_are_left_out_and_named(columns, monkeypatch):
    one_each = torch.arange(0, 30, PHOTOS)
    whole = columns[0].data.comparisons("test")
    monkeypatch.setattr(Faces, "comparisons", lambda self, split: whole | {"one each": (one_each, None)})
    finding = Verification(replicates=0).compute(columns[0])
    assert list(finding.numbers["comparisons"]) == list(whole)
    assert "one each is left out: it has no pairs of the same person" in finding.caption
    assert not any(key.startswith("one each") for key in (*finding.arrays, *finding.numbers))
    empty = torch.arange(0)
    monkeypatch.setattr(
        Faces, "comparisons", lambda self, split: {"first": (empty, one_each), "second": (one_each, None)}
    )
    figure = Verification()
    finding = figure.compute(columns[0])
    assert set(finding.numbers) == {"threshold", "comparisons"}
    assert_readable(figure.draw({"nothing": finding}))


def test_where_the_first_comparison_is_left_out_no_other_stands_for_it(columns, monkeypatch):
    one_each = torch.arange(0, 30, PHOTOS)
    compared = {"I: one each": (one_each, None), "II: all": (torch.arange(30), None)}
    monkeypatch.setattr(Faces, "comparisons", lambda self, split: compared)
    numbers = Verification(replicates=0).compute(columns[0]).numbers
    assert set(numbers) == {"threshold", "eer_ii_all", "comparisons"}


@pytest.mark.parametrize("name", ["all pairs", "with glasses", "mixed"])
def test_the_hardest_pairs_and_their_pictures(columns, name):
    subject = columns[0]
    arrays = Verification(num_hardest=3, replicates=0).compute(subject).arrays
    pairs, distances, same = distances_of(subject, *subject.data.comparisons("test")[name])
    images = subject.data.images("test").expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy()
    for kind, sign in (("same", -1), ("different", 1)):
        order = [place for place in np.argsort(sign * np.array(distances)) if same[place] == (kind == "same")][:3]
        np.testing.assert_allclose(arrays[f"{name}/{kind}_distances"], [distances[place] for place in order], rtol=1e-5)
        for row, place in enumerate(order):
            assert set(arrays[f"{name}/{kind}_pairs"][row]) == set(pairs[place])
            shown = images[arrays[f"{name}/{kind}_pairs"][row]]
            np.testing.assert_array_equal(arrays[f"{name}/{kind}_pictures"][row], shown)


def test_of_all_comparisons_the_hardest_once(columns):
    finding = Verification(num_hardest=4, replicates=0).compute(columns[0])
    for kind in ("same", "different"):
        shown = find_hardest(finding, kind)  # all pairs hold the pairs of all other comparisons
        np.testing.assert_allclose([pair[1] for pair in shown], finding.arrays[f"all pairs/{kind}_distances"])


def test_the_threshold_says_which_of_them_are_told_rightly(columns):
    subject = columns[0]
    largest = max(Verification(replicates=0).compute(subject).arrays["all pairs/same_distances"])
    for threshold, same, different in ((largest, True, False), (0.0, False, True)):
        subject.threshold = float(threshold)
        arrays = Verification(replicates=0).compute(subject).arrays
        assert arrays["all pairs/same_right"].tolist() == [same] * 4
        assert arrays["all pairs/different_right"].tolist() == [different] * 4


def test_without_a_threshold_all_but_accuracy(columns):
    with_one = Verification(replicates=10).compute(columns[0])
    columns[0].threshold = None
    figure = Verification(replicates=10)
    finding = figure.compute(columns[0])
    assert finding.numbers["threshold"] is None
    assert finding.numbers["eer"] == with_one.numbers["eer"]
    first = finding.numbers["comparisons"]["all pairs"]
    kept = {"eer", "auc", "rank1", "eer_interval", "auc_interval", "rank1_interval", "tar"}
    assert set(first) == kept | {"num_same", "num_different", "num_people"}
    assert "no threshold" in finding.caption
    assert "acc" not in finding.numbers
    picture = figure.draw({"siamese": finding})
    assert_readable(picture)
    words = " ".join(words_of(picture))
    assert "accuracy" not in words
    assert "rightly" not in words


def test_the_caption_says_on_whom_the_threshold_was_chosen(columns, faces):
    assert "on the validation people, not on the people of the test split" in Verification().compute(columns[0]).caption
    training = make_task(faces, 0, threshold_from="train")
    subject = Subject("strict", task=lambda: training, data=lambda: faces)
    assert "on the training people, not on the people of the test split" in Verification().compute(subject).caption
    subject = Subject("pixels", data=lambda: faces, pixels=True, split="val")
    caption = Verification().compute(subject).caption
    assert "on the validation people, the same as shown here" in caption
    assert "normalized features" in caption


def test_no_more_images_than_asked_for_but_all_probes(columns):
    finding = Verification(num_scored=10, replicates=0).compute(columns[0])
    compared = finding.numbers["comparisons"]
    counts = {name: numbers["num_same"] + numbers["num_different"] for name, numbers in compared.items()}
    assert counts == {"all pairs": 45, "without glasses": 45, "with glasses": 45, "mixed": 20 * 10}
    assert compared["all pairs"]["num_same"] == 5  # two of each of five people
    assert "all pairs: 10 of 30 images, drawn at random." in finding.caption
    assert "mixed:" not in finding.caption
    again = Verification(num_scored=10, replicates=0).compute(columns[0])
    assert again.numbers == finding.numbers


def test_of_many_people_so_many_are_drawn_as_have_pairs():
    people = torch.cat([torch.arange(100), torch.arange(40)])
    index = draw_images(people, 20, seed=0)
    assert len(index) == 20
    assert (people[index].bincount()[people[index]] == 2).all()
    assert not torch.equal(index, draw_images(people, 20, seed=1))
    assert torch.equal(draw_images(people, 140, seed=0), torch.arange(140))


def test_num_pairs_against_a_loop():
    generator = torch.Generator().manual_seed(0)
    gallery, probe = torch.randint(0, 4, (9,), generator=generator), torch.randint(0, 6, (7,), generator=generator)
    same = sum(int(g == p) for g in gallery for p in probe)
    assert count_pairs(gallery, probe) == (same, 63 - same)
    alone = sum(int(a == b) for a, b in combinations(gallery, 2))
    assert count_pairs(gallery) == (alone, 36 - alone)
    assert count_pairs(gallery[:0], probe) == count_pairs(gallery[:0]) == (0, 0)


def test_bars_and_corners_are_those_of_all_pairs():
    generator = torch.Generator().manual_seed(0)
    people = torch.arange(400) % 20
    found = verify(torch.randn(400, 4, generator=generator) + people[:, None] * 0.05, people)
    bars = bin_distances(found)
    assert bars["same"].sum() == found.num_same
    assert bars["different"].sum() == found.num_different
    assert len(bars["edges"]) == len(bars["same"]) + 1 == len(bars["different"]) + 1 <= 41
    assert bars["same"][0] + bars["different"][0] > 0
    thinned, (far, tar, _) = trace_curve(found), found.curve()
    assert len(far) > 4000
    assert len(thinned["far"]) <= 2000
    assert {*zip(thinned["far"], thinned["tar"], strict=True)} <= {*zip(far, tar, strict=True)}
    assert (thinned["far"][0], thinned["tar"][0], thinned["far"][-1], thinned["tar"][-1]) == (0, 0, 1, 1)


def test_compare_and_say(columns):
    figure = Verification(replicates=0)
    findings = {subject.label: figure.compute(subject) for subject in columns}
    compared = figure.compare(findings)
    for label, finding in findings.items():
        eers = {name: numbers["eer"] for name, numbers in finding.numbers["comparisons"].items()}
        assert {name: compared[f"EER, {name}: {label}"] for name in eers} == eers
        gap = eers["mixed"] - eers["without glasses"]
        assert compared[f"EER, mixed minus without glasses: {label}"] == pytest.approx(gap)
    lines = figure.summary(findings).split("\n")
    titles = [*(f"EER {name}" for name in eers), "accuracy", "AUC", "TAR at FAR 0.01"]
    assert re.split(r"  +", lines[0].strip()) == titles
    values = ("eer", "eer_without_glasses", "eer_with_glasses", "eer_mixed", "acc", "auc")
    assert len(lines) == 5
    for line, (label, finding) in zip(lines[1:], findings.items(), strict=True):
        numbers = [finding.numbers[name] for name in values]
        assert line.startswith(label)
        assert line[len(label) :].split() == [*(f"{number:.4f}" for number in numbers), "-"]
        assert len(line) == len(lines[0])


@pytest.mark.parametrize(
    "num", [1, 2, pytest.param(3, marks=pytest.mark.slow), pytest.param(4, marks=pytest.mark.slow)]
)
def test_draws_one_to_four_columns(columns, num):
    figure = Verification(num_hardest=2, replicates=10)
    findings = {subject.label: figure.compute(subject) for subject in columns[:num]}
    picture = figure.draw(findings)
    assert isinstance(picture, Figure)
    assert_readable(picture)
    words = words_of(picture)
    for name in ("all pairs", "without glasses", "with glasses", "mixed"):
        assert words.count(name) == num + 1  # above each histogram, and in the legend
    for finding in findings.values():
        assert any(line.startswith(f"EER {finding.numbers['eer']:.1%} (") for line in words)


def test_the_saved_picture_is_not_blank(columns, tmp_path):
    figure = Verification(replicates=0)
    figure.draw({"run": figure.compute(columns[0])}).savefig(tmp_path / "picture.png", dpi=30)
    pixels = np.asarray(Image.open(tmp_path / "picture.png").convert("L"))
    assert 0.02 < (pixels < 200).mean() < 0.6


def test_draws_four_protocols(columns, monkeypatch):
    everyone = torch.arange(30)
    halves = (everyone[::2], everyone[1::2])
    names = ("I: without - without", "II: with - with", "III: without - with", "IV: all - all")
    monkeypatch.setattr(Faces, "comparisons", lambda self, split: dict.fromkeys(names, halves))
    figure = Verification(num_hardest=2, replicates=10)
    findings = {subject.label: figure.compute(subject) for subject in columns}
    assert_readable(figure.draw(findings))
    assert findings["siamese"].numbers["eer_iii_without_with"] == findings["siamese"].numbers["eer"]


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(1)
    paths = [tmp_path / name for name in ("a.jpg", "b.png", "a_rather_long_name_of_a_photo_of_somebody.png")]
    for path, size in zip(paths, ((112, 92), (200, 300), (40, 40)), strict=True):
        Image.fromarray(rng.integers(0, 255, size, dtype=np.uint8)).save(path)
    return [str(path) for path in paths]


def test_the_answer_turns_with_the_threshold(columns, files):
    subject, figure = columns[0], Verify(images=files[:2])
    embeddings = subject.embed(subject.data.read_images(files[:2])).double()
    distance = float((embeddings[0] - embeddings[1]).norm())
    cases = ((distance, 0, "same person"), (distance * 0.99, 1, "different people"))
    for threshold, answer, words in cases:
        subject.threshold = threshold
        finding = figure.compute(subject)
        assert finding.numbers["distance of a.jpg, b.png"] == pytest.approx(distance)
        assert finding.numbers["answer to a.jpg, b.png"] == answer
        said = f"a.jpg, b.png: distance {distance:.4f}, threshold {threshold:.4f}: {answer} ({words})  [siamese]"
        assert figure.summary({"siamese": finding}) == said
    np.testing.assert_array_equal(
        finding.arrays["pictures"][..., 0], subject.data.read_images(files[:2]).squeeze(1).numpy()
    )


def test_pictures_of_a_split_are_as_far_apart_as_its_images(columns, tmp_path):
    subject = columns[0]
    for number in (0, 1):
        Image.fromarray(subject.data.images("test")[number, 0].numpy()).save(tmp_path / f"{number}.png")
    finding = Verify(images=[str(tmp_path / f"{number}.png") for number in (0, 1)]).compute(subject)
    embeddings = subject.embeddings("test")
    assert finding.arrays["distances"] == pytest.approx([float((embeddings[0] - embeddings[1]).norm())], rel=1e-4)


def test_three_images_are_three_pairs_and_six_are_twelve(columns, files):
    figure = Verify(images=files)
    findings = {subject.label: figure.compute(subject) for subject in columns}
    assert findings["siamese"].arrays["pairs"].tolist() == [[0, 1], [0, 2], [1, 2]]
    assert len(figure.summary(findings).split("\n")) == 12
    picture = figure.draw(findings)
    assert_readable(picture)
    words = words_of(picture)
    assert sum("(same person)" in line or "(different people)" in line for line in words) == 12
    six = Verify(images=files * 2).compute(columns[0])
    assert len(six.arrays["pairs"]) == 12
    assert "The first 12 of 15 pairs are shown." in six.caption


def test_two_images_without_a_threshold(columns, files):
    columns[0].threshold = None
    figure = Verify(images=files[:2])
    finding = figure.compute(columns[0])
    assert finding.numbers["answer to a.jpg, b.png"] is None
    assert figure.summary({"run": finding}).endswith("no threshold  [run]")
    assert "no threshold" in finding.caption
    assert_readable(figure.draw({"run": finding}))


@pytest.mark.parametrize("images", [None, [], ["a.jpg"]])
def test_fewer_than_two_images_are_refused(images):
    with pytest.raises(NetgazeError, match=r"needs two pictures: type images=\[a.jpg,b.jpg\]"):
        Verify(images=images)


def test_sizes_that_differ_are_said(columns, files):
    caption = Verify(images=files[:2]).compute(columns[0]).caption
    assert "a.jpg is 92 x 112 pixels, b.png 300 x 200: both were fitted to 16 x 16." in caption
    assert "all were fitted" in Verify(images=files).compute(columns[0]).caption
    assert "fitted" not in Verify(images=[files[0]] * 2).compute(columns[0]).caption


def test_names_are_told_apart_by_their_folders():
    assert name_files(["x/s1/1.pgm", "x/s2/1.pgm"]) == ["s1/1.pgm", "s2/1.pgm"]
    assert name_files(["x/s1/1.pgm", "x/s2/2.pgm"]) == ["1.pgm", "2.pgm"]
    assert name_files(["a.jpg", "a.jpg"]) == ["a.jpg", "a.jpg"]
