"""Config becomes objects, and nothing but the objects that may be."""

import os

import pytest
import torch
from tests.conftest import composed

from netgaze.build import build, build_task, resolve_config
from netgaze.errors import NetgazeError, explaining_memory
from netgaze.trainer import compile_steps

ADAM = {"_target_": "torch.optim.AdamW", "_partial_": True, "lr": 0.1}


def test_partial_and_extra():
    optimizer = build(ADAM)([torch.zeros(1, requires_grad=True)])
    assert isinstance(optimizer, torch.optim.AdamW)
    model = torch.nn.Linear(1, 1)
    assert build({"_target_": "torch.nn.Sequential"}) is not None
    task = build(
        {"_target_": "netgaze.tasks.supervised.Supervised", "num_classes": 3},
        model=model,
        optimizer=build(ADAM),
        schedule=build({"_target_": "netgaze.schedules.Constant"}),
    )
    assert task.model is model


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "torch.utils.collect_env.run",
        "netgaze.files.os.system",
        "netgaze.provenance.subprocess.run",
        "builtins.exec",
        "netgaze.files.write_text",
        "netgaze.download.fetch",
        "torch.load",
    ],
)
def test_a_strangers_target_is_refused(target, tmp_path):
    flag = tmp_path / "pwned"
    for config in ({"_target_": target, "command": f"touch {flag}"}, {**ADAM, "x": [{"_target_": target}]}):
        with pytest.raises(NetgazeError, match="refused"):
            build(config)
    assert not os.path.exists(flag)


def test_without_a_compiler_nothing_is_compiled(monkeypatch):
    def search():
        raise RuntimeError("No working C++ compiler found")

    monkeypatch.setattr("torch._inductor.cpp_builder.get_cpp_compiler", search)
    with pytest.raises(NetgazeError, match="needs a C\\+\\+ compiler"):
        compile_steps(torch.nn.Linear(1, 1))


def test_a_target_that_is_not_there():
    with pytest.raises(NetgazeError, match="cannot be found"):
        build({"_target_": "netgaze.models.nothing.Net"})


def test_arguments_that_do_not_fit():
    with pytest.raises(NetgazeError, match=r"takes no key deep\. Did you mean depth"):
        build({"_target_": "netgaze.models.resnet_cifar.CifarResNet", "deep": 3})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"per_class": 2.5}, "refuses per_class=2.5: expected a whole number, or null"),
        ({"per_class": "few"}, "refuses per_class=few: expected a whole number, or null"),
        ({"epoch_size": True}, "refuses epoch_size=true: expected a whole number, or null"),
        ({"long_tail": "much"}, "refuses long_tail=much: expected a number, or null"),
        ({"image_size": None}, "refuses image_size=null: expected a whole number"),
        ({"label_noise": [0.1]}, r"refuses label_noise=\[0.1\]: expected a number"),
    ],
    ids=str,
)
def test_what_is_no_number_is_said(changes, said):
    facts = {"num_classes": 10, "num_channels": 1, "image_size": 32, "mean": [0.3], "std": [0.4]}
    fine = {"per_class": None, "long_tail": 5, "label_noise": 0, "augment": None}  # whole numbers are numbers
    build({"_target_": "netgaze.data.digits.Digits"} | facts | fine)
    with pytest.raises(NetgazeError, match=said):
        build({"_target_": "netgaze.data.digits.Digits"} | facts | fine | changes)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("+model.nope=1", "model.nope: ResNet takes no key nope."),
        ("+trainer.nope=1", "trainer.nope: make_trainer takes no key nope."),
        ("+optim.amsgrd=true", "optim.amsgrd: Muon takes no key amsgrd."),
        ("+data.augment.flipp=true", "data.augment.flipp: Augment takes no key flipp. Did you mean flip?"),
        ("optim.lr=nan", "optim.lr=nan: expected a finite number."),
        ("task.label_smoothing=inf", "task.label_smoothing=inf: expected a finite number."),
        ("seed=9223372036854775808", "seed=9223372036854775808 is too large for a whole number."),
        ("model.widths=[32,0,64,128]", "model.widths=[32,0,64,128]: expected 1 or more."),
        ("model.depths=[1,1,null,1]", "model.depths=[1,1,None,1]: expected a list of whole numbers."),
        ("data.limit=ten", "data.limit=ten: expected a whole number, or null."),
        ("data.sampler=often", "data.sampler=often: expected natural, sqrt or uniform."),
        ("callback.online_eval.figures.knn.indices=5", "expected a list of whole numbers, or null, as in indices=[5]."),
        ("model._target_=netgaze.models.vgg.VGG", "model.stem: VGG takes no key stem."),
    ],
)
def test_a_config_is_held_against_its_constructors_by_its_own_keys(typed, said):
    with pytest.raises(NetgazeError) as error:
        resolve_config(composed("data=digits", typed))
    assert str(error.value).endswith(said)


def test_filters_are_scaled_in_networks_with_norms_alone():
    def made(*typed):
        return build_task(resolve_config(composed("data=digits", *typed)), [str(digit) for digit in range(10)])

    with pytest.raises(NetgazeError, match=r"network inception has no norms, .* Choose optim=sgd"):
        made("model=inception")
    for typed in (["optim=sgd"], ["optim.scale_filters=false"], ["trainer.max_epochs=0"]):
        assert made("model=inception", *typed)
    assert made("model=resnet_small")


def test_a_config_of_ones_own_optimizer_passes():
    assert resolve_config(composed("optim=adamw", "+optim.amsgrad=true"))["optim"]["amsgrad"]


@pytest.mark.parametrize(
    "error", [MemoryError("Unable to allocate 8 TiB"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_memory_that_is_out_is_said(error):
    with (
        pytest.raises(NetgazeError, match=r"needs more memory than there is\. Take less\."),
        explaining_memory("Take less."),
    ):
        raise error


def test_another_error_stays_what_it_is():
    with pytest.raises(RuntimeError, match="a bug"), explaining_memory("Take less."):
        raise RuntimeError("a bug")
