"""Records: numbers in ``results/`` that a build does not compute again, known by identity."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock

from wsss.errors import InputError
from wsss.files import atomic_write
from wsss.paper import Testing
from wsss.stages.stage import Stage

CLONE = Path(__file__).resolve().parents[2]
CLONED = (CLONE / "notebooks").is_dir()
RESULTS = CLONE / "results" if CLONED else Path(sys.prefix, "share", "wsss", "results")
"""In the clone, wherever a command or a notebook is run; without one, where the wheel put them."""

SCORE = ["identity", "testing", "table", "row", "column"]
"""What makes a line of ``scores.csv`` one of its own, as a training may stand in several tables."""


HIGHEST = {"miou": 100, "mIoU": 100, "right": 1, "wrong": 1}
"""Numbers that must be there, and how large they can be; none is below 0."""


class Records:
    """What a folder such as ``results/photo`` holds: one more source that a store reads.

    ``scores.csv`` has a line for each score of a table, known by the identity of its stage and the
    way of testing; ``traces.csv`` one for each epoch of a `wsss.stages.WeightTrace`; ``seeds.csv``
    one for each score of seeds themselves. An identity stands for the images and every parameter,
    so a number of other images or settings is never found.

    Parameters
    ----------
    folder : Path, optional
        A folder that is absent, and none, hold nothing.

    Examples
    --------
    >>> len(Records(RESULTS / "no such profile").scores)
    0
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Lines of ``scores.csv``."""
        return self.table("scores.csv", [*SCORE, "rng_seed", "miou", "images"])

    @cached_property
    def traces(self) -> pd.DataFrame:
        """Lines of ``traces.csv``."""
        return self.table("traces.csv", ["identity", "rng_seed", "epoch", "right", "wrong"])

    @cached_property
    def seeds(self) -> pd.DataFrame:
        """Lines of ``seeds.csv``."""
        return self.table("seeds.csv", ["identity", "mIoU"])

    @property
    def fingerprint(self) -> str | None:
        """Fingerprint of the images that the scores are of, if all are of the same."""
        found = set(self.scores["images"])
        return found.pop() if len(found) == 1 else None

    def find(self, identity: str, testing: Testing | None = None) -> dict[str, Any] | None:
        """Find what is recorded of a stage; of a trace, its last epoch.

        Parameters
        ----------
        identity : str
            The stage's.
        testing : str, optional
            Which of the numbers of a score.

        Returns
        -------
        dict or None
            The columns of its line; None if nothing is recorded.
        """
        return self._lines.get((identity, testing))

    def of(self, stage: Stage, testing: Testing | None = None) -> dict[str, Any] | None:
        """Find what is recorded of a stage, else of the same one in float32, as `find` does.

        What came with the package was made on CPUs; a GPU's results have identities of their own.
        """
        found = self.find(stage.identity, testing)
        if found is None and self._lines:
            found = self.find(stage.in_float32().identity, testing)
        return found

    @cached_property
    def _lines(self) -> dict[tuple[str, str | None], dict[str, Any]]:
        lines: dict[tuple[str, str | None], dict[str, Any]] = {}
        for frame in (self.scores, self.traces, self.seeds):
            for line in frame.to_dict("records"):
                lines[line["identity"], line.get("testing")] = line  # pyright: ignore
        return lines

    def table(self, name: str, columns: Collection[str]) -> pd.DataFrame:
        """Read a CSV of the folder; without lines if there is none.

        Raises
        ------
        InputError
            If it cannot be read, lacks one of the `columns`, or holds what cannot be.
        """
        path = None if self.folder is None else self.folder / name
        if path is None or not path.is_file():
            return pd.DataFrame(columns=list(columns))
        try:
            frame = pd.read_csv(path, dtype={"row": str, "column": str}, low_memory=False)
        except (OSError, ValueError, OverflowError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{path}: cannot be read as CSV ({reason:.200})") from error
        if absent := set(columns) - set(frame.columns):
            raise InputError(f"{path}: no column {min(absent)!r}; record it anew")
        if not isinstance(frame.index, pd.RangeIndex):  # pandas has moved all by a column
            raise InputError(f"{path}: its lines have more cells than titles; record it anew")
        _require_possible(path, frame)
        return frame


def _require_possible(path: Path, frame: pd.DataFrame) -> None:
    """Refuse numbers that cannot be, and two lines that would stand for one number."""
    for column in frame.columns.intersection(list(HIGHEST)):
        values = np.asarray(pd.to_numeric(frame[column], errors="coerce"), float)
        wrong = ~((values >= 0) & (values <= HIGHEST[column]))  # true of what is no number, too
        if column == "mIoU":  # of seeds, that may be of no class at all
            wrong &= frame[column].notna().to_numpy()
        if wrong.any():
            line = int(wrong.argmax())
            value = f"{column} is {frame[column].iloc[line]!s:.20}"
            raise InputError(
                f"{path}, line {line + 2}: {value}, which is not from 0 to {HIGHEST[column]}; "
                "record it anew"
            )
    if "identity" not in frame.columns:
        return
    named = [each for each in (*SCORE, "epoch") if each in frame.columns]
    twice = frame.duplicated(named).to_numpy()
    if twice.any():
        line = int(twice.argmax())
        raise InputError(
            f"{path}, line {line + 2}: {frame['identity'].iloc[line]!s:.20} stands there twice; "
            "remove one line"
        )


def keep_scores(lines: pd.DataFrame, folder: Path) -> None:
    """Add lines to ``scores.csv`` of a folder, in place of older ones of the same identity.

    Lines of other profiles, images or settings have other identities and stay.

    Examples
    --------
    >>> import tempfile
    >>> line = {"identity": "0a", "testing": "single", "table": "table5", "rng_seed": 0}
    >>> line |= {"row": "T", "column": "plain", "miou": 50.0, "images": "scenes"}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     keep_scores(pd.DataFrame([line]), Path(folder))
    ...     Records(Path(folder)).find("0a", "single")["miou"]
    50.0
    """
    keep_lines(lines, folder / "scores.csv", SCORE, order=["table", "rng_seed"])


def keep_lines(
    lines: pd.DataFrame, path: Path, key: Sequence[str], *, order: Sequence[str] = ()
) -> None:
    """Add lines to a CSV, in place of older ones with the same key; the file is replaced whole.

    Parameters
    ----------
    lines : pandas.DataFrame
        What to add; without any, nothing is written.
    path : Path
        The file; it may be absent.
    key : sequence of str
        Columns by which lines are told apart.
    order : sequence of str
        Columns by which all lines are sorted; without any they stand as they came.

    Raises
    ------
    InputError
        If the file cannot be read or lacks a column of the key.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for miou in (50.0, 51.0):
    ...         line = pd.DataFrame([{"row": "T", "miou": miou}])
    ...         keep_lines(line, Path(folder) / "longer.csv", ["row"])
    ...     (Path(folder) / "longer.csv").read_text().split()
    ['row,miou', 'T,51.0']
    """
    if lines.empty:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):  # from reading to replacing
        old = Records(path.parent).table(path.name, key)
        lines = lines if old.empty else pd.concat([old, lines])
        lines = lines.drop_duplicates(key, keep="last").dropna(axis="columns", how="all")
        if order:
            lines = lines.sort_values(list(order), kind="stable")
        with atomic_write(path) as aside:
            lines.to_csv(aside, index=False)
