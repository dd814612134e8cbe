"""A page about a training on one's own photos, pictures inside (not in the paper)."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from wsss.files import write_text
from wsss.inference import predict
from wsss.models import network_entry
from wsss.pages.seeds import figure1
from wsss.pages.style import (
    SMALL,
    aspects,
    colour_labels,
    label_entries,
    legend,
    new_panels,
    seed_titles,
    show,
    tidy,
)
from wsss.pages.text import spread
from wsss.pages.weights import paint_weights, weight_range, weights_now
from wsss.paper import Recipe
from wsss.pipeline import Pipeline
from wsss.stages import Classifier, Segmenter, SegmenterScore, at_features

ALONE = {"threshold seed alone (T)": Recipe(("T",)), "CRF seed alone (C)": Recipe(("C",))}
ALL = "all seeds, weighted"
SHOWN = 6

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width"><style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }}
body {{ margin: 2rem auto; max-width: 60rem; padding: 0 1rem }}
td, th {{ padding: 0.2rem 0.8rem 0.2rem 0; text-align: left }}
figure {{ margin: 0; overflow-x: auto }} img {{ width: 100%; min-width: 44rem }}
</style></head><body><h1>{title}</h1>{body}</body></html>
"""


def own_scores(lab: Pipeline, recipe: Recipe) -> dict[tuple[str, int], SegmenterScore]:
    """Scores of all seeds and of single ones on the photos held out, for each random seed."""
    compared = {**ALONE, ALL: recipe}
    return {
        (name, rng_seed): lab.score(each, rng_seed)
        for name, each in compared.items()
        for rng_seed in lab.rng_seeds
    }


def write_own_report(
    lab: Pipeline, recipe: Recipe, understood: str, out: Path, *, with_masks: bool
) -> None:
    """Write ``report.html``: what was understood, maps and seeds, losses, predictions, scores."""
    first = lab.rng_seeds[0]
    segmenter = lab.segmenter(recipe, first)
    classifiers = [lab.classifier(part, first) for part in recipe.cam_networks]
    seconds = sum(lab.store.provenance(each)["seconds"] for each in [segmenter, *classifiers])
    parts = [
        *(f"<p>{escape(line)}</p>" for line in understood.splitlines()),
        f"<p>Training the {len(classifiers)} classifiers and the segmenter of all seeds took "
        f"{seconds / 60:.1f} minutes.</p>",
        *([_scores(lab, recipe)] if with_masks else []),
        "<h2>Predictions for photos held out</h2>",
        _picture(_predictions(lab, segmenter), "photos and what the segmenter says"),
        "<h2>What the classifier looks at, and the seeds made of it</h2>",
        _picture(
            figure1(lab, indices=_telling(lab)), "class activation maps at three scales, seeds"
        ),
        "<h2>Which seeds it trusts</h2>",
        "<p>Seeds of the first of these photos, and below each its weights by what the segmenter "
        "says now (Eq. 6): dark is little, yellow is much, light grey unknown.</p>",
        _picture(
            _trusted(lab, recipe, segmenter, _telling(lab)[0]), "seeds of a photo and their weights"
        ),
        "<h2>How it learnt</h2>",
        _picture(_losses(lab, [*classifiers, segmenter]), "loss of each epoch"),
    ]
    title = "A segmenter from image-level labels"
    write_text(out, PAGE.format(title=title, body="\n".join(parts)))


