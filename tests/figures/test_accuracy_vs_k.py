"""Points, curves and lines of students against naive means, and what must not be merged, compared or called best."""

import json
import random
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.figures.test_figures import assert_readable, make_figure, texts_of

from netgaze.figure import Finding
from netgaze.figures.accuracy_vs_k import AccuracyVsK
from netgaze.figures.k_series import curves, settings_of
from netgaze.gallery import look
from netgaze.subject import Subject

KEYS = {"acc": "test/acc", "val": "val/acc", "student": "student/acc", "teacher": "teacher/acc"}
KEYS["right"] = "unlabeled/right"
CIFAR10 = "netgaze.data.cifar10.Cifar10"


def config_of(seed, num_classes=10, data=CIFAR10, split_seed=0, **changes):
    data = {"_target_": data, "per_class": changes.pop("per_class", 100), "seed": seed, "split_seed": split_seed}
    figure = {"tsne": {"_target_": "netgaze.figures.tsne.Tsne", "seed": seed}}
    base = {"seed": seed, "data": data, "task": {"num_classes": num_classes}, "figure": figure, "stages": {}}
    return base | {"trainer": {"max_epochs": 5, "threads": seed + 1}, "optim": {"lr": 0.1}} | changes


def student(k, p=2, seed=0, label=None, teacher_stage=None, **changes):
    """A finetuned student's run as its folder tells it; a number that is None is not known."""
    values = {"acc": 0.6, "val": 0.5, "student": 0.55, "teacher": 0.5, "right": 0.8}
    values |= {name: changes.pop(name) for name in KEYS if name in changes}
    stages = {
        "teacher": teacher_stage or {},
        "pseudo_labels": {"init": "teacher", "task": {"k": k, "p": p}, "figure": {"pseudo_labels": {"seed": seed}}},
        "student": {"data": {"pseudo_labels": "pseudo_labels"}},
        "finetune": {"init": "student"},
    }
    config = config_of(seed, init=f"outputs/{k}/{seed}", **changes) | {"stages": stages}
    numbers = {KEYS[name]: value for name, value in values.items() if value is not None}
    return Subject(label or f"k={k}, p={p}, seed={seed}", metrics=numbers, config=config)


def plain(label, acc=0.5, seed=0, **changes):
    """A run without stages."""
    numbers = {} if acc is None else {"test/acc": acc, "val/acc": 0.4}
    return Subject(label, metrics=numbers, config=config_of(seed, **changes))


def asked(*subjects):
    found = {}
    for number, subject in enumerate(subjects):
        label = subject.label if subject.label not in found else f"{subject.label} {number}"
        found[label] = AccuracyVsK().compute(subject)
    return found


def drawn(findings):
    picture = AccuracyVsK().draw(findings)
    assert_readable(picture)
    _, upper, lower = picture.axes
    return upper, lower, " ".join(" ".join(words for words, _ in texts_of(picture)).split())


def is_ring(line):
    return line.get_markerfacecolor() == "none"


def points_of(axes):
    """The drawn curves as lists of (K, value); rings and level lines are none."""
    found = [line.get_xydata() for line in axes.lines if line.get_marker() in tuple("os^Dv*") and not is_ring(line)]
    return [[tuple(point) for point in line.tolist()] for line in found]


def levels_of(axes):
    return sorted(
        line.get_ydata()[0] for line in axes.lines if line.get_marker() == "None" and len(line.get_xdata()) == 2
    )


@given(
    st.lists(
        st.tuples(
            st.sampled_from([100, 300, 1000]), st.integers(1, 2), st.integers(0, 3), st.floats(0, 1), st.floats(0, 1)
        ),
        min_size=1,
        max_size=25,
    )
)
def test_points_are_naive_means_over_seeds(runs):
    findings = asked(*(student(k, p, seed, acc=acc, val=val) for k, p, seed, acc, val in runs))
    found = curves(findings)
    assert sorted(curve.p for curve in found) == sorted({p for _, p, *_ in runs})
    for curve in found:
        ks = sorted({k for k, p, *_ in runs if p == curve.p})
        assert list(curve.runs) == ks
        vals = {}
        for k in ks:
            own = [run for run in runs if run[:2] == (k, curve.p)]
            seeds = sorted({run[2] for run in own})
            means = [np.mean([acc for _, _, seed, acc, _ in own if seed == one]) for one in seeds]
            vals[k] = np.mean([np.mean([val for _, _, seed, _, val in own if seed == one]) for one in seeds])
            point = curve.points("acc")[k]
            assert point.mean == pytest.approx(np.mean(means))
            assert point.num == len(seeds)
            assert (
                point.deviation is None
                if len(seeds) == 1
                else point.deviation == pytest.approx(np.std(means, ddof=1), abs=1e-12)
            )
        assert vals[curve.best] == pytest.approx(max(vals.values()))


