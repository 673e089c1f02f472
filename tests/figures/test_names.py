"""All figures with nasty names of classes, networks and files: drawn as they are, written so that they come back."""

import csv
import json
import os
import re
import warnings

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image
from tests.figures import test_verification
from tests.figures.test_figures import NAMES, assert_readable, make_figure
from tests.figures.test_pseudo_labels import a_subject
from tests.nasty import NASTY, Words

from netgaze import report
from netgaze.files import read_json, to_plain
from netgaze.gallery import look
from netgaze.text import show

LABELS = ["$x$ of <b>שלום</b> & 100 %s", "猫" * 40 + r" \frac{", "two\nlines\x1b[31m", "raw \udce9"]
FILES = ["$5 #?%20&'<i>.png", "שלום.png", "two\nlines.png", os.fsdecode(b"caf\xe9.png"), "猫" * 60 + ".png", "=1+1.png"]
columns, faces = test_verification.columns, test_verification.faces  # fixtures
# Figures of own pictures, and how many they are given.
SHOW_FILES = {
    "predict": 6,
    "neighbors": 6,
    "verify": 3,
    "feature_maps": 2,
    "inversion": 1,
    "deconvnet": 1,
    "deep_dream": 1,
}
ALL = [*NAMES, "predict", "pseudo_labels", "verify"]


@pytest.fixture
def nasty(make_data, make_subjects):
    """Subjects whose classes and own names are nasty."""

    def make(classes):
        data = make_data(num_classes=len(classes), sizes=(("train", 63), ("val", 42), ("test", 42)))
        data.class_names = classes
        subjects = make_subjects(data)
        for subject, label in zip(subjects, LABELS, strict=True):
            subject.label = label
        return subjects

    return make


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in FILES:
        with open(folder / name, "wb") as file:
            Image.fromarray(rng.integers(0, 255, (20, 24, 3)).astype(np.uint8)).save(file, format="png")
    return [str(folder / name) for name in FILES]


def make(name, files):
    return make_figure(name, **({"images": files[: SHOW_FILES[name]]} if name in SHOW_FILES else {}))


def replace_label(subject, label):
    subject.label = label
    return subject


def make_choosers():
    index = np.arange(42)
    subjects = [a_subject(index, index % 21, index % 20, 21, title=label) for label in LABELS[:2]]
    for subject in subjects:
        subject.task.class_names[:] = NASTY
    return subjects


@pytest.mark.parametrize("name", ALL)
def test_all_is_drawn_and_written_as_it_is(name, nasty, files, columns, tmp_path):
    subjects = make_choosers() if name == "pseudo_labels" else nasty(NASTY)[:2]
    if name in ("verify", "verification"):
        subjects = [replace_label(*pair) for pair in zip(columns[:2], LABELS, strict=False)]
    figure = make(name, files)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Glyph")
        found = look({name: figure}, subjects, tmp_path)[name]
        drawn = figure.draw(found)
        assert_readable(drawn)
    formulas = [text.get_text() for text in drawn.findobj(Text) if text.get_parse_math() and "$" in text.get_text()]
    assert all(re.fullmatch(r"\$(\\mathdefault\{)?10\^\{-?\d+\}\}?\$", words) for words in formulas), formulas

    content = read_json(tmp_path / f"{name}.json")
    numbers = content["numbers"]
    assert numbers == to_plain({label: finding.numbers for label, finding in found.items()})
    if rows := [row for rows in content.get("tables", {}).values() for row in rows]:
        with open(tmp_path / f"{name}.csv", encoding="utf-8", newline="") as file:
            read = list(csv.DictReader(file))
        assert len(read) == len(rows)
        for row, back in zip(rows, read, strict=True):
            texts = {key: show(value, keep="\n\t") for key, value in row.items() if isinstance(value, str)}
            assert {key: back[key] for key in texts} == texts

    content = write_page(tmp_path, name)
    page, own = Words(content), {"script"} if name == "explore" else set()
    assert not page.tags & {"script", "b", "i"} - own
    assert content.count("<script") == 2 * len(own)  # the block of JSON, and what reads it
    if own:
        block = json.loads(next(words for words in page.words if words.startswith('{"version"')))
        assert [network["label"] for network in block["sets"][0]["networks"]] == [show(label) for label in found]
        return
    for label in found:
        if numbers[label] and len(page.words) > 30:
            assert any(show(label, keep="\n") in words for words in page.words)


def write_page(folder, name):
    (folder / "figures").symlink_to(folder)
    return report.write(folder, "<b>", [], [name]).read_text("utf-8")


def test_classes_stand_in_the_picture_and_in_the_table(nasty, tmp_path):
    found = look({"confusion": make_figure("confusion")}, nasty(NASTY)[:1], tmp_path)["confusion"]
    picture = make_figure("confusion").draw(found)
    picture.draw_without_rendering()
    words = {text.get_text().replace("\u200e", "").replace("\n", "") for text in picture.findobj(Text)}
    for name in NASTY:
        if len(show(name)) < 12:
            assert show(name) in words
    page = Words(write_page(tmp_path, "confusion"))
    assert {show(name, keep="\n") for name in NASTY} <= set(page.words)


def test_pairs_are_no_parsed_names(nasty, tmp_path):
    """Classes called "cat as dog" are named like all others: a finding says which pairs are confused."""
    classes = ["cat as dog", "dog", "a number as dog"]
    subject = nasty(classes)[0]
    finding = make_figure("confusion").compute(subject)
    finding.numbers["acc as is"] = 0.5  # no pair
    picture = make_figure("confusion").draw({"run": finding})
    picture.draw_without_rendering()
    lines = [text.get_text() for text in picture.findobj(Text) if "% of" in text.get_text()]
    arrays = finding.arrays
    pairs = [tuple(arrays["names"][arrays["pairs"][place]]) for place in arrays["worst"]][:3]
    assert len(lines) == len(pairs) > 0
    for line, (name, answer) in zip(lines, pairs, strict=True):
        assert line.endswith(f"% of {name} as {answer}")


def test_files_are_named_on_the_terminal_on_one_line_each(nasty, files, tmp_path):
    figure = make_figure("predict", images=files)
    subject = nasty(NASTY)[0]
    lines = figure.summary({LABELS[2]: figure.compute(subject)}).split("\n")
    assert len(lines) == len(FILES)
    assert lines[3].startswith(r"caf\xe9.png: ")
    assert all(line.endswith(r"[two\nlines\x1b[31m]") for line in lines)
