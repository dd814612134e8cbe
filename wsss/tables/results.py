"""Our figures for a table: computed where missing, read, and listed with their origin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

import pandas as pd
import torch

from wsss.engine import run
from wsss.metrics import error_shares
from wsss.pipeline import Pipeline, Testing
from wsss.stages import SegmenterScore, Store, read_score
from wsss.tables.paper import Cell, Table, cells_for
from wsss.tables.recorded import Compute, recorded_scores

WITH_CRF: Mapping[Testing, Testing] = {"single": "crf", "ms": "ms+crf"}
"""A score with a CRF holds the one without it."""


class Asked(NamedTuple):
    """One score of a table, and the stage that it is read from."""

    cell: Cell
    rng_seed: int
    testing: Testing
    stage: SegmenterScore


def asked(
    table: Table,
    pipeline: Pipeline,
    rng_seeds: Iterable[int],
    testing: Testing | Literal["all"] | None = None,
) -> list[Asked]:
    """List the scores of a table: one a random seed, cell and way of testing.

    Parameters
    ----------
    table : Table
        One of `TABLES_AND_CLAIM13`.
    pipeline : Pipeline
        Profile and data.
    rng_seeds : iterable of int
        Random seeds.
    testing : {"single", "crf", "ms", "ms+crf", "all"}, optional
        How segmenters are tested; by default the profile's way.

    Returns
    -------
    list of Asked
        If all ways are asked for, those with and without a CRF are read from one stage.
    """
    ways: list[tuple[Testing, Testing]]
    if testing == "all":
        ways = [(way, WITH_CRF.get(way, way)) for way in get_args(Testing)]
    else:
        one = testing or pipeline.profile.testing
        ways = [(one, one)]
    return [
        Asked(cell, rng_seed, way, pipeline.score(cell.recipe, rng_seed, tested))
        for rng_seed in rng_seeds
        for cell in cells_for(table, pipeline.profile)
        for way, tested in ways
    ]


def scores(
    table: Table,
    pipeline: Pipeline,
    rng_seeds: Iterable[int],
    testing: Testing | Literal["all"] | None = None,
) -> list[SegmenterScore]:
    """List the stages of `asked`, each once."""
    found = asked(table, pipeline, rng_seeds, testing)
    return list({each.stage.identity: each.stage for each in found}.values())


def to_compute(
    wanted: Iterable[Asked], store: Store, recorded: pd.DataFrame | None, compute: Compute
) -> list[SegmenterScore]:
    """Choose what is left to compute; a score that is there needs none of what it was made of."""
    if compute == "none":
        return []
    known = recorded_scores(recorded) if compute != "all" else {}
    missing = {
        each.stage.identity: each.stage
        for each in wanted
        if (each.stage.identity, each.testing) not in known and not store.done(each.stage)
    }
    return list(missing.values())


def reproduce(
    table: Table,
    pipeline: Pipeline,
    store: Store,
    *,
    rng_seeds: Sequence[int] | None = None,
    testing: Testing | Literal["all"] | None = None,
    recorded: pd.DataFrame | None = None,
    compute: Compute = "missing",
    workers: int | None = None,
    scheduler: str | None = None,
    quiet: bool = False,
) -> pd.DataFrame:
    """Compute what is missing of a table and return its scores.

    Parameters
    ----------
    table : Table
        One of `TABLES_AND_CLAIM13`.
    pipeline : Pipeline
        Profile and data.
    store : Store
        Where results lie.
    rng_seeds : sequence of int, optional
        Random seeds; by default those of the profile.
    testing
        As in `asked`.
    recorded : pandas.DataFrame, optional
        As `read_recorded` returns; stands in for what the store lacks.
    compute : {"missing", "none", "all"}
        Whether to compute what is neither in the store nor recorded, nothing, or all that the store
        lacks.
    workers, scheduler, quiet
        As in `wsss.engine.run`.

    Returns
    -------
    pandas.DataFrame
        One line a random seed, cell and way of testing: ``row``, ``column``, ``seeds`` (how many
        label maps train the segmenter), ``paper``, ``testing``, ``rng_seed``, ``miou`` (percent),
        ``recorded`` (whether it is from there) and ``stage``. What is not to be had is left out.
    """
    rng_seeds = tuple(rng_seeds or pipeline.profile.rng_seeds)
    wanted = asked(table, pipeline, rng_seeds, testing)
    run(
        to_compute(wanted, store, recorded, compute),
        store,
        workers=workers,
        scheduler=scheduler,
        quiet=quiet,
    )
    lines, known = [], recorded_scores(recorded)
    for cell, rng_seed, way, stage in wanted:
        here = store.done(stage)
        if not here and (stage.identity, way) not in known:
            continue
        lines.append({
            "row": cell.row,
            "column": cell.column,
            "seeds": len(stage.segmenter.labels),
            "paper": cell.paper,
            "testing": way,
            "rng_seed": rng_seed,
            "miou": _read(store, stage, way)["miou"] if here else known[stage.identity, way],
            "recorded": not here,
            "stage": stage,
        })  # fmt: skip
    return pd.DataFrame(lines)


def _read(store: Store, stage: SegmenterScore, way: Testing) -> dict[str, Any]:
    """Read a score, or the one before the CRF if that is what was asked for."""
    score = read_score(store, stage)
    before = stage.protocol.crf is not None and way in WITH_CRF
    return score["before_crf"] if before else score


def records(frame: pd.DataFrame, store: Store, table: Table, profile: str) -> pd.DataFrame:
    """List every training behind a table with its origin, to be kept in ``results/``.

    Parameters
    ----------
    frame : pandas.DataFrame
        As `reproduce` returns.
    store : Store
        Where results lie.
    table : Table
        The table it belongs to.
    profile : str
        Name of the profile.

    Returns
    -------
    pandas.DataFrame
        One line a score of the store, none of a recorded one: table, cell, way of testing, random
        seed; mIoU, IoU of every label and the shares of `wsss.metrics.error_shares` in percent;
        identity, seconds of training, peak memory, commit, versions, processor, day.
    """
    lines = []
    for run_ in pd.DataFrame(frame[~frame["recorded"]]).to_dict("records"):
        stage: SegmenterScore = run_["stage"]
        score = _read(store, stage, run_["testing"])
        seen = torch.tensor(score["confusion"])[:-1, :-1]  # a segmenter leaves nothing unknown
        origin = store.provenance(stage.segmenter)
        lines.append(
            {"profile": profile, "table": table.name}
            | {key: run_[key] for key in ("row", "column", "seeds", "testing", "rng_seed")}
            | {"miou": round(score["miou"], 2)}
            | {f"iou {label}": round(value, 2) for label, value in score["iou"].items()}
            | {name: round(value, 2) for name, value in error_shares(seen).items()}
            | {"identity": stage.identity}
            | {
                key: origin[key]
                for key in ("seconds", "process_peak_memory_mb", "commit", "python")
            }
            | {name: origin["packages"][name] for name in ("wsss", "torch", "numpy")}
            | {"processor": origin["processor"], "device": origin["device"]}
            | {"day": origin["started"][:10]}
        )
    return pd.DataFrame(lines)
