"""Run the notebooks whose ingredients changed, by papermill, and publish them as pages.

A page carries the key of what it was made of in its own metadata, with what else is known of its
run. Neither torch nor papermill is imported before something has to run, so a look that finds
nothing to do takes a moment.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from wsss.book.keys import PACKAGE, code_hash, folder_fingerprint, notebook_key
from wsss.book.pages import (
    publish,
    read_origin,
    write_gallery,
    write_if_new,
    write_speed,
    write_status,
)
from wsss.errors import InputError
from wsss.files import write_text


class Page(NamedTuple):
    """What became of a notebook: whether its page "ran", is "unchanged" or "failed", and why."""

    notebook: Path
    status: str
    error: str = ""


def reproduce(
    root: Path = PACKAGE.parent,
    *,
    profile: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    jobs: int | None = None,
    everything: bool = False,
) -> bool:
    """Bring all pages of a clone up to date and say so in the terminal.

    Executed notebooks that failed, and the logs of all, lie in ``runs/notebooks/<profile>/``. A
    notebook that fails leaves its last good page published, and the others still run.

    Parameters
    ----------
    root : Path
        The clone: its ``notebooks/`` are run, ``book/notebooks/`` is published. Results go to
        `$WSSS_RUNS` (default ``runs/``); the pages depend on `$WSSS_DATA` if that is set.
    profile : str, optional
        By default profile and parameters of the page that was made last, else ``demo``.
    parameters : mapping, optional
        Further parameters; every notebook has to declare each of them.
    jobs : int, optional
        How many notebooks run at once; by default one more than there are cores, since each waits
        for its kernel at times.
    everything : bool
        Of drawn scenes, compute every random seed that is recorded, not the first alone.

    Returns
    -------
    bool
        Whether every notebook has a page that is up to date.

    Raises
    ------
    InputError
        If there are no notebooks, one cannot be read or does not declare a parameter, or another
        process runs them. Nothing has run then.

    Examples
    --------
    >>> reproduce(Path("no-such-clone"))
    Traceback (most recent call last):
    ...
    wsss.errors.InputError: no notebooks in ...: the book is made in a clone
    """
    from dask.system import CPU_COUNT

    root, jobs = root.resolve(), CPU_COUNT + 1 if jobs is None else jobs
    notebooks = sorted((root / "notebooks").glob("*.ipynb"))
    pages = root / "book" / "notebooks"
    if not notebooks:
        raise InputError(f"no notebooks in {root / 'notebooks'}: the book is made in a clone")
    if jobs < 1:
        raise InputError(f"jobs is {jobs}; at least one notebook runs at a time")
    made = {n: read_origin(pages / n.name) for n in notebooks}
    if profile is None:
        last = max(made.values(), key=lambda origin: origin.get("started", ""))
        profile = str(last.get("profile", "demo"))
        parameters = last.get("parameters", {}) if parameters is None else parameters
    if not re.fullmatch(r"\w+", profile):
        raise InputError(f"{profile!r} cannot be the name of a profile: letters, digits and _ only")
    runs, folder = root / os.environ.get("WSSS_RUNS", "runs"), os.environ.get("WSSS_DATA", "")
    given, data = {"profile": profile, **(parameters or {})}, root / folder if folder else None
    made_of = code_hash(root), folder_fingerprint(data) if data else ""
    keys = {n: notebook_key(n, given, made_of) for n in notebooks}
    logs = runs / "notebooks" / profile
    logs.mkdir(parents=True, exist_ok=True)
    with _alone_in(logs), chdir(root):
        stale = [n for n in notebooks if made[n].get("key") != keys[n]]
        results = [Page(n, "unchanged") for n in notebooks if n not in stale]
        if stale:
            from wsss.book.kernels import own_kernel

            rng_seeds = (parameters or {}).get("rng_seeds")

            def one(notebook: Path) -> Page:
                origin = {"key": keys[notebook], "profile": profile, "parameters": parameters or {}}
                return _run(notebook, given, origin, logs, pages)

            with own_kernel():
                _check_parameters(stale, given)
                agreement = _compute(profile, data, runs, rng_seeds, everything)
                if agreement:
                    write_if_new(pages / "agreement.md", agreement)
                else:
                    (pages / "agreement.md").unlink(missing_ok=True)
                with ThreadPoolExecutor(jobs) as pool:
                    results += pool.map(one, stale)
    for page in pages.glob("*.ipynb"):
        if page.name not in {n.name for n in notebooks}:
            page.unlink()
    failures = {page.notebook: page.error for page in results if page.error}
    origins = {n: read_origin(pages / n.name) for n in notebooks}
    write_status(origins, failures, pages / "status.md")
    write_gallery([pages / n.name for n, origin in origins.items() if origin], pages)
    write_speed(root / "benchmarks" / "results", pages / "speed.md")
    tally = Counter(page.status for page in results)
    say(f"notebooks ({profile}): " + ", ".join(f"{n} {status}" for status, n in tally.items()))
    return not failures


def say(line: str) -> None:
    """Print a line of progress, at once, where progress bars go."""
    print(line, file=sys.stderr, flush=True)


def _compute(profile: str, data: Path | None, runs: Path, rng_seeds: Any, everything: bool) -> str:
    """Compute in one graph what tables and claims need and nothing records.

    Of drawn scenes, which every reader has, the first random seed is computed in any case, so that
    the records stand beside what comes out here.

    Returns
    -------
    str
        How well the two agree; nothing where nothing is computed a second time.
    """
    from wsss.lab import Lab
    from wsss.pages.provenance import agreement, tell_agreement
    from wsss.stages import Scenes

    lab = Lab(profile, data, rng_seeds=rng_seeds, runs=runs)
    lab.everything()
    if not isinstance(lab.source, Scenes):
        return ""
    again = lab.rng_seeds if everything else lab.rng_seeds[:1]
    lab = Lab(profile, rng_seeds=again, runs=runs, compute="all")
    lab.everything()
    found = agreement(lab)
    return "" if found.empty else tell_agreement(found)


def _run(
    notebook: Path,
    given: Mapping[str, Any],
    origin: dict[str, Any],
    logs: Path,
    pages: Path,
) -> Page:
    """Execute one notebook; its page appears whole or not at all."""
    from wsss.book.execution import execute, failure
    from wsss.stages.provenance import environment

    partial, report = logs / f"{notebook.stem}.partial.ipynb", logs / f"{notebook.stem}.err.txt"
    log = logs / f"{notebook.stem}.log"
    say(f"{notebook.name}: started, profile {given['profile']}")
    origin["started"] = datetime.now(UTC).isoformat(timespec="seconds")
    begin = time.monotonic()
    for old in (partial, log):
        old.unlink(missing_ok=True)
    try:
        execute(notebook, partial, given, log)
        failed = ""
    except Exception as problem:  # of a cell, or of its kernel
        failed = str(problem) or type(problem).__name__
    seconds = time.monotonic() - begin
    if failed:
        said = log.read_text(encoding="utf-8") if log.is_file() else ""
        error, details = failure(partial, f"{failed}\n\n{said}")
        write_text(report, f"{notebook.name}: {error}\n\n{details}\n")
        where = os.path.relpath(report)
        say(f"FAILED {notebook.name} {error} after {seconds:.0f} s; see {where}")
        return Page(notebook, "failed", error)
    origin |= {"seconds": round(seconds, 1), **environment()}
    publish(partial, pages / notebook.name, origin)
    partial.unlink()
    report.unlink(missing_ok=True)
    say(f"{notebook.name}: done in {seconds:.0f} s")
    return Page(notebook, "ran")


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise InputError(f"another process runs the notebooks of {folder}: wait for it") from None


def _check_parameters(notebooks: Sequence[Path], given: Mapping[str, Any]) -> None:
    """Refuse a parameter that a notebook lacks; papermill would only warn, and go on without."""
    from papermill import inspect_notebook

    logging.getLogger("papermill").setLevel(logging.ERROR)
    for notebook in notebooks:
        try:
            declared = inspect_notebook(str(notebook))
        except ValueError as error:  # no kernel is named, say
            raise InputError(f"{notebook.name} cannot be run: {error}") from error
        if absent := [name for name in given if name not in declared]:
            known = ", ".join(declared) or "none (it lacks a cell tagged 'parameters')"
            raise InputError(
                f"{notebook.name} has no parameter {absent[0]!r}; its parameters are: {known}"
            )


def main(argv: Sequence[str] | None = None) -> int:
    """Command line: ``python -m wsss.book --profile demo``.

    Returns
    -------
    int
        Exit status: 0, 1 if a notebook failed, 2 if nothing could be started, 130 if interrupted;
        with ``--html`` Jupyter Book, once all pages are good, exits with its own.

    Examples
    --------
    >>> main(["--profile", "not a name"])  # and says why on stderr
    2
    """
    parser = argparse.ArgumentParser(
        prog="python -m wsss.book",
        description="Run the notebooks that are stale and publish them as pages of the book.",
    )
    parser.add_argument("--profile", help="default: that of the published pages, else demo")
    parser.add_argument("--jobs", type=int, help="notebooks at once (default: one a core, and one)")
    parser.add_argument("--all", action="store_true", help="compute what is recorded of scenes too")
    parser.add_argument(
        "--html", action="store_true", help="build the book too, as `jupyter-book build book` does"
    )
    parser.add_argument(
        "-p", dest="parameters", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"),
        help="a parameter of the notebooks; its value is JSON or else plain text",
    )  # fmt: skip
    args = parser.parse_args(argv)
    parameters = {name: _value(text) for name, text in args.parameters} or None
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        good = reproduce(
            profile=args.profile, parameters=parameters, jobs=args.jobs, everything=args.all
        )
    except InputError as error:
        say(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        say("interrupted: what is finished is kept, the same command goes on")
        return 130
    if good and args.html:
        # In this process: if a page was stale, it has imported most of what pages describe.
        say("building the pages")
        # A collector looks at every object there is, and torch has one that warns when looked at.
        warnings.filterwarnings("ignore", "`torch.distributed.reduce_op`", FutureWarning)
        from jupyter_book.cli.main import main as jupyter_book

        jupyter_book(["build", "-q", str(PACKAGE.parent / "book")])  # and exits
    return 0 if good else 1


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
