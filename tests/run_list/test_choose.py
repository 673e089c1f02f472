"""Which runs fit what was typed, and in which order they come."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.run_list.made import make_run

from netgaze.errors import NetgazeError
from netgaze.run_list.choose import choose_entries, normalize, sort_entries
from netgaze.run_list.find import find_entries


@pytest.fixture(scope="module")
def entries(tmp_path_factory):
    below = tmp_path_factory.mktemp("outputs")
    make_run(
        below / "plain" / "1",
        started="2026-01-03T00:00:00+0000",
        config={"optim": {"lr": 0.1}, "init": None, "model": {"widths": [8, 16], "norm": True}, "seed": 10},
        numbers={"test/acc": 0.8, "test/loss": 0.5, "test/oddness": 3.0},
        epochs=[{"epoch": 12}],
    )
    make_run(
        below / "turned" / "2",
        started="2026-01-02T00:00:00+0000",
        task="rotation",
        config={"optim": {"lr": 0.01}, "init": "x", "model": {"widths": [8], "norm": False}, "seed": 9},
        numbers={"test/acc": 0.9, "test/loss": 0.2, "test/oddness": 7.0},
        epochs=[{"epoch": 3}],
    )
    make_run(below / "turned" / "3", "failed", started="2026-01-01T00:00:00+0000", task="rotation")
    return find_entries(below)


def numbers(found):
    return "".join(entry.folder.name for entry in found)


@pytest.mark.parametrize(
    ("key", "wanted", "expected"),
    [
        ("task", "rotation", "23"),
        ("task", ["supervised", "simclr"], "1"),
        ("task", "rot", ""),
        ("task", "rot*", "23"),
        ("task", "*i?e*", "1"),
        ("status", "failed", "3"),
        ("status", ["failed", "finished"], "123"),
        ("optim", "sgd", "123"),
        ("experiment", "null", "123"),
        ("optim.lr", "0.1", "13"),
        ("optim.lr", "1e-1", "13"),
        ("optim.lr", 0.01, "2"),
        ("optim.lr", "<0.1", "2"),
        ("optim.lr", "<=0.1", "123"),
        ("init", "null", "1"),
        ("init", None, "1"),
        ("model.norm", "true", "1"),
        ("model.norm", False, "2"),
        ("model.widths", "[8", ""),
        ("model.widths", ["8", "16"], "1"),
        ("model.widths", [8], "2"),
        ("name", "turned", "23"),
        ("name", "*urne*", "23"),
        ("name", "urne", ""),
        ("test/acc", ">0.8", "2"),
        ("test/acc", ">= 0.8", "12"),
        ("test/acc", ">85%", "2"),
        ("test/acc", "0.8", "1"),
        ("epoch", ">3", "1"),
        ("epoch", [3, 12], "12"),
        ("age", ">1d", "123"),
        ("age", "<1min", ""),
        ("size", "<1MB", "123"),
        ("size", ">=1kB", ""),
        ("task", ">3", ""),
    ],
)
def test_a_condition_holds_for_some(entries, key, wanted, expected):
    assert numbers(choose_entries(entries, [(key, wanted)])) == expected


def test_an_age_is_compared_in_its_unit(tmp_path):
    for name, hours in (("1", 2), ("2", 30), ("3", 60)):
        make_run(tmp_path / name, started=(datetime.now(UTC) - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%S%z"))
    found = find_entries(tmp_path)
    conditions = {"<1d": "1", ">1d": "23", ">2d": "3", "<121min": "1", ">3h": "23", ">=7190s": "123"}
    assert {wanted: numbers(choose_entries(found, [("age", wanted)])) for wanted in conditions} == conditions


def test_all_conditions_hold_at_once_also_of_one_key(entries):
    assert numbers(choose_entries(entries, [("task", "rotation"), ("status", "finished")])) == "2"
    assert numbers(choose_entries(entries, [("test/acc", ">0.7"), ("test/acc", "<0.85")])) == "1"
    assert numbers(choose_entries(entries, [])) == "123"


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("age", "123"),
        ("name", "123"),
        ("epoch", "123"),
        ("task", "231"),
        ("status", "312"),
        ("optim.lr", "213"),
        ("seed", "213"),  # 9 before 10
        ("test/acc", "213"),
        ("test/loss", "213"),  # less is better
        ("test/oddness", "213"),
        ("model.norm", "213"),
    ],
)
def test_the_order_is_that_of_the_key_and_those_without_it_come_last(entries, key, expected):
    assert numbers(sort_entries(entries, key)) == expected


def test_the_best_by_a_number_that_should_be_low_is_first(tmp_path):
    for name, loss in (("a", 2.0), ("b", 1.0), ("c", 3.0)):
        make_run(tmp_path / name, numbers={"test/loss": loss})
    assert numbers(sort_entries(find_entries(tmp_path), "test/loss")) == "bac"


def test_the_largest_is_first(tmp_path):
    for name, size in (("a", 5), ("b", 500), ("c", 50)):
        (make_run(tmp_path / name) / "x").write_bytes(b"x" * size)
    assert numbers(sort_entries(find_entries(tmp_path), "size")) == "bca"


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("optm.lr", "Nearest keys: optim.lr"),
        ("lr", "Nearest keys: optim.lr"),
        ("test/ac", "Nearest keys: test/acc"),
        ("q", "Columns"),
    ],
)
def test_a_key_that_no_run_has_is_answered_with_the_nearest(entries, key, said):
    for refused in (lambda: choose_entries(entries, [(key, "1")]), lambda: sort_entries(entries, key)):
        with pytest.raises(NetgazeError, match=f"No run has a key {key}. {said}"):
            refused()


@pytest.mark.parametrize("wanted", [">", "<x", ">=0.8.1", [">1", "<y"], ">5 weeks"])
def test_a_comparison_wants_a_number(entries, wanted):
    with pytest.raises(NetgazeError, match="expected a number after"):
        choose_entries(entries, [("test/acc", wanted)])


@given(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(10**9), 10**9)))
def test_a_number_equals_itself_as_it_is_written(value):
    assert normalize(str(value)) == normalize(value) == float(value)


@given(st.text())
def test_text_compares_without_an_error(text):
    assert normalize(text) == normalize(text)
