"""Training steps of `train.py`, as people start it, and of a bare loop of the same recipe, a process each.

Images are noise of CIFAR-10's form: what is measured does not depend on what they show. Both sides take the recipe from
the same composed config: network, optimizer, schedule, augmentation, label smoothing, precision, threads. Of tasks it
knows `supervised` and `simclr`.

    python benchmarks/side_by_side.py bare <file> <configs> [words]    the bare loop alone; the words are train.py's
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

import torch
from omegaconf import OmegaConf
from pytorch_lightning import Callback, LightningModule, Trainer

from netgaze.data.base import ImageData, Shared
from netgaze.data.images import Images
from netgaze.measures.losses import nt_xent

ROOT = Path(__file__).resolve().parents[1]
WARM_UP = 3  # steps that do not count: memory, kernels
NOISE = """\
defaults: [_training, _self_]
_target_: side_by_side.Noise
num_steps: 1
num_classes: 10
num_channels: 3
image_size: 32
mean: [0.5, 0.5, 0.5]
std: [0.25, 0.25, 0.25]
augment: {crop_padding: 4, flip: true}
batch_size: 256
num_val: 0
"""
CLOCK = """\
# @package callback.clock
_target_: side_by_side.Clock
file: ???
num_steps: ???
"""


class Noise(ImageData):
    """Random images of CIFAR-10's form.

    Args:
        num_steps: batches of training images.
        shared: see `ImageData`.
    """

    def __init__(self, *, num_steps: int, num_val: int = 0, **shared: Unpack[Shared]):
        super().__init__(num_val=num_val, **shared)
        self.num_steps = num_steps

    def load(self) -> dict[str, Images]:
        """As many images as the steps take, and a few others."""
        self.class_names = [str(number) for number in range(10)]
        generator = torch.Generator().manual_seed(0)

        def split(num: int) -> Images:
            images = torch.randint(256, (num, 3, 32, 32), dtype=torch.uint8, generator=generator)
            return Images(images, torch.arange(num) % 10)

        return {"train": split(self.num_steps * self.batch_size), "test": split(10)}


class Clock(Callback):
    """Notes when training takes its steps, writes that down, and ends the process after the last one.

    Args:
        file: where to; JSON of `first`, by `time.time` when the first step begins, and `step`, seconds of one.
        num_steps: steps, those of the warm-up among them; 0 to end where the first begins; None to train to the end.
    """

    def __init__(self, file: str, num_steps: int | None):
        self.file, self.num_steps = Path(file), num_steps
        self.first, self._warm = 0.0, 0.0

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Note the first step's begin."""
        if not self.first:
            self.first = time.time()
            self._write(0.0)
        if self.num_steps == 0:
            os._exit(0)

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        """Note the end of the warm-up, and of all."""
        if self.num_steps and trainer.global_step == WARM_UP:
            self._warm = now()
        if self.num_steps and trainer.global_step == self.num_steps:
            self._write((now() - self._warm) / (self.num_steps - WARM_UP))
            os._exit(0)

    def _write(self, step: float) -> None:
        self.file.write_text(json.dumps({"first": self.first, "step": step}), encoding="utf-8")


def now() -> float:
    """Seconds, once the GPU has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def start(command: Sequence[str], file: Path) -> dict[str, float]:
    """Run a command that writes JSON to `file`, from the repository's root, and read that.

    Raises:
        SystemExit: it wrote nothing; what it said is printed.
    """
    paths = [ROOT / "src", ROOT / "benchmarks"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))}
    file.unlink(missing_ok=True)
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if not file.exists():
        sys.exit(f"{' '.join(command)} wrote no times:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    result: dict[str, float] = json.loads(file.read_text(encoding="utf-8"))
    return result


def write_configs(folder: Path) -> None:
    """Write `data=noise` and the clock's callback below `folder/conf`."""
    for name, text in (("data/noise", NOISE), ("callback/clock", CLOCK)):
        path = folder / "conf" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def time_ours(words: Sequence[str], num_steps: int | None, folder: Path) -> dict[str, float]:
    """What the `Clock` of `python train.py <words>` notes.

    Args:
        words: as they are typed.
        num_steps: see `Clock`.
        folder: for the run and the file.
    """
    write_configs(folder)
    file = folder / f"{time.time_ns()}.json"
    (callbacks,) = (
        each["callback"] for each in OmegaConf.load(ROOT / "conf/train.yaml").defaults if "callback" in each
    )
    clock = [f"--config-dir={folder / 'conf'}", f"callback=[{','.join([*callbacks, 'clock'])}]"]
    clock += [f"callback.clock.num_steps={'null' if num_steps is None else num_steps}", f"callback.clock.file={file}"]
    clock += [] if "-m" in words else [f"hydra.run.dir={file.with_suffix('')}"]
    return start([sys.executable, "train.py", *words, *clock], file)


