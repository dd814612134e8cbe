"""Both types of seeds: thresholds against their truth table, CRF against plain pydensecrf."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from wsss.crf import DenseCRF
from wsss.data.voc import VocFolder
from wsss.errors import InputError
from wsss.grid import to_pixels
from wsss.seeds import CrfSeed, ThresholdSeed, crf_seed, crf_seeds_of_image, threshold_seed

UNKNOWN = 255


# --- threshold -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cam", "saliency", "expected"),
    [
        (0.5, 0.5, 1),  # foreground only
        (0.0, 0.0, 0),  # background only
        (0.5, 0.0, UNKNOWN),  # both
        (0.0, 0.5, UNKNOWN),  # neither
        (0.1, 0.5, UNKNOWN),  # the thresholds themselves are outside
        (0.1, 0.06, UNKNOWN),
        (0.5, 0.06, 1),
    ],
)
def test_truth_table_of_one_class(cam: float, saliency: float, expected: int) -> None:
    seed = threshold_seed(torch.full((1, 1, 2, 3), cam), torch.full((1, 2, 3), saliency))
    assert seed.dtype == torch.uint8
    assert torch.equal(seed, torch.full((1, 2, 3), expected, dtype=torch.uint8))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.floats(0, 1))
def test_strict_seeds_lack_just_the_pixels_of_two_classes(
    rng_seed: int, foreground: float, background: float
) -> None:
    rng = np.random.default_rng(rng_seed)
    cam = torch.from_numpy(rng.random((2, 3, 4, 5)))
    saliency = torch.from_numpy(rng.random((2, 4, 5)))
    seed, strict = (
        threshold_seed(
            cam,
            saliency,
            foreground_above=foreground,
            background_below=background,
            class_conflict=class_conflict,
        )
        for class_conflict in ("argmax", "unknown")
    )
    in_conflict = sum((cam[:, c] > foreground).int() for c in range(3)) >= 2
    assert strict[in_conflict].eq(UNKNOWN).all()
    assert torch.equal(strict[~in_conflict], seed[~in_conflict])


@pytest.mark.parametrize("low", [-0.1, math.nan, 30.0])
def test_thresholds_and_floors_out_of_range_are_refused(low: float) -> None:
    cam, saliency = torch.zeros(1, 2, 3, 3), torch.zeros(1, 3, 3)
    image = torch.zeros(1, 3, 3, 3, dtype=torch.uint8)
    with pytest.raises(InputError, match=r"foreground_above is .*; both are 0 to 1"):
        threshold_seed(cam, saliency, foreground_above=low)
    with pytest.raises(InputError, match="; both are 0 to 1"):
        ThresholdSeed(background_below=low)
    with pytest.raises(InputError, match="cam_floor is "):
        crf_seed(image, cam, saliency, cam_floor=low)
    with pytest.raises(InputError, match="cam_floor is "):
        CrfSeed(cam_floor=low)


def test_no_image_has_no_seed() -> None:
    image, cam = torch.zeros(0, 3, 4, 5, dtype=torch.uint8), torch.zeros(0, 2, 4, 5)
    for seed in (crf_seed(image, cam, cam[:, 0]), threshold_seed(cam, cam[:, 0])):
        assert (seed.shape, seed.dtype) == ((0, 4, 5), torch.uint8)


def test_an_unknown_rule_for_conflicts_is_refused() -> None:
    with pytest.raises(InputError, match="'smaller'"):
        threshold_seed(torch.zeros(1, 1, 2, 2), torch.zeros(1, 2, 2), class_conflict="smaller")  # type: ignore[arg-type]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.floats(0, 1))
def test_threshold_pixel_by_pixel(rng_seed: int, foreground: float, background: float) -> None:
    rng = np.random.default_rng(rng_seed)
    cam, saliency = rng.random((2, 3, 4, 5)), rng.random((2, 4, 5))
    cam[:, 1] = 0  # absent
    seed = threshold_seed(
        torch.from_numpy(cam),
        torch.from_numpy(saliency),
        foreground_above=foreground,
        background_below=background,
        ignore_index=77,
    )
    for n, i, j in np.ndindex(2, 4, 5):
        scores = cam[n, :, i, j]
        is_foreground, is_background = scores.max() > foreground, saliency[n, i, j] < background
        if is_foreground == is_background:
            expected = 77
        else:
            expected = int(scores.argmax()) + 1 if is_foreground else 0
        assert seed[n, i, j] == expected
    assert not (seed == 2).any(), "an absent class appeared"


def test_shapes_that_do_not_fit_are_quoted() -> None:
    cam, saliency = torch.zeros(2, 3, 4, 5), torch.zeros(2, 5, 4)
    with pytest.raises(InputError, match=r"\(2, 3, 4, 5\).*\(2, 5, 4\)"):
        threshold_seed(cam, saliency)
    with pytest.raises(InputError, match=r"\(2, 3, 4, 5\).*\(2, 5, 4\)"):
        crf_seed(torch.zeros(2, 3, 4, 5, dtype=torch.uint8), cam, saliency)
    with pytest.raises(InputError, match=r"\(2, 3, 4, 6\).*\(2, 3, 4, 5\)"):
        crf_seed(torch.zeros(2, 3, 4, 6, dtype=torch.uint8), cam, torch.zeros(2, 4, 5))


def threshold(_: Tensor, cam: Tensor, saliency: Tensor) -> Tensor:
    return threshold_seed(cam, saliency)


BOTH = pytest.mark.parametrize("make", [threshold, crf_seed])


def maps(classes: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Image (1, 3, 6, 7), maps (1, C, 6, 7) that show class 1 on the left, and saliency."""
    cam = torch.zeros(1, classes, 6, 7)
    cam[:, 0, :, :3] = 0.9
    return (255 * (cam[:, :1] > 0)).expand(1, 3, 6, 7).byte(), cam, cam[:, 0].clone()


