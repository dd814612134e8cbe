"""The feature grid: feature i of a network sits on pixel ``i * output_stride`` of its input.

Every network here keeps this: its strided layers have odd kernels padded by half, as in DeepLab.
Inputs of ``k * output_stride + 1`` pixels (321, 513, 65) then have a feature on their first and on
their last pixel, and labels, CAMs and logits need one rule for where a feature lies.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def padded_length(length: int, output_stride: int) -> int:
    """Smallest length of at least `length` pixels with a feature on its last pixel.

    Examples
    --------
    >>> padded_length(64, 4), padded_length(65, 4), padded_length(500, 8)
    (65, 65, 505)
    """
    return -(-(length - 1) // output_stride) * output_stride + 1


def scaled_length(length: int, scale: float) -> int:
    """Pixels of a length that is resized by `scale` with its first and last pixel kept in place.

    The authors' other code resizes the inputs of its CAMs by this rule.

    Examples
    --------
    >>> scaled_length(321, 0.5), scaled_length(64, 0.75)
    (161, 48)
    """
    return max(int((length - 1) * scale), 0) + 1


def feature_spacing(length: int, scale: float, output_stride: int) -> float:
    """Pixels of an image from one feature to the next, when the network saw it resized by `scale`.

    Examples
    --------
    >>> feature_spacing(321, 1.0, 8), feature_spacing(321, 0.5, 8), feature_spacing(1, 1.0, 8)
    (8.0, 16.0, 8.0)
    """
    return output_stride * max(length - 1, 1) / max(scaled_length(length, scale) - 1, 1)


def to_pixels(maps: Tensor, spacing: float | tuple[float, float], size: tuple[int, int]) -> Tensor:
    """Interpolate maps on the feature grid bilinearly to every pixel of an image.

    Parameters
    ----------
    maps : (..., h, w) float
        Values at the features.
    spacing : float, or one for rows and one for columns
        Pixels of the image from one feature to the next: the output stride, divided by the scale
        at which the network saw the image.
    size : (int, int)
        H and W of the image. What the maps cover beyond it is cut off; pixels beyond the last
        feature repeat it.

    Returns
    -------
    (..., H, W) float

    Examples
    --------
    >>> to_pixels(torch.tensor([[0., 4.]]), 2, (1, 4))
    tensor([[0., 2., 4., 4.]])
    """
    rows, columns = spacing if isinstance(spacing, tuple) else (spacing, spacing)
    vertical = _interpolation(maps.shape[-2], rows, size[0], maps)
    horizontal = _interpolation(maps.shape[-1], columns, size[1], maps)
    return vertical @ maps @ horizontal.T


def _interpolation(features: int, spacing: float, pixels: int, like: Tensor) -> Tensor:
    """Matrix (pixels, features) of the linear interpolation; each row sums to one."""
    position = torch.arange(pixels, dtype=torch.float64) / spacing
    position = position.clamp(max=features - 1)
    distance = (position[:, None] - torch.arange(features)).abs()
    return (1 - distance).clamp(min=0).to(like)


def feature_pixels(length: int, output_stride: int) -> np.ndarray:
    """Pixels on which the features of an input lie, along one axis.

    Examples
    --------
    >>> feature_pixels(9, 4)
    array([0, 4, 8])
    """
    return np.arange(0, length, output_stride)
