"""The sentence on a comparison: on rows made by hand, and on answers that lie in folders."""

import numpy as np
import pytest

from netgaze.predictions import Predictions
from netgaze.results import is_only_tested, measure_margin, rank
from netgaze.winner import find_duel, name_winner


def row(label, *, mode="max", **numbers):
    about = {"label": label, "run": label, "setting": label, "status": "finished", "seed": 0, "error": None}
    about |= {"kind": "k", "eval_fingerprint": "d", "monitor": "val/acc", "monitor_mode": mode, "best/epoch": 3}
    counts = {"val/examples": 500, "test/examples": 1000, "test/examples_macro": 100}
    return about | counts | {name.replace("_", "/", 1): value for name, value in numbers.items()}


def only_test(label, acc):
    """A network that was tested as it came, and kept no answers."""
    return row(label, test_acc=acc) | {"best/epoch": 0, "folder": ""}


def answer(folder, wrong, num=1000, targets=None):
    """Answers to `num` images, those at the places in `wrong` wrong; the share that is right."""
    targets = np.zeros(num, np.uint8) if targets is None else targets
    predicted = targets.copy()
    predicted[list(wrong)] += 1
    folder.mkdir()
    index = np.arange(num, dtype=np.uint16)
    Predictions(index, targets, predicted, np.ones(num, np.float16)).save(folder / "predictions.npz")
    return only_test(folder.name, 1 - len(wrong) / num) | {"folder": str(folder)}


def test_margins_are_of_the_right_count():
    one = row("a", val_acc=0.8, test_acc=0.8, test_acc_macro=0.8, val_loss=0.8, train_acc=0.8)
    found = [measure_margin(one, name) for name in ("val/acc", "test/acc", "test/acc_macro", "val/loss", "train/acc")]
    assert found == [*(pytest.approx(about, abs=3e-4) for about in (0.0374, 0.0259, 0.0889)), None, None]
    assert measure_margin(one | {"std": {"val/acc": 0.01}}, "val/acc") == 0.01
    assert measure_margin(one | {"std": {}}, "val/acc") is None


def test_a_lead_within_the_uncertainty_is_called_so():
    rows = [row("a", val_acc=0.80, test_acc=0.9), row("b", val_acc=0.83, test_acc=0.7)]
    assert name_winner(rows) == (
        "Winner: b, with validation accuracy (best epoch) 83.0 ± 3.5% against 80.0 ± 3.7% for the next, a: a lead of "
        "3.0 points, within the uncertainty. Its test accuracy is 70.0 ± 2.9%."
    )
    assert "within the uncertainty" not in name_winner([rows[0], rows[1] | {"val/acc": 0.85}])
    assert "a lead of 5.0 points." in name_winner([rows[0], rows[1] | {"val/acc": 0.85}])


def test_the_larger_margin_decides_whichever_it_is():
    few = row("few", val_acc=0.80) | {"val/examples": 50}
    assert "within" in name_winner([few, row("many", val_acc=0.85)])
    assert "within" in name_winner([few | {"val/acc": 0.85}, row("many", val_acc=0.80)])


def test_the_smaller_wins_where_smaller_is_better():
    rows = [row(name, mode="min", val_loss=loss) | {"monitor": "val/loss"} for name, loss in (("a", 0.5), ("b", 0.25))]
    said = "Winner: b, with validation loss 0.250 against 0.500 for the next, a: a lead of 0.250."
    assert name_winner(rows) == said
    assert name_winner(rows[::-1]) == said


def test_the_next_is_the_second_not_the_last():
    rows = [row(name, val_acc=acc) for name, acc in (("c", 0.1), ("a", 0.9), ("b", 0.6))]
    assert name_winner(rows).startswith(
        "Winner: a, with validation accuracy (best epoch) 90.0 ± 2.9% against 60.0 ± 4.4% for the next, b"
    )


def test_over_repeated_runs_the_deviation_stands_behind_the_sign():
    rows = [
        row(f"{name}{seed}", val_acc=acc) | {"setting": name, "seed": seed}
        for name, each in (("a", (0.5, 0.6)), ("b", (0.6, 0.7)))
        for seed, acc in enumerate(each)
    ]
    said = name_winner(rows)
    assert said.startswith(
        "Winner: b, with validation accuracy (best epoch) 65.0 ± 7.1% against 55.0 ± 7.1% for the next, a"
    )
    assert "a lead of 10.0 points." in said
    near = [one | {"val/acc": one["val/acc"] - 0.06 * (one["setting"] == "b")} for one in rows]
    assert "a lead of 4.0 points, within the uncertainty." in name_winner(near)


def test_a_tie_names_all_that_tie():
    rows = [row(name, val_acc=acc) for name, acc in (("a", 0.8), ("b", 0.5), ("c", 0.8))]
    assert name_winner(rows) == "No single winner: a, c tie at validation accuracy (best epoch) 80.0 ± 3.7%."


