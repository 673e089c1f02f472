"""Features as positions in a plane."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TsneSettings:
    """Settings of t-SNE; scikit-learn's by default.

    Attributes:
        num_steps: of the gradient, from 250 on.
        perplexity: about how many neighbors count; fewer of few points.
        angle: 0..1, how coarsely far points are taken together (Barnes and Hut).
    """

    num_steps: int = 1000
    perplexity: float = 30.0
    angle: float = 0.5


# A map of 2,000 images is as trustworthy as by the default to within 0.004, in a quarter of the time.
QUICK = TsneSettings(num_steps=400, perplexity=20.0, angle=0.9)


def embed(
    features: np.ndarray, seed: int, settings: TsneSettings = TsneSettings(), start: np.ndarray | None = None
) -> np.ndarray:
    """Features [N,D] -> places in the plane, float32 [N,2], by scikit-learn's t-SNE.

    Args:
        features: of more than 50 dimensions PCA leaves 50, as in the paper.
        seed: of what is drawn.
        settings: speed against faithfulness.
        start: places to start from, [N,2]; None for the first two principal components.
    """
    # Here, as it takes a second that no training should wait for.
    from sklearn.manifold import TSNE

    if features.shape[1] > 50:
        features = project(features, 50, seed)
    perplexity = min(settings.perplexity, (len(features) - 1) / 3)
    init: str | np.ndarray = "pca" if features.shape[1] >= 2 else "random"
    if start is not None:
        init = (start / (start[:, 0].std() or 1.0) * 1e-4).astype(np.float32)  # as large as a start by PCA
    chosen = {"perplexity": perplexity, "init": init, "angle": settings.angle, "max_iter": settings.num_steps}
    return TSNE(**chosen, random_state=seed, n_jobs=1).fit_transform(features)


def project(features: np.ndarray, num: int, seed: int) -> np.ndarray:
    """Features [N,D] -> their first principal components, [N,num], or as many as there are."""
    from sklearn.decomposition import PCA

    return PCA(min(num, *features.shape), random_state=seed).fit_transform(features)


def leave_one_out(points: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Share of points [N,D] whose class [N] is the most frequent among their k nearest others, 0..1."""
    from sklearn.neighbors import NearestNeighbors

    k = min(k, len(points) - 1)
    neighbors = NearestNeighbors(n_neighbors=k).fit(points).kneighbors(return_distance=False)
    votes = np.array([np.bincount(near).argmax() for near in labels[neighbors]])
    return float((votes == labels).mean())
