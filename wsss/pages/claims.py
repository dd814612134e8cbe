"""The claims on trial: the differences that were measured, the verdicts, as a page shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from IPython.display import Markdown
from pandas.io.formats.style import Styler

from wsss.errors import InputError
from wsss.pages.tables import plain
from wsss.pages.text import p_value, signed, spread
from wsss.pages.verdict import Judgement, judge
from wsss.paper import BOUNDS, CLAIMS, AnyRecipe, Claim, Comparison, Testing
from wsss.pipeline import Pipeline
from wsss.stages import Stage

BADGES = {
    "supported": "#1a7f4b",
    "contradicted": "#b42318",
    "mixed": "#6941c6",
    "none to speak of": "#0b6a8a",
    "undecided": "#6b7280",
    "not asked": "#8a5a00",
}


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
        None if no comparison can be made: the profile lacks networks, or scores are missing.
    """

    claim: Claim
    differences: pd.DataFrame
    judgement: Judgement | None

    @property
    def verdict(self) -> str:
        """The verdict, or "not asked"."""
        return self.judgement.verdict if self.judgement else "not asked"

    @property
    def paper(self) -> float:
        """What the paper has where `judgement` has its mean, over the same comparisons; or NaN."""
        asked = [each for each in self.claim.comparisons if each.name in self.differences.index]
        figures = [self.claim.in_paper(each) for each in asked or self.claim.comparisons]
        return float(np.min(figures) if self.claim.kind == "best" else sum(figures) / len(figures))


def claim_numbers(
    lab: Pipeline, claims: Sequence[Claim] = CLAIMS
) -> list[tuple[Stage, Testing | None]]:
    """List what claims are read from, each stage once, with which of a score's numbers is meant."""
    found: dict[str, tuple[Stage, Testing | None]] = {
        stage.identity: (stage, way)
        for rng_seed in lab.rng_seeds
        for claim in claims
        for comparison in _asked(claim, lab)
        for recipe in comparison.plus + comparison.minus
        for stage, way in [_number(claim, lab, recipe, rng_seed)]
    }
    return list(found.values())


def judge_claims(lab: Pipeline, claims: Sequence[Claim] = CLAIMS) -> list[ClaimResult]:
    """Compute what is missing and judge claims by their paired differences.

    With ``compute="none"`` a claim is judged by the comparisons that are there with the most random
    seeds, over those that they share: the others would cost them theirs. "Best of all" (claim 12)
    takes every comparison.

    Returns
    -------
    list of ClaimResult
        One a claim.
    """
    lab.provide(claim_numbers(lab, claims))
    return [judged(claim, _differences(claim, lab)) for claim in claims]


def judged(claim: Claim, differences: pd.DataFrame) -> ClaimResult:
    """Judge a claim by its differences, one line a comparison, one column a random seed."""
    if differences.empty:
        return ClaimResult(claim, differences, None)
    judgement = judge(
        differences.to_numpy(),
        BOUNDS[claim.kind],
        every=claim.kind == "best",
        naught=claim.naught,
    )
    return ClaimResult(claim, differences, judgement)


def _asked(claim: Claim, lab: Pipeline) -> list[Comparison]:
    """Comparisons whose networks the profile has."""
    casts = lab.profile.casts
    return [each for each in claim.comparisons if all(map(casts, each.plus + each.minus))]


def _number(
    claim: Claim, lab: Pipeline, recipe: AnyRecipe, rng_seed: int
) -> tuple[Stage, Testing | None]:
    if claim.kind == "weights":
        return lab.trace(recipe, rng_seed), None
    return lab.score(recipe, rng_seed), lab.profile.testing


def _differences(claim: Claim, lab: Pipeline) -> pd.DataFrame:
    """One line a comparison that is taken, one column a random seed."""
    asked = _asked(claim, lab)
    table = pd.DataFrame(
        [[_difference(claim, each, lab, rng_seed) for rng_seed in lab.rng_seeds] for each in asked],
        index=[each.name for each in asked],
        columns=list(lab.rng_seeds),
        dtype=float,
    )
    if claim.kind != "best":
        counts = table.notna().sum(axis=1)
        table = table[counts == counts.max()]
    shared = pd.DataFrame(table.dropna(axis=1))
    return shared if shared.size else pd.DataFrame()


def _difference(claim: Claim, comparison: Comparison, lab: Pipeline, rng_seed: int) -> float:
    """Take one difference; NaN where a number is missing."""

    def number(recipe: AnyRecipe) -> float:
        numbers = lab.store.read(*_number(claim, lab, recipe, rng_seed))
        if numbers is None:
            return np.nan
        if claim.kind == "weights":  # in percent of all weights of a pixel
            return 100 * (numbers["right"] - numbers["wrong"])
        return numbers["miou"]

    return claim.measure(comparison, number)


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


