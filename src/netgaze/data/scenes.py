"""How the scenes of the data set `shapes` are drawn: many at once, in NumPy.

Lengths are in pixels, y points down, colors are 0..1. Letters: n scenes, S = 32 pixels, F = fine points a pixel.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.random import Generator

S = 32
FINE = 3
CHUNK = 500
TILT = np.deg2rad(12)

_Y, _X = (np.mgrid[0:S, 0:S] + 0.5).astype(np.float32)


def _polygon(points: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Even-odd test of points (u right, v up) against a closed polygon [P,2]."""

    def inside(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        result = np.zeros(u.shape, bool)
        for (u0, v0), (u1, v1) in zip(points, np.roll(points, -1, axis=0), strict=True):
            if v0 != v1:
                result ^= ((v0 > v) != (v1 > v)) & (u < (u1 - u0) / (v1 - v0) * (v - v0) + u0)
        return result

    return inside


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
_INSIDE: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "disc": lambda u, v: u**2 + v**2 < 1,
    "box": _polygon(np.array([(-0.9, -1), (0.9, -1), (0.9, 0.8), (-0.9, 0.8)])),
    "triangle": _polygon(np.array([(-1, -1), (1, -1), (0, 0.9)])),
    "star": _polygon(_star()),
    "ring": lambda u, v: (u**2 + v**2 < 1) & (u**2 + v**2 > 0.3),
    "cross": _polygon(_cross()),
    "heart": _heart,
    "crescent": lambda u, v: (u**2 + v**2 < 1) & ((u - 0.5) ** 2 + (v - 0.15) ** 2 > 0.62),
    "arrow": _polygon(
        np.array([(-0.32, -1), (0.32, -1), (0.32, -0.05), (0.95, -0.05), (0, 1), (-0.95, -0.05), (-0.32, -0.05)])
    ),
    "house": _polygon(np.array([(-0.75, -1), (0.75, -1), (0.75, 0.05), (1, 0.05), (0, 1), (-1, 0.05), (-0.75, 0.05)])),
}
CLASS_NAMES = tuple(_INSIDE)


