"""The fast form of Eq. 5: seeds as votes, and one cross-entropy against all of them (Sec. 4.5).

At one pixel all seeds that name the same label share one weight, so K seeds are *votes*, how many
name each label, and no loop over seeds is needed: with y the predicted label and e = exp(s),

    w_c = votes_c (e if c = y else 1) / (K + (e - 1) votes_y),    loss = -sum_c w_c log p_c,

where K counts all seeds or, if the unknown are left out, those that know the pixel.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from wsss.errors import InputError


def count_votes(
    seeds: Tensor,
    num_labels: int,
    *,
    ignore_index: int = 255,
    priors: Tensor | None = None,
    check: bool = True,
) -> Tensor:
    """How many of the K seeds name each label: one-hot maps, summed over the seeds.

    Parameters
    ----------
    seeds : (N, K, ...) integer
        K pseudo-masks an image, values in [0, num_labels - 1] or `ignore_index`.
    num_labels : int
        L = C + 1.
    ignore_index : int
        Label that counts for nothing.
    priors : (N, K) float, optional
        How many votes each seed has, instead of one.
    check : bool
        Look for labels that are none, which waits for a GPU.

    Returns
    -------
    (N, L, ...) uint8, int32 for more than 255 seeds, or float with priors
        From 0 to K.

    Raises
    ------
    InputError
        If a seed holds any other value.

    Examples
    --------
    >>> count_votes(torch.tensor([[[0, 1], [1, 255], [1, 1]]]), 2)
    tensor([[[1, 0],
             [2, 2]]], dtype=torch.uint8)
    """
    n, k, *space = seeds.shape
    known = (seeds != ignore_index).to(torch.uint8 if k < 256 else torch.int32)
    labels = seeds * known  # an unknown pixel votes for label 0, zero times
    if check:
        low, high = torch.stack(labels.aminmax()).tolist() if labels.numel() else (0, 0)
        if low < 0 or high >= num_labels:
            raise InputError(
                f"seeds hold the label {low if low < 0 else high}; "
                f"with {num_labels} logits they may hold 0 to {num_labels - 1} and {ignore_index}"
            )
    if priors is not None:
        known = known * priors.to(torch.float32).view(n, k, *[1] * len(space))
    votes = known.new_zeros(n, num_labels, *space)
    # One by one: the int64 indices of all seeds would be larger than everything else.
    for label, knows in zip(labels.split(1, dim=1), known.split(1, dim=1), strict=True):
        votes.scatter_add_(1, label.long(), knows)
    return votes


def transformed(tensor: Tensor) -> bool:
    """Whether it is compiled or mapped over, so that it has no values to look at yet."""
    if torch.compiler.is_compiling():
        return True
    known = torch._C._functorch  # pyright: ignore
    return known.is_functorch_wrapped_tensor(tensor) or known.is_legacy_batchedtensor(tensor)


def predict(logits: Tensor) -> Tensor:
    """``logits.argmax(1, keepdim=True)``, the first of equals, at a tenth of its time on a CPU."""
    if torch.compiler.is_compiling():  # compiled it takes less than what follows
        return logits.argmax(1, keepdim=True)
    n_labels = logits.shape[1]
    ranks = torch.arange(n_labels, 0, -1, device=logits.device)
    ranks = ranks.to(torch.uint8 if n_labels < 256 else torch.int32)
    ranks = ranks.view(-1, *[1] * (logits.ndim - 2))
    highest = logits == logits.amax(1, keepdim=True)  # nowhere if one is NaN, hence the clamp
    return n_labels - (highest * ranks).amax(1, keepdim=True).clamp(min=1).long()


def voted_cross_entropy(
    logits: Tensor,
    votes: Tensor,
    voters: int | Tensor | None,
    sharpness: float,
    class_weights: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of each pixel against its votes, weighed by the prediction (Eq. 5 to 7).

    Parameters
    ----------
    logits : (N, L, ...) float
        Scores before the softmax.
    votes : (N, L, ...)
        As `count_votes` returns.
    voters : int, (N, 1, ...) or None
        K of the module's formula; None counts those that know the pixel.
    sharpness : float
        s of Eq. 6.
    class_weights : (L,) float, optional
        Factor of each label's term.

    Returns
    -------
    losses : (N, 1, ...) float
        In nats.
    counted : (N, 1, ...) bool or float
        Whether a pixel is labelled at all; with class weights the mean factor of its labels.

    Examples
    --------
    >>> votes = count_votes(torch.tensor([[[0], [1], [1]]]), 2)  # three seeds of one pixel
    >>> losses, counted = voted_cross_entropy(torch.tensor([[[0.0], [1.0]]]), votes, 3, 0.0)
    >>> losses.flatten(), counted.flatten()
    (tensor([0.6466]), tensor([True]))
    """
    dtype = torch.promote_types(logits.dtype, torch.float32)
    predicted = predict(logits.detach())  # (N, 1, ...), as are the following
    agreeing = votes.gather(1, predicted).to(dtype)
    knowing = votes.sum(1, keepdim=True, dtype=votes.dtype).to(dtype)
    if voters is None:
        voters = knowing + (knowing == 0)
    # Both sides of the fraction times exp(-sharpness), which cannot overflow.
    others = torch.where(agreeing > 0, math.exp(-sharpness), torch.ones_like(agreeing))
    norm = agreeing + (voters - agreeing) * others
    vote, bonus = others / norm, agreeing * (1 - others) / norm
    weight = knowing * vote + bonus  # the sum of all w_c
    counted = knowing != 0
    if class_weights is not None:
        factors = class_weights.to(dtype).view(-1, *[1] * (logits.ndim - 2))
        votes = votes * factors
        bonus = bonus * factors.expand_as(votes).gather(1, predicted)
        total, weight = weight, votes.sum(1, keepdim=True) * vote + bonus
        counted = torch.where(counted, weight / total, 0.0)
    return _VotedCrossEntropy.apply(logits, votes, predicted, vote, bonus, weight), counted


