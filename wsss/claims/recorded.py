"""What is recorded, as claims read it: beside a store, or alone, without images or computing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from wsss.claims.evidence import ClaimResult, judged, weight_gap
from wsss.claims.fourteen import AnyRecipe, Claim
from wsss.pipeline import Pipeline
from wsss.tables import TABLES_AND_CLAIM13, recorded_scores


def judge_recorded(
    claims: Sequence[Claim], recorded: pd.DataFrame, traces: pd.DataFrame | None = None
) -> list[ClaimResult]:
    """Judge every claim by the comparisons that are recorded with the most random seeds.

    Parameters
    ----------
    claims : sequence of Claim
        For example `CLAIMS`.
    recorded : pandas.DataFrame
        As `wsss.tables.read_recorded` returns; of one profile and one way of testing.
    traces : pandas.DataFrame, optional
        As `wsss.tables.read_recorded_traces` returns, for the claim that looks into trainings.

    Returns
    -------
    list of ClaimResult
        One a claim, over the random seeds that its comparisons share; those with fewer random seeds
        or a missing cell are left out, for they would cost the others theirs. "Best of all" (claim
        12) takes every comparison. "Not asked" where nothing is left.
    """
    figures = recorded_figures(recorded)
    return [
        judged(
            claim,
            _weighed(claim, traces) if claim.kind == "weights" else _differences(claim, figures),
        )
        for claim in claims
    ]


def _weighed(claim: Claim, traces: pd.DataFrame | None) -> pd.DataFrame:
    """Compare right and wrong labels after the last epoch; a column a random seed."""
    if traces is None or traces.empty:
        return pd.DataFrame()
    gaps = dict(sorted(_last_gaps(traces, "rng_seed").items()))
    (comparison,) = claim.comparisons
    return pd.DataFrame([list(gaps.values())], index=[comparison.name], columns=list(gaps))


def _last_gaps(traces: pd.DataFrame, key: str) -> dict[Any, float]:
    """Gap of weights after the last epoch, by a column that tells traces apart."""
    last = traces.sort_values("epoch").groupby(key).tail(1)
    return {line[key]: weight_gap(line) for line in last.to_dict("records")}


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
    if not shared:
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


def known_figures(
    pipeline: Pipeline, recorded: pd.DataFrame | None, traces: pd.DataFrame | None = None
) -> dict[str, float]:
    """List what is recorded of all that claims are read from.

    Parameters
    ----------
    pipeline : Pipeline
        Whose way of testing counts.
    recorded, traces : pandas.DataFrame, optional
        As `wsss.tables.read_recorded` and `wsss.tables.read_recorded_traces` return.

    Returns
    -------
    dict
        By identity of the stage: mIoU in percent, or the gap of weights after the last epoch.
    """
    figures = {
        identity: miou
        for (identity, testing), miou in recorded_scores(recorded).items()
        if testing == pipeline.profile.testing
    }
    if traces is not None and not traces.empty:
        figures |= _last_gaps(traces, "identity")
    return figures


def recorded_figures(recorded: pd.DataFrame) -> dict[AnyRecipe, dict[int, float]]:
    """MIoU in percent by recipe and random seed; a recipe stands in several tables."""
    cells = {
        (table.name, cell.row, cell.column): cell.recipe
        for table in TABLES_AND_CLAIM13.values()
        for cell in table.cells
    }
    figures: dict[AnyRecipe, dict[int, float]] = {}
    for line in recorded.to_dict("records"):
        recipe = cells.get((line["table"], line["row"], line["column"]))
        if recipe is not None:
            figures.setdefault(recipe, {})[int(line["rng_seed"])] = float(line["miou"])
    return figures
