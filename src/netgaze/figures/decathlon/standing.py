"""Which runs count for which set of the Visual Decathlon, and what is not official about them."""

from collections.abc import Mapping
from typing import Any

from netgaze.figure import Finding

# (classes, test images), as published.
OFFICIAL = {
    "aircraft": (100, 3333),
    "cifar100": (100, 10_000),
    "daimlerpedcls": (2, 19_600),
    "dtd": (47, 1880),
    "gtsrb": (43, 12_630),
    "imagenet12": (1000, 48_238),
    "omniglot": (1623, 8115),
    "svhn": (10, 26_032),
    "ucf101": (101, 3783),
    "vgg-flowers": (102, 6149),
}
NOT_OFFICIAL = "points for other classes or test images than the official ones are not the challenge's"


def compare_official(name: str, config: dict[str, Any], metrics: dict[str, Any]) -> str:
    """How a run's classes and test images differ from the official ones; yes where they do not."""
    found = (config["data"].get("num_classes"), metrics.get("test/images"))
    different = [
        f"{_format_count(num)} of {_format_count(official)} {what}"
        for num, official, what in zip(found, OFFICIAL[name], ("classes", "test images"), strict=True)
        if num != official
    ]
    return f"no: {', '.join(different)}" if different else "yes"


def _format_count(num: int | None) -> str:
    return "unknown" if num is None else f"{num:,}"


def choose_counted(findings: Mapping[str, Finding]) -> dict[str, tuple[str, Finding]]:
    """The label and finding that count for each set, in the order of the sets."""
    best: dict[str, tuple[str, Finding]] = {}
    for label, finding in findings.items():
        name = finding.numbers.get("set")
        if name and (name not in best or _read_validation(finding) > _read_validation(best[name][1])):
            best[name] = label, finding
    return {name: best[name] for name in OFFICIAL if name in best}


def _read_validation(finding: Finding) -> float:
    accuracy = finding.numbers["val/acc"]
    return -1.0 if accuracy is None else accuracy


def sum_points(counted: dict[str, tuple[str, Finding]]) -> float:
    """The points of the runs that count."""
    return float(sum(finding.numbers["points"] for _, finding in counted.values()))


def list_unofficial(counted: dict[str, tuple[str, Finding]]) -> dict[str, str]:
    """By set, what differs from the official one."""
    told = {name: finding.numbers["official"] for name, (_, finding) in counted.items()}
    return {name: what.removeprefix("no: ") for name, what in told.items() if what != "yes"}


def list_outdone(findings: Mapping[str, Finding], counted: dict[str, tuple[str, Finding]]) -> list[str]:
    """The runs in whose place another of the same set counts."""
    winners = {label for label, _ in counted.values()}
    return [
        f"{label} ({finding.numbers['set']})"
        for label, finding in findings.items()
        if "set" in finding.numbers and label not in winners
    ]
