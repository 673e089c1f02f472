"""Parts of drawn scenes: colors, discs, polygons, placed objects, for many scenes at once, in NumPy.

Lengths are in pixels, y points down, colors are 0..1. Letters: n scenes, S = 32 pixels, F = fine points a pixel.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator

S = 32
FINE = 3
CHUNK = 500
TILT = np.deg2rad(12)

Y, X = (np.mgrid[0:S, 0:S] + 0.5).astype(np.float32)

# What is asked of a shape: which points (u right, v up) lie in it.
Inside = Callable[[np.ndarray, np.ndarray], np.ndarray]
# Images uint8 [n,3,S,S], and masks of what is seen of their objects, bool [n,S,S].
Scenes = tuple[np.ndarray, np.ndarray]


def draw_in_chunks(draw: Callable[[np.ndarray, Generator], Scenes], labels: np.ndarray, rng: Generator) -> Scenes:
    """Scenes of the given classes [N], drawn so many at a time that memory is small.

    Args:
        draw: makes those of classes [n].
        labels: may be empty.
        rng: where all draws come from.
    """
    none = (np.zeros((0, 3, S, S), np.uint8), np.zeros((0, S, S), bool))
    parts = (draw(labels[start : start + CHUNK], rng) for start in range(0, len(labels), CHUNK))
    images, masks = zip(none, *parts, strict=True)
    return np.concatenate(images), np.concatenate(masks)


def finish(rng: Generator, canvas: np.ndarray) -> np.ndarray:
    """Add each scene's own amount of noise to its colors [n,S,S,3]: uint8 [n,3,S,S]."""
    noise = rng.standard_normal(canvas.shape, np.float32) * draw_uniform(rng, len(canvas), 0.01, 0.04)[..., None]
    pixels = (np.clip(canvas + noise, 0, 1) * 255).round().astype(np.uint8)
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))


def place_objects(
    rng: Generator, center_y: np.ndarray, center_x: np.ndarray, radius: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where the scenes' fine points [n,S*F,S*F] lie in their objects' own measure: u right, v up, within -1..1.

    Objects, of the given centers and radii [n,1,1], are tilted by up to 12 degrees, and made wider or higher by up to
    15 percent.
    """
    n = len(radius)
    fine_y, fine_x = ((np.mgrid[0 : S * FINE, 0 : S * FINE] + 0.5) / FINE).astype(np.float32)
    right, up = (fine_x - center_x) / radius, (center_y - fine_y) / radius
    tilt, stretch = draw_uniform(rng, n, -TILT, TILT), draw_uniform(rng, n, 0.85, 1.15)
    u = (np.cos(tilt) * right + np.sin(tilt) * up) * stretch
    v = (np.cos(tilt) * up - np.sin(tilt) * right) / stretch
    return u, v


def cover(shapes: Sequence[Inside], labels: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """How much of each pixel the shape of the scene's class covers, 0..1, [n,S,S]: the mean over F x F points."""
    inside = np.empty(u.shape, bool)
    for label, shape in enumerate(shapes):
        chosen = labels == label
        inside[chosen] = shape(u[chosen], v[chosen])
    return inside.reshape(len(labels), S, FINE, S, FINE).mean((2, 4), dtype=np.float32)


def make_polygon(points: np.ndarray) -> Inside:
    """Even-odd test of points (u right, v up) against a closed polygon [P,2]."""

    def inside(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        result = np.zeros(u.shape, bool)
        for (u0, v0), (u1, v1) in zip(points, np.roll(points, -1, axis=0), strict=True):
            if v0 != v1:
                result ^= ((v0 > v) != (v1 > v)) & (u < (u1 - u0) / (v1 - v0) * (v - v0) + u0)
        return result

    return inside


def draw_blob(rng: Generator, n: int, radius: tuple[float, float], share: float) -> tuple[np.ndarray, np.ndarray]:
    """A small disc or square somewhere in a share of the scenes: alpha [n,S,S] and color [n,1,1,3]."""
    dx, dy = np.abs(X - draw_uniform(rng, n, 0, S)), np.abs(Y - draw_uniform(rng, n, 0, S))
    distance = np.where(draw_uniform(rng, n, 0, 1) < 0.5, np.hypot(dx, dy), np.maximum(dx, dy))
    alpha = np.clip(draw_uniform(rng, n, *radius) - distance + 0.5, 0, 1) * (draw_uniform(rng, n, 0, 1) < share)
    return alpha, draw_color(rng, n, saturation=(0, 0.9), value=(0.2, 1))


def lay_over(below: np.ndarray, alpha: np.ndarray, color: np.ndarray) -> np.ndarray:
    """Colors [n,S,S,3] under others that hide a share `alpha` [n,S,S] of each pixel."""
    return below + alpha[..., None] * (color - below)


def draw_color(rng: Generator, n: int, saturation: tuple[float, float], value: tuple[float, float]) -> np.ndarray:
    """A color of any hue (HSV) a scene, as red, green and blue, [n,1,1,3]."""
    hue = (draw_uniform(rng, n, 0, 6)[..., None] + np.array([5, 3, 1], np.float32)) % 6
    away = np.clip(np.minimum(hue, 4 - hue), 0, 1)
    return draw_uniform(rng, n, *value)[..., None] * (1 - draw_uniform(rng, n, *saturation)[..., None] * away)


def draw_uniform(rng: Generator, n: int, low: float, high: float) -> np.ndarray:
    """One number a scene, float32 [n,1,1], so that it meets pixels [S,S]."""
    return np.float32(low) + np.float32(high - low) * rng.random((n, 1, 1), np.float32)
