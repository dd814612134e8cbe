"""Photos and labels as people have them, made a data folder (not in the paper)."""

from __future__ import annotations

import filecmp
import random
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from wsss.data.cam_dicts import read_dict_seed
from wsss.data.labels import numbered, require_classes, write_labels_csv
from wsss.data.own_files import (
    find_photos,
    mark,
    named_like,
    not_read,
    read_photo_list,
    require_free,
    ways_to_name,
)
from wsss.data.own_labels import read_own_labels
from wsss.data.pictures import TURNED, opened, read_image, save, write_mask_png
from wsss.data.suspicions import Seen
from wsss.data.voc import SEEDS, VocFolder
from wsss.errors import InputError, require_writable
from wsss.files import atomic_write, files_below, write_text

LONGEST = 100
"""Times its shorter side that a photo is long at most: one shrunk to a line has no maps."""
FEW = 5
"""Photos of a class below which a warning is due."""


@dataclass(frozen=True)
class Understood:
    """What was made of photos and labels.

    Attributes
    ----------
    files : mapping
        From an id to the photo it stands for.
    ways : mapping
        From all that people call a photo to its id, see `wsss.data.own_files.ways_to_name`.
    classes : tuple of str
        Names, as masks number them from 1.
    shown : mapping
        From an id to the classes that the photo shows.
    train, val : tuple of str
        Ids of the photos to learn from, and of those held out.
    masked : frozenset of str
        Ids of the photos with a mask.
    notes : tuple of str
        What else should be known, a line each.
    """

    files: Mapping[str, Path]
    ways: Mapping[str, str]
    classes: tuple[str, ...]
    shown: Mapping[str, Sequence[str]]
    train: tuple[str, ...]
    val: tuple[str, ...]
    masked: frozenset[str]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        counts, masks = self.counts, len(self.masked.intersection(self.val))
        seen = [name for name in self.classes if counts[name]]
        line = (
            f"{len(self.files)} photos, {len(self.train)} to learn from and {len(self.val)} held "
            f"out{f' with {masks} masks' if masks else ''}; {len(seen)} classes: "
            + ", ".join(f"{name} {counts[name]}" for name in seen)
        )
        return "\n".join([line, *self.warnings])

    @property
    def counts(self) -> dict[str, int]:
        """Photos to learn from that show each class."""
        found = Counter(name for each in self.train for name in self.shown[each])
        return {name: found[name] for name in self.classes}

    @property
    def warnings(self) -> list[str]:
        """What is likely to go wrong, a line each."""
        told, counts, photos = list(self.notes), self.counts, len(self.train)
        if nothing := sum(not self.shown[each] for each in self.train):
            told += [f"{nothing} photos show none of them and are learnt as background"]
        if never := [name for name in self.classes if not counts[name]]:
            told += [f"on no photo, and never predicted: {', '.join(never)}"]
        alike = Counter(name.casefold() for name in self.classes)
        if twice := [name for name in self.classes if alike[name.casefold()] > 1]:
            told += [
                f"told apart by capitals alone: {', '.join(twice)}; spell alike what is one class"
            ]
        if few := [name for name in self.classes if 0 < counts[name] < FEW]:
            told += [f"on fewer than {FEW} photos, too few to learn well: {', '.join(few)}"]
        if always := [name for name in self.classes if counts[name] == photos]:
            told += [
                f"on every photo: {', '.join(always)}; a classifier has nothing to tell it from, "
                "so add photos without it"
            ]
        return told


