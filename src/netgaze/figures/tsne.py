"""How do the features lie in a plane?"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D
from threadpoolctl import threadpool_limits

from netgaze.drawing.examples import balanced_choice
from netgaze.drawing.panels import GRAY, NUM_STYLES, PALE, TEXT, WIDTH, Sheet, choose_style
from netgaze.drawing.rows import Columns, Row, align, lay_out, make_bands, make_legend, make_text
from netgaze.drawing.words import count_cells, shorten
from netgaze.figure import Figure, Finding
from netgaze.glossary import Glossary, Meaning, format_named
from netgaze.measures.pixels import to_floats
from netgaze.subject import Subject

_MOST_NAMES = 60
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
        return lay_out([make_bands(findings, _make_planes, gap=0.15), _make_legend(next(iter(findings.values())))])


def _choose_images(labels: np.ndarray, num: int, seed: int) -> np.ndarray:
    """Indices of at most `num` images by their labels [N], evenly over all classes or, of too many, over some."""
    classes, sizes = np.unique(labels, return_counts=True)
    if len(classes) * _LEAST_EACH <= num:
        return balanced_choice(labels, num, seed)
    order = np.random.default_rng(seed).permutation(len(classes))
    filled = np.minimum(sizes[order], _MOST_EACH).cumsum()
    own = np.flatnonzero(np.isin(labels, classes[order[: np.searchsorted(filled, num) + 1]]))
    return own[balanced_choice(labels[own], num, seed)]


def embed(features: np.ndarray, seed: int) -> np.ndarray:
    """Features [N,D] -> places in the plane, float32 [N,2], by scikit-learn's t-SNE started at the first two PCs."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    if features.shape[1] > 50:
        features = PCA(min(50, len(features)), random_state=seed).fit_transform(features)
    perplexity = min(30.0, (len(features) - 1) / 3)
    init = "pca" if features.shape[1] >= 2 else "random"
    return TSNE(perplexity=perplexity, init=init, random_state=seed, n_jobs=1).fit_transform(features)


def leave_one_out(points: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Share of points [N,D] whose class [N] is the most frequent among their k nearest others, 0..1."""
    from sklearn.neighbors import NearestNeighbors

    k = min(k, len(points) - 1)
    neighbors = NearestNeighbors(n_neighbors=k).fit(points).kneighbors(return_distance=False)
    votes = np.array([np.bincount(near).argmax() for near in labels[neighbors]])
    return float((votes == labels).mean())


def _make_planes(findings: Mapping[str, Finding], columns: Columns) -> list[Row]:
    side = min(columns.width, 5.5)
    planes = align(
        Row(side, partial(_draw_plane, finding=finding, x=x + (columns.width - side) / 2, side=side))
        for x, finding in zip(columns.lefts, findings.values(), strict=True)
    )
    captions = columns.captions(map(_describe, findings.values()), below=0.1)
    return [columns.titles(findings, below=0.05), captions, planes, Row(0.1)]


def _draw_plane(sheet: Sheet, y: float, finding: Finding, x: float, side: float) -> None:
    """The places of the images as dots; the fewer, the larger."""
    axes = sheet.axes(x, y, side, side, xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color=PALE)
    labels = finding.arrays["labels"]
    size = side * (5 + 900 / (len(labels) + 30))
    for number, style in _choose_styles(finding).items():
        across, up = finding.arrays["plane"][labels == number].T
        axes.scatter(across, up, size, linewidths=0.4, edgecolors="white", **style)


def _choose_styles(finding: Finding) -> dict[int, dict[str, Any]]:
    """Color and marker of the classes shown: each class's own or, where styles are fewer than classes, in turn."""
    present = np.unique(finding.arrays["labels"])
    places = present if len(finding.arrays["names"]) <= NUM_STYLES else range(len(present))
    return {int(number): choose_style(int(place)) for number, place in zip(present, places, strict=True)}


def _describe(finding: Finding) -> str:
    shown = {name: format_named(finding.numbers, name, Tsne.glossary) for name in ("knn5_plane", "knn5_features")}
    return (
        f"trustworthiness {finding.numbers['trustworthiness']:.2f}\n"
        f"5-NN, plane: {shown['knn5_plane']}\n5-NN, features: {shown['knn5_features']}"
    )


def _make_legend(finding: Finding) -> Row:
    """A sample of each class's style, or a word on why there is none."""
    styles, names = _choose_styles(finding), finding.arrays["names"]
    if len(styles) > _MOST_NAMES:
        return make_text(f"{len(styles):,} classes: too many for a legend.", below=0.1, color=GRAY)
    short = {k: shorten(str(names[k]), WIDTH / 2, TEXT) for k in styles}
    handles = [Line2D([], [], linestyle="", markersize=5, label=short[k], **style) for k, style in styles.items()]
    across = max(1, min(10, int(WIDTH / (0.55 + 0.085 * max(map(count_cells, short.values()))))))
    return make_legend(handles, 0.2 + 0.2 * -(-len(handles) // across), 0.02, across, handle=1.0)
