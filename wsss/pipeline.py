"""From stages to numbers: computed where they are missing, read from wherever they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from operator import index
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import pandas as pd

from wsss.errors import InputError, require_word
from wsss.paper import Cell, Table, Testing, get_table
from wsss.profiles import Profile, get_profile
from wsss.stages import (
    RESULTS,
    PhotoFolder,
    Records,
    SaliencyName,
    Scenes,
    SegmenterScore,
    Stage,
    Store,
    default_runs,
    graph,
    keep_scores,
    run,
)
from wsss.training.precision import PrecisionName
from wsss.wiring import Wiring

Compute = Literal["missing", "none", "all"]
"""What is neither computed nor recorded; nothing; or what is not computed, recorded or not."""

WITH_CRF: Mapping[Testing, Testing] = {"single": "crf", "ms": "ms+crf"}
"""A score with a CRF holds the one without it."""


class Asked(NamedTuple):
    """One number of a table, and the stage that it is read from.

    Examples
    --------
    >>> asked = Pipeline("demo", rng_seeds=0).asked("table5")[0]
    >>> asked.table.name, asked.rng_seed, asked.testing, asked.stage.name
    ('table5', 0, 'single', 'segmenter_score')
    """

    table: Table
    cell: Cell
    rng_seed: int
    testing: Testing
    stage: SegmenterScore


class Pipeline(Wiring):
    """A profile on a data folder, with its results and random seeds.

    Parameters
    ----------
    profile : str, Path or Profile
        Name of a profile, a file of yours that holds one, or the value; see `wsss.profiles`.
    data : str or Path, optional
        Data folder, if the profile reads one. Without it recorded numbers can still be read.
    rng_seeds : int, str or sequence of int, optional
        Random seeds, say ``[0, 1]``, ``"0 1"`` or ``0``; none are those of the profile.
    runs, results : str or Path, optional
        Folder of computed results (`wsss.stages.default_runs`), and of recorded numbers
        (``results/PROFILE``).
    compute : {"missing", "none", "all"}
        What `scores` computes: what is neither computed nor recorded, nothing, or all that is not
        computed.
    saliency : str, optional
        Another source of saliency than the profile's, see `wsss.stages.choose_saliency`.
    classes : sequence of str, optional
        Other classes than the profile's, out of those that the data folder names; none are all.
    precision : {"32", "tf32", "bf16"}, optional
        In what the networks compute, see `wsss.wiring.Wiring`.
    workers, scheduler, quiet
        As in `wsss.stages.run`.

    Raises
    ------
    InputError
        If there is no such profile or word. A data folder is first read when it is needed.

    Examples
    --------
    >>> lab = Pipeline("demo", rng_seeds="0 1")
    >>> lab.rng_seeds, len(lab.labels(lab.richest))
    ((0, 1), 12)
    """

    def __init__(
        self,
        profile: str | Path | Profile = "demo",
        data: str | Path | None = None,
        *,
        rng_seeds: int | str | Sequence[int] | None = None,
        runs: str | Path | None = None,
        results: str | Path | None = None,
        compute: Compute = "missing",
        saliency: SaliencyName | None = None,
        classes: Sequence[str] | None = None,
        precision: PrecisionName | None = None,
        workers: int | None = None,
        scheduler: str | None = None,
        quiet: bool = False,
    ) -> None:
        found = profile if isinstance(profile, Profile) else get_profile(profile)
        if saliency is not None:
            found = replace(found, seeds=replace(found.seeds, saliency=saliency))
        if classes is not None:
            source = found.data.source.only(tuple(classes) or None)
            found = replace(found, data=replace(found.data, source=source))
        super().__init__(found, Path(data) if data else None, precision)
        self.rng_seeds = _rng_seeds(rng_seeds) or _rng_seeds(found.rng_seeds)
        if not self.rng_seeds:
            raise InputError(
                f"the profile {found.name} names no random seeds; give it some, say (0,)"
            )
        require_word("compute", compute, Compute)
        self.compute: Compute = compute
        self.records = Records(Path(results) if results else RESULTS / found.name)
        known = Records() if compute == "all" else self.records
        self.store = Store(Path(runs) if runs else default_runs(), self.data, known)
        self.used: dict[str, tuple[Stage, Testing | None]] = {}
        self._how = {"workers": workers, "scheduler": scheduler, "quiet": quiet}

    @cached_property
    def source(self) -> Scenes | PhotoFolder:
        """Where the images come from; a folder that is not there is the recorded one."""
        return self.profile.data.source.at(
            self.data,
            recorded=self.records.fingerprint,
            cache=self.store.runs / "fingerprints.json",
        )

    def run(self, goals: Iterable[Stage], expected: Mapping[str, float] | None = None) -> None:
        """Compute what is missing of some stages, so that their results can be opened.

        `expected` is as in `wsss.stages.run`.
        """
        goals = list(goals)
        self.used |= {stage.identity: (stage, None) for stage in goals}
        run(goals, self.store, expected=expected, **self._how)

    def provide(self, numbers: Iterable[tuple[Stage, Testing | None]]) -> None:
        """Compute the stages of numbers that are neither computed nor recorded, as `compute` says.

        Parameters
        ----------
        numbers : iterable of (Stage, str or None)
            Stages, and which of a score's numbers is meant.

        Raises
        ------
        InputError
            If a stage fails, or a result that is there is not as it was written: of no number is
            one shown whose images, CAMs, seeds or segmenter are damaged now.
        """
        numbers = list(numbers)
        computed = [stage for stage, _ in numbers if self.store.done(stage)]
        for stage in filter(self.store.done, graph(computed)):
            self.store.folder(stage)
        self.used |= {stage.identity: (stage, way) for stage, way in numbers}
        if self.compute != "none":
            missing = [stage for stage, way in numbers if self.store.missing(stage, way)]
            run(missing, self.store, **self._how)

    def asked(
        self, *tables: str | Table, testing: Testing | Literal["all"] | None = None
    ) -> list[Asked]:
        """List the numbers of tables: one a random seed, cell and way of testing.

        Parameters
        ----------
        *tables : str or Table
            Names, see `wsss.paper.get_table`, or values.
        testing : {"single", "crf", "ms", "ms+crf", "all"}, optional
            How segmenters are tested; by default the profile's way. If all ways are asked for,
            those with and without a CRF are read from one stage.
        """
        if testing is not None:
            require_word("testing", testing, Literal[Testing, "all"])
        if testing == "all":
            ways: Sequence[Testing] = get_args(Testing)
        else:
            ways = [testing or self.profile.testing]
        held = WITH_CRF if testing == "all" else {}
        return [
            Asked(table, cell, rng_seed, way, self.score(cell.recipe, rng_seed, held.get(way, way)))
            for table in map(get_table, tables)
            for rng_seed in self.rng_seeds
            for cell in self.cells(table)
            for way in ways
        ]

    def scores(
        self, *tables: str | Table, testing: Testing | Literal["all"] | None = None
    ) -> pd.DataFrame:
        """Compute what is missing of some tables and return their scores.

        Parameters
        ----------
        *tables, testing
            As in `asked`.

        Returns
        -------
        pandas.DataFrame
            One line a random seed, cell and way of testing: ``profile``, ``table``, ``row``,
            ``column``, ``seeds`` (how many label maps train the segmenter), ``paper``, ``testing``,
            ``rng_seed``; then what `wsss.stages.Store.read` gives: ``miou`` and more in percent,
            ``identity``, ``origin`` ("computed" or "recorded") and how it was made. What is not to
            be had is left out.
        """
        wanted = self.asked(*tables, testing=testing)
        self.provide((each.stage, each.testing) for each in wanted)
        lines = []
        for table, cell, rng_seed, way, stage in wanted:
            told = {
                "profile": self.profile.name,
                "table": table.name,
                "row": cell.row,
                "column": cell.column,
                "seeds": len(stage.segmenter.labels),
                "paper": cell.paper,
                "testing": way,
                "rng_seed": rng_seed,
            }
            if (numbers := self.store.read(stage, way)) is not None:
                lines.append({**told, **numbers, **told})  # told comes first, and wins
        named = ["profile", "table", "row", "column", "seeds", "paper", "testing", "rng_seed"]
        return pd.DataFrame(lines, columns=None if lines else [*named, "miou", "origin"])

    def record(self, scores: pd.DataFrame, folder: Path) -> None:
        """Keep computed scores, as `scores` returns them, in ``scores.csv`` of a folder."""
        keep_scores(self.recordable(scores), folder)

    def recordable(self, scores: pd.DataFrame) -> pd.DataFrame:
        """Take computed scores, as `scores` returns them, rounded and named as records are."""
        lines = pd.DataFrame(scores[scores["origin"] == "computed"])
        images = getattr(self.source, "fingerprint", self.source.identity)
        lines = lines.drop(columns=["paper", "origin"]).assign(images=images)
        percent = ["miou", "missed", "confused", "spilled"]
        percent += [name for name in lines if str(name).startswith("iou ")]
        return lines.round(dict.fromkeys(percent, 2))

    def read(self, stage: Stage) -> dict[str, Any]:
        """Read the numbers of a stage, computing it where they are missing."""
        self.provide([(stage, None)])
        return self.store.read(stage) or {}


def _rng_seeds(given: int | str | Sequence[int] | None) -> tuple[int, ...]:
    """Read random seeds as people write them, papermill's ``-p rng_seeds "[0, 1]"`` among them."""
    each = [given] if isinstance(given, int) else [] if given is None else given
    if isinstance(given, str):
        each = re.split(r"[\s,]+", given.strip("[]() ")) if given.strip("[]() ") else []
    try:
        numbers = [int(one) if isinstance(one, str) else index(one) for one in each]
    except (TypeError, ValueError):
        numbers = [-1]
    if not all(0 <= number < 2**63 for number in numbers):
        raise InputError(f"rng_seeds is {given!r}; give whole numbers, for example [0, 1]")
    return tuple(dict.fromkeys(numbers))
