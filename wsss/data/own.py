"""Photos and labels as people have them, made a data folder (not in the paper)."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from wsss.data.cam_dicts import read_dict_seed
from wsss.data.labels import write_labels_csv
from wsss.data.own_labels import read_own_labels, ways_to_name
from wsss.data.pictures import TURNED, opened, read_mask_png, save, write_mask_png
from wsss.data.voc import SEEDS
from wsss.errors import InputError
from wsss.files import atomic_write

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")

FEW = 5
"""Photos of a class below which a warning is due."""


@dataclass(frozen=True)
class Understood:
    """What was made of photos and labels.

    Attributes
    ----------
    files : mapping
        From an id to the photo it stands for.
    classes : tuple of str
        Names, as masks number them from 1.
    counts : mapping
        Photos to learn from that show each class.
    train, val : tuple of str
        Ids of the photos to learn from, and of those held out.
    nothing : int
        Photos to learn from that show none of the classes.
    masks : int
        Masks of photos held out.
    """

    files: Mapping[str, Path]
    classes: tuple[str, ...]
    counts: Mapping[str, int]
    train: tuple[str, ...]
    val: tuple[str, ...]
    nothing: int
    masks: int

    def __str__(self) -> str:
        shown = [name for name in self.classes if self.counts[name]]
        lines = [
            f"{len(self.files)} photos, {len(self.train)} to learn from and {len(self.val)} held "
            f"out{f' with {self.masks} masks' if self.masks else ''}; {len(shown)} classes: "
            + ", ".join(f"{name} {self.counts[name]}" for name in shown)
        ]
        return "\n".join([*lines, *self.warnings])

    @property
    def warnings(self) -> list[str]:
        """What is likely to go wrong, a line each."""
        told, photos = [], len(self.train)
        if self.nothing:
            told += [f"{self.nothing} photos show none of them and are learnt as background"]
        if never := [name for name in self.classes if not self.counts[name]]:
            told += [f"on no photo, and never predicted: {', '.join(never)}"]
        if few := [name for name in self.classes if 0 < self.counts[name] < FEW]:
            told += [f"on fewer than {FEW} photos, too few to learn well: {', '.join(few)}"]
        if always := [name for name in self.classes if self.counts[name] == photos]:
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
        Index PNGs named like the photos, of some or all of them: 0 background, then the classes,
        numbered as `wsss.data.own_labels.read_own_labels` says; 255 does not count.
    val : float or Path
        Share of the photos that is held out, drawn by a fixed random seed, of those with masks if
        masks are given, and never a class's last photo; or a list of them: file names, or lines of
        VOC's, DeepLab's and psa's lists.

    Returns
    -------
    Understood

    Raises
    ------
    InputError
        If there are no photos, one cannot be read, some have no label or the labels no photo, a
        mask does not fit, or none is left to learn from or to score.
    """
    found = find_photos(photos)
    shown, classes = read_own_labels(found, photos, labels)
    if not any(shown.values()):
        raise InputError(f"{labels or photos}: no photo shows any class")
    ids, with_mask = list(found), dict(_masks(found, masks, len(classes)))
    if isinstance(val, Path):
        held_out = _listed(val, ways_to_name(found, photos))
    else:
        held_out = _draw(ids if masks is None else list(with_mask), shown, round(val * len(ids)))
    train = tuple(each for each in ids if each not in held_out)
    if not train or (val and not held_out):
        raise InputError(
            f"{photos}: {len(train)} photos to learn from and {len(held_out)} held out; "
            "each needs one at least, so add photos or choose another --val"
        )
    if masks is not None and (bare := [each for each in held_out if each not in with_mask]):
        raise InputError(f"{masks}: no mask of {len(bare)} photos held out, the first {bare[0]}")
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for image_id, path in found.items():
        _take(path, out / "JPEGImages", image_id)
    for old in (out / "SegmentationClass").glob("*.png"):
        if old.stem not in with_mask:
            old.unlink()
    for image_id, mask in with_mask.items():
        write_mask_png(out / "SegmentationClass" / f"{image_id}.png", read_mask_png(mask))
    present = np.array([[name in shown[each] for name in classes] for each in ids], bool)
    write_labels_csv(out / "labels.csv", ids, classes, present)
    (out / "classes.txt").write_text("".join(f"{name}\n" for name in classes), encoding="utf-8")
    lists, held = out / "ImageSets" / "Segmentation", tuple(e for e in ids if e in held_out)
    for split, chosen in (("train", train), ("val", held)):
        (lists / f"{split}.txt").write_text("".join(f"{e}\n" for e in chosen), encoding="utf-8")
    counts = Counter(name for each in train for name in shown[each])
    return Understood(
        files=found,
        classes=classes,
        counts={name: counts[name] for name in classes},
        train=train,
        val=held,
        nothing=sum(not shown[each] for each in train),
        masks=len(held_out & with_mask.keys()),
    )


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
    with opened("photo", path) as picture:
        if picture.mode.startswith("I") or picture.mode == "F":
            raise InputError(f"{path}: {picture.mode} has more than 8 bits; save it with 8")
        return ImageOps.exif_transpose(picture).convert("RGB")


