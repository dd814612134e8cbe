"""Write a file aside, then rename it, so that nobody ever sees half a file."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; it takes `path`'s place if all goes well.

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
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        yield aside
        os.replace(aside, path)  # noqa: PTH105  (the call whose atomicity is documented)
    finally:
        aside.unlink(missing_ok=True)
