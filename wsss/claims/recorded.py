"""The claims judged by recorded scores alone, without images and without computing anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from wsss.claims.evidence import ClaimResult, judged
from wsss.claims.fourteen import AnyRecipe, Claim
from wsss.tables import TABLES


def judge_recorded(claims: Sequence[Claim], recorded: pd.DataFrame) -> list[ClaimResult]:
    """Judge every claim by those of its comparisons whose cells are all recorded.

    Parameters
    ----------
    claims : sequence of Claim
        For example `CLAIMS`.
    recorded : pandas.DataFrame
        As `wsss.tables.read_recorded` returns; of one profile and one way of testing.

    Returns
    -------
    list of ClaimResult
        One a claim, over the random seeds that all these cells share; "not asked" where there is
        none, where "best of all" lacks a rival, or where the claim looks into trainings.
    """
    figures = recorded_figures(recorded)
    return [judged(claim, _differences(claim, figures)) for claim in claims]


def _differences(claim: Claim, figures: Mapping[AnyRecipe, Mapping[int, float]]) -> pd.DataFrame:
    """One line a comparison that can be made, one column a random seed."""
    known = [c for c in claim.comparisons if all(r in figures for r in c.plus + c.minus)]
    missing = len(claim.comparisons) - len(known)
    if not known or claim.kind == "weights" or (claim.kind == "best" and missing):
        return pd.DataFrame()
    shared = sorted(set.intersection(*(set(figures[r]) for c in known for r in c.plus + c.minus)))
    return pd.DataFrame(
        [
            [claim.measure(each, lambda r, seed=seed: figures[r][seed]) for seed in shared]
            for each in known
        ],
        index=[each.name for each in known],
        columns=shared,
        dtype=float,
    )


def recorded_figures(recorded: pd.DataFrame) -> dict[AnyRecipe, dict[int, float]]:
    """MIoU in percent by recipe and random seed; a recipe stands in several tables."""
    cells = {
        (table.name, cell.row, cell.column): cell.recipe
        for table in TABLES.values()
        for cell in table.cells
    }
    figures: dict[AnyRecipe, dict[int, float]] = {}
    for line in recorded.to_dict("records"):
        recipe = cells.get((line["table"], line["row"], line["column"]))
        if recipe is not None:
            figures.setdefault(recipe, {})[int(line["rng_seed"])] = float(line["miou"])
    return figures
