"""The training losses as equations: multi-class sigmoid (Eq. 1), weighted selection (Eq. 5-7)."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss.errors import InputError, require_word
from wsss.losses.votes import predict

LABELS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
"""What torch can compute labels in; it has other integers, without arithmetic."""
Unknown = Literal["counted", "left_out"]


def reference_loss(
    logits: Tensor, seeds: Tensor, sharpness: float = 1.0, ignore_index: int = 255
) -> Tensor:
    """Weighted selective training as the paper writes it: Eq. 5 to 7, line by line.

    `weighted_selective_loss` is the same, faster and in less memory; the printed equations lack the
    minus sign, and divide by the number of pixels where this divides by that of labelled ones.

    Parameters
    ----------
    logits : (N, L, ...) float
        Scores before the softmax, label 0 is background.
    seeds : (N, K, ...) integer
        K pseudo-masks an image.
    sharpness : float
        s of Eq. 6.
    ignore_index : int
        Marks a pixel that a seed says nothing about.

    Examples
    --------
    >>> from wsss.losses import weighted_selective_loss
    >>> logits = torch.tensor([[[0., 0., 0.], [-2., 2., 2.]]])  # (1, 2, 3): predicts 0 1 1
    >>> seeds = torch.tensor([[[0, 1, 255], [1, 1, 1]]])        # (1, 2, 3): two seeds
    >>> reference_loss(logits, seeds), weighted_selective_loss(logits, seeds)
    (tensor(0.2948), tensor(0.2948))

    References
    ----------
    Fan et al., Sec. 4.5, Eq. 5-7.
    """
    known = seeds != ignore_index
    log_p = torch.log_softmax(logits, dim=1)
    agrees = known & (seeds == logits.argmax(1, keepdim=True))  # Eq. 7
    weights = torch.softmax(sharpness * agrees.to(logits.dtype), dim=1)  # Eq. 6
    losses = -log_p.gather(1, seeds.where(known, 0).long())  # of each seed
    return (weights * losses * known).sum() / known.any(1).sum().clamp(min=1)


def classification_loss(logits: Tensor, present: Tensor) -> Tensor:
    """Multi-class sigmoid loss: summed over classes, averaged over images (Eq. 1).

    The paper prints the minus sign before the first term only; both terms carry it here.
    `torch.nn.functional.multilabel_soft_margin_loss` is the same divided by C, which with the
    learning rate of Sec. 5.2 would train twenty times slower.

    Parameters
    ----------
    logits : (N, C) float
        Class scores p before the sigmoid, pooled over the image.
    present : (N, C) bool
        Image-level labels y, background not included.

    Returns
    -------
    () float
        The loss in nats per image.

    Raises
    ------
    InputError
        If the two are not of one shape (N, C).

    Examples
    --------
    >>> classification_loss(torch.zeros(2, 3), torch.ones(2, 3, dtype=torch.bool))
    tensor(2.0794)

    References
    ----------
    Fan et al., Sec. 4.1, Eq. 1.
    """
    if logits.shape != present.shape or logits.ndim != 2:
        raise InputError(
            f"classification_loss: logits {tuple(logits.shape)} and image-level labels "
            f"{tuple(present.shape)} do not fit; both are (N, C)"
        )
    loss = F.binary_cross_entropy_with_logits(logits, present.to(logits.dtype), reduction="sum")
    return loss / logits.shape[0]


def seed_weights(
    logits: Tensor,
    seeds: Tensor,
    *,
    sharpness: float = 1.0,
    unknown: Unknown = "counted",
    ignore_index: int = 255,
) -> Tensor:
    """Weight of every seed at every pixel, judged by the network itself (Eq. 6-7).

    A seed that agrees with the prediction weighs exp(sharpness) times one that does not.

    Parameters
    ----------
    logits : (N, L, ...) float
        Scores before the softmax, L = C + 1, label 0 is background. Only their argmax is used, so
        no gradient flows.
    seeds : (N, K, ...) integer
        K pseudo-masks an image, values in [0, L - 1] or `ignore_index`.
    sharpness : float
        s of Eq. 6, not negative. Zero gives every seed the weight 1 / K, hence Eq. 4.
    unknown : {"counted", "left_out"}
        What a seed that does not know a pixel does to the others; it weighs nothing itself. Not in
        the paper, of which no code is public. ``"counted"``: it stays in the softmax as a seed that
        does not agree; only this makes ``sharpness=0`` equal Eq. 4, whose 1 / N_k counts every
        seed, and the paper has unknown pixels of one seed make fewer conflicts, not heavier votes.
        ``"left_out"``: the softmax runs over the seeds that do know the pixel, so that the weights
        sum to one as Sec. 4.5 says of them.
    ignore_index : int
        Marks a pixel that a seed says nothing about.

    Returns
    -------
    (N, K, ...) float
        Weights in [0, 1], summing to one over K where no seed is unknown. Elsewhere to less if
        unknown seeds are counted, to one or (where all are unknown) zero if they are left out.

    Raises
    ------
    InputError
        If `sharpness` is negative, `unknown` is neither word or the shapes do not fit (both are
        quoted).

    Examples
    --------
    >>> logits = torch.tensor([[[[0., 0., 0.]], [[-2., 2., 2.]]]])  # (1, 2, 1, 3): predicts 0 1 1
    >>> seeds = torch.tensor([[[[0, 1, 255]], [[1, 1, 1]]]])        # (1, 2, 1, 3)
    >>> seed_weights(logits, seeds).squeeze()
    tensor([[0.7311, 0.5000, 0.0000],
            [0.2689, 0.5000, 0.7311]])
    >>> seed_weights(logits, seeds, unknown="left_out").squeeze()
    tensor([[0.7311, 0.5000, 0.0000],
            [0.2689, 0.5000, 1.0000]])

    References
    ----------
    Fan et al., Sec. 4.5, Eq. 6-7.
    """
    require_fit(logits, seeds, sharpness, unknown)
    ignored = seeds == ignore_index
    agrees = ~ignored & (seeds == predict(logits))  # (N, K, ...), Eq. 7
    scores = sharpness * agrees.to(logits.dtype)
    if unknown == "left_out":
        scores = scores.masked_fill(ignored, -math.inf)
    weights = torch.softmax(scores, dim=1)  # Eq. 6; NaN where all are left out, until the next line
    return weights.masked_fill(ignored, 0.0)


def require_fit(logits: Tensor, seeds: Tensor, sharpness: float, unknown: Unknown) -> None:
    """Refuse logits, seeds and settings that do not fit, and quote them."""
    fits = (
        logits.ndim == seeds.ndim >= 2
        and logits.shape[0] == seeds.shape[0]
        and logits.shape[2:] == seeds.shape[2:]
        and seeds.shape[1] > 0
    )
    if not fits:
        raise InputError(
            f"logits {tuple(logits.shape)} and seeds {tuple(seeds.shape)} do not fit; "
            "they are (N, L, ...) and (N, K, ...) with the same N and pixels, and K at least 1"
        )
    if seeds.dtype not in LABELS:
        raise InputError(f"seeds are {seeds.dtype}; give integer labels, as uint8 or int64, say")
    if not 0 <= sharpness < math.inf:
        raise InputError(f"sharpness is {sharpness}; s of Eq. 6 is finite and not negative")
    require_word("unknown", unknown, Unknown)
