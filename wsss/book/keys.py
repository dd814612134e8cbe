"""What a page is made of, as hashes: if none changed, the page is up to date."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import CodeType
from typing import Any

from wsss.book.pages import read_notebook
from wsss.errors import InputError

PACKAGE = Path(__file__).resolve().parents[1]


def notebook_key(notebook: Path, parameters: Mapping[str, Any], made_of: tuple[str, ...]) -> str:
    """Hash of a notebook's cells, of what it is given, and of what else it is made of."""
    cells = [
        [cell["cell_type"], "".join(cell["source"]), cell["metadata"].get("tags", [])]
        for cell in read_notebook(notebook)["cells"]
    ]
    return _hash(json.dumps([cells, dict(parameters), made_of], sort_keys=True, default=str))


def code_hash(root: Path, package: Path = PACKAGE) -> str:
    """Hash of the package, of the locked versions and of recorded results in a clone.

    Of code what it does counts, neither its docstrings nor its comments: a better sentence makes no
    page stale.
    """
    files = sorted(f for f in package.rglob("*") if f.is_file() and "__pycache__" not in f.parts)
    results = [f for f in (root / "results").rglob("*") if f.suffix in (".csv", ".png")]
    kept = [*sorted(results), root / "requirements.lock"]
    lines = [f"{file.relative_to(package)} {_content(file)}" for file in files]
    lines += [f"{file.relative_to(root)} {_content(file)}" for file in kept if file.is_file()]
    return _hash("\n".join(lines))


def folder_fingerprint(folder: Path) -> str:
    """Hash of the names, sizes and times of all files below a data folder; no file is opened."""
    if not folder.is_dir():
        raise InputError(f"no data folder at {folder}: give one that exists, or none")
    files = [(f.relative_to(folder).as_posix(), f.stat()) for f in folder.rglob("*") if f.is_file()]
    return _hash("\n".join(sorted(f"{n} {s.st_size} {s.st_mtime_ns}" for n, s in files)))


def _content(file: Path) -> str:
    if file.suffix != ".py":
        return hashlib.sha256(file.read_bytes()).hexdigest()
    # Compiled so, neither docstrings nor assertions are left; a parse tree would do as well, but
    # building one fails now and then under Python 3.11.
    return _hash(repr(_instructions(compile(file.read_bytes(), file.name, "exec", optimize=2))))


def _instructions(code: CodeType) -> list[Any]:
    """List what compiled code does, without where it stands in its file."""
    constants = [
        _instructions(each)
        if isinstance(each, CodeType)
        else sorted(map(repr, each))  # a set has another order in each process
        if isinstance(each, frozenset)
        else repr(each)
        for each in code.co_consts
    ]
    kept = ("name", "code", "names", "varnames", "freevars", "cellvars", "flags", "exceptiontable")
    counts = ("argcount", "kwonlyargcount", "posonlyargcount")
    return [constants, *(getattr(code, f"co_{part}") for part in (*kept, *counts))]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
