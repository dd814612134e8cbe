"""Record how good the seeds of Tables 2 and 3 are, on the masks of VOC's own training images.

    python scripts/record_seeds.py DATA results/photo

Replaces ``seeds.csv``: one line a random seed and cell with a single seed, for the profile `photo`
and all seeds that the run folder holds. Nothing is computed but the score.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from wsss.engine import default_runs
from wsss.errors import told_in_one_line
from wsss.evaluation import score
from wsss.files import atomic_write
from wsss.metrics import iou
from wsss.pipeline import Pipeline
from wsss.profiles import photo
from wsss.report import quality
from wsss.stages import Labels, Store
from wsss.stages.store import commit
from wsss.tables import TABLE2, TABLE3


def judge(labels: Labels, store: Store, official: set[str]) -> dict[str, float]:
    """Score label maps on some of their images."""
    data, maps = labels.images.load(store), labels.label_maps(store)
    if data.masks is None:
        sys.exit("the photos have no masks to score seeds on")
    chosen = [index for index, name in enumerate(data.ids) if name in official]
    count = len(data.classes) + 1
    confusion = score([maps[i] for i in chosen], [data.masks[i] for i in chosen], count)
    miou = 100 * iou(confusion)[:count].nanmean().item()
    return quality({"miou": miou, "confusion": confusion.tolist()})


def main(data: Path, out: Path) -> None:
    """Score all seeds that are there."""
    out.mkdir(parents=True, exist_ok=True)
    pipeline, store, lines = Pipeline(photo(), data), Store(default_runs(), data), []
    official = set(pipeline.source.open(store).ids("train_official"))
    known: dict[str, dict[str, float]] = {}  # the tables share seeds
    for table in (TABLE2, TABLE3):
        for cell in table.cells:
            for rng_seed in pipeline.profile.rng_seeds:
                labels = pipeline.labels(cell.recipe, rng_seed)
                if len(labels) > 1 or not store.done(labels[0]):
                    continue
                identity = labels[0].identity
                if identity not in known:
                    known[identity] = judge(labels[0], store, official)
                lines.append(
                    {"table": table.name, "row": cell.row, "column": cell.column}
                    | {"rng_seed": rng_seed}
                    | {k: round(v, 2) for k, v in known[identity].items()}
                    | {"identity": identity, "commit": commit()}
                )
    if not lines:
        sys.exit(f"{store.runs} holds no seeds of the profile photo: WSSS_RUNS names the folder")
    with atomic_write(out / "seeds.csv") as aside:
        pd.DataFrame(lines).to_csv(aside, index=False)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with told_in_one_line():
        main(Path(sys.argv[1]), Path(sys.argv[2]))