def adopt_photos(
    photos: Path,
    out: Path,
    *,
    labels: Path | None = None,
    masks: Path | None = None,
    val: float | Path = 0.2,
    leave_out: Sequence[Path] = (),
) -> Understood:
    """Make a data folder in the VOC layout of photos and labels as people have them.

    Parameters
    ----------
    photos : Path
        A folder; photos may lie in sub-folders, be JPEG, PNG, BMP or WebP and carry a camera's
        rotation. JPEGs that need not be turned are linked, others stored without loss.
    out : Path
        The data folder, new or empty; what an earlier call wrote is replaced.
    labels : Path, optional
        A table with a column of file names and one of 0 and 1 for each class, or with one column
        of labels separated by ``;``, ``,`` or ``|``, or by spaces where each word stands alone
        somewhere; a folder of VOC's XML; a ``cls_labels.npy``. Without it the name of a photo's
        first sub-folder is its class.
    masks : Path, optional
        Index PNGs named like the photos, of some or all of them: 0 background, then the classes,
        numbered as `wsss.data.own_labels.read_own_labels` says; 255 does not count.
    val : float or Path
        Share of the photos that is held out, drawn by a fixed random seed, of those with masks if
        masks are given, and never a class's last photo; or a list of them: file names, or lines of
        VOC's, DeepLab's and psa's lists.
    leave_out : sequence of Path
        Folders that hold no photos, though they may lie among them; `out` and `masks` are such.

    Raises
    ------
    InputError
        If there are no photos, one cannot be read, some have no label or the labels no photo, a
        mask does not fit, none is left to learn from or to score, or `out` holds files of others.
    """
    require_free(out, [photos, masks, labels], by="--out")
    found = find_photos(photos, [out, *leave_out, *([masks] if masks else [])])
    ways = ways_to_name(found, photos)
    shown, classes = read_own_labels(found, photos, labels)
    if not any(shown.values()):
        raise InputError(f"{labels or photos}: no photo shows any class")
    require_classes(classes, labels or photos)
    with_mask = {} if masks is None else named_like(ways, masks, ".png")
    if masks is not None and not with_mask:
        raise InputError(f"{masks}: no PNG is named like one of the photos; leave --masks out")
    ids = list(found)
    if isinstance(val, Path):
        held_out = read_photo_list(val, ways)
    else:
        held_out = _draw(
            [each for each in ids if not masks or each in with_mask], shown, round(val * len(ids))
        )
    train, held = (tuple(e for e in ids if (e in held_out) is there) for there in (False, True))
    if not train or (val and not held_out):
        raise InputError(
            f"{photos}: {len(train)} photos to learn from and {len(held_out)} held out (of no "
            "class the last one); each needs one at least, so add photos or choose another --val"
        )
    if masks is not None and (bare := [each for each in held if each not in with_mask]):
        raise InputError(f"{masks}: no mask of {len(bare)} photos held out, the first {bare[0]}")

    mark(out, by="--out")
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        require_writable(out / folder, "what is made of photos", by="--out")
    for image_id, path in tqdm(found.items(), desc="photos", disable=None, leave=False):
        _take(path, out / "JPEGImages", image_id)
    present = np.array([[name in shown[each] for name in classes] for each in ids], bool)
    write_labels_csv(out / "labels.csv", ids, classes, present)
    write_text(out / "classes.txt", "".join(f"{name}\n" for name in classes))
    for split, chosen in (("train", train), ("val", held)):
        path = out / "ImageSets" / "Segmentation" / f"{split}.txt"
        write_text(path, "".join(f"{each}\n" for each in chosen))
    for old in (out / "SegmentationClass").glob("*.png"):
        if old.stem not in with_mask:
            old.unlink()
    notes = [*not_read(photos), *_take_masks(VocFolder(out), with_mask)]
    if masks and (alone := len(files_below(masks, {".png"})) - len(with_mask)):
        notes.append(f"{masks}: PNGs not used, named like no photo or like several: {alone}")
    return Understood(found, ways, classes, shown, train, held, frozenset(with_mask), tuple(notes))


def _take(path: Path, folder: Path, image_id: str) -> None:
    """Link a JPEG that need not be turned; store any other photo as a PNG, pixel for pixel."""
    jpeg, png = folder / f"{image_id}.jpg", folder / f"{image_id}.png"
    pixels = read_image(path, turned=True)
    height, width = pixels.shape[:2]
    if min(height, width) < 2 or max(height, width) > LONGEST * min(height, width):
        raise InputError(f"{path}: {width} x {height} pixels; such a photo cannot be learnt from")
    with opened("image", path) as stored:
        as_it_is = stored.format == "JPEG" and stored.getexif().get(TURNED, 1) == 1
    if not as_it_is:
        jpeg.unlink(missing_ok=True)
        if not _holds(png, pixels):
            with atomic_write(png) as aside:
                save(Image.fromarray(pixels), aside, format="PNG")
        return
    png.unlink(missing_ok=True)
    if jpeg.is_symlink() and jpeg.resolve() == path.resolve():
        return
    if jpeg.is_file() and not jpeg.is_symlink() and filecmp.cmp(path, jpeg, shallow=False):
        return
    try:
        jpeg.unlink(missing_ok=True)
        jpeg.symlink_to(path.resolve())
    except OSError:  # not every disk has links
        with atomic_write(jpeg) as aside:
            shutil.copyfile(path, aside)


