"""Image and labels of one augmented sample must tell of the same place in the image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsss.data.affine import Augmentation, sample_image, sample_labels
from wsss.errors import InputError
from wsss.grid import feature_pixels

UNKNOWN = 255
FILL = (10.0, 20.0, 30.0)


def position_image(height: int, width: int) -> np.ndarray:
    """Each pixel's colour says where it is: (4 row, 4 column, 200)."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([4 * rows, 4 * columns, np.full_like(rows, 200)], -1).astype(np.uint8)


def row_and_column_maps(height: int, width: int) -> list[np.ndarray]:
    rows, columns = np.mgrid[:height, :width].astype(np.uint8)
    return [rows, columns]


@st.composite
def draws(draw: st.DrawFn) -> tuple[int, int, int, Augmentation, np.ndarray]:
    height, width = draw(st.integers(8, 60)), draw(st.integers(8, 60))
    stride = draw(st.sampled_from([1, 2, 4, 8]))
    crop = stride * draw(st.integers(1, 32 // stride)) + 1
    augmentation = Augmentation(crop, (0.5, 1.5), draw(st.booleans()))
    affine = augmentation.draw(height, width, np.random.default_rng(draw(st.integers(0, 2**32))))
    return height, width, stride, augmentation, affine


@settings(deadline=None, max_examples=80)
@given(draws())
def test_image_and_labels_come_from_the_same_place(
    case: tuple[int, int, int, Augmentation, np.ndarray],
) -> None:
    height, width, stride, augmentation, affine = case
    crop = augmentation.crop
    image = sample_image(position_image(height, width), affine, crop, FILL)
    assert (image.shape, image.dtype) == ((crop, crop, 3), np.uint8)
    rows, columns = sample_labels(row_and_column_maps(height, width), affine, crop, stride)
    at_features = image[::stride, ::stride]
    assert rows.shape == columns.shape == at_features.shape[:2]

    # Inside the image, the colour under a feature says which pixel its label comes from.
    inside = (at_features[..., 2] == 200) & (rows != UNKNOWN)
    # 0.5 for the nearest pixel, 1/16 for the fixed point of the interpolation and the colours
    assert np.all(np.abs(at_features[..., 0][inside] / 4 - rows[inside]) <= 0.5 + 0.2)
    assert np.all(np.abs(at_features[..., 1][inside] / 4 - columns[inside]) <= 0.5 + 0.2)
    # Outside, colour and label are both "nothing"; only the half pixel along the edge is mixed.
    filled = (at_features == np.array(FILL)).all(-1)
    unknown = rows == UNKNOWN
    assert np.array_equal(unknown, columns == UNKNOWN)
    assert not (filled & ~unknown).any()
    assert np.all(at_features[..., 2][unknown] <= 30 + 0.5 * 170 + 12)


@settings(deadline=None, max_examples=40)
@given(draws())
def test_labels_are_those_of_the_nearest_pixels(
    case: tuple[int, int, int, Augmentation, np.ndarray],
) -> None:
    height, width, stride, augmentation, affine = case
    rows, columns = sample_labels(
        row_and_column_maps(height, width), affine, augmentation.crop, stride
    )
    for i, y in enumerate(feature_pixels(augmentation.crop, stride)):
        for j, x in enumerate(feature_pixels(augmentation.crop, stride)):
            column, row = affine @ [x, y, 1.0]
            if -0.5 < row < height - 0.5 and -0.5 < column < width - 0.5:
                assert abs(rows[i, j] - row) <= 0.5 + 1e-9
                assert abs(columns[i, j] - column) <= 0.5 + 1e-9
            elif not (-0.5 <= row <= height - 0.5 and -0.5 <= column <= width - 0.5):
                assert rows[i, j] == columns[i, j] == UNKNOWN


@settings(deadline=None, max_examples=30)
@given(draws(), st.integers(1, 5))
def test_maps_sampled_together_are_maps_sampled_one_by_one(
    case: tuple[int, int, int, Augmentation, np.ndarray], k: int
) -> None:
    height, width, stride, augmentation, affine = case
    maps = list(np.random.default_rng(k).integers(0, 21, (k, height, width), np.uint8))
    together = sample_labels(maps, affine, augmentation.crop, stride)
    each = [sample_labels([label_map], affine, augmentation.crop, stride) for label_map in maps]
    assert together.dtype == np.uint8
    assert np.array_equal(together, np.concatenate(each))


@settings(deadline=None, max_examples=60)
@given(draws())
def test_crop_lies_in_the_scaled_image_or_the_scaled_image_in_the_crop(
    case: tuple[int, int, int, Augmentation, np.ndarray],
) -> None:
    height, width, _, augmentation, affine = case
    assert affine[0, 1] == affine[1, 0] == 0
    assert affine[1, 1] == pytest.approx(abs(affine[0, 0]))
    assert 1 / 1.5 <= affine[1, 1] <= 2
    corners = affine @ [[0, augmentation.crop - 1], [0, augmentation.crop - 1], [1, 1]]
    for (first, last), length in zip(np.sort(corners, 1), (width, height), strict=True):
        within = first >= -1e-9 and last <= length - 1 + 1e-9
        around = first <= 1e-9 and last >= length - 1 - 1e-9
        assert within or around


def test_identity_gives_the_image_back() -> None:
    image = position_image(33, 33)
    augmentation = Augmentation(33, (1, 1), mirror=False)
    affine = augmentation.draw(33, 33, np.random.default_rng(0))
    assert np.array_equal(sample_image(image, affine, 33, FILL), image)
    maps = row_and_column_maps(33, 33)
    assert np.array_equal(sample_labels(maps, affine, 33, 8), [m[::8, ::8] for m in maps])


def test_mirror_flips_image_and_labels() -> None:
    image, maps = position_image(17, 17), row_and_column_maps(17, 17)
    augmentation, rng = Augmentation(17, (1, 1)), np.random.default_rng(0)
    affines = [augmentation.draw(17, 17, rng) for _ in range(20)]
    mirrored = [affine for affine in affines if affine[0, 0] < 0]
    assert 0 < len(mirrored) < 20
    assert np.array_equal(sample_image(image, mirrored[0], 17, FILL), image[:, ::-1])
    rows, columns = sample_labels(maps, mirrored[0], 17, 4)
    assert np.array_equal(rows, maps[0][::4, ::-4])
    assert np.array_equal(columns, maps[1][::4, ::-4])


def test_integer_crop_is_a_slice() -> None:
    image = position_image(30, 40)
    shift = np.array([[1.0, 0.0, 7.0], [0.0, 1.0, 3.0]])
    assert np.array_equal(sample_image(image, shift, 17, FILL), image[3:20, 7:24])


def test_draws_cover_the_ranges() -> None:
    rng = np.random.default_rng(0)
    augmentation = Augmentation(33)
    affines = np.array([augmentation.draw(50, 60, rng) for _ in range(2000)])
    scales = 1 / affines[:, 1, 1]
    assert np.histogram(scales, 4, (0.5, 1.5))[0] == pytest.approx(500, rel=0.2)
    assert (affines[:, 0, 0] < 0).mean() == pytest.approx(0.5, abs=0.05)
    large = affines[scales > 1]
    tops = large[:, 1, 2] / (49 - 32 * large[:, 1, 1])  # as a share of the room there is
    assert np.histogram(tops, 4, (0, 1))[0] == pytest.approx(len(large) / 4, rel=0.2)


def test_drawing_is_reproducible() -> None:
    first, again = (Augmentation().draw(50, 60, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first, again)


def test_label_maps_of_other_sizes_are_refused() -> None:
    with pytest.raises(InputError, match=r"\(4, 5\).*\(5, 5\)"):
        sample_labels([np.zeros((5, 5)), np.zeros((4, 5))], np.eye(2, 3), 5, 2)


def test_inputs_are_not_written_to() -> None:
    image, label_map = position_image(9, 9), np.ones((9, 9), np.uint8)
    before = image.copy()
    outside = np.array([[1.0, 0.0, -4.0], [0.0, 1.0, -4.0]])
    sample_image(image, outside, 9, FILL)
    sample_labels([label_map], outside, 9, 4)
    assert np.array_equal(image, before)
    assert label_map.all()
