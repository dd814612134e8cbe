"""The command ``wsss export-voc-test``: label maps for VOC's test server (Sec. 5.5, Table 7)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wsss.cli.options import (
    DataOption,
    PrecisionOption,
    RunsOption,
    SaliencyOption,
    TestingOption,
    WorkersOption,
)
from wsss.errors import InputError
from wsss.paper import Cell, get_table

CHUNK = 64
"""Photos that are read and predicted at once."""


def export_voc_test(
    table: Annotated[str, typer.Argument(help="table1 ... table7 or claim13: whose segmenter.")],
    out: Annotated[Path, typer.Option(help="Folder for the PNGs and the archive.")],
    row: Annotated[str | None, typer.Option(help="Row of the table, if it has several.")] = None,
    column: Annotated[str | None, typer.Option(help="Column, if it has several.")] = None,
    profile: Annotated[str, typer.Option(help="The settings; its photos must be VOC's.")] = "paper",
    data: DataOption = None,
    saliency: SaliencyOption = None,
    precision: PrecisionOption = None,
    rng_seed: Annotated[int, typer.Option(min=0, help="Random seed of the training.")] = 0,
    testing: TestingOption = None,
    split: Annotated[str, typer.Option(help="Split of the data folder.")] = "test",
    runs: RunsOption = None,
    workers: WorkersOption = None,
) -> None:
    """Write and check the archive that VOC's test server takes; train first if need be."""
    if testing == "all":
        raise InputError("export-voc-test: --testing all would be four archives; choose one")
    if data is None:
        raise InputError(
            "export-voc-test: name the folder of VOC's photos by --data or WSSS_DATA; drawn scenes "
            "are nothing for its server"
        )
    cell = _cell(table, row, column)

    from wsss.data.voc import VocFolder
    from wsss.pipeline import Pipeline
    from wsss.portable import SavedSegmenter
    from wsss.stages import PhotoFolder
    from wsss.submission import voc_numbers, write_submission

    photos = VocFolder(data)  # as they are: the server wants label maps of their size
    # All are decoded now, for a damaged one must not be found when the training is done.
    sizes = {image_id: photos.image(image_id).shape[:2] for image_id in photos.ids(split)}
    lab = Pipeline(
        profile,
        data,
        runs=runs,
        saliency=saliency,
        precision=precision,
        workers=workers,
    )
    if not isinstance(lab.source, PhotoFolder):
        raise InputError(f"export-voc-test: profile {profile} reads no photos; choose another")
    numbers = voc_numbers(lab.source.classes)  # others are refused before any training
    segmenter = lab.segmenter(cell.recipe, rng_seed)
    lab.run([segmenter])
    folder, protocol = lab.source, lab.protocol(cell.recipe, testing)
    saved = SavedSegmenter(segmenter.load(lab.store), folder.classes, folder.longest_side)
    ids = list(sizes)
    chunks = (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))
    label_maps = (
        (image_id, numbers[labels])
        for chunk in chunks
        for image_id, labels in zip(
            chunk, saved.predict(list(map(photos.image, chunk)), protocol), strict=True
        )
    )
    archive = write_submission(label_maps, sizes, out)
    typer.echo(f"{archive}: {len(sizes)} label maps, checked")


def _cell(table: str, row: str | None, column: str | None) -> Cell:
    """Find the one cell of a table that is meant."""
    cells = [
        cell
        for cell in get_table(table).cells
        if row in (None, cell.row) and column in (None, cell.column)
    ]
    if len(cells) != 1:
        every = "; ".join(f"--row '{c.row}' --column '{c.column}'" for c in get_table(table).cells)
        raise InputError(f"{table}: {len(cells)} cells are meant, one is needed: {every}")
    return cells[0]
