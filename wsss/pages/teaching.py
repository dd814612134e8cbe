"""How well seeds teach, against how good they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from scipy import stats

from wsss.pages.style import GREY, SMALL, TITLE, new_panels
from wsss.seeds import SEED_TYPES

QUALITIES = {
    "mIoU": "mIoU of the seeds",
    "precision": "precision of their foreground",
    "missed": "foreground called background",
    "unknown": "pixels left unknown",
}


def figure_teaching(lines: pd.DataFrame) -> Figure | None:
    """Draw the mIoU of segmenters over four qualities of the seeds that taught them.

    Parameters
    ----------
    lines : pandas.DataFrame
        One line a seed: ``row``, ``column``, ``segmenter`` and the keys of `QUALITIES`, all in
        percent.

    Returns
    -------
    matplotlib.figure.Figure or None
        One dot a seed; above each panel Spearman's rank correlation. None without any line.
    """
    if lines.empty:
        return None
    figure, axes = new_panels(2, 2, aspect=0.62, room=0.35)
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06)  # pyright: ignore
    names = (lines["row"] + lines["column"]).str.lower()
    kinds = {each: names.str.contains(each.title.lower()) for each in SEED_TYPES.values()}
    for ax, (key, xlabel) in zip(axes.flat, QUALITIES.items(), strict=True):
        for kind, chosen in kinds.items():
            here, style = lines[chosen], {"s": 26, "color": kind.colour}
            ax.scatter(here[key], here["segmenter"], edgecolor="white", lw=0.5, **style)
        ax.set_title(_ranks(lines[[key, "segmenter"]].to_numpy()), fontsize=TITLE, loc="left")
        ax.set_xlabel(f"{xlabel} (%)", fontsize=SMALL)
        ax.set_ylabel("segmenter (mIoU)", fontsize=SMALL)
        ax.xaxis.set_major_locator(MaxNLocator(6))
        ax.yaxis.set_major_locator(MaxNLocator(5))
        ax.tick_params(labelsize=SMALL, color=GREY)
        ax.spines[["left", "bottom"]].set(visible=True, color=GREY)
    handles = [
        Line2D([], [], color=kind.colour, marker="o", linestyle="", label=f"{kind.title} seeds")
        for kind in kinds
    ]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=SMALL
    )
    return figure


def _ranks(pairs: np.ndarray) -> str:
    """Spearman's correlation of two columns, in words; equal values have no order."""
    if (np.ptp(pairs, axis=0) == 0).any():
        return "no rank correlation"
    rank, _ = stats.spearmanr(pairs)
    return f"rank correlation {rank:+.2f}".replace("-", "−")
