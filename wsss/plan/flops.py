"""What the networks of a plan compute, and how long a GPU would take: a calculation (Sec. 5.2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from wsss.data.scene_look import CLASSES
from wsss.data.voc_setup import USUAL
from wsss.grid import padded_length, scaled_length
from wsss.models import get_model
from wsss.models.network import Head
from wsss.pipeline import Pipeline
from wsss.stages import (
    Cams,
    Classifier,
    Images,
    NetworkSpec,
    Scenes,
    SeedBlock,
    Seeds,
    Segmenter,
    SegmenterScore,
)
from wsss.stages import Stage as AnyStage

BACKWARD = 2
"""The backward pass computes what the forward pass does twice: for the input and the weights."""

PHOTO = (375, 500)
"""Height and width of most images of VOC 2012; portraits have the same number of pixels."""

SCENE = (64, 64)


@dataclass(frozen=True)
class Gpu:
    """The GPU of the calculation, and how much of what its maker says is reached.

    Attributes
    ----------
    tflops : float
        Peak in 10**12 floating-point operations a second. 312 is what NVIDIA's data sheet of the
        A100 says for bfloat16 matrices without sparsity.
    share : float
        Share of the peak that a training reaches: assumed, not measured.
    """

    tflops: float = 312.0
    share: float = 0.4

    def hours(self, flops: float) -> float:
        """Time for so many operations.

        Examples
        --------
        >>> Gpu(tflops=1.0, share=0.5).hours(3600 * 0.5e12)
        1.0
        """
        return flops / (self.tflops * 1e12 * self.share) / 3600


def forward_flops(network: NetworkSpec, head: Head, num_classes: int, size: tuple[int, int]) -> int:
    """Count the operations of one image's forward pass, a multiplication and an addition as two.

    Parameters
    ----------
    network : NetworkSpec
        Its weights are not needed.
    head : {"cam", "largefov"}
        What it ends in.
    num_classes : int
        Channels of the logits.
    size : (int, int)
        H and W of the input.

    Examples
    --------
    >>> round(forward_flops(NetworkSpec(name="vgg16"), "largefov", 21, (321, 321)) / 1e9)
    102
    """
    return _forward_flops(network.name, network.width, head, num_classes, size)


def stage_flops(stage: AnyStage, pipeline: Pipeline) -> int | None:
    """Count the operations of a stage's network over all its images and epochs.

    Parameters
    ----------
    stage : Stage
        Any.
    pipeline : Pipeline
        Whose source says how many images there are; without data VOC's numbers are taken.

    Returns
    -------
    int or None
        None if it is not a network that the stage spends its time on.

    Examples
    --------
    >>> lab = Pipeline("demo", rng_seeds=0)
    >>> stage_flops(lab.train_images, lab), stage_flops(lab.classifier(), lab) > 1e11
    (None, True)
    """
    classes = len(CLASSES if isinstance(pipeline.source, Scenes) else pipeline.source.classes)
    if isinstance(stage, Classifier | Segmenter):
        head, channels = ("cam", classes) if isinstance(stage, Classifier) else _segments(classes)
        crop, schedule = stage.augmentation.crop, stage.schedule
        steps = count_images(stage.images, pipeline) // schedule.batch_size  # of one epoch
        samples = steps * schedule.epochs_of(steps) * schedule.batch_size if steps else 0
        once = forward_flops(stage.network, head, channels, (crop, crop))
        return (1 + BACKWARD) * once * samples
    if isinstance(stage, Cams):
        network = stage.classifier.network
        once = _whole_image(network, "cam", classes, pipeline, stage.scale)
        return once * count_images(stage.images, pipeline)
    if isinstance(stage, SegmenterScore):
        network = stage.segmenter.network
        protocol = stage.protocol
        once = sum(
            _whole_image(network, *_segments(classes), pipeline, scale) for scale in protocol.scales
        )
        return (1 + protocol.flip) * once * count_images(stage.images, pipeline)
    return None


def count_images(images: Images, pipeline: Pipeline) -> int:
    """Count the images of a split, from its list or, without data, as VOC has them."""
    if isinstance(images.source, Scenes):
        return getattr(images.source, images.split)
    if pipeline.data is None:
        return USUAL[images.split]
    return len(images.source.folder(pipeline.data).ids(images.split))


def image_size(pipeline: Pipeline) -> tuple[int, int]:
    """Usual height and width of an image, as the source shows it."""
    source = pipeline.source
    if isinstance(source, Scenes):
        return SCENE
    height, width = (round(n * (source.longest_side or max(PHOTO)) / max(PHOTO)) for n in PHOTO)
    return height, width


def calculation(
    stages: Sequence[AnyStage], pipeline: Pipeline, gpu: Gpu | None = None
) -> pd.DataFrame:
    """List what the networks of some stages compute, and the hours it would take.

    Parameters
    ----------
    stages : sequence of Stage
        What is to be computed.
    pipeline : Pipeline
        Profile and data.
    gpu : Gpu, optional
        Where.

    Returns
    -------
    pandas.DataFrame
        One line a kind of stage and network: ``stage``, ``count``, ``PFLOP`` (10**15 operations of
        all of them) and ``hours``; the last line is their sum. The CPU's work, of CRF, saliency
        and samples, is not in it.

    Examples
    --------
    >>> lab = Pipeline("demo", rng_seeds=0)
    >>> calculation([lab.classifier()], lab)["stage"].tolist()
    ['classifier vgg16_scenes', 'all']
    """
    gpu = gpu or Gpu()
    found: dict[str, list[int]] = defaultdict(list)
    for stage in stages:
        if (flops := stage_flops(stage, pipeline)) is not None:
            found[kind_of(stage)].append(flops)
    lines = [(kind, len(each), sum(each)) for kind, each in found.items()]
    lines.append(("all", sum(len(each) for each in found.values()), sum(map(sum, found.values()))))
    return pd.DataFrame(
        [
            {"stage": kind, "count": count, "PFLOP": flops / 1e15, "hours": gpu.hours(flops)}
            for kind, count, flops in lines
        ]
    )


def kind_of(stage: AnyStage) -> str:
    """Name the kind of a stage, with the network that it trains or the type of its seeds.

    Examples
    --------
    >>> kind_of(Scenes())
    'scenes'
    """
    if isinstance(stage, Seeds | SeedBlock):
        return f"{stage.name} {stage.rule.letter}"
    network = network_of(stage)
    return f"{stage.name} {network.name}" if network else stage.name


def network_of(stage: AnyStage) -> NetworkSpec | None:
    """Return the network that a stage trains or runs, if any."""
    if isinstance(stage, Classifier | Segmenter):
        return stage.network
    if isinstance(stage, Cams):
        return stage.classifier.network
    return stage.segmenter.network if isinstance(stage, SegmenterScore) else None


def _segments(classes: int) -> tuple[Head, int]:
    return "largefov", classes + 1


def _whole_image(
    network: NetworkSpec, head: Head, channels: int, pipeline: Pipeline, scale: float
) -> int:
    """Operations on one whole image, resized and padded as for inference."""
    stride = output_stride(network.name, network.width, head)
    height, width = (padded_length(scaled_length(n, scale), stride) for n in image_size(pipeline))
    return forward_flops(network, head, channels, (height, width))


@lru_cache(maxsize=64)
def _forward_flops(
    name: str, width: float, head: Head, num_classes: int, size: tuple[int, int]
) -> int:
    with torch.device("meta"), torch.no_grad():
        model = get_model(name, head=head, num_classes=num_classes, width=width).eval()
        with FlopCounterMode(display=False) as counter:
            model(torch.empty(1, 3, *size))
    return counter.get_total_flops()


@lru_cache(maxsize=16)
def output_stride(name: str, width: float, head: Head) -> int:
    """Pixels of the input from one feature of a network to the next."""
    with torch.device("meta"):
        return get_model(name, head=head, num_classes=1, width=width).output_stride
