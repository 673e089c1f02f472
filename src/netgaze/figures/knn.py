"""The nearest training images of some test images, and kNN accuracy."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure as Picture

from netgaze.drawing.examples import choose_examples, to_rgb
from netgaze.drawing.nearest import make_queries
from netgaze.drawing.panels import TEXT
from netgaze.drawing.rows import Row, lay_out, make_text
from netgaze.drawing.words import shorten
from netgaze.figure import Figure, Finding
from netgaze.glossary import Glossary, Meaning, format_named
from netgaze.measures.metrics import knn_accuracy
from netgaze.measures.neighbors import find_nearest
from netgaze.subject import Subject

_MOST_LABEL = 3.4  # inches: of a network's label above all queries


class Knn(Figure):
    """Nearest training images by cosine similarity of penultimate features (Krizhevsky et al. 2012, figure 4).

    That paper compares by Euclidean distance; kNN evaluations since Wu et al. 2018 use the cosine.

    Args:
        num_queries: images of different classes, drawn by the seed.
        num_neighbors: of each query.
        indices: images of the split to show as queries instead.
        seed: of the queries.
    """

    title = "Nearest neighbors"
    question = "Which training images are nearest to a test image, and are they of its class?"
    look_for = (
        "What the neighbors have in common with the query: class, pose, color or background. The 20-neighbor accuracy "
        "summarizes the whole split; it should be well above that of the untrained network and of raw pixels."
    )
    pitfall = (
        "Neighbors often share the background instead of the object, and raw pixels find these too: compare with "
        "their row. The few queries shown are examples; only the accuracies are measured on the whole split."
    )
    needs = ("data", "features", "training images")
    metrics = ("knn20", "knn200")
    glossary = Glossary(
        {
            "knn<k>": Meaning(
                "<k>-neighbor accuracy",
                "Of a vote of the <k> nearest training images by the features, each weighted by exp(cosine / 0.07) "
                "(Wu et al. 2018), on the whole split; left out if there are fewer training images.",
                "%",
                "higher",
                "num_images",
            ),
            "shown_right": Meaning(
                "neighbors shown of the query's class", "Share of the neighbors in the picture.", "%", "higher"
            ),
            "num_images": Meaning("images", "How many the accuracies are measured on."),
        }
    )

    def __init__(
        self, *, num_queries: int = 5, num_neighbors: int = 10, indices: Sequence[int] | None = None, seed: int = 0
    ):
        self.num_queries, self.num_neighbors, self.indices, self.seed = num_queries, num_neighbors, indices, seed

    def compute(self, subject: Subject) -> Finding:
        """Queries [Q] and their neighbors [Q,n]: images, labels and similarities; kNN accuracies of the split."""
        data, split = subject.data, subject.split
        labels, bank_labels = data.labels(split), data.labels("train")
        bank, features = subject.bank("train"), subject.bank(split)
        queries = torch.from_numpy(choose_examples(labels.numpy(), self.num_queries, self.seed, self.indices))
        similarities, near = find_nearest(features[queries], bank, min(self.num_neighbors, len(bank)))
        right = bank_labels[near] == labels[queries, None]
        numbers = knn_accuracy(bank, bank_labels, features, labels) | {"shown_right": float(right.double().mean())}
        numbers["num_images"] = len(labels)
        neighbors = to_rgb(data.images("train", near.flatten()))
        arrays = {
            "queries": to_rgb(data.images(split, queries)),
            "neighbors": neighbors.reshape(*near.shape, *neighbors.shape[1:]),
            "query_labels": labels[queries].numpy(),
            "neighbor_labels": bank_labels[near].numpy(),
            "similarities": similarities.numpy(),
            "names": np.array(data.class_names),
        }
        caption = (
            f"{len(queries)} images of the {split} split, the same for every network, and their nearest training "
            "images, nearest first. Blue frame: same class; cross: another class."
        )
        return Finding(numbers, arrays, caption)

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A block per query with a row per network."""
        words = (_describe(shorten(label, _MOST_LABEL, TEXT), finding) for label, finding in findings.items())
        rows = [Row(0.1), make_text("\n".join(words), below=0.2)]
        return lay_out([*rows, make_queries(findings, most=0.75, across=self.num_neighbors)])


def _describe(label: str, finding: Finding) -> str:
    numbers, known = finding.numbers, [k for k in (20, 200) if f"knn{k}" in finding.numbers]
    accuracies = ", ".join(f"{k}-neighbor accuracy {format_named(numbers, f'knn{k}', Knn.glossary)}" for k in known)
    shown = f"{numbers['shown_right']:.0%} of those shown have the query's class"
    return f"{label}:  {accuracies};  {shown}" if known else f"{label}:  {shown}"
