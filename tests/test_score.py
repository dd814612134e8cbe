"""Scores of whole sets against counting by hand and against torchmetrics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.classification import MulticlassJaccardIndex

from wsss.data.packed import pack
from wsss.metrics import confusion_matrix, iou, score

UNKNOWN = 255
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


def test_score_of_complete_maps_is_the_confusion_matrix(rng: np.random.Generator) -> None:
    truth, maps = rng.integers(0, 3, (2, 4, 5, 6), np.uint8)
    confusion = score(list(maps), list(truth), 3)
    expected = confusion_matrix(torch.from_numpy(maps), torch.from_numpy(truth), 3)
    assert torch.equal(confusion[:3, :3], expected)
    assert confusion.sum() == expected.sum()


def test_score_of_packed_masks(tmp_path: Path, rng: np.random.Generator) -> None:
    truth = rng.integers(0, 3, (4, 5, 6), np.uint8)
    packed = pack(tmp_path / "masks", truth)
    assert score(packed, packed, 3).diagonal().sum() == truth.size


def test_as_many_maps_as_masks() -> None:
    with pytest.raises(ValueError, match="zip"):
        score([np.zeros((2, 2), np.uint8)], [], 2)
