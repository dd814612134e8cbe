"""Reader of the folder layout of PASCAL VOC, the data of the paper (Sec. 5.1).

::

    JPEGImages/ID.jpg                   images
    SegmentationClass/ID.png            masks, palette PNG: 0 background, 1.. classes, 255 ignore
    ImageSets/Segmentation/SPLIT.txt    ids, one a line
    labels.csv | cls_labels.npy | Annotations/ID.xml     image-level labels
    classes.txt                         foreground classes, one a line

Without classes.txt the classes are those that the header of labels.csv names in the order of the
masks' indices, or VOC's 20 where there is no such file or it names those.

Training on seeds needs images and labels; masks serve evaluation and the pilot of Sec. 3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsss.data.labels import (
    VOC_CLASSES,
    Difficult,
    Rows,
    find_labels,
    read_header,
    read_labels,
    require_classes,
    unknown_names,
)
from wsss.data.pictures import (
    read_image,
    read_image_size,
    read_mask_png,
    shrink,
    unreadable,
)
from wsss.data.subset import Subset
from wsss.errors import InputError
from wsss.files import read_text, remembered

IGNORE_INDEX = 255
LONGEST_ID = 200
"""In bytes, as file systems take 255 of a name, and endings are added."""
SEEDS = "seeds"
"""Folder of a data folder that holds seeds of others, one sub-folder a method."""
_LAYOUT = "JPEGImages/ID.jpg and ImageSets/Segmentation/SPLIT.txt"


class VocFolder:
    """One data folder, seen through a choice of its classes.

    Parameters
    ----------
    root
        The folder; nothing is ever written into it.
    classes
        Foreground classes to keep, by name; they are numbered 1..C in this order and pixels
        of every other class become 255. All of the folder's classes by default.
    labels
        Source of the image-level labels, see `wsss.data.labels.read_labels`. By default the
        first of ``labels.csv``, ``cls_labels.npy`` and ``Annotations`` that the folder holds.
    difficult
        Whether "difficult" objects of XML annotations count.
    longest_side
        Images and masks with a longer side are shrunk to it, see `wsss.data.pictures.shrink`.
    subset
        Only these images of one split.

    Attributes
    ----------
    classes, every_class : tuple[str, ...]
        Names of the C foreground classes, and of all that the folder has.

    Raises
    ------
    InputError
        The folder is no data folder, or a class or the source of labels is unknown.

    Examples
    --------
    >>> VocFolder("nowhere")
    Traceback (most recent call last):
    wsss.errors.InputError: nowhere: no such folder; give one that holds ...
    """

    def __init__(
        self,
        root: str | Path,
        classes: Sequence[str] | None = None,
        labels: str | Path | None = None,
        *,
        difficult: Difficult = "keep",
        longest_side: int | None = None,
        subset: Subset | None = None,
    ) -> None:
        self.root = Path(root)
        self._require_layout()
        self.every_class = self._read_classes()
        self.classes = self.every_class if classes is None else tuple(classes)
        self._new_index = self._renumbering()
        self._labels = None if labels is None else Path(labels)
        if self._labels is not None and not self._labels.exists():
            raise InputError(f"{self._labels}: no such source of image-level labels")
        self._difficult: Difficult = difficult
        self._longest_side = longest_side
        self._subset = subset

    def __repr__(self) -> str:
        return f"VocFolder({str(self.root)!r}, classes={self.classes})"

    def splits(self) -> list[str]:
        """Return the names of the splits, sorted."""
        return sorted(path.stem for path in self._lists.glob("[!.]*.txt"))

    def ids(self, split: str) -> list[str]:
        """Return the ids of `split` in the order of its file; blank lines are skipped."""
        ids, subset = self._listed(split), self._subset
        if subset is None or split != subset.split:
            return ids
        kept = set(self._listed(subset.keep)) if subset.keep in self.splits() else ()
        return subset.choose(ids, kept, self.image_labels(ids))

    def _listed(self, split: str) -> list[str]:
        if split not in self.splits():
            raise InputError(
                f"{self.root}: no split {split!r}; there are {', '.join(self.splits()) or 'none'}"
            )
        path = self._lists / f"{split}.txt"
        ids: dict[str, int] = {}
        for line, text in enumerate(_lines(path), start=1):
            if not text:
                continue
            if text in ids:
                raise InputError(
                    f"{path}, line {line}: {text!r} is on line {ids[text]} too; remove one"
                )
            if len(text.split()) > 1 or {"/", "\\"} & set(text) or not _is_name(text):
                raise InputError(f"{path}, line {line}: {text!r:.80} is no id; write one a line")
            ids[text] = line
        if not ids:
            raise InputError(f"{path}: names no image; write one id a line")
        return list(ids)

    def has_image(self, image_id: str) -> bool:
        """Whether there is a file for the image."""
        return self.picture_path(image_id).is_file()

    def has_mask(self, image_id: str) -> bool:
        """Whether there is a mask for the image."""
        return self.mask_path(image_id).is_file()

    def size(self, image_id: str) -> tuple[int, int]:
        """Return height and width of the stored image in pixels, from its header alone."""
        return read_image_size(self.picture_path(image_id))

    def image(self, image_id: str) -> NDArray[np.uint8]:
        """Return the image, (H, W, 3) uint8 RGB; `InputError` if it is missing or damaged."""
        return shrink(read_image(self.picture_path(image_id)), self._longest_side)

    def mask(self, image_id: str) -> NDArray[np.uint8]:
        """Return the mask, (H, W) uint8: 0 background, 1..C `classes`, 255 ignore.

        Raises
        ------
        InputError
            The mask is missing or damaged, is not made of class indices, or has another size
            than its image.
        """
        path = self.mask_path(image_id)
        if not path.is_file():
            raise InputError(f"{path}: no such mask; evaluation needs masks, training does not")
        return self.index_map(path, image_id)

    def index_map(self, path: Path, image_id: str) -> NDArray[np.uint8]:
        """Return a mask or seed of an image, (H, W) uint8 as from `mask`, wherever it lies."""
        return self.fitted(read_mask_png(path, classes=len(self.every_class)), path, image_id)

    def fitted(self, stored: NDArray[np.uint8], path: Path, image_id: str) -> NDArray[np.uint8]:
        """Return indices (H, W) uint8 that were read from `path` as `index_map` does."""
        highest = len(self.every_class)
        (h, w), (height, width) = stored.shape, self.size(image_id)
        if (h, w) != (height, width):
            turned = ", or turn it as the camera's EXIF orientation says"
            raise InputError(
                f"{path}: the mask is {w} x {h} pixels, its image {width} x {height}; resize one"
                + (turned if (h, w) == (width, height) else "")
            )
        wrong = np.unique(stored[(stored > highest) & (stored != IGNORE_INDEX)])
        if wrong.size:
            raise InputError(
                f"{path}: mask value {wrong[0]}; use 0 to {highest}, or {IGNORE_INDEX} for ignore"
            )
        return shrink(self._new_index[stored], self._longest_side)

    def image_labels(self, ids: Sequence[str]) -> NDArray[np.bool_]:
        """Return the image-level labels (N, C) of N images, columns in the order of `classes`."""
        source = self.label_source
        if source is None:
            raise InputError(
                f"{self.root}: no image-level labels; training needs labels.csv, "
                "cls_labels.npy or Annotations/ in the folder, or a source given as labels"
            )
        strange = unknown_names(source, ids, self.every_class) if source.is_dir() else iter(())
        if unknown := next(strange, None):
            raise InputError(
                f"{unknown[1]}: <name>{unknown[0]!r:.60} is no class of the folder, and would be "
                "left out; correct it, or add it to classes.txt"
            )
        return read_labels(
            source, ids, self.classes, columns=self.every_class, difficult=self._difficult
        )

    def find_labels(self, ids: Sequence[str]) -> Rows:
        """Return the labels (C,) of those of `ids` that have any."""
        source = self.label_source
        if source is None:
            return {}
        rows = find_labels(
            source, ids, self.classes, columns=self.every_class, difficult=self._difficult
        )
        return {image_id: rows[image_id] for image_id in ids if image_id in rows}

    def fingerprint(self, splits: Iterable[str], cache: Path | None = None) -> str:
        """Return the SHA-256 of all that `splits` hold: ids, labels, images and masks.

        It depends neither on where the folder lies nor on files outside the splits; an absent
        mask or label counts as such. With a `cache`, see `wsss.files.remembered`, what has not
        changed is not read again.
        """
        splits = sorted(set(splits))
        keep = self._subset.keep if self._subset else ""
        lists = [self._listed(split) for split in splits if split in self.splits()]
        read = sorted({each for ids in lists for each in ids})
        paths = [*map(self.picture_path, read), *map(self.mask_path, read)]
        if (labels := self.label_source) is not None:
            paths += [labels / f"{each}.xml" for each in read] if labels.is_dir() else [labels]
        what = (
            *(self.root.resolve(), labels, self._difficult, self._subset),
            *(self.classes, self.every_class, splits, lists),
            self._listed(keep) if keep in self.splits() else None,
        )
        return remembered(cache, what, paths, lambda: self._read_fingerprint(splits))

    def _read_fingerprint(self, splits: Sequence[str]) -> str:
        digest = hashlib.sha256()

        def add(content: bytes) -> None:
            digest.update(len(content).to_bytes(8, "big") + content)

        listed = {split: self.ids(split) for split in splits}
        add("\n".join(self.classes).encode())
        add("\n".join(self.every_class).encode())
        for split, ids in listed.items():
            add(split.encode())
            add("\n".join(ids).encode())
        every_id = sorted({image_id for ids in listed.values() for image_id in ids})
        labels = self.find_labels(every_id)
        for image_id in every_id:
            path = self.picture_path(image_id)
            try:
                if not path.is_file():  # a pipe, say, would be waited for
                    raise FileNotFoundError("no file")
                add(path.read_bytes())
            except OSError as error:
                raise unreadable("image", path, error) from error
            add(self.mask_path(image_id).read_bytes() if self.has_mask(image_id) else b"")
            add(labels[image_id].tobytes() if image_id in labels else b"")
        return digest.hexdigest()

    @property
    def _lists(self) -> Path:
        return self.root / "ImageSets" / "Segmentation"

    def picture_path(self, image_id: str) -> Path:
        """Return where an image lies, or should."""
        path = self.root / "JPEGImages" / f"{image_id}.jpg"
        stored = path.with_suffix(".png")  # as `wsss train` keeps what is no JPEG
        return stored if not path.is_file() and stored.is_file() else path

    def mask_path(self, image_id: str) -> Path:
        """Return where the mask of an image lies, or should."""
        return self.root / "SegmentationClass" / f"{image_id}.png"

    def _require_layout(self) -> None:
        if not self.root.is_dir():
            raise InputError(f"{self.root}: no such folder; give one that holds {_LAYOUT}")
        if not (self.root / "JPEGImages").is_dir() or not self._lists.is_dir():
            found = sorted(path.name for path in self.root.iterdir())
            shown = ", ".join(found[:6]) + (", ..." if len(found) > 6 else "")
            raise InputError(
                f"{self.root}: not a data folder; expected {_LAYOUT}, found {shown or 'nothing'}"
            )

    def _read_classes(self) -> tuple[str, ...]:
        path, table = self.root / "classes.txt", self.root / "labels.csv"
        if path.exists():
            names = tuple(name for name in _lines(path) if name)
        elif table.exists():
            path, names = table, tuple(name for name in read_header(table) if name != "id")
            known = [name for name in names if name in VOC_CLASSES]
            if known and len(known) < min(len(names), len(VOC_CLASSES)):
                other = next(name for name in names if name not in VOC_CLASSES)
                raise InputError(
                    f"{table}: names VOC's {known[0]!r} and, new to VOC, {other!r}; write the "
                    "classes of the masks' indices 1, 2, ... into classes.txt, one a line"
                )
            if known:
                return VOC_CLASSES
        else:
            return VOC_CLASSES
        require_classes(names, path)
        return names

    def _renumbering(self) -> NDArray[np.uint8]:
        unknown = [name for name in self.classes if name not in self.every_class]
        if unknown or len(set(self.classes)) != len(self.classes) or not self.classes:
            what = f"unknown class {unknown[0]!r}" if unknown else f"classes {self.classes}"
            once = f"name each once, out of {', '.join(self.every_class)}"
            raise InputError(f"{self.root}: {what}; {once}")
        new_index = np.full(256, IGNORE_INDEX, np.uint8)
        new_index[0] = 0
        for index, name in enumerate(self.classes, start=1):
            new_index[1 + self.every_class.index(name)] = index
        return new_index

    @property
    def label_source(self) -> Path | None:
        """Where the image-level labels are read from; None if the folder has none."""
        if self._labels is not None:
            return self._labels
        usual = (self.root / name for name in ("labels.csv", "cls_labels.npy", "Annotations"))
        return next((path for path in usual if path.exists()), None)


def _is_name(text: str) -> bool:
    """Whether files can be called so, and a terminal shows it as it is."""
    return text.isprintable() and len(text.encode(errors="replace")) <= LONGEST_ID


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in read_text(path).splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text ({error})") from error
