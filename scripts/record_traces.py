"""Record how the weights of right and of wrong labels develop on photos (Sec. 5.4, Fig. 4).

    python scripts/record_traces.py DATA results/photo

Trains the segmenter of twelve seeds once more for every random seed of the profile `photo`, looks
at it after every epoch, and replaces ``traces.csv``: one line an epoch. What the run folder holds
is not computed again; a killed run goes on where it was.
"""

from __future__ import annotations

import sys
from pathlib import Path

from wsss.engine import default_runs, run
from wsss.errors import told_in_one_line
from wsss.files import atomic_write
from wsss.pipeline import Pipeline
from wsss.profiles import photo
from wsss.stages import Store, WeightTrace
from wsss.tables import EVERYTHING, trace_lines


def main(data: Path, out: Path) -> None:
    """Compute the traces that are missing, and write all."""
    out.mkdir(parents=True, exist_ok=True)
    pipeline, store = Pipeline(photo(), data), Store(default_runs(), data)
    traces = [
        WeightTrace(segmenter=pipeline.segmenter(EVERYTHING, rng_seed))
        for rng_seed in pipeline.profile.rng_seeds
    ]
    run(traces, store)
    lines = trace_lines(traces, store).round({"right": 5, "wrong": 5, "accuracy": 5})
    with atomic_write(out / "traces.csv") as aside:
        lines.to_csv(aside, index=False)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with told_in_one_line():
        main(Path(sys.argv[1]), Path(sys.argv[2]))
