"""The verdicts: what turns them, what must not, and whether their interval keeps its word."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wsss.pages.verdict import judge, t_interval

GAIN = (0.0, np.inf)
NO_GAIN = (-np.inf, 0.5)
SHARE = (85.0, 95.0)

tables = st.tuples(st.integers(1, 4), st.integers(2, 5)).flatmap(
    lambda shape: arrays(float, shape, elements=st.floats(-5, 5).map(lambda x: round(x, 3)))
)


@pytest.mark.parametrize(
    ("rows", "claimed", "verdict", "reason"),
    [
        ([[1.0, 1.2, 1.1]], GAIN, "supported", "the interval lies within"),
        ([[-1.0, -1.2, -1.1]], GAIN, "contradicted", "the interval lies outside"),
        ([[1.0, 1.2, -1.1]], GAIN, "undecided", "the interval reaches both sides"),
        ([[3.0, 3.2, 3.1], [-0.1, -0.2, 0.1]], GAIN, "undecided", "a comparison points the oth"),
        ([[9.0, 9.2, 9.1], [-1.0, -1.02, -1.01]], GAIN, "contradicted", "a comparison lies outs"),
        ([[0.1, 0.2, 0.1]], NO_GAIN, "supported", "the interval lies within"),
        ([[-3.0, -3.2, -2.9]], NO_GAIN, "supported", "the interval lies within"),
        ([[2.1, 2.2, 2.1]], NO_GAIN, "contradicted", "the interval lies outside"),
        ([[0.4, 0.3, 0.7]], NO_GAIN, "undecided", "the interval reaches both sides"),
        ([[90.0, 91.0, 90.5]], SHARE, "supported", "the interval lies within"),
        ([[97.0, 97.5, 97.2]], SHARE, "contradicted", "the interval lies outside"),
        ([[70.0, 71.0, 70.5]], SHARE, "contradicted", "the interval lies outside"),
        ([[84.0, 90.0, 86.0]], SHARE, "undecided", "the interval reaches both sides"),
        ([[1.0]], GAIN, "undecided", "one random seed has no spread"),
        ([[1.0], [2.0]], GAIN, "undecided", "one random seed has no spread"),
        ([[1.0, 1.0, 1.0]], GAIN, "undecided", "the random seeds do not differ"),
        ([[0.1 + 0.2, 0.3, 0.3]], GAIN, "undecided", "the random seeds do not differ"),
        ([[1.0, np.nan, 1.1]], GAIN, "undecided", "a figure is missing"),
    ],
)
def test_verdict(rows, claimed, verdict, reason):
    found = judge(np.array(rows), claimed)
    assert found.verdict == verdict
    assert found.reason.startswith(reason)


def test_the_comparisons_are_averaged_within_each_random_seed():
    found = judge(np.array([[1.0, 5.0, 3.0], [3.0, -1.0, 2.0]]), GAIN)
    assert found.each == (2.0, 2.0, 2.5)
    assert found.interval == pytest.approx(t_interval(np.array([2.0, 2.0, 2.5])))


@settings(max_examples=50, deadline=None)
@given(tables)
def test_the_opposite_differences_contradict_what_was_supported(rows):
    if judge(rows, GAIN).verdict == "supported":
        assert judge(-rows, GAIN).verdict == "contradicted"


@settings(max_examples=50, deadline=None)
@given(tables, st.sampled_from([GAIN, NO_GAIN, (-1.0, 2.0)]), st.floats(1, 10), st.booleans())
def test_more_spread_decides_nothing(rows, claimed, factor, every):
    means = rows.mean(1, keepdims=True)
    before = judge(rows, claimed, every=every).verdict
    after = judge(means + factor * (rows - means), claimed, every=every).verdict
    assert after in (before, "undecided")


@settings(max_examples=50, deadline=None)
@given(tables, st.floats(0, 5), st.booleans())
def test_a_larger_gain_is_never_a_smaller_support(rows, more, every):
    order = ["contradicted", "undecided", "supported"]
    before, after = (judge(r, GAIN, every=every).verdict for r in (rows, rows + more))
    assert order.index(after) >= order.index(before)


@settings(max_examples=50, deadline=None)
@given(tables, st.randoms(use_true_random=False))
def test_the_order_of_comparisons_and_random_seeds_is_nothing(rows, random):
    lines, columns = list(range(rows.shape[0])), list(range(rows.shape[1]))
    random.shuffle(lines)
    random.shuffle(columns)
    assert judge(rows[lines][:, columns], GAIN).verdict == judge(rows, GAIN).verdict


@settings(max_examples=50, deadline=None)
@given(tables)
def test_every_is_stricter_than_the_average(rows):
    if judge(rows, GAIN, every=True).verdict == "supported":
        assert all(judge(row[None], GAIN).verdict == "supported" for row in rows)


def test_every_is_shown_by_the_weakest_comparison():
    rows = np.array([[3.0, 3.1, 3.2], [0.2, 0.3, 0.1], [2.0, 2.2, 2.1]])
    assert judge(rows, GAIN, every=True).each == (0.2, 0.3, 0.1)


def test_every_allows_for_choosing_the_weakest():
    """The worst of many fair comparisons looks bad by chance; that must not contradict."""
    rng = np.random.default_rng(0)
    verdicts = [judge(rng.normal(0, 1, (20, 4)), GAIN, every=True).verdict for _ in range(150)]
    assert verdicts.count("contradicted") < 0.05 * len(verdicts)
    assert verdicts.count("supported") == 0


def coverage(draw, interval, count, trials=1500):
    """How often the interval holds the true mean, which is 0."""
    rng = np.random.default_rng(1)
    lows, highs = np.transpose([interval(draw(rng, count)) for _ in range(trials)])
    return np.mean((lows <= 0) & (highs >= 0))


@pytest.mark.parametrize("count", [3, 4, 5])
def test_the_t_interval_keeps_its_word(count):
    """For normal differences; the evidence for letting it decide."""
    covered = coverage(lambda rng, n: rng.normal(size=n), t_interval, count)
    assert covered == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize("draw", ["uniform", "laplace", "mixed"])
def test_the_t_interval_is_not_far_off_for_other_differences(draw):
    draws = {
        "uniform": lambda rng, n: rng.uniform(-1, 1, n),
        "laplace": lambda rng, n: rng.laplace(size=n),
        "mixed": lambda rng, n: rng.normal(size=n) * rng.choice([1, 4], n, p=[0.9, 0.1]),
    }
    assert 0.92 < coverage(draws[draw], t_interval, 3) < 0.99
