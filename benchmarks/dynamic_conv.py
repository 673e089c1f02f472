"""ratio = seconds of the dynamic head in one pass over those of a pass for each of ten classes (at most 0.25).

Embedding, generator, dynamic convolution and predictor, forward and backward, on 64 maps of 8x8 of a batch of 256. Both
sides use the same modules and give the same scores; alternating in one run, medians after a warm-up. Beside it
`step_ratio`: a whole training step with generated filters over one with static filters, one a class (at most 1.15).

    python benchmarks/dynamic_conv.py [--quick]
"""

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from netgaze.models.dynamic_conv import DynamicConv
from netgaze.schema import num_cpus
from netgaze.trainer import describe_device, resolve_precision, set_globals

BATCH, CLASSES = 256, 10
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def network(filters: str) -> DynamicConv:
    """The assignment's network for 32x32 images."""
    torch.manual_seed(0)
    model = DynamicConv(
        up_to="layer1",
        depths=[2, 2, 2, 2],
        widths=[64, 128, 256, 512],
        stem="imagenet",
        in_channels=3,
        image_size=32,
        num_classes=CLASSES,
        filter=filters,
    )
    return model.to(memory_format=torch.channels_last).to(DEVICE)


def separate_passes(model: DynamicConv, maps: Tensor) -> Tensor:
    """The assignment as it is told: class by class a filter is written, laid over the maps, and scored, [B,K]."""
    scores = []
    for number in range(CLASSES):
        embedding = model.filters.embedding(torch.tensor(number, device=maps.device))  # type: ignore[operator]
        written = F.normalize(model.filters.generator(embedding), dim=0)  # type: ignore[operator]
        response = F.conv2d(maps, written.view(1, -1, 1, 1)) / math.sqrt(written.numel())
        scores.append(model.predictor(response.flatten(1)))
    return torch.cat(scores, dim=1)


def seconds(step: Callable[[], None], repeats: int) -> float:
    """Mean seconds of a step."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(repeats):
        step()
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - started) / repeats


def head_step(model: DynamicConv, head: Callable[[Tensor], Tensor], maps: Tensor, labels: Tensor) -> None:
    """Forward and backward through the head, down to the maps."""
    model.zero_grad()
    maps.grad = None
    F.cross_entropy(head(maps), labels).backward()


def training_step(filters: str, precision: str) -> Callable[[], None]:
    """A whole step of a network: forward, backward, optimizer."""
    model = network(filters)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True, fused=True)
    images = torch.randn(BATCH, 3, 32, 32, device=DEVICE).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(BATCH, device=DEVICE) % CLASSES

    def step() -> None:
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=precision == "bf16-mixed"):
            loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def alternate(first: Callable[[], None], second: Callable[[], None], rounds: int, repeats: int) -> tuple[float, ...]:
    """Median seconds of both, and the median of their ratios."""
    seconds(first, 3), seconds(second, 3)  # warm-up
    pairs = [(seconds(first, repeats), seconds(second, repeats)) for _ in range(rounds)]
    columns = [statistics.median(column) for column in zip(*pairs, strict=True)]
    return (*columns, statistics.median(one / other for one, other in pairs))


def main() -> None:
    """Measure and print the table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    rounds = 3 if parser.parse_args().quick else 11
    set_globals(seed=0, threads=num_cpus(), deterministic=True)
    precision = resolve_precision("auto")
    model = network("dynamic")
    maps = torch.randn(BATCH, 64, 8, 8, device=DEVICE).contiguous(memory_format=torch.channels_last)
    maps.requires_grad_()
    labels = torch.arange(BATCH, device=DEVICE) % CLASSES
    torch.testing.assert_close(model.forward_head(maps), separate_passes(model, maps), atol=1e-5, rtol=1e-4)
    once, apart, ratio = alternate(
        lambda: head_step(model, model.forward_head, maps, labels),
        lambda: head_step(model, lambda some: separate_passes(model, some), maps, labels),
        rounds,
        repeats=20,
    )
    dynamic, static, step_ratio = alternate(
        training_step("dynamic", precision), training_step("static_per_class", precision), rounds, repeats=10
    )
    print(f"{'':34s}{'ms':>8s}")
    for name, value in (
        ("head, one pass (fp32)", once),
        ("head, a pass for each class (fp32)", apart),
        (f"step, generated filters ({precision})", dynamic),
        (f"step, static filters ({precision})", static),
    ):
        print(f"{name:34s}{1000 * value:8.2f}")
    facts = {"name": "dynamic_conv", "ratio": round(ratio, 4), "device": describe_device(), "torch": torch.__version__}
    print(json.dumps(facts | {"times_as_fast": round(1 / ratio, 2), "step_ratio": round(step_ratio, 4)}))


if __name__ == "__main__":
    main()
