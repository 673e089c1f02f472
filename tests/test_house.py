"""The rooms: imports go one way, and each YAML binds to its constructor."""

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from typing import Unpack, get_args, get_origin, is_typeddict

import pytest
from omegaconf import OmegaConf
from tests.conftest import CONF, ROOT

import netgaze
from netgaze.build import READ_ELSEWHERE

ROOMS = {"data", "models", "tasks", "callbacks", "loggers", "figures", "exports"}
# Each may import what stands before it.
ORDER = [
    {"text"},
    {"errors", "batch", "foreign", "processor", "ranks", "gathering", "locks", "program"},
    {"files", "kinds", "failures", "trusted"},
    {"constructors", "places"},
    {"upgrade"},
    {"download", "folders", "pseudo_labels", "stored", "archives"},
    {"measures", "corruptions"},
    {"inside", "glossary", "predictions", "records", "page"},
    {"features", "schedules", "optimizers", "weights", "schema", "verifier", "request", "provenance"},
    {"processes", "sync_norms", "requeue", "run_list"},
    {"passes"},
    {"early_checks", "subject", "waiting"},
    {"figure"},
    {"drawing", "pictures", "trainer", "inline"},
    {"gallery"},
    ROOMS,
    {"build"},
    {"subjects"},
    {"run", "wrapped"},
    {"labels", "checks"},
    {"rows"},
    {"results", "card"},
    {"tables", "plots", "winner"},
    {"report", "ending", "exporting"},
    {"analysis", "stages", "tracking"},
    {"experiment"},
    {"commands"},
    {"sweep", "notebook", "browse"},
    {"cli"},
    {"__main__"},
]
LEVEL = {name: level for level, names in enumerate(ORDER) for name in names}
SOURCES = sorted((ROOT / "src" / "netgaze").rglob("*.py"))


def imports(path) -> set[str]:
    """The parts of netgaze that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "netgaze":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("netgaze."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("netgaze.")}
    return found & set(LEVEL)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src" / "netgaze")))
def test_imports_go_one_way(path):
    parts = path.relative_to(ROOT / "src" / "netgaze").parts
    own = parts[0].removesuffix(".py")
    if own == "__init__":
        return
    assert own in LEVEL, f"{own} has no place in ORDER"
    for name in imports(path) - {own}:
        if (own, name) == ("schema", "data"):
            continue  # the counting of a person's folders, which imports nothing
        assert LEVEL[name] < LEVEL[own], f"{own} imports {name}"


def test_only_pytorch_lightning_is_imported():
    for path in SOURCES:
        assert "import lightning" not in path.read_text(encoding="utf-8")
        assert "from lightning" not in path.read_text(encoding="utf-8")


# Where text is kept from meaning anything: a sheet is made by `lay_out`, a table is written by `write_csv`.
ONLY = {
    "parse_math": "drawing/fonts.py",
    "usetex": "drawing/fonts.py",
    " Sheet(": "drawing/rows.py",
    "import pyplot": None,
    "matplotlib.pyplot": None,
    "csv.writer(": "files.py",
    "csv.DictWriter(": None,
}


@pytest.mark.parametrize("words", ONLY)
def test_what_text_goes_through_is_in_one_place(words):
    found = [path.relative_to(ROOT / "src" / "netgaze") for path in SOURCES if words in path.read_text("utf-8")]
    assert {path.as_posix() for path in found} == {ONLY[words]} - {None}


def test_the_command_line_imports_nothing_heavy():
    code = "import sys, netgaze.cli; print([m for m in ('torch', 'numpy', 'matplotlib', 'PIL') if m in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


def targets(content, where=""):
    """Every (place, target, keys) in a YAML."""
    if isinstance(content, dict):
        if "_target_" in content:
            yield where, content["_target_"], {key for key in content if not key.startswith("_") and key != "defaults"}
        for key, value in content.items():
            yield from targets(value, f"{where}.{key}")


YAMLS = sorted(path for path in CONF.rglob("*.yaml") if path.parent.name not in ("job_logging", "experiment"))
# What the joiner hands over itself.
BUILT = {
    "task": {"model", "optimizer", "schedule"},
    "trainer": {"callbacks", "folder", "facts", "resumed", "monitor", "monitor_mode"},
    "optim": {"params"},
}


def parameters(target: str) -> tuple[set[str], set[str]]:
    """The names that a target takes, and those of them that it cannot do without; a TypedDict's keys count as such."""
    taken, needed = set(), set()
    for name, parameter in inspect.signature(pkgutil.resolve_name(target)).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            (said,) = get_args(parameter.annotation) if get_origin(parameter.annotation) is Unpack else (None,)
            assert is_typeddict(said), f"{target} takes any keyword"
            taken |= said.__annotations__.keys()
            needed |= said.__required_keys__
        else:
            taken |= {name}
            needed |= {name} if parameter.default is inspect.Parameter.empty else set()
    return taken, needed


@pytest.mark.parametrize("path", YAMLS, ids=lambda path: str(path.relative_to(CONF)))
def test_each_yaml_binds_to_its_constructor(path):
    group = path.relative_to(CONF).parts[0]
    for where, target, keys in targets(OmegaConf.to_container(OmegaConf.load(path))):
        if target == "netgaze.sweep.Compare":
            continue
        taken, needed = parameters(target)
        missing = needed - keys - BUILT.get(group, set())
        taken |= set(READ_ELSEWHERE.get(group, ()))
        if group == "callback":
            missing -= {"figures"}  # comes through the defaults list
        assert keys <= taken, f"{path.name}{where}: {keys - taken}"
        assert not missing, f"{path.name}{where} lacks {missing}"


def test_what_all_data_sets_take_is_one_yaml():
    for path in (CONF / "data").rglob("*.yaml"):
        if path.name.startswith("_"):
            continue
        content = OmegaConf.to_container(OmegaConf.load(path))
        shared = "/data/_training@_here_" if path.parent.name == "decathlon" else "_training"
        assert content["defaults"] == [shared, "_self_"], path
        assert set(OmegaConf.load(CONF / "data" / "_training.yaml")) <= parameters(content["_target_"])[0]


@pytest.mark.parametrize("named", ["**rest", "**rest: int", "**rest: Unpack[dict]"])
def test_any_keyword_is_refused(named, monkeypatch):
    scope = {"Unpack": Unpack}
    exec(f"def target({named}): pass", scope)
    monkeypatch.setattr(pkgutil, "resolve_name", lambda _: scope["target"])
    with pytest.raises(AssertionError, match="takes any keyword"):
        parameters("target")


@pytest.mark.parametrize("group", ["figure", "callback", "export", "logger"])
def test_a_chosen_many_group_names_its_package(group):
    for path in (CONF / group).glob("*.yaml"):
        assert path.read_text(encoding="utf-8").startswith(f"# @package {group}.{path.stem}\n")


def test_experiments_and_tasks_set_their_name():
    for group in ("experiment", "task"):
        for path in (CONF / group).glob("[!_]*.yaml"):
            content = OmegaConf.load(path)
            assert path.read_text(encoding="utf-8").startswith("# @package _global_\n")
            assert content.name == path.stem


def test_every_public_thing_says_what_it_is():
    for info in pkgutil.walk_packages(netgaze.__path__, "netgaze."):
        module = importlib.import_module(info.name)
        for name, thing in vars(module).items():
            if name.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
                continue
            if inspect.isfunction(thing) or inspect.isclass(thing):
                assert thing.__doc__, f"{info.name}.{name} has no docstring"
