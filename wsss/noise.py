"""Hand-made label noise of the pilot experiment: foreground turned to background (Sec. 3)."""

from __future__ import annotations

import numpy as np

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
        If `ratio` is outside [0, 1].

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