def _take(path: Path, folder: Path, image_id: str) -> None:
    """Link a JPEG that need not be turned; store any other photo as a PNG, pixel for pixel."""
    jpeg, png = folder / f"{image_id}.jpg", folder / f"{image_id}.png"
    jpeg.unlink(missing_ok=True)
    png.unlink(missing_ok=True)
    picture = upright(path)
    with opened("photo", path) as stored:
        as_it_is = stored.format == "JPEG" and stored.getexif().get(TURNED, 1) == 1
    if as_it_is:
        jpeg.symlink_to(path.resolve())
    else:
        with atomic_write(png) as aside:
            save(picture, aside, format="PNG")


def _draw(ids: Sequence[str], shown: Mapping[str, Sequence[str]], count: int) -> set[str]:
    """Draw photos to hold out; of no class the last one."""
    left = Counter(name for names in shown.values() for name in set(names))
    held_out: set[str] = set()
    for each in random.Random(0).sample(ids, len(ids)):
        if len(held_out) < count and all(left[name] > 1 for name in shown[each]):
            held_out.add(each)
            left.subtract(set(shown[each]))
    return held_out


def _listed(path: Path, ways: Mapping[str, str]) -> set[str]:
    """Read a list of photos: names, VOC's ``ID`` and ``ID  1``, or paths of image and mask."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a list of photos ({error})") from error
    found = set()
    for number, line in enumerate(lines, start=1):
        name, _, mark = line.rpartition(" ")
        if mark == "-1" or not line:  # VOC's lists of a class name those without it, too
            continue
        first = Path(line.split()[0])
        names = (line, name.strip(), line.split()[0], first.name, first.stem)
        image_id = next((ways[each] for each in names if each in ways), None)
        if image_id is None:
            raise InputError(f"{path}, line {number}: {line!r} is none of the photos")
        found.add(image_id)
    return found


def _beside(folder: Path, image_id: str, photo: Path, *endings: str) -> Path | None:
    """Find the file of a folder that is named like a photo."""
    names = (f"{stem}{end}" for end in endings for stem in (image_id, photo.stem))
    return next((folder / each for each in names if (folder / each).is_file()), None)


def _masks(
    found: Mapping[str, Path], masks: Path | None, classes: int
) -> Iterator[tuple[str, Path]]:
    """Find the masks of photos, each of which fits its photo."""
    if masks is None:
        return
    if not masks.is_dir():
        raise InputError(f"{masks}: no such folder of masks")
    for image_id, photo in found.items():
        if (path := _beside(masks, image_id, photo, ".png")) is None:
            continue
        mask, (width, height) = read_mask_png(path), upright(photo).size
        if mask.shape != (height, width):
            turned = " (it fits the photo before the camera's rotation)"
            raise InputError(
                f"{path}: {mask.shape[1]} x {mask.shape[0]} pixels, but the photo is "
                f"{width} x {height}" + (turned if mask.shape == (width, height) else "")
            )
        if (strange := mask[(mask > classes) & (mask != 255)]).size:
            raise InputError(
                f"{path}: value {strange[0]}; {classes} classes are 1 to {classes}, or 255"
            )
        yield image_id, path


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
    if not source.is_dir():
        raise InputError(f"{source}: no such folder of seeds")
    into, count = data / SEEDS / source.resolve().name, 0
    into.mkdir(parents=True, exist_ok=True)
    for image_id in understood.train:
        photo = understood.files[image_id]
        width, height = upright(photo).size
        path = _beside(source, image_id, photo, ".png", ".npy")
        count += path is not None
        if path is None:
            seed = np.full((height, width), 255, np.uint8)
        elif path.suffix == ".npy":
            seed = read_dict_seed(path, (height, width))
        else:
            seed = read_mask_png(path)
        if (strange := seed[(seed > len(understood.classes)) & (seed != 255)]).size:
            raise InputError(
                f"{path}: value {strange[0]}; {len(understood.classes)} classes are 1 to "
                f"{len(understood.classes)}, 0 is background and 255 unknown"
            )
        if seed.shape != (height, width):
            raise InputError(
                f"{path}: {seed.shape[1]} x {seed.shape[0]} pixels, but the photo is "
                f"{width} x {height}"
            )
        write_mask_png(into / f"{image_id}.png", seed)
    if not count:
        raise InputError(f"{source}: no ID.png nor ID.npy of a photo to learn from")
    return f"seeds of {into.name} for {count} of {len(understood.train)} photos to learn from"
