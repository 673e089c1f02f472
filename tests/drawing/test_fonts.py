"""Pages: no sign in a name means anything, each script has its font, and what has none is said once."""

import logging
import warnings

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.font_manager import FontEntry, fontManager
from matplotlib.text import Text
from tests.nasty import NASTY

from netgaze.drawing import fonts
from netgaze.drawing.rows import Row, lay_out, make_text
from netgaze.text import show

SMILE, PLANE = "\U0001f600", "\U0001d538"  # DejaVu Sans has both; DEVANAGARI, CJK and the like it has not


@pytest.fixture(autouse=True)
def unknown(monkeypatch):
    """Nothing looked up yet, nothing said yet."""
    monkeypatch.setattr(fonts, "_families", {})
    monkeypatch.setattr(fonts, "_missed", set())


@pytest.fixture
def bare(monkeypatch):
    """A machine with no fonts but matplotlib's own."""
    monkeypatch.setattr(fonts, "_add_new_fonts", lambda: None)
    own = [entry for entry in fontManager.ttflist if matplotlib.get_data_path() in str(entry.fname)]
    monkeypatch.setattr(fontManager, "ttflist", own)


def words_of(picture):
    picture.draw_without_rendering()
    return [text.get_text().replace("\u200e", "") for text in picture.findobj(Text) if text.get_text()]


def plot(names):
    """A plot on which every kind of words is a name."""

    def draw(sheet, y):
        axes = sheet.axes(1, y + 1, 3, 3)
        axes.set_title(names[0])
        axes.set_xlabel(names[1])
        axes.set_ylabel(names[2])
        axes.set_xticks(range(len(names)), names)
        axes.set_yticks(range(len(names)), names)
        axes.text(0, 0, names[3])
        axes.plot([0, 1], [0, 1], label=names[4])
        axes.legend(title=names[5])
        axes.annotate(names[6], (0, 0))
        sheet.text(0, 0, names[7])
        sheet.figure.suptitle(names[8])

    return lay_out([Row(5, draw)])


@pytest.mark.parametrize("settings", [{}, {"text.parse_math": True, "text.usetex": True, "font.family": ["serif"]}])
def test_every_word_of_a_page_is_drawn_as_it_is(settings, bare):
    with matplotlib.rc_context(settings):
        for start in range(0, len(NASTY), 9):
            names = (NASTY[start:] + NASTY)[:9]
            words = words_of(plot(names))
            for name in names:
                lines = show(name, keep="\n")
                assert words.count(lines) >= 2 or "\n" in name, name
        assert {key: matplotlib.rcParams[key] for key in settings} == settings


def test_a_persons_own_plots_stay_as_they_are():
    before = dict(matplotlib.rcParams)
    plot(NASTY).draw_without_rendering()
    assert dict(matplotlib.rcParams) == before


def test_powers_of_ten_are_formulas():
    def draw(sheet, y):
        sheet.axes(1, 1, 3, 3).set(yscale="log", ylim=(1e-3, 1e3))

    picture = lay_out([Row(5, draw)])
    picture.draw_without_rendering()
    labels = picture.axes[1].get_yticklabels()
    assert any("10^{" in label.get_text() for label in labels)
    assert all(label.get_parse_math() for label in labels)
    assert not any(label.get_parse_math() for label in picture.axes[1].get_xticklabels())


def test_what_no_font_has_is_said_once(bare, caplog):
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error")
        for names in (["猫", "犬と猫"], ["한국어"], ["हिन्दी"], ["हाँ 猫", "plain"]):
            words_of(lay_out(make_text(name) for name in names))
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert "Chinese, Japanese or Korean characters (such as 猫)" in said[0]
    assert "apt install fonts-noto-cjk" in said[0]
    assert "Devanagari characters (such as ह)" in said[1]
    assert "fonts-noto-core" in said[1]


def test_plain_words_ask_for_no_font(monkeypatch):
    monkeypatch.setattr(fonts, "_look_up", lambda chars: pytest.fail(f"looked for {chars}"))
    for name in ("plain", "Köln ½ × ∑ ✓", "שלום", "قطة", SMILE + PLANE, "e\u0301\u200b\ufe0f\u200d"):
        assert fonts.find_families(name) == []


def test_the_font_that_has_the_characters_is_taken(bare, monkeypatch):
    """STIX has letters that DejaVu Sans has not."""
    stix = next(entry for entry in fontManager.ttflist if entry.name == "STIXGeneral" and entry.style == "normal")
    has = set(fonts.FT2Font(stix.fname).get_charmap()) - set(fonts._open_own().get_charmap())
    char = next(chr(code) for code in sorted(has) if chr(code).isalpha())
    assert fonts.find_families(f"a{char}b") == ["STIXGeneral"]
    picture = lay_out([make_text(f"a{char}b"), make_text("ab")])
    picture.draw_without_rendering()
    families = [text.get_fontfamily() for text in picture.findobj(Text) if text.get_text()]
    assert families == [["DejaVu Sans", "STIXGeneral"], ["DejaVu Sans"]]


def test_a_font_that_was_just_installed_is_found(bare, monkeypatch):
    stix = next(entry for entry in fontManager.ttflist if entry.name == "STIXGeneral")
    monkeypatch.undo()
    monkeypatch.setattr(fontManager, "ttflist", [entry for entry in fontManager.ttflist if "STIX" not in entry.name])
    monkeypatch.setattr(fonts, "findSystemFonts", lambda: [stix.fname, __file__])  # and one that is none
    fonts._add_new_fonts.__wrapped__()
    assert [entry.name for entry in fontManager.ttflist if entry.fname == stix.fname] == ["STIXGeneral"]


def test_fonts_without_outlines_are_not_taken(bare, monkeypatch):
    monkeypatch.setattr(fontManager, "ttflist", [FontEntry("/nowhere/color.ttf", 0, "Gone")])
    assert fonts.find_families("猫") == []


def test_a_number_stays_behind_a_name_that_goes_from_right_to_left():
    mark = "\u200e"
    marked = f"{mark}is שלום עולם{mark} 0.5, قطة (צ){mark} 3"
    assert fonts.mark_directions("is שלום עולם 0.5, قطة (צ) 3") == marked
    assert fonts.mark_directions(marked) == marked  # a page is drawn more than once
    assert fonts.mark_directions("שלום עולם") == "שלום עולם"
    assert fonts.mark_directions("plain 3") == "plain 3"


def test_a_page_is_the_same_when_it_is_drawn_again():
    picture = plot(NASTY)
    first, second = (words_of(picture) for _ in range(2))
    assert first == second


def test_right_to_left_is_drawn_from_the_right():
    """The first letter of a Hebrew word is its last on paper: the letter lies at the right end."""

    def columns(words):
        picture = lay_out([make_text(words, size=30, height=1)])
        picture.set_dpi(60)
        canvas = FigureCanvasAgg(picture)
        canvas.draw()
        ink = np.asarray(canvas.buffer_rgba())[..., 0] < 128
        return np.flatnonzero(ink.any(axis=0))

    narrow, wide = "ו", "ש"  # vav, shin
    both = columns(narrow + wide)
    assert len(columns(wide)) > 1.5 * len(columns(narrow))
    gap = both[np.flatnonzero(np.diff(both) > 1)[-1]]
    right = both[both > gap]
    assert len(right) == pytest.approx(len(columns(narrow)), abs=1)
