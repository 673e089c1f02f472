"""The AT&T (ORL) Database of Faces: 40 people, ten gray photos each (Samaria and Harter 1994)."""

import hashlib
import math
import re
from pathlib import Path
from typing import Literal, Unpack

import torch
from PIL import Image
from torch import Tensor

from netgaze.archives import unzip
from netgaze.data.cache import decode_cached
from netgaze.data.decode import FORMATS, Form
from netgaze.data.faces import GLASSES, FaceData, OfFaces
from netgaze.data.home import Home
from netgaze.data.images import Images
from netgaze.download import fetch
from netgaze.errors import NetgazeError

FOLDER, ARCHIVE = "att_faces", "att_faces.zip"
HOME = Home(FOLDER, ("[sS]40", "*/[sS]40", "*/*/[sS]40"), ARCHIVE)
URLS = (
    "https://www.cl.cam.ac.uk/Research/DTG/attarchive/pub/data/att_faces.zip",
    "https://raw.githubusercontent.com/maticvl/dataHacker/master/DATA/at%26t.zip",
)
ANEW = "name another folder with data.dir= to have the official ones downloaded there"
MOST_BYTES = 50_000_000  # of which the photos are 4 million
NUM_PEOPLE, NUM_PHOTOS = 40, 10
MOST_PIXELS = 1_000_000  # of a photo, which has 92 x 112
PIXELS = "2e4844a9f4fa4397058f69d6208047170f2e9d399cda18b55c1e8d28f0a83431"  # sha256 of all pixels in order
_PERSON, _PHOTO = re.compile(r"[sS]?0*(\d+)"), re.compile(r"0*(\d+)")  # of the folder and of the file, by name
NOTEBOOK_TEST = (5, 6, 7)  # the people that the Siamese notebook keeps for its test

# Who wears glasses in which of the ten photos, told by eye: 119 of 400. The set itself does not say.
ALWAYS = (2, 6, 14, 27, 28, 31, 34, 37)
SOMETIMES = {
    4: (1, 2, 3, 8, 9),
    7: (4, 5, 10),
    13: (1, 2, 5, 6, 7, 8, 9, 10),
    17: (1, 2, 5, 6, 7, 8, 9, 10),
    19: (1, 2, 3, 6, 10),
    20: (1, 2, 3, 5, 7, 8, 9, 10),
    36: (9, 10),
}


