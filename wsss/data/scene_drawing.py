"""How the demo's scenes are painted, with numpy alone; not in the paper.

Everything is float64, so that the rounding to bytes does not depend on the BLAS at work.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wsss.data.scene_look import (
    CLASSES,
    OBJECT_LOOK,
    PATTERNS,
    PRETRAINING_CLASSES,
    SIDE,
    Floats,
    SceneClass,
    SceneLook,
)


class _Object(NamedTuple):
    """One object before it is painted: where it is, what it is, which colour its body has."""

    label: int
    kind: SceneClass
    centre: Floats
    axes: Floats
    angle: float
    frame: tuple[Floats, Floats]
    inside: NDArray[np.bool_]
    colour: Floats


@lru_cache
def _gaussian(sigma: float, *, periodic: bool = True) -> Floats:
    """Matrix G such that ``G @ z @ G.T`` blurs z: ten times as fast as filtering at this size."""
    distance = np.abs(np.subtract.outer(np.arange(SIDE), np.arange(SIDE)))
    if periodic:
        distance = np.minimum(distance, SIDE - distance)
    weights = np.exp(-0.5 * (distance / sigma) ** 2)
    return weights / weights.sum(axis=1, keepdims=True)


def _smooth_noise(rng: np.random.Generator, sigma: float, channels: int = 1) -> Floats:
    """Blurred white noise of mean 0 and standard deviation 1, ``(SIDE, SIDE, channels)``."""
    noise = _gaussian(sigma) @ rng.standard_normal((channels, SIDE, SIDE)) @ _gaussian(sigma).T
    noise -= noise.mean(axis=(1, 2), keepdims=True)
    return np.moveaxis(noise / noise.std(axis=(1, 2), keepdims=True), 0, -1)


def _log_uniform(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    return math.exp(rng.uniform(math.log(bounds[0]), math.log(bounds[1])))


def _frame(centre: Floats, axes: Floats, angle: float) -> tuple[Floats, Floats]:
    """Coordinates (u along, v across) of every pixel in which the ellipse is the unit circle."""
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    dx, dy = x - centre[0], y - centre[1]
    cos, sin = math.cos(angle), math.sin(angle)
    return (dx * cos + dy * sin) / axes[0], (dy * cos - dx * sin) / axes[1]


def _background(rng: np.random.Generator, look: SceneLook) -> Floats:
    tint = rng.uniform(-look.background_tint, look.background_tint, 3)
    shade = look.background_shade * _smooth_noise(rng, 9.0)
    colour = 0.025 * _smooth_noise(rng, 9.0, channels=3)
    return rng.uniform(0.35, 0.65) + tint + shade + colour + 0.03 * _smooth_noise(rng, 1.2)


def _place_object(
    rng: np.random.Generator, classes: Sequence[SceneClass], look: SceneLook, background: Floats
) -> _Object:
    label = int(rng.integers(len(classes))) + 1
    centre = SIDE * rng.uniform(*look.centre, 2)
    axes = _log_uniform(rng, look.length) * np.array([1.0, rng.uniform(*look.aspect)])
    angle, phase = rng.uniform(0, 2 * np.pi, 2)
    u, v = _frame(centre, axes, angle)
    inside = np.hypot(u, v) <= 1 + 0.12 * np.sin(3 * np.arctan2(v, u) + phase)

    hue = np.array(classes[label - 1].hue)
    colour = look.body_hue * hue + (1 - look.body_hue) * rng.uniform(0.1, 0.9, 3)
    if rng.random() < look.camouflage:
        colour += look.likeness * (background[inside].mean(axis=0) - colour)
    return _Object(label, classes[label - 1], centre, axes, angle, (u, v), inside, colour)


def _paint_distractor(
    canvas: Floats, rng: np.random.Generator, look: SceneLook, objects: Sequence[_Object]
) -> None:
    centre = SIDE * rng.uniform(0, 1, 2)
    axes = rng.uniform(*look.distractor_length) * np.array([1.0, rng.uniform(0.5, 1.0)])
    angle, direction = rng.uniform(0, 2 * np.pi, 2)
    tint = rng.uniform(-look.distractor_tint, look.distractor_tint, 3)
    colour = rng.uniform(0.15, 0.85) + tint
    neighbour = objects[int(rng.integers(len(objects)))]
    if rng.random() < look.touching:
        # Centred on the outline: the object hides one half, the other half sticks out.
        u, v = neighbour.axes * (math.cos(direction), math.sin(direction))
        cos, sin = math.cos(neighbour.angle), math.sin(neighbour.angle)
        centre = neighbour.centre + np.array((u * cos - v * sin, u * sin + v * cos))
        colour += look.likeness * (neighbour.colour - colour)
    inside = np.hypot(*_frame(centre, axes, angle)) <= 1
    canvas[inside] = (colour + look.texture * _smooth_noise(rng, 1.2))[inside]


def _paint_object(canvas: Floats, rng: np.random.Generator, look: SceneLook, it: _Object) -> None:
    u, v = it.frame
    shading = 1 + rng.choice((-0.15, 0.15)) * u[..., None]
    body = it.colour * shading + look.texture * _smooth_noise(rng, 1.2)

    wavelength = max(look.min_wavelength, it.axes[0] * rng.uniform(*look.wavelength))
    head_centre = it.centre + 0.5 * it.axes[0] * np.array((math.cos(it.angle), math.sin(it.angle)))
    x, y = _frame(head_centre, np.full(2, wavelength), 0.0)
    light = PATTERNS[it.kind.pattern](x, y, rng)
    head = np.hypot((u - 0.5) / 0.42, v / 0.70) <= 1
    body += look.pattern_contrast * (head * np.where(light, 1.0, -1.0))[..., None]
    canvas[it.inside] = body[it.inside]


def draw_scene(
    rng: np.random.Generator,
    classes: Sequence[SceneClass] = CLASSES,
    look: SceneLook = SceneLook(),  # noqa: B008 - frozen
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw one scene: some objects over some distractors over a smooth background.

    Not in the paper. Later objects hide earlier ones.

    Parameters
    ----------
    rng
        Advanced by the drawing; the same state gives the same pixels.
    classes
        What the objects are drawn from, uniformly; the k-th has label k, from 1.
    look
        Sizes, colours, noise and how often the CRF is led astray.

    Returns
    -------
    image, mask
        ``(64, 64, 3)`` and ``(64, 64)`` uint8; in the mask 0 is background.

    Examples
    --------
    >>> image, mask = draw_scene(np.random.default_rng([0, 1]))
    >>> image.shape, mask.shape, bool(mask.any())
    ((64, 64, 3), (64, 64), True)
    """
    canvas = _background(rng, look)
    count = 1 + int(rng.choice(len(look.object_counts), p=look.object_counts))
    objects = [_place_object(rng, classes, look, canvas) for _ in range(count)]
    for _ in range(rng.choice(len(look.distractor_counts), p=look.distractor_counts)):
        _paint_distractor(canvas, rng, look, objects)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for it in objects:
        _paint_object(canvas, rng, look, it)
        mask[it.inside] = it.label

    lens = _gaussian(0.5, periodic=False)
    canvas = np.moveaxis(lens @ np.moveaxis(canvas, -1, 0) @ lens.T, 0, -1)
    canvas += look.pixel_noise * rng.standard_normal(canvas.shape)
    return np.rint(255 * canvas.clip(0, 1)).astype(np.uint8), mask


def draw_object(
    rng: np.random.Generator,
    classes: Sequence[SceneClass] = PRETRAINING_CLASSES,
    look: SceneLook = OBJECT_LOOK,
) -> tuple[NDArray[np.uint8], int]:
    """Draw one object near the middle, as ImageNet shows them; not in the paper.

    Parameters
    ----------
    rng, classes, look
        As for `draw_scene`; `look` should give exactly one object.

    Returns
    -------
    image, class_index
        ``(64, 64, 3)`` uint8, and the object's place in `classes`, from 0.

    Examples
    --------
    >>> image, index = draw_object(np.random.default_rng(0))
    >>> image.shape, 0 <= index < 24
    ((64, 64, 3), True)
    """
    image, mask = draw_scene(rng, classes, look)
    return image, int(mask.max()) - 1
