"""The command ``wsss reproduce``: a table of the paper, computed and printed (Sec. 3, 5)."""

from __future__ import annotations

import sys
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from wsss.cli.options import (
    DataOption,
    ProfileOption,
    RunsOption,
    SaliencyOption,
    SeedsOption,
    Way,
    pipeline_of,
    profile_of,
)
from wsss.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from wsss.pipeline import Profile, Testing
    from wsss.tables import Asked, Table


class Format(StrEnum):
    """How a table is written."""

    text = "text"
    csv = "csv"
    markdown = "markdown"
    latex = "latex"


class Compute(StrEnum):
    """What is computed for a table."""

    missing = "missing"
    none = "none"
    all = "all"


HEADINGS = {Format.markdown: "**{name}: {title}**\n", Format.latex: "% {name}: {title}"}
TESTED = {
    "single": "at one scale, no CRF",
    "crf": "at one scale, with CRF",
    "ms": "at three scales with flip, no CRF",
    "ms+crf": "at three scales with flip, with CRF",
    "all": "in four ways",
}


def reproduce(
    table: Annotated[str, typer.Argument(help="table1 ... table7 or claim13; all: the seven.")],
    profile: ProfileOption = "demo",
    data: DataOption = None,
    seeds: SeedsOption = None,
    saliency: SaliencyOption = None,
    format: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.text,
    runs: RunsOption = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Local processes; default: one a GPU or core.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a running Dask scheduler, instead.")
    ] = None,
    testing: Annotated[
        Way | None,
        typer.Option(
            help="One scale, or three with flip (ms); without or with a CRF; default: the "
            "profile's.",
        ),
    ] = None,
    row: Annotated[
        list[str] | None, typer.Option(help="Only this row of the table; may be repeated.")
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(help="Folder of recorded scores; default: results/PROFILE, if it is there."),
    ] = None,
    compute: Annotated[
        Compute,
        typer.Option(help="What is neither computed nor recorded; nothing; recorded ones too."),
    ] = Compute.missing,
    record: Annotated[
        Path | None,
        typer.Option(help="Folder for a CSV of every score with its origin; lines are added."),
    ] = None,
    dry_run: Annotated[
        int | None,
        typer.Option(
            min=1, help="Only try: so many steps of each training, and every stage on a few images."
        ),
    ] = None,
) -> None:
    """Compute a table of the paper and print it beside the paper's figures.

    What was computed before is not computed again, and a killed run goes on where it was.
    """
    from wsss.engine import default_runs, run
    from wsss.stages import Store
    from wsss.tables import (
        RESULTS,
        TABLES,
        asked,
        get_table,
        keep,
        read_recorded,
        recorded_scores,
        records,
        render,
        summary,
        to_compute,
    )
    from wsss.tables import reproduce as reproduce_table

    wanted = list(TABLES.values()) if table == "all" else [get_table(table)]
    wanted = [one.only(row) for one in wanted] if row else wanted
    if dry_run is not None:
        _dry_run(
            wanted, profile_of(profile, saliency), data, dry_run, testing.value if testing else None
        )
        return
    if record is not None:  # before hours of computing, not after
        record.mkdir(parents=True, exist_ok=True)
        read_recorded(record)
    pipeline, store = pipeline_of(profile, data, saliency), Store(runs or default_runs(), data)
    rng_seeds = tuple(dict.fromkeys(seeds or pipeline.profile.rng_seeds))
    way = testing.value if testing else pipeline.profile.testing
    if results is not None and not results.is_dir():
        raise InputError(f"--results {results}: no such folder; leave it out for results/{profile}")
    results = results or RESULTS / profile
    recorded, which = read_recorded(results), compute.value
    figures = {one.name: asked(one, pipeline, rng_seeds, way) for one in wanted}
    goals = to_compute(chain.from_iterable(figures.values()), store, recorded, which)
    identities = {each.stage.identity for each in chain.from_iterable(figures.values())}
    if goals and any(identity in identities for identity, _ in recorded_scores(recorded)):
        typer.echo(
            f"computing {len(goals)} of {len(identities)} scores; "
            f"--compute none prints those of {results}",
            err=True,
        )
    run(goals, store, workers=workers, scheduler=scheduler)
    for one in wanted:
        frame = reproduce_table(
            one,
            pipeline,
            store,
            rng_seeds=rng_seeds,
            testing=way,
            recorded=recorded,
            compute=which,
            quiet=True,
        )
        if not figures[one.name]:
            typer.echo(f"{one.name}: profile {profile} has none of its networks", err=True)
        elif lacking := _lacking(figures[one.name], frame):
            typer.echo(f"{one.name}: {lacking}", err=True)
        if frame.empty:
            continue
        if record is not None:
            keep(records(frame, store, one, profile), record / f"{one.name}.csv")
        lines = render(summary(frame, one, profile), format.value)
        if len(wanted) > 1 and format in HEADINGS:
            typer.echo(HEADINGS[format].format(name=one.name, title=one.title))
        typer.echo(_with_origin(lines, frame, one, way, results) if format == "text" else lines)
        if len(wanted) > 1:
            typer.echo()


def _lacking(wanted: list[Asked], frame: pd.DataFrame) -> str:
    """Say which figures are not to be had; empty if all are."""
    lines = frame.to_dict("records")
    there = {(line["stage"].identity, line["testing"]) for line in lines}
    absent = [each for each in wanted if (each.stage.identity, each.testing) not in there]
    cells = dict.fromkeys(f"{each.cell.row}, {each.cell.column}" for each in absent)
    if not absent:
        return ""
    return (
        f"{len(absent)} of {len(wanted)} figures are neither computed nor recorded for these "
        f"images and settings; --compute missing makes them: {'; '.join(cells)}"
    )


def _with_origin(
    lines: str, frame: pd.DataFrame, table: Table, way: Testing | Literal["all"], results: Path
) -> str:
    """Say above a table what it shows, and below it what of it is recorded."""
    rng_seeds = ", ".join(str(rng_seed) for rng_seed in sorted(set(frame["rng_seed"])))
    text = (
        f"{table.name}: {table.title}. mIoU in percent, tested {TESTED[way]}, random seeds "
        f"{rng_seeds}\n{lines}"
    )
    if count := sum(frame["recorded"]):
        text += (
            f"\n{count} of {len(frame)} figures are from {results}; --compute all makes them anew"
        )
    return text


def _dry_run(
    wanted: list[Table],
    profile: Profile,
    data: Path | None,
    steps: int,
    testing: Testing | Literal["all"] | None,
) -> None:
    from wsss.plan import dry_run

    for line in dry_run(wanted, profile, data, steps, testing):
        typer.echo(line)
        sys.stdout.flush()
