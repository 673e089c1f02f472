"""Writes the README's tables of choices and its tree of files from the files themselves: make readme.

A table stands between `<!-- task -->` (any folder of `conf/`) and `<!-- end -->`, with a row per YAML: its name and its
first comment line. A figure's row also has the question that its class asks. The tree stands between `<!-- tree -->`
and `<!-- end -->`, with the first line of each module's docstring.
"""

import ast
import re
from pathlib import Path

from omegaconf import OmegaConf

ROOT = Path(__file__).resolve().parents[1]
README, CONF, SOURCE = ROOT / "README.md", ROOT / "conf", ROOT / "src" / "netgaze"


def fill_blocks(readme: str) -> str:
    """The README with each block between its two marks written anew."""
    return re.sub(
        r"(<!-- (\w+) -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}\n{make_tree() if found[2] == 'tree' else make_table(found[2])}\n\n{found[3]}",
        readme,
        flags=re.DOTALL,
    )


def make_table(group: str) -> str:
    """The choices of a group, a row each; files that begin with _ are shared by the others and are no choice."""
    paths = [path for path in sorted((CONF / group).rglob("*.yaml")) if not path.name.startswith("_")]
    head = ["figure", "question", "what it shows"] if group == "figure" else [f"`{group}=`", "what it is"]
    rows = [head, ["---"] * len(head)]
    for path in paths:
        name = f"`{path.relative_to(CONF / group).with_suffix('').as_posix()}`"
        rows.append([name, *([read_question(path)] if group == "figure" else []), read_description(path)])
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)


def read_description(path: Path) -> str:
    """The first comment line of a YAML; `# @package ...` is none."""
    lines = path.read_text(encoding="utf-8").splitlines()
    line = next((line for line in lines if not line.startswith("# @package")), "")
    if not line.startswith("# "):
        raise SystemExit(f"{path} does not say what it is: begin it with a comment of one line.")
    return line.removeprefix("# ")


def read_question(path: Path) -> str:
    """What the class of a figure's YAML asks; read, not imported: that would take as long as torch does."""
    module, _, name = OmegaConf.load(path)["_target_"].rpartition(".")
    source = SOURCE.parent.joinpath(*module.split("."))
    source = source / "__init__.py" if source.is_dir() else source.with_suffix(".py")
    (figure,) = (node for node in _parse(source).body if isinstance(node, ast.ClassDef) and node.name == name)
    assigned = {ast.unparse(node.targets[0]): node.value for node in figure.body if isinstance(node, ast.Assign)}
    return ast.literal_eval(assigned["question"])


def make_tree() -> str:
    """The modules below `src/netgaze/`, folders first, each with the first line of its docstring."""
    return "\n".join(["```", "src/netgaze/", *_list_folder(SOURCE, "  "), "```"])


def _list_folder(folder: Path, indent: str) -> list[str]:
    lines = []
    for inner in sorted(path for path in folder.iterdir() if (path / "__init__.py").exists()):
        lines += [_describe(f"{indent}{inner.name}/", inner / "__init__.py"), *_list_folder(inner, indent + "  ")]
    files = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    return lines + [_describe(f"{indent}{path.name}", path) for path in files]


def _describe(name: str, path: Path) -> str:
    docstring = ast.get_docstring(_parse(path)) or ""
    return f"{name:26} {docstring.partition(chr(10))[0].removesuffix('.')}".rstrip()


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    README.write_text(fill_blocks(README.read_text(encoding="utf-8")), encoding="utf-8")
