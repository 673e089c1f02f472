"""How do the features lie in a plane?"""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure as Picture
from threadpoolctl import threadpool_limits

from netgaze.drawing.examples import balanced_choice
from netgaze.drawing.planes import draw_planes
from netgaze.figure import Figure, Finding
from netgaze.glossary import Glossary, Meaning, format_named
from netgaze.measures.pixels import to_floats
from netgaze.measures.planes import embed, leave_one_out
from netgaze.subject import Subject

_LEAST_EACH, _MOST_EACH = 3, 10  # images of a class: of fewer some classes stand for all, each with so many


class Tsne(Figure):
    """A t-SNE map (van der Maaten and Hinton 2008) of penultimate features, colored by the data's classes.

    The same images for every network, as evenly over the classes as they allow; where this leaves fewer than three
    of each, up to ten each of some classes, drawn by the seed: an image alone of its class tells nothing.

    Features of more than 50 dimensions go through PCA to 50 first, as in the paper; perplexity is 30, less for few
    images. Distances between far groups and sizes of groups mean nothing in such a map: the numbers say how far to
    trust it.

    Args:
        num_images: how many; fewer where the split has fewer.
        seed: of the choice of images and of the map.
    """

    title = "t-SNE map"
    question = "Do images of the same class lie together in the space of features?"
    needs = ("data", "features")
    glossary = Glossary(
        {
            "trustworthiness": Meaning(
                "trustworthiness",
                "Do neighbors in the plane come from near by in the features (Venna and Kaski 2001)? 0..1 over 10 "
                "neighbors; about 0.5 for a random map. It judges the map, not the network.",
                "",
                "higher",
            ),
            "knn5_plane": Meaning(
                "5 nearest agree, in the plane",
                "Share of the images shown whose 5 nearest others (Euclidean) are mostly of their class.",
                "%",
                "higher",
                "num_images",
            ),
            "knn5_features": Meaning(
                "5 nearest agree, in the features",
                "The same in the features: the network's quality shows here.",
                "%",
                "higher",
                "num_images",
            ),
            "num_images": Meaning("images shown"),
        }
    )

    def __init__(self, *, num_images: int = 100, seed: int = 0):
        self.num_images, self.seed = num_images, seed

    def compute(self, subject: Subject) -> Finding:
        """The places in the plane, [N,2], with class numbers and names."""
        # Here, as it takes a second that no training should wait for; before the limit, which binds what is loaded.
        from sklearn.manifold import trustworthiness

        labels = subject.data.labels(subject.split).numpy()
        index = _choose_images(labels, self.num_images, self.seed)
        labels = labels[index]
        features = to_floats(subject.bank(subject.split)[index]).numpy()
        with threadpool_limits(1):  # more threads are slower at these sizes, many times so beside a training
            plane = embed(features, self.seed)
            numbers = {
                "trustworthiness": float(trustworthiness(features, plane, n_neighbors=min(10, (len(plane) - 1) // 2))),
                "knn5_plane": leave_one_out(plane, labels, 5),
                "knn5_features": leave_one_out(features, labels, 5),
                "num_images": len(index),
            }
        arrays = {"plane": plane, "labels": labels, "names": np.array(subject.data.class_names)}
        caption = f"{len(index)} images of the {subject.split} split, the same for every network, colored by class."
        shown, total = len(np.unique(labels)), len(arrays["names"])
        caption += f" They are of {shown} of the {total:,} classes." if shown < total else ""
        return Finding(numbers, arrays, caption)

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A column per network, and one legend."""
        return draw_planes(findings, _describe)


def _choose_images(labels: np.ndarray, num: int, seed: int) -> np.ndarray:
    """Indices of at most `num` images by their labels [N], evenly over all classes or, of too many, over some."""
    classes, sizes = np.unique(labels, return_counts=True)
    if len(classes) * _LEAST_EACH <= num:
        return balanced_choice(labels, num, seed)
    order = np.random.default_rng(seed).permutation(len(classes))
    filled = np.minimum(sizes[order], _MOST_EACH).cumsum()
    own = np.flatnonzero(np.isin(labels, classes[order[: np.searchsorted(filled, num) + 1]]))
    return own[balanced_choice(labels[own], num, seed)]


def _describe(finding: Finding) -> str:
    shown = {name: format_named(finding.numbers, name, Tsne.glossary) for name in ("knn5_plane", "knn5_features")}
    return (
        f"trustworthiness {finding.numbers['trustworthiness']:.2f}\n"
        f"5-NN, plane: {shown['knn5_plane']}\n5-NN, features: {shown['knn5_features']}"
    )
