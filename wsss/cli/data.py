"""The command ``wsss data voc``: VOC 2012 as a data folder (Sec. 5.1)."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from wsss.cli.options import names


class Difficult(StrEnum):
    """What becomes of objects that VOC marks difficult."""

    keep = "keep"
    drop = "drop"


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
        Difficult, typer.Option(help="Whether difficult objects count as labels.")
    ] = Difficult.keep,
) -> None:
    """Make a data folder of VOC 2012 and SBD, linking the images; safe to repeat."""
    from wsss.data.voc_setup import adopt_voc

    adopted = adopt_voc(
        devkit,
        out,
        sbd=sbd,
        lists=lists,
        classes=names(classes),
        difficult=difficult.value,
    )
    typer.echo(str(adopted))
