"""What people type: quoted, checked, answered with a sentence."""

import importlib.util
import re

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import CONF

from netgaze import schema
from netgaze.commands.arguments import prepare, quote
from netgaze.errors import NetgazeError

schema.register()


def hydra_reads(word: str):
    return OverridesParser.create().parse_overrides([word])[0].value()


@pytest.mark.parametrize("path", ["cat (1).jpg", "a=b", "é", "it's", "a b/[c]", "~/x", "100%", "a\\b", "C:\\data\\x"])
def test_paths_reach_hydra_as_typed(path):
    assert hydra_reads(quote(f"data.dir={path}")) == path
    assert hydra_reads(quote(f"images=[{path},b.jpg]")) == [path, "b.jpg"]
    assert hydra_reads(quote(f"runs={path}")) == [path]


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\\'\"$"), min_size=1))
def test_any_path_reaches_hydra_as_typed(path):
    if path != "null":
        assert hydra_reads(quote(f"init={path}")) == path


def test_null_stays_null_and_quoted_stays_quoted():
    assert quote("init=null") == "init=null"
    assert quote("init='a b'") == "init='a b'"
    assert quote("optim.lr=0.1") == "optim.lr=0.1"


def test_a_comma_sweeps_only_with_m():
    assert quote("init=a,b", sweeps=True) == "init='a','b'"
    assert quote("init=null,a", sweeps=True) == "init=null,'a'"
    assert hydra_reads(quote("init=a,b")) == "a,b"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("optim.lrr=3", "no key optim.lrr. Did you mean optim.lr?"),
        ("epochs=3", "Did you mean trainer.max_epochs?"),
        ("trainr.max_epochs=3", "Did you mean trainer.max_epochs?"),
        ("+lrr=1", "no key lrr"),
        ("task=rotatoin", "Did you mean rotation?"),
        ("data=imagenet", "Choose from"),
        ("figure=[cam,tsnee]", "Did you mean tsne?"),
        ("figures=[cam,tsne]", "Did you mean figure=[cam,tsne]?"),
        ("figures.strict=perhaps", "expected true or false"),
        ("optim.lr=fast", "optim.lr=fast: expected a number"),
        ("data.batch_size=2.5", "expected a whole number"),
        ("optim.scale_filters=1", "expected true or false"),
        ("data.mean=0.5", "expected a list"),
        ("optim.lr=0.1,0.2", "Add -m"),
        ("optim.lr", "Type key=value"),
        ("data.mean=[1,2", "Type key=value"),
        ("resume=nowhere", "there is no run"),
        ("learning_rate=0.1", "The learning rate is optim.lr."),
        ("batch_size=8", "Did you mean data.batch_size?"),
        ("model.pretrained=true", "init=imagenet"),
        ("pretrained=true", "init=imagenet"),
        ("model.weights=DEFAULT", "init=imagenet"),
        ("data.num_workers=4", "Images are in memory"),
        ("optimizer=adam", "optim=sgd or optim=adamw"),
        ("gpus=2", "trainer.devices"),
        ("trainer.fast_dev_run=true", "trainer.max_epochs=1 data.limit=100"),
        ("+trainer.limit_train_batches=0.1", "data.limit=100"),
        ("task.k=30", "It comes with task=pseudo_labels."),
        ("figure.maximal_images.seed=1", "It comes with figure=[maximal_images]."),
        ("model.depth=20", "It comes with model=airbench, model=resnet110, "),
        ("seed=null", "seed=null: expected a whole number, as in seed=0."),
        ("model=null", "a run needs one"),
        ("figure.cam=null", "type ~figure.cam"),
        ("data/decathlon=dtd", "type data=decathlon/dtd"),
        ("figure=knn,tsne", "figure=[knn,tsne]"),
        ("optim.betas=1,2", "no key optim.betas. It comes with optim=adamw."),
        ("optim.lr=interval(0,1)", "list the values"),
        ("~optim.lr", "only figures, callbacks, loggers and stages can be removed"),
        ("~figure", "figure=[]"),
        ("~figure.knnn", "there is no figure.knnn"),
        ("~stages.teacher", "There is no stage teacher."),
        ("stages={a:{init:b}}", "type the keys of stages one by one"),
        ("+model=vgg19", "type it without +, model=vgg19"),
        ("+optim.lr=1", "Type it without +, optim.lr=1."),
        ("+optim.lr.x=1", "optim.lr is a value"),
        ("+figure.maximal_images.seed=3", "It comes with figure=[maximal_images]."),
        ("++optim.scale_filters=1_000", "expected true or false"),
        ("trainer.precision='${nope}'", "interpolation key 'nope' not found"),
        ("data.mean=['${nope}']", "interpolation key 'nope' not found"),
        ("optim.lr='${optim.lr}'", "cannot be resolved"),
        ("optim.lr='${}'", "takes a key"),
        ("model=glob(nothing*)", "matches no choice"),
        ("init.key=model", "Also type the file"),
        ("--lr=0.1", "The learning rate is optim.lr, and keys are typed without dashes."),
        ("--multi", "Did you mean --multirun?"),
        ("--cfg", "--cfg needs a value"),
    ],
)
def test_a_mistake_gets_a_sentence(typed, said):
    with pytest.raises(NetgazeError) as error:
        prepare([typed], CONF, "train")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_sweep_has_no_single_config_to_show():
    with pytest.raises(NetgazeError, match="Leave out one of them"):
        prepare(["-m", "--cfg", "job", "seed=0,1"], CONF, "train")


