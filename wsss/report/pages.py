"""What every page says about itself: where its numbers are from, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import pandas as pd
from IPython.display import HTML, Markdown

from wsss.engine import graph
from wsss.pipeline import Pipeline
from wsss.stages import Stage, Store
from wsss.tables import Table, cells_for

NOTHING = "No score on photos is recorded yet."


def provenance_line(
    scores: pd.DataFrame, pipeline: Pipeline, store: Store, *, more: Sequence[Stage] = ()
) -> HTML:
    """Say where the numbers of a page come from.

    Parameters
    ----------
    scores : pandas.DataFrame
        As `wsss.tables.reproduce` returns; what the store lacks is recorded.
    pipeline, store : Pipeline, Store
        Profile and results.
    more : sequence of Stage
        Stages that the page shows besides, computed or recorded.

    Returns
    -------
    IPython.display.HTML
        Profile, random seeds, seconds of computing (of all that the page rests on, whoever
        computed it), processor, device, commit, torch, day.
    """
    goals = [*([] if scores.empty else scores["stage"]), *more]
    computed = [stage for stage in goals if store.done(stage)]
    records = [store.provenance(stage) for stage in graph(computed)]
    rng_seeds = [] if scores.empty else sorted({int(number) for number in scores["rng_seed"]})
    name, read = pipeline.profile.name, len(goals) - len(computed)
    parts = [
        f"profile <b>{escape(name)}</b> ({escape(pipeline.profile.summary)})",
        f"random seeds {', '.join(map(str, rng_seeds))}" if rng_seeds else "",
        f"{read} of {len(goals)} results read from results/{escape(name)}" if read else "",
        *(_computed(records) if records else []),
    ]
    return HTML(f'<p class="provenance">{" · ".join(filter(None, parts))}</p>')


def recorded_line(lines: pd.DataFrame, images: str) -> HTML | Markdown:
    """Say where recorded numbers come from, as `provenance_line` does of computed ones.

    Parameters
    ----------
    lines : pandas.DataFrame
        With the columns ``rng_seed``, ``identity``, ``seconds``, ``commit`` and ``day``; lines
        without seconds are of no training.
    images : str
        Which images they are of.
    """
    if lines.empty:
        return Markdown(NOTHING)
    trainings = lines.dropna(subset="seconds").drop_duplicates("identity")
    parts = [
        escape(images),
        f"random seeds {', '.join(map(str, sorted(set(lines['rng_seed']))))}",
        f"{trainings['seconds'].sum():.0f} s of training segmenters",
        f"commit {_distinct(lines['commit'])}",
        _days(trainings["day"]),
    ]
    return HTML(f'<p class="provenance">{" · ".join(parts)}</p>')


def left_out(pipeline: Pipeline, *tables: Table) -> Markdown | None:
    """Name the cells of some tables that need a network which the profile does not cast.

    Returns
    -------
    IPython.display.Markdown or None
        None if nothing is missing, so that a page shows nothing.
    """
    missing = [
        f"{table.name.replace('table', 'Table ')}: {cell.row}, {cell.column}"
        for table in tables
        for cell in table.cells
        if cell not in cells_for(table, pipeline.profile)
    ]
    if not missing:
        return None
    return Markdown(
        f"Profile {pipeline.profile.name} lacks networks of the paper, so these cells are left "
        f"out: {'; '.join(missing)}."
    )


def _computed(records: Sequence[dict]) -> list[str]:
    """Say what computing took, and where it was."""
    return [
        f"{sum(record['seconds'] for record in records):.0f} s of computing on "
        f"{_distinct(r['processor'] for r in records)}, {_distinct(r['device'] for r in records)}",
        f"commit {_distinct(r['commit'] for r in records)}",
        f"torch {_distinct(r['packages']['torch'] for r in records)}",
        _days(r["started"][:10] for r in records),
    ]


def _distinct(values: Iterable[str]) -> str:
    return escape(", ".join(sorted(set(values))))


def _days(days: Iterable[str]) -> str:
    """First and last day.

    Examples
    --------
    >>> _days(["2026-11-24", "2026-11-23"]), _days([])
    ('2026-11-23 to 2026-11-24', '')
    """
    known = sorted(set(days))
    return " to ".join(dict.fromkeys([known[0], known[-1]])) if known else ""
