"""How the scenes of the data set `shapes` are drawn: many at once, in NumPy.

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


def _star() -> np.ndarray:
    angle = np.pi / 2 + np.arange(10) * np.pi / 5
    radius = np.where(np.arange(10) % 2 == 0, 1.1, 0.46)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle) - 0.1], axis=1)


def _cross() -> np.ndarray:
    quarter = np.array([(0.36, 0.36), (0.36, 1), (-0.36, 1)])
    turn = np.array([(0, 1), (-1, 0)])  # a quarter turn, applied to rows
    return np.concatenate([quarter @ np.linalg.matrix_power(turn, n) for n in range(4)])


def _heart(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    u, v = 1.15 * u, 1.15 * v + 0.1
    return (u**2 + v**2 - 1) ** 3 < u**2 * v**3


# Within -1..1, standing on v = -1: what is asked of a shape is whether a point (u, v) lies in it.
_INSIDE: dict[str, Inside] = {
    "disc": lambda u, v: u**2 + v**2 < 1,
    "box": make_polygon(np.array([(-0.9, -1), (0.9, -1), (0.9, 0.8), (-0.9, 0.8)])),
    "triangle": make_polygon(np.array([(-1, -1), (1, -1), (0, 0.9)])),
    "star": make_polygon(_star()),
    "ring": lambda u, v: (u**2 + v**2 < 1) & (u**2 + v**2 > 0.3),
    "cross": make_polygon(_cross()),
    "heart": _heart,
    "crescent": lambda u, v: (u**2 + v**2 < 1) & ((u - 0.5) ** 2 + (v - 0.15) ** 2 > 0.62),
    "arrow": make_polygon(
        np.array([(-0.32, -1), (0.32, -1), (0.32, -0.05), (0.95, -0.05), (0, 1), (-0.95, -0.05), (-0.32, -0.05)])
    ),
    "house": make_polygon(
        np.array([(-0.75, -1), (0.75, -1), (0.75, 0.05), (1, 0.05), (0, 1), (-1, 0.05), (-0.75, 0.05)])
    ),
}
CLASS_NAMES = tuple(_INSIDE)


def draw_scenes(labels: np.ndarray, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Scenes of the given classes [N] as uint8 [N,3,32,32], and what is seen of their objects, bool [N,32,32]."""
    return draw_in_chunks(_draw, labels, rng)


def _draw(labels: np.ndarray, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    n = len(labels)
    horizon = draw_uniform(rng, n, 9, 22)
    radius = draw_uniform(rng, n, 7, 11.5)
    center_y = np.maximum(np.minimum(horizon + draw_uniform(rng, n, 2, 14), S - 2) - radius, 0.9 * radius)
    center_x = 0.9 * radius + draw_uniform(rng, n, 0, 1) * (S - 1.8 * radius)

    canvas = _background(rng, n, horizon)
    canvas = lay_over(canvas, *_post(rng, n, horizon))
    canvas = lay_over(canvas, *draw_blob(rng, n, radius=(1, 3), share=0.6))
    canvas = lay_over(canvas, *draw_blob(rng, n, radius=(1, 3), share=0.4))
    canvas *= 1 - 0.55 * _shadow(center_x, center_y + radius, radius)[..., None]
    alpha = _object(rng, labels, center_y, center_x, radius)
    canvas = lay_over(canvas, alpha, _shaded(rng, n, center_y, radius))
    front, color = draw_blob(rng, n, radius=(1, 2), share=0.4)
    canvas = lay_over(canvas, front, color)
    return finish(rng, canvas), alpha * (1 - front) > 0.5


def _background(rng: Generator, n: int, horizon: np.ndarray) -> np.ndarray:
    """Sky that grows lighter towards a slightly slanting horizon, and ground with waves of texture, [n,S,S,3]."""
    line = horizon + draw_uniform(rng, n, -0.08, 0.08) * (X - S / 2)
    depth = Y - line
    sky = draw_color(rng, n, saturation=(0.05, 0.45), value=(0.7, 1)) * (1 + np.clip(depth / S, -1, 0))[..., None]
    turns = ((-1.3, 1.3), (0.3, 2), (0, 2 * np.pi))  # a pixel across, a pixel down, and at the corner
    waves = sum(
        np.sin(sum(draw_uniform(rng, n, *turn) * at for turn, at in zip(turns, (X, Y, 1), strict=True)))
        for _ in range(3)
    )
    light = 0.85 + draw_uniform(rng, n, 0.02, 0.08) * waves + 0.3 * np.clip(depth / S, 0, 1)
    ground = draw_color(rng, n, saturation=(0.1, 0.5), value=(0.3, 0.65)) * light[..., None]
    return lay_over(sky, np.clip(depth + 0.5, 0, 1), ground)


def _post(rng: Generator, n: int, horizon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An upright post on the ground in every other scene: alpha [n,S,S] and color [n,1,1,3]."""
    foot = horizon + draw_uniform(rng, n, 0, 4)
    top = foot - draw_uniform(rng, n, 5, 16)
    across = draw_uniform(rng, n, 0.6, 1.6) - np.abs(X - draw_uniform(rng, n, 0, S))
    along = np.minimum(Y - top, foot - Y)
    alpha = np.clip(across + 0.5, 0, 1) * np.clip(along + 0.5, 0, 1) * (draw_uniform(rng, n, 0, 1) < 0.5)
    return alpha, draw_color(rng, n, saturation=(0, 0.6), value=(0.2, 0.9))


def _shadow(center_x: np.ndarray, foot: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """A soft flat ellipse on the ground where the object stands, 0..1, [n,S,S]."""
    distance = ((X - center_x) / (1.1 * radius)) ** 2 + ((Y - foot) / (0.35 * radius)) ** 2
    return np.clip(1.3 * (1 - distance), 0, 1)


def _object(
    rng: Generator, labels: np.ndarray, center_y: np.ndarray, center_x: np.ndarray, radius: np.ndarray
) -> np.ndarray:
    """How much of each pixel the object covers, 0..1, [n,S,S]."""
    u, v = place_objects(rng, center_y, center_x, radius)
    return cover(list(_INSIDE.values()), labels, u, v)


def _shaded(rng: Generator, n: int, center_y: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """The object's color, lighter above and darker below, [n,S,S,3]."""
    height = np.clip((center_y - Y) / radius, -1, 1)
    color = draw_color(rng, n, saturation=(0.3, 0.95), value=(0.35, 1))
    return color * (0.9 + 0.3 * height)[..., None] + 0.12 * np.clip(height, 0, 1)[..., None]
