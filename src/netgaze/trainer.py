"""Lightning's Trainer as this project uses it: no loggers, complete checkpoints, explicit precision."""

import ctypes
import logging
import math
import platform
import sys
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.callbacks import Checkpoint, EarlyStopping, TQDMProgressBar
from pytorch_lightning.plugins.io import TorchCheckpointIO
from pytorch_lightning.profilers import PassThroughProfiler

import netgaze
from netgaze.errors import NetgazeError
from netgaze.files import atomic_write
from netgaze.processes import check_strategy, choose_processes, count_devices
from netgaze.processor import has_fast_bf16
from netgaze.ranks import count_nodes, shows_progress
from netgaze.schema import num_cpus
from netgaze.sync_norms import SyncNorms

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_MOST_THREADS = 1024
_STEP_HOOKS = (  # what Lightning calls of every callback in every step
    "on_train_batch_start",
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
    "on_train_batch_end",
)
_NOTHING = nullcontext()


class WholeFileIO(TorchCheckpointIO):
    """Checkpoints written beside their name and renamed, with the run's plain facts inside.

    Args:
        facts: a plain dict, stored under "netgaze": what is needed to open the network again.
        resumed: the checkpoint from which training goes on: it was read, and brought to today's words, once already.
    """

    def __init__(self, facts: dict[str, Any], resumed: dict[str, Any] | None = None):
        super().__init__()
        self.facts, self.resumed = facts | {"version": netgaze.__version__}, resumed

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write `checkpoint` and the facts to `path`, whole."""
        try:
            with atomic_write(path) as beside:
                torch.save({**checkpoint, "netgaze": self.facts}, beside)
        except RuntimeError as error:  # torch's word for a disk that is full
            raise NetgazeError(f"Cannot write {path}: the disk is full or failing. Make room there.") from error

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = True) -> dict[str, Any]:
        """The checkpoint that was handed over; of any other path, read so that it cannot run code."""
        if self.resumed is not None:
            return self.resumed
        return torch.load(path, map_location=map_location, weights_only=True)


class StopWithin(Callback):
    """End training within an epoch, once a fraction of epochs is done; validation and all else follow as ever.

    Args:
        max_epochs: how many; a whole number ends by itself.
    """

    def __init__(self, max_epochs: float):
        self.max_epochs = max_epochs

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        """Stop where as many steps are done as all of these epochs have."""
        if self.max_epochs % 1 and trainer.global_step >= self.max_epochs * trainer.num_training_batches:
            trainer.should_stop = True


class Unmeasured(PassThroughProfiler):
    """Measures nothing at no cost: Lightning's own makes a generator for each of a step's sixty places."""

    def profile(self, action_name: str) -> Any:
        """A context that does nothing, the same each time."""
        return _NOTHING


def drop_idle_hooks(callback: Callback) -> None:
    """Take from a callback what it leaves as Lightning's base class has it, to do nothing, in every step.

    Lightning calls a hook only where it can be called: ten callbacks' idle ones were a tenth of the loop's cost.
    """
    for name in _STEP_HOOKS:
        if getattr(getattr(callback, name), "__func__", None) is getattr(Callback, name):
            setattr(callback, name, None)


def resolve_precision(precision: str, accelerator: str = "auto") -> str:
    """What `auto` means here: bf16-mixed where the processor that trains is faster in it, else 32."""
    if precision != "auto":
        return precision
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.get_device_capability()[0] >= 8 else "32"
    if accelerator in ("auto", "mps") and torch.backends.mps.is_available():
        return "32"
    return "bf16-mixed" if has_fast_bf16() else "32"


def resolve_figures_precision(precision: str, accelerator: str = "auto") -> str:
    """What `figures.precision` means here: of auto bf16 where training would choose it, else 32."""
    return "bf16" if resolve_precision(precision, accelerator) == "bf16-mixed" else "32"


def keep_freed_memory() -> None:
    """Let glibc keep what a step frees for the next step, instead of handing it back to the system page by page.

    Activations of tens of megabytes are otherwise mapped and faulted in anew at every step, which cost a quarter of
    the time of a ResNet's step on a CPU. Elsewhere than on glibc this does nothing.
    """
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        library.mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)


def compile_steps(task: Any) -> None:
    """Compile what a task does with a batch as a whole, network and loss, forward and backward.

    Raises:
        NetgazeError: there is no compiler that would do it.
    """
    from torch._inductor.cpp_builder import get_cpp_compiler  # seconds to import

    try:
        get_cpp_compiler()
    except Exception as error:
        raise NetgazeError(
            "trainer.compile=true needs a C++ compiler. Install g++ or clang, or leave it false."
        ) from error
    task.loss = torch.compile(task.loss)


def set_globals(*, seed: int, threads: int, deterministic: bool) -> None:
    """Set all process-wide state from the config, so that nothing of a sweep's last job is left.

    Raises:
        NetgazeError: a number that cannot be.
    """
    if not 1 <= threads <= _MOST_THREADS:
        raise NetgazeError(f"trainer.threads={threads} must be from 1 to {_MOST_THREADS}.")
    if seed < 0:
        raise NetgazeError(f"seed={seed} must be 0 or more.")
    keep_freed_memory()
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    torch.backends.cudnn.benchmark = not deterministic
    torch.set_float32_matmul_precision("highest" if deterministic else "high")
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def make_trainer(
    *,
    max_epochs: float,
    patience: int | None,
    precision: str,
    accelerator: str,
    devices: int,
    strategy: str,
    gradient_clip_val: float | None,
    sync_batchnorm: bool = True,
    callbacks: Sequence[Callback] = (),
    folder: Path = Path(),
    facts: dict[str, Any] | None = None,
    resumed: dict[str, Any] | None = None,
    monitor: str = "val/acc",
    monitor_mode: str = "max",
) -> Trainer:
    """A Lightning Trainer for one run.

    Args:
        max_epochs: epochs; 0 only tests. Of 9.9 the last one ends after nine tenths of its steps, rounded up.
        patience: epochs without a better `monitor` before training stops; None never stops early.
        precision: "auto" or what Lightning knows ("32", "bf16-mixed", ...).
        accelerator: Lightning's.
        devices: processes that train on each machine, a GPU each where there are any; -1 for all GPUs.
        strategy: "auto", or of several devices "ddp".
        gradient_clip_val: largest norm of the gradient; None leaves it.
        sync_batchnorm: whether norms see the batches of all devices, as one device with all of them would.
        callbacks: in order; those that save come last.
        folder: the run's folder, `trainer.default_root_dir` to callbacks.
        facts: stored in every checkpoint.
        resumed: the checkpoint from which training goes on, read already.
        monitor: the number that `patience` watches.
        monitor_mode: whether larger ("max") or smaller ("min") is better.
    """
    quiet_lightning()
    check_strategy(strategy)
    devices = count_devices(devices, choose_device(accelerator).type == "cpu")
    callbacks = [*([SyncNorms()] if sync_batchnorm else []), *callbacks, StopWithin(max_epochs)]
    if patience is not None:
        # Not strict: a number that a figure finds may come in some epochs alone.
        callbacks.append(EarlyStopping(monitor, patience=patience, mode=monitor_mode, strict=False, verbose=False))
    terminal = shows_progress()
    if terminal:
        callbacks.append(TQDMProgressBar(refresh_rate=20))
    for callback in callbacks:
        drop_idle_hooks(callback)
    return Trainer(
        max_epochs=math.ceil(max_epochs),
        precision=resolve_precision(str(precision), accelerator),  # type: ignore[arg-type]
        accelerator=accelerator,
        devices=devices,
        num_nodes=count_nodes(),
        strategy=strategy,
        gradient_clip_val=gradient_clip_val,
        callbacks=callbacks,
        default_root_dir=folder,
        plugins=[WholeFileIO(facts or {}, resumed), choose_processes(devices)],
        profiler=Unmeasured(),
        logger=False,
        enable_checkpointing=any(isinstance(callback, Checkpoint) for callback in callbacks),
        enable_progress_bar=terminal,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,  # its injection would drop half of an own batch sampler's data
        inference_mode=False,
    )


def quiet_lightning() -> None:
    """Silence Lightning's advertisements and the warnings that do not apply to data in memory."""
    for name in ("pytorch_lightning.utilities.rank_zero", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("lightning_fabric.utilities.distributed").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", ".*LeafSpec.*")
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    warnings.filterwarnings("ignore", ".*is smaller than the logging interval.*")
    warnings.filterwarnings("ignore", ".*exists and is not empty.*")
    warnings.filterwarnings("ignore", ".*resuming from a checkpoint that ended before the epoch ended.*")  # ours can
    warnings.filterwarnings("ignore", ".*Total length of `DataLoader` across ranks is zero.*")  # nothing to validate on
    warnings.filterwarnings("ignore", ".*`srun` command is available.*")  # a run of one process needs none
    warnings.filterwarnings("ignore", ".*in eval mode at the start of training.*")  # a frozen backbone, on purpose


def choose_device(accelerator: str = "auto") -> torch.device:
    """Where networks are trained and looked at: the GPU, unless there is none or the CPU was asked for."""
    return torch.device("cuda" if accelerator != "cpu" and torch.cuda.is_available() else "cpu")


def describe_device(accelerator: str = "auto") -> str:
    """The name of the device that trains: the GPU's, or the processor's with its cores."""
    if choose_device(accelerator).type == "cuda":
        return torch.cuda.get_device_name()
    can = torch.cpu.get_capabilities()
    units = [unit for unit in ("amx_bf16", "avx512_bf16", "avx2") if can.get(unit)]
    name = can.get("cpu_name") or platform.processor() or platform.machine()
    return f"{name}, {num_cpus()} cores ({', '.join(units) or 'no vector units known'})"