def claim_lines(results: Iterable[ClaimResult]) -> pd.DataFrame:
    """One line a claim, in numbers.

    Parameters
    ----------
    results : iterable of ClaimResult
        As `judge_claims` returns.

    Returns
    -------
    pandas.DataFrame
        ``number``, ``claim``, ``section``, ``unit``; ``paper``, ``mean``, ``low``, ``high`` (NaN
        where unknown); ``each`` (tuple, one a random seed); ``from`` and ``to``, between which the
        claim puts the mean; ``verdict`` and ``reason``.
    """
    lines = []
    for result in results:
        claim, found = result.claim, result.judgement
        low, high = found.interval if found else (np.nan, np.nan)
        lines.append({
            "number": claim.number,
            "claim": claim.text,
            "section": claim.section,
            "unit": claim.unit,
            "paper": result.paper,
            "mean": found.mean if found else np.nan,
            "low": low,
            "high": high,
            "each": found.each if found else (),
            "from": BOUNDS[claim.kind][0],
            "to": BOUNDS[claim.kind][1],
            "verdict": result.verdict,
            "reason": found.reason + _left_out(result) if found else "its numbers are not there",
        })  # fmt: skip
    return pd.DataFrame(lines)


def show_verdicts(results: Iterable[ClaimResult]) -> Styler:
    """Show one line a claim: the paper's figure, ours with its interval, the verdict and why."""
    shown = pd.DataFrame([
        {
            "": str(line["number"]),
            "claim": f"{line['claim']}<br>{_small(line['section'])}",
            "verdict": f"{_badge(line['verdict'])}<br>{_small(line['reason'])}",
            "paper": _amount(line["paper"], line["unit"]),
            "ours": _amount(line["mean"], line["unit"]),
            "95 % interval": _range(line["low"], line["high"]),
        }
        for line in claim_lines(results).to_dict("records")
    ])  # fmt: skip
    numbers = {"white-space": "nowrap", "text-align": "right"}
    return _plain(shown, "claims").set_properties(
        subset=["paper", "ours", "95 % interval"], **numbers
    )


def show_comparisons(results: Sequence[ClaimResult]) -> Styler:
    """Show every comparison of every claim: the paper's difference, ours, what it says."""
    lines = []
    for result in results:
        claim, judgement = result.claim, result.judgement
        if judgement is None:
            continue
        named = {each.name: each for each in claim.comparisons}
        for name, found in zip(result.differences.index, judgement.findings, strict=True):
            ours = result.differences.loc[name]
            lines.append({
                "": str(claim.number),
                "comparison": name,
                "verdict": _badge(found.verdict),
                "paper": _amount(claim.in_paper(named[name]), claim.unit),
                "ours": spread(ours, partial(_amount, unit=claim.unit)),
                "95 % interval": _range(*found.interval),
                "p (Holm)": p_value(found.p),
                "random seeds": str(len(ours)),
            })  # fmt: skip
    return _plain(pd.DataFrame(lines), "comparisons")


def answer_claim(lab: Pipeline, number: int, text: str = "") -> Markdown:
    """Open a page with its answer: a claim, its verdict and the one number behind it.

    Parameters
    ----------
    lab : Pipeline
        Profile and results; what this claim takes and is missing is computed.
    number : int
        Of the claim, 1 to 14.
    text : str
        The claim in other words, where its own lean on the claims before it.

    Raises
    ------
    InputError
        If there is no such claim.
    """
    if number not in {claim.number for claim in CLAIMS}:
        raise InputError(f"there is no claim {number!r}; they are 1 to {len(CLAIMS)}")
    (result,) = judge_claims(lab, [claim for claim in CLAIMS if claim.number == number])
    claim, images = result.claim, f"the images of the profile `{lab.profile.name}`"
    said = f"**{(text or claim.text).rstrip('.')}: {result.verdict}**"
    if result.judgement is None:
        return Markdown(f"{said}, since {images} have no numbers for it.")
    what = {"share": "share", "best": "smallest difference"}.get(claim.kind, "mean difference")
    amount = _amount(result.judgement.mean, claim.unit)
    unit = "" if claim.unit == "%" else f" {claim.unit}"
    return Markdown(f"{said} on {images}, with a {what} of **{amount}**{unit}.")


def count_verdicts(results: Iterable[ClaimResult]) -> str:
    """Count the verdicts in one sentence that names each kind."""
    counts = Counter(result.verdict for result in results)
    named = [f"{counts[name]} {name}" for name in BADGES if name != "not asked" or counts[name]]
    return ", ".join(named) + "."


def _left_out(result: ClaimResult) -> str:
    """Name the comparisons that a verdict had to do without."""
    made = result.differences.index
    names = [each.name for each in result.claim.comparisons if each.name not in made]
    return f"; without {', '.join(names)}" if names else ""


def _amount(value: float, unit: str) -> str:
    return f"{value:.1f} %" if unit == "%" and value == value else signed(value)


def _range(low: float, high: float) -> str:
    return "–" if np.isnan(low) else f"{low:z.1f} … {high:z.1f}".replace("-", "−")


def _small(text: str) -> str:
    return f'<span style="font-size: 0.8em; opacity: 0.75">{text}</span>'


def _badge(verdict: str) -> str:
    style = f"background: {BADGES[verdict]}; color: white; font-weight: 600; font-size: 0.85em"
    return (
        f'<span style="{style}; padding: 0.1em 0.6em; border-radius: 0.8em; white-space: nowrap">'
        f"{verdict}</span>"
    )


def _plain(lines: pd.DataFrame, name: str) -> Styler:
    """Text to the left."""
    shown = plain(lines, name).set_properties(**{"text-align": "left", "vertical-align": "top"})
    return shown.set_table_styles([{"selector": "th", "props": "text-align: left"}])
