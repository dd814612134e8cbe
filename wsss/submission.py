"""Archives for VOC's test server, which alone knows the masks of test (Sec. 5.1, Table 7).

The server takes one ``tar.gz`` of ``results/VOC2012/Segmentation/comp6_test_cls/ID.png``: 8-bit
indexed PNGs with VOC's palette, each exactly as large as its image, one for every image of test.
``comp6`` is the competition that allows outside data, here ImageNet and the saliency's.
"""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from wsss.data.labels import VOC_CLASSES
from wsss.data.pictures import write_mask_png
from wsss.errors import InputError
from wsss.files import atomic_write

FOLDER = PurePosixPath("results/VOC2012/Segmentation/comp6_test_cls")
ARCHIVE = "comp6_test_cls.tar.gz"

Sizes = Mapping[str, tuple[int, int]]


def write_submission(
    label_maps: Iterable[tuple[str, NDArray[np.uint8]]], sizes: Sizes, out: str | Path
) -> Path:
    """Write the label maps of a test set as PNGs and as the archive that the server takes.

    Parameters
    ----------
    label_maps
        Ids and labels (H, W) uint8, 0 background, 1..20 VOC's classes, in any order; consumed one
        by one.
    sizes
        Height and width of every image of the test set by its id, as ``VocFolder.size`` gives them.
    out
        Folder to write into; a file of an earlier call that belongs to another test set is an
        error.

    Returns
    -------
    Path
        ``out/comp6_test_cls.tar.gz``. The same labels make the same bytes.

    Raises
    ------
    InputError
        If a label map is missing, twice, of another size or with another label, or belongs to no
        image of the test set. No archive is written then.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     maps = [("2008_000006", np.zeros((3, 4), np.uint8))]
    ...     print(write_submission(maps, {"2008_000006": (3, 4)}, folder).name)
    comp6_test_cls.tar.gz
    """
    out = Path(out)
    folder = out / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.glob("*.png")):  # before anything is predicted
        if path.stem not in sizes:
            raise InputError(f"{path}: a label map of no image of the test set; remove it")
    written: set[str] = set()
    for image_id, label_map in label_maps:
        path = folder / f"{image_id}.png"
        _check_labels(path, label_map, image_id, sizes)
        if image_id in written:
            raise InputError(f"{path}: two label maps for one image")
        write_mask_png(path, label_map)
        written.add(image_id)
    if missing := sorted(sizes.keys() - written):
        raise InputError(f"{folder / missing[0]}.png: {len(missing)} of {len(sizes)} are missing")
    with atomic_write(out / ARCHIVE) as aside:
        _pack(folder, aside)
    return out / ARCHIVE


def voc_numbers(classes: Sequence[str]) -> NDArray[np.uint8]:
    """Look up VOC's labels for those of a segmenter that knows some of VOC's classes.

    Parameters
    ----------
    classes
        Names of the C foreground classes, in the order of the segmenter's labels.

    Returns
    -------
    (C + 1,) uint8
        VOC's label of background and of each class.

    Raises
    ------
    InputError
        If VOC does not have one of them.

    Examples
    --------
    >>> voc_numbers(["cat", "person"])[np.array([[0, 1, 2]])]
    array([[ 0,  8, 15]], dtype=uint8)
    """
    if strange := [name for name in classes if name not in VOC_CLASSES]:
        raise InputError(
            f"VOC's test server does not know class '{strange[0]}'; train on VOC's classes"
        )
    return np.array([0, *(1 + VOC_CLASSES.index(name) for name in classes)], np.uint8)


def _check_labels(path: Path, label_map: NDArray[np.uint8], image_id: str, sizes: Sizes) -> None:
    if not image_id.isprintable() or len(image_id.encode(errors="replace")) > 200:
        raise InputError(f"{path.parent}: {image_id!r:.80} is no id that a file can have")
    if path.name != f"{image_id}.png" or image_id.startswith("."):
        raise InputError(f"{path}: {image_id!r} is no id, but a way out of the folder")
    if image_id not in sizes:
        raise InputError(f"{path}: a label map of no image of the test set")
    if label_map.shape != sizes[image_id]:
        height, width = sizes[image_id]
        raise InputError(f"{path}: {label_map.shape} labels for {height} rows of {width} pixels")
    if (highest := int(label_map.max(initial=0))) > len(VOC_CLASSES):
        raise InputError(f"{path}: label {highest}; the server knows 0 to {len(VOC_CLASSES)}")


def _pack(folder: Path, archive: Path) -> None:
    """Pack all PNGs of a folder; neither times nor users, so that equal labels are equal bytes."""
    with (
        archive.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for path in sorted(folder.glob("*.png")):
            entry = tarfile.TarInfo(str(FOLDER / path.name))
            entry.size = path.stat().st_size
            with path.open("rb") as content:
                tar.addfile(entry, content)
