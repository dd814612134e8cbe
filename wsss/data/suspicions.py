"""What a data folder may hold that can be read and is not meant: the kinds `check_folder` knows.

Each is a fault that once made a wrong number without a word (not in the paper).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wsss.data.labels import Rows, unknown_names
from wsss.data.pictures import TURNED, opened
from wsss.data.voc import IGNORE_INDEX, VocFolder
from wsss.errors import InputError

Told = tuple[Literal["error", "warning"], str, str]
"""Level, kind and line of something found."""


@dataclass(frozen=True)
class Seen:
    """What decoding an image and its mask showed.

    Attributes
    ----------
    problems : tuple of Told
        What is wrong with the files themselves.
    mask : str
        Where the mask lies.
    shown : tuple of int or None
        Indices in the mask, of all classes of the folder; None without a mask that can be read.
    """

    problems: tuple[Told, ...]
    mask: str
    shown: tuple[int, ...] | None

    @property
    def damaged(self) -> bool:
        """Whether image or mask cannot be used."""
        return any(level == "error" for level, _, _ in self.problems)

    def told(self, labels: NDArray[np.bool_] | None, classes: Sequence[str]) -> Iterator[Told]:
        """Tell the problems, and where mask and labels (C,) contradict each other."""
        yield from self.problems
        if self.shown is None:
            return
        in_mask = {classes[k - 1] for k in self.shown if 0 < k <= len(classes)}
        if not in_mask and IGNORE_INDEX in self.shown:
            named = labels is None or bool(labels.any())
            yield (
                "error" if named else "warning",
                "mask without class",
                f"{self.mask}: holds 0 and 255 only; 255 is ignored: write the class's index "
                "where an object is",
            )
        elif labels is not None:
            by_label = {name for name, there in zip(classes, labels, strict=True) if there}
            if denied := sorted(in_mask - by_label):
                yield (
                    "error",
                    "contradiction",
                    f"{self.mask}: shows {denied[0]!r}, the labels say "
                    f"{', '.join(sorted(by_label)) or 'nothing'}; correct one of them",
                )
            elif lacking := sorted(by_label - in_mask):
                yield (
                    "warning",
                    "not in the mask",
                    f"{self.mask}: shows no {lacking[0]!r}, which the labels name; look at both",
                )


def look_at(folder: VocFolder, image_id: str) -> Seen:
    """Decode an image and its mask, each whatever the other is like; all classes of the folder."""
    image, mask = folder.picture_path(image_id), folder.mask_path(image_id)
    problems: list[Told] = []
    turned = 1
    try:
        folder.image(image_id)
        with opened("image", image) as picture:
            turned = picture.getexif().get(TURNED, 1)
    except InputError as error:
        problems.append(("error", "image", str(error)))
    if turned != 1:
        problems.append(
            (
                "warning",
                "turned by the camera",
                f"{image}: EXIF orientation {turned} is not applied, the pixels are read as "
                "stored; turn image and mask alike, or take the tag out",
            )
        )
    if not folder.has_mask(image_id):
        return Seen(tuple(problems), str(mask), None)
    try:
        shown = tuple(np.unique(folder.mask(image_id)).tolist())
        return Seen(tuple(problems), str(mask), shown)
    except InputError as error:
        if str(error) not in {line for _, _, line in problems}:  # its image's
            problems.append(("error", "mask", str(error)))
        return Seen(tuple(problems), str(mask), None)


def shared_ids(folder: VocFolder, listed: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Tell of images that are both trained on and tested on.

    ``trainval`` is what it says, and no split to train on beside val.
    """
    learnt = [each for each in listed if each.startswith("train") and "val" not in each]
    for train in learnt:
        for held_out in (each for each in listed if each.startswith(("val", "test"))):
            if both := sorted(set(listed[train]) & set(listed[held_out])):
                yield (
                    f"{folder.root / 'ImageSets' / 'Segmentation' / held_out}.txt: {len(both)} of "
                    f"{len(listed[held_out])} images are in {train} too, the first {both[0]!r}; "
                    "take them out of one"
                )


def left_by_macos(folder: VocFolder) -> Iterator[str]:
    """Tell of the ``._NAME`` files that macOS leaves beside its own on other disks."""
    for place in ("JPEGImages", "SegmentationClass", "Annotations", "ImageSets/Segmentation"):
        if found := sorted((folder.root / place).glob("._*")):
            yield (
                f"{found[0]}: {len(found)} files named ._* are macOS's notes, not pictures; "
                "delete them"
            )


def unknown_objects(folder: VocFolder, ids: Sequence[str]) -> Iterator[str]:
    """Tell of names in VOC's XML that are no class of the folder: such objects are not seen."""
    source = folder.label_source
    if source is None or not source.is_dir():
        return
    where: dict[str, list[str]] = {}
    for name, path in unknown_names(source, ids, folder.every_class):
        where.setdefault(name, []).append(str(path))
    for name, paths in where.items():
        meant = get_close_matches(name, folder.every_class, 1)
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        yield (
            f"{paths[0]}{more}: <name>{name!r:.60} is no class of the folder and is left out; "
            + (f"write {meant[0]!r}" if meant else "correct it, or add it to classes.txt")
        )


def doubtful_labels(
    folder: VocFolder, split: str, ids: Sequence[str], rows: Rows
) -> Iterator[Told]:
    """Tell of images without any class: an error if it is all of a split."""
    nothing = [each for each in ids if each in rows and not rows[each].any()]
    if not nothing:
        return
    every = len(nothing) == len(ids)
    yield (
        "error" if every else "warning",
        "labels that are all zero",
        f"{folder.label_source}: {'all' if every else len(nothing)} of the {len(ids)} images of "
        f"{split!r} have no class, the first {nothing[0]!r}; label them"
        + ("" if every else ", or see that they show background only"),
    )


def left_out(folder: VocFolder, split: str) -> str:
    """Say in one line which of a folder's classes are left out; empty if none is."""
    missing = [name for name in folder.every_class if name not in folder.classes]
    if not missing:
        return ""
    ids = folder.ids(split)
    none = int((~folder.image_labels(ids).any(axis=1)).sum())
    shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
    return (
        f"{folder.root}: {len(missing)} of {len(folder.every_class)} classes are left out "
        f"({shown}); {none} of the {len(ids)} images of {split!r} show none of the others"
    )
