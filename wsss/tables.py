"""Tables 1-7 as data: every cell with the paper's figure beside the recipe that makes ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from wsss.engine import run
from wsss.errors import InputError
from wsss.pipeline import CamNetwork, PilotRecipe, Pipeline, Profile, Recipe, SeedType
from wsss.stages import SegmenterScore, Store, read_score

T: tuple[SeedType, ...] = ("T",)
C: tuple[SeedType, ...] = ("C",)
BOTH: tuple[SeedType, ...] = ("T", "C")
VGG16: tuple[CamNetwork, ...] = ("vgg16",)
RESNET38: tuple[CamNetwork, ...] = ("resnet38",)
TWO: tuple[CamNetwork, ...] = ("vgg16", "resnet38")
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
        The paper's mIoU on VOC 2012 val, in percent, from a single run.
    recipe : Recipe or PilotRecipe
        What the segmenter behind it is trained on.
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
            (62.3, Recipe(T, cam_networks=RESNET38)),
            (62.6, Recipe(C, cam_networks=RESNET38)),
            (63.5, Recipe(BOTH, cam_networks=RESNET38)),
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
            for figure, networks in zip(figures, (VGG16, RESNET38, TWO), strict=True)
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
        "ResNet101-LargeFOV": [(67.2, Recipe(BOTH, "multi", TWO, segmenter="resnet101"))],
    }),
)  # fmt: skip

TABLES = {t.name: t for t in (TABLE1, TABLE2, TABLE3, TABLE4, TABLE5, TABLE6, TABLE7)}


def get_table(name: str) -> Table:
    """Look a table up by its name.

    Raises
    ------
    InputError
        If there is none of that name.

    Examples
    --------
    >>> get_table("table5").title
    'Weighted selective training'
    """
    if name not in TABLES:
        raise InputError(f"unknown table '{name}'; there are {', '.join(TABLES)}")
    return TABLES[name]


def cells_for(table: Table, profile: Profile) -> list[Cell]:
    """List the cells of a table whose networks a profile has."""
    return [cell for cell in table.cells if profile.casts(cell.recipe)]


def scores(table: Table, pipeline: Pipeline, rng_seeds: Iterable[int]) -> list[SegmenterScore]:
    """List the stages that a table is read from: one a cell and random seed."""
    return [
        pipeline.score(cell.recipe, rng_seed)
        for rng_seed in rng_seeds
        for cell in cells_for(table, pipeline.profile)
    ]


def reproduce(
    table: Table,
    pipeline: Pipeline,
    store: Store,
    *,
    rng_seeds: Sequence[int] | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    quiet: bool = False,
) -> pd.DataFrame:
    """Compute what is missing of a table and return its scores.

    Parameters
    ----------
    table : Table
        One of `TABLES`.
    pipeline : Pipeline
        Profile and data.
    store : Store
        Where results lie.
    rng_seeds : sequence of int, optional
        Random seeds; by default those of the profile.
    workers, scheduler, quiet
        As in `wsss.engine.run`.

    Returns
    -------
    pandas.DataFrame
        One line a cell and random seed: ``row``, ``column``, ``seeds`` (how many label maps train
        the segmenter), ``paper``, ``rng_seed``, ``miou`` (percent) and ``stage``.
    """
    rng_seeds = tuple(rng_seeds or pipeline.profile.rng_seeds)
    run(
        scores(table, pipeline, rng_seeds),
        store,
        workers=workers,
        scheduler=scheduler,
        quiet=quiet,
    )
    lines = []
    for cell in cells_for(table, pipeline.profile):
        for rng_seed in rng_seeds:
            stage = pipeline.score(cell.recipe, rng_seed)
            lines.append({
                "row": cell.row,
                "column": cell.column,
                "seeds": len(stage.segmenter.labels),
                "paper": cell.paper,
                "rng_seed": rng_seed,
                "miou": read_score(store, stage)["miou"],
                "stage": stage,
            })  # fmt: skip
    return pd.DataFrame(lines)


def summary(frame: pd.DataFrame, table: Table, profile: str) -> pd.DataFrame:
    """Put the paper's figure, ours (mean ± standard deviation) and the difference side by side.

    Parameters
    ----------
    frame : pandas.DataFrame
        As `reproduce` returns.
    table : Table
        The table it belongs to.
    profile : str
        Heads the column of our figures.

    Returns
    -------
    pandas.DataFrame
        One line a cell, all text.

    Examples
    --------
    >>> frame = pd.DataFrame({
    ...     "row": ["VGG16"] * 2, "column": ["CRF (C)"] * 2, "seeds": 1, "paper": 62.9,
    ...     "rng_seed": [0, 1], "miou": [60.0, 61.0]})
    >>> print(summary(frame, TABLE2, "demo").to_string(index=False))
    CAM network Seed type Seeds paper       demo demo - paper
          VGG16   CRF (C)     1  62.9 60.5 ± 0.7         -2.4
    """
    lines = []
    for _, cell in frame.groupby(["row", "column"], sort=False):
        first, miou = cell.iloc[0], pd.Series(cell["miou"])
        lines.append({
            table.row_title: first["row"],
            table.column_title: first["column"],
            "Seeds": str(first["seeds"]),
            "paper": f"{first['paper']:.1f}",
            profile: spread(miou),
            f"{profile} - paper": f"{miou.mean() - first['paper']:+.1f}",
        })  # fmt: skip
    return pd.DataFrame(lines)


def spread(values: pd.Series) -> str:
    """Mean ± standard deviation over random seeds; a single value stands alone.

    Examples
    --------
    >>> spread(pd.Series([60.0, 61.0])), spread(pd.Series([60.0]))
    ('60.5 ± 0.7', '60.0')
    """
    return f"{values.mean():.1f}" + (f" ± {values.std():.1f}" if len(values) > 1 else "")


Format = Literal["text", "csv", "markdown", "latex"]


def render(lines: pd.DataFrame, how: Format) -> str:
    """Write a table of text as plain text, CSV, Markdown or LaTeX.

    Examples
    --------
    >>> print(render(pd.DataFrame({"paper": ["62.9"], "demo": ["60.5 ± 0.7"]}), "markdown"))
    | paper   | demo       |
    |:--------|:-----------|
    | 62.9    | 60.5 ± 0.7 |
    """
    if how == "csv":
        return lines.to_csv(index=False).rstrip("\n")
    if how == "latex":
        text = lines.map(lambda value: value.replace("±", r"$\pm$"))
        return text.to_latex(index=False, escape=False).rstrip("\n")
    if how == "markdown":
        return lines.to_markdown(index=False, disable_numparse=True)
    return lines.to_string(index=False)
