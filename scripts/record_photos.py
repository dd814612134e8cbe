"""Record what pages show of photos beside the tables' scores, for the profile `photo`.

    python scripts/record_photos.py DATA results/photo

Replaces ``traces.csv`` (how the weights of right and of wrong labels develop, Sec. 5.4 and Fig. 4:
one line a random seed and epoch) and ``seeds.csv`` (how good single seeds of Tables 2 and 3 are on
the masks of VOC's own training images: one line a random seed and cell). What the run folder holds
is not computed again; a killed run goes on where it was.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from wsss import Lab
from wsss.errors import told_in_one_line
from wsss.files import atomic_write
from wsss.pages.seeds import FIGURES
from wsss.pages.weights import trace_lines
from wsss.paper import get_table
from wsss.pipeline import Pipeline
from wsss.stages import LabelScore


def main(data: Path, out: Path) -> None:
    """Compute what is missing, and write both files."""
    lab = Lab("photo", data, compute="all")
    scores = {
        (table, cell.row, cell.column, rng_seed): lab.label_score(labels[0])
        for table in ("table2", "table3")
        for cell in lab.cells(get_table(table))
        for rng_seed in lab.rng_seeds
        if len(labels := lab.labels(cell.recipe, rng_seed)) == 1
    }
    lab.provide((stage, None) for stage in scores.values())
    out.mkdir(parents=True, exist_ok=True)
    write(trace_lines(lab).round({"right": 5, "wrong": 5, "accuracy": 5}), out / "traces.csv")
    write(pd.DataFrame([line(lab, *each) for each in scores.items()]), out / "seeds.csv")


def line(lab: Pipeline, cell: tuple[str, str, str, int], stage: LabelScore) -> dict[str, object]:
    """Read one score of seeds."""
    read = lab.read(stage)
    told = dict(zip(("table", "row", "column", "rng_seed"), cell, strict=True))
    figures = {name: round(read[name], 2) for name in FIGURES}
    return told | figures | {"identity": stage.identity, "commit": read["commit"]}


def write(frame: pd.DataFrame, path: Path) -> None:
    """Replace a file whole."""
    with atomic_write(path) as aside:
        frame.to_csv(aside, index=False)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with told_in_one_line():
        main(Path(sys.argv[1]), Path(sys.argv[2]))
