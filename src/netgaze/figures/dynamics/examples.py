"""Measures of training dynamics for each example, for all together, and for those that two networks share."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from netgaze.measures.dynamics import (
    average_epochs,
    count_forgotten,
    deviate_epochs,
    find_last,
    find_never_learned,
    measure_auroc,
    rank_forgotten,
)
from netgaze.records import Record


def measure(record: Record) -> dict[str, np.ndarray]:
    """The measures behind the map, the pictures and the comparison, [N] each."""
    measures = {
        "confidence": average_epochs(record.probability),
        "variability": deviate_epochs(record.probability),
        "correctness": average_epochs(record.right),
        "aum": average_epochs(record.margin),
        "last": find_last(record.probability),
    }
    found = {name: values.astype(np.float32) for name, values in measures.items()}
    times, never = count_forgotten(record.right), find_never_learned(record.right)
    return found | {"times": times, "never": never, "rank": rank_forgotten(record.right)}


def list_numbers(arrays: Mapping[str, np.ndarray], num_epochs: int) -> dict[str, Any]:
    """Numbers of all examples by name; if wrong labels are known, also how well each measure finds them."""
    seen = np.isfinite(arrays["confidence"])
    never, times = arrays["never"][seen], arrays["times"][seen]
    numbers = {
        "num_examples": int(seen.sum()),
        "epochs": num_epochs,
        "confidence": float(arrays["confidence"][seen].mean()),
        "variability": float(arrays["variability"][seen].mean()),
        "never_learned": float(never.mean()),
        "forgotten": float((times > 0).mean()),
        "unforgettable": float((~never & (times == 0)).mean()),
    }
    return numbers | (_judge(arrays) if arrays["wrong"].any() else {})


def _judge(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """How well each measure finds the labels that are known to be wrong."""
    wrong, aum = arrays["wrong"], arrays["aum"]
    suspicion = {
        "aum": -aum,
        "confidence": -arrays["confidence"],
        "forgetting": arrays["rank"],
        "variability": arrays["variability"],
        "last": -arrays["last"],
    }
    num = int((wrong & np.isfinite(aum)).sum())
    first = np.argsort(aum, kind="stable")[:num]  # NaN comes last
    return {
        "wrong_labels": int(wrong.sum()),
        **{f"auroc_{name}": measure_auroc(scores, wrong) for name, scores in suspicion.items()},
        "found": float(wrong[first].mean()) if num else None,
    }


def find_common(first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The rows, in either, of the images that both have with the same label; one of identical images."""
    _, rows, others = np.intersect1d(first["pixels"], second["pixels"], return_indices=True)
    labels, theirs = first["labels"][rows], second["labels"][others]
    alike = (labels == theirs) | (labels < 0) | (theirs < 0)  # where a task knows no labels, none differs
    return rows[alike], others[alike]
