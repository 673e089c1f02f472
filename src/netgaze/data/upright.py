"""How the scenes of the data set `things` are drawn: things in two colors on a ground without an up.

Lengths are in pixels, y points down, colors are 0..1. Letters: n scenes, S = 32 pixels.
"""

import numpy as np
from numpy.random import Generator

from netgaze.data.canvas import (
    Inside,
    S,
    X,
    Y,
    cover,
    draw_blob,
    draw_color,
    draw_in_chunks,
    draw_uniform,
    finish,
    lay_over,
    make_polygon,
    place_objects,
)

RADIUS = (8.5, 12.5)


def _ellipse(u0: float, v0: float, wide: float, high: float) -> Inside:
    return lambda u, v: ((u - u0) / wide) ** 2 + ((v - v0) / high) ** 2 < 1


def _disc(u0: float, v0: float, radius: float) -> Inside:
    return _ellipse(u0, v0, radius, radius)


def _box(left: float, bottom: float, right: float, top: float) -> Inside:
    return lambda u, v: (left < u) & (u < right) & (bottom < v) & (v < top)


def _polygon(*points: tuple[float, float]) -> Inside:
    return make_polygon(np.array(points))


def _any(*shapes: Inside) -> Inside:
    return lambda u, v: np.logical_or.reduce([shape(u, v) for shape in shapes])


def _less(shape: Inside, *holes: Inside) -> Inside:
    return lambda u, v: shape(u, v) & ~_any(*holes)(u, v)


_BELOW = _box(-2, -2, 2, 0)
_PETALS = [_disc(0.4 * np.sin(angle), 0.42 + 0.4 * np.cos(angle), 0.27) for angle in np.arange(5) * 2 * np.pi / 5]

# Within -1..1, upright: the body of each thing, and what lies over it in a second color.
_THINGS: dict[str, tuple[Inside, Inside]] = {
    "house": (
        _box(-0.72, -1, 0.72, 0.1),
        _any(_polygon((-1, 0.02), (1, 0.02), (0, 1)), _box(-0.2, -1, 0.2, -0.3)),
    ),
    "fir": (
        _any(_polygon((-0.95, -0.6), (0.95, -0.6), (0, 0.35)), _polygon((-0.7, 0), (0.7, 0), (0, 1))),
        _box(-0.2, -1, 0.2, -0.6),
    ),
    "mug": (
        _any(
            _box(-0.85, -0.85, 0.4, 0.7),
            _ellipse(-0.225, 0.7, 0.625, 0.25),
            _less(_disc(0.45, -0.05, 0.52), _disc(0.45, -0.05, 0.27)),
        ),
        _ellipse(-0.225, 0.7, 0.47, 0.15),
    ),
    "umbrella": (
        _less(_disc(0, 0, 1), _BELOW, *(_ellipse(u0, 0, 0.3, 0.22) for u0 in (-0.66, 0, 0.66))),
        _any(
            _box(-0.09, -0.75, 0.09, 0.25),
            _box(-0.09, 0.9, 0.09, 1.1),
            _less(_disc(0.24, -0.72, 0.33), _disc(0.24, -0.72, 0.15), _box(-2, -0.72, 2, 2)),
        ),
    ),
    "mushroom": (
        _less(_ellipse(0, -0.05, 1, 1), _BELOW),
        _any(_box(-0.33, -1, 0.33, 0), _disc(-0.45, 0.35, 0.19), _disc(0.08, 0.6, 0.19), _disc(0.52, 0.27, 0.16)),
    ),
    "ice cream": (_disc(0, 0.4, 0.6), _polygon((-0.6, 0.2), (0.6, 0.2), (0, -1.1))),
    "bottle": (
        _any(
            _box(-0.42, -1, 0.42, 0.15),
            _polygon((-0.42, 0.15), (0.42, 0.15), (0.17, 0.5), (-0.17, 0.5)),
            _box(-0.17, 0.4, 0.17, 1),
        ),
        _any(_box(-0.42, -0.7, 0.42, -0.15), _box(-0.22, 0.78, 0.22, 1.02)),
    ),
    "snowman": (
        _any(_disc(0, -0.48, 0.55), _disc(0, 0.25, 0.38)),
        _any(_box(-0.5, 0.46, 0.5, 0.6), _box(-0.3, 0.46, 0.3, 1), _disc(0, -0.25, 0.11), _disc(0, -0.6, 0.11)),
    ),
    "sailboat": (
        _any(_polygon((0.05, -0.35), (0.05, 1), (0.85, -0.35)), _polygon((-0.1, -0.35), (-0.1, 0.75), (-0.7, -0.35))),
        _polygon((-1, -0.45), (1, -0.45), (0.6, -0.95), (-0.6, -0.95)),
    ),
    "flower": (
        _any(*_PETALS),
        _any(
            _disc(0, 0.42, 0.22),
            _box(-0.09, -1, 0.09, 0.1),
            _polygon((0, -0.9), (0.6, -0.55), (0.55, -0.25)),
            _polygon((0, -0.9), (-0.6, -0.55), (-0.55, -0.25)),
        ),
    ),
}
CLASS_NAMES = tuple(_THINGS)
_DETAILS = [detail for _, detail in _THINGS.values()]
_WHOLES = [_any(*parts) for parts in _THINGS.values()]


