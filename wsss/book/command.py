"""One call, and one command, that brings all pages of a clone up to date."""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from wsss.book.files import write_whole
from wsss.book.keys import PACKAGE, folder_fingerprint
from wsss.book.running import run_notebooks, say
from wsss.book.speed import write_speed
from wsss.errors import InputError

DEFAULT_PROFILE = "demo"


def reproduce(
    root: Path = PACKAGE.parent,
    *,
    profile: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    jobs: int = 1,
) -> bool:
    """Bring all pages of a clone up to date and say so in the terminal.

    Parameters
    ----------
    root : Path
        The clone: its `notebooks/` are run, `book/notebooks/` is published. Results go to
        `$WSSS_RUNS` (default `runs/`); the pages depend on `$WSSS_DATA` if that is set.
    profile : str, optional
        Default: the profile (and the parameters) of the pages that are published now, as
        `runs/PROFILE` holds them, else ``demo``.
    parameters, jobs
        As in `run_notebooks`.

    Returns
    -------
    bool
        Whether every notebook has an output that is up to date.

    Raises
    ------
    InputError
        See `run_notebooks`; also if there are no notebooks.
    """
    notebooks = sorted((root / "notebooks").glob("*.ipynb"))
    if not notebooks:
        raise InputError(f"no notebooks in {root / 'notebooks'}: the book is made in a clone")
    runs = root / os.environ.get("WSSS_RUNS", "runs")
    data = os.environ.get("WSSS_DATA", "")
    chosen = runs / "PROFILE"
    if profile is None:
        profile, known = _choice(chosen)
        parameters = known if parameters is None else parameters
    results = run_notebooks(
        notebooks,
        profile=profile,
        runs=runs,
        publish=root / "book" / "notebooks",
        parameters=parameters,
        jobs=jobs,
        data=folder_fingerprint(root / data) if data else "",
        root=root,
        prepare=partial(compute_tables, profile, runs, root / data if data else None, parameters),
    )
    write_speed(root / "benchmarks" / "results", root / "book" / "notebooks" / "speed.md")
    tally = Counter(result.status for result in results)
    say(f"notebooks ({profile}): " + ", ".join(f"{n} {status}" for status, n in tally.items()))
    if tally["failed"]:
        return False
    write_whole(chosen, f"{profile}\n{json.dumps(dict(parameters or {}))}\n")
    return True


def compute_tables(
    profile: str, runs: Path, data: Path | None, parameters: Mapping[str, Any] | None
) -> None:
    """Compute in one graph what tables and claims need and nothing records.

    Parameters
    ----------
    profile, runs, data
        Profile, folder of results, data folder.
    parameters : mapping, optional
        Of the notebooks; ``rng_seeds`` counts here.
    """
    from wsss.claims import CLAIMS, known_figures, stages_missing
    from wsss.engine import run
    from wsss.pipeline import Pipeline
    from wsss.profiles import get_profile
    from wsss.stages import Store
    from wsss.tables import (
        RESULTS,
        TABLES,
        asked,
        read_recorded,
        read_recorded_traces,
        to_compute,
    )

    pipeline, store = Pipeline(get_profile(profile), data), Store(runs, data)
    rng_seeds = (parameters or {}).get("rng_seeds") or pipeline.profile.rng_seeds
    recorded, traces = read_recorded(RESULTS / profile), read_recorded_traces(RESULTS / profile)
    figures = [each for table in TABLES.values() for each in asked(table, pipeline, rng_seeds)]
    known = known_figures(pipeline, recorded, traces)
    run(
        [
            *to_compute(figures, store, recorded, "missing"),
            *stages_missing(CLAIMS, pipeline, store, rng_seeds, known),
        ],
        store,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Command line: ``python -m wsss.book --profile demo``.

    Parameters
    ----------
    argv : sequence of str, optional
        Default: the arguments of the process.

    Returns
    -------
    int
        Exit status: 0, or 1 if a notebook failed, or 2 if nothing could be started.
    """
    parser = argparse.ArgumentParser(
        prog="python -m wsss.book",
        description="Run the notebooks that are stale and publish them as pages of the book.",
    )
    parser.add_argument("--profile", help="default: that of the published pages, else demo")
    parser.add_argument("--jobs", type=int, default=1, help="notebooks at once (default: 1)")
    parser.add_argument(
        "-p",
        dest="parameters",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="a parameter of the notebooks; its value is JSON or else plain text",
    )
    args = parser.parse_args(argv)
    parameters = {name: _value(text) for name, text in args.parameters} or None
    try:
        good = reproduce(profile=args.profile, parameters=parameters, jobs=args.jobs)
    except InputError as error:
        say(f"error: {error}")
        return 2
    return 0 if good else 1


def _choice(file: Path) -> tuple[str, dict[str, Any]]:
    """Profile and parameters of the last complete run."""
    if not file.exists():
        return DEFAULT_PROFILE, {}
    profile, _, parameters = file.read_text(encoding="utf-8").partition("\n")
    return profile.strip(), json.loads(parameters.strip() or "{}")


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
