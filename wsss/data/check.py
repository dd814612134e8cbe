"""What is wrong with a data folder, found before hours of training find it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsss.data.labels import Rows
from wsss.data.voc import VocFolder
from wsss.errors import InputError


@dataclass(frozen=True)
class SplitReport:
    """What one split of a data folder holds; each tuple names image ids."""

    name: str
    ids: tuple[str, ...]
    missing_images: tuple[str, ...]
    missing_masks: tuple[str, ...]
    missing_labels: tuple[str, ...]
    damaged: tuple[str, ...]
    labelled: dict[str, int]
    """Images per class according to the image-level labels."""
    segmented: dict[str, int]
    """Images per class according to the masks."""

    def __str__(self) -> str:
        counted = [f"{len(self.ids)} images"]
        for number, what in (
            (len(self.missing_images), "missing"),
            (len(self.damaged), "damaged"),
            (len(self.missing_labels), "without labels"),
            (len(self.missing_masks), "without mask"),
        ):
            if number:
                counted.append(f"{number} {what}")
        per_class = [
            f"  {name:<14} {self.labelled[name]:>6} by labels {self.segmented[name]:>6} by masks"
            for name in self.labelled
            if self.labelled[name] or self.segmented[name]
        ]
        return "\n".join([f"{self.name}: {', '.join(counted)}", *per_class])


@dataclass(frozen=True)
class FolderReport:
    """Outcome of a check: the splits, problems to solve and notes to know."""

    root: str
    splits: tuple[SplitReport, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing needs to be solved."""
        return not self.problems

    def __str__(self) -> str:
        lines = [str(split) for split in self.splits]
        lines += [f"note: {note}" for note in self.notes]
        lines += [f"problem: {problem}" for problem in self.problems]
        number = len(self.problems)
        lines.append(
            f"{self.root}: {number or 'no'} problem{'' if number == 1 else 's'} in "
            f"{len(self.splits)} splits"
        )
        return "\n".join(lines)


def check_folder(root: str | Path, classes: Sequence[str] | None = None) -> FolderReport:
    """Decode every listed image and mask of a data folder, look up its labels, and report.

    A split whose images all lack masks, or all lack labels, is noted, for it can still serve
    (training needs no masks, evaluation no labels); one where only some do is a problem. What a
    choice of classes leaves out is noted as well. `InputError` as in `VocFolder`.
    """
    folder = VocFolder(root, classes)
    problems: dict[str, None] = {}  # ordered, and each problem once if splits share images
    notes: list[str] = []
    listed: dict[str, list[str]] = {}
    for split in folder.splits():
        try:
            listed[split] = folder.ids(split)
        except InputError as error:
            problems[str(error)] = None
    if not folder.splits():
        problems[f"{folder.root}: ImageSets/Segmentation lists no split"] = None

    every_id = sorted({image_id for ids in listed.values() for image_id in ids})
    rows: Rows = {}
    try:
        rows = folder.find_labels(every_id)
    except InputError as error:
        problems[str(error)] = None
    damaged: set[str] = set()
    shown: dict[str, NDArray[np.uint8]] = {}  # the labels in each mask
    for image_id in every_id:
        try:
            folder.image(image_id)
            if folder.has_mask(image_id):
                shown[image_id] = np.unique(folder.mask(image_id))
        except InputError as error:
            problems[str(error)] = None
            damaged.add(image_id)

    splits = []
    for name, ids in listed.items():
        labels = np.array([rows[each] for each in ids if each in rows], bool)
        labels = labels.reshape(-1, len(folder.classes))
        by_mask = Counter(label for each in ids for label in shown.get(each, ()))
        missing = tuple(each for each in ids if not folder.has_image(each))
        split = SplitReport(
            name=name,
            ids=tuple(ids),
            missing_images=missing,
            missing_masks=tuple(each for each in ids if not folder.has_mask(each)),
            missing_labels=tuple(each for each in ids if each not in rows),
            damaged=tuple(each for each in ids if each in damaged and each not in missing),
            labelled=dict(zip(folder.classes, labels.sum(axis=0).tolist(), strict=True)),
            segmented={each: by_mask[k] for k, each in enumerate(folder.classes, start=1)},
        )
        splits.append(split)
        if len(folder.classes) < len(folder.every_class) and not split.missing_labels:
            notes.append(folder.left_out(name))
        for lacking, what, purpose in (
            (split.missing_masks, "a mask", "evaluation needs masks, training does not"),
            (
                split.missing_labels,
                "labels that can be read",
                "training needs labels, evaluation does not",
            ),
        ):
            if len(lacking) == len(ids):
                notes.append(f"{name}: no image has {what}; {purpose}")
            elif lacking:
                problems[
                    f"{name}: {len(lacking)} of {len(ids)} images are without {what}, the first "
                    f"is {lacking[0]}; {purpose}"
                ] = None
    return FolderReport(str(folder.root), tuple(splits), tuple(problems), tuple(notes))
