"""The command ``wsss``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from wsss.cli.data import data_voc
from wsss.cli.export import export_voc_test
from wsss.cli.options import DataOption, RunsOption, Way
from wsss.cli.weights import weights_app
from wsss.errors import InputError

if TYPE_CHECKING:
    from wsss.pipeline import Pipeline, Profile
    from wsss.tables import Table

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Weakly-supervised semantic segmentation with many seeds: data, tables, plans.",
)
data_app = typer.Typer(no_args_is_help=True, help="Make or check a data folder.")
app.add_typer(data_app, name="data")
app.add_typer(weights_app, name="weights")
data_app.command("voc")(data_voc)
app.command("export-voc-test")(export_voc_test)


class Format(StrEnum):
    """How a table is written."""

    text = "text"
    csv = "csv"
    markdown = "markdown"
    latex = "latex"


class SaliencySource(StrEnum):
    """Where saliency comes from."""

    maps = "maps"
    u2netp = "u2netp"
    border = "border"
    cams = "cams"


class Compute(StrEnum):
    """What is computed for a table."""

    missing = "missing"
    none = "none"
    all = "all"


class _SeedsAsList(TyperCommand):
    """Lets ``--seeds 0 1 2`` be written as one option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, spread_option(args, "--seeds"))


TESTED = {
    "single": "at one scale, no CRF",
    "crf": "at one scale, with CRF",
    "ms": "at three scales with flip, no CRF",
    "ms+crf": "at three scales with flip, with CRF",
    "all": "in four ways",
}


def spread_option(arguments: Sequence[str], option: str) -> list[str]:
    """Repeat an option before each of the whole numbers that follow it.

    Examples
    --------
    >>> spread_option(["table2", "--seeds", "0", "1", "--format", "csv"], "--seeds")
    ['table2', '--seeds', '0', '--seeds', '1', '--format', 'csv']
    """
    spread, inside = [], False
    for argument in arguments:
        if inside and argument.isdigit() and spread[-1] != option:
            spread.append(option)
        inside = argument == option or (inside and argument.isdigit())
        spread.append(argument)
    return spread


ProfileOption = Annotated[str, typer.Option("--profile", help="demo, photo or paper.")]
SaliencyOption = Annotated[
    SaliencySource | None,
    typer.Option(
        "--saliency",
        help="maps of the data folder, u2netp, border, or cams for none; default: the profile's.",
    ),
]
SeedsOption = Annotated[
    list[int] | None,
    typer.Option("--seeds", min=0, help="Random seeds, say --seeds 0 1 2; default: the profile's."),
]


@app.command(cls=_SeedsAsList)
def reproduce(
    table: Annotated[str, typer.Argument(help="table1 ... table7, or all.")],
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
        get_table,
        keep,
        read_recorded,
        records,
        render,
        scores,
        summary,
        to_compute,
    )
    from wsss.tables import reproduce as reproduce_table

    wanted = list(TABLES.values()) if table == "all" else [get_table(table)]
    wanted = [one.only(row) for one in wanted] if row else wanted
    if dry_run is not None:
        _dry_run(wanted, _profile(profile, saliency), data, dry_run)
        return
    pipeline, store = _pipeline(profile, data, saliency), Store(runs or default_runs(), data)
    rng_seeds = tuple(dict.fromkeys(seeds or pipeline.profile.rng_seeds))
    way = testing.value if testing else pipeline.profile.testing
    goals = [stage for one in wanted for stage in scores(one, pipeline, rng_seeds, way)]
    results = results or RESULTS / profile
    recorded, which = read_recorded(results), compute.value
    goals = to_compute(goals, store, recorded, which)
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
        if frame.empty:
            typer.echo(f"{one.name}: profile {profile} has none of its figures", err=True)
            continue
        if record is not None:
            keep(records(frame, store, one, profile), record / f"{one.name}.csv")
        lines = summary(frame, one, profile)
        if format == Format.text:
            typer.echo(
                f"{one.name}: {one.title}. mIoU in percent, tested {TESTED[way]}, random seeds "
                f"{_list(sorted(set(frame['rng_seed'])))}"
            )
        typer.echo(render(lines, format.value))
        if format == Format.text and (count := sum(frame["recorded"])):
            typer.echo(f"{count} of {len(frame)} figures are from {results}; --compute all: none")
        if len(wanted) > 1:
            typer.echo()


