"""What a notebook shows: runs, comparisons and pictures as objects with tables, drawn inline."""

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from netgaze import runs
from netgaze.errors import NetgazeError
from netgaze.figure import Finding
from netgaze.subject import Subject
from netgaze.subjects import open_run

try:
    import pandas as pd
except ImportError as error:
    raise NetgazeError("Tables in a notebook need pandas: pip install 'netgaze[notebook]'.") from error

_INTERNAL = ["run", "setting", "kind", "monitor", "monitor_mode", "eval_fingerprint"]  # columns of results.csv


@dataclass(frozen=True)
class Run:
    """A finished run; as the last line of a cell it shows its numbers and its pictures.

    Attributes:
        folder: where all of it lies; `init={run.folder}` starts another run from its network.
    """

    folder: Path

    @property
    def metrics(self) -> dict[str, Any]:
        """The final numbers by name: `test/acc`, `best/epoch`, ..."""
        return runs.read_metrics(self.folder)

    @property
    def history(self) -> pd.DataFrame:
        """One row an epoch."""
        return pd.DataFrame(runs.read_history(self.folder))

    @property
    def figures(self) -> list[Path]:
        """The pictures, by name."""
        return _pictures(self.folder)

    @cached_property
    def subject(self) -> Subject:
        """The network, its data and its features, opened when first asked for (best epoch)."""
        return open_run(self.folder)

    def _repr_html_(self) -> str:
        numbers = pd.DataFrame({"value": self.metrics})
        return _page([str(self.folder)], numbers, [path.read_bytes() for path in self.figures])


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
    def table(self) -> pd.DataFrame:
        """A row a network, by its label: status, what was swept, numbers, and the run's folder."""
        path = self.folder / "results.csv"
        if not path.exists():  # it looked at a network without a run
            return pd.DataFrame()
        table = pd.read_csv(path, index_col="label")
        return table.drop(columns=_INTERNAL, errors="ignore").dropna(axis="columns", how="all")

    @property
    def figures(self) -> list[Path]:
        """The pictures, by name."""
        return _pictures(self.folder)

    @property
    def report(self) -> Path:
        """The page to open or to print."""
        return self.folder / "report.html"

    def _repr_html_(self) -> str:
        return _page([self.winner, str(self.report)], self.table, [path.read_bytes() for path in self.figures])


class Seen(NamedTuple):
    """What `look` drew: `picture, numbers = look(...)`, or shown as it is.

    Attributes:
        picture: the matplotlib figure.
        numbers: a row a number, a column a subject.
    """

    picture: Figure
    numbers: pd.DataFrame

    @classmethod
    def of(cls, picture: Figure, findings: dict[str, Finding]) -> "Seen":
        """A picture with those numbers of its findings that a table can hold."""
        simple = {
            label: {name: value for name, value in finding.numbers.items() if isinstance(value, int | float | str)}
            for label, finding in findings.items()
        }
        return cls(picture, pd.DataFrame(simple))

    def _repr_html_(self) -> str:
        drawn = io.BytesIO()
        self.picture.savefig(drawn, format="png", dpi=120)
        return _page([], self.numbers, [drawn.getvalue()])


def _pictures(folder: Path) -> list[Path]:
    return sorted((folder / "figures").glob("*.png"))


def _page(sentences: Sequence[str], table: pd.DataFrame, pictures: Sequence[bytes]) -> str:
    """Sentences, a table and pictures as HTML that needs no other file: a saved notebook keeps them."""
    parts = [f"<p>{html.escape(said)}</p>" for said in sentences if said]
    if not table.empty:
        parts.append(table.to_html(float_format="{:.4f}".format, na_rep="-"))
    for picture in pictures:
        data = base64.b64encode(picture).decode()
        parts.append(f'<img src="data:image/png;base64,{data}" style="max-width: 100%">')
    return "\n".join(parts)
