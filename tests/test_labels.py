"""What runs are called: by what makes them different, not by what they draw or where they lie."""

import itertools

import pytest

from netgaze.files import write_json
from netgaze.labels import label_runs, list_hyperparameters, list_settings, name_groups
from netgaze.run import Run

CHOICES = {"task": "supervised", "model": "resnet_small", "data": "cifar10"}


@pytest.fixture
def made(tmp_path):
    """Make a run of what was typed; its config and choices are as its keys say."""
    numbers = itertools.count()

    def make(*overrides, config=None, folder=None, **choices):
        place = tmp_path / (folder or f"run{next(numbers)}")
        facts = {"status": "finished", "overrides": list(overrides), "choices": CHOICES | choices}
        write_json(place / "run.json", facts | {"config": config or {}})
        return Run(place)

    return make


@pytest.mark.parametrize(
    "word", ["figure=[cam,tsne]", "figure.knn.num_queries=3", "control=null", "callback.online_eval.every=1", "name=x"]
)
def test_what_a_run_was_asked_to_draw_is_no_name(made, word):
    assert label_runs([made("optim.lr=0.1", word), made("optim.lr=0.2")]) == ["lr=0.1", "lr=0.2"]


def test_a_key_in_a_file_of_weights_stands_behind_it(made):
    typed = (
        made("init={file:'nets/a.pt',key:'ema'}"),
        made("init={file:'nets/a.pt',key:'model'}"),
        made("init='nets/b.pt'"),
    )
    assert label_runs(typed) == ["a.pt:ema", "a.pt:model", "b.pt"]
    configured = made(config={"init": {"file": "nets/a.pt", "key": "ema"}})
    assert label_runs([configured, typed[1]]) == ["a.pt:ema", "a.pt:model"]


def test_where_runs_lie_is_no_name(made):
    runs = [made("seed=0", folder="a/0"), made("seed=0", folder="b/0")]
    assert label_runs(runs) == ["supervised (1)", "supervised (2)"]


def test_tasks_are_words_and_numbers_are_not(made):
    assert label_runs([made(f"task={task}", task=task) for task in ("rotation", "supervised")]) == [
        "rotation",
        "supervised",
    ]
    assert label_runs([made("data.limit=10"), made("data.limit=20")]) == ["limit=10", "limit=20"]
    assert label_runs([made("model.depths=[1]"), made("model.depths=[2]")]) == ["depths=[1]", "depths=[2]"]


def test_what_was_not_typed_is_known_from_choices_and_config(made):
    """One run typed its task and rate, the other has both by default."""
    default = made(config={"optim": {"lr": 0.3, "nesterov": True}, "model": {"widths": [8, 16]}})
    typed = made("task=rotation", "optim.lr=0.1", task="rotation", config={"optim": {"lr": 0.1}})
    assert label_runs([default, typed]) == ["task=supervised, lr=0.3", "task=rotation, lr=0.1"]
    assert label_runs([default, made("optim.lr=0.3", task="supervised")]) == ["supervised (1)", "supervised (2)"]
    wide = made("model.widths=[8,16]", "optim.nesterov=true", config={})
    assert list_settings([default, wide])[0] == {"model.widths": "[8,16]", "optim.nesterov": "true"}


def test_models_that_differ_without_a_word_are_named(made):
    runs = [made(model="resnet_small"), made(model="vgg19")]
    assert label_runs(runs) == ["resnet_small", "vgg19"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["decathlon/dtd", "decathlon/svhn"], ["dtd", "svhn"]),
        (["outputs/sup/0", "outputs/rot/0"], ["sup/0", "rot/0"]),
        (["a/x/0", "b/x/0"], ["a/x/0", "b/x/0"]),
        (["my images", "my/images"], ["my images", "images"]),
        (["my images", "myimages"], ["my images", "myimages"]),
    ],
)
def test_paths_are_cut_as_far_as_they_stay_different(made, values, expected):
    assert label_runs([made(f"init='{value}'") for value in values]) == expected


def test_true_is_true_however_it_was_typed(made):
    assert label_runs([made("data.verify=False", "optim.lr=0.1"), made("data.verify=false")]) == ["lr=0.1", "as it is"]


def test_labels_are_distinct_whatever_was_typed(made):
    typed = [["init=a/0"], ["init=b/0"], ["init=b/0"], [], ["init=0"], ["seed=1", "init=b/0"]]
    labels = label_runs([made(*words) for words in typed])
    assert len(set(labels)) == len(labels)


def test_groups_that_only_look_alike_are_numbered():
    settings = [{"init": "a b"}, {"init": "a b", "seed": "1"}, {}]
    assert name_groups(settings, ["init"]) == ["init=a b", "init=a b", "as it is"]


def test_what_was_typed_comes_before_the_main_settings_and_the_rest_is_left_out(made):
    config = {
        "optim": {"lr": 0.1, "momentum": 0.9},
        "data": {"batch_size": 64, "dir": "x"},
        "trainer": {"max_epochs": 5},
    }
    run = made("model.depths=[1,2]", "optim.lr=0.3", "figure=[cam]", config=config | {"seed": 4}, data="digits")
    assert list(list_hyperparameters(run).items()) == [
        ("model.depths", "[1,2]"),
        ("optim.lr", "0.3"),
        ("task", "supervised"),
        ("data", "digits"),
        ("model", "resnet_small"),
        ("trainer.max_epochs", "5"),
        ("data.batch_size", "64"),
        ("seed", "4"),
    ]
