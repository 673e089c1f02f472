"""The plot of a swept number against means by hand, and what must not be merged, compared or called best."""

import io
import random
import statistics
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.conftest import ROOT
from tests.figures.reader import read
from tests.figures.test_figures import assert_readable, texts_of
from tests.nasty import NASTY

sys.path.append(str(ROOT / "docs"))
from draw_sweep import draw as draw_docs_sweep

from netgaze.files import write_json
from netgaze.plots import plot_sweep
from netgaze.plots.sweep_curves import find_swept_key, read_sweep
from netgaze.plots.sweep_picture import draw_sweep
from netgaze.results import Spread
from netgaze.rows import make_rows
from netgaze.run import Run
from netgaze.text import show

K = "stages.pseudo_labels.task.k"
KEYS = {"acc": "test/acc", "val": "val/acc", "last": "last/val_acc", "student": "student/acc", "teacher": "teacher/acc"}
KEYS |= {"right": "unlabeled/right", "knn": "test/knn20", "k": K, "p": "stages.pseudo_labels.task.p"}
KEYS |= {"lr": "optim.lr", "decay": "optim.weight_decay", "per_class": "data.per_class"}


def make_row(label=None, seed=0, **known):
    """A finished run's row: what was typed as text, numbers as numbers; what is None is not known."""
    known = {"acc": 0.6, "val": 0.5, "kind": "ten classes", "eval_fingerprint": "these"} | known
    about = {"label": label or str(random.random()), "status": "finished", "seed": seed, "drawn": None, "error": None}
    about |= {"setting": label or "as it is", "monitor": "val/acc", "monitor_mode": "max", "seconds": 1.0}
    named = {KEYS.get(name, name): value for name, value in known.items() if value is not None}
    return about | {name: str(value) if "." in name else value for name, value in named.items()}


def student(k, seed=0, **known):
    return make_row(k=k, seed=seed, **({"student": 0.5 + k / 1e6, "teacher": 0.5, "right": 0.8} | known))


def draw(*rows):
    """The axes of the picture by the words at their left, and all of its words."""
    picture = draw_sweep(read_sweep(rows))
    assert_readable(picture)
    words = " ".join(" ".join(words for words, _ in texts_of(picture)).split())
    return {" ".join(axes.get_ylabel().split()): axes for axes in picture.axes[1:]}, words


def curves_of(axes):
    """The curves as lists of (swept number, mean)."""
    return [[tuple(point) for point in curve.lines[0].get_xydata().tolist()] for curve in axes.containers]


def bars_of(curve):
    """Half the length of each bar of a curve; none where it has none."""
    return [(high[1] - low[1]) / 2 for low, high in curve.lines[2][0].get_segments()] if curve.has_yerr else []


def rings_of(axes):
    return [line.get_xydata().tolist()[0] for line in axes.lines if line.get_markerfacecolor() == "none"]


def levels_of(axes):
    """Height and color of the lines from left to right."""
    level = [line for line in axes.lines if line.get_marker() in ("", "None") and len(line.get_xdata()) == 2]
    return sorted((line.get_ydata()[0], line.get_color()) for line in level if list(line.get_xdata()) == [0, 1])