def draw_things(labels: np.ndarray, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Scenes of the given classes [N] as uint8 [N,3,32,32], and what is seen of their things, bool [N,32,32]."""
    return draw_in_chunks(_draw, labels, rng)


def _draw(labels: np.ndarray, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    n = len(labels)
    radius = draw_uniform(rng, n, *RADIUS)
    center_y, center_x = (radius + draw_uniform(rng, n, 0, 1) * (S - 2 * radius) for _ in range(2))
    ground, body, detail = _draw_colors(rng, n)

    canvas = ground * _light(rng, n, 0.3)[..., None] + _waves(rng, n)[..., None]
    canvas = lay_over(canvas, *_draw_bar(rng, n))
    canvas = lay_over(canvas, *draw_blob(rng, n, radius=(1, 3), share=0.6))
    canvas = lay_over(canvas, *draw_blob(rng, n, radius=(1, 3), share=0.4))
    u, v = place_objects(rng, center_y, center_x, radius)
    alpha, light = cover(_WHOLES, labels, u, v), _light(rng, n, 0.35)[..., None]
    canvas = lay_over(canvas, alpha, body * light)
    canvas = lay_over(canvas, cover(_DETAILS, labels, u, v), detail * light)
    front, color = draw_blob(rng, n, radius=(1, 2), share=0.4)
    canvas = lay_over(canvas, front, color)
    return finish(rng, canvas), alpha * (1 - front) > 0.5


def _draw_colors(rng: Generator, n: int) -> np.ndarray:
    """A dark, a middle and a light color of any hue for ground, body and detail, in any order, [3,n,1,1,3]."""
    levels = rng.permuted(np.tile(np.array([0.2, 0.5, 0.8], np.float32), (n, 1)), axis=1).T.reshape(3, n, 1, 1, 1)
    levels = (
        levels
        + draw_uniform(rng, 3 * n, -0.08, 0.08).reshape(levels.shape)
        + draw_uniform(rng, n, -0.1, 0.1)[..., None]
    )
    tints = draw_color(rng, 3 * n, saturation=(0, 0.8), value=(0.5, 0.9)).reshape(3, n, 1, 1, 3)
    return levels + tints - tints.mean(-1, keepdims=True)


def _along(rng: Generator, n: int) -> np.ndarray:
    """How far each pixel lies from the middle in a direction of its scene, [n,S,S]."""
    angle = draw_uniform(rng, n, 0, 2 * np.pi)
    return np.cos(angle) * (X - S / 2) + np.sin(angle) * (Y - S / 2)


def _light(rng: Generator, n: int, strength: float) -> np.ndarray:
    """Light that falls off from one side of the image to the other, around 1, [n,S,S]."""
    return 1 + draw_uniform(rng, n, 0, strength) * _along(rng, n) / (S / 2)


def _waves(rng: Generator, n: int) -> np.ndarray:
    """A texture of three waves in any directions, around 0, [n,S,S]."""
    waves = sum(
        np.sin(draw_uniform(rng, n, 0.3, 2) * _along(rng, n) + draw_uniform(rng, n, 0, 2 * np.pi)) for _ in range(3)
    )
    return draw_uniform(rng, n, 0.01, 0.05) * waves


def _draw_bar(rng: Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """A bar across every other scene: alpha [n,S,S] and color [n,1,1,3]."""
    away = np.abs(_along(rng, n) - draw_uniform(rng, n, -S / 2, S / 2))
    alpha = np.clip(draw_uniform(rng, n, 0.6, 1.6) - away + 0.5, 0, 1) * (draw_uniform(rng, n, 0, 1) < 0.5)
    return alpha, draw_color(rng, n, saturation=(0, 0.6), value=(0.2, 0.9))
