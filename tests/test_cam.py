"""CAMs against Eq. 2-3 written out, and their merging."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from wsss.cam import class_activation_maps, merge_cams, normalise_cams
from wsss.errors import InputError


def random_case(rng_seed: int, n: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    rng = np.random.default_rng(rng_seed)
    features = torch.from_numpy(rng.normal(size=(n, 6, 4, 5)).astype(np.float32))
    weight = torch.from_numpy(rng.normal(size=(4, 6)).astype(np.float32))
    return features, weight, torch.from_numpy(rng.random((n, 4)) < 0.5)


def test_is_eq_2_and_3_written_out() -> None:
    features, weight, present = random_case(0, n=2)
    cams = class_activation_maps(features, weight, present)
    for image in range(2):
        for c in range(4):
            raw = [
                [float(features[image, :, i, j] @ weight[c]) for j in range(5)] for i in range(4)
            ]
            positive = np.maximum(raw, 0)
            expected = positive / positive.max() if present[image, c] else np.zeros((4, 5))
            assert cams[image, c].numpy() == pytest.approx(expected, rel=1e-5, abs=1e-6)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_range_maximum_and_absent_classes(rng_seed: int) -> None:
    features, weight, present = random_case(rng_seed)
    cams = class_activation_maps(features, weight, present)
    assert cams.shape == (3, 4, 4, 5)
    assert cams.min() >= 0
    assert cams.max() <= 1
    assert cams[~present].eq(0).all()
    somewhere_positive = torch.einsum("ndhw,cd->nchw", features, weight).amax((2, 3)) > 0
    shown = present & somewhere_positive
    assert cams.amax((2, 3))[shown].eq(1).all()
    assert cams.amax((2, 3))[~shown].eq(0).all()


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_a_batch_is_its_images_one_by_one(rng_seed: int) -> None:
    features, weight, present = random_case(rng_seed)
    whole = class_activation_maps(features, weight, present)
    each = [
        class_activation_maps(features[i : i + 1], weight, present[i : i + 1]) for i in range(3)
    ]
    torch.testing.assert_close(torch.cat(each), whole)


def test_a_class_does_not_depend_on_which_others_are_present() -> None:
    features, weight, _ = random_case(1)
    every = class_activation_maps(features, weight, torch.ones(3, 4, dtype=torch.bool))
    only = torch.zeros(3, 4, dtype=torch.bool)
    only[:, 2] = True
    assert torch.equal(class_activation_maps(features, weight, only)[:, 2], every[:, 2])


def test_positive_scale_cancels() -> None:
    features, weight, present = random_case(2)
    scaled = weight * torch.tensor([1.0, 2.0, 0.5, 8.0])[:, None]
    torch.testing.assert_close(
        class_activation_maps(features, scaled, present),
        class_activation_maps(features, weight, present),
    )


def test_with_a_bias_maps_are_those_of_the_linear_layer() -> None:
    features, weight, present = random_case(3)
    bias = torch.tensor([-1.5, 0.0, 0.5, 100.0])
    scores = torch.nn.functional.linear(features.permute(0, 2, 3, 1), weight, bias)
    expected = normalise_cams(scores.permute(0, 3, 1, 2))
    expected[~present] = 0
    biased = class_activation_maps(features, weight, present, bias=bias)
    torch.testing.assert_close(biased, expected)
    plain = class_activation_maps(features, weight, present)
    assert torch.equal(biased[:, 1], plain[:, 1]), "a bias of zero, or another class's, changed it"
    assert (biased[:, 0] <= plain[:, 0]).all(), "a negative bias made a map wider"
    assert (biased[:, 2] >= plain[:, 2]).all(), "a positive bias made a map narrower"


def test_a_bias_of_another_length_is_quoted() -> None:
    features, weight, present = random_case(0)
    with pytest.raises(InputError, match=r"bias \(3,\)"):
        class_activation_maps(features, weight, present, bias=torch.zeros(3))


def test_input_is_not_written_to() -> None:
    maps = torch.tensor([[[[-1.0, 2.0]]]])
    normalise_cams(maps)
    assert maps.flatten().tolist() == [-1, 2]


@pytest.mark.parametrize(
    ("weight", "present"),
    [((4, 5), (2, 4)), ((4, 6), (2, 3)), ((4, 6), (1, 4)), ((4, 6, 1, 1), (2, 4))],  # a convolution
)
def test_shapes_that_do_not_fit_are_quoted(weight: tuple, present: tuple) -> None:
    with pytest.raises(InputError) as caught:
        class_activation_maps(
            torch.zeros(2, 6, 3, 3), torch.zeros(weight), torch.zeros(present, dtype=torch.bool)
        )
    assert str(weight) in str(caught.value)
    assert str(present) in str(caught.value)


# --- merging -------------------------------------------------------------------------------


def three_scales(rng_seed: int = 0) -> list[Tensor]:
    rng = np.random.default_rng(rng_seed)
    maps = torch.from_numpy(rng.random((3, 2, 4, 5, 6)).astype(np.float32))
    maps[:, :, 3] = 0  # absent
    return [normalise_cams(each) for each in maps]


@pytest.mark.parametrize("how", ["max", "mean"])
def test_merged_maps_are_normalised_again_unless_told_not_to(how) -> None:
    cams = three_scales()
    stacked = np.stack([cam.numpy() for cam in cams])
    plain = stacked.max(0) if how == "max" else stacked.mean(0)
    assert merge_cams(cams, how, renormalise=False).numpy() == pytest.approx(plain)
    peak = plain.max((2, 3), keepdims=True)
    expected = np.divide(plain, peak, out=np.zeros_like(plain), where=peak > 0)
    merged = merge_cams(cams, how)
    assert merged.numpy() == pytest.approx(expected, rel=1e-5)
    assert merged[:, :3].amax((2, 3)).numpy() == pytest.approx(1)
    assert merged[:, 3].eq(0).all()


@pytest.mark.parametrize("how", ["max", "mean"])
def test_merging_one_map_or_equal_maps_changes_nothing(how) -> None:
    cam = three_scales()[0]
    torch.testing.assert_close(merge_cams([cam], how), cam)
    torch.testing.assert_close(merge_cams([cam, cam, cam], how), cam)


@pytest.mark.parametrize("how", ["max", "mean"])
def test_order_of_scales_does_not_matter(how) -> None:
    cams = three_scales()
    torch.testing.assert_close(merge_cams(cams[::-1], how), merge_cams(cams, how))


def test_maps_that_cannot_be_merged_are_refused() -> None:
    with pytest.raises(InputError, match="none"):
        merge_cams([], "max")
    with pytest.raises(InputError, match=r"\(1, 1, 2, 2\), \(1, 1, 3, 2\)"):
        merge_cams([torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 3, 2)], "max")
    with pytest.raises(InputError, match=r"\(N, C, H, W\); got \(1, 2, 2\)$"):
        merge_cams([torch.zeros(1, 2, 2)], "max")
