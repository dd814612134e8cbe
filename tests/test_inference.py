"""CAMs and label maps of whole sets, against one image at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from wsss.cam import cam_at_pixels, class_activation_maps, infer_cams, normalise_cams
from wsss.crf import DenseCRF
from wsss.errors import InputError
from wsss.grid import padded_length, scaled_length
from wsss.inference import SCALES, Protocol, infer_labels, infer_logits, label_map, predict
from wsss.inputs import batches_of_one_shape
from wsss.inputs import network_input as input_of
from wsss.models import get_model
from wsss.models.network import SCENES, Network
from wsss.training import isolated_randomness

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
        nn.init.normal_(model.classifier.weight)  # every label wins somewhere
        nn.init.normal_(model.classifier.bias, std=0.1)
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


def interpolated(maps: np.ndarray, axis: int, pixels: int, scale: float) -> np.ndarray:
    """Interpolate one axis of maps with a feature every 4 pixels of the resized image."""
    places = np.linspace(0, scaled_length(pixels, scale) - 1, pixels) / 4
    return np.apply_along_axis(
        lambda line: np.interp(places, np.arange(len(line)), line), axis, maps
    )


def logits_of_one(model: Network, image: np.ndarray, protocol: Protocol) -> np.ndarray:
    """Logits of one image at its pixels, averaged as MCIC does."""
    means = []
    for flip in [False, True] if protocol.flip else [False]:
        seen, maps = np.ascontiguousarray(image[:, ::-1]) if flip else image, []
        for scale in protocol.scales:
            with torch.inference_mode():
                logits = model.eval()(network_input(seen, scale))[0].numpy()
            rows = interpolated(logits, 1, image.shape[0], scale)
            maps.append(interpolated(rows, 2, image.shape[1], scale))
        mean = np.mean([*maps, np.max(maps, 0)], 0)
        means.append(mean[..., ::-1] if flip else mean)
    return np.mean(means, 0)


@pytest.mark.parametrize(
    "protocol",
    [Protocol(), Protocol((0.5,)), Protocol(flip=True), Protocol(SCALES, flip=True)],
    ids=["single", "half", "flip", "all"],
)
@pytest.mark.parametrize("batch_size", [1, 16])
def test_logits_are_averaged_over_scales_their_maximum_and_the_mirror(
    images: list[np.ndarray], protocol: Protocol, batch_size: int
) -> None:
    model, seen = network(3), []
    for i, logits in infer_logits(model, images, protocol, batch_size=batch_size):
        seen.append(i)
        expected = logits_of_one(model, images[i], protocol)
        assert logits.numpy() == pytest.approx(expected, abs=1e-4 * np.abs(expected).max())
    assert sorted(seen) == [0, 1, 2, 3, 4]


def test_images_of_one_pixel_have_labels_at_every_scale(rng: np.random.Generator) -> None:
    """Such a side has one feature, and no distance to a next one."""
    thin = [rng.integers(0, 256, (*size, 3), np.uint8) for size in [(1, 1), (1, 9), (9, 1)]]
    for i, logits in infer_logits(network(3), thin, Protocol(scales=(0.5, 1.0), flip=True)):
        assert logits.shape[1:] == thin[i].shape[:2]
        assert logits.isfinite().all()


def test_images_of_other_sizes_and_equal_inputs_share_a_batch(rng: np.random.Generator) -> None:
    """Both are padded to 21 x 25; neither sees the other's padding."""
    pair = [rng.integers(0, 256, (*size, 3), np.uint8) for size in [(18, 25), (20, 23)]]
    model, batches = network(3), []
    model.trunk.register_forward_pre_hook(lambda _, inputs: batches.append(inputs[0].shape))
    together = predict(model, pair)
    assert batches == [(2, 3, 21, 25)]
    for image, labels in zip(pair, together, strict=True):
        assert (labels == predict(model, [image])[0]).mean() > 0.99


def test_the_crf_sees_the_negative_averaged_logits(images: list[np.ndarray]) -> None:
    crf = DenseCRF(gaussian_compat=0.5, bilateral_compat=1.0)
    protocol = Protocol(SCALES, flip=True, crf=crf)
    model = network(3)
    with torch.no_grad():  # no label wins everywhere
        model.classifier.bias -= model.eval()(network_input(images[0], 1.0)).mean((0, 2, 3))
    for image, labels in zip(images, predict(model, images, protocol), strict=True):
        logits = logits_of_one(model, image, protocol).astype(np.float32)
        assert (labels == crf(image, -logits[None])[0].argmax(0)).mean() > 0.99
        assert (labels == logits.argmax(0)).mean() < 0.97


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_under_autocast_logits_are_float32_all_the_same(
    images: list[np.ndarray], dtype: torch.dtype
) -> None:
    model, protocol = network(3), Protocol(SCALES, flip=True)
    exact = dict(infer_logits(model, images, protocol))
    with torch.autocast("cpu", dtype):
        rounded = dict(infer_logits(model, images, protocol))
        assert predict(model, images)[0].dtype == np.uint8
    for i, logits in exact.items():
        assert rounded[i].dtype == torch.float32
        torch.testing.assert_close(
            rounded[i], logits, rtol=0, atol=0.02 * float(logits.abs().max())
        )


