"""Recipes and Tables 1-7 as data: each cell has the paper's figure and the recipe that makes ours.

Examples
--------
>>> list(TABLES), list(BESIDE)[0], list(TYPES)
(['table1', ..., 'table7'], 'claim13', ['Threshold (T)', 'CRF (C)', 'Both (T + C)'])
>>> EVERYTHING == get_table("table5").cells[-1].recipe
True
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan
from typing import Literal

from wsss.errors import InputError

Scales = Literal["single", "multi", "max", "mean"]
Part = Literal["plain", "residual"]
"""Which network of the paper another one stands for, VGG16 or a ResNet (38 for CAMs, 101 as the
segmenter). Which network plays the part, the profile says."""

Testing = Literal["single", "crf", "ms", "ms+crf"]
"""At one scale or at three with flip ("ms"), without or with a CRF after it."""


@dataclass(frozen=True)
class Recipe:
    """What a segmenter is trained on.

    Attributes
    ----------
    types : tuple of str
        Letters of seed types: ``"T"``, threshold; ``"C"``, CRF (Sec. 4.2); see `wsss.seeds`.
    scales : {"single", "multi", "max", "mean"}
        The first scale, every scale on its own, or all merged into one map (Table 3).
    cam_networks : tuple of {"plain", "residual"}
        Whose CAMs: VGG16's, ResNet38's (Sec. 4.4).
    weighted : bool
        With the weights of Eq. 6, or plain (Eq. 4).
    segmenter : {"plain", "residual"}
        VGG16-LargeFOV or ResNet101-LargeFOV (Sec. 5.5).
    sharpness : float or None
        s of Eq. 6 where it is another than the profile's; not in the paper, whose s is 1.
    given : tuple of str
        Seeds of other methods beside these, see `wsss.stages.GivenSeeds`; not in the paper.

    Examples
    --------
    >>> Recipe(("T", "C"), "multi", ("plain", "residual"))  # the paper's twelve seeds
    Recipe(types=('T', 'C'), scales='multi', cam_networks=('plain', 'residual'), weighted=True, ...)
    """

    types: tuple[str, ...]
    scales: Scales = "single"
    cam_networks: tuple[Part, ...] = ("plain",)
    weighted: bool = True
    segmenter: Part = "plain"
    sharpness: float | None = None
    given: tuple[str, ...] = ()


@dataclass(frozen=True)
class PilotRecipe:
    """Hand-made noise of the pilot experiment (Sec. 3): so many labels at such a ratio.

    The pilot comes before WST in the paper, so its labels are averaged (Eq. 4). Not in the paper:
    they may be `weighted` (Eq. 5), and the segmenter may start from random weights, `untrained`.

    Examples
    --------
    >>> PilotRecipe(ratio=0.3, copies=4).segmenter
    'plain'
    """

    ratio: float
    copies: int = 1
    segmenter: Part = "plain"
    weighted: bool = False
    untrained: bool = False


T: tuple[str, ...] = ("T",)
C: tuple[str, ...] = ("C",)
BOTH: tuple[str, ...] = ("T", "C")
PLAIN: tuple[Part, ...] = ("plain",)
RESIDUAL: tuple[Part, ...] = ("residual",)
TWO: tuple[Part, ...] = ("plain", "residual")
TYPES = {"Threshold (T)": T, "CRF (C)": C, "Both (T + C)": BOTH}
EVERYTHING = Recipe(BOTH, "multi", TWO)


@dataclass(frozen=True)
class Cell:
    """One number of a table.

    Attributes
    ----------
    row, column : str
        Where it stands.
    paper : float
        The paper's mIoU on VOC 2012 val, in percent; NaN if it has none.
    recipe : Recipe or PilotRecipe
        What the segmenter behind it is trained on.

    Examples
    --------
    >>> cell = get_table("table5").cells[-1]
    >>> cell.row, cell.column, cell.paper
    ('12: types x scales x networks', 'With WST', 64.6)
    """

    row: str
    column: str
    paper: float
    recipe: Recipe | PilotRecipe


@dataclass(frozen=True)
class Table:
    """One table of the paper.

    Attributes
    ----------
    name, title, section : str
        For example ``"table2"``, what it shows, and where the paper speaks of it.
    row_title, column_title : str
        What rows and columns are.
    cells : tuple of Cell
        Its numbers, row by row.
    """

    name: str
    title: str
    section: str
    row_title: str
    column_title: str
    cells: tuple[Cell, ...]

    def only(self, rows: Sequence[str]) -> Table:
        """Return the table with some of its rows.

        Raises
        ------
        InputError
            If there is no such row.

        Examples
        --------
        >>> [cell.paper for cell in TABLE1.only(["0.1"]).cells]
        [70.6, 71.0]
        """
        known = dict.fromkeys(cell.row for cell in self.cells)
        if unknown := [row for row in rows if row not in known]:
            raise InputError(f"{self.name} has no row '{unknown[0]}'; it has {', '.join(known)}")
        return replace(self, cells=tuple(cell for cell in self.cells if cell.row in rows))


def _grid(
    columns: Sequence[str],
    rows: dict[str, Sequence[tuple[float, Recipe | PilotRecipe] | None]],
) -> tuple[Cell, ...]:
    return tuple(
        Cell(row, column, *entry)
        for row, entries in rows.items()
        for column, entry in zip(columns, entries, strict=True)
        if entry is not None
    )


TABLE1 = Table(
    "table1", "One noisy label against two", "Sec. 3", "Noise ratio", "Labels",
    _grid(["One label", "Two labels"], {
        "0 (ground truth)": [(72.1, PilotRecipe(0.0)), None],
        "0.1": [(70.6, PilotRecipe(0.1)), (71.0, PilotRecipe(0.1, 2))],
        "0.2": [(68.1, PilotRecipe(0.2)), (69.0, PilotRecipe(0.2, 2))],
        "0.3": [(64.8, PilotRecipe(0.3)), (66.2, PilotRecipe(0.3, 2))],
    }),
)  # fmt: skip

TABLE2 = Table(
    "table2", "Seeds of two types", "Sec. 5.3", "CAM network", "Seed type",
    _grid(list(TYPES), {
        "VGG16": [(61.4, Recipe(T)), (62.9, Recipe(C)), (63.8, Recipe(BOTH))],
        "RES38": [
            (62.3, Recipe(T, cam_networks=RESIDUAL)),
            (62.6, Recipe(C, cam_networks=RESIDUAL)),
            (63.5, Recipe(BOTH, cam_networks=RESIDUAL)),
        ],
    }),
)  # fmt: skip

TABLE3 = Table(
    "table3", "Seeds of three scales, and scales merged", "Sec. 5.3", "Seed type", "Scales",
    _grid(["Single-scale", "Multi-scale", "Merged by max", "Merged by mean"], {
        name: [
            (figure, Recipe(types, scales))
            for figure, scales in zip(figures, ("single", "multi", "max", "mean"), strict=True)
        ]
        for (name, types), figures in zip(
            TYPES.items(),
            [(61.4, 62.5, 60.2, 61.1), (62.9, 63.5, 62.5, 62.8), (63.8, 64.0, 63.7, 63.9)],
            strict=True,
        )
    }),
)  # fmt: skip

TABLE4 = Table(
    "table4", "Seeds of two networks", "Sec. 5.3", "Seed type", "CAM network",
    _grid(["VGG16", "RES38", "VGG16 + RES38"], {
        name: [
            (figure, Recipe(types, cam_networks=networks))
            for figure, networks in zip(figures, (PLAIN, RESIDUAL, TWO), strict=True)
        ]
        for (name, types), figures in zip(
            TYPES.items(),
            [(61.4, 62.3, 63.5), (62.9, 62.6, 63.1), (63.8, 63.5, 64.2)],
            strict=True,
        )
    }),
)  # fmt: skip

TABLE5 = Table(
    "table5", "Weighted selective training", "Sec. 5.4", "Seeds", "Loss",
    _grid(["Without WST", "With WST"], {
        "2: types": [(63.9, Recipe(BOTH, weighted=False)), (63.8, Recipe(BOTH))],
        "6: types x scales": [
            (63.8, Recipe(BOTH, "multi", weighted=False)), (64.0, Recipe(BOTH, "multi")),
        ],
        "12: types x scales x networks": [
            (63.9, Recipe(BOTH, "multi", TWO, weighted=False)), (64.6, EVERYTHING),
        ],
    }),
)  # fmt: skip

TABLE6 = Table(
    "table6", "Comparison with the literature, VGG16", "Sec. 5.5", "Segmenter", "Split",
    _grid(["val"], {"VGG16-LargeFOV": [(64.6, EVERYTHING)]}),
)  # fmt: skip

TABLE7 = Table(
    "table7", "Comparison with the literature, ResNet101", "Sec. 5.5", "Segmenter", "Split",
    _grid(["val"], {
        "ResNet101-LargeFOV": [(67.2, Recipe(BOTH, "multi", TWO, segmenter="residual"))],
    }),
)  # fmt: skip

# Not in the paper, which sets its ResNet101 against other people's: what claim 13 needs to ask
# whether many seeds help a stronger segmenter as well, and the two beside each other.
CLAIM13 = Table(
    "claim13", "The single seed beside Table 7", "Sec. 5.5", "Segmenter", "Seeds",
    _grid(["CRF (C)"], {"ResNet101-LargeFOV": [(nan, Recipe(C, segmenter="residual"))]}),
)  # fmt: skip

ONE_OR_TWELVE = Table(
    "one_or_twelve", "One seed against twelve", "Sec. 5.5", "Segmenter", "Seeds",
    _grid(["One", "Twelve"], {
        "VGG16-LargeFOV": [(62.9, Recipe(C)), (64.6, EVERYTHING)],
        "ResNet101-LargeFOV": [
            (nan, Recipe(C, segmenter="residual")), (67.2, TABLE7.cells[0].recipe),
        ],
    }),
)  # fmt: skip

WST_HURTS = Table(
    "wst_hurts", "Weighted labels that all err to one side", "not in the paper", "Start", "Loss",
    _grid(["plain", "WST"], {
        f"{start}, noise {ratio}, {copies} labels": [
            (nan, PilotRecipe(ratio, copies, weighted=weighted, untrained=start == "untrained"))
            for weighted in (False, True)
        ]
        for start, ratio, copies in (
            ("untrained", 0.3, 2), ("untrained", 0.5, 2), ("untrained", 0.3, 6),
            ("initial weights", 0.3, 2), ("initial weights", 0.5, 2),
        )
    }),
)  # fmt: skip

SHARPNESS = Table(
    "sharpness", "Weights of other sharpness", "not in the paper", "Seeds", "s",
    _grid(["0", "0.5", "1", "2", "4", "8"], {
        row: [
            (nan, replace(recipe, weighted=False)), (nan, replace(recipe, sharpness=0.5)),
            (nan, recipe), *((nan, replace(recipe, sharpness=s)) for s in (2.0, 4.0, 8.0)),
        ]
        for row, recipe in (
            ("2: types", Recipe(BOTH)),
            ("6: types x scales", Recipe(BOTH, "multi")),
            ("12: types x scales x networks", EVERYTHING),
        )
    }),
)  # fmt: skip

TABLES = {t.name: t for t in (TABLE1, TABLE2, TABLE3, TABLE4, TABLE5, TABLE6, TABLE7)}
"""The paper's seven, which ``reproduce all`` and claim 12 ask for."""

BESIDE = {t.name: t for t in (CLAIM13, ONE_OR_TWELVE, WST_HURTS, SHARPNESS)}
"""What else has a name, asked for alone; a new table is one line here."""


def get_table(name: str | Table) -> Table:
    """Look a table up by its name: ``table1`` to ``table7``, or one of `BESIDE`.

    A table itself is returned as it is, so that one of your own goes wherever a name does.

    Raises
    ------
    InputError
        If there is none of that name.

    Examples
    --------
    >>> get_table("table5").title
    'Weighted selective training'
    """
    if isinstance(name, Table):
        return name
    every = TABLES | BESIDE
    if name not in every:
        raise InputError(f"unknown table '{name}'; there are {', '.join(every)}")
    return every[name]
