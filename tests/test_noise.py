"""Block noise is exact; formulas of noisy labels against every outcome and many draws."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from wsss.errors import InputError
from wsss.losses import seed_weights
from wsss.noise import block_noise, draw_labels, plurality, right_share

UNKNOWN = 255


def a_mask(rng_seed: int, size: tuple[int, int] = (40, 50)) -> np.ndarray:
    """Two objects with an unknown rim."""
    rng = np.random.default_rng(rng_seed)
    mask = np.zeros(size, np.uint8)
    for label in (1, 2):
        top, left = rng.integers(0, [size[0] - 15, size[1] - 18])
        mask[top : top + 15, left : left + 18] = UNKNOWN
        mask[top + 1 : top + 14, left + 1 : left + 17] = label
    return mask


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 2**16),
    st.floats(0, 1),
    st.sampled_from([(0.05, 0.3, 8), (0.4, 0.9, 1), (0.02, 0.1, 1)]),
)
@example(3, 0, (0.05, 0.3, 8))
@example(3, 1, (0.05, 0.3, 8))
def test_removes_exactly_the_ratio_and_touches_nothing_else(
    rng_seed: int, ratio: float, blocks: tuple[float, float, int]
) -> None:
    mask = a_mask(rng_seed)
    before = mask.copy()
    smallest, largest, least = blocks
    noisy = block_noise(
        mask,
        ratio,
        np.random.default_rng(rng_seed),
        smallest=smallest,
        largest=largest,
        least_pixels=least,
    )
    assert (noisy.shape, noisy.dtype) == (mask.shape, mask.dtype)
    assert np.array_equal(mask, before)
    foreground = (mask != 0) & (mask != UNKNOWN)
    changed = noisy != mask
    assert changed.sum() == round(ratio * foreground.sum())
    assert foreground[changed].all()
    assert (noisy[changed] == 0).all()


def test_same_generator_state_gives_the_same_noise_and_two_calls_two() -> None:
    mask = a_mask(0)
    first, again = (block_noise(mask, 0.3, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first, again)
    rng = np.random.default_rng(5)
    one, two = block_noise(mask, 0.3, rng), block_noise(mask, 0.3, rng)
    assert np.array_equal(one, first)
    assert not np.array_equal(one, two)


def test_what_is_removed_is_blocks_of_the_asked_size() -> None:
    mask = np.ones((200, 200), np.uint8)
    noisy = block_noise(mask, 0.02, np.random.default_rng(1), smallest=0.1, largest=0.1)
    regions, _ = ndimage.label(noisy == 0)
    sizes = [np.ptp(np.nonzero(regions == 1 + i), axis=1) + 1 for i in range(regions.max())]
    assert (noisy == 0).sum() == 800
    # Two blocks of 20 by 20 pixels, unless the image's edge cut one.
    assert all(size.max() <= 41 for size in sizes)
    assert max(size.min() for size in sizes) >= 20


def test_ratio_of_copies_overlaps_only_by_chance() -> None:
    mask = np.ones((100, 100), np.uint8)
    rng = np.random.default_rng(0)
    overlap = np.mean(
        [
            ((block_noise(mask, 0.3, rng) == 0) & (block_noise(mask, 0.3, rng) == 0)).mean()
            for _ in range(20)
        ]
    )
    assert overlap == pytest.approx(0.09, abs=0.02)


@pytest.mark.parametrize("mask", [np.zeros((9, 9), np.uint8), np.full((9, 9), UNKNOWN, np.uint8)])
def test_without_foreground_nothing_happens(mask: np.ndarray) -> None:
    assert np.array_equal(block_noise(mask, 0.5, np.random.default_rng(0)), mask)


def test_memory_order_does_not_matter() -> None:
    mask = a_mask(4)
    turned = np.asfortranarray(mask)
    first, second = (block_noise(m, 0.4, np.random.default_rng(0)) for m in (mask, turned))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("ratio", [-0.01, 1.01, float("nan")])
def test_a_ratio_that_is_no_share_is_refused(ratio: float) -> None:
    with pytest.raises(InputError, match="ratio"):
        block_noise(a_mask(0), ratio, np.random.default_rng(0))


def outcomes(copies, ratio, num_labels):
    """Every tuple of labels with its probability; the true label is 0."""
    wrong = ratio / (num_labels - 1)
    for labels in product(range(num_labels), repeat=copies):
        yield labels, np.prod([1 - ratio if label == 0 else wrong for label in labels])


CASES = [(1, 0.3, 2), (2, 0.3, 2), (2, 0.4, 6), (3, 0.3, 3), (4, 0.6, 3), (5, 0.45, 4)]


@pytest.mark.parametrize(("copies", "ratio", "num_labels"), CASES)
def test_plurality_counts_every_outcome(copies, ratio, num_labels):
    right = wrong = 0.0
    for labels, chance in outcomes(copies, ratio, num_labels):
        votes = np.bincount(labels, minlength=num_labels)
        right += chance * (votes[0] > votes[1:].max())
        wrong += chance * (votes[0] < votes[1:].max())
    assert plurality(copies, ratio, num_labels) == pytest.approx((right, wrong))


@pytest.mark.parametrize(("copies", "ratio", "num_labels"), CASES)
@pytest.mark.parametrize(("sharpness", "accuracy"), [(0.0, 0.2), (1.0, 0.7), (3.0, 0.0)])
def test_right_share_counts_every_outcome(copies, ratio, num_labels, sharpness, accuracy):
    expected = 0.0
    for labels, chance in outcomes(copies, ratio, num_labels):
        for predicted in range(num_labels):
            likely = accuracy if predicted == 0 else (1 - accuracy) / (num_labels - 1)
            logits = torch.eye(num_labels)[predicted].reshape(1, -1, 1, 1)
            seeds = torch.tensor(labels).reshape(1, -1, 1, 1)
            weights = seed_weights(logits, seeds, sharpness=sharpness)
            expected += chance * likely * weights[seeds == 0].sum().item()
    share = right_share(copies, ratio, num_labels, sharpness=sharpness, accuracy=accuracy)
    assert share == pytest.approx(expected, abs=1e-6)


def test_draws_follow_the_formula(rng):
    labels = draw_labels(40_000, 12, 0.4, 6, rng)
    assert labels.shape == (12, 40_000)
    assert labels.dtype == np.uint8
    votes = np.stack([(labels == label).sum(0) for label in range(6)])
    right, wrong = plurality(12, 0.4, 6)
    assert (votes[0] > votes[1:].max(0)).mean() == pytest.approx(right, abs=0.01)
    assert (votes[0] < votes[1:].max(0)).mean() == pytest.approx(wrong, abs=0.01)
    assert votes.sum(1)[1:] / labels.size == pytest.approx(np.full(5, 0.4 / 5), abs=0.005)


@pytest.mark.parametrize("num_labels", [2, 3, 21])
def test_the_paper_s_own_case_does_not_depend_on_the_number_of_classes(num_labels):
    right, wrong = plurality(2, 0.3, num_labels)
    assert right / wrong == pytest.approx(0.7**2 / 0.3**2)


@pytest.mark.parametrize("copies", [1, 2, 3, 12])
@pytest.mark.parametrize("accuracy", [0.0, 0.5, 1.0])
def test_without_sharpness_the_number_of_labels_is_nothing(copies, accuracy):
    assert right_share(copies, 0.3, 6, accuracy=accuracy) == pytest.approx(0.7)


def test_with_two_labels_and_classes_the_weights_help_a_network_that_is_right_more_often():
    plain = 0.7
    assert right_share(2, 0.3, 2, sharpness=1.0, accuracy=0.5) == pytest.approx(plain)
    assert right_share(2, 0.3, 2, sharpness=1.0, accuracy=0.6) > plain
    assert right_share(2, 0.3, 2, sharpness=1.0, accuracy=0.4) < plain


def test_blocks_of_no_range_are_refused() -> None:
    with pytest.raises(InputError, match=r"0\.5 to 0\.1 is no range of sides"):
        block_noise(a_mask(0), 0.3, np.random.default_rng(0), smallest=0.5, largest=0.1)
