"""Robustness: accuracies are those of corrupted images, asked in the network's own way; the picture shows them."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from tests.figures.conftest import make_task
from tests.figures.reader import assert_shows, find_line, make_pictures, read

from netgaze.corruptions.kinds import KINDS, corrupt
from netgaze.drawing.panels import GRAY
from netgaze.errors import NetgazeError
from netgaze.figure import Finding, join_related
from netgaze.figures.robustness import Robustness
from netgaze.measures.metrics import knn_accuracy
from netgaze.subject import Subject
from netgaze.tasks.rotation import Rotation
from netgaze.tasks.supervised import Supervised

NAMES = list(KINDS)


def make_trained(data, kind=Supervised):
    """A network that is right more often than by chance, and not always."""
    task = make_task(kind, data)
    optimizer = torch.optim.SGD(task.parameters(), lr=0.1)
    images, labels = data.normalize(data.images("train")), data.labels("train")
    for _ in range(8):
        optimizer.zero_grad()
        task.criterion(task(images), labels).backward()
        optimizer.step()
    return task.eval()


@pytest.fixture
def trained(data):
    task = make_trained(data)
    return Subject("trained", task=lambda: task, data=lambda: data, training=True)


class TestNumbers:
    def test_accuracies_are_those_of_the_corrupted_images(self, trained, data):
        finding = Robustness(num_images=20, severities=[2, 5], seed=3).compute(trained)
        index = torch.linspace(0, 39, 20).long()
        images, labels = data.images("test", index), data.labels("test")[index]
        assert finding.arrays["acc"].shape == (15, 2)
        for kind in ("fog", "jpeg_compression", "glass_blur"):
            for column, severity in enumerate((2, 5)):
                corrupted = corrupt(images, kind, severity, index, seed=3)
                with torch.no_grad():
                    right = trained.task(data.normalize(corrupted)).argmax(dim=1) == labels
                assert finding.arrays["acc"][NAMES.index(kind), column] == pytest.approx(float(right.float().mean()))
        examples = finding.arrays["examples"]
        assert np.array_equal(examples[:, 0], np.broadcast_to(images[0].permute(1, 2, 0), (15, 16, 16, 3)))
        corrupted = corrupt(images[:1], "snow", 5, index[:1], seed=3)[0]
        assert np.array_equal(examples[NAMES.index("snow"), 2], corrupted.permute(1, 2, 0))

    def test_clean_images_give_the_accuracy_without_corruption(self, trained, monkeypatch):
        monkeypatch.setattr("netgaze.figures.robustness.corrupt", lambda images, *_: torch.zeros_like(images))
        outputs = trained.outputs("test")
        finding = Robustness().compute(trained)
        numbers, blind = finding.numbers, set(finding.arrays["acc"].ravel())
        assert 0.4 < numbers["clean_acc"] < 1
        assert len(blind) == 1
        assert numbers["clean_acc"] not in blind
        assert numbers["clean_acc"] == pytest.approx((outputs.logits.argmax(axis=1) == outputs.targets).mean())
        assert numbers["num_images"] == 40

    def test_the_mean_and_the_hardest(self, trained):
        finding = Robustness(num_images=15).compute(trained)
        acc = finding.arrays["acc"]
        assert finding.numbers["mean_corruption_error"] == pytest.approx(1 - acc.mean())
        hardest = [kind.words for kind in KINDS.values()].index(finding.numbers["hardest"])
        assert acc.mean(axis=1)[hardest] == acc.mean(axis=1).min()
        assert "Predicted by the network's outputs." in finding.caption
        assert "Accuracy on 15 images of the test split" in finding.caption
        assert "constants of CIFAR-10-C" in finding.caption

    def test_other_tasks_answer_by_their_neighbors(self, data):
        task = make_trained(data, Rotation)
        subject = Subject("rotation", task=lambda: task, data=lambda: data, training=True)
        finding = Robustness(num_images=40).compute(subject)
        assert "Predicted by 20 nearest training images." in finding.caption
        bank, known, labels = subject.bank("train"), data.labels("train"), data.labels("test")
        expected = knn_accuracy(bank, known, subject.bank("test"), labels, (20,))["knn20"]
        assert finding.numbers["clean_acc"] == expected
        corrupted = corrupt(data.images("test"), "contrast", 5, torch.arange(40))
        expected = knn_accuracy(bank, known, subject.features_of(corrupted), labels, (20,))["knn20"]
        assert finding.arrays["acc"][NAMES.index("contrast"), 2] == expected

    def test_raw_pixels_are_left_out(self, subjects):
        assert [it.label for it in subjects if it.lacks(Robustness.needs)] == ["raw pixels"]

    def test_a_table_has_a_row_per_kind(self):
        figure, finding = Robustness(), make_finding(0.25)
        rows = figure.table(finding)
        assert [row["kind"] for row in rows] == [kind.words for kind in KINDS.values()]
        acc = finding.arrays["acc"]
        assert rows[4] == {"kind": "glass blur", "group": "blur"} | {
            "acc_1": acc[4, 0],
            "acc_3": acc[4, 1],
            "acc_5": acc[4, 2],
            "acc_mean": pytest.approx(acc[4].mean()),
        }

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ({"num_images": 0}, "num_images=0 must be 1 or more"),
            ({"severities": []}, "severities=.. must be some of"),
            ({"severities": [1, 6]}, "severities=.1, 6. must be some of"),
            ({"seed": -1}, "seed=-1 must be 0 or more"),
        ],
    )
    def test_values_that_make_no_sense(self, arguments, said):
        with pytest.raises(NetgazeError, match=said):
            Robustness(**arguments)


class TestFiles:
    def write(self, folder, data, change=None):
        images, labels = data.images("test"), data.labels("test")
        for kind in KINDS:
            all_of_it = [corrupt(images, kind, severity, torch.arange(40), seed=9) for severity in range(1, 6)]
            np.save(folder / f"{kind}.npy", torch.cat(all_of_it).permute(0, 2, 3, 1).contiguous().numpy())
        np.save(folder / "labels.npy", np.tile(labels.numpy(), 5).astype(np.uint8))

    def test_official_files_give_what_is_in_them(self, trained, data, tmp_path):
        self.write(tmp_path, data)
        read_back = Robustness(dir=str(tmp_path), num_images=30).compute(trained)
        made = Robustness(seed=9, num_images=30).compute(trained)
        np.testing.assert_array_equal(read_back.arrays["acc"], made.arrays["acc"])
        np.testing.assert_array_equal(read_back.arrays["examples"], made.arrays["examples"])
        assert str(tmp_path) in read_back.caption
        assert "frost is drawn" not in read_back.caption

    def test_files_of_other_images_are_refused(self, trained, data, tmp_path):
        self.write(tmp_path, data)
        np.save(tmp_path / "labels.npy", np.zeros(200, dtype=np.uint8))
        with pytest.raises(NetgazeError, match="other labels"):
            Robustness(dir=str(tmp_path)).compute(trained)

    def test_they_are_of_the_test_split_alone(self, trained, tmp_path):
        trained.split = "val"
        with pytest.raises(NetgazeError, match="shows the val split"):
            Robustness(dir=str(tmp_path)).compute(trained)


def make_finding(clean, control=False, severities=(1, 3, 5), shift=0.0):
    """Another accuracy in every cell."""
    acc = 0.05 + shift + np.arange(15 * len(severities)).reshape(15, -1) / 60
    arrays = {
        "acc": acc,
        "severities": np.array(severities),
        "examples": make_pictures(15, len(severities) + 1),
        "control": np.array(control),
    }
    numbers = {
        "clean_acc": clean,
        "mean_corruption_error": 1 - acc.mean(),
        "num_images": 100,
        "hardest": "fog",
        "answers": "vote",
    }
    return Finding(numbers, arrays)


def make_seen(right, clean=None, setting="", images="set", answers="vote"):
    """A finding from which images are right, [K,S,N] or what broadcasts to it, and clean, [N], all by default."""
    num = np.shape(right)[-1]
    arrays = {
        "right": np.broadcast_to(right, (15, 2, num)),
        "right_clean": np.ones(num, bool) if clean is None else np.array(clean),
        "severities": np.array([1, 5]),
        "labels": np.zeros(num, int),
        "images": np.array(images),
        "setting": np.array(setting),
    }
    return Finding({"clean_acc": float(arrays["right_clean"].mean()), "answers": answers}, arrays)


class TestWords:
    PLACES = np.arange(200)

    def first(self, num):
        """The first images are right."""
        return np.less(self.PLACES, num)

    def under_fog(self, num, others):
        """Right are so many under fog, and so many under all else."""
        right = np.tile(self.first(others), (15, 2, 1))
        right[NAMES.index("fog")] = self.first(num)
        return right

    def say(self, one, other, **options):
        return Robustness().differences({"a": make_seen(one), "b": make_seen(other, **options)})

    def test_who_loses_less(self):
        assert self.say(self.first(100), self.first(160))[0] == (
            "Under corruption, b loses less accuracy than a: 20.0 points from 100%, a 50.0 from 100% (difference 30.0 "
            "± 6.4 points)."
        )

    def test_a_loss_is_what_is_lost(self):
        """The second is less right under corruption, and was so before: what it lost is less."""
        said = self.say(self.first(140), self.first(120), clean=self.first(130))
        assert said[0] == (
            "Under corruption, b loses less accuracy than a: 5.0 points from 65%, a 30.0 from 100% (difference 25.0 "
            "± 7.5 points)."
        )

    def test_images_are_paired(self):
        """Six images that one alone loses: of two samples 50% and 47% would be one."""
        (said,) = self.say(self.first(100), self.first(94))
        assert said.startswith("Under corruption, a loses less accuracy than b: 50.0 points from 100%, b 53.0")

    def test_the_kind_they_differ_most_under(self):
        assert self.say(self.under_fog(40, 100), self.under_fog(100, 100))[1] == (
            "a and b differ most under fog: a loses 80.0 points, b 50.0 (difference 30.0 ± 9.7 points)."
        )

    def test_what_lies_within_chance_is_not_said(self):
        assert self.say(self.first(100), self.first(100)) == []
        assert self.say(self.first(100), ~self.first(100)) == []
        assert self.say(self.first(100), self.first(98)) == []

    def test_a_kind_is_chosen_of_fifteen(self):
        """Six images are beyond chance under one kind; as the largest of fifteen they are not."""
        assert self.say(self.under_fog(94, 100), self.under_fog(100, 100)) == [
            "Under corruption, b loses less accuracy than a: 50.0 points from 100%, a 50.2 from 100% (difference 0.2 "
            "± 0.2 points)."
        ]

    def test_two_ways_to_answer_are_named(self):
        for said in self.say(self.first(100), self.first(160), answers="outputs"):
            assert said.endswith(" points; a by vote, b by outputs).")

    def test_other_images_are_not_compared(self):
        assert self.say(self.first(100), self.first(160), images="others") == []

    def test_repeats_speak_once(self):
        few, many = self.first(100), self.first(160)
        findings = {"a": make_seen(few, setting="a"), "a2": make_seen(few, setting="a"), "b": make_seen(many)}
        assert len(Robustness().differences(findings)) == 2
        assert all(" a2 " not in said for said in Robustness().differences(findings))

    def test_they_are_made_from_what_is_found(self, trained, data):
        untrained = make_task(Supervised, data).eval()
        pair = {
            "trained": trained,
            "untrained": Subject("untrained", task=lambda: untrained, data=lambda: data, training=True),
        }
        findings = {label: Robustness().compute(subject) for label, subject in pair.items()}
        join_related(Robustness(), findings, pair.values())
        for it in findings.values():
            np.testing.assert_allclose(it.arrays["right"].mean(axis=2), it.arrays["acc"])
            assert it.arrays["right_clean"].mean() == pytest.approx(it.numbers["clean_acc"])
        assert (
            Robustness()
            .differences(findings)[0]
            .startswith("Under corruption, untrained loses less accuracy than trained")
        )


class TestPicture:
    def draw(self, **options):
        findings = {"net": make_finding(0.91), "untrained": make_finding(0.2, control=True, shift=0.01)}
        return findings, read(Robustness(**options).draw(findings))

    def test_a_plot_per_kind_and_one_of_all(self):
        findings, drawn = self.draw()
        assert len(drawn.plots) == 16
        titles = [each for each in drawn.words if each.bold]
        names = [each.text for each in titles]
        words = [kind.words for kind in KINDS.values()]
        assert names == [*words[:3], "mean of all kinds", *words[3:]]
        for title, plot in zip(titles, drawn.plots, strict=True):
            assert plot.x < title.x < plot.x + plot.width
            assert 0 < plot.y - title.y < 1
        for place, plot in zip([0, 1, 2, None, *range(3, 15)], drawn.plots, strict=True):
            for label, color in (("net", None), ("untrained", GRAY)):
                acc = findings[label].arrays["acc"]
                expected = [findings[label].numbers["clean_acc"], *(acc.mean(axis=0) if place is None else acc[place])]
                line = find_line(plot, expected)
                assert line.x == [0, 1, 3, 5]
                assert (line.color == GRAY) == (color == GRAY)
            assert plot.ylim == (0, 1)
            assert plot.xticks == {"0": 0, "1": 1, "3": 3, "5": 5}
            assert plot.xlabel == "severity"
        assert [bool(plot.ylabel) for plot in drawn.plots] == 4 * [True, False, False, False]

    def test_under_each_title_its_images(self):
        findings, drawn = self.draw()
        examples = findings["net"].arrays["examples"]
        for title in (each for each in drawn.words if each.bold and each.text != "mean of all kinds"):
            kind = [kind.words for kind in KINDS.values()].index(title.text)
            below = [tile for tile in drawn.tiles if 0 < tile.y - title.y < 0.4 and abs(tile.x - title.x) < 1]
            assert_shows(sorted(below, key=lambda tile: tile.x), examples[kind])

    def test_the_key_says_whose_lines_these_are(self):
        findings, drawn = self.draw()
        error = findings["net"].numbers["mean_corruption_error"]
        drawn.say(f"net, by vote: accuracy 91.0% without corruption, mean corruption error {100 * error:.1f}%")
        line = find_line(drawn.plots[0], [0.91, *findings["net"].arrays["acc"][0]])
        assert [sample.color for sample in drawn.lines] == [line.color, GRAY]

    def test_against_a_reference(self):
        findings, drawn = self.draw(reference="untrained")
        compared = Robustness(reference="untrained").compare(findings)
        errors = [(1 - it.arrays["acc"]).sum(axis=1) for it in findings.values()]
        expected = float((errors[0] / errors[1]).mean())
        assert compared == {
            "reference": "untrained",
            "mCE of net": pytest.approx(expected),
            "mCE of untrained": pytest.approx(1),
        }
        assert expected > 1
        drawn.say(f"mCE {100 * expected:.1f}% of untrained")
        assert Robustness().compare(findings) == {}
        assert "mCE" not in self.draw()[1].text

    def test_a_reference_that_is_not_there(self):
        with pytest.raises(NetgazeError, match=r"reference=nett is the label of none.*net, untrained"):
            self.draw(reference="nett")
        with pytest.raises(NetgazeError, match="reference=nett"):
            Robustness(reference="nett").compare({"net": make_finding(0.9)})

    def test_five_severities_have_room(self):
        finding = make_finding(0.9, severities=(1, 2, 3, 4, 5))
        drawn = read(Robustness(severities=[1, 2, 3, 4, 5]).draw({"net": finding}))
        assert len(drawn.tiles) == 15 * 6
        for line in drawn.grid():
            assert all(one.x + one.width <= other.x for one, other in pairwise(line))
