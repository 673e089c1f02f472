"""What a shell offers after `netgaze` at Tab: commands, choices, keys."""

from collections.abc import Sequence

from netgaze import schema
from netgaze.commands.configs import Configs, find_configs
from netgaze.commands.keys import list_keys
from netgaze.errors import NetgazeError

_PRIMARY = {"train": "train", "analyze": "analyze", "runs": "analyze"}  # commands, and the configs they are about

# Both shells: zsh knows `complete` after bashcompinit. What lies before the last = is no part of bash's own word.
_SCRIPT = """\
if [ -n "$ZSH_VERSION" ]; then autoload -U +X bashcompinit && bashcompinit; fi
_netgaze() {
    local line word offer IFS=$'\\n'
    line="${COMP_LINE:0:$COMP_POINT}"
    word="${line##* }"
    COMPREPLY=()
    for offer in $(netgaze completion "$line" 2> /dev/null); do
        COMPREPLY+=("${offer#"${word%"$2"}"}")
    done
}
complete -o nospace -o default -F _netgaze netgaze"""


def write_script() -> str:
    """What bash and zsh evaluate to complete `netgaze` by `complete`."""
    return _SCRIPT


def complete(line: str) -> list[str]:
    """The words that can stand for the last one of a line; none where what stands before it cannot be.

    Args:
        line: as typed so far, the program's name included; after a blank at its end a new word begins.
    """
    _, *typed, word = line.split(" ")
    command, *typed = [*filter(None, typed), ""]
    if not command:
        return [f"{name} " for name in _PRIMARY if name.startswith(word)]
    if command not in _PRIMARY:
        return []
    schema.register()
    configs = find_configs([], _PRIMARY[command])
    group, equals, _ = word.partition("=")
    try:
        offers = _offer_choices(word, group, configs) if equals else _offer_keys(word, typed, configs)
    except NetgazeError:
        return []
    return sorted(offer for offer in offers if offer.startswith(word))


def _offer_choices(word: str, group: str, configs: Configs) -> list[str]:
    """The word with each choice of its group in place of the last name."""
    if group not in [*configs.groups, "hydra/launcher"]:
        return []
    begun = word[: 1 + max(word.rfind(mark) for mark in "=[,")]
    return [f"{begun}{name}" for name in configs.list_options(group)]


def _offer_keys(word: str, typed: Sequence[str], configs: Configs) -> list[str]:
    """Groups to choose from, and keys up to the next dot: there are hundreds."""
    config = configs.compose([each for each in typed if each.partition("=")[0] in configs.groups])
    keys = [*(f"{key}=" for key in list_keys(config)), *(f"{group}=" for group in configs.defaults), "hydra/launcher="]
    cut = [key[: key.find(".", len(word)) + 1] or key for key in keys if key.startswith(word) and "._" not in key]
    return list(dict.fromkeys(cut))
