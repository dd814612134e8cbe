"""Image-level labels as people have them: tables, XML, arrays, folders (not in the paper)."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wsss.data.labels import VOC_CLASSES, find_labels, object_names
from wsss.errors import InputError


class OwnLabels(NamedTuple):
    """What the photos show.

    Attributes
    ----------
    shown : mapping
        From a photo's id to names of classes.
    classes : tuple of str
        All names, in the order in which masks number them from 1.
    """

    shown: Mapping[str, Sequence[str]]
    classes: tuple[str, ...]


def read_own_labels(found: Mapping[str, Path], photos: Path, labels: Path | None) -> OwnLabels:
    """Read labels of photos, whichever way they are given.

    The columns of a table of 0 and 1 number the classes; VOC's own names in XML, and the 20 columns
    of a ``.npy``, are numbered as VOC does; any other names as they are sorted.

    Parameters
    ----------
    found : mapping
        From an id to a photo, see `wsss.data.own.find_photos`.
    photos : Path
        The folder that they lie in.
    labels : Path or None
        See `wsss.data.own.adopt_photos`.

    Raises
    ------
    InputError
        If the labels cannot be read, or do not fit the photos.
    """
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
        return OwnLabels(shown, _sorted(shown))
    if not labels.exists():
        raise InputError(f"{labels}: no such labels")
    if labels.is_dir():
        shown = {
            each: sorted(object_names(labels / f"{path.stem}.xml")) for each, path in found.items()
        }
        ours = _sorted(shown)
        return OwnLabels(shown, VOC_CLASSES if set(ours) <= set(VOC_CLASSES) else ours)
    if labels.suffix == ".npy":
        rows = find_labels(labels, [], VOC_CLASSES)
        known = ways_to_name(found, photos)  # VOC's file names all of its photos
        named = {
            key: [VOC_CLASSES[i] for i in np.flatnonzero(row)]
            for key, row in rows.items()
            if key in known
        }
        classes = VOC_CLASSES
    else:
        named, columns = _table(labels)
        classes = columns or _sorted(named)
    return OwnLabels(_matched(found, photos, named, labels), classes)


def ways_to_name(found: Mapping[str, Path], photos: Path) -> dict[str, str]:
    """Map all that people call a photo to its id: path, file name, either without its ending.

    What two photos are called, in two folders say, names neither.
    """
    ways: dict[str, set[str]] = {}
    for image_id, path in found.items():
        relative = path.relative_to(photos)
        for name in (
            relative.as_posix(),
            relative.with_suffix("").as_posix(),
            path.name,
            path.stem,
        ):
            ways.setdefault(name, set()).add(image_id)
    return {name: ids.pop() for name, ids in ways.items() if len(ids) == 1}


def _sorted(shown: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    return tuple(sorted({name for names in shown.values() for name in names}))


def _matched(
    found: Mapping[str, Path], photos: Path, named: Mapping[str, Sequence[str]], labels: Path
) -> Mapping[str, Sequence[str]]:
    """Match names in a table with photos."""
    ways = ways_to_name(found, photos)
    shown = {ways[name]: classes for name, classes in named.items() if name in ways}
    if lost := [name for name in named if name not in ways]:
        raise InputError(
            f"{labels}: {len(lost)} of its names are no photo, or several in sub-folders, the "
            f"first {lost[0]!r}"
        )
    if rest := [path for image_id, path in found.items() if image_id not in shown]:
        raise InputError(f"{labels}: {len(rest)} photos have no label, the first {rest[0]}")
    return shown


def _table(path: Path) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """Labels by name, and the classes if they are columns."""
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
    try:
        header, *lines = [row for row in reader if any(map(str.strip, row))]
    except (csv.Error, ValueError) as error:  # ValueError: there is none
        raise InputError(f"{path}: cannot be read as a table ({error})") from error
    named: dict[str, list[str]] = {}
    for number, row in enumerate(lines, start=2):
        name, *cells = (cell.strip() for cell in row)
        if len(row) != len(header):
            raise InputError(f"{path}, line {number}: {len(row)} cells under {len(header)} titles")
        if name in named:
            raise InputError(f"{path}, line {number}: {name!r} stands there twice")
        named[name] = _names(cells, header[1:], f"{path}, line {number}")
    binary = all(cell.strip() in ("0", "1") for row in lines for cell in row[1:])
    return named, tuple(name.strip() for name in header[1:]) if binary else ()


def _names(cells: Sequence[str], header: Sequence[str], where: str) -> list[str]:
    if set(cells) <= {"0", "1"}:
        return [name.strip() for name, cell in zip(header, cells, strict=True) if cell == "1"]
    if len(cells) == 1:
        return [name for name in re.split(r"[;|\s]+", cells[0]) if name]
    raise InputError(f"{where}: {', '.join(cells)!r}; give 0 and 1, or one column of labels")
