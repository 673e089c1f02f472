"""netgaze: train small vision networks in several ways, look inside them, and compare them side by side."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netgaze.browse import runs
    from netgaze.experiment import open_run
    from netgaze.notebook import analyze, fit, look
    from netgaze.wrapped import wrap

__version__ = "0.2.0"
__all__ = ["analyze", "fit", "look", "open_run", "runs", "wrap"]

_MODULES = {"analyze": "notebook", "fit": "notebook", "look": "notebook", "open_run": "experiment"}
_MODULES |= {"runs": "browse", "wrap": "wrapped"}


def __getattr__(name: str) -> Any:
    """What notebooks import, found only when asked for: the command line answers before torch is there."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
