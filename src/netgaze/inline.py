"""Tables and pictures for notebooks, without other files, so that a saved notebook keeps them."""

import base64
import html
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from netgaze.errors import NetgazeError
from netgaze.figure import Figure as Asked
from netgaze.figure import Finding, pick_drawn
from netgaze.page.parts import assemble, gather
from netgaze.page.render import render
from netgaze.text import show

_INTERNAL = ["run", "setting", "kind", "monitor", "monitor_mode", "eval_fingerprint"]  # columns of results.csv
_FRAME = "width: 100%; height: 60rem; border: 0"


@dataclass(frozen=True)
class Comparison:
    """Runs side by side: what a sweep or an analysis found; shown with its table, winner and pictures.

    Attributes:
        folder: of the sweep or the analysis.
        winner: the sentence that names it, or says why there is none.
    """

    folder: Path
    winner: str

    @property
    def table(self) -> Any:
        """A row per network, by its label: status, what was swept, numbers, and the run's folder (pandas)."""
        path = self.folder / "results.csv"
        if not path.exists():  # it looked at a network without a run
            return make_table(None)
        table = read_table(path, index="label")
        return table.drop(columns=_INTERNAL, errors="ignore").dropna(axis="columns", how="all")

    @property
    def figures(self) -> list[Path]:
        """The pictures, by name."""
        return sorted((self.folder / "figures").glob("*.png"))

    @property
    def report(self) -> Path:
        """The page to open or to print."""
        return self.folder / "report.html"

    def _repr_html_(self) -> str:
        return draw_page([self.winner, str(self.report)], self.table, self.figures)


@dataclass(frozen=True)
class Seen:
    """What `look` drew: `picture, numbers = look(...)`, or shown as it is.

    Attributes:
        picture: the matplotlib figure.
        numbers: a row per number, a column per subject.
        page: HTML of a page one can click in, which is shown in the picture's place; empty of most figures.
    """

    picture: Figure
    numbers: Any
    page: str = ""

    @classmethod
    def of(cls, figure: Asked, findings: Mapping[str, Finding], controls: Sequence[str]) -> "Seen":
        """The picture of a figure with those numbers of its findings that a table can hold, and its page."""
        simple = {
            label: {name: value for name, value in finding.numbers.items() if isinstance(value, int | float | str)}
            for label, finding in findings.items()
        }
        picture = figure.draw(pick_drawn(figure, findings, controls))
        block = assemble([gather({label: figure.explore(it) for label, it in findings.items()}, controls)])
        page = "" if block is None else _render_page(figure, findings, picture, block)
        return cls(picture, make_table(simple), page)

    def __iter__(self) -> Iterator[Any]:
        return iter((self.picture, self.numbers))

    def _repr_html_(self) -> str:
        if not self.page:
            return draw_page([], self.numbers, [_to_png(self.picture)])
        # A frame of its own: neither its style nor its script meets the notebook's.
        frame = f'<iframe sandbox="allow-scripts" style="{_FRAME}" srcdoc="{html.escape(self.page)}"></iframe>'
        return frame + draw_page([], self.numbers, [])


def _render_page(figure: Asked, findings: Mapping[str, Finding], picture: Figure, block: dict[str, Any]) -> str:
    explorer = {
        "title": figure.title,
        "question": figure.question,
        "picture": _inline(_to_png(picture)),
        "captions": list(dict.fromkeys(finding.caption for finding in findings.values())),
        "left_out": [],
        "block": block,
    }
    return render("explore.html", {"title": ", ".join(findings)}, explorer)


def _to_png(picture: Figure) -> bytes:
    drawn = io.BytesIO()
    picture.savefig(drawn, format="png", dpi=120)
    return drawn.getvalue()


def _inline(picture: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


def make_table(content: Any) -> Any:
    """A pandas DataFrame of rows or columns.

    Raises:
        NetgazeError: pandas is not installed.
    """
    return _import_pandas().DataFrame(content)


def read_table(path: Path, index: str) -> Any:
    """A CSV file as a pandas DataFrame, its rows named by the column `index`.

    Raises:
        NetgazeError: pandas is not installed.
    """
    pandas = _import_pandas()
    # What a run is called is text: neither 001 is a number nor NA a gap.
    return pandas.read_csv(path, index_col=index, dtype={index: str}, keep_default_na=False, na_values=["", "nan"])


def _import_pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise NetgazeError("Tables in a notebook need pandas: pip install 'netgaze[notebook]'.") from error
    return pandas


def draw_page(sentences: Sequence[str], table: Any, pictures: Sequence[bytes | Path]) -> str:
    """Sentences, a table and PNG pictures as HTML."""
    parts = [f'<p dir="auto">{html.escape(words)}</p>' for words in sentences if words]
    if not table.empty:
        with _import_pandas().option_context("display.max_colwidth", None):
            parts.append(table.to_html(float_format="{:.4f}".format, na_rep="-"))
    for picture in pictures:
        data = _inline(picture if isinstance(picture, bytes) else picture.read_bytes())
        parts.append(f'<img src="{data}" style="max-width: 100%">')
    return show("\n".join(parts), keep="\n")
