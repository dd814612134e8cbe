"""The command ``wsss verify``: looks through a run folder for damage (not in the paper)."""

from __future__ import annotations

import shutil
from typing import Annotated

import typer

from wsss.cli.options import RunsOption


def verify(
    runs: RunsOption = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Remove what is damaged; it is computed again.")
    ] = False,
) -> None:
    """Compare every file of every result with the checksum written with it."""
    from wsss.stages import Store, default_runs

    store = Store(runs or default_runs())
    count, damaged = 0, 0
    for path, damage, needed_by in store.verify():
        count += 1
        if damage is None:
            continue
        damaged += 1
        typer.echo(f"{path}: {damage}; {len(needed_by)} results were made of it")
        if repair:
            shutil.rmtree(path)
    typer.echo(
        f"{count} results, {damaged} damaged"
        + (" and removed: what needs them computes them again" if repair and damaged else "")
    )
    if damaged and not repair:
        raise typer.Exit(1)
