"""How much faster two workers finish a part of the demo's graph than one (about eight minutes).

    python benchmarks/workers.py

The usual way is one process. Both compute the same stages, Tables 1 to 4 for one random seed, from
nothing, one after the other in one run; starting the workers counts.
"""

from __future__ import annotations

import os

os.environ["TQDM_DISABLE"] = "1"  # read when tqdm is imported

from ratio import summarise, write  # isort: skip

import tempfile
import time

from wsss.pipeline import Pipeline


def seconds(workers: int) -> float:
    """Compute the graph in a folder of its own and return the wall time."""
    with tempfile.TemporaryDirectory() as folder:
        how = {"workers": workers, "compute": "all", "quiet": True}
        lab = Pipeline("demo", rng_seeds=[0], runs=folder, **how)
        started = time.perf_counter()
        lab.scores("table1", "table2", "table3", "table4")
        return time.perf_counter() - started


if __name__ == "__main__":
    one, two = seconds(1), seconds(2)
    row = summarise(
        "Tables 1 to 4 of the demo, one random seed, wall time", "s", [two], [one], limit=one / 2
    )
    write("workers", [row], ours="two workers, started anew", usual="one worker")
