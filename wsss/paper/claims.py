"""The fourteen claims of the paper as data: what each compares, and what it claims of that.

Examples
--------
>>> CLAIMS[0].kind, BOUNDS["share"]
('gain', (85.0, 95.0))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, nan
from operator import itemgetter
from typing import Literal

from wsss.paper.tables import (
    BOTH,
    EVERYTHING,
    PLAIN,
    RESIDUAL,
    TABLES,
    TWO,
    TYPES,
    C,
    PilotRecipe,
    Recipe,
    T,
)

AnyRecipe = Recipe | PilotRecipe
Kind = Literal["gain", "no gain", "share", "growth", "best", "weights"]
NAUGHT = 0.5  # mIoU: a difference up to it counts as none
BOUNDS: dict[Kind, tuple[float, float]] = {
    "gain": (0.0, inf),
    "no gain": (-inf, NAUGHT),
    "share": (85.0, 95.0),
    "growth": (0.0, inf),
    "best": (0.0, inf),
    "weights": (0.0, inf),
}
PAPER = {cell.recipe: cell.paper for table in TABLES.values() for cell in table.cells}


@dataclass(frozen=True)
class Comparison:
    """One difference: the scores of `plus`, summed, minus those of `minus`.

    A claim of kind "share" divides instead; one of kind "weights" looks into the training of
    `plus`.

    Examples
    --------
    >>> CLAIMS[0].comparisons[0].name
    'noise 0.1: two - one'
    """

    name: str
    plus: tuple[AnyRecipe, ...]
    minus: tuple[AnyRecipe, ...] = ()


@dataclass(frozen=True)
class Claim:
    """One claim of the paper.

    Attributes
    ----------
    number : int
        1 to 14.
    text : str
        The claim in our words.
    section : str
        Where the paper makes it.
    kind : {"gain", "no gain", "share", "growth", "best", "weights"}
        What is measured, and between which bounds (`BOUNDS`) the claim puts it.
    comparisons : tuple of Comparison
        By what it is judged.
    """

    number: int
    text: str
    section: str
    kind: Kind
    comparisons: tuple[Comparison, ...]

    @property
    def unit(self) -> str:
        """What its differences are measured in."""
        return {"share": "%", "weights": "% of all weights"}.get(self.kind, "mIoU")

    @property
    def naught(self) -> float | None:
        """How large a difference counts as none; None where the unit or the claim knows no such."""
        return NAUGHT if self.kind in ("gain", "growth", "best") else None

    def measure(self, comparison: Comparison, score: Callable[[AnyRecipe], float]) -> float:
        """Take one difference, or one share in percent, from the scores of recipes.

        Examples
        --------
        >>> share = CLAIMS[1]
        >>> round(share.measure(share.comparisons[0], PAPER.__getitem__), 1)
        89.9
        """
        plus, minus = (sum(map(score, side)) for side in (comparison.plus, comparison.minus))
        return 100 * plus / minus if self.kind == "share" else plus - minus

    def in_paper(self, comparison: Comparison) -> float:
        """Take the same from the paper's tables; NaN if they do not hold it."""
        figures = {} if self.kind == "weights" else PAPER
        return self.measure(comparison, lambda recipe: figures.get(recipe, nan))


def _pair(name: str, plus: AnyRecipe, minus: AnyRecipe) -> Comparison:
    return Comparison(name, (plus,), (minus,))


def _wst_gain_grows(name: str, more: Recipe, fewer: Recipe) -> Comparison:
    return Comparison(name, (more, _plain(fewer)), (_plain(more), fewer))


def _plain(recipe: Recipe) -> Recipe:
    return Recipe(recipe.types, recipe.scales, recipe.cam_networks, weighted=False)


SIX = Recipe(BOTH, "multi")
NETWORKS = {"VGG16": PLAIN, "RES38": RESIDUAL}
RIVALS = {  # a recipe that stands in several tables is named after the first
    cell.recipe: f"Table {table.name[-1]}: {cell.row}, {cell.column}"
    for table in reversed(TABLES.values())
    for cell in table.cells
    if isinstance(cell.recipe, Recipe)
    and cell.recipe.segmenter == "plain"
    and cell.recipe != EVERYTHING
}

