"""Label noise (Sec. 3): that of the pilot experiment, and what K noisy labels are worth.

The paper argues for two labels and two classes. Here a pixel has one true label out of L and gets K
labels, each wrong with probability r, independently of one another and of everything else; what is
wrong is any of the other L - 1 labels alike. Noise that only turns foreground to background is the
case L = 2 on the pixels of the foreground, and no noise on the others.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.polynomial import polynomial

from wsss.errors import InputError


def block_noise(
    mask: np.ndarray,
    ratio: float,
    rng: np.random.Generator,
    *,
    smallest: float = 0.05,
    largest: float = 0.3,
    least_pixels: int = 8,
    ignore_index: int = 255,
) -> np.ndarray:
    """Set blocks of the foreground to background until a share of it is gone.

    Each block is a rectangle whose centre is drawn from the foreground that is left and whose
    sides are drawn independently, as shares of the square root of the foreground's area. The last
    block is filled only as far as the ratio asks, so the noise is exact in every image.
    The paper says "blocks with random sizes" and nothing else; all of this is not in the paper.

    Parameters
    ----------
    mask : (H, W) uint8
        True labels, 0 background, `ignore_index` unknown (left alone).
    ratio : float
        Share of the foreground pixels to remove, in [0, 1] (Table 1: 0.1, 0.2, 0.3).
    rng : numpy.random.Generator
        Two labels of one image come from two calls.
    smallest, largest : float
        Range of a block's side, as a share of the square root of the foreground's area.
    least_pixels : int
        A side is never shorter, in pixels.
    ignore_index : int
        Label of unknown pixels.

    Returns
    -------
    (H, W) uint8
        A copy with exactly ``round(ratio * foreground)`` pixels set to 0.

    Raises
    ------
    InputError
        If `ratio` is outside [0, 1], or `smallest` and `largest` are no range.

    Examples
    --------
    >>> mask = np.ones((20, 20), np.uint8)
    >>> noisy = block_noise(mask, 0.3, np.random.default_rng(0), least_pixels=3)
    >>> int((noisy == 0).sum())
    120

    References
    ----------
    Fan et al., Sec. 3, Fig. 2 and Table 1.
    """
    if not 0 <= ratio <= 1:
        raise InputError(f"block_noise: ratio is {ratio}; it is a share between 0 and 1")
    if not 0 <= smallest <= largest < 1e3:
        raise InputError(f"block_noise: {smallest} to {largest} is no range of sides")
    noisy = mask.copy()
    foreground = (mask != 0) & (mask != ignore_index)
    area = int(foreground.sum())
    left = round(ratio * area)
    while left > 0:
        rows, columns = np.nonzero(foreground)
        centre = rng.integers(len(rows))
        sides = rng.uniform(smallest, largest, 2) * np.sqrt(area)
        height, width = np.maximum(np.rint(sides), max(least_pixels, 1)).astype(int)
        top = max(rows[centre] - height // 2, 0)
        first = max(columns[centre] - width // 2, 0)
        inside = np.zeros_like(foreground)
        inside[top : top + height, first : first + width] = True
        block = np.flatnonzero(inside & foreground)[:left]
        noisy.flat[block] = 0
        foreground.flat[block] = False
        left -= len(block)
    return noisy


def draw_labels(
    pixels: int, copies: int, ratio: float, num_labels: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw noisy labels of pixels whose true label is 0.

    Parameters
    ----------
    pixels, copies, num_labels : int
        N, K and L.
    ratio : float
        r, the probability of a wrong label.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    (K, N) uint8
        Labels in [0, L - 1].

    Examples
    --------
    >>> draw_labels(6, 2, 0.5, 3, np.random.default_rng(0))
    array([[0, 2, 2, 1, 0, 0],
           [0, 0, 0, 0, 0, 2]], dtype=uint8)
    """
    shape = copies, pixels
    wrong = rng.random(shape) < ratio
    return (wrong * rng.integers(1, num_labels, shape)).astype(np.uint8)


def plurality(copies: int, ratio: float, num_labels: int) -> tuple[float, float]:
    """Compute how likely the true label outvotes every other, and how likely one outvotes it.

    With j votes for the true label, the K - j others fall on L - 1 labels, none above a cap m with
    probability (K - j)! / (L - 1)^(K - j) times the coefficient of x^(K - j) in
    (Σ_{i≤m} x^i / i!)^(L - 1).

    Parameters
    ----------
    copies, num_labels : int
        K and L.
    ratio : float
        r.

    Returns
    -------
    right, wrong : float
        Their ratio generalises the paper's (1 - r)² / r². What is left are ties of the true label
        with another; a tie of two others above it counts as wrong.

    Examples
    --------
    The paper's two cases, r = 0.3: one label, and two of two classes.

    >>> [round(p, 4) for p in plurality(1, 0.3, 2)]
    [0.7, 0.3]
    >>> [round(p, 4) for p in plurality(2, 0.3, 2)]
    [0.49, 0.09]

    References
    ----------
    Fan et al., Sec. 3.
    """
    right = wrong = 0.0
    for j in range(copies + 1):
        chance = _binomial(copies, j, 1 - ratio)
        right += chance * _none_above(j - 1, copies - j, num_labels - 1)
        wrong += chance * (1 - _none_above(j, copies - j, num_labels - 1))
    return right, wrong


def right_share(
    copies: int,
    ratio: float,
    num_labels: int,
    *,
    sharpness: float = 0.0,
    accuracy: float = 1.0,
) -> float:
    """Compute the share of a pixel's weight that Eq. 5 is expected to put on the true label.

    With e = exp(s), j votes for the true label and m for the label predicted, the share is
    e j / (K + (e - 1) j) if the prediction is right and j / (K + (e - 1) m) if it is not. Without
    weights, s = 0, it is 1 - r for any K.

    Parameters
    ----------
    copies, num_labels : int
        K and L.
    ratio : float
        r.
    sharpness : float
        s of Eq. 6.
    accuracy : float
        Probability that the network predicts the true label, independently of the K labels; else
        it predicts any of the others alike.

    Returns
    -------
    float
        In [0, 1].

    Examples
    --------
    >>> round(right_share(2, 0.3, 2, sharpness=1.0, accuracy=0.9), 4)
    0.7776
    >>> round(right_share(2, 0.3, 2), 4)
    0.7

    References
    ----------
    Fan et al., Sec. 4.5, Eq. 5-7.
    """
    boost = math.expm1(sharpness)
    share = 0.0
    for j in range(copies + 1):
        chance = _binomial(copies, j, 1 - ratio)
        share += chance * accuracy * (1 + boost) * j / (copies + boost * j)
        for m in range(copies - j + 1):
            on_predicted = _binomial(copies - j, m, 1 / (num_labels - 1))
            share += chance * (1 - accuracy) * on_predicted * j / (copies + boost * m)
    return share


def _binomial(count: int, successes: int, chance: float) -> float:
    return math.comb(count, successes) * chance**successes * (1 - chance) ** (count - successes)


def _none_above(cap: int, votes: int, num_labels: int) -> float:
    """Probability that votes thrown at random on labels put none above a cap."""
    if cap < 0:
        return 0.0
    one = [1 / math.factorial(i) for i in range(min(cap, votes) + 1)]
    series = polynomial.polypow(one, num_labels)
    if votes >= len(series):
        return 0.0
    return float(series[votes]) * math.factorial(votes) / num_labels**votes
