"""What the README and the pages say of the files is what the files say, and their links lead somewhere."""

import re
import sys

import pytest
from tests.conftest import ROOT

from netgaze.commands.choices import Choice
from netgaze.commands.yamls import Yaml

sys.path.append(str(ROOT / "docs"))
import tables


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("page", tables.PAGES, ids=lambda page: page.name)
def test_the_tables_and_the_tree_say_what_the_files_say(page):
    text = page.read_text(encoding="utf-8")
    assert tables.fill_blocks(text) == text, f"{page.name} is not what YAMLs, modules and numbers say: make readme"


def make_choice(name: str, text: str) -> Choice:
    return Choice("optim", name, Yaml("optim", text), ())


def test_a_key_has_a_row_for_each_default_and_names_the_choices_that_have_it():
    shared = "# A.\nlr: 1  # the rate\n"
    choices = [make_choice("a", shared), make_choice("b", shared), make_choice("c", shared.replace("1", "2"))]
    rows = tables.make_key_table(choices).splitlines()[2:]
    assert rows == ["| `optim.lr` | `1` | the rate | all but `c` |", "| `optim.lr` | `2` | the rate | `c` |"]


def test_what_a_comment_says_is_no_markup():
    table = tables.make_key_table([make_choice("a", "# A.\nlr: ${x}  # as ${divide:40,${views}} | or 1\n")])
    assert table.endswith("| `optim.lr` | `${x}` | as `${divide:40,${views}}` \\| or 1 | all |")


def test_a_yaml_that_does_not_say_what_it_is_gets_no_row():
    with pytest.raises(SystemExit, match=r"conf/optim/a\.yaml does not say what it is: begin it with a comment"):
        tables.describe(make_choice("a", "# @package figure.a\n_target_: a.B\n"))


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]


def anchors(page) -> set[str]:
    """The names under which GitHub finds a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for path, anchor in re.findall(r"\]\((?!http)([^)#]*)#?([^)]*)\)", page.read_text(encoding="utf-8")):
        aim = page.parent / path if path else page
        assert aim.exists(), f"{page.name}: {path}"
        assert not anchor or anchor in anchors(aim), f"{page.name}: {path}#{anchor}"
