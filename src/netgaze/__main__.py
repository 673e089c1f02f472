"""`netgaze train ...`, `netgaze analyze ...`, `netgaze runs ...`; `python -m netgaze` is the same."""

import difflib
import sys

import netgaze
from netgaze import cli
from netgaze.commands.completion import complete, write_script
from netgaze.commands.help import explain_program

_COMMANDS = {"train": cli.train, "analyze": cli.analyze, "runs": cli.analyze}


def main() -> None:
    """Hand what was typed to the command that its first word names; exits as that does, with 1 where there is none."""
    name, *words = sys.argv[1:] or ["--help"]
    if name in _COMMANDS:
        _COMMANDS[name](words)
    elif name in ("--help", "-h"):
        print(explain_program())
    elif name == "--version":
        print(f"netgaze {netgaze.__version__}")
    elif name == "completion":
        print("\n".join(complete(words[0])) if words else write_script())
    else:
        sys.exit(f"Error: {_explain_unknown(name)}")


def _explain_unknown(name: str) -> str:
    if "=" in name or name in ("-m", "--multirun"):
        return f"{name} is for one of the commands: type netgaze train {name}, or netgaze analyze {name}."
    near = difflib.get_close_matches(name, _COMMANDS, n=1)
    return f"There is no command {name}. {f'Did you mean {near[0]}?' if near else 'There are train, analyze and runs.'}"


if __name__ == "__main__":
    main()
