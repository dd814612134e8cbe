"""From differences over a few random seeds to a verdict: of a comparison, and of a claim.

Not in the paper, whose figures have no spread.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

Verdict = Literal["supported", "contradicted", "mixed", "none to speak of", "undecided"]
Interval = tuple[float, float]
LEVEL = 0.05  # of a claim, shared among its comparisons
LEAST_SPREAD = 1e-9  # below it the values are equal but for rounding
MOST = 1000  # random seeds that anybody may be told to train


@dataclass(frozen=True)
class Finding:
    """What one comparison says.

    Attributes
    ----------
    interval : (float, float)
        95 % t interval of its mean. NaN where it cannot be computed.
    p : float
        Of the two-sided t test against the claim's bound, after Holm's correction.
    verdict : Verdict
        See `judge`; never "mixed".
    """

    interval: Interval
    p: float
    verdict: Verdict


@dataclass(frozen=True)
class Judgement:
    """What some differences say about a claim.

    Attributes
    ----------
    mean : float
        Over the comparisons, or of the weakest where each has to hold; shown, not judged.
    each : tuple of float
        The same for every random seed.
    interval : (float, float)
        95 % t interval of `mean`. NaN where it cannot be computed.
    findings : tuple of Finding
        One a comparison.
    verdict : Verdict
        See `judge`.
    reason : str
        Half a sentence; of an undecided claim with the number of random seeds that would decide it.
    """

    mean: float
    each: tuple[float, ...]
    interval: Interval
    findings: tuple[Finding, ...]
    verdict: Verdict
    reason: str


def judge(
    differences: np.ndarray, claimed: Interval, *, every: bool = False, naught: float | None = None
) -> Judgement:
    """Judge a claim by its differences.

    The claim is that its differences lie between two bounds, for example above zero. First every
    comparison gets a verdict, from a two-sided t test over the random seeds whose p is corrected
    for the number of comparisons by Holm's method, at 5 %:

    supported, contradicted
        if its mean is clear of the bounds, inside or outside;
    none to speak of
        otherwise, if the 90 % interval lies within ± `naught` (two one-sided tests at 5 %);
    undecided
        otherwise, and always with one random seed or without any spread.

    Then they are counted. The claim is

    mixed
        if one is supported and one contradicted, or some are supported and more than half none to
        speak of;
    contradicted
        if one is contradicted and none supported;
    supported
        if at least half are supported and none contradicted;
    none to speak of
        if all are;
    undecided
        otherwise.

    With `every` no half will do: all have to be supported, one that is contradicted contradicts
    the claim, and one none to speak of beside supported ones makes it mixed.

    If there is nothing in any comparison, a claim is supported or contradicted by mistake in at
    most 5 of 100 cases, however the comparisons hang together (Holm's property; tested by
    simulation).

    Parameters
    ----------
    differences : (M, R) float
        M comparisons, R random seeds.
    claimed : (float, float)
        The bounds; may be infinite.
    every : bool
        Whether each comparison has to hold by itself.
    naught : float, optional
        How large a difference counts as none; without it nothing is "none to speak of".

    Examples
    --------
    >>> judge(np.array([[1.0, 1.2, 0.9], [-1.0, -1.1, -1.2]]), (0, np.inf)).verdict
    'mixed'
    >>> judge(np.array([[1.0, 1.2, -0.9]]), (0, np.inf)).reason
    'p = 0.58; 30 random seeds would decide it, if mean and spread stay'
    """
    differences = np.asarray(differences, float)
    means, count = differences.mean(1), differences.shape[1]
    depth = np.minimum(means - claimed[0], claimed[1] - means)
    each = differences[np.argmin(depth)] if every else differences.mean(0)
    spreads = differences.std(1, ddof=1) if count > 1 else np.full(len(means), np.nan)
    spreads = np.where(spreads < LEAST_SPREAD, np.nan, spreads)
    p, found = compare(means, spreads, count, claimed, naught)
    verdict = str(conclude(found, every))
    needed = None
    if verdict == "undecided" and np.isfinite(spreads).all():
        counts = np.arange(count + 1, MOST + 1)[:, None]
        later = conclude(compare(means, spreads, counts, claimed, naught)[1], every)
        needed = next(iter(counts[later != "undecided", 0].tolist()), None)
    return Judgement(
        float(each.mean()),
        tuple(map(float, each)),
        t_interval(each),
        tuple(
            Finding(t_interval(row), float(each_p), each_verdict)
            for row, each_p, each_verdict in zip(differences, p, found.tolist(), strict=True)
        ),
        verdict,  # pyright: ignore[reportArgumentType]
        _reason(differences, p, found, verdict, needed),
    )


def compare(
    means: np.ndarray,
    spreads: np.ndarray,
    counts: int | np.ndarray,
    claimed: Interval,
    naught: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Give every comparison of a claim its p and its verdict.

    Parameters
    ----------
    means, spreads : (..., M) float
        Mean and standard deviation over random seeds; a spread of NaN leaves it undecided.
    counts : int or array that broadcasts to them
        How many random seeds.
    claimed, naught
        See `judge`.

    Returns
    -------
    p : (..., M) float
        Two-sided, after Holm's correction over the last axis.
    verdicts : (..., M) str
    """
    error, freedom = spreads / np.sqrt(counts), np.asarray(counts) - 1

    def tail(distance: np.ndarray) -> np.ndarray:
        return special.stdtr(freedom, -distance / error)

    above, below = means - claimed[0], claimed[1] - means
    inside = np.maximum(tail(above), tail(below))
    outside = np.minimum(tail(-above), tail(-below))
    p = np.fmin(2 * np.fmin(inside, outside), 1.0)
    corrected = holm(p)
    clear = corrected <= LEVEL
    none = np.full(p.shape, False)
    if naught is not None:
        none = np.maximum(tail(means + naught), tail(naught - means)) <= LEVEL
    return corrected, np.select(
        [clear & (inside < outside), clear, none],
        ["supported", "contradicted", "none to speak of"],
        "undecided",
    )


