"""Reading notebooks as plain JSON, and writing files that are there whole or not at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from wsss.errors import InputError
from wsss.files import atomic_write


def read_notebook(path: Path) -> dict[str, Any]:
    """Content of an .ipynb file, without the second that importing nbformat would take.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict
        With the keys `cells` and `metadata`, as in nbformat 4.

    Raises
    ------
    InputError
        If the file cannot be read or is not a notebook.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not a notebook: {error}") from error
    if not isinstance(content, dict) or not content.keys() >= {"cells", "metadata"}:
        raise InputError(f"{path} is not a notebook of nbformat 4: it lacks cells or metadata")
    return content


def write_whole(path: Path, text: str) -> None:
    """Write aside, then rename.

    Parameters
    ----------
    path : Path
        The file; its folder exists.
    text : str
        All of it.
    """
    with atomic_write(path) as aside:
        aside.write_text(text, encoding="utf-8")


def sha256(file: Path) -> str:
    """SHA-256 of a file, hexadecimal; ``none`` where there is no file."""
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else "none"