def test_what_is_drawn_and_said_of_three_seeds():
    accs = {100: (0.50, 0.52, 0.54), 1000: (0.60, 0.61, 0.65), 3000: (0.58, 0.60, 0.62)}
    teachers = (0.40, 0.50, 0.42)
    runs = [
        student(k, seed=seed, acc=acc, val=acc - 0.1, student=acc - 0.05, teacher=teachers[seed], right=0.9 - k / 1e4)
        for k, own in accs.items()
        for seed, acc in enumerate(own)
    ]
    random.Random(0).shuffle(runs)
    findings = asked(*runs)
    upper, lower, words = drawn(findings)
    before, after = sorted(points_of(upper), key=lambda line: line[0][1])
    assert after == [(k, pytest.approx(statistics.fmean(own))) for k, own in accs.items()]
    assert before == [(k, pytest.approx(statistics.fmean(own) - 0.05)) for k, own in accs.items()]
    assert points_of(lower) == [[(k, pytest.approx(0.9 - k / 1e4)) for k in accs]]
    assert levels_of(upper) == [pytest.approx(0.44)]
    assert [line.get_xydata().tolist() for line in upper.lines if is_ring(line)] == [[[1000, pytest.approx(0.62)]]]
    assert upper.get_xscale() == lower.get_xscale() == "log"
    assert upper.get_xlim() == lower.get_xlim()
    gains = [acc - teacher for acc, teacher in zip(accs[1000], teachers, strict=True)]
    said = AccuracyVsK().compare(findings)
    assert said == {
        "best K (by validation accuracy)": 1000,
        "P": 2,
        "validation accuracy": pytest.approx(0.52),
        "test accuracy": pytest.approx(0.62),
        "its teacher's test accuracy": pytest.approx(0.44),
        "gain over its teacher": pytest.approx(statistics.fmean(gains)),
        "standard deviation of the gain over repetitions": pytest.approx(statistics.stdev(gains)),
        "repetitions": 3,
    }
    deviation = statistics.stdev(accs[1000])
    assert f"P=2: best K by validation: 1,000, test accuracy 0.6200 ± {deviation:.4f} (3 runs)" in words
    assert "teacher = supervised only: 0.4400 ± 0.0529 (3 runs)" in words
    assert "3,000" in words


def test_the_best_is_chosen_by_validation_not_by_test():
    findings = asked(student(100, acc=0.9, val=0.3), student(300, acc=0.5, val=0.4), student(1000, acc=0.7, val=0.4))
    said = AccuracyVsK().compare(findings)
    assert said["best K (by validation accuracy)"] == 300  # of equal ones the lowest
    assert said["test accuracy"] == 0.5
    unknown = asked(student(100, val=None), student(300, val=None))
    assert AccuracyVsK().compare(unknown) == {"best K": "not named, for no run knows its validation accuracy"}
    assert "no best K is named" in drawn(unknown)[2]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"p": 3}, ["P=2", "P=3"]),
        ({"per_class": 20}, ["per_class=100", "per_class=20"]),
        ({"optim": {"lr": 0.5}}, ["lr=0.1", "lr=0.5"]),
        ({"data": "netgaze.data.shapes.Shapes", "per_class": 20}, ["data=Cifar10", "data=Shapes"]),
        ({"teacher_stage": {"model": {"depths": [2]}}}, ["depths=null", "depths=[2]"]),
    ],
    ids=str,
)
def test_other_settings_are_other_curves(change, names):
    findings = asked(student(100), student(1000), student(100, label="a", **change), student(1000, label="b", **change))
    assert [curve.name for curve in curves(findings)] == names
    assert [list(curve.runs) for curve in curves(findings)] == [[100, 1000]] * 2
    said = AccuracyVsK().compare(findings)
    assert {key.partition(": ")[0] for key in said} == set(names)
    upper, _, words = drawn(findings)
    assert len(points_of(upper)) == 4
    assert all(f"student, finetuned, {name}" in words for name in names)


def test_seeds_divisions_folders_and_figures_make_no_other_curve():
    first, second = (student(100, seed=seed, split_seed=seed).config for seed in range(2))
    assert first != second
    assert settings_of(first) == settings_of(second)
    assert settings_of(student(300).config) == settings_of(first)
    (curve,) = curves(asked(student(100), student(100, seed=1), student(100, split_seed=5, label="division")))
    assert curve.points("acc")[100].num == 3


def test_a_run_given_twice_counts_once():
    (curve,) = curves(asked(student(100, acc=0.4), student(100, acc=0.4), student(100, seed=1, acc=0.6)))
    point = curve.points("acc")[100]
    assert (point.num, point.mean) == (2, pytest.approx(0.5))


def test_teachers():
    same, other = student(100, teacher=0.5), student(300, teacher=0.5)
    upper, _, words = drawn(asked(same, other))
    assert levels_of(upper) == [0.5]
    assert "teacher = supervised only: 0.5000" in words
    larger = {"model": {"_target_": "netgaze.models.resnet.ResNet"}}
    words = drawn(asked(student(100, teacher_stage=larger)))[2]
    assert "teacher: 0.5000" in words
    both = asked(student(100, p=1), student(100, p=2), student(100, p=5, teacher=0.7))
    upper, _, words = drawn(both)
    assert levels_of(upper) == [0.5, 0.7]  # the same teacher of two curves is one line
    assert "teacher = supervised only, P=5: 0.7000" in words
    upper, _, words = drawn(asked(student(100, teacher=None)))
    assert levels_of(upper) == []
    assert "gain" not in words


