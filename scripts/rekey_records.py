"""Give the records of a profile the identities that its stages have now.

    python scripts/rekey_records.py results/photo FINGERPRINT

For when a change of structure changed identities and no number: every line keeps its numbers and
its origin, and gets the identity of the stage that its table, row, column and random seed name
today, on the images of that fingerprint. Scores in files of their own, ``table1.csv`` to
``claim13.csv`` as they were once kept, are put together in ``scores.csv``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from wsss.errors import told_in_one_line
from wsss.files import atomic_write
from wsss.paper import EVERYTHING, AnyRecipe, get_table
from wsss.pipeline import Pipeline
from wsss.stages import Stage

ONCE = [*(f"table{number}" for number in range(1, 8)), "claim13"]


def recipe_of(line: Any) -> AnyRecipe:
    """Find the recipe of a line's cell."""
    cells = get_table(line["table"]).cells
    (found,) = [c for c in cells if (c.row, c.column) == (line["row"], line["column"])]
    return found.recipe


def main(folder: Path, fingerprint: str) -> None:
    """Rewrite the CSVs of the folder."""
    lab = Pipeline(folder.name, results=folder, precision="32")
    lab.source = lab.profile.data.source.at(None, recorded=fingerprint)

    def rekey(name: str, frame: pd.DataFrame, stage: Callable[[Any], Stage]) -> None:
        new = [stage(line).identity for line in frame.to_dict("records")]
        print(f"{name}: {sum(a != b for a, b in zip(new, frame['identity'], strict=True))} of "
              f"{len(frame)} lines have a new identity")  # fmt: skip
        with atomic_write(folder / name) as aside:
            frame.assign(identity=new).to_csv(aside, index=False)

    text: Any = {"row": str, "column": str}
    old = [path for path in (folder / f"{name}.csv" for name in ONCE) if path.is_file()]
    files = old or [folder / "scores.csv"]
    scores = pd.concat([pd.read_csv(path, dtype=text) for path in files], ignore_index=True)
    rekey(
        "scores.csv",
        scores.assign(images=fingerprint),
        lambda line: lab.score(recipe_of(line), line["rng_seed"], line["testing"]),
    )
    rekey(
        "traces.csv",
        pd.read_csv(folder / "traces.csv"),
        lambda line: lab.trace(EVERYTHING, line["rng_seed"]),
    )
    rekey(
        "seeds.csv",
        pd.read_csv(folder / "seeds.csv", dtype=text),
        lambda line: lab.label_score(lab.labels(recipe_of(line), line["rng_seed"])[0]),
    )
    for path in old:
        path.unlink()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with told_in_one_line():
        main(Path(sys.argv[1]), sys.argv[2])