@given(
    st.lists(
        st.tuples(st.sampled_from([0.1, 0.3, 1.0]), st.integers(1, 2), st.integers(0, 3), *[st.floats(0, 1)] * 2),
        min_size=1,
        max_size=25,
    )
)
def test_points_are_naive_means_over_seeds(runs):
    sweep = read_sweep([make_row(lr=lr, p=p, seed=seed, acc=acc, val=val) for lr, p, seed, acc, val in runs])
    rates = {p: sorted({lr for lr, own, *_ in runs if own == p}) for _, p, *_ in runs}
    if max(map(len, rates.values())) < 2 or sweep.key != "optim.lr":
        assert sweep is None or len({p for _, p, *_ in runs}) == 2
        return
    assert {curve.name for curve in sweep.curves} == ({"p=1", "p=2"} if len(rates) == 2 else {""})
    for curve in sweep.curves:
        p = int(curve.name[-1]) if curve.name else next(iter(rates))
        assert list(curve.points["test/acc"]) == rates[p]
        means = {}
        for lr, point in curve.points["test/acc"].items():
            own = [run for run in runs if run[:2] == (lr, p)]
            seeds = {run[2] for run in own}
            each = [np.mean([acc for *_, seed, acc, _ in own if seed == one]) for one in seeds]
            means[lr] = np.mean([np.mean([val for *_, seed, _, val in own if seed == one]) for one in seeds])
            assert (point.mean, point.num) == (pytest.approx(np.mean(each)), len(seeds))
            assert point.std is None if len(seeds) == 1 else point.std == pytest.approx(np.std(each, ddof=1), abs=1e-12)
        assert curve.best is None if len(means) == 1 else means[curve.best] == pytest.approx(max(means.values()))


def test_students_of_three_seeds_with_their_teachers():
    accs = {100: (0.50, 0.52, 0.54), 1000: (0.60, 0.61, 0.65), 3000: (0.58, 0.60, 0.62)}
    teachers = (0.40, 0.50, 0.42)
    rows = [
        student(k, seed, acc=acc, val=acc - 0.1, student=acc - 0.05, teacher=teachers[seed], right=0.9 - k / 1e4)
        for k, own in accs.items()
        for seed, acc in enumerate(own)
    ]
    random.Random(0).shuffle(rows)
    axes, words = draw(*rows)
    assert list(axes) == ["test accuracy", "validation accuracy", "correct pseudo-labels"]
    test, val, right = axes.values()
    means = [(k, pytest.approx(statistics.fmean(own))) for k, own in accs.items()]
    assert curves_of(test) == [means, [(k, pytest.approx(mean.expected - 0.05)) for k, mean in means]]
    assert curves_of(val) == [[(k, pytest.approx(mean.expected - 0.1)) for k, mean in means]]
    assert curves_of(right) == [[(k, pytest.approx(0.9 - k / 1e4)) for k in accs]]
    stds = [pytest.approx(statistics.stdev(own)) for own in accs.values()]
    assert [bars_of(curve) for curve in test.containers] == [stds, stds]
    assert levels_of(test) == [(pytest.approx(0.44), "black")]
    (band,) = [patch.get_extents().transformed(test.transData.inverted()) for patch in test.patches]
    assert (band.y0, band.y1) == (pytest.approx(0.44 - 0.0529, abs=1e-4), pytest.approx(0.44 + 0.0529, abs=1e-4))
    assert rings_of(test) == [[1000, pytest.approx(0.62)]]
    assert all(not levels_of(other) and not rings_of(other) for other in (val, right))
    gains = [acc - teacher for acc, teacher in zip(accs[1000], teachers, strict=True)]
    assert f"Best k by validation: 1,000, test accuracy 62.0 ± {100 * stds[1].expected:.1f}% (3 runs)" in words
    gain = f"{100 * statistics.fmean(gains):.1f} ± {100 * statistics.stdev(gains):.1f} points"
    assert f"gain over its teacher {gain}" in words
    assert "teacher: 44.0 ± 5.3% (3 runs)" in words
    assert "last stage student" in words
    assert "best by validation" in words
    assert "Points are means over repeated runs, bars and bands their standard deviations (n - 1)." in words
    assert right.get_xlabel() == "K: pseudo-labels per class"
    assert [label.get_text() for label in right.get_xticklabels()] == ["100", "1,000", "3,000"]
    assert not any(label.get_text() for label in test.get_xticklabels())
    assert len({other.get_xlim() for other in axes.values()}) == 1
    assert {other.get_xscale() for other in axes.values()} == {"log"}


