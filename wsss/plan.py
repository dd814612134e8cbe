"""What the tables need, counted before anything runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from wsss.engine import graph
from wsss.pipeline import Pipeline
from wsss.stages import Store
from wsss.tables import TABLES, cells_for, scores

KINDS = {
    "classifiers": ("classifier",),
    "CAM sets": ("cams", "merged_cams"),
    "seed sets": ("threshold_seeds", "crf_seeds"),
    "trainings": ("segmenter",),
}


def counts(pipeline: Pipeline, rng_seeds: Sequence[int]) -> dict[str, int]:
    """Count the distinct classifiers, CAM sets, seed sets and trainings of all tables.

    Parameters
    ----------
    pipeline : Pipeline
        Profile and data.
    rng_seeds : sequence of int
        Random seeds.

    Returns
    -------
    dict
        For one random seed 2, 8, 16 and 30: the 42 cells of the paper share most of their work.
    """
    goals = [stage for table in TABLES.values() for stage in scores(table, pipeline, rng_seeds)]
    found = Counter(stage.name for stage in graph(goals))
    return {kind: sum(found[name] for name in names) for kind, names in KINDS.items()}


def plan(pipeline: Pipeline, store: Store, rng_seeds: Sequence[int]) -> str:
    """Describe what the tables need and how much of it is there.

    Parameters
    ----------
    pipeline : Pipeline
        Profile and data.
    store : Store
        Where results lie.
    rng_seeds : sequence of int
        Random seeds.

    Returns
    -------
    str
        Some lines of text.
    """
    profile = pipeline.profile
    cells = sum(len(cells_for(table, profile)) for table in TABLES.values())
    lines = [f"profile {profile.name}: {profile.summary}", f"random seeds: {len(rng_seeds)}", ""]
    lines += [f"{cells} cells of {len(TABLES)} tables come from"]
    lines += [
        f"  {count:4d} {kind}" + (f" ({each} a random seed)" if len(rng_seeds) > 1 else "")
        for (kind, count), each in zip(
            counts(pipeline, rng_seeds).items(),
            counts(pipeline, rng_seeds[:1]).values(),
            strict=True,
        )
    ]
    goals = [stage for table in TABLES.values() for stage in scores(table, pipeline, rng_seeds)]
    stages = graph(goals)
    done = sum(store.done(stage) for stage in stages)
    lines += ["", f"{done} of {len(stages)} stages are in {store.runs}"]
    return "\n".join(lines)
