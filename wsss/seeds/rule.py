"""What every type of seed is: a frozen value that turns class activation maps into seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from wsss.errors import InputError

MOST_CLASSES = 254
ROUNDING = 1e-3


@runtime_checkable
class SeedRule(Protocol):
    """A type of seed: a frozen dataclass whose fields are its parameters.

    Its fields belong to the identity of every result that is made with it. See CONTRIBUTING for
    how to add one.

    Attributes
    ----------
    letter : str
        By which recipes name it, ``"T"`` or ``"C"`` in the paper.
    title, colour : str
        What pages and pictures call it and paint it with.

    Examples
    --------
    >>> from wsss.seeds import SEED_TYPES
    >>> [(letter, isinstance(kind(), SeedRule)) for letter, kind in SEED_TYPES.items()]
    [('T', True), ('C', True)]
    """

    letter: ClassVar[str]
    title: ClassVar[str]
    colour: ClassVar[str]

    def __call__(self, image: np.ndarray, cams: Sequence[Tensor], saliency: Tensor) -> list[Tensor]:
        """Make one seed of each map; a seed comes out the same in whatever company.

        Parameters
        ----------
        image : (H, W, 3) uint8
            RGB.
        cams : sequence of (C, H, W) float
            Normalised class activation maps of one image, zero for absent classes.
        saliency : (H, W) float
            In [0, 1].

        Returns
        -------
        list of (H, W) uint8
            0 background, 1 to C the classes, 255 unknown.
        """
        ...


def check_maps(cam: Tensor, saliency: Tensor) -> None:
    """Refuse maps and saliency of which no seed can be made.

    Raises
    ------
    InputError
        If they are not (N, C, H, W) and (N, H, W), there are more classes than a seed of bytes
        has labels, a map holds NaN or infinity, or saliency is not float in [0, 1].
    """
    if cam.ndim != 4 or saliency.shape != (len(cam), *cam.shape[2:]):
        raise InputError(
            f"CAM {tuple(cam.shape)} and saliency {tuple(saliency.shape)} do not fit; they are "
            "(N, C, H, W) and (N, H, W)"
        )
    if cam.shape[1] > MOST_CLASSES:
        raise InputError(
            f"CAM {tuple(cam.shape)} has {cam.shape[1]} classes; a seed is uint8 and holds at most "
            f"{MOST_CLASSES} beside background and unknown"
        )
    if not cam.isfinite().all():
        raise InputError(
            f"CAM {tuple(cam.shape)} holds NaN or infinity; of a map that is zero everywhere, "
            "Eq. 3 divides zero by zero: leave it zero"
        )
    if not saliency.is_floating_point():
        raise InputError(f"saliency is {saliency.dtype}; it is float in [0, 1], so divide by 255")
    # Interpolation may leave the range by a rounding error. NaN fails both comparisons.
    wide = saliency.float()  # in bfloat16 the bounds are 0 and 1
    if not ((wide > -ROUNDING) & (wide < 1 + ROUNDING)).all():
        low, high = saliency.min().item(), saliency.max().item()
        raise InputError(f"saliency is {low:g} to {high:g}; it is in [0, 1], without NaN")