def test_a_plain_sweep_of_one_seed():
    axes, words = draw(*(make_row(lr=lr, acc=0.5 + lr, val=0.4 - lr, last=0.3, knn=lr) for lr in (0.1, 0.3, 0.2)))
    assert list(axes) == ["test accuracy", "validation accuracy", "20-neighbor accuracy"]
    rates = [0.1, 0.2, 0.3]
    assert curves_of(axes["test accuracy"]) == [[(lr, 0.5 + lr) for lr in rates]]
    assert curves_of(axes["validation accuracy"]) == [[(lr, 0.4 - lr) for lr in rates], [(lr, 0.3) for lr in rates]]
    assert curves_of(axes["20-neighbor accuracy"]) == [[(lr, lr) for lr in rates]]
    assert not any(curve.has_yerr for other in axes.values() for curve in other.containers)
    assert axes["20-neighbor accuracy"].get_xlabel() == "optim.lr"
    assert axes["test accuracy"].get_xscale() == "linear"
    assert "Best lr by validation: 0.1, test accuracy 60.0% (1 run)" in words
    assert "best epoch last epoch" in words
    assert "Points are means" not in words


def test_bars_are_in_view_and_lie_side_by_side():
    spread = {0: 0.1, 1: 0.9}
    axes, _ = draw(*(student(k, seed, acc=acc, student=acc + k / 1e3) for k in (5, 10) for seed, acc in spread.items()))
    test = axes["test accuracy"]
    (low, high), std = test.get_ylim(), statistics.stdev(spread.values())
    assert low < 0.5 - std
    assert high > 0.5 + std
    first, second = (
        curve.lines[0].get_transform().transform(curve.lines[0].get_xydata())[0] for curve in test.containers
    )
    assert abs(first[0] - second[0]) > 2
    assert len(test.containers) == 2


def test_the_best_is_chosen_by_validation_not_by_test():
    rows = [make_row(lr=1, acc=0.9, val=0.3), make_row(lr=2, acc=0.5, val=0.4), make_row(lr=3, acc=0.7, val=0.4)]
    (curve,) = read_sweep(rows).curves
    assert curve.best == 2  # of equal ones the lowest
    (curve,) = read_sweep([row | {"monitor_mode": "min"} for row in rows]).curves
    assert curve.best == 1
    axes, words = draw(make_row(lr=1, val=None), make_row(lr=2, val=None))
    assert "by validation" not in words
    assert list(axes) == ["test accuracy"]
    assert not rings_of(axes["test accuracy"])


def test_runs_chosen_by_another_number_have_it_drawn():
    rows = [
        make_row(lr=lr, acc=None, val=None, monitor="val/auc") | {"val/auc": lr, "test/auc": 1 - lr}
        for lr in (0.25, 0.5)
    ]
    axes, words = draw(*rows)
    assert list(axes) == ["test/auc", "val/auc"]
    assert curves_of(axes["test/auc"]) == [[(0.25, 0.75), (0.5, 0.5)]]
    assert rings_of(axes["test/auc"]) == [[0.5, 0.5]]
    assert "Best lr by validation: 0.5, test/auc 0.500 (1 run)" in words


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"p": 3}, ["p=2", "p=3"]),
        ({"model.depths": "[2]"}, ["[1]", "[2]"]),
        ({"task": "finetune"}, ["supervised", "finetune"]),
        ({"data": "shapes", "eval_fingerprint": "other", "kind": "shapes"}, ["digits", "shapes"]),
        ({"init": "outputs/b/0"}, ["a/0", "b/0"]),
    ],
    ids=str,
)
def test_other_settings_are_other_curves(change, names):
    base = {"p": 2, "model.depths": "[1]", "task": "supervised", "data": "digits", "init": "outputs/a/0"}
    axes, words = draw(*(make_row(k=k, **settings) for settings in (base, base | change) for k in (100, 1000)))
    test = axes["test accuracy"]
    assert len(curves_of(test)) == 2
    assert len({curve.lines[0].get_color() for curve in test.containers}) == 2
    assert f"{names[0]}: best k" in words
    assert words.count(names[1]) >= 2  # of what is said of the best, and in the key


