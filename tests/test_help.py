"""`--help`: what is to be chosen and typed, as the files say it, wrapped to the terminal."""

import inspect
import pkgutil
import re
import subprocess
import sys

import pytest
from omegaconf import OmegaConf
from tests.conftest import CONF, ROOT, composed

from netgaze.commands import help
from netgaze.commands.choices import choose_defaults, find_choice, list_default_keys
from netgaze.commands.columns import Columns
from netgaze.commands.configs import Configs
from netgaze.commands.docstrings import read_arguments
from netgaze.commands.yamls import Key, Yaml, merge_keys
from netgaze.errors import NetgazeError

YAMLS = sorted(CONF.rglob("*.yaml"))
OPTIONS = [path for path in YAMLS if path.parent != CONF and "logging" not in str(path) and path.name[0] != "_"]


def explain(*words, name="train"):
    return help.explain(name, ["--help", *words])


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("name", ["train", "analyze"])
@pytest.mark.parametrize("columns", [80, 100, 160])
def test_lines_fit_the_terminal(name, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = explain(name=name).splitlines()
    assert all(len(line) <= columns for line in lines)
    assert max(map(len, lines)) > columns - 8  # the room is used
    assert all(line == line.rstrip() for line in lines)


def test_without_a_terminal_there_are_eighty_columns(monkeypatch):
    monkeypatch.delenv("COLUMNS")
    done = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), "--help"], capture_output=True, text=True, check=True
    )
    assert 72 < max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize(("columns", "width"), [("20", 60), ("300", 160)])
def test_a_terminal_of_no_use_is_not_followed(columns, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    assert Columns().width == width


def test_names_and_what_is_said_of_them_stand_in_columns():
    said = "one two three four five six seven eight nine ten eleven twelve thirteen"
    assert Columns().align([("a", said), ("much_too_long_a_name_for_a_column", "x"), ("bcd", "")]).splitlines() == [
        "  a    one two three four five six seven eight nine ten eleven twelve thirteen",
        "  much_too_long_a_name_for_a_column",
        "       x",
        "  bcd",
    ]


def test_every_choice_has_its_line():
    said = re.sub(r"\s+", " ", explain() + explain(name="analyze"))
    for path in OPTIONS:
        text = path.read_text("utf-8").splitlines()
        first = next(line for line in text if not line.startswith("# @package")).removeprefix("# ").replace("`", "")
        group = "hydra/launcher" if "launcher" in path.parts else path.relative_to(CONF).parts[0]
        name = path.relative_to(CONF / group).with_suffix("").as_posix()
        assert f" {name} {first} " in f"{said} "


def test_the_defaults_are_those_that_hydra_composes():
    config, configs = composed(), Configs(CONF, "train")
    values = {key.path: key.value for key in list_default_keys(configs)}
    for path, value in values.items():
        if "${" not in value:
            assert OmegaConf.select(config, path) == OmegaConf.create(f"x: {value}").x, path
    assert {"optim.lr": "0.085", "trainer.max_epochs": "18", "data.batch_size": "256"}.items() <= values.items()
    assert choose_defaults(configs)["optim"] == "muon"  # as the default task has it
    assert "optim= the optimizer (default: muon)" in explain("optim")


def test_ten_keys_that_people_change_stand_with_their_defaults_and_a_line():
    shown = explain().partition("Common keys")[2].partition("\n\n")[0].splitlines()[1:]
    names = [line.split("=")[0].strip() for line in shown if re.match(r"  \S", line)]
    assert len(names) == len(set(names)) == 10
    assert all(key.said for key in list_default_keys(Configs(CONF, "train")) if key.path in names)


@pytest.mark.parametrize("path", OPTIONS, ids=lambda path: str(path.relative_to(CONF)))
def test_every_choice_is_explained_with_all_of_its_keys(path):
    group = "hydra/launcher" if "launcher" in path.parts else path.relative_to(CONF).parts[0]
    name = path.relative_to(CONF / group).with_suffix("").as_posix()
    said = explain(f"{group}={name}")
    assert said.startswith(f"{group}={name}\n")
    content = OmegaConf.to_container(OmegaConf.load(path))
    package = re.match(r"# @package (\S+)", path.read_text("utf-8"))
    start = (package[1] if package else group.replace("/", ".")).removeprefix("_global_")
    for key in leaves({key: value for key, value in content.items() if key not in ("defaults", "name")}):
        if not key.rpartition(".")[2].startswith("_"):
            assert re.search(rf"^  {re.escape(f'{start}.{key}'.removeprefix('.'))}=", said, re.MULTILINE), key
    assert "_target_" not in said


def leaves(content, start=""):
    for key, value in content.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{start}{key}.")
        else:
            yield f"{start}{key}"


def test_a_choice_says_what_it_is_what_else_it_chooses_and_what_its_keys_mean():
    said = explain("task=siamese")
    assert "Siamese: the same person or not, by the distance of embeddings;" in said
    assert "It also sets data=att_faces schedule=one_cycle" in said
    assert re.search(r"  task\.margin=null +null: 2\.0 for contrastive, 0\.3 for triplet\n", said)  # its comment
    assert re.search(
        r"  task\.num_classes=\$\{data\.num_classes\}\n +outputs of the network\n", said
    )  # its base's docs
    assert "${...} is the value of another key." in said


def test_commands_in_a_comment_are_those_that_can_be_typed(monkeypatch):
    lines = explain("experiment=transfer").splitlines()
    assert any(line.startswith("  netgaze train -m experiment=transfer task=finetune") for line in lines)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    assert any(line.startswith("  python train.py -m") for line in explain("experiment=transfer").splitlines())


def test_what_a_file_shares_with_others_is_its_own_too():
    keys = {key.path: key for key in find_choice(Configs(CONF, "train"), "data", "decathlon/dtd").list_keys()}
    assert keys["data.limit"].said.startswith("at most this many training images")
    assert keys["data.augment.crop_padding"].said  # its own value, and what the shared file says of it
    keys = {key.path: key for key in find_choice(Configs(CONF, "train"), "trainer", "ddp").list_keys()}
    assert (keys["trainer.devices"].value, keys["trainer.max_epochs"].value) == ("-1", "18")


@pytest.mark.parametrize("word", ["figure=knn", "figure=[knn]", "figure=[ knn ]", "+figure=knn", "knn"])
def test_a_choice_can_be_typed_in_several_ways(word):
    assert explain(word).startswith("figure=knn\n\nThe nearest training images")


def test_several_words_are_explained_one_after_the_other():
    said = explain("model=resnet20,vgg19", "optim.lr")
    assert said.index("model=resnet20\n") < said.index("model=vgg19\n") < said.index("optim.lr=0.085")


def test_a_key_is_explained_with_the_choices_that_bring_it():
    said = explain("optim.lr")
    assert re.findall(r"optim\.lr=(\S+)[^;]+; with optim=(\w+)", re.sub(r"\s+", " ", said)) == [
        ("0.085", "muon"),
        ("0.001", "adamw"),
        ("0.2", "sgd"),
    ]
    assert explain("optim.lr=0.3") == said
    assert "task.threshold_rule=eer" in explain("task.threshold_rule")
    assert "data.augment.cutout=0" in explain("data.augment")


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("task=siamse", "There is no task=siamse. Did you mean siamese? Choose from byol, "),
        ("optim.l", "There is no key optim.l. Did you mean optim.lr?"),
        ("wd", "There is no key wd. Weight decay is optim.weight_decay."),
        ("figure=neighbours", "figure=neighbours is now figure=neighbors."),
        ("--hlep", "There is no flag --hlep. Did you mean --help?"),
    ],
)
def test_an_unknown_word_is_answered_with_the_nearest(word, answer):
    with pytest.raises(NetgazeError, match=re.escape(answer)):
        explain(word)


