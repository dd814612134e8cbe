"""Weighted selective training (Sec. 4.5) as it trains: Eq. 5 to 7 label by label, any reduction."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from wsss.errors import InputError, require_word
from wsss.losses.equations import Unknown, require_fit
from wsss.losses.votes import count_votes, transformed, voted_cross_entropy

Reduction = Literal["mean", "sum", "none"]


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
    `torch.export`, `vmap`, the reverse-mode transforms of `torch.func` (`grad`, `vjp`, `jacrev`)
    and a second backward pass.

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
    >>> torch.nn.functional.cross_entropy(logits, seed[:, 0], ignore_index=255)
    tensor(0.1269)

    References
    ----------
    Fan et al., Sec. 4.5, Eq. 4-7.
    """
    require_word("reduction", reduction, Reduction)
    losses, counted = _losses(
        logits, seeds, sharpness, unknown, ignore_index, class_weights, priors, check
    )
    if reduction == "none":
        return losses.squeeze(1)
    if reduction == "sum":
        return losses.sum()
    labelled = counted.sum()
    return losses.sum() / (labelled + (labelled == 0))  # where nothing is, zero by one


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
        loss = total * torch.distributed.get_world_size() / (labelled + (labelled == 0))

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

    Tensors among them are buffers, as in torch's own losses: they go where the module goes.

    Examples
    --------
    >>> criterion = WeightedSelectiveLoss(sharpness=0.0)
    >>> criterion(torch.zeros(1, 2, 1, 3), torch.tensor([[[[0, 1, 255]]]]))
    tensor(0.6931)
    """

    class_weights: Tensor | None
    priors: Tensor | None

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.settings = settings
        for name in ("class_weights", "priors"):
            self.register_buffer(name, settings.pop(name, None))

    def forward(self, logits: Tensor, seeds: Tensor) -> Tensor:
        """Return the loss of logits (N, L, ...) against seeds (N, K, ...)."""
        return weighted_selective_loss(
            logits, seeds, class_weights=self.class_weights, priors=self.priors, **self.settings
        )


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
    require_fit(logits, seeds, sharpness, unknown)
    _require_factors("class_weights", class_weights, logits.shape[1:2])
    _require_factors("priors", priors, seeds.shape[1:2], seeds.shape[:2])
    if check is None:  # not where it would wait for a GPU, or for values still to come
        check = seeds.device.type == "cpu" and not transformed(seeds)
    if priors is not None:
        if check and not transformed(priors) and not ((priors > 0) & priors.isfinite()).all():
            low, high = torch.stack(priors.aminmax()).tolist()
            raise InputError(f"priors are {low:g} to {high:g}; they are positive and finite")
        priors = priors.expand(seeds.shape[:2])
    votes = count_votes(
        seeds, logits.shape[1], ignore_index=ignore_index, priors=priors, check=check
    )
    voters: int | Tensor | None = seeds.shape[1]
    if unknown == "left_out":
        voters = None
    elif priors is not None:
        voters = priors.sum(1, dtype=torch.float32).view(-1, *[1] * (seeds.ndim - 1))
    return voted_cross_entropy(logits, votes, voters, sharpness, class_weights)


def _require_factors(name: str, factors: Tensor | None, *shapes: torch.Size) -> None:
    """Refuse factors of another shape, and such as would learn: no gradient reaches them."""
    if factors is None:
        return
    if factors.shape not in shapes:
        fitting = " or ".join(str(tuple(shape)) for shape in shapes)
        raise InputError(f"{name} {tuple(factors.shape)} do not fit; give {fitting}")
    if factors.requires_grad:
        raise InputError(f"{name} ask for a gradient and get none here; detach them")
