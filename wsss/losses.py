"""The training losses: multi-class sigmoid (Eq. 1) and weighted selective training (Sec. 4.5)."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from wsss.errors import InputError

Unknown = Literal["counted", "left_out"]


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
        If the two shapes differ.

    Examples
    --------
    >>> classification_loss(torch.zeros(2, 3), torch.ones(2, 3, dtype=torch.bool))
    tensor(2.0794)

    References
    ----------
    Fan et al., Sec. 4.1, Eq. 1.
    """
    if logits.shape != present.shape:
        raise InputError(
            f"classification_loss: logits {tuple(logits.shape)} and image-level labels "
            f"{tuple(present.shape)} differ in shape; both are (N, C)"
        )
    loss = F.binary_cross_entropy_with_logits(logits, present.to(logits.dtype), reduction="sum")
    return loss / len(logits)


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
    logits : (N, L, H, W) float
        Scores before the softmax, L = C + 1, label 0 is background. Only their argmax is used, so
        no gradient flows.
    seeds : (N, K, H, W) integer
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
    (N, K, H, W) float
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
    _check(logits, seeds, sharpness, unknown)
    ignored = seeds == ignore_index
    agrees = seeds == _predicted(logits)  # (N, K, H, W), Eq. 7
    scores = sharpness * agrees.to(logits.dtype)
    if unknown == "left_out":
        scores = scores.masked_fill(ignored, -math.inf)
    weights = torch.softmax(scores, dim=1)  # Eq. 6; NaN where all are left out, until the next line
    return weights.masked_fill(ignored, 0.0)


def weighted_selective_loss(
    logits: Tensor,
    seeds: Tensor,
    *,
    sharpness: float = 1.0,
    unknown: Unknown = "counted",
    ignore_index: int = 255,
) -> Tensor:
    """Cross-entropy against many seeds at once, each weighed by the network's own prediction.

    Eq. 5 needs no loop over the seeds. At one pixel all seeds that name the same label share one
    weight, so K seeds are *votes* (how many name each label), and the loss is one cross-entropy
    against these votes: with ŷ the predicted label and e = exp(sharpness),

        w_c = votes_c (e if c = ŷ else 1) / (K + (e - 1) votes_ŷ),    loss = -Σ_c w_c log p_c,

    where K counts all seeds or, if the unknown are left out, those that know the pixel.

    The printed equations lack the minus sign. The sum is divided by the number of pixels that at
    least one seed labels, as in the authors' other code, rather than by H W: with a single seed
    this is exactly the usual cross-entropy with `ignore_index`.

    Parameters
    ----------
    logits : (N, L, H, W) float
        Scores before the softmax, L = C + 1, at the resolution of the feature (Sec. 4.5).
    seeds : (N, K, H, W) integer
        K pseudo-masks an image, values in [0, L - 1] or `ignore_index`.
    sharpness : float
        s of Eq. 6, not negative; the paper uses 1. Zero is the plain loss of Eq. 4.
    unknown : {"counted", "left_out"}
        What a seed that does not know a pixel does to the others; see `seed_weights`.
    ignore_index : int
        Marks a pixel that a seed says nothing about.

    Returns
    -------
    () float
        The loss in nats per labelled pixel; 0 with zero gradient where no pixel is labelled.

    Raises
    ------
    InputError
        If `sharpness` is negative, `unknown` is neither word, the shapes do not fit, or a seed
        holds a label beyond L - 1.

    Examples
    --------
    One seed is plain cross-entropy, whatever the sharpness:

    >>> logits = torch.tensor([[[[0., 0., 0.]], [[-2., 2., 2.]]]])
    >>> seed = torch.tensor([[[[0, 1, 255]]]])
    >>> weighted_selective_loss(logits, seed, sharpness=3.0)
    tensor(0.1269)
    >>> F.cross_entropy(logits, seed[:, 0], ignore_index=255)
    tensor(0.1269)

    References
    ----------
    Fan et al., Sec. 4.5, Eq. 4-7.
    """
    total, labelled = weighted_selective_sum(
        logits, seeds, sharpness=sharpness, unknown=unknown, ignore_index=ignore_index
    )
    return total / labelled.clamp(min=1)


def weighted_selective_sum(
    logits: Tensor,
    seeds: Tensor,
    *,
    sharpness: float,
    unknown: Unknown = "counted",
    ignore_index: int = 255,
) -> tuple[Tensor, Tensor]:
    """Numerator and denominator of `weighted_selective_loss`.

    Kept apart so that a batch split over devices, or into parts, can be divided by the number of
    labelled pixels of the *whole* batch.

    Returns
    -------
    total : () float
        The summed loss in nats.
    labelled : () int64
        How many pixels at least one seed labels.

    Examples
    --------
    >>> total, labelled = weighted_selective_sum(
    ...     torch.zeros(1, 2, 1, 3), torch.tensor([[[[0, 1, 255]]]]), sharpness=1.0)
    >>> round(total.item(), 4), labelled.item()
    (1.3863, 2)
    """
    _check(logits, seeds, sharpness, unknown)
    dtype = torch.promote_types(logits.dtype, torch.float32)
    votes = count_votes(seeds, logits.shape[1], ignore_index=ignore_index)  # (N, L, H, W)
    predicted = _predicted(logits.detach())  # (N, 1, H, W), as are the following
    agreeing = votes.gather(1, predicted).to(dtype)
    knowing = votes.sum(1, keepdim=True, dtype=votes.dtype).to(dtype)
    voters = seeds.shape[1] if unknown == "counted" else knowing.clamp(min=1)
    # Both sides of the fraction times exp(-sharpness), which cannot overflow.
    others = torch.where(agreeing > 0, math.exp(-sharpness), torch.ones_like(agreeing))
    norm = agreeing + (voters - agreeing) * others
    vote, bonus = others / norm, agreeing * (1 - others) / norm
    weight = knowing * vote + bonus  # Σ_c w_c
    total = _VotedCrossEntropy.apply(logits, votes, predicted, vote, bonus, weight)
    return total, knowing.count_nonzero()


