"""Many runs: found below paths, and `rows`, the one source of every table."""

from collections.abc import Iterable, Sequence
from typing import Any

from netgaze.files import digest
from netgaze.labels import REPEATS, find_differing, label_runs, list_settings, name_groups
from netgaze.measures.uncertainty import count_effective
from netgaze.places import find_run_folders
from netgaze.run import Run

Row = dict[str, Any]  # one network of the table

COUNTS = ("val/examples", "test/examples", "test/images")  # of a run, whichever of its networks is meant


def find_runs(paths: Iterable[str]) -> list[Run]:
    """The runs that were meant; see `places.find_run_folders`."""
    return list(map(Run, find_run_folders(paths)))


def make_rows(runs: Sequence[Run], titles: Sequence[str] | None = None) -> list[Row]:
    """One row per network: label, run, setting, folder, status, what differs, its numbers.

    A run that trained several networks at once (the heads of a linear probe) has a row for each; `run` is what they
    share. `setting` is what runs of several seeds, or of several divisions of the data, share; `drawn` is the division
    where it differs between the runs. `last/val_acc` is the last epoch's validation accuracy. `<split>/examples` and
    `<split>/examples_macro` are the counts of `count_examples`.

    Args:
        runs: the runs.
        titles: what the runs are called; None for what tells them apart.
    """
    settings = list_settings(runs)
    differing = find_differing(settings)
    titles = titles or label_runs(runs)
    groups = name_groups(settings, [key for key in differing if key not in REPEATS])
    divisions = [run.config.get("data", {}).get("split_seed") for run in runs]
    drawn = divisions if len({*divisions} - {None}) > 1 else [None] * len(runs)
    table = []
    for run, title, group, known, division in zip(runs, titles, groups, settings, drawn, strict=True):
        last = run.epochs[-1] if run.epochs else {}
        status = run.facts["status"]
        row = (
            {"label": title, "run": title, "setting": group, "folder": str(run.folder)}
            | {"status": "unfinished" if status == "running" else status}
            | {key: known[key] for key in differing if key in known}
            | {"kind": digest(run.facts.get("classes", run.facts.get("task")))}  # other classes do not compare
            | {key: run.facts.get(key) for key in ("seed", "monitor", "monitor_mode")}
            | {"eval_fingerprint": run.facts.get("eval_fingerprint", run.facts.get("data")), "drawn": division}
            | count_examples(run)
            | run.metrics
            | ({"last/val_acc": last["val/acc"]} if "val/acc" in last else {})
            | {"seconds": run.seconds, "error": run.facts.get("error")}
        )
        table += [_make_variant_row(row, variant, last, len(runs)) for variant in run.variants] or [row]
    return table


def count_examples(run: Run) -> dict[str, float]:
    """Of how many examples a run's accuracies are, so that one can say how sure they are.

    `val/examples` and `test/examples` are images, also where a task asks several questions of each; in a mean over
    classes `val/examples_macro` and `test/examples_macro` stand for them, see `count_effective`. Empty of runs that
    tell pairs apart, and of those from before runs kept what they found.
    """
    found = run.facts.get("found", {})
    images, classes = found.get("images", {}), found.get("classes", {})
    if any(name.endswith("/eer") for name in run.metrics):
        return {}
    counts: dict[str, float] = {}
    for place, split in enumerate(("train", "val", "test")):
        if split == "train" or not images.get(split):
            continue
        own = list(classes) == run.facts.get("classes")
        counts[f"{split}/examples"] = images[split]
        counts[f"{split}/examples_macro"] = (
            count_effective([each[place] for each in classes.values()]) if own else images[split]
        )
    return counts


def _make_variant_row(row: Row, variant: dict[str, float], last: dict[str, float], num_runs: int) -> Row:
    """The row of one of the networks that a run trained at once, told by its learning rate."""
    rate = f"lr={variant['lr']:g}"
    # The run's own rates are no part of what one of them is called, nor are the numbers of the best one its own.
    named = {}
    for key in ("label", "setting"):
        parts = [part for part in row[key].split(", ") if not part.startswith(("lr=", "lrs="))]
        named[key] = ", ".join([*(parts if num_runs > 1 else []), rate])
    row = {
        name: value
        for name, value in row.items()
        if name == "last/val_acc" or name.startswith(COUNTS) or ("/" not in name and name != "task.lrs")
    }
    last_acc = last.get(f"val/acc {rate}", row.get("last/val_acc"))
    numbers = {name: value for name, value in variant.items() if name != "lr"}
    return row | named | {"optim.lr": f"{variant['lr']:g}", "monitor": "val/acc", "last/val_acc": last_acc} | numbers
