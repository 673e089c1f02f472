"""Which code may run: a config's names are imported if they are known, or if you typed them.

A name is a dotted path, `my_nets.MyNet`, or a file and what is in it, `nets/my_nets.py:MyNet`. Dotted paths are looked
for in the current folder, too, after all else. Imports no torch: the command line notes here what was typed.
"""

import hashlib
import importlib.util
import os
import pkgutil
import sys
from pathlib import Path
from typing import Any

from netgaze.errors import NetgazeError

# Packages whose modules may be imported because a config names them: of others this would run a stranger's code.
KNOWN = ("netgaze", "torch", "torchvision", "pytorch_lightning", "timm")
TRUST = "NETGAZE_TRUST"  # further ones, of one's own, with commas in between: packages, files, or names in them


def trust(name: str) -> None:
    """Let what is so called be imported from now on, here and in processes that start from here."""
    if name not in (known := _list_trusted()):
        os.environ[TRUST] = ",".join([*known, name])


def is_trusted(name: str) -> bool:
    """Whether a person has said to trust this very name, its package or its file."""
    trusted = _list_trusted()
    if is_file(name):
        return any(_name_file(name) == _name_file(each) for each in trusted if ".py" in each)
    return bool({name, _find_root(name)} & set(trusted))


def may_import(name: str) -> bool:
    """Whether to look up a name runs no code of unknown origin: its module is known, trusted or imported already."""
    if is_file(name):
        return is_trusted(name)
    root = _find_root(name)
    if root in KNOWN or root in map(_find_root, _list_trusted()):
        return True
    found, *names = sys.modules.get(root), *name.replace(":", ".").split(".")[1:]
    for number, part in enumerate(names, start=1):
        module = ".".join([root, *names[:number]])
        found = sys.modules.get(module) or getattr(found, part, None)
    return found is not None


def check_may_import(name: str, key: str) -> None:
    """Say whose code would run, and how to allow it.

    Args:
        name: what a config names.
        key: where it does, as it is typed.

    Raises:
        NetgazeError: it may not be imported.
    """
    if not may_import(name):
        whose = _name_file(name) if is_file(name) else _find_root(name)[:40]
        raise NetgazeError(
            f"{key}: {name[:80]} is refused: to look it up would run the code of {whose}, and a stored config "
            f"may come from a stranger. If you trust it, type trust={whose}, or import it first in a notebook."
        )


def import_named(name: str, key: str) -> Any:
    """What is so called; its module is imported.

    Args:
        name: a dotted path, or a file and what is in it.
        key: where a config names it, as it is typed.

    Raises:
        NetgazeError: it leads to nothing, or its module fails.
    """
    try:
        if is_file(name):
            return getattr(_import_file(Path(_name_file(name)), key), name.rpartition(":")[2])
        if _find_root(name) not in {*KNOWN, *sys.modules} and os.getcwd() not in sys.path:
            sys.path.append(os.getcwd())  # last: no file there takes the place of a library
        return pkgutil.resolve_name(name)
    except NetgazeError:
        raise
    except Exception as error:  # whatever a module raises while it is imported
        said = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        raise NetgazeError(f"{key}: {name} cannot be found: {said}. Check the name in the config.") from error


def is_file(name: str) -> bool:
    """Whether a name is a file and what is in it."""
    return ".py:" in name


def _import_file(path: Path, key: str) -> Any:
    """A file as a module of its own name, in memory once; what lies beside it can be imported by it."""
    name = f"{path.stem}_{hashlib.blake2b(str(path).encode(), digest_size=4).hexdigest()}"
    if name in sys.modules:
        return sys.modules[name]
    if not path.is_file():
        raise NetgazeError(f"{key}: there is no file {path}.")
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _name_file(name: str) -> str:
    """The file of a name, from the root on."""
    path = name.rpartition(":")[0] if is_file(name) else name
    return os.path.abspath(os.path.expanduser(path))


def _find_root(name: str) -> str:
    return name.replace(":", ".").partition(".")[0]


def _list_trusted() -> list[str]:
    return [name for name in os.environ.get(TRUST, "").split(",") if name]
