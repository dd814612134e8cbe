"""Predictions beside one another: Fig. 5, and two pictures with a handle between them."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from wsss.inference import predict
from wsss.models import network_entry
from wsss.pages.style import (
    aspects,
    colour_labels,
    label_entries,
    legend,
    new_panels,
    show,
)
from wsss.paper import EVERYTHING, Recipe
from wsss.pipeline import Pipeline
from wsss.stages import Segmenter

RECIPES = {"one seed": Recipe(("C",)), "twelve seeds": EVERYTHING}


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
    """
    shown = {
        f"{network_entry(network.name).title}\n{title}": replace(seeds, segmenter=part)
        for part, network in lab.profile.segmenter.networks.items()
        for title, seeds in recipes.items()
    }
    return draw_predictions(lab, _segmenters(lab, shown), indices)


def draw_predictions(
    lab: Pipeline, models: Mapping[str, Segmenter], indices: Sequence[int]
) -> Figure:
    """Draw validation images, the truth and what segmenters, by title, predict: a row an image."""
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


LAYER = "position:absolute;inset:0;width:100%;height:100%;margin:0;image-rendering:pixelated;"


@dataclass(frozen=True, eq=False)
class Slider:
    """Before and after, as a notebook shows them; in print they stand side by side.

    Attributes
    ----------
    first, second : (H, W, 3) float
        Pictures in [0, 1], shown left and right of the handle.
    before, after : str
        What they are, for the eye and for a screen reader.
    """

    first: np.ndarray
    second: np.ndarray
    before: str
    after: str

    def _repr_html_(self) -> str:
        height, width = self.first.shape[:2]
        before, after = escape(self.before), escape(self.after)
        return (
            '<figure class="slider" style="--cut:50%;max-width:320px;margin:1rem auto">'
            f'<div class="pictures" style="position:relative;aspect-ratio:{width}/{height}">'
            f'<img alt="{after}" style="{LAYER}" src="{_data_uri(self.second)}">'
            f'<img alt="{before}" style="{LAYER}clip-path:inset(0 calc(100% - var(--cut)) 0 0)" '
            f'src="{_data_uri(self.first)}"></div>'
            '<input type="range" min="0" max="100" value="50" style="width:100%;margin:0.5rem 0" '
            f'aria-label="left of the handle: {before}; right of it: {after}" '
            "oninput=\"this.parentNode.style.setProperty('--cut', this.value + '%')\">"
            '<figcaption style="display:flex;justify-content:space-between">'
            f"<span>{before}</span><span>{after}</span></figcaption></figure>"
        )


def _data_uri(picture: np.ndarray) -> str:
    """Write a picture as PNG, one pixel a pixel: the browser enlarges it."""
    pixels = np.rint(np.asarray(picture) * 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
