"""What a run would take, said before it starts: counts, a calculation, and a trial of each part."""

from wsss.plan.counting import COSTS, counts, edges, estimate, plan
from wsss.plan.flops import Gpu, calculation, forward_flops, kind_of, stage_flops
from wsss.plan.trial import Trial, dry_run

__all__ = [
    "COSTS",
    "Gpu",
    "Trial",
    "calculation",
    "counts",
    "dry_run",
    "edges",
    "estimate",
    "forward_flops",
    "kind_of",
    "plan",
    "stage_flops",
]
