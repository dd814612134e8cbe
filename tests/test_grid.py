"""Where features lie: lengths, and interpolation against torch's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from wsss.grid import feature_pixels, feature_spacing, padded_length, scaled_length, to_pixels


@settings(deadline=None)
@given(st.integers(1, 600), st.sampled_from([1, 2, 4, 8, 16]))
def test_padded_length_is_the_smallest_that_ends_on_a_feature(length: int, stride: int) -> None:
    padded = padded_length(length, stride)
    assert padded >= length
    assert padded - length < stride
    assert feature_pixels(padded, stride)[-1] == padded - 1


@settings(deadline=None)
@given(st.integers(1, 600), st.floats(0.25, 2))
def test_scaled_length_keeps_both_ends(length: int, scale: float) -> None:
    scaled = scaled_length(length, scale)
    assert scaled >= 1
    assert scaled - 1 <= (length - 1) * scale < scaled
    assert scaled_length(length, 1.0) == length


@pytest.mark.parametrize(("length", "scale"), [(321, 1.0), (321, 0.5), (500, 0.75), (375, 1.25)])
def test_features_span_the_image(length: int, scale: float) -> None:
    scaled = scaled_length(length, scale)
    spacing = feature_spacing(length, scale, 8)
    last_pixel_in_features = (scaled - 1) / 8
    assert last_pixel_in_features * spacing == pytest.approx(length - 1)


@pytest.mark.parametrize("size", [(9, 17), (33, 33), (321, 161)])
@pytest.mark.parametrize("stride", [1, 2, 4, 8])
def test_equals_torch_where_features_end_on_the_last_pixel(
    size: tuple[int, int], stride: int
) -> None:
    rows, columns = (len(feature_pixels(n, stride)) for n in size)
    maps = torch.randn(2, 3, rows, columns, generator=torch.Generator().manual_seed(0))
    expected = F.interpolate(maps, size, mode="bilinear", align_corners=True)
    torch.testing.assert_close(to_pixels(maps, stride, size), expected)


@pytest.mark.parametrize("scale", [0.5, 0.75, 1.125])
def test_equals_torch_at_other_scales(scale: float) -> None:
    size = (65, 97)
    scaled = [scaled_length(n, scale) for n in size]
    assert all(padded_length(n, 4) == n for n in scaled)
    rows, columns = (len(feature_pixels(n, 4)) for n in scaled)
    maps = torch.randn(1, 2, rows, columns, generator=torch.Generator().manual_seed(0))
    spacing = (feature_spacing(size[0], scale, 4), feature_spacing(size[1], scale, 4))
    expected = F.interpolate(maps, size, mode="bilinear", align_corners=True)
    torch.testing.assert_close(to_pixels(maps, spacing, size), expected)


@settings(deadline=None)
@given(st.integers(2, 6), st.floats(0.5, 9), st.integers(1, 40))
def test_a_linear_ramp_stays_linear_up_to_the_last_feature(
    features: int, spacing: float, pixels: int
) -> None:
    ramp = torch.arange(features, dtype=torch.float64)[None, :] * spacing
    values = to_pixels(ramp, (1, spacing), (1, pixels))[0]
    expected = np.minimum(np.arange(pixels), (features - 1) * spacing)
    assert values.numpy() == pytest.approx(expected, abs=1e-9)


def test_a_feature_keeps_its_value_on_its_pixel() -> None:
    maps = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    pixels = to_pixels(maps, 4, (9, 13))
    assert torch.equal(pixels[::4, ::4], maps)


def test_a_constant_stays_constant_and_rows_do_not_mix_with_columns() -> None:
    assert to_pixels(torch.ones(2, 3), (3, 5), (7, 20)).eq(1).all()
    rows = torch.tensor([[0.0, 0.0], [2.0, 2.0]])
    assert to_pixels(rows, 2, (3, 3)).tolist() == [[0, 0, 0], [1, 1, 1], [2, 2, 2]]


def test_what_lies_beyond_the_image_is_cut_off() -> None:
    maps = torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(0))
    whole = to_pixels(maps, 8, (33, 41))
    torch.testing.assert_close(to_pixels(maps, 8, (30, 35)), whole[:, :30, :35])
