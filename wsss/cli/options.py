"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

DataOption = Annotated[
    Path | None,
    typer.Option("--data", envvar="WSSS_DATA", help="Data folder in the VOC layout."),
]
RunsOption = Annotated[
    Path | None,
    typer.Option("--runs", envvar="WSSS_RUNS", help="Folder of the results; default: runs."),
]


class Way(StrEnum):
    """How segmenters are tested."""

    single = "single"
    crf = "crf"
    ms = "ms"
    ms_crf = "ms+crf"
    all = "all"
