"""Pages, tables of notebooks and TensorBoard with nasty names: nothing in them is markup, and all of it is there."""

import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tests.nasty import NASTY, Words

from netgaze import report
from netgaze.callbacks.tensorboard import write_results
from netgaze.files import write_csv, write_json
from netgaze.inline import Comparison, draw_page
from netgaze.text import show

OWN = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "nav", "a", "section", "div", "table"}
OWN |= {"thead", "tbody", "tr", "th", "td", "figure", "figcaption", "img", "details", "summary", "bdi", "strong"}
OWN |= {"code", "br", "span", "dl", "dt", "dd"}
ATTRIBUTES = {"lang", "charset", "name", "content", "class", "dir", "id", "href", "aria-label", "src", "alt", "colspan"}
ATTRIBUTES |= {"open", "title", "http-equiv"}


@pytest.fixture
def page(tmp_path):
    """A report of runs, a figure and its tables, all with nasty names."""
    folders = [tmp_path / f"run {number}" for number in range(len(NASTY))]
    for folder, name in zip(folders, NASTY, strict=True):
        write_json(folder / "run.json", {"command": f"train.py data.dir={name}", "versions": {}, "status": "finished"})
    rows = [
        {"label": name, "status": "finished", "error": name, "folder": str(folder), "setting": name, "val/acc": 0.5}
        for name, folder in zip(NASTY, folders, strict=True)
    ]
    figures = tmp_path / "figures"
    figures.mkdir()
    (figures / "one.png").write_bytes(b"")
    content = {
        "title": "One",
        "question": "Which?",
        "captions": {name: f"caption of {name}" for name in NASTY},
        "numbers": {name: {f"{each} as {each}": each for each in NASTY} for name in NASTY},
        "glossary": {f"{NASTY[0]} as {NASTY[0]}": {"words": f"{NASTY[0]} as {NASTY[0]}", "says": NASTY[4]}},
        "controls": NASTY[:2],
        "compared": {name: 0.5 for name in NASTY},
        "left_out": {name: name for name in NASTY},
        "tables": {name: [{"class": name, name: 1}] for name in NASTY},
    }
    write_json(figures / "one.json", content)
    return report.write(tmp_path, NASTY[4], rows, ["one"], note=NASTY[4])


def test_all_of_it_is_on_the_page_and_nothing_is_markup(page):
    content = page.read_bytes().decode("utf-8")
    words = Words(content)
    assert words.tags <= OWN
    assert words.attributes <= ATTRIBUTES
    for name in NASTY:
        shown = show(name, keep="\n")
        for expected in (shown, f"caption of {shown}", f"{shown} as {shown}", f"train.py data.dir={shown}"):
            assert expected in words.words, expected
    assert '<meta charset="utf-8">' in content
    assert not any(char in content for char in "\x00\x1b\x07\x9b\u202e\u2067\r")


def test_names_on_the_page_have_their_own_direction(page):
    content = page.read_text("utf-8")
    assert '<td class="name" dir="auto">שלום עולם</td>' in content
    assert "<summary><bdi>שלום עולם</bdi>" in content


def test_a_notebook_shows_names_as_they_are(tmp_path):
    names = [*NASTY, "001", "NA", "null", "1e5"]
    write_csv(tmp_path / "results.csv", [{"label": name, "val/acc": 0.5} for name in names])
    shown = Comparison(tmp_path, NASTY[4])
    assert list(shown.table.index) == [show(name, keep="\n\t") for name in names]
    words = Words(shown._repr_html_())
    assert "script" not in words.tags
    assert NASTY[4] in words.words
    assert {"001", "NA", "L" * 290 + " the end 2"} <= set(words.words)
    table = pd.DataFrame({"name": NASTY})
    draw_page([], table, []).encode("utf-8")


def test_tensorboard_takes_any_setting(tmp_path):
    settings = {"data.dir": NASTY[18], "names": str(NASTY), "name": NASTY[17]}
    write_results(tmp_path, settings, {"val/acc": 0.5}, 1)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    text = b"".join(events.PluginTagToContent("hparams").values()).decode("utf-8", "replace")
    assert r"caf\xe9" in text
    assert r"\x1b[31mred" in text
    assert events.Tags()["scalars"] == ["val/acc"]
