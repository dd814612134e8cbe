"""The one error of the package that is meant for its user's eyes, and how it is told."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """What the user gave cannot be used; one clear line says what, where and what to do.

    The command line prints the message alone, without a traceback.

    Examples
    --------
    >>> raise InputError("val.txt, line 3: id '2007_000032' is listed twice; remove one")
    Traceback (most recent call last):
    wsss.errors.InputError: val.txt, line 3: id '2007_000032' is listed twice; remove one
    """


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """End the process with the message alone and status 2, as `wsss` and the scripts on data do.

    Files that cannot be read or written count as well.

    Examples
    --------
    >>> with told_in_one_line():
    ...     raise InputError("no data folder at photos")
    Traceback (most recent call last):
    SystemExit: 2
    """
    try:
        yield
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
