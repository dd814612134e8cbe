"""Tests of wsss.plan.flops: operations counted layer by layer, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from wsss.data.affine import Augmentation
from wsss.data.voc import VOC_CLASSES
from wsss.models import get_model
from wsss.models.network import Head
from wsss.paper import Recipe
from wsss.pipeline import Pipeline
from wsss.plan import Gpu, calculation, forward_flops, stage_flops
from wsss.plan.flops import count_images
from wsss.stages import Cams, Classifier, NetworkSpec, Segmenter
from wsss.training import Schedule

NARROW = NetworkSpec(name="vgg16", width=1 / 16)


@pytest.fixture(scope="module")
def paper() -> Pipeline:
    return Pipeline("paper")


def by_hand(name: str, head: Head, width: float, side: int) -> int:
    """Two operations for every weight that every output of a convolution meets."""
    network = get_model(name, head=head, num_classes=5, width=width).eval()
    counted = []

    def count(layer: nn.Conv2d, _: object, output: torch.Tensor) -> None:
        counted.append(2 * layer.weight.numel() * output[0, 0].numel())

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(count)
    with torch.no_grad():
        network(torch.zeros(1, 3, side, side))
    return sum(counted)


@pytest.mark.parametrize(
    ("name", "head"), [("vgg16", "cam"), ("vgg16", "largefov"), ("resnet38", "cam")]
)
def test_forward_is_what_its_convolutions_do(name: str, head: Head) -> None:
    spec = NetworkSpec(name=name, width=1 / 16)
    assert forward_flops(spec, head, 5, (33, 33)) == by_hand(name, head, 1 / 16, 33)


def test_a_training_is_three_forward_passes_a_sample(paper: Pipeline) -> None:
    schedule, augmentation = Schedule(epochs=3, batch_size=1000), Augmentation(crop=33)
    classifier = Classifier(
        images=paper.train_images, network=NARROW, schedule=schedule, augmentation=augmentation,
        rng_seed=0,
    )  # fmt: skip
    once = forward_flops(NARROW, "cam", 20, (33, 33))
    assert stage_flops(classifier, paper) == 3 * once * 30_000  # 582 of 10,582 are dropped
    segmenter = Segmenter(
        labels=paper.labels(Recipe(("T",)), 0), network=NARROW, schedule=schedule,
        augmentation=augmentation, rng_seed=0,
    )  # fmt: skip
    assert stage_flops(segmenter, paper) == 3 * forward_flops(
        NARROW, "largefov", 21, (33, 33)
    ) * 30_000  # fmt: skip
    cams = Cams(classifier=classifier, images=paper.train_images, scale=0.5)
    assert stage_flops(cams, paper) == 10_582 * forward_flops(NARROW, "cam", 20, (193, 257))
    tested = paper.score(Recipe(("T",)), 0)
    sizes = [(281, 377), (377, 505), (473, 625)]  # 375 x 500 at three scales, each seen twice
    forward = sum(forward_flops(NetworkSpec(name="vgg16"), "largefov", 21, each) for each in sizes)
    assert stage_flops(tested, paper) == 1_449 * 2 * forward


def test_images_are_counted_in_the_lists_or_known(
    paper: Pipeline, make_voc: Callable[..., Path]
) -> None:
    for split, count in {"train_aug": 10_582, "train": 1_464, "val": 1_449}.items():
        assert count_images(paper.images(split), paper) == count
    splits = {"train_aug": [0, 1, 2], "train": [0], "val": [3, 4]}
    here = Pipeline("paper", make_voc(5, classes=VOC_CLASSES, splits=splits))
    assert count_images(here.train_images, here) == 3
    smoke = Pipeline("smoke")
    assert count_images(smoke.images("val"), smoke) == 4


def test_hours_follow_from_the_gpu_that_is_supposed(paper: Pipeline) -> None:
    stages = [paper.classifier("plain", 0), paper.train_images, paper.classifier("plain", 1)]
    usual = calculation(stages, paper)
    assert list(usual["stage"]) == ["classifier vgg16", "all"]
    assert list(usual["count"]) == [2, 2]
    flops = 2 * (stage_flops(stages[0], paper) or 0)
    assert usual["PFLOP"][0] == pytest.approx(flops / 1e15)
    assert usual["hours"][0] == pytest.approx(flops / (0.4 * 312e12) / 3600)
    slower = calculation(stages, paper, Gpu(tflops=156, share=0.2))
    assert slower["hours"][1] == pytest.approx(4 * usual["hours"][1])
