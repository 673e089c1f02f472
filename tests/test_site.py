"""The site that `make docs` builds: strict, whole, reachable, searchable, and with nothing from other hosts."""

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlparse

import pytest
from tests.conftest import ROOT

for module in ("sphinx", "myst_parser", "furo"):
    pytest.importorskip(module, reason=f"{module} is not installed: pip install 'netgaze[docs]'")

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
INDEX = "docs/README"
NAMES = {page.relative_to(ROOT).with_suffix("").as_posix() for page in PAGES}


def build(source: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Build a site with the words of the Makefile."""
    (line,) = re.findall(r"-m (sphinx -W .*)", (ROOT / "Makefile").read_text("utf-8"))
    words = line.replace("build/doctrees", str(site.parent / "doctrees")).split()
    assert words.pop() == "site"
    return subprocess.run([sys.executable, "-m", *words, site], cwd=source, capture_output=True, text=True)


class Elements(HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self, path: Path):
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built") / "site"
    done = build(ROOT, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_each_page_is_built_and_is_in_the_navigation_and_in_the_search(site):
    built = {path.relative_to(site).with_suffix("").as_posix() for path in site.rglob("*.html")}
    assert built == NAMES | {"index", "search"}
    home = site / "docs" / "README.html"
    links = re.findall(r'<li class="toctree-l1[^>]*><a [^>]*href="([^"#]+)"', home.read_text("utf-8"))
    assert {(home.parent / link).resolve() for link in links} == {site / f"{name}.html" for name in NAMES - {INDEX}}
    index = (site / "searchindex.js").read_text("utf-8")
    assert set(json.loads(re.search(r'"?docnames"?:(\[.*?\])', index)[1])) == NAMES


@pytest.mark.slow
def test_nothing_comes_from_another_host(site):
    for path in site.rglob("*.html"):
        for tag, given in Elements(path).found:
            fetched = [given.get("src"), given.get("srcset"), given.get("href") if tag == "link" else None]
            assert not any(urlparse(address or "").netloc for address in fetched), f"{path.name}: {tag} {given}"
    for path in site.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*[\"']?(https?:)?//", path.read_text("utf-8")), path.name


@pytest.mark.slow
def test_formulas_are_drawn_and_docstrings_are_there(site):
    assert "<msub>" in (site / "docs" / "convolution.html").read_text("utf-8")
    for path in site.rglob("*.html"):
        assert "$<code" not in path.read_text("utf-8"), f"{path.name} has a formula that was left as it is"
    reference = (site / "docs" / "reference.html").read_text("utf-8")
    listed = re.findall(r"^- \[`([\w.]+)`\]", (ROOT / "docs" / "reference.md").read_text("utf-8"), re.MULTILINE)
    assert len(listed) > 20
    assert all(f'id="{name}"' in reference for name in listed)
    assert "NetgazeError" in reference
    assert "Labels must be distinct." in reference  # of look's docstring


@pytest.fixture
def small(tmp_path):
    """A project of an index and one page, with the site's settings."""
    (tmp_path / "docs").mkdir()
    for name in ("conf.py", "measured.py", "site.css"):
        shutil.copy(ROOT / "docs" / name, tmp_path / "docs")
    (tmp_path / "docs" / "README.md").write_text("# Index\n\n## Everybody\n\n[One](one.md), [code](../code.py)\n")
    (tmp_path / "docs" / "one.md").write_text("# One\n\nText.\n")
    (tmp_path / "code.py").write_text("")
    return tmp_path


MISTAKES = {
    "[a](missing.md)": "missing.md",
    "[a](../src/missing.py)": "missing.py",
    "[a](README.md#nowhere)": "nowhere",
    "[a](#nowhere)": "nowhere",
    "![a](images/missing.png)": "images/missing.png",
    r"$`\nosuchcommand`$": "nosuchcommand",
}


@pytest.mark.slow
def test_each_mistake_is_named_and_fails_the_build(small):
    done = build(small, small / "built" / "site")
    assert done.returncode == 0, done.stderr
    (small / "docs" / "one.md").write_text("# One\n\n" + "\n\n".join(MISTAKES))
    (small / "docs" / "orphan.md").write_text("# Orphan\n\nText.\n")
    done = build(small, small / "built" / "site")
    assert done.returncode == 1
    said = done.stderr.splitlines()
    for number, expected in enumerate(MISTAKES.values()):
        where = f"one.md:{3 + 2 * number}:"
        assert any(where in line and expected in line for line in said), f"{expected}\n{done.stderr}"
    assert any("orphan.md" in line and "toctree" in line for line in said), done.stderr
