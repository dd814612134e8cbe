"""The training losses: multi-class sigmoid (Eq. 1) and weighted selective training (Sec. 4.5)."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsss.errors import InputError
from wsss.losses.votes import count_votes, predict, transformed, voted_cross_entropy

Unknown = Literal["counted", "left_out"]
Reduction = Literal["mean", "sum", "none"]


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
    agrees = seeds == logits.argmax(1, keepdim=True)  # Eq. 7
    weights = torch.softmax(sharpness * agrees.to(logits.dtype), dim=1)  # Eq. 6
    losses = -log_p.gather(1, seeds.where(known, 0).long())  # of each seed, (N, K, ...)
    return (weights * losses * known).sum() / known.any(1).sum().clamp(min=1)  # Eq. 5


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
    _check(logits, seeds, sharpness, unknown)
    ignored = seeds == ignore_index
    agrees = seeds == predict(logits)  # (N, K, ...), Eq. 7
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
    reduction: Reduction = "mean",
    class_weights: Tensor | None = None,
    priors: Tensor | None = None,
    check: bool | None = None,
) -> Tensor:
    """Cross-entropy against many seeds at once, each weighed by the network's own prediction.

    What `reference_loss` computes seed by seed is computed here label by label (see
    `wsss.losses.votes`): twelve seeds cost little more than one. It works under `torch.compile`,
    `torch.export`, the transforms of `torch.func` and a second backward pass.

    Parameters
    ----------
    logits : (N, L, ...) float
        Scores before the softmax, L = C + 1, at the resolution of the feature (Sec. 4.5).
    seeds : (N, K, ...) integer
        K pseudo-masks an image, values in [0, L - 1] or `ignore_index`.
    sharpness : float
        s of Eq. 6, not negative; the paper uses 1. Zero is the plain loss of Eq. 4.
    unknown : {"counted", "left_out"}
        What a seed that does not know a pixel does to the others; see `seed_weights`.
    ignore_index : int
        Marks a pixel that a seed says nothing about.
    reduction : {"mean", "sum", "none"}
        The sum over pixels divided by the number of pixels that at least one seed labels, as in the
        authors' other code; the sum; or each pixel's loss.
    class_weights : (L,) float, optional
        Factor of each label's term, not in the paper; "mean" then divides by the factors' sum, as
        `torch.nn.functional.cross_entropy` does.
    priors : (K,) or (N, K) float, optional
        Positive factor of each seed before the softmax of Eq. 6, not in the paper: a seed of prior
        2 counts as two.
    check : bool, optional
        Look for labels out of range. It waits for a GPU, which finds them itself, in other words;
        so by default only on a CPU and outside of compiled or mapped code.

    Returns
    -------
    () or (N, ...) float
        In nats, float32 at least; 0 with zero gradient where no pixel is labelled.

    Raises
    ------
    InputError
        If shapes or types do not fit, an argument is out of range, or a seed holds a label beyond
        L - 1.

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
    if reduction not in get_args(Reduction):
        raise InputError(f"reduction is {reduction!r}; choose 'mean', 'sum' or 'none'")
    losses, counted = _losses(
        logits, seeds, sharpness, unknown, ignore_index, class_weights, priors, check
    )
    if reduction == "none":
        return losses.squeeze(1)
    total = losses.sum()
    return total / _nonzero(counted.sum()) if reduction == "mean" else total


