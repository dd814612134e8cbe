"""The commands ``wsss data`` (Sec. 5.1) and ``wsss weights``: what is to lie on the disk."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from wsss.cli.options import names
from wsss.errors import InputError

if TYPE_CHECKING:
    from wsss.models.weights import Found

data_app = typer.Typer(no_args_is_help=True, help="Make or check a data folder.")
weights_app = typer.Typer(
    no_args_is_help=True, help="Download and check the weights that others published."
)


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
        classes=names(classes) or None,
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

    report = check_folder(data, names(classes) or None)
    notes, problems = check_maps(data)
    maps = tuple(Finding.of("error", "saliency", line) for line in problems)
    report = replace(report, notes=(*report.notes, *notes), findings=(*report.findings, *maps))
    typer.echo(json.dumps(report.as_json(), indent=2) if as_json else str(report))
    if not report.ok:
        raise typer.Exit(1)


@weights_app.command("fetch")
def fetch_weights(
    names: Annotated[list[str], typer.Argument(help="vgg16, resnet38, resnet101.")],
    source: Annotated[
        str | None, typer.Option(help="Address or file to take instead of the known sources.")
    ] = None,
) -> None:
    """Download ImageNet weights into $WSSS_WEIGHTS and check them to the last bit."""
    from wsss.models.weights import fetch

    if source and len(names) > 1:
        raise InputError(f"--source {source}: one source holds one file; name one network")
    for name in names:
        typer.echo(f"{name}: {fetch(name, source)}")


@weights_app.command("check")
def check_weights(
    names: Annotated[list[str] | None, typer.Argument(help="Some of them; default: all.")] = None,
) -> None:
    """Say which weights are present, absent or damaged, and load those of networks to be sure.

    The status is 1 if one is damaged, or if one that was named is not there.
    """
    from wsss.models.weights import WEIGHTS, look, weight_file

    files = [weight_file(name) for name in names or WEIGHTS]
    wrong = False
    for file in files:
        state, detail = _loaded(look(file.name))
        typer.echo(f"{file.name:<18} {state:<8} {file.licence}: {detail}")
        wrong |= state == "damaged" or (bool(names) and state == "absent")
    if wrong:
        raise typer.Exit(1)


def _loaded(found: Found) -> tuple[str, str]:
    """Say in which state weights are, and "loaded n of m" after loading those of a network."""
    from wsss.models import NETWORKS, get_model

    file = found.file
    if found.problem:
        return found.state, f"{found.problem}; {file.remedy}"
    if file.name not in NETWORKS:
        return "present", str(found.path)
    source = found.path if file.place == "shipped" else "imagenet"
    try:
        network = get_model(file.name, head="cam", num_classes=1, weights=source)
    except InputError as error:
        return "damaged", str(error)
    return "present", network.initialisation
