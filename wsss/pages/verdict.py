"""From differences over a few random seeds to a verdict: interval, rule, reason.

Not in the paper, which quotes single runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

Verdict = Literal["supported", "contradicted", "undecided"]
Interval = tuple[float, float]
LEAST_SPREAD = 1e-9  # below it the values are equal but for rounding


@dataclass(frozen=True)
class Judgement:
    """What some differences say about a claim.

    Attributes
    ----------
    mean : float
        Of the differences that the claim is judged by.
    each : tuple of float
        The same for every random seed.
    interval : (float, float)
        95 % t interval of `mean`. NaN where it cannot be computed.
    verdict : {"supported", "contradicted", "undecided"}
        See `judge`.
    reason : str
        Half a sentence.
    """

    mean: float
    each: tuple[float, ...]
    interval: Interval
    verdict: Verdict
    reason: str


def judge(differences: np.ndarray, claimed: Interval, *, every: bool = False) -> Judgement:
    """Judge a claim by its differences.

    The claim is that its differences lie between two bounds, for example above zero. Judged is
    their mean: a claim of several comparisons is averaged within each random seed first, and the
    random seeds are the only units over which the spread is taken, since comparisons of one random
    seed share classifiers and seeds. With the 95 % t interval of that mean, the verdict is

    supported
        if the whole interval lies within the bounds, and so does the mean of every single
        comparison;
    contradicted
        if the whole interval lies outside, or that of a single comparison does, at a level that is
        shared among the comparisons (Bonferroni);
    undecided
        otherwise, and always with one random seed or without any spread.

    With `every` no average can make the claim: it is supported if the interval of *each* comparison
    lies within the bounds (an intersection-union test, which needs no correction), contradicted by
    a single one as above, and shown by its weakest comparison.

    The t interval holds its level with three random seeds if the differences are roughly normal
    (tested by simulation). The usual percentile bootstrap does not: of three values it makes the
    range from the least to the largest, which holds the mean in 75 of 100 cases, not 95.

    Parameters
    ----------
    differences : (M, R) float
        M comparisons, R random seeds.
    claimed : (float, float)
        The bounds; may be infinite.
    every : bool
        Whether each comparison has to hold by itself.

    Returns
    -------
    Judgement

    Examples
    --------
    >>> judge(np.array([[1.0, 1.2, 0.9]]), (0, np.inf)).verdict
    'supported'
    >>> judge(np.array([[1.0, 1.2, -0.9]]), (0, np.inf)).reason
    'the interval reaches both sides'
    """
    differences = np.asarray(differences, float)
    means = differences.mean(1)
    weakest = differences[np.argmin(_depth(means, claimed))]
    each = weakest if every else differences.mean(0)
    interval = t_interval(each)
    verdict, reason = _rule(differences, each, interval, claimed, every)
    return Judgement(float(each.mean()), tuple(map(float, each)), interval, verdict, reason)


def _rule(
    differences: np.ndarray, each: np.ndarray, interval: Interval, claimed: Interval, every: bool
) -> tuple[Verdict, str]:
    if not np.isfinite(differences).all():
        return "undecided", "a figure is missing"
    if differences.shape[1] < 2:
        return "undecided", "one random seed has no spread"
    if np.ptp(each) < LEAST_SPREAD:
        return "undecided", "the random seeds do not differ"
    if not every and _outside(interval, claimed):
        return "contradicted", "the interval lies outside"
    rows = [row for row in differences if np.ptp(row) >= LEAST_SPREAD]
    level = 1 - 0.05 / len(differences)
    if any(_outside(t_interval(row, level), claimed) for row in rows):
        return "contradicted", "a comparison lies outside"
    if not _inside(interval, claimed):
        return "undecided", "the interval reaches both sides"
    if every and not (
        len(rows) == len(differences) and all(_inside(t_interval(row), claimed) for row in rows)
    ):
        return "undecided", "the interval of a comparison reaches both sides"
    if (_depth(differences.mean(1), claimed) < 0).any():
        return "undecided", "a comparison points the other way"
    return "supported", "the interval lies within"


def t_interval(values: np.ndarray, level: float = 0.95) -> Interval:
    """Interval of the mean by Student's t; NaN for fewer than two values.

    Examples
    --------
    >>> low, high = t_interval(np.array([1.0, 2.0, 3.0]))
    >>> round(low, 2), round(high, 2)
    (-0.48, 4.48)
    """
    count = len(values)
    if count < 2:
        return np.nan, np.nan
    half = stats.t.ppf((1 + level) / 2, count - 1) * np.std(values, ddof=1) / np.sqrt(count)
    return float(np.mean(values) - half), float(np.mean(values) + half)


def _depth(values: np.ndarray, claimed: Interval) -> np.ndarray:
    """How far inside the bounds; negative outside."""
    return np.minimum(values - claimed[0], claimed[1] - values)


def _inside(interval: Interval, claimed: Interval) -> bool:
    return claimed[0] < interval[0] and interval[1] < claimed[1]


def _outside(interval: Interval, claimed: Interval) -> bool:
    return interval[1] < claimed[0] or claimed[1] < interval[0]
