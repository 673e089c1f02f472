"""The folders of configs: your own `conf/`, then netgaze's."""

import os
from collections.abc import Sequence
from pathlib import Path

from netgaze.commands.flags import DIRECTORY, list_directories
from netgaze.errors import NetgazeError

CONF = (Path(__file__).parents[1] / "conf").resolve()  # in a checkout its `conf/`, which is edited there


def find_own_folder(flags: Sequence[str], conf: Path = CONF) -> Path | None:
    """The folder whose configs come before netgaze's: that of `--config-dir`, else `conf` where the command is typed.

    A `conf` counts where it holds one of netgaze's groups, as `conf/model`. What lies in it can name code, as a
    Makefile can: that of another user is refused, unless it is named.

    Args:
        flags: as typed, with their values.
        conf: netgaze's own, which is nobody's own.

    Raises:
        NetgazeError: there is no such folder, or it belongs to another user.
    """
    if named := list_directories(flags):
        own = Path(named[-1]).expanduser().resolve()
        if not own.is_dir():
            raise NetgazeError(f"{DIRECTORY[0]} {named[-1]}: there is no such folder.")
        return None if own == conf.resolve() else own
    own = Path("conf").resolve()
    if own == conf.resolve() or not any((own / group).is_dir() for group in list_groups(conf)):
        return None
    if own.stat().st_uid != os.getuid():
        raise NetgazeError(
            f"{own} belongs to another user, and configs can run code. If you trust it, type {DIRECTORY[0]} conf; "
            "otherwise work in another folder."
        )
    return own


def list_groups(conf: Path) -> list[str]:
    """The names of all groups of choices in a folder."""
    return sorted(folder.name for folder in conf.iterdir() if folder.is_dir() and folder.name != "hydra")


def name_folders(flags: Sequence[str], first: Path, conf: Path) -> list[str]:
    """The flags with both folders in Hydra's words, which finds first what lies in the path, then in the directory."""
    others, left = list[str](), list(flags)
    while left:
        flag = left.pop(0)
        if flag in DIRECTORY:
            left.pop(0)
        else:
            others.append(flag)
    return others if first == conf else ["--config-path", str(first), "--config-dir", str(conf), *others]
