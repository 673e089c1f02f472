"""Tables of runs in the terminal and on the page: each number under its own title, with its own margin."""

import re

import pytest

from netgaze.files import write_json
from netgaze.rows import count_examples, make_rows
from netgaze.run import Run
from netgaze.tables import align, format_numbers, name_columns, tabulate, tabulate_means

NUMBERS = {
    "train/acc": 0.91,
    "val/acc": 0.82,
    "last/val_acc": 0.83,
    "test/acc": 0.73,
    "test/acc_macro": 0.64,
    "test/top5": 0.95,
    "test/knn20": 0.56,
    "best/epoch": 7,
    "seconds": 12.34,
}
COUNTS = {"val/examples": 500, "test/examples": 1000, "test/examples_macro": 250, "test/images": 1000}


def make_row(label="a", **changes):
    return {"label": label, "status": "finished", "error": None} | NUMBERS | COUNTS | changes


def test_each_number_stands_under_its_title_with_the_margin_of_its_own_count():
    columns, (cells,) = tabulate([make_row()])
    assert dict(zip(name_columns(columns), cells, strict=True)) == {
        "run": "a",
        "status": "finished",
        "training accuracy": "91.0%",
        "validation accuracy (best epoch)": "82.0 ± 3.6%",
        "test accuracy": "73.0 ± 2.8%",
        "test accuracy, class mean": "64.0 ± 6.1%",
        "test top-5 accuracy": "95.0 ± 1.5%",
        "20-neighbor accuracy": "56.0 ± 3.1%",
        "best epoch": "7",
        "time": "12.3 s",
    }


def test_the_last_epochs_accuracy_is_in_the_csv_alone():
    assert "last/val_acc" not in tabulate([make_row()])[0]


def test_the_class_mean_is_left_out_where_it_is_the_same_for_all():
    same = make_row(**{"test/acc_macro": 0.7302})
    assert "test/acc_macro" not in tabulate([same, same])[0]
    assert "test/acc_macro" in tabulate([same, make_row()])[0]
    assert "test/acc_macro" in tabulate([make_row(**{"test/acc": None})])[0]


def test_columns_that_no_run_fills_are_left_out_and_gaps_are_dashes():
    columns, cells = tabulate([make_row(**{"test/top5": None}), make_row("b", **{"test/knn20": None})])
    assert cells[0][columns.index("test/top5")] == cells[1][columns.index("test/knn20")] == "-"
    assert "test/knn200" not in columns
    untrained = make_row(**{"best/epoch": 0})
    assert "best/epoch" not in tabulate([untrained])[0]
    assert [line[-2] for line in tabulate([make_row(), untrained])[1]] == ["7", "-"]


def test_means_have_their_deviation_not_the_interval():
    mean = make_row() | {"runs": 3, "std": {"val/acc": 0.0123, "seconds": 2.0}}
    columns, (cells,) = tabulate_means([mean])
    found = dict(zip(columns, cells, strict=True))
    assert (found["runs"], found["val/acc"], found["test/acc"]) == ("3", "82.0 ± 1.2%", "73.0%")
    assert found["seconds"] == "12.3 ± 2.00 s"
    assert "best/epoch" not in columns


def test_a_runs_end_says_its_keys_and_how_sure_they_are():
    lines = format_numbers({"test/acc": 0.73, "val/loss": 0.4567, "test/images": 1000}, COUNTS).split("\n")
    assert [line.split(maxsplit=1) for line in lines] == [
        ["number", "value"],
        ["test/acc", "73.0 ± 2.8%"],
        ["val/loss", "0.457"],
        ["test/images", "1,000"],
    ]


def test_a_table_is_aligned_and_a_long_cell_shortened():
    lines = align(["a", "b"], [["x" * 80, "1"], ["y", "22"]]).split("\n")
    assert [line.rstrip()[-2:].strip() for line in lines] == ["b", "1", "22"]
    assert {line.index(end) for line, end in zip(lines, ("b", "1", "22"), strict=True)} == {62}
    assert "…" in lines[1]


def test_a_long_title_over_narrow_cells_is_wrapped():
    lines = align(["run", "validation accuracy (best epoch)", "validation loss"], [["a", "82.0%", "0.1 to 0.123456"]])
    assert [re.split("  +", line) for line in lines.split("\n")] == [
        ["run", "validation", "validation loss"],
        ["", "accuracy"],
        ["", "(best epoch)"],
        ["a", "82.0%", "0.1 to 0.123456"],
    ]


def found(folder, classes, images, facts=None, metrics=None):
    content = {"status": "finished", "found": {"classes": classes, "images": images}, "classes": list(classes)}
    write_json(folder / "run.json", content | (facts or {}))
    write_json(folder / "metrics.json", {"test/acc": 0.5} | (metrics or {}))
    return Run(folder)


EQUAL = {"cat": [9, 5, 20], "dog": [9, 5, 20]}
UNEQUAL = {"cat": [9, 2, 10], "dog": [9, 8, 30]}
IMAGES = {"train": 18, "val": 10, "test": 40}


def test_counts_are_those_of_their_split(tmp_path):
    counts = count_examples(found(tmp_path, EQUAL, IMAGES))
    assert counts == {
        "val/examples": 10,
        "val/examples_macro": pytest.approx(10),
        "test/examples": 40,
        "test/examples_macro": pytest.approx(40),
    }


def test_a_mean_over_unequal_classes_counts_less(tmp_path):
    counts = count_examples(found(tmp_path, UNEQUAL, IMAGES))
    assert counts["test/examples_macro"] == pytest.approx(4 / (1 / 10 + 1 / 30))
    assert counts["val/examples_macro"] == pytest.approx(4 / (1 / 2 + 1 / 8))


def test_classes_of_the_task_are_not_those_of_the_data(tmp_path):
    """The turns of an image are equally many, whatever its class."""
    counts = count_examples(found(tmp_path, UNEQUAL, IMAGES, {"classes": ["0°", "90°"]}))
    assert (counts["test/examples"], counts["test/examples_macro"]) == (40, 40)


def test_no_counts_of_pairs_or_of_what_old_runs_did_not_find(tmp_path):
    assert count_examples(found(tmp_path / "a", EQUAL, IMAGES, metrics={"test/eer": 0.1})) == {}
    write_json(tmp_path / "b" / "run.json", {"status": "finished"})
    assert count_examples(Run(tmp_path / "b")) == {}


def test_rows_have_the_counts_also_those_of_networks_trained_at_once(tmp_path):
    run = found(tmp_path, EQUAL, IMAGES, {"overrides": [], "choices": {"task": "t"}}, {"test/images": 40})
    assert make_rows([run])[0]["test/examples"] == 40
    write_json(tmp_path / "variants.json", [{"lr": 0.1, "test/acc": 0.7}, {"lr": 0.2, "test/acc": 0.6}])
    rows = make_rows([Run(tmp_path)])
    assert [(row["test/examples"], row["val/examples"], row["test/images"]) for row in rows] == [(40, 10, 40)] * 2
