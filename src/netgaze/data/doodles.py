"""How the faces of the data set `doodle_faces` are drawn: shapes at four times the size, scaled down, then lit.

A point is a complex number, right + 1j * down, in units of the head: its middle is 0, its chin near 1j. Colors are
0..1. The tables say what is drawn at random: each number evenly from a range; what is there or not is there above 0.
"""

from collections import Counter
from types import SimpleNamespace

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw

FINE = 4
HALF = 30  # steps around half an oval
SKIN = np.array([(0.96, 0.81, 0.71), (0.66, 0.46, 0.35)])
HAIR = np.array([(0.13, 0.11, 0.11), (0.7, 0.55, 0.37)])
IRIS = np.array([(0.3, 0.17, 0.08), (0.3, 0.55, 0.8)])
# fmt: off
# What belongs to a person.
LOOK = {
    "width": (0.68, 0.86), "height": (0.95, 1.07), "jaw": (1.9, 3), "taper": (0, 0.2), "ear": (0.08, 0.17),
    "skin": (0, 1), "hair": (0, 1), "red": (-0.6, 1), "iris": (0, 1), "lip_red": (0.1, 0.5),
    "volume": (0.03, 0.2), "length": (-0.8, 1.5), "curls": (-0.1, 0.11), "curl_count": (5, 11), "bun": (-2, 1),
    "fringe": (-1, -0.45), "slope": (-0.25, 0.25), "arch": (0, 0.7), "jags": (-0.12, 0.12), "jag_count": (3, 8),
    "eye_x": (0.42, 0.56), "eye_y": (-0.12, 0.04), "eye_w": (0.13, 0.21), "eye_h": (0.09, 0.19), "cant": (-0.3, 0.3),
    "iris_size": (0.6, 0.95), "lashes": (0.02, 0.05), "brow_y": (0.08, 0.17), "brow_w": (0.11, 0.2),
    "brow_thick": (0.025, 0.09), "brow_tilt": (-0.06, 0.07), "brow_arch": (-0.01, 0.08),
    "nose_y": (0.2, 0.38), "nose_w": (0.06, 0.17), "bridge": (0, 0.18), "nostrils": (-1, 1),
    "mouth_y": (0.56, 0.64), "mouth_w": (0.22, 0.44), "lips": (0.025, 0.08),
    "beard": (-4, 1), "moustache": (-4, 1), "freckles": (-2.5, 1), "mole": (-2, 1),
}
# What changes from one image to the next.
VIEW = {
    "tilt": (-0.22, 0.22), "yaw": (-0.3, 0.3), "pitch": (-0.05, 0.05),
    "scale": (0.32, 0.37), "right": (-0.04, 0.04), "down": (-0.01, 0.06),
    "gain": (0.7, 1.15), "contrast": (0.75, 1.1), "across": (-0.28, 0.28), "above": (-0.1, 0.2), "noise": (0.01, 0.05),
    "red": (0.88, 1.12), "green": (0.95, 1.05), "blue": (0.88, 1.12),
    "smile": (-0.05, 0.12), "open": (-0.15, 0.12), "brows": (-0.04, 0.07),
    "lids": (0.15, 2.5), "gaze_x": (-0.4, 0.4), "gaze_y": (-0.25, 0.25),
}
# What a pair of glasses is; `tint` decides between clear, tinted and sun.
GLASSES = {
    "wide": (0.2, 0.32), "high": (0.16, 0.25), "power": (1.8, 6), "drop": (0, 0.15), "cat": (-0.1, 0.3),
    "rim": (0.025, 0.09), "half": (-1, 0.5), "tint": (0, 1), "dark": (0.1, 0.9), "low": (-0.02, 0.04),
    "glare": (-0.2, 0.75), "glare_x": (-0.1, 0.1),
}
# fmt: on


def draw_faces(people: np.ndarray, glasses: np.ndarray, seed: int, size: int) -> np.ndarray:
    """Faces of the people [N], with glasses where [N] says so, as uint8 RGB [N,3,size,size].

    A person's look follows from `seed` and the person's number, the view from those and the image's place among the
    images of that person, so that a face is the same in every larger set, and the same behind glasses.
    """
    seen: Counter[int] = Counter()
    images = np.empty((len(people), 3, size, size), np.uint8)
    for image, person, wears in zip(images, people.tolist(), glasses.tolist(), strict=True):
        image[:] = _face(person, seen[person], wears, seed, size).transpose(2, 0, 1)
        seen[person] += 1
    return images


