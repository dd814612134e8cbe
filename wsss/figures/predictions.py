"""Predictions on validation images (Sec. 5.5): Fig. 5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from wsss.figures.slider import Slider
from wsss.figures.style import (
    NETWORK_TITLES,
    aspects,
    colour_labels,
    label_entries,
    legend,
    new_panels,
    show,
)
from wsss.inference import predict
from wsss.pipeline import Pipeline, Recipe
from wsss.stages import Store


def figure5(
    pipeline: Pipeline,
    store: Store,
    recipes: Mapping[str, Recipe],
    *,
    rng_seed: int = 0,
    indices: Sequence[int] = (0, 1, 2, 3),
) -> Figure:
    """Fig. 5: predictions of several segmenters on the same validation images.

    Parameters
    ----------
    pipeline, store : Pipeline, Store
        Profile and results; the segmenters must have been trained, the validation images be there.
    recipes : mapping
        From a title to the seeds that a segmenter is trained on. Each is shown for every segmenter
        of the profile; those whose networks the profile lacks are left out.
    rng_seed : int
        Random seed of the trainings.
    indices : sequence of int
        Validation images, one row each.

    Returns
    -------
    matplotlib.figure.Figure
    """
    data = pipeline.images("val").load(store)
    indices = [index for index in indices if index < len(data.ids)]
    images = [np.asarray(data.images[index]) for index in indices]
    columns: dict[str, list[np.ndarray]] = {"image": images}
    maps = [] if data.masks is None else [np.asarray(data.masks[index]) for index in indices]
    if maps:
        columns["truth"] = [colour_labels(mask) for mask in maps]
    for network in pipeline.profile.segmenters:
        for title, seeds in recipes.items():
            recipe = replace(seeds, segmenter=network)
            if pipeline.profile.casts(recipe):
                predicted = predict(pipeline.segmenter(recipe, rng_seed).load(store), images)
                maps += predicted
                columns[f"{NETWORK_TITLES[network]}\n{title}"] = list(map(colour_labels, predicted))
    figure, axes = new_panels(len(images), len(columns), aspect=aspects(images), room=0.6)
    for column, (title, pictures) in zip(axes.T, columns.items(), strict=True):
        for n, (ax, picture) in enumerate(zip(column, pictures, strict=True)):
            show(ax, picture, "" if n else title)
    legend(figure, label_entries(data.classes, maps))
    return figure


def compare_predictions(
    pipeline: Pipeline,
    store: Store,
    recipes: Mapping[str, Recipe],
    *,
    rng_seed: int = 0,
    index: int = 0,
) -> Slider:
    """Lay two label maps of one validation image over one another, to slide between.

    Parameters
    ----------
    pipeline, store : Pipeline, Store
        Profile and results; the segmenters must have been trained, the validation images be there.
    recipes : mapping
        From a title to what a segmenter is trained on. Of those whose networks the profile casts,
        the first and the last are compared; if there is only one, it is compared with the truth.
    rng_seed : int
        Random seed of the trainings.
    index : int
        Which image.

    Returns
    -------
    Slider
    """
    data = pipeline.images("val").load(store)
    image = np.asarray(data.images[index])
    cast = {title: r for title, r in recipes.items() if pipeline.profile.casts(r)}
    maps = {
        title: predict(pipeline.segmenter(recipe, rng_seed).load(store), [image])[0]
        for title, recipe in cast.items()
    }
    if len(maps) < 2 and data.masks is not None:
        maps = {"truth": np.asarray(data.masks[index]), **maps}
    before, *_, after = maps
    return Slider(colour_labels(maps[before]), colour_labels(maps[after]), before, after)
