"""On a real GPU: what it computes is what a CPU computes, and trainings run there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from wsss.cam import infer_cams
from wsss.data.affine import Augmentation
from wsss.inference import Protocol, infer_logits
from wsss.losses import weighted_selective_loss
from wsss.models import Head, Network, get_model
from wsss.seeds import crf_seed, threshold_seed
from wsss.training import History, Schedule, fit, isolated_randomness
from wsss.training.precision import arithmetic
from wsss.training.tasks import segmenter_loss, segmenter_sample

pytestmark = pytest.mark.gpu

DEVICE = "cuda"
COUNT, SIDE, LABELS = 8, 65, 3
SCHEDULE = Schedule(epochs=4, batch_size=4, lr=1e-3, optimizer="adamw")

Train = Callable[..., tuple[Network, History]]


@pytest.fixture(autouse=True)
def no_tf32() -> Iterator[None]:
    """Its ten bits of mantissa would hide errors."""
    with arithmetic("32-true"):
        yield


@pytest.fixture
def images(rng) -> list[np.ndarray]:
    return [rng.integers(0, 256, (SIDE + 7 * i, SIDE, 3), dtype=np.uint8) for i in range(COUNT)]


@pytest.fixture
def train(images, rng) -> Train:
    seeds = [[rng.integers(0, LABELS, i.shape[:2], dtype=np.uint8) for i in images]] * 2

    def run(checkpoint: Path | None = None, **others) -> tuple[Network, History]:
        model = network("largefov")
        sample = partial(
            segmenter_sample, images=images, seeds=seeds, augmentation=Augmentation(SIDE),
            fill=model.normalisation.mean, output_stride=model.output_stride,
        )  # fmt: skip
        history = fit(
            model, segmenter_loss(1.0), sample, COUNT, SCHEDULE, rng_seed=0,
            checkpoint=checkpoint, **others,
        )  # fmt: skip
        return model, history

    return run


def network(head: Head, name: str = "vgg16_scenes") -> Network:
    with isolated_randomness(0):
        return get_model(name, head=head, num_classes=LABELS)


@pytest.mark.parametrize("unknown", ["counted", "left_out"])
@pytest.mark.parametrize("count", [1, 12])
def test_loss_and_gradient_are_those_of_float64(count, unknown):
    torch.manual_seed(0)
    logits = torch.randn(2, 21, 41, 41)
    seeds = torch.randint(0, 21, (2, count, 41, 41), dtype=torch.uint8)
    seeds[torch.rand(seeds.shape) < 0.2] = 255
    true, there = logits.double().requires_grad_(), logits.to(DEVICE).requires_grad_()
    wanted = weighted_selective_loss(true, seeds, unknown=unknown)
    found = weighted_selective_loss(there, seeds.to(DEVICE), unknown=unknown)
    wanted.backward()
    found.backward()
    assert found.item() == pytest.approx(wanted.item(), rel=1e-5)
    _alike(there.grad, true.grad, 1e-5)


@pytest.mark.parametrize("name", ["vgg16_scenes", "resnet101_scenes"])
def test_a_step_is_that_of_a_cpu(name, rng):
    model = network("largefov", name)
    images = torch.from_numpy(rng.integers(0, 256, (2, SIDE, SIDE, 3), dtype=np.uint8))
    side = (SIDE - 1) // model.output_stride + 1
    seeds = torch.from_numpy(rng.integers(0, LABELS, (2, 2, side, side), dtype=np.uint8))
    gradients = []
    for device in ("cpu", DEVICE):
        each = deepcopy(model).to(device)
        # Sharpness 0: where two labels tie, rounding decides which one is predicted.
        total, counted = segmenter_loss(0.0)(each, images.to(device), seeds.to(device))
        (total / counted).backward()
        gradients.append(each.classifier.weight.grad)
    _alike(gradients[1], gradients[0], 1e-3)


@pytest.mark.parametrize("precision", ["32-true", "tf32"])
def test_convolutions_round_as_the_precision_says(precision):
    torch.manual_seed(0)
    images, weights = torch.randn(2, 64, 33, 33), torch.randn(64, 64, 3, 3)
    wanted = F.conv2d(images.double(), weights.double())
    with arithmetic(precision):
        found = F.conv2d(images.to(DEVICE), weights.to(DEVICE)).double().cpu()
    error = (found - wanted).norm() / wanted.norm()
    assert error < 1e-5 if precision == "32-true" else 1e-5 < error < 1e-2


def test_a_training_runs_there_and_comes_back(train):
    devices = []
    model, history = train(
        after_epoch=lambda _, model: devices.append(model.classifier.weight.device.type)
    )
    assert set(devices) == {DEVICE}
    assert model.classifier.weight.device.type == "cpu"
    assert history.steps == SCHEDULE.epochs * COUNT // SCHEDULE.batch_size
    assert np.isfinite(history.loss).all()


def test_a_training_goes_on_from_its_checkpoint(train, tmp_path):
    """Not to the last bit: the order in which a GPU adds is not fixed."""
    whole, history = train()
    path = tmp_path / "checkpoint.pt"
    train(path, max_steps=2 * COUNT // SCHEDULE.batch_size)
    model, resumed = train(path)
    assert resumed.loss == pytest.approx(history.loss, rel=1e-2)
    _alike(model.classifier.weight, whole.classifier.weight, 1e-2)


def test_cams_and_logits_are_those_of_a_cpu(images):
    present = np.ones((COUNT, LABELS), bool)
    classifier, segmenter = network("cam"), network("largefov")
    protocol = Protocol((0.75, 1.0), flip=True)
    here = infer_cams(classifier, images, present, scale=1.0)
    logits = dict(infer_logits(segmenter, images, protocol))
    there = infer_cams(classifier.to(DEVICE), images, present, scale=1.0)
    for found, wanted in zip(there, here, strict=True):
        np.testing.assert_allclose(found, wanted, atol=5e-3)
    for index, found in infer_logits(segmenter.to(DEVICE), images, protocol):
        _alike(found, logits[index], 1e-4)


def _alike(found: Tensor | None, wanted: Tensor | None, most: float) -> None:
    assert found is not None
    assert wanted is not None
    wanted = wanted.detach().double().cpu()
    assert (found.detach().double().cpu() - wanted).norm() <= most * wanted.norm()


def test_seeds_stay_on_the_gpu():
    cam = torch.zeros(1, 2, 8, 10)
    cam[:, 1, :, 5:] = 0.9
    image = (cam[:, 1:] * 255).expand(1, 3, 8, 10).byte()
    for seed in (
        lambda image, cam: crf_seed(image, cam, cam[:, 1]),
        lambda _, cam: threshold_seed(cam, cam[:, 1]),
    ):
        there = seed(image.to(DEVICE), cam.to(DEVICE).requires_grad_())
        assert there.device.type == DEVICE
        assert torch.equal(there.cpu(), seed(image, cam))
