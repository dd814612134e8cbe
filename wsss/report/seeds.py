"""How good seeds are, against masks that no training sees (Sec. 4.2-4.4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from wsss.engine import run
from wsss.pipeline import Pipeline, Recipe
from wsss.report.tables import plain
from wsss.stages import Cams, Labels, Store, read_score
from wsss.tables import Table, cells_for

NAMES = {"vgg16": "VGG16", "resnet38": "RES38", "T": "threshold", "C": "CRF"}


def seed_quality(
    pipeline: Pipeline, store: Store, table: Table, *, rng_seeds: Iterable[int]
) -> Styler:
    """Score the seeds of a table's cells that have only one.

    Parameters
    ----------
    pipeline, store : Pipeline, Store
        Profile and results.
    table : Table
        Whose seeds.
    rng_seeds : iterable of int
        Random seeds of the classifiers.

    Returns
    -------
    pandas.io.formats.style.Styler
        mIoU with unknown counted as wrong; precision and recall of the foreground; missed, the
        share of it that is called background; the share of unknown pixels. In percent, means over
        the random seeds.
    """
    rng_seeds = [int(rng_seed) for rng_seed in rng_seeds]
    seeds = []
    for cell in cells_for(table, pipeline.profile):
        if not isinstance(cell.recipe, Recipe):
            continue
        labels = [pipeline.labels(cell.recipe, rng_seed) for rng_seed in rng_seeds]
        if len(labels[0]) == 1:
            titles = {table.row_title: cell.row, table.column_title: cell.column}
            seeds.append((titles, [each for (each,) in labels]))
    return plain(_mean_qualities(pipeline, store, seeds), f"{table.name}_seeds")


def each_seed_quality(
    pipeline: Pipeline, store: Store, recipe: Recipe, *, rng_seeds: Iterable[int]
) -> Styler:
    """Score every one of the seeds that a segmenter is trained on.

    Parameters
    ----------
    pipeline, store : Pipeline, Store
        Profile and results.
    recipe : Recipe
        Which seeds.
    rng_seeds : iterable of int
        Random seeds of the classifiers.

    Returns
    -------
    pandas.io.formats.style.Styler
        One line a seed, columns as in `seed_quality`.
    """
    rng_seeds = [int(rng_seed) for rng_seed in rng_seeds]
    seeds = []
    for network in recipe.cam_networks:
        for kind in recipe.types:
            maps = [pipeline.cams(network, recipe.scales, rng_seed) for rng_seed in rng_seeds]
            for same in zip(*maps, strict=True):
                scale = f"{same[0].scale:g}" if isinstance(same[0], Cams) else recipe.scales
                titles = {"network": NAMES[network], "type": NAMES[kind], "scale": scale}
                seeds.append((titles, [pipeline.seeds(kind, cams) for cams in same]))
    return plain(_mean_qualities(pipeline, store, seeds), "each_seed")


def _mean_qualities(
    pipeline: Pipeline, store: Store, seeds: Sequence[tuple[dict[str, str], Sequence[Labels]]]
) -> pd.DataFrame:
    """One line a title, which says whose seeds they are, over its label maps, one a random seed."""
    stages = [[pipeline.label_score(each) for each in labels] for _, labels in seeds]
    run(list(chain.from_iterable(stages)), store, quiet=True)
    lines = []
    for (titles, _), scores in zip(seeds, stages, strict=True):
        means = pd.DataFrame([quality(read_score(store, stage)) for stage in scores]).mean()
        lines.append(titles | {str(name): f"{value:.1f}" for name, value in means.items()})
    return pd.DataFrame(lines)


def quality(score: dict) -> dict[str, float]:
    """Take the figures of `seed_quality`, in percent, from a score as `read_score` returns it."""
    confusion = np.array(score["confusion"], float)
    labelled = confusion[:-1, 1:-1].sum()  # every true label, called some foreground class
    foreground = confusion[1:-1]  # truly foreground, called anything
    right = np.trace(confusion[1:-1, 1:-1])
    return {
        "mIoU": score["miou"],
        "precision": 100 * right / labelled if labelled else np.nan,
        "recall": 100 * right / foreground.sum(),
        "missed": 100 * foreground[:, 0].sum() / foreground.sum(),
        "unknown": 100 * confusion[:, -1].sum() / confusion.sum(),
    }
