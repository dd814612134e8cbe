"""Drawn stand-ins for photos and their label maps: benchmarks need files of such a size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw


def photo(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Draw ellipses over gradients, with the noise of a camera."""
    shade = np.linspace(0, 60, width) + np.linspace(0, 90, height)[:, None]
    scene = Image.fromarray((shade[..., None] + [60, 80, 100]).clip(0, 255).astype(np.uint8))
    _draw_ellipses(scene, rng, 40, lambda: tuple(rng.integers(0, 256, 3).tolist()))
    pixels = np.asarray(scene) + rng.normal(0, 6, (height, width, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def label_map(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Draw ellipses of the labels 1 to 3, and of unknown, on background, (height, width)."""
    scene = Image.new("L", (width, height))
    _draw_ellipses(scene, rng, 6, lambda: int(rng.choice([1, 2, 3, 255])))
    return np.array(scene)


def _draw_ellipses(
    scene: Image.Image, rng: np.random.Generator, count: int, colour: Callable[[], object]
) -> None:
    pen = ImageDraw.Draw(scene)
    for _ in range(count):
        x, y = rng.uniform(0, scene.size)
        a, b = rng.uniform(10, 90, 2)
        pen.ellipse((x - a, y - b, x + a, y + b), fill=colour())  # pyright: ignore[reportArgumentType]
