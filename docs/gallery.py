"""The gallery: every figure with its picture, how to read it, its numbers and its command, as gallery.yaml says.

    python docs/gallery.py [figure ...]    # trains what is missing in outputs/gallery/, then draws

What is trained stays in `outputs/gallery/`, so that a second drawing takes the time of the figures alone.
"""

import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import yaml
from hydra.utils import get_class
from PIL import Image

from netgaze.data.doodles import draw_faces
from netgaze.data.upright import draw_things
from netgaze.figure import Figure
from netgaze.files import atomic_write
from netgaze.glossary import Meaning

ROOT = Path(__file__).resolve().parents[1]
OUTPUTS = Path("outputs", "gallery")
PICTURES = ROOT / "docs" / "images" / "gallery"
OWN = ROOT / "docs" / "images" / "pictures"  # in place of a reader's own
COLORS = 256  # of a picture: a page of them must open quickly
BETTER = {"higher": "higher", "lower": "lower", "": ""}


@dataclass(frozen=True)
class Drawing:
    """Figures that are drawn of the same networks."""

    networks: Sequence[str]
    figures: Sequence[str]
    more: str = ""
    note: str = ""

    def spell(self, figures: Sequence[str]) -> str:
        """The command that draws some of them."""
        runs = ",".join(f"{OUTPUTS}/{name}" for name in self.networks)
        return " ".join(filter(None, [f"python analyze.py runs=[{runs}] figure=[{','.join(figures)}]", self.more]))


@cache
def read_gallery() -> tuple[dict[str, str], list[Drawing]]:
    """The commands that train the networks, by name, and what is drawn of which of them."""
    said = yaml.safe_load((ROOT / "docs" / "gallery.yaml").read_text(encoding="utf-8"))
    networks = {
        name: f"python train.py {words} figure=[] hydra.run.dir={OUTPUTS}/{name}"
        for name, words in said["networks"].items()
    }
    return networks, [Drawing(**drawing) for drawing in said["drawings"]]


def make_gallery() -> str:
    """The page's entries, in the order of the figures' names."""
    drawings = {name: drawing for drawing in read_gallery()[1] for name in drawing.figures}
    return "\n\n".join("\n\n".join(_describe(name, drawings[name])) for name in sorted(drawings))


def list_trainings() -> str:
    """The commands that train the gallery's networks, as a block of code."""
    return "\n".join(["```bash", *read_gallery()[0].values(), "```"])


def find_figure(name: str) -> type[Figure]:
    """The class of a figure, from its YAML."""
    content = yaml.safe_load((ROOT / "conf" / "figure" / f"{name}.yaml").read_text(encoding="utf-8"))
    return get_class(content["_target_"])


def _describe(name: str, drawing: Drawing) -> Iterator[str]:
    figure = find_figure(name)
    yield f"## {figure.title}"
    yield figure.question
    yield f"![{figure.question}](images/gallery/{name}.png)"
    if drawing.note:
        yield drawing.note
    yield f"**What to look for.** {figure.look_for}"
    yield f"**How it misleads.** {figure.pitfall}"
    yield f"```bash\n{drawing.spell([name])}\n```"
    if figure.glossary:
        yield "\n".join(["| number | unit | better | meaning |", "|---|---|---|---|", *_list_numbers(figure)])


def _list_numbers(figure: type[Figure]) -> Iterator[str]:
    """A row per number; names that mean the same of several layers or classes once."""
    rows = dict.fromkeys(_write_row(meaning) for meaning in figure.glossary.values())
    yield from rows


def _write_row(meaning: Meaning) -> str:
    cells = [meaning.words, meaning.unit, BETTER[meaning.better], meaning.says]
    return f"| {' | '.join(cell.replace('<', '&lt;').replace('|', '&#124;') for cell in cells)} |"


def draw(figures: Sequence[str]) -> None:
    """Draw figures, of all networks that they need: those that are not there are trained first."""
    networks, drawings = read_gallery()
    for number, drawing in enumerate(drawings):
        if asked := [name for name in drawing.figures if name in figures]:
            for name in drawing.networks:
                _train(name, networks)
            folder = OUTPUTS / "drawn" / str(number)
            _run(f"{drawing.spell(asked)} hydra.run.dir={folder}")
            for name in asked:
                _shrink(ROOT / folder / "figures" / f"{name}.png", PICTURES / f"{name}.png")


def _train(name: str, networks: dict[str, str]) -> None:
    """Train a network that is not there, and before it the one that it starts from."""
    if (ROOT / OUTPUTS / name / "metrics.json").exists():
        return
    source = f"init={OUTPUTS}/"
    for word in networks[name].split():
        if word.startswith(source):
            _train(word.removeprefix(source), networks)
    _run(networks[name])


def _run(command: str) -> None:
    print(command, flush=True)
    subprocess.run([sys.executable, *shlex.split(command)[1:]], cwd=ROOT, check=True)


def _shrink(source: Path, target: Path) -> None:
    """A picture with fewer colors, written whole; its pixels stay, as images of 32 pixels are not to be blurred."""
    with Image.open(source) as picture:
        plain = picture.convert("RGB")
    with atomic_write(target) as beside:
        plain.quantize(COLORS, dither=Image.Dither.NONE).save(beside, format="png", optimize=True)


def write_pictures() -> None:
    """Pictures that no data set of the gallery holds: two things, and two drawings of one person and one of another."""
    things, _ = draw_things(np.array([0, 5]), np.random.default_rng(2026))
    faces = draw_faces(np.array([0, 0, 1]), np.array([False, True, False]), 2026, 128)
    for name, image in zip(["thing", "other_thing", "one", "again", "other"], [*things, *faces], strict=True):
        picture = Image.fromarray(image.transpose(1, 2, 0))
        with atomic_write(OWN / f"{name}.png") as beside:
            picture.resize((128, 128), Image.Resampling.NEAREST).save(beside, format="png", optimize=True)


if __name__ == "__main__":
    write_pictures()
    draw(sys.argv[1:] or sorted(name for drawing in read_gallery()[1] for name in drawing.figures))
