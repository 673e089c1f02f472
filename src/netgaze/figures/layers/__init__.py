"""Layer-wise probes: what can be read from each stage, and where the prediction is settled."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure as Picture
from torch import Tensor

from netgaze.drawing.examples import spread_evenly, to_rgb
from netgaze.drawing.shown_layers import choose_layers, pool_layers
from netgaze.figure import Figure, Finding, name_settings
from netgaze.figures.layers.page import draw_layers
from netgaze.figures.layers.words import describe_ends, describe_pairs
from netgaze.glossary import Glossary, Meaning
from netgaze.measures.collapse import effective_rank
from netgaze.measures.depth import find_depths
from netgaze.measures.metrics import vote_weighted
from netgaze.measures.neighbors import find_nearest
from netgaze.measures.pixels import to_floats
from netgaze.measures.probe import Labeled, probe_linearly
from netgaze.page.parts import Explored
from netgaze.subject import Subject

_K, _DEPTH_K, _TENTH = 20, 30, 10


class Layers(Figure):
    """kNN, a linear probe and the effective rank at every stage, and prediction depth (Baldock et al. 2021).

    Features of a stage are averaged over positions. Neighbors are sought among a part of the training images, so the
    accuracies lie below those of `knn` and `probe`; the ridge strength is chosen on every tenth of this part, which is
    then not fitted. Prediction depth is the first stage from which on a vote of an image's 30 nearest gives the
    network's prediction; for a network that predicts no classes, the vote at the last stage.

    Args:
        num_train: training images, evenly spaced over all.
        num_images: of the split, evenly spaced over all.
        layers: `named_modules` names, shallow to deep; by default the network's own stages.
        num_shown: images of each kind.
    """

    title = "Layer-wise probes"
    question = "How well can the classes be read from each stage, and from which stage on is the prediction settled?"
    look_for = (
        "The stage at which a trained network leaves the untrained one behind, and whether the last stage is the best. "
        "Images settled late are often the ambiguous or mislabeled ones."
    )
    pitfall = (
        "Averaging over positions hides what an early stage knows of places, and stages of different width do not "
        "compare in rank. Prediction depth is about the network's own prediction, correct or not."
    )
    needs = ("data", "features", "training images", "known classes")
    glossary = Glossary(
        {
            "knn20 <stage>": Meaning(
                "20-neighbor accuracy at <stage>",
                "Accuracy of a weighted vote of the 20 nearest among a part of the training images, by the stage's "
                "features averaged over positions.",
                "%",
                "higher",
                "num_images",
            ),
            "probe <stage>": Meaning(
                "linear probe at <stage>",
                "Accuracy of a ridge classifier on the same features, fitted in closed form to the same images.",
                "%",
                "higher",
                "num_images",
            ),
            "rank <stage>": Meaning(
                "effective rank at <stage>",
                "Along how many directions images differ: exp of the entropy of the centered features' singular "
                "values.",
            ),
            "depth": Meaning(
                "prediction depth",
                "Mean over images of the first stage, counted from 0, from which on the 30 nearest give the network's "
                "prediction; the number of stages if even the last stage's do not.",
                "stages",
            ),
            "settled_first": Meaning(
                "settled at the first stage", "Share of images with a depth of 0.", "%", "", "num_images"
            ),
            "unsettled": Meaning(
                "never settled",
                "Share of images whose neighbors at the last stage do not give the prediction.",
                "%",
                "",
                "num_images",
            ),
            "num_images": Meaning("images", "How many the numbers are measured on."),
            "num_train": Meaning("training images", "Searched for neighbors; the probes are fitted to them."),
        }
    )

    def __init__(
        self,
        *,
        num_train: int = 10_000,
        num_images: int = 2000,
        layers: list[str] | None = None,
        num_shown: int = 8,
    ):
        self.num_train, self.num_images, self.layers, self.num_shown = num_train, num_images, layers, num_shown

    def compute(self, subject: Subject) -> Finding:
        """Accuracies and rank of each stage [L], and the depth of each image [N] with some of these as pictures."""
        data, split = subject.data, subject.split
        rows, own = (
            torch.from_numpy(spread_evenly(len(data.labels(split)), self.num_images)),
            torch.from_numpy(spread_evenly(len(data.labels("train")), self.num_train)),
        )
        names = [] if subject.pixels else choose_layers(subject.task.model, self.layers, False, "figure.layers.layers")
        train, shown = (pool_layers(subject, *which, names) for which in (("train", own), (split, rows)))
        labels, true = data.labels("train")[own], data.labels(split)[rows]
        num_classes, numbers, votes = len(data.class_names), dict[str, Any](), list[Tensor]()
        for stage, features in shown.items():
            known = Labeled(train[stage], labels)
            similar, near = find_nearest(features, known.features, min(_DEPTH_K, len(own)))
            votes.append(vote_weighted(similar, labels[near], num_classes))
            right = vote_weighted(similar[:, :_K], labels[near[:, :_K]], num_classes) == true
            numbers[f"knn20 {stage}"] = float(right.double().mean())
            numbers[f"probe {stage}"] = _probe(known, Labeled(features, true), num_classes)
            floats = to_floats(features)
            numbers[f"rank {stage}"] = effective_rank(floats - floats.mean(dim=0))
        arrays = {
            "stages": np.array(list(shown)),
            "control": np.array(subject.control),
            "images": np.array(data.images_fingerprint),
        }
        numbers |= {"num_images": len(rows), "num_train": len(own)}
        caption = (
            f"Features of each stage, averaged over positions, of {len(rows):,} images of the {split} split; neighbors "
            f"and probes use {len(own):,} training images. Each network shows its own images: those whose prediction "
            "is settled first, and those where it is settled last."
        )
        if len(shown) > 1:
            answers = votes[-1]
            if subject.names_classes:
                answers = torch.from_numpy(subject.class_outputs(split).logits[rows].argmax(axis=1))
            depths = find_depths(torch.stack(votes), answers)
            numbers |= _summarize(depths, len(shown))
            arrays |= {"depths": depths.numpy(), "rows": rows.numpy(), "is_voted": np.array(not subject.names_classes)}
            arrays |= self._show(subject, rows, depths, answers, torch.stack(votes))
        return Finding(numbers, arrays, caption)

    def _show(
        self, subject: Subject, rows: Tensor, depths: Tensor, answers: Tensor, votes: Tensor
    ) -> dict[str, np.ndarray]:
        """The shallowest and the deepest images, of different predictions if possible, with the votes."""
        last = votes.shape[0]
        ends = [_take_turns(depths == int(depths.min()), answers, self.num_shown)]
        ends.append(_take_turns(depths == int(depths.max()), answers, self.num_shown))
        chosen = torch.cat(ends)
        names = np.array(subject.data.class_names)
        return {
            "pictures": to_rgb(subject.data.images(subject.split, rows[chosen])),
            "is_deep": np.repeat([False, True], [len(end) for end in ends]),
            "true": names[subject.data.labels(subject.split)[rows][chosen].numpy()],
            "answers": names[answers[chosen].numpy()],
            "votes": names[votes[:, chosen].numpy()],
            "shown_depths": depths[chosen].numpy(),
            "depth_shares": np.bincount(depths.numpy(), minlength=last + 1) / len(depths),
        }

    def relate(
        self, findings: Mapping[str, Finding], subjects: Mapping[str, Subject]
    ) -> dict[str, dict[str, np.ndarray]]:
        """Which networks differ only in their seeds."""
        return name_settings(subjects)

    def differences(self, findings: Mapping[str, Finding]) -> list[str]:
        """Where two networks part, which settles earlier, and whose last stage is worse than an earlier one."""
        return [*describe_pairs(findings), *describe_ends(findings)]

    def explore(self, finding: Finding) -> Explored:
        """The prediction depth of each image."""
        if "depths" not in finding.arrays:
            return {}
        meaning = self.glossary["depth"]
        values = {
            "words": meaning.words,
            "says": "The first stage, counted from 0, from which on the 30 nearest give the network's prediction.",
            "unit": "",
            "index": finding.arrays["rows"].astype(np.uint32),
            "values": finding.arrays["depths"].astype(np.float32),
        }
        return {"network": {"values": {"prediction depth": values}}}

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """Plots over the stages with a line per network, and each network's shallowest and deepest images."""
        return draw_layers(findings)


def _probe(known: Labeled, measured_on: Labeled, num_classes: int) -> float:
    held_out = torch.arange(len(known.labels)) % _TENTH == 0
    fitted, chosen_on = (Labeled(*(part[rows] for part in known)) for rows in (~held_out, held_out))
    return probe_linearly(fitted, chosen_on, measured_on, num_classes).accuracy


def _summarize(depths: Tensor, num_stages: int) -> dict[str, float]:
    shares = {"settled_first": depths == 0, "unsettled": depths == num_stages}
    return {"depth": float(depths.double().mean())} | {k: float(v.double().mean()) for k, v in shares.items()}


def _take_turns(among: Tensor, answers: Tensor, num: int) -> Tensor:
    """At most `num` of some images, the predictions taking turns, each in order of the split."""
    own = among.nonzero().flatten()
    turns = torch.stack([(answers[own[:place]] == answers[own[place]]).sum() for place in range(len(own))])
    order = np.lexsort((answers[own].numpy(), turns.numpy()))
    return own[torch.from_numpy(order[:num])]
