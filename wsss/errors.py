"""The one error of the package that is meant for its user's eyes, and how it is told."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args


class InputError(ValueError):
    r"""What the user gave cannot be used; one clear line says what, where and what to do.

    The command line prints the message alone, without a traceback. What a message quotes of files
    stays in its line: control characters, which a terminal would obey, are shown as escapes.

    Examples
    --------
    >>> raise InputError("val.txt, line 3: id '2007_000032' is listed twice; remove one")
    Traceback (most recent call last):
    wsss.errors.InputError: val.txt, line 3: id '2007_000032' is listed twice; remove one
    >>> str(InputError("a\x1b[2J.jpg: no such image")) == r"a\x1b[2J.jpg: no such image"
    True
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def printable(text: str) -> str:
    r"""Show what is no visible character as an escape.

    Examples
    --------
    >>> printable("two\nlines"), printable("Übung 1")
    ('two\\nlines', 'Übung 1')
    """
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def require_word(what: str, word: object, words: Any) -> None:
    """Refuse a word that is none of a `Literal`'s: it would be taken for another of them.

    Examples
    --------
    >>> from typing import Literal
    >>> require_word("reduction", "total", Literal["mean", "sum"])
    Traceback (most recent call last):
    wsss.errors.InputError: reduction is 'total'; choose one of 'mean', 'sum'
    """
    if word not in get_args(words):
        known = ", ".join(map(repr, get_args(words)))
        raise InputError(f"{what} is {word!r}; choose one of {known}")


class NoRoomError(InputError):
    """A disk, or what the user may have of it, is full.

    Examples
    --------
    >>> issubclass(NoRoomError, InputError)
    True
    """


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """End the process with the message alone and status 2, as `wsss` and the scripts on data do.

    Files that cannot be read or written count as well, and so does want of disk or memory. With
    WSSS_DEBUG=1 in the environment (`wsss --debug`) the traceback is shown instead.

    Examples
    --------
    >>> with told_in_one_line():
    ...     raise InputError("no data folder at photos")
    Traceback (most recent call last):
    SystemExit: 2
    """
    try:
        yield
    except (ValueError, OSError, MemoryError, RuntimeError) as error:
        if (told := _told(error)) is None or os.environ.get("WSSS_DEBUG") == "1":
            raise
        print(f"error: {printable(' '.join(told.split()))}", file=sys.stderr)
        sys.exit(2)


def _told(error: Exception) -> str | None:
    """Say in one line what a user can mend; None if it is a mistake of the code."""
    if _is_full(error):
        return _no_room(getattr(error, "filename", None))
    text = str(error)
    if isinstance(error, MemoryError) or "out of memory" in text:
        return "out of memory; in trainings WSSS_MICRO_BATCH=4 puts fewer samples through at once"
    if type(error).__name__ == "ValidationError":  # pydantic's, of a choice: lines, and a link
        refused: Any = error
        wrong = refused.errors()[0]
        where = ".".join(map(str, (refused.title, *wrong["loc"])))
        return f"{where} is {wrong['input']!r:.60}: {wrong['msg'].removeprefix('Value error, ')}"
    return text if isinstance(error, InputError | OSError) else None


def require_writable(folder: Path, what: str, by: str) -> None:
    """Make a folder; `InputError` if nothing can be written there.

    Examples
    --------
    >>> require_writable(Path(os.devnull, "runs"), "results", by="--runs")
    Traceback (most recent call last):
    wsss.errors.InputError: ... results cannot be written there (...); name another folder by --runs
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        reason = "" if os.access(folder, os.W_OK | os.X_OK) else "no permission"
    except OSError as error:
        reason = error.strerror or type(error).__name__
    if reason:
        raise InputError(
            f"{folder}: {what} cannot be written there ({reason}); name another folder by {by}"
        )


@contextmanager
def room_told(path: Path, needed: int | None = None) -> Iterator[None]:
    """Say of a disk that is full how much room there is for a file and, if known, is needed.

    What else goes wrong with writing is said with the path.

    Parameters
    ----------
    path : Path
        What is written, there or not.
    needed : int, optional
        How many bytes it takes.

    Raises
    ------
    InputError
        If the disk, or what the user may have of it, is full.

    Examples
    --------
    >>> with room_told(Path("no-such-folder", "model.pt"), needed=2_500_000):
    ...     raise OSError(errno.ENOSPC, "No space left on device")
    Traceback (most recent call last):
    wsss.errors.NoRoomError: no-such-folder/model.pt: its disk is full, ... MB free and 2.5 MB
    needed; make room, or name a folder on another disk (WSSS_RUNS for results)
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        if _is_full(error):
            raise NoRoomError(_no_room(path, needed)) from error
        if isinstance(error, OSError) and error.errno in (errno.EFBIG, errno.EROFS):
            error.filename = error.filename or str(path)
        raise


def _is_full(error: Exception) -> bool:
    """Whether a disk or a quota is full, in the words of Python, of torch or of NumPy."""
    text = str(error)
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT) or " requested and " in text
    return "inline_container" in text or "PytorchStreamWriter" in text


def _no_room(path: str | Path | None, needed: int | None = None) -> str:
    where, room = "what is written", ""
    if path is not None:
        where = Path(path)
        there = next(each for each in where.absolute().parents if each.exists())
        room = f", {shutil.disk_usage(there).free / 1e6:.1f} MB free"
        room += f" and {needed / 1e6:.1f} MB needed" if needed else " and more needed"
    return (
        f"{where}: its disk is full{room}; make room, or name a folder on another disk "
        "(WSSS_RUNS for results)"
    )