def test_nasty_settings_are_curves_and_lines_like_any_others():
    """Each in the key and in what is said of the best; a long one is broken, and nothing lies on anything else."""
    for start in range(0, len(NASTY), 3):
        some = NASTY[start : start + 3]
        rows = [make_row(k=k, acc=0.5 + 0.1 * place, init=name) for place, name in enumerate(some) for k in (10, 1000)]
        rows.append(make_row(label=some[0], acc=0.3))
        rows.append(make_row(label=some[1]) | {"status": "failed"})
        picture = draw_sweep(read_sweep(rows))
        assert_readable(picture)
        said = "".join("".join(words.split()) for words, _ in texts_of(picture)).replace("\u200e", "")
        for name in some:
            end = show(name.rpartition("/")[2], keep="\n")
            assert "".join(end.split()) in said


def test_seeds_divisions_and_titles_make_no_other_curve():
    rows = [student(5, drawn=0), student(5, 1, drawn=0), student(10, label="mine", drawn=0)]
    rows += [student(10, drawn=5, eval_fingerprint="other") | {"data.split_seed": "5"}]
    (curve,) = read_sweep(rows).curves
    assert [point.num for point in curve.points["test/acc"].values()] == [2, 2]


def test_a_run_given_twice_counts_once():
    rows = [student(5, acc=0.4), student(5, acc=0.4), student(5, 1, acc=0.6), student(10)]
    point = read_sweep(rows).curves[0].points["test/acc"][5]
    assert (point.num, point.mean) == (2, pytest.approx(0.5))


def test_of_several_swept_numbers_most_runs_are_compared_over_the_one_across():
    grid = [make_row(lr=lr, decay=decay) for lr in (1, 2) for decay in (0.1, 0.2, 0.3)]
    assert find_swept_key(grid) == "optim.weight_decay"
    assert find_swept_key([row for row in grid if row["optim.weight_decay"] != "0.3"]) == "optim.lr"
    assert find_swept_key([*(make_row(lr=lr, k=5) for lr in (1, 2)), *(make_row(lr=1, k=k) for k in (6, 7, 8))]) == K
    together = [make_row(lr=1, decay=1), make_row(lr=2, decay=2)]
    assert find_swept_key(together) is None  # nothing is equal but one of them


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [make_row(lr=1)],
        [make_row(lr=1, seed=seed) for seed in range(3)],
        [make_row(task=task) for task in ("rotation", "supervised")],
        [make_row(lr=1), make_row(lr=2) | {"status": "failed"}],
        [make_row(**{"data.limit": limit, "eval_fingerprint": str(limit)}) for limit in (100, 200)],
    ],
    ids=["none", "one", "seeds", "words", "failed", "other data"],
)
def test_nothing_is_drawn_where_no_number_was_swept(rows, tmp_path):
    assert not plot_sweep(rows, tmp_path / "sweep.png")
    assert not list(tmp_path.iterdir())


def test_teachers():
    axes, words = draw(*(student(k, p=p) for k in (5, 10) for p in (1, 2)))
    assert levels_of(axes["test accuracy"]) == [(0.5, "black")]  # the same teacher of two curves is one line
    assert "teacher: 50.0%" in words
    axes, words = draw(*(student(k, p=p, teacher=0.5 + p / 10) for k in (5, 10) for p in (1, 2)))
    colors = [curve.lines[0].get_color() for curve in axes["test accuracy"].containers]
    assert levels_of(axes["test accuracy"]) == [(0.6, colors[0]), (0.7, colors[2])]
    assert "teacher, p=1: 60.0%" in words
    assert "teacher, p=2: 70.0%" in words
    axes, words = draw(*(student(k, teacher=None) for k in (5, 10)))
    assert levels_of(axes["test accuracy"]) == []
    assert "gain" not in words


def test_a_teacher_that_changes_with_the_number_is_a_curve():
    axes, words = draw(*(make_row(per_class=num, teacher=num / 100) for num in (20, 40)))
    assert curves_of(axes["test accuracy"])[1] == [(20, 0.2), (40, 0.4)]
    assert levels_of(axes["test accuracy"]) == []
    assert "last stage teacher" in words
    axes, _ = draw(student(5, 0, teacher=0.4), student(10, 1, teacher=0.4))  # another seed for each: who knows
    assert levels_of(axes["test accuracy"]) == []


