"""Photos and labels as people have them, made a data folder (not in the paper)."""

from __future__ import annotations

import csv
import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
from PIL import Image, ImageOps

from wsss.data.labels import VOC_CLASSES, find_labels, write_labels_csv
from wsss.data.pictures import read_mask_png, unreadable, write_mask_png
from wsss.errors import InputError
from wsss.files import atomic_write

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
FORMATS = ("JPEG", "PNG", "BMP", "WEBP")
TURNED = 274
"""The EXIF tag that says how a camera was held."""


@dataclass(frozen=True)
class Understood:
    """What was made of photos and labels.

    Attributes
    ----------
    files : mapping
        From an id to the photo it stands for.
    classes : tuple of str
        Names, sorted.
    counts : mapping
        Photos that show each class.
    val : int
        Photos held out.
    """

    files: Mapping[str, Path]
    classes: tuple[str, ...]
    counts: Mapping[str, int]
    val: int

    def __str__(self) -> str:
        classes = ", ".join(f"{name} {self.counts[name]}" for name in self.classes)
        return (
            f"{len(self.files)} photos, {len(self.files) - self.val} to learn from and {self.val} "
            f"held out; {len(self.classes)} classes: {classes}"
        )


def adopt_photos(
    photos: Path,
    out: Path,
    *,
    labels: Path | None = None,
    masks: Path | None = None,
    val: float = 0.2,
) -> Understood:
    """Make a data folder in the VOC layout of photos and labels as people have them.

    Parameters
    ----------
    photos : Path
        A folder; photos may lie in sub-folders, be JPEG, PNG, BMP or WebP and carry a camera's
        rotation. JPEGs that need not be turned are linked, others stored without loss.
    out : Path
        The data folder; what an earlier call wrote is replaced.
    labels : Path, optional
        A table with a column of file names and one of 0 and 1 for each class, or with one column
        of labels separated by ``;``, ``|`` or spaces; a folder of VOC's XML; a ``cls_labels.npy``.
        Without it the name of a photo's first sub-folder is its class.
    masks : Path, optional
        Index PNGs named like the photos: 0 background, then the classes in sorted order.
    val : float
        Share of the photos that is held out, drawn by a fixed random seed.

    Returns
    -------
    Understood

    Raises
    ------
    InputError
        If there are no photos, one cannot be read, some have no label or the labels no photo, or a
        mask does not fit.
    """
    found = find_photos(photos)
    shown = _labels(found, photos, labels)
    classes = tuple(sorted({name for names in shown.values() for name in names}))
    if not classes:
        raise InputError(f"{labels or photos}: names no class")
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for image_id, path in found.items():
        _take(path, out / "JPEGImages", image_id)
        if masks is not None:
            _take_mask(masks, image_id, path, out, len(classes))
    ids = list(found)
    present = np.array([[name in shown[each] for name in classes] for each in ids], bool)
    write_labels_csv(out / "labels.csv", ids, classes, present)
    (out / "classes.txt").write_text("".join(f"{name}\n" for name in classes))
    drawn = random.Random(0).sample(ids, len(ids))
    held_out = set(drawn[: round(val * len(ids))])
    for split, chosen in (("train", set(ids) - held_out), ("val", held_out)):
        listed = "".join(f"{each}\n" for each in ids if each in chosen)
        (out / "ImageSets" / "Segmentation" / f"{split}.txt").write_text(listed)
    counts = dict(zip(classes, map(int, present.sum(0)), strict=True))
    return Understood(found, classes, counts, len(held_out))


