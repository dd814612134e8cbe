"""Class activation maps, their normalisation and their merging over scales (Sec. 4.1, Table 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from wsss.errors import InputError

SMALLEST_PEAK = 1e-5  # a map without any positive value stays zero instead of becoming NaN


def class_activation_maps(features: Tensor, weight: Tensor, present: Tensor) -> Tensor:
    """Normalised class activation maps, zero for the classes an image does not show (Eq. 2-3).

    Eq. 2 has no bias, and none is added (the authors' other code keeps one; Eq. 3 makes the
    difference small, not zero). Normalisation is at the resolution of the features; the paper
    interpolates afterwards.

    Parameters
    ----------
    features : (N, D, h, w) float
        Last feature map, before global average pooling.
    weight : (C, D) float
        Weights of the linear classifier, one row a foreground class.
    present : (N, C) bool
        Image-level labels.

    Returns
    -------
    (N, C, h, w) float
        In [0, 1]; each present class has maximum 1, unless it is negative everywhere.

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
    if features.shape[1] != weight.shape[1] or present.shape != (len(features), len(weight)):
        raise InputError(
            f"class_activation_maps: features {tuple(features.shape)}, weight "
            f"{tuple(weight.shape)} and labels {tuple(present.shape)} do not fit; they are "
            "(N, D, h, w), (C, D) and (N, C)"
        )
    maps = torch.einsum("ndhw,cd->nchw", features, weight)  # Eq. 2
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


def merge_cams(cams: Sequence[Tensor], how: Literal["max", "mean"]) -> Tensor:
    """Merge the maps of several scales into one (the "Merge-Scale" columns of Table 3).

    The paper names max- and average-fusion and no more. Here the normalised maps are merged where
    they have the same size, and normalised again so that a threshold means the same as before
    (not in the paper).

    Parameters
    ----------
    cams : sequence of (N, C, H, W) float
        Normalised maps, all interpolated to one size.
    how : {"max", "mean"}
        Element-wise maximum or mean.

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
    """
    if not cams or len({cam.shape for cam in cams}) > 1:
        shapes = ", ".join(str(tuple(cam.shape)) for cam in cams) or "none"
        raise InputError(f"merge_cams: the maps must share one shape (N, C, H, W); got {shapes}")
    if how not in ("max", "mean"):
        raise InputError(f"merge_cams: how is {how!r}; choose 'max' or 'mean'")
    stacked = torch.stack(tuple(cams))
    return normalise_cams(stacked.amax(0) if how == "max" else stacked.mean(0))
