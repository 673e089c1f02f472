"""The nearest images of a split to your own pictures, network by network."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure as Picture
from torch import Tensor

from netgaze.drawing.examples import choose_examples, name_files, to_rgb
from netgaze.drawing.nearest import make_queries
from netgaze.drawing.rows import Row, lay_out, make_text
from netgaze.errors import NetgazeError
from netgaze.figure import Figure, Finding
from netgaze.glossary import Glossary, Meaning
from netgaze.measures.neighbors import find_nearest
from netgaze.subject import Subject
from netgaze.text import show

_MOST_PICTURES, _MOST_IN_LINE = 12, 8
_MOST_LARGE = 5  # networks whose neighbors are drawn large
_WORDS = {"euclidean": "Euclidean distance", "cosine": "cosine distance (1 - cosine)"}


class Neighbors(Figure):
    """The nearest images of a split by the distance of penultimate features (Krizhevsky et al. 2012, figure 4).

    The queries are your own pictures, at most twelve, or else images of the same split, each without itself among its
    neighbors.

    Args:
        images: picture files.
        indices: without `images`, images of the split to use as queries; None draws them.
        split: "train", "val" or "test".
        num_neighbors: of each query.
        distance: "euclidean" or "cosine".
        fit: how your pictures become squares, "crop" or "squash"; None for the data's own way.
        num_queries: images of different classes, drawn by the seed.
        seed: of the queries.

    Raises:
        NetgazeError: an unknown split, distance or fit, or too few neighbors, queries or pictures.
    """

    title = "Nearest images"
    question = "Which images of the data are nearest to a picture?"
    look_for = (
        "What a network treats as similar: object, pose, color or background. Networks that share few neighbors "
        "represent the images differently."
    )
    pitfall = (
        "A few queries are examples, no measurement: the 20-neighbor accuracy of figure=knn covers the whole split. "
        "Every picture has nearest images, even one unlike all of the data, and distances of two networks do not "
        "compare."
    )
    needs = ("data", "features")
    glossary = Glossary(
        {
            "distances of <query>": Meaning(
                "distances of <query>", "To its neighbors, nearest first; for the cosine 1 - cosine, 0..2."
            ),
            "classes of <query>": Meaning("classes of <query>", "Those of its neighbors."),
            "agree_together": Meaning(
                "neighbors agree",
                "Share of the neighbors that are of the most frequent class among their query's neighbors.",
                "%",
                "higher",
            ),
            "agree_query": Meaning(
                "neighbors of the query's class", "Share of the neighbors; - for your own pictures.", "%", "higher"
            ),
            "common to <network>": Meaning("common to <network>", "Share of neighbors found by both networks.", "%"),
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
            raise NetgazeError("figure.neighbors.num_neighbors and num_queries must be 1 or more.")
        if (images is not None and not len(images)) or (indices is not None and not len(indices)):
            raise NetgazeError("figure.neighbors.images or indices is an empty list. Name at least one query.")
        self.images, self.indices, self.split, self.fit = images or (), indices, split, fit
        self.num_neighbors, self.distance, self.num_queries, self.seed = num_neighbors, distance, num_queries, seed

    def compute(self, subject: Subject) -> Finding:
        """Queries [Q,H,W,3], their names and labels [Q] (-1: none); neighbors [Q,n,H,W,3], their labels, distances."""
        data, bank_labels = subject.data, subject.data.labels(self.split)
        queries, features, labels, names, own = self._choose_queries(subject)
        room = len(bank_labels) - (own is not None)
        if self.num_neighbors > room:
            raise NetgazeError(
                f"figure.neighbors.num_neighbors={self.num_neighbors} must be at most {room}, the images of the "
                f"{self.split} split."
            )
        bank = subject.bank(self.split)
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
        return data.images(self.split, own), subject.bank(self.split)[own], labels[own], names, own

    def _write_caption(self) -> str:
        caption = (
            f"The nearest images of the {self.split} split by the {_WORDS[self.distance]} of penultimate features, "
        )
        caption += "nearest first, with the distance below."
        if not self.images:
            return f"{caption} Blue frame: the query's class; cross: another class."
        if len(self.images) > _MOST_PICTURES:
            caption += f" The first {_MOST_PICTURES} of {len(self.images)} pictures are shown."
        return caption

    def compare(self, findings: Mapping[str, Finding]) -> dict[str, float]:
        """`common to <network> and <network>`: the share of their neighbors that both found, 0..1."""
        shares = {}
        for (one, first), (other, second) in combinations(findings.items(), 2):
            pairs = zip(first.arrays["neighbor_index"], second.arrays["neighbor_index"], strict=True)
            shares[f"common to {one} and {other}"] = float(np.mean([np.isin(*pair).mean() for pair in pairs]))
        return shares

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A block per query with a row per network."""
        words = f"Below each neighbor: its class and its {_WORDS[self.distance]}."
        most = 1.17 if len(findings) <= _MOST_LARGE else 0.8
        queries = make_queries(findings, most, across=_MOST_IN_LINE)
        return lay_out([Row(0.1), make_text(words, below=0.16), queries])

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
        raise NetgazeError(f"Unknown figure.neighbors.{name}={value}. Choose one of {said}.")


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
