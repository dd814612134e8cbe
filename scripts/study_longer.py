"""Whether answers on photos change if segmenters learn three times as long (not in the paper).

    python scripts/study_longer.py DATA results/photo [RNG_SEED ...]

Trains a few cells of the tables again at the profile `photo` with three times the steps, random
seed 0 or those given, and adds to ``longer.csv`` or replaces there: one line a training, as the
tables have them. What the run folder holds is not computed again; a killed run goes on where it
was, and every random seed is written when it is there.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from wsss import Lab
from wsss.errors import told_in_one_line
from wsss.paper import get_table
from wsss.profiles import photo
from wsss.stages.records import keep_lines
from wsss.training import Schedule

TIMES = 3
TWELVE = "12: types x scales x networks"
CELLS = [
    replace(found, cells=tuple(c for c in found.cells if (c.row, c.column) in wanted))
    for found, *wanted in (
        (get_table("table1"), ("0 (ground truth)", "One label")),
        # the best single seed, and it with the other type
        (get_table("table2"), ("RES38", "CRF (C)"), ("RES38", "Both (T + C)")),
        (get_table("table5"), (TWELVE, "Without WST"), (TWELVE, "With WST")),
    )
]


def longer(schedule: Schedule) -> Schedule:
    """Lengthen a schedule that counts steps."""
    assert schedule.steps is not None
    return replace(schedule, steps=TIMES * schedule.steps)


def main(data: Path, out: Path, rng_seeds: list[int]) -> None:
    """Train what is missing, and write a random seed at a time."""
    profile = photo()  # classifiers and seeds stay as they are
    segmenter, own = profile.segmenter, profile.segmenter.other_schedules
    segmenter = replace(
        segmenter,
        schedule=longer(segmenter.schedule),
        other_schedules={part: longer(schedule) for part, schedule in own.items()},
    )
    pilot = replace(profile.pilot, schedule=longer(profile.pilot.schedule))
    profile = replace(profile, segmenter=segmenter, pilot=pilot)
    key = ["table", "row", "column", "rng_seed"]
    for rng_seed in rng_seeds:
        lab = Lab(profile, data, rng_seeds=[rng_seed])
        lines = lab.recordable(lab.scores(*CELLS)).assign(times=TIMES)
        keep_lines(lines, out / "longer.csv", key)


if __name__ == "__main__":
    if len(sys.argv) < 3 or not all(each.isdecimal() for each in sys.argv[3:]):
        sys.exit(__doc__)
    with told_in_one_line():
        main(Path(sys.argv[1]), Path(sys.argv[2]), [int(each) for each in sys.argv[3:]] or [0])
