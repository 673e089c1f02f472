"""Every data set, network and task under conf/ keeps its contract: found by glob, so a new one needs no edit here."""

import socket
from functools import partial

import pytest
import torch
from omegaconf import OmegaConf
from pytorch_lightning import Callback, Trainer
from tests.conftest import CONF, composed
from tests.models.test_models import MODELS, SIZES, made

from netgaze.build import build, build_task, resolve_config
from netgaze.data.base import ImageData
from netgaze.data.images import Images
from netgaze.errors import NetgazeError
from netgaze.figures.filters import Filters
from netgaze.models.base import PooledNet
from netgaze.schedules import Constant
from netgaze.subject import Subject
from netgaze.tasks.supervised import Supervised

DATA = [path for path in sorted((CONF / "data").rglob("*.yaml")) if not path.name.startswith("_")]
# What has no folder is embedded: drawn, or installed with a package.
NEED_FILES = {str(path.relative_to(CONF / "data").with_suffix("")): "dir" in set(OmegaConf.load(path)) for path in DATA}
EMBEDDED = [name for name, needs in NEED_FILES.items() if not needs]
TASKS = sorted(path.stem for path in (CONF / "task").glob("[!_]*.yaml"))
# What takes long to draw is drawn small.
FEW = {
    "doodle_faces": ["data.num_classes=12", "data.num_val_people=2", "data.num_test_people=2", "data.images_each=4"],
    "shapes": ["data.num_train=300", "data.num_val=100", "data.num_test=100"],
    "things": ["data.num_train=300", "data.num_val=100", "data.num_test=100"],
}
OF_TASK = {"siamese": ["data=doodle_faces", *FEW["doodle_faces"]]}


class Noise(ImageData):
    """Images of any size that need no file: three channels, ten classes."""

    def __init__(self, image_size: int):
        super().__init__(num_classes=10, num_channels=3, image_size=image_size, mean=[0.5], std=[0.3], batch_size=4)

    def load(self):
        self.class_names = [str(number) for number in range(10)]
        images = torch.randint(256, (20, 3, self.image_size, self.image_size), generator=torch.Generator()).byte()
        split = Images(images, torch.arange(20) % 10)
        return {"train": split, "val": split, "test": split}


class Gradients(Callback):
    """Notes which parameters had which gradient before the step."""

    def on_before_optimizer_step(self, trainer, task, optimizer):
        self.found = {name: parameter.grad for name, parameter in task.named_parameters()}


@pytest.fixture
def cpu():
    """Trains one step and validates one batch, on the CPU, leaving nothing on the disk."""
    torch.manual_seed(0)
    return Trainer(
        callbacks=[Gradients()],
        max_epochs=1,
        limit_train_batches=1,
        limit_val_batches=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )


def made_data(name: str, *overrides: str):
    return build(resolve_config(composed(f"data={name}", *FEW.get(name, []), *overrides))["data"])


def check_step(trainer, task, data):
    """All that may learn gets a finite gradient and moves something; the losses are finite."""
    before = {name: value.clone() for name, value in task.named_parameters()}
    trainer.fit(task, datamodule=data)
    assert trainer.global_step == 1
    assert torch.isfinite(trainer.callback_metrics["val/loss"])
    (gradients,) = (callback.found for callback in trainer.callbacks if isinstance(callback, Gradients))
    learned = {id(parameter) for group in task.param_groups() for parameter in group["params"]}
    named = {name: value for name, value in task.named_parameters() if id(value) in learned and value.requires_grad}
    assert named
    for name in named:
        assert gradients[name] is not None, f"{name} gets no gradient"
        assert torch.isfinite(gradients[name]).all(), name
    assert any(not torch.equal(before[name], value) for name, value in named.items())


def test_the_glob_finds_the_embedded_sets():
    assert {"digits", "doodle_faces", "shapes"} <= set(EMBEDDED)


@pytest.mark.parametrize("name", EMBEDDED)
class TestEmbeddedData:
    def test_its_facts_are_true(self, name):
        data = made_data(name)
        assert set(data.splits) == {"train", "val", "test"}
        assert len(set(data.class_names)) == len(data.class_names) == data.num_classes
        seen = set()
        for split in data.splits:
            images, labels = data.images(split), data.labels(split)
            assert images.dtype == torch.uint8
            assert images.shape == (len(labels), data.num_channels, data.image_size, data.image_size)
            assert len(labels) > 0
            assert labels.dtype == torch.int64
            seen |= set(labels.tolist())
        assert seen == set(range(data.num_classes))
        pixels = data.normalize(data.images("train"))
        assert abs(pixels.mean()) < 0.5, "data.mean is not that of the training images"
        assert 0.5 < pixels.std() < 2, "data.std is not that of the training images"

    def test_it_is_the_same_each_time(self, name):
        assert made_data(name).fingerprint == made_data(name).fingerprint


@pytest.mark.parametrize("name", sorted(set(NEED_FILES) - set(EMBEDDED)))
def test_a_set_without_its_files_says_so(name, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(NetgazeError):
        made_data(name, f"data.dir={tmp_path}").setup()


@pytest.mark.parametrize("name", MODELS)
def test_a_network_trains_a_step(name, cpu):
    optimizer = partial(torch.optim.SGD, lr=0.01)
    task = Supervised(model=made(name), num_classes=10, optimizer=optimizer, schedule=Constant())
    check_step(cpu, task, Noise(SIZES.get(name, 32)))


@pytest.mark.parametrize("name", TASKS)
def test_a_task_trains_a_step(name, cpu):
    words = OF_TASK.get(name, ["data=digits", "data.limit=40"])
    config = composed(f"task={name}", *words, "data.per_class=null", "data.epoch_size=null", "data.batch_size=8")
    settings = resolve_config(config)
    data = build(settings["data"])
    data.setup()
    task = build_task(settings, data.class_names)
    data.num_views = task.num_views
    data = task.training_data(data, torch.device("cpu"))
    if task.trainable:
        check_step(cpu, task, data)
    else:
        (numbers,) = cpu.test(task, datamodule=data, verbose=False)
        assert numbers["test/loss"] > 0


class OneFilterLayer(PooledNet):
    """What the contract asks of a network, and no more."""

    filter_layers, feature_layers, num_features = ("first",), ("first",), 4

    def __init__(self):
        super().__init__()
        self.first, self.fc = torch.nn.Conv2d(3, 4, 3), torch.nn.Linear(4, 10)

    def forward_features(self, images):
        return self.first(images)


def test_any_number_of_filter_layers_is_drawn():
    """Networks that name one, two and three of them stand side by side."""
    three = made("resnet_small")
    three.filter_layers = (*three.filter_layers, "layer2.0.conv1")
    optimizer = partial(torch.optim.SGD, lr=0.01)
    findings = {}
    for model in (OneFilterLayer(), made("resnet_small"), three):
        task = Supervised(model=model, num_classes=10, optimizer=optimizer, schedule=Constant())
        subject = Subject(str(len(model.filter_layers)), data=lambda: None, task=lambda task=task: task)
        findings[subject.label] = Filters().compute(subject)
    assert [len(finding.arrays["layers"]) for finding in findings.values()] == [1, 2, 3]
    assert Filters().draw(findings).axes
