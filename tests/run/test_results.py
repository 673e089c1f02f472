"""Tables over seeds, the matrix, and who is shown and who wins, on rows made by hand."""

import statistics

import numpy as np
import pytest
from scipy.stats import binomtest
from tests.figures.reader import read
from tests.figures.test_figures import assert_readable
from tests.nasty import NASTY

from netgaze.files import read_json, write_json
from netgaze.plots import draw_matrix, plot_matrix
from netgaze.results import average_repeats, choose_pictured, measure_spread, rank
from netgaze.rows import make_rows
from netgaze.run import Run
from netgaze.tables import tabulate_means
from netgaze.winner import name_winner


def row(setting, seed, acc, status="finished", **more):
    about = {
        "label": f"{setting}, seed={seed}",
        "setting": setting,
        "status": status,
        "seed": seed,
        "eval_fingerprint": "d",
    }
    about |= {"kind": "k", "monitor": "val/acc", "monitor_mode": "max", "seconds": 10.0 * (seed + 1)}
    return about | ({"val/acc": acc, "test/acc": acc - 0.1, "best/epoch": 3} if acc is not None else {}) | more


ROWS = [row("a", 0, 0.5), row("a", 1, 0.9), row("b", 0, 0.8), row("b", 1, 0.72), row("c", 0, 0.1)]


def test_means_and_standard_deviations():
    first, second, third = average_repeats(ROWS)
    assert (first["label"], first["runs"], third["runs"]) == ("a", 2, 1)
    assert first["val/acc"] == pytest.approx(0.7)
    assert first["std"]["val/acc"] == pytest.approx(statistics.stdev([0.5, 0.9]))
    assert second["seconds"] == 15.0
    assert third["std"] == {}
    titles, cells = tabulate_means([first, second, third])
    assert titles == ["setting", "runs", "val/acc", "test/acc", "seconds"]
    assert cells[0] == ["a", "2", "70.0 ± 28.3%", "60.0 ± 28.3%", "15.0 ± 7.07 s"]
    assert cells[2][2] == "10.0%"


@pytest.mark.parametrize(
    "rows",
    [
        [row("a", 0, 0.5), row("b", 0, 0.6)],  # one seed each
        [row("a", 0, 0.5), row("a", 0, 0.5)],  # the same run twice is no spread
        [row("a", 0, 0.5), row("a", 1, None, status="failed")],
        [row("a", 0, 0.5), row("a", 1, 0.6, eval_fingerprint="other")],
    ],
)
def test_no_means_where_there_is_nothing_to_average(rows):
    assert average_repeats(rows) == []


def test_the_winner_is_the_best_mean_not_the_luckiest_run():
    said = name_winner(ROWS)
    assert said.startswith(
        "Winner: b, with validation accuracy (best epoch) 76.0 ± 5.7% against 70.0 ± 28.3% for the next, a"
    )
    assert "over runs" in said


def test_one_run_of_each_of_the_best_settings_is_shown():
    assert [run["label"] for run in choose_pictured(ROWS, 2)] == ["b, seed=0", "a, seed=1"]
    single = [row("a", 0, 0.5), row("b", 0, 0.6), row("c", 0, 0.7)]
    assert [run["label"] for run in choose_pictured(single, 2)] == ["c, seed=0", "b, seed=0"]


def divided(setting, drawn, acc, test="d"):
    return row(setting, 0, acc, drawn=drawn, eval_fingerprint=f"{test}{drawn}", label=f"{setting}, split_seed={drawn}")


def test_divisions_of_the_data_are_repetitions_too():
    rows = [divided("a", 0, 0.5), divided("b", 0, 0.4), divided("a", 1, 0.7), divided("b", 1, 0.9)]
    means = average_repeats(rows)
    assert [(mean["label"], mean["runs"]) for mean in means] == [("a", 2), ("b", 2)]
    assert means[1]["val/acc"] == pytest.approx(0.65)
    assert name_winner(rows).startswith(
        "Winner: b, with validation accuracy (best epoch) 65.0 ± 35.4% against 60.0 ± 14.1%"
    )
    assert [run["label"] for run in choose_pictured(rows, 2)] == ["b, split_seed=0", "a, split_seed=0"]


