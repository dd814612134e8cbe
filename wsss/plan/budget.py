"""Hours of a GPU and of cores, disk and memory of what is planned, each with its source."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch

from wsss.grid import padded_length, scaled_length
from wsss.inference import SCALES
from wsss.models import get_model
from wsss.pipeline import Pipeline
from wsss.plan.flops import PHOTO, count_images, image_size, kind_of, output_stride
from wsss.stages import (
    RESULTS,
    Cams,
    Classifier,
    Images,
    MergedCams,
    NoisyLabels,
    Saliency,
    SeedBlock,
    Seeds,
    Segmenter,
    SegmenterScore,
    Stage,
)
from wsss.training.precision import NAMES, PRECISIONS, Precision

TIMED = RESULTS / "gpu" / "h200.csv"
"""What ``benchmarks/gpu.py`` measured: batches of 16 crops of 321, photos of 375 x 500."""

COSTS = Path(__file__).parents[1] / "costs.csv"
"""Seconds and megabytes of each kind of stage, measured by ``scripts/measure_costs.py``."""

CLASSES_SHOWN = 1.56
"""Mean number of classes that an image of VOC's train_aug shows."""

PIXELS, LEARNT, TESTED = 240 * 320, 1261, 445
"""Of an image of the profile photo, whose CPU stages `COSTS` holds, and how many it has."""

TIMED_IN: dict[Precision, str] = {"32-true": "fp32", "tf32": "tf32", "bf16-mixed": "bf16"}
"""How `TIMED` calls what networks compute in."""

IN_RUNS = 1 / 19
"""Bytes a pixel of seeds stored in runs: the most of six sets, made of 40 photos of 320 pixels."""

NOT_MEASURED = float("nan")


class Cost(NamedTuple):
    """What a stage takes: seconds of a GPU and of a core, and bytes; NaN where nobody measured."""

    gpu: float
    core: float
    disk: float


def budget(stages: Sequence[Stage], lab: Pipeline) -> pd.DataFrame:
    """List what stages take, a line a kind, from what was measured at the paper's sizes.

    Parameters
    ----------
    stages : sequence of Stage
        What is to be computed.
    lab : Pipeline
        Profile and data, photos; without data VOC's numbers of images are taken.

    Returns
    -------
    pandas.DataFrame
        ``stage``, ``count``, ``GPU hours``, ``core hours`` and ``disk GB``; NaN where nothing was
        measured at that size. The last line is the sum of what was.

    Examples
    --------
    >>> sorted(set(pd.read_csv(COSTS)["profile"]))
    ['demo', 'own', 'photo']
    >>> lab = Pipeline("paper", rng_seeds=[0])
    >>> budget([lab.train_images], lab).columns.tolist()
    ['stage', 'count', 'GPU hours', 'core hours', 'disk GB']
    """
    found: dict[str, list[Cost]] = defaultdict(list)
    for stage in stages:
        found[kind_of(stage)].append(_cost(stage, lab))
    lines = [
        (kind, len(costs), *(sum(each) for each in zip(*costs, strict=True)))
        for kind, costs in found.items()
    ]
    table = pd.DataFrame(lines, columns=["stage", "count", "GPU hours", "core hours", "disk GB"])
    table[["GPU hours", "core hours"]] /= 3600
    table["disk GB"] /= 1e9
    table.loc[len(table)] = ["all", *table.iloc[:, 1:].sum()]
    return table.astype({"count": int})


def mapped_bytes(stages: Sequence[Stage], lab: Pipeline) -> float:
    """Most bytes of files that a training among the stages maps into memory: images and labels."""
    trainings = [each for each in stages if isinstance(each, Segmenter)]
    return max((_pixels(e, lab) * (3 + len(e.labels) * IN_RUNS) for e in trainings), default=0)


