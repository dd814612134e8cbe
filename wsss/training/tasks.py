"""The two tasks: what a training sample and the loss are for classifier and segmenter (Sec. 4)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from torch import Tensor

from wsss.data.affine import Augmentation, sample_image, sample_labels
from wsss.losses import Unknown, classification_loss, weighted_selective_sum
from wsss.models.network import Network
from wsss.training.loop import Loss


def classifier_sample(
    index: int,
    rng: np.random.Generator,
    *,
    images: Sequence[np.ndarray],
    present: np.ndarray,
    augmentation: Augmentation,
    fill: tuple[float, float, float],
) -> tuple[np.ndarray, np.ndarray]:
    """One augmented image (crop, crop, 3) uint8 and its image-level labels (C,) bool."""
    image = images[index]
    height, width = image.shape[:2]
    affine = augmentation.draw(height, width, rng)
    return sample_image(image, affine, augmentation.crop, fill), present[index]


def segmenter_sample(
    index: int,
    rng: np.random.Generator,
    *,
    images: Sequence[np.ndarray],
    seeds: Sequence[Sequence[np.ndarray]],
    augmentation: Augmentation,
    fill: tuple[float, float, float],
    output_stride: int,
) -> tuple[np.ndarray, np.ndarray]:
    """One augmented image (crop, crop, 3) uint8 and its K seeds (K, h, w) under the features."""
    image = images[index]
    height, width = image.shape[:2]
    affine = augmentation.draw(height, width, rng)
    labels = sample_labels(
        [maps[index] for maps in seeds], affine, augmentation.crop, output_stride
    )
    return sample_image(image, affine, augmentation.crop, fill), labels


def classifier_loss(model: Network, images: Tensor, present: Tensor) -> tuple[Tensor, int]:
    """Eq. 1 on the class maps' spatial mean, summed over the images, and how many these are."""
    logits = model(model.normalisation(images.permute(0, 3, 1, 2)))
    count = len(images)
    return classification_loss(logits.mean((2, 3)), present) * count, count


def segmenter_loss(sharpness: float, unknown: Unknown = "counted") -> Loss:
    """Eq. 5 at the resolution of the features, for a fixed sharpness and reading of unknown.

    The loss is summed; with it comes the number of labelled pixels.
    """
    return partial(_segmenter_loss, sharpness=sharpness, unknown=unknown)


def _segmenter_loss(
    model: Network, images: Tensor, seeds: Tensor, *, sharpness: float, unknown: Unknown
) -> tuple[Tensor, Tensor]:
    logits = model(model.normalisation(images.permute(0, 3, 1, 2)))
    return weighted_selective_sum(logits, seeds, sharpness=sharpness, unknown=unknown)
