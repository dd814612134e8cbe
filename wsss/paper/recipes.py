"""Recipes: what a segmenter of the paper is trained on, in the paper's words (Sec. 3 to 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Scales = Literal["single", "multi", "max", "mean"]
Part = Literal["plain", "residual"]
"""Which network of the paper another one stands for: VGG16, or a ResNet (38 for CAMs, 101 as the
segmenter). Which network plays the part, the profile says."""

Testing = Literal["single", "crf", "ms", "ms+crf"]
"""At one scale or at three with flip ("ms"), without or with a CRF after it."""


@dataclass(frozen=True)
class Recipe:
    """What a segmenter is trained on.

    Attributes
    ----------
    types : tuple of str
        Letters of seed types: ``"T"``, threshold; ``"C"``, CRF (Sec. 4.2); see `wsss.seeds`.
    scales : {"single", "multi", "max", "mean"}
        The first scale, every scale on its own, or all merged into one map (Table 3).
    cam_networks : tuple of {"plain", "residual"}
        Whose CAMs: VGG16's, ResNet38's (Sec. 4.4).
    weighted : bool
        With the weights of Eq. 6, or plain (Eq. 4).
    segmenter : {"plain", "residual"}
        VGG16-LargeFOV or ResNet101-LargeFOV (Sec. 5.5).
    sharpness : float or None
        s of Eq. 6 where it is another than the profile's; not in the paper, whose s is 1.
    given : tuple of str
        Seeds of other methods beside these, see `wsss.stages.GivenSeeds`; not in the paper.

    Examples
    --------
    >>> Recipe(("T", "C"), "multi", ("plain", "residual"))  # the paper's twelve seeds
    Recipe(types=('T', 'C'), scales='multi', cam_networks=('plain', 'residual'), weighted=True, ...)
    """

    types: tuple[str, ...]
    scales: Scales = "single"
    cam_networks: tuple[Part, ...] = ("plain",)
    weighted: bool = True
    segmenter: Part = "plain"
    sharpness: float | None = None
    given: tuple[str, ...] = ()


@dataclass(frozen=True)
class PilotRecipe:
    """Hand-made noise of the pilot experiment (Sec. 3): so many labels at such a ratio.

    The pilot comes before WST in the paper, so its labels are averaged (Eq. 4). Not in the paper:
    they may be `weighted` (Eq. 5), and the segmenter may start from random weights, `untrained`.

    Examples
    --------
    >>> PilotRecipe(ratio=0.3, copies=4).segmenter
    'plain'
    """

    ratio: float
    copies: int = 1
    segmenter: Part = "plain"
    weighted: bool = False
    untrained: bool = False
