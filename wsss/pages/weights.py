"""Pictures of weighted selective training (Sec. 4.5 and 5.4): Fig. 4 and how weights develop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from wsss.inputs import network_input
from wsss.losses import seed_weights
from wsss.models import Network
from wsss.pages.style import (
    BLUE,
    GREY,
    ORANGE,
    PALETTE,
    RED,
    SILVER,
    SMALL,
    TITLE,
    UNKNOWN,
    WIDTH,
    colour_labels,
    label_entries,
    legend,
    new_panels,
    row_title,
    seed_titles,
    show,
    tidy,
)
from wsss.paper import Recipe
from wsss.pipeline import Pipeline
from wsss.stages import TrueLabels, at_features


def figure4(
    lab: Pipeline,
    recipe: Recipe | None = None,
    *,
    index: int | None = None,
    epochs: Sequence[int] = (1, 2, 4),
    most_seeds: int = 6,
) -> Figure:
    """Fig. 4: seeds of one image, where they are wrong, and their weights as training goes on.

    Parameters
    ----------
    lab : Pipeline
        Profile and results; the first of its random seeds is shown.
    recipe : Recipe, optional
        What the segmenter is trained on; by default `wsss.wiring.Wiring.richest`.
    index : int, optional
        Which of the training images whose weights were kept; by default the one whose seeds are
        wrong most often.
    epochs : sequence of int
        Epochs to show, as far as there are so many; the last one always is.
    most_seeds : int
        With more seeds than this, so many are shown, evenly spread over the list.

    Returns
    -------
    matplotlib.figure.Figure
        The first row holds the image, the truth and the online predictions.
    """
    recipe, store, rng_seed = recipe or lab.richest, lab.store, lab.rng_seeds[0]
    stage = lab.trace(recipe, rng_seed)
    segmenter = stage.segmenter
    lab.run([stage, segmenter.images, *segmenter.labels])
    trace, last = stage.pictures(store), len(stage.lines(store))
    data, masks = segmenter.images.load(store), TrueLabels(images=segmenter.images)
    # The trace keeps no network, and the trained segmenter need not be there.
    untrained = segmenter.network.random.build("largefov", len(data.classes) + 1, rng_seed)
    stride = untrained.output_stride

    def labels_of(index: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        truth = at_features(masks.label_maps(store)[index], stride)
        return truth, {
            source.identity: at_features(source.label_maps(store)[index], stride)
            for source in segmenter.labels
        }

    if index is None:
        index = max(range(len(trace)), key=lambda i: _share_wrong(*labels_of(i)))
    seen, (truth, seeds) = trace[index], labels_of(index)
    shown = _epochs(epochs, last)
    order = [source.identity for source in segmenter.labels]
    titles = seed_titles(lab, recipe, rng_seed)
    chosen = _spread(list(titles), most_seeds)

    truth_map = masks.label_maps(store)[index]
    height, width = truth_map.shape
    figure, axes = new_panels(
        1 + len(chosen), 2 + len(shown), aspect=height / width, room=0.9, width=0.85 * WIDTH
    )
    show(axes[0, 0], np.asarray(data.images[index]), "image")
    show(axes[0, 1], colour_labels(truth_map), "truth")
    for ax, epoch in zip(axes[0, 2:], shown, strict=True):
        show(ax, colour_labels(seen["predictions"][epoch - 1]), f"epoch {epoch}")
    row_title(axes[0, 2], "prediction")
    for ax, title in zip(axes[1], ("seed", "mistakes"), strict=False):
        ax.set_title(title, fontsize=TITLE, pad=3)
    scale = LogNorm(*weight_range(len(order), segmenter.sharpness))
    for row, identity in zip(axes[1:], chosen, strict=True):
        row_title(row[0], titles[identity])
        show(row[0], colour_labels(seeds[identity]))
        show(row[1], _mistakes(seeds[identity], truth))
        for ax, epoch in zip(row[2:], shown, strict=True):
            weights = seen["weights"][epoch - 1, order.index(identity)].astype(np.float32)
            show(ax, paint_weights(weights, seeds[identity], scale))
    weight_bar(figure, axes, scale, len(order), even="as in plain training", shrink=0.7)
    maps = [*seeds.values(), truth, seen["predictions"]]
    legend(figure, [*label_entries(data.classes, maps, unknown=True), ("wrong label", ORANGE)])
    return figure


def figure_weights(lab: Pipeline, recipe: Recipe | None = None) -> Figure | None:
    """Mean weight of right and of wrong labels after every epoch, and the predictions' accuracy.

    Parameters
    ----------
    lab : Pipeline
        Profile and results, computed or recorded.
    recipe : Recipe, optional
        What the segmenters are trained on; by default `wsss.wiring.Wiring.richest`.

    Returns
    -------
    matplotlib.figure.Figure or None
        A thin line for every random seed, a thick one through their means. None if there is
        neither a result nor a record.
    """
    lines = trace_lines(lab, recipe)
    if lines.empty:
        return None
    seen = lines.pivot(index="epoch", columns="rng_seed", values=["right", "wrong", "accuracy"])
    epochs = list(seen.index)
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(WIDTH, 3.0), dpi=160, facecolor="white", layout="constrained"
    )
    plt.close(figure)
    plain = 1 / int(lines["seeds"].iloc[0])
    left.axhline(plain, color=GREY, lw=1, ls=(0, (2, 2)))
    left.annotate(
        "plain training", (epochs[-1], plain), (0, 3), textcoords="offset points", ha="right",
        fontsize=SMALL, color=GREY,
    )  # fmt: skip
    for ax, name, colour, marker, text in (
        (left, "right", BLUE, "o", "right labels"),
        (left, "wrong", RED, "s", "wrong labels"),
        (right, "accuracy", BLUE, "o", ""),
    ):
        values = seen[name].to_numpy(float) * (100 if name == "accuracy" else 1)
        ax.plot(epochs, values, color=colour, lw=0.8, alpha=0.45)
        means = values.mean(1)
        ax.plot(epochs, means, color=colour, lw=2, marker=marker, ms=4)
        ax.annotate(
            text, (epochs[-1], means[-1]), (0, 8 if name == "right" else -14), color=colour,
            textcoords="offset points", ha="right", fontsize=SMALL, annotation_clip=False,
        )  # fmt: skip
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    tidy(left, "mean weight of a label", "epoch")
    tidy(right, "pixels predicted right (%)", "epoch")
    left.margins(y=0.15)
    return figure


def trace_lines(lab: Pipeline, recipe: Recipe | None = None) -> pd.DataFrame:
    """List what was seen in the trainings on a recipe, one line a random seed and epoch.

    Returns
    -------
    pandas.DataFrame
        ``rng_seed``, ``seeds`` (how many label maps there are, whose weights sum to 1) and the
        columns of `wsss.stages.WeightTrace.lines`; with ``identity`` and how it was made.
    """
    traces = {rng_seed: lab.trace(recipe or lab.richest, rng_seed) for rng_seed in lab.rng_seeds}
    lab.provide((trace, None) for trace in traces.values())
    lines: list[dict[Any, Any]] = []
    recorded = lab.store.records.traces
    for rng_seed, trace in traces.items():
        if lab.store.done(trace):
            told = {"rng_seed": rng_seed, "seeds": len(trace.segmenter.labels)}
            made = {"identity": trace.identity, **lab.store.origin(trace).made}
            lines += [told | seen | made for seen in trace.lines(lab.store)]
        elif found := lab.store.records.of(trace):
            seen = pd.DataFrame(recorded[recorded["identity"] == found["identity"]])
            lines += seen.to_dict("records")
    return pd.DataFrame(lines)


def _epochs(wanted: Sequence[int], last: int) -> list[int]:
    """Epochs to show.

    Examples
    --------
    >>> _epochs((1, 2, 4), 8), _epochs((1, 2, 4), 2)
    ([1, 2, 4, 8], [1, 2])
    """
    return sorted({epoch for epoch in wanted if epoch < last} | {last})


def _spread(names: list[str], most: int) -> list[str]:
    """At most so many, evenly spread over the list, the first and the last among them.

    Examples
    --------
    >>> _spread(list("abcdefg"), 4)
    ['a', 'c', 'e', 'g']
    """
    places = np.linspace(0, len(names) - 1, min(most, len(names)))
    return [names[place] for place in np.rint(places).astype(int)]


@torch.inference_mode()
def weights_now(model: Network, image: np.ndarray, seeds: Sequence[np.ndarray]) -> np.ndarray:
    """Weigh the seeds (H, W) of an image by what a segmenter says of it now (Eq. 6, s = 1).

    Returns
    -------
    (K, h, w) float32
        At the features, as in training.
    """
    votes = np.stack([at_features(np.asarray(seed), model.output_stride) for seed in seeds])
    logits = model(network_input(model, [image], 1.0)).float().cpu().contiguous()
    logits = logits[..., : votes.shape[1], : votes.shape[2]]
    return seed_weights(logits, torch.from_numpy(votes)[None])[0].numpy()


def weight_range(count: int, sharpness: float) -> tuple[float, float]:
    """Weights of a label that all others, or none, share with the prediction (Eq. 6).

    Without sharpness both are 1 / K; then the range is opened a little around it.
    """
    boost = math.exp(max(sharpness, 0.1))
    return 1 / (1 + (count - 1) * boost), boost / (boost + count - 1)


def _share_wrong(truth: np.ndarray, seeds: dict[str, np.ndarray]) -> float:
    known = [(seed != UNKNOWN) & (truth != UNKNOWN) for seed in seeds.values()]
    wrong = [(seed != truth) & k for seed, k in zip(seeds.values(), known, strict=True)]
    return float(np.sum(wrong) / max(np.sum(known), 1))


def _mistakes(seed: np.ndarray, truth: np.ndarray) -> np.ndarray:
    picture = np.full((*seed.shape, 3), to_rgb(SILVER))
    picture[(seed != truth) & (truth != UNKNOWN)] = to_rgb(ORANGE)
    picture[seed == UNKNOWN] = PALETTE[UNKNOWN]
    return picture


def paint_weights(weights: np.ndarray, seed: np.ndarray, scale: LogNorm) -> np.ndarray:
    """Colour the weights (h, w) of a seed's labels, unknown ones in light grey; (h, w, 3)."""
    picture = plt.get_cmap("cividis")(scale(weights))[..., :3]
    picture[seed == UNKNOWN] = PALETTE[UNKNOWN]
    return picture


def weight_bar(
    figure: Figure, axes: np.ndarray, scale: LogNorm, count: int, *, even: str, shrink: float
) -> None:
    """Explain the colours of `paint_weights` under `axes`; `even` says what 1 / `count` is."""
    bar = figure.colorbar(
        ScalarMappable(scale, "cividis"), ax=axes, location="bottom", aspect=50, shrink=shrink,
        pad=0.01, ticks=[scale.vmin, 1 / count, scale.vmax],
    )  # fmt: skip
    bar.ax.set_xticklabels([f"{scale.vmin:.3f}", f"1/{count}, {even}", f"{scale.vmax:.3f}"])
    bar.ax.minorticks_off()
    bar.ax.tick_params(labelsize=SMALL)
    bar.outline.set_visible(False)  # pyright: ignore
    bar.set_label("weight of the label (Eq. 6), log scale", fontsize=SMALL)
