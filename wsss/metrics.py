"""Confusion matrix and intersection over union, over the whole data set (Sec. 5.1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from wsss.errors import InputError

NO_ARITHMETIC = (torch.uint16, torch.uint32, torch.uint64)
"""Integers that torch has and cannot compare with others."""


def confusion_matrix(
    pred: Tensor, target: Tensor, num_classes: int, *, ignore_index: int = 255
) -> Tensor:
    """Count how often each true label was predicted as each label.

    Matrices of several images add up to the matrix of the whole set, and VOC's figure is taken
    from that sum (a mean of per-image scores is another figure). To score a seed with unknown
    pixels, give them a label of their own: ``pred`` with 255 replaced by L, ``num_classes=L + 1``;
    `iou` of the first L labels then counts unknown as wrong.

    Parameters
    ----------
    pred : (...) integer
        Predicted labels in [0, num_classes - 1].
    target : (...) integer
        True labels in [0, num_classes - 1]; pixels of `ignore_index` are not counted.
    num_classes : int
        L, background included.
    ignore_index : int
        255 in VOC.

    Returns
    -------
    (L, L) int64
        Rows are the truth, columns the prediction.

    Raises
    ------
    InputError
        If the shapes differ, or a label is out of range or no integer.

    Examples
    --------
    >>> confusion_matrix(torch.tensor([0, 1, 1, 0]), torch.tensor([0, 1, 0, 255]), 2)
    tensor([[1, 1],
            [0, 1]])

    References
    ----------
    Everingham et al., The PASCAL Visual Object Classes challenge, IJCV 2010.
    """
    if pred.shape != target.shape:
        raise InputError(
            f"confusion_matrix: prediction {tuple(pred.shape)} and truth {tuple(target.shape)} "
            "differ in shape"
        )
    for name, labels in (("truth", target), ("prediction", pred)):
        if labels.is_floating_point() or labels.is_complex() or labels.dtype in NO_ARITHMETIC:
            raise InputError(
                f"confusion_matrix: the {name} is {labels.dtype}; give integer labels, as uint8 or "
                "int64, say"
            )
    known = target != ignore_index
    truth, guess = target * known, pred * known  # pixels not to count: 0, 0, taken off again below
    for name, labels in (("truth", truth), ("prediction", guess)):
        if labels.numel() and (labels.min() < 0 or labels.max() >= num_classes):
            labels = labels[known]
            raise InputError(
                f"confusion_matrix: the {name} holds labels from {int(labels.min())} to "
                f"{int(labels.max())}; {num_classes} classes are 0 to {num_classes - 1}"
            )
    # Narrow integers, since the time goes to moving them.
    cells = torch.add(guess.int(), truth.int(), alpha=num_classes)
    counts = torch.bincount(cells.flatten(), minlength=num_classes**2)
    counts[0] -= known.numel() - known.count_nonzero()
    return counts.reshape(num_classes, num_classes)


def iou(confusion: Tensor) -> Tensor:
    """Intersection over union of every label; its mean over the labels is mIoU.

    Parameters
    ----------
    confusion : (L, L) integer
        Rows truth, columns prediction, as `confusion_matrix` returns.

    Returns
    -------
    (L,) float64
        In [0, 1]; NaN for a label that neither truth nor prediction holds, so that
        ``iou(confusion).nanmean()`` is mIoU.

    Raises
    ------
    InputError
        If the matrix is not square.

    Examples
    --------
    >>> iou(torch.tensor([[1, 1], [0, 1]]))
    tensor([0.5000, 0.5000], dtype=torch.float64)
    """
    intersection = _square(confusion, "iou").diagonal().double()
    union = confusion.sum(0) + confusion.sum(1) - confusion.diagonal()
    return intersection / union  # 0 / 0 is NaN


def error_shares(confusion: Tensor) -> dict[str, float]:
    """Tell apart the three ways in which a prediction can be wrong (not in the paper).

    Parameters
    ----------
    confusion : (L, L) integer
        Rows truth, columns prediction, as `confusion_matrix` returns, without a label for unknown;
        label 0 is background.

    Returns
    -------
    dict
        In percent, NaN where there is nothing to take a share of: ``missed``, the foreground called
        background; ``confused``, what of the rest is called another class; ``spilled``, the
        background called foreground.

    Raises
    ------
    InputError
        If the matrix is not square.

    Examples
    --------
    >>> error_shares(torch.tensor([[9, 1, 0], [2, 2, 1], [0, 0, 3]]))
    {'missed': 25.0, 'confused': 16.66..., 'spilled': 10.0}
    """
    counts = _square(confusion, "error_shares").double()
    background, foreground, found = counts[0], counts[1:], counts[1:, 1:]
    missed = foreground[:, 0].sum() / foreground.sum()
    confused = 1 - found.trace() / found.sum()
    spilled = background[1:].sum() / background.sum()
    shares = {"missed": missed, "confused": confused, "spilled": spilled}
    return {name: 100 * share.item() for name, share in shares.items()}


def _square(confusion: Tensor, caller: str) -> Tensor:
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1]:
        raise InputError(f"{caller}: the confusion matrix is {tuple(confusion.shape)}, not (L, L)")
    return confusion


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
