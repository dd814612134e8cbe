"""Measure what the stages of a profile cost, from a folder where they were computed.

    python scripts/measure_costs.py demo runs

Replaces the profile's lines in ``wsss/costs.csv``: mean seconds of one thread and megabytes on disk
of each kind of stage. `wsss plan` multiplies them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from wsss.engine import graph
from wsss.pipeline import Pipeline
from wsss.plan import COSTS, kind_of
from wsss.profiles import get_profile
from wsss.stages import Store
from wsss.tables import TABLES, scores


def measure(profile: str, runs: Path, data: Path | None) -> pd.DataFrame:
    """One line a kind: mean seconds, mean megabytes, how many were seen."""
    pipeline, store = Pipeline(get_profile(profile), data), Store(runs, data)
    rng_seeds = pipeline.profile.rng_seeds
    goals = [stage for table in TABLES.values() for stage in scores(table, pipeline, rng_seeds)]
    seen = [
        {
            "profile": profile,
            "kind": kind_of(stage),
            "seconds": store.provenance(stage)["seconds"],
            "megabytes": _bytes(store.folder(stage)) / 1e6,
            "count": 1,
        }
        for stage in graph(goals)
        if store.done(stage)
    ]
    means = {"seconds": "mean", "megabytes": "mean", "count": "sum"}
    return pd.DataFrame(seen).groupby(["profile", "kind"], as_index=False).agg(means).round(2)


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    name, folder, *photos = sys.argv[1:] or sys.exit(__doc__)
    new = measure(name, Path(folder), Path(photos[0]) if photos else None)
    old = pd.read_csv(COSTS) if COSTS.is_file() else new.iloc[:0]
    kept = old[old["profile"] != name]
    pd.concat([kept, new]).to_csv(COSTS, index=False)
