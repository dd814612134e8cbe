"""Where images come from: drawn scenes or a folder of photos; decoded once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from wsss.data.labels import Difficult
from wsss.data.packed import PackedArrays, pack
from wsss.data.scene_look import SceneLook
from wsss.data.scenes import DRAWING_VERSION, write_scenes
from wsss.data.voc import Subset, VocFolder
from wsss.errors import InputError
from wsss.stages.stage import Stage

if TYPE_CHECKING:
    from wsss.stages.store import Store


class Scenes(Stage):
    """The demo's drawn scenes, written in the VOC layout (not in the paper)."""

    stage: Literal["scenes"] = "scenes"
    version: Literal[1] = 1
    drawing_version: int = DRAWING_VERSION
    train: int = 480
    val: int = 400
    pilot: int = 80
    rng_seed: int = 1
    look: SceneLook = SceneLook()

    def compute(self, folder: Path, store: Store) -> None:
        """Draw and write them."""
        write_scenes(
            folder / "voc",
            train=self.train,
            val=self.val,
            pilot=self.pilot,
            rng_seed=self.rng_seed,
            look=self.look,
        )

    def open(self, store: Store) -> VocFolder:
        """Read them back as any data folder."""
        return VocFolder(store.folder(self) / "voc")


class PhotoFolder(Stage):
    """A data folder in the VOC layout, known by its content and not by where it lies.

    Attributes
    ----------
    fingerprint : str
        SHA-256 of images, masks and labels, see `VocFolder.fingerprint`.
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
    """

    stage: Literal["photos"] = "photos"
    version: Literal[1] = 1
    fingerprint: str
    classes: tuple[str, ...]
    splits: tuple[str, ...]
    labels: str | None = None
    difficult: Difficult = "keep"
    longest_side: int | None = None
    subset: Subset | None = None

    @classmethod
    def at(
        cls,
        root: Path,
        classes: Sequence[str],
        splits: Sequence[str],
        *,
        labels: str | None = None,
        difficult: Difficult = "keep",
        longest_side: int | None = None,
        subset: Subset | None = None,
        cache: Path | None = None,
    ) -> PhotoFolder:
        """Describe the folder at `root`, restricted to some classes.

        With a `cache`, see `wsss.files.remembered`, photos are read again only once they changed.

        Raises
        ------
        InputError
            If the folder cannot be read, or `labels` lies outside of it: a result is known by what
            was read, and not by where that lay.
        """
        if labels is not None and (Path(labels).is_absolute() or ".." in Path(labels).parts):
            raise InputError(
                f"labels={labels!r} is outside {root}; copy it there and give its name within"
            )
        described = cls(
            fingerprint="unread",
            classes=tuple(classes),
            splits=tuple(splits),
            labels=labels,
            difficult=difficult,
            longest_side=longest_side,
            subset=subset,
        )
        fingerprint = described.folder(root).fingerprint(splits, cache)
        return described.model_copy(update={"fingerprint": fingerprint})

    def compute(self, folder: Path, store: Store) -> None:
        """Make sure that the data folder at hand is the one described."""
        if self.open(store).fingerprint(self.splits) != self.fingerprint:
            raise InputError(f"{store.data}: its content changed meanwhile; start again")

    def open(self, store: Store) -> VocFolder:
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
    """One split, decoded once."""

    stage: Literal["images"] = "images"
    version: Literal[1] = 1
    source: Source
    split: str

    def compute(self, folder: Path, store: Store) -> None:
        """Decode every image, and the masks if all are there: training needs none."""
        voc = self.source.open(store)
        ids = voc.ids(self.split)
        np.save(folder / "present.npy", voc.image_labels(ids))
        pack(folder / "images", (voc.image(name) for name in ids))
        if all(voc.has_mask(name) for name in ids):
            pack(folder / "masks", (voc.mask(name) for name in ids))
        described = {"ids": ids, "classes": voc.classes}
        (folder / "split.json").write_text(json.dumps(described))

    def load(self, store: Store) -> LoadedImages:
        """Open what `compute` wrote."""
        folder = store.folder(self)
        described = json.loads((folder / "split.json").read_text())
        masks = folder / "masks"
        return LoadedImages(
            ids=described["ids"],
            classes=tuple(described["classes"]),
            present=np.load(folder / "present.npy"),
            images=PackedArrays(folder / "images"),
            masks=PackedArrays(masks) if masks.is_file() else None,
        )
