"""The numbers of the pages: each stands once, in a file of `docs/numbers/`, and pages show it by its name.

A file is about one subject. Each of its measurements says what was run, on what and when, and what came out:

    title: Faces
    page: faces.md                          # where they are discussed, if anywhere
    measured:
      heads:
        title: Losses on AT&T
        command: python train.py -m ...     # or a list of them; or `source`, of a published number
        device: epyc                        # a name in devices.yaml
        date: 2026-11-21
        seeds: 0, 1, 2                      # where there are any
        note: Other work shared the machine.
        values:
          contrastive: {EER: 2.78 ± 3.16%, AUC: 0.99}
          triplet: {EER: 2.90 ± 3.00%, AUC: 0.98}

A value is what is printed: digits, unit, spread or interval. A page shows one as
`<data value="faces/heads/contrastive/EER">2.78 ± 3.16%</data>`, without what follows the ± or stands in brackets as
`faces/heads/contrastive/EER/value`; all of a measurement as a table between `<!-- numbers: faces/heads -->` and
`<!-- end -->`; how a file's were measured between `<!-- measured: faces -->` and the same.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

NUMBERS = Path(__file__).resolve().parent / "numbers"
SHOWN = re.compile(r'<data value="([^"]+)">(.*?)</data>', re.DOTALL)
LISTED = re.compile(r"<!-- measured: (\w+) -->")  # how a file's were measured stands on this page
NOT_MEASURED = "set"  # in a name's place: what someone chose or defined, such as the top 20%
LONGEST = 300  # characters of a command where the pointer rests on its number
SPREAD = re.compile(r" ± [\d.,]+| \([^)]*\)")


@dataclass(frozen=True)
class Measurement:
    """What was run once, and its values: by name, or by row and column.

    Attributes:
        device: its words, from devices.yaml.
        source: of published numbers, who published them: then there is no command, device or date.
    """

    name: str
    title: str
    values: Mapping[str, str | Mapping[str, str]]
    command: Sequence[str] = ()
    device: str = ""
    date: str = ""
    seeds: str = ""
    source: str = ""
    note: str = ""

    def find(self, parts: Sequence[str]) -> str:
        """The value of a name within the measurement, as it is printed."""
        found: Any = self.values
        *names, last = parts
        for name in names if last == "value" else parts:
            found = found[name]
        if not isinstance(found, str):
            raise KeyError(parts)
        return SPREAD.sub("", found) if last == "value" else found

    def say(self) -> str:
        """How it was measured, but for the command."""
        source, seeds = (
            f"published by {self.source}" if self.source else "",
            f"seed{'s' * (not self.seeds.isdigit())} {self.seeds}" if self.seeds else "",
        )
        return ", ".join(filter(None, [source, self.device, self.date, seeds]))


@dataclass(frozen=True)
class Subject:
    """A file: measurements about one subject, by name."""

    title: str
    measured: Mapping[str, Measurement] = field(default_factory=dict)
    page: str = ""


@cache
def read_numbers() -> dict[str, Subject]:
    """The files of `docs/numbers/`, by name, in the order of their names.

    Raises:
        SystemExit: a file does not have the form that this module's docstring shows.
    """
    devices = _read(NUMBERS / "devices.yaml")
    paths = [path for path in sorted(NUMBERS.glob("*.yaml")) if path.stem != "devices"]
    return {path.stem: _read_subject(path, devices) for path in paths}


def find(path: str) -> str:
    """The value of that name, as it is printed.

    Raises:
        SystemExit: there is none.
    """
    subject, _, rest = path.partition("/")
    name, *parts = rest.split("/")
    try:
        return read_numbers()[subject].measured[name].find(parts)
    except (KeyError, TypeError, ValueError):
        raise SystemExit(f"docs/numbers/ has no {path}.") from None


def fill_values(page: str) -> str:
    """A page with each number that it shows by name as its file has it."""
    return SHOWN.sub(_fill, page)


def make_table(path: str) -> str:
    """All values of a measurement `subject/name`: a row each, with a column for each number of a row."""
    subject, _, name = path.partition("/")
    return "\n".join(_make_rows(read_numbers()[subject].measured[name].values))


def make_list(name: str) -> str:
    """How each measurement of a file was made."""
    return "\n\n".join("\n".join(_describe(measurement, "")) for measurement in read_numbers()[name].measured.values())


def make_lab_book() -> str:
    """Every measurement, newest first, with the page that has it; in full those that no page has."""
    listed = {name for page in NUMBERS.parent.glob("*.md") for name in LISTED.findall(page.read_text(encoding="utf-8"))}
    subjects = read_numbers()
    alone = [subject for name, subject in subjects.items() if name not in listed]
    parts = ["\n".join(_list_measurements(subjects, listed))]
    return "\n\n".join([*parts, *(line for subject in alone for line in _write_subject(subject))])


def explain(path: str) -> str:
    """How the number of that name was measured, in a line, without commands that are too long for it."""
    subject, name, *_ = path.split("/")
    measurement = read_numbers()[subject].measured[name]
    commands = [re.sub(r"\s*\\?\n\s*", " ", command.strip()) for command in measurement.command]
    short = "; ".join(command for command in commands if len(command) <= LONGEST)
    return ". ".join(filter(None, [measurement.title, measurement.say(), short]))


def _fill(found: re.Match[str]) -> str:
    name = found[1]
    return found[0] if name == NOT_MEASURED else f'<data value="{name}">{find(name)}</data>'


def _list_measurements(subjects: Mapping[str, Subject], listed: Collection[str]) -> Iterator[str]:
    """A row for each measurement that was made here: when, what, and where its command and caveats are."""
    yield _join(["date", "measurement", "subject"])
    yield _join(["---"] * 3)
    made = [(it.date, name, it) for name, subject in subjects.items() for it in subject.measured.values() if it.date]
    for date, name, measurement in sorted(made, key=lambda row: row[0], reverse=True):
        subject = subjects[name]
        where = f"[{subject.title}]({subject.page}#reproduce)" if name in listed else f"{subject.title}, below"
        yield _join([date, measurement.title, where])


def _write_subject(subject: Subject) -> Iterator[str]:
    yield f"## {subject.title}"
    for measurement in subject.measured.values():
        yield "\n".join(_describe(measurement, "### "))
        yield "\n".join(_make_rows(measurement.values))


def _describe(measurement: Measurement, heading: str) -> Iterator[str]:
    yield f"{heading}{measurement.title}" if heading else f"**{measurement.title}**: {measurement.say()}."
    if measurement.command:
        yield from ["", "```", *(line for command in measurement.command for line in command.splitlines()), "```"]
    if heading:
        yield from ["", f"{measurement.say()[:1].upper()}{measurement.say()[1:]}."]
    if measurement.note:
        yield from ["", measurement.note.strip()]


def _make_rows(values: Mapping[str, str | Mapping[str, str]]) -> Iterator[str]:
    rows = {name: value if isinstance(value, Mapping) else {"value": value} for name, value in values.items()}
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    for cells in [["", *columns], ["---"] * (len(columns) + 1)]:
        yield _join(cells)
    for name, row in rows.items():
        yield _join([name, *(row.get(column, "") for column in columns)])


def _join(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _read_subject(path: Path, devices: Mapping[str, str]) -> Subject:
    content = _read(path)
    try:
        measured = {name: _read_measurement(name, said, devices) for name, said in content.pop("measured").items()}
        return Subject(measured=measured, **content)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise SystemExit(f"docs/numbers/{path.name} is not of the form in docs/measured.py: {error!r}.") from None


def _read_measurement(name: str, said: dict[str, Any], devices: Mapping[str, str]) -> Measurement:
    commands, values = said.pop("command", []), said.pop("values")
    words = {key: str(value) for key, value in said.items()}
    if "device" in words:
        words["device"] = devices[words["device"]]
    if not ("source" in words or (commands and {"device", "date"} <= words.keys())):
        raise ValueError(f"{name} must say its command, device and date, or its source")
    return Measurement(
        name,
        values={str(key): _read_value(value) for key, value in values.items()},
        command=[commands] if isinstance(commands, str) else commands,
        **words,
    )


def _read_value(value: Any) -> str | dict[str, str]:
    return {str(key): str(cell) for key, cell in value.items()} if isinstance(value, dict) else str(value)


def _read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))