def test_pictures_are_of_a_division_that_all_settings_have():
    rows = [
        divided("a", 0, 0.5),
        divided("a", 1, 0.7),
        divided("b", 0, 0.4) | {"status": "failed"},
        divided("b", 1, 0.9),
    ]
    assert {run["label"] for run in choose_pictured(rows, 2)} == {"b, split_seed=1", "a, split_seed=1"}


def test_a_division_that_was_not_typed_is_one_too(tmp_path):
    for number, typed in enumerate(([], ["data.split_seed=1"])):
        content = {"status": "finished", "overrides": typed, "config": {"data": {"split_seed": number}}, "seed": 0}
        write_json(
            tmp_path / str(number) / "run.json", content | {"eval_fingerprint": str(number), "choices": {"task": "t"}}
        )
    found = make_rows([Run(tmp_path / "0"), Run(tmp_path / "1")])
    assert [row["drawn"] for row in found] == [0, 1]
    assert [mean["runs"] for mean in average_repeats(found)] == [2]


def test_settings_seen_on_different_divisions_do_not_compare():
    rows = [divided("a", 0, 0.5), divided("a", 1, 0.7), divided("b", 1, 0.4), divided("b", 2, 0.9)]
    assert name_winner(rows).startswith("No winner: the runs have no number in common")


def matrix_rows():
    """Random and two sources against two sets, by two tasks: the better by validation is not the better by test.

    Of one task the better by validation comes first.
    """
    rows = []
    for task, gain in (("linear_probe", 0.0), ("finetune", 0.31)):
        for down, init in enumerate(("null", "outputs/a", "outputs/b")):
            for across, data in enumerate(("decathlon/dtd", "shapes")):
                accuracies = [(0.5, 0.95), (0.6, 0.1 * down + 0.2 * across + gain)]
                for val, test in accuracies[:: -1 if gain else 1]:
                    about = {"init": init, "data": data, "task": task, "val/acc": val, "test/acc": test}
                    rows.append(row(f"{task} {init} {data} {val}", 0, 0.5) | about)
    return rows


def test_a_matrix_of_sources_and_targets(tmp_path):
    """Sources down, sets across, a panel per task; in a cell the test accuracy of the best by validation."""
    rows = matrix_rows()
    drawn = read(draw_matrix(rows))
    assert [plot.title for plot in drawn.plots] == ["linear_probe", "finetune"]
    for plot, gain in zip(drawn.plots, (0, 0.31), strict=True):
        expected = [[0.1 * down + 0.2 * across + gain for across in range(2)] for down in range(3)]
        assert plot.matrix.tolist() == [pytest.approx(line) for line in expected]
        assert plot.colors == ("viridis", 0, 1)
        assert plot.xticks == {"dtd": 0, "shapes": 1}
        for down, line in enumerate(expected):
            assert [plot.cell(down, across) for across in range(2)] == [f"{100 * value:.1f}%" for value in line]
        assert plot.ylim[0] > plot.ylim[1]
    assert drawn.plots[0].yticks == {"from scratch": 0, "a": 1, "b": 2}
    colors = {float(each.text[:-2]) / 100: each.color for each in drawn.plots[1].words}
    assert {value: color == "#000000" for value, color in colors.items()} == {
        value: value > 0.6 for value in colors
    }  # dark words on bright cells
    assert plot_matrix(rows, tmp_path / "matrix.png")
    assert not plot_matrix([one for one in rows if one["init"] == "null"], tmp_path / "none.png")


def test_a_cell_says_how_sure_it_is():
    rows = [one | {"test/examples": 400} for one in matrix_rows()]
    words = read(draw_matrix(rows)).plots[1].cell(0, 0)
    low, high = binomtest(124, 400).proportion_ci(0.95, "wilson")
    assert words == f"31.0\n± {100 * max(0.31 - low, high - 0.31):.1f}%"


def test_a_number_of_one_run_has_its_interval_and_of_several_their_deviation():
    rows = [
        row(f"run {seed}", seed, 0.5) | {"test/acc": acc, "test/examples": 400} for seed, acc in ((0, 0.5), (1, 0.6))
    ]
    half = 0.5 - binomtest(200, 400).proportion_ci(0.95, "wilson").low
    assert measure_spread(rows[:1], "test/acc").show("test/acc") == f"50.0 ± {100 * half:.1f}%"
    assert measure_spread(rows, "test/acc").show("test/acc") == f"55.0 ± {100 * 0.1 / 2**0.5:.1f}%"
    assert measure_spread(rows[:1], "test/acc", above="val/acc").margin is None


