"""Maps and seeds: Fig. 1, where seeds disagree, and how good they are (Sec. 4.1 to 4.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from wsss.pages.style import (
    ORANGE,
    SILVER,
    SKY,
    UNKNOWN,
    aspects,
    colour_labels,
    label_entries,
    legend,
    network_of,
    new_panels,
    overlay_cam,
    row_title,
    scale_of,
    show,
)
from wsss.pages.tables import plain
from wsss.paper import Part, Recipe, Table, get_table
from wsss.pipeline import Pipeline
from wsss.stages import CamReader, Labels

AGREEMENT = [("all agree, rightly", SILVER), ("all agree, wrongly", ORANGE), ("disagree", SKY)]


def figure1(lab: Pipeline, *, part: Part = "plain", indices: Sequence[int] = (0, 1)) -> Figure:
    """Fig. 1: CAMs at every scale and the seeds of every type made from them.

    Parameters
    ----------
    lab : Pipeline
        Profile and results; the first of its random seeds is shown.
    part : {"plain", "residual"}
        Whose maps.
    indices : sequence of int
        Training images, one group of columns each.
    """
    cams = lab.cams(part, "multi", lab.rng_seeds[0])
    rules = [lab.profile.seeds.rule(letter) for letter in ("T", "C")]
    stages = {rule.title: [lab.seeds(rule.letter, c) for c in cams] for rule in rules}
    lab.run([*cams, lab.train_images, *(stage for each in stages.values() for stage in each)])
    data = lab.train_images.load(lab.store)
    readers = [c.reader(lab.store) for c in cams]
    seeds = {title: [s.label_maps(lab.store) for s in each] for title, each in stages.items()}
    height, width = data.images.shape(indices[0])[:2]
    figure, axes = new_panels(
        2 + len(seeds), len(indices) * len(cams), aspect=height / width, room=0.3
    )
    for group, index in enumerate(indices):
        image = np.asarray(data.images[index])
        for s, stage in enumerate(cams):
            column = axes[:, group * len(cams) + s]
            show(column[0], image, f"scale {scale_of(stage)}")
            show(column[1], overlay_cam(image, readers[s](index).numpy()))
            for ax, maps in zip(column[2:], seeds.values(), strict=True):
                show(ax, colour_labels(maps[s][index]))
    for ax, name in zip(
        axes[:, 0], ("image", f"CAM\n{network_of(lab, part)}", *seeds), strict=True
    ):
        row_title(ax, name)
    shown = [np.flatnonzero(data.present[i]) + 1 for i in indices]
    legend(figure, label_entries(data.classes, [np.zeros(1, int), *shown], unknown=True))
    return figure


def figure_scales(
    lab: Pipeline, *, part: Part = "plain", letter: str = "C", count: int = 3
) -> Figure:
    """Seeds of one type at every scale, on the training images where they disagree most.

    Parameters
    ----------
    lab : Pipeline
        Profile and results; the first of its random seeds is shown.
    part, letter : str
        Whose maps, and which type of seed.
    count : int
        How many images, one row each.

    Returns
    -------
    matplotlib.figure.Figure
        Image, truth if there is one, one seed a scale, and where they disagree.
    """
    cams = {f"scale {scale_of(c)}": c for c in lab.cams(part, "multi", lab.rng_seeds[0])}
    seeds = {title: lab.seeds(letter, each) for title, each in cams.items()}
    lab.run([*seeds.values(), lab.train_images])
    return _side_by_side(lab, {t: s.label_maps(lab.store) for t, s in seeds.items()}, count)


def figure_networks(lab: Pipeline, *, letter: str = "C", count: int = 3) -> Figure:
    """Seeds of one type from every CAM network, on the images where they disagree most.

    Parameters
    ----------
    lab : Pipeline
        Profile and results; the first of its random seeds is shown.
    letter : str
        Type of seed.
    count : int
        How many images, one row each.

    Returns
    -------
    matplotlib.figure.Figure
        For every network that the profile casts its CAM and its seed, and where they disagree.
    """
    parts = lab.profile.classifier.networks
    cams = {network_of(lab, part): lab.cams(part, "single", lab.rng_seeds[0])[0] for part in parts}
    title = lab.profile.seeds.rule(letter).title
    seeds = {f"{name}, {title}": lab.seeds(letter, each) for name, each in cams.items()}
    lab.run([*cams.values(), *seeds.values(), lab.train_images])
    readers = {f"{name}, CAM": each.reader(lab.store) for name, each in cams.items()}
    maps = {title: each.label_maps(lab.store) for title, each in seeds.items()}
    return _side_by_side(lab, maps, count, readers)


def disagreement(maps: Sequence[np.ndarray], truth: np.ndarray | None = None) -> np.ndarray:
    """Compare several label maps of one image pixel by pixel.

    Parameters
    ----------
    maps : sequence of (H, W) uint8
        Labels; unknown (255) is an opinion like any other.
    truth : (H, W) uint8, optional
        Without it, and where it is unknown, agreement counts as right.

    Returns
    -------
    (H, W) int
        0 where all agree, rightly; 1 where all agree, wrongly; 2 where they disagree.

    Examples
    --------
    >>> first, second = np.array([[0, 1, 2]]), np.array([[0, 1, 1]])
    >>> disagreement([first, second], np.array([[0, 2, 2]]))
    array([[0, 1, 2]])
    """
    first = np.asarray(maps[0])
    differ = np.any([each != first for each in maps[1:]], axis=0) if len(maps) > 1 else first < 0
    wrong = np.zeros_like(differ) if truth is None else (first != truth) & (truth != UNKNOWN)
    return np.where(differ, 2, wrong.astype(int))


def _side_by_side(
    lab: Pipeline,
    seeds: Mapping[str, Sequence[np.ndarray]],
    count: int,
    readers: Mapping[str, CamReader] | None = None,
) -> Figure:
    """One row an image: image, truth, CAMs, seeds, and a map of where the seeds disagree."""
    data = lab.train_images.load(lab.store)
    share = [
        np.mean(disagreement([maps[i] for maps in seeds.values()]) == 2)
        for i in range(len(data.ids))
    ]
    chosen = np.argsort(share, kind="stable")[::-1][:count]
    colours = np.array([to_rgb(colour) for _, colour in AGREEMENT])
    rows, used = [], []
    for i in chosen:
        image = np.asarray(data.images[i])
        truth = None if data.masks is None else np.asarray(data.masks[i])
        maps = [np.asarray(each[i]) for each in seeds.values()]
        used += maps if truth is None else [*maps, truth]
        row = {"image": image}
        if truth is not None:
            row["truth"] = colour_labels(truth)
        for title, read in (readers or {}).items():
            row[title] = overlay_cam(image, read(int(i)).numpy())
        row |= {title: colour_labels(each) for title, each in zip(seeds, maps, strict=True)}
        if len(maps) > 1:
            row["compared"] = colours[disagreement(maps, truth)]
        rows.append(row)
    ratios = aspects(row["image"] for row in rows)
    figure, axes = new_panels(len(rows), len(rows[0]), aspect=ratios, room=0.45)
    for n, (line, row) in enumerate(zip(axes, rows, strict=True)):
        for ax, (title, picture) in zip(line, row.items(), strict=True):
            show(ax, picture, "" if n else title)
    entries = label_entries(data.classes, used, unknown=any(UNKNOWN in each for each in used))
    legend(figure, [*entries, *(AGREEMENT if "compared" in rows[0] else [])])
    return figure


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
