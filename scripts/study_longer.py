"""Whether answers on photos change if segmenters learn three times as long (not in the paper).

    python scripts/study_longer.py DATA results/photo

Trains a few cells of the tables again at the profile `photo`, with one random seed and three times
the steps, and replaces ``longer.csv``: one line a training, as the tables have them. What the run
folder holds is not computed again; a killed run goes on where it was.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd

from wsss.engine import default_runs, run
from wsss.errors import told_in_one_line
from wsss.files import atomic_write
from wsss.pipeline import Pipeline
from wsss.profiles import photo
from wsss.stages import Store
from wsss.tables import TABLE1, TABLE2, TABLE5, records, reproduce, scores
from wsss.training import Schedule

RNG_SEED = 0
TIMES = 3
TWELVE = "12: types x scales x networks"
CELLS = [
    replace(table, cells=tuple(c for c in table.cells if (c.row, c.column) in wanted))
    for table, *wanted in (
        (TABLE1, ("0 (ground truth)", "One label")),
        (TABLE2, ("RES38", "CRF (C)")),  # the best single seed
        (TABLE5, (TWELVE, "Without WST"), (TWELVE, "With WST")),
    )
]


def longer(schedule: Schedule) -> Schedule:
    """Lengthen a schedule that counts steps."""
    assert schedule.steps is not None
    return replace(schedule, steps=TIMES * schedule.steps)


def main(data: Path, out: Path) -> None:
    """Train what is missing, and write all lines."""
    profile = photo()  # classifiers and seeds stay as they are
    profile = replace(
        profile,
        pilot_schedule=longer(profile.pilot_schedule),
        segmenter_schedule=longer(profile.segmenter_schedule),
    )
    pipeline, store = Pipeline(profile, data), Store(default_runs(), data)
    run([stage for table in CELLS for stage in scores(table, pipeline, [RNG_SEED])], store)
    lines = []
    for table in CELLS:
        frame = reproduce(table, pipeline, store, rng_seeds=[RNG_SEED], quiet=True)
        lines.append(records(frame, store, table, profile.name).assign(times=TIMES))
    out.mkdir(parents=True, exist_ok=True)
    with atomic_write(out / "longer.csv") as aside:
        pd.concat(lines).to_csv(aside, index=False)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with told_in_one_line():
        main(Path(sys.argv[1]), Path(sys.argv[2]))