def test_saliency_may_be_of_half_the_bits() -> None:
    """In bfloat16 the bounds with their room for rounding are 0 and 1 themselves."""
    _, cam, saliency = maps()
    saliency[saliency > 0] = 1
    assert torch.equal(threshold_seed(cam, saliency.bfloat16()), threshold_seed(cam, saliency))


@BOTH
@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda cam, saliency: (cam / cam.amax((2, 3), keepdim=True), saliency), "CAM.*NaN"),
        (lambda cam, saliency: (cam, saliency * np.nan), "nan to nan.*without NaN"),
        (lambda cam, saliency: (cam, saliency * 255), r"0 to 229.5; it is in \[0, 1\]"),
        (lambda cam, saliency: (cam, saliency - 0.1), r"-0.1 to 0.8; it is in \[0, 1\]"),
        (lambda cam, saliency: (cam, (saliency * 255).byte()), "torch.uint8.*divide by 255"),
        (lambda cam, saliency: (cam.expand(1, 2, 6, 7).repeat(1, 128, 1, 1), saliency), "254"),
    ],
    ids=["zero by zero", "NaN", "0 to 255", "negative", "bytes", "256 classes"],
)
def test_maps_that_make_no_seed_are_refused(make, spoil, says) -> None:
    image, cam, saliency = maps()
    with pytest.raises(InputError, match=says):
        make(image, *spoil(cam, saliency))


@BOTH
def test_the_last_label_does_not_wrap(make) -> None:
    image, cam, saliency = maps(254)
    assert make(image, cam.flip(1), saliency)[0, 0, 0] == 254


@BOTH
def test_maps_with_a_gradient_make_the_same_seed(make) -> None:
    image, cam, saliency = maps()
    seed = make(image, cam.requires_grad_(), saliency.requires_grad_())
    assert not seed.requires_grad
    assert torch.equal(seed, make(image, cam.detach(), saliency.detach()))


@pytest.mark.parametrize("ignore_index", [-100, 0, 2, 256])
def test_an_unknown_label_that_wraps_or_means_a_class_is_refused(ignore_index: int) -> None:
    with pytest.raises(InputError, match=f"ignore_index is {ignore_index}"):
        threshold_seed(*maps()[1:], ignore_index=ignore_index)