class AttFaces(FaceData):
    """People s1 to s40, downloaded once.

    A photo is known by its number and the folder it lies in (`s7/3.pgm`), in whatever format and however deep: the 40
    folders may lie side by side, in the Siamese notebook's two parts, or elsewhere.

    Other arguments: see `FaceData` and `ImageData`.

    Args:
        dir: where the folder `att_faces` or the archive `att_faces.zip` lies, or is downloaded to; or one of these.
        url: an address to try before the known ones.
        download: whether a missing set may be downloaded.
        verify: whether the photos must be the official ones, pixel by pixel.
        fit: how a photo of 92x112 pixels becomes a square: "squash" scales both sides, "crop" cuts the center out.
        split: "people" draws them by `split_seed`; "notebook" tests on s5, s6, s7 and trains on the other 37, of
            which validation takes `num_val_people`.
    """

    def __init__(
        self,
        *,
        dir: str,
        url: str | None = None,
        download: bool = True,
        verify: bool = True,
        fit: Literal["crop", "squash"] = "squash",
        split: Literal["people", "notebook"] = "people",
        num_val_people: int = 5,
        num_test_people: int = 5,
        **shared: Unpack[OfFaces],
    ) -> None:
        super().__init__(num_val_people=num_val_people, num_test_people=num_test_people, **shared)
        if split not in ("people", "notebook"):
            raise NetgazeError(f"Unknown data.split={split}. Choose people or notebook.")
        self.title, self.own_fit = "AT&T faces", fit
        self.folder, self.archive = HOME.find(dir), HOME.find_archive(dir)
        self.urls = (*([url] if url else []), *URLS)
        self.download, self.verify, self.split = download, verify, split
        self.form = Form(self.image_size, self.num_channels, fit)

    def photos(self) -> Images:
        """All 400 photos, and who wears glasses in them.

        Raises:
            NetgazeError: the set is not there and cannot be had, or is not whole.
        """
        root = self._folder()
        files = self._files(root)
        if self.verify:
            self._check_pixels(root, files)
        decoded = decode_cached(root, files, self.form)
        if not decoded.kept.all():
            lost = [file for file, kept in zip(files, decoded.kept, strict=True) if not kept]
            more = f", nor can {len(lost) - 1} more" if len(lost) > 1 else ""
            raise NetgazeError(f"{lost[0]} cannot be read as a photo{more}. Put the photos there again, or {ANEW}.")
        self.class_names = [f"s{person}" for person in range(1, NUM_PEOPLE + 1)]
        labels = torch.arange(NUM_PEOPLE).repeat_interleave(NUM_PHOTOS)
        return Images(decoded.images, labels, marks={GLASSES: wears_glasses()}, source=decoded.source)

    def people(self, whole: Images) -> dict[str, Tensor]:
        """The people of each split, by `split_seed`, or the notebook's."""
        if self.split == "people":
            return super().people(whole)
        return self.divided(torch.tensor(NOTEBOOK_TEST) - 1, self.num_val_people, "the notebook's three")

    def _folder(self) -> Path:
        folder, archive = self.folder, self.archive
        if folder.is_dir():
            return folder
        if not archive.exists():
            if not self.download:
                raise NetgazeError(
                    f"There are no AT&T faces at {folder} or {archive}. Put them there, or set data.download=true."
                )
            fetch(self.urls, archive)
        unzip(archive, folder, MOST_BYTES)
        return folder

    def _files(self, root: Path) -> list[Path]:
        """The photos of s1, then of s2, and so on, wherever below `root` they lie."""
        found = dict[tuple[int, int], Path]()
        for path in sorted(root.rglob("*"), key=lambda path: (path.suffix.lower() != ".pgm", path)):  # its own first
            person, photo = _PERSON.fullmatch(path.parent.name), _PHOTO.fullmatch(path.stem)
            if person and photo and path.is_file() and "__MACOSX" not in path.parts:
                found.setdefault((int(person[1]), int(photo[1])), path)
        every = [(person, photo) for person in range(1, NUM_PEOPLE + 1) for photo in range(1, NUM_PHOTOS + 1)]
        missing = [f"s{person}/{photo}" for person, photo in every if (person, photo) not in found]
        if missing:
            raise NetgazeError(
                f"{root} lacks {len(missing)} of the 400 photos, {missing[0]} first (as .pgm, .png or another format). "
                f"Put them there, or {ANEW}."
            )
        return [found[one] for one in every]

    def _check_pixels(self, root: Path, files: list[Path]) -> None:
        found = hashlib.sha256()
        for file in files:
            found.update(_raw(file))
        if found.hexdigest() != PIXELS:
            raise NetgazeError(
                f"The photos in {root} are not the official ones: their pixels differ, as those of JPEG files do. Set "
                f"data.verify=false if you trust them, or {ANEW}."
            )


def _raw(file: Path) -> bytes:
    """A photo's 92 x 112 gray values; nothing for a broken file, or a far larger one."""
    try:
        with Image.open(file, formats=FORMATS) as opened:
            return opened.convert("L").tobytes() if math.prod(opened.size) <= MOST_PIXELS else b""
    except Exception:  # readers of broken files raise nearly everything
        return b""


def wears_glasses() -> Tensor:
    """Whether the person wears glasses, bool [400], photo by photo of s1, of s2, and so on."""
    worn = torch.zeros(NUM_PEOPLE, NUM_PHOTOS, dtype=torch.bool)
    worn[[person - 1 for person in ALWAYS]] = True
    for person, photos in SOMETIMES.items():
        worn[person - 1, [photo - 1 for photo in photos]] = True
    return worn.flatten()
