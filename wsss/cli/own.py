"""The commands ``wsss train``, ``seeds``, ``predict``, ``evaluate``: one's own photos."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from wsss.cli.options import PrecisionOption, RngSeedsOption, WorkersOption
from wsss.errors import InputError

if TYPE_CHECKING:
    from wsss.data.own import Understood
    from wsss.paper import Recipe
    from wsss.pipeline import Pipeline
    from wsss.portable import SavedSegmenter
    from wsss.stages import Stage

MEASURED = 1261, 445, 750
"""Photos, photos held out and steps of the profile `photo`, whose costs were measured."""
PhotosArgument = Annotated[Path, typer.Argument(help="Folder of photos, sub-folders included.")]
OutOption = Annotated[Path, typer.Option(help="Folder for all that is made; safe to repeat.")]
LabelsOption = Annotated[
    Path | None,
    typer.Option(help="CSV, folder of XML or cls_labels.npy; default: one sub-folder a class."),
]
StepsOption = Annotated[int, typer.Option(min=1, help="Optimiser steps of each training.")]
FormatOption = Annotated[
    Literal["png", "irn"], typer.Option(help="Index PNGs, or the .npy dictionaries of psa and irn.")
]


def train(
    photos: PhotosArgument,
    out: OutOption,
    labels: LabelsOption = None,
    masks: Annotated[
        Path | None,
        typer.Option(help="Index PNGs of some or all photos, to score what comes out."),
    ] = None,
    val: Annotated[
        str, typer.Option(help="Share of the photos that is held out, or a list of their names.")
    ] = "0.2",
    extra_seeds: Annotated[
        list[Path] | None,
        typer.Option(help="Seeds of another method as index PNGs or irn's .npy; may be repeated."),
    ] = None,
    steps: StepsOption = 400,
    precision: PrecisionOption = None,
    rng_seeds: RngSeedsOption = None,
    workers: WorkersOption = None,
) -> None:
    """Learn to segment one's own photos from image-level labels; goes on where it was.

    OUT gets report.html, seeds, the predicted masks of all photos, and model. With --masks the
    photos held out are scored; more --rng-seeds then tell how much of a difference is chance.
    """
    from wsss.data.own import adopt_photos, adopt_seeds

    given = tuple(each.resolve().name for each in extra_seeds or ())
    if len(set(given)) < len(given):
        raise InputError(f"--extra-seeds: {', '.join(given)}; give the folders different names")
    data = out / "data"
    understood = adopt_photos(photos, data, labels=labels, masks=masks, val=_share_or_list(val))
    typer.echo(str(understood))
    for each in extra_seeds or ():
        typer.echo(adopt_seeds(each, data, understood))

    from wsss.pages.own_report import own_scores, write_own_report
    from wsss.paper import EVERYTHING
    from wsss.pipeline import Pipeline
    from wsss.portable import load_segmenter, save_segmenter
    from wsss.profiles import own
    from wsss.stages import PhotoFolder

    recipe = replace(EVERYTHING, given=given)
    profile = own(steps, len(understood.train))
    lab = Pipeline(
        profile,
        data,
        runs=out / "runs",
        rng_seeds=rng_seeds,
        precision=precision,
        workers=workers,
    )
    segmenter = lab.segmenter(recipe, lab.rng_seeds[0])
    _compute(
        lab, [segmenter, *(own_scores(lab, recipe).values() if masks else [])], understood, steps
    )

    folder = lab.source
    assert isinstance(folder, PhotoFolder)
    name, side = segmenter.network.name, folder.longest_side
    save_segmenter(segmenter.load(lab.store), name, folder.classes, side, out / "model")
    _write_seeds(lab, recipe, out / "seeds", "png")
    _predict(load_segmenter(out / "model"), understood.files, out / "masks")
    write_own_report(
        lab, recipe, str(understood), out / "report.html", with_masks=masks is not None
    )
    typer.echo(f"{out / 'report.html'}; masks in {out / 'masks'}, the segmenter in {out / 'model'}")


def seeds(
    photos: PhotosArgument,
    out: OutOption,
    labels: LabelsOption = None,
    types: Annotated[str, typer.Option(help="T, threshold seeds; C, CRF seeds; or both.")] = "TC",
    scales: Annotated[
        Literal["single", "multi", "max", "mean"],
        typer.Option(help="CAMs at one scale, at each of three, or the three merged."),
    ] = "multi",
    networks: Annotated[
        Literal["plain", "residual", "both"],
        typer.Option(help="CAMs of SqueezeNet (plain), of EfficientNet-Lite0, or of both."),
    ] = "both",
    format: FormatOption = "png",
    steps: StepsOption = 400,
    precision: PrecisionOption = None,
    workers: WorkersOption = None,
) -> None:
    """Make seeds of all photos, without training a segmenter: by default all twelve.

    OUT/seeds gets one folder a seed. What --format irn writes, the code of others reads, and so
    does wsss train --extra-seeds.
    """
    from wsss.data.own import adopt_photos
    from wsss.paper import Recipe
    from wsss.pipeline import Pipeline
    from wsss.profiles import own

    if not types or set(types) - set("TC"):
        raise InputError(f"--types {types}: give T, C or TC")
    understood = adopt_photos(photos, out / "data", labels=labels, val=0)
    typer.echo(str(understood))
    parts = ("plain", "residual") if networks == "both" else (networks,)
    recipe = Recipe(tuple(dict.fromkeys(types)), scales, parts)
    profile = own(steps, len(understood.train), splits=("train",))
    runs = out / "runs"
    lab = Pipeline(profile, out / "data", runs=runs, precision=precision, workers=workers)
    _compute(lab, list(lab.labels(recipe)), understood, steps)
    for folder in _write_seeds(lab, recipe, out / "seeds", format):
        typer.echo(folder)


def look(
    photo: Annotated[Path, typer.Argument(help="A photo.")],
    classes: Annotated[
        str, typer.Option(help='What it shows, of ImageNet\'s classes: "tabby, Egyptian cat".')
    ] = "",
    to: Annotated[Path, typer.Option(help="The picture to write.")] = Path("look.png"),
) -> None:
    """Show class activation maps and seeds of one photo, in seconds and without training.

    The classes are those of an ImageNet classifier; without --classes its first guess is taken.
    """
    import numpy as np

    from wsss.data.own import upright
    from wsss.files import atomic_write
    from wsss.pages.look import look as draw

    figure = draw(np.array(upright(photo)), [each for each in classes.split(",") if each.strip()])
    with atomic_write(to) as aside:
        figure.savefig(aside, format=to.suffix.removeprefix(".") or "png")
    typer.echo(to)


def predict(
    model: Annotated[Path, typer.Argument(help="OUT/model of wsss train, or OUT itself.")],
    photos: PhotosArgument,
    masks_to: Annotated[Path, typer.Option(help="Folder for the masks, palette PNGs.")],
    crf: Annotated[bool, typer.Option("--crf", help="Sharpen edges by a CRF.")] = False,
    probabilities: Annotated[
        bool,
        typer.Option("--probabilities", help="Write ID.npy too: (labels, H, W) float16 in 0..1."),
    ] = False,
) -> None:
    """Segment photos with what was trained; needs neither its photos nor its runs."""
    from wsss.data.own import find_photos
    from wsss.portable import load_segmenter

    saved = load_segmenter(model)
    files = find_photos(photos)
    _predict(saved, files, masks_to, crf=crf, probabilities=probabilities)
    typer.echo(f"{len(files)} masks in {masks_to}: 0 background, {_numbered(saved.classes)}")


def export(
    model: Annotated[Path, typer.Argument(help="OUT/model of wsss train, or OUT itself.")],
    to: Annotated[Path, typer.Argument(help="The file to write, say model.onnx.")],
) -> None:
    """Write what was trained as one ONNX file, for programs without PyTorch.

    It takes photos as uint8 RGB of any size and returns logits at their pixels; normalisation and
    upsampling are inside.
    """
    from wsss.portable import export_onnx, load_segmenter

    saved = load_segmenter(model)
    export_onnx(saved, to)
    shrunk = f", of at most {saved.longest_side} pixels a side" if saved.longest_side else ""
    typer.echo(
        f"{to}: from images (N, H, W, 3) uint8 RGB{shrunk}, to logits (N, L, H, W): 0 background, "
        f"{_numbered(saved.classes)}"
    )


def evaluate(
    masks: Annotated[Path, typer.Argument(help="Folder of predicted index PNGs.")],
    truth: Annotated[Path, typer.Argument(help="Folder of true ones with the same names.")],
    model: Annotated[
        Path | None, typer.Option(help="OUT of wsss train, for the names of the classes.")
    ] = None,
) -> None:
    """Print IoU a label and mIoU over all pixels of all images; 255 in the truth is left out."""
    from wsss.data.pictures import read_mask_png
    from wsss.metrics import iou, score
    from wsss.portable import load_segmenter

    paths = sorted(path for path in truth.glob("*.png") if (masks / path.name).is_file())
    if not paths:
        raise InputError(f"{masks} and {truth}: no PNG of the same name in both")
    true = [read_mask_png(path) for path in paths]
    found = [read_mask_png(masks / path.name) for path in paths]
    for path, a, b in zip(paths, found, true, strict=True):
        if a.shape != b.shape:
            raise InputError(f"{masks / path.name}: {a.shape} pixels, the truth has {b.shape}")
    count = 1 + max(int(each[each != 255].max(initial=0)) for each in [*true, *found])
    titles = [f"label {label}" for label in range(count)]
    if model is not None:
        named = load_segmenter(model).classes
        titles = ["background", *named, *titles[len(named) + 1 :]][:count]
    by_label = 100 * iou(score(found, true, count))[:count]
    for title, value in zip(titles, by_label.tolist(), strict=True):
        typer.echo(f"{title}: {'absent' if value != value else f'{value:.1f}'}")
    absent = int(by_label.isnan().sum())
    typer.echo(
        f"mIoU {by_label.nanmean().item():.1f} % over {count - absent} of {count} labels and "
        f"{len(paths)} images, background included; unknown (255) predicted counts as wrong"
    )


def _share_or_list(val: str) -> float | Path:
    """Read what --val says."""
    try:
        share = float(val)
    except ValueError:
        return Path(val)
    if not 0 < share < 1:
        raise InputError(f"--val {val}: give a share between 0 and 1, or a file that lists photos")
    return share


def _compute(lab: Pipeline, goals: list[Stage], understood: Understood, steps: int) -> None:
    """Say what is about to take how long, and do it."""
    from wsss.plan import estimate
    from wsss.stages import graph

    missing = graph(goals, lab.store.done)
    if missing:
        train, val, standard = MEASURED
        sizes = {stage.name: len(understood.train) / train for stage in missing}
        sizes |= {"classifier": steps / standard, "segmenter": steps / standard}
        sizes |= {"segmenter_score": len(understood.val) / val}
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        typer.echo(f"{estimate(missing, 'photo', sizes)}; this machine has {cores} cores", err=True)
    lab.run(goals)


def _write_seeds(lab: Pipeline, recipe: Recipe, out: Path, format: str) -> list[str]:
    """Write every seed into a folder named by its network, type and scale."""
    from wsss.data.cam_dicts import write_dict_seed
    from wsss.data.pictures import write_mask_png
    from wsss.pages.style import seed_titles

    images = lab.train_images.load(lab.store)
    titles = seed_titles(lab, recipe, lab.rng_seeds[0])
    folders = []
    for source in lab.labels(recipe, lab.rng_seeds[0]):
        if source.identity not in titles:
            continue  # seeds of others lie where they came from
        folder = out / re.sub(r"[^\w.]+", "_", titles[source.identity].lower())
        folder.mkdir(parents=True, exist_ok=True)
        for i, seed in enumerate(source.label_maps(lab.store)):
            if format == "irn":
                present = [int(each) + 1 for each in images.present[i].nonzero()[0]]
                write_dict_seed(folder / f"{images.ids[i]}.npy", seed, present)
            else:
                write_mask_png(folder / f"{images.ids[i]}.png", seed)
        folders.append(str(folder))
    return folders


def _predict(
    saved: SavedSegmenter,
    files: Mapping[str, Path],
    folder: Path,
    *,
    crf: bool = False,
    probabilities: bool = False,
) -> None:
    """Segment photos one by one."""
    import numpy as np

    from wsss.crf import PRESETS
    from wsss.data.own import upright
    from wsss.data.pictures import write_mask_png
    from wsss.files import atomic_write
    from wsss.inference import Protocol

    folder.mkdir(parents=True, exist_ok=True)
    protocol = Protocol(crf=PRESETS["vgg16_test"]) if crf else None
    for image_id, path in files.items():
        photo = np.array(upright(path))
        (labels,) = saved.predict([photo], protocol)
        write_mask_png(folder / f"{image_id}.png", labels)
        if probabilities:
            with atomic_write(folder / f"{image_id}.npy") as aside, aside.open("wb") as file:
                np.save(file, saved.probabilities(photo).astype(np.float16))


def _numbered(classes: tuple[str, ...]) -> str:
    return ", ".join(f"{number} {name}" for number, name in enumerate(classes, start=1))
