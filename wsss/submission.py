"""Archives for VOC's test server, which alone knows the masks of test (Sec. 5.1, Table 7).

The server takes one ``tar.gz`` of ``results/VOC2012/Segmentation/comp6_test_cls/ID.png``: 8-bit
indexed PNGs with VOC's palette, each exactly as large as its image, one for every image of test.
``comp6`` is the competition that allows outside data, here ImageNet and the saliency's.
"""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wsss.data.labels import VOC_CLASSES
from wsss.data.pictures import shrink, voc_palette, write_mask_png
from wsss.errors import InputError
from wsss.files import atomic_write
from wsss.inference import Protocol, predict
from wsss.models.network import Network

FOLDER = PurePosixPath("results/VOC2012/Segmentation/comp6_test_cls")
ARCHIVE = "comp6_test_cls.tar.gz"
LARGEST = 10_000_000
"""Bytes of one PNG; the largest images of VOC have 250,000 pixels."""
SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER = struct.Struct(">16xIIBB")
"""Where a PNG has its width, height, bit depth and colour type."""
INDEXED = (8, 3)
"""Depth and type that the server takes."""

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
        ``out/comp6_test_cls.tar.gz``, which `check_submission` has passed. The same labels make
        the same bytes.

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
    ...     archive = write_submission(maps, {"2008_000006": (3, 4)}, folder)
    ...     print(archive.name, check_submission(archive, {"2008_000006": (3, 4)}))
    comp6_test_cls.tar.gz 1
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
        check_submission(aside, sizes)
    return out / ARCHIVE


def predict_full_size(
    model: Network,
    images: Sequence[NDArray[np.uint8]],
    protocol: Protocol,
    *,
    longest_side: int | None,
) -> list[NDArray[np.uint8]]:
    """Predict images at the size that a segmenter was trained at, and enlarge the label maps.

    Parameters
    ----------
    model, images, protocol
        As in `wsss.inference.predict`.
    longest_side
        To which the training photos were shrunk; None if they were not.

    Returns
    -------
    list of (H, W) uint8
        Label maps as large as the images.
    """
    seen = [shrink(image, longest_side) for image in images]
    return [
        np.asarray(Image.fromarray(labels).resize(image.shape[1::-1], Image.Resampling.NEAREST))
        for labels, image in zip(predict(model, seen, protocol), images, strict=True)
    ]


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


def check_submission(archive: str | Path, sizes: Sizes) -> int:
    """Check an archive as VOC's test server would, and say which file it would refuse.

    Parameters
    ----------
    archive
        A ``tar.gz``; nothing of it is unpacked.
    sizes
        Height and width of every image of the test set by its id.

    Returns
    -------
    int
        Number of label maps.

    Raises
    ------
    InputError
        If a file has another place, format, palette, size or label than the server takes, or if
        there are too few or too many.
    """
    archive = Path(archive)
    found: set[str] = set()
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                if member.isdir():
                    continue
                where = f"{archive}, {member.name}"
                name = PurePosixPath(member.name)
                if not member.isfile() or name.parent != FOLDER or name.suffix != ".png":
                    raise InputError(f"{where}: not a file {FOLDER}/ID.png")
                if name.stem not in sizes or name.stem in found:
                    what = "twice" if name.stem in found else "of no image of the test set"
                    raise InputError(f"{where}: a label map {what}")
                content = tar.extractfile(member)
                if content is None or member.size > LARGEST:
                    raise InputError(f"{where}: {member.size} bytes are too many for a label map")
                _check_png(where, content.read(), sizes[name.stem])
                found.add(name.stem)
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{archive}: cannot be read as a tar.gz ({reason})") from error
    if missing := sorted(sizes.keys() - found):
        raise InputError(
            f"{archive}, {FOLDER / missing[0]}.png: missing; {len(found)} label maps for "
            f"{len(sizes)} images"
        )
    return len(found)


def _check_labels(path: Path, label_map: NDArray[np.uint8], image_id: str, sizes: Sizes) -> None:
    if image_id not in sizes:
        raise InputError(f"{path}: a label map of no image of the test set")
    if label_map.shape != sizes[image_id]:
        height, width = sizes[image_id]
        raise InputError(f"{path}: {label_map.shape} labels for {height} rows of {width} pixels")
    if (highest := int(label_map.max())) > len(VOC_CLASSES):
        raise InputError(f"{path}: label {highest}; the server knows 0 to {len(VOC_CLASSES)}")


def _check_png(where: str, content: bytes, size: tuple[int, int]) -> None:
    if content[:8] != SIGNATURE or len(content) < HEADER.size:
        raise InputError(f"{where}: not a PNG")
    width, height, depth, colour = HEADER.unpack_from(content)
    if (depth, colour) != INDEXED:
        raise InputError(f"{where}: not an 8-bit indexed PNG, but {depth}-bit of type {colour}")
    if (height, width) != size:
        raise InputError(f"{where}: {width} x {height} pixels, its image {size[1]} x {size[0]}")
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            labels = np.array(picture)
            palette = np.array(picture.getpalette("RGB")).reshape(-1, 3)
    except (OSError, SyntaxError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{where}: a damaged PNG ({reason})") from error
    known = len(VOC_CLASSES) + 1
    if len(palette) < known or not np.array_equal(palette, voc_palette()[: len(palette)]):
        raise InputError(f"{where}: its palette is not VOC's")
    if labels.max() >= known:
        raise InputError(f"{where}: label {labels.max()}; the server knows 0 to {known - 1}")


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
