"""How this program was started, to print commands in the same form. Imports nothing of this project."""

import sys
from pathlib import Path


def spell(command: str) -> str:
    """What is typed before the words of a command, as it was here: `python train.py` or `netgaze train`.

    Args:
        command: "train" or "analyze".
    """
    script = Path(sys.argv[0] if sys.argv else "")
    if script.name in ("train.py", "analyze.py"):
        return f"python {command}.py"
    return f"python -m netgaze {command}" if script.parts[-2:] == ("netgaze", "__main__.py") else f"netgaze {command}"
