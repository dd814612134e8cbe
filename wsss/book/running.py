"""Run the notebooks whose ingredients changed, with papermill, and keep where each result is from.

Neither torch nor papermill is imported before something has to run, so a check that finds nothing
to do takes a moment.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TextIO

from filelock import FileLock, Timeout

from wsss.book.files import sha256, write_whole
from wsss.book.keys import LOCK_FILE, PACKAGE, code_hash, notebook_key
from wsss.book.pages import publish_notebook, remove_orphans
from wsss.book.status import write_status
from wsss.errors import InputError


@dataclass(frozen=True)
class NotebookResult:
    """What became of one notebook.

    Attributes
    ----------
    notebook : Path
        The source.
    status : "ran", "unchanged" or "failed"
        "unchanged" means that the output of an earlier run was kept.
    seconds : float
        Wall time of this run; 0 if there was none.
    error : str
        One line that names exception and cell; empty unless the status is "failed".
    """

    notebook: Path
    status: Literal["ran", "unchanged", "failed"]
    seconds: float = 0.0
    error: str = ""


def run_notebooks(
    notebooks: Sequence[Path],
    *,
    profile: str,
    runs: Path,
    publish: Path,
    parameters: Mapping[str, Any] | None = None,
    jobs: int = 1,
    data: str = "",
    root: Path = PACKAGE.parent,
    prepare: Callable[[], None] | None = None,
) -> list[NotebookResult]:
    """Run what is stale among the notebooks and publish every one that has an output.

    The executed notebook ``<name>.ipynb``, its provenance ``<name>.json`` and its log
    ``<name>.log`` lie in ``runs/notebooks/<profile>/``. A notebook that fails leaves
    ``<name>.partial.ipynb`` and a readable ``<name>.err.txt`` there, its last good page stays
    published, and the others still run. A published page whose source is gone is removed. The page
    ``status.md`` says how each of the last runs went.

    Parameters
    ----------
    notebooks : sequence of Path
        The sources, each with one cell tagged ``parameters``.
    profile : str
        Passed to every notebook as its parameter ``profile``.
    runs : Path
        Folder of results, `$WSSS_RUNS`.
    publish : Path
        Folder of the pages, ``book/notebooks``.
    parameters : mapping, optional
        Further parameters; every notebook has to declare each of them.
    jobs : int
        How many notebooks run at once, 1 or more.
    data : str
        Fingerprint of the data, part of the key; see `folder_fingerprint`.
    root : Path
        The notebooks run in this folder; its `requirements.lock` is part of the key.
    prepare : callable, optional
        Called once, before the first notebook that has to run.

    Returns
    -------
    list of NotebookResult
        In the order of `notebooks`.

    Raises
    ------
    InputError
        If a notebook cannot be read or does not declare one of the parameters, if `profile` or
        `jobs` is impossible, or if another process runs these notebooks. Nothing has run then.
    """
    if jobs < 1:
        raise InputError(f"jobs is {jobs}; at least one notebook runs at a time")
    if not re.fullmatch(r"\w+", profile):
        raise InputError(f"{profile!r} cannot be the name of a profile: letters, digits and _ only")
    given = {"profile": profile, **(parameters or {})}
    root, publish = root.resolve(), publish.resolve()
    folder = runs.resolve() / "notebooks" / profile
    notebooks = [notebook.resolve() for notebook in notebooks]
    code = code_hash(root)
    keys = {n: notebook_key(n, parameters=given, code=code, data=data) for n in notebooks}
    folder.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder):
        stale = [n for n in notebooks if _recorded_key(folder / n.name) != keys[n]]
        declared = {n: _declared_parameters(n, given) for n in stale}

        def bring_up_to_date(notebook: Path) -> NotebookResult:
            if notebook not in declared:
                return NotebookResult(notebook, "unchanged")
            origin = {"key": keys[notebook], "parameters": declared[notebook] | given, "data": data}
            return _run(notebook, given, folder / notebook.name, origin, root)

        with contextlib.chdir(root):
            if stale and prepare is not None:
                prepare()
            if jobs == 1:
                results = [bring_up_to_date(notebook) for notebook in notebooks]
            else:
                with ThreadPoolExecutor(jobs) as pool:
                    results = list(pool.map(bring_up_to_date, notebooks))
        for notebook in notebooks:
            if (folder / notebook.name).exists():
                publish_notebook(folder / notebook.name, publish / notebook.name)
        remove_orphans(publish, notebooks)
        write_status(results, folder, publish / "status.md")
    return results


def say(line: str) -> None:
    """Print a line of progress, at once, where progress bars go."""
    print(line, file=sys.stderr, flush=True)


def _run(
    notebook: Path, given: Mapping[str, Any], output: Path, origin: dict[str, Any], root: Path
) -> NotebookResult:
    """Execute one notebook; its output appears whole or not at all."""
    from papermill import PapermillExecutionError, execute_notebook

    from wsss.stages.provenance import environment

    partial, report = output.with_suffix(".partial.ipynb"), output.with_suffix(".err.txt")
    say(f"{notebook.name}: started, profile {given['profile']}")
    origin["started"] = datetime.now(UTC).isoformat(timespec="seconds")
    begin = time.monotonic()
    error = details = ""
    with output.with_suffix(".log").open("w", encoding="utf-8") as log:
        progress = _Tee(log, sys.stderr)
        try:
            execute_notebook(
                notebook,
                partial,
                dict(given),
                kernel_name="python3",
                progress_bar=False,
                stdout_file=progress,
                stderr_file=progress,
            )
        except PapermillExecutionError as failure:
            error = f"{failure.ename}: {_first_line(failure.evalue)} (cell {failure.exec_count})"
            details = f"{failure}\nThe cell:\n{failure.source}\n"
        except Exception as failure:  # a kernel that dies must not take the other notebooks along
            error = f"{type(failure).__name__}: {_first_line(str(failure))}"
            details = str(failure)
    seconds = time.monotonic() - begin
    if error:
        write_whole(report, f"{notebook.name}: {error}\n\n{details}\n")
        say(f"FAILED {notebook.name} {error} after {seconds:.0f} s; see {_short(report, root)}")
        return NotebookResult(notebook, "failed", seconds, error)
    # The record goes first and comes last: a run killed in between is a stale one, not a wrong one.
    record = output.with_suffix(".json")
    record.unlink(missing_ok=True)
    partial.replace(output)
    origin |= {"seconds": round(seconds, 1), "lock": sha256(root / LOCK_FILE), **environment()}
    write_whole(record, json.dumps(origin, indent=2, default=str) + "\n")
    report.unlink(missing_ok=True)
    say(f"{notebook.name}: done in {seconds:.0f} s")
    return NotebookResult(notebook, "ran", seconds)


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise InputError(f"another process runs the notebooks of {folder}: wait for it") from None


def _recorded_key(output: Path) -> str:
    record = output.with_suffix(".json")
    return json.loads(record.read_text())["key"] if output.exists() and record.exists() else ""


def _declared_parameters(notebook: Path, given: Mapping[str, Any]) -> dict[str, str]:
    """Names and default values (as source) of a notebook's parameters; all the given are there.

    Papermill itself only warns about an unknown parameter and goes on with the default.
    """
    from papermill import inspect_notebook

    logging.getLogger("papermill").setLevel(logging.ERROR)
    try:
        inspected = inspect_notebook(str(notebook))
    except ValueError as error:  # no kernel is named, say
        raise InputError(f"{notebook.name} cannot be run: {error}") from error
    declared = {name: parameter["default"] for name, parameter in inspected.items()}
    for name in given:
        if name not in declared:
            known = ", ".join(declared) or "none (it lacks a cell tagged 'parameters')"
            raise InputError(
                f"{notebook.name} has no parameter {name!r}; its parameters are: {known}"
            )
    return declared


class _Tee:
    """A stream that writes to several, so that a notebook's progress is both seen and kept."""

    def __init__(self, *streams: TextIO) -> None:
        self._streams = streams

    def write(self, text: str) -> None:
        for stream in self._streams:
            stream.write(text)

    def flush(self) -> None:
        for stream in self._streams:
            stream.flush()


def _first_line(text: str) -> str:
    return text.split("\n", 1)[0]


def _short(path: Path, root: Path) -> Path:
    return path.relative_to(root) if path.is_relative_to(root) else path