def _face(person: int, number: int, wears: bool, seed: int, size: int) -> np.ndarray:
    """One image, [size,size,3]."""
    rng = np.random.default_rng([seed, 1, person, number])
    look, view = _draw(np.random.default_rng([seed, 0, person]), LOOK), _draw(rng, VIEW)
    pen = _Pen(FINE * size, look, view)
    _behind(pen, look, rng)
    _head(pen, look)
    _eyes(pen, look, view)
    _nose(pen, look)
    _mouth(pen, look, view)
    _hair(pen, look)
    if wears:
        _glasses(pen, look, np.random.default_rng([seed, 2, person, number]))
    return _lit(np.asarray(pen.canvas.reduce(FINE), np.float32) / 255, view, rng)


def _draw(rng: Generator, table: dict[str, tuple[float, float]]) -> SimpleNamespace:
    return SimpleNamespace(**{name: float(rng.uniform(*limits)) for name, limits in table.items()})


class _Pen:
    """Draws points [P] on or behind the head; what is on it turns as if on a cylinder."""

    side = 1  # -1 mirrors: what comes in pairs is described on the right

    def __init__(self, pixels: int, look: SimpleNamespace, view: SimpleNamespace):
        self.canvas = Image.new("RGB", (pixels, pixels))
        self.draw = ImageDraw.Draw(self.canvas, "RGBA")
        self.width, self.yaw, self.pitch = look.width, view.yaw, view.pitch
        self.turn = view.scale * pixels * np.exp(1j * view.tilt)
        self.middle = pixels * (0.5 + view.right + (0.5 + view.down) * 1j)
        self.skin = SKIN[0] + look.skin * (SKIN[1] - SKIN[0])
        hair = HAIR[0] + look.hair * (1 - 0.7 * look.skin) * (HAIR[1] - HAIR[0])  # seldom lighter than the skin
        self.hair = hair * (1 + 0.3 * look.red, 1, 1 - 0.2 * look.red)

    def place(self, points: np.ndarray, behind: bool = False) -> list[float]:
        x, y = self.side * points.real, points.imag
        if not behind:
            angle = np.arcsin(np.clip(x / self.width, -1, 1)) + self.yaw
            x, y = self.width * np.sin(np.clip(angle, -1.45, 1.45)), y + self.pitch
        return ((x + 1j * y) * self.turn + self.middle).view(float).tolist()

    def fill(self, points: np.ndarray, color: np.ndarray, alpha: float = 1, behind: bool = False) -> None:
        self.draw.polygon(self.place(points, behind), _rgba(color, alpha))

    def stroke(self, points: np.ndarray, width: float, color: np.ndarray, alpha: float = 1) -> None:
        self.draw.line(self.place(points), _rgba(color, alpha), max(round(width * abs(self.turn)), 1), joint="curve")


def _behind(pen: _Pen, look: SimpleNamespace, rng: Generator) -> None:
    """A wall, up to four things on it, hair, shoulders, neck and ears."""
    pen.fill(_oval(0, 9), rng.uniform(0.4, 0.8, 3), behind=True)
    for x, y, width, height, *color in rng.uniform(0.1, 0.8, (rng.integers(5), 7)):
        pen.fill(_oval(5 * (x - 0.45 + (y - 0.45) * 1j), width, height, 5), 0.1 + np.array(color), 0.7, behind=True)
    hair = _oval(0, look.width + look.volume, look.height + look.volume)
    hair *= 1 + max(look.curls, 0) * np.abs(np.sin(look.curl_count * np.angle(hair)))
    hair.imag *= np.where(hair.imag > 0, max(look.length, 0.1), 1)
    pen.fill(hair, 0.85 * pen.hair, behind=True)
    bun, ear = 0.9 * look.bun + (0.35 * look.bun**2 - look.height - 0.1) * 1j, look.width + 0.02 + 0.08j
    pen.fill(_oval(2.1j, 1.25, 0.85), rng.uniform(0.15, 0.85, 3), behind=True)
    pen.fill(_oval(1j, 0.34, 0.5, 4), 0.85 * pen.skin, behind=True)
    for pen.side in (-1, 1):
        if look.bun > 0:  # from one in the middle to two at the sides
            pen.fill(_oval(bun, 0.24), pen.hair, behind=True)
        for width, shade in ((look.ear, 1), (0.55 * look.ear, 0.8)):
            pen.fill(_oval(ear - 0.12 * pen.side * pen.yaw, width, 1.5 * width), shade * pen.skin, behind=True)


