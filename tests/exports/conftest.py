"""Networks to export, untrained but for norms that have seen something, and what is known of them."""

import json

import pytest
import torch
from tests.conftest import composed
from torch import nn

from netgaze.build import build_task, resolve_config
from netgaze.exports.base import Answer, Exported

SMALL = ["model.depths=[1,1]", "model.widths=[8,16]"]
NAMES = [f"class {number}" for number in range(10)]


@pytest.fixture
def export_of():
    """Makes what is exported of a config's network, on eight images of noise."""

    def make(*words: str, names=NAMES) -> Exported:
        own = any(word.startswith("model=") or word == "task=dynamic_conv" for word in words)
        typed = [f"data.num_classes={len(names)}", *([] if own else SMALL), *words]
        settings = resolve_config(composed("data=shapes", *typed))
        task, data = build_task(settings, names).eval().requires_grad_(False), settings["data"]
        draws = torch.Generator().manual_seed(0)
        for layer in task.model.modules():
            if isinstance(layer, nn.BatchNorm2d):  # else folding one changes nothing
                layer.running_mean.normal_(generator=draws)
                layer.running_var.uniform_(0.5, 2, generator=draws)
        size = (8, data["num_channels"], data["image_size"], data["image_size"])
        pixels = torch.randint(256, size, generator=draws, dtype=torch.uint8)
        facts = {"class_names": json.dumps(names), "model": json.dumps(settings["model"]), "epoch": "1"}
        facts |= {name: json.dumps(list(data[name])) for name in ("mean", "std")}
        return Exported(Answer(task).eval(), pixels, data["mean"], data["std"], facts)

    return make
