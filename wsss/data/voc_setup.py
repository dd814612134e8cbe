"""Adopts a downloaded VOC 2012 and SBD as a data folder: the data of the paper (Sec. 5.1).

The paper trains on train_aug (10,582 images: VOC's 1,464 and SBD's, without those of val), scores
seeds on VOC's train, and tests on val (1,449) and test (1,456). Images are linked, not copied.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from wsss.data.labels import VOC_CLASSES, Difficult, find_labels, read_labels, write_labels_csv
from wsss.data.pictures import read_image_size, write_mask_png
from wsss.data.sbd import SbdFolder
from wsss.errors import InputError
from wsss.files import atomic_write, read_text, write_text

IMAGES, MASKS, LISTS = "JPEGImages", "SegmentationClass", "ImageSets/Segmentation"
SPLITS = ("train", "train_aug", "val", "test")
USUAL = {"train": 1_464, "train_aug": 10_582, "val": 1_449, "test": 1_456}
MARK = "adopted.json"
_ID = re.compile(r"\d{4}_\d{6}")


@dataclass(frozen=True)
class Adopted:
    """What `adopt_voc` made: images and masks of each split, and notes to know.

    Examples
    --------
    >>> print(Adopted(Path("voc"), {"val": (1449, 1449)}, ("no test",)))
    val              1449 images   1449 masks
    note: no test
    voc
    """

    root: Path
    counts: dict[str, tuple[int, int]]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        lines = [
            f"{split:<14} {images:>6} images {masks:>6} masks"
            for split, (images, masks) in self.counts.items()
        ]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes), str(self.root)])


def adopt_voc(
    devkit: str | Path,
    out: str | Path,
    *,
    sbd: str | Path | None = None,
    lists: str | Path | None = None,
    classes: Sequence[str] | None = None,
    difficult: Difficult = "keep",
) -> Adopted:
    """Make a data folder out of an unpacked VOC 2012 and, for train_aug, SBD.

    Images and VOC's own masks become hard links, symbolic links where these are impossible, copies
    where both are. SBD's masks become palette PNGs, so that ``SegmentationClass`` holds what the
    community calls SegmentationClassAug; a folder of that name in the devkit serves as well. Every
    file appears whole or not at all, files that are there are kept, and the lists come last: a
    call that was interrupted goes on when it is repeated.

    Parameters
    ----------
    devkit
        ``VOC2012``, ``VOCdevkit``, or the folder that holds it.
    out
        New folder, or one that this function made.
    sbd
        SBD, see `SbdFolder`. Training needs no masks.
    lists
        Folder of ``train.txt``, ``train_aug.txt``, ``val.txt``, ``test.txt``; a list that it lacks
        is the devkit's, and train_aug is VOC's train and all images of SBD except those of val.
        Lines may be ids or, as in psa's lists, paths.
    classes
        Keep the images of train_aug and val that show at least one of these, by their image-level
        labels. The splits are then ``train`` (of train_aug), ``train_official`` (those in VOC's
        train) and ``val``: the names that the photo profile reads. Masks and labels keep VOC's 20
        classes. For cat, cow, dog, horse and sheep these are 3,148 and 445 images of the usual
        lists; 17 of them show the animal in a box but in no mask.
    difficult
        Whether "difficult" objects count in ``labels.csv``, see `wsss.data.labels`.

    Returns
    -------
    Adopted
        Counts and notes.

    Raises
    ------
    InputError
        If something is missing or damaged, train_aug has images of val, or `out` holds other data:
        lists, labels or masks of SBD that an earlier call was given are never replaced.

    Examples
    --------
    >>> adopt_voc("no-such-folder", "voc")
    Traceback (most recent call last):
    ...
    wsss.errors.InputError: no-such-folder: no VOC 2012; give the folder that holds ...
    """
    source, out = _voc2012(Path(devkit)), Path(out)
    unknown = [name for name in classes or () if name not in VOC_CLASSES]
    if unknown:
        raise InputError(f"unknown class {unknown[0]!r}; choose out of {', '.join(VOC_CLASSES)}")
    masks = None if sbd is None else SbdFolder(sbd)
    splits, notes = _splits(source, masks, None if lists is None else Path(lists))
    official = {*splits["train"], *splits["val"]}
    annotated = _union(ids for split, ids in splits.items() if split != "test")
    present = read_labels(source / "Annotations", annotated, VOC_CLASSES, difficult=difficult)
    labels = dict(zip(annotated, present, strict=True))
    if classes is not None:
        splits = _restrict(splits, labels, classes)
        notes.append(f"only images whose labels name one of {', '.join(classes)}; without test")
    every = _union(splits.values())
    if missing := [each for each in every if not (source / IMAGES / f"{each}.jpg").is_file()]:
        raise InputError(
            f"{source / IMAGES}: {len(missing)} of {len(every)} listed images are missing, the "
            f"first is {missing[0]}.jpg; unpack VOC 2012 completely"
        )

    mark = _mark(out, classes, masks)
    _require_agreement(out, splits, labels)
    for folder in (IMAGES, MASKS, LISTS):
        (out / folder).mkdir(parents=True, exist_ok=True)
    write_text(out / MARK, mark)
    for each in tqdm(every, desc="images", disable=None):
        _link(source / IMAGES / f"{each}.jpg", out / IMAGES / f"{each}.jpg")
    _make_masks(source, masks, out, every, official)
    ids = [each for each in every if each in labels]
    write_labels_csv(out / "labels.csv", ids, VOC_CLASSES, np.array([labels[each] for each in ids]))
    for split, members in splits.items():
        write_text(out / LISTS / f"{split}.txt", "".join(f"{each}\n" for each in members))
    counts = {
        split: (len(members), sum((out / MASKS / f"{each}.png").exists() for each in members))
        for split, members in splits.items()
    }
    return Adopted(out, counts, (*notes, *_remarks(counts, usual=USUAL if classes is None else {})))


def _voc2012(root: Path) -> Path:
    """Find the folder that holds JPEGImages."""
    for place in (".", "VOC2012", "VOCdevkit/VOC2012"):
        if (root / place / "JPEGImages").is_dir():
            return root / place
    raise InputError(
        f"{root}: no VOC 2012; give the folder that holds VOCdevkit/VOC2012/JPEGImages"
    )


def _splits(
    source: Path, sbd: SbdFolder | None, lists: Path | None
) -> tuple[dict[str, list[str]], list[str]]:
    """Read or build the lists of ids, and say what could not be had."""
    if lists is not None and not lists.is_dir():
        raise InputError(f"{lists}: no such folder of lists")
    splits: dict[str, list[str]] = {}
    for split in SPLITS:
        places = [folder / f"{split}.txt" for folder in (lists, source / LISTS) if folder]
        path = next((path for path in places if path.is_file()), None)
        if path is not None:
            splits[split] = _read_list(path)
        elif split in ("train", "val"):
            raise InputError(f"{places[-1]}: no such list; add it or give a folder of lists")
    notes = []
    if "train_aug" not in splits and sbd is not None:
        splits["train_aug"] = sorted({*splits["train"], *sbd.ids()} - set(splits["val"]))
    elif "train_aug" not in splits:
        notes.append("no train_aug: give the folder of SBD's masks, or of lists")
    for split in splits.keys() - {"val"}:
        if shared := set(splits[split]) & set(splits["val"]):
            raise InputError(f"{split} and val share {len(shared)} images, say {min(shared)}")
    test = splits.get("test", [])
    if test and not any((source / IMAGES / f"{each}.jpg").is_file() for each in test):
        notes.append("no test: its images are a download of their own, from VOC's test server")
        del splits["test"]
    return {split: splits[split] for split in SPLITS if split in splits}, notes


def _read_list(path: Path) -> list[str]:
    """Read ids, or the ids in psa's lines ``/JPEGImages/ID.jpg /SegmentationClassAug/ID.png``."""
    try:
        lines = read_text(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text ({error})") from error
    ids = [Path(line.split()[0]).stem for line in lines if line.strip()]
    for image_id in ids:
        if not _ID.fullmatch(image_id):
            raise InputError(f"{path}: {image_id!r:.80} is no id of VOC such as '2007_000032'")
    if len(ids) != len(set(ids)) or not ids:
        raise InputError(f"{path}: names {'an image twice' if ids else 'no image'}")
    return ids


def _restrict(
    splits: Mapping[str, Sequence[str]],
    labels: Mapping[str, NDArray[np.bool_]],
    classes: Sequence[str],
) -> dict[str, list[str]]:
    """Keep the images that show a class, under the names of the photo profile's splits."""
    columns = [VOC_CLASSES.index(name) for name in classes]
    train = splits.get("train_aug", splits["train"])
    official = set(splits["train"])
    named = {
        "train": train,
        "train_official": [each for each in train if each in official],
        "val": splits["val"],
    }
    kept = {
        split: [each for each in ids if labels[each][columns].any()] for split, ids in named.items()
    }
    for split in ("train", "val"):
        if not kept[split]:
            raise InputError(
                f"no image of {split} shows {' or '.join(classes)}; name other classes"
            )
    return {split: ids for split, ids in kept.items() if ids}


def _mark(out: Path, classes: Sequence[str] | None, sbd: SbdFolder | None) -> str:
    """Return the mark of a folder of ours, where there is room for it or one that agrees.

    What an earlier call was not given, say SBD, may come later.
    """
    settings: dict[str, object] = {"dataset": "VOC 2012", "classes": classes and list(classes)}
    if sbd is not None:
        settings["sbd"] = sbd.fingerprint()
    if not out.is_dir() or not any(out.iterdir()):
        return json.dumps(settings)
    try:
        earlier = dict(json.loads((out / MARK).read_text()))
    except (OSError, ValueError, TypeError):
        earlier = {}
    if earlier.get("dataset") != settings["dataset"]:
        raise InputError(f"{out}: holds other files; give a new folder")
    if earlier.get("classes") != settings["classes"]:
        raise InputError(f"{out}: was made for other classes; give a new folder")
    settings = earlier | settings
    if earlier.get("sbd", settings.get("sbd")) != settings.get("sbd"):
        raise InputError(f"{out}: has masks of another SBD; give that one, or a new folder")
    return json.dumps(settings)


def _require_agreement(
    out: Path, splits: Mapping[str, Sequence[str]], labels: Mapping[str, NDArray[np.bool_]]
) -> None:
    """Refuse to replace lists and labels that an earlier call made; further ones may come."""
    for split in (*SPLITS, "train_official"):
        path = out / LISTS / f"{split}.txt"
        if path.exists() and list(splits.get(split, ())) != _read_list(path):
            raise InputError(
                f"{path}: made of other lists or another SBD than this call is given; give the "
                "same ones, or a new folder"
            )
    path = out / "labels.csv"
    if path.exists():
        for image_id, row in find_labels(path, (), VOC_CLASSES).items():
            if image_id not in labels or (row != labels[image_id]).any():
                raise InputError(
                    f"{path}: this call has other labels of {image_id}; give the lists, SBD and "
                    "--difficult that the folder was made with, or a new folder"
                )


def _make_masks(
    source: Path, sbd: SbdFolder | None, out: Path, ids: Sequence[str], official: set[str]
) -> None:
    """Take VOC's own mask of an image, else SBD's, else one of a SegmentationClassAug.

    SBD has other masks of VOC's own train and val; no score of the field is measured on those.
    """
    for image_id in tqdm(ids, desc="masks", disable=None):
        path = out / MASKS / f"{image_id}.png"
        own, ready = (source / folder / path.name for folder in (MASKS, f"{MASKS}Aug"))
        if own.is_file():
            _link(own, path)
        elif sbd is not None and image_id not in official and sbd.has_mask(image_id):
            if path.is_file():
                continue
            mask, size = sbd.mask(image_id), read_image_size(out / IMAGES / f"{image_id}.jpg")
            if mask.shape != size:
                raise InputError(
                    f"{sbd.masks / image_id}.mat: the mask is {mask.shape[1]} x {mask.shape[0]} "
                    f"pixels, its image {size[1]} x {size[0]}; replace one"
                )
            write_mask_png(path, mask)
        elif ready.is_file():
            _link(ready, path)


def _link(source: Path, path: Path) -> None:
    """Give a file a second place: by a hard link, a symbolic link or a copy."""
    if path.is_file():
        return
    source = source.resolve()
    with atomic_write(path) as aside:
        for link in (aside.hardlink_to, aside.symlink_to):
            try:
                link(source)
            except OSError:  # another disk, or one that knows no such links
                continue
            return
        shutil.copyfile(source, aside)


def _remarks(counts: Mapping[str, tuple[int, int]], usual: Mapping[str, int]) -> list[str]:
    remarks = []
    for split, (images, masks) in counts.items():
        if images != usual.get(split, images):
            remarks.append(f"{split}: {images} images; the usual list has {usual[split]}")
        if masks < images and split != "test":
            remarks.append(f"{split}: {images - masks} images without mask; training needs none")
    return remarks


def _union(lists: Iterable[Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(each for ids in lists for each in ids))
