"""Folders of strangers: nothing they name is run, nothing of theirs fills the memory, and a sentence says why."""

import json
import os
import shutil
import sys
import zipfile

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from tests.commands import command
from tests.conftest import ROOT, TINY

from netgaze import analysis, build
from netgaze.commands import arguments
from netgaze.data.annotations import read_annotations
from netgaze.errors import NetgazeError
from netgaze.files import read_arrays, read_config, read_json
from netgaze.run import Run, open_run
from netgaze.trusted import is_trusted, may_import

GOLDEN = ROOT / "tests" / "golden" / "runs" / "supervised"
DEEP = "[" * 100_000 + "]" * 100_000
HUGE = "9" * 10_000
MODULE = {"_target_": "netgaze.models.module.ModuleNet", "image_size": 32, "in_channels": 3, "num_classes": 10}


@pytest.fixture
def run(tmp_path):
    """A finished run that one may spoil."""
    return shutil.copytree(GOLDEN, tmp_path / "outputs" / "theirs")


@pytest.fixture
def evil(tmp_path, monkeypatch):
    """A module that leaves a file behind when it is imported: its name, and that file."""
    (tmp_path / "evil_module.py").write_text(
        f"import pathlib, torch\npathlib.Path({str(tmp_path / 'pwned')!r}).touch()\nclass Net(torch.nn.Module): pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "evil_module", tmp_path / "pwned"
    sys.modules.pop("evil_module", None)


def edit_checkpoints(run, change):
    """Change the config in both checkpoints; and in the run's other files, as a stranger would."""
    for path in (run / "checkpoints").iterdir():
        content = torch.load(path, weights_only=True)
        change(content["netgaze"]["config"])
        torch.save(content, path)
    facts = json.loads((run / "run.json").read_text())
    change(facts["config"])
    (run / "run.json").write_text(json.dumps(facts))
    config = OmegaConf.to_container(OmegaConf.load(run / ".hydra" / "config.yaml"))
    change(config)
    OmegaConf.save(OmegaConf.create(config), run / ".hydra" / "config.yaml")


def nest(where, value):
    def change(config):
        group = config
        for key in where[:-1]:
            group = group[key]
        group[where[-1]] = value

    return change


def names(module):
    call = {"_target_": f"{module}.Net"}
    create = "${oc.create:'{_target_: os.system, command: touch pwned}'}"
    return {
        "an own module": nest(["model", "_target_"], f"{module}.Net"),
        "a colon": nest(["model", "_target_"], f"{module}:Net"),
        "a call": nest(["model"], {"_target_": "os.system", "command": "touch pwned"}),
        "a network": nest(["model"], MODULE | {"target": f"{module}.Net"}),
        "a file of a network": nest(["model"], MODULE | {"target": f"{module}.py:Net"}),
        "a function": nest(["model"], MODULE | {"target": "torch.hub.load", "kwargs": {"repo_or_dir": "x"}}),
        "a partial": nest(["optim", "_target_"], "subprocess.Popen"),
        "a list": nest(["model", "depths"], [1, call]),
        "deep": nest(["schedule", "x"], [{"y": [{"z": call}]}]),
        "method": nest(["task", "_target_"], "hydra.utils.get_method"),
        "the environment": nest(["model", "zero_init"], "${oc.env:HOME}"),
        "a reference": nest(["model", "extra"], create),
        "decoded": nest(["model", "extra"], "${oc.decode:'{_target_: os.system}'}"),
    }


KINDS = list(names("x"))


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_run_names_is_not_run(run, evil, kind, monkeypatch):
    module, flag = evil
    monkeypatch.chdir(run.parents[1])
    edit_checkpoints(run, names(module)[kind])
    with pytest.raises(NetgazeError, match="refused"):
        [getattr(open_run(run), part) for part in ("task", "data")]
    with pytest.raises(NetgazeError, match="refused"):
        analysis.compare(run.parent)
    for words, script in ((["resume=outputs/theirs"], "train.py"), (["runs=[outputs/theirs]"], "analyze.py")):
        more = ["trainer.max_epochs=9"] if script == "train.py" else ["figure=[filters]", "hydra.run.dir=look"]
        code, printed = command(*words, *more, cwd=run.parents[1], script=script)
        assert code == 1, printed
        assert "refused" in printed or "was not written by train.py" in printed
        assert "Traceback" not in printed
    assert not flag.exists()
    assert not (run.parents[1] / "pwned").exists()


def test_what_a_sweep_was_typed_with_is_not_run(evil, tmp_path):
    module, flag = evil
    sweep = tmp_path / "outputs" / "sweep"
    sweep.mkdir(parents=True)
    for word in (
        f"model.target={module}.Net",
        f"model.target={tmp_path}/{module}.py:Net",
        f"+x={{_target_: {module}.Net}}",
    ):
        OmegaConf.save({"hydra": {"overrides": {"task": [*TINY, "model=module", word]}}}, sweep / "multirun.yaml")
        code, printed = command("resume=outputs/sweep", cwd=tmp_path)
        assert code == 1
        assert "is refused" in printed, printed
    assert not flag.exists()


def test_trust_is_what_was_typed_and_nothing_else(evil, tmp_path, monkeypatch):
    """The same words from a person, who types them, run the code."""
    module, flag = evil
    monkeypatch.setenv("NETGAZE_TRUST", "")
    conf = ROOT / "conf"
    words = arguments.prepare(["model=module", f"model.target={module}.Net"], conf, "train")
    assert is_trusted(f"{module}.Net")
    assert not is_trusted(f"{module}.Other")
    assert may_import(f"{module}.Other"), "the module is the same"
    assert not may_import("other.Net")
    assert words == ["model=module", f"model.target={module}.Net"]
    assert arguments.prepare(["trust=other", "seed=1"], conf, "train") == ["seed=1"]
    assert may_import("other.Net")
    assert not flag.exists()


@pytest.mark.slow
def test_what_is_taken_from_a_run_is_its_weights_alone(run, evil):
    module, flag = evil
    edit_checkpoints(run, names(module)["a call"])
    words = [*TINY, "figure=[]", "control=null", "init=outputs/theirs", "trainer.max_epochs=1", "hydra.run.dir=run"]
    code, printed = command(*words, cwd=run.parents[1])
    assert "Traceback" not in printed
    assert "tensors loaded" in printed or code == 1
    code, printed = command(
        *TINY, "data.per_class=2", "data.pseudo_labels=outputs/theirs", "hydra.run.dir=other", cwd=run.parents[1]
    )
    assert code == 1
    assert "There are no pseudo-labels at" in printed
    assert not flag.exists()
    assert not (run.parents[1] / "pwned").exists()


def test_a_module_of_ones_own_is_trusted_where_one_says_so(run, evil, monkeypatch):
    module, flag = evil
    with pytest.raises(NetgazeError, match=r"type trust=evil_module"):
        build.build({"_target_": f"{module}.Net"})
    assert not flag.exists()
    monkeypatch.setenv("NETGAZE_TRUST", f"other,{module}")
    assert type(build.build({"_target_": f"{module}.Net"})).__name__ == "Net"
    monkeypatch.delenv("NETGAZE_TRUST")
    assert type(build.build({"_target_": f"{module}.Net"})).__name__ == "Net"  # imported by now


def test_what_is_composed_here_is_trusted(evil):
    module, flag = evil
    build.trust(OmegaConf.create({"model": {"_target_": f"{module}.Net", "x": "${y}"}, "y": 1}))
    assert flag.exists()
    with pytest.raises(NetgazeError, match=r"nothing_there\.Net cannot be found"):
        build.trust(OmegaConf.create({"stages": {"a": {"model": {"_target_": "nothing_there.Net"}}}}))


def test_a_folder_of_configs_beside_the_config(run):
    """A file of logging can name any function; Hydra would take the stranger's before ours."""
    (run / ".hydra" / "hydra" / "job_logging").mkdir(parents=True)
    (run / ".hydra" / "hydra" / "job_logging" / "netgaze.yaml").write_text(
        "version: 1\nfilters:\n  x:\n    (): os.system\n    command: touch pwned\nroot: {level: INFO}\n"
    )
    code, printed = command("resume=outputs/theirs", cwd=run.parents[1])
    assert code == 1
    assert "was not written by train.py" in printed
    assert not (run.parents[1] / "pwned").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["+hydra.callbacks.x._target_=os.system"], "would change how commands run"),
        (["model@hydra.callbacks.x=resnet20"], "would change how commands run"),
        (["--config-dir=/tmp"], "would change how commands run"),
        (["data.url='http://x/${oc.env:HOME}'"], "would read from this machine"),
        (None, "would change how commands run"),
    ],
)
def test_a_sweep_of_a_stranger(tmp_path, words, said):
    content = {"hydra": {"overrides": {"task": words}}} if words else {"hydra": {}}
    OmegaConf.save(OmegaConf.create(content), tmp_path / "multirun.yaml")
    code, printed = command(f"resume={tmp_path}", cwd=tmp_path)
    assert code == 1
    assert said in printed
    assert "Traceback" not in printed


