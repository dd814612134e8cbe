"""What makes a page stale: a hash of everything that can change what a notebook shows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsss.book.files import read_notebook, sha256
from wsss.errors import InputError

PACKAGE = Path(__file__).resolve().parent.parent
LOCK_FILE = "requirements.lock"


def notebook_key(
    notebook: Path, *, parameters: Mapping[str, Any], code: str = "", data: str = ""
) -> str:
    """Hash of a notebook's cells and of all they depend on.

    Outputs and execution counts are left out, so opening and running a source in Jupyter does not
    make its page stale.

    Parameters
    ----------
    notebook : Path
        The source.
    parameters : mapping
        The parameters that it gets.
    code, data : str
        See `code_hash` and `folder_fingerprint`.

    Returns
    -------
    str
        SHA-256, hexadecimal.

    Raises
    ------
    InputError
        If the file is not a notebook.
    """
    cells = [
        [cell["cell_type"], "".join(cell["source"]), cell["metadata"].get("tags", [])]
        for cell in read_notebook(notebook)["cells"]
    ]
    text = json.dumps([cells, dict(parameters), code, data], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def code_hash(root: Path) -> str:
    """Hash of the package, initial weights included, of the locked versions and recorded results.

    Parameters
    ----------
    root : Path
        Folder that holds `requirements.lock` and `results/`.

    Returns
    -------
    str
        SHA-256, hexadecimal.
    """
    files = (f for f in sorted(PACKAGE.rglob("*")) if f.is_file() and "__pycache__" not in f.parts)
    lines = [f"{file.relative_to(PACKAGE).as_posix()} {sha256(file)}" for file in files]
    recorded = sorted((root / "results").rglob("*.csv"))
    lines += [f"{file.relative_to(root).as_posix()} {sha256(file)}" for file in recorded]
    return hashlib.sha256("\n".join([*lines, sha256(root / LOCK_FILE)]).encode()).hexdigest()


def folder_fingerprint(folder: Path) -> str:
    """Hash of the names, sizes and times of all files below a folder; no file is opened.

    Parameters
    ----------
    folder : Path
        A data folder, tens of thousands of files at most.

    Returns
    -------
    str
        SHA-256, hexadecimal.

    Raises
    ------
    InputError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"no data folder at {folder}: give one that exists, or none")
    files = [(f.relative_to(folder).as_posix(), f.stat()) for f in folder.rglob("*") if f.is_file()]
    lines = sorted(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in files)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
