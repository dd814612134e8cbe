"""What a run would take, said before it starts: counts, a calculation, and a trial of each part."""

from wsss.plan.budget import COSTS, budget
from wsss.plan.counting import counts, edges, estimate, expected_seconds, plan, tell_wait
from wsss.plan.flops import Gpu, calculation, forward_flops, kind_of, stage_flops
from wsss.plan.trial import Trial, dry_run

__all__ = [
    "COSTS",
    "Gpu",
    "Trial",
    "budget",
    "calculation",
    "counts",
    "dry_run",
    "edges",
    "estimate",
    "expected_seconds",
    "forward_flops",
    "kind_of",
    "plan",
    "stage_flops",
    "tell_wait",
]
