"""The layout of a folder of pictures: its parts, and the class of each picture. Needs no torch.

One reader for all that lies in folders: parts are found by the names that people give them, classes by folders or by a
table of labels, and what was left out is said. What can be read in two ways is asked about, never guessed.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from netgaze.errors import NetgazeError
from netgaze.folders.classes import are_no_classes, check_classes, describe_leaves, group_by_class
from netgaze.folders.parts import PART_NAMES, find_parts, join_names, name_part
from netgaze.folders.scan import Place, Scan, make_readable, scan
from netgaze.folders.table import Column, LabelFile, find_label_file, read_label_file
from netgaze.program import spell
from netgaze.text import count_of


@dataclass(frozen=True)
class Reading:
    """How a folder is to be read; all but the last are keys of `data`.

    Args:
        parts: null to find them by their names; a mapping of "train", "val", "test" to folders, and no other folder is
            read; "none": there are none, every folder is a class.
        labels: a table of labels, CSV or TSV; null to find one where there are no folders of classes.
        image_column, label_column: of the table, by name or by number from 1; null to guess them.
        class_folders: "top": the folders directly in a part are its classes; "leaves": all that hold pictures are.
        own_classes: whether validation and test have classes of their own, as with people whom training never saw.
    """

    parts: Any = None
    labels: str | None = None
    image_column: Column = None
    label_column: Column = None
    class_folders: str = "top"
    own_classes: bool = False

    def __post_init__(self) -> None:
        if self.class_folders not in ("top", "leaves"):
            raise NetgazeError(f"Unknown data.class_folders={self.class_folders}. Choose top or leaves.")
        if self.parts is None or self.parts == "none":
            return
        example = "as in 'data.parts={train:photos,test:new}'"
        if not isinstance(self.parts, Mapping):
            raise NetgazeError(
                f"data.parts={self.parts} is not possible. Choose null, none, or folders by part, {example}."
            )
        if "train" not in self.parts or set(self.parts) - set(PART_NAMES) or None in self.parts.values():
            raise NetgazeError(
                f"data.parts={dict(self.parts)} must name the folder of train, and may name those of val and test, "
                f"{example}."
            )

    @property
    def columns(self) -> tuple[Column, Column]:
        """Of the pictures and of the labels."""
        return self.image_column, self.label_column


@dataclass
class Part:
    """Pictures of a part, by their paths below the root, and the class of each."""

    pictures: list[Place] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)

    def add(self, pictures: Sequence[Place], name: str) -> None:
        """Take pictures of one class."""
        self.pictures += pictures
        self.classes += [name] * len(pictures)


@dataclass
class Layout:
    """What was found in a folder.

    Attributes:
        found: its pictures, and what was ignored.
        parts: "train", and "val" and "test" where the folder has them.
        folders: of each part, where it lies below the root.
        class_names: sorted: those of training, or of all parts where each has its own.
        notes: how it was read, a sentence each.
        warnings: what may be a mistake, a sentence each.
        tables: paths of files that label one part alone.
    """

    found: Scan
    parts: dict[str, Part] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)
    class_names: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)

    def take_table(self, file: LabelFile, place: Place) -> None:
        """Note how a table was read, and which pictures below a folder it does not list."""
        self.notes.append(file.said)
        self.warnings += file.warnings
        self.tables += [] if file.by_path else [file.path]
        self.found.watched.append(file.path)
        for why, names in list(self.found.ignored.items()):
            if why.startswith("ending ."):  # it was listed among what is no picture
                self.found.ignored[why] = [name for name in names if name.rpartition("/")[2] != file.name]
                if not self.found.ignored[why]:
                    del self.found.ignored[why]
        rest = [picture for picture in self.found.list_below(place) if picture not in file.labels]
        if rest:
            self.found.ignore(f"not listed in {file.name}", *map(_name, rest))


def read_folder(folder: str, reading: Reading) -> Layout:
    """The parts and classes of a folder.

    Raises:
        NetgazeError: no pictures, a layout that can be read in two ways, or a table of labels that does not fit.
    """
    found = scan(folder)
    if not found.pictures:
        kinds = ", ".join(sorted({kind for kinds in found.empty.values() for kind in kinds.split(", ") if kind}))
        raise NetgazeError(
            f"{folder} holds no pictures{f', only files of {kinds}' if kinds else ''}. Put the images of each class "
            "into a folder of their own."
        )
    layout = Layout(found)
    places = find_parts(found, reading.parts)
    layout.folders = {part: _name(place) for part, place in places.items()}
    if reading.labels is not None:
        _read_typed_table(layout, places, reading)
    else:
        for part, place in places.items():
            _read_part(layout, part, place, reading)
    _match_classes(layout, reading.own_classes)
    _warn_of_empty(layout, list(places.values()))
    return layout


def _read_typed_table(layout: Layout, places: Mapping[str, Place], reading: Reading) -> None:
    """All parts from one table, which was typed: by its column of parts, or by the folders of the pictures."""
    found = layout.found
    file = read_label_file(found, _locate_table(found, str(reading.labels)), (), reading.columns)
    layout.take_table(file, ())
    parts = {part: Part() for part in PART_NAMES}
    for picture, (label, listed) in file.labels.items():
        inside = (part for part, place in places.items() if picture[: len(place)] == place)
        part = name_part(listed) if listed else next(inside, None)
        if part is None:
            found.ignore("in no part", _name(picture))
        else:
            parts[part].add([picture], label)
    layout.parts = {part: own for part, own in parts.items() if own.pictures}
    if "train" not in layout.parts:
        raise NetgazeError(f"data.labels={reading.labels} names no training picture.")


def _locate_table(found: Scan, labels: str) -> str:
    for path in (found.locate([labels]), os.path.expanduser(labels)):
        if os.path.isfile(path):
            return path
    raise NetgazeError(f"data.labels={labels}: there is no such file in {found.root} or in the current folder.")


def _read_part(layout: Layout, part: str, place: Place, reading: Reading) -> None:
    """A part's classes by its folders, else by a table, else by nothing: then it is left out."""
    found = layout.found
    if _is_divided(layout, part, place, reading):
        layout.parts[part] = _read_classes(layout, part, place, reading)
    elif file := find_label_file(found, place, reading.columns, layout.tables):
        layout.take_table(file, place)
        own = layout.parts[part] = Part()
        for picture, (label, _) in file.labels.items():
            own.add([picture], label)
    elif part == "train":
        _refuse_undivided(found, place)
    else:
        pictures = found.list_below(place)
        layout.warnings.append(
            f"{_name(place)} has no labels for its {count_of(len(pictures), 'picture')} and is left out. Once trained, "
            f"{spell('analyze')} runs=[...] 'figure=[predict]' 'images=[{found.locate(place)}]' names their classes."
        )
        found.ignore("without a label", *map(_name, pictures))


