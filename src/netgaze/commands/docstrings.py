"""Reads what docstrings say of a constructor's arguments, without importing torch."""

import ast
import re
from functools import cache
from pathlib import Path

import netgaze

_NAMES = re.compile(r"(\w+(?:, \w+)*): (.*)")


@cache
def read_arguments(target: str) -> dict[str, str]:
    """What the class or function says of each argument, and its bases of theirs; none of a target of other packages.

    Args:
        target: as `_target_` names it, `netgaze.tasks.siamese.Siamese`.
    """
    module, _, name = target.rpartition(".")
    path = _find_source(module)
    if path is None:
        return {}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = next((node for node in tree.body if getattr(node, "name", None) == name), None)
    if not isinstance(found, ast.ClassDef | ast.FunctionDef):
        return {}
    said = dict[str, str]()
    for base in found.bases if isinstance(found, ast.ClassDef) else ():
        said |= read_arguments(_locate(ast.unparse(base), tree, module))
    return said | _parse_arguments(ast.get_docstring(found) or "")


def _parse_arguments(docstring: str) -> dict[str, str]:
    """The part "Args" of a docstring in Google's form, by name; what only leads to another class is left out."""
    _, _, part = docstring.partition("\nArgs:\n")
    part = re.split(r"\n(?=\S)", part)[0]
    entries = [re.sub(r"\s+", " ", entry.strip()) for entry in re.split(r"\n(?=    \S)", part)]
    pairs = [found.groups() for entry in entries if (found := _NAMES.match(entry))]
    return {name: said for names, said in pairs for name in names.split(", ") if not said.startswith("see `")}


def _find_source(module: str) -> Path | None:
    first, *rest = module.split(".")
    place = Path(netgaze.__file__).parent.joinpath(*rest)
    paths = [place.with_suffix(".py"), place / "__init__.py"] if first == "netgaze" and rest else []
    return next((path for path in paths if path.is_file()), None)


def _locate(name: str, tree: ast.Module, module: str) -> str:
    """The whole path of a name that a module uses."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and name in {alias.asname or alias.name for alias in node.names}:
            return f"{node.module}.{name}"
    return f"{module}.{name}"