@pytest.mark.parametrize("launcher", ["cores", "joblib", "slurm", "submitit_slurm"])
def test_what_a_launcher_needs_is_said(launcher, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NetgazeError, match=r"pip install 'netgaze\[cluster\]'"):
        prepare(["-m", f"hydra/launcher={launcher}", "seed=0,1"], CONF, "train")


@pytest.mark.parametrize("word", ["hydra.launcher.mem_gb=2", "hydra.launcher.partition=gpu"])
def test_keys_of_a_launcher_are_known_where_it_was_chosen(word):
    assert word in prepare(["-m", "hydra/launcher=slurm", word, "seed=0,1"], CONF, "train")
    with pytest.raises(NetgazeError, match="is not possible"):
        prepare(["-m", word, "seed=0,1"], CONF, "train")


@pytest.mark.parametrize("typed", ["schedule=cosine", "schedule=null", "+optim=sgd"])
def test_an_analysis_has_choices_of_its_own(typed):
    with pytest.raises(NetgazeError, match=r"analyze takes no \w+\. Choose from data, model, figure, export\.$"):
        prepare(["runs=[a]", typed], CONF, "analyze")


@pytest.mark.parametrize(
    "typed",
    [
        ["optim.lr=1"],
        ["trainer.precision=32"],
        ["trainer.gradient_clip_val=1"],
        ["data.limit=100"],
        ["task=teacher_student", "data.per_class=null", "data.labeled_fraction=0.1"],
        ["init=imagenet"],
        ["control=null"],
        ["figure=[]"],
        ["task=rotation", "model=resnet18", "model.stem=imagenet"],
        ["--cfg", "job", "task=rotation"],
        ["-m", "optim.lr=0.1,0.2", "task=supervised,rotation"],
        ["-m", "model.widths=[8,8,8,8],[16,16,16,16]"],
        ["hydra.run.dir=somewhere"],
    ],
)
def test_what_is_right_passes(typed):
    assert prepare(typed, CONF, "train")


@pytest.mark.parametrize(
    ("typed", "given"),
    [
        (["-m", "model=glob(resnet2*)"], ["-m", "model=resnet20"]),
        (
            ["-m", "model=glob(resnet*,exclude=[*_*,resnet1*])"],
            ["-m", "model=resnet20,resnet32,resnet44,resnet50,resnet56"],
        ),
        (["-m", "figure=knn,tsne"], ["-m", "figure=[knn],[tsne]"]),
        (["figure=knn"], ["figure=[knn]"]),
        (["figure=null"], ["figure=[]"]),
        (["experiment=null", "seed=1"], ["seed=1"]),
        (["optim.lr=0.1,0.2", "seed=1", "-m"], ["-m", "optim.lr=0.1,0.2", "seed=1"]),
        (["task=rotation", "--cfg=job"], ["--cfg", "job", "task=rotation"]),
        (["init=a b.pt", "init.key=model"], ["init={file:'a b.pt',key:'model'}"]),
        (["-m", "init=a,b", "init.key=x"], ["-m", "init={file:'a',key:'x'},{file:'b',key:'x'}"]),
        (["-m", "init=a", "init.key=x,y"], ["-m", "init={file:'a',key:'x'},{file:'a',key:'y'}"]),
        (
            ["task=teacher_student", "stages.teacher.init=a", "stages.teacher.init.key=x"],
            ["task=teacher_student", "++stages.teacher.init={file:'a',key:'x'}"],
        ),
    ],
    ids=str,
)
def test_what_is_meant_reaches_hydra(typed, given):
    assert prepare(typed, CONF, "train") == given


def test_a_list_is_asked_for_where_one_can_be_meant():
    with pytest.raises(NetgazeError, match=re.escape("task.lrs=[1,0.1]")):
        prepare(["task=linear_probe", "task.lrs=1,0.1"], CONF, "train")


