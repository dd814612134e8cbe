"""Pictures of the pilot experiment (Sec. 3): Fig. 2, and Table 1 drawn as lines."""

from __future__ import annotations

import re
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from wsss.pages.style import (
    BLUE,
    GREY,
    ORANGE,
    PALE,
    SKY,
    SMALL,
    WIDTH,
    aspects,
    colour_labels,
    label_entries,
    legend,
    new_panels,
    show,
    tidy,
)
from wsss.paper import PilotRecipe
from wsss.pipeline import Pipeline
from wsss.stages import TrueLabels

COMPARED = {"neither right": GREY, "one right": ORANGE, "both right": SKY}


def figure2(lab: Pipeline, *, ratio: float = 0.3, indices: Sequence[int] = (0, 1, 2)) -> Figure:
    """Fig. 2: hand-made noise, twice on the same truth, and where each of the two is wrong.

    Parameters
    ----------
    lab : Pipeline
        Profile and results; the first of its random seeds is shown.
    ratio : float
        Share of the foreground that is turned to background (Table 1: 0.1, 0.2, 0.3).
    indices : sequence of int
        Images of the pilot's split, one row each.
    """
    noisy = lab.labels(PilotRecipe(ratio, 2), lab.rng_seeds[0])
    images = lab.images(lab.profile.pilot.split)
    lab.run([*noisy, images])
    first, second = (labels.label_maps(lab.store) for labels in noisy)
    data, truth = images.load(lab.store), TrueLabels(images=images).label_maps(lab.store)
    chosen = [index for index in indices if index < len(truth)]
    ratios = aspects(truth[index] for index in chosen)
    figure, axes = new_panels(len(chosen), 5, aspect=ratios, room=0.45)
    titles = ("image", "truth", "noisy label 1", "noisy label 2", "the two compared")
    for n, (row, index) in enumerate(zip(axes, chosen, strict=True)):
        maps = [np.asarray(each[index]) for each in (truth, first, second)]
        pictures = [np.asarray(data.images[index]), *map(colour_labels, maps), _compared(*maps)]
        for ax, picture, title in zip(row, pictures, titles, strict=True):
            show(ax, picture, "" if n else title)
    entries = label_entries(data.classes, [truth[index] for index in chosen])
    legend(figure, [*entries, *COMPARED.items()])
    return figure


def figure_lines(lab: Pipeline, table: str, *, xlabel: str) -> Figure:
    """Draw a table's two columns as lines over its rows: the paper's left, ours right.

    The two panels have axes of their own, since figures of the paper and of a profile do not
    compare; only the shapes of the lines do.

    Parameters
    ----------
    lab : Pipeline
        Profile and results.
    table : str
        Which table.
    xlabel : str
        What the rows are.

    Returns
    -------
    matplotlib.figure.Figure
        Ours: a dot for every random seed, lines through the means.
    """
    scores, titles = lab.scores(table), ("the paper", f"profile {lab.profile.name}")
    figure, axes = plt.subplots(
        1, 2, figsize=(WIDTH, 3.1), dpi=160, facecolor="white", layout="constrained"
    )
    plt.close(figure)
    rows = [str(row) for row in scores["row"].unique()]
    for ax, value, title in zip(axes, ("paper", "miou"), titles, strict=True):
        for n, (column, cells) in enumerate(scores.groupby("column", sort=False)):
            here = [place for place, row in enumerate(rows) if row in set(cells["row"])]
            means = [cells.loc[cells["row"] == rows[place], value].mean() for place in here]
            places = np.array(here)
            shift = (n - 0.5) * 0.08  # so that the dots of two lines do not hide each other
            style = {"color": (ORANGE, BLUE)[n], "marker": "os"[n]}
            ax.plot(places + shift, means, label=str(column), lw=1.8, ms=5, **style)
            if value == "miou":
                each = [rows.index(str(row)) + shift for row in cells["row"]]
                ax.plot(each, cells["miou"], ls="", alpha=0.45, ms=3.5, mew=0, **style)
        tidy(ax, title, xlabel)
        ax.set_xticks(range(len(rows)), [re.split("[ :]", row)[0] for row in rows])
    axes[0].set_ylabel("mIoU (%)", fontsize=SMALL)
    axes[0].legend(frameon=False, fontsize=SMALL, loc="best")
    return figure


def _compared(truth: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Colour every foreground pixel by how many of its two labels are right."""
    colours = np.array([to_rgb(colour) for colour in (*COMPARED.values(), PALE)])
    right = (first == truth).astype(int) + (second == truth)
    right[(truth == 0) | (truth == 255)] = 3
    return colours[right]
