"""How good seeds are, against masks that no training sees (Sec. 4.2-4.4)."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from pandas.io.formats.style import Styler

from wsss.pages.style import network_of, scale_of
from wsss.pages.tables import plain
from wsss.paper import Recipe, Table, get_table
from wsss.pipeline import Pipeline
from wsss.stages import Labels

FIGURES = ["mIoU", "precision", "recall", "missed", "unknown"]


def show_seed_quality(lab: Pipeline, table: str | Table) -> Styler:
    """Score the seeds of a table's cells that have only one.

    Returns
    -------
    pandas.io.formats.style.Styler
        The figures of `wsss.stages.LabelScore`, in percent, means over the random seeds.
    """
    found, seeds = get_table(table), []
    for cell in lab.cells(found):
        labels = [lab.labels(cell.recipe, rng_seed) for rng_seed in lab.rng_seeds]
        if isinstance(cell.recipe, Recipe) and len(labels[0]) == 1:
            titles = {found.row_title: cell.row, found.column_title: cell.column}
            seeds.append((titles, [each for (each,) in labels]))
    return plain(_mean_qualities(lab, seeds), f"{found.name}_seeds")


def show_each_seed(lab: Pipeline, recipe: Recipe) -> Styler:
    """Score every one of the seeds that a segmenter is trained on, a line each."""
    seeds = []
    for part in recipe.cam_networks:
        for letter in recipe.types:
            maps = [lab.cams(part, recipe.scales, rng_seed) for rng_seed in lab.rng_seeds]
            for same in zip(*maps, strict=True):
                titles = {
                    "network": network_of(lab, part),
                    "type": lab.profile.seeds.rule(letter).title,
                    "scale": scale_of(same[0]),
                }
                seeds.append((titles, [lab.seeds(letter, cams) for cams in same]))
    return plain(_mean_qualities(lab, seeds), "each_seed")


def _mean_qualities(
    lab: Pipeline, seeds: Sequence[tuple[dict[str, str], Sequence[Labels]]]
) -> pd.DataFrame:
    """One line a title, which says whose seeds they are, over its label maps, one a random seed."""
    stages = [[lab.label_score(each) for each in labels] for _, labels in seeds]
    lab.provide((stage, None) for each in stages for stage in each)
    lines = []
    for (titles, _), scores in zip(seeds, stages, strict=True):
        read = [lab.store.read(stage) for stage in scores]
        means = pd.DataFrame([each for each in read if each], columns=FIGURES).mean()
        lines.append(titles | {name: f"{means[name]:.1f}" for name in FIGURES})
    return pd.DataFrame(lines)
