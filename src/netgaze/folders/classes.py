"""Classes from the folders of pictures. Needs no torch."""

from netgaze.errors import NetgazeError
from netgaze.folders.parts import join_names
from netgaze.folders.scan import Place, Scan, make_readable

# Folders that lie beside pictures or hold all of them: as classes they are nearly always a mistake.
_NO_CLASSES = frozenset(
    [
        *("images", "image", "imgs", "img", "jpegimages", "pictures", "pics", "photos", "annotations", "annotation"),
        *("labels", "label", "masks", "mask", "trimaps", "segmentation", "segmentations", "segmentationclass"),
        *("ground_truth", "groundtruth", "gt", "meta", "metadata", "bboxes", "xmls"),
    ]
)


def are_no_classes(names: list[str]) -> bool:
    """Whether folders bear names that no class has, such as images."""
    return all(make_readable(name).casefold() in _NO_CLASSES for name in names)


def group_by_class(found: Scan, place: Place, leaves: bool) -> dict[str, list[Place]]:
    """The pictures of each class below a folder, classes sorted; two spellings of one name are one class.

    Args:
        found: what lies in the folder.
        place: the folder of a part.
        leaves: whether each folder that holds pictures is a class, by its path; else the folders directly in `place`.
    """
    groups = dict[str, list[Place]]()
    holding = sorted(each for each in found.pictures if len(each) > len(place) and each[: len(place)] == place)
    for folder in holding if leaves else [(*place, name) for name in found.list_folders(place)]:
        pictures = [(*folder, name) for name in found.pictures[folder]] if leaves else found.list_below(folder)
        groups.setdefault("/".join(map(make_readable, folder[len(place) :])), []).extend(pictures)
    return dict(sorted(groups.items()))


def check_classes(found: Scan, place: Place, names: list[str], sure: bool) -> None:
    """Refuse folders that cannot be the classes to learn.

    Args:
        found: what lies in the folder.
        place: the folder of a part.
        names: of its folders.
        sure: whether it was said that they are the classes, however they are named.

    Raises:
        NetgazeError: there is one alone, or their names are not of classes.
    """
    where = found.locate(place)
    if len(names) == 1:
        fork = _find_fork(found, (*place, found.list_folders(place)[0]))
        advice = "Give a folder with one folder of pictures for each class."
        if fork is not None:
            advice = (
                f"Its folders are {join_names(found.list_folders(fork))}: data.dir={found.locate(fork)} takes these."
            )
        raise NetgazeError(f"{where} has a single class, {names[0]}, so there is nothing to classify. {advice}")
    if are_no_classes(names) and not sure:
        raise NetgazeError(
            f"{where} has the folders {join_names(names)}, which do not sound like classes. Name the folder that holds "
            "one folder for each class by data.dir=, or a table of labels by data.labels=; where these are the "
            "classes, type data.parts=none."
        )


def describe_leaves(found: Scan, place: Place, names: list[str]) -> str:
    """A sentence where classes hold their pictures in folders that may be classes themselves; else empty."""
    depth = len(place) + 1
    inside = [each for each in found.pictures if each[: depth - 1] == place and len(each) >= depth]
    if any(len(each) == depth for each in inside) or len({each[depth:] for each in inside}) == 1:
        return ""  # pictures lie in the classes' own folders, or in one of the same name in each
    return (
        f"The {len(names)} classes hold their pictures in {len(inside)} folders below them "
        f"({join_names('/'.join(each[depth - 1 :]) for each in inside)}): data.class_folders=leaves takes each of "
        "these for a class."
    )


def _find_fork(found: Scan, place: Place) -> Place | None:
    """The first folder at or below `place` with several folders of pictures."""
    below = found.list_folders(place)
    if len(below) == 1 and place not in found.pictures:
        return _find_fork(found, (*place, below[0]))
    return place if len(below) > 1 else None