def _scores(lab: Pipeline, recipe: Recipe) -> str:
    """Return a table of all seeds beside the single ones, and one of the classes."""
    read = {key: lab.read(stage) for key, stage in own_scores(lab, recipe).items()}
    miou = {name: [read[name, each]["miou"] for each in lab.rng_seeds] for name in (*ALONE, ALL)}
    rows = [
        f"<tr><td>{name}</td><td>{spread(pd.Series(values))}</td></tr>"
        for name, values in miou.items()
    ]
    best = max(ALONE, key=lambda name: np.mean(miou[name]))
    gains = np.subtract(miou[ALL], miou[best])
    told = (
        f"All seeds against the better single one, {best}: "
        + ", ".join(f"{gain:+.1f}" for gain in gains)
        + f" mIoU, {len(gains)} training{'s' if len(gains) > 1 else ''} of each."
    )
    each = [
        f"<tr><td>{escape(name.removeprefix('iou '))}</td><td>{value:.1f}</td></tr>"
        for name, value in read[ALL, lab.rng_seeds[0]].items()
        if name.startswith("iou ") and value == value  # one that is nowhere has no IoU
    ]
    return (
        "<h2>Scores on photos held out</h2>"
        f"<table><tr><th>trained on</th><th>mIoU (%)</th></tr>{''.join(rows)}</table><p>{told}</p>"
        f"<table><tr><th>{ALL}</th><th>IoU (%)</th></tr>{''.join(each)}</table>"
    )


def _telling(lab: Pipeline) -> tuple[int, ...]:
    """Choose two photos to show, of different classes where there are some."""
    present = lab.train_images.load(lab.store).present
    first = int(present.any(1).argmax())
    other = np.flatnonzero((present & ~present[first]).any(1))
    return (first, int(other[0])) if len(other) else (first,)


def _trusted(lab: Pipeline, recipe: Recipe, segmenter: Segmenter, index: int) -> Figure:
    """Show every seed of a photo and, below it, what its labels weigh for the segmenter."""
    image = np.asarray(lab.train_images.load(lab.store).images[index])
    model = segmenter.load(lab.store)
    titles = seed_titles(lab, recipe, segmenter.rng_seed)
    order = {identity: place for place, identity in enumerate(titles)}
    labels = sorted(segmenter.labels, key=lambda each: order.get(each.identity, len(order)))
    seeds = [np.asarray(each.label_maps(lab.store)[index]) for each in labels]
    scale = LogNorm(*weight_range(len(seeds), segmenter.sharpness))
    columns = min(6, len(seeds))
    figure, axes = new_panels(
        2 * math.ceil(len(seeds) / columns), columns, aspect=image.shape[0] / image.shape[1]
    )
    every = zip(labels, seeds, weights_now(model, image, seeds), strict=True)
    for place, (stage, seed, weights) in enumerate(every):
        row, column = divmod(place, columns)
        above, below = axes[2 * row : 2 * row + 2, column]
        show(above, colour_labels(seed))
        above.set_title(titles.get(stage.identity, "given"), fontsize=0.6 * SMALL, pad=2)
        show(below, paint_weights(weights, at_features(seed, model.output_stride), scale))
    return figure


def _losses(lab: Pipeline, stages: Sequence[Classifier | Segmenter]) -> Figure:
    figure, axes = plt.subplots(1, len(stages), figsize=(9, 2.6))
    for ax, stage in zip(axes, stages, strict=True):
        history = json.loads((lab.store.folder(stage) / "history.json").read_text())
        ax.plot(range(1, len(history["loss"]) + 1), history["loss"], marker="o", ms=3)
        tidy(ax, f"{stage.name}, {network_entry(stage.network.name).title}", "epoch")
    axes[0].set_ylabel("loss", fontsize=SMALL)
    figure.tight_layout()
    return figure


def _predictions(lab: Pipeline, segmenter: Segmenter) -> Figure:
    val = lab.images("val")
    lab.run([val])
    loaded = val.load(lab.store)
    images = [np.asarray(loaded.images[i]) for i in range(min(SHOWN, len(loaded.ids)))]
    maps = predict(segmenter.load(lab.store), images)
    ratio = max(aspects(images))
    figure, axes = new_panels(2, len(images), aspect=ratio, room=0.3)
    for (above, below), image, labels in zip(axes.T, images, maps, strict=True):
        show(above, image)
        show(below, colour_labels(labels))
    legend(figure, label_entries(loaded.classes, maps))
    return figure


def _picture(figure: Figure, text: str) -> str:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=160, bbox_inches="tight", pad_inches=0.05)
    plt.close(figure)
    data = base64.b64encode(file.getvalue()).decode()
    return f'<figure><img alt="{escape(text)}" src="data:image/png;base64,{data}"></figure>'
