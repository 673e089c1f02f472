"""The contracts hold two ways of learning that are no plain classification, each one file and one YAML in this folder.

SimSiam has two views, no logits, a predictor that no figure sees, and chooses its best epoch by its loss; mean teacher
has a copy of its network that follows each step of the optimizer.
"""

import copy
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pytorch_lightning import Callback, Trainer
from tests.conftest import CONF, NO_FIGURES, TINY, composed
from tests.data.test_base import tiny
from tests.proof.mean_teacher import MeanTeacher
from tests.proof.simsiam import SimSiam
from tests.tasks.test_tasks import network
from tests.tiny_runs import read_rows, same, weights
from tests.tiny_runs import train as train_run

import netgaze
from netgaze.batch import Batch
from netgaze.build import build
from netgaze.data.augment import Augment
from netgaze.experiment import open_run
from netgaze.gallery import look
from netgaze.schedules import Constant

HERE = Path(__file__).parent
FIGURES = sorted(path.stem for path in (CONF / "figure").glob("*.yaml"))
OF_CLASSES = {"cam", "confused_pairs", "confusion", "extremes", "filter_similarity", "predict", "pseudo_labels"}
OF_CLASSES |= {"attribution", "response_maps"}
OF_EXAMPLES = {"dynamics", "suspicious"}
QUICK = {  # of figures that search by gradient, or try many images
    "attribution": ["num_dropped=6", "num_randomized=3", "num_steps=4", "path_steps=4"],
    "cam": ["num_dropped=10", "num_randomized=5"],
    "deep_dream": ["size=48", "octaves=1", "steps=2"],
    "inversion": ["steps=5"],
    "maximal_images": ["steps=3"],
    "robustness": ["num_images=10"],
    "similarity": ["num_permutations=5"],
    "verification": ["replicates=5"],
}


def train(folder, task, *words):
    searched = f"hydra.searchpath=[file://{HERE}]"
    return train_run(folder, searched, *TINY, *NO_FIGURES, f"task={task}", *words)


def made(kind, **changes):
    torch.manual_seed(0)
    optimizer = partial(torch.optim.SGD, lr=0.1)
    return kind(model=network(), num_classes=10, optimizer=optimizer, schedule=Constant(), **changes)


def two_views(num=6):
    generator = torch.Generator().manual_seed(1)
    views = tuple(torch.randn(num, 3, 8, 8, generator=generator) for _ in range(2))
    return Batch(views, torch.arange(num), torch.arange(num))


@pytest.fixture(scope="module")
def simsiam(tmp_path_factory):
    return train(tmp_path_factory.mktemp("proof") / "simsiam", "simsiam", "trainer.max_epochs=4")


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    return train(tmp_path_factory.mktemp("proof") / "mean_teacher", "mean_teacher", "trainer.max_epochs=4")


# --- what a step is ---


def test_simsiams_loss_is_the_papers():
    """L = D(p1, z2) / 2 + D(p2, z1) / 2, D(p, z) = -p/|p| . z/|z|, written as the loop it is."""
    task, batch = made(SimSiam).eval(), two_views()
    z1, z2 = (task.project(view) for view in batch.views)
    p1, p2 = task.predictor(z1), task.predictor(z2)
    total = 0.0
    for p, z in ((p1, z2), (p2, z1)):
        for one, other in zip(p, z, strict=True):
            total -= float((one @ other / one.norm() / other.norm()).detach()) / 2 / len(batch)
    step = task.loss(batch)
    assert float(step.loss.detach()) == pytest.approx(total, rel=1e-5)
    assert step.outputs is None
    alone = task.loss(Batch(batch.views[:1], batch.labels, batch.index)).loss
    assert torch.allclose(alone, task.distance(z1, z1))


def test_simsiams_gradient_flows_through_one_side_alone():
    task = made(SimSiam).train()
    one, other = (torch.randn(6, 16, requires_grad=True) for _ in range(2))
    task.distance(one, other).backward()
    assert one.grad.abs().sum() > 0
    assert other.grad is None
    task.loss(two_views()).loss.backward()
    idle = {name for name, parameter in task.named_parameters() if parameter.grad is None}
    assert idle == {"model.fc.weight", "model.fc.bias"}


class Course(Callback):
    """Notes the network's weights at the start and after each batch."""

    def __init__(self):
        self.states = []

    def on_train_start(self, trainer, pl_module):
        self.note(pl_module)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.note(pl_module)
        assert len(batch.views) == 2

    def note(self, task):
        self.states.append(copy.deepcopy(task.model.state_dict()))


