"""What is wrong with a data folder, found in one pass before hours of training find it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from wsss.data.labels import Rows
from wsss.data.suspicions import (
    Seen,
    doubtful_labels,
    left_by_macos,
    left_out,
    look_at,
    shared_ids,
    unknown_objects,
)
from wsss.data.voc import VocFolder
from wsss.errors import InputError

SHOWN = 10
"""Findings of one kind that are written out on the terminal."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or may be.

    Attributes
    ----------
    level : {"error", "warning"}
        Whether it has to be solved, or to be looked at.
    kind : str
        What findings of other files have in common with it: "unreadable", say.
    file, reason, remedy : str
        Where, what, and what to do.
    """

    level: Literal["error", "warning"]
    kind: str
    file: str
    reason: str
    remedy: str

    @classmethod
    def of(cls, level: Literal["error", "warning"], kind: str, line: str) -> Finding:
        """Take the line of an `InputError` apart.

        Examples
        --------
        >>> Finding.of("error", "unreadable", "a.jpg: it is damaged (cut; short); replace it")
        Finding(level='error', kind='unreadable', file='a.jpg', reason='it is damaged (cut; short)',
                remedy='replace it')
        """
        file, _, said = line.partition(": ")
        reason, _, remedy = said.rpartition("; ")
        return cls(level, kind, file, reason or remedy, remedy if reason else "")

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}" + (f"; {self.remedy}" if self.remedy else "")


@dataclass(frozen=True)
class SplitReport:
    """What one split of a data folder holds; each tuple names image ids.

    Examples
    --------
    >>> print(SplitReport("val", ("a", "b"), (), ("b",), (), (), {"cat": 2}, {"cat": 1}))
    val: 2 images, 1 without mask
      cat                 2 by labels      1 by masks
    """

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
    """Outcome of a check: the splits, what was found, and notes to know.

    Examples
    --------
    >>> found = Finding("error", "list", "a.txt", "empty", "fill it")
    >>> print(FolderReport("mine", (), (found,), ()))
    problem: a.txt: empty; fill it
    mine: 1 problem in 0 splits
    """

    root: str
    splits: tuple[SplitReport, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """Errors, a line each; they have to be solved."""
        return tuple(str(each) for each in self.findings if each.level == "error")

    @property
    def ok(self) -> bool:
        """Whether nothing needs to be solved."""
        return not self.problems

    def __str__(self) -> str:
        lines = [str(split) for split in self.splits]
        lines += [f"note: {note}" for note in self.notes]
        for level, word in (("warning", "warning"), ("error", "problem")):
            kinds = Counter(each.kind for each in self.findings if each.level == level)
            for kind, number in kinds.items():
                alike = [each for each in self.findings if (each.level, each.kind) == (level, kind)]
                lines += [f"{word}: {each}" for each in alike[:SHOWN]]
                if number > SHOWN:
                    lines.append(f"{word}: {number - SHOWN} more of these; --json names them all")
        warnings = sum(each.level == "warning" for each in self.findings)
        warned = f" and {warnings} warnings" if warnings else ""
        number = len(self.problems)
        lines.append(
            f"{self.root}: {number or 'no'} problem{'' if number == 1 else 's'}{warned} in "
            f"{len(self.splits)} splits"
        )
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """Return all of it as what JSON knows."""
        splits = [asdict(split) | {"ids": len(split.ids)} for split in self.splits]
        findings = [asdict(each) for each in self.findings]
        return {"root": self.root, "ok": self.ok, "splits": splits, "findings": findings} | {
            "notes": list(self.notes)
        }


def check_folder(root: str | Path, classes: Sequence[str] | None = None) -> FolderReport:
    """Decode every listed image and mask of a data folder, look up its labels, and report.

    One pass finds all: what is missing or damaged, labels and masks that contradict each other or
    the names of the classes, and what is suspicious (`wsss.data.suspicions`). A split whose images
    all lack masks, or all lack labels, is noted, for it can still serve (training needs no masks,
    evaluation no labels); one where only some do is an error. What a choice of classes leaves out
    is noted as well. `InputError` as in `VocFolder`.

    Examples
    --------
    >>> import tempfile
    >>> from wsss.data.scenes import write_scenes
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_scenes(Path(folder), train=1, val=1, pilot=1, rng_seed=0)
    ...     report = check_folder(folder)
    >>> report.ok, [len(split.ids) for split in report.splits]
    (True, [1, 1, 1])
    """
    folder, whole = VocFolder(root, classes), VocFolder(root)
    found: dict[Finding, None] = {}  # ordered, and each once if splits share images
    notes: list[str] = []
    listed: dict[str, list[str]] = {}

    def tell(level: Literal["error", "warning"], kind: str, lines: Iterable[str]) -> None:
        found.update(dict.fromkeys(Finding.of(level, kind, line) for line in lines))

    for split in folder.splits():
        try:
            listed[split] = folder.ids(split)
        except InputError as error:
            tell("error", "list", [str(error)])
    if not folder.splits():
        line = f"{folder.root}: ImageSets/Segmentation lists no split; write train.txt and val.txt"
        tell("error", "list", [line])
    tell("error", "shared ids", shared_ids(folder, listed))
    tell("warning", "side file", left_by_macos(folder))

    every_id = sorted({image_id for ids in listed.values() for image_id in ids})
    every_row, rows = _labels_of(folder, whole, every_id, tell)
    seen: dict[str, Seen] = {}
    for image_id in every_id:
        seen[image_id] = look_at(whole, image_id)
        for level, kind, line in seen[image_id].told(every_row.get(image_id), folder.every_class):
            tell(level, kind, [line])
    for name, ids in listed.items():
        for level, kind, line in doubtful_labels(folder, name, ids, every_row):
            tell(level, kind, [line])

    splits = []
    for name, ids in listed.items():
        split = _report(folder, name, ids, rows, seen)
        splits.append(split)
        if len(folder.classes) < len(folder.every_class) and not split.missing_labels:
            with suppress(InputError):  # told above
                notes.append(left_out(folder, name))
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
                line = f"{len(lacking)} of {len(ids)} images are without {what}, the first "
                tell("error", "lacking", [f"{name}: {line}is {lacking[0]}; {purpose}"])
    return FolderReport(str(folder.root), tuple(splits), tuple(found), tuple(notes))


def _labels_of(
    folder: VocFolder, whole: VocFolder, ids: Sequence[str], tell: Any
) -> tuple[Rows, Rows]:
    """Read the labels of all of the folder's classes, and of those that are looked at."""
    try:
        rows = folder.find_labels(ids)
        every = whole.find_labels(ids) if folder.classes != whole.classes else rows
        tell("error", "unknown class", unknown_objects(whole, ids))
    except InputError as error:
        tell("error", "labels", [str(error)])
        return {}, {}
    return every, rows


def _report(
    folder: VocFolder, name: str, ids: Sequence[str], rows: Rows, seen: dict[str, Seen]
) -> SplitReport:
    labels = np.array([rows[each] for each in ids if each in rows], bool)
    labels = labels.reshape(-1, len(folder.classes))
    number = {each: folder.every_class.index(each) + 1 for each in folder.classes}
    by_mask = Counter(label for each in ids for label in seen[each].shown or ())
    missing = tuple(each for each in ids if not folder.has_image(each))
    return SplitReport(
        name=name,
        ids=tuple(ids),
        missing_images=missing,
        missing_masks=tuple(each for each in ids if not folder.has_mask(each)),
        missing_labels=tuple(each for each in ids if each not in rows),
        damaged=tuple(each for each in ids if seen[each].damaged and each not in missing),
        labelled=dict(zip(folder.classes, labels.sum(axis=0).tolist(), strict=True)),
        segmented={each: by_mask[number[each]] for each in folder.classes},
    )