class _VotedCrossEntropy(torch.autograd.Function):
    """``-Σ w log p`` where w = votes * vote, plus the bonus for the predicted label.

    The gradient is p Σ_c w_c - w. Of the size of the logits, nothing is kept between the passes but
    the votes, a byte each, and one buffer lives within each pass: votes are turned into floats for
    one label at a time.
    """

    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        votes: Tensor,
        predicted: Tensor,
        vote: Tensor,
        bonus: Tensor,
        weight: Tensor,
    ) -> Tensor:
        ctx.save_for_backward(logits, votes, predicted, vote, bonus, weight)
        log_p = torch.log_softmax(logits, 1, dtype=vote.dtype)
        total = bonus * log_p.gather(1, predicted)
        voted = torch.zeros_like(vote)
        for each, count in zip(log_p.split(1, dim=1), votes.split(1, dim=1), strict=True):
            voted.addcmul_(each, count)
        return -(total + vote * voted).sum()

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] (the decorator hides names)
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor | None, ...]:
        logits, votes, predicted, *parts = ctx.saved_tensors
        vote, bonus, weight = (part * grad_outputs[0] for part in parts)
        gradient = torch.softmax(logits, 1, dtype=vote.dtype).mul_(weight)
        for each, count in zip(gradient.split(1, dim=1), votes.split(1, dim=1), strict=True):
            each.addcmul_(count, vote, value=-1)
        gradient.scatter_add_(1, predicted, -bonus)
        return gradient.to(logits.dtype), *[None] * 5


def count_votes(seeds: Tensor, num_labels: int, *, ignore_index: int = 255) -> Tensor:
    """How many of the K seeds name each label: one-hot maps, summed over the seeds.

    Parameters
    ----------
    seeds : (N, K, H, W) integer
        K pseudo-masks an image, values in [0, num_labels - 1] or `ignore_index`.
    num_labels : int
        L = C + 1.
    ignore_index : int
        Label that counts for nothing.

    Returns
    -------
    (N, L, H, W) uint8, or int32 for more than 255 seeds
        From 0 to K.

    Raises
    ------
    InputError
        If a seed holds any other value.

    Examples
    --------
    >>> count_votes(torch.tensor([[[[0, 1]], [[1, 255]], [[1, 1]]]]), 2)
    tensor([[[[1, 0]],
    <BLANKLINE>
             [[2, 2]]]], dtype=torch.uint8)
    """
    n, k, h, w = seeds.shape
    dtype = torch.uint8 if k < 256 else torch.int32
    known = (seeds != ignore_index).to(dtype)
    labels = seeds * known  # an unknown pixel votes for label 0, zero times
    low, high = torch.stack(labels.aminmax()).tolist() if labels.numel() else (0, 0)
    if low < 0 or high >= num_labels:
        raise InputError(
            f"seeds hold the label {low if low < 0 else high}; "
            f"with {num_labels} logits they may hold 0 to {num_labels - 1} and {ignore_index}"
        )
    votes = torch.zeros(n, num_labels, h, w, dtype=dtype, device=seeds.device)
    # One by one: the int64 indices of all seeds would be larger than everything else.
    for label, knows in zip(labels.split(1, dim=1), known.split(1, dim=1), strict=True):
        votes.scatter_add_(1, label.long(), knows)
    return votes


def _predicted(logits: Tensor) -> Tensor:
    """``logits.argmax(1, keepdim=True)``, the first of equals, at a tenth of its time on a CPU."""
    n_labels = logits.shape[1]
    ranks = torch.arange(n_labels, 0, -1, device=logits.device)
    ranks = ranks.to(torch.uint8 if n_labels < 256 else torch.int32).view(-1, 1, 1)
    highest = logits == logits.amax(1, keepdim=True)  # nowhere if one is NaN, hence the clamp
    return n_labels - (highest * ranks).amax(1, keepdim=True).clamp_(min=1).long()


def _check(logits: Tensor, seeds: Tensor, sharpness: float, unknown: Unknown) -> None:
    fits = (
        logits.ndim == seeds.ndim == 4
        and len(logits) == len(seeds)
        and logits.shape[2:] == seeds.shape[2:]
        and seeds.shape[1] > 0
    )
    if not fits:
        raise InputError(
            f"logits {tuple(logits.shape)} and seeds {tuple(seeds.shape)} do not fit; "
            "they are (N, L, H, W) and (N, K, H, W) with the same N, H, W and K at least 1"
        )
    if not 0 <= sharpness < math.inf:
        raise InputError(f"sharpness is {sharpness}; s of Eq. 6 is finite and not negative")
    if unknown not in get_args(Unknown):
        raise InputError(
            f"unknown is '{unknown}'; seeds that do not know a pixel are 'counted' or 'left_out'"
        )