def grow(levels=9):
    """Lists of lists by aliases: 10^levels items of a few bytes."""
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


YAMLS = {
    "aliases": grow(),
    "tags": "a: !!python/object/apply:os.system ['touch pwned']",
    "deep": f"a: {DEEP[:20_000]}",
    "digits": f"a: {HUGE}",
    "a list": "[1, 2]",
    "empty": "",
    "binary": "a: \x00",
    "twice": "a: 1\na: 2",
}


@pytest.mark.parametrize("kind", YAMLS)
def test_configs_that_grow_or_call(run, kind):
    (run / ".hydra" / "config.yaml").write_text(YAMLS[kind])
    with pytest.raises(NetgazeError, match=r"is not a config that train\.py wrote"):
        read_config(run / ".hydra" / "config.yaml")
    code, printed = command("resume=outputs/theirs", cwd=run.parents[1])
    assert code == 1
    assert "config.yaml is not a config that train.py wrote" in printed
    assert len(printed) < 1000


def test_a_config_of_megabytes_is_not_read(run):
    os.truncate(run / ".hydra" / "config.yaml", 50_000_000)
    with pytest.raises(NetgazeError, match="has 50 MB, more than the 1 MB"):
        read_config(run / ".hydra" / "config.yaml")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (DEEP, "is not a JSON file"),
        (f'{{"status": {HUGE}}}', "is not a JSON file"),
        ("[]", "holds a list"),
        ("{}", "it has no status"),
        ('{"status": 3}', "status is a int"),
        ('{"status": "finished", "config": []}', "config is a list"),
        ('{"status": "finished", "config": {"data": 3}}', "data of its config is a int"),
        ('{"status": "finished", "config": {"figure": {"a": 1}}}', r"figure\.a of its config"),
        ('{"status": "finished", "overrides": [1]}', "overrides are not texts"),
        ('{"status": "finished", "seconds": "long"}', "seconds is a str"),
        ('{"status": "finished", "versions": 3}', "versions is a int"),
    ],
    ids=lambda value: value[:30],
)
def test_facts_that_are_none(run, content, said):
    (run / "run.json").write_text(content)
    with pytest.raises(NetgazeError, match=said):
        _ = Run(run).facts
    code, printed = command("runs=[outputs/theirs]", "figure=[filters]", cwd=run.parents[1], script="analyze.py")
    assert code == 1
    assert "Traceback" not in printed


