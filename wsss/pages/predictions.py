"""Predictions on validation images (Sec. 5.5): Fig. 5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from wsss.inference import predict
from wsss.pages.slider import Slider
from wsss.pages.style import (
    aspects,
    colour_labels,
    label_entries,
    legend,
    new_panels,
    segmenter_of,
    show,
)
from wsss.paper import EVERYTHING, C, Recipe
from wsss.pipeline import Pipeline
from wsss.stages import Segmenter

RECIPES = {"one seed": Recipe(C), "twelve seeds": EVERYTHING}


def figure5(
    lab: Pipeline,
    recipes: Mapping[str, Recipe] = RECIPES,
    *,
    indices: Sequence[int] = (0, 1, 2, 3),
) -> Figure:
    """Fig. 5: predictions of several segmenters on the same validation images.

    Parameters
    ----------
    lab : Pipeline
        Profile and results; the first of its random seeds is shown.
    recipes : mapping
        From a title to the seeds that a segmenter is trained on. Each is shown for every segmenter
        of the profile; those whose networks the profile lacks are left out.
    indices : sequence of int
        Validation images, one row each.

    Returns
    -------
    matplotlib.figure.Figure
    """
    shown = {
        f"{segmenter_of(lab, part)}\n{title}": replace(seeds, segmenter=part)
        for part in lab.profile.segmenter.networks
        for title, seeds in recipes.items()
    }
    models = _segmenters(lab, shown)
    lab.run([*models.values(), lab.images("val")])
    data = lab.images("val").load(lab.store)
    indices = [index for index in indices if index < len(data.ids)]
    images = [np.asarray(data.images[index]) for index in indices]
    columns: dict[str, list[np.ndarray]] = {"image": images}
    maps = [] if data.masks is None else [np.asarray(data.masks[index]) for index in indices]
    if maps:
        columns["truth"] = [colour_labels(mask) for mask in maps]
    for title, segmenter in models.items():
        predicted = predict(segmenter.load(lab.store), images)
        maps += predicted
        columns[title] = list(map(colour_labels, predicted))
    figure, axes = new_panels(len(images), len(columns), aspect=aspects(images), room=0.6)
    for column, (title, pictures) in zip(axes.T, columns.items(), strict=True):
        for n, (ax, picture) in enumerate(zip(column, pictures, strict=True)):
            show(ax, picture, "" if n else title)
    legend(figure, label_entries(data.classes, maps))
    return figure


def compare_predictions(
    lab: Pipeline, recipes: Mapping[str, Recipe] = RECIPES, *, index: int = 0
) -> Slider:
    """Lay two label maps of one validation image over one another, to slide between.

    Parameters
    ----------
    lab : Pipeline
        Profile and results; the first of its random seeds is shown.
    recipes : mapping
        From a title to what a segmenter is trained on. Of those whose networks the profile casts,
        the first and the last are compared; if there is only one, it is compared with the truth.
    index : int
        Which image.

    Returns
    -------
    Slider
    """
    models = _segmenters(lab, recipes)
    lab.run([*models.values(), lab.images("val")])
    data = lab.images("val").load(lab.store)
    image = np.asarray(data.images[index])
    maps = {title: predict(each.load(lab.store), [image])[0] for title, each in models.items()}
    if len(maps) < 2 and data.masks is not None:
        maps = {"truth": np.asarray(data.masks[index]), **maps}
    before, *_, after = maps
    return Slider(colour_labels(maps[before]), colour_labels(maps[after]), before, after)


def _segmenters(lab: Pipeline, recipes: Mapping[str, Recipe]) -> dict[str, Segmenter]:
    """Segmenters of the recipes that the profile casts, by title."""
    first = lab.rng_seeds[0]
    return {t: lab.segmenter(r, first) for t, r in recipes.items() if lab.profile.casts(r)}