def _head(pen: _Pen, look: SimpleNamespace) -> None:
    upper, lower = (_oval(0, look.width, look.height, power) for power in (2.3, look.jaw))
    head = np.where(upper.imag > 0, lower, upper)
    head.real *= 1 - look.taper * np.clip(head.imag / look.height, 0, 1) ** 1.5
    pen.fill(head, pen.skin, behind=True)
    for pen.side in (-1, 1):
        pen.fill(_oval(0.62 * look.width + 0.3j, 0.16, 0.12), np.array([0.86, 0.27, 0.24]), alpha=0.16)
    if look.freckles > 0:
        for n, x in enumerate(np.linspace(-0.5, 0.5, 14)):
            pen.fill(_oval(x + (0.24 + 0.1 * np.sin(n * (2 + 3 * look.freckles))) * 1j, 0.025), 0.7 * pen.skin)
    if look.mole > 0:
        pen.fill(_oval(look.mole - 0.5 + 0.4j, 0.035), 0.4 * pen.skin)
    if look.beard > 0:
        rim = head[head.imag > 0.15]
        inner = 0.8 * rim.real + (0.12 + (0.5 + 0.2 * look.beard) * rim.imag) * 1j
        pen.fill(np.append(rim, inner[::-1]), pen.hair, behind=True)
    if look.moustache > 0:
        pen.fill(_oval((look.mouth_y - 0.1) * 1j, 0.22 + 0.1 * look.moustache, 0.06, 1.3), pen.hair)


def _eyes(pen: _Pen, look: SimpleNamespace, view: SimpleNamespace) -> None:
    """Eyes, open most of the time, and brows."""
    middle, width, height = look.eye_x * look.width + look.eye_y * 1j, look.eye_w, look.eye_h * min(view.lids, 1)
    along = np.linspace(-1, 1, 9)
    rise = look.eye_h + look.brow_y + view.brows - look.brow_tilt * along - look.brow_arch * along**2
    white, iris, black = np.full(3, 0.96), IRIS[0] + look.iris * (IRIS[1] - IRIS[0]), np.full(3, 0.05)
    lashes, radius = _oval(0, width, height)[HALF:], look.iris_size * min(look.eye_h, 0.8 * width)
    for pen.side in (-1, 1):
        gaze = pen.side * view.gaze_x * width + view.gaze_y * height * 1j
        disc, pupil = _oval(gaze, radius), _oval(gaze, radius / 2)
        for part, color in ((_oval(0, width, height), white), (disc, iris), (pupil, black)):
            lid = height * np.sqrt(np.clip(1 - (part.real / width) ** 2, 0, 1))
            pen.fill(middle + part.real + (np.clip(part.imag, -lid, lid) + look.cant * part.real) * 1j, color)
        pen.stroke(middle + lashes + look.cant * lashes.real * 1j, look.lashes, black)
        pen.stroke(middle + look.brow_w * along - rise * 1j, look.brow_thick, 0.7 * pen.hair)


def _nose(pen: _Pen, look: SimpleNamespace) -> None:
    tip = _oval(look.nose_y * 1j, look.nose_w, 0.6 * look.nose_w)[: HALF + 1]
    pen.fill(np.append(tip, (look.eye_y + 0.05) * 1j), (1 - look.bridge) * pen.skin)
    if look.nostrils > 0:
        for pen.side in (-1, 1):
            pen.fill(_oval(0.5 * look.nose_w + (look.nose_y + 0.02) * 1j, 0.03), 0.5 * pen.skin)
    else:
        pen.stroke(tip, 0.04, 0.72 * pen.skin)


