"""MeGlass: 1,710 people with and without glasses (Guo, Zhu, Lei and Li 2018), and its four protocols."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

import torch
from torch import Tensor

from netgaze.data.cache import decode_cached
from netgaze.data.count import MEGLASS, parse_identity
from netgaze.data.decode import Form
from netgaze.data.faces import GLASSES, FaceData, OfFaces
from netgaze.data.images import Images
from netgaze.errors import NetgazeError
from netgaze.files import read_lines

PHOTOS, LABELS = "MeGlass_120x120", "meta.txt"
LISTS = ("gallery_no_glass", "gallery_black_glass", "probe_no_glass", "probe_black_glass")
PROTOCOLS = {
    "I: without - without": (("gallery_no_glass",), ("probe_no_glass",)),
    "II: with - with": (("gallery_black_glass",), ("probe_black_glass",)),
    "III: without - with": (("gallery_no_glass",), ("probe_black_glass",)),
    "IV: all - all": (("gallery_no_glass", "gallery_black_glass"), ("probe_no_glass", "probe_black_glass")),
}


class MeGlass(FaceData):
    """Photos of MegaFace cropped to faces; nothing of it can be downloaded by a program.

    The four lists of its protocols name one photo of every person each. Where they name all people of the set, as
    the published ones do, none is left to train on: draw test people by `num_test_people`, and the protocols are
    kept to those; or train on other faces and test here (`analyze.py ... data=meglass`).
    Other arguments: see `FaceData` and `ImageData`.

    Args:
        dir: the folder that holds `meta.txt`, `MeGlass_120x120/` and `test/`, or the one that holds it as `meglass`.
        num_val_people: drawn from those who are not tested; null for 15 % of these.
        num_test_people: drawn from all; null for the people of the lists.
    """

    def __init__(
        self,
        *,
        dir: str,
        num_val_people: int | None = None,
        num_test_people: int | None = None,
        **shared: Unpack[OfFaces],
    ) -> None:
        share = max(2, round(0.15 * (shared["num_classes"] - (num_test_people or 0))))
        super().__init__(
            num_val_people=share if num_val_people is None else num_val_people,
            num_test_people=num_test_people or 0,
            **shared,
        )
        self.title, self.dir, self.root = "MeGlass", Path(dir).expanduser(), MEGLASS.find(dir)
        self.chosen_val_people = num_val_people
        self.form = Form(self.image_size, self.num_channels, self.own_fit)

    def photos(self) -> Images:
        """All photos of `meta.txt`, who wears glasses in them, and which are in each list.

        Raises:
            NetgazeError: the set is not there, or a list names a photo that is not.
        """
        if not (self.root / LABELS).is_file():
            raise NetgazeError(
                f"MeGlass is not at {self.dir}: there is no {LABELS}. Get MeGlass_120x120.zip, meta.txt and test/ by "
                "hand, as https://github.com/cleardusk/MeGlass says, and put them there."
            )
        worn = read_labels(self.root / LABELS)
        lists = {name: set(read_list(self.root / "test" / f"{name}.txt")) for name in LISTS}
        self._check_photos(self.root / LABELS, set(worn))
        for name, listed in lists.items():
            self._check_photos(self.root / "test" / f"{name}.txt", listed, set(worn))
        files = [self.root / PHOTOS / name for name in worn]
        decoded = decode_cached(self.root, files, self.form)
        self.remarks.add_unreadable(decoded.unreadable, list(worn))
        names = [name for name, readable in zip(worn, decoded.kept, strict=True) if readable]
        people = [parse_identity(name) for name in names]
        self.class_names = sorted(set(people))
        number = {person: place for place, person in enumerate(self.class_names)}
        marks = {GLASSES: torch.tensor([worn[name] for name in names])}
        marks |= {list_: torch.tensor([name in listed for name in names]) for list_, listed in lists.items()}
        labels = torch.tensor([number[person] for person in people])
        return Images(decoded.images, labels, marks=marks, source=decoded.source)

    def _check_photos(self, source: Path, names: set[str], known: set[str] | None = None) -> None:
        folder = self.root / PHOTOS
        there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
        absent = sorted(names - there)
        if absent:
            raise NetgazeError(
                f"{source} names {absent[0]}, which is not in {folder} ({len(absent)} of {len(names)} are not). Unpack "
                "all of MeGlass_120x120.zip there, or take the lines out."
            )
        if known is not None and names - known:
            raise NetgazeError(
                f"{source} names {min(names - known)}, but {LABELS} does not say whether it shows glasses. Take the "
                "line out, or add the photo there."
            )

    def people(self, whole: Images) -> dict[str, Tensor]:
        """The people of the lists are the test, unless so many are to be drawn; of the others validation is drawn."""
        if self.num_test_people:
            return super().people(whole)
        tested = whole.labels[_listed(whole)].unique()
        num_others = len(self.class_names) - len(tested)
        if not num_others:
            nobody = torch.empty(0, dtype=torch.int64)
            return {"train": nobody, "val": nobody, "test": tested}
        if num_others < 4:
            raise NetgazeError(
                f"The lists of {self.title} leave {num_others} people, but validation and training take two each. "
                "Add people, or draw those of the test by data.num_test_people."
            )
        share = max(2, round(0.15 * num_others))
        num_val = share if self.chosen_val_people is None else self.chosen_val_people
        return self.divided(tested, num_val, f"the lists of {self.title}")

    def load(self) -> dict[str, Images]:
        """The splits, each with people of its own; of those who are tested the listed photos alone."""
        splits = super().load()
        test = splits["test"].take(_listed(splits["test"]).nonzero().flatten())
        self._check_pairs("test", test.labels)
        return splits | {"test": test}

    def comparisons(self, split: str) -> dict[str, tuple[Tensor, Tensor | None]]:
        """The four protocols on test, all pairs and those by glasses elsewhere."""
        if split != "test":
            return super().comparisons(split)
        marks = self.splits[split].marks
        return {
            name: (_any(marks, gallery).nonzero().flatten(), _any(marks, probe).nonzero().flatten())
            for name, (gallery, probe) in PROTOCOLS.items()
        }

    def training_batches(self, labels: Tensor, rank: int, world: int) -> Any:
        """P people x K images a batch.

        Raises:
            NetgazeError: the lists name everyone.
        """
        if not len(labels):
            raise NetgazeError(
                f"The lists of {self.title} name all {self.num_classes} people, so none is left for training. Type "
                "data.num_test_people=500 to test on so many and train on the others, or train on another set."
            )
        return super().training_batches(labels, rank, world)


def read_labels(path: Path) -> dict[str, bool]:
    """Photo by photo of a file with lines such as `person@photo.jpg 1`: whether it shows glasses.

    Raises:
        NetgazeError: a line of another form.
    """
    worn = {}
    for number, line in _lines(path):
        name, _, label = line.rpartition(" ")
        if label not in ("0", "1") or "@" not in name:
            raise NetgazeError(f"{path}, line {number}: expected a photo's name and 0 or 1, got {line[:80]}.")
        worn[name] = label == "1"
    return worn


def read_list(path: Path) -> list[str]:
    """The photos of a list, a line each.

    Raises:
        NetgazeError: there is no such file, or a line names no person.
    """
    names = []
    for number, name in _lines(path):
        if "@" not in name:
            raise NetgazeError(f"{path}, line {number}: expected a photo's name with an @ in it, got {name[:80]}.")
        names.append(name)
    return names


def _lines(path: Path) -> list[tuple[int, str]]:
    """A file's lines by their numbers from 1, but empty ones."""
    try:
        return [(number, line) for number, line in enumerate(read_lines(path), start=1) if line.strip()]
    except OSError as error:
        why = error.strerror or error
        raise NetgazeError(f"{path} cannot be read ({why}). It comes with MeGlass: put it there.") from error


def _any(marks: dict[str, Tensor], names: Sequence[str]) -> Tensor:
    return torch.stack([marks[name] for name in names]).any(dim=0)


def _listed(images: Images) -> Tensor:
    """Which images are in one of the lists, bool [N]."""
    return _any(images.marks, LISTS)
