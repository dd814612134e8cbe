"""Block noise: exact, only from foreground to background, and reproducible."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from wsss.errors import InputError
from wsss.noise import block_noise

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


def test_ratio_zero_and_one() -> None:
    mask = a_mask(3)
    assert np.array_equal(block_noise(mask, 0, np.random.default_rng(0)), mask)
    bare = block_noise(mask, 1, np.random.default_rng(0))
    assert np.array_equal(bare, np.where(mask == UNKNOWN, UNKNOWN, 0))


def test_memory_order_does_not_matter() -> None:
    mask = a_mask(4)
    turned = np.asfortranarray(mask)
    first, second = (block_noise(m, 0.4, np.random.default_rng(0)) for m in (mask, turned))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("ratio", [-0.01, 1.01, float("nan")])
def test_a_ratio_that_is_no_share_is_refused(ratio: float) -> None:
    with pytest.raises(InputError, match="ratio"):
        block_noise(a_mask(0), ratio, np.random.default_rng(0))
