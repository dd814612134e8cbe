"""CAMs, label maps and scores of whole sets, against one image at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from wsss.cam import class_activation_maps, normalise_cams
from wsss.data.packed import pack
from wsss.evaluation import batches_of_one_size, cam_at_pixels, infer_cams, predict, score
from wsss.grid import padded_length, scaled_length
from wsss.metrics import confusion_matrix, iou
from wsss.models.network import SCENES, Network
from wsss.training import isolated_randomness

UNKNOWN = 255
SIZES = [(17, 25), (20, 13), (17, 25), (20, 13), (17, 25)]


def network(labels: int) -> Network:
    """Stride 4; a classifier with a bias, which Eq. 2 leaves out."""
    with isolated_randomness(0):
        trunk = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, stride=2, padding=1),
            nn.Dropout(0.5),
        )
        model = Network(trunk, nn.Conv2d(8, labels, 1), output_stride=4, normalisation=SCENES)
        nn.init.normal_(model.classifier.bias)
    return model


@pytest.fixture
def images(rng: np.random.Generator) -> list[np.ndarray]:
    return [rng.integers(0, 256, (*size, 3), np.uint8) for size in SIZES]


@pytest.fixture
def present(rng: np.random.Generator) -> np.ndarray:
    shown = rng.random((5, 4)) < 0.5
    shown[0] = [True, False, True, False]
    shown[1] = False
    return shown


def network_input(image: np.ndarray, scale: float) -> torch.Tensor:
    """Resize by `scale`, ends kept, and pad with the mean at the bottom and right."""
    pixels = (torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255 - 0.5) * 4
    height, width = (scaled_length(n, scale) for n in image.shape[:2])
    resized = F.interpolate(pixels, (height, width), mode="bilinear", align_corners=True)
    padded = torch.zeros(1, 3, padded_length(height, 4), padded_length(width, 4))
    padded[..., :height, :width] = resized
    return padded


@pytest.mark.parametrize("scale", [1.0, 0.75, 0.5])
@pytest.mark.parametrize("batch_size", [1, 2, 16])
def test_cams_are_those_of_each_image_alone(
    images: list[np.ndarray], present: np.ndarray, scale: float, batch_size: int
) -> None:
    model = network(4)
    cams = infer_cams(model, images, present, scale=scale, batch_size=batch_size)
    for image, shown, cam in zip(images, present, cams, strict=True):
        assert cam.dtype == np.float16
        with torch.inference_mode():
            features = model.eval().trunk(network_input(image, scale))
            weight, labels = model.classifier.weight[:, :, 0, 0], torch.from_numpy(shown)
            expected = class_activation_maps(features, weight, labels[None])[0, labels]
        assert cam.shape == expected.shape
        assert cam.astype(np.float32) == pytest.approx(expected.numpy(), abs=1e-3)


def test_cams_with_bias_are_the_classifiers_own_maps(
    images: list[np.ndarray], present: np.ndarray
) -> None:
    model = network(4).eval()
    plain = infer_cams(model, images, present, scale=0.5)
    biased = infer_cams(model, images, present, scale=0.5, bias=True)
    for image, shown, cam in zip(images, present, biased, strict=True):
        with torch.inference_mode():
            expected = normalise_cams(model(network_input(image, 0.5)))[0, torch.from_numpy(shown)]
        assert cam.astype(np.float32) == pytest.approx(expected.numpy(), abs=1e-3)
    assert not all(np.array_equal(a, b) for a, b in zip(plain, biased, strict=True))


def test_cams_are_deterministic_in_spite_of_dropout(
    images: list[np.ndarray], present: np.ndarray
) -> None:
    model = network(4).train()
    first, second = (infer_cams(model, images, present, scale=1.0) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_cams_at_pixels_are_zero_where_absent_and_one_at_their_peak(
    images: list[np.ndarray], present: np.ndarray
) -> None:
    model = network(4)
    for i, maps in enumerate(infer_cams(model, images, present, scale=1.0)):
        cam = cam_at_pixels(maps, present[i], SIZES[i], scale=1.0, output_stride=4)
        assert cam.shape == (4, *SIZES[i])
        assert cam[~torch.from_numpy(present[i])].eq(0).all()
        rows, columns = maps.shape[1:]
        inside = cam[torch.from_numpy(present[i]), ::4, ::4]
        on_features = torch.from_numpy(maps.astype(np.float32))[
            :, : inside.shape[1], : inside.shape[2]
        ]
        assert max(rows - inside.shape[1], columns - inside.shape[2]) <= 1
        torch.testing.assert_close(inside, on_features)


def test_cams_at_pixels_of_another_scale_keep_their_place() -> None:
    """A map that grows linearly along the resized image grows linearly along the image."""
    size, scale, stride = (33, 65), 0.5, 4
    columns = np.arange(9) * stride / 32  # 1 at the last pixel of 33
    maps = np.broadcast_to(columns, (1, 5, 9)).astype(np.float16)
    cam = cam_at_pixels(maps, np.array([False, True]), size, scale=scale, output_stride=stride)
    expected = np.broadcast_to(np.arange(65) / 64, size)
    assert cam[1].numpy() == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("batch_size", [1, 2, 16])
def test_predictions_are_those_of_each_image_alone(
    images: list[np.ndarray], batch_size: int
) -> None:
    model = network(3)
    for image, labels in zip(images, predict(model, images, batch_size=batch_size), strict=True):
        assert labels.dtype == np.uint8
        with torch.inference_mode():
            logits = model.eval()(network_input(image, 1.0))
        padded = [padded_length(n, 4) for n in image.shape[:2]]
        upsampled = F.interpolate(logits, padded, mode="bilinear", align_corners=True)
        cut = upsampled[0, :, : image.shape[0], : image.shape[1]]
        agree = cut.argmax(0).numpy() == labels
        assert agree.mean() > 0.99  # rounding decides where two logits tie
        best = cut.topk(2, 0).values
        assert (best[0] - best[1])[torch.from_numpy(~agree)].lt(1e-4).all()


def test_every_image_is_in_one_batch_of_its_size(images: list[np.ndarray]) -> None:
    groups = list(batches_of_one_size(images, 2))
    assert sorted(i for group in groups for i in group) == [0, 1, 2, 3, 4]
    for group in groups:
        assert len(group) <= 2
        assert len({SIZES[i] for i in group}) == 1
    assert len(groups) == 3


# --- scores --------------------------------------------------------------------------------


def test_score_counts_unknown_as_wrong(rng: np.random.Generator) -> None:
    truth = [rng.choice([0, 1, 2, UNKNOWN], size).astype(np.uint8) for size in SIZES]
    seeds = [rng.choice([0, 1, 2, UNKNOWN], size).astype(np.uint8) for size in SIZES]
    confusion = score(seeds, truth, 3)
    seed, true = (np.concatenate([m.ravel() for m in maps]) for maps in (seeds, truth))
    for t in range(4):
        for p, value in enumerate([0, 1, 2, UNKNOWN]):
            expected = 0 if t == 3 else np.sum((true == t) & (seed == value))
            assert confusion[t, p] == expected
    for label in range(3):
        counted = true != UNKNOWN
        intersection = np.sum((true == label) & (seed == label))
        union = np.sum(counted & ((true == label) | (seed == label)))
        assert iou(confusion)[label].item() == pytest.approx(intersection / union)


def test_score_of_complete_maps_is_the_confusion_matrix(rng: np.random.Generator) -> None:
    truth, maps = rng.integers(0, 3, (2, 4, 5, 6), np.uint8)
    confusion = score(list(maps), list(truth), 3)
    expected = confusion_matrix(torch.from_numpy(maps), torch.from_numpy(truth), 3)
    assert torch.equal(confusion[:3, :3], expected)
    assert confusion.sum() == expected.sum()


def test_score_of_packed_masks(tmp_path: Path, rng: np.random.Generator) -> None:
    truth = rng.integers(0, 3, (4, 5, 6), np.uint8)
    packed = pack(tmp_path / "masks", truth)
    assert score(packed, packed, 3).diagonal().sum() == truth.size


def test_as_many_maps_as_masks() -> None:
    with pytest.raises(ValueError, match="zip"):
        score([np.zeros((2, 2), np.uint8)], [], 2)
