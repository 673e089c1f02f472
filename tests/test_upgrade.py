"""Words of version 0.1: what the old code wrote opens, and what was typed from memory is answered."""

import pytest
from tests.conftest import ROOT

from netgaze import schema, upgrade
from netgaze.commands.arguments import prepare
from netgaze.errors import NetgazeError
from netgaze.files import read_config, read_json

CONF = ROOT / "conf"
OLD = ROOT / "tests" / "golden" / "runs"


@pytest.fixture(autouse=True, scope="module")
def registered():
    schema.register()


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("data.labelled_share=0.1", "data.labelled_share is now data.labeled_fraction."),
        ("data.augment.crop=2", "data.augment.crop is now data.augment.crop_padding."),
        ("callback.look.every=1", "callback.look.every is now callback.online_eval.every."),
        ("figure.knn.num_neighbours=3", "figure.knn.num_neighbours is now figure.knn.num_neighbors."),
        ("stages.student.data.labelled_share=0.1", "data.labelled_share is now data.labeled_fraction."),
        ("figure=[neighbours]", "figure=neighbours is now figure=neighbors."),
        ("figure=[accuracy_vs_k]", "figure=accuracy_vs_k was removed: the plot of a sweep"),
    ],
)
def test_an_old_word_is_answered_with_the_new_one(word, sentence):
    words = ["task=teacher_student"] if word.startswith("stages") else []
    with pytest.raises(NetgazeError) as said:
        prepare([*words, word], CONF, "train")
    assert str(said.value).startswith(sentence)


@pytest.mark.parametrize(
    ("task", "old", "new"),
    [("siamese", "task.mined_share", "task.mined_fraction"), ("linear_probe", "task.num_views", "task.cached_views")],
)
def test_old_keys_of_a_task(task, old, new):
    with pytest.raises(NetgazeError, match=f"^{old} is now {new}.$"):
        prepare([f"task={task}", f"{old}=1"], CONF, "train")
    prepare([f"task={task}", f"{new}=1"], CONF, "train")


def test_a_config_is_renamed_at_every_depth_and_else_stays():
    old = {
        "data": {"labelled_share": 0.5, "augment": {"crop": 4, "flip": True}, "dir": "crop"},
        "callback": {"look": {"_target_": "netgaze.callbacks.look.Look", "figures": {"knn": {"num_neighbours": 5}}}},
        "figure": {"neighbours": {"_target_": "netgaze.figures.neighbours.Neighbours"}, "accuracy_vs_k": {}},
        "stages": {"student": {"data": {"labelled_share": "${data.labelled_share}"}, "figure": {"accuracy_vs_k": {}}}},
        "model": {"widths": [8, 16], "crop": 1},
        "control": "random",
    }
    assert upgrade.upgrade_config(old) == {
        "data": {"labeled_fraction": 0.5, "augment": {"crop_padding": 4, "flip": True}, "dir": "crop"},
        "callback": {
            "online_eval": {
                "_target_": "netgaze.callbacks.online_eval.OnlineEval",
                "figures": {"knn": {"num_neighbors": 5}},
            }
        },
        "figure": {"neighbors": {"_target_": "netgaze.figures.neighbors.Neighbors"}},
        "stages": {"student": {"data": {"labeled_fraction": "${data.labeled_fraction}"}, "figure": {}}},
        "model": {"widths": [8, 16], "crop": 1},
        "control": "untrained",
    }


def test_facts_of_this_version_stay_as_they_are():
    """A key of today may have the name of an old one: a task with several views has `num_views`."""
    facts = {"versions": {"netgaze": "0.2.0"}, "config": {"task": {"num_views": 2}}, "judged_on": "x"}
    assert upgrade.upgrade_facts(facts) is facts
    content = {"netgaze": {"version": "0.2.0", "config": {"task": {"num_views": 2}}}, "state_dict": {"centre": 1}}
    assert upgrade.upgrade_checkpoint(content) is content


def test_the_control_has_one_name_in_runs_of_every_version(tmp_path):
    facts = {"versions": {"netgaze": "0.2.0"}, "config": {"control": "random", "task": {"num_views": 2}}}
    today = {"control": "untrained", "task": {"num_views": 2}}
    assert upgrade.upgrade_facts(facts)["config"] == today
    content = {"netgaze": {"version": "0.2.0", "config": facts["config"]}, "state_dict": {"centre": 1}}
    assert upgrade.upgrade_checkpoint(content) == content | {"netgaze": {"version": "0.2.0", "config": today}}
    stored = tmp_path / ".hydra" / "config.yaml"
    stored.parent.mkdir()
    stored.write_text("control: random\ntask: {num_views: 2}\n", encoding="utf-8")
    upgrade.upgrade_stored_config(stored)
    assert read_config(stored) == today
    assert upgrade.upgrade_words(["control=random", "seed=1"], tmp_path) == ["control=untrained", "seed=1"]


def test_facts_of_version_0_1_are_renamed():
    facts = upgrade.upgrade_facts(read_json(OLD / "supervised" / "run.json"))
    assert "data.labeled_fraction=0.5" in facts["overrides"]
    assert facts["config"]["data"]["labeled_fraction"] == 0.5
    assert facts["config"]["control"] == "untrained"
    assert "judged_on" not in facts
    assert facts["eval_fingerprint"]


def test_numbers_and_arrays_are_renamed():
    assert upgrade.upgrade_numbers({"val/spread": 1.0, "val/acc": 0.5}) == {"val/embedding_std": 1.0, "val/acc": 0.5}
    assert upgrade.upgrade_arrays({"unlabelled": 1, "rank": 2}) == {"unlabeled": 1, "rank": 2}


def test_every_new_name_is_a_word_of_today():
    """What a new name points to is there: keys in some YAML, classes in some module."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in CONF.rglob("*.yaml"))
    for new in upgrade._KEYS.values():
        assert f"{new}:" in text or f"callback.{new}" in text or f"figure.{new}" in text, new
    for path in upgrade._CLASSES.values():
        assert path in text, path
