"""Pictures of class activation maps and seeds (Sec. 4.1-4.4): Fig. 1, and where seeds disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from wsss.figures.style import (
    NETWORK_TITLES,
    ORANGE,
    SILVER,
    SKY,
    TYPE_TITLES,
    UNKNOWN,
    aspects,
    colour_labels,
    label_entries,
    legend,
    new_panels,
    overlay_cam,
    row_title,
    show,
)
from wsss.pipeline import CamNetwork, Pipeline, SeedType
from wsss.stages import Cams, Store

AGREEMENT = [("all agree, rightly", SILVER), ("all agree, wrongly", ORANGE), ("disagree", SKY)]


def figure1(
    pipeline: Pipeline,
    store: Store,
    *,
    network: CamNetwork = "vgg16",
    rng_seed: int = 0,
    indices: Sequence[int] = (0, 1),
) -> Figure:
    """Fig. 1: CAMs at every scale and the seeds of both types made from them.

    Parameters
    ----------
    pipeline, store : Pipeline, Store
        Profile and results; the seeds must have been computed.
    network : {"vgg16", "resnet38"}
        Whose maps.
    rng_seed : int
        Random seed of the classifier.
    indices : sequence of int
        Training images, one group of columns each.

    Returns
    -------
    matplotlib.figure.Figure
    """
    cams = _scales(pipeline, network, rng_seed)
    data = pipeline.train_images.load(store)
    readers = [c.reader(store) for c in cams]
    seeds = {kind: [pipeline.seeds(kind, c).label_maps(store) for c in cams] for kind in ("T", "C")}
    height, width = data.images.shape(indices[0])[:2]
    figure, axes = new_panels(4, len(indices) * len(cams), aspect=height / width, room=0.3)
    for group, index in enumerate(indices):
        image = np.asarray(data.images[index])
        for s, stage in enumerate(cams):
            column = axes[:, group * len(cams) + s]
            show(column[0], image, f"scale {stage.scale:g}")
            show(column[1], overlay_cam(image, readers[s](index).numpy()))
            show(column[2], colour_labels(seeds["T"][s][index]))
            show(column[3], colour_labels(seeds["C"][s][index]))
    for ax, name in zip(axes[:, 0], ("image", "CAM", "threshold", "CRF"), strict=True):
        row_title(ax, name)
    shown = [np.flatnonzero(data.present[i]) + 1 for i in indices]
    legend(figure, label_entries(data.classes, [np.zeros(1, int), *shown], unknown=True))
    return figure


def figure_scales(
    pipeline: Pipeline,
    store: Store,
    *,
    network: CamNetwork = "vgg16",
    kind: SeedType = "C",
    rng_seed: int = 0,
    count: int = 3,
) -> Figure:
    """Seeds of one type at every scale, on the training images where they disagree most.

    Parameters
    ----------
    pipeline, store : Pipeline, Store
        Profile and results; the seeds must have been computed.
    network : {"vgg16", "resnet38"}
        Whose maps.
    kind : {"T", "C"}
        Type of seed.
    rng_seed : int
        Random seed of the classifier.
    count : int
        How many images, one row each.

    Returns
    -------
    matplotlib.figure.Figure
        Image, truth if there is one, one seed a scale, and where they disagree.
    """
    seeds = {
        f"scale {cams.scale:g}": pipeline.seeds(kind, cams).label_maps(store)
        for cams in _scales(pipeline, network, rng_seed)
    }
    return _seeds_side_by_side(pipeline, store, seeds, count)


def figure_networks(
    pipeline: Pipeline, store: Store, *, kind: SeedType = "C", rng_seed: int = 0, count: int = 3
) -> Figure:
    """Seeds of one type from every CAM network, on the images where they disagree most.

    Parameters
    ----------
    pipeline, store : Pipeline, Store
        Profile and results; the seeds at a single scale must have been computed.
    kind : {"T", "C"}
        Type of seed.
    rng_seed : int
        Random seed of the classifiers.
    count : int
        How many images, one row each.

    Returns
    -------
    matplotlib.figure.Figure
        For every network that the profile casts its CAM and its seed, and where they disagree.
    """
    cams = {
        network: pipeline.cams(network, "single", rng_seed)[0]
        for network in pipeline.profile.cam_networks
    }
    seeds = {
        f"{NETWORK_TITLES[network]}, {TYPE_TITLES[kind]}": pipeline.seeds(kind, c).label_maps(store)
        for network, c in cams.items()
    }
    readers = {f"{NETWORK_TITLES[network]}, CAM": c.reader(store) for network, c in cams.items()}
    return _seeds_side_by_side(pipeline, store, seeds, count, readers)


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


def _scales(pipeline: Pipeline, network: CamNetwork, rng_seed: int) -> list[Cams]:
    return [c for c in pipeline.cams(network, "multi", rng_seed) if isinstance(c, Cams)]


def _seeds_side_by_side(
    pipeline: Pipeline,
    store: Store,
    seeds: Mapping[str, Sequence[np.ndarray]],
    count: int,
    readers: Mapping[str, object] | None = None,
) -> Figure:
    """One row an image: image, truth, CAMs, seeds, and a map of where the seeds disagree."""
    data = pipeline.train_images.load(store)
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
            row[title] = overlay_cam(image, read(int(i)).numpy())  # pyright: ignore
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
