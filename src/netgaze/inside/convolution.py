"""A layer of 1-D convolution by hand: forward pass, gradients, and the kernel's update.

As in deep-learning libraries the kernel is *not* flipped: strictly, this is cross-correlation. True convolution is
the same with `kernel[::-1]`; a kernel that is learned comes out flipped, and nothing else changes.

Letters: N the length of the signals, k the size of the kernel, M the length of the output: N, or N - k + 1 for the
border "valid". A kernel lies with its place a = (k - 1) // 2 over the output's, its middle if k is odd and left of
the middle if k is even, as with `padding="same"` in PyTorch: a values are needed before the signal, k - 1 - a behind.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

BORDERS = ("zero", "reflect", "replicate", "circular", "valid")


def convolve(signal: np.ndarray, kernel: np.ndarray, border: str = "zero") -> np.ndarray:
    """x_out[n] = sum_j W[j] x_padded[n + j].

    Args:
        signal: x_in, [N].
        kernel: W, [k].
        border: what the kernel sees where it hangs over the ends; one of `BORDERS`.

    Returns:
        x_out, [M].

    Raises:
        ValueError: an unknown border, an empty signal or kernel, or a kernel too long for the border.
    """
    return sliding_window_view(pad_image(signal, len(kernel), border), len(kernel)) @ kernel


def differentiate_input(output_gradient: np.ndarray, kernel: np.ndarray, border: str = "zero") -> np.ndarray:
    """dC/dx_padded[m] = sum_j W[j] dC/dx_out[m - j], and dC/dx_in = P^T dC/dx_padded.

    Each output hands its gradient back to the k values that it was made of, by the weights it took them with: a true
    convolution, with the kernel flipped. What the border copied from x_in[n] gives its gradient back to x_in[n].

    Args:
        output_gradient: dC/dx_out, [M].
        kernel: W, [k].
        border: that of `forward`.

    Returns:
        dC/dx_in, [N].

    Raises:
        ValueError: see `forward`.
    """
    size = len(kernel)
    length = len(output_gradient) + (size - 1 if border == "valid" else 0)
    places = source_of(length, size, border)
    padded_gradient = np.convolve(output_gradient, kernel, mode="full")
    gradient = np.zeros(length, dtype=padded_gradient.dtype)
    np.add.at(gradient, places[places >= 0], padded_gradient[places >= 0])
    return gradient


def differentiate_kernel(
    output_gradient: np.ndarray, signal: np.ndarray, size: int, border: str = "zero"
) -> np.ndarray:
    """dC/dW[j] = sum_n dC/dx_out[n] x_padded[n + j]: W[j] had a part in every output.

    Args:
        output_gradient: dC/dx_out, [M].
        signal: x_in, [N].
        size: k.
        border: that of `forward`.

    Returns:
        dC/dW, [k].

    Raises:
        ValueError: see `forward`, or gradients that are not as many as the outputs.
    """
    windows = sliding_window_view(pad_image(signal, size, border), size)
    if len(output_gradient) != len(windows):
        raise ValueError(f"expected a gradient for each of {len(windows)} outputs, got {len(output_gradient)}")
    return output_gradient @ windows


def update_kernel(kernel: np.ndarray, gradient: np.ndarray, learning_rate: float) -> np.ndarray:
    """W^{i+1} = W^i - eta dC/dW: a step of gradient descent.

    Args:
        kernel: W^i, [k].
        gradient: dC/dW at W^i, [k].
        learning_rate: eta.
    """
    return kernel - learning_rate * gradient


def source_of(length: int, size: int, border: str) -> np.ndarray:
    """Which value of the signal stands at each place of the padded one: the matrix P, a row a number.

    P has a 1 at (m, source[m]) and is 0 elsewhere; -1 is a row without a 1, a padded zero.

    Args:
        length: N.
        size: k.
        border: one of `BORDERS`.

    Returns:
        int64 [M + k - 1].

    Raises:
        ValueError: see `forward`.
    """
    _check(length, size, border)
    if border == "valid":
        return np.arange(length)
    before = (size - 1) // 2
    place = np.arange(-before, length + size - 1 - before)
    if border == "zero":
        return np.where((place >= 0) & (place < length), place, -1)
    if border == "replicate":
        return place.clip(0, length - 1)
    if border == "circular":
        return place % length
    last = length - 1
    return last - np.abs(last - np.abs(place))


def pad_image(signal: np.ndarray, size: int, border: str) -> np.ndarray:
    """x_padded = P x_in, [N] -> [M + k - 1]: as much more as a kernel of `size` hangs over; errors as `forward`."""
    places = source_of(len(signal), size, border)
    return np.where(places >= 0, signal[places], 0)


def _check(length: int, size: int, border: str) -> None:
    if border not in BORDERS:
        raise ValueError(f"expected a border of {', '.join(BORDERS)}, got {border}")
    if length < 1 or size < 1:
        raise ValueError(f"expected a signal and a kernel of one value or more, got {length} and {size}")
    if border == "valid" and size > length:
        raise ValueError(f"expected a kernel of at most {length} values, as many as the signal has, got {size}")
    if border == "reflect" and size // 2 >= length:
        raise ValueError(
            f"expected a kernel of at most {2 * length - 1} values to reflect a signal of {length}, got {size}"
        )
    if border == "circular" and size // 2 > length:
        raise ValueError(
            f"expected a kernel of at most {2 * length + 1} values to wrap a signal of {length} once, got {size}"
        )
