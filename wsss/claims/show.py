"""Results of the claims as lines of a table, plain for a figure or dressed for a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from wsss.claims.evidence import ClaimResult
from wsss.claims.fourteen import BOUNDS

BADGES = {
    "supported": "#1a7f4b",
    "contradicted": "#b42318",
    "undecided": "#6b7280",
    "not asked": "#8a5a00",
}


def claim_lines(
    results: Iterable[ClaimResult], *, absent: str = "the profile lacks a network"
) -> pd.DataFrame:
    """One line a claim, in numbers.

    Parameters
    ----------
    results : iterable of ClaimResult
        As `evaluate` or `judge_recorded` returns.
    absent : str
        Why a claim was not asked.

    Returns
    -------
    pandas.DataFrame
        ``number``, ``claim``, ``section``, ``unit``; ``paper``, ``mean``, ``low``, ``high``,
        ``bootstrap_low``, ``bootstrap_high`` (NaN where unknown); ``each`` (tuple, one a random
        seed); ``from`` and ``to``, between which the claim puts the mean; ``verdict``, ``reason``.
    """
    lines = []
    for result in results:
        claim, found = result.claim, result.judgement
        low, high = found.interval if found else (np.nan, np.nan)
        bootstrap_low, bootstrap_high = found.bootstrap if found else (np.nan, np.nan)
        lines.append({
            "number": claim.number,
            "claim": claim.text,
            "section": claim.section,
            "unit": claim.unit,
            "paper": np.nan if result.paper is None else result.paper,
            "mean": found.mean if found else np.nan,
            "low": low,
            "high": high,
            "bootstrap_low": bootstrap_low,
            "bootstrap_high": bootstrap_high,
            "each": found.each if found else (),
            "from": BOUNDS[claim.kind][0],
            "to": BOUNDS[claim.kind][1],
            "verdict": result.verdict,
            "reason": found.reason + _left_out(result) if found else absent,
        })  # fmt: skip
    return pd.DataFrame(lines)


def show_verdicts(lines: pd.DataFrame) -> Styler:
    """Show one line a claim: the paper's figure, ours with both intervals, the verdict and why.

    Parameters
    ----------
    lines : pandas.DataFrame
        As `claim_lines` returns.
    """
    shown = pd.DataFrame([
        {
            "": str(line["number"]),
            "claim": f"{line['claim']}<br>{_small(line['section'])}",
            "paper": _amount(line["paper"], line["unit"]),
            "ours": _amount(line["mean"], line["unit"]),
            "95 % interval": _range(line["low"], line["high"])
            + f"<br>{_small(_range(line['bootstrap_low'], line['bootstrap_high']))}",
            "verdict": f"{_badge(line['verdict'])}<br>{_small(line['reason'])}",
        }
        for line in lines.to_dict("records")
    ])  # fmt: skip
    numbers = {"white-space": "nowrap", "text-align": "right"}
    return _plain(shown, "claims").set_properties(
        subset=["paper", "ours", "95 % interval"], **numbers
    )


def show_comparisons(results: Sequence[ClaimResult]) -> Styler:
    """Show every comparison of every claim: the paper's difference, ours, each random seed."""
    lines = []
    for result in results:
        claim = result.claim
        for comparison in claim.comparisons:
            if comparison.name not in result.differences.index:
                continue
            ours = result.differences.loc[comparison.name]
            paper = claim.in_paper(comparison)
            spread = f" ± {ours.std():.1f}" if len(ours) > 1 else ""
            lines.append({
                "": str(claim.number),
                "comparison": comparison.name,
                "paper": _amount(np.nan if paper is None else paper, claim.unit),
                "ours": _amount(ours.mean(), claim.unit) + spread,
                "each random seed": "  ".join(_amount(value, claim.unit) for value in ours),
            })  # fmt: skip
    return _plain(pd.DataFrame(lines), "comparisons")


def count_verdicts(lines: pd.DataFrame) -> str:
    """Count the verdicts in one sentence.

    Examples
    --------
    >>> count_verdicts(pd.DataFrame({"verdict": ["supported", "undecided", "supported"]}))
    '2 supported, 0 contradicted, 1 undecided.'
    """
    counts = lines["verdict"].value_counts()
    named = [
        f"{counts.get(name, 0)} {name}" for name in BADGES if name != "not asked" or name in counts
    ]
    return ", ".join(named) + "."


def _left_out(result: ClaimResult) -> str:
    """Name the comparisons that a verdict had to do without."""
    made = result.differences.index
    names = [each.name for each in result.claim.comparisons if each.name not in made]
    return f"; without {', '.join(names)}" if names else ""


def _amount(value: float, unit: str) -> str:
    if np.isnan(value):
        return "–"
    return f"{value:.1f} %" if unit == "%" else f"{round(value, 1) + 0.0:+.1f}"


def _range(low: float, high: float) -> str:
    return "–" if np.isnan(low) else f"{low:.1f} … {high:.1f}"


def _small(text: str) -> str:
    return f'<span style="font-size: 0.8em; opacity: 0.75">{text}</span>'


def _badge(verdict: str) -> str:
    style = f"background: {BADGES[verdict]}; color: white; font-weight: 600; font-size: 0.85em"
    return (
        f'<span style="{style}; padding: 0.1em 0.6em; border-radius: 0.8em; white-space: nowrap">'
        f"{verdict}</span>"
    )


def _plain(lines: pd.DataFrame, name: str) -> Styler:
    """Text to the left, without the index; a fixed name keeps a page the same from run to run."""
    return (
        lines.style.hide(axis="index")
        .set_uuid(name)
        .set_properties(**{"text-align": "left", "vertical-align": "top"})
        .set_table_styles([{"selector": "th", "props": "text-align: left"}])
    )
