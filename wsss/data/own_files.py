"""The photos of a folder, what people call them, and files that are named like them."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from wsss.errors import InputError, require_writable
from wsss.files import files_below, read_text

PICTURES = (".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".webp")
NOT_READ = (".heic", ".heif", ".avif", ".tif", ".tiff", ".gif", ".dng", ".cr2", ".nef", ".zip")
"""What people take for photos, too, so that a word is due when they lie there."""
MARK = ".wsss"
"""Lies where commands write."""


def find_photos(
    folder: Path,
    leave_out: Iterable[Path] = (),
    *,
    endings: Collection[str] = PICTURES,
    what: str = "photo",
) -> dict[str, Path]:
    """Find the photos of a folder and its sub-folders, by an id without spaces or slashes.

    Of photos what commands wrote there is left out, see `mark`.

    Raises
    ------
    InputError
        If there is no such folder, or no photo in it.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of {what}s")
    root = folder.resolve()
    others = {each.resolve() for each in leave_out} - {root, *root.parents}
    found: dict[str, Path] = {}
    taken = cache(lambda inside: inside != Path() and (folder / inside / MARK).exists())
    for path in files_below(folder, endings):
        here = path.parent.resolve()  # a link lies where it is, wherever it leads
        if not others.isdisjoint((here, *here.parents)):
            continue
        if what == "photo" and any(map(taken, path.relative_to(folder).parents)):
            continue
        name = unicodedata.normalize("NFC", path.relative_to(folder).with_suffix("").as_posix())
        name = re.sub(r"[^\w.-]+", "_", name)[-64:].lstrip(".") or "_"  # no hidden file
        while name in found:
            name += "_"
        found[name] = path
    if not found:
        told = "; ".join([", ".join(endings) + " are read, in sub-folders too", *not_read(folder)])
        raise InputError(f"{folder}: no {what}; {told}")
    return found


def not_read(folder: Path) -> Iterator[str]:
    """Say what is no photo here and may be meant as one."""
    counts = Counter(path.suffix.lower() for path in files_below(folder, NOT_READ))
    if told := [f"{counts[ending]} {ending}" for ending in NOT_READ if counts[ending]]:
        yield f"not read: {', '.join(told)}; convert what are photos to JPEG or PNG"


def plain(name: str) -> str:
    """Write a name as all systems do: macOS takes umlauts apart, Windows turns slashes round."""
    return unicodedata.normalize("NFC", name).replace("\\", "/").removeprefix("./")


def ways_to_name(found: Mapping[str, Path], photos: Path) -> dict[str, str]:
    """Map all that people call a photo to its id: path, file name, either without its ending.

    What two photos are called, in two folders say, names neither. Names are `plain`.
    """
    ways: dict[str, set[str]] = {}
    for image_id, path in found.items():
        relative = path.relative_to(photos)
        short = relative.with_suffix("")
        for name in (relative.as_posix(), short.as_posix(), path.name, path.stem, image_id):
            ways.setdefault(plain(name), set()).add(image_id)
    return {name: ids.pop() for name, ids in ways.items() if len(ids) == 1}


def named_like(ways: Mapping[str, str], folder: Path, *endings: str) -> dict[str, Path]:
    """Find the files of a folder and its sub-folders that are named like photos, by their ids.

    ``garden/zoe.png`` is of the photo with that path, or of the only one called so. Of files of
    several endings the first counts.

    Raises
    ------
    InputError
        If there is no such folder, or two files are as much of the same photo.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    ranked: dict[str, list[tuple[tuple[int, int, bool], Path]]] = {}
    for path in files_below(folder, endings):
        names = (plain(path.relative_to(folder).with_suffix("").as_posix()), plain(path.stem))
        if which := next((name for name in names if name in ways), None):
            rank = endings.index(path.suffix.lower()), -which.count("/"), which != names[0]
            ranked.setdefault(ways[which], []).append((rank, path))
    for files in ranked.values():
        (rank, best), *others = sorted(files)
        if others and rank == others[0][0]:
            raise InputError(f"{best} and {others[0][1]}: both are of one photo; leave one there")
    return {image_id: min(files)[1] for image_id, files in ranked.items()}


def read_photo_list(path: Path, ways: Mapping[str, str]) -> set[str]:
    """Read a list of photos: names, VOC's ``ID`` and ``ID  1``, or paths of image and mask."""
    try:
        lines = [line.strip() for line in read_text(path).splitlines()]
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a list of photos ({error})") from error
    found = set()
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        (*before, mark), first = line.rsplit(None, 1), line.split()[0]
        paths = [line, *(before if mark in ("0", "1", "-1") else [])]
        if Path(first).suffix.lower() in PICTURES:  # whatever follows, a mask's path or a mark
            paths += [first]
        names = [name for each in map(Path, paths) for name in (str(each), each.name, each.stem)]
        which = next((each for each in map(plain, names) if each in ways), None)
        if which != plain(line) and mark == "-1":  # VOC's lists of a class name those without it
            continue
        image_id = ways.get(which or "")
        if image_id is None:
            raise InputError(f"{path}, line {number}: {line!r} is none of the photos")
        found.add(image_id)
    return found


def require_free(folder: Path, given: Iterable[Path | None] = (), *, by: str) -> None:
    """Refuse to write where files of others would be replaced: not in a new, empty or own folder.

    Parameters
    ----------
    folder : Path
        Where results shall lie.
    given : iterable of Path or None
        What is read for them: it lies elsewhere, even if the folder is our own.
    by : str
        The option that names the folder.

    Raises
    ------
    InputError
        If the folder holds what `mark` does not say is ours, or what was given.
    """
    for each in filter(None, given):
        if folder.resolve() in (each.resolve(), *each.resolve().parents):
            raise InputError(
                f"{each}: lies where results are written ({folder}); name another folder by {by}"
            )
    if not (folder / MARK).exists() and (others := files_below(folder)):
        first = others[0].relative_to(folder).as_posix()
        raise InputError(
            f"{folder}: holds files that wsss did not write, the first {first}; name another "
            f"folder by {by}"
        )


def mark(folder: Path, *, by: str) -> None:
    """Make a folder and say that what lies in it is ours: no photo, and may be replaced.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     mark(Path(name, "masks"), by="--out")
    ...     Path(name, "masks", "a.png").touch()
    ...     require_free(Path(name, "masks"), by="--out")  # a.png is ours
    ...     require_free(Path(name), by="--out")
    Traceback (most recent call last):
    wsss.errors.InputError: ...: holds files that wsss did not write, the first masks/a.png; ...
    """
    require_writable(folder, "results", by=by)
    (folder / MARK).write_text("Made by wsss, which may replace what lies here.\n")
