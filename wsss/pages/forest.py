"""The forest plot of the claims: every difference with its interval, beside the paper's."""

from __future__ import annotations

from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from wsss.pages.claims import BADGES, ClaimResult, claim_lines

CLAIMED = "#e4eef7"
PAPER = "#c2571a"


def forest_plot(results: Iterable[ClaimResult]) -> Figure | None:
    """Draw one line a claim, one panel a unit.

    Claims that were not asked are left out.

    Returns
    -------
    matplotlib.figure.Figure or None
        A dot with its 95 % t interval for ours, a small dot for every random seed, a diamond for
        the paper; shaded is where the claim puts the mean. An interval may leave its panel, which
        reaches no further than the random seeds and the paper ask for, and half as far again. None
        without any claim.
    """
    asked = claim_lines(results).query("verdict != 'not asked'")
    if asked.empty:
        return None
    units = list(dict.fromkeys(asked["unit"]))
    panels = [asked.query("unit == @unit") for unit in units]
    heights = [len(panel) + 0.6 for panel in panels]
    figure, axes = plt.subplots(
        len(panels), 1, figsize=(6, 0.44 * sum(heights) + 0.6 * len(panels)), squeeze=False,
        dpi=160, height_ratios=heights, layout="constrained",
    )  # fmt: skip
    for ax, unit, panel in zip(axes[:, 0], units, panels, strict=True):
        _panel(ax, panel)
        ax.set_xlabel("difference in mIoU" if unit == "mIoU" else unit)
    shown = [name for name in BADGES if name in set(asked["verdict"])]
    handles = [
        *(Line2D([], [], color=BADGES[name], marker="o", label=name) for name in shown),
        Line2D([], [], color=PAPER, marker="D", linestyle="", label="paper"),
        Patch(color=CLAIMED, label="as claimed"),
    ]
    figure.legend(
        handles=handles, loc="outside upper center", ncols=5, frameon=False,
        fontsize=9, handlelength=1.5, columnspacing=1.5,
    )  # fmt: skip
    plt.close(figure)
    return figure


def _panel(ax: Axes, lines: pd.DataFrame) -> None:
    least, largest = _reach(lines)
    ax.set_xlim(least, largest)
    for row, line in enumerate(lines.to_dict("records")):
        height, colour = row + 0.2, BADGES[line["verdict"]]  # the dots lie under the words
        start, end = max(line["from"], least), min(line["to"], largest)
        ax.barh(row, end - start, left=start, height=0.94, color=CLAIMED, zorder=0)
        said = f"{line['number']}. {line['claim'].rstrip('.')}"
        ax.text(0.01, row - 0.22, said, transform=ax.get_yaxis_transform(), fontsize=9, va="center")
        ax.plot([line["low"], line["high"]], [height] * 2, color=colour, linewidth=2)
        for cut, edge, mark in (
            (line["low"] < least, least, "<"),
            (line["high"] > largest, largest, ">"),
        ):
            if cut:
                ax.plot(edge, height, mark, color=colour, markersize=6, clip_on=False)
        ax.scatter(line["each"], [height] * len(line["each"]), s=12, color=colour, alpha=0.5)
        ax.scatter(line["mean"], height, s=52, color=colour, zorder=3)
        ax.scatter(line["paper"], height, s=34, color=PAPER, marker="D", zorder=4)
    ax.set_ylim(len(lines) - 0.5, -0.5)
    ax.set_yticks([])
    ax.spines[["top", "right", "left"]].set_visible(False)
    if least < 0 < largest:
        ax.axvline(0, color="0.4", linewidth=0.8, zorder=1)


def _reach(lines: pd.DataFrame) -> tuple[float, float]:
    """Room for every finite bound, random seed and figure of the paper, and half as much again."""
    edges = lines[["from", "to", "paper"]].to_numpy().ravel()
    values = np.concatenate([edges[np.isfinite(edges)], *map(np.array, lines["each"])])
    room = max(float(np.ptp(values)), 1.0) / 4
    return float(values.min()) - room, float(values.max()) + room