def draw_scenes(labels: np.ndarray, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Scenes of the given classes [N] as uint8 [N,3,32,32], and what is seen of their objects, bool [N,32,32]."""
    none = (np.zeros((0, 3, S, S), np.uint8), np.zeros((0, S, S), bool))
    images, masks = zip(none, *(_draw(part, rng) for part in _chunks(labels)), strict=True)
    return np.concatenate(images), np.concatenate(masks)


def _chunks(labels: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(labels), CHUNK):
        yield labels[start : start + CHUNK]


def _draw(labels: np.ndarray, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    n = len(labels)
    horizon = _uniform(rng, n, 9, 22)
    radius = _uniform(rng, n, 7, 11.5)
    center_y = np.maximum(np.minimum(horizon + _uniform(rng, n, 2, 14), S - 2) - radius, 0.9 * radius)
    center_x = 0.9 * radius + _uniform(rng, n, 0, 1) * (S - 1.8 * radius)

    canvas = _background(rng, n, horizon)
    canvas = _over(canvas, *_post(rng, n, horizon))
    canvas = _over(canvas, *_blob(rng, n, radius=(1, 3), share=0.6))
    canvas = _over(canvas, *_blob(rng, n, radius=(1, 3), share=0.4))
    canvas *= 1 - 0.55 * _shadow(center_x, center_y + radius, radius)[..., None]
    alpha = _object(rng, labels, center_y, center_x, radius)
    canvas = _over(canvas, alpha, _shaded(rng, n, center_y, radius))
    front, color = _blob(rng, n, radius=(1, 2), share=0.4)
    canvas = _over(canvas, front, color)

    noise = rng.standard_normal((n, S, S, 3), np.float32) * _uniform(rng, n, 0.01, 0.04)[..., None]
    pixels = (np.clip(canvas + noise, 0, 1) * 255).round().astype(np.uint8)
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)), alpha * (1 - front) > 0.5


def _background(rng: Generator, n: int, horizon: np.ndarray) -> np.ndarray:
    """Sky that grows lighter towards a slightly slanting horizon, and ground with waves of texture, [n,S,S,3]."""
    line = horizon + _uniform(rng, n, -0.08, 0.08) * (_X - S / 2)
    depth = _Y - line
    sky = _color(rng, n, saturation=(0.05, 0.45), value=(0.7, 1)) * (1 + np.clip(depth / S, -1, 0))[..., None]
    waves = sum(
        np.sin(_uniform(rng, n, -1.3, 1.3) * _X + _uniform(rng, n, 0.3, 2) * _Y + _uniform(rng, n, 0, 2 * np.pi))
        for _ in range(3)
    )
    light = 0.85 + _uniform(rng, n, 0.02, 0.08) * waves + 0.3 * np.clip(depth / S, 0, 1)
    ground = _color(rng, n, saturation=(0.1, 0.5), value=(0.3, 0.65)) * light[..., None]
    return _over(sky, np.clip(depth + 0.5, 0, 1), ground)


def _post(rng: Generator, n: int, horizon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An upright post on the ground in every other scene: alpha [n,S,S] and color [n,1,1,3]."""
    foot = horizon + _uniform(rng, n, 0, 4)
    top = foot - _uniform(rng, n, 5, 16)
    across = _uniform(rng, n, 0.6, 1.6) - np.abs(_X - _uniform(rng, n, 0, S))
    along = np.minimum(_Y - top, foot - _Y)
    alpha = np.clip(across + 0.5, 0, 1) * np.clip(along + 0.5, 0, 1) * (_uniform(rng, n, 0, 1) < 0.5)
    return alpha, _color(rng, n, saturation=(0, 0.6), value=(0.2, 0.9))


def _blob(rng: Generator, n: int, radius: tuple[float, float], share: float) -> tuple[np.ndarray, np.ndarray]:
    """A small disc or square somewhere in a share of the scenes: alpha [n,S,S] and color [n,1,1,3]."""
    dx, dy = np.abs(_X - _uniform(rng, n, 0, S)), np.abs(_Y - _uniform(rng, n, 0, S))
    distance = np.where(_uniform(rng, n, 0, 1) < 0.5, np.hypot(dx, dy), np.maximum(dx, dy))
    alpha = np.clip(_uniform(rng, n, *radius) - distance + 0.5, 0, 1) * (_uniform(rng, n, 0, 1) < share)
    return alpha, _color(rng, n, saturation=(0, 0.9), value=(0.2, 1))


def _shadow(center_x: np.ndarray, foot: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """A soft flat ellipse on the ground where the object stands, 0..1, [n,S,S]."""
    distance = ((_X - center_x) / (1.1 * radius)) ** 2 + ((_Y - foot) / (0.35 * radius)) ** 2
    return np.clip(1.3 * (1 - distance), 0, 1)


def _object(
    rng: Generator, labels: np.ndarray, center_y: np.ndarray, center_x: np.ndarray, radius: np.ndarray
) -> np.ndarray:
    """How much of each pixel the object covers, 0..1, [n,S,S]: the mean over FINE x FINE points."""
    n = len(labels)
    fine_y, fine_x = ((np.mgrid[0 : S * FINE, 0 : S * FINE] + 0.5) / FINE).astype(np.float32)
    right, up = (fine_x - center_x) / radius, (center_y - fine_y) / radius
    tilt, stretch = _uniform(rng, n, -TILT, TILT), _uniform(rng, n, 0.85, 1.15)
    u = (np.cos(tilt) * right + np.sin(tilt) * up) * stretch
    v = (np.cos(tilt) * up - np.sin(tilt) * right) / stretch
    inside = np.empty(u.shape, bool)
    for label, shape in enumerate(_INSIDE.values()):
        chosen = labels == label
        inside[chosen] = shape(u[chosen], v[chosen])
    return inside.reshape(n, S, FINE, S, FINE).mean((2, 4), dtype=np.float32)


def _shaded(rng: Generator, n: int, center_y: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """The object's color, lighter above and darker below, [n,S,S,3]."""
    height = np.clip((center_y - _Y) / radius, -1, 1)
    color = _color(rng, n, saturation=(0.3, 0.95), value=(0.35, 1))
    return color * (0.9 + 0.3 * height)[..., None] + 0.12 * np.clip(height, 0, 1)[..., None]


def _over(below: np.ndarray, alpha: np.ndarray, color: np.ndarray) -> np.ndarray:
    return below + alpha[..., None] * (color - below)


def _color(rng: Generator, n: int, saturation: tuple[float, float], value: tuple[float, float]) -> np.ndarray:
    """A color of any hue (HSV) a scene, as red, green and blue, [n,1,1,3]."""
    hue = (_uniform(rng, n, 0, 6)[..., None] + np.array([5, 3, 1], np.float32)) % 6
    away = np.clip(np.minimum(hue, 4 - hue), 0, 1)
    return _uniform(rng, n, *value)[..., None] * (1 - _uniform(rng, n, *saturation)[..., None] * away)


def _uniform(rng: Generator, n: int, low: float, high: float) -> np.ndarray:
    """One number a scene, float32 [n,1,1], so that it meets pixels [S,S]."""
    return np.float32(low) + np.float32(high - low) * rng.random((n, 1, 1), np.float32)
