"""Class activation maps: their equations, merging and computation (Sec. 4.1, 4.3, Table 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from wsss.errors import InputError, require_word
from wsss.inputs import (
    BATCH_SIZE,
    at_pixels,
    batches_of_one_shape,
    input_lengths,
    network_input,
    prepare,
)
from wsss.models.network import Network
from wsss.progress import tell

SMALLEST_PEAK = 1e-5  # a map without any positive value stays zero instead of becoming NaN


def class_activation_maps(
    features: Tensor, weight: Tensor, present: Tensor, *, bias: Tensor | None = None
) -> Tensor:
    """Normalised class activation maps, zero for the classes an image does not show (Eq. 2-3).

    Normalisation is at the resolution of the features; the paper interpolates afterwards.

    Parameters
    ----------
    features : (N, D, h, w) float
        Last feature map, before global average pooling.
    weight : (C, D) float
        Weights of the linear classifier, one row a foreground class.
    present : (N, C) bool
        Image-level labels.
    bias : (C,) float, optional
        Of the linear classifier, added before Eq. 3. Eq. 2 has none, so none is the default; the
        maps of the authors' ICD and MCIC code are the classifier's outputs, with their bias. Low
        confidence.

    Returns
    -------
    (N, C, h, w) float
        In [0, 1]; each present class has maximum 1, unless it is below 1e-5 everywhere.

    Raises
    ------
    InputError
        If the shapes do not fit.

    Examples
    --------
    >>> features = torch.tensor([[[[1., 2.]], [[4., -1.]]]])  # (1, 2, 1, 2)
    >>> class_activation_maps(features, torch.eye(2), torch.tensor([[True, True]]))
    tensor([[[[0.5000, 1.0000]],
    <BLANKLINE>
             [[1.0000, 0.0000]]]])

    References
    ----------
    Fan et al., Sec. 4.1, Eq. 2-3; Zhou et al., Learning deep features for discriminative
    localization, CVPR 2016.
    """
    fit = (features.ndim, weight.ndim) == (4, 2) and features.shape[1] == weight.shape[1]
    fit = fit and present.shape == (features.shape[0], weight.shape[0])
    if not fit or (bias is not None and bias.shape != weight.shape[:1]):
        biases = "" if bias is None else f", bias {tuple(bias.shape)}"
        raise InputError(
            f"class_activation_maps: features {tuple(features.shape)}, weight "
            f"{tuple(weight.shape)}{biases} and labels {tuple(present.shape)} do not fit; they "
            "are (N, D, h, w), (C, D), (C,) and (N, C)"
        )
    maps = torch.einsum("ndhw,cd->nchw", features, weight)  # Eq. 2
    if bias is not None:
        maps = maps + bias[:, None, None]
    return normalise_cams(maps * present[:, :, None, None])


def normalise_cams(maps: Tensor) -> Tensor:
    """Clip the negative part and divide each map by its spatial maximum (Eq. 3).

    Parameters
    ----------
    maps : (N, C, h, w) float
        Class activation maps of Eq. 2.

    Returns
    -------
    (N, C, h, w) float
        In [0, 1].

    Examples
    --------
    >>> normalise_cams(torch.tensor([[[[-1., 2.]], [[-1., -2.]]]])).flatten().tolist()
    [0.0, 1.0, 0.0, 0.0]
    """
    positive = maps.clamp(min=0)
    return positive / positive.amax((2, 3), keepdim=True).clamp(min=SMALLEST_PEAK)


def merge_cams(
    cams: Sequence[Tensor], how: Literal["max", "mean"], *, renormalise: bool = True
) -> Tensor:
    """Merge the maps of several scales into one (the "Merge-Scale" columns of Table 3).

    The paper names max- and average-fusion and no more. Here the normalised maps are merged where
    they have the same size.

    Parameters
    ----------
    cams : sequence of (N, C, H, W) float
        Normalised maps, all interpolated to one size.
    how : {"max", "mean"}
        Element-wise maximum or mean.
    renormalise : bool
        Divide each merged map by its maximum once more, so that a threshold means the same as for
        one scale. Not in the paper; irn's code sums its scales and divides by the maximum then. Low
        confidence.

    Returns
    -------
    (N, C, H, W) float
        In [0, 1].

    Raises
    ------
    InputError
        If there are no maps, their shapes differ, or `how` is neither.

    Examples
    --------
    >>> a, b = torch.tensor([[[[1., 0.]]]]), torch.tensor([[[[0.5, 1.]]]])
    >>> merge_cams([a, b], "max")
    tensor([[[[1., 1.]]]])
    >>> merge_cams([a, b], "mean").flatten().tolist()
    [1.0, 0.6666666865348816]
    >>> merge_cams([a, b], "mean", renormalise=False).flatten().tolist()
    [0.75, 0.5]
    """
    if not len(cams) or cams[0].ndim != 4 or len({cam.shape for cam in cams}) > 1:
        shapes = ", ".join(str(tuple(cam.shape)) for cam in cams) or "none"
        raise InputError(f"merge_cams: the maps must share one shape (N, C, H, W); got {shapes}")
    require_word("merge_cams: how", how, Literal["max", "mean"])
    stacked = torch.stack(tuple(cams))
    merged = stacked.amax(0) if how == "max" else stacked.mean(0)
    return normalise_cams(merged) if renormalise else merged


@torch.inference_mode()
def infer_cams(
    model: Network,
    images: Sequence[np.ndarray],
    present: np.ndarray,
    *,
    scale: float,
    bias: bool = False,
    batch_size: int = BATCH_SIZE,
) -> list[np.ndarray]:
    """Class activation maps of many images at one input scale.

    Parameters
    ----------
    model : Network
        A classifier (head "cam").
    images : sequence of (H, W, 3) uint8
        RGB, of any sizes; those that become inputs of one size go through the network together.
    present : (N, C) bool
        Image-level labels.
    scale : float
        Each image is resized by it first (Sec. 4.3: 1, 0.75, 0.5).
    bias : bool
        Whether the classifier's bias is added, see `class_activation_maps`.
    batch_size : int
        Most images at once.

    Returns
    -------
    list of (P, h, w) float16
        For every image the normalised maps of its P present classes, at the features. The last
        feature may lie up to a stride beyond the image (see `wsss.grid`), and the maximum on it.

    Examples
    --------
    >>> from wsss.models import get_model
    >>> model = get_model("vgg16_scenes", head="cam", num_classes=3)
    >>> photo = np.zeros((64, 64, 3), np.uint8)
    >>> present = np.array([[True, False, True]])
    >>> [cam.shape for cam in infer_cams(model, [photo], present, scale=0.5)]
    [(2, 9, 9)]
    """
    prepare(model)
    present = present.astype(bool)  # 0 and 1 are no indices
    weight = model.classifier.weight.flatten(1)
    added = model.classifier.bias if bias else None
    cams: list[np.ndarray] = [np.empty(0)] * len(images)
    shapes = [input_lengths(image, [scale], model.output_stride) for image in images]
    done = 0
    for indices in batches_of_one_shape(shapes, batch_size):
        tell(done, len(images))
        done += len(indices)
        features = model.trunk(network_input(model, [images[i] for i in indices], scale))
        for i, one in zip(indices, features, strict=True):
            shown = torch.from_numpy(present[i]).to(weight.device)  # the rest is never computed
            with torch.autocast(weight.device.type, enabled=False):  # it is for the network
                cam = class_activation_maps(
                    one[None].float(),
                    weight[shown],
                    shown[shown][None],
                    bias=None if added is None else added[shown],
                )
            cams[i] = cam[0].half().cpu().numpy()
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

    Raises
    ------
    InputError
        If there are not as many maps as present classes.

    Examples
    --------
    >>> maps, present = np.ones((1, 2, 2), np.float16), np.array([False, True])
    >>> cam_at_pixels(maps, present, (5, 5), scale=1.0, output_stride=4).mean((1, 2))
    tensor([0., 1.])
    """
    if maps.ndim != 3 or len(maps) != np.count_nonzero(present):
        raise InputError(
            f"cam_at_pixels: maps {maps.shape} of {np.count_nonzero(present)} present classes; "
            "give (P, h, w), a map for each of them"
        )
    cam = torch.zeros(len(present), *size, dtype=torch.float32)
    values = torch.from_numpy(np.array(maps, np.float32))
    with torch.autocast("cpu", enabled=False):
        cam[torch.from_numpy(present.astype(bool))] = at_pixels(values, size, scale, output_stride)
    return cam
