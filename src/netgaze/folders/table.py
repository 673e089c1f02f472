"""Labels from a CSV or TSV table: finds the columns of pictures and classes. Needs no torch."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from netgaze.errors import NetgazeError
from netgaze.folders.rows import read_rows
from netgaze.folders.scan import Place, Scan, make_readable
from netgaze.text import count_of

Column = str | int | None

_TRIED = 200  # rows by which columns are guessed
# What people call these columns, letters and digits alone, the likeliest first.
_LABELS = (
    *("label", "labels", "class", "classname", "classlabel", "category", "target", "species", "breed", "y"),
    *("classid", "labelname", "labelid", "categoryid", "targetlabel", "diagnosis", "level", "tag", "type"),
    *("emotion", "identity", "person"),
)
_PARTS = ("split", "set", "part", "partition", "subset", "usage")


@dataclass(frozen=True)
class LabelFile:
    """What a table says.

    Attributes:
        path: of the file.
        name: of it, for a person to read.
        labels: of each picture that it lists, by its path below the root: the class, and the part or "".
        said: how it was read, in a sentence.
        warnings: what may be a mistake, a sentence each.
        fits: whether half of its rows or more name one of the pictures.
        by_path: whether it names their folders, too.
    """

    path: str
    name: str
    labels: dict[Place, tuple[str, str]]
    said: str
    warnings: list[str]
    fits: bool
    by_path: bool


def find_label_file(
    found: Scan, part: Place, columns: tuple[Column, Column], others: Sequence[str] = ()
) -> LabelFile | None:
    """The table that lists the pictures of a part: one in its folder, or beside it.

    Args:
        found: the pictures.
        part: the folder of the part.
        columns: of the pictures and of the labels, where they were typed.
        others: paths of files that are about other parts.

    Raises:
        NetgazeError: several do.
    """
    near = [table for table in found.tables if table[:-1] in (part, part[:-1], part[:-2])]
    read = {table: _read_if_fitting(found, table, part, columns) for table in near if found.locate(table) not in others}
    fitting = {table: file for table, file in read.items() if file is not None}
    if len(fitting) > 1:  # one that lies in the part, or bears its name, is meant before others
        own = [table for table in fitting if (part and table[:-1] == part) or _is_named_after(table, part)]
        fitting = {own[0]: fitting[own[0]]} if len(own) == 1 else fitting
    if len(fitting) > 1:
        names = " and ".join("/".join(table) for table in fitting)
        raise NetgazeError(f"{found.root} has several tables of labels, {names}. Type data.labels= for one of them.")
    return next(iter(fitting.values()), None)


def _is_named_after(table: Place, part: Place) -> bool:
    return bool(part) and table[-1].casefold().startswith(part[-1].casefold())


def _read_if_fitting(found: Scan, table: Place, part: Place, columns: tuple[Column, Column]) -> LabelFile | None:
    """A table of labels that differ, most of which are about this part; None for other files."""
    if "submission" in table[-1].casefold():  # what a contest wants to have, with labels of no meaning
        return None
    try:
        file = read_label_file(found, found.locate(table), part, columns)
    except NetgazeError:
        return None
    return file if len({label for label, _ in file.labels.values()}) > 1 and (file.fits or file.by_path) else None


def read_label_file(found: Scan, path: str, part: Place, columns: tuple[Column, Column]) -> LabelFile:
    """The label of each picture of a part that a table lists.

    Args:
        found: the pictures.
        path: of the table.
        part: the folder whose pictures it may list; () for all.
        columns: of the pictures and of the labels, by name or by number from 1, where they were typed.

    Raises:
        NetgazeError: no table, no column that names pictures, or one picture of two classes.
    """
    name = make_readable(os.path.basename(path))
    rows = read_rows(path, name)
    find = _make_finder(found, part)
    width = len(rows[0])
    header = _has_header(rows, find)
    heads = rows[0] if header else [f"column {number}" for number in range(1, width + 1)]
    body = rows[1:] if header else rows
    image = _choose(columns[0], heads, name, "image_column") or _guess_image(body, width, find)
    if image is None:
        raise NetgazeError(
            f"{name}: no column names pictures that lie in {found.locate(part)}. Its columns are "
            f"{', '.join(heads[:12])}; type data.image_column=."
        )
    label = _choose(columns[1], heads, name, "label_column") or _guess_label(heads, body, image - 1)
    if label is None:
        raise NetgazeError(
            f"{name}: none of its columns looks like labels. They are {', '.join(heads[:12])}; type data.label_column=."
        )
    listed_part = next((place for place, head in enumerate(heads) if _plain(head) in _PARTS), None)
    return _collect(path, name, body, heads, (image - 1, label - 1, listed_part), find)


def _collect(
    path: str,
    name: str,
    body: Sequence[Sequence[str]],
    heads: Sequence[str],
    columns: tuple[int, int, int | None],
    find: Callable[[str], Place | None],
) -> LabelFile:
    image, label, listed_part = columns
    labels, missing, bare, by_path = dict[Place, tuple[str, str]](), list[str](), 0, False
    for row in body:
        cells = [*row, *[""] * (len(heads) - len(row))]
        if not cells[image].strip():
            continue
        place, said = find(cells[image]), make_readable(cells[label].strip())
        by_path |= bool(re.search(r"[/\\]", cells[image]))
        if place is None:
            missing.append(cells[image])
        elif not said:
            bare += 1
        elif labels.setdefault(place, (said, cells[listed_part] if listed_part is not None else ""))[0] != said:
            raise NetgazeError(
                f"{name} lists {cells[image]} as {labels[place][0]} and as {said}. A picture has one class: remove the "
                "wrong row, or choose another column by data.label_column=."
            )
    warnings = []
    if missing:
        warnings.append(f"{name} lists {count_of(len(missing), 'picture')} that cannot be found, {missing[0]} first.")
    if bare:
        warnings.append(f"{name} has no label for {count_of(bare, 'picture')}; left out.")
    said = f"{name}: pictures by {heads[image]}, labels by {heads[label]}"
    said += f"; {len(labels)} of its {len(body)} rows name a picture"
    return LabelFile(path, name, labels, said, warnings, 2 * len(labels) >= len(body), by_path)


def _make_finder(found: Scan, part: Place) -> Callable[[str], Place | None]:
    """A function from what a table calls a picture to where it lies: its path, its end, or its name without ending."""
    names, elsewhere = dict[str, Place | None](), set[str]()
    for place in found.list_below(()):
        inside = place[: len(part)] == part
        for key in _name_in_all_ways(place):
            if not inside:
                elsewhere.add(key)
            else:  # what two are called names neither
                names[key] = place if names.get(key, place) == place else None

    def find(text: str) -> Place | None:
        words = [word for word in make_readable(text.strip()).replace("\\", "/").split("/") if word not in ("", ".")]
        for start in range(len(words)):
            key = "/".join(words[start:])
            if names.get(key) is not None:
                return names[key]
            if "/" in key and key in elsewhere:  # of another part, where a picture may have the same name
                return None
        return None

    return find


def _name_in_all_ways(place: Place) -> Iterator[str]:
    readable = [make_readable(each) for each in place]
    for last in {readable[-1], os.path.splitext(readable[-1])[0]}:
        for start in range(len(readable)):
            yield "/".join((*readable[start:-1], last))


def _has_header(rows: Sequence[Sequence[str]], find: Callable[[str], Place | None]) -> bool:
    return not any(find(cell) for cell in rows[0])


def _guess_image(body: Sequence[Sequence[str]], width: int, find: Callable[[str], Place | None]) -> int | None:
    """The column, from 1, of which most cells name a picture."""
    tried = body[:_TRIED]
    hits = [sum(find(row[place]) is not None for row in tried) for place in range(width)]
    best = max(range(width), key=lambda place: hits[place])
    return best + 1 if hits[best] else None


def _guess_label(heads: Sequence[str], body: Sequence[Sequence[str]], image: int) -> int | None:
    """The column of the labels, from 1: one that is called so, else the only other one, else words that repeat."""
    others = [place for place in range(len(heads)) if place != image and _plain(heads[place]) not in _PARTS]
    named = {_plain(heads[place]): place for place in reversed(others)}
    for name in _LABELS:
        if name in named:
            return named[name] + 1
    if len(others) == 1:
        return others[0] + 1
    tried = body[:_TRIED]
    repeating = [place for place in others if 1 < len({row[place] for row in tried}) < len(tried)]
    words = [place for place in repeating if not all(_is_number(row[place]) for row in tried)]
    return next((place + 1 for place in (*words, *repeating)), None)


def _choose(typed: Column, heads: Sequence[str], name: str, key: str) -> int | None:
    """The column that was typed, from 1; None where none was.

    Raises:
        NetgazeError: there is no such column.
    """
    if typed is None:
        return None
    if str(typed) in heads:
        return list(heads).index(str(typed)) + 1
    if str(typed).isdigit() and 1 <= int(typed) <= len(heads):
        return int(typed)
    raise NetgazeError(f"data.{key}={typed}: {name} has no such column. It has {', '.join(heads[:12])}.")


def _plain(head: str) -> str:
    return re.sub(r"[\W_]", "", head.casefold())


def _is_number(cell: str) -> bool:
    return bool(re.fullmatch(r"\s*[-+]?[\d.]+\s*", cell))
