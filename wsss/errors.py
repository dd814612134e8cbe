"""The one error of the package that is meant for its user's eyes, and how it is told."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


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
    except (InputError, OSError, MemoryError, RuntimeError) as error:
        if (told := _told(error)) is None or os.environ.get("WSSS_DEBUG") == "1":
            raise
        print(f"error: {printable(' '.join(told.split()))}", file=sys.stderr)
        sys.exit(2)


def _told(error: Exception) -> str | None:
    """Say in one line what a user can mend; None if it is a mistake of the code."""
    text = str(error)
    full = isinstance(error, OSError) and error.errno == errno.ENOSPC
    if full or "inline_container" in text or "PytorchStreamWriter" in text:  # torch's words for it
        where = getattr(error, "filename", None) or "the run folder"
        return f"no space left on the disk of {where}; make room, or name another by WSSS_RUNS"
    if isinstance(error, MemoryError) or "out of memory" in text:
        return "out of memory; WSSS_MICRO_BATCH=4 puts fewer samples through a network at once"
    return text if isinstance(error, InputError | OSError) else None
