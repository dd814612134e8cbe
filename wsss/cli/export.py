"""The command ``wsss export-voc-test``: label maps for VOC's test server (Sec. 5.5, Table 7)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wsss.cli.options import DataOption, RunsOption, SaliencyOption, Way, pipeline_of
from wsss.errors import InputError

if TYPE_CHECKING:
    from wsss.tables import Cell


def export_voc_test(
    table: Annotated[str, typer.Argument(help="table1 ... table7 or claim13: whose segmenter.")],
    out: Annotated[Path, typer.Option(help="Folder for the PNGs and the archive.")],
    row: Annotated[str | None, typer.Option(help="Row of the table, if it has several.")] = None,
    column: Annotated[str | None, typer.Option(help="Column, if it has several.")] = None,
    profile: Annotated[str, typer.Option(help="The settings; its photos must be VOC's.")] = "paper",
    data: DataOption = None,
    saliency: SaliencyOption = None,
    rng_seed: Annotated[int, typer.Option(min=0, help="Random seed of the training.")] = 0,
    testing: Annotated[Way | None, typer.Option(help="As in reproduce.")] = None,
    split: Annotated[str, typer.Option(help="Split of the data folder.")] = "test",
    runs: RunsOption = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Local processes; default: one a GPU or core.")
    ] = None,
) -> None:
    """Write and check the archive that VOC's test server takes; train first if need be."""
    from wsss.data.voc import VocFolder
    from wsss.engine import default_runs, run
    from wsss.stages import PhotoFolder, Store
    from wsss.submission import predict_full_size, voc_numbers, write_submission

    if testing is Way.all:
        raise InputError("export-voc-test: --testing all would be four archives; choose one")
    if data is None:
        raise InputError(
            "export-voc-test: name the folder of VOC's photos by --data or WSSS_DATA; drawn scenes "
            "are nothing for its server"
        )
    cell = _cell(table, row, column)
    store = Store(runs or default_runs(), data)
    photos = VocFolder(store.data)
    sizes = {image_id: photos.size(image_id) for image_id in photos.ids(split)}
    pipeline = pipeline_of(profile, data, saliency)
    segmenter = pipeline.segmenter(cell.recipe, rng_seed)
    store.ensure(segmenter.images)  # other classes than VOC's are refused before any training
    numbers = voc_numbers(segmenter.images.load(store).classes)
    run([segmenter], store, workers=workers)
    model = segmenter.load(store)
    protocol = pipeline.protocol(cell.recipe, testing and testing.value)

    source = segmenter.images.source
    side = source.longest_side if isinstance(source, PhotoFolder) else None
    predicted = predict_full_size(model, photos, list(sizes), protocol, longest_side=side)
    label_maps = ((image_id, numbers[labels]) for image_id, labels in predicted)
    archive = write_submission(label_maps, sizes, out)
    typer.echo(f"{archive}: {len(sizes)} label maps, checked")


def _cell(table: str, row: str | None, column: str | None) -> Cell:
    """Find the one cell of a table that is meant."""
    from wsss.tables import get_table

    cells = [
        cell
        for cell in get_table(table).cells
        if row in (None, cell.row) and column in (None, cell.column)
    ]
    if len(cells) != 1:
        every = "; ".join(f"--row '{c.row}' --column '{c.column}'" for c in get_table(table).cells)
        raise InputError(f"{table}: {len(cells)} cells are meant, one is needed: {every}")
    return cells[0]
