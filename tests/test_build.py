"""Config becomes objects, and nothing but the objects that may be."""

import os

import pytest
import torch

from netgaze.build import build
from netgaze.errors import NetgazeError

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