def time_bare(words: Sequence[str], folder: Path) -> dict[str, float]:
    """Seconds of a step of the bare loop, as `step`, and how it was taken."""
    file = folder / "bare.json"
    write_configs(folder)
    return start([sys.executable, str(Path(__file__)), "bare", str(file), str(folder / "conf"), *words], file)


def compare(words: Sequence[str], num_steps: int, rounds: int) -> tuple[float, dict[str, Any]]:
    """Ratio of a step's seconds, ours over the bare loop's, alternating; and the medians in milliseconds.

    Args:
        words: the recipe, as it is typed to train.py; its data are left to this function.
        num_steps: of each process, beside those of the warm-up.
        rounds: processes of each side.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        total = num_steps + WARM_UP
        words = [*words, "data=noise", "data.num_val=0", f"data.num_steps={total + 1}", "figure=[]", "control=null"]
        pairs = [(time_ours(words, total, folder), time_bare(words, folder)) for _ in range(rounds)]
    ratio = statistics.median(ours["step"] / bare["step"] for ours, bare in pairs)
    ours, bare = (statistics.median(1000 * side["step"] for side in column) for column in zip(*pairs, strict=True))
    facts = {name: value for name, value in pairs[0][1].items() if name != "step"}
    print(f"{'':12s}{'ms a step':>12s}\n{'train.py':12s}{ours:12.1f}\n{'bare loop':12s}{bare:12.1f}")
    return ratio, facts | {"ms_per_step": {"ours": round(ours, 2), "bare": round(bare, 2)}}


def lose(task: Any, views: Sequence[Any], labels: Any) -> Any:
    """The loss of a batch, written as in a plain loop: cross-entropy of one view, SimCLR's of two."""
    if len(views) == 1:
        return torch.nn.functional.cross_entropy(task.model(views[0]), labels, label_smoothing=task.label_smoothing)
    maps = task.model.forward_features(torch.cat(list(views)))
    first, second = task.projector(task.model.forward_head(maps, pre_logits=True)).float().chunk(2)
    with torch.autocast(first.device.type, enabled=False):
        return nt_xent(first, second, task.temperature)


def take_steps(settings: dict[str, Any]) -> float:
    """Seconds of a step of a plain loop over a resolved config's recipe, on the GPU where there is one."""
    from netgaze.build import build, build_task, init_from_data

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    data = build(settings["data"])
    data.setup()
    task = build_task(settings, data.class_names)
    init_from_data(task, data)
    task.to(device).train()
    optimizer = task.optimizer([group for group in task.param_groups() if group["params"]])
    first = [group["lr"] for group in optimizer.param_groups]
    images, labels = data.images("train").to(device), data.labels("train").to(device)
    order, size, half = torch.randperm(len(labels), device=device), data.batch_size, settings["trainer"]["precision"]
    begun = 0.0
    steps = data.num_steps - 1
    for step in range(steps):
        if step == WARM_UP:
            begun = now()
        index = order[step * size : (step + 1) * size]
        views = [
            data.normalize(data.augment(images[index], data.image_size, index=index, epoch=0, seed=0))
            for _ in range(task.num_views)
        ]
        with torch.autocast(device.type, torch.bfloat16, enabled=half == "bf16-mixed"):
            loss = lose(task, views, labels[index])
        for group, rate in zip(optimizer.param_groups, first, strict=True):
            group["lr"] = rate * task.schedule(step / data.num_steps, task.max_epochs)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return (now() - begun) / (steps - WARM_UP)


def main() -> None:
    """The bare loop: time its steps and write them down."""
    _, kind, file, configs, *words = sys.argv
    assert kind == "bare"
    from hydra import compose, initialize_config_dir

    from netgaze.build import trust
    from netgaze.schema import register, resolve
    from netgaze.trainer import resolve_precision, set_globals

    register()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("train", [*words, f"hydra.searchpath=[file://{configs}]"])
    trust(config)
    settings = resolve(config)
    chosen = settings["trainer"]
    chosen["precision"] = resolve_precision(str(chosen["precision"]))
    set_globals(seed=0, threads=chosen["threads"], deterministic=chosen["deterministic"])
    facts = {"precision": chosen["precision"], "threads": chosen["threads"]}
    Path(file).write_text(json.dumps(facts | {"step": take_steps(settings)}), encoding="utf-8")


if __name__ == "__main__":
    main()