def find_photos(folder: Path) -> dict[str, Path]:
    """Find the photos of a folder and its sub-folders, by an id without spaces or slashes.

    Raises
    ------
    InputError
        If there is no such folder, or no photo in it.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of photos")
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURES and p.is_file())
    found: dict[str, Path] = {}
    for path in (each for each in paths if not each.name.startswith("._")):  # macOS leaves these
        name = re.sub(r"[^\w.-]+", "_", path.relative_to(folder).with_suffix("").as_posix())
        while name in found:
            name += "_"
        found[name] = path
    if not found:
        raise InputError(f"{folder}: no photo; {', '.join(PICTURES)} are read, in sub-folders too")
    return found


def upright(path: Path) -> Image.Image:
    """Read a photo as a person sees it: RGB, turned as the camera says.

    Raises
    ------
    InputError
        If it is damaged, of another format, or larger than Pillow deems safe.
    """
    try:
        with Image.open(path, formats=FORMATS) as picture:
            if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
                raise InputError(f"{path}: {picture.mode} has more than 8 bits; save it with 8")
            return ImageOps.exif_transpose(picture).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, InputError):
            raise
        raise unreadable("photo", path, error) from error


def _take(path: Path, folder: Path, image_id: str) -> None:
    """Link a JPEG that need not be turned; store any other photo as a PNG, pixel for pixel."""
    jpeg, png = folder / f"{image_id}.jpg", folder / f"{image_id}.png"
    jpeg.unlink(missing_ok=True)
    png.unlink(missing_ok=True)
    picture = upright(path)
    with Image.open(path) as stored:
        as_it_is = stored.format == "JPEG" and stored.getexif().get(TURNED, 1) == 1
    if as_it_is:
        jpeg.symlink_to(path.resolve())
    else:
        with atomic_write(png) as aside:
            picture.save(aside, "PNG")


def _take_mask(masks: Path, image_id: str, photo: Path, out: Path, classes: int) -> None:
    paths = [masks / f"{name}.png" for name in (image_id, photo.stem)]
    path = next((each for each in paths if each.is_file()), None)
    if path is None:
        return
    mask, (width, height) = read_mask_png(path), upright(photo).size
    if mask.shape != (height, width):
        turned = " (it fits the photo before the camera's rotation)"
        raise InputError(
            f"{path}: {mask.shape[1]} x {mask.shape[0]} pixels, but the photo is {width} x {height}"
            + (turned if mask.shape == (width, height) else "")
        )
    if (strange := mask[(mask > classes) & (mask != 255)]).size:
        raise InputError(
            f"{path}: value {strange[0]}; {classes} classes are 1 to {classes}, or 255"
        )
    write_mask_png(out / "SegmentationClass" / f"{image_id}.png", mask)


def _labels(
    found: Mapping[str, Path], photos: Path, labels: Path | None
) -> Mapping[str, Sequence[str]]:
    """Names of the classes that each photo shows."""
    if labels is None:
        shown = {}
        for image_id, path in found.items():
            parts = path.relative_to(photos).parts
            if len(parts) < 2:
                raise InputError(
                    f"{path}: no label; put each class's photos into a folder of its name, or give "
                    "--labels"
                )
            shown[image_id] = [parts[0]]
        return shown
    if not labels.exists():
        raise InputError(f"{labels}: no such labels")
    if labels.is_dir():
        return {each: _xml_names(labels / f"{path.stem}.xml") for each, path in found.items()}
    if labels.suffix == ".npy":
        rows = find_labels(labels, [], VOC_CLASSES)
        named = {key: [VOC_CLASSES[i] for i in np.flatnonzero(row)] for key, row in rows.items()}
    else:
        named = _table(labels)
    return _matched(found, photos, named, labels)


def _matched(
    found: Mapping[str, Path], photos: Path, named: Mapping[str, Sequence[str]], labels: Path
) -> Mapping[str, Sequence[str]]:
    """Match names in a table with photos: by path, by file name or without its ending."""
    ways: dict[str, str] = {}
    for image_id, path in found.items():
        relative = path.relative_to(photos)
        for name in (
            relative.as_posix(),
            relative.with_suffix("").as_posix(),
            path.name,
            path.stem,
        ):
            ways.setdefault(name, image_id)
    shown = {ways[name]: classes for name, classes in named.items() if name in ways}
    if lost := [name for name in named if name not in ways]:
        raise InputError(f"{labels}: {len(lost)} of its names are no photos, the first {lost[0]!r}")
    if rest := [path for image_id, path in found.items() if image_id not in shown]:
        raise InputError(f"{labels}: {len(rest)} photos have no label, the first {rest[0]}")
    return shown


def _table(path: Path) -> dict[str, list[str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a table ({error})") from error
    title = text.partition("\n")[0]
    separator = max(",;\t", key=title.count)
    if not title.count(separator):
        raise InputError(
            f"{path}: its first line, {title!r:.60}, has no commas, semicolons or tabs"
        )
    reader = csv.reader(text.splitlines(), delimiter=separator)
    header, *lines = [row for row in reader if any(map(str.strip, row))]
    named: dict[str, list[str]] = {}
    for number, row in enumerate(lines, start=2):
        name, *cells = (cell.strip() for cell in row)
        if len(row) != len(header):
            raise InputError(f"{path}, line {number}: {len(row)} cells under {len(header)} titles")
        if name in named:
            raise InputError(f"{path}, line {number}: {name!r} stands there twice")
        named[name] = _names(cells, header[1:], f"{path}, line {number}")
    return named


def _names(cells: Sequence[str], header: Sequence[str], where: str) -> list[str]:
    if set(cells) <= {"0", "1"}:
        return [name.strip() for name, cell in zip(header, cells, strict=True) if cell == "1"]
    if len(cells) == 1:
        return [name for name in re.split(r"[;|\s]+", cells[0]) if name]
    raise InputError(f"{where}: {', '.join(cells)!r}; give 0 and 1, or one column of labels")


def _xml_names(path: Path) -> list[str]:
    try:
        objects: Iterable[ET.Element] = ET.parse(path).getroot().findall("object")
    except (OSError, ET.ParseError) as error:
        raise InputError(f"{path}: cannot be read as XML ({error})") from error
    return list(Counter(each.findtext("name", "").strip() for each in objects))