def test_under_autocast_maps_are_made_of_the_features_in_float32(
    images: list[np.ndarray], present: np.ndarray
) -> None:
    model = network(4)
    every = np.ones_like(present[:1])
    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        (maps,) = infer_cams(model, images[:1], every, scale=1.0)
        features = model.trunk(input_of(model, images[:1], 1.0))
    weight = model.classifier.weight.flatten(1)
    expected = class_activation_maps(features.float(), weight, torch.from_numpy(every).bool())
    assert np.array_equal(maps, expected[0].detach().half().numpy())


def test_cams_at_pixels_under_autocast_and_another_default() -> None:
    maps, present = np.random.default_rng(0).random((1, 3, 3), np.float32), np.array([False, True])

    def at_pixels() -> torch.Tensor:
        return cam_at_pixels(maps, present, (9, 9), scale=1.0, output_stride=4)

    expected = at_pixels()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(at_pixels(), expected)
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.equal(at_pixels(), expected)
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("shape", [(1, 2, 2), (3, 2, 2), (2, 2)])
def test_cams_of_other_classes_are_refused(shape: tuple[int, ...]) -> None:
    present = np.array([True, True, False])
    with pytest.raises(InputError, match="of 2 present classes; give"):
        cam_at_pixels(np.ones(shape), present, (5, 5), scale=1.0, output_stride=4)


@pytest.mark.parametrize(
    "wrong", [np.zeros((9, 9, 3)), np.zeros((9, 9), np.uint8), np.zeros((9, 9, 4), np.uint8), [[0]]]
)
def test_what_is_no_image_is_refused(wrong: np.ndarray) -> None:
    model, present = network(3), np.array([[True, False, True]])
    with pytest.raises(InputError, match=r"an image is .*; give an array"):
        predict(model, [wrong])
    with pytest.raises(InputError, match=r"an image is .*; give an array"):
        infer_cams(model, [wrong], present, scale=1.0)


def test_more_labels_than_a_mask_holds_are_refused(images: list[np.ndarray]) -> None:
    assert predict(network(255), images[:1])[0].dtype == np.uint8
    with pytest.raises(InputError, match="logits of 256 labels"):
        predict(network(256), images[:1])


@pytest.mark.parametrize("scales", [(), (1.0, 0.0), (-1.0,), (1.0, math.nan)])
def test_scales_that_make_no_sense(scales: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="scales"):
        Protocol(scales)


def test_a_network_can_be_trained_on_after_it_was_looked_at(
    images: list[np.ndarray], present: np.ndarray
) -> None:
    for look in (lambda model: infer_cams(model, images, present, scale=1.0),
                 lambda model: predict(model, images)):  # fmt: skip
        model = network(4)
        look(model)
        model(torch.zeros(1, 3, 9, 9)).sum().backward()
        assert all(each.grad is not None for each in model.parameters())


def test_every_image_is_in_one_batch_of_its_shape() -> None:
    groups = list(batches_of_one_shape(SIZES, 2))
    assert sorted(i for group in groups for i in group) == [0, 1, 2, 3, 4]
    for group in groups:
        assert len(group) <= 2
        assert len({SIZES[i] for i in group}) == 1
    assert len(groups) == 3


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_labels_are_the_same_with_any_number_of_threads(
    rng: np.random.Generator, threads: int
) -> None:
    torch.manual_seed(0)
    model = get_model("vgg16_scenes", head="largefov", num_classes=3, width=1 / 8)
    images = [rng.integers(0, 256, (12 + i % 3, 16, 3)).astype(np.uint8) for i in range(14)]
    protocol = Protocol((0.75, 1.0), flip=True, crf=DenseCRF(iterations=1))
    found = {i: (before, after) for i, before, after in infer_labels(
        model, images, protocol, threads=threads)}  # fmt: skip
    assert sorted(found) == list(range(14))
    for i, logits in infer_logits(model, images, protocol):
        assert np.array_equal(found[i][0], label_map(logits, images[i]))
        assert np.array_equal(found[i][1], label_map(logits, images[i], protocol.crf))


def test_labels_may_be_numbers(images: list[np.ndarray], present: np.ndarray) -> None:
    """0 and 1, as a ``cls_labels.npy`` has them, are no places."""
    model = network(4)
    for a, b in zip(
        infer_cams(model, images, present, scale=1.0),
        infer_cams(model, images, present.astype(np.int64), scale=1.0),
        strict=True,
    ):
        assert np.array_equal(a, b)
    maps = np.ones((1, 2, 2), np.float16)
    cam = cam_at_pixels(maps, np.array([0, 1]), (5, 5), scale=1.0, output_stride=4)
    assert cam.mean((1, 2)).tolist() == [0, 1]
