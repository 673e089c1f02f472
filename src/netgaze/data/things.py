"""Ten classes of drawn 32x32 scenes, made from a seed in seconds: only the thing itself shows which way is up."""

import numpy as np
from numpy.random import Generator

from netgaze.data.drawn import DrawnScenes
from netgaze.data.upright import CLASS_NAMES, draw_things


class Things(DrawnScenes):
    """Drawn things with a mask of each, balanced over ten classes. Needs no network.

    What is behind them looks the same whichever way it is turned, and light comes from anywhere: to find the way up, a
    network must know the thing. Colors, size, place, tilt, clutter and noise do not depend on the class. Arguments: see
    `DrawnScenes`.
    """

    names, cache, version = CLASS_NAMES, "things", 1

    def draw(self, labels: np.ndarray, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
        """Scenes of the given classes [N] as uint8 [N,3,32,32], and what is seen of their things, bool [N,32,32]."""
        return draw_things(labels, rng)