class _VotedCrossEntropy(torch.autograd.Function):
    """``-sum w log p`` of each pixel, w = votes * vote, plus the bonus for the predicted label.

    The gradient is p sum_c w_c - w. Of the size of the logits, nothing is kept between the passes
    but the votes, a byte each, and one buffer lives within each pass: votes are turned into floats
    for one label at a time.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(
        logits: Tensor,
        votes: Tensor,
        predicted: Tensor,
        vote: Tensor,
        bonus: Tensor,
        weight: Tensor,
    ) -> Tensor:
        log_p = torch.log_softmax(logits, 1, dtype=vote.dtype)
        # A class that is ruled out by -inf costs what no seed names it: nothing, not 0 * inf.
        lowest = torch.finfo(vote.dtype).min
        mapped = transformed(logits) or transformed(votes)
        log_p = log_p.clamp(min=lowest) if mapped else log_p.clamp_(min=lowest)
        total = bonus * log_p.gather(1, predicted)
        if mapped:
            return -(total + vote * (log_p * votes).sum(1, keepdim=True))
        voted = torch.zeros_like(vote)
        for each, count in zip(log_p.split(1, dim=1), votes.split(1, dim=1), strict=True):
            voted.addcmul_(each, count)
        return -(total + vote * voted)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        logits, votes, predicted, *parts = ctx.saved_tensors
        vote, bonus, weight = (part * grad_outputs[0] for part in parts)
        p = torch.softmax(logits, 1, dtype=vote.dtype)
        mapped = any(map(transformed, (logits, votes, weight)))
        if torch.is_grad_enabled() or mapped:  # say, to differentiate once more
            gradient = (p * weight - votes * vote).scatter_add(1, predicted, -bonus)
            return gradient.to(logits.dtype), *[None] * 5
        gradient = p.mul_(weight)
        for each, count in zip(gradient.split(1, dim=1), votes.split(1, dim=1), strict=True):
            each.addcmul_(count, vote, value=-1)
        gradient.scatter_add_(1, predicted, -bonus)
        return gradient.to(logits.dtype), *[None] * 5