# --- CRF -----------------------------------------------------------------------------------


def plain_pydensecrf(image: np.ndarray, cam: Tensor, saliency: Tensor) -> np.ndarray:
    """One seed of one image as in the examples of pydensecrf, over every label there is."""
    dcrf = pytest.importorskip("pydensecrf.densecrf")
    height, width = saliency.shape
    scores = np.concatenate([1 - saliency[None].numpy(), cam.numpy()])
    shown = [0, *(1 + np.flatnonzero(cam.numpy().max((1, 2)) > 0))]
    unary = -np.log(np.maximum(scores[shown], 1e-5)).astype(np.float32)
    crf = dcrf.DenseCRF2D(width, height, len(shown))
    crf.setUnaryEnergy(np.ascontiguousarray(unary.reshape(len(shown), -1)))
    crf.addPairwiseGaussian(sxy=3, compat=3)
    crf.addPairwiseBilateral(sxy=80, srgb=13, rgbim=np.array(image, order="C"), compat=10)
    best = np.argmax(crf.inference(10), axis=0).reshape(height, width)
    return np.array(shown)[best]


def smooth_maps(count: int, size: tuple[int, int], rng: np.random.Generator) -> Tensor:
    """`count` random maps in [0, 1], as coarse as CAMs."""
    coarse = torch.from_numpy(rng.random((count, 6, 8)).astype(np.float32)) ** 2
    spacing = ((size[0] - 1) / 5, (size[1] - 1) / 7)
    maps = to_pixels(coarse, spacing, size)
    return maps / maps.amax((1, 2), keepdim=True)


@pytest.fixture(scope="module")
def photos(voc_mini: Path) -> list[np.ndarray]:
    """Three photos of different sizes, at half their size."""
    folder = VocFolder(voc_mini)
    every = [folder.image(name)[::2, ::2] for name in folder.ids("train")[:12]]
    return list({image.shape: image for image in every}.values())[:3]


def test_crf_seed_is_plain_pydensecrf_seed_by_seed(
    photos: list[np.ndarray], rng: np.random.Generator
) -> None:
    crf = DenseCRF()
    for image in photos:
        size = image.shape[:2]
        cams = [smooth_maps(4, size, rng) for _ in range(3)]
        for cam in cams:
            cam[[0, 2]] = 0  # absent
        saliency = smooth_maps(1, size, rng)[0]
        together = crf_seeds_of_image(image, cams, saliency, crf=crf)
        for cam, seed in zip(cams, together, strict=True):
            expected = plain_pydensecrf(image, cam, saliency)
            assert seed.dtype == torch.uint8
            assert np.array_equal(seed.numpy(), expected)
            assert set(np.unique(expected)) <= {0, 2, 4}
            pixels = torch.from_numpy(image.copy()).permute(2, 0, 1)
            alone = crf_seed(pixels[None], cam[None], saliency[None], crf=crf)
            assert torch.equal(alone[0], seed)


def test_seeds_of_scales_that_see_different_classes(photos: list[np.ndarray]) -> None:
    image, rng = photos[0], np.random.default_rng(1)
    cams = [smooth_maps(3, image.shape[:2], rng) for _ in range(2)]
    cams[0][1:] = 0
    cams[1][:1] = 0
    saliency = smooth_maps(1, image.shape[:2], rng)[0]
    first, second = crf_seeds_of_image(image, cams, saliency)
    assert set(first.unique().tolist()) == {0, 1}
    assert set(second.unique().tolist()) <= {0, 2, 3}
    assert np.array_equal(first.numpy(), plain_pydensecrf(image, cams[0], saliency))


@pytest.mark.parametrize("shown", [1, 2, 3, 5])
def test_a_crf_seed_is_the_same_in_whatever_company(shown: int) -> None:
    """To the last bit, so that what is made together changes no result."""
    rng = np.random.default_rng(shown)
    image = rng.integers(0, 256, (30, 40, 3), np.uint8)
    cams = [smooth_maps(6, (30, 40), rng) for _ in range(9)]
    for cam in cams:
        cam[shown:] = 0
    cams[4][0] = 0  # one that does not see a class that the others see
    saliency = smooth_maps(1, (30, 40), rng)[0]
    together = crf_seeds_of_image(image, cams, saliency)
    for cam, seed in zip(cams, together, strict=True):
        assert torch.equal(crf_seeds_of_image(image, [cam], saliency)[0], seed)


