"""Drawn scenes for the demo, written into the VOC layout; not in the paper (it uses VOC 2012).

A scene is small enough to train on in seconds and made so that the paper's phenomena can appear:

- an object is a *body*, whose colour only hints at the class, with a small patterned *head* that
  gives the class away: a class activation map finds the head first and the rest reluctantly,
  while the coherent colour of the body lets a CRF complete it (Sec. 4.2);
- sizes are log-uniform and the pattern grows with its object, so that CAMs at different scales
  disagree (Sec. 4.3);
- dull blobs without a class lie about, so that "stands out" does not mean "is an object".

Everything is drawn in float64 by numpy alone, so that the rounding to bytes does not depend on the
BLAS at work.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wsss.data.labels import write_labels_csv
from wsss.data.pictures import save, write_mask_png
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
from wsss.errors import InputError

MIN_LABEL_PIXELS = 20
"""A class shown by fewer pixels than this is left out of the image-level labels."""

DRAWING_VERSION = 1
"""Goes up whenever the same random seed would give other pixels."""


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


def draw_object(rng: np.random.Generator) -> tuple[NDArray[np.uint8], int]:
    """Draw one object near the middle, as ImageNet shows them; not in the paper.

    Returns
    -------
    image, class_index
        ``(64, 64, 3)`` uint8, and the object's place in `PRETRAINING_CLASSES`, from 0.

    Examples
    --------
    >>> image, index = draw_object(np.random.default_rng(0))
    >>> image.shape, 0 <= index < 24
    ((64, 64, 3), True)
    """
    image, mask = draw_scene(rng, PRETRAINING_CLASSES, OBJECT_LOOK)
    return image, int(mask.max()) - 1


def write_scenes(
    folder: str | Path,
    *,
    train: int = 480,
    val: int = 400,
    pilot: int = 80,
    rng_seed: int = 1,
    look: SceneLook = SceneLook(),  # noqa: B008 - frozen
) -> Path:
    """Write the demo's data set in the VOC layout; the same arguments give the same bytes.

    Not in the paper. The folder gets ``JPEGImages/*.jpg`` (quality 95, full colour resolution),
    ``SegmentationClass/*.png``, ``ImageSets/Segmentation/{train,val,pilot}.txt``,
    ``labels.csv``, ``classes.txt`` and ``scenes.json`` with the arguments. It appears whole or
    not at all; where it already holds exactly these scenes nothing is done.

    Parameters
    ----------
    folder
        New, empty, or written by the same call before.
    train, val
        Number of scenes; their ids are ``scene_train_0000``, ``scene_val_0000`` and so on.
        Scene i does not depend on how many there are.
    pilot
        The first so many of train make up ``pilot.txt``: few images for the noise of Sec. 3.
    rng_seed
        Other numbers give other scenes, in train as well as in val.
    look
        See `SceneLook`.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
        The numbers make no sense, or the folder is in use for something else.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     folder = write_scenes(Path(parent, "scenes"), train=2, val=1, pilot=1)
    ...     sorted(path.name for path in folder.glob("JPEGImages/*"))
    ['scene_train_0000.jpg', 'scene_train_0001.jpg', 'scene_val_0000.jpg']
    """
    if min(train, val) < 1 or not 0 <= pilot <= train or rng_seed < 0:
        raise InputError(
            f"train={train}, val={val}, pilot={pilot}, rng_seed={rng_seed}: give train and val "
            "of at least 1, pilot between 0 and train, and a random seed of at least 0"
        )
    folder = Path(folder).resolve()
    arguments = {"train": train, "val": val, "pilot": pilot, "rng_seed": rng_seed}
    record = json.dumps(
        {"drawing_version": DRAWING_VERSION, **arguments, "look": asdict(look)}, indent=2
    )
    if _holds(folder, record):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be made ({error.strerror}); name a folder where you may write"
        ) from error
    with aside:
        complete = Path(aside.name, "scenes")
        _write_layout(complete, train, val, pilot, rng_seed, look)
        (complete / "scenes.json").write_text(record + "\n", encoding="utf-8")
        try:
            complete.rename(folder)
        except OSError:
            # Somebody filled the folder meanwhile: fine if with the same scenes.
            if not _holds(folder, record):
                raise
    return folder


def _holds(folder: Path, record: str) -> bool:
    """Whether the folder holds these very scenes; False where there is room for them."""
    try:
        found = (folder / "scenes.json").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        found = None
    if found == record + "\n":
        return True
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        what = "scenes drawn with other arguments" if found else "something else"
        raise InputError(f"{folder}: holds {what}; name a new folder or empty this one")
    return False


def _write_layout(
    folder: Path, train: int, val: int, pilot: int, rng_seed: int, look: SceneLook
) -> None:
    images, masks = folder / "JPEGImages", folder / "SegmentationClass"
    splits = folder / "ImageSets" / "Segmentation"
    for path in (images, masks, splits):
        path.mkdir(parents=True)
    every_id: list[str] = []
    present: list[NDArray[np.bool_]] = []
    for number, (split, count) in enumerate((("train", train), ("val", val))):
        ids = [f"scene_{split}_{i:04d}" for i in range(count)]
        for i, image_id in enumerate(ids):
            image, mask = draw_scene(np.random.default_rng([rng_seed, number, i]), look=look)
            how = {"format": "JPEG", "quality": 95, "subsampling": 0}
            save(Image.fromarray(image), images / f"{image_id}.jpg", **how)
            write_mask_png(masks / f"{image_id}.png", mask)
            pixels = np.bincount(mask.ravel(), minlength=len(CLASSES) + 1)[1:]
            present.append(pixels >= MIN_LABEL_PIXELS)
        _write_lines(splits / f"{split}.txt", ids)
        every_id += ids
    _write_lines(splits / "pilot.txt", every_id[:pilot])
    names = [kind.name for kind in CLASSES]
    _write_lines(folder / "classes.txt", names)
    write_labels_csv(folder / "labels.csv", every_id, names, np.stack(present))


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
