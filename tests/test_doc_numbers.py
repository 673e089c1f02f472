"""Each measured number stands once, in a file of `docs/numbers/`: pages show it by its name."""

import re
import sys
from collections import Counter

import pytest
import yaml
from tests.conftest import CONF, ROOT

sys.path.append(str(ROOT / "docs"))
import measured

MADE = ["choices", "lab_book", "gallery"]  # written by docs/tables.py and docs/gallery.py, from files and YAMLs
PAGES = [ROOT / "README.md", *(page for page in sorted((ROOT / "docs").glob("*.md")) if page.stem not in MADE)]
# What is no prose: code, made blocks, comments, formulas, where links lead, and numbers with a name.
NO_PROSE = re.compile(
    r"^```.*?^```|`[^`]+`|<!-- (?!end)[\w/: ]+ -->\n.*?<!-- end -->|<!--.*?-->|\$`.*?`\$|\]\([^)]*\)"
    r"|<data [^>]*>.*?</data>",
    re.MULTILINE | re.DOTALL,
)
VERSION = re.compile(
    r"(?:Python|torch|[Vv]ersions?|Chromium|Firefox|arXiv|faiss-cpu|kornia|SLURM)(?:,? (?:and |or )?\d[\d.]*)+"
)
UNIT = r"(?:ms|s|min|minutes?|seconds?|h|hours?|MB|GB|points?)\b"
MEASURED = re.compile(rf"[\d,]*\d\.\d+|\d\s?%|±|\d {UNIT}")


