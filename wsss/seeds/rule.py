"""What every type of seed is: a frozen value that turns class activation maps into seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from wsss.errors import InputError


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


def check_shapes(cam: Tensor, saliency: Tensor) -> None:
    """Refuse maps and saliency that do not belong together.

    Raises
    ------
    InputError
        If they are not (N, C, H, W) and (N, H, W).
    """
    if cam.ndim != 4 or saliency.shape != (len(cam), *cam.shape[2:]):
        raise InputError(
            f"CAM {tuple(cam.shape)} and saliency {tuple(saliency.shape)} do not fit; they are "
            "(N, C, H, W) and (N, H, W)"
        )