def two_halves() -> tuple[Tensor, Tensor]:
    """A black and white image (1, 3, 8, 10) and the CAM (1, 2, 8, 10) of class 2 on its right."""
    image = torch.zeros(1, 3, 8, 10, dtype=torch.uint8)
    image[..., 5:] = 255
    cam = torch.zeros(1, 2, 8, 10)
    cam[:, 1] = 0.2
    cam[:, 1, :, 5:] = 0.9
    return image, cam


def test_batch_of_crf_seeds_is_one_by_one() -> None:
    image, cam = two_halves()
    images = torch.cat([image, image.flip(-1)])
    cams = torch.cat([cam, cam.flip(-1)])
    seeds = crf_seed(images, cams, cams[:, 1])
    expected = torch.zeros(8, 10, dtype=torch.uint8)
    expected[:, 5:] = 2
    assert torch.equal(seeds, torch.stack([expected, expected.flip(-1)]))


def test_an_image_without_classes_is_background() -> None:
    image, cam = two_halves()
    seed = crf_seed(image, torch.zeros_like(cam), torch.ones(1, 8, 10))
    assert torch.equal(seed, torch.zeros(1, 8, 10, dtype=torch.uint8))


def test_crf_parameters_are_used() -> None:
    image, cam = two_halves()
    cam[0, 1, 3, 7] = 0.1  # a lone pixel
    saliency = cam[:, 1]
    kept = crf_seed(image, cam, saliency, crf=DenseCRF(iterations=0))
    smoothed = crf_seed(image, cam, saliency)
    assert kept[0, 3, 7] == 0
    assert smoothed[0, 3, 7] == 2


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(0, 0.99))
def test_a_floor_without_neighbours_is_an_argmax(rng_seed: int, floor: float) -> None:
    rng = np.random.default_rng(rng_seed)
    cam, saliency = rng.random((3, 5, 6)).astype(np.float32), rng.random((5, 6))
    cam[:, :2] = 0  # negative before Eq. 3
    cam[1] = 0  # absent
    alone = DenseCRF(gaussian_compat=0, bilateral_compat=0)
    (seed,) = crf_seeds_of_image(
        np.zeros((5, 6, 3), np.uint8),
        [torch.from_numpy(cam)],
        torch.from_numpy(saliency),
        crf=alone,
        cam_floor=floor,
    )
    for i, j in np.ndindex(5, 6):
        scores = [1 - saliency[i, j], max(cam[0, i, j], floor), 0, max(cam[2, i, j], floor)]
        if np.ptp(np.sort(scores)[-2:]) > 1e-5:  # float32 may decide a tie
            assert seed[i, j] == np.argmax(scores)


def test_a_floor_keeps_what_saliency_sees_and_the_cam_does_not() -> None:
    image, cam = two_halves()
    cam[:, 1, :, 5:8] = 0
    saliency = torch.zeros(1, 8, 10)
    saliency[..., 5:] = 0.99
    eroded = crf_seed(image, cam, saliency, crf=DenseCRF(iterations=0))
    whole = crf_seed(image, cam, saliency, crf=DenseCRF(iterations=0), cam_floor=0.1)
    assert eroded[0, 0].tolist() == 8 * [0] + 2 * [2]
    assert whole[0, 0].tolist() == 5 * [0] + 5 * [2]


def test_a_floor_shows_no_class_that_one_of_the_cams_lacks() -> None:
    image, cam = two_halves()
    lacking = cam[0].flip(0)  # class 1 alone
    together = crf_seeds_of_image(
        image[0].permute(1, 2, 0).numpy(), [cam[0], lacking], torch.full((8, 10), 0.99),
        cam_floor=0.5,
    )  # fmt: skip
    assert [seed.unique().tolist() for seed in together] == [[2], [1]]
