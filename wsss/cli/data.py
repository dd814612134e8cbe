"""The commands ``wsss data``: VOC 2012 as a data folder (Sec. 5.1), drawn scenes, checks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from wsss.cli.options import names

data_app = typer.Typer(no_args_is_help=True, help="Make or check a data folder.")


@data_app.command("voc")
def data_voc(
    devkit: Annotated[Path, typer.Option(help="An unpacked VOCdevkit or VOC2012.")],
    out: Annotated[Path, typer.Option(help="New folder, or one that this command made.")],
    sbd: Annotated[
        Path | None, typer.Option(help="SBD, whose cls/ID.mat become masks of train_aug.")
    ] = None,
    lists: Annotated[
        Path | None, typer.Option(help="Folder of train, train_aug, val and test .txt.")
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="Keep images of some classes, separated by commas.")
    ] = None,
    difficult: Annotated[
        Literal["keep", "drop"], typer.Option(help="Whether difficult objects count as labels.")
    ] = "keep",
) -> None:
    """Make a data folder of VOC 2012 and SBD, linking the images; safe to repeat."""
    from wsss.data.voc_setup import adopt_voc

    adopted = adopt_voc(
        devkit,
        out,
        sbd=sbd,
        lists=lists,
        classes=names(classes),
        difficult=difficult,
    )
    typer.echo(str(adopted))


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
    as_json: Annotated[bool, typer.Option("--json", help="Print it for machines.")] = False,
) -> None:
    """Say what a data folder holds, its saliency maps included, and what is wrong with it."""
    from wsss.data.check import Finding, check_folder
    from wsss.stages import check_maps

    report = check_folder(data, names(classes))
    notes, problems = check_maps(data)
    maps = tuple(Finding.of("error", "saliency", line) for line in problems)
    report = replace(report, notes=(*report.notes, *notes), findings=(*report.findings, *maps))
    typer.echo(json.dumps(report.as_json(), indent=2) if as_json else str(report))
    if not report.ok:
        raise typer.Exit(1)
