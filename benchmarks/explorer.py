"""ratio = seconds of a look with the explorer over those of the same look without it (it may add at most 15 s).

Two resnet_small networks, supervised and rotation, with their untrained twin and raw pixels, 2,000 images of CIFAR-10,
features and answers in the cache; each side in a process of its own, imports and all. Then the page in headless
Chromium: megabytes over its pictures, milliseconds until it answers, and those of frames while a
pointer wanders over the maps, of 2,000 images and of 10,000 made up ones. The networks are not trained: weights do not
matter for time. Needs playwright and Debian's chromium.

    python benchmarks/explorer.py [--quick] [--folder DIR]
"""

import argparse
import json
import os
import platform
import runpy
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from looking import ROOT, TASKS, find_images, make_run

HOVER = """async () => {
  const canvas = document.querySelector("canvas.map");
  const place = canvas.getBoundingClientRect();
  const times = [];
  for (let step = 0; step < 200; step++) {
    const [x, y] = [place.left + (step * 7) % place.width, place.top + (step * 37) % place.height];
    canvas.dispatchEvent(new PointerEvent("pointermove", { clientX: x, clientY: y, bubbles: true }));
    times.push(await new Promise((done) => requestAnimationFrame(() => {
      const began = performance.now();
      const channel = new MessageChannel();
      channel.port1.onmessage = () => done(performance.now() - began);
      channel.port2.postMessage(0);
    })));
  }
  return times;
}"""
ANSWERS = (
    "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))))"
)


def look(out: Path, figures: str, runs: list[Path]) -> float:
    """Seconds of a look in a process of its own; findings of an earlier one are forgotten, features are not."""
    cache = out.parent / "cache"
    for folder in ("findings", "planes"):
        shutil.rmtree(cache / folder, ignore_errors=True)
    places = ",".join(f"'{run}'" for run in runs)
    words = [f"runs=[{places}]", f"figure=[{figures}]", f"hydra.run.dir='{out}'"]
    command, began = [sys.executable, str(ROOT / "analyze.py"), *words], time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "NETGAZE_CACHE": str(cache)})
    return time.perf_counter() - began


def measure_page(path: Path) -> dict[str, float]:
    """Milliseconds from opening a page until it answers, and of the median and the longest frame while hovering."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        answers, frames = [], []
        for _ in range(3):
            page = browser.new_page(viewport={"width": 1400, "height": 1000})
            page.goto(path.as_uri())
            answers.append(page.evaluate(ANSWERS))
            frames.append(page.evaluate(HOVER))
            page.close()
        browser.close()
    best = min(frames, key=max)
    return {"answers": statistics.median(answers), "median": statistics.median(best), "longest": max(best)}


def main() -> None:
    """Measure and print the table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few images, looked at once")
    parser.add_argument("--folder", type=Path, help="where the runs and pages go, and are found again")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = (chosen.folder or Path(scratch)).resolve()
        data, _ = find_images(folder)
        runs = [make_run(folder, task, data, chosen.quick) for task in TASKS]
        look(folder / "first", "knn,confusion,explore", runs)
        seconds: dict[str, list[float]] = {"knn": [], "knn,explore": []}
        for _ in range(1 if chosen.quick else 3):
            for figures, taken in seconds.items():
                taken.append(look(folder / "again", figures, runs))
        result = summarize(folder, {name: statistics.median(taken) for name, taken in seconds.items()})
    print(json.dumps(result))


def summarize(folder: Path, seconds: dict[str, float]) -> dict[str, Any]:
    """Print the table, and return the JSON line's content."""
    sample = runpy.run_path(str(ROOT / "tests" / "page" / "sample.py"))
    many = sample["make_data"](10_000, networks=4, side=32)
    page = folder / "again" / "report.html"
    pictures = sum(path.stat().st_size for path in (folder / "again" / "figures").glob("*.png"))
    size = (page.stat().st_size - 4 / 3 * pictures) / 1e6
    pages = {
        "2,000 images": measure_page(page),
        "10,000 images, made up": measure_page(sample["write_page"](folder / "many.html", many)),
    }
    added = seconds["knn,explore"] - seconds["knn"]
    print(f"with the explorer {seconds['knn,explore']:.1f} s, without {seconds['knn']:.1f} s: {added:.1f} s more")
    print(f"report.html: {size:.1f} MB over its pictures")
    for name, found in pages.items():
        print(
            f"{name}: answers after {found['answers']:.0f} ms; frames while hovering {found['median']:.1f} ms, "
            f"at most {found['longest']:.1f} ms"
        )
    return {
        "name": "explorer",
        "ratio": round(seconds["knn,explore"] / seconds["knn"], 2),
        "seconds_added": round(added, 1),
        "megabytes": round(size, 2),
        "pages": pages,
        "device": platform.processor() or platform.machine(),
        "torch": torch.__version__,
    }


if __name__ == "__main__":
    main()
