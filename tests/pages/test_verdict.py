"""The verdicts: what turns them, what must not, and how often they speak where nothing is."""

import re
from itertools import combinations_with_replacement

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from wsss.pages.verdict import MOST, compare, conclude, judge, t_interval

GAIN = (0.0, np.inf)
NO_GAIN = (-np.inf, 0.5)
SHARE = (85.0, 95.0)
YES, NO, NONE, OPEN = "supported", "contradicted", "none to speak of", "undecided"

tables = st.tuples(st.integers(1, 4), st.integers(2, 5)).flatmap(
    lambda shape: arrays(float, shape, elements=st.floats(-5, 5).map(lambda x: round(x, 3)))
)
rows = st.integers(2, 5).flatmap(
    lambda size: arrays(float, (1, size), elements=st.floats(-5, 5).map(lambda x: round(x, 3)))
)


@pytest.mark.parametrize(
    ("row", "claimed", "verdict"),
    [
        ([1.0, 1.2, 1.1], GAIN, YES),
        ([-1.0, -1.2, -1.1], GAIN, NO),
        ([1.0, 1.2, -1.1], GAIN, OPEN),
        ([0.1, 0.2, -0.1], GAIN, NONE),
        ([0.1, 0.12, 0.11], GAIN, YES),  # small, but clear: "beats" says no more
        ([-0.4, -0.42, -0.41], GAIN, NO),
        ([0.1, 0.2, 0.1], NO_GAIN, YES),
        ([-3.0, -3.2, -2.9], NO_GAIN, YES),
        ([2.1, 2.2, 2.1], NO_GAIN, NO),
        ([0.4, 0.3, 0.7], NO_GAIN, OPEN),
        ([90.0, 91.0, 90.5], SHARE, YES),
        ([97.0, 97.5, 97.2], SHARE, NO),
        ([70.0, 71.0, 70.5], SHARE, NO),
        ([84.0, 90.0, 86.0], SHARE, OPEN),
    ],
)
def test_a_single_comparison(row, claimed, verdict):
    found = judge(np.array([row]), claimed, naught=0.5 if claimed == GAIN else None)
    assert found.verdict == found.findings[0].verdict == verdict


@pytest.mark.parametrize(
    ("differences", "reason"),
    [
        ([[1.0]], "one random seed has no spread"),
        ([[1.0], [2.0]], "one random seed has no spread"),
        ([[1.0, 1.0, 1.0]], "the random seeds do not differ"),
        ([[0.1 + 0.2, 0.3, 0.3]], "the random seeds do not differ"),
        ([[1.0, np.nan, 1.1]], "a figure is missing"),
    ],
)
def test_what_cannot_be_judged(differences, reason):
    found = judge(np.array(differences), GAIN, naught=0.5)
    assert (found.verdict, found.reason) == (OPEN, reason)


@pytest.mark.parametrize(
    ("found", "verdict", "every"),
    [
        ([YES, YES, YES], YES, YES),
        ([YES, YES, OPEN], YES, OPEN),
        ([YES, OPEN, OPEN], OPEN, OPEN),
        ([YES, OPEN], YES, OPEN),
        ([YES, NO, OPEN], "mixed", NO),
        ([NO, OPEN, NONE], NO, NO),
        ([YES, NONE], YES, "mixed"),
        ([YES, NONE, NONE], "mixed", "mixed"),
        ([YES, NONE, NONE, OPEN], OPEN, "mixed"),
        ([NONE, NONE, OPEN], OPEN, OPEN),
        ([NONE, NONE], NONE, NONE),
        ([OPEN], OPEN, OPEN),
    ],
)
def test_the_claim_is_concluded_by_counting(found, verdict, every):
    assert conclude(np.array(found)) == verdict
    assert conclude(np.array(found), every=True) == every


def by_hand(found: tuple[str, ...], every: bool) -> str:
    """As the page of claims says it: the first line that fits."""
    yes, no, none = map(found.count, (YES, NO, NONE))
    if no and (every or not yes):
        return NO
    if yes and (no or none > len(found) / 2 or (every and none)):
        return "mixed"
    if yes >= (len(found) if every else len(found) / 2):
        return YES
    return NONE if none == len(found) else OPEN


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("count", range(1, 7))
def test_a_reader_counts_to_the_same_verdict(count: int, every: bool) -> None:
    kinds = [YES, NO, NONE, OPEN]
    for found in combinations_with_replacement(kinds, count):
        assert conclude(np.array(found), every) == by_hand(found, every)