@pytest.mark.parametrize("name", ["run.json", "metrics.json"])
def test_a_gigabyte_of_json_is_not_read(run, name):
    os.truncate(run / name, 1 << 30)  # sparse: it takes no room
    with pytest.raises(NetgazeError, match="has 1074 MB, more than the 100 MB"):
        read_json(run / name)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("metrics.json", '{"test/acc": "good"}', "test/acc is no number"),
        ("metrics.json", '{"test/acc": [1]}', "test/acc is no number"),
        ("metrics.json", "3", "holds a int"),
        ("variants.json", "{}", "no list of networks"),
        ("variants.json", "[1]", "no list of networks"),
        ("history.csv", "epoch,val/acc\n1,good\n", "could not convert string to float: 'good'"),
        ("history.csv", "val/acc\n0.5\n", "a row does not say its epoch"),
        ("history.csv", "epoch\ninf\n", "a row does not say its epoch"),
        ("history.csv", "epoch\n1,2,3\n", "is not as train.py writes it"),
        ("history.csv", "epoch\n\x00\n", "is not as train.py writes it"),
        ("history.csv", "epoch," + ",".join(map(str, range(1_000_000))) + "\n1\n", "it has 1000001 columns"),
        ("history.csv", "epoch," + "x" * 1_000_000 + "\n1,2\n", "field larger than field limit"),
    ],
    ids=lambda value: value[:20],
)
def test_numbers_that_are_none(run, name, content, said):
    (run / name).write_text(content)
    part = {"metrics.json": "metrics", "variants.json": "variants", "history.csv": "epochs"}[name]
    with pytest.raises(NetgazeError, match=said):
        getattr(Run(run), part)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.update(netgaze=3),
        lambda content: content["netgaze"].pop("config"),
        lambda content: content["netgaze"].update(class_names="ab"),
        lambda content: content["netgaze"]["config"].pop("trainer"),
        lambda content: content["netgaze"]["config"].update(model=[1]),
        lambda content: content["netgaze"]["config"]["trainer"].pop("max_epochs"),
        lambda content: content.pop("state_dict"),
        lambda content: content.update(epoch="last"),
    ],
)
def test_checkpoints_that_lack_what_ours_have(run, change):
    path = run / "checkpoints" / "best.ckpt"
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)
    with pytest.raises(NetgazeError, match=r"is not as train\.py writes it|was not written by train\.py"):
        open_run(run)


def test_arrays_that_grow(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(4_000_000))
    assert read_arrays(tmp_path / "a.npz")["a"].shape == (4_000_000,)
    assert read_arrays(tmp_path / "a.npz", most_bytes=10_000_000) is None
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as packed:
        header = b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"
        packed.writestr("a.npy", header.ljust(127) + b"\n")
    assert read_arrays(tmp_path / "b.npz") is None
    np.savez(tmp_path / "c.npz", a=np.array([{}], dtype=object))
    assert read_arrays(tmp_path / "c.npz") is None


@pytest.mark.parametrize("content", [DEEP, f'{{"images": [{HUGE}]}}', '{"images": 3}', "\ud800"])
def test_annotations_that_are_none(tmp_path, content):
    path = tmp_path / "x_train.json"
    path.write_text(content, errors="surrogatepass")
    with pytest.raises(NetgazeError, match=r"x_train\.json is not"):
        read_annotations(path)
    os.truncate(path, 2 << 30)
    with pytest.raises(NetgazeError, match="has 2147 MB"):
        read_annotations(path)
