"""Measure what a stage of each kind costs, for the estimates of ``wsss plan``.

    python scripts/measure_costs.py PROFILE RUNS

Replaces the profile's lines in ``wsss/costs.csv`` by means over all results of the run folder,
which must be of this profile alone.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from wsss.plan import COSTS
from wsss.seeds import SEED_TYPES

LETTERS = {kind.__name__: letter for letter, kind in SEED_TYPES.items()}


def kind_of(spec: dict[str, Any]) -> str:
    """Name the kind of a stage by what was written down of it, as `wsss.plan.kind_of` does."""
    if "rule" in spec:
        return f"{spec['stage']} {LETTERS[spec['rule']['type']]}"
    trained = spec.get("classifier", spec.get("segmenter", spec))
    named = spec["stage"] in ("classifier", "segmenter", "cams", "segmenter_score")
    return f"{spec['stage']} {trained['network']['name']}" if named else spec["stage"]


def measure(profile: str, runs: Path) -> pd.DataFrame:
    """One line a kind: mean seconds, mean megabytes, how many were seen."""
    seen = [
        {
            "profile": profile,
            "kind": kind_of(json.loads((folder / "spec.json").read_text())),
            "seconds": json.loads((folder / "provenance.json").read_text())["seconds"],
            "megabytes": sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6,
            "count": 1,
        }
        for folder in sorted(path.parent for path in runs.glob("*/*/spec.json"))
        if not folder.suffix
    ]
    means = {"seconds": "mean", "megabytes": "mean", "count": "sum"}
    return pd.DataFrame(seen).groupby(["profile", "kind"], as_index=False).agg(means).round(2)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    new = measure(sys.argv[1], Path(sys.argv[2]))
    old = pd.read_csv(COSTS) if COSTS.is_file() else new.iloc[:0]
    table = pd.concat([old[old["profile"] != sys.argv[1]], new])
    table.sort_values(["profile", "kind"]).to_csv(COSTS, index=False)