def test_networks_that_were_only_tested_compare_by_the_test(tmp_path):
    better, worse = answer(tmp_path / "better", range(66)), answer(tmp_path / "worse", range(50, 150))
    assert name_winner([worse, better]) == (
        "Winner: better, with test accuracy 93.4 ± 1.7% against 90.0 ± 2.0% for the next, worse: a lead of 3.4 points. "
        "Nothing was trained or chosen here, so the test split compares them. Of the same 1,000 test examples "
        "only the first classifies 84 correctly, only the second 50: more than chance (McNemar's test, p = 0.0042)."
    )


def test_a_lead_of_chance_makes_no_winner(tmp_path):
    one, other = answer(tmp_path / "one", range(50)), answer(tmp_path / "other", range(45, 96))
    said = name_winner([one, other])
    assert said.startswith("No clear winner, but ahead: one, with test accuracy 95.0 ± 1.5% against 94.9 ± 1.5%")
    assert (
        "only the first classifies 46 correctly, only the second 45: no more than chance (McNemar's test, p = 1)."
        in said
    )


def test_many_small_wins_are_more_than_chance_though_the_intervals_overlap(tmp_path):
    """The pairs say more than the two intervals: the second errs where the first does, and twelve times more."""
    one, other = answer(tmp_path / "one", range(100)), answer(tmp_path / "other", range(112))
    said = name_winner([one, other])
    assert said.startswith("Winner: one")
    assert "a lead of 1.2 points." in said
    assert "p < 0.001" in said


def test_what_old_runs_lack_and_how_to_get_it(tmp_path):
    kept = answer(tmp_path / "kept", range(60))
    said = name_winner([kept, only_test("old", 0.93)])
    assert said.startswith(
        "Ahead: kept, with test accuracy 94.0 ± 1.6% against 93.0 ± 1.8% for the next, old: a lead of 1.0"
    )
    assert "within the uncertainty" in said
    assert "unknown: old kept no predictions (predictions.npz). Run the same command again" in said
    assert "unknown: a and b kept" in name_winner([only_test("b", 0.93), only_test("a", 0.94)])


def test_intervals_that_lie_apart_need_no_answers():
    said = name_winner([only_test("a", 0.5), only_test("b", 0.94)])
    assert said.startswith("Winner: b")
    assert "not known" not in said
    assert "a lead of 44.0 points. Nothing was trained" in said


def test_answers_that_are_not_the_rows_are_not_used(tmp_path):
    one, other = answer(tmp_path / "one", range(66)), answer(tmp_path / "other", range(50, 150))
    assert find_duel(one, other).only_first == 84
    assert find_duel(other, one).only_first == 50
    assert find_duel(one | {"test/acc": 0.5}, other) is None  # another head of the run, or a file of another test
    assert find_duel(one | {"kind": "other"}, other) is None
    assert find_duel(one | {"eval_fingerprint": "other"}, other) is None
    turned = answer(tmp_path / "turned", range(66), targets=np.arange(1000, dtype=np.uint8) % 2)
    assert find_duel(one, turned) is None


def test_of_trained_runs_validation_decides_and_the_test_adds_its_word(tmp_path):
    """Never by the test, even where it says the contrary."""
    one = answer(tmp_path / "one", range(66)) | {"val/acc": 0.7, "best/epoch": 2}
    other = answer(tmp_path / "other", range(50, 150)) | {"val/acc": 0.8, "best/epoch": 4}
    assert rank([one, other])[0] == "val/acc"
    said = name_winner([one, other])
    assert said.startswith("Winner: other, with validation accuracy (best epoch) 80.0 ± 3.7%")
    assert "Its test accuracy is 90.0 ± 2.0%." in said
    assert said.endswith(
        "only the first classifies 50 correctly, only the second 84: more than chance (McNemar's test, p = 0.0042)."
    )


def test_a_tested_and_a_trained_one_have_no_winner_but_a_test(tmp_path):
    one = answer(tmp_path / "one", range(66))
    other = answer(tmp_path / "other", range(50, 150)) | {"val/acc": 0.8, "best/epoch": 4}
    assert not is_only_tested(other)
    said = name_winner([one, other])
    assert said.startswith("No winner: the runs have no number in common")
    assert "The test accuracy of one is 93.4 ± 1.7%, of other 90.0 ± 2.0%." in said
    assert "only the first classifies 84 correctly" in said


def test_what_was_tested_on_other_images_has_no_winner(tmp_path):
    one = answer(tmp_path / "one", range(66))
    assert rank([one, only_test("b", 0.9) | {"eval_fingerprint": "e"}])[0] is None
    assert name_winner([one, only_test("b", 0.9) | {"eval_fingerprint": "e"}]).endswith("that compares them fairly.")


def test_a_shared_number_of_other_images_makes_no_winner():
    rows = [row("a", test_knn20=0.5), row("b", test_knn20=0.6) | {"kind": "other"}]
    assert rank(rows)[0] == "test/knn20"
    assert rank([rows[0], rows[1] | {"eval_fingerprint": "e"}])[0] is None


def test_runs_of_one_setting_have_no_winner_but_a_mean():
    rows = [row("a", val_acc=0.8) | {"seed": seed, "label": f"seed={seed}", "run": str(seed)} for seed in (0, 1)]
    assert name_winner(rows) == "No winner: the runs differ in their seeds alone."
    assert name_winner([rows[0], rows[1] | {"status": "failed"}]) == "No winner: fewer than two runs finished."
