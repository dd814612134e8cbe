"""Confusion matrix of a validation set: torchmetrics against ours (Sec. 5.1).

python benchmarks/metrics.py
"""

from __future__ import annotations

from ratio import Work, compare, write  # isort: skip

import numpy as np
import torch
from torchmetrics.classification import MulticlassConfusionMatrix

from wsss.metrics import confusion_matrix

IMAGES, HEIGHT, WIDTH, LABELS, UNKNOWN = 1449, 375, 500, 21, 255


def masks(rng: np.random.Generator, count: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Predictions and truths in uint8, as PNG files give them, in blobs of two classes an image."""
    pairs = []
    for _ in range(count):
        coarse = rng.integers(0, 3, (2, 15, 20))
        names = np.array([0, *rng.choice(np.arange(1, LABELS), 2, replace=False)], np.uint8)
        pred, target = names[coarse].repeat(25, 1).repeat(25, 2)
        target[:, ::50] = UNKNOWN  # borders of objects, two in a hundred pixels
        pairs.append((torch.from_numpy(pred), torch.from_numpy(target)))
    return pairs


def ours(pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    """Sum of the matrices of all images."""
    total = torch.zeros(LABELS, LABELS, dtype=torch.long)
    for pred, target in pairs:
        total += confusion_matrix(pred, target, LABELS)
    return total


def usual(pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    """Update a metric with every image."""
    metric = MulticlassConfusionMatrix(LABELS, ignore_index=UNKNOWN)
    for pred, target in pairs:
        metric.update(pred, target)
    return metric.compute()


def main() -> None:
    """Run the benchmark."""
    pairs = masks(np.random.default_rng(0), IMAGES)
    assert torch.equal(ours(pairs[:20]), usual(pairs[:20]))
    row = compare(
        f"{IMAGES} masks of {WIDTH} × {HEIGHT}, {LABELS} labels",
        ours=lambda: ours(pairs),
        usual=lambda: usual(pairs),
        rounds=3,
        work=Work(bytes=2 * IMAGES * HEIGHT * WIDTH),
    )
    write("metrics", [row], ours="confusion_matrix an image", usual="torchmetrics, update an image")


if __name__ == "__main__":
    main()
