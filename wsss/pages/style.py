"""What all pictures share: colours, panels, legends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.typing import ColorType

from wsss.data.pictures import voc_palette
from wsss.models import network_entry
from wsss.paper import Part, Recipe
from wsss.pipeline import Pipeline
from wsss.stages import AnyCams, Cams

UNKNOWN = 255

# Colours that people with any colour vision can tell apart, mostly Okabe and Ito's. Five are for
# the first classes (they suit the names of the demo's), two for what is said about labels.
RED, GREEN, BLUE, YELLOW, PURPLE = "#B2182B", "#009E73", "#0072B2", "#F0E442", "#CC79A7"
ORANGE, SKY = "#E69F00", "#56B4E9"
GREY, SILVER, PALE = "#6b7280", "#c9ced6", "#e8eaed"
PALETTE = voc_palette() / 255.0
PALETTE[1:6] = [to_rgb(colour) for colour in (RED, GREEN, BLUE, YELLOW, PURPLE)]
PALETTE[UNKNOWN] = to_rgb(PALE)

WIDTH = 7.5  # inches: a little more than the width of a page's text
TITLE, SMALL = 9.5, 9.0


def colour_labels(labels: np.ndarray) -> np.ndarray:
    """Paint a label map: background black, unknown pixels (255) in light grey.

    The first five classes have colours that everybody can tell apart, the others those of VOC.

    Parameters
    ----------
    labels : (H, W) uint8
        Labels.

    Returns
    -------
    (H, W, 3) float64
        In [0, 1].

    Examples
    --------
    >>> colour_labels(np.array([[0, 255]], np.uint8)).round(2)
    array([[[0.  , 0.  , 0.  ],
            [0.91, 0.92, 0.93]]])
    """
    return PALETTE[labels]


def overlay_cam(image: np.ndarray, cam: np.ndarray) -> np.ndarray:
    """Lay the largest of an image's maps over its grey form: the higher, the stronger the colour.

    Parameters
    ----------
    image : (H, W, 3) uint8
        RGB.
    cam : (C, H, W) float
        In [0, 1].

    Returns
    -------
    (H, W, 3) float64
        In [0, 1].
    """
    grey = 0.35 + 0.65 * image.mean(2, keepdims=True) / 255
    heat = cam.max(0)
    strength = 0.85 * heat[..., None] ** 0.7
    return (1 - strength) * grey + strength * plt.get_cmap("inferno")(0.2 + 0.8 * heat)[..., :3]


def new_panels(
    rows: int,
    columns: int,
    *,
    aspect: float | Sequence[float] = 1.0,
    room: float = 0.0,
    width: float = WIDTH,
) -> tuple[Figure, np.ndarray]:
    """Lay out a grid of pictures without frames, on white so that it also reads on a dark page.

    Parameters
    ----------
    rows, columns : int
        Of pictures.
    aspect : float or sequence of float
        Height of a picture over its width; of all pictures, or row by row.
    room : float
        Inches for legends at the bottom.
    width : float
        Of the whole figure, in inches.

    Returns
    -------
    Figure, (rows, columns) ndarray of Axes
        The figure is closed: it is shown where it is returned, and only there.
    """
    ratios = list(aspect) if isinstance(aspect, Sequence) else [aspect] * rows
    height = sum(ratios) * (width / columns) + 0.35 + room
    figure, axes = plt.subplots(
        rows, columns, figsize=(width, height), squeeze=False, dpi=160, facecolor="white",
        layout="compressed", height_ratios=ratios,
    )  # fmt: skip
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.02, hspace=0.02)  # pyright: ignore
    plt.close(figure)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    return figure, axes


def aspects(pictures: Iterable[np.ndarray]) -> list[float]:
    """Height over width of each picture, for `new_panels`.

    Examples
    --------
    >>> aspects([np.zeros((2, 4, 3)), np.zeros((3, 2))])
    [0.5, 1.5]
    """
    return [picture.shape[0] / picture.shape[1] for picture in pictures]


def show(ax: Axes, picture: np.ndarray, title: str = "") -> None:
    """Draw one picture, pixel by pixel."""
    ax.imshow(picture, interpolation="nearest")
    if title:
        ax.set_title(_lines(title), fontsize=TITLE, pad=3)


def row_title(ax: Axes, text: str) -> None:
    """Name a row at its left."""
    ax.set_ylabel(_lines(text), fontsize=SMALL, labelpad=4)


def _lines(text: str) -> str:
    """Give what stands in brackets a line of its own: pictures are narrow."""
    return text.replace(" (", "\n(")


def tidy(ax: Axes, title: str, xlabel: str) -> None:
    """Give a plot its title and take away what is no data."""
    ax.set_title(title, fontsize=TITLE, loc="left")
    ax.set_xlabel(xlabel, fontsize=SMALL)
    ax.tick_params(labelsize=SMALL, color=GREY)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GREY)
    ax.grid(axis="y", color=PALE, lw=0.8)
    ax.set_axisbelow(True)


def legend(figure: Figure, entries: Sequence[tuple[str, ColorType]]) -> None:
    """List colours and what they mean under all panels."""
    handles = [
        Patch(facecolor=colour, edgecolor=GREY, linewidth=0.5, label=text)
        for text, colour in entries
    ]
    columns = len(handles) if len(handles) <= 6 else -(-len(handles) // 2)
    figure.legend(
        handles=handles, loc="outside lower center", ncols=columns, frameon=False,
        fontsize=SMALL, handlelength=1.2, columnspacing=1.4,
    )  # fmt: skip


def label_entries(
    classes: Sequence[str], maps: Iterable[np.ndarray], *, unknown: bool = False
) -> list[tuple[str, ColorType]]:
    """Legend entries of the labels that occur in some maps, background first.

    Examples
    --------
    >>> [text for text, _ in label_entries(["cat", "dog"], [np.array([[0, 2]])], unknown=True)]
    ['background', 'dog', 'unknown']
    """
    seen = sorted({int(label) for labels in maps for label in np.unique(labels)} - {UNKNOWN})
    names = ["background", *(name.replace("_", " ") for name in classes)]
    entries: list[tuple[str, ColorType]] = [(names[each], tuple(PALETTE[each])) for each in seen]
    return [*entries, ("unknown", PALE)] if unknown else entries


def network_of(lab: Pipeline, part: Part) -> str:
    """Name the network that plays a part for CAMs: its maps are what pictures show."""
    return network_entry(lab.profile.classifier.networks[part].name).title


def scale_of(cams: AnyCams) -> str:
    """Name the scale of maps, or how several were merged."""
    return f"{cams.scale:g}" if isinstance(cams, Cams) else cams.how


def seed_titles(lab: Pipeline, recipe: Recipe, rng_seed: int) -> dict[str, str]:
    """Name each seed of a recipe by network, type and scale.

    Returns
    -------
    dict
        From a seed's identity to its name, in the order in which people list them.
    """
    return {
        lab.seeds(letter, cams).identity: "\n".join(
            [
                network_of(lab, part),
                lab.profile.seeds.rule(letter).title,
                *([f"scale {scale_of(cams)}"] if isinstance(cams, Cams) else []),
            ]
        )
        for part in recipe.cam_networks
        for letter in recipe.types
        for cams in lab.cams(part, recipe.scales, rng_seed)
    }
