"""The commands ``wsss reproduce``, a table of the paper (Sec. 3, 5), and ``wsss verify``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from wsss.cli.options import (
    ClassesOption,
    DataOption,
    PrecisionOption,
    ProfileOption,
    RngSeedsOption,
    RunsOption,
    SaliencyOption,
    TestingOption,
    Way,
    WorkersOption,
    names,
)
from wsss.errors import InputError
from wsss.paper import TABLES, Table, get_table

if TYPE_CHECKING:
    import pandas as pd

    from wsss.lab import Lab


Format = Literal["text", "csv", "markdown", "latex"]
HEADINGS = {"markdown": "**{name}: {title}**\n", "latex": "% {name}: {title}"}
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
    rng_seeds: RngSeedsOption = None,
    saliency: SaliencyOption = None,
    classes: ClassesOption = None,
    precision: PrecisionOption = None,
    format: Annotated[Format, typer.Option("--format", help="How to write it.")] = "text",
    runs: RunsOption = None,
    workers: WorkersOption = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a running Dask scheduler, instead.")
    ] = None,
    testing: TestingOption = None,
    row: Annotated[
        list[str] | None, typer.Option(help="Only this row of the table; may be repeated.")
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(help="Folder of recorded scores; default: results/PROFILE, if it is there."),
    ] = None,
    compute: Annotated[
        Literal["missing", "none", "all"],
        typer.Option(help="What is neither computed nor recorded; nothing; recorded ones too."),
    ] = "missing",
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
    wanted = list(TABLES.values()) if table == "all" else [get_table(table)]
    wanted = [one.only(row) for one in wanted] if row else wanted
    if results is not None and not results.is_dir():
        raise InputError(f"--results {results}: no such folder; leave it out for results/{profile}")

    from wsss.lab import Lab  # only now, for a mistake above should not wait for torch
    from wsss.pages.text import render, summary, uneven_means
    from wsss.stages import Records

    lab = Lab(
        profile,
        data,
        rng_seeds=rng_seeds,
        runs=runs,
        results=results,
        compute=compute,
        saliency=saliency,
        classes=names(classes),
        precision=precision,
        workers=workers,
        scheduler=scheduler,
    )
    if dry_run is not None:
        from wsss.plan import dry_run as trials

        for line in trials(lab, wanted, dry_run, testing):
            typer.echo(line)
        return
    if record is not None:  # before hours of computing, not after
        record.mkdir(parents=True, exist_ok=True)
        _ = Records(record).scores
    if left_out := lab.classes_left_out():
        typer.echo(left_out, err=True)
    _announce(lab, wanted, testing)
    lab.provide((each.stage, each.testing) for each in lab.asked(*wanted, testing=testing))
    for one in wanted:
        scores = lab.scores(one, testing=testing)
        if lacking := _lacking(lab, one, testing):
            typer.echo(f"{one.name}: {lacking}", err=True)
        if scores.empty:
            continue
        if record is not None:
            lab.record(scores, record)
        lines = render(summary(scores, one, lab.profile.name), format)
        if len(wanted) > 1 and format in HEADINGS:
            typer.echo(HEADINGS[format].format(name=one.name, title=one.title))
        if uneven := uneven_means(scores):
            typer.echo(f"{one.name}: {uneven}", err=True)
        typer.echo(_with_origin(lines, scores, one, lab, testing) if format == "text" else lines)
        if len(wanted) > 1:
            typer.echo()


def _announce(lab: Lab, wanted: Sequence[Table], way: Way | None) -> None:
    """Say what is about to be computed, where some of the rest is recorded."""
    asked = {each.stage.identity: each for each in lab.asked(*wanted, testing=way)}
    states = [lab.store.origin(each.stage, each.testing).state for each in asked.values()]
    missing = states.count("missing")
    in_tf32 = any(each.stage.precision == "tf32" for each in asked.values())
    if lab.compute != "none" and missing and in_tf32 and lab.precision is None:
        typer.echo(
            "networks compute in TF32, torch's default on a GPU; --precision 32 is float32, and "
            "takes up to 24 times as long on an H200",
            err=True,
        )
    known = any(lab.records.of(each.stage, each.testing) for each in asked.values())
    if lab.compute != "none" and missing and known:
        typer.echo(
            f"computing {missing} of {len(asked)} scores; "
            f"--compute none prints those of {lab.records.folder}",
            err=True,
        )


def _lacking(lab: Lab, table: Table, way: Way | None) -> str:
    """Say which figures are not to be had; empty if all are."""
    asked = lab.asked(table, testing=way)
    if not asked:
        return f"profile {lab.profile.name} has none of its networks"
    absent = [each for each in asked if lab.store.missing(each.stage, each.testing)]
    if not absent:
        return ""
    cells = dict.fromkeys(f"{each.cell.row}, {each.cell.column}" for each in absent)
    return (
        f"{len(absent)} of {len(asked)} figures are neither computed nor recorded for these "
        f"images and settings; --compute missing makes them: {'; '.join(cells)}"
    )


def _with_origin(lines: str, scores: pd.DataFrame, table: Table, lab: Lab, way: Way | None) -> str:
    """Say above a table what it shows, and below it what of it is recorded."""
    rng_seeds = ", ".join(str(rng_seed) for rng_seed in sorted(set(scores["rng_seed"])))
    text = (
        f"{table.name}: {table.title}. mIoU in percent, tested "
        f"{TESTED[way or lab.profile.testing]}, random seeds {rng_seeds}\n{lines}"
    )
    if count := list(scores["origin"]).count("recorded"):
        text += (
            f"\n{count} of {len(scores)} figures are from {lab.records.folder}; "
            "--compute all makes them anew"
        )
    return text


def verify(
    runs: RunsOption = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Remove what is damaged; it is computed again.")
    ] = False,
) -> None:
    """Compare every file of every result with the checksum written with it."""
    from wsss.files import remove
    from wsss.stages import Store, default_runs

    runs = runs or default_runs()
    if not runs.is_dir():
        raise InputError(f"{runs}: no such folder of results; name it by --runs")
    store = Store(runs)
    count, damaged = 0, 0
    for path, damage, needed_by in store.verify():
        count += 1
        if damage is None:
            continue
        damaged += 1
        typer.echo(f"{path}: {damage}; {len(needed_by)} results were made of it")
        if repair:
            remove(path)
    typer.echo(
        f"{count} results, {damaged} damaged"
        + (" and removed: what needs them computes them again" if repair and damaged else "")
    )
    if damaged and not repair:
        raise typer.Exit(1)
