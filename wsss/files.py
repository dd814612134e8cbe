"""Files that are never there by half, known by checksums, and read again only once they changed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SETTLED = 2.0
"""Seconds after which a file that changes again has another time of change on any file system."""
KEPT = 100
"""Entries of a cache that stay; older ones go first."""
SYSTEMS = {
    "@eaDir", "Thumbs.db", "desktop.ini", "lost+found", "System Volume Information", "$RECYCLE.BIN",
}  # fmt: skip
"""What systems keep for themselves."""
SUMS = "SHA256SUMS"
"""Checksums of a folder's files, as ``sha256sum --check`` reads them."""


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; it takes `path`'s place if all goes well.

    What goes wrong with writing is said of `path`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "classes.txt")
    ...     with atomic_write(path) as aside:
    ...         _ = aside.write_text("cat")
    ...     [each.name for each in Path(folder).iterdir()]
    ['classes.txt']
    """
    path = Path(path)
    aside = path.with_name(f".{uuid.uuid4().hex}.tmp")  # the name may be as long as names may be
    try:
        yield aside
        _flush(aside)
        os.replace(aside, path)  # noqa: PTH105  (the call whose atomicity is documented)
    except OSError as error:
        if error.errno and str(error.filename) in ("None", str(aside)):
            error.filename = str(path)
        raise
    finally:
        aside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text, UTF-8, that is never there by half.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_text(Path(folder, "classes.txt"), "cat")
    ...     read_text(Path(folder, "classes.txt"))
    'cat'
    """
    with atomic_write(path) as aside:
        aside.write_text(text, encoding="utf-8")


def read_text(path: Path) -> str:
    """Read a text as people save it, with or without a byte order mark.

    Raises
    ------
    OSError, UnicodeDecodeError
        If it is absent or no text, or no file: a pipe would be waited for.
    """
    if path.exists() and not path.is_file():
        raise OSError("no file")
    return path.read_text(encoding="utf-8-sig")


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all that is in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def seal(folder: Path, leave_out: Collection[str] = ()) -> None:
    """Write down the checksums of all files of a folder, and flush them to the disk.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     folder = Path(name)
    ...     _ = (folder / "score.json").write_text("{}")
    ...     seal(folder)
    ...     before, _ = find_damage(folder), (folder / "score.json").write_text("{ ")
    ...     before, find_damage(folder)
    (None, 'score.json has changed since it was written')
    """
    lines = []
    for path in _files(folder, leave_out):
        _flush(path)
        lines.append(f"{_digest(path)}  {path.relative_to(folder).as_posix()}\n")
    (folder / SUMS).write_bytes("".join(lines).encode())
    _flush(folder / SUMS)
    for path in {each.parent for each in _files(folder)} | {folder}:
        flush_names(path)


def find_damage(
    folder: Path, leave_out: Collection[str] = (), *, strange_too: bool = True
) -> str | None:
    """Say what is wrong with a folder that was sealed; None if it is as it was.

    A file that was not there is wrong, too, unless `strange_too` says otherwise.
    """
    try:
        *lines, end = (folder / SUMS).read_bytes().decode().split("\n")
    except (OSError, ValueError) as error:
        return f"{SUMS} cannot be read ({type(error).__name__})"
    if end:  # and `splitlines` would take other characters for ends, too
        return f"{SUMS} has changed since it was written"
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    try:
        there = {path.relative_to(folder).as_posix() for path in _files(folder, leave_out)}
    except OSError as error:
        return str(error)
    if absent := sorted(sums.keys() - there):
        return f"{absent[0]!r} is missing"
    if strange_too and (strange := sorted(there - sums.keys())):
        return f"{strange[0]!r} is not among its files"
    try:
        changed = [name for name, digest in sums.items() if _digest(folder / name) != digest]
    except OSError as error:
        return str(error)
    return f"{changed[0]} has changed since it was written" if changed else None


def _files(folder: Path, leave_out: Collection[str] = ()) -> list[Path]:
    left = {SUMS, *leave_out}
    return [path for path in files_below(folder) if path.name not in left]


def files_below(folder: Path, endings: Collection[str] | None = None) -> list[Path]:
    """List the files of a folder and its sub-folders, linked ones too, each once; no hidden ones.

    Parameters
    ----------
    folder : Path
        Where to look; nothing is found where no folder is, but one that cannot be read is an error.
    endings : collection of str, optional
        In small letters, with their dots; files have them in any letters. None takes all.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     for each in ("b.JPG", "a.jpg", ".DS_Store", "c.txt"):
    ...         Path(name, each).touch()
    ...     [path.name for path in files_below(Path(name), {".jpg"})]
    ['a.jpg', 'b.JPG']
    """
    found, seen, starts = [], set(), [folder]
    for start in starts:  # it grows: a folder that is linked counts where it really is, and once
        for here, folders, names in os.walk(start, onerror=_raise_unless_absent):
            if (where := Path(here).resolve()) in seen:
                folders.clear()
                continue
            seen.add(where)
            folders[:] = [each for each in sorted(folders) if not _of_system(each)]
            starts += [path for each in folders if (path := Path(here, each)).is_symlink()]
            found += [Path(here, each) for each in names if not _of_system(each)]
    return sorted(
        path for path in found
        if (endings is None or path.suffix.lower() in endings) and path.is_file()
    )  # fmt: skip


def _raise_unless_absent(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def _of_system(name: str) -> bool:
    """Whether a system keeps a file or folder so called for itself."""
    return name.startswith(".") or name in SYSTEMS


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush_names(folder: Path) -> None:
    """Have on the disk how the files of a folder are called; Windows does so by itself."""
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _flush(path: Path) -> None:
    """Have a file on the disk, so that a power cut after its renaming finds it whole."""
    with path.open("r+b" if os.name == "nt" else "rb") as file:  # Windows asks for a writer
        os.fsync(file.fileno())


def remembered(
    cache: Path | None, what: object, paths: Iterable[Path], compute: Callable[[], str]
) -> str:
    """Return `compute()`, or what it returned when the files at `paths` were as they are now.

    Parameters
    ----------
    cache : Path or None
        A JSON file of earlier answers; one that is damaged or cannot be written is as good as
        none. Without it everything is computed.
    what : object
        All that the answer depends on beside the files, with a `repr` that says so.
    paths : iterable of Path
        Files that `compute` reads, there or not. Their sizes and times of change tell whether they
        changed; while one is younger than `SETTLED` seconds nothing is remembered.
    compute : callable
        Reads them.
    """
    if cache is None:
        return compute()
    paths = list(paths)
    seen = [_look(path) for path in paths]
    key = hashlib.sha256(repr((what, seen)).encode()).hexdigest()
    if found := _answers(cache).get(key):
        return found
    started, answer = time.time(), compute()
    newest = max((max(look[1:]) for look in seen if look), default=0)
    if newest / 1e9 < started - SETTLED and seen == [_look(path) for path in paths]:
        kept = list(_answers(cache).items())[1 - KEPT :]
        with suppress(OSError):
            cache.parent.mkdir(parents=True, exist_ok=True)
            write_text(cache, json.dumps(dict([*kept, (key, answer)]), indent=0))
    return answer


def _look(path: Path) -> tuple[int, int, int] | None:
    """Size and the two times of change, in ns: a copy may keep the one, but not the other."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _answers(cache: Path) -> dict[str, str]:
    try:
        found = json.loads(cache.read_text())
    except (OSError, ValueError):
        return {}
    sound = isinstance(found, dict) and all(isinstance(each, str) for each in found.values())
    return found if sound else {}