CLAIMS = (
    Claim(
        1, "Two noisy labels beat one, whatever the ratio of noise.", "Sec. 3, Table 1", "gain",
        tuple(
            _pair(f"noise {ratio}: two - one", PilotRecipe(ratio, 2), PilotRecipe(ratio))
            for ratio in (0.1, 0.2, 0.3)
        ),
    ),
    Claim(
        2, "With 30 % of noise about 90 % of the clean score remains.", "Sec. 1, Table 1", "share",
        (_pair("noise 0.3 / clean", PilotRecipe(0.3), PilotRecipe(0.0)),),
    ),
    Claim(
        3, "CRF seeds beat threshold seeds.", "Sec. 5.3, Table 2", "gain",
        tuple(
            _pair(f"{name}: CRF - threshold", Recipe(C, cam_networks=n), Recipe(T, cam_networks=n))
            for name, n in NETWORKS.items()
        ),
    ),
    Claim(
        4, "Seeds of both types beat those of either.", "Sec. 5.3, Table 2", "gain",
        tuple(
            _pair(
                f"{name}: both - {alone}", Recipe(BOTH, cam_networks=n), Recipe(t, cam_networks=n)
            )
            for name, n in NETWORKS.items()
            for alone, t in (("threshold", T), ("CRF", C))
        ),
    ),
    Claim(
        5, "Three scales beat one, for either type and for both.", "Sec. 5.3, Table 3", "gain",
        tuple(
            _pair(f"{name}: three scales - one", Recipe(t, "multi"), Recipe(t))
            for name, t in TYPES.items()
        ),
    ),
    Claim(
        6, "Three scales beat the same three merged into one.", "Sec. 5.3, Table 3", "gain",
        tuple(
            _pair(f"{name}: three scales - merged by {how}", Recipe(t, "multi"), Recipe(t, how))
            for name, t in TYPES.items()
            for how in ("max", "mean")
        ),
    ),
    Claim(
        7, "Merging scales brings nothing over a single one (seeds of one type).",
        "Sec. 5.3, Table 3", "no gain",
        tuple(
            _pair(f"{name}: merged by {how} - one scale", Recipe(t, how), Recipe(t))
            for name, t in TYPES.items()
            if t != BOTH
            for how in ("max", "mean")
        ),
    ),
    Claim(
        8, "Two networks beat either, for either type and for both.", "Sec. 5.3, Table 4", "gain",
        tuple(
            _pair(
                f"{name}: both networks - {alone}",
                Recipe(t, cam_networks=TWO),
                Recipe(t, cam_networks=n),
            )
            for name, t in TYPES.items()
            for alone, n in NETWORKS.items()
        ),
    ),
    Claim(
        9, "WST brings nothing when the seeds are only of two types.", "Sec. 5.4, Table 5",
        "no gain", (_pair("2 seeds: WST - plain", Recipe(BOTH), _plain(Recipe(BOTH))),),
    ),
    Claim(
        10, "WST brings the more, the more seeds there are.", "Sec. 5.4, Table 5", "growth",
        (
            _wst_gain_grows("gain with 6 seeds - gain with 2", SIX, Recipe(BOTH)),
            _wst_gain_grows("gain with 12 seeds - gain with 6", EVERYTHING, SIX),
        ),
    ),
    Claim(
        11, "Even without WST many seeds beat the single one.", "Sec. 5.4, Table 5", "gain",
        tuple(
            _pair(f"{count} seeds, plain - one CRF seed", _plain(recipe), Recipe(C))
            for count, recipe in ((2, Recipe(BOTH)), (6, SIX), (12, EVERYTHING))
        ),
    ),
    Claim(
        12, "Twelve seeds with WST are the best of all.", "Sec. 5.4, Tables 2-5", "best",
        tuple(
            _pair(f"12 seeds - {name}", EVERYTHING, rival)
            for rival, name in sorted(RIVALS.items(), key=itemgetter(1))
        ),
    ),
    Claim(
        # The paper compares with other people's results; the single seed is trained for this.
        13, "It carries over to a stronger segmenter.", "Sec. 5.5, Table 7", "gain",
        (
            _pair(
                "ResNet101: 12 seeds - one CRF seed",
                Recipe(BOTH, "multi", TWO, segmenter="residual"),
                Recipe(C, segmenter="residual"),
            ),
        ),
    ),
    Claim(
        14, "Right labels weigh more than wrong ones.", "Sec. 5.4, Fig. 4", "weights",
        (Comparison("12 seeds, last epoch: right - wrong", (EVERYTHING,)),),
    ),
)  # fmt: skip
