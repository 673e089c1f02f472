"""ratio = seconds from `python train.py` to its first step on the largest folder, decoded before, over 10 (at most 1).

Folders of 10,000 and 100,000 made-up JPEGs of 64x64, all different, in a hundred classes; with --full also of 1,000,000
(4 GB of files, 12 GB of cache), with --quick of 2,000 and 10,000. Of each: seconds to decode them into the cache, and
beside it Pillow's in a pool of as many processes as there are cores; from the command to the first step once they are
decoded; an epoch of training by a network that costs next to nothing, validation included; and the most memory that
this took, beside the pages of mapped files, which the system takes back as it needs them (only Linux counts these).

    python benchmarks/growth.py [--quick] [--full] [--folder made]
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from side_by_side import start, time_ours

CLASSES, SIDE, GOAL = 100, 64, 10.0
SMALL = """\
_target_: growth_parts.Small
in_channels: ${data.num_channels}
num_classes: ${task.num_classes}
"""
WATCH = """\
# @package callback.watch
_target_: growth_parts.Watch
file: ???
"""
OPEN = f"""
import sys, time, json
from netgaze.data.folder import Folder
data = Folder(dir=sys.argv[1], num_classes={CLASSES}, num_channels=3, image_size={SIDE}, mean=[0.5], std=[0.25])
started = time.perf_counter()
data.setup()
open(sys.argv[2], "w").write(json.dumps(dict(seconds=time.perf_counter() - started)))
"""


def make_folder(root: Path, num: int) -> None:
    """Write `num` different JPEGs into a hundred folders, unless they are there."""
    if root.exists():
        return
    beside = root.with_name(f"{root.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    with ProcessPoolExecutor() as pool:
        each = num // CLASSES
        list(pool.map(make_class, [(beside / f"class{place:03}", place * each, each) for place in range(CLASSES)]))
    beside.rename(root)


def make_class(job: tuple[Path, int, int]) -> None:
    """Write the JPEGs of a class: 8 x 8 random colors, enlarged."""
    folder, first, num = job
    folder.mkdir(parents=True)
    rng = np.random.default_rng(first)
    for number in range(first, first + num):
        colors = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        colors.resize((SIDE, SIDE), Image.Resampling.BILINEAR).save(folder / f"{number:07}.jpg", quality=85)


def decode_plainly(path: str) -> np.ndarray:
    """What a loop over files does with each."""
    with Image.open(path) as opened:
        return np.asarray(opened.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def time_pillow(root: Path) -> float:
    """Seconds to list the files and to decode them by all cores."""
    started = time.perf_counter()
    files = [entry.path for folder in os.scandir(root) for entry in os.scandir(folder)]
    with ProcessPoolExecutor() as pool:
        for image in pool.map(decode_plainly, files, chunksize=64):
            assert image.shape == (SIDE, SIDE, 3)
    return time.perf_counter() - started


def time_decoding(root: Path, cache: Path) -> float:
    """Seconds to open the folder for the first time, in a process of its own."""
    shutil.rmtree(cache, ignore_errors=True)
    file = cache.with_suffix(".json")
    return start([sys.executable, "-c", OPEN, str(root), str(file)], file)["seconds"]


def measure(root: Path, folder: Path, rounds: int) -> dict[str, float]:
    """All numbers of one folder."""
    cache = folder / "cache"
    write_parts(folder)
    os.environ["NETGAZE_CACHE"] = str(cache)
    pairs = [(time_pillow(root), time_decoding(root, cache)) for _ in range(rounds)]
    pillow, decode = (statistics.median(column) for column in zip(*pairs, strict=True))
    words = ["data=folder", f"data.dir={root}", f"data.image_size={SIDE}", "data.batch_size=256", "model=small"]
    words += ["figure=[]", "control=null", "trainer.max_epochs=1", "trainer.precision=32", "optim=sgd", "optim.lr=0.01"]
    time_ours(words, 0, folder)  # which hashes all images for the run's facts, once
    starts = []
    for _ in range(3):
        started = time.time()
        starts.append(time_ours(words, 0, folder)["first"] - started)
    epoch = watch_epoch(words, root, folder)
    return {"decode_s": decode, "pillow_s": pillow, "start_s": statistics.median(starts)} | epoch


def watch_epoch(words: Sequence[str], root: Path, folder: Path) -> dict[str, float]:
    """Seconds and memory of a training epoch."""
    file = folder / "watched.json"
    added = [f"--config-dir={folder / 'conf'}", f"hydra.run.dir={folder / root.name}", f"callback.watch.file={file}"]
    added += ["callback=[reseed,finite,history,progress,keep,watch]"]
    return start([sys.executable, "train.py", *words, *added], file)


def write_parts(folder: Path) -> None:
    """Write the network and the callback below `folder/conf`."""
    for name, text in (("model/small", SMALL), ("callback/watch", WATCH)):
        path = folder / "conf" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def main() -> None:
    """Measure and print the table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2,000 and 10,000 images")
    parser.add_argument("--full", action="store_true", help="1,000,000 images, too")
    parser.add_argument("--folder", type=Path, help="where images are made; those that are there are used again")
    chosen = parser.parse_args()
    sizes = [2_000, 10_000] if chosen.quick else [10_000, 100_000, *([1_000_000] if chosen.full else [])]
    columns = ("decode_s", "pillow_s", "start_s", "epoch_s", "memory_gb")
    print(f"{'images':>10s}" + "".join(f"{name:>12s}" for name in columns))
    measured = {}
    with tempfile.TemporaryDirectory() as name:
        made = chosen.folder or Path(name) / "made"
        made.mkdir(parents=True, exist_ok=True)
        for num in sizes:
            make_folder(made / str(num), num)
            numbers = measure((made / str(num)).resolve(), Path(name), 3 if num <= 10_000 else 1)
            measured[num] = {column: round(numbers[column], 3) for column in columns}
            print(f"{num:10,d}" + "".join(f"{numbers[column]:12.2f}" for column in columns), flush=True)
    import torch

    from netgaze.trainer import describe_device

    ratio = measured[sizes[-1]]["start_s"] / GOAL
    facts = {"name": "growth", "ratio": round(ratio, 3), "device": describe_device(), "torch": torch.__version__}
    print(json.dumps(facts | {"images": measured}))


if __name__ == "__main__":
    main()
