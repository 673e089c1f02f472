"""A network's error on corrupted images: the mean corruption error."""

import numpy as np


def mean_corruption_error(errors: np.ndarray, reference: np.ndarray | None = None) -> float:
    """The mean over kinds of the error over severities (Hendrycks and Dietterich 2019, arXiv 1903.12261, section 4).

    With a reference it is the paper's mCE: of each kind the sum of errors over severities is divided by the
    reference's, so that a kind which is hard for all weighs no more than others. There the reference is AlexNet on
    ImageNet-C; numbers with another reference, or with other severities, are not comparable with the paper's.

    Args:
        errors: of each kind at each severity, 0..1, [K,S].
        reference: those of another network on the same images, [K,S].

    Returns:
        A share, 0..1; with a reference a ratio, 1 for the reference itself, NaN where it makes no error at some kind.

    Raises:
        ValueError: the two differ in shape, or there is no kind or no severity.
    """
    if errors.ndim != 2 or not errors.size or (reference is not None and reference.shape != errors.shape):
        shapes = errors.shape if reference is None else f"{errors.shape} and {reference.shape}"
        raise ValueError(f"expected errors [K,S] of some kinds and severities, twice the same shape, got {shapes}")
    if reference is None:
        return float(errors.mean())
    others = reference.sum(axis=1)
    return float((errors.sum(axis=1) / others).mean()) if others.all() else float("nan")
