"""Feature spectrum: along how many directions the features vary."""

from collections.abc import Mapping

import numpy as np
import torch
from matplotlib.figure import Figure as Picture

from netgaze.drawing.line_plot import Line, make_line_plot
from netgaze.drawing.rows import Row, lay_out
from netgaze.figure import Figure, Finding
from netgaze.glossary import Glossary, Meaning
from netgaze.measures.collapse import covariance_eigenvalues, effective_rank, embedding_std, fit_decay
from netgaze.measures.pixels import to_floats
from netgaze.subject import Subject
from netgaze.text import format_value

_LEAST_SHARE = 1e-6  # of the largest eigenvalue, down to which the plot goes


class Spectrum(Figure):
    """The eigenvalues of the covariance of penultimate features, and effective ranks, which reveal collapse.

    Args:
        num_images: of the split, evenly spaced over all; effective ranks compare only for the same number.
    """

    title = "Feature spectrum"
    question = "Along how many directions do the features vary, or have they collapsed onto a few?"
    look_for = (
        "A line that falls slowly: the variance is spread over many directions. A line that drops after a few "
        "eigenvalues, with a low effective rank, means collapse."
    )
    pitfall = (
        "A high rank is not good by itself: untrained features and noise can have one, and a supervised network needs "
        "few directions. Ranks compare only for one number of images and similar networks; read them beside the "
        "20-neighbor accuracy."
    )
    needs = ("data", "features")
    metrics = ("rankme", "rank", "feature_std")
    glossary = Glossary(
        {
            "rankme": Meaning(
                "effective rank (RankMe)",
                "exp of the entropy of the features' singular values, uncentered (Garrido et al. 2023): at most the "
                "number of features or of images. If all features are positive, their mean dominates it.",
                "",
                "higher",
            ),
            "rank": Meaning(
                "effective rank, centered",
                "The same after subtracting the mean: along how many directions images differ.",
                "",
                "higher",
            ),
            "feature_std": Meaning(
                "spread of directions",
                "sqrt(D) times the mean standard deviation of the normalized features: about 1 if they point "
                "everywhere, 0 if all are equal (collapse). Positive features stay well below 1.",
                "",
                "higher",
            ),
            "decay": Meaning(
                "eigenvalue decay", "Exponent a of n^-a, fitted to eigenvalues 10 to 100 of the covariance."
            ),
            "num_images": Meaning("images", "How many the spectrum is computed from."),
            "num_features": Meaning("features", "How many there are."),
        }
    )

    def __init__(self, *, num_images: int = 2000):
        self.num_images = num_images

    def compute(self, subject: Subject) -> Finding:
        """Eigenvalues of the centered features' covariance as shares of their sum, the largest first [min(N,D)]."""
        bank = subject.bank(subject.split)
        index = torch.linspace(0, len(bank) - 1, min(self.num_images, len(bank))).long()
        features = to_floats(bank[index])
        eigenvalues = covariance_eigenvalues(features)
        numbers = {
            "rankme": effective_rank(features),
            "rank": effective_rank(features - features.mean(dim=0)),
            "feature_std": float(embedding_std(features)),
            "decay": fit_decay(eigenvalues),
            "num_images": len(features),
            "num_features": features.shape[1],
        }
        arrays = {
            "shares": (eigenvalues / eigenvalues.sum().clamp(min=1e-30)).numpy(),
            "control": np.array(subject.control),
        }
        caption = (
            f"Eigenvalues of the covariance of the features of {len(features):,} images of the {subject.split} split, "
            "as shares of their sum. RankMe is computed from the uncentered features of the same images."
        )
        return Finding({k: v for k, v in numbers.items() if np.isfinite(v)}, arrays, caption)

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A line per network."""
        axes = {
            "xscale": "log",
            "yscale": "log",
            "xlabel": "eigenvalue, largest first",
            "ylabel": "share of variance",
        }
        return lay_out([Row(0.1), make_line_plot([_make_line(*item) for item in findings.items()], 3.2, axes)])


def _make_line(label: str, finding: Finding) -> Line:
    numbers, shares = finding.numbers, finding.arrays["shares"]
    shares = shares[shares > _LEAST_SHARE * shares[0]]
    words = f"{label}: rank {format_value(numbers['rank'])} of {numbers['num_features']:,} features"
    words += f", RankMe {format_value(numbers['rankme'])}"
    words += f", decay {format_value(numbers['decay'])}" if "decay" in numbers else ""
    return Line(words, np.arange(1, len(shares) + 1), shares, control=bool(finding.arrays["control"]))
