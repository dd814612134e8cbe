"""Confusion matrix and intersection over union, over the whole data set (Sec. 5.1)."""

from __future__ import annotations

import torch
from torch import Tensor

from wsss.errors import InputError


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
    pred : (*shape) integer
        Predicted labels in [0, num_classes - 1].
    target : (*shape) integer
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
        If the shapes differ or a label is out of range.

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
