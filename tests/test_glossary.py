"""Names of numbers and their meanings, and numbers as people read them."""

import pytest

from netgaze.glossary import (
    NUMBERS,
    RUN_NUMBERS,
    Glossary,
    Meaning,
    explain,
    explain_all,
    find_interval,
    find_margin,
    format_number,
)
from netgaze.measures.uncertainty import find_wilson_interval

SHARE = Meaning("right", "How many.", "%", "higher", "num")
WORDS = Glossary(
    {
        "acc": SHARE,
        "<layer>/dead": Meaning("<layer>: dead", unit="%", better="lower"),
        "<class> as <other>": Meaning("<class> as <other>"),
        "<split>/acc": Meaning("<split> right", unit="%", count="<split>/images"),
    }
)


def test_a_name_is_explained_by_itself_or_by_the_pattern_that_fits_it_whole():
    assert explain("acc", WORDS) is SHARE
    assert explain("layer1.0/dead", WORDS).words == "layer1.0: dead"
    assert explain("cat as dog", WORDS).words == "cat as dog"
    assert explain("val/acc", WORDS) == Meaning("validation right", unit="%", count="val/images")
    assert explain("layer1/dead/more", WORDS) is None
    assert explain("/dead", WORDS) is None
    assert explain("ac", WORDS) is None


def test_what_a_pattern_says_of_dots_and_brackets_is_meant():
    assert explain("axb", Glossary({"a.b": SHARE})) is None
    assert explain("n (x)", Glossary({"n (<why>)": Meaning("<why>")})).words == "x"


def test_only_what_has_a_meaning_goes_into_json():
    found = explain_all(["acc", "other", "a/dead"], WORDS)
    assert list(found) == ["acc", "a/dead"]
    assert Meaning(**found["acc"]) == SHARE


def test_titles_show_where_it_is_better():
    assert SHARE.title == "right\u00a0↑"
    assert SHARE.hint == "How many. Higher is better."
    assert Meaning("x", better="lower").title == "x\u00a0↓"
    assert Meaning("x", better="lower").hint == "Lower is better."
    assert Meaning("x").title == "x"
    assert Meaning("x").hint == ""


def test_the_margin_is_the_farther_end_of_the_interval():
    low, high = find_wilson_interval(0.9, 50)
    numbers = {"acc": 0.9, "num": 50}
    assert find_interval(numbers, "acc", SHARE) == (low, high)
    assert 0.9 - low > high - 0.9
    assert find_margin(numbers, "acc", SHARE) == pytest.approx(0.9 - low)
    assert find_margin({"acc": 0.0, "num": 50}, "acc", SHARE) == pytest.approx(find_wilson_interval(0.0, 50)[1])


@pytest.mark.parametrize("numbers", [{"acc": 0.9}, {"acc": None, "num": 5}, {"acc": 0.9, "num": 0}, {"num": 5}])
def test_no_margin_where_something_is_not_known(numbers):
    assert find_margin(numbers, "acc", SHARE) is None
    assert find_margin(numbers, "acc", None) is None


@pytest.mark.parametrize(
    ("value", "margin", "shown"),
    [
        (0.9371, 0.0154, "93.7 ± 1.5%"),
        (0.9371, None, "93.7%"),
        (0.93712, 0.00031, "93.71 ± 0.03%"),
        (1.0, 0.004, "100.0 ± 0.4%"),
        (-0.00001, None, "0.0%"),
        (None, None, "-"),
    ],
)
def test_shares_are_percent(value, margin, shown):
    assert format_number(value, SHARE, margin) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        *[(0.19, "0.190"), (12345.6, "12,346"), (999.9, "1,000"), (312.4, "312"), (3, "3"), (12345, "12,345")],
        *[(0.00012, "0.000120"), (1e-7, "1.00×10⁻⁷"), (0.0, "0"), (True, "yes"), (False, "no"), ("words", "words")],
    ],
)
def test_other_numbers_have_three_digits_that_count(value, shown):
    assert format_number(value) == shown
    assert format_number(value, Meaning("x", unit="MB")) == shown + ("" if isinstance(value, bool | str) else " MB")


def test_numbers_of_runs_say_of_how_many_they_are():
    assert [explain(name, NUMBERS).count for name in ("val/acc", "test/acc", "last/val_acc", "val/knn20")] == [
        "val/examples",
        "test/examples",
        "val/examples",
        "val/examples",
    ]
    assert explain("first/acc", NUMBERS).words == "first accuracy"
    assert {meaning.better for name, meaning in RUN_NUMBERS.items() if "acc" in name} == {"higher"}
    assert explain("val/loss", NUMBERS).better == explain("test/eer", NUMBERS).better == "lower"
