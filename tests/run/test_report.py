"""The page: every number in the row of its words and the column of its network; long tables say what they leave out."""

import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from netgaze import report
from netgaze.files import write_json
from netgaze.report import MOST_ROWS


class Page(HTMLParser):
    """Tables as lists of rows of texts, the titles of their cells, and the text of all paragraphs."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.hints, self.lines, self.open = [], {}, [], 0
        self._cell = None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td", "p", "dt", "dd", "summary"):
            self._cell, self._hint = "", dict(attributes).get("title")
        self.open += tag == "details" and "open" in dict(attributes)

    def handle_data(self, data):
        if self._cell is not None:
            self._cell += data

    def handle_endtag(self, tag):
        if tag in ("th", "td"):
            self.tables[-1][-1].append(self._cell)
            if self._hint:
                self.hints[self._cell] = self._hint
        elif tag in ("p", "dt", "dd", "summary"):
            self.lines.append(re.sub(r"\s+", " ", self._cell).strip())
        if tag in ("th", "td", "p", "dt", "dd", "summary"):
            self._cell = None


GLOSSARY = {
    "acc": {"words": "accuracy", "says": "Right ones.", "unit": "%", "better": "higher", "count": "num"},
    "layer1/dead": {"words": "layer1: dead", "says": "Silent ones.", "unit": "%", "better": "lower"},
    "layer2/dead": {"words": "layer2: dead", "says": "Silent ones.", "unit": "%", "better": "lower"},
    "best/val/acc": {"words": "val acc", "unit": "%", "count": "val/examples"},
    "gap": {"words": "gap between them", "says": "A difference."},
    "share": {"words": "share right", "unit": "%", "count": "images"},
}
NUMBERS = {
    "one": {"acc": 0.91, "num": 100, "layer1/dead": 0.11, "layer2/dead": 0.12, "best/val/acc": 0.5, "each": {"x": 1}},
    "two": {"acc": 0.82, "num": 400, "layer1/dead": 0.21, "layer2/dead": 0.22, "best/val/acc": 0.6, "raw_key": 3},
    "untrained": {"acc": 0.13, "num": 100, "layer1/dead": 0.31, "layer2/dead": 0.32, "lonely": 5},
}


def make_row(label, folder, **numbers):
    write_json(folder / "run.json", {"status": "finished", "versions": {}, "command": f"python train.py {label}"})
    about = {"label": label, "run": label, "setting": label, "folder": str(folder), "status": "finished", "error": None}
    about |= {"kind": "k", "eval_fingerprint": "d", "monitor": "val/acc", "monitor_mode": "max", "seed": 0}
    return about | {name.replace("_", "/", 1): value for name, value in numbers.items()}


@pytest.fixture
def make_page(tmp_path):
    def make(rows=(), **content):
        about = {"title": "Named", "question": "What?", "captions": {}, "controls": ["untrained"], "left_out": {}}
        write_json(tmp_path / "figures" / "named.json", about | {"numbers": {}, "glossary": GLOSSARY} | content)
        Image.new("RGB", (4, 4)).save(tmp_path / "figures" / "named.png")
        return Page(report.write(tmp_path, "page", rows, ["named"]).read_text(encoding="utf-8"))

    return make


def test_each_number_stands_in_the_row_of_its_words_and_the_column_of_its_network(make_page, tmp_path):
    rows = [make_row("one", tmp_path / "1", val_examples=500), make_row("two", tmp_path / "2", val_examples=50)]
    _, table = make_page(rows, numbers=NUMBERS).tables
    assert table == [
        ["", "one", "two", "untrained"],
        ["accuracy\u00a0↑", "91.0 ± 7.2%", "82.0 ± 4.1%", "13.0 ± 8.0%"],
        ["num", "100", "400", "100"],
        ["layer1: dead\u00a0↓", "11.0%", "21.0%", "31.0%"],
        ["layer2: dead\u00a0↓", "12.0%", "22.0%", "32.0%"],
        ["val acc", "50.0 ± 4.4%", "60.0 ± 13.8%", "-"],
    ]


def test_what_one_network_alone_has_is_said_in_a_sentence(make_page):
    lines = make_page(numbers=NUMBERS).lines
    assert [line for line in lines if line.startswith("Only for ")] == ["Only for two: raw_key: 3."]


def test_a_single_network_has_all_in_its_table(make_page):
    (table,) = make_page(numbers={"two": NUMBERS["two"]}).tables
    assert ["raw_key", "3"] in table


def test_what_a_number_means_stands_at_it_and_below_once(make_page):
    page = make_page(numbers=NUMBERS, compared={"gap": 0.25})
    assert page.hints["accuracy\u00a0↑"] == "Right ones. Higher is better."
    assert page.hints["layer2: dead\u00a0↓"] == "Silent ones. Lower is better."
    assert "gap between them: 0.250" in page.lines
    said = page.lines[page.lines.index("What the numbers mean") + 1 :][:6]
    assert said == [
        *("accuracy ↑", "Right ones. Higher is better."),
        *("layer1: dead ↓", "Silent ones. Lower is better."),
        *("gap between them", "A difference."),
    ]


def test_how_to_read_a_figure_stands_above_it_and_is_closed(make_page):
    page = make_page(look_for="Dark cells.", pitfall="Dark is not many.")
    place = page.lines.index("How to read this figure")
    assert page.lines[place - 1 : place + 3] == ["What?", "How to read this figure", "Dark cells.", "Dark is not many."]
    assert page.open == 0
    assert "How to read this figure" not in make_page(look_for="", pitfall="").lines
    assert "How to read this figure" not in make_page().lines, "an older picture's JSON says nothing of it"


def test_a_page_without_a_glossary_shows_keys(make_page):
    (table,) = make_page(numbers={"one": {"raw_key": 0.5}}, glossary={}).tables
    assert table == [["", "one"], ["raw_key", "0.500"]]


def test_a_figures_own_table_has_the_intervals_of_its_rows(make_page):
    rows = [{"class": "cat", "images": 100, "share": 0.9}, {"class": "dog", "images": 10, "share": 0.5}]
    page = make_page(tables={"one": rows})
    assert page.tables == [
        [["class", "images", "share right"], ["cat", "100", "90.0 ± 7.4%"], ["dog", "10", "50.0 ± 26.3%"]]
    ]
    assert "one: 2 rows" in page.lines
    assert page.open == 1


def test_a_long_table_is_closed_and_leaves_the_rest_to_the_csv(make_page):
    rows = [{"class": f"c{number}", "images": number} for number in range(MOST_ROWS + 800)]
    page = make_page(tables={"one": rows})
    assert len(page.tables[0]) == 1 + MOST_ROWS
    assert page.tables[0][-1] == [f"c{MOST_ROWS - 1}", str(MOST_ROWS - 1)]
    assert "one: 1,000 rows" in page.lines
    assert "The other 800 rows are in figures/named.csv." in page.lines
    assert page.open == 0


def test_controls_and_many_tables_are_closed(make_page):
    rows = [{"class": f"c{number}"} for number in range(25)]
    assert make_page(tables={"one": rows, "untrained": rows}).open == 1
    assert make_page(tables={"one": rows, "two": rows, "three": rows}).open == 0


def test_the_table_of_runs_has_words_and_the_winner_stands_above_it(make_page, tmp_path):
    rows = [
        make_row("one", tmp_path / "1", val_acc=0.91, test_acc=0.84, val_examples=500, test_examples=1000),
        make_row("two", tmp_path / "2", val_acc=0.72, test_acc=0.65, val_examples=500, test_examples=1000),
    ]
    page = make_page(rows)
    assert page.tables[0] == [
        ["run", "status", "validation accuracy (best epoch)\u00a0↑", "test accuracy\u00a0↑"],
        ["one", "finished", "91.0 ± 2.8%", "84.0 ± 2.4%"],
        ["two", "finished", "72.0 ± 4.1%", "65.0 ± 3.0%"],
    ]
    assert any(line.startswith("Winner: one, with validation accuracy (best epoch) 91.0 ± 2.8%") for line in page.lines)
    assert "Share of test examples" in page.hints["test accuracy\u00a0↑"]


def test_means_over_seeds_stand_in_a_table_of_their_own(make_page, tmp_path):
    rows = [
        make_row(f"{name}{seed}", tmp_path / f"{name}{seed}", val_acc=acc) | {"setting": name, "seed": seed}
        for name, each in (("a", (0.5, 0.6)), ("b", (0.6, 0.8)))
        for seed, acc in enumerate(each)
    ]
    means, runs = make_page(rows).tables
    assert means[1:] == [["a", "2", "55.0 ± 7.1%"], ["b", "2", "70.0 ± 14.1%"]]
    assert [line[0] for line in runs[1:]] == ["a0", "a1", "b0", "b1"]


def test_words_of_others_are_text_also_in_titles(make_page):
    nasty = {"acc": GLOSSARY["acc"] | {"words": "<b>bold</b>", "says": '"><script>'}}
    page = make_page(numbers={"<i>one": {"acc": 0.5, "num": 10}}, glossary=nasty)
    assert page.tables[0][0] == ["", "<i>one"]
    assert page.hints["<b>bold</b>\u00a0↑"].startswith('"><script>')


def write_sentences(folder, name, sentences, **content):
    numbers = {"a": {}, "b": {}}
    head = {"title": name, "question": "?", "captions": {}, "numbers": numbers, "controls": [], "left_out": {}}
    write_json(folder / "figures" / f"{name}.json", head | {"differences": sentences} | content)
    Image.new("RGB", (4, 4)).save(folder / "figures" / f"{name}.png")


def test_a_page_begins_with_what_differs_the_figures_taking_turns(tmp_path):
    (tmp_path / "figures").mkdir()
    write_sentences(tmp_path, "one", ["first <of> one.", "second of one."])
    write_sentences(tmp_path, "two", ["first of two."])
    write_sentences(tmp_path, "none", [])
    expected = ["first <of> one.", "first of two.", "second of one."]
    assert report.collect_differences(tmp_path, ["one", "none", "two"]) == expected
    text = report.write(tmp_path, "page", [], ["one", "none", "two"]).read_text()
    places = [text.index(said) for said in ("What differs</h2>", "first &lt;of&gt; one.", "first of two.", "<h2>one")]
    assert places == sorted(places)


def test_at_most_ten_sentences(tmp_path):
    (tmp_path / "figures").mkdir()
    write_sentences(tmp_path, "one", [f"sentence {number}." for number in range(20)])
    assert len(report.collect_differences(tmp_path, ["one"])) == report.MOST_DIFFERENCES == 10


def test_where_nothing_differs_nothing_is_said(tmp_path):
    (tmp_path / "figures").mkdir()
    write_sentences(tmp_path, "one", [])
    assert "What differs" not in report.write(tmp_path, "page", [], ["one"]).read_text()


def test_a_table_of_one_network_alone_leaves_the_others_out(tmp_path):
    (tmp_path / "figures").mkdir()
    write_sentences(tmp_path, "one", [], tables={"a": [], "b": [{"stage": "layer1", "cka": 0.5}]})
    assert "layer1" in report.write(tmp_path, "page", [], ["one"]).read_text()
