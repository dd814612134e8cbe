"""Image-level labels as people have them: tables, XML, arrays, folders (not in the paper)."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from wsss.data.labels import VOC_CLASSES, find_labels, object_names
from wsss.data.own_files import plain, ways_to_name
from wsss.errors import InputError
from wsss.files import read_text

BINARY = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}
"""How a table says whether a photo shows a class."""

NO_CLASSES = {"label", "labels", "class", "classes", "category", "target"}
"""What people call a column of labels, and hardly a class."""


OwnLabels = tuple[Mapping[str, Sequence[str]], tuple[str, ...]]
"""From a photo's id to names of classes; all names, as masks number them from 1."""


def read_own_labels(found: Mapping[str, Path], photos: Path, labels: Path | None) -> OwnLabels:
    """Read labels of photos, whichever way they are given.

    The columns of a table of 0 and 1 number the classes; VOC's own names in XML, and the 20 columns
    of a ``.npy``, are numbered as VOC does; other names by the alphabet, capitals aside. What is
    labelled ``background`` shows no class by that.

    Parameters
    ----------
    found : mapping
        From an id to a photo, see `wsss.data.own_files.find_photos`.
    photos : Path
        The folder that they lie in.
    labels : Path or None
        See `wsss.data.own.adopt_photos`.

    Returns
    -------
    OwnLabels
        The classes of each photo, and all of them.

    Raises
    ------
    InputError
        If the labels cannot be read, do not fit the photos, or name more than 254 classes.
    """
    shown, classes = _read(found, photos, labels)
    classes = tuple(name for name in classes if name.casefold() != "background")
    return {key: [n for n in names if n in classes] for key, names in shown.items()}, classes


def _read(found: Mapping[str, Path], photos: Path, labels: Path | None) -> OwnLabels:
    if labels is None:
        shown = {}
        for image_id, path in found.items():
            parts = path.relative_to(photos).parts
            if len(parts) < 2:
                raise InputError(
                    f"{path}: no label; put each class's photos into a folder of its name, or give "
                    "--labels"
                )
            shown[image_id] = [plain(parts[0].strip())]
        return shown, _sorted(shown)
    if not labels.exists():
        raise InputError(f"{labels}: no such labels; give a table, a folder of XML or a .npy")
    ways = ways_to_name(found, photos)
    if labels.is_dir():
        files = {each: _xml(path.relative_to(photos), labels, ways) for each, path in found.items()}
        shown = {each: sorted(map(plain, object_names(path))) for each, path in files.items()}
        ours = _sorted(shown)
        return shown, VOC_CLASSES if set(ours) <= set(VOC_CLASSES) else ours
    if labels.suffix == ".npy":
        rows = find_labels(labels, [], VOC_CLASSES)
        named = {  # VOC's file names all of its photos
            key: [VOC_CLASSES[i] for i in np.flatnonzero(row)]
            for key, row in rows.items()
            if key in ways
        }
        classes = VOC_CLASSES
    else:
        named, columns = _table(labels, ways)
        classes = columns or _sorted(named)
    shown: dict[str, Sequence[str]] = {}
    for name, names in named.items():
        if (image_id := ways.get(plain(name))) in shown:
            raise InputError(f"{labels}: {name!r} is a photo that has a row already; leave one")
        if image_id:
            shown[image_id] = names
    if lost := [name for name in named if plain(name) not in ways]:
        raise InputError(
            f"{labels}: {len(lost)} of its names are no photo, or several in sub-folders, the "
            f"first {lost[0]!r}"
        )
    if rest := [path for image_id, path in found.items() if image_id not in shown]:
        raise InputError(
            f"{labels}: {len(rest)} photos have no label, the first {rest[0]}; a photo that shows "
            "none of the classes has a row as well"
        )
    return shown, classes


def _xml(photo: Path, labels: Path, ways: Mapping[str, str]) -> Path:
    """Find the XML of a photo: under its path, or under its name alone if no other has that."""
    path = labels / photo.with_suffix(".xml")
    if path.is_file() or plain(photo.stem) in ways:
        return path if path.is_file() else labels / f"{photo.stem}.xml"
    raise InputError(f"{path}: no such file, and several photos are called {photo.stem}")


