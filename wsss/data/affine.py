"""Augmentation as one affine map a sample: random scale, mirror and crop (Sec. 5.2).

The image is sampled through the map once; the K label maps only on the pixels under the features,
where the loss looks, so that twelve seeds cost what one does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from wsss.errors import InputError
from wsss.grid import feature_pixels

UNKNOWN = 255
cv2.setNumThreads(1)  # parallelism is over samples and processes, never inside one crop


@dataclass(frozen=True)
class Augmentation:
    """How training samples are varied.

    Attributes
    ----------
    crop : int
        Side of the square crop in pixels (Sec. 5.2: 321).
    scales : (float, float)
        Range of the random scale, drawn uniformly. Sec. 5.2 says between 0.5 and 1.5; the
        authors' later code draws uniformly, an earlier one from {.5, .75, 1, 1.25, 1.5}.
    mirror : bool
        Whether to mirror horizontally with probability 0.5.
    """

    crop: int = 321
    scales: tuple[float, float] = (0.5, 1.5)
    mirror: bool = True

    def draw(self, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
        """Draw the map from pixels of the crop to pixels of an image.

        Where the scaled image is smaller than the crop it is placed at random and padded (the
        paper is silent; the authors' code pads at one side or evenly).

        Parameters
        ----------
        height, width : int
            Size of the image.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        (2, 3) float64
            Takes (column, row, 1) of the crop to (column, row) of the image.

        Examples
        --------
        >>> Augmentation(crop=5, scales=(1, 1), mirror=False).draw(5, 5, np.random.default_rng(0))
        array([[1., 0., 0.],
               [0., 1., 0.]])
        """
        scale = rng.uniform(*self.scales)
        # Corners of the crop in the scaled image; negative where that is smaller than the crop.
        top, left = (
            rng.uniform(min(room, 0), max(room, 0))
            for room in ((n - 1) * scale - (self.crop - 1) for n in (height, width))
        )
        step = 1 / scale
        if self.mirror and rng.random() < 0.5:
            return np.array([[-step, 0, width - 1 - left * step], [0, step, top * step]])
        return np.array([[step, 0, left * step], [0, step, top * step]])


def sample_image(
    image: np.ndarray, affine: np.ndarray, crop: int, fill: Sequence[float]
) -> np.ndarray:
    """Sample an image through an affine map, bilinearly.

    Parameters
    ----------
    image : (H, W, 3) uint8
        RGB.
    affine : (2, 3) float
        From pixels of the crop to pixels of the image.
    crop : int
        Side of the result.
    fill : sequence of 3 floats
        Colour outside the image: the mean that the network subtracts.

    Returns
    -------
    (crop, crop, 3) uint8

    Examples
    --------
    >>> image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    >>> sample_image(image, np.array([[1.0, 0, 0], [0, 1, 0]]), 3, (9, 9, 9))[..., 0]
    array([[0, 3, 9],
           [6, 9, 9],
           [9, 9, 9]], dtype=uint8)
    """
    return cv2.warpAffine(
        image,
        affine,
        (crop, crop),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=tuple(float(value) for value in fill),
    )


def sample_labels(
    label_maps: Sequence[np.ndarray],
    affine: np.ndarray,
    crop: int,
    output_stride: int,
) -> np.ndarray:
    """Read K label maps at the pixels under the features of a crop (nearest pixel).

    Parameters
    ----------
    label_maps : sequence of (H, W) uint8
        K label maps of one image.
    affine : (2, 3) float
        From pixels of the crop to pixels of the image.
    crop : int
        Side of the crop, ``k * output_stride + 1``.
    output_stride : int
        Pixels of the crop from one feature to the next.

    Returns
    -------
    (K, h, w) uint8
        255 outside the image.

    Raises
    ------
    InputError
        If the label maps differ in size.

    Examples
    --------
    >>> labels = np.arange(25, dtype=np.uint8).reshape(5, 5)
    >>> shift = np.array([[1., 0., 0.], [0., 1., 1.]])  # one row down
    >>> sample_labels([labels], shift, crop=5, output_stride=2)[0]
    array([[  5,   7,   9],
           [ 15,  17,  19],
           [255, 255, 255]], dtype=uint8)
    """
    shapes = {label_map.shape for label_map in label_maps}
    if len(shapes) != 1:
        raise InputError(f"label maps of one image differ in size: {sorted(shapes)}")
    height, width = shapes.pop()
    pixels = feature_pixels(crop, output_stride)
    # The maps here neither rotate nor shear, so rows and columns are found, and read, apart.
    rows = np.rint(affine[1, 1] * pixels + affine[1, 2]).astype(np.int64)
    columns = np.rint(affine[0, 0] * pixels + affine[0, 2]).astype(np.int64)
    inner_rows, inner_columns = rows.clip(0, height - 1), columns.clip(0, width - 1)
    sampled = np.stack([each.take(inner_rows, 0).take(inner_columns, 1) for each in label_maps])
    sampled[:, inner_rows != rows] = UNKNOWN
    sampled[:, :, inner_columns != columns] = UNKNOWN
    return sampled