def _read_classes(layout: Layout, part: str, place: Place, reading: Reading) -> Part:
    found, leaves = layout.found, reading.class_folders == "leaves"
    groups, own = group_by_class(found, place, leaves), Part()
    for name, pictures in groups.items():
        own.add(pictures, name)
    if place in found.pictures:
        found.ignore("outside the folders of classes", *(_name((*place, name)) for name in found.pictures[place]))
    if part == "train":
        check_classes(found, place, list(groups), sure=reading.parts == "none")
        if not leaves and (advice := describe_leaves(found, place, list(groups))):
            layout.warnings.append(advice)
    return own


def _is_divided(layout: Layout, part: str, place: Place, reading: Reading) -> bool:
    """Whether a part's folders are its classes; a single one, or one called images, holds pictures of all.

    Raises:
        NetgazeError: they are other classes than training's.
    """
    names = layout.found.list_folders(place)
    if part == "train" or reading.own_classes or reading.class_folders == "leaves":
        return len(names) > 1
    known = {name.partition("/")[0].strip().casefold() for name in layout.parts["train"].classes}
    if any(make_readable(name).strip().casefold() in known for name in names):
        return True
    if len(names) < 2 or are_no_classes(names):
        return False
    raise NetgazeError(
        f"{_name(place)} and training share no class: {_name(place)} has {join_names(names)}, training "
        f"{join_names(sorted(set(layout.parts['train'].classes)))}. Name their folders alike; where other people are "
        "tested than trained on, choose data=face_folder."
    )


def _refuse_undivided(found: Scan, place: Place) -> None:
    names = found.list_folders(place)
    if len(names) == 1:
        check_classes(found, place, [make_readable(name) for name in names], sure=False)
    raise NetgazeError(
        f"{found.locate(place)} has no folders of classes: its {count_of(len(found.list_below(place)), 'picture')} lie "
        "side by side. Put those of each class into a folder of their own, or name a table of their labels, as "
        "data.labels=labels.csv does."
    )


def _match_classes(layout: Layout, own_classes: bool) -> None:
    """Give validation and test the classes of training, whatever the case of their names; leave the others out."""
    names = layout.class_names = sorted({name for name in layout.parts["train"].classes})
    if own_classes:
        layout.class_names = sorted({name for part in layout.parts.values() for name in part.classes})
        return
    alike = {name.strip().casefold(): name for name in names} | {name: name for name in names}
    for part in ("val", "test"):
        old, new, extra = layout.parts.get(part), Part(), dict[str, list[Place]]()
        if old is None:
            continue
        for picture, name in zip(old.pictures, old.classes, strict=True):
            known = alike.get(name) or alike.get(name.strip().casefold())
            if known is None:
                extra.setdefault(name, []).append(picture)
            else:
                new.add([picture], known)
        if old.pictures and not new.pictures:
            raise NetgazeError(
                f"{part} has no picture of a class that training knows: it has {join_names(sorted(extra))}, training "
                f"{join_names(names)}. Name their classes alike."
            )
        layout.parts[part] = new
        for name, pictures in extra.items():
            layout.warnings.append(
                f"{part} has {count_of(len(pictures), 'picture')} of {name}, a class that training lacks; left out."
            )
            layout.found.ignore("of a class that training lacks", *map(_name, pictures))


def _warn_of_empty(layout: Layout, places: list[Place]) -> None:
    """Folders that would be classes or parts, had they pictures."""
    for place, kinds in layout.found.empty.items():
        if place and (place[:-1] in places or (len(place) == 1 and name_part(place[0]))):
            layout.warnings.append(
                f"{_name(place)} holds no pictures{f', only files of {kinds},' if kinds else ''} and is left out."
            )


def _name(place: Place) -> str:
    return "/".join(map(make_readable, place))
