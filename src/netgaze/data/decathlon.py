"""The ten data sets of the Visual Decathlon (Rebuffi, Bilen and Vedaldi 2017), from their official files."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import torch
from torch import Tensor

from netgaze.data.annotations import Annotations, Listing, read_annotations, read_listing
from netgaze.data.base import ImageData, Shared
from netgaze.data.cache import Decoded, decode_cached
from netgaze.data.count import DECATHLON
from netgaze.data.decode import Form
from netgaze.data.images import Images
from netgaze.data.pixels import crop_center
from netgaze.data.splits import hold_out
from netgaze.errors import NetgazeError

log = logging.getLogger(__name__)

FOLDER = DECATHLON.folder
SITE = "https://www.robots.ox.ac.uk/~vgg/share"
# A published image's shorter side has 72 pixels, of which the reference shows windows of 64.
PUBLISHED, SHOWN = 72, 64


@dataclass(frozen=True)
class OfficialTest:
    """What the challenge asks to be named: images without labels, in the order of the stripped file.

    Args:
        images: as they are shown, uint8 [N,C,H,W].
        image_ids: [N], as in the annotations.
        category_ids: of the classes [K], in the order of the network's outputs.
    """

    images: Tensor
    image_ids: list[int]
    category_ids: list[int]


class Decathlon(ImageData):
    """One of the ten sets: `<dir>/decathlon-1.0/annotations/<set>_{train,val,test}.json`, and the images named there.

    The official test is stripped of its labels (`<set>_test_stripped.json`). Where `<set>_test.json`, published later,
    lies beside it, it is the test split; else the official validation split is divided by class share, with
    `split_seed`, one half to select by and one to report, and the log says so.

    As in the reference, images are scaled to a shorter side of 72, training sees random windows of 64, and validation
    and test the center. Deviations: of an oblong image only the center square is kept, so that all lie in one array;
    and the reference shows gtsrb, omniglot and svhn whole, which is `data.image_size=72 data.stored_size=72`.

    Each split is decoded once into a memory-mapped cache. Other arguments: see `ImageData`.

    Args:
        dir: the folder that holds `decathlon-1.0`, or that folder.
        set: name of the set, as its files have it.
        stored_size: side of the square that is kept of an image; null for 72/64 of `image_size`.
    """

    own_fit = "center"

    def __init__(
        self,
        *,
        dir: str,
        set: str,
        stored_size: int | None = None,
        **shared: Unpack[Shared],
    ) -> None:
        published = round(shared["image_size"] * PUBLISHED / SHOWN)
        super().__init__(stored_size=published if stored_size is None else stored_size, **shared)
        self.title, self.set = f"{type(self).__name__} {set}", set
        self.root = DECATHLON.find(dir)
        self.form = Form(self.stored_size, self.num_channels, self.own_fit)

    def load(self) -> dict[str, Images]:
        """The splits "train", "val" and "test".

        Raises:
            NetgazeError: files are missing, or are not of the official form.
        """
        names = ["train", "val", "test"] if self._json("test").exists() else ["train", "val"]
        annotated = {split: self._annotations(split) for split in names}
        categories = annotated["train"].categories
        for part in annotated.values():
            self._check_categories(part, list(categories))
        self.class_names, self.category_ids = list(categories.values()), list(categories)
        splits = {split: self._images(part) for split, part in annotated.items()}
        return splits if "test" in splits else splits | self._halves(splits["val"])

    def official_test(self) -> OfficialTest:
        """The whole official test, without labels and whatever `limit` says.

        Raises:
            NetgazeError: the stripped file or an image is missing, or not of the official form.
        """
        self.setup()
        listed = read_listing(self._existing("test_stripped"))
        self._check_categories(listed, self.category_ids)
        whole = Images(self._decode(listed).images, torch.tensor(listed.ids))
        return OfficialTest(crop_center(whole.images, self.image_size), listed.ids, self.category_ids)

    def _check_categories(self, part: Listing, ids: list[int]) -> None:
        if list(part.categories) != ids:
            raise NetgazeError(
                f"{part.path} lists other categories than {self._json('train').name}. Use both from the same archive."
            )

    def _json(self, split: str) -> Path:
        return self.root / "annotations" / f"{self.set}_{split}.json"

    def _annotations(self, split: str) -> Annotations:
        return read_annotations(self._existing(split))

    def _existing(self, split: str) -> Path:
        path = self._json(split)
        if not path.exists():
            raise NetgazeError(
                f"There is no {path}. Unpack {SITE}/{FOLDER}-devkit.tar.gz in {self.root.parent}, {FOLDER}-data.tar.gz "
                f"of the same place in {self.root / 'data'}, and there the .tar that it holds for each set."
            )
        return path

    def _images(self, part: Annotations) -> Images:
        decoded = self._decode(part)
        return Images(decoded.images, torch.tensor(part.labels), source=decoded.source)

    def _decode(self, part: Listing) -> Decoded:
        """The images of a file as they are stored, all of them."""
        files = [self.root / name for name in part.files]
        try:
            decoded = decode_cached(self.root, files, self.form)
        except FileNotFoundError as error:
            raise NetgazeError(
                f"There is no {error.filename}, which {part.path.name} lists. Unpack {FOLDER}-data.tar.gz and the .tar "
                f"in it (imagenet12's is separate) in {self.root / 'data'}."
            ) from error
        if not decoded.kept.all():
            broken = files[int(decoded.kept.argmin())]
            more = f", nor can {int((~decoded.kept).sum()) - 1} more" if (~decoded.kept).sum() > 1 else ""
            raise NetgazeError(
                f"{broken}, which {part.path.name} lists, cannot be read as an image{more}. Unpack its archive again."
            )
        return decoded

    def _halves(self, whole: Images) -> dict[str, Images]:
        """The official validation split, divided to select by one half and to report on the other."""
        key = f"{self._json('val').name}, halved for want of a labeled test: num_test"
        val, test = hold_out(whole.labels, len(whole) // 2, self.training.split_seed, key)
        log.info(
            "%s has no labels of the official test (%s), so its %d validation images are divided: %d select, %d report",
            *(self.title, self._json("test").name, len(whole), len(val), len(test)),
        )
        return {"val": whole.take(val), "test": whole.take(test)}