def _mouth(pen: _Pen, look: SimpleNamespace, view: SimpleNamespace) -> None:
    u = np.linspace(-1, 1, 17)
    bow = 1j * (1 - u**2)
    upper = look.mouth_w * look.width * u + 1j * (look.mouth_y + view.smile * (0.5 - u**2))
    lower = upper + max(view.open, 0) * bow
    red = 0.85 * pen.skin * (1, 1 - look.lip_red, 1 - 0.8 * look.lip_red)
    pen.fill(np.append(upper - 0.7 * look.lips * bow, (lower + look.lips * bow)[::-1]), red)
    pen.fill(np.append(upper, lower[::-1]), np.array([0.27, 0.08, 0.1]))
    pen.stroke(upper, 0.03, 0.55 * red)


def _hair(pen: _Pen, look: SimpleNamespace) -> None:
    """Hair on the head, down to a hairline that turns with the face."""
    top = 1.03 * _oval(0, look.width, look.height, 2.3)[HALF:]
    u = np.sin(np.arcsin(np.clip(top.real / look.width, -1, 1)) - pen.yaw)
    line = look.fringe + look.slope * u + max(look.jags, 0) * np.abs(np.sin(look.jag_count * u))
    line = np.minimum(line, pen.pitch - 0.38) + look.arch * u**4
    pen.fill(np.append(top, (top.real + 1j * np.maximum(top.imag, line))[::-1]), pen.hair, behind=True)


def _glasses(pen: _Pen, look: SimpleNamespace, rng: Generator) -> None:
    kind = _draw(rng, GLASSES)
    frame, tint = kind.dark * rng.uniform(0.1, 1, 3), rng.uniform(0, 1, 3)
    tint, alpha = (0.25 * tint, 0.94) if kind.tint > 0.65 else (0.2 + 0.7 * tint, 0.5 if kind.tint > 0.45 else 0.12)
    middle = 0.7 * look.eye_x * look.width + 0.12 + (look.eye_y + kind.low) * 1j
    lens = _oval(0, min(kind.wide, middle.real - 0.03), kind.high, kind.power)
    lens.imag = lens.imag * (1 + kind.drop * np.sign(lens.imag)) - kind.cat * np.clip(lens.real, 0, 1)
    arm = np.array([lens.real.max() - 0.05j, look.width - middle.real])
    bridge = np.array([lens.real.min() - 0.03j, -middle.real - 0.06j])
    glare = kind.glare_x + kind.high * np.array([0.1 - 0.7j, 0.5 - 0.7j, -0.1 + 0.7j, -0.5 + 0.7j])
    for pen.side in (-1, 1):
        pen.stroke(middle + lens + 0.01 + 0.03j, kind.rim, np.zeros(3), alpha=0.2)
        pen.fill(middle + lens, tint, alpha)
        pen.fill(middle + pen.side * glare.real + glare.imag * 1j, np.ones(3), kind.glare)
        for part in (lens[HALF:] if kind.half > 0 else lens, arm, bridge):
            pen.stroke(middle + part, kind.rim, frame)


def _lit(image: np.ndarray, view: SimpleNamespace, rng: Generator) -> np.ndarray:
    """The image [H,W,3] in the light of a view, with its noise, as uint8."""
    place, color = np.linspace(-1, 1, len(image)), np.array([view.red, view.green, view.blue])
    light = color * view.gain * (1 + view.across * place - view.above * place[:, None])[..., None]
    image = (0.5 + view.contrast * (image - 0.5)) * light + view.noise * rng.standard_normal(image.shape, np.float32)
    return (np.clip(image, 0, 1) * 255).round().astype(np.uint8)


def _oval(middle: complex, width: float, height: float | None = None, power: float = 2) -> np.ndarray:
    """A closed superellipse [2 HALF + 1] of half this width and height: right, below, left (at HALF), above."""
    angle = np.linspace(0, 2 * np.pi, 2 * HALF + 1)
    x, y = (np.sign(part) * np.abs(part) ** (2 / power) for part in (np.cos(angle), np.sin(angle)))
    return middle + width * x + 1j * (height or width) * y


def _rgba(color: np.ndarray, alpha: float) -> tuple[int, ...]:
    return tuple((np.clip([*color, alpha], 0, 1) * 255).round().astype(int).tolist())
