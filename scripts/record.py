"""Record all numbers of the pages for a profile, so that a build need not compute them again.

    python scripts/record.py demo results/demo [DATA] [--rng-seeds 0 1 2] [--paper-alone]

Fills ``scores.csv`` (every cell of the tables and claim 13's), ``traces.csv`` (how the weights of
right and of wrong labels develop, Sec. 5.4 and Fig. 4: one line a random seed and epoch) and
``seeds.csv`` (how good the single seeds of Tables 2 to 4 are); then, unless `--paper-alone`, the
cells of the pages that go beyond the paper and each of the twelve seeds. What the run folder holds
is not computed again; a killed run goes on where it was, and every random seed is written when it
is there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from wsss import Lab
from wsss.errors import told_in_one_line
from wsss.pages.seeds import FIGURES
from wsss.pages.style import seed_titles
from wsss.pages.weights import trace_lines
from wsss.paper import BESIDE, TABLES, get_table
from wsss.stages import LabelScore
from wsss.stages.records import keep_lines

Cell = tuple[str, str, str]


def main(
    profile: str, out: Path, data: Path | None, rng_seeds: list[int] | None, paper_alone: bool
) -> None:
    """Compute what is missing, and write a random seed at a time."""
    out.mkdir(parents=True, exist_ok=True)
    for rng_seed in Lab(profile, data, rng_seeds=rng_seeds).rng_seeds:
        lab = Lab(profile, data, rng_seeds=[rng_seed], compute="all")
        lab.everything()
        lab.record(lab.scores(*TABLES, "claim13"), out)
        traces = trace_lines(lab).round({"right": 5, "wrong": 5, "accuracy": 5})
        keep_lines(traces, out / "traces.csv", ["identity", "epoch"])
        scores = label_scores(lab, rng_seed)
        if not paper_alone:
            scores |= scores_of_each(lab, rng_seed)
        lab.provide((stage, None) for stage in scores.values())
        seeds = pd.DataFrame([line(lab, cell, rng_seed, s) for cell, s in scores.items()])
        keep_lines(seeds, out / "seeds.csv", ["identity", "table", "row", "column"])
        if not paper_alone:
            lab.record(lab.scores(*BESIDE), out)


def label_scores(lab: Lab, rng_seed: int) -> dict[Cell, LabelScore]:
    """Scores of the single seeds of Tables 2 to 4."""
    found: dict[Cell, LabelScore] = {}
    for table in ("table2", "table3", "table4"):
        for cell in lab.cells(get_table(table)):
            labels = lab.labels(cell.recipe, rng_seed)
            if len(labels) == 1:
                found[table, cell.row, cell.column] = lab.label_score(labels[0])
    return found


def scores_of_each(lab: Lab, rng_seed: int) -> dict[Cell, LabelScore]:
    """Scores of each of the twelve seeds."""
    found: dict[Cell, LabelScore] = {}
    titles = seed_titles(lab, lab.richest, rng_seed)
    for labels in lab.labels(lab.richest, rng_seed):
        network, *rest = titles[labels.identity].split("\n")
        found["each seed", network, ", ".join(rest)] = lab.label_score(labels)
    return found


def line(lab: Lab, cell: Cell, rng_seed: int, stage: LabelScore) -> dict[str, object]:
    """Read one score of seeds."""
    read = lab.read(stage)
    told = dict(zip(("table", "row", "column"), cell, strict=True)) | {"rng_seed": rng_seed}
    figures = {name: round(read[name], 2) for name in FIGURES}
    return told | figures | {"identity": stage.identity, "commit": read["commit"]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("profile")
    parser.add_argument("out", type=Path)
    parser.add_argument("data", nargs="?", type=Path)
    parser.add_argument("--rng-seeds", nargs="*", type=int)
    parser.add_argument(
        "--paper-alone", action="store_true", help="leave out what goes beyond the paper"
    )
    given = parser.parse_args()
    with told_in_one_line():
        main(given.profile, given.out, given.data, given.rng_seeds, given.paper_alone)