@app.command(cls=_SeedsAsList)
def plan(
    profile: ProfileOption = "demo",
    data: DataOption = None,
    seeds: SeedsOption = None,
    saliency: SaliencyOption = None,
    runs: RunsOption = None,
    tflops: Annotated[
        float, typer.Option(min=1e-3, help="Peak of the GPU that is supposed, TFLOP/s.")
    ] = 312.0,
    share: Annotated[
        float, typer.Option(min=1e-3, max=1.0, help="Share of it that is supposed to be reached.")
    ] = 0.4,
) -> None:
    """Count what the tables need, without running anything.

    Networks that were never timed at this profile are calculated: by default for an A100, whose
    peak in bfloat16 is 312 TFLOP/s.
    """
    from wsss.engine import default_runs
    from wsss.plan import Gpu
    from wsss.plan import plan as make_plan
    from wsss.stages import Store

    pipeline = _pipeline(profile, data, saliency)
    rng_seeds = tuple(dict.fromkeys(seeds or pipeline.profile.rng_seeds))
    store, gpu = Store(runs or default_runs(), data), Gpu(tflops, share)
    typer.echo(make_plan(pipeline, store, rng_seeds, gpu))


@data_app.command("demo")
def data_demo(
    out: Annotated[Path, typer.Option("--out", help="New or empty folder.")],
    train: Annotated[int, typer.Option(min=1, help="Scenes to train on.")] = 480,
    val: Annotated[int, typer.Option(min=1, help="Scenes to validate on.")] = 400,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Random seed.")] = 1,
) -> None:
    """Draw the demo's scenes into a folder in the VOC layout, identical for the same seed."""
    from wsss.data.scenes import write_scenes

    folder = write_scenes(out, train=train, val=val, pilot=min(80, train), rng_seed=seed)
    typer.echo(f"{train} + {val} scenes in {folder}")


@data_app.command("check")
def data_check(
    data: Annotated[Path, typer.Option("--data", envvar="WSSS_DATA", help="Folder to check.")],
    classes: Annotated[
        str | None, typer.Option(help="Restrict to some classes, separated by commas.")
    ] = None,
) -> None:
    """Say what a data folder holds, its saliency maps included, and what is wrong with it."""
    from wsss.data import check_folder
    from wsss.stages import check_maps

    report = check_folder(data, classes.split(",") if classes else None)
    typer.echo(str(report))
    if not report.ok:
        raise typer.Exit(1)
    notes, problems = check_maps(data)
    for kind, lines in (("note", notes), ("problem", problems)):
        typer.echo("".join(f"{kind}: {line}\n" for line in lines), nl=False)
    if problems:
        raise typer.Exit(1)


def _profile(name: str, saliency: SaliencySource | None) -> Profile:
    from wsss.profiles import get_profile

    profile = get_profile(name)
    return profile if saliency is None else replace(profile, saliency=saliency.value)


def _pipeline(profile: str, data: Path | None, saliency: SaliencySource | None) -> Pipeline:
    from wsss.pipeline import Pipeline

    return Pipeline(_profile(profile, saliency), data)


def _dry_run(wanted: list[Table], profile: Profile, data: Path | None, steps: int) -> None:
    from wsss.plan import dry_run

    for line in dry_run(wanted, profile, data, steps):
        typer.echo(line)
        sys.stdout.flush()


def _list(values: Sequence[int]) -> str:
    return ", ".join(str(value) for value in values)


def main() -> None:
    """Run the command; bad input ends in one line and status 2."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        app()
    except InputError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
