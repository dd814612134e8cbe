"""The command ``wsss``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from wsss.cli.data import data_voc
from wsss.cli.export import export_voc_test
from wsss.cli.options import (
    DataOption,
    ProfileOption,
    RunsOption,
    SaliencyOption,
    SeedsAsList,
    SeedsOption,
    names,
    pipeline_of,
)
from wsss.cli.reproduce import reproduce
from wsss.cli.weights import weights_app
from wsss.errors import told_in_one_line

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Weakly-supervised semantic segmentation with many seeds: data, tables, plans.",
)
data_app = typer.Typer(no_args_is_help=True, help="Make or check a data folder.")
app.add_typer(data_app, name="data")
app.add_typer(weights_app, name="weights")
data_app.command("voc")(data_voc)
app.command(cls=SeedsAsList)(reproduce)
app.command("export-voc-test")(export_voc_test)


@app.command(cls=SeedsAsList)
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
    from wsss.tables import RESULTS, read_recorded

    pipeline = pipeline_of(profile, data, saliency)
    rng_seeds = tuple(dict.fromkeys(seeds or pipeline.profile.rng_seeds))
    store, gpu = Store(runs or default_runs(), data), Gpu(tflops, share)
    recorded = read_recorded(RESULTS / profile)
    typer.echo(make_plan(pipeline, store, rng_seeds, gpu, recorded=recorded))


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

    report = check_folder(data, names(classes))
    typer.echo(str(report))
    if not report.ok:
        raise typer.Exit(1)
    notes, problems = check_maps(data)
    for kind, lines in (("note", notes), ("problem", problems)):
        typer.echo("".join(f"{kind}: {line}\n" for line in lines), nl=False)
    if problems:
        raise typer.Exit(1)


def main() -> None:
    """Run the command; bad input ends in one line and status 2."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with told_in_one_line():
        app()
