"""Which image is this dot, where is it in the other networks, and what do these networks see in it?"""

import importlib.util
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure as Picture
from threadpoolctl import threadpool_limits

from netgaze.drawing.examples import spread_evenly
from netgaze.drawing.planes import draw_planes
from netgaze.errors import NetgazeError
from netgaze.figure import Figure, Finding
from netgaze.figures.explore.answers import ask
from netgaze.figures.explore.evidence import map_evidence
from netgaze.figures.explore.parts import hand_over
from netgaze.figures.explore.shared_map import place_in
from netgaze.figures.explore.snapshots import place_snapshots
from netgaze.figures.explore.sprites import draw_sprite
from netgaze.files import cached_arrays, digest
from netgaze.glossary import Glossary, Meaning
from netgaze.measures.neighbors import find_nearest
from netgaze.measures.pixels import to_floats
from netgaze.measures.planes import QUICK, embed, project
from netgaze.page.parts import Explored
from netgaze.subject import Subject

_MOST_IMAGES = 60_000  # their numbers are sent in two bytes


class Explore(Figure):
    """Many images in every network, for the interactive page: position, predictions, evidence and neighbors of each.

    The same images for every network, evenly spaced over the split, so that their shares estimate those of all. For
    networks that do not predict the data's classes, the 20 nearest training images of their features vote, each with
    weight exp(cosine / 0.07) (Wu et al. 2018); the loss of a vote is -log of its share for the true class, after every
    class received a twentieth of a vote. The ten neighbors are the nearest by cosine among the images shown.

    The t-SNE maps are quick ones, see `measures.planes.QUICK`; those of the figure `tsne` are optimized for longer.

    Args:
        num_images: at most so many.
        splits: of "train", "val", "test"; None for the split of the subject.
        shared_map: whether every other network also places the images in the first one's map, see `place_in`; takes
            some seconds each.
        seed: of the maps.

    Raises:
        NetgazeError: no images, too many, an unknown split, or a shared map without openTSNE.
    """

    title = "Explore"
    question = "Which image is this dot, where is it in the other networks, and what do these networks see in it?"
    look_for = (
        "Click an image whose prediction differs between two networks, then compare its neighbors and its maps of "
        "evidence in both. Look for groups of images that one network separates and the other does not."
    )
    pitfall = (
        "Distances between clusters and sizes of clusters in a t-SNE map mean nothing, and these maps are quick ones: "
        "read the neighbors, which are found in the full features. Only a part of the split is shown, so count nothing "
        "that is rare."
    )
    needs = ("data", "features")
    glossary = Glossary({"num_images": Meaning("images shown")})

    def __init__(
        self, *, num_images: int = 2000, splits: Sequence[str] | None = None, shared_map: bool = False, seed: int = 0
    ):
        if not 2 <= num_images <= _MOST_IMAGES:
            raise NetgazeError(f"figure.explore.num_images={num_images} must be 2 to {_MOST_IMAGES:,}.")
        if splits is not None and (not splits or not set(splits) <= {"train", "val", "test"}):
            raise NetgazeError(f"figure.explore.splits={splits}: choose from train, val and test, as in [test,val].")
        if shared_map and importlib.util.find_spec("openTSNE") is None:
            raise NetgazeError("figure.explore.shared_map=true needs openTSNE: pip install 'netgaze[explore]'.")
        self.num_images, self.splits, self.shared_map, self.seed = num_images, splits, shared_map, seed

    def compute(self, subject: Subject) -> Finding:
        """Of N images `split`, `index` and `labels`, [N] each, positions [N,2], predictions, evidence and neighbors."""
        data, splits = subject.data, list(dict.fromkeys(self.splits or [subject.split]))
        most = max(2, self.num_images // len(splits))
        rows = {split: spread_evenly(len(data.labels(split)), most) for split in splits}
        features = to_floats(torch.cat([subject.bank(split)[own] for split, own in rows.items()]))
        labels = torch.cat([data.labels(split)[own] for split, own in rows.items()])
        planes = cached_arrays(
            "planes", digest(features.numpy(), self.seed, vars(QUICK)), lambda: _place(features.numpy(), self.seed)
        )
        near = find_nearest(features, features, min(10, len(features) - 1), leave_out_self=True)[1]
        arrays = planes | {
            "split": np.repeat(np.arange(len(rows)), [len(own) for own in rows.values()]),
            "index": np.concatenate(list(rows.values())),
            "labels": labels.numpy(),
            "near": near.numpy(),
            "splits": np.array(splits),
            "names": np.array(data.class_names),
            "data": np.array([data.title, data.images_fingerprint]),
        }
        arrays |= ask(subject, rows, labels) | map_evidence(subject, rows)
        caption = f"{len(labels):,} images of the {' and '.join(splits)} split, the same for every network."
        return Finding({"num_images": len(labels)}, arrays, f"{caption} In print only the t-SNE map remains.")

    def relate(
        self, findings: Mapping[str, Finding], subjects: Mapping[str, Subject]
    ) -> dict[str, dict[str, np.ndarray]]:
        """The images' identity; once for each set of images, small pictures; and snapshots kept during training."""
        arrays: dict[str, dict[str, np.ndarray]] = {}
        repeats = _list_repeats({label: it.arrays for label, it in findings.items() if subjects[label].control})
        for label, found in ((label, it.arrays) for label, it in findings.items() if label not in repeats):
            key = digest(str(found["data"][1]), found["splits"].tolist(), found["split"], found["index"])
            arrays[label] = {"set": np.array(key)} | place_snapshots(subjects[label], found, self.seed)
            first = next(name for name, own in arrays.items() if str(own["set"]) == key)
            if first == label:
                arrays[label] |= draw_sprite(subjects[label].data, found)
            elif self.shared_map:
                arrays[label] |= place_in(findings[first].arrays, found)
        return arrays

    def explore(self, finding: Finding) -> Explored:
        """All of it, in few bytes; nothing for a control whose features equal another control's."""
        return hand_over(finding.arrays) if "set" in finding.arrays else {}

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """The t-SNE maps, one column per network: what remains where nothing can be clicked."""
        return draw_planes(findings, lambda finding: f"{finding.numbers['num_images']:,} images")


def _place(features: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Maps of features [N,D]; untrained networks of several tasks have the same, and so one map."""
    with threadpool_limits(1):  # more threads are slower at these sizes, much slower beside a training
        return {"plane": embed(features, seed, QUICK), "plane_pca": project(features, 2, seed)}


def _list_repeats(controls: Mapping[str, Mapping[str, np.ndarray]]) -> set[str]:
    """Untrained networks with the same features as one of another task: the one with most predictions stays."""
    ranked = sorted(controls, key=lambda label: -len(controls[label]))
    return {
        label
        for place, label in enumerate(ranked)
        if any(np.array_equal(controls[label]["plane"], controls[other]["plane"]) for other in ranked[:place])
    }