def weighted_selective_sum(
    logits: Tensor,
    seeds: Tensor,
    *,
    sharpness: float = 1.0,
    unknown: Unknown = "counted",
    ignore_index: int = 255,
    class_weights: Tensor | None = None,
    priors: Tensor | None = None,
    check: bool | None = None,
) -> tuple[Tensor, Tensor]:
    """Numerator and denominator of `weighted_selective_loss`, whose arguments it takes.

    Kept apart so that a batch split over devices, or into parts, can be divided by the number of
    labelled pixels of the *whole* batch. Under DistributedDataParallel, which averages gradients
    over its processes, this makes the gradient that of the whole batch::

        total, labelled = weighted_selective_sum(logits, seeds)
        torch.distributed.all_reduce(labelled)
        loss = total * torch.distributed.get_world_size() / labelled.clamp(min=1)

    Returns
    -------
    total : () float
        The summed loss in nats.
    labelled : () int64, or float with class weights
        How many pixels at least one seed labels; with class weights the sum of their factors.

    Examples
    --------
    >>> total, labelled = weighted_selective_sum(
    ...     torch.zeros(1, 2, 1, 3), torch.tensor([[[[0, 1, 255]]]]))
    >>> round(total.item(), 4), labelled.item()
    (1.3863, 2)
    """
    losses, counted = _losses(
        logits, seeds, sharpness, unknown, ignore_index, class_weights, priors, check
    )
    return losses.sum(), counted.sum()


class WeightedSelectiveLoss(nn.Module):
    """`weighted_selective_loss` as a module; takes its keyword arguments.

    Examples
    --------
    >>> criterion = WeightedSelectiveLoss(sharpness=0.0)
    >>> criterion(torch.zeros(1, 2, 1, 3), torch.tensor([[[[0, 1, 255]]]]))
    tensor(0.6931)
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.settings = settings

    def forward(self, logits: Tensor, seeds: Tensor) -> Tensor:
        """Return the loss of logits (N, L, ...) against seeds (N, K, ...)."""
        return weighted_selective_loss(logits, seeds, **self.settings)


def _losses(
    logits: Tensor,
    seeds: Tensor,
    sharpness: float,
    unknown: Unknown,
    ignore_index: int,
    class_weights: Tensor | None,
    priors: Tensor | None,
    check: bool | None,
) -> tuple[Tensor, Tensor]:
    """Loss of each pixel and what it counts in a mean, both (N, 1, ...)."""
    _check(logits, seeds, sharpness, unknown)
    if priors is not None:
        priors = priors.expand(seeds.shape[:2])
    check = _readable(seeds) if check is None else check
    votes = count_votes(
        seeds, logits.shape[1], ignore_index=ignore_index, priors=priors, check=check
    )
    voters: int | Tensor | None = seeds.shape[1]
    if unknown == "left_out":
        voters = None
    elif priors is not None:
        voters = priors.sum(1).view(-1, *[1] * (seeds.ndim - 1))
    return voted_cross_entropy(logits, votes, voters, sharpness, class_weights)


def _nonzero(count: Tensor) -> Tensor:
    """Where nothing is labelled, zero is divided by one."""
    return count.clamp(min=1) if count.dtype == torch.int64 else count + (count == 0)


def _readable(seeds: Tensor) -> bool:
    """Whether labels can be looked at without waiting for a GPU, or for values still to come."""
    return not transformed(seeds) and seeds.device.type == "cpu"


def _check(logits: Tensor, seeds: Tensor, sharpness: float, unknown: Unknown) -> None:
    fits = (
        logits.ndim == seeds.ndim >= 2
        and len(logits) == len(seeds)
        and logits.shape[2:] == seeds.shape[2:]
        and seeds.shape[1] > 0
    )
    if not fits:
        raise InputError(
            f"logits {tuple(logits.shape)} and seeds {tuple(seeds.shape)} do not fit; "
            "they are (N, L, ...) and (N, K, ...) with the same N and pixels, and K at least 1"
        )
    if seeds.is_floating_point() or seeds.is_complex() or seeds.dtype == torch.bool:
        raise InputError(f"seeds are {seeds.dtype}; they hold integer labels")
    if not 0 <= sharpness < math.inf:
        raise InputError(f"sharpness is {sharpness}; s of Eq. 6 is finite and not negative")
    if unknown not in get_args(Unknown):
        raise InputError(
            f"unknown is '{unknown}'; seeds that do not know a pixel are 'counted' or 'left_out'"
        )
