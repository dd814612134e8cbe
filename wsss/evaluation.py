"""What a trained network says about images: CAMs (Sec. 4.1), label maps, mIoU (Sec. 5.1)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from wsss.cam import class_activation_maps
from wsss.grid import feature_spacing, padded_length, scaled_length, to_pixels
from wsss.metrics import confusion_matrix
from wsss.models.network import Network


@torch.inference_mode()
def infer_cams(
    model: Network,
    images: Sequence[np.ndarray],
    present: np.ndarray,
    *,
    scale: float,
    bias: bool = False,
    batch_size: int = 16,
) -> list[np.ndarray]:
    """Class activation maps of many images at one input scale.

    Parameters
    ----------
    model : Network
        A classifier (head "cam").
    images : sequence of (H, W, 3) uint8
        RGB, of any sizes; those of one size go through the network together.
    present : (N, C) bool
        Image-level labels.
    scale : float
        Each image is resized by it first (Sec. 4.3: 1, 0.75, 0.5).
    bias : bool
        Whether the classifier's bias is added, see `wsss.cam.class_activation_maps`.
    batch_size : int
        Most images at once.

    Returns
    -------
    list of (P, h, w) float16
        For every image the normalised maps of its P present classes, at the features. The last
        feature may lie up to a stride beyond the image (see `wsss.grid`), and the maximum on it.
    """
    model.eval()
    weight = model.classifier.weight.flatten(1)
    added = model.classifier.bias if bias else None
    device = weight.device
    cams: list[np.ndarray] = [np.empty(0)] * len(images)
    for indices in batches_of_one_size(images, batch_size):
        batch = _to_network(model, [images[i] for i in indices], scale).to(device)
        labels = torch.from_numpy(present[indices]).to(device)
        cam = class_activation_maps(model.trunk(batch), weight, labels, bias=added)
        maps = cam.half().cpu().numpy()
        for i, image_maps in zip(indices, maps, strict=True):
            cams[i] = image_maps[present[i]]
    return cams


def cam_at_pixels(
    maps: np.ndarray,
    present: np.ndarray,
    size: tuple[int, int],
    *,
    scale: float,
    output_stride: int,
) -> Tensor:
    """Interpolate one image's stored CAMs to its pixels and give absent classes their zeros.

    Parameters
    ----------
    maps : (P, h, w) float16
        As `infer_cams` returns.
    present : (C,) bool
        Image-level labels.
    size : (int, int)
        H and W of the image.
    scale, output_stride : float, int
        How the maps were made.

    Returns
    -------
    (C, H, W) float32
        In [0, 1].
    """
    spacing = tuple(feature_spacing(length, scale, output_stride) for length in size)
    cam = torch.zeros(len(present), *size)
    values = torch.from_numpy(np.array(maps, np.float32))
    cam[torch.from_numpy(present)] = to_pixels(values, (spacing[0], spacing[1]), size)
    return cam


@torch.inference_mode()
def predict(
    model: Network, images: Sequence[np.ndarray], *, batch_size: int = 16
) -> list[np.ndarray]:
    """Label maps of a segmenter, at one scale and without CRF.

    Parameters
    ----------
    model : Network
        A segmenter (head "largefov").
    images : sequence of (H, W, 3) uint8
        RGB, of any sizes.
    batch_size : int
        Most images at once.

    Returns
    -------
    list of (H, W) uint8
    """
    model.eval()
    device = model.classifier.weight.device
    labels: list[np.ndarray] = [np.empty(0)] * len(images)
    for indices in batches_of_one_size(images, batch_size):
        batch = _to_network(model, [images[i] for i in indices], 1.0).to(device)
        size = images[indices[0]].shape[:2]
        logits = to_pixels(model(batch), model.output_stride, (size[0], size[1]))
        for i, label_map in zip(indices, logits.argmax(1).to(torch.uint8).cpu(), strict=True):
            labels[i] = label_map.numpy()
    return labels


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


def batches_of_one_size(images: Sequence[np.ndarray], batch_size: int) -> Iterator[list[int]]:
    """Group the indices of the images by size, at most `batch_size` in a group.

    Examples
    --------
    >>> images = [np.empty((2, 3, 3)), np.empty((4, 3, 3)), np.empty((2, 3, 3))]
    >>> list(batches_of_one_size(images, 8))
    [[0, 2], [1]]
    """
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for i, image in enumerate(images):
        groups[image.shape].append(i)
    for group in groups.values():
        for start in range(0, len(group), batch_size):
            yield group[start : start + batch_size]


def _to_network(model: Network, images: Sequence[np.ndarray], scale: float) -> Tensor:
    """Normalise, resize and pad (with the mean) to lengths that end on a feature."""
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    batch = model.normalisation(pixels)
    height, width = (scaled_length(n, scale) for n in batch.shape[2:])
    if scale != 1:
        batch = F.interpolate(batch, (height, width), mode="bilinear", align_corners=True)
    right = padded_length(width, model.output_stride) - width
    bottom = padded_length(height, model.output_stride) - height
    return F.pad(batch, (0, right, 0, bottom))
