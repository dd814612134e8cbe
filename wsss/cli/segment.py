"""The commands after the training, ``predict``, ``evaluate``, ``export``, or without: ``look``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wsss.cli.options import FOLDER, PhotosArgument
from wsss.errors import InputError, require_writable

if TYPE_CHECKING:
    from wsss.portable import SavedSegmenter

FORMS = ("png", "jpg", "pdf", "svg")
ModelArgument = Annotated[Path, typer.Argument(help="OUT of wsss train, or its folder model.")]


def look(
    photo: Annotated[Path, typer.Argument(help="A photo.")],
    classes: Annotated[
        str, typer.Option(help='What it shows, of ImageNet\'s classes, say "tabby, Egyptian cat".')
    ] = "",
    to: Annotated[Path, typer.Option(help="The picture to write.")] = Path("look.png"),
) -> None:
    """Show where a classifier looks in one photo, and the seeds made of it, without training.

    It knows ImageNet's thousand classes, no others; without --classes its first guess is taken. The
    picture has the photo, what stands out in it, and at three scales class activation map,
    threshold seed and CRF seed.
    """
    from wsss.data.pictures import read_image
    from wsss.files import atomic_write
    from wsss.pages.look import look as draw

    form = to.suffix.removeprefix(".").lower()
    if form not in FORMS:
        raise InputError(f"{to}: no picture is written so; end it in one of {', '.join(FORMS)}")
    if not photo.is_file():
        raise InputError(f"{photo}: no such photo; name the file of one")
    if to.exists() and to.samefile(photo):
        raise InputError(f"{to}: the photo itself; name another picture by --to")
    require_writable(to.parent, "the picture", by="--to")
    figure = draw(
        read_image(photo, turned=True), [each for each in classes.split(",") if each.strip()]
    )
    with atomic_write(to) as aside:
        figure.savefig(aside, format=form)
    typer.echo(to)


def predict(
    model: ModelArgument,
    photos: PhotosArgument,
    masks_to: Annotated[
        Path, typer.Option(help="Folder for the masks, a palette PNG a photo.", **FOLDER)
    ],
    crf: Annotated[
        bool, typer.Option("--crf", help="Let masks follow the photo's edges (a dense CRF).")
    ] = False,
    probabilities: Annotated[
        bool,
        typer.Option(
            "--probabilities",
            help="Beside each mask its probabilities, .npy (labels, H, W), before any CRF.",
        ),
    ] = False,
) -> None:
    """Segment photos with what was trained.

    A photo's mask has its size, and its name in the same sub-folder: 0 is background, then the
    classes as they are numbered at the end of the run.
    """
    from wsss.data.labels import numbered
    from wsss.data.own_files import find_photos, mark, require_free
    from wsss.portable import load_segmenter

    require_free(masks_to, [photos], by="--masks-to")
    saved = load_segmenter(model)
    files = list(find_photos(photos).values())
    mark(masks_to, by="--masks-to")
    made = predict_files(saved, files, photos, masks_to, crf=crf, probabilities=probabilities)
    typer.echo(f"{len(made)} masks in {masks_to}: 0 background, {numbered(saved.classes)}")
    if left := len(files) - len(made):
        raise InputError(f"{photos}: {left} of {len(files)} photos have no mask, see above")


def evaluate(
    masks: Annotated[Path, typer.Argument(help="Folder of predicted masks, say of wsss predict.")],
    truth: Annotated[Path, typer.Argument(help="Folder of true masks of some of the photos.")],
    model: Annotated[
        Path | None, typer.Option(help="OUT of wsss train, for the names of the classes.")
    ] = None,
) -> None:
    """Compare masks with true ones: IoU of each class, and their mean.

    Masks are PNGs of indices; two belong together by their names. Pixels of all photos are counted
    together, and those that are 255 in the truth are left out.
    """
    from wsss.data.own_files import find_photos, named_like, ways_to_name
    from wsss.data.pictures import read_mask_png
    from wsss.files import files_below
    from wsss.metrics import iou, score
    from wsss.portable import load_segmenter

    predicted = find_photos(masks, endings=[".png"], what="mask")
    pairs = named_like(ways_to_name(predicted, masks), truth, ".png")
    if not pairs:
        raise InputError(f"{masks} and {truth}: no PNG of the same name in both")
    if alone := len(files_below(truth, {".png"})) - len(pairs):
        typer.echo(f"note: {alone} masks of {truth} have no partner in {masks}", err=True)
    true = [read_mask_png(path) for path in pairs.values()]
    found = [read_mask_png(predicted[each]) for each in pairs]
    for each, a, b in zip(pairs, found, true, strict=True):
        if a.shape != b.shape:
            raise InputError(
                f"{predicted[each]}: {a.shape[1]} x {a.shape[0]} pixels, the truth has "
                f"{b.shape[1]} x {b.shape[0]}"
            )
    count = 1 + max(int(each[each != 255].max(initial=0)) for each in [*true, *found])
    named = ["background", *load_segmenter(model).classes] if model is not None else []
    titles = [*named, *(f"label {label}" for label in range(len(named), count))]
    count = len(titles)
    by_label = 100 * iou(score(found, true, count))[:count]
    for title, value in zip(titles, by_label.tolist(), strict=True):
        typer.echo(f"{title}: {'absent' if value != value else f'{value:.1f}'}")
    absent = int(by_label.isnan().sum())
    typer.echo(
        f"mIoU {by_label.nanmean().item():.1f} % over {count - absent} of {count} labels and "
        f"{len(pairs)} images, background included; unknown (255) predicted counts as wrong"
    )


def export(
    model: ModelArgument,
    to: Annotated[Path, typer.Argument(help="The file to write, say model.onnx.")],
) -> None:
    """Write what was trained as one ONNX file, for programs without PyTorch.

    It takes photos as uint8 RGB of any size and returns logits at their pixels; normalisation and
    upsampling are inside.
    """
    from wsss.data.labels import numbered
    from wsss.portable import export_onnx, load_segmenter

    saved = load_segmenter(model)
    export_onnx(saved, to)
    shrunk = f", of at most {saved.longest_side} pixels a side" if saved.longest_side else ""
    typer.echo(
        f"{to}: from images (N, H, W, 3) uint8 RGB{shrunk}, to logits (N, L, H, W): 0 background, "
        f"{numbered(saved.classes)}"
    )


def predict_files(
    saved: SavedSegmenter,
    files: Sequence[Path],
    photos: Path,
    folder: Path,
    *,
    crf: bool = False,
    probabilities: bool = False,
) -> set[Path]:
    """Write a mask for each photo, under the path that the photo has in `photos`; return those.

    A photo that cannot be read has none, and the terminal is told why.
    """
    import numpy as np
    from tqdm import tqdm

    from wsss.crf import PRESETS
    from wsss.data.pictures import read_image, write_mask_png
    from wsss.files import atomic_write
    from wsss.inference import Protocol
    from wsss.training import on_accelerator
    from wsss.training.precision import arithmetic

    on_accelerator(saved.network)
    protocol = Protocol(crf=PRESETS["vgg16_test"]) if crf else None
    taken: set[Path] = set()
    made: set[Path] = set()
    for path in tqdm(files, desc="masks", disable=None, leave=False):
        mask = folder / path.relative_to(photos).with_suffix(".png")
        if mask in taken:  # a.jpg and a.webp
            mask = mask.with_name(f"{path.name}.png")
        taken.add(mask)
        try:
            photo = read_image(path, turned=True)
        except (InputError, OSError) as error:
            tqdm.write(f"no mask: {error}", sys.stderr)
            continue
        mask.parent.mkdir(parents=True, exist_ok=True)
        with arithmetic("32-true"):  # the same on every machine
            (labels,) = saved.predict([photo], protocol)
            write_mask_png(mask, labels)
            if probabilities:
                with atomic_write(mask.with_suffix(".npy")) as aside, aside.open("wb") as file:
                    np.save(file, saved.probabilities(photo).astype(np.float16))
        made.add(mask)
    return made
