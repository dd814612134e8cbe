"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    from wsss.pipeline import Pipeline, Profile


class Way(StrEnum):
    """How segmenters are tested."""

    single = "single"
    crf = "crf"
    ms = "ms"
    ms_crf = "ms+crf"
    all = "all"


class SaliencySource(StrEnum):
    """Where saliency comes from."""

    maps = "maps"
    u2netp = "u2netp"
    border = "border"
    cams = "cams"


class SeedsAsList(TyperCommand):
    """Lets ``--seeds 0 1 2`` be written as one option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Spread the list before click reads it."""
        return super().parse_args(ctx, spread_option(args, "--seeds"))


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


DataOption = Annotated[
    Path | None,
    typer.Option("--data", envvar="WSSS_DATA", help="Data folder in the VOC layout."),
]
RunsOption = Annotated[
    Path | None,
    typer.Option("--runs", envvar="WSSS_RUNS", help="Folder of the results; default: runs."),
]
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


def profile_of(name: str, saliency: SaliencySource | None) -> Profile:
    """Look a profile up; its saliency may be another one."""
    from wsss.profiles import get_profile

    profile = get_profile(name)
    return profile if saliency is None else replace(profile, saliency=saliency.value)


def names(text: str | None) -> list[str] | None:
    """Split a list of names at its commas.

    Examples
    --------
    >>> names("cat, cow"), names(None)
    (['cat', 'cow'], None)
    """
    return [name.strip() for name in text.split(",")] if text else None


def pipeline_of(profile: str, data: Path | None, saliency: SaliencySource | None) -> Pipeline:
    """Put a profile on a data folder."""
    from wsss.pipeline import Pipeline

    return Pipeline(profile_of(profile, saliency), data)