def _holds(path: Path, pixels: np.ndarray) -> bool:
    """Whether a picture is there already: another Pillow would write other bytes of the same."""
    try:
        return np.array_equal(read_image(path), pixels)
    except InputError:
        return False


def _draw(ids: Sequence[str], shown: Mapping[str, Sequence[str]], count: int) -> set[str]:
    """Draw photos to hold out; of no class the last one."""
    left = Counter(name for names in shown.values() for name in set(names))
    held_out: set[str] = set()
    for each in random.Random(0).sample(ids, len(ids)):
        if len(held_out) < count and all(left[name] > 1 for name in shown[each]):
            held_out.add(each)
            left.subtract(set(shown[each]))
    return held_out


def _take_masks(folder: VocFolder, masks: Mapping[str, Path]) -> Iterator[str]:
    """Store masks, each of which fits its photo; tell where labels contradict them."""
    told: dict[str, list[str]] = {}
    labels = folder.image_labels(list(masks))
    for (image_id, path), present in zip(masks.items(), labels, strict=True):
        mask = folder.index_map(path, image_id)
        write_mask_png(folder.mask_path(image_id), mask)
        seen = Seen((), str(path), tuple(np.unique(mask).tolist()))
        for _, kind, line in seen.told(present, folder.classes):
            told.setdefault(kind, []).append(line)
    for lines in told.values():
        yield lines[0] + (f" (and {len(lines) - 1} more such masks)" if len(lines) > 1 else "")
    if "contradiction" in told:
        yield (
            f"in masks 0 is background, {numbered(folder.classes)}; another order needs a table "
            "of 0 and 1"
        )


def adopt_seeds(source: Path, data: Path, understood: Understood) -> str:
    """Take seeds of another method into a data folder, and say of how many photos there are some.

    Parameters
    ----------
    source : Path
        Folder of index PNGs, or of psa's or irn's ``.npy``, named like the photos. A photo to learn
        from without one gets a seed that is unknown everywhere.
    data : Path
        The folder that `adopt_photos` made; they become ``seeds/NAME``, the name that of `source`.
    understood : Understood
        What that returned.

    Raises
    ------
    InputError
        If there is no such folder, no photo has a seed in it, or one cannot be read.
    """
    named = named_like(understood.ways, source, ".png", ".npy")
    into, folder, count = data / SEEDS / source.resolve().name, VocFolder(data), 0
    labels, denied = folder.image_labels(understood.train), []
    into.mkdir(parents=True, exist_ok=True)
    for image_id, present in zip(understood.train, labels, strict=True):
        path, size = named.get(image_id), folder.size(image_id)
        count += path is not None
        if path is None:
            seed = np.full(size, 255, np.uint8)
        elif path.suffix.lower() == ".npy":
            seed = folder.fitted(read_dict_seed(path, size), path, image_id)
        else:
            seed = folder.index_map(path, image_id)
        seen = Seen((), str(path), tuple(np.unique(seed).tolist()))
        told = seen.told(present, folder.classes) if path else ()
        denied += [line for _, kind, line in told if kind == "contradiction"]
        write_mask_png(into / f"{image_id}.png", seed)
    if not count:
        raise InputError(f"{source}: no ID.png nor ID.npy of a photo to learn from")
    lines = [f"seeds of {into.name} for {count} of {len(understood.train)} photos to learn from"]
    if denied:
        lines += [denied[0] + (f" (and {len(denied) - 1} more such seeds)" if denied[1:] else "")]
        lines += [f"in seeds 0 is background, {numbered(folder.classes)}"]
    return "\n".join(lines)
