"""The commands ``wsss train``, ``predict``, ``evaluate``: one's own photos (not in the paper)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wsss.cli.options import WorkersOption
from wsss.errors import InputError

if TYPE_CHECKING:
    from wsss.portable import SavedSegmenter


def train(
    photos: Annotated[Path, typer.Argument(help="Folder of photos, sub-folders included.")],
    out: Annotated[Path, typer.Option(help="Folder for all that is made; safe to repeat.")],
    labels: Annotated[
        Path | None,
        typer.Option(help="CSV, folder of XML or cls_labels.npy; default: one sub-folder a class."),
    ] = None,
    masks: Annotated[Path | None, typer.Option(help="Index PNGs, to score what comes out.")] = None,
    val: Annotated[float, typer.Option(min=0.01, max=0.9, help="Share that is held out.")] = 0.2,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps of each training.")] = 400,
    workers: WorkersOption = None,
) -> None:
    """Learn to segment one's own photos from image-level labels; goes on where it was."""
    from wsss.data.own import adopt_photos

    understood = adopt_photos(photos, out / "data", labels=labels, masks=masks, val=val)
    typer.echo(str(understood))

    from wsss.data.pictures import write_mask_png
    from wsss.pages.own_report import own_scores, write_own_report
    from wsss.paper import EVERYTHING
    from wsss.pipeline import Pipeline
    from wsss.plan import estimate
    from wsss.portable import load_segmenter, save_segmenter
    from wsss.profiles import own
    from wsss.stages import PhotoFolder, graph

    profile = own(steps)
    lab = Pipeline(profile, out / "data", runs=out / "runs", workers=workers)
    segmenter = lab.segmenter(EVERYTHING)
    goals = [segmenter, *(own_scores(lab).values() if masks else [])]
    missing = graph(goals, lab.store.done)
    typer.echo(f"at 750 steps and 1,261 photos: {estimate(missing, 'photo')}", err=True)
    lab.run(goals)

    folder = lab.source
    assert isinstance(folder, PhotoFolder)
    name, side = segmenter.network.name, folder.longest_side
    save_segmenter(segmenter.load(lab.store), name, folder.classes, side, out / "model")
    images = segmenter.images.load(lab.store)
    for number, source in enumerate(segmenter.labels, start=1):
        one = out / "seeds" / f"{number:02d}"
        one.mkdir(parents=True, exist_ok=True)
        for image_id, seed in zip(images.ids, source.label_maps(lab.store), strict=True):
            write_mask_png(one / f"{image_id}.png", seed)
    _predict(load_segmenter(out / "model"), understood.files, out / "masks")
    write_own_report(lab, str(understood), out / "report.html", with_masks=masks is not None)
    typer.echo(f"{out / 'report.html'}; masks in {out / 'masks'}, the segmenter in {out / 'model'}")


def predict(
    model: Annotated[Path, typer.Argument(help="OUT/model of wsss train, or OUT itself.")],
    photos: Annotated[Path, typer.Argument(help="Folder of photos, sub-folders included.")],
    masks_to: Annotated[Path, typer.Option(help="Folder for the masks, palette PNGs.")],
) -> None:
    """Segment photos with what was trained; needs neither its photos nor its runs."""
    from wsss.data.own import find_photos
    from wsss.portable import load_segmenter

    saved = load_segmenter(model / "model" if (model / "model").is_dir() else model)
    count = _predict(saved, find_photos(photos), masks_to)
    typer.echo(f"{count} masks in {masks_to}: 0 background, {_numbered(saved.classes)}")


def evaluate(
    masks: Annotated[Path, typer.Argument(help="Folder of predicted index PNGs.")],
    truth: Annotated[Path, typer.Argument(help="Folder of true ones with the same names.")],
) -> None:
    """Print IoU a label and mIoU over all pixels of all images; 255 in the truth is left out."""
    from wsss.data.pictures import read_mask_png
    from wsss.metrics import iou, score

    paths = sorted(path for path in truth.glob("*.png") if (masks / path.name).is_file())
    if not paths:
        raise InputError(f"{masks} and {truth}: no PNG of the same name in both")
    true = [read_mask_png(path) for path in paths]
    found = [read_mask_png(masks / path.name) for path in paths]
    for path, a, b in zip(paths, found, true, strict=True):
        if a.shape != b.shape:
            raise InputError(f"{masks / path.name}: {a.shape} pixels, the truth has {b.shape}")
    count = 1 + max(int(each[each != 255].max(initial=0)) for each in [*true, *found])
    by_label = 100 * iou(score(found, true, count))[:count]
    for label, value in enumerate(by_label.tolist()):
        typer.echo(f"label {label}: {'absent' if value != value else f'{value:.1f}'}")
    absent = int(by_label.isnan().sum())
    typer.echo(
        f"mIoU {by_label.nanmean().item():.1f} % over {count - absent} of {count} labels and "
        f"{len(paths)} images, background included; unknown (255) predicted counts as wrong"
    )


def _predict(saved: SavedSegmenter, files: Mapping[str, Path], folder: Path) -> int:
    """Segment photos one by one; return how many there were."""
    import numpy as np

    from wsss.data.own import upright
    from wsss.data.pictures import write_mask_png

    folder.mkdir(parents=True, exist_ok=True)
    for image_id, path in files.items():
        (labels,) = saved.predict([np.array(upright(path))])
        write_mask_png(folder / f"{image_id}.png", labels)
    return len(files)


def _numbered(classes: tuple[str, ...]) -> str:
    return ", ".join(f"{number} {name}" for number, name in enumerate(classes, start=1))
