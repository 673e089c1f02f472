"""How `make docs` builds the site: every Markdown page of the project, strictly, with nothing from other hosts.

Sphinx with MyST and Furo, because all three are maintained (MkDocs 1 is not, and its successor drops the plugins that
Material for MkDocs lives on), and because MyST reads CommonMark as hosting sites do: one text serves both.
"""

import posixpath
import re
import sys
from html import escape
from pathlib import Path

from docutils.nodes import Element, SkipNode, math_block
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from pygments.lexers.javascript import JavascriptLexer
from sphinx.application import Sphinx
from sphinx.util.logging import getLogger
from sphinx.writers.html5 import HTML5Translator

sys.path.append(str(Path(__file__).parent))  # where Sphinx does not look
import measured

log = getLogger(__name__)

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "CONTRIBUTING.md", "docs")

project = "netgaze"
root_doc = "docs/README"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
include_patterns = ["*.md", "docs/*.md"]
exclude_patterns = [path.name for path in ROOT.iterdir() if path.name not in PAGES]  # folders not to search

myst_heading_anchors = 6
myst_fence_as_directive = {"math"}

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints_format = "short"
default_role = "literal"  # a backtick in a docstring
highlight_language = "none"
napoleon_use_ivar = True
python_use_unqualified_type_names = True
add_module_names = False

html_theme = "furo"
html_title = "netgaze"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_copy_source = False
html_use_index = False
html_show_copyright = False
html_show_sphinx = False
smartquotes = False  # "--help" stays what is typed


def setup(app: Sphinx) -> None:
    """Register what is done to pages before they are read, and how formulas are drawn."""
    app.connect("source-read", prepare_page)
    app.connect("build-finished", write_start)
    app.add_html_math_renderer("mathml", (write_inline_formula, None), (write_formula, None))
    app.config.html_math_renderer = "mathml"
    app.add_lexer("jsonc", JavascriptLexer)


def prepare_page(app: Sphinx, name: str, source: list[str]) -> None:
    """What the site adds to a page that also reads well without it."""
    source[0] = re.sub(r"\$`([^`]+)`\$", r"{math}`\1`", source[0])
    source[0] = measured.SHOWN.sub(explain_number, source[0])
    if name == root_doc:
        source[0] += make_navigation(source[0])
    if name == "docs/reference":
        source[0] = re.sub(r"^- \[`([\w.]+)`\].*$", document, source[0], flags=re.MULTILINE)


def make_navigation(index: str) -> str:
    """The side bar: the index's headings, with the pages that are linked below each, under the links' words."""
    blocks = []
    for heading, section in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", index, re.MULTILINE | re.DOTALL):
        links = dict(re.findall(r"\[([^\]]+)\]\(([\w./]+)\.md\)", section))
        entries = (f"{text} <{posixpath.normpath(posixpath.join('/docs', page))}>" for text, page in links.items())
        blocks.append("\n".join(["\n\n```{toctree}", ":hidden:", f":caption: {heading}", "", *entries, "```", ""]))
    return "".join(blocks)


def explain_number(found: re.Match[str]) -> str:
    """A number that has a name, with how it was measured where the pointer rests on it."""
    if found[1] == measured.NOT_MEASURED:
        return found[2]
    return f'<data value="{found[1]}" title="{escape(measured.explain(found[1]))}">{found[2]}</data>'


def document(entry: re.Match[str]) -> str:
    """An entry of the reference as what the docstring says in full."""
    kind = "class" if entry[1].rpartition(".")[2][0].isupper() else "function"
    return f"```{{eval-rst}}\n.. auto{kind}:: {entry[1]}\n```\n\n"


def write_inline_formula(writer: HTML5Translator, node: Element) -> None:
    """A formula within a line."""
    writer.body.append(draw_formula(node.astext(), node))
    raise SkipNode


def write_formula(writer: HTML5Translator, node: Element) -> None:
    """A formula on lines of its own, which end where it has a wide space and the window is narrow."""
    parts = (draw_formula(part, node) for part in node.astext().split(r"\qquad"))
    writer.body.append(f'<div class="formula">{"".join(parts)}</div>')
    raise SkipNode


def draw_formula(text: str, node: Element) -> str:
    """A formula of a node as MathML, which browsers draw without a script."""
    try:
        return tex2mathml(text.replace(r"\dots", r"\ldots"), as_block=isinstance(node, math_block))
    except MathError as error:
        log.warning("%s In: %s", error, text, location=node)
        return ""


def write_start(app: Sphinx, error: Exception | None) -> None:
    """`index.html`, which leads to the index."""
    if error is None:
        aim = f"{root_doc}.html"
        page = f'<!doctype html>\n<meta http-equiv="refresh" content="0; url={aim}">\n<a href="{aim}">netgaze</a>\n'
        (Path(app.outdir) / "index.html").write_text(page, encoding="utf-8")
