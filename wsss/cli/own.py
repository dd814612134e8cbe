"""The commands that learn from one's own photos: ``train`` and ``seeds``."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from wsss.cli.options import FOLDER, PhotosArgument, PrecisionOption, WorkersOption
from wsss.cli.segment import predict_files
from wsss.errors import InputError

if TYPE_CHECKING:
    from wsss.data.own import Understood
    from wsss.paper import Recipe
    from wsss.pipeline import Pipeline
    from wsss.stages import Stage

OutOption = Annotated[
    Path,
    typer.Option(
        help="Folder for all that is made; the same command again goes on there.", **FOLDER
    ),
]
LabelsOption = Annotated[
    Path | None,
    typer.Option(
        help="What each photo shows. A table (CSV, separated by commas, semicolons or tabs) with a "
        "column of file names and either one of 0 and 1 for each class, or one of labels, several "
        "separated by ; , or | (by spaces only where each word is a label alone elsewhere). Or a "
        "folder of VOC's XML, or a cls_labels.npy. Default: the name of a photo's sub-folder. "
        "Who shows no class has an empty cell, or lies in a folder called background."
    ),
]
PlainOption = Annotated[
    str,
    typer.Option(
        help="Network that classifies and segments; vgg16 is the paper's, wants a GPU and "
        "wsss weights fetch vgg16."
    ),
]
ResidualOption = Annotated[
    str, typer.Option(help="Second network that classifies; resnet38 is the paper's.")
]
StepsOption = Annotated[
    int,
    typer.Option(min=1, help="Optimiser steps of each training; more may help, and take longer."),
]
Form = Literal["png", "irn", "psa"]
FormatOption = Annotated[
    Form,
    typer.Option(help="Masks as palette PNGs, or the .npy dictionaries of irn's code or psa's."),
]


def train(
    photos: PhotosArgument,
    out: OutOption,
    labels: LabelsOption = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            help="To measure: true masks of some photos, index PNGs of the same names. 0 is "
            "background, 255 does not count; the classes are numbered as the table's columns, else "
            "by the alphabet. Only photos with masks are held out then."
        ),
    ] = None,
    val: Annotated[
        str,
        typer.Option(help="Share of the photos that is held out, or a file with a name a line."),
    ] = "0.2",
    extra_seeds: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder of seeds from elsewhere, used beside the own ones: pseudo-masks or "
            "scribbles as index PNGs (255 is unknown), or irn's or psa's .npy; may be repeated."
        ),
    ] = None,
    steps: StepsOption = 400,
    plain: PlainOption = "squeezenet1_1",
    residual: ResidualOption = "efficientnet_lite0",
    rng_seeds: Annotated[
        list[int] | None,
        typer.Option(
            "--rng-seeds",
            min=0,
            help="Random seeds, say --rng-seeds 0 1 2, to train and score as often; the model and "
            "the masks are those of the first. Default: 0.",
        ),
    ] = None,
    precision: PrecisionOption = None,
    workers: WorkersOption = None,
) -> None:
    """Learn to segment your photos from the names of what each shows.

    OUT gets report.html, the seeds (pseudo-masks that were learnt from), masks of all photos, and
    model. What was understood and about how long it takes is said first. With --masks the photos
    held out are scored; several --rng-seeds then tell how much of a difference is chance.
    """
    from wsss.data.own import adopt_photos, adopt_seeds
    from wsss.data.own_files import mark, require_free

    given = tuple(each.resolve().name for each in extra_seeds or ())
    if len(set(given)) < len(given):
        raise InputError(f"--extra-seeds: {', '.join(given)}; give the folders different names")
    results = [out / name for name in ("masks", "model", "seeds")]
    for each in results:  # now, not after hours
        require_free(each, [photos, labels, masks, *(extra_seeds or ())], by="--out")
    data = out / "data"
    understood = adopt_photos(
        photos,
        data,
        labels=labels,
        masks=masks,
        val=_share_or_list(val),
        leave_out=extra_seeds or (),
    )
    for each in results:
        mark(each, by="--out")
    typer.echo(str(understood))
    for each in extra_seeds or ():
        typer.echo(adopt_seeds(each, data, understood))

    from wsss.data.labels import numbered
    from wsss.pages.own_report import own_scores, write_own_report
    from wsss.paper import EVERYTHING
    from wsss.pipeline import Pipeline
    from wsss.portable import load_segmenter, save_segmenter
    from wsss.profiles import own
    from wsss.stages import PhotoFolder

    recipe = replace(EVERYTHING, given=given)
    profile = own(steps, len(understood.train), plain=plain, residual=residual)
    lab = Pipeline(
        profile,
        data,
        runs=out / "runs",
        rng_seeds=rng_seeds,
        precision=precision,
        workers=workers,
    )
    segmenter = lab.segmenter(recipe, lab.rng_seeds[0])
    scores = own_scores(lab, recipe).values() if masks else ()
    _compute(lab, [segmenter, *scores], understood, steps, workers)

    folder = lab.source
    assert isinstance(folder, PhotoFolder)
    name, side = segmenter.network.name, folder.longest_side
    save_segmenter(segmenter.load(lab.store), name, folder.classes, side, out / "model")
    _write_seeds(lab, recipe, out / "seeds", "png")
    saved, files = load_segmenter(out / "model"), list(understood.files.values())
    _tell_left(out / "masks", predict_files(saved, files, photos, out / "masks"))
    write_own_report(
        lab, recipe, str(understood), out / "report.html", with_masks=masks is not None
    )
    typer.echo(
        f"look at {out / 'report.html'}; masks are in {out / 'masks'} (0 background, "
        f"{numbered(folder.classes)}), the segmenter is {out / 'model'}"
    )


def seeds(
    photos: PhotosArgument,
    out: OutOption,
    labels: LabelsOption = None,
    types: Annotated[
        str, typer.Option(help="T, threshold seeds; C, seeds after a CRF; or both.")
    ] = "TC",
    scales: Annotated[
        Literal["single", "multi", "max", "mean"],
        typer.Option(help="Class activation maps at one scale, at each of three, or three merged."),
    ] = "multi",
    networks: Annotated[
        Literal["plain", "residual", "both"],
        typer.Option(
            help="Classifier: SqueezeNet (plain), EfficientNet-Lite0 (residual), or both."
        ),
    ] = "both",
    format: FormatOption = "png",
    steps: StepsOption = 400,
    plain: PlainOption = "squeezenet1_1",
    residual: ResidualOption = "efficientnet_lite0",
    precision: PrecisionOption = None,
    workers: WorkersOption = None,
) -> None:
    """Make seeds (pseudo-masks) of all photos, without training a segmenter; by default twelve.

    OUT/seeds gets one folder a seed, with a file for each photo. Two classifiers are trained for
    it. What --format irn or psa writes is as that code keeps its CAMs; wsss train --extra-seeds
    reads it, too.
    """
    from wsss.data.own import adopt_photos
    from wsss.data.own_files import mark, require_free
    from wsss.paper import Recipe
    from wsss.pipeline import Pipeline
    from wsss.profiles import own

    if not types or set(types) - set("TC"):
        raise InputError(f"--types {types}: give T, C or TC")
    require_free(out / "seeds", [photos, labels], by="--out")
    understood = adopt_photos(photos, out / "data", labels=labels, val=0)
    mark(out / "seeds", by="--out")
    typer.echo(str(understood))
    parts = ("plain", "residual") if networks == "both" else (networks,)
    recipe = Recipe(tuple(dict.fromkeys(types)), scales, parts)
    profile = own(steps, len(understood.train), splits=("train",), plain=plain, residual=residual)
    runs = out / "runs"
    lab = Pipeline(profile, out / "data", runs=runs, precision=precision, workers=workers)
    _compute(lab, list(lab.labels(recipe)), understood, steps, workers)
    for folder in _write_seeds(lab, recipe, out / "seeds", format):
        typer.echo(folder)


def _share_or_list(val: str) -> float | Path:
    """Read what --val says."""
    try:
        share = float(val)
    except ValueError:
        if Path(val).is_file():
            return Path(val)
        raise InputError(f"--val {val}: no such list of photos, nor a share, say 0.2") from None
    if not 0 < share < 1:
        raise InputError(f"--val {val}: give a share between 0 and 1, or a file that lists photos")
    return share


def _compute(
    lab: Pipeline, goals: list[Stage], understood: Understood, steps: int, workers: int | None
) -> None:
    """Say what is about to take how long, and do it."""
    from wsss.plan import expected_seconds, tell_wait
    from wsss.stages import default_workers, graph

    missing, workers = graph(goals, lab.store.done), workers or default_workers()
    photos, held_out = len(understood.train), len(understood.val)
    expected = expected_seconds(missing, photos=photos, held_out=held_out, steps=steps)
    if missing:
        told = tell_wait(missing, expected, photos=photos + held_out, workers=workers)
        typer.echo(f"{told}; once interrupted, the same command goes on", err=True)
    lab.run(goals, expected)


def _write_seeds(lab: Pipeline, recipe: Recipe, out: Path, format: Form) -> list[str]:
    """Write every seed, as large as its photo, into a folder named by network, type and scale."""
    import numpy as np
    from PIL import Image
    from tqdm import tqdm

    from wsss.data.cam_dicts import write_dict_seed
    from wsss.data.pictures import write_mask_png
    from wsss.data.voc import VocFolder
    from wsss.pages.style import seed_titles

    images, photos = lab.train_images.load(lab.store), VocFolder(lab.store.data)
    sizes = list(map(photos.size, images.ids))
    titles = seed_titles(lab, recipe, lab.rng_seeds[0])
    folders: list[str] = []
    written: list[Path] = []
    for source in lab.labels(recipe, lab.rng_seeds[0]):
        if source.identity not in titles:
            continue  # seeds of others lie where they came from
        folder = out / re.sub(r"[^\w.]+", "_", titles[source.identity].lower())
        folder.mkdir(parents=True, exist_ok=True)
        maps = tqdm(source.label_maps(lab.store), desc=folder.name, disable=None, leave=False)
        files = [folder / f"{each}.{'png' if format == 'png' else 'npy'}" for each in images.ids]
        for i, small in enumerate(maps):
            height, width = sizes[i]
            seed = np.array(
                Image.fromarray(small).resize((width, height), Image.Resampling.NEAREST)
            )
            if format != "png":
                present = [int(each) + 1 for each in images.present[i].nonzero()[0]]
                write_dict_seed(files[i], seed, present, format)
            else:
                write_mask_png(files[i], seed)
        folders.append(str(folder))
        written += files
    _tell_left(out, written)
    return folders


def _tell_left(folder: Path, written: Collection[Path]) -> None:
    """Say that an earlier run, of other photos or choices, left files beside those just written."""
    from wsss.files import files_below

    endings, now = {path.suffix for path in written}, set(written)
    left = [path for path in files_below(folder, endings) if path not in now]
    if left:
        more = f" and {len(left) - 1} more files" if len(left) > 1 else ""
        typer.echo(f"note: {left[0]}{more}: left by an earlier run; delete what is old", err=True)
