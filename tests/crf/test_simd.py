"""The vector functions against numpy."""

import numpy as np
import pytest
from numba import njit

from wsss.crf.simd import (
    WIDTH,
    exp,
    gather,
    lane_max,
    lane_sum,
    lanes,
    load,
    nearest,
    row_tuple,
    scatter,
    store,
)


@njit
def apply(which, a, b, out):
    for c in range(0, a.shape[1], WIDTH):
        x, y = load(a, 0, c), load(b, 0, c)
        if which == 0:
            value = x + y
        elif which == 1:
            value = x - y
        elif which == 2:
            value = x * y
        elif which == 3:
            value = x / y
        elif which == 4:
            value = max(x, y)
        elif which == 5:
            value = x < y
        elif which == 6:
            value = nearest(x)
        else:
            value = exp(x)
        store(out, 0, c, value)


@pytest.mark.parametrize(
    ("which", "function"),
    [
        (0, np.add),
        (1, np.subtract),
        (2, np.multiply),
        (3, np.divide),
        (4, np.maximum),
        (5, np.less),
        (6, lambda a, _: np.rint(a)),
    ],
)
def test_lanewise(rng, which, function):
    a, b = rng.normal(0, 3, (2, 1, 4 * WIDTH)).astype(np.float32)
    a[0, :3] = 0.5, 1.5, b[0, 2]
    out = np.empty_like(a)
    apply(which, a, b, out)
    np.testing.assert_array_equal(out, function(a, b))


def test_exp():
    x = np.linspace(-80, 5, 8 * 4096, dtype=np.float32)[None]
    out = np.empty_like(x)
    apply(7, x, x, out)
    np.testing.assert_allclose(out, np.exp(x.astype(float)), rtol=3e-7)
    x[:] = -np.inf
    apply(7, x, x, out)
    assert (out < 1e-34).all()


@njit
def filter_rows(rows, weights, source, target):
    row, weight = row_tuple(rows, 1, 3), row_tuple(weights, 1, 3)
    for c in range(0, source.shape[1], WIDTH):
        scatter(target, row, weight, c, gather(source, row, weight, c) + lanes(1))


def test_gather_and_scatter(rng):
    source, target = rng.normal(size=(2, 5, 2 * WIDTH)).astype(np.float32)
    rows = np.array([[0, 0, 0], [4, 1, 2]], np.int32)
    weights = rng.normal(size=(2, 3)).astype(np.float32)
    expected = target.copy()
    expected[rows[1]] += weights[1][:, None] * (weights[1] @ source[rows[1]] + 1)
    filter_rows(rows, weights, source, target)
    np.testing.assert_allclose(target, expected, rtol=1e-5, atol=1e-6)


@njit
def reduce(a):
    return lane_sum(load(a, 0, 0)), lane_max(load(a, 0, 0))


def test_reductions(rng):
    a = rng.normal(size=(1, WIDTH)).astype(np.float32)
    total, largest = reduce(a)
    assert total == pytest.approx(a.sum(), abs=1e-5)
    assert largest == a.max()
