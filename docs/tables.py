"""Writes what the pages say of the files from the files themselves: make readme.

Between a mark and `<!-- end -->` stands what the mark names:

- `<!-- task -->`, any folder of `conf/`: a row for each of its choices, a figure with its question.
- `<!-- task keys -->`: a row for each key that these choices bring.
- `<!-- train -->`, `<!-- analyze -->`: a row for each key of a command's own config.
- `<!-- names -->`: a row for each group, with the names of its choices.
- `<!-- tree -->`: the modules below `src/netgaze/`, with the first line of their docstrings.
- `<!-- trainings -->`, `<!-- gallery -->`: how the gallery's networks are trained, and its figures, see `gallery.py`.
- `<!-- numbers: faces/heads -->`, `<!-- measured: faces -->`, `<!-- lab book -->`: measurements, see `measured.py`.

Numbers within a line, `<data value="...">`, are written anew with them.
"""

import ast
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import gallery
import measured
from omegaconf import OmegaConf

from netgaze.commands.choices import LAUNCHERS, Choice, list_choices, read_group_notes
from netgaze.commands.configs import Configs
from netgaze.commands.words import write
from netgaze.commands.yamls import Key, Yaml

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
CONF, SOURCE = ROOT / "conf", ROOT / "src" / "netgaze"
COMMANDS = {name: Configs(CONF, name) for name in ("train", "analyze")}


def fill_blocks(page: str) -> str:
    """A page with each block between its two marks written anew, and each number that has a name."""
    return re.sub(
        r"(<!-- (?!end)([\w/: ]+) -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}\n{make_block(found[2])}\n\n{found[3]}",
        measured.fill_values(page),
        flags=re.DOTALL,
    )


def make_block(mark: str) -> str:
    """What a mark names."""
    kind, _, name = mark.rpartition(": ")
    if kind:
        return {"numbers": measured.make_table, "measured": measured.make_list}[kind](name)
    if mark in COMMANDS:
        return list_keys_of_command(COMMANDS[mark])
    if make := WHOLE.get(mark):
        return make()
    group, keys = mark.removesuffix(" keys"), mark.endswith(" keys")
    choices = list_choices(COMMANDS["train"], group)
    return make_key_table(choices) if keys else make_table(group, choices)


def make_table(group: str, choices: Sequence[Choice]) -> str:
    """The choices of a group, a row each."""
    head, rows = [f"`{group}=`", "what it is"], [[f"`{choice.name}`", describe(choice)] for choice in choices]
    if group == "figure":
        head, rows = (
            [*head, "its question"],
            [[*row, read_question(choice)] for row, choice in zip(rows, choices, strict=True)],
        )
    if any(choice.others for choice in choices):
        head, rows = (
            [*head, "it also chooses"],
            [[*row, _write_others(choice)] for row, choice in zip(rows, choices, strict=True)],
        )
    return _write_rows(head, rows)


def describe(choice: Choice) -> str:
    """The first comment line of a choice's file."""
    line = next(iter(choice.file.comment), "")
    if not line:
        place = f"conf/{choice.group}/{choice.name}.yaml"
        raise SystemExit(f"{place} does not say what it is: begin it with a comment of one line.")
    return line


def read_question(choice: Choice) -> str:
    """What the class of a figure asks; read, not imported: that would take as long as torch does."""
    module, _, name = OmegaConf.create(choice.file.text)["_target_"].rpartition(".")
    source = SOURCE.parent.joinpath(*module.split("."))
    source = source / "__init__.py" if source.is_dir() else source.with_suffix(".py")
    (figure,) = (node for node in _parse(source).body if isinstance(node, ast.ClassDef) and node.name == name)
    assigned = {ast.unparse(node.targets[0]): node.value for node in figure.body if isinstance(node, ast.Assign)}
    return ast.literal_eval(assigned["question"])


def make_key_table(choices: Sequence[Choice]) -> str:
    """The keys that choices bring, with their defaults: a row for each default, and the choices that have it."""
    found = dict[Key, list[str]]()
    for choice in choices:
        for key in choice.list_keys():
            found.setdefault(key, []).append(choice.name)
    everything = [choice.name for choice in choices]
    rows = [[*_show(key), _name_some(found[key], everything)] for key in sorted(found, key=lambda key: key.path)]
    return _write_rows(["key", "default", "what it says", "with"], rows)


def list_keys_of_command(configs: Configs) -> str:
    """The keys of a command's own config."""
    keys = Yaml.read(configs.find_file(f"{configs.name}.yaml"), "").list_keys()
    return _write_rows(
        ["key", "default", "what it says"],
        [_show(key) for key in keys if not key.path.startswith("hydra.") and key.path != "name"],
    )


def make_names() -> str:
    """Every group of choices: what it is about, and the names in it."""
    notes = read_group_notes(COMMANDS["analyze"]) | read_group_notes(COMMANDS["train"])
    rows = []
    for group in [*COMMANDS["train"].defaults, "export", LAUNCHERS]:
        names = ", ".join(f"`{choice.name}`" for choice in list_choices(COMMANDS["train"], group))
        rows.append([f"`{group}=`", notes[group], names])
    return _write_rows(["group", "what it is", "names"], rows)


def make_tree() -> str:
    """The modules below `src/netgaze/`, folders first, each with the first line of its docstring."""
    return "\n".join(["```", "src/netgaze/", *_list_folder(SOURCE, "  "), "```"])


def _write_others(choice: Choice) -> str:
    return ", ".join(f"`{group}={write(value)}`" for group, value in choice.others.items())


def _show(key: Key) -> list[str]:
    """A key's cells; `${...}` in what is said of it would be read as a formula."""
    return [f"`{key.path}`", f"`{key.value}`" if key.value else "", re.sub(r"\$\{\S*\}", r"`\g<0>`", key.said)]


def _name_some(names: Sequence[str], everything: Sequence[str]) -> str:
    """Some of all choices, in few words."""
    others = [name for name in everything if name not in names]
    listed = ", ".join(f"`{name}`" for name in (others if len(others) < len(names) else names))
    return "all" if not others else f"all but {listed}" if len(others) < len(names) else listed


def _write_rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _list_folder(folder: Path, indent: str) -> list[str]:
    lines = []
    for inner in sorted(path for path in folder.iterdir() if (path / "__init__.py").exists()):
        lines += [_describe_module(f"{indent}{inner.name}/", inner / "__init__.py")]
        lines += _list_folder(inner, indent + "  ")
    files = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    return lines + [_describe_module(f"{indent}{path.name}", path) for path in files]


def _describe_module(name: str, path: Path) -> str:
    docstring = ast.get_docstring(_parse(path)) or ""
    return f"{name:26} {docstring.partition(chr(10))[0].removesuffix('.')}".rstrip()


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


# Marks of blocks that no file of `conf/` is behind.
WHOLE = {
    "tree": make_tree,
    "names": make_names,
    "lab book": measured.make_lab_book,
    "trainings": gallery.list_trainings,
    "gallery": gallery.make_gallery,
}

if __name__ == "__main__":
    for path in PAGES:
        path.write_text(fill_blocks(path.read_text(encoding="utf-8")), encoding="utf-8")
