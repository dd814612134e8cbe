"""Where images come from: drawn scenes or a folder of photos; decoded once."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from wsss.data.labels import Difficult
from wsss.data.packed import PackedArrays, pack
from wsss.data.scene_look import SceneLook
from wsss.data.scenes import DRAWING_VERSION, write_scenes
from wsss.data.voc import Subset, VocFolder
from wsss.errors import InputError
from wsss.stages.stage import Results, Stage

_reading = threading.Lock()
"""Python parses what heads a file of NumPy, and not safely in threads before 3.11.8 and 3.12.2."""


class Scenes(Stage):
    """The demo's drawn scenes, written in the VOC layout (not in the paper).

    Examples
    --------
    >>> Scenes(train=100).splits, Scenes() == Scenes(train=480)
    (('train', 'val', 'pilot'), True)
    """

    reads_what_is_given = True
    stage: Literal["scenes"] = "scenes"
    version: Literal[1] = 1
    drawing_version: int = DRAWING_VERSION
    train: int = 480
    val: int = 400
    pilot: int = 80
    rng_seed: int = 1
    look: SceneLook = SceneLook()

    def compute(self, folder: Path, store: Results) -> None:
        """Draw and write them."""
        write_scenes(
            folder / "voc",
            train=self.train,
            val=self.val,
            pilot=self.pilot,
            rng_seed=self.rng_seed,
            look=self.look,
        )

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits."""
        return "train", "val", "pilot"

    def at(
        self, data: Path | None, *, recorded: str | None = None, cache: Path | None = None
    ) -> Scenes:
        """Return the scenes themselves: they are drawn, wherever the data folder lies."""
        return self

    def only(self, classes: tuple[str, ...] | None) -> Scenes:
        """Refuse a choice of classes."""
        raise InputError("classes are chosen of a folder of photos; drawn scenes have theirs")

    def open(self, store: Results) -> VocFolder:
        """Read them back as any data folder."""
        return VocFolder(store.folder(self) / "voc")


class PhotoFolder(Stage):
    """A data folder in the VOC layout, known by its content and not by where it lies.

    Attributes
    ----------
    fingerprint : str
        SHA-256 of images, masks and labels, see `wsss.data.voc.VocFolder.fingerprint`;
        "unread" as long as nothing but a plan is made.
    classes, splits : tuple of str
        Those that are read.
    labels : str or None
        Name, within the folder, of the source of image-level labels: a ``.csv``, a ``.npy`` or a
        folder of XML. None is the first of ``labels.csv``, ``cls_labels.npy`` and ``Annotations``.
    difficult : {"keep", "drop"}
        Whether "difficult" objects of the XML count, see `wsss.data.labels.read_labels`.
    longest_side : int or None
        Photos whose longer side is larger are shrunk to it.
    subset : Subset or None
        Only some images of one split.

    Examples
    --------
    >>> described = Photos(classes=("cat",), splits=("train",)).at(None)
    >>> described.fingerprint, described.name
    ('unread', 'photos')
    """

    reads_what_is_given = True
    stage: Literal["photos"] = "photos"
    version: Literal[1] = 1
    fingerprint: str
    classes: tuple[str, ...]
    splits: tuple[str, ...]
    labels: str | None = None
    difficult: Difficult = "keep"
    longest_side: int | None = None
    subset: Subset | None = None

    def compute(self, folder: Path, store: Results) -> None:
        """Make sure that the data folder at hand is the one described."""
        self.require_unchanged(store)

    def require_unchanged(self, store: Results) -> None:
        """Refuse a data folder whose content is another by now."""
        if self.open(store).fingerprint(self.splits) != self.fingerprint:
            raise InputError(f"{store.data}: its content changed meanwhile; start again")

    def open(self, store: Results) -> VocFolder:
        """Open the data folder at hand."""
        return self.folder(store.data)

    def folder(self, root: Path) -> VocFolder:
        """See a data folder as this source does."""
        return VocFolder(
            root,
            self.classes,
            None if self.labels is None else root / self.labels,
            difficult=self.difficult,
            longest_side=self.longest_side,
            subset=self.subset,
        )


