"""Scores of label maps: one confusion matrix over a whole set (Sec. 5.1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from wsss.metrics import confusion_matrix


def score(
    label_maps: Sequence[np.ndarray],
    truth: Sequence[np.ndarray],
    num_labels: int,
    *,
    ignore_index: int = 255,
) -> Tensor:
    """Confusion matrix over a whole set; unknown pixels of a seed are a label of their own.

    Parameters
    ----------
    label_maps : sequence of (H, W) uint8
        Predictions, or seeds that may hold `ignore_index`.
    truth : sequence of (H, W) uint8
        True labels; pixels of `ignore_index` are not counted.
    num_labels : int
        L = C + 1.
    ignore_index : int
        255.

    Returns
    -------
    (L + 1, L + 1) int64
        Rows truth, columns prediction; the last column is "unknown", the last row empty.

    Examples
    --------
    >>> score([np.array([[0, 255]], np.uint8)], [np.array([[0, 1]], np.uint8)], 2)
    tensor([[1, 0, 0],
            [0, 0, 1],
            [0, 0, 0]])
    """
    total = torch.zeros(num_labels + 1, num_labels + 1, dtype=torch.int64)
    for label_map, mask in zip(label_maps, truth, strict=True):
        guess = torch.from_numpy(np.where(label_map == ignore_index, num_labels, label_map))
        truth_map = torch.from_numpy(np.array(mask))  # a copy: a mapped file is not writable
        total += confusion_matrix(guess, truth_map, num_labels + 1, ignore_index=ignore_index)
    return total