def told(stages: Sequence[Stage], lab: Pipeline, cores: int) -> list[str]:
    """Write the budget down for a number of cores, with the sources of its numbers.

    Examples
    --------
    >>> lab = Pipeline("paper", rng_seeds=[0])
    >>> told([lab.train_images], lab, cores=4)[-2]
    '  disk: from shapes, ... classes an image; seeds as they are packed on photos'
    """
    if not TIMED.is_file():
        return [f"no budget: {TIMED} is not here, the figures of a GPU"]
    table = budget(stages, lab)
    total, unknown = table.iloc[-1], list(table[table.isna().any(axis=1)]["stage"])
    hours, precision = max(total["GPU hours"], total["core hours"] / cores), _precision(lab)
    device, timed = _timed()
    of_gpu = [
        value for (part, _, way, unit), value in timed.items()
        if (part, way, unit) == ("steps", f"{TIMED_IN[precision]}, as built", "GB at most")
    ]  # fmt: skip
    return [
        f"by what was measured, with {cores} cores beside one GPU",
        *table.round(2).to_string(index=False, na_rep="?").splitlines(),
        f"at least {hours:.1f} h: those of the GPU, or of the cores where they are more",
        f"memory: a training maps up to {mapped_bytes(stages, lab) / 1e9:.1f} GB of files, which "
        f"processes share; it takes up to {max(of_gpu):.1f} GB of a GPU",
        f"sources: GPU, and cores in trainings and tests: {TIMED.name}, {device}, "
        f"{NAMES[precision]};",
        f"  other cores: {COSTS.name}, the profile photo, by images and pixels;",
        f"  disk: from shapes, {CLASSES_SHOWN} classes an image; "
        "seeds as they are packed on photos",
        f"  ? not measured at this size: {', '.join(unknown) or 'nothing'}",
    ]