def _sorted(shown: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    names = {name for names in shown.values() for name in names}
    return tuple(sorted(names, key=lambda name: (name.casefold(), name)))


def _table(path: Path, ways: Mapping[str, str]) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """Labels by name, and the classes if they are columns."""
    try:
        text = unicodedata.normalize("NFC", read_text(path))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: no table ({error}); save it as CSV in UTF-8") from error
    lines = text.split("\n")
    if told := re.fullmatch(r'"?sep=(.)"?', lines[0]):  # Excel is told so
        lines[0] = ""
    title = next(filter(None, lines), "")
    separator = told[1] if told else max(",;\t", key=title.count)
    if not title.count(separator):
        raise InputError(
            f"{path}: its first line, {title!r:.60}, has no commas, semicolons or tabs"
        )
    reader = csv.reader(io.StringIO("\n".join(lines), newline=""), delimiter=separator)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
        header, *rows = [(number, row) for number, row in rows if any(row)]
    except (csv.Error, ValueError) as error:  # ValueError: there is none
        raise InputError(f"{path}: cannot be read as a table ({error})") from error
    if plain(header[1][0]) in ways:
        if len(header[1]) > 2:
            raise InputError(f"{path}: its first line is a photo's; name the columns above it")
        header, rows = (0, ["file", "labels"]), [header, *rows]
    header = header[1]
    for number, row in rows:
        if len(row) != len(header):
            mark = "|" if separator == ";" else ";"
            hint = f"; write {mark} between the labels of a photo" * (len(row) > len(header) == 2)
            raise InputError(
                f"{path}, line {number}: {len(row)} cells under {len(header)} titles{hint}"
            )
    # Spreadsheets keep columns that were emptied.
    used = [i for i, title in enumerate(header) if title or any(row[i] for _, row in rows)]
    header, rows = [header[i] for i in used], [(n, [row[i] for i in used]) for n, row in rows]
    # People put the files last, or a number before them.
    at = max(range(len(header)), key=lambda i: sum(plain(row[i]) in ways for _, row in rows))
    named: dict[str, list[str]] = {}
    for number, row in rows:
        if (name := row.pop(at)) in named:
            raise InputError(
                f"{path}, line {number}: {name!r} stands there twice; join its labels by ;"
            )
        named[name] = list(map(_tidy, row))
    titles = [" ".join(title.split()) for title in (*header[:at], *header[at + 1 :])]
    if all(cell.lower() in BINARY for row in named.values() for cell in row):
        if named and len(titles) == 1 and titles[0].lower() in NO_CLASSES:
            raise InputError(
                f"{path}: one column of 0 and 1; give it the class's name as its title, or write "
                "names in it"
            )
        return {
            name: [title for title, cell in zip(titles, row, strict=True) if BINARY[cell.lower()]]
            for name, row in named.items()
        }, tuple(titles)
    for number, row in rows:
        odd = [pair for pair in zip(row, titles, strict=True) if pair[0].lower() not in BINARY]
        if odd and len(titles) > 1:
            cell, title = odd[0]
            raise InputError(
                f"{path}, line {number}: {cell!r} under {title!r}; give 0 and 1 in each column, or "
                "leave only one of labels beside the files"
            )
    split = _splitter([row[0] for row in named.values()], path)
    return {name: split(row[0]) for name, row in named.items()}, ()


def _tidy(cell: str) -> str:
    """Part words by one space each: some are pasted with others, that no one sees."""
    return "\n".join(" ".join(line.split()) for line in cell.split("\n")).strip()


def _splitter(cells: Sequence[str], where: Path) -> Callable[[str], list[str]]:
    """Decide what stands between labels in a column: ``;``, ``,``, ``|`` or a line, else spaces.

    Spaces part labels only where each word is a label alone elsewhere, for "polar bear" is one.
    """
    if any(re.search("[;,|\n]", cell) for cell in cells):
        return lambda cell: [name for each in re.split("[;,|\n]", cell) if (name := each.strip())]
    alone = {cell for cell in cells if " " not in cell}
    words = Counter(word for cell in {*cells} - alone for word in {*cell.split()})
    if all(word in alone for word in words):
        return str.split
    for cell in cells:
        if " " in cell and any(word in alone or words[word] > 1 for word in cell.split()):
            raise InputError(
                f"{where}: {cell!r} may be one label or several; write ; between labels, or behind "
                "one that is alone"
            )
    return lambda cell: [cell] * bool(cell)
