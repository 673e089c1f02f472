"""The config folders: their groups and choices, and the config that some choices give."""

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from netgaze.commands.folders import CONF, find_own_folder, list_groups
from netgaze.errors import NetgazeError, sentence

_CLUSTER = "'netgaze[cluster]'"

# What Hydra can do with a package that is not part of it: the choice, the package, the module by which it is known.
_PLUGINS = {
    "hydra/launcher=cores": (_CLUSTER, "hydra_joblib_launcher"),
    "hydra/launcher=joblib": (_CLUSTER, "hydra_joblib_launcher"),
    "hydra/launcher=slurm": (_CLUSTER, "hydra_submitit_launcher"),
    "hydra/launcher=submitit_local": (_CLUSTER, "hydra_submitit_launcher"),
    "hydra/launcher=submitit_slurm": (_CLUSTER, "hydra_submitit_launcher"),
    "hydra/sweeper=optuna": ("hydra-optuna-sweeper", "hydra_optuna_sweeper"),
    "hydra/sweeper=ax": ("hydra-ax-sweeper", "hydra_ax_sweeper"),
    "hydra/sweeper=nevergrad": ("hydra-nevergrad-sweeper", "hydra_nevergrad_sweeper"),
    "hydra/launcher=ray": ("hydra-ray-launcher", "hydra_ray_launcher"),
    "hydra/launcher=rq": ("hydra-rq-launcher", "hydra_rq_launcher"),
    "hydra/job_logging=colorlog": ("hydra_colorlog", "hydra_colorlog"),
    "hydra/hydra_logging=colorlog": ("hydra_colorlog", "hydra_colorlog"),
}
_NOTHING = object()


@dataclass(frozen=True)
class Configs:
    """Where configs lie.

    Attributes:
        folder: in which a config is looked for first.
        name: of the primary config.
        added: further folders: netgaze's own behind one of a person's own, and those that `hydra.searchpath` names.
    """

    folder: Path
    name: str
    added: tuple[str, ...] = ()

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """What the primary config chooses of each group: a name, a list of names, or null."""
        listed = yaml.safe_load(self.find_file(f"{self.name}.yaml").read_text(encoding="utf-8")).get("defaults", [])
        items = [item for entry in listed if isinstance(entry, dict) for item in entry.items()]
        return {group: choice for group, choice in items if not group.startswith("override ")}

    @property
    def groups(self) -> list[str]:
        """The names of all groups of choices."""
        return sorted({group for folder in self._folders for group in list_groups(folder)})

    def list_options(self, group: str) -> list[str]:
        """The choices of a group; a name that begins with _ is what its files share."""
        return sorted({option for folder in self._folders for option in _list_options(folder, group)})

    def find_choices(self, key: str) -> list[str]:
        """The choices that bring a key, as in `data=folder` for data.dir."""
        group, _, rest = key.partition(".")
        if self.takes_many(group):
            name = rest.partition(".")[0]
            return [f"{group}=[{name}]"] if name in self.list_options(group) else []
        return [
            f"{group}={option}" for option in self.list_options(group) if rest and self._brings(group, option, rest)
        ]

    def find_file(self, name: str) -> Path:
        """The first file of this name, as `task/siamese.yaml`, which must be there."""
        return next(file for folder in self._folders if (file := folder / name).is_file())

    def has_file(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return any((folder / name).is_file() for folder in self._folders)

    def takes_many(self, group: str) -> bool:
        """Whether several of a group are chosen at once."""
        return isinstance(self.defaults.get(group), list)

    def needs(self, group: str) -> bool:
        """Whether one of a group must be chosen."""
        return isinstance(self.defaults.get(group), str)

    def compose(self, words: Sequence[str]) -> DictConfig:
        """The config with some words typed.

        Raises:
            NetgazeError: they do not go together.
        """
        try:
            with search_folders(self.folder, self.added):
                return compose(self.name, overrides=list(words))
        except (HydraException, OmegaConfBaseException, ValueError) as error:
            raise NetgazeError(f"{' '.join(words)}: {sentence(error)}") from error

    def _brings(self, group: str, option: str, key: str) -> bool:
        content = yaml.safe_load(self.find_file(f"{group}/{option}.yaml").read_text(encoding="utf-8"))
        content = content.get(group) if group == "task" else content  # its files are of the whole config
        for part in key.split("."):
            content = content.get(part, _NOTHING) if isinstance(content, dict) else _NOTHING
        return content is not _NOTHING

    @property
    def _folders(self) -> list[Path]:
        return [self.folder, *(path for name in self.added if (path := Path(name.removeprefix("file://"))).is_dir())]


@contextmanager
def search_folders(first: Path, others: Sequence[str]) -> Iterator[None]:
    """Let `hydra.compose` look for configs in several folders; `hydra.searchpath` cannot bring the primary one.

    Args:
        first: the folder in which it looks first.
        others: folders in which it looks then, or what else Hydra takes, as `pkg://...`.
    """
    with initialize_config_dir(str(first.resolve()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        for place in others:
            path = place if "://" in place else f"file://{place}"
            loader.get_search_path().prepend("command-line", path, SearchPathQuery(provider="schema"))
        loader.repository.initialize_sources(loader.get_search_path())  # type: ignore[attr-defined]
        yield


def find_configs(flags: Sequence[str], name: str, conf: Path = CONF) -> Configs:
    """The configs of a command: a person's own before netgaze's, where there are such.

    Args:
        flags: as typed, with their values.
        name: of the primary config.
        conf: netgaze's folder.

    Raises:
        NetgazeError: see `find_own_folder`.
    """
    own = find_own_folder(flags, conf)
    return Configs(conf, name) if own is None else Configs(own, name, (str(conf),))


def check_plugin(choice: str) -> None:
    """Whether what Hydra is asked for, such as `hydra/launcher=joblib`, is installed.

    Raises:
        NetgazeError: it is not.
    """
    package, module = _PLUGINS.get(choice, ("", "hydra"))
    if importlib.util.find_spec("hydra_plugins") is None:
        found = not package
    else:
        found = importlib.util.find_spec(f"hydra_plugins.{module}" if package else module) is not None
    if not found:
        raise NetgazeError(
            f"{choice} needs a package: pip install {package}. Without it, -m trains the runs one by one."
        )


def _list_options(conf: Path, group: str) -> list[str]:
    files = [path for path in (conf / group).rglob("*.yaml") if not path.name.startswith("_")]
    return sorted(str(path.relative_to(conf / group).with_suffix("")) for path in files)
