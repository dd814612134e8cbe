"""Image-level labels, the only supervision of the paper (Sec. 4.1), from three kinds of source.

A table ``labels.csv`` that people can read, the XML annotations of PASCAL VOC, or the
``cls_labels.npy`` that code of the field passes around.
"""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wsss.errors import InputError, require_word
from wsss.files import atomic_write, read_text
from wsss.pickles import read_npy

VOC_CLASSES: tuple[str, ...] = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip
"""The 20 foreground classes of PASCAL VOC, in the order of their mask indices 1..20."""

Difficult = Literal["keep", "drop"]
Rows = dict[str, NDArray[np.bool_]]


def read_labels(
    source: str | Path,
    ids: Sequence[str],
    classes: Sequence[str],
    *,
    columns: Sequence[str] = VOC_CLASSES,
    difficult: Difficult = "keep",
) -> NDArray[np.bool_]:
    r"""Read image-level labels from a CSV, an ``Annotations`` folder or a ``cls_labels.npy``.

    Parameters
    ----------
    source
        A ``.csv`` with the header ``id,<class>,<class>,...``, in any order and with others between,
        and 0 or 1 below; a folder of VOC's ``ID.xml``; or a ``.npy`` that holds a dict from an
        image (the id, or the integer 2007000032 for 2007_000032) to an array of zeros and ones.
        The pickle in a ``.npy`` is read without executing it, see `wsss.pickles`.
    ids
        Ids of N images.
    classes
        Names of C foreground classes.
    columns
        What the columns of a ``.npy`` stand for; the file does not say.
    difficult
        ``"keep"`` counts every object box of the XML, and then equals ``cls_labels.npy`` on all
        images of train_aug and val. ``"drop"`` leaves objects marked difficult out unless the image
        has no others, as the first author's ICD code does; that takes 999 labels from 903 of the
        10,582 images of train_aug. The paper does not say. The other sources do not say which
        objects are difficult, so they cannot drop them.

    Returns
    -------
    (N, C) bool
        Labels.

    Raises
    ------
    InputError
        The source is absent, of another kind or damaged, a column is missing or doubled, a value is
        not 0 or 1, an id is doubled or missing, or difficult objects are to be dropped from a
        source that does not mark them.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "labels.csv")
    ...     _ = path.write_text("id,cat,dog\na,1,0\nb,1,1\n")
    ...     read_labels(path, ["b", "a"], ["dog", "cat"])
    array([[ True,  True],
           [False,  True]])
    >>> VOC_CLASSES[7], VOC_CLASSES[11]
    ('cat', 'dog')
    """
    rows = find_labels(source, ids, classes, columns=columns, difficult=difficult)
    missing = [image_id for image_id in ids if image_id not in rows]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InputError(
            f"{source}: no labels for image {missing[0]!r}{more}; add them or take the image "
            "out of the split"
        )
    return np.array([rows[image_id] for image_id in ids], bool).reshape(len(ids), len(classes))


def find_labels(
    source: str | Path,
    ids: Sequence[str],
    classes: Sequence[str],
    *,
    columns: Sequence[str] = VOC_CLASSES,
    difficult: Difficult = "keep",
) -> Rows:
    """Return the labels (C,) of those ids that have any; parameters as in `read_labels`."""
    source = Path(source)
    require_word("difficult", difficult, Difficult)
    if source.is_dir():
        return _xml_rows(source, ids, classes, difficult)
    if difficult != "keep":
        raise InputError(
            f"{source}: difficult={difficult!r} needs a folder of XML; this source does not say "
            "which objects are difficult"
        )
    if source.suffix == ".csv":
        return _csv_rows(source, classes)
    if source.suffix == ".npy":
        return _npy_rows(source, classes, columns)
    raise InputError(
        f"{source}: not a source of image-level labels; give a .csv, a .npy or a folder of XML"
    )


def require_classes(names: Sequence[str], where: Path) -> None:
    """Refuse names that are no foreground classes: what they number has to fit a byte.

    Examples
    --------
    >>> require_classes(["cat", "cat"], Path("classes.txt"))
    Traceback (most recent call last):
    wsss.errors.InputError: classes.txt: 'cat'; name 1 to 254 foreground classes, each once, ...
    """
    strange = next((name for name in names if not name.isprintable() or len(name) > 100), None)
    if strange is not None:
        raise InputError(f"{where}: {strange!r:.100} is no name of a class; write it in letters")
    counts = Counter([*names, "", "background"])  # neither is a class
    wrong = [name for name in counts if counts[name] > 1]
    if wrong or not 1 <= len(names) <= 254:
        raise InputError(
            f"{where}: {repr(wrong[0]) if wrong else f'{len(names)} classes'}; name 1 to 254 "
            "foreground classes, each once, without background"
        )
    if "id" in names:
        raise InputError(
            f"{where}: a class cannot be called 'id', as the images' column is; rename it"
        )


def read_header(path: Path) -> list[str]:
    """Return the names of the columns of a ``labels.csv``, among them ``id``."""
    return _read_table(path, ["id"])[0]


