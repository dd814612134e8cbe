"""Seeds by threshold, "T" (Sec. 4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from wsss.errors import InputError, require_word
from wsss.seeds.rule import check_maps

ClassConflict = Literal["argmax", "unknown"]


@dataclass(frozen=True)
class ThresholdSeed:
    """The type "T": `threshold_seed` and its parameters.

    Examples
    --------
    >>> cam, saliency = torch.tensor([[[0.9, 0.0]]]), torch.tensor([[0.8, 0.0]])
    >>> ThresholdSeed()(np.zeros((1, 2, 3), np.uint8), [cam], saliency)
    [tensor([[1, 0]], dtype=torch.uint8)]
    """

    letter: ClassVar[str] = "T"
    title: ClassVar[str] = "threshold"
    colour: ClassVar[str] = "#E69F00"

    foreground_above: float = 0.1
    background_below: float = 0.06
    class_conflict: ClassConflict = "argmax"

    def __post_init__(self) -> None:
        _require_in_range(self.foreground_above, self.background_below, self.class_conflict)

    def __call__(self, image: np.ndarray, cams: Sequence[Tensor], saliency: Tensor) -> list[Tensor]:
        """Make a seed of each map of an image, see `wsss.seeds.SeedRule`."""
        return [
            threshold_seed(
                cam[None],
                saliency[None],
                foreground_above=self.foreground_above,
                background_below=self.background_below,
                class_conflict=self.class_conflict,
            )[0]
            for cam in cams
        ]


def threshold_seed(
    cam: Tensor,
    saliency: Tensor,
    *,
    foreground_above: float = 0.1,
    background_below: float = 0.06,
    class_conflict: ClassConflict = "argmax",
    ignore_index: int = 255,
) -> Tensor:
    """Seed by thresholds: a class where its CAM is high, background where nothing is salient.

    A pixel that is both or neither is unknown.

    Parameters
    ----------
    cam : (N, C, H, W) float
        Normalised class activation maps at image resolution, zero for absent classes.
    saliency : (N, H, W) float
        In [0, 1], high on what stands out. On the device of the maps.
    foreground_above : float
        CAM threshold (Sec. 4.2: 0.1).
    background_below : float
        Saliency threshold (Sec. 4.2: 0.06).
    class_conflict : {"argmax", "unknown"}
        What becomes of a pixel where two classes pass the threshold. The paper's "conflict" may
        mean these or only foreground against background. "argmax" gives it to the larger one, as
        the authors' ICD code does; "unknown" is the strict reading, under which a threshold of 0.1
        leaves little of an image with two classes. Not settled by the paper; low to medium
        confidence.
    ignore_index : int
        Label of unknown pixels, C + 1 to 255.

    Returns
    -------
    (N, H, W) uint8
        0 background, 1 to C the classes, `ignore_index` unknown. No gradient flows.

    Raises
    ------
    InputError
        If the shapes do not fit, C is over 254, a map holds NaN, saliency is not float in [0, 1],
        or another argument is out of range.

    Examples
    --------
    >>> cam = torch.tensor([[[[0.9, 0.0, 0.9, 0.0]]]])  # (1, 1, 1, 4)
    >>> saliency = torch.tensor([[[0.8, 0.0, 0.0, 0.8]]])
    >>> threshold_seed(cam, saliency)
    tensor([[[  1,   0, 255, 255]]], dtype=torch.uint8)
    >>> cam = torch.tensor([[[[0.9, 0.0]], [[0.2, 0.9]]]])  # (1, 2, 1, 2)
    >>> threshold_seed(cam, torch.ones(1, 1, 2), class_conflict="unknown")
    tensor([[[255,   2]]], dtype=torch.uint8)

    References
    ----------
    Fan et al., Sec. 4.2, second paragraph.
    """
    check_maps(cam, saliency)
    _require_in_range(foreground_above, background_below, class_conflict)
    if not cam.shape[1] < ignore_index <= 255:
        raise InputError(
            f"threshold_seed: ignore_index is {ignore_index}; beside {cam.shape[1]} classes "
            f"in uint8 it is {cam.shape[1] + 1} to 255"
        )
    score, label = cam.max(1)
    foreground, background = score > foreground_above, saliency < background_below
    seed = torch.where(foreground, label + 1, 0)
    unknown = foreground == background
    if class_conflict == "unknown":
        unknown |= (cam > foreground_above).sum(1) > 1
    return seed.masked_fill(unknown, ignore_index).to(torch.uint8)


def _require_in_range(
    foreground_above: float, background_below: float, class_conflict: str
) -> None:
    require_word("threshold seeds: class_conflict", class_conflict, ClassConflict)
    if not (0 <= foreground_above <= 1 and 0 <= background_below <= 1):
        raise InputError(
            f"threshold seeds: foreground_above is {foreground_above}, background_below "
            f"{background_below}; both are 0 to 1"
        )