def holm(p: np.ndarray) -> np.ndarray:
    """Correct p, (..., M) float, for the number of tests along the last axis, by Holm's method.

    Examples
    --------
    >>> holm(np.array([0.03, 0.01, 0.5])).round(2).tolist()
    [0.06, 0.03, 0.5]
    """
    order = np.argsort(p, axis=-1)
    stepped = np.take_along_axis(p, order, -1) * np.arange(p.shape[-1], 0, -1)
    corrected = np.empty_like(p)
    np.put_along_axis(corrected, order, np.maximum.accumulate(np.minimum(stepped, 1.0), -1), -1)
    return corrected


def conclude(found: np.ndarray, every: bool = False) -> np.ndarray:
    """Count the verdicts of comparisons, (..., M) str, and conclude the claim's, (...) str.

    Examples
    --------
    >>> str(conclude(np.array(["supported", "supported", "undecided"])))
    'supported'
    """
    total = found.shape[-1]
    asked = total if every else (total + 1) // 2
    yes, no, none = (
        (found == name).sum(-1) for name in ("supported", "contradicted", "none to speak of")
    )
    return np.select(
        [
            (no > 0) & ((yes == 0) | every),
            (yes > 0) & ((no > 0) | (none > total - asked)),
            yes >= asked,
            none == total,
        ],
        ["contradicted", "mixed", "supported", "none to speak of"],
        "undecided",
    )


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
    half = reach(count, level) * np.std(values, ddof=1)
    return float(np.mean(values) - half), float(np.mean(values) + half)


def reach(count: int, level: float = 0.95) -> float:
    """Half the length of the t interval of `count` values, in their standard deviations.

    Examples
    --------
    >>> round(reach(3), 1), round(reach(20), 1)
    (2.5, 0.5)
    """
    return float(special.stdtrit(count - 1, (1 + level) / 2) / np.sqrt(count))


def _reason(
    differences: np.ndarray, p: np.ndarray, found: np.ndarray, verdict: str, needed: int | None
) -> str:
    if not np.isfinite(differences).all():
        return "a figure is missing"
    if differences.shape[1] < 2:
        return "one random seed has no spread"
    if (np.ptp(differences, axis=1) < LEAST_SPREAD).all():
        return "the random seeds do not differ"
    counts = Counter(found.tolist())
    said = ", ".join(f"{number} {name}" for name, number in counts.most_common())
    if len(found) == 1:
        said = f"p = {p[0]:.2g}"
    if verdict != "undecided":
        return said
    if needed is None:
        return f"{said}; {MOST} random seeds would not decide it"
    return f"{said}; {needed} random seeds would decide it, if mean and spread stay"
