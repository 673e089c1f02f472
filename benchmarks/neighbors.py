"""ratio = seconds of `nearest` over those of faiss-cpu's IndexFlatIP (at most 1.0).

The 200 nearest of 50,000 features of 512 numbers to each of 10,000, by cosine. faiss and scikit-learn's brute force get
the features normalized beforehand, and faiss has them copied into its index; ours normalizes as it goes. All take
turns; the medians after a warm-up. scikit-learn is asked a tenth of the queries, and its seconds are scaled. They must
agree, or the script exits with 1: the same similarities to 1e-5, and the same rows but for those as near as the last.
The BLAS that faiss-cpu brings knows no newer processor and takes SSE kernels there: it is told to take those for
AVX-512 or AVX2, and faiss_kernels says which it took. memory_gb is the most that this process grew by while ours ran.
One query to 100,000 features is timed as well.

    python benchmarks/neighbors.py [--quick]
"""

import argparse
import ctypes
import importlib
import json
import os
import resource
import statistics
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_info
from torch import Tensor

from netgaze.measures.neighbors import find_nearest
from netgaze.schema import num_cpus
from netgaze.trainer import describe_device, set_globals

FEATURES, NEIGHBORS, SHARE = 512, 200, 10
CLOSE = 1e-5


def features(num: int, seed: int) -> Tensor:
    """Made-up features of 100 classes, sorted by class as an image folder's are, [num,512]."""
    generator = torch.Generator().manual_seed(seed)
    centers = torch.randn(100, FEATURES, generator=torch.Generator().manual_seed(99))
    labels = torch.arange(num) * 100 // num
    return torch.randn(num, FEATURES, generator=generator) + 0.5 * centers[labels]


def seconds(work: Callable[[], Any]) -> float:
    """Of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def memory_gb() -> float:
    """What this process holds now; where the system does not tell, the most that it has held."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


def growth_gb(work: Callable[[], Any]) -> tuple[float, Any]:
    """The most that the process grows by during a call, looked at every 2 ms, and what the call returns."""
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)  # else it would fill what earlier calls freed, and not grow
    before, most, done = memory_gb(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            most[0] = max(most[0], memory_gb() - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    result = work()
    done.set()
    watcher.join()
    return most[0], result


def check(name: str, mine: tuple[Tensor, Tensor], similarities: np.ndarray, rows: np.ndarray) -> None:
    """Exit where the answers [Q,k] are others."""
    values, indices = (some[: len(rows)].numpy() for some in mine)
    gap = float(np.abs(values - similarities).max())
    for number in range(len(rows)):
        unlike = np.setxor1d(indices[number], rows[number])
        at = np.concatenate([values[number][np.isin(indices[number], unlike)], values[number][-1:]])
        if gap > CLOSE or np.abs(at - values[number][-1]).max() > CLOSE:
            sys.exit(f"{name} disagrees on query {number}: rows {unlike}, similarities by up to {gap}.")


def with_faiss() -> Any:
    """The module, its BLAS told what this processor can, or None."""
    can = torch.cpu.get_capabilities()
    kernels = "SkylakeX" if can.get("avx512_f") or can.get("avx512_bf16") else "Haswell" if can.get("avx2") else None
    if kernels is not None:
        os.environ["OPENBLAS_CORETYPE"] = kernels
    try:
        return importlib.import_module("faiss")
    except ImportError:
        print("faiss is not installed (pip install faiss-cpu): ours is compared with scikit-learn only.")
        return None


def name_kernels() -> str | None:
    """What kernels the BLAS of faiss took."""
    return next((pool.get("architecture") for pool in threadpool_info() if "faiss" in pool["filepath"]), None)


def main() -> None:
    """Measure and print the table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the features, and fewer rounds")
    quick = parser.parse_args().quick
    set_globals(seed=0, threads=num_cpus(), deterministic=True)
    scale, rounds = (10, 1) if quick else (1, 3)
    queries, bank = features(10_000 // scale, 1), features(50_000 // scale, 2)
    find_nearest(queries[:10], bank[:1000], NEIGHBORS)  # loads the libraries, which are none of its memory
    memory, mine = growth_gb(lambda: find_nearest(queries, bank, NEIGHBORS))  # the first: nothing to use again
    units, unit_bank = (torch.nn.functional.normalize(some, dim=1).numpy() for some in (queries, bank))
    few = units[: len(units) // SHARE]
    brute = NearestNeighbors(n_neighbors=NEIGHBORS, algorithm="brute", metric="cosine").fit(unit_bank)
    apart, rows = brute.kneighbors(few)
    check("scikit-learn", mine, 1 - apart, rows)
    rivals: dict[str, Callable[[], Any]] = {
        "ours": lambda: find_nearest(queries, bank, NEIGHBORS),
        "scikit-learn": lambda: brute.kneighbors(few),
    }
    faiss = with_faiss()
    if faiss is not None:
        faiss.omp_set_num_threads(num_cpus())
        index = faiss.IndexFlatIP(FEATURES)
        index.add(unit_bank)
        check("faiss", mine, *index.search(units, NEIGHBORS))
        rivals["faiss"] = lambda: index.search(units, NEIGHBORS)
    taken: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, work in rivals.items():
            taken[name].append(seconds(work) * (SHARE if name == "scikit-learn" else 1))
    medians = {name: statistics.median(some) for name, some in taken.items()}
    large = features(100_000 // scale, 3)
    single = {}
    for distance in ("cosine", "euclidean"):
        tries = [
            seconds(lambda by=distance: find_nearest(queries[:1], large, NEIGHBORS, distance=by))  # type: ignore[misc]
            for _ in range(6)
        ]
        single[distance] = 1000 * statistics.median(tries[1:])
    print(f"{'':44s}{'seconds':>10s}")
    for name, median in medians.items():
        print(f"{f'{len(queries):,d} queries to {len(bank):,d}, {name}':44s}{median:10.2f}")
    for distance, milliseconds in single.items():
        print(f"{f'one query to {len(large):,d}, ours, {distance}':44s}{milliseconds / 1000:10.3f}")
    print(f"Ours held {memory:.2f} GB more than the features.")
    if memory >= 1:
        sys.exit("That is 1 GB or more.")
    facts: dict[str, Any] = {"name": "neighbors"}
    facts["ratio"] = round(medians["ours"] / medians["faiss"], 2) if "faiss" in medians else None
    facts |= {"ratio_sklearn": round(medians["ours"] / medians["scikit-learn"], 3), "memory_gb": round(memory, 3)}
    facts |= {"seconds": {name: round(median, 2) for name, median in medians.items()}}
    facts |= {"one_query_ms": {name: round(some, 1) for name, some in single.items()}}
    facts |= {"faiss_kernels": name_kernels() if faiss is not None else None, "device": describe_device("cpu")}
    facts |= {"threads": num_cpus(), "torch": torch.__version__}
    print(json.dumps(facts | {"faiss": getattr(faiss, "__version__", None), "agree": True}))


if __name__ == "__main__":
    main()
