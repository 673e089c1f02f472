"""The decathlon score against the published table, what is missing, and what must not pass for the challenge's."""

import pytest
from tests.conftest import CONF
from tests.figures.reader import read
from tests.figures.test_figures import assert_readable, texts_of

from netgaze.drawing.panels import RIGHT, WRONG
from netgaze.figures.decathlon import Decathlon
from netgaze.figures.decathlon.standing import OFFICIAL
from netgaze.gallery import look
from netgaze.measures.metrics import DECATHLON_ERRORS, score_decathlon
from netgaze.subject import Subject

# Order of the published table.
SETS = ("imagenet12", "aircraft", "cifar100", "daimlerpedcls", "dtd", "gtsrb", "vgg-flowers", "omniglot", "svhn")
SETS += ("ucf101",)
# Test accuracies in % and scores, as published (Rebuffi et al. 2017 and 2018, Guo et al. 2019).
ROWS = {
    "scratch": ((59.87, 57.10, 75.73, 91.20, 37.77, 96.55, 56.30, 88.74, 96.63, 43.27), 1625),
    "feature": ((59.67, 23.31, 63.11, 80.33, 45.37, 68.16, 73.69, 58.79, 43.54, 26.80), 544),
    "finetune": ((59.87, 60.34, 82.12, 92.82, 55.53, 97.53, 81.41, 87.69, 96.55, 51.20), 2500),
    "residual adapters": ((59.67, 56.68, 81.20, 93.88, 50.85, 97.05, 66.24, 89.62, 96.13, 47.45), 2118),
    "with decay": ((59.67, 61.87, 81.20, 93.88, 57.13, 97.57, 81.67, 89.62, 96.13, 50.12), 2621),
    "large": ((67.00, 67.69, 84.69, 94.28, 59.41, 97.43, 84.86, 89.92, 96.59, 52.39), 3131),
    "parallel": ((60.32, 64.21, 81.92, 94.73, 58.83, 99.38, 84.68, 89.21, 96.54, 50.94), 3412),
    "SpotTune": ((60.32, 63.91, 80.48, 96.49, 57.13, 99.52, 85.22, 88.84, 96.72, 52.34), 3612),
}


def errors(accuracies):
    return {name: 1 - accuracy / 100 for name, accuracy in zip(SETS, accuracies, strict=True)}


@pytest.mark.parametrize("row", ROWS)
def test_published_rows(row):
    accuracies, score = ROWS[row]
    assert sum(score_decathlon(errors(accuracies)).values()) == pytest.approx(score, abs=2)


def test_the_baseline_makes_250_of_each_set_and_no_error_1000():
    assert score_decathlon(errors(ROWS["finetune"][0])) == {name: pytest.approx(250) for name in SETS}
    assert score_decathlon(dict.fromkeys(SETS, 0.0)) == {name: pytest.approx(1000) for name in SETS}
    assert score_decathlon({name: share / 100 for name, share in DECATHLON_ERRORS.items()}) == {
        name: pytest.approx(0, abs=1e-20) for name in SETS
    }
    assert set(score_decathlon(dict.fromkeys(SETS, 0.99)).values()) == {0.0}


@pytest.mark.parametrize(("wrong", "said"), [({"mnist": 0.1}, "got mnist"), ({"dtd": 44.47}, "0..1 for dtd, got 44")])
def test_no_such_set_and_percents(wrong, said):
    with pytest.raises(ValueError, match=said):
        score_decathlon(wrong)


def test_the_ten_sets_are_those_of_the_configs():
    configs = {path.stem for path in (CONF / "data" / "decathlon").glob("*.yaml")}
    assert configs == set(OFFICIAL) == set(DECATHLON_ERRORS)


def run(name, acc, val=0.5, label=None, **changes):
    """A run as its folder tells it, of the official set but for `changes`."""
    num_classes, images = OFFICIAL[name]
    num_classes = changes.get("num_classes", num_classes)
    numbers = {"test/acc": acc, "val/acc": val, "test/images": changes.get("images", images)}
    config = {"data": {"set": name, "num_classes": num_classes}, "task": {"num_classes": num_classes}}
    return Subject(label or name, metrics={key: number for key, number in numbers.items() if number}, config=config)