def test_runs_without_the_number_are_lines():
    alone = [make_row("lr=0.3", seed, acc=acc) for seed, acc in enumerate((0.4, 0.5))]
    single = make_row("rotation, finetuned", acc=0.7) | {"setting": "another word"}
    teacher = [make_row("labels alone", seed, acc=0.5) for seed in range(2)]
    students = [student(k, seed, teacher=0.5) for k in (5, 10) for seed in range(2)]
    axes, words = draw(*alone, *students, single, *teacher)
    assert [height for height, _ in levels_of(axes["test accuracy"])] == [pytest.approx(0.45), 0.5, 0.7]
    assert "lr=0.3: 45.0 ± 7.1% (2 runs)" in words
    assert "rotation, finetuned: 70.0%" in words
    assert "teacher and labels alone: 50.0 ± 0.0% (2 runs)" in words


def test_runs_that_cannot_count_say_why():
    others = [make_row("rotation", kind="four rotations"), make_row("cifar", eval_fingerprint="other")]
    others += [make_row("half", k=300) | {"status": "failed"}, make_row("untested", acc=None)]
    others += [make_row("begun") | {"status": "unfinished"}]
    axes, words = draw(student(5), *others, student(10))
    for said in (
        "rotation (it predicts other classes)",
        "cifar (it has other data than the others)",
        "half (it is failed)",
        "untested (it has no test/acc)",
        "begun (it is unfinished)",
    ):
        assert f"Left out: {said}." in words
    assert levels_of(axes["test accuracy"]) == [(0.5, "black")]
    assert curves_of(axes["test accuracy"])[0] == [(5, 0.6), (10, 0.6)]


def test_numbers_that_are_missing():
    axes, words = draw(student(5, student=None, right=None), student(10, student=None, right=None), student(20))
    assert curves_of(axes["test accuracy"]) == [[(5, 0.6), (10, 0.6), (20, 0.6)]]  # and a level line
    assert curves_of(axes["correct pseudo-labels"]) == [[(20, 0.8)]]
    axes, words = draw(*(student(k, right=None, student=k / 100) for k in (5, 10)))
    assert "correct pseudo-labels" not in words
    assert axes["validation accuracy"].get_xlabel()


@pytest.mark.parametrize("ks", [range(100, 1100, 50), [0, 1, 2], [10, 11, 12, 13, 5000], [1e-6, 50_000]], ids=str)
def test_any_numbers_stay_readable(ks):
    long = "a student with a very long label, ResNet-18, ImageNet weights, lr=0.003, k="
    draw(*(student(k, p=p, label=f"{long}{k}{p}") for k in ks for p in (1, 2, 5)), make_row(long), make_row("x" * 90))


def test_panels_stand_below_one_another_and_the_key_beside_them():
    rows = [student(k, p=p, acc=0.5 + p / 10) for k in (5, 10) for p in (1, 2)]
    drawn = read(draw_sweep(read_sweep(rows)))
    words = [" ".join(plot.ylabel.split()) for plot in drawn.plots]
    assert words == ["test accuracy", "validation accuracy", "correct pseudo-labels"]
    first, *others = drawn.plots
    for above, below in zip(drawn.plots, others, strict=False):
        assert 0 < below.y - above.y - above.height < 0.5
        assert (below.x, below.width) == (above.x, above.width)
        assert below.height < first.height
    assert [bool(plot.xlabel) for plot in drawn.plots] == [False, False, True]
    assert drawn.plots[-1].xlabel == "K: pseudo-labels per class"
    key = [word for word in drawn.words if word.text in ("p=1", "p=2", "teacher:")]
    assert len(key) == 3
    assert all(word.x > first.x + first.width for word in key)
    head = [word for word in drawn.words if "best k by validation" in word.text]
    assert [word.text[:3] for word in head] == ["p=1", "p=2"]
    assert all(word.y < first.y for word in head)