@dataclass(frozen=True)
class Photos:
    """How a profile reads a data folder in the VOC layout; `at` makes it a stage.

    Attributes
    ----------
    classes : tuple of str or None
        Those that are read; None is all that the folder names.
    splits, optional_splits : tuple of str
        Those that are read, and those that are if the folder has them.
    labels, difficult, longest_side, subset
        As in `PhotoFolder`.

    Examples
    --------
    >>> Photos(classes=("cat", "dog"), longest_side=320).only(("cat",)).at(None).classes
    ('cat',)
    """

    classes: tuple[str, ...] | None = None
    splits: tuple[str, ...] = ("train", "val")
    optional_splits: tuple[str, ...] = ()
    labels: str | None = None
    difficult: Difficult = "keep"
    longest_side: int | None = None
    subset: Subset | None = None

    def only(self, classes: tuple[str, ...] | None) -> Photos:
        """Return the same with another choice of classes."""
        return replace(self, classes=classes)

    def at(
        self, data: Path | None, *, recorded: str | None = None, cache: Path | None = None
    ) -> PhotoFolder:
        """Describe a folder by its content.

        Parameters
        ----------
        data : Path or None
            The folder. Without one it is the folder whose results are recorded, or none yet: enough
            for a plan, while what computes asks for the folder.
        recorded : str, optional
            Fingerprint of the images that results are recorded of.
        cache : Path, optional
            File of fingerprints that saves reading what has not changed.

        Raises
        ------
        InputError
            If the folder cannot be read, or `labels` lies outside of it: a result is known by what
            was read, and not by where that lay.
        """
        splits = self.splits + self.optional_splits
        if data is None and self.classes is None:
            raise InputError("this profile reads photos: name their folder by --data or WSSS_DATA")
        if self.labels and (Path(self.labels).is_absolute() or ".." in Path(self.labels).parts):
            raise InputError(
                f"labels={self.labels!r} is outside {data}; copy it there and give its name within"
            )
        if data is not None:
            here = VocFolder(data).splits()
            splits = self.splits + tuple(each for each in self.optional_splits if each in here)
        described = PhotoFolder(
            fingerprint=recorded or "unread",
            classes=self.classes or VocFolder(data or Path()).classes,
            splits=splits,
            labels=self.labels,
            difficult=self.difficult,
            longest_side=self.longest_side,
            subset=self.subset,
        )
        if data is None:
            return described
        fingerprint = described.folder(data).fingerprint(splits, cache)
        return described.model_copy(update={"fingerprint": fingerprint})


Source = Annotated[Scenes | PhotoFolder, Field(discriminator="stage")]


@dataclass(frozen=True)
class LoadedImages:
    """A split in memory-mapped form: N images, their labels and, where there are any, masks."""

    ids: list[str]
    classes: tuple[str, ...]
    present: np.ndarray  # (N, C) bool
    images: PackedArrays  # (H, W, 3) uint8 each
    masks: PackedArrays | None  # (H, W) uint8 each


class Images(Stage):
    """One split, decoded once.

    Examples
    --------
    >>> Images(source=Scenes(), split="val").parents()[0].name
    'scenes'
    """

    reads_what_is_given = True
    stage: Literal["images"] = "images"
    version: Literal[1] = 1
    source: Source
    split: str

    def compute(self, folder: Path, store: Results) -> None:
        """Decode every image, and the masks if all are there: training needs none."""
        voc = self.source.open(store)
        ids = voc.ids(self.split)
        np.save(folder / "present.npy", voc.image_labels(ids))
        pack(folder / "images", (voc.image(name) for name in ids))
        if all(voc.has_mask(name) for name in ids):
            pack(folder / "masks", (voc.mask(name) for name in ids))
        described = {"ids": ids, "classes": voc.classes}
        (folder / "split.json").write_text(json.dumps(described))
        if isinstance(self.source, PhotoFolder):  # what was decoded is what it is known by
            self.source.require_unchanged(store)

    def load(self, store: Results) -> LoadedImages:
        """Open what `compute` wrote."""
        folder = store.folder(self)
        described = json.loads((folder / "split.json").read_text())
        masks = folder / "masks"
        with _reading:
            present = np.load(folder / "present.npy")
        return LoadedImages(
            ids=described["ids"],
            classes=tuple(described["classes"]),
            present=present,
            images=PackedArrays(folder / "images"),
            masks=PackedArrays(masks) if masks.is_file() else None,
        )

    def masks(self, store: Results, needed: str) -> PackedArrays:
        """Open the masks; `wsss.errors.InputError` if one is missing, with why it is needed."""
        loaded = self.load(store)
        if loaded.masks is not None:
            return loaded.masks
        lacking = "has no masks"
        if isinstance(self.source, PhotoFolder):
            voc = self.source.open(store)
            bare = [each for each in loaded.ids if not voc.has_mask(each)]
            if 0 < len(bare) < len(loaded.ids):
                lacking = f"lacks {len(bare)} of {len(loaded.ids)} masks, the first "
                lacking += str(voc.mask_path(bare[0]))
        raise InputError(f"split '{self.split}' {lacking}; {needed}")
