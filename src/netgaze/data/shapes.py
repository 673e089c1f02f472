"""Ten classes of drawn 32x32 scenes, made from a seed in seconds: an object on the ground, under a sky."""

import numpy as np
from numpy.random import Generator

from netgaze.data.drawn import DrawnScenes
from netgaze.data.scenes import CLASS_NAMES, draw_scenes


class Shapes(DrawnScenes):
    """Drawn scenes with a mask of the object in each, balanced over ten classes. Needs no network.

    Light comes from above (sky, shading, shadow), so that which way is up can be learned; colors, size, place,
    tilt, clutter and noise do not depend on the class. Arguments: see `DrawnScenes`.
    """

    names, cache, version = CLASS_NAMES, "shapes", 1

    def draw(self, labels: np.ndarray, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
        """Scenes of the given classes [N] as uint8 [N,3,32,32], and what is seen of their objects, bool [N,32,32]."""
        return draw_scenes(labels, rng)