@settings(max_examples=50, deadline=None)
@given(tables)
def test_p_is_that_of_the_usual_t_test_after_holm(differences):
    """Against scipy's test, and Holm's correction written as its definition has it."""
    if (np.ptp(differences, axis=1) < 1e-3).any():
        return
    plain = [stats.ttest_1samp(row, 0)[1] for row in differences]
    ranks = np.argsort(np.argsort(plain))
    expected = [
        min(1, max((len(plain) - s) * q for s, q in zip(ranks, plain, strict=True) if s <= rank))
        for rank in ranks
    ]
    assert [each.p for each in judge(differences, GAIN).findings] == pytest.approx(expected)


@settings(max_examples=50, deadline=None)
@given(rows)
def test_none_to_speak_of_is_what_two_one_sided_tests_say(row):
    found = judge(row, GAIN, naught=0.5).verdict
    if np.ptp(row) >= 1e-3 and found in (NONE, OPEN):
        low, high = t_interval(row[0], 0.9)
        assert (found == NONE) == (low >= -0.5 and high <= 0.5)


@settings(max_examples=50, deadline=None)
@given(tables)
def test_the_opposite_differences_contradict_what_was_supported(differences):
    if judge(differences, GAIN).verdict == YES:
        assert judge(-differences, GAIN).verdict == NO


@settings(max_examples=50, deadline=None)
@given(rows, st.sampled_from([GAIN, NO_GAIN, (-1.0, 2.0)]), st.floats(1, 10))
def test_more_spread_decides_nothing(row, claimed, factor):
    before = judge(row, claimed).verdict
    after = judge(row.mean() + factor * (row - row.mean()), claimed).verdict
    assert after in (before, OPEN)


@settings(max_examples=50, deadline=None)
@given(rows, st.floats(0, 5))
def test_a_larger_gain_is_never_a_smaller_support(row, more):
    order = [NO, OPEN, YES]
    before, after = (judge(each, GAIN).verdict for each in (row, row + more))
    assert order.index(after) >= order.index(before)


@settings(max_examples=50, deadline=None)
@given(tables, st.randoms(use_true_random=False))
def test_the_order_of_comparisons_and_random_seeds_is_nothing(differences, random):
    lines, columns = list(range(differences.shape[0])), list(range(differences.shape[1]))
    random.shuffle(lines)
    random.shuffle(columns)
    shuffled = judge(differences[lines][:, columns], GAIN, naught=0.5)
    assert shuffled.verdict == judge(differences, GAIN, naught=0.5).verdict


def test_what_is_shown_is_the_mean_within_each_random_seed_or_the_weakest():
    differences = np.array([[3.0, 3.1, 3.2], [0.2, 0.3, 0.1], [2.0, 2.2, 2.1]])
    assert judge(differences, GAIN).each == pytest.approx([5.2 / 3, 5.6 / 3, 1.8])
    assert judge(differences, GAIN, every=True).each == (0.2, 0.3, 0.1)


def test_as_many_random_seeds_as_are_asked_for_decide_and_one_fewer_do_not():
    shape = np.array([1.0, -1.0, 0.5, -0.5])
    row = 1.0 + 2 * shape / shape.std(ddof=1)
    reason = judge(row[None], GAIN, naught=0.5).reason
    told = re.search(r"; (\d+) random seeds would decide it", reason)
    assert told is not None, reason
    needed = int(told[1])
    for count, verdict in ((needed, YES), (needed - 1, OPEN)):
        found = compare(np.array([1.0]), np.array([2.0]), count, GAIN, 0.5)[1]
        assert conclude(found) == verdict
    low, _ = 1.0 + np.array([-1, 1]) * stats.t.ppf(0.975, needed - 1) * 2 / np.sqrt(needed)
    assert low > 0
    never = judge(np.array([[0.0, 0.01, 30.0, -30.0]]), GAIN)
    assert f"{MOST} random seeds would not" in never.reason


@pytest.mark.parametrize("shared", [0.0, 0.7])
@pytest.mark.parametrize("count", [3, 4, 10])
@pytest.mark.parametrize("comparisons", [1, 2, 3, 4, 5, 6])
def test_where_nothing_is_a_claim_is_rarely_supported_or_contradicted(comparisons, count, shared):
    """At most 5 in 100, whether comparisons are independent or share a cell, and at any spread."""
    rng, draws = np.random.default_rng([comparisons, count]), 4000
    for spread in (0.3, 1.0):
        noise = rng.standard_normal((draws, comparisons, count))
        common = rng.standard_normal((draws, 1, count))
        values = spread * (np.sqrt(1 - shared) * noise + np.sqrt(shared) * common)
        found = compare(values.mean(-1), values.std(-1, ddof=1), count, GAIN, 0.5)[1]
        for every in (False, True):
            said = conclude(found, every)
            wrong = np.isin(said, [YES, NO, "mixed"]).mean()
            assert wrong <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / draws)
    alone = judge(values[0], GAIN, naught=0.5)
    assert alone.verdict == conclude(found)[0]  # the same path as a page's


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
