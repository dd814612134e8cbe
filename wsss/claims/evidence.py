"""The claims on trial: what they need, the differences that were measured, the verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from wsss.claims.fourteen import BOUNDS, AnyRecipe, Claim, Comparison
from wsss.claims.verdict import Judgement, judge
from wsss.engine import run
from wsss.pipeline import Pipeline
from wsss.stages import SegmenterScore, Stage, Store, WeightTrace, read_score, read_trace


@dataclass(frozen=True)
class ClaimResult:
    """What became of a claim.

    Attributes
    ----------
    claim : Claim
        The claim.
    differences : pandas.DataFrame
        One line a comparison, one column a random seed.
    judgement : Judgement or None
        None if no comparison can be made: the profile lacks networks, or scores are not recorded.
    """

    claim: Claim
    differences: pd.DataFrame
    judgement: Judgement | None

    @property
    def verdict(self) -> str:
        """The verdict, or "not asked"."""
        return self.judgement.verdict if self.judgement else "not asked"

    @property
    def paper(self) -> float | None:
        """What the paper has where `judgement` has its mean, over the same comparisons."""
        asked = [each for each in self.claim.comparisons if each.name in self.differences.index]
        figures = [self.claim.in_paper(each) for each in asked or self.claim.comparisons]
        if any(figure is None for figure in figures):
            return None
        known = [figure for figure in figures if figure is not None]
        return min(known) if self.claim.kind == "best" else sum(known) / len(known)


def stages_needed(
    claims: Iterable[Claim], pipeline: Pipeline, rng_seeds: Sequence[int]
) -> list[Stage]:
    """List what the claims are read from, for `wsss.engine.run`.

    Parameters
    ----------
    claims : iterable of Claim
        For example `CLAIMS`.
    pipeline : Pipeline
        Profile and data.
    rng_seeds : sequence of int
        Random seeds.

    Returns
    -------
    list of Stage
        Scores and traces, each once.
    """
    found: dict[str, Stage] = {}
    for rng_seed in rng_seeds:
        for claim in claims:
            for comparison in claim.asked_of(pipeline.profile):
                for recipe in comparison.plus + comparison.minus:
                    stage = _read_from(claim, pipeline, recipe, rng_seed)
                    found[stage.identity] = stage
    return list(found.values())


def stages_missing(
    claims: Iterable[Claim],
    pipeline: Pipeline,
    store: Store,
    rng_seeds: Sequence[int],
    known: Mapping[str, float],
) -> list[Stage]:
    """List those of `stages_needed` that are neither in the store nor known."""
    return [
        stage
        for stage in stages_needed(claims, pipeline, rng_seeds)
        if stage.identity not in known and not store.done(stage)
    ]


def evaluate(
    claims: Sequence[Claim],
    pipeline: Pipeline,
    store: Store,
    *,
    rng_seeds: Sequence[int] | None = None,
    known: Mapping[str, float] | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    quiet: bool = False,
) -> list[ClaimResult]:
    """Compute what is missing and judge every claim.

    Parameters
    ----------
    claims : sequence of Claim
        For example `CLAIMS`.
    pipeline, store : Pipeline, Store
        Profile and results.
    rng_seeds : sequence of int, optional
        Random seeds; by default those of the profile.
    known : mapping, optional
        As `wsss.claims.known_figures` returns; stands in for what the store lacks.
    workers, scheduler, quiet
        As in `wsss.engine.run`.

    Returns
    -------
    list of ClaimResult
        One a claim.
    """
    rng_seeds = tuple(rng_seeds or pipeline.profile.rng_seeds)
    known = known or {}
    goals = stages_missing(claims, pipeline, store, rng_seeds, known)
    run(goals, store, workers=workers, scheduler=scheduler, quiet=quiet)
    results = []
    for claim in claims:
        asked = claim.asked_of(pipeline.profile)
        differences = pd.DataFrame(
            [
                [
                    _difference(claim, each, pipeline, store, rng_seed, known)
                    for rng_seed in rng_seeds
                ]
                for each in asked
            ],
            index=[each.name for each in asked],
            columns=list(rng_seeds),
            dtype=float,
        )
        results.append(judged(claim, differences))
    return results


def judged(claim: Claim, differences: pd.DataFrame) -> ClaimResult:
    """Judge a claim by its differences, one line a comparison, one column a random seed."""
    if differences.empty:
        return ClaimResult(claim, differences, None)
    values, bounds = differences.to_numpy(), BOUNDS[claim.kind]
    return ClaimResult(claim, differences, judge(values, bounds, every=claim.kind == "best"))


def weight_gap(seen: Mapping[str, float]) -> float:
    """How much more right labels weigh than wrong ones, in percent of all weights of a pixel.

    Examples
    --------
    >>> weight_gap({"right": 0.75, "wrong": 0.25})
    50.0
    """
    return 100 * (seen["right"] - seen["wrong"])


def median_spread(results: Iterable[ClaimResult]) -> float:
    """Take the median standard deviation, over random seeds, of the paired differences in mIoU.

    Each pair of cells counts once. Left out are claims in another unit and differences of
    differences; NaN with a single random seed.
    """
    spread = {
        (each.plus, each.minus): result.differences.loc[each.name].std()
        for result in results
        if result.claim.kind in ("gain", "no gain", "best")
        for each in result.claim.comparisons
        if each.name in result.differences.index
    }
    return float(np.median(list(spread.values())))


def _read_from(
    claim: Claim, pipeline: Pipeline, recipe: AnyRecipe, rng_seed: int
) -> SegmenterScore | WeightTrace:
    if claim.kind == "weights":
        return WeightTrace(segmenter=pipeline.segmenter(recipe, rng_seed))
    return pipeline.score(recipe, rng_seed)


def _difference(
    claim: Claim,
    comparison: Comparison,
    pipeline: Pipeline,
    store: Store,
    rng_seed: int,
    known: Mapping[str, float],
) -> float:
    def score(recipe: AnyRecipe) -> float:
        stage = _read_from(claim, pipeline, recipe, rng_seed)
        if not store.done(stage):
            return known[stage.identity]
        if isinstance(stage, SegmenterScore):
            return read_score(store, stage)["miou"]
        return weight_gap(read_trace(store, stage)["epochs"][-1])

    return claim.measure(comparison, score)
