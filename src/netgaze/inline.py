"""What a notebook shows: tables and pictures that need no other file, so that a saved notebook keeps them."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from netgaze.errors import NetgazeError
from netgaze.figure import Finding
from netgaze.text import show

_INTERNAL = ["run", "setting", "kind", "monitor", "monitor_mode", "eval_fingerprint"]  # columns of results.csv


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


class Seen(NamedTuple):
    """What `look` drew: `picture, numbers = look(...)`, or shown as it is.

    Attributes:
        picture: the matplotlib figure.
        numbers: a row per number, a column per subject.
    """

    picture: Figure
    numbers: Any

    @classmethod
    def of(cls, picture: Figure, findings: Mapping[str, Finding]) -> "Seen":
        """A picture with those numbers of its findings that a table can hold."""
        simple = {
            label: {name: value for name, value in finding.numbers.items() if isinstance(value, int | float | str)}
            for label, finding in findings.items()
        }
        return cls(picture, make_table(simple))

    def _repr_html_(self) -> str:
        drawn = io.BytesIO()
        self.picture.savefig(drawn, format="png", dpi=120)
        return draw_page([], self.numbers, [drawn.getvalue()])


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
        data = base64.b64encode(picture if isinstance(picture, bytes) else picture.read_bytes()).decode()
        parts.append(f'<img src="data:image/png;base64,{data}" style="max-width: 100%">')
    return show("\n".join(parts), keep="\n")