def test_a_figure_that_is_not_drawn_takes_no_key():
    with pytest.raises(NetgazeError, match=r"there is no figure\.cam .* It comes with figure=\[cam\]\."):
        prepare(["figure=[knn]", "+figure.cam.num_scored=3"], CONF, "train")


@pytest.mark.parametrize("named", [["--config-dir", "{}"], ["--config-dir={}"], ["hydra.searchpath=[{}]"]])
def test_a_persons_own_configs_are_choices(named, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text("_target_: netgaze.models.vgg.VGG\nwide: 3\n")
    words = [*(word.format(tmp_path) for word in named), "model=mine", "model.wide=4"]
    assert prepare(words, CONF, "train")[-2:] == ["model=mine", "model.wide=4"]
    with pytest.raises(NetgazeError, match="no model=mine"):
        prepare(["model=mine"], CONF, "train")


def test_a_key_must_exist_in_every_choice_of_a_sweep():
    with pytest.raises(NetgazeError, match=r"no key task\.label_smoothing with task=rotation"):
        prepare(["-m", "task=supervised,rotation", "task.label_smoothing=0.1"], CONF, "train")


def test_a_strangers_config_cannot_configure_hydra(tmp_path):
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "config.yaml").write_text("hydra:\n  callbacks:\n    x:\n      _target_: os.system\n")
    with pytest.raises(NetgazeError, match="was not written by train"):
        prepare([f"resume={tmp_path}"], CONF, "train")


@pytest.mark.parametrize("word", ["hydra.callbacks.compare._target_=os.system", "+hydra.job.x=1", "-cd=/tmp"])
def test_a_strangers_sweep_cannot_configure_hydra(word, tmp_path):
    (tmp_path / "multirun.yaml").write_text(f"hydra:\n  overrides:\n    task:\n    - {word}\n")
    with pytest.raises(NetgazeError, match="was not written by train"):
        prepare([f"resume={tmp_path}"], CONF, "train")


def test_a_resumed_run_keeps_its_choices(tmp_path):
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "config.yaml").write_text("name: a\n")
    with pytest.raises(NetgazeError, match="keeps its choices"):
        prepare([f"resume={tmp_path}", "figure=[curves]"], CONF, "train")


STAGED = "task=teacher_student"


@pytest.mark.parametrize(
    ("typed", "given"),
    [
        ("stages.teacher.optim.lr=0.1", "++stages.teacher.optim.lr=0.1"),
        ("stages.pseudo_labels.task.k=30", "++stages.pseudo_labels.task.k=30"),
        ("stages.teacher.run=a b (1)", "++stages.teacher.run='a b (1)'"),
        ("stages.teacher.init=a=b", "++stages.teacher.init='a=b'"),
        ("stages.teacher.model=resnet18", "+model@stages.teacher.model=resnet18"),
        ("stages.teacher.task=rotation", "task@stages.teacher=rotation"),
        ("stages.teacher.figure=[cam]", "+figure@stages.teacher.figure.cam=cam"),
    ],
)
def test_a_stage_takes_any_key_and_a_choice(typed, given):
    assert prepare([STAGED, typed], CONF, "train") == [STAGED, given]


def test_a_choice_of_a_stage_has_its_own_keys():
    words = [STAGED, "stages.teacher.model=resnet18", "stages.teacher.model.stem=imagenet"]
    assert prepare(words, CONF, "train")[-1] == "++stages.teacher.model.stem=imagenet"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("stages.techer.optim.lr=0.1", "no stage techer with task=teacher_student. Did you mean teacher?"),
        ("stages.teacher.optim.lrr=0.1", "no key optim.lrr with task=teacher_student. Did you mean optim.lr?"),
        ("stages.teacher.optim.lr=fast", "stages.teacher.optim.lr=fast: expected a number"),
        ("stages.pseudo_labels.task.k=many", "expected a whole number, as in stages.pseudo_labels.task.k=1000"),
        ("stages.teacher.model=resnet19", "no model=resnet19"),
        ("stages.techer.model=resnet18", "no stage techer with task=teacher_student. Did you mean teacher?"),
        ("stages.teacher={trainer:{max_epochs:1}}", "type the keys of a stage"),
        ("task.k=30", "Did you mean stages.pseudo_labels.task.k?"),
    ],
)
def test_a_mistake_in_a_stage_gets_a_sentence(typed, said):
    with pytest.raises(NetgazeError, match=re.escape(said)):
        prepare([STAGED, typed], CONF, "train")


def test_a_run_without_stages_has_none():
    with pytest.raises(NetgazeError, match="There is no stage teacher"):
        prepare(["stages.teacher.optim.lr=0.1"], CONF, "train")
