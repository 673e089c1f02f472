"""Templates as whole pages: one file each, which runs nothing but the script that stands in it."""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from netgaze.page import bundle
from netgaze.text import show

_ESCAPED = str.maketrans({"<": r"\u003c", ">": r"\u003e", "&": r"\u0026", "\u2028": r"\u2028", "\u2029": r"\u2029"})


def render(template: str, context: Mapping[str, Any], explorer: Mapping[str, Any] | None = None) -> str:
    """A page, with the policy that nothing is loaded from elsewhere and no other script than the explorer's runs.

    Args:
        template: a file of this package.
        context: what it reads.
        explorer: what `explorer.html` reads, `block` being JSON values; None for a page without one.
    """
    style = bundle.read("page.css") + (bundle.style() if explorer else "")
    script = bundle.script() if explorer else ""
    shown = None if explorer is None else {**explorer, "block": _to_script(explorer["block"])}
    parts = {"style": Markup(style), "script": Markup(script), "policy": _make_policy(style, script)}
    return _environment().get_template(template).render(**context, **parts, explorer=shown)


def _to_script(content: Any) -> Markup:
    """JSON that no name in it can end: what stands in a script is no markup."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.translate(_ESCAPED))


def _make_policy(style: str, script: str) -> str:
    of_script = _hash(script) if script else "'none'"
    return (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {of_script}; base-uri 'none'; "
        "form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("netgaze", "page"),
        autoescape=True,
        finalize=lambda value: show(value, keep="\n") if type(value) is str else value,  # Markup has been through it
        undefined=StrictUndefined,
        trim_blocks=True,
    )