@pytest.mark.parametrize("momentum", [0.0, 0.7, 1.0])
def test_the_momentum_copy_follows_its_closed_form(momentum):
    """After n steps m^n w_0 + (1 - m) sum_i m^(n-i) w_i."""
    task, data, course = made(MeanTeacher, momentum=momentum), tiny(augment=Augment(crop_padding=2)), Course()
    data.num_views = task.num_views
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    Trainer(max_epochs=2, callbacks=[course], enable_model_summary=False, **quiet).fit(task, datamodule=data)
    first, *later = course.states
    assert len(later) == 12
    for name, found in task.teacher.state_dict().items():
        if not found.is_floating_point():
            continue
        expected = momentum ** len(later) * first[name]
        for place, state in enumerate(later, start=1):
            expected = expected + (1 - momentum) * momentum ** (len(later) - place) * state[name]
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert not torch.equal(first["fc.weight"], later[-1]["fc.weight"])


def test_the_momentum_copy_learns_nothing_by_itself():
    task = made(MeanTeacher).train()
    task.loss(two_views()).loss.backward()
    assert all(parameter.grad is None for parameter in task.teacher.parameters())
    assert not any(module.training for module in task.teacher.modules())
    assert all(module.training for module in task.model.modules())


# --- runs ---


@pytest.mark.slow
def test_the_best_epoch_has_the_smallest_loss(simsiam):
    losses = [float(row["val/loss"]) for row in read_rows(simsiam)]
    best = json.loads((simsiam / "metrics.json").read_text())["best/epoch"]
    assert len(losses) == 4
    assert best == 1 + int(np.argmin(losses))
    assert best != 1 + int(np.argmax(losses))
    stored = torch.load(simsiam / "checkpoints" / "best.ckpt", weights_only=True)
    assert stored["epoch"] == best - 1
    assert json.loads((simsiam / "run.json").read_text())["monitor_mode"] == "min"


@pytest.mark.slow
@pytest.mark.parametrize(("every", "asked"), [(1, [1, 2, 3, 4]), (3, [3, 4])])
def test_or_the_most_right_neighbors(every, asked, tmp_path):
    """Epochs in which no figure found the number stand behind those in which one did."""
    words = ["task.monitor=val/knn20", f"callback.online_eval.every={every}", "trainer.max_epochs=4"]
    train(tmp_path, "simsiam", *words)
    found = {int(row["epoch"]): float(row["val/knn20"]) for row in read_rows(tmp_path) if row["val/knn20"]}
    assert list(found) == asked
    best = json.loads((tmp_path / "metrics.json").read_text())["best/epoch"]
    assert best == max(found, key=found.__getitem__)


@pytest.mark.slow
def test_a_number_that_no_epoch_has_is_said(tmp_path, caplog):
    train(tmp_path, "simsiam", "task.monitor=val/kn20")
    assert "No epoch has the number val/kn20. The last epoch is used as the best." in caplog.text
    assert json.loads((tmp_path / "metrics.json").read_text())["best/epoch"] == 2


@pytest.mark.slow
def test_patience_waits_for_a_figures_number_too(tmp_path):
    words = ["task.monitor=val/knn20", "callback.online_eval.every=1", "optim.lr=0"]
    train(tmp_path, "simsiam", *words, "trainer.max_epochs=8", "trainer.patience=1")
    found = [float(row["val/knn20"]) for row in read_rows(tmp_path)]
    not_better = [place for place in range(1, len(found)) if found[place] <= max(found[:place])]
    assert not_better == [len(found) - 1], "the first epoch that is not better is the last"
    assert len(found) < 8


@pytest.mark.slow
def test_patience_waits_for_a_smaller_loss(tmp_path):
    """With a rate of 0 the loss falls or rises as the norms' statistics settle: training ends two epochs after it."""
    train(tmp_path, "simsiam", "optim.lr=0.0", "trainer.max_epochs=30", "trainer.patience=2")
    losses = [float(row["val/loss"]) for row in read_rows(tmp_path)]
    assert len(losses) < 30
    assert len(losses) == 1 + int(np.argmin(losses)) + 2


@pytest.mark.slow
@pytest.mark.parametrize("task", ["simsiam", "mean_teacher"])
def test_resume_goes_on_as_if_never_stopped(task, request, tmp_path):
    whole = request.getfixturevalue({"simsiam": "simsiam", "mean_teacher": "teacher"}[task])
    train(tmp_path, task, "trainer.max_epochs=4", "trainer.max_time=0")
    assert len(read_rows(tmp_path)) == 1
    train(tmp_path, task, "trainer.max_epochs=4")
    for name in ("last", "best"):
        assert same(weights(whole, name), weights(tmp_path, name))
    assert read_rows(whole) == read_rows(tmp_path)


