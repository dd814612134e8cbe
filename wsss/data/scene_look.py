"""What the demo's scenes are made of: patterns, classes, and the numbers of a look.

Not in the paper; `wsss.data.scenes` draws from these.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIDE = 64
"""Height and width of every scene, in pixels."""

Floats = NDArray[np.float64]
Pattern = Callable[[Floats, Floats, np.random.Generator], NDArray[np.bool_]]


def _waves(x: Floats, y: Floats, rng: np.random.Generator) -> Floats:
    """Sum of four plane waves of one wavelength in random directions: smooth blobs."""
    angle, phase = rng.uniform(0, 2 * np.pi, (2, 4, 1, 1))
    return np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) + phase).sum(axis=0)


def _random_cells(x: Floats, y: Floats, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Squares of half a wavelength, each light or dark by chance."""
    cells = rng.random((SIDE, SIDE)) < 0.5
    return cells[np.floor(2 * y).astype(int) % SIDE, np.floor(2 * x).astype(int) % SIDE]


def _wave(t: Floats) -> Floats:
    return np.sin(2 * np.pi * t)


PATTERNS: dict[str, Pattern] = {
    "stripes": lambda x, y, rng: _wave(x) > 0,
    "bands": lambda x, y, rng: _wave(y) > 0,
    "checker": lambda x, y, rng: _wave(x) * _wave(y) > 0,
    "rings": lambda x, y, rng: _wave(np.hypot(x, y)) > 0,
    "dots": lambda x, y, rng: _wave(x) + _wave(y) > 0.4,
    "diagonal": lambda x, y, rng: _wave((x + y) / math.sqrt(2)) > 0,
    "grid": lambda x, y, rng: np.maximum(_wave(x), _wave(y)) > 0.6,
    "spokes": lambda x, y, rng: np.sin(6 * np.arctan2(y, x)) > 0,
    "zigzag": lambda x, y, rng: _wave(y + np.abs(x % 1 - 0.5)) > 0,
    "speckle": _random_cells,
    "crosshatch": lambda x, y, rng: np.maximum(_wave(x + y), _wave(x - y)) > 0.6,
    "half": lambda x, y, rng: x > 0,
    "blobs": lambda x, y, rng: _waves(x, y, rng) > 0,
}
"""Light (True) and dark parts of a head, from pixel coordinates in wavelengths about its centre."""


@dataclass(frozen=True)
class SceneClass:
    """A kind of object: its name, the hue its body leans to and the pattern on its head.

    Parameters
    ----------
    name
        As written to ``classes.txt``.
    hue
        Red, green, blue in [0, 1].
    pattern
        A key of ``PATTERNS``. Patterns keep upright whatever the angle of the object, so that
        stripes and bands stay two classes.

    Examples
    --------
    >>> CLASSES[0].name, CLASSES[0].pattern in PATTERNS
    ('red_stripes', True)
    """

    name: str
    hue: tuple[float, float, float]
    pattern: str


CLASSES: tuple[SceneClass, ...] = (
    SceneClass("red_stripes", (0.85, 0.25, 0.20), "stripes"),
    SceneClass("green_bands", (0.20, 0.65, 0.25), "bands"),
    SceneClass("blue_checker", (0.25, 0.35, 0.85), "checker"),
    SceneClass("yellow_rings", (0.85, 0.75, 0.20), "rings"),
    SceneClass("purple_dots", (0.70, 0.30, 0.75), "dots"),
)
"""The five foreground classes of the demo, labels 1 to 5."""

PRETRAINING_CLASSES: tuple[SceneClass, ...] = tuple(
    SceneClass(f"{colour}_{pattern}", hue, pattern)
    for pattern in (
        *("diagonal", "grid", "spokes", "zigzag"),
        *("speckle", "crosshatch", "half", "blobs"),
    )
    for colour, hue in (
        ("orange", (0.85, 0.50, 0.20)),
        ("teal", (0.20, 0.70, 0.65)),
        ("violet", (0.45, 0.30, 0.60)),
    )
)
"""24 other classes (8 patterns x 3 hues) for the initial weights, the part of ImageNet."""


@dataclass(frozen=True)
class SceneLook:
    """The numbers a scene is drawn from; not in the paper.

    Lengths are in pixels, colours in [0, 1], a pair is the (least, greatest) of a range. The
    defaults are those with which the demo was first tried; a training on them takes seconds.
    With `camouflage` or `touching` the CRF (Sec. 4.2) makes more mistakes.

    Parameters
    ----------
    object_counts
        Probability of 1, 2, ... objects.
    length
        Semi-axis of a body, log-uniform.
    aspect
        Short over long axis of a body.
    centre
        Of an object, as a share of the side.
    body_hue
        Share of the class's hue in the body's colour; the rest is a random colour.
    pattern_contrast
        How far the light and dark parts of the head lie from the body's colour.
    wavelength
        Of the pattern, as a share of `length`, and at least `min_wavelength` pixels.
    min_wavelength
        See `wavelength`.
    texture
        Standard deviation of the fine texture of bodies and distractors.
    background_tint
        How far each channel of the background may lie from grey.
    background_shade
        Standard deviation of the background's slow change in brightness.
    pixel_noise
        Standard deviation of the camera's white noise.
    distractor_counts
        Probability of 0, 1, 2, ... distractors: dull blobs beneath the objects, without a class.
    distractor_length
        Semi-axis of a distractor.
    distractor_tint
        How far each channel of a distractor may lie from grey.
    camouflage
        Probability that a body's colour is pulled towards the background under it.
    touching
        Probability that a distractor touches an object and its colour is pulled towards that
        object's, so that a CRF takes them for one.
    likeness
        How far `camouflage` and `touching` pull, from 0 (not at all) to 1 (the same colour).

    Examples
    --------
    >>> round(sum(SceneLook().object_counts), 6), OBJECT_LOOK.object_counts
    (1.0, (1.0,))
    """

    object_counts: tuple[float, ...] = (0.60, 0.35, 0.05)
    length: tuple[float, float] = (12.0, 26.0)
    aspect: tuple[float, float] = (0.45, 0.80)
    centre: tuple[float, float] = (0.22, 0.78)
    body_hue: float = 0.72
    pattern_contrast: float = 0.26
    wavelength: tuple[float, float] = (0.20, 0.34)
    min_wavelength: float = 3.2
    texture: float = 0.05
    background_tint: float = 0.08
    background_shade: float = 0.07
    pixel_noise: float = 0.03
    distractor_counts: tuple[float, ...] = (1 / 3, 1 / 3, 1 / 3)
    distractor_length: tuple[float, float] = (5.0, 13.0)
    distractor_tint: float = 0.14
    camouflage: float = 0.0
    touching: float = 0.0
    likeness: float = 0.75


OBJECT_LOOK = SceneLook(
    object_counts=(1.0,),
    length=(14.0, 30.0),
    centre=(0.35, 0.65),
    distractor_counts=(0.5, 0.5),
)
"""One object near the middle and at most one distractor, the look of `draw_object`."""