def find_unnamed(text: str) -> list[str]:
    """The numbers in a text that look measured and have no name, with what stands around them."""
    prose = VERSION.sub(" ", NO_PROSE.sub(" ", text))
    return [prose[max(0, found.start() - 30) : found.end() + 20] for found in MEASURED.finditer(prose)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_measured_number_is_shown_by_its_name(page):
    assert find_unnamed(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text", ["It is 88.6 in all.", "It is 88% right.", "It takes 3 min.", "a ± b", "0.31", "| 5 GB |"]
)
def test_a_number_without_a_name_is_seen(text):
    assert find_unnamed(text)


@pytest.mark.parametrize(
    "text",
    [
        *["Python 3.11, 3.12 or 3.13", "torch 2.15.0", "45,000 images", "`lr=0.1`", "$`p = 0.5`$", "[x](a/0.5.md)"],
        *["```\n5.5 s\n```\n", '<data value="set">20%</data>', "<!-- numbers: a/b -->\n5.5\n\n<!-- end -->"],
    ],
)
def test_what_is_not_measured_needs_no_name(text):
    assert find_unnamed(text) == []


def test_no_measurement_stands_in_two_places():
    """Of one command on one day, one device and with the same seeds there is one list of values."""
    all_of_them = [it for subject in measured.read_numbers().values() for it in subject.measured.values()]
    runs = Counter((*it.command, it.device, it.date, it.seeds, it.title) for it in all_of_them if it.command)
    assert [run for run, times in runs.items() if times > 1] == []
    # The same digits under the same name are most likely one result, typed twice.
    results = Counter()
    for it in all_of_them:
        for row, value in it.values.items():
            cells = value.items() if isinstance(value, dict) else [("", value)]
            results.update({(row, column, cell) for column, cell in cells if len(re.sub(r"\D", "", cell)) >= 4})
    assert [result for result, times in results.items() if times > 1] == []


@pytest.mark.parametrize("path", sorted(CONF.rglob("*.yaml")), ids=lambda path: path.stem)
def test_configs_say_on_which_page_measurements_stand(path):
    comments = " ".join(re.findall(r"#.*", path.read_text(encoding="utf-8")))
    assert not re.search(r"\d\.\d+ ?%|torch \d|\d{4}-\d\d-\d\d", comments)
    for page in re.findall(r"Measured[^:]*: (\S+\.md)", comments):
        assert f"experiment={path.stem}" in (ROOT / page).read_text(encoding="utf-8")


def test_a_value_has_a_digit_or_says_why_not():
    for name, subject in measured.read_numbers().items():
        for it in subject.measured.values():
            for row, value in it.values.items():
                for cell in value.values() if isinstance(value, dict) else [value]:
                    assert cell == "" or re.search(r"\d|none|not|non-finite|never|all|-", cell), (
                        f"{name}/{it.name}/{row}"
                    )


SAID = """
title: Faces
page: faces.md
measured:
  heads:
    title: Losses on AT&T
    command: python train.py task=siamese
    device: two
    date: 2026-11-21
    seeds: 0, 1
    note: Shared machine.
    values:
      contrastive: {EER: 2.78 ± 3.16%, AUC: 0.99}
      triplet: {EER: "0.16 (0.14 to 0.17)"}
      time: 3 min
  paper:
    title: As published
    source: a paper
    values: {EER: 3%}
"""


@pytest.fixture
def numbers(tmp_path, monkeypatch):
    (tmp_path / "faces.yaml").write_text(SAID, encoding="utf-8")
    (tmp_path / "devices.yaml").write_text("two: two cores\n", encoding="utf-8")
    monkeypatch.setattr(measured, "NUMBERS", tmp_path)
    measured.read_numbers.cache_clear()
    yield tmp_path
    measured.read_numbers.cache_clear()


def test_a_number_is_found_by_its_name(numbers):
    assert measured.find("faces/heads/contrastive/EER") == "2.78 ± 3.16%"
    assert measured.find("faces/heads/contrastive/EER/value") == "2.78%"
    assert measured.find("faces/heads/triplet/EER/value") == "0.16"
    assert measured.find("faces/heads/time") == "3 min"
    assert measured.find("faces/paper/EER") == "3%"


@pytest.mark.parametrize(
    "name", ["faces", "faces/heads", "faces/heads/contrastive", "faces/heads/x/EER", "x/heads/time"]
)
def test_a_name_that_nothing_has_is_answered(numbers, name):
    with pytest.raises(SystemExit, match=f"docs/numbers/ has no {name}"):
        measured.find(name)


def test_a_page_is_written_anew_with_the_numbers(numbers):
    page = 'It is <data value="faces/heads/time">5 min</data>, of <data value="set">20%</data>.'
    assert measured.fill_values(page) == page.replace("5 min", "3 min")


def test_a_table_has_a_row_for_each_and_the_list_says_how(numbers):
    assert measured.make_table("faces/heads").splitlines() == [
        "|  | EER | AUC | value |",
        "| --- | --- | --- | --- |",
        "| contrastive | 2.78 ± 3.16% | 0.99 |  |",
        "| triplet | 0.16 (0.14 to 0.17) |  |  |",
        "| time |  |  | 3 min |",
    ]
    listed = measured.make_list("faces")
    assert "**Losses on AT&T**: two cores, 2026-11-21, seeds 0, 1." in listed
    assert "```\npython train.py task=siamese\n```" in listed
    assert "Shared machine." in listed
    assert "**As published**: published by a paper." in listed


def test_the_lab_book_lists_all_and_has_in_full_what_no_page_has(numbers, tmp_path, monkeypatch):
    book = measured.make_lab_book()
    assert "| 2026-11-21 | Losses on AT&T | Faces, below |" in book
    assert "| contrastive | 2.78 ± 3.16% | 0.99 |  |" in book
    monkeypatch.setattr(measured, "NUMBERS", numbers / "numbers")  # its pages lie beside the folder
    (numbers / "faces.md").write_text("<!-- measured: faces -->\n<!-- end -->\n", encoding="utf-8")
    book = measured.make_lab_book()
    assert "| 2026-11-21 | Losses on AT&T | [Faces](faces.md#reproduce) |" in book
    assert "contrastive" not in book


def test_where_the_pointer_rests_is_said_how_it_was_measured(numbers):
    said = measured.explain("faces/heads/contrastive/EER")
    assert said == "Losses on AT&T. two cores, 2026-11-21, seeds 0, 1. python train.py task=siamese"


def test_commands_are_said_in_a_line_without_the_long_ones(numbers):
    said = yaml.safe_load(SAID)
    said["measured"]["heads"] |= {"command": ["train \\\n    seed=0\n", "a" * 301, "analyze"], "seeds": 0}
    (numbers / "faces.yaml").write_text(yaml.safe_dump(said), encoding="utf-8")
    assert (
        measured.explain("faces/heads/time") == "Losses on AT&T. two cores, 2026-11-21, seed 0. train seed=0; analyze"
    )


@pytest.mark.parametrize("missing", ["command", "device", "date", "title", "values"])
def test_a_measurement_says_how_it_was_made(numbers, missing):
    said = yaml.safe_load(SAID)
    del said["measured"]["heads"][missing]
    (numbers / "faces.yaml").write_text(yaml.safe_dump(said), encoding="utf-8")
    with pytest.raises(SystemExit, match=r"docs/numbers/faces\.yaml is not of the form in docs/measured\.py"):
        measured.read_numbers()
