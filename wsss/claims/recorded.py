"""The claims judged by recorded scores alone, without images and without computing anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from wsss.claims.evidence import ClaimResult, judged
from wsss.claims.fourteen import AnyRecipe, Claim
from wsss.tables import TABLES


def judge_recorded(claims: Sequence[Claim], recorded: pd.DataFrame) -> list[ClaimResult]:
    """Judge every claim by the comparisons that are recorded with the most random seeds.

    Parameters
    ----------
    claims : sequence of Claim
        For example `CLAIMS`.
    recorded : pandas.DataFrame
        As `wsss.tables.read_recorded` returns; of one profile and one way of testing.

    Returns
    -------
    list of ClaimResult
        One a claim, over the random seeds that its comparisons share; those with fewer random seeds
        or a missing cell are left out, for they would cost the others theirs. "Best of all" (claim
        12) takes every comparison. "Not asked" where nothing is left, or where the claim looks
        into trainings.
    """
    figures = recorded_figures(recorded)
    return [judged(claim, _differences(claim, figures)) for claim in claims]


def _differences(claim: Claim, figures: Mapping[AnyRecipe, Mapping[int, float]]) -> pd.DataFrame:
    """One line a comparison that is taken, one column a random seed."""
    seeds = {
        each: set.intersection(*(set(figures.get(r, {})) for r in each.plus + each.minus))
        for each in claim.comparisons
    }
    if claim.kind != "best":
        most = max(map(len, seeds.values()))
        seeds = {each: found for each, found in seeds.items() if len(found) == most}
    shared = sorted(set.intersection(*seeds.values()))
    if claim.kind == "weights" or not shared:
        return pd.DataFrame()
    return pd.DataFrame(
        [
            [claim.measure(each, lambda r, seed=seed: figures[r][seed]) for seed in shared]
            for each in seeds
        ],
        index=[each.name for each in seeds],
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
