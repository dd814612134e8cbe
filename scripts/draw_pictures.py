"""Draw the pictures that a build does not draw again, since trainings stand behind them.

    python scripts/draw_pictures.py wst_hurts results/demo/wst_hurts.png
    python scripts/draw_pictures.py chelsea results/photo/chelsea.png

``wst_hurts`` shows what four segmenters of the demo, random seed 0, predict (some 18 s each on a
core, kept in the run folder); ``chelsea`` the networks of the profile `photo` on scikit-image's
photo of a cat (CC0), without VOC (some 2 minutes). The PNG holds the identities of what it shows,
so that a test finds a stale one.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from PIL import Image

from wsss import Lab
from wsss.cam import cam_at_pixels, infer_cams
from wsss.data.pictures import shrink
from wsss.inference import predict
from wsss.models import network_entry
from wsss.pages.look import NAMES, class_index, imagenet_classifier
from wsss.pages.predictions import draw_predictions
from wsss.pages.style import (
    SMALL,
    colour_labels,
    label_entries,
    legend,
    new_panels,
    overlay_cam,
    row_title,
    show,
)
from wsss.pages.weights import paint_weights, weight_bar, weight_range, weights_now
from wsss.paper import get_table
from wsss.profiles import photo
from wsss.saliency import U2NetP
from wsss.stages import at_features
from wsss.stages.records import CLONE
from wsss.training import fit
from wsss.training.tasks import segmenter_loss, segmenter_sample

SCENES = 4
HURT = ("initial weights, noise 0.5, 2 labels", "untrained, noise 0.3, 6 labels")
CAT, STEPS = "Egyptian cat", 60


def wst_hurts() -> tuple[Figure, str]:
    """Predictions in two of the three cases (of five) in which WST is worse at random seed 0."""
    lab = Lab("demo", rng_seeds=[0])
    models = {
        f"{cell.row}, {cell.column}".replace(", ", ",\n", 2): lab.segmenter(cell.recipe)
        for cell in get_table("wst_hurts").cells
        if cell.row in HURT
    }
    shown = " ".join(each.identity for each in models.values())
    return draw_predictions(lab, models, range(SCENES)), shown


def chelsea() -> tuple[Figure, str]:
    """CAMs and seeds of one photo by both networks, and WST's weights in a training on it."""
    profile = photo()
    side = profile.data.source.longest_side  # pyright: ignore[reportAttributeAccessIssue]
    image = shrink(np.array(Image.open(CLONE / "book/_static/chelsea.png").convert("RGB")), side)
    size, salient = image.shape[:2], torch.from_numpy(U2NetP()(image))
    cams, titles, present = [], [], np.arange(len(NAMES)) == class_index(CAT)
    for spec in profile.classifier.networks.values():
        network = imagenet_classifier(spec.name)
        for scale in profile.cams.scales:
            (maps,) = infer_cams(network, [image], present[None], scale=scale)
            stride = network.output_stride
            cams.append(
                cam_at_pixels(maps, np.ones(1, bool), size, scale=scale, output_stride=stride)
            )
            titles.append(f"{network_entry(spec.name).title},\nscale {scale:g}")
    by_type = {
        profile.seeds.rule(letter).title: [
            seed.numpy() for seed in profile.seeds.rule(letter)(image, cams, salient)
        ]
        for letter in ("T", "C")
    }
    seeds = [seed for kind in by_type.values() for seed in kind]
    predicted, weights, stride = _learnt(image, seeds)
    return _panels(
        image, salient.numpy(), [each.numpy() for each in cams], titles, by_type, predicted,
        weights, stride,
    ), f"{CAT}, {STEPS} steps"  # fmt: skip


def _learnt(image: np.ndarray, seeds: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, int]:
    """Train a segmenter on the seeds of this one photo; prediction, weights (K, h, w), stride."""
    profile = photo()
    training = profile.segmenter
    model = training.networks["plain"].build("largefov", 2, rng_seed=0)
    schedule = replace(training.schedule, steps=STEPS)
    count = schedule.batch_size
    sample = partial(
        segmenter_sample, images=[image] * count, seeds=[[seed] * count for seed in seeds],
        augmentation=training.augmentation, fill=model.normalisation.mean,
        output_stride=model.output_stride,
    )  # fmt: skip
    fit(model, segmenter_loss(1.0), sample, count, schedule, rng_seed=0)
    (labels,) = predict(model, [image])
    return np.asarray(labels), weights_now(model, image, seeds), model.output_stride


def _panels(
    image: np.ndarray, salient: np.ndarray, cams: list[np.ndarray], titles: list[str],
    by_type: Mapping[str, list[np.ndarray]], predicted: np.ndarray, weights: np.ndarray,
    stride: int,
) -> Figure:  # fmt: skip
    rows = 1 + 2 * len(by_type)
    figure, axes = new_panels(
        rows, 1 + len(cams), aspect=image.shape[0] / image.shape[1], room=0.9, width=9.0
    )
    show(axes[0, 0], image, "photo")
    show(axes[1, 0], np.repeat(salient[..., None], 3, 2), "saliency")
    show(axes[2, 0], colour_labels(predicted), "prediction")
    row_title(axes[0, 1], "CAM")
    for ax, cam, title in zip(axes[0, 1:], cams, titles, strict=True):
        show(ax, overlay_cam(image, cam))
        ax.set_title(title, fontsize=0.8 * SMALL, pad=3)
    scale = LogNorm(*weight_range(len(weights), 1.0))
    for kind, (name, seeds) in enumerate(by_type.items()):
        above, below = axes[1 + 2 * kind, 1:], axes[2 + 2 * kind, 1:]
        row_title(above[0], f"{name}\nseed")
        row_title(below[0], "its weights")
        for place, (seed, first, second) in enumerate(zip(seeds, above, below, strict=True)):
            show(first, colour_labels(seed))
            here = weights[kind * len(seeds) + place]
            show(second, paint_weights(here, at_features(seed, stride), scale))
    weight_bar(figure, axes, scale, len(weights), even="without weights", shrink=0.6)
    legend(
        figure,
        label_entries(["cat"], [each for kind in by_type.values() for each in kind], unknown=True),
    )
    return figure


if __name__ == "__main__":
    drawn = {"wst_hurts": wst_hurts, "chelsea": chelsea}
    if len(sys.argv) != 3 or sys.argv[1] not in drawn:
        sys.exit(__doc__)
    torch.set_num_threads(1)
    picture, shown = drawn[sys.argv[1]]()
    picture.savefig(sys.argv[2], dpi=110, metadata={"Software": None, "Comment": shown})
