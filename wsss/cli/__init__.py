"""The command ``wsss``."""

from __future__ import annotations

import os
import signal
import sys
from typing import Annotated, NoReturn

import typer

from wsss.cli.data import data_app, weights_app
from wsss.cli.export import export_voc_test
from wsss.cli.options import (
    ClassesOption,
    DataOption,
    PrecisionOption,
    ProfileOption,
    RngSeedsOption,
    RunsOption,
    SaliencyOption,
    WithRngSeeds,
    names,
)
from wsss.cli.own import seeds, train
from wsss.cli.reproduce import reproduce, verify
from wsss.cli.segment import evaluate, export, look, predict
from wsss.errors import told_in_one_line

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Learn to segment photos from the names of what each shows, by many pseudo-masks at once.",
)
OWN, PAPER = "Your own pictures", "The paper's experiments"
app.command(cls=WithRngSeeds, rich_help_panel=OWN)(train)
for each in (predict, evaluate, export, seeds, look):
    app.command(rich_help_panel=OWN)(each)
app.add_typer(data_app, name="data", rich_help_panel=PAPER)
app.add_typer(weights_app, name="weights", rich_help_panel=PAPER)
app.command(cls=WithRngSeeds, rich_help_panel=PAPER)(reproduce)
app.command("export-voc-test", rich_help_panel=PAPER)(export_voc_test)
app.command(rich_help_panel=PAPER)(verify)


@app.callback()
def options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of what goes wrong.")
    ] = False,
) -> None:
    """Take what stands before the command's name."""
    if debug:
        os.environ["WSSS_DEBUG"] = "1"


@app.command(cls=WithRngSeeds, rich_help_panel=PAPER)
def plan(
    profile: ProfileOption = "demo",
    data: DataOption = None,
    rng_seeds: RngSeedsOption = None,
    saliency: SaliencyOption = None,
    classes: ClassesOption = None,
    precision: PrecisionOption = None,
    runs: RunsOption = None,
    tflops: Annotated[
        float, typer.Option(min=1e-3, help="Peak of the GPU that is supposed, TFLOP/s.")
    ] = 312.0,
    share: Annotated[
        float, typer.Option(min=1e-3, max=1.0, help="Share of it that is supposed to be reached.")
    ] = 0.4,
    cores: Annotated[
        int | None, typer.Option(min=1, help="Cores beside the GPU; default: of this machine.")
    ] = None,
) -> None:
    """Count what the tables need, without running anything.

    Networks that were never timed at this profile are calculated: by default for an A100, whose
    peak in bfloat16 is 312 TFLOP/s.
    """
    from wsss.pipeline import Pipeline
    from wsss.plan import Gpu
    from wsss.plan import plan as make_plan

    lab = Pipeline(
        profile,
        data,
        rng_seeds=rng_seeds,
        runs=runs,
        saliency=saliency,
        classes=names(classes),
        precision=precision,
    )
    typer.echo(make_plan(lab, Gpu(tflops, share), cores))


def _interrupted(*_: object) -> NoReturn:
    """End at Ctrl-C in one line; click would only say "Aborted"."""
    print("\ninterrupted: what is finished is kept, the same command goes on", file=sys.stderr)
    sys.exit(130)


def main() -> None:
    """Run the command; bad input ends in one line and status 2."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # Of the process that cleans up behind workers, which would warn after an interruption.
    os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker:UserWarning")
    signal.signal(signal.SIGINT, _interrupted)
    with told_in_one_line():
        app()
