"""Our figures for a table: computed where missing, read, and listed with their origin."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from wsss.engine import run
from wsss.pipeline import Pipeline
from wsss.stages import SegmenterScore, Store, read_score
from wsss.tables.paper import Table, cells_for


def scores(table: Table, pipeline: Pipeline, rng_seeds: Iterable[int]) -> list[SegmenterScore]:
    """List the stages that a table is read from: one a cell and random seed."""
    return [
        pipeline.score(cell.recipe, rng_seed)
        for rng_seed in rng_seeds
        for cell in cells_for(table, pipeline.profile)
    ]


def reproduce(
    table: Table,
    pipeline: Pipeline,
    store: Store,
    *,
    rng_seeds: Sequence[int] | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    quiet: bool = False,
) -> pd.DataFrame:
    """Compute what is missing of a table and return its scores.

    Parameters
    ----------
    table : Table
        One of `TABLES`.
    pipeline : Pipeline
        Profile and data.
    store : Store
        Where results lie.
    rng_seeds : sequence of int, optional
        Random seeds; by default those of the profile.
    workers, scheduler, quiet
        As in `wsss.engine.run`.

    Returns
    -------
    pandas.DataFrame
        One line a cell and random seed: ``row``, ``column``, ``seeds`` (how many label maps train
        the segmenter), ``paper``, ``rng_seed``, ``miou`` (percent) and ``stage``.
    """
    rng_seeds = tuple(rng_seeds or pipeline.profile.rng_seeds)
    run(
        scores(table, pipeline, rng_seeds),
        store,
        workers=workers,
        scheduler=scheduler,
        quiet=quiet,
    )
    lines = []
    for cell in cells_for(table, pipeline.profile):
        for rng_seed in rng_seeds:
            stage = pipeline.score(cell.recipe, rng_seed)
            lines.append({
                "row": cell.row,
                "column": cell.column,
                "seeds": len(stage.segmenter.labels),
                "paper": cell.paper,
                "rng_seed": rng_seed,
                "miou": read_score(store, stage)["miou"],
                "stage": stage,
            })  # fmt: skip
    return pd.DataFrame(lines)


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
        One line a training: table, cell, random seed, mIoU and IoU of every label in percent,
        identity, seconds of training, peak memory, commit, versions, processor, day.
    """
    lines = []
    for run_ in frame.to_dict("records"):
        stage: SegmenterScore = run_["stage"]
        score, origin = read_score(store, stage), store.provenance(stage.segmenter)
        lines.append(
            {"profile": profile, "table": table.name}
            | {key: run_[key] for key in ("row", "column", "seeds", "rng_seed")}
            | {"miou": round(score["miou"], 2)}
            | {f"iou {label}": round(value, 2) for label, value in score["iou"].items()}
            | {"identity": stage.identity[:20]}
            | {
                key: origin[key]
                for key in ("seconds", "process_peak_memory_mb", "commit", "python")
            }
            | {name: origin["packages"][name] for name in ("wsss", "torch", "numpy")}
            | {"processor": origin["processor"], "device": origin["device"]}
            | {"day": origin["started"][:10]}
        )
    return pd.DataFrame(lines)
