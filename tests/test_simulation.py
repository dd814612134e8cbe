"""Formulas against counting: every outcome of a few labels, and many draws of more."""

from itertools import product

import numpy as np
import pytest
import torch

from wsss.losses import seed_weights
from wsss.simulation import draw_labels, plurality, right_share


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
