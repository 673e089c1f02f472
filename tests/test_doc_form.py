"""The form of the pages: a box with what a page takes and gives, tables with whole rows, intervals that are right."""

import re
import sys
from collections.abc import Mapping

import pytest
from scipy.stats import binomtest
from tests.conftest import ROOT

sys.path.append(str(ROOT / "docs"))
import measured

DOCS = ROOT / "docs"
ASSIGNMENTS = [
    "architectures",
    "convolution",
    "dynamic_filters",
    "faces",
    "few_labels",
    "inside",
    "places",
    "transfer",
    "two_networks",
]
BOXED = sorted(page.stem for page in DOCS.glob("*.md"))
BOX = ["You run", "It takes", "It downloads", "You get"]
INTERVAL = re.compile(r"([\d.]+)% \(([\d.]+) to ([\d.]+)\)")
TEST_IMAGES = {"dtd": 400, "gtsrb": 430, "omniglot": 1210, "cifar100": 500}
CELL = re.compile(r"(?<!\\)\|")


def read(page: str) -> str:
    return (DOCS / f"{page}.md").read_text(encoding="utf-8")


def find_tables(text: str) -> list[list[str]]:
    """The rows of each table, with its heading and the line below that; none inside a block of code."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [found.splitlines() for found in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)]


def check_tables(text: str) -> None:
    for table in find_tables(text):
        assert len(table) > 2, f"a part of a table: {table[0]}"
        assert re.fullmatch(r"[|\s:-]+", table[1]), f"no heading: {table[0]}"
        for row in table:
            assert len(CELL.findall(row)) == len(CELL.findall(table[0])), row


def find_intervals(page: str) -> list[tuple[float, float, float]]:
    """Each `share% (lowest to highest)` of a page's tables, in percent."""
    rows = "\n".join(row for table in find_tables(read(page)) for row in table)
    return [(float(share), float(lowest), float(highest)) for share, lowest, highest in INTERVAL.findall(rows)]


def wilson(share: float, number: int) -> tuple[float, float]:
    """The 95% interval of a share in percent, in percent to one decimal, by SciPy."""
    found = binomtest(round(share / 100 * number), number).proportion_ci(0.95, method="wilson")
    return round(100 * found.low, 1), round(100 * found.high, 1)


@pytest.mark.parametrize("page", BOXED)
def test_a_page_begins_with_its_title_and_box(page):
    title, empty, *lines = read(page).splitlines()[:7]
    assert title.startswith("# ")
    assert empty == lines[-1] == ""
    assert [re.match(r"> \*\*(.+):\*\* \S", line)[1] for line in lines[:-1]] == BOX
    assert all(line.endswith("  ") for line in lines[:3]), "two blanks break the line, in every reader of Markdown"


@pytest.mark.parametrize("page", ASSIGNMENTS)
def test_an_assignments_page_ends_with_how_to_reproduce_it(page):
    assert re.findall(r"^## (.*)$", read(page), re.MULTILINE)[-1] == "Reproduce"


@pytest.mark.parametrize("page", BOXED)
def test_the_rows_of_a_table_have_the_cells_of_its_heading(page):
    check_tables(read(page))


@pytest.mark.parametrize(
    "text", ["| a | b |\n|---|---|\n| 1 | 2 | 3 |\n", "| a |\n|---|\n| 1 |\n\n| 2 |\n", "| a |\n| 1 |\n| 2 |\n"]
)
def test_a_broken_table_is_seen(text):
    with pytest.raises(AssertionError):
        check_tables(text)


def test_the_intervals_of_places_are_wilsons():
    found = find_intervals("places")
    assert len(found) == 4
    assert all((lowest, highest) == wilson(share, 363) for share, lowest, highest in found)


@pytest.mark.parametrize("subject", ["dynamic_filters", "transfer"])
def test_the_intervals_of_named_numbers_are_wilsons(subject):
    found = 0
    for measurement in measured.read_numbers()[subject].measured.values():
        for row, value in measurement.values.items():
            for column, cell in value.items() if isinstance(value, Mapping) else [("", value)]:
                if interval := INTERVAL.fullmatch(cell):
                    share, *ends = map(float, interval.groups())
                    number = TEST_IMAGES.get(row) or TEST_IMAGES.get(column) or 1000
                    assert tuple(ends) == wilson(share, number), (measurement.name, row, column)
                    found += 1
    assert found