def test_a_cell_of_no_run_is_empty():
    rows = [one for one in matrix_rows() if not (one["init"] == "outputs/b" and one["data"] == "shapes")]
    plot = read(draw_matrix(rows)).plots[0]
    assert np.isnan(plot.matrix[2, 1])
    assert np.isnan(plot.matrix).sum() == 1
    assert plot.cell(2, 1) == "-"


def test_a_matrix_of_nasty_names_is_readable():
    rows = [
        row(f"{init} {data}", 0, 0.5) | {"init": init, "data": data, "task": task, "val/acc": 0.5, "test/acc": 0.5}
        for init in NASTY
        for data in NASTY[:3] + NASTY[-8:-6]
        for task in ("$task$", "other")
    ]
    assert_readable(draw_matrix(rows))


def made(folder, *overrides, seed=0):
    write_json(folder / "run.json", {"status": "finished", "overrides": list(overrides), "seed": seed, "choices": {}})
    return folder


def test_runs_that_only_look_alike_are_not_averaged(tmp_path):
    """Two sources whose folders end alike, a seed each: two settings, not one of two seeds."""
    folders = []
    for number, (source, seed) in enumerate([("sup/0", 0), ("rot/0", 1), ("sup/0", 1)]):
        folders.append(made(tmp_path / str(number), f"init=outputs/{source}", f"seed={seed}", seed=seed))
        write_json(folders[-1] / "metrics.json", {"test/acc": 0.1 * number})
    rows = make_rows([Run(folder) for folder in folders])
    assert [row["setting"] for row in rows] == ["sup/0", "rot/0", "sup/0"]
    assert [row["runs"] for row in average_repeats(rows)] == [2, 1]


def test_a_run_of_which_nothing_was_typed_has_a_name(tmp_path):
    folders = [made(tmp_path / "a", "seed=0"), made(tmp_path / "b", "seed=1", seed=1)]
    folders += [made(tmp_path / "c", "task.freeze_backbone=true", "seed=0")]
    assert [row["setting"] for row in make_rows([Run(folder) for folder in folders])] == [
        "as it is",
        "as it is",
        "freeze_backbone=true",
    ]


def test_settings_of_other_data_are_shown_apart():
    rows = [row("a", seed, 0.5, eval_fingerprint=data) for seed in (0, 1) for data in ("x", "y")]
    shown = choose_pictured(rows, 4)
    assert [run["eval_fingerprint"] for run in shown] == ["x", "y"]


def test_a_bare_yes_or_no_is_no_name(tmp_path):
    folders = [made(tmp_path / value, f"task.freeze_backbone={value}") for value in ("True", "False")]
    assert [row["label"] for row in make_rows([Run(folder) for folder in folders])] == [
        "freeze_backbone=true",
        "freeze_backbone=false",
    ]
    folders = [made(tmp_path / value, f"task={value}") for value in ("rotation", "supervised")]
    assert [row["label"] for row in make_rows([Run(folder) for folder in folders])] == ["rotation", "supervised"]


def test_networks_of_other_tasks_compare_if_they_predict_the_same(tmp_path):
    folders = [made(tmp_path / task, f"task={task}") for task in ("supervised", "dynamic_conv", "rotation")]
    for folder, classes in zip(folders, (["cat", "dog"], ["cat", "dog"], ["0°", "90°"]), strict=True):
        write_json(
            folder / "run.json",
            read_json(folder / "run.json") | {"classes": classes, "task": folder.name, "monitor": "m"},
        )
        write_json(folder / "metrics.json", {"m": 0.5})
    rows = make_rows([Run(folder) for folder in folders])
    assert rank(rows[:2])[0] == "m"
    assert rank(rows)[0] is None


def test_runs_are_called_by_what_differs_and_paths_by_their_end(tmp_path):
    folders = [
        made(tmp_path / f"{number}", f"init={init}", f"seed={seed}", "data=shapes", seed=seed)
        for number, (init, seed) in enumerate([("null", 0), ("null", 1), ("'outputs/a/source'", 0)])
    ]
    rows = make_rows([Run(folder) for folder in folders])
    assert [row["label"] for row in rows] == ["init=null, seed=0", "init=null, seed=1", "init=source, seed=0"]
    assert [row["setting"] for row in rows] == ["init=null", "init=null", "init=source"]
