"""How much faster two workers finish a part of the demo's graph than one (about four minutes).

    python benchmarks/workers.py

The usual way is one process. Both compute the same stages, Tables 1 and 2 for one random seed, from
nothing, one after the other in one run; starting the workers counts.
"""

from __future__ import annotations

import os
import platform
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["TQDM_DISABLE"] = "1"  # read when tqdm is imported

from wsss.engine import run
from wsss.pipeline import Pipeline
from wsss.profiles import get_profile
from wsss.stages import Store
from wsss.tables import TABLES, scores


def seconds(workers: int) -> float:
    """Compute the graph in a folder of its own and return the wall time."""
    pipeline = Pipeline(get_profile("demo"))
    goals = [s for name in ("table1", "table2") for s in scores(TABLES[name], pipeline, [0])]
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        run(goals, Store(Path(folder)), workers=workers, quiet=True)
        return time.perf_counter() - started


if __name__ == "__main__":
    one, two = seconds(1), seconds(2)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    print(f"one worker {one:.0f} s, two workers {two:.0f} s: {one / two:.2f} times as fast")