def test_an_analysis_has_help_of_its_own():
    said = explain(name="analyze")
    assert "  checkpoint=best " in said
    assert "task=\n" not in said
    assert explain("figure=knn", name="analyze") == explain("figure=knn")


@pytest.mark.parametrize("words", [["--help"], ["--help", "task=siamese"], ["-h", "optim.lr"]])
def test_help_needs_no_torch(words):
    code = f"import sys; from netgaze import cli; cli.train({words}); print({{'torch', 'numpy'}} & set(sys.modules))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.splitlines()[-1] == "set()"


def test_a_reader_who_has_seen_enough_is_no_mistake():
    line = f"{sys.executable} {ROOT / 'train.py'} --help | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert (done.stdout.splitlines()[-1], done.stderr) == ("0", "")


def test_keys_of_a_file_with_what_stands_beside_or_above_them():
    file = Yaml(
        "model",
        "# What it is.\n#   a command\ndefaults:\n  - x\n_target_: a.B  # hidden\nplain: 1 # beside\n\n# above\n"
        "text: 'a # b'  # c\nnone:\nlist:\n  - 1\n  - two\nflow: [1,\n  2]   # end\nin:   # of the part\n"
        "  deep: ${a.b}\n  # on\n  # two lines\n  deeper: 1\n",
    )
    assert file.comment == ["What it is.", "  a command"]
    assert file.list_keys() == [
        Key("model._target_", "a.B", "hidden"),
        Key("model.plain", "1", "beside"),
        Key("model.text", "'a # b'", "c"),
        Key("model.none", "", ""),
        Key("model.list", "[1, two]", ""),
        Key("model.flow", "[1, 2]", "end"),
        Key("model.in.deep", "${a.b}", ""),
        Key("model.in.deeper", "1", "on two lines"),
    ]
    above = Yaml("", "# What it is.\na: 1\n# of b,\n# on two lines\nb: 2\n")
    assert above.list_keys() == [Key("a", "1", ""), Key("b", "2", "of b, on two lines")]


def test_a_value_of_ones_own_keeps_what_the_shared_file_says():
    own, shared = [Key("a", "1"), Key("b", "2", "mine")], [Key("a", "0", "theirs"), Key("b", "0", "x"), Key("c", "3")]
    assert merge_keys(own, shared) == [Key("a", "1", "theirs"), Key("b", "2", "mine"), Key("c", "3")]


@pytest.mark.parametrize(
    "target", ["netgaze.tasks.siamese.Siamese", "netgaze.data.folder.Folder", "netgaze.trainer.make_trainer"]
)
def test_arguments_are_documented_as_their_docstrings_have_it(target):
    """The names are those of the signature, and every word stands in a docstring of the class or of its bases."""
    said = read_arguments(target)
    thing = pkgutil.resolve_name(target)
    docs = [inspect.getdoc(base) or "" for base in (thing.__mro__ if inspect.isclass(thing) else [thing])]
    words = re.sub(r"\s+", " ", " ".join(docs))
    assert said
    assert all(text in words and not text.startswith("see `") for text in said.values())
    assert set(inspect.signature(thing).parameters) & set(said)


def test_arguments_that_are_documented_together_are_each_documented():
    said = read_arguments("netgaze.data.cifar10.Cifar10")
    assert said["mean"] == said["std"] == "of values in 0..1, a number for each channel or one for all."


def test_other_packages_are_not_read():
    assert read_arguments("torch.optim.AdamW") == read_arguments("") == read_arguments("netgaze.no.Such") == {}