def write_labels_csv(
    path: str | Path, ids: Sequence[str], classes: Sequence[str], present: NDArray[np.bool_]
) -> None:
    """Write labels (N, C) as the table that `read_labels` reads.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "labels.csv")
    ...     write_labels_csv(path, ["a"], ["cat", "dog"], np.array([[False, True]]))
    ...     print(path.read_text().strip())
    id,cat,dog
    a,0,1
    """
    if present.shape != (len(ids), len(classes)):
        raise InputError(
            f"{path}: labels of shape {present.shape} do not fit {len(ids)} ids and "
            f"{len(classes)} classes"
        )
    with atomic_write(path) as aside, aside.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(["id", *classes])
        table.writerows(
            [image_id, *row] for image_id, row in zip(ids, present.astype(int), strict=True)
        )


def _read_table(path: Path, names: Sequence[str]) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Read the header, which has each of `names` once, and the rows with their lines."""
    try:
        text = read_text(path)
        lines = csv.reader(io.StringIO(text, newline=""), strict=True)
        header = [name.strip() for name in next(lines, [])]
        table = [(lines.line_num, row) for row in lines if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a CSV ({error})") from error
    for name in names:
        if header.count(name) != 1:
            raise InputError(
                f"{path}: column {name!r} occurs {header.count(name)} times in the header; the "
                "header is id,<class>,<class>,..."
            )
    return header, table


def _csv_rows(path: Path, classes: Sequence[str]) -> Rows:
    header, table = _read_table(path, ["id", *classes])
    id_column, *columns = (header.index(name) for name in ("id", *classes))
    rows: Rows = {}
    for line, row in table:
        where = f"{path}, line {line}"
        if len(row) != len(header):
            raise InputError(f"{where}: {len(row)} values under {len(header)} column names")
        image_id, values = row[id_column].strip(), [row[column].strip() for column in columns]
        bad = next((value for value in values if value not in {"0", "1"}), None)
        if bad is not None:
            raise InputError(f"{where}: label {bad!r} of image {image_id!r}; write 0 or 1")
        if image_id in rows:
            raise InputError(f"{where}: image {image_id!r} has labels twice; remove one line")
        rows[image_id] = np.array([value == "1" for value in values], bool)
    return rows


def _xml_rows(
    folder: Path, ids: Sequence[str], classes: Sequence[str], difficult: Difficult
) -> Rows:
    rows: Rows = {}
    for image_id in ids:
        path = folder / f"{image_id}.xml"
        if path.is_file():
            names = object_names(path, difficult)
            rows[image_id] = np.array([name in names for name in classes], bool)
    return rows


def numbered(classes: Sequence[str]) -> str:
    """Write classes with the numbers that they have in masks.

    Examples
    --------
    >>> numbered(["owl", "rail"])
    '1 owl, 2 rail'
    """
    return ", ".join(f"{number} {name}" for number, name in enumerate(classes, start=1))


def object_names(path: Path, difficult: Difficult = "keep") -> set[str]:
    """Read the names of the objects in a VOC annotation, known classes or not."""
    try:
        if not path.is_file():  # a pipe, say, would be waited for
            raise FileNotFoundError("no file")
        annotation = ET.parse(path).getroot()
    except (OSError, ET.ParseError, LookupError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: cannot be read as XML ({reason})") from error
    if annotation.tag != "annotation":
        raise InputError(f"{path}: <{annotation.tag}> is not a VOC annotation")
    objects = annotation.findall("object")  # not their parts, which have names too
    if difficult == "drop":
        easy = [each for each in objects if each.findtext("difficult", "0").strip() != "1"]
        objects = easy or objects
    names = {each.findtext("name", "").strip() for each in objects}
    if "" in names:
        raise InputError(f"{path}: an <object> has no <name>; name its class")
    return names


def unknown_names(
    folder: str | Path, ids: Sequence[str], classes: Sequence[str]
) -> Iterator[tuple[str, Path]]:
    """Find names in VOC's XML that are none of all classes, and where: such objects are lost."""
    for path in (Path(folder) / f"{each}.xml" for each in ids):
        for name in sorted(object_names(path)) if path.is_file() else ():
            if name not in classes:
                yield name, path


def _npy_rows(path: Path, classes: Sequence[str], columns: Sequence[str]) -> Rows:
    unknown = [name for name in classes if name not in columns]
    if unknown:
        raise InputError(
            f"{path}: no column for class {unknown[0]!r}; its columns are {', '.join(columns)}"
        )
    try:
        mapping = read_npy(path)
    except UnpicklingError as error:
        raise InputError(f"{error}; write the labels as a CSV instead") from None
    if not isinstance(mapping, dict):
        raise InputError(f"{path}: holds no dict; write the labels as a CSV instead")
    picked = [list(columns).index(name) for name in classes]
    rows: Rows = {}
    for key, row in mapping.items():
        if isinstance(key, str):
            image_id = key
        elif isinstance(key, int | np.integer) and 0 <= key < 10**10:
            image_id = "{:04d}_{:06d}".format(*divmod(int(key), 10**6))
        else:
            raise InputError(f"{path}: a key is no image id such as '2007_000032' or 2007000032")
        if not isinstance(row, np.ndarray) or row.dtype == object or row.ndim != 1:
            raise InputError(f"{path}: a value is no array of numbers with one dimension")
        if image_id in rows:
            raise InputError(f"{path}: image {image_id!r} has labels twice; remove one entry")
        if row.shape != (len(columns),) or not np.isin(row, (0, 1)).all():
            raise InputError(
                f"{path}: the labels of image {image_id!r} are not {len(columns)} zeros and ones"
            )
        rows[image_id] = row[picked] == 1
    return rows
