"""What the paper claims, and what our trainings say to each claim."""

from wsss.claims.evidence import (
    ClaimResult,
    evaluate,
    judged,
    median_spread,
    stages_missing,
    stages_needed,
)
from wsss.claims.fourteen import BOUNDS, CLAIMS, Claim, Comparison
from wsss.claims.recorded import judge_recorded, known_figures
from wsss.claims.show import (
    claim_lines,
    count_verdicts,
    show_comparisons,
    show_verdicts,
)
from wsss.claims.verdict import Judgement, bootstrap_interval, judge, t_interval

__all__ = [
    "BOUNDS",
    "CLAIMS",
    "Claim",
    "ClaimResult",
    "Comparison",
    "Judgement",
    "bootstrap_interval",
    "claim_lines",
    "count_verdicts",
    "evaluate",
    "judge",
    "judge_recorded",
    "judged",
    "known_figures",
    "median_spread",
    "show_comparisons",
    "show_verdicts",
    "stages_missing",
    "stages_needed",
    "t_interval",
]
