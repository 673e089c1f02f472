"""ratio = peak memory of `verify` on MeGlass's largest protocol over 2 GB (below 1 is good).

The four protocols of MeGlass (Guo et al. 2018) on its lists of images, with made-up embeddings of 512 numbers: a center
for each person, noise, and a shift that glasses give to all. Every protocol is counted in a process of its own, first
without and then with 100 replicates of the bootstrap; peak_gb is that of the whole process, torch included. Theirs is
scikit-learn's roc_curve on the matrix of all distances, in a process of its own too. EER, AUC and TAR must agree to
1e-9, or the script exits with 1. Where the lists are not in $NETGAZE_DATA (else data/), it makes some and says so.

    python benchmarks/meglass_protocol.py [--quick]
"""

import argparse
import json
import os
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import auc, roc_curve
from sklearn.metrics.pairwise import euclidean_distances
from torch import Tensor

from netgaze.measures.verification import FARS, verify
from netgaze.schema import num_cpus
from netgaze.trainer import describe_device, set_globals

FOLDER = Path(os.environ.get("NETGAZE_DATA", Path(__file__).parents[1] / "data")) / "meglass" / "test"
PEOPLE, FEATURES, REPLICATES, NOISE = 1710, 512, 100, 3.0
PROTOCOLS = {
    "I": (["gallery_no"], ["probe_no"]),
    "II": (["gallery_black"], ["probe_black"]),
    "III": (["gallery_no"], ["probe_black"]),
    "IV": (["gallery_no", "gallery_black"], ["probe_no", "probe_black"]),
}
LISTS = sorted({name for lists in PROTOCOLS.values() for side in lists for name in side})


def identities(name: str) -> list[str]:
    """The people of a list, one an image: all before a file name's last @."""
    path = FOLDER / f"{name}_glass.txt"
    if not path.exists():
        return [f"person {number}" for number in range(PEOPLE)]
    return [line.rsplit("@", 1)[0] for line in path.read_text(encoding="utf-8").split()]


def embeddings(names: list[str], most: int) -> tuple[Tensor, Tensor]:
    """Of the lists' images, [N,512], and their people, int64 [N]; of each list the first `most` people."""
    known = {person: number for number, person in enumerate(sorted(set(identities(LISTS[0]))))}
    generator = torch.Generator().manual_seed(0)
    centers = torch.randn(len(known), FEATURES, generator=generator)
    shift = torch.randn(FEATURES, generator=generator)
    rows, people = [], []
    for name in names:
        who = torch.tensor([known[person] for person in identities(name)])
        who = who[who < most]
        noise = torch.randn(len(who), FEATURES, generator=torch.Generator().manual_seed(1 + LISTS.index(name)))
        rows.append(centers[who] + NOISE * noise + ("black" in name) * shift)
        people.append(who)
    return torch.cat(rows), torch.cat(people)


def training_data(protocol: str, most: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gallery and probes of a protocol, each with its people."""
    gallery, probe = PROTOCOLS[protocol]
    return *embeddings(gallery, most), *embeddings(probe, most)


def peak_gb() -> float:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


def ours(protocol: str, most: int) -> dict[str, Any]:
    """Counts, rates, seconds and memory of `verify`."""
    set_globals(seed=0, threads=num_cpus(), deterministic=True)
    some = training_data(protocol, most)
    started = time.perf_counter()
    found = verify(*some)
    rates = {"eer": found.eer, "auc": found.auc} | {far: found.tar_at(float(far))["value"] for far in FARS}
    plain = time.perf_counter()
    cut = found.threshold("accuracy")
    between = time.perf_counter()
    verify(*some, cuts=[cut], replicates=REPLICATES).numbers(cut)
    return {
        "pairs": {"same": found.num_same, "different": found.num_different},
        "rates": rates,
        "seconds": plain - started,
        "replicated": time.perf_counter() - between,
        "peak_gb": peak_gb(),
    }


def theirs(protocol: str, most: int) -> dict[str, Any]:
    """The same rates from the matrix of all distances."""
    set_globals(seed=0, threads=num_cpus(), deterministic=True)
    gallery, people, probe, probe_people = (some.numpy() for some in training_data(protocol, most))
    started = time.perf_counter()
    scores = -euclidean_distances(probe.astype(np.float64), gallery.astype(np.float64))
    far, tar, _ = roc_curve((probe_people[:, None] == people).ravel(), scores.ravel(), drop_intermediate=False)
    after = int(np.argmax(far + tar >= 1))  # the polyline meets FAR = 1 - TAR on the way to this point
    low, high = (far + tar - 1)[after - 1 : after + 1]
    eer = far[after - 1] - low / (high - low) * (far[after] - far[after - 1])
    rates = {"eer": eer, "auc": auc(far, tar)} | {limit: tar[far <= float(limit)].max() for limit in FARS}
    return {"rates": rates, "seconds": time.perf_counter() - started, "peak_gb": peak_gb()}


def main() -> None:
    """Measure and print the table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="protocol I only, of 200 people; ratio is then that of I")
    quick = parser.parse_args().quick
    real = all((FOLDER / f"{name}_glass.txt").exists() for name in LISTS)
    print(
        f"Lists: {FOLDER if real else f'made up, {PEOPLE} people'}; embeddings: made up. Peaks are of whole processes."
    )
    print(f"{'':9s}{'same':>6s}{'different':>12s}{'s':>7s}{f's, R={REPLICATES}':>10s}{'GB':>7s}", end="")
    print(f"{'s theirs':>10s}{'GB theirs':>11s}{'EER':>9s}{'TAR@1e-4':>10s}")
    mine, peers = {}, {}
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as fresh:
        for protocol in ["I"] if quick else PROTOCOLS:
            most = 200 if quick else PEOPLE
            one = mine[protocol] = fresh.submit(ours, protocol, most).result()
            other = peers[protocol] = fresh.submit(theirs, protocol, most).result()
            rates = one["rates"]
            print(
                f"{protocol:9s}{one['pairs']['same']:6,d}{one['pairs']['different']:12,d}{one['seconds']:7.2f}", end=""
            )
            print(
                f"{one['replicated']:10.2f}{one['peak_gb']:7.2f}{other['seconds']:10.2f}{other['peak_gb']:11.2f}",
                end="",
            )
            print(f"{rates['eer']:9.5f}{rates[FARS[-1]]:10.5f}")
            for name, value in rates.items():
                if abs(value - other["rates"][name]) > 1e-9:
                    sys.exit(f"Protocol {protocol} disagrees in {name}: {value} and {other['rates'][name]}.")

    def column(results: dict[str, Any], name: str) -> dict[str, float]:
        return {protocol: round(result[name], 3) for protocol, result in results.items()}

    largest = list(mine.values())[-1]
    facts = {"name": "meglass_protocol", "ratio": round(largest["peak_gb"] / 2, 3)}
    facts |= {"pairs": {protocol: result["pairs"] for protocol, result in mine.items()}}
    facts |= {"seconds": column(mine, "seconds"), "seconds_with_replicates": column(mine, "replicated")}
    facts |= {"peak_gb": column(mine, "peak_gb"), "device": describe_device("cpu"), "torch": torch.__version__}
    facts |= {"theirs": {"seconds": column(peers, "seconds"), "peak_gb": column(peers, "peak_gb")}}
    print(json.dumps(facts | {"real_lists": real, "agree": True}))


if __name__ == "__main__":
    main()
