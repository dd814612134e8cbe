"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand

Way = Literal["single", "crf", "ms", "ms+crf", "all"]


class WithRngSeeds(TyperCommand):
    """Lets ``--rng-seeds 0 1 2`` be one option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Spread the list before click reads it."""
        return super().parse_args(ctx, spread_option(args, "--rng-seeds"))


def spread_option(arguments: Sequence[str], option: str) -> list[str]:
    """Repeat an option before each of the whole numbers that follow it.

    Examples
    --------
    >>> spread_option(["table2", "--rng-seeds", "0", "1", "--runs", "r"], "--rng-seeds")
    ['table2', '--rng-seeds', '0', '--rng-seeds', '1', '--runs', 'r']
    >>> spread_option(["--rng-seeds=0", "1"], "--rng-seeds")
    ['--rng-seeds=0', '--rng-seeds', '1']
    """
    spread, inside = [], False
    for argument in arguments:
        if inside and argument.isdigit() and spread[-1] != option:
            spread.append(option)
        starts = argument == option or argument.startswith(f"{option}=")
        inside = starts or (inside and argument.isdigit())
        spread.append(argument)
    return spread


def named_folder(text: str) -> Path:
    """Read a folder's name; none, of a variable that is not set, say, is not the present one."""
    if not text:
        raise typer.BadParameter("it is empty; name a folder")
    return Path(text)


FOLDER: Any = {"parser": named_folder, "metavar": "PATH"}
PhotosArgument = Annotated[
    Path, typer.Argument(help="Folder of photos: JPEG, PNG, BMP, WebP, in sub-folders too.")
]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", envvar="WSSS_DATA", help="Data folder in the VOC layout."),
]
RunsOption = Annotated[
    Path | None,
    typer.Option(
        "--runs", envvar="WSSS_RUNS", help="Folder of the results; default: runs.", **FOLDER
    ),
]
ProfileOption = Annotated[
    str, typer.Option("--profile", help="demo, photo or paper, or a Python file of yours.")
]
ClassesOption = Annotated[
    str | None,
    typer.Option(help="Some of the data folder's classes, separated by commas; or: all."),
]
SaliencyOption = Annotated[
    Literal["maps", "u2netp", "border", "cams"] | None,
    typer.Option(
        "--saliency",
        help="maps of the data folder, u2netp, border, or cams for none; default: the profile's.",
    ),
]
RngSeedsOption = Annotated[
    list[int] | None,
    typer.Option(
        "--rng-seeds", min=0, help="Random seeds, say --rng-seeds 0 1 2; default: the profile's."
    ),
]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, help="Local processes; default: one a GPU or core.")
]
PrecisionOption = Annotated[
    Literal["32", "tf32", "bf16"] | None,
    typer.Option(
        "--precision",
        help="What networks compute in, each with results of its own: 32 (float32), tf32 (in a "
        "GPU's convolutions) or bf16; default: tf32 on a GPU, as torch does, else 32.",
    ),
]
TestingOption = Annotated[
    Way | None,
    typer.Option(
        help="One scale, or three with flip (ms); without or with a CRF; default: the profile's.",
    ),
]


def names(text: str | None) -> list[str] | None:
    """Split a list of names at its commas; "all" is an empty list.

    Examples
    --------
    >>> names("cat, cow"), names("all"), names(None)
    (['cat', 'cow'], [], None)
    """
    if text is None:
        return None
    return [] if text == "all" else [name.strip() for name in text.split(",")]
