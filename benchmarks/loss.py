"""The weighted selective loss, forward and backward: K calls of cross_entropy against ours (Eq. 5).

python benchmarks/loss.py
"""

from __future__ import annotations

from ratio import Row, Work, compare, compare_memory, write  # isort: skip

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss.losses import seed_weights, weighted_selective_loss

IMAGES, LABELS, SIDE, UNKNOWN = 16, 21, 41, 255
Loss = Callable[[Tensor, Tensor], Tensor]


def usual(logits: Tensor, seeds: Tensor) -> Tensor:
    """Eq. 5 to 7 as anyone would write them."""
    agrees = seeds == logits.argmax(1, keepdim=True)
    weights = torch.softmax(agrees.to(logits.dtype), 1).masked_fill(seeds == UNKNOWN, 0)
    return _k_calls(logits, seeds, weights)


def with_our_weights(logits: Tensor, seeds: Tensor) -> Tensor:
    """Eq. 5 as anyone would write it, its weights from this package: what the loss alone gains."""
    return _k_calls(logits, seeds, seed_weights(logits, seeds))


def _k_calls(logits: Tensor, seeds: Tensor, weights: Tensor) -> Tensor:
    total = logits.new_zeros(())
    for k in range(seeds.shape[1]):
        seed = seeds[:, k].long()
        loss = F.cross_entropy(logits, seed, ignore_index=UNKNOWN, reduction="none")
        total = total + (weights[:, k] * loss).sum()
    return total / (seeds != UNKNOWN).any(1).sum()


def batch(images: int, labels: int, seeds: int) -> tuple[Tensor, Tensor]:
    """Logits and seeds in bytes, as the input pipeline gives them, a fifth of them unknown."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(images, labels, SIDE, SIDE, generator=generator)
    shape = (images, seeds, SIDE, SIDE)
    maps = torch.randint(0, labels, shape, generator=generator, dtype=torch.uint8)
    maps[torch.rand(shape, generator=generator) < 0.2] = UNKNOWN
    return logits.requires_grad_(), maps


def step(loss: Loss, logits: Tensor, seeds: Tensor) -> Callable[[], Tensor]:
    """Forward and backward; the gradient is returned."""
    return lambda: torch.autograd.grad(loss(logits, seeds), logits)[0]


def least(images: int, labels: int, seeds: int) -> Work:
    """Logits are read twice, the gradient is written, seeds are read: floats and bytes."""
    pixels = images * SIDE * SIDE
    return Work(bytes=pixels * (3 * 4 * labels + seeds))


def growth(case: str, grows: str, sizes: list[tuple[int, int, int]]) -> list[Row]:
    """Time of both for each (images, labels, seeds), by what grows."""
    place = ("images", "labels", "seeds").index(grows)
    rows = []
    for size in sizes:
        inputs = batch(*size)
        ours, theirs = step(weighted_selective_loss, *inputs), step(usual, *inputs)
        torch.testing.assert_close(ours(), theirs(), rtol=1e-4, atol=1e-8)
        rows.append(
            compare(case, ours=ours, usual=theirs, work=least(*size), grows=grows, at=size[place])
        )
    return rows


def main() -> None:
    """Run the benchmark."""
    size = IMAGES, LABELS, 12
    inputs = batch(*size)
    ours, theirs = step(weighted_selective_loss, *inputs), step(usual, *inputs)
    case = f"{IMAGES} × {LABELS} × {SIDE} × {SIDE}"
    gradient = inputs[0].nbytes / 1e6
    rows = [
        compare(f"{case}, K = 12", ours=ours, usual=theirs, rounds=21, work=least(*size)),
        compare(
            f"{case}, K = 12, the usual way with our seed_weights",
            ours=ours,
            usual=step(with_our_weights, *inputs),
            rounds=21,
            work=least(*size),
        ),
        compare_memory(
            f"{case}, K = 12, peak extra memory", ours=ours, usual=theirs, limit=gradient
        ),
        *growth(f"{case}, by seeds", "seeds", [(IMAGES, LABELS, k) for k in (1, 3, 6, 12)]),
        *growth("K = 12, by labels", "labels", [(IMAGES, n, 12) for n in (3, 7, 21, 61)]),
        *growth("K = 12, by images", "images", [(n, LABELS, 12) for n in (4, 8, 16, 32)]),
    ]
    write(
        "loss",
        rows,
        ours="weighted_selective_loss",
        usual="K calls of cross_entropy, weighed by Eq. 6 and 7",
    )


if __name__ == "__main__":
    main()
