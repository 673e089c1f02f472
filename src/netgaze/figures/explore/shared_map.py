"""Where a network's neighbors place each image in another network's map, by openTSNE."""

from collections.abc import Mapping

import numpy as np
from threadpoolctl import threadpool_limits

from netgaze.files import cached_arrays, digest

_STEPS, _RATE, _EXAGGERATION, _MOST = 250, 0.1, 1.5, 0.25  # as openTSNE's own transform of new points


def place_in(reference: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The places `plane_shared` [N,2] of images in the map of another network, which itself stays as it is.

    An image starts at the median of its ten nearest neighbors' positions, and is then moved by t-SNE's gradient with
    these neighbors' affinities; all others are fixed (Poličar et al. 2023, who place new images by distances in one
    feature space; here the neighbors are the other network's). If both networks have the same neighbors, an image
    stays where it is.

    Args:
        reference: arrays of the finding whose map it is.
        found: those of the network that is placed; of the same images.
    """
    key = digest(reference["plane"], found["near"], _STEPS, _RATE, _EXAGGERATION)
    return cached_arrays("planes", key, lambda: {"plane_shared": _place(reference["plane"], found["near"])})


def _place(plane: np.ndarray, near: np.ndarray) -> np.ndarray:
    from openTSNE.affinity import PrecomputedAffinities
    from openTSNE.tsne import PartialTSNEEmbedding, TSNEEmbedding
    from scipy.sparse import csr_matrix

    num, k = near.shape
    affinities = csr_matrix((np.full(num * k, 1 / k), near.ravel(), np.arange(0, num * k + 1, k)), (num, num))
    plane = np.ascontiguousarray(plane, dtype=np.float64)
    options = {"negative_gradient_method": "bh", "n_jobs": 1}
    # Nobody asks for the affinities of what stays, and they are normalized in place.
    known = TSNEEmbedding(plane, PrecomputedAffinities(affinities.copy()), **options)
    start = np.median(plane[near], axis=1)
    with threadpool_limits(1):
        placed = PartialTSNEEmbedding(start, known, affinities, **options)
        moved = placed.optimize(_STEPS, learning_rate=_RATE, exaggeration=_EXAGGERATION, max_grad_norm=_MOST)
    return np.asarray(moved, dtype=np.float32)
