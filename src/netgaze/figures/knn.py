"""Which training images does the network find most alike?"""

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

    They are compared by Euclidean distance there; cosine is what kNN evaluations use since Wu et al. 2018.

    Args:
        num_queries: images of different classes, by seed.
        num_neighbors: of each.
        indices: images to ask for in place of the seed's choice.
        seed: of the choice.
    """

    title = "Nearest neighbors"
    question = "Which training images are nearest to a test image, and are they of its class?"
    needs = ("data", "features", "training images")
    metrics = ("knn20", "knn200")
    glossary = Glossary(
        {
            "knn<k>": Meaning(
                "kNN-<k> accuracy",
                "Of a vote of the nearest training images by the features, each weighing exp(cosine / 0.07) (Wu et "
                "al. 2018), over the whole split; left out where there are fewer.",
                "%",
                "higher",
                "num_images",
            ),
            "shown_right": Meaning(
                "neighbors shown that are right", "Share that is of its query's class.", "%", "higher"
            ),
            "num_images": Meaning("images", "Of how many the accuracies are."),
        }
    )

    def __init__(
        self, *, num_queries: int = 5, num_neighbors: int = 10, indices: Sequence[int] | None = None, seed: int = 0
    ):
        self.num_queries, self.num_neighbors, self.indices, self.seed = num_queries, num_neighbors, indices, seed

    def compute(self, subject: Subject) -> Finding:
        """Queries [Q] and their neighbors [Q,n]: images, labels and similarities, and the split's kNN accuracy."""
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
            "images, nearest first. Blue frames: the same class; crossed ones: another class."
        )
        return Finding(numbers, arrays, caption)

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A block per query, in it a row per network."""
        words = (_describe(shorten(label, _MOST_LABEL, TEXT), finding) for label, finding in findings.items())
        rows = [Row(0.1), make_text("\n".join(words), below=0.2)]
        return lay_out([*rows, make_queries(findings, most=0.75, across=self.num_neighbors)])


def _describe(label: str, finding: Finding) -> str:
    numbers, known = finding.numbers, [k for k in (20, 200) if f"knn{k}" in finding.numbers]
    accuracies = ", ".join(f"{k}-NN {format_named(numbers, f'knn{k}', Knn.glossary)}" for k in known)
    shown = f"{numbers['shown_right']:.0%} of those shown are right"
    return f"{label}:  accuracy {accuracies};  {shown}" if known else f"{label}:  {shown}"
