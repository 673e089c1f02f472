"""What cannot be seen is written out, all else stays; columns of a terminal; what is left out of long lines."""

import io
import logging
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.nasty import NASTY

from netgaze.errors import NetgazeError, sentence
from netgaze.tables import align
from netgaze.text import (
    VisibleFormatter,
    count_columns,
    format_percent,
    format_share,
    format_value,
    shorten,
    show,
    split_clusters,
)

ANY = st.text(st.characters(exclude_categories=()))


def test_what_cannot_be_seen_is_written_as_python_does():
    assert show("a\nb\tc\rd\x00e\x1b[2J") == r"a\nb\tc\rd\x00e\x1b[2J"
    assert show("caf\udce9.png") == r"caf\xe9.png"  # the byte that no UTF-8 holds
    assert show("\ud800 \u202e \u2028") == r"\ud800 \u202e \u2028"
    assert show("a\nb\x07", keep="\n") == "a\nb\\x07"


@given(ANY)
def test_all_else_stays_and_what_is_shown_can_be_written(text):
    shown = show(text)
    assert show(shown) == shown
    shown.encode()
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in shown)
    plain = "".join(char for char in text if show(char) == char)
    assert show(plain) == plain


def test_columns_of_a_terminal():
    assert [count_columns(text) for text in ("abc", "猫と犬", "e\u0301", "a\u200bb", "Ａ", "😀")] == [3, 6, 1, 2, 2, 2]


def test_a_table_stands_in_columns_whatever_is_in_it():
    lines = align(["name", "value"], [["猫", "1"], ["e\u0301", "2"], ["a\nb\x1b[0m", "3"], ["x" * 300, "4"]]).split(
        "\n"
    )
    assert len(lines) == 5
    at = {count_columns(line.rstrip()[: line.rstrip().rfind(" ")]) for line in lines}
    assert at == {61}  # 60 columns and a gap of two
    assert r"a\nb\x1b[0m" in lines[3]


@given(ANY, st.integers(3, 40))
def test_shortened_lines_fit_and_keep_start_and_end(text, room):
    text = show(text)
    short = shorten(text, room)
    assert count_columns(short) <= room
    assert short == text or "…" in short
    if short != text:
        start, end = short.split("…")[0], short.rpartition("…")[2]
        assert text.startswith(start.rstrip()) or "…" in text
        assert text.endswith(end)


def test_names_that_differ_at_their_ends_stay_different():
    assert shorten("a" * 50 + "1", 10) == "aaaaaa…aa1"
    assert len({shorten("x" * 300 + str(number), 12) for number in range(10)}) == 10


def test_what_belongs_together_is_not_torn():
    assert list(split_clusters("e\u0301👩\u200d🚀नि")) == ["e\u0301", "👩\u200d🚀", "नि"]
    assert shorten("e\u0301" * 9, 4) == "e\u0301e\u0301…e\u0301"


def test_no_name_steers_the_terminal():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(VisibleFormatter("%(message)s"))
    for name in NASTY:
        handler.emit(logging.LogRecord("netgaze", logging.INFO, "", 0, "a table\nof %s", (name,), None))
    printed = stream.getvalue()
    printed.encode()
    assert "a table\nof $x$\n" in printed
    assert r"of \x1b[31mred\x07\x9b\x7f" in printed
    assert not any(unicodedata.category(char) in ("Cc", "Cs") for char in printed.replace("\n", "").replace("\t", ""))


def test_a_sentence_is_one_line():
    assert sentence(NetgazeError("No \x1b[1mA\x1b[0m\nhere.")) == r"No \x1b[1mA\x1b[0m here."
    assert sentence(FileNotFoundError(2, "No such file", "a\nb\udcff")) == r"Cannot use a\nb\xff: No such file."


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (-0.0, "0"),
        (0.01234, "0.0123"),
        (0.5, "0.500"),
        (-1.2, "-1.20"),
        (12.345, "12.3"),
        (999.96, "1,000"),
        (6240.3, "6,240"),
        (123456, "123,000"),
        (0.00012345, "0.000123"),
        (0.000012, "1.20×10⁻⁵"),
        (-3.3e-12, "-3.30×10⁻¹²"),
        (1e7, "1.00×10⁷"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
    ],
)
def test_a_measured_number_has_three_digits_that_count(value, shown):
    assert format_value(value) == shown


def test_fewer_digits_count_where_fewer_are_wanted():
    assert [format_value(value, 2) for value in (0.0046, 0.995, 6240, 1.2345e-6)] == [
        "0.0046",
        "0.99",
        "6,200",
        "1.2×10⁻⁶",
    ]


@given(st.floats(1e-30, 1e30), st.integers(1, 5))
def test_what_is_shown_is_as_near_as_its_digits(value, digits):
    text = format_value(value, digits).replace(",", "")
    mantissa, _, power = text.partition("×10")
    plain = power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")) or "0"
    assert float(mantissa) * 10.0 ** int(plain) == pytest.approx(value, rel=0.51 * 10 ** (1 - digits))


def test_shares_have_two_digits_and_small_ones_the_first_that_counts():
    values = (0, 1, 0.5, 0.996, 0.005, 0.0049, 0.00123, 0.0001, 0.00009)
    shown = ["0.00", "1.00", "0.50", "1.00", "0.01", "0.005", "0.001", "0.0001", "<0.0001"]
    assert [format_share(value) for value in values] == shown


def test_counted_shares_have_no_zeros_at_their_ends():
    shares = (1, 0.09, 2 / 7, 1 / 500, 0, 0.625)
    assert [format_percent(share) for share in shares] == ["100%", "9%", "28.6%", "0.2%", "0%", "62.5%"]