def asked(*subjects):
    return {subject.label: Decathlon().compute(subject) for subject in subjects}


def drawn(findings):
    picture = Decathlon().draw(findings)
    assert_readable(picture)
    return " ".join(" ".join(words for words, _ in texts_of(picture)).split())


def test_all_ten_official_sets():
    findings = asked(*(run(name, 1 - error) for name, error in errors(ROWS["finetune"][0]).items()))
    said = Decathlon().compare(findings)
    assert said == {
        "score": pytest.approx(2500),
        "sets counted": "10 of 10",
        "missing sets (no points)": "none",
    }
    words = drawn(findings)
    assert "2,500 points in all ten sets" in words
    assert "missing" not in words
    assert "Not the challenge's" not in words
    assert not any(finding.caption.startswith("Not") for finding in findings.values())


def test_missing_sets_are_named_and_make_nothing():
    findings = asked(run("dtd", 0.5553), run("svhn", 1.0))
    said = Decathlon().compare(findings)
    assert said["score"] == pytest.approx(1250)
    assert said["sets counted"] == "2 of 10"
    missing = said["missing sets (no points)"].split(", ")
    assert sorted([*missing, "dtd", "svhn"]) == sorted(SETS)
    words = drawn(findings)
    assert "1,250 points in 2 of ten sets" in words
    assert words.count("missing") == 8
    assert Decathlon().compare({})["score"] == 0
    assert drawn({}).count("missing") == 10


def test_the_better_by_validation_counts_not_by_test():
    first, second = run("dtd", 0.9, val=0.4, label="first"), run("dtd", 0.5553, val=0.6, label="second")
    for findings in (asked(first, second), asked(second, first)):
        said = Decathlon().compare(findings)
        assert said["score"] == pytest.approx(250)
        assert said["sets counted"] == "1 of 10"
        (left,) = (value for key, value in said.items() if "validation accuracy" in key)
        assert left == "first (dtd)"
        assert "the one of highest validation accuracy counts; not first (dtd)" in drawn(findings)
    assert Decathlon().compare(asked(run("dtd", 0.9, val=None, label="none"), second))["score"] == pytest.approx(250)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"num_classes": 10, "images": 400}, "10 of 47 classes, 400 of 1,880 test images"),
        ({"images": 400}, "400 of 1,880 test images"),
        ({"images": None}, "unknown of 1,880 test images"),
    ],
)
def test_a_part_of_a_set_does_not_pass_for_it(changes, what):
    findings = asked(run("dtd", 0.8, **changes), run("svhn", 0.97))
    assert what in findings["dtd"].caption
    assert "not the challenge's" in findings["dtd"].caption
    assert findings["svhn"].numbers["official"] == "yes"
    said = Decathlon().compare(findings)
    (others,) = (value for key, value in said.items() if key.startswith("not official"))
    assert others == f"dtd: {what}"
    words = drawn(findings)
    assert what in words
    assert "Not the challenge's score" in words
    assert "(hatched: dtd)" in words


def test_runs_that_cannot_count_say_why():
    rotation = run("dtd", 0.9, label="rotation")
    rotation.config["task"]["num_classes"] = 4
    digits = Subject("digits", metrics={"test/acc": 0.9}, config={"data": {"num_classes": 10}, "task": {}})
    findings = asked(rotation, digits, run("svhn", None, label="unfinished"), run("gtsrb", 0.9753))
    for label, why in {
        "rotation": "does not predict",
        "digits": "none of the ten sets",
        "unfinished": "no test",
    }.items():
        assert why in findings[label].numbers["not_counted"]
    assert Decathlon().compare(findings)["score"] == pytest.approx(250, rel=0.01)
    assert Decathlon().compare(findings)["sets counted"] == "1 of 10"
    words = drawn(findings)
    assert "Not counted: digits (its data is none of the ten sets)." in words
    more = Subject("shapes", metrics={"test/acc": 0.9}, config=digits.config)
    words = drawn(asked(digits, run("svhn", None, label="unfinished"), more))
    assert "Not counted: digits; shapes (its data is none of the ten sets). Not counted: unfinished (it has" in words


