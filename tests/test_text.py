"""What cannot be seen is written out, all else stays; columns of a terminal; what is left out of long lines."""

import io
import logging
import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from tests.nasty import NASTY

from netgaze.errors import NetgazeError, sentence
from netgaze.tables import align
from netgaze.text import VisibleFormatter, count_columns, format_percent, format_value, shorten, show, split_clusters

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


def test_measured_numbers_have_digits_that_count():
    values = (0.0, 0.01234, 0.5, 1.999, 12.345, 6243.0, 123456.0, 1.2e-5, -0.25, 3.1e7)
    expected = ["0", "0.0123", "0.500", "2.00", "12.3", "6,240", "123,000", "1.20×10⁻⁵", "-0.250", "3.10×10⁷"]
    assert [format_value(value) for value in values] == expected
    assert format_value(0.0456, 2) == "0.046"


def test_counted_shares_have_no_zeros_at_their_ends():
    shares = (1, 0.09, 2 / 7, 1 / 500, 0, 0.625)
    assert [format_percent(share) for share in shares] == ["100%", "9%", "28.6%", "0.2%", "0%", "62.5%"]
