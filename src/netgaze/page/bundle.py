"""The explorer's script and style, each as one text to stand in a page."""

import re
from importlib.resources import files

# Each may import from those before it.
ORDER = (
    "dom",
    "data",
    "state",
    "link",
    "colors",
    "picture",
    "dots",
    "scatter",
    "columns",
    "legend",
    "filters",
    "fixed",
    "tables",
    "chart",
    "curves",
    "wipe",
    "main",
)
_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./(\w+)\.js";\n', re.MULTILINE)
_NAME = re.compile(r"^(?:export )?(?:async )?(?:function\*?|class|const|let|var) (\w+)", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=async |function|class|const|let)", re.MULTILINE)


def script() -> str:
    """Join the modules into one classic script, which does nothing on a page without an explorer.

    Raises:
        ValueError: two modules define the same name, or one imports what no module before it defines.
    """
    return join({name: read(f"{name}.js") for name in ORDER})


def style() -> str:
    """The explorer's style sheet."""
    return read("explore.css")


def read(name: str) -> str:
    """The text of a file of this package."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def join(modules: dict[str, str]) -> str:
    """Join modules, by their names and in order, into one function that is called at once."""
    owners: dict[str, str] = {}
    exported: dict[str, set[str]] = {}
    parts = []
    for module, text in modules.items():
        for names, source in _IMPORT.findall(text):
            wanted = {name.strip() for name in names.split(",")} - {""}
            if missing := wanted - exported.get(source, set()):
                raise ValueError(f"expected {source}.js, before {module}.js, to export {', '.join(sorted(missing))}")
        for name in _NAME.findall(text):
            if name in owners:
                raise ValueError(f"expected each name once, got {name} in {owners[name]}.js and in {module}.js")
            owners[name] = module
        exported[module] = {match[1] for match in _NAME.finditer(text) if match[0].startswith("export")}
        body = _EXPORT.sub("", _IMPORT.sub("", text))
        if left := re.search(r"^(?:import|export)\b.*", body, re.MULTILINE):
            raise ValueError(f"expected imports and exports that can be joined, got {left[0]!r} in {module}.js")
        parts.append(f"// {module}.js\n{body.strip()}\n")
    joined = "\n".join(parts)
    if "</script" in joined.lower() or "<!--" in joined:
        raise ValueError("expected a script that can stand in a page, got one that ends or opens markup")
    return f'(() => {{\n"use strict";\n\n{joined}\n}})();\n'
