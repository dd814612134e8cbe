"""The claims judged by recorded scores alone, without images and without computing anything."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from wsss.claims.evidence import ClaimResult, judged
from wsss.claims.fourteen import AnyRecipe, Claim
from wsss.tables import TABLES


def judge_recorded(claims: Sequence[Claim], recorded: pd.DataFrame) -> list[ClaimResult]:
    """Judge every claim whose cells are all recorded.

    Parameters
    ----------
    claims : sequence of Claim
        For example `CLAIMS`.
    recorded : pandas.DataFrame
        As `wsss.tables.read_recorded` returns; of one profile and one way of testing.

    Returns
    -------
    list of ClaimResult
        One a claim, over the random seeds that all its cells share; "not asked" where one is
        missing, or where the claim looks into trainings.
    """
    figures = recorded_figures(recorded)
    results = []
    for claim in claims:
        recipes = {r for each in claim.comparisons for r in each.plus + each.minus}
        known = [set(figures.get(recipe, {})) for recipe in recipes]
        shared = sorted(set.intersection(*known)) if claim.kind != "weights" else []
        names = [each.name for each in claim.comparisons] if shared else []
        differences = pd.DataFrame(index=names, columns=shared, dtype=float)
        for rng_seed in shared:
            for each in claim.comparisons:
                differences.loc[each.name, rng_seed] = claim.measure(
                    each, lambda recipe, rng_seed=rng_seed: figures[recipe][rng_seed]
                )
        results.append(judged(claim, differences))
    return results


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
