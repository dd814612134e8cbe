"""Class activation maps, their normalisation and their merging over scales (Sec. 4.1, Table 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from wsss.errors import InputError

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
    fit = features.shape[1] == weight.shape[1] and present.shape == (len(features), len(weight))
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
    if not cams or len({cam.shape for cam in cams}) > 1:
        shapes = ", ".join(str(tuple(cam.shape)) for cam in cams) or "none"
        raise InputError(f"merge_cams: the maps must share one shape (N, C, H, W); got {shapes}")
    if how not in ("max", "mean"):
        raise InputError(f"merge_cams: how is {how!r}; choose 'max' or 'mean'")
    stacked = torch.stack(tuple(cams))
    merged = stacked.amax(0) if how == "max" else stacked.mean(0)
    return normalise_cams(merged) if renormalise else merged