def test_the_key_shows_each_curve_as_it_is_drawn():
    rows = [student(k, p=p, acc=0.5 + p / 10, student=p + k) for k in (5, 10) for p in (1, 2)]
    drawn = read(draw_sweep(read_sweep(rows)))
    curves = {tuple(line.y): line for line in drawn.plots[0].lines if len(line.x) == 2 and line.x == [5, 10]}
    samples = {drawn_words(drawn, line): line for line in drawn.lines if line.marker or line.style == "--"}
    for place, name in enumerate(("p=1", "p=2")):
        curve, sample = curves[(0.6 + place / 10,) * 2], samples[name]
        assert (curve.color, curve.marker, curve.style) == (sample.color, sample.marker, sample.style)
        other = curves[6 + place, 11 + place]
        assert other.color == curve.color
        assert other.style == samples["student"].style != curve.style
    looks = [(line.color, line.dashes, line.style, line.marker) for line in drawn.lines]
    assert len(set(looks)) == len(looks)  # what lies level, too
    assert curves[0.6, 0.6].color != curves[0.7, 0.7].color
    assert curves[0.6, 0.6].marker != curves[0.7, 0.7].marker


def drawn_words(drawn, sample):
    """What stands beside a sample of the key."""
    beside = [word for word in drawn.words if abs(word.y - sample.y[0]) < 0.1 and word.x > sample.x[0]]
    return min(beside, key=lambda word: abs(word.y - sample.y[0])).text


def test_from_folders_a_number_that_was_not_typed_is_a_point_too(tmp_path):
    """Two runs with a typed K, one with the default, and one that has none: the report's own picture is of them."""
    for number, words in enumerate(([f"{K}=5"], [f"{K}=20"], [], ["task=supervised"])):
        folder, chain = tmp_path / str(number), "task=supervised" not in words
        stages = {"pseudo_labels": {"task": {"k": 10}}} if chain else {}
        choices = {"task": "teacher_student" if chain else "supervised"}
        facts = {"status": "finished", "overrides": words, "choices": choices, "config": {"stages": stages}, "seed": 0}
        write_json(folder / "run.json", facts | {"monitor": "val/acc", "monitor_mode": "max", "classes": ["a", "b"]})
        write_json(folder / "metrics.json", {"test/acc": number / 10, "val/acc": 0.5})
    rows = make_rows([Run(tmp_path / str(number)) for number in range(4)])
    sweep = read_sweep(rows)
    assert [curve.points["test/acc"] for curve in sweep.curves] == [
        {5: Spread(0.0, None, 1), 10: Spread(0.2, None, 1), 20: Spread(0.1, None, 1)}
    ]
    assert list(sweep.lines.values()) == [Spread(0.3, None, 1)]
    assert plot_sweep(rows, tmp_path / "sweep.png")
    assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")


def test_the_docs_picture_is_drawn_from_the_measured_table():
    picture = draw_docs_sweep()
    assert_readable(picture)
    ks = [100, 300, 1000, 3000, 8000]
    upper, lower = picture.axes[1:]
    assert curves_of(upper)[0] == list(zip(ks, [0.5304, 0.5454, 0.5476, 0.5489, 0.5375], strict=True))
    assert bars_of(upper.containers[1]) == [pytest.approx(std) for std in (0.0302, 0.0275, 0.0274, 0.0304, 0.0289)]
    assert curves_of(lower)[0] == [
        (k, pytest.approx(right)) for k, right in zip(ks, [0.8803, 0.8493, 0.7809, 0.6374, 0.4150], strict=True)
    ]
    assert rings_of(upper) == [[300, 0.5454]]
    file = io.BytesIO()
    picture.savefig(file, dpi=120)
    committed = ROOT / "docs" / "images" / "sweep_pseudo_labels_cifar.png"
    drawn, kept = (np.asarray(Image.open(some).convert("RGB"), float) for some in (file, committed))
    assert drawn.shape == kept.shape
    assert np.abs(drawn - kept).mean() < 2  # letters may be drawn a little differently elsewhere
