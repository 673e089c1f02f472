"""The typed words of one run or analysis, parsed once."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from omegaconf import OmegaConf


@dataclass(frozen=True)
class Request:
    """The command line of one run.

    Attributes:
        command: as it can be typed again.
        overrides: `key=value` each, as Hydra took them.
        choices: what was chosen of each group, typed or by default: `{"task": "rotation", "data": "cifar10", ...}`.
    """

    command: str = ""
    overrides: tuple[str, ...] = ()
    choices: Mapping[str, str | None] = field(default_factory=dict)

    @classmethod
    def of_hydra(cls, command: str, overrides: Sequence[str], choices: Mapping[str, str | None]) -> "Request":
        """From what Hydra knows of a job; its own groups are left out."""
        # As it was typed: a value's own ${...} is about the config, not about this list.
        words: Any = OmegaConf.to_container(overrides) if OmegaConf.is_config(overrides) else overrides
        own = {group: choice for group, choice in choices.items() if not {"/", "@"} & set(group)}
        return cls(command, tuple(words), own)

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> "Request":
        """As a run's `run.json` remembers it."""
        return cls(facts.get("command", ""), tuple(facts.get("overrides", ())), facts.get("choices", {}))

    @cached_property
    def typed(self) -> dict[str, str]:
        """Values by key, without prefixes and quotes; of a key that was typed twice the last."""
        return dict(map(_split, self.overrides))

    @property
    def is_of_stored_config(self) -> bool:
        """Whether a run's own config was taken up again: it may be a stranger's, unlike what was typed."""
        return "resume=" in self.command

    def says(self, key: str) -> bool:
        """Whether a key stands in this very command, not only in what the folder of a resumed sweep remembers."""
        return re.search(rf"(?<![\w.]){re.escape(key)}=", self.command) is not None

    def as_facts(self) -> dict[str, Any]:
        """For `run.json`."""
        return {"command": self.command, "overrides": list(self.overrides), "choices": dict(self.choices)}

    def resume(self, earlier: "Request") -> "Request":
        """This command line where it goes on with a run: what that was started with, unless typed anew."""
        kept = [override for override in earlier.overrides if _split(override)[0] not in self.typed]
        return replace(self, overrides=(*kept, *self.overrides), choices=earlier.choices)

    def for_stage(self, name: str) -> "Request":
        """What is known of one stage: what was typed for all of them, and its name."""
        shared = [word for word in self.overrides if not _split(word)[0].startswith("stages.")]
        shared = [word for word in shared if _split(word)[0] != "task"]
        return replace(self, overrides=(*shared, f"stage={name}"), choices={**self.choices, "task": name})


def _split(override: str) -> tuple[str, str]:
    key, _, value = override.partition("=")
    return key.lstrip("+~"), value.strip("'\"")
