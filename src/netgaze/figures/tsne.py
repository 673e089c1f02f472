"""t-SNE map of the features."""

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

    The same images for every network, spread evenly over the classes; if that leaves fewer than three of each, up to
    ten each of some classes, drawn by the seed.

    Features of more than 50 dimensions are reduced to 50 by PCA first, as in the paper; the perplexity is 30, less for
    few images. Distances between clusters and their sizes mean nothing: the numbers say how far to trust the map.

    Args:
        num_images: how many; fewer if the split has fewer.
        seed: of the images and of the map.
    """

    title = "t-SNE map"
    question = "Do images of the same class lie together in feature space?"
    look_for = (
        "Clusters of one color, and which classes share a cluster. The 5-neighbor agreement in the features says how "
        "well the classes separate; trustworthiness says how far the map can be believed."
    )
    pitfall = (
        "Distances between clusters and the sizes of clusters mean nothing, and another seed gives another map. t-SNE "
        "forms clusters in noise, too: compare with the untrained network and with raw pixels."
    )
    needs = ("data", "features")
    glossary = Glossary(
        {
            "trustworthiness": Meaning(
                "trustworthiness",
                "How far neighbors in the plane are neighbors in the features (Venna and Kaski 2001), 0..1 over 10 "
                "neighbors; about 0.5 for a random map. It judges the map, not the network.",
                "",
                "higher",
            ),
            "knn5_plane": Meaning(
                "5-neighbor agreement in the plane",
                "Share of the images shown whose 5 nearest neighbors (Euclidean) are mostly of their class.",
                "%",
                "higher",
                "num_images",
            ),
            "knn5_features": Meaning(
                "5-neighbor agreement in the features",
                "The same in the features: this judges the network.",
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
        """Positions in the plane, [N,2], with class numbers and names."""
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
        caption = (
            f"{len(index)} images of the {subject.split} split, the same for every network, colored by class. Plane, "
        )
        caption += "features: 5-neighbor agreement in each."
        shown, total = len(np.unique(labels)), len(arrays["names"])
        caption += f" They belong to {shown} of the {total:,} classes." if shown < total else ""
        return Finding(numbers, arrays, caption)

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A column per network, with one legend."""
        return draw_planes(findings, _describe)


def _choose_images(labels: np.ndarray, num: int, seed: int) -> np.ndarray:
    """Indices of at most `num` images by their labels [N], spread over all classes or, if too many, over some."""
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
        f"plane: {shown['knn5_plane']}\nfeatures: {shown['knn5_features']}"
    )
