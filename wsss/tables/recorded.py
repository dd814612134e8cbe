"""Scores that ``results/`` holds: what a build does not compute again, known by its identity."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Literal

import pandas as pd

from wsss.errors import InputError
from wsss.files import atomic_write
from wsss.tables.paper import TABLES_AND_CLAIM13

Compute = Literal["missing", "none", "all"]
"""What is neither in the run folder nor recorded; nothing; or all that the run folder lacks."""

CLONE = Path(__file__).resolve().parents[2]
RESULTS = CLONE / "results" if (CLONE / "notebooks").is_dir() else Path("results")
"""In the clone, wherever a command or a notebook is run; without one, in the folder at hand."""

KEY = ["table", "row", "column", "testing", "rng_seed"]


def read_recorded(folder: Path) -> pd.DataFrame:
    """Read the tables of a folder such as ``results/photo``.

    Parameters
    ----------
    folder : Path
        With ``table1.csv`` ... ``table7.csv`` and ``claim13.csv``, as far as they are there; a
        folder that is absent holds nothing.

    Returns
    -------
    pandas.DataFrame
        The lines of `wsss.tables.records`.

    Raises
    ------
    InputError
        If a file is damaged.
    """
    frames = []
    for path in (folder / f"{name}.csv" for name in TABLES_AND_CLAIM13):
        if not path.is_file():
            continue
        frames.append(read_lines(path, {*KEY, "miou", "identity"}))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=KEY)


def read_lines(path: Path, columns: Collection[str]) -> pd.DataFrame:
    """Read a recorded CSV, which has to have some columns.

    Raises
    ------
    InputError
        If it cannot be read or lacks one.
    """
    try:
        frame = pd.read_csv(path, dtype={"row": str, "column": str})
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as CSV ({error})") from error
    if absent := set(columns) - set(frame.columns):
        raise InputError(f"{path}: no column {min(absent)!r}; record it anew")
    return frame


def recorded_scores(recorded: pd.DataFrame | None) -> dict[tuple[str, str], float]:
    """MIoU in percent by identity and way of testing."""
    if recorded is None or recorded.empty:
        return {}
    keys = zip(recorded["identity"], recorded["testing"], strict=True)
    return dict(zip(keys, recorded["miou"], strict=True))


def keep(lines: pd.DataFrame, path: Path) -> None:
    """Add lines, if any, to a recorded table, in place of older ones of the same score."""
    if lines.empty:
        return
    if path.is_file():
        lines = pd.concat([read_recorded(path.parent).query("table == @path.stem"), lines])
    lines = lines.drop_duplicates(KEY, keep="last").dropna(axis="columns", how="all")
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as aside:
        lines.to_csv(aside, index=False)
