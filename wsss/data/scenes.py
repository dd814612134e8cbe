"""Drawn scenes for the demo, written into the VOC layout; not in the paper (it uses VOC 2012).

A scene is small enough to train on in seconds and made so that the paper's phenomena can appear:

- an object is a *body*, whose colour only hints at the class, with a small patterned *head* that
  gives the class away: a class activation map finds the head first and the rest reluctantly,
  while the coherent colour of the body lets a CRF complete it (Sec. 4.2);
- sizes are log-uniform and the pattern grows with its object, so that CAMs at different scales
  disagree (Sec. 4.3);
- dull blobs without a class lie about, so that "stands out" does not mean "is an object".
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wsss.data.labels import write_labels_csv
from wsss.data.scene_drawing import draw_object, draw_scene
from wsss.data.scene_look import (
    CLASSES,
    OBJECT_LOOK,
    PRETRAINING_CLASSES,
    SIDE,
    SceneClass,
    SceneLook,
)
from wsss.data.voc import write_mask_png
from wsss.errors import InputError

__all__ = [
    "CLASSES",
    "OBJECT_LOOK",
    "PRETRAINING_CLASSES",
    "SIDE",
    "SceneClass",
    "SceneLook",
    "draw_object",
    "draw_scene",
    "write_scenes",
]

MIN_LABEL_PIXELS = 20
"""A class shown by fewer pixels than this is left out of the image-level labels."""

DRAWING_VERSION = 1
"""Goes up whenever the same random seed would give other pixels."""


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
            Image.fromarray(image).save(images / f"{image_id}.jpg", quality=95, subsampling=0)
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
