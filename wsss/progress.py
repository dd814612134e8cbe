"""How far a long step is: told by the step, heard by whoever shows it (not in the paper)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_heard: ContextVar[Callable[[float], None] | None] = ContextVar("heard", default=None)


@contextmanager
def heard_by(listener: Callable[[float], None]) -> Iterator[None]:
    """Give a listener the shares that `tell` is called with inside, at most one a second.

    Examples
    --------
    >>> with heard_by(print):
    ...     tell(1, 4)
    0.25
    >>> tell(2, 4)
    """
    last = -1.0

    def now_and_then(share: float) -> None:
        nonlocal last
        if time.monotonic() > last + 1:
            last = time.monotonic()
            listener(share)

    token = _heard.set(now_and_then)
    try:
        yield
    finally:
        _heard.reset(token)


def tell(done: int, total: int) -> None:
    """Tell how much of the running step is done; costs nothing where nobody listens."""
    if listener := _heard.get():
        listener(done / total)
