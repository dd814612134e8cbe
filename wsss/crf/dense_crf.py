"""Dense CRF that refines scores along the image's edges (Sec. 4.2, the CRF seed; also testing)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from wsss.errors import InputError


@dataclass(frozen=True)
class DenseCRF:
    """Fully connected CRF with two Gaussian kernels, Potts compatibility and mean-field inference.

    The energy of a labelling is the sum of the unary energies and, for each pair of pixels with
    different labels, of ::

        gaussian_compat exp(-|dp|² / 2 gaussian_sxy²)
        + bilateral_compat exp(-|dp|² / 2 bilateral_sxy² - |dI|² / 2 bilateral_srgb²)

    with distances dp in pixels and dI in colour levels of 0 to 255, each kernel normalised
    symmetrically (k_ij / sqrt(k_i k_j), k_i the sum of a pixel's row).

    The paper does not give the parameters. The defaults are those of the CRF seeds in public code
    of the same authors and of the methods they build on (ICD, CIAN, psa, DSRG: identical); see
    `PRESETS` for those of testing.

    Attributes
    ----------
    gaussian_sxy, gaussian_compat : float
        Standard deviation, in pixels, and weight of the kernel of position alone.
    bilateral_sxy, bilateral_srgb, bilateral_compat : float
        Standard deviations, in pixels and colour levels, and weight of the kernel of position and
        colour.
    iterations : int
        Of mean field.

    Raises
    ------
    InputError
        If a parameter is out of range, and, when called, if image and energies do not fit or an
        energy is not finite.

    Examples
    --------
    The label of the two pixels that are unsure follows from their colour:

    >>> image = np.zeros((1, 6, 3), np.uint8)
    >>> image[:, 3:] = 255
    >>> score = np.array([0.9, 0.9, 0.5, 0.5, 0.1, 0.1])
    >>> unary = -np.log(np.stack([score, 1 - score]))[None, :, None]
    >>> DenseCRF()(image, unary).argmax(1)
    array([[[0, 0, 0, 1, 1, 1]]])
    >>> list(PRESETS)
    ['vgg16_test', 'resnet101_test']

    References
    ----------
    Krähenbühl and Koltun, "Efficient inference in fully connected CRFs with Gaussian edge
    potentials", NIPS 2011; Adams et al., "Fast high-dimensional filtering using the permutohedral
    lattice", Eurographics 2010; the C++ code of the former in github.com/lucasb-eyer/pydensecrf,
    whose results these are up to rounding: the lattices are built once per image, and all its seeds
    go through the mean field together. One thing is not taken over: pydensecrf fills images up to a
    multiple of 4 pixels with black ones at the corner, which adds empty vertices to its lattice. It
    shows in noise only (some 4 pixels in 100,000 get another label; 1 in 16 million in photos).
    """

    gaussian_sxy: float = 3.0
    gaussian_compat: float = 3.0
    bilateral_sxy: float = 80.0
    bilateral_srgb: float = 13.0
    bilateral_compat: float = 10.0
    iterations: int = 10

    def __post_init__(self) -> None:
        for name in ("gaussian_sxy", "bilateral_sxy", "bilateral_srgb"):
            if not 0 < getattr(self, name) < np.inf:
                raise InputError(f"DenseCRF: {name} = {getattr(self, name)} must be positive")
        for name in ("gaussian_compat", "bilateral_compat", "iterations"):
            if not 0 <= getattr(self, name) < np.inf:
                raise InputError(f"DenseCRF: {name} = {getattr(self, name)} must not be negative")

    def __call__(self, image: np.ndarray, unary: np.ndarray) -> np.ndarray:
        """Probabilities of the labels of all K seeds of one image.

        Parameters
        ----------
        image : (H, W, 3) uint8
            RGB.
        unary : (K, M, H, W) float32
            Energies (-log of the score) of M >= 2 labels.

        Returns
        -------
        (K, M, H, W) float32
            In [0, 1]; the sum over M is 1.
        """
        from wsss.crf.lattice import build_lattices  # numba takes a while to import
        from wsss.crf.mean_field import mean_field

        unary = np.require(unary, np.float32, ("C", "W"))
        _check(image, unary)
        flat = unary.reshape(*unary.shape[:2], -1)
        lattices = build_lattices(
            image,
            (self.gaussian_sxy, self.gaussian_compat),
            (self.bilateral_sxy, self.bilateral_srgb, self.bilateral_compat),
        )
        return mean_field(lattices, flat, self.iterations).reshape(unary.shape)


PRESETS: Mapping[str, DenseCRF] = {
    "vgg16_test": DenseCRF(
        gaussian_sxy=2.0, gaussian_compat=2.0,
        bilateral_sxy=65.0, bilateral_srgb=3.0, bilateral_compat=4.0, iterations=5,
    ),
    "resnet101_test": DenseCRF(
        gaussian_sxy=1.0, gaussian_compat=3.0,
        bilateral_sxy=67.0, bilateral_srgb=3.0, bilateral_compat=4.0, iterations=10,
    ),
}  # fmt: skip
"""Parameters after testing a segmenter, by its network (not in the paper).

Those of the official DeepLab-v2 models (VGG16: of the authors' MCIC too).
"""


def _check(image: np.ndarray, unary: np.ndarray) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise InputError(
            f"dense CRF: the image is {image.shape} {image.dtype}; it must be (H, W, 3) uint8, RGB"
        )
    if unary.ndim != 4 or unary.shape[2:] != image.shape[:2] or unary.size == 0:
        raise InputError(
            f"dense CRF: energies {unary.shape} do not fit an image of {image.shape[:2]}; "
            "they are (K, M, H, W) of the same H and W"
        )
    if unary.shape[1] < 2:
        raise InputError("dense CRF: there is only one label to choose from; give at least two")
    if not (np.isfinite(unary.min()) and np.isfinite(unary.max())):  # NaN spreads to both
        raise InputError(
            "dense CRF: an energy is not finite; clamp scores to 1e-5, say, before taking -log"
        )
