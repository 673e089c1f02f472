"""A finding as the page takes it: see docs/explorer.md for the names."""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from netgaze.page.parts import Explored

_MOST = 65535  # of two bytes
_MAPS = {"t-SNE": "plane", "PCA": "plane_pca", "in the first network's map": "plane_shared"}


def hand_over(found: Mapping[str, np.ndarray]) -> Explored:
    """What `Explore` found of one network, in few bytes."""
    network: dict[str, Any] = {
        "maps": {name: _quantize(found[key]) for name, key in _MAPS.items() if key in found},
        "neighbors": _to_bytes(found["near"]),
    }
    answers, votes = _list_answers(found, "head", "head"), _list_answers(found, "vote", "neighbors")
    network |= {"answers": answers or votes} if answers or votes else {}
    network |= {"votes": votes} if answers and votes else {}
    if "own_classes" in found:
        network["own"] = {"class_names": found["own_names"].tolist()} | _list_shares(found, "own")
    if "heat" in found:
        network["heat"] = {
            "classes": _to_bytes(found["heat_classes"]),
            "values": found["heat"],
            "unit": str(found["heat_unit"]),
        }
        network["heat"] |= {"class_names": found["own_names"].tolist()} if "own_names" in found else {}
    if "epochs" in found:
        network["snapshots"] = {
            "epochs": found["epochs"].tolist(),
            "maps": np.stack([_quantize(plane) for plane in found["epoch_planes"]]),
            "classes": _to_bytes(found["epoch_classes"]),
            "shares": _to_shares(found["epoch_shares"]),
        }
    return {"set": str(found["set"]), "images": _list_images(found), "network": network}


def _list_images(found: Mapping[str, np.ndarray]) -> dict[str, Any]:
    images: dict[str, Any] = {
        "name": str(found["data"][0]),
        "splits": found["splits"].tolist(),
        "split": found["split"].astype(np.uint8),
        "index": found["index"].astype(np.uint32),
        "labels": _to_bytes(found["labels"]),
        "class_names": found["names"].tolist(),
    }
    if "sprite" in found:
        url = "data:image/webp;base64," + base64.b64encode(found["sprite"].tobytes()).decode()
        images["sprite"] = {"url": url, "side": int(found["side"]), "columns": int(found["across"])}
    return images


def _list_answers(found: Mapping[str, np.ndarray], kind: str, by: str) -> dict[str, Any]:
    if f"{kind}_loss" not in found:
        return {}
    return {"by": by} | _list_shares(found, kind) | {"loss": found[f"{kind}_loss"].astype(np.float32)}


def _list_shares(found: Mapping[str, np.ndarray], kind: str) -> dict[str, np.ndarray]:
    return {
        "classes": _to_bytes(found[f"{kind}_classes"]),
        "shares": _to_shares(found[f"{kind}_shares"]),
    }


def _to_bytes(numbers: np.ndarray) -> np.ndarray:
    """Whole numbers from 0 on in one byte each, or in two."""
    return numbers.astype(np.uint8 if numbers.max() < 256 else np.uint16)


def _to_shares(shares: np.ndarray) -> np.ndarray:
    """Shares 0..1 in two bytes."""
    return (np.clip(shares.astype(np.float64), 0, 1) * _MOST).round().astype(np.uint16)


def _quantize(plane: np.ndarray) -> np.ndarray:
    """Places [N,2] within a square of two bytes' numbers, which they fill in one direction; one scale for both."""
    low, high = plane.min(axis=0), plane.max(axis=0)
    reach = float((high - low).max()) or 1.0
    return (((plane - (low + high) / 2) / reach + 0.5) * _MOST).round().astype(np.uint16)