def test_runs_without_a_teacher_are_lines():
    findings = asked(
        student(100, teacher=None),
        *(plain(f"lr=0.3, seed={seed}", acc, seed, optim={"lr": 0.3}) for seed, acc in enumerate((0.4, 0.5))),
        plain("rotation, finetuned", 0.7, optim={"lr": 0.01}),
        plain("seed=1", 0.1, 1),
        plain("seed=2", 0.2, 2),
    )
    upper, _, words = drawn(findings)
    assert levels_of(upper) == [pytest.approx(0.15), pytest.approx(0.45), 0.7]
    assert "lr=0.3: 0.4500 ± 0.0707 (2 runs)" in words
    assert "rotation, finetuned: 0.7000" in words
    assert "supervised only: 0.1500 ± 0.0707 (2 runs)" in words


def test_runs_that_cannot_count_say_why():
    stage = plain("labeling")
    stage.config["task"] |= {"k": 3, "p": 2}
    teacher = plain("the teacher itself", 0.5)
    pretrained = plain("before finetuning")
    pretrained.config["data"]["pseudo_labels"] = "outputs/stages/pseudo_labels"
    chain = plain("another chain", stages={"rotation": {}, "finetune": {"init": "rotation"}})
    others = [plain("rotation", num_classes=4), plain("shapes", data="netgaze.data.shapes.Shapes")]
    runs = [teacher, stage, pretrained, chain, *others, plain("unfinished", None), student(300, acc=None, label="half")]
    findings = asked(student(100), *runs)
    why = {
        "the teacher itself": "its line is the teacher's",
        "labeling": "a stage of a student",
        "before finetuning": "a stage of a student",
        "another chain": "choose no pseudo-labels",
        "rotation": "another number of classes",
        "shapes": "not that of the students",
        "unfinished": "no test accuracy",
        "half": "no test accuracy",
    }
    said = AccuracyVsK().compare(findings)["not counted"]
    upper, _, words = drawn(findings)
    for label, reason in why.items():
        assert f"{label} (" in said
        assert reason in words
    assert "unfinished, half (it has no test accuracy)" in words
    assert "Not counted" in findings["half"].caption
    assert levels_of(upper) == [0.5]
    assert points_of(upper) == [[(100, 0.55)], [(100, 0.6)]]


def test_without_students_nothing_is_drawn_but_said():
    upper, _, words = drawn(asked(plain("supervised"), plain("rotation", num_classes=4)))
    assert not upper.lines
    assert "No student is among these runs." in words
    assert "Not counted: supervised, rotation" in words
    assert set(AccuracyVsK().compare(asked(plain("supervised")))) == {"not counted"}
    assert "No student" in drawn({})[2]


def test_numbers_that_are_missing():
    findings = asked(student(100, student=None, right=None), student(300, student=None, right=None, teacher=None))
    upper, lower, words = drawn(findings)
    assert points_of(upper) == [[(100, 0.6), (300, 0.6)]]
    assert not lower.lines
    assert "not measured" in words
    assert "before finetuning" not in words
    assert upper.get_xscale() == "linear"


def test_one_run_is_a_point():
    upper, lower, words = drawn(asked(student(1000)))
    assert points_of(upper) == [[(1000, 0.55)], [(1000, 0.6)]]
    assert points_of(lower) == [[(1000, 0.8)]]
    assert "the only K is 1,000" in words
    low, high = upper.get_xlim()
    assert low < 1000 < high


@pytest.mark.parametrize("ks", [range(100, 1100, 50), [1, 2, 3], [10, 11, 12, 13, 5000], [1, 50_000]], ids=str)
def test_any_ks_stay_readable(ks):
    label = "a student with a very long label, ResNet-18, ImageNet weights, lr=0.003, k="
    drawn(asked(*(student(k, p, label=f"{label}{k}{p}") for k in ks for p in (1, 2, 5)), plain(label), plain("x" * 90)))


def test_drawn_from_what_was_saved_and_written_as_json(tmp_path):
    figure = make_figure("accuracy_vs_k")
    assert figure.question.endswith("?")
    runs = [student(k, p, seed) for k in (100, 1000) for p in (1, 2) for seed in range(2)]
    findings = asked(*runs, plain("supervised"))
    kept = {}
    for number, (label, finding) in enumerate(findings.items()):
        finding.save(tmp_path / str(number), "key")
        kept[label] = Finding.load(tmp_path / str(number), "key")
    assert kept == findings
    some = {label: (kept if number % 2 else findings)[label] for number, label in enumerate(findings)}
    assert curves(some) == curves(findings)
    look({"k": figure}, [*runs, Subject("random", metrics={}, config={}, control=True)], tmp_path)
    written = json.loads((tmp_path / "k.json").read_text())
    assert "random" not in written["numbers"]
    assert written["compared"]["P=1: best K (by validation accuracy)"] == 100
    assert (tmp_path / "k.png").stat().st_size > 5000