def test_what_is_written_is_json_and_controls_stay_out(tmp_path):
    look({"decathlon": Decathlon()}, [run("dtd", 0.6), Subject("untrained", config={}, control=True)], tmp_path)
    assert '"missing sets (no points)": "aircraft' in (tmp_path / "decathlon.json").read_text()
    assert (tmp_path / "decathlon.png").stat().st_size > 5000


def draw_three():
    """Half of the test images of one set, a whole one, and one that cannot count."""
    findings = asked(run("dtd", 0.75, label="part", images=400), run("svhn", 0.99, label="whole"))
    return findings, read(Decathlon().draw(findings))


def test_each_set_has_its_bar_as_long_as_its_points():
    findings, drawn = draw_three()
    (plot,) = drawn.plots
    assert plot.yticks == {name: place for place, name in enumerate(OFFICIAL)}
    assert plot.ylim[0] > plot.ylim[1]  # the first set on top
    assert plot.xlim == (0, 1000)
    bars = {round(bar.y + bar.height / 2): bar for bar in plot.bars}
    for place, name in enumerate(OFFICIAL):
        own = {"dtd": "part", "svhn": "whole"}.get(name)
        assert bars[place].width == pytest.approx(findings[own].numbers["points"] if own else 1000)
        assert bars[place].x == 0
    order = list(OFFICIAL)
    part, whole = bars[order.index("dtd")], bars[order.index("svhn")]
    assert (whole.color, whole.hatch, whole.filled) == (RIGHT.lower(), None, True)
    assert (part.color, part.hatch, part.filled) == (WRONG.lower(), "///", False)
    assert {round(each.y) for each in plot.words if each.text == "missing"} == {
        place for place, name in enumerate(OFFICIAL) if name not in ("dtd", "svhn")
    }
    (baseline,) = plot.lines
    assert set(baseline.x) == {250}
    assert "250" in plot.xlabel


def test_beside_each_bar_stand_points_errors_and_run():
    findings, drawn = draw_three()
    (plot,) = drawn.plots
    for place, name in enumerate(OFFICIAL):
        middle = plot.y + (place + 0.5) * plot.height / len(OFFICIAL)
        beside = [each for each in drawn.words if abs(each.y - middle) < 0.5 * plot.height / len(OFFICIAL)]
        beside = [each for each in beside if each.x > plot.x + plot.width]
        baseline = f"{DECATHLON_ERRORS[name] / 2:.2f}%"
        if name == "dtd":
            points = findings["part"].numbers["points"]
            first, second = beside
            assert first.text == f"{points:.0f}: error 25.00% (baseline {baseline}), part"
            assert (second.text, second.color) == ("400 of 1,880 test images", WRONG.lower())
        elif name == "svhn":
            points = findings["whole"].numbers["points"]
            assert [each.text for each in beside] == [f"{points:.0f}: error 1.00% (baseline {baseline}), whole"]
        else:
            assert [each.text for each in beside] == [f"no run; baseline's error {baseline}"]


def test_points_are_of_the_error_not_of_the_accuracy():
    (finding,) = asked(run("svhn", 0.99)).values()
    assert finding.numbers["error"] == pytest.approx(0.01)
    assert finding.numbers["points"] == pytest.approx(score_decathlon({"svhn": 0.01})["svhn"])


def test_sets_stand_in_their_order_however_the_runs_came():
    findings = asked(run("svhn", 0.9, images=1), run("dtd", 0.9, images=1), run("aircraft", 0.5))
    assert "(hatched: dtd, svhn)" in drawn(findings)
    assert Decathlon().compare(findings)["missing sets (no points)"].startswith("cifar100, daimlerpedcls, gtsrb")
