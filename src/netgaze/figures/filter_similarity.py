"""Filter similarity: are classes with similar filters confused?"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure as Picture
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.stats import rankdata, spearmanr
from sklearn.metrics.pairwise import cosine_similarity

from netgaze.drawing.panels import GRAY, MOST_NAMES, NAMES, SEQUENTIAL, SIGNED, SMALL, TEXT, WIDTH, Sheet, measure_names
from netgaze.drawing.rows import Columns, Row, align, lay_out, make_bar, make_text, make_title, stack
from netgaze.drawing.words import wrap_words
from netgaze.figure import Figure, Finding
from netgaze.glossary import Glossary, Meaning
from netgaze.measures.confusion import PairCounts
from netgaze.subject import Subject, evaluating

_MOST_VALUES = 12
_MOST_CLASSES = 500  # of which all pairs are compared, a thousand times in the test
_MATRIX, _LEAST_MATRIX = 3.2, 1.2  # inches
_DIGITS = 9  # of what is ranked: equal pairs are to be equal, whatever the order of the sums


class FilterSimilarity(Figure):
    """Cosine similarity of the classes' filters beside the confusion matrix of the same classes, in one order.

    The filters are `class_filters`: those that a generator made, else the rows of the last linear layer. The order
    is that of the leaves of average-linkage clustering on 1 - cosine, with neighbors as similar as the tree allows
    (Bar-Joseph et al. 2001). A filter of zeros has similarity 0 to every filter, itself included. Of more than 500
    classes, 500 are drawn at random and compared.

    Args:
        num_permutations: of the test.
        seed: of the permutations, and of the classes if there are too many.
    """

    title = "Filter similarity"
    question = "Which classes have similar filters, and does the network confuse these classes?"
    look_for = (
        "Blocks of similar filters that reappear as blocks of confusion, such as one of animals. The rank correlation "
        "says how closely the two agree over all pairs, and p whether chance would do as well."
    )
    pitfall = (
        "Similar filters can have other causes than similar images, and the correlation says nothing about which "
        "causes which. A good network confuses few images, so most off-diagonal cells rest on a handful of them."
    )
    needs = ("classes", "data")
    controls = "numbers"  # untrained filters are similar by chance, and nearly all images get one prediction
    glossary = Glossary(
        {
            "similarity_mean": Meaning("mean similarity", "Mean cosine of two classes' filters over all pairs, -1..1."),
            "similarity_max": Meaning("largest similarity", "The largest cosine of two classes' filters, -1..1."),
            "most_similar": Meaning("most similar classes"),
            "spearman": Meaning(
                "rank correlation",
                "Spearman's, of filter similarity and confusion (mean of both directions) over pairs of different "
                "classes, -1..1; - if either is the same for all pairs.",
            ),
            "p_permutation": Meaning(
                "p-value of the correlation",
                "One-sided Mantel test (1967): share of permutations of the classes, the identity included, with at "
                "least this correlation.",
            ),
            "place": Meaning("position", "In the order of the picture."),
            "class": Meaning("class"),
            "nearest_class": Meaning("most similar class"),
            "similarity": Meaning("similarity", "Cosine of the two classes' filters, -1..1."),
        }
    )

    def __init__(self, *, num_permutations: int = 999, seed: int = 0):
        self.num_permutations, self.seed = num_permutations, seed

    def compute(self, subject: Subject) -> Finding:
        """Cosines [K,K], confusion [K,K] (rows of shares: true class; columns: prediction), names [K], in one order."""
        with evaluating(subject.task), torch.no_grad():
            filters = subject.task.model.class_filters().float().cpu().numpy()
        outputs, total = subject.outputs(subject.split), len(subject.task.class_names)
        chosen = np.sort(np.random.default_rng(self.seed).permutation(total)[:_MOST_CLASSES])
        names, similarity = np.array(subject.task.class_names)[chosen], compare_filters(filters[chosen])
        found = PairCounts.of(outputs.targets, outputs.logits.argmax(axis=1), total)
        confusion = found.to_matrix(chosen) / np.maximum(found.examples[chosen, None], 1)
        order = order_clusters(similarity)
        within = np.ix_(order, order)
        arrays = {"similarity": similarity[within], "confusion": confusion[within], "names": names[order]}
        caption = (
            "Both matrices list the classes in the order of a clustering of their filters. Confusion: share of the "
            f"{subject.split} examples of the row's class that were predicted as the column's class."
        )
        if len(names) < total:
            caption += f" Of {total:,} classes, {len(names)} were drawn at random."
        if len(names) > MOST_NAMES:
            caption += " The numbers on the axes are positions in this order; the table names the classes."
        numbers = _summarize(similarity, names) | correlate_mantel(
            similarity, confusion, self.num_permutations, self.seed
        )
        return Finding(numbers, arrays, caption)

    def table(self, finding: Finding) -> list[dict[str, Any]]:
        """A row per class, in the picture's order: its position, and the class with the most similar filter."""
        names, others = finding.arrays["names"], finding.arrays["similarity"].copy()
        np.fill_diagonal(others, -np.inf)
        return [
            {
                "place": place,
                "class": str(name),
                "nearest_class": str(names[row.argmax()]),
                "similarity": float(row.max()),
            }
            for place, (name, row) in enumerate(zip(names, others, strict=True))
        ]

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A block per network: filter similarity left, confusion right."""
        return lay_out(_make_block(label, finding) for label, finding in findings.items())


def compare_filters(filters: np.ndarray) -> np.ndarray:
    """Cosines between filters [K,D] -> float64 [K,K] in -1..1, symmetric; 0 for a filter of zeros."""
    cosines = np.clip(cosine_similarity(filters.astype(np.float64)), -1, 1).round(_DIGITS)
    return (cosines + cosines.T) / 2


def order_clusters(similarity: np.ndarray) -> np.ndarray:
    """The order of the leaves of average-linkage clustering on 1 - similarity [K,K]: a permutation [K]."""
    if len(similarity) < 2:
        return np.arange(len(similarity))
    distances = 1 - similarity[np.triu_indices(len(similarity), 1)]
    return leaves_list(linkage(distances, "average", optimal_ordering=True))


def correlate_mantel(similarity: np.ndarray, confusion: np.ndarray, num: int, seed: int) -> dict[str, float | None]:
    """Rank correlation of two matrices [K,K] over pairs of classes, and its permutation test; see the numbers above."""
    pairs = np.triu_indices(len(similarity), 1)
    both = [matrix[pairs].round(_DIGITS) for matrix in (similarity, (confusion + confusion.T) / 2)]
    if any(len(np.unique(values)) < 2 for values in both):
        return {"spearman": None, "p_permutation": None}
    # Permuted classes keep their pairs' ranks, and so mean and spread: the sum of products orders the correlations.
    ranks, others = (np.zeros_like(similarity), np.zeros_like(similarity))
    ranks[pairs], others[pairs] = (rankdata(values) for values in both)
    others += others.T
    observed = float((ranks * others).sum())
    rng = np.random.default_rng(seed)
    orders = (rng.permutation(len(others)) for _ in range(num))
    as_high = sum(float((ranks * others[np.ix_(order, order)]).sum()) >= observed * (1 - 1e-12) for order in orders)
    return {"spearman": float(spearmanr(*both).statistic), "p_permutation": (1 + as_high) / (1 + num)}


def _summarize(similarity: np.ndarray, names: np.ndarray) -> dict[str, float | str]:
    rows, others = np.triu_indices(len(similarity), 1)
    values = similarity[rows, others]
    best = values.argmax()
    pair = f"{names[rows[best]]} and {names[others[best]]}"
    return {
        "similarity_mean": float(values.mean()),
        "similarity_max": float(values[best]),
        "most_similar": pair if (values < values[best]).any() else "all equal",
    }


def _describe(finding: Finding) -> str:
    numbers = finding.numbers
    words = f"mean similarity {numbers['similarity_mean']:z.2f}, largest {numbers['similarity_max']:z.2f} "
    words += f"({numbers['most_similar']})\nrank correlation of similarity and confusion "
    if numbers["spearman"] is None:
        words += "undefined: one of the two is the same for all pairs"
    else:
        words += f"{numbers['spearman']:z.2f}, p = {numbers['p_permutation']:.2g} (permutation test)"
    return wrap_words(words, WIDTH - 0.4, TEXT)


def _make_block(label: str, finding: Finding) -> Row:
    columns, names = Columns(2), finding.arrays["names"]
    side = min(_MATRIX, _LEAST_MATRIX + 0.2 * len(names))
    left, right = (x + (columns.width + NAMES - side) / 2 for x in columns.lefts)
    similarity, confusion = finding.arrays["similarity"], finding.arrays["confusion"]
    matrices = [
        _make_matrix(left, side, similarity, names, SIGNED, "cosine similarity of filters"),
        _make_matrix(right, side, confusion, names, SEQUENTIAL, "confusion: share of the row's examples"),
    ]
    words = make_text(_describe(finding), WIDTH / 2, below=0.1, ha="center", color=GRAY)
    return stack([make_title(label, below=0.02), words, align(matrices)])


def _make_matrix(x: float, side: float, values: np.ndarray, names: np.ndarray, colors: str, words: str) -> Row:
    """A matrix [K,K] with its color bar; of few classes, with values in the cells."""
    low = -1.0 if colors == SIGNED else 0.0
    black = np.abs(values) < 0.6 if colors == SIGNED else values > 0.6  # on light colors

    def draw(sheet: Sheet, y: float) -> None:
        axes = sheet.matrix(x, y, side, values, names, colors, low)
        if len(values) > MOST_NAMES:
            axes.set_xlabel("position in the order of the clustering", fontsize=SMALL, labelpad=1)
        if len(values) > _MOST_VALUES:
            return
        size = min(SMALL, 72 * side / len(values) / (0.7 * 5))
        for (row, column), value in np.ndenumerate(values):
            color = "black" if black[row, column] else "white"
            axes.text(column, row, f"{value:z.2f}", ha="center", va="center", fontsize=size, color=color)

    bar = make_bar(x, side, [low, (low + 1) / 2, 1], colors, words)
    return stack([Row(side + measure_names(names), draw), bar])
