"""The whole method on one screen: images and the names of what they show, and a segmenter of it.

Read this first. `wsss.stages` does the same in many processes, with results that are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from torch import Tensor

from wsss.cam import cam_at_pixels, infer_cams
from wsss.data.affine import Augmentation
from wsss.models.network import Network
from wsss.seeds import CrfSeed, SeedRule, ThresholdSeed
from wsss.training import Schedule, fit, on_accelerator
from wsss.training.tasks import classifier_loss, classifier_sample, segmenter_loss, segmenter_sample


def learn_to_segment(
    images: Sequence[np.ndarray],
    present: np.ndarray,
    saliency: Sequence[Tensor],
    classifiers: Sequence[Network],
    segmenter: Network,
    schedule: Schedule,
    augmentation: Augmentation,
    *,
    scales: Sequence[float] = (1.0, 0.75, 0.5),
    rules: Sequence[SeedRule] = (ThresholdSeed(), CrfSeed()),
    sharpness: float = 1.0,
    rng_seed: int = 0,
) -> Network:
    """Train a segmenter from image-level labels: 2 networks x 3 scales x 2 types are 12 seeds.

    Parameters
    ----------
    images : sequence of (H, W, 3) uint8
        N RGB images of any sizes.
    present : (N, C) bool
        Which classes each of them shows: all the supervision there is.
    saliency : sequence of (H, W) float
        How much each pixel stands out, in [0, 1].
    classifiers, segmenter : Network
        With pretrained trunks, C and C + 1 logits; trained in place.
    schedule, augmentation : Schedule, Augmentation
        How all of them are trained (Sec. 5.2).
    scales, rules, sharpness
        Of Sec. 4.3, Sec. 4.2 and Eq. 6.
    rng_seed : int
        Random seed of the trainings.

    Returns
    -------
    Network
        The segmenter; `wsss.inference.predict` gives its label maps, `wsss.metrics.score` their
        confusion matrix and `wsss.metrics.iou` its IoU.
    """
    # Sec. 4.1: classifiers learn from image-level labels (Eq. 1).
    train = partial(fit, count=len(images), schedule=schedule, rng_seed=rng_seed)
    given = {"images": images, "augmentation": augmentation}
    for network in classifiers:
        fill = network.normalisation.mean
        sample = partial(classifier_sample, **given, present=present, fill=fill)
        train(network, classifier_loss, sample)

    # Sec. 4.1, 4.3, 4.4: what they look at, at several scales and by several networks (Eq. 2-3).
    views = [(on_accelerator(network), scale) for network in classifiers for scale in scales]
    maps = [infer_cams(network, images, present, scale=scale) for network, scale in views]

    # Sec. 4.2: every map becomes a seed of every type.
    seeds = []
    for i, image in enumerate(images):
        cams = [
            cam_at_pixels(
                of_view[i], present[i], image.shape[:2],
                scale=scale, output_stride=network.output_stride,
            )
            for (network, scale), of_view in zip(views, maps, strict=True)
        ]  # fmt: skip
        seeds.append([seed.numpy() for rule in rules for seed in rule(image, cams, saliency[i])])

    # Sec. 4.5: the segmenter learns from all seeds at once, and weighs them itself (Eq. 5-7).
    fill, stride = segmenter.normalisation.mean, segmenter.output_stride
    by_type = list(zip(*seeds, strict=True))
    sample = partial(segmenter_sample, **given, seeds=by_type, fill=fill, output_stride=stride)
    train(segmenter, segmenter_loss(sharpness), sample)
    return segmenter