@pytest.mark.slow
def test_a_teacher_begins_as_the_network_that_was_loaded(teacher, tmp_path):
    words = ["task.momentum=1.0", "trainer.max_epochs=1", f"init={teacher}"]
    train(tmp_path, "mean_teacher", *words)
    loaded, after = weights(teacher, "best"), weights(tmp_path)
    for name in loaded:
        if name.startswith("model.") and loaded[name].is_floating_point():
            assert torch.equal(after[name.replace("model.", "teacher.", 1)], loaded[name]), name
    assert not torch.equal(after["model.fc.weight"], loaded["model.fc.weight"])


@pytest.mark.slow
def test_the_smaller_loss_wins_a_comparison(simsiam, tmp_path):
    other = train(tmp_path / "other", "simsiam", "trainer.max_epochs=1", "seed=5")
    losses = {}
    for label, folder in (("first", simsiam), ("second", other)):
        losses[label] = json.loads((folder / "metrics.json").read_text())["val/loss"]
    words = [f"runs=[{simsiam},{other}]", "labels=[first,second]", "figure=[curves]"]
    winner = netgaze.analyze([*words, f"hydra.run.dir={tmp_path / 'seen'}"]).winner
    best = min(losses, key=losses.__getitem__)
    assert f"Winner: {best}, with validation loss {losses[best]:#.3g} against" in winner


# --- what figures see ---


@pytest.mark.slow
def test_what_is_only_there_to_train_is_saved_and_not_seen(simsiam, teacher):
    for folder, parts in ((simsiam, {"projector", "predictor"}), (teacher, {"teacher"})):
        stored = {name.partition(".")[0] for name in weights(folder, "best")}
        assert stored == parts | {"model"}
        assert not any(name.startswith(tuple(parts)) for name in open_run(folder).model.state_dict())


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for name, value in (("a", 40), ("b", 200)):
        Image.new("L", (32, 32), value).save(folder / f"{name}.png")
    return [str(folder / "a.png"), str(folder / "b.png")]


def figure_of(name, pictures):
    quick = [f"figure.{name}.{word}" for word in QUICK.get(name, [])]
    words = [f"figure=[{name}]", f"images=[{','.join(pictures)}]", *quick]
    return build(composed(*words, name="analyze").figure[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_looks_or_says_why_not(name, simsiam, teacher, pictures, tmp_path):
    figure = figure_of(name, pictures)
    subjects = [open_run(simsiam, label="simsiam"), open_run(teacher, label="mean teacher")]
    if name == "pseudo_labels":
        error = look({name: figure}, subjects, tmp_path).failed[name].error
        assert "makes no pseudo-labels. Train one with task=pseudo_labels" in error
        return
    seen = look({name: figure}, subjects, tmp_path)
    if name == "attention":
        assert seen.left_out[name] == "simsiam has no attention; mean teacher has no attention"
        return
    if name in OF_EXAMPLES:
        assert "simsiam has no examples (train with callback.examples" in seen.left_out[name]
        return
    said = json.loads((tmp_path / f"{name}.json").read_text())
    assert (tmp_path / f"{name}.png").stat().st_size > 2000
    assert said["left_out"] == ({"simsiam": "no classes"} if name in OF_CLASSES else {})
    assert list(seen[name]) == [subject.label for subject in subjects if subject.label not in said["left_out"]]


@pytest.mark.slow
def test_a_figure_of_classes_alone_is_left_out_in_a_sentence(simsiam, tmp_path, caplog):
    caplog.set_level("INFO")
    figures = {name: figure_of(name, []) for name in ("cam", "confusion")}
    assert look(figures, [open_run(simsiam, label="simsiam")], tmp_path) == {}
    for name in figures:
        assert f"{name} is left out: simsiam has no classes" in caplog.text
    assert not list(tmp_path.glob("*.png"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["filters", "feature_maps", "knn", "verification"])
def test_no_figure_sees_projector_or_predictor(name, simsiam, pictures):
    figure, found = figure_of(name, pictures), []
    for changes in (False, True):
        subject = open_run(simsiam, label="simsiam")
        if changes:
            for parameter in [*subject.task.projector.parameters(), *subject.task.predictor.parameters()]:
                torch.nn.init.normal_(parameter)
        found.append(figure.compute(subject))
    first, second = found
    assert first.numbers == second.numbers
    assert first.arrays.keys() == second.arrays.keys()
    for key, values in first.arrays.items():
        np.testing.assert_array_equal(values, second.arrays[key])