def _cost(stage: Stage, lab: Pipeline) -> Cost:
    if isinstance(stage, Classifier | Segmenter):
        return _training(stage, lab)
    if isinstance(stage, Cams):
        name = stage.classifier.network.name
        scale, way = f"{name} cam, scale {stage.scale:g}", f"{_tested_in(lab)}, 4 at once"
        once = _ms("cams", scale, way) if image_size(lab) == PHOTO else NOT_MEASURED
        stride = output_stride(name, stage.classifier.network.width, "cam")
        size = (scaled_length(n, stage.scale) for n in image_size(lab))
        features = prod((padded_length(n, stride) - 1) // stride + 1 for n in size)
        count = count_images(stage.images, lab)
        return Cost(count * once, 0, count * features * 2 * CLASSES_SHOWN)
    if isinstance(stage, SegmenterScore):
        return _test(stage, lab)
    return Cost(0, _on_cores(stage, lab), _on_disk(stage, lab))


def _training(stage: Classifier | Segmenter, lab: Pipeline) -> Cost:
    head = "cam" if isinstance(stage, Classifier) else "largefov"
    name, schedule = stage.network.name, stage.schedule
    steps = count_images(stage.images, lab) // schedule.batch_size
    steps *= schedule.epochs_of(steps) if steps else 0
    step = samples = NOT_MEASURED
    if schedule.batch_size == 16 and stage.augmentation.crop == 321 and stage.network.width == 1:
        case = name + (" cam" if head == "cam" else " largefov, 12 seeds")
        precision = _precision(lab)
        step = _ms("training", f"{case}, {precision}", "fit", "ms a step")
        if step != step:
            step = _ms("steps", case, f"{TIMED_IN[precision]}, as built", "ms a step")
        drawn = "resnet38 cam" if head == "cam" else case  # whatever network sees the samples
        samples = _ms("training", f"{drawn}, tf32", "samples of a step drawn by one core", "ms")
    with torch.device("meta"):
        channels = len(lab.source.classes) + (head == "largefov")  # pyright: ignore
        model = get_model(name, head=head, num_classes=channels, width=stage.network.width)
    weights = sum(each.numel() * each.element_size() for each in model.state_dict().values())
    return Cost(steps * step, steps * samples, weights)


def _test(stage: SegmenterScore, lab: Pipeline) -> Cost:
    protocol, network = stage.protocol, stage.segmenter.network
    ways = {(SCALES, True): "three scales and flip", ((1.0,), False): "single"}
    way = ways.get((protocol.scales, protocol.flip))
    if way is None or image_size(lab) != PHOTO:
        return Cost(NOT_MEASURED, NOT_MEASURED, 0)
    logits = _ms(
        "testing", f"{network.name} largefov, 12 seeds, {way}", f"{_tested_in(lab)}, logits"
    )
    crf = _ms("testing", "vgg16 largefov, three scales and flip", "CRF on 1 threads")
    count = count_images(stage.images, lab)
    return Cost(count * logits, count * crf if protocol.crf else 0, 0)


def _on_cores(stage: Stage, lab: Pipeline) -> float:
    """Seconds of a core: what the profile photo took, by how many images and pixels there are."""
    costs: dict[str, float] = costs_of("photo")["seconds"].to_dict()
    if kind_of(stage) not in costs:
        return NOT_MEASURED
    images = stage if isinstance(stage, Images) else getattr(stage, "images", None)
    if images is None:
        return costs[kind_of(stage)]
    measured = (LEARNT + TESTED) / 2 if stage is images else LEARNT
    share = count_images(images, lab) / measured
    if isinstance(stage, Saliency):  # U2-Net-p sees every photo at one size
        return costs["saliency"] * share if "U2-Net-p" in str(stage) else NOT_MEASURED
    return costs[kind_of(stage)] * share * prod(image_size(lab)) / PIXELS


def _on_disk(stage: Stage, lab: Pipeline) -> float:
    if isinstance(stage, Images):
        return 4 * _pixels(stage, lab)  # with masks
    if isinstance(stage, MergedCams):
        return 2 * CLASSES_SHOWN * _pixels(stage, lab)
    if isinstance(stage, SeedBlock):
        size = costs_of("photo")["megabytes"].to_dict()  # saliency has a byte a pixel
        return size[kind_of(stage)] / size["saliency"] * _pixels(stage, lab)
    if isinstance(stage, Seeds | NoisyLabels):
        return IN_RUNS * _pixels(stage, lab)
    return _pixels(stage, lab) if isinstance(stage, Saliency) else 0


def _pixels(stage: Any, lab: Pipeline) -> int:
    images = stage if isinstance(stage, Images) else stage.images
    return count_images(images, lab) * prod(image_size(lab))


def _precision(lab: Pipeline) -> Precision:
    """In what a GPU would train: TF32 unless something else is asked for."""
    return PRECISIONS[lab.precision or "tf32"]


def _tested_in(lab: Pipeline) -> str:
    """In what it would make CAMs and test: after trainings in bfloat16 it is TF32."""
    return "fp32" if lab.precision == "32" else "tf32"


def _ms(part: str, case: str, way: str, unit: str = "ms an image") -> float:
    """Seconds, of milliseconds that were timed."""
    return _timed()[1].get((part, case, way, unit), NOT_MEASURED) / 1e3


@cache
def _timed() -> tuple[str, dict[tuple[str, ...], float]]:
    """Read on which GPU what was timed; of several figures the last, of the code as it is now."""
    table = pd.read_csv(TIMED, dtype=str, keep_default_na=False)
    device = table["device"].iloc[0]
    table = table[table["unit"].str.startswith(("ms", "GB"))]
    keys = zip(table["part"], table["case"], table["way"], table["unit"], strict=True)
    return device, dict(zip(keys, table["value"].astype(float), strict=True))


@cache
def costs_of(profile: str) -> pd.DataFrame:
    """Read what a stage of each kind cost at a profile: ``seconds`` and ``megabytes``, by kind.

    Examples
    --------
    >>> costs_of("demo").columns.tolist()
    ['profile', 'seconds', 'megabytes', 'count']
    """
    return pd.read_csv(COSTS).query("profile == @profile").set_index("kind")
