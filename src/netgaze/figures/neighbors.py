"""Which images of the data are nearest to a picture, and what does each network consider near?"""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure as Picture
from torch import Tensor

from netgaze.drawing.examples import choose_examples, name_files, to_rgb
from netgaze.drawing.panels import SMALL, WIDTH, Sheet
from netgaze.drawing.rows import Row, align, lay_out, stack
from netgaze.drawing.words import clip_words, measure_lines
from netgaze.errors import NetgazeError
from netgaze.figure import Figure, Finding
from netgaze.glossary import Glossary, Meaning
from netgaze.measures.neighbors import find_nearest
from netgaze.subject import Subject
from netgaze.text import show

_MOST_PICTURES, _MOST_IN_LINE = 12, 8
_QUERY, _NAMES, _GAP = 1.1, 1.35, 0.07  # inches: a query, a network's label, between tiles
_LEFT = _QUERY + _NAMES + 0.3  # inches: where the tiles begin
_LINES = 3  # below a tile: two of its class, one of its distance
_WORDS = {"euclidean": "Euclidean distance", "cosine": "cosine distance (1 - cosine)"}


class Neighbors(Figure):
    """The nearest images of a split by the distance of penultimate features (Krizhevsky et al. 2012, figure 4).

    The queries are a person's own pictures, at most twelve, or else images of the same split, which do not find
    themselves.

    Args:
        images: picture files.
        indices: without `images`, images of the split to ask for in place of the seed's choice.
        split: "train", "val" or "test".
        num_neighbors: of each query.
        distance: "euclidean" or "cosine".
        fit: how own pictures become squares, "crop" or "squash"; None for the way of the data.
        num_queries: images of different classes, by seed.
        seed: of the choice.

    Raises:
        NetgazeError: an unknown split, distance or fit, or too few neighbors, queries or pictures.
    """

    title = "Nearest images"
    question = "Which images of the data are nearest to a picture?"
    needs = ("data", "features")
    glossary = Glossary(
        {
            "distances of <query>": Meaning(
                "distances of <query>", "To its neighbors, ascending; of cosine 1 - cosine, 0..2."
            ),
            "classes of <query>": Meaning("classes of <query>", "Those of its neighbors."),
            "agree_together": Meaning(
                "neighbors agree",
                "Share of those shown that are of the commonest class among their query's.",
                "%",
                "higher",
            ),
            "agree_query": Meaning(
                "neighbors are of the query's class", "Share of those shown; - for own pictures.", "%", "higher"
            ),
            "common to <network>": Meaning("common to <network>", "Share of the neighbors that both found.", "%"),
        }
    )

    def __init__(
        self,
        *,
        images: Sequence[str] | None = None,
        indices: Sequence[int] | None = None,
        split: str = "test",
        num_neighbors: int = 5,
        distance: str = "euclidean",
        fit: str | None = None,
        num_queries: int = 3,
        seed: int = 0,
    ):
        _check_choice("split", split, ("train", "val", "test"))
        _check_choice("distance", distance, tuple(_WORDS))
        _check_choice("fit", fit, (None, "crop", "squash"))
        if min(num_neighbors, num_queries) < 1:
            raise NetgazeError("figure.neighbors needs num_neighbors and num_queries of 1 or more.")
        if (images is not None and not len(images)) or (indices is not None and not len(indices)):
            raise NetgazeError("figure.neighbors has no queries: images or indices is an empty list.")
        self.images, self.indices, self.split, self.fit = images or (), indices, split, fit
        self.num_neighbors, self.distance, self.num_queries, self.seed = num_neighbors, distance, num_queries, seed

    def compute(self, subject: Subject) -> Finding:
        """Queries [Q,H,W,3], their names and labels [Q] (-1: none); neighbors [Q,n,H,W,3], their labels, distances."""
        data, bank_labels = subject.data, subject.data.labels(self.split)
        queries, features, labels, names, own = self._choose_queries(subject)
        room = len(bank_labels) - (own is not None)
        if self.num_neighbors > room:
            raise NetgazeError(
                f"figure.neighbors.num_neighbors={self.num_neighbors} is more than the {room} images of the "
                f"{self.split} split that can be found."
            )
        bank = subject.features(self.split)
        leave_out = False if own is None else own
        distances, near = find_nearest(
            features, bank, self.num_neighbors, distance=self.distance, leave_out_self=leave_out
        )
        if self.distance == "cosine":
            distances = (1 - distances).clamp_min(0)
        found = to_rgb(data.images(self.split, near.flatten()))
        arrays = {
            "queries": to_rgb(queries),
            "query_names": np.array(names),
            "query_labels": labels.numpy(),
            "neighbors": found.reshape(*near.shape, *found.shape[1:]),
            "neighbor_index": near.numpy(),
            "neighbor_labels": bank_labels[near].numpy(),
            "distances": distances.numpy(),
            "names": np.array(data.class_names),
        }
        return Finding(_list_numbers(arrays), arrays, self._write_caption())

    def _choose_queries(self, subject: Subject) -> tuple[Tensor, Tensor, Tensor, list[str], Tensor | None]:
        """Images [Q,C,H,W], features [Q,D], labels [Q], names [Q], and which rows of the split they are [Q] or None."""
        data = subject.data
        if self.images:
            paths = self.images[:_MOST_PICTURES]
            images = data.read_images(paths, self.fit)
            return images, subject.features_of(images), torch.full((len(paths),), -1), name_files(paths), None
        labels = data.labels(self.split)
        own = torch.from_numpy(choose_examples(labels.numpy(), self.num_queries, self.seed, self.indices))
        names = [f"{self.split} {row}" for row in own.tolist()]
        return data.images(self.split, own), subject.features(self.split)[own], labels[own], names, own

    def _write_caption(self) -> str:
        caption = f"The nearest images of the {self.split} split by the {_WORDS[self.distance]} of penultimate features"
        caption += ", nearest first; the number below each is its distance."
        if not self.images:
            return f"{caption} Blue frames: the query's class; crossed ones: another class."
        if len(self.images) > _MOST_PICTURES:
            caption += f" Of {len(self.images)} pictures the first {_MOST_PICTURES} are shown."
        return caption

    def compare(self, findings: Mapping[str, Finding]) -> dict[str, float]:
        """`common to <network> and <network>`: the share of their neighbors that both found, 0..1."""
        shares = {}
        for (one, first), (other, second) in combinations(findings.items(), 2):
            pairs = zip(first.arrays["neighbor_index"], second.arrays["neighbor_index"], strict=True)
            shares[f"common to {one} and {other}"] = float(np.mean([np.isin(*pair).mean() for pair in pairs]))
        return shares

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A block per query, in it a row per network."""
        first = next(iter(findings.values()))
        num = first.arrays["neighbor_labels"].shape[1]
        tile = min(1.1, (WIDTH - 0.1 - _LEFT) / min(num, _MOST_IN_LINE) - _GAP)
        height = math.ceil(num / _MOST_IN_LINE) * _measure_line(tile) + 0.08
        words = "Below each neighbor: its class and its distance."
        rows = [Row(0.4, lambda sheet, y: sheet.text(0.1, y + 0.1, words))]
        for number in range(len(first.arrays["queries"])):
            query = Row(_QUERY + measure_lines("\n" * 3, SMALL), partial(_draw_query, finding=first, number=number))
            networks = stack(
                Row(height, partial(_draw_neighbors, label=label, finding=finding, number=number, tile=tile))
                for label, finding in findings.items()
            )
            rows += [align([query, networks]), Row(0.2)]
        return lay_out(rows)

    def summary(self, findings: Mapping[str, Finding]) -> str:
        """A line per query and network."""
        lines = []
        for label, finding in findings.items():
            for name in finding.arrays["query_names"]:
                pairs = zip(finding.numbers[f"classes of {name}"], finding.numbers[f"distances of {name}"], strict=True)
                said = ", ".join(f"{words} {distance:.4g}" for words, distance in pairs)
                lines.append(show(f"{name}: {said}  [{label}]"))
        return "\n".join(lines)


def _check_choice(name: str, value: str | None, choices: tuple[str | None, ...]) -> None:
    if value not in choices:
        said = ", ".join("null" if choice is None else choice for choice in choices)
        raise NetgazeError(f"figure.neighbors.{name}={value} must be one of {said}.")


def _list_numbers(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    numbers: dict[str, Any] = {}
    found, labels = arrays["neighbor_labels"], arrays["query_labels"]
    for name, row, distances in zip(arrays["query_names"], found, arrays["distances"], strict=True):
        numbers[f"distances of {name}"] = [float(distance) for distance in distances]
        numbers[f"classes of {name}"] = [str(arrays["names"][label]) for label in row]
    numbers["agree_together"] = float(np.mean([np.bincount(row).max() / len(row) for row in found]))
    known = labels >= 0
    numbers["agree_query"] = float((found == labels[:, None])[known].mean()) if known.any() else None
    return numbers


def _format_distance(distance: float) -> str:
    """Three of them, zeros at the end too: 2.00, 13.4, 120."""
    return f"{distance:#.3g}".rstrip(".")


def _measure_line(tile: float) -> float:
    return tile + measure_lines("\n" * (_LINES - 1), SMALL) + 0.1


def _draw_query(sheet: Sheet, y: float, finding: Finding, number: int) -> None:
    """The query, its name, and its class where it is known."""
    label = finding.arrays["query_labels"][number]
    words = [clip_words(str(finding.arrays["query_names"][number]), 0.85 * _QUERY, SMALL, 2)]
    words += [clip_words(str(finding.arrays["names"][label]), 0.85 * _QUERY, SMALL, 2)] if label >= 0 else []
    sheet.image(finding.arrays["queries"][number], 0.1, y, _QUERY, _QUERY)
    sheet.text(0.1, y + _QUERY + 0.04, "\n".join(words), SMALL, weight="bold")


def _draw_neighbors(sheet: Sheet, y: float, label: str, finding: Finding, number: int, tile: float) -> None:
    words = clip_words(label, _NAMES, SMALL, 4)
    sheet.text(_LEFT - 0.1, y + tile / 2, words, SMALL, ha="right", va="center")
    labels, asked = finding.arrays["neighbor_labels"][number], finding.arrays["query_labels"][number]
    for place, picture in enumerate(finding.arrays["neighbors"][number]):
        line, column = divmod(place, _MOST_IN_LINE)
        x, top = _LEFT + column * (tile + _GAP), y + line * _measure_line(tile)
        sheet.image(picture, x, top, tile, tile)
        if asked >= 0:
            sheet.frame(x, top, tile, bool(labels[place] == asked))
        name = clip_words(str(finding.arrays["names"][labels[place]]), tile + 0.5 * _GAP, SMALL, 2)
        said = f"{name}\n{_format_distance(float(finding.arrays['distances'][number][place]))}"
        sheet.text(x + tile / 2, top + tile + 0.03, said, SMALL, ha="center")
