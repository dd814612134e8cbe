"""Confusion matrix and IoU against torchmetrics and against counting by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchmetrics.classification import MulticlassConfusionMatrix, MulticlassJaccardIndex

from wsss.data.packed import pack
from wsss.errors import InputError
from wsss.metrics import confusion_matrix, error_shares, iou, score

UNKNOWN = 255


@st.composite
def masks(draw: st.DrawFn) -> tuple[Tensor, Tensor, int]:
    """Prediction and truth (N, H, W) that hold some of L labels, and L."""
    labels = draw(st.integers(2, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    used = rng.choice(labels, rng.integers(1, labels + 1), replace=False)
    guess, truth = rng.choice(used, (2, 2, 5, 4))
    unknown = rng.random(truth.shape) < draw(st.sampled_from([0, 0.3, 1]))
    truth = np.where(unknown, UNKNOWN, truth)
    return torch.from_numpy(guess), torch.from_numpy(truth), labels


@settings(deadline=None, max_examples=40)
@given(masks())
def test_equals_torchmetrics(case: tuple[Tensor, Tensor, int]) -> None:
    guess, truth, labels = case
    confusion = confusion_matrix(guess, truth, labels)
    reference = MulticlassConfusionMatrix(labels, ignore_index=UNKNOWN)
    reference.update(guess, truth)
    assert torch.equal(confusion, reference.compute())
    assert confusion.dtype == torch.int64


@settings(deadline=None, max_examples=20)
@given(masks())
def test_images_add_up_to_the_set(case: tuple[Tensor, Tensor, int]) -> None:
    guess, truth, labels = case
    each = [confusion_matrix(g, t, labels) for g, t in zip(guess, truth, strict=True)]
    whole = confusion_matrix(guess, truth, labels)
    assert torch.equal(torch.stack(each).sum(0), whole)
    assert whole.sum() == (truth != UNKNOWN).sum()


def test_rows_are_the_truth() -> None:
    confusion = confusion_matrix(torch.tensor([1, 1, 0]), torch.tensor([0, 0, 0]), 2)
    assert confusion.tolist() == [[1, 2], [0, 0]]


def test_what_is_predicted_on_ignored_pixels_does_not_matter() -> None:
    truth = torch.tensor([0, 1, UNKNOWN, UNKNOWN], dtype=torch.uint8)
    guess = torch.tensor([0, 1, UNKNOWN, 77], dtype=torch.uint8)
    assert confusion_matrix(guess, truth, 2).tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
def test_products_of_labels_do_not_overflow(dtype: torch.dtype) -> None:
    labels = torch.full((10,), 20, dtype=dtype)
    assert confusion_matrix(labels, labels, 21)[20, 20] == 10


def test_a_class_that_nothing_holds_is_nan_and_left_out_of_the_mean() -> None:
    scores = iou(torch.tensor([[3, 1, 0], [0, 0, 0], [0, 0, 0]]))
    assert scores[:2].tolist() == [0.75, 0]  # predicted though absent: 0, not NaN
    assert scores[2].isnan()
    assert scores.nanmean() == 0.375


def test_errors_are_told_apart_as_counted_by_hand() -> None:
    rng = np.random.default_rng(0)
    truth, guess = rng.integers(0, 4, (2, 500))
    shares = error_shares(confusion_matrix(torch.from_numpy(guess), torch.from_numpy(truth), 4))
    objects, rest = truth > 0, truth == 0
    assert shares == pytest.approx({
        "missed": 100 * (guess[objects] == 0).mean(),
        "confused": 100 * (guess != truth)[objects & (guess > 0)].mean(),
        "spilled": 100 * (guess[rest] > 0).mean(),
    })  # fmt: skip


def test_other_shapes_are_refused() -> None:
    with pytest.raises(InputError, match=r"\(2, 3\).*\(3, 2\)"):
        confusion_matrix(torch.zeros(2, 3), torch.zeros(3, 2), 2)
    with pytest.raises(InputError, match=r"\(2, 3\)"):
        iou(torch.zeros(2, 3))
    with pytest.raises(InputError, match=r"error_shares.*\(2, 3\)"):
        error_shares(torch.zeros(2, 3))


@pytest.mark.parametrize(
    ("guess", "truth", "message"),
    [
        ([0, 2], [0, 1], "prediction holds labels from 0 to 2"),
        ([0, 1], [-1, 1], "truth holds labels from -1 to 1"),
        ([UNKNOWN, 1], [1, 1], "prediction holds labels from 1 to 255"),
    ],
)
def test_labels_out_of_range_are_refused(guess: list, truth: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        confusion_matrix(torch.tensor(guess), torch.tensor(truth), 2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64, torch.uint16])
@pytest.mark.parametrize("wrong", ["prediction", "truth"])
def test_labels_that_are_no_integers_are_refused(wrong, dtype) -> None:
    labels = {"prediction": torch.tensor([0, 1]), "truth": torch.tensor([0, 1])}
    labels[wrong] = labels[wrong].to(dtype)
    with pytest.raises(InputError, match=f"the {wrong} is {dtype}; give integer labels"):
        confusion_matrix(labels["prediction"], labels["truth"], 2)


# --- whole sets ----------------------------------------------------------------------------

SIZES = [(17, 25), (20, 13), (17, 25), (20, 13), (17, 25)]


@settings(deadline=None, max_examples=40)
@given(
    rng_seed=st.integers(0, 2**32 - 1),
    num_labels=st.integers(2, 21),
    unknown=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_miou_of_a_set_is_torchmetrics_jaccard(
    rng_seed: int, num_labels: int, unknown: float
) -> None:
    """Images of any size, some labels in none of them, some pixels ignored."""
    rng = np.random.default_rng(rng_seed)
    used = rng.choice(num_labels, rng.integers(1, num_labels + 1), replace=False)
    maps, truth = ([rng.choice(used, size).astype(np.uint8) for size in SIZES] for _ in range(2))
    for mask in truth:
        mask[rng.random(mask.shape) < unknown] = UNKNOWN
    confusion = score(maps, truth, num_labels)[:num_labels, :num_labels]
    ours = iou(confusion)
    assert ours.dtype == torch.float64
    jaccard = MulticlassJaccardIndex(num_labels, average=None, ignore_index=UNKNOWN)
    for label_map, mask in zip(maps, truth, strict=True):  # one accumulated matrix
        jaccard.update(torch.from_numpy(label_map), torch.from_numpy(mask))
    assert torch.equal(jaccard.confmat, confusion)
    theirs = jaccard.compute()  # 0 where a label is absent from truth and prediction alike
    absent = ours.isnan()
    assert absent.sum() == (confusion.sum(0) + confusion.sum(1) == 0).sum()
    torch.testing.assert_close(ours[~absent].float(), theirs[~absent])
    if not absent.all():
        assert ours.nanmean().item() == pytest.approx(theirs[~absent].mean().item())


def test_score_counts_unknown_as_wrong(rng: np.random.Generator) -> None:
    truth = [rng.choice([0, 1, 2, UNKNOWN], size).astype(np.uint8) for size in SIZES]
    seeds = [rng.choice([0, 1, 2, UNKNOWN], size).astype(np.uint8) for size in SIZES]
    confusion = score(seeds, truth, 3)
    seed, true = (np.concatenate([m.ravel() for m in maps]) for maps in (seeds, truth))
    for t in range(4):
        for p, value in enumerate([0, 1, 2, UNKNOWN]):
            expected = 0 if t == 3 else np.sum((true == t) & (seed == value))
            assert confusion[t, p] == expected
    for label in range(3):
        counted = true != UNKNOWN
        intersection = np.sum((true == label) & (seed == label))
        union = np.sum(counted & ((true == label) | (seed == label)))
        assert iou(confusion)[label].item() == pytest.approx(intersection / union)


def test_score_of_packed_masks(tmp_path: Path, rng: np.random.Generator) -> None:
    truth = rng.integers(0, 3, (4, 5, 6), np.uint8)
    packed = pack(tmp_path / "masks", truth)
    assert score(packed, packed, 3).diagonal().sum() == truth.size


def test_as_many_maps_as_masks() -> None:
    with pytest.raises(ValueError, match="zip"):
        score([np.zeros((2, 2), np.uint8)], [], 2)
