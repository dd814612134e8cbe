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

from wsss import Lab
from wsss.errors import told_in_one_line
from wsss.files import atomic_write
from wsss.paper import get_table
from wsss.profiles import photo
from wsss.training import Schedule

TIMES = 3
TWELVE = "12: types x scales x networks"
CELLS = [
    replace(found, cells=tuple(c for c in found.cells if (c.row, c.column) in wanted))
    for found, *wanted in (
        (get_table("table1"), ("0 (ground truth)", "One label")),
        (get_table("table2"), ("RES38", "CRF (C)")),  # the best single seed
        (get_table("table5"), (TWELVE, "Without WST"), (TWELVE, "With WST")),
    )
]


def longer(schedule: Schedule) -> Schedule:
    """Lengthen a schedule that counts steps."""
    assert schedule.steps is not None
    return replace(schedule, steps=TIMES * schedule.steps)


def main(data: Path, out: Path) -> None:
    """Train what is missing, and write all lines."""
    profile = photo()  # classifiers and seeds stay as they are
    segmenter, own = profile.segmenter, profile.segmenter.other_schedules
    segmenter = replace(
        segmenter,
        schedule=longer(segmenter.schedule),
        other_schedules={part: longer(schedule) for part, schedule in own.items()},
    )
    pilot = replace(profile.pilot, schedule=longer(profile.pilot.schedule))
    lab = Lab(replace(profile, segmenter=segmenter, pilot=pilot), data, rng_seeds=[0])
    out.mkdir(parents=True, exist_ok=True)
    with atomic_write(out / "longer.csv") as aside:
        lab.scores(*CELLS).assign(times=TIMES).to_csv(aside, index=False)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with told_in_one_line():
        main(Path(sys.argv[1]), Path(sys.argv[2]))
