"""The losses against Eq. 1 and 4-7 written out with loops, and against torch's own."""

from __future__ import annotations

import math
from itertools import accumulate
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from wsss.errors import InputError
from wsss.losses import (
    Unknown,
    WeightedSelectiveLoss,
    classification_loss,
    count_votes,
    reference_loss,
    seed_weights,
    weighted_selective_loss,
    weighted_selective_sum,
)

UNKNOWN = 255
SHARPNESS = st.floats(0, 20)
READINGS = st.sampled_from(get_args(Unknown))


@st.composite
def cases(draw: st.DrawFn, most_seeds: int = 4) -> tuple[Tensor, Tensor]:
    """Logits (N, L, H, W) and seeds (N, K, H, W), some pixels unknown, some images wholly."""
    n, k, labels = (
        draw(st.integers(1, 2)),
        draw(st.integers(1, most_seeds)),
        draw(st.integers(2, 4)),
    )
    height, width = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    logits = torch.from_numpy(rng.normal(0, 2, (n, labels, height, width)).astype(np.float32))
    seeds = rng.integers(0, labels, (n, k, height, width))
    unknown = rng.random(seeds.shape) < draw(st.sampled_from([0, 0.3, 0.9]))
    return logits, torch.from_numpy(np.where(unknown, UNKNOWN, seeds))


def any_labelled(seeds: Tensor) -> int:
    return int((seeds != UNKNOWN).any(1).sum())


def gradient(loss: Tensor, logits: Tensor) -> Tensor:
    (value,) = torch.autograd.grad(loss, logits)
    return value


# --- Eq. 1 ---------------------------------------------------------------------------------


def test_classification_loss_is_eq_1_summed_over_classes(rng: np.random.Generator) -> None:
    scores, present = rng.normal(0, 3, (3, 4)), rng.random((3, 4)) < 0.4
    total = 0.0
    for p, y in zip(scores.flat, present.flat, strict=True):
        sigma = 1 / (1 + math.exp(-p))
        total -= math.log(sigma) if y else math.log(1 - sigma)
    loss = classification_loss(torch.from_numpy(scores), torch.from_numpy(present))
    assert loss.item() == pytest.approx(total / 3)
    mean_over_classes = F.multilabel_soft_margin_loss(
        torch.from_numpy(scores), torch.from_numpy(present).double()
    )
    assert loss.item() == pytest.approx(4 * mean_over_classes.item())


def test_classification_loss_gradient_is_sigma_minus_label_over_batch() -> None:
    logits = torch.tensor([[0.5, -1.0], [2.0, 0.0]], requires_grad=True)
    present = torch.tensor([[True, False], [False, True]])
    expected = (logits.detach().sigmoid() - present.float()) / 2
    torch.testing.assert_close(gradient(classification_loss(logits, present), logits), expected)


def test_classification_loss_survives_extreme_scores() -> None:
    logits = torch.tensor([[1e4, -1e4]], requires_grad=True)
    loss = classification_loss(logits, torch.tensor([[False, True]]))
    assert loss.item() == pytest.approx(2e4)
    assert gradient(loss, logits).isfinite().all()


def test_classification_loss_refuses_other_shapes() -> None:
    with pytest.raises(InputError, match=r"\(2, 3\).*\(2, 4\)"):
        classification_loss(torch.zeros(2, 3), torch.zeros(2, 4, dtype=torch.bool))


# --- Eq. 4-7 -------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(cases(most_seeds=1), st.floats(0, 1e9), READINGS)
def test_one_seed_is_cross_entropy_at_any_sharpness(
    case: tuple[Tensor, Tensor], sharpness: float, unknown: Unknown
) -> None:
    logits, seeds = case
    logits.requires_grad_()
    loss = weighted_selective_loss(logits, seeds, sharpness=sharpness, unknown=unknown)
    if not any_labelled(seeds):  # torch answers NaN
        assert loss.item() == 0
        assert gradient(loss, logits).abs().sum() == 0
        return
    reference = F.cross_entropy(logits, seeds[:, 0], ignore_index=UNKNOWN)
    assert loss.item() == pytest.approx(reference.item(), rel=1e-6, abs=1e-6)
    torch.testing.assert_close(
        gradient(loss, logits), gradient(reference, logits), rtol=1e-5, atol=1e-6
    )


@settings(deadline=None, max_examples=40)
@given(cases())
def test_sharpness_zero_is_eq_4_written_out(case: tuple[Tensor, Tensor]) -> None:
    logits, seeds = case
    n, k, height, width = seeds.shape
    p = torch.softmax(logits.double(), 1)
    total = 0.0
    for image in range(n):
        for seed in range(k):
            for i in range(height):
                for j in range(width):
                    for c in range(logits.shape[1]):
                        y = 1 if seeds[image, seed, i, j] == c else 0
                        total -= y * math.log(p[image, c, i, j]) / k
    # Eq. 4 divides by H W (of N images); here by the pixels that at least one seed labels.
    naive = total / max(any_labelled(seeds), 1)
    loss = weighted_selective_loss(logits, seeds, sharpness=0)
    assert loss.item() == pytest.approx(naive, rel=1e-5, abs=1e-6)


def test_without_unknown_pixels_the_normaliser_is_that_of_eq_4(rng: np.random.Generator) -> None:
    logits = torch.from_numpy(rng.normal(size=(2, 3, 4, 5)))
    seeds = torch.from_numpy(rng.integers(0, 3, (2, 3, 4, 5)))
    one_by_one = [F.cross_entropy(logits, seeds[:, k]) for k in range(3)]
    loss = weighted_selective_loss(logits, seeds, sharpness=0)
    assert loss.item() == pytest.approx(torch.stack(one_by_one).mean().item(), rel=1e-6)


@settings(deadline=None, max_examples=40)
@given(cases(), SHARPNESS, READINGS)
def test_loss_is_eq_5_to_7_written_out(
    case: tuple[Tensor, Tensor], sharpness: float, unknown: Unknown
) -> None:
    logits, seeds = case
    n, _k, height, width = seeds.shape
    log_p = torch.log_softmax(logits.double(), 1)
    weights = seed_weights(logits, seeds, sharpness=sharpness, unknown=unknown)
    total = 0.0
    for image in range(n):
        for i in range(height):
            for j in range(width):
                predicted = int(logits[image, :, i, j].argmax())
                labels = seeds[image, :, i, j].tolist()
                agree = [1.0 if label == predicted else 0.0 for label in labels]  # Eq. 7
                counted = [unknown == "counted" or label != UNKNOWN for label in labels]
                terms = [math.exp(sharpness * each) for each in agree]
                norm = sum(term for term, counts in zip(terms, counted, strict=True) if counts)
                for seed, label in enumerate(labels):
                    if label == UNKNOWN:
                        assert weights[image, seed, i, j] == 0
                        continue
                    w = math.exp(sharpness * agree[seed]) / norm  # Eq. 6
                    assert weights[image, seed, i, j].item() == pytest.approx(w, rel=1e-5, abs=1e-8)
                    total -= w * log_p[image, label, i, j].item()  # Eq. 5
    loss = weighted_selective_loss(logits, seeds, sharpness=sharpness, unknown=unknown)
    assert loss.item() == pytest.approx(total / max(any_labelled(seeds), 1), rel=1e-5, abs=1e-6)


@settings(deadline=None, max_examples=30)
@given(cases(), SHARPNESS, READINGS)
def test_gradient_treats_the_weights_as_constants(
    case: tuple[Tensor, Tensor], sharpness: float, unknown: Unknown
) -> None:
    logits, seeds = case
    logits.requires_grad_()
    weights = seed_weights(logits, seeds, sharpness=sharpness, unknown=unknown)
    assert not weights.requires_grad
    known = seeds != UNKNOWN
    per_seed = torch.log_softmax(logits, 1).gather(1, seeds.where(known, torch.tensor(0)))
    reference = -(weights * per_seed).sum() / max(any_labelled(seeds), 1)
    loss = weighted_selective_loss(logits, seeds, sharpness=sharpness, unknown=unknown)
    torch.testing.assert_close(
        gradient(loss, logits), gradient(reference, logits), rtol=1e-4, atol=1e-6
    )


@settings(deadline=None, max_examples=30)
@given(cases(), SHARPNESS, st.randoms(use_true_random=False))
def test_order_of_seeds_changes_nothing(
    case: tuple[Tensor, Tensor], sharpness: float, random
) -> None:
    logits, seeds = case
    order = random.sample(range(seeds.shape[1]), seeds.shape[1])
    shuffled = seeds[:, order]
    loss = weighted_selective_loss(logits, seeds, sharpness=sharpness)
    assert weighted_selective_loss(logits, shuffled, sharpness=sharpness) == loss
    torch.testing.assert_close(
        seed_weights(logits, shuffled, sharpness=sharpness),
        seed_weights(logits, seeds, sharpness=sharpness)[:, order],
    )


@settings(deadline=None, max_examples=30)
@given(cases(), SHARPNESS)
def test_all_seeds_twice_is_all_seeds_once(case: tuple[Tensor, Tensor], sharpness: float) -> None:
    logits, seeds = case
    once = weighted_selective_loss(logits, seeds, sharpness=sharpness)
    twice = weighted_selective_loss(logits, torch.cat([seeds, seeds], 1), sharpness=sharpness)
    assert twice.item() == pytest.approx(once.item(), rel=1e-5, abs=1e-7)


def test_a_seed_given_twice_counts_twice(rng: np.random.Generator) -> None:
    logits = torch.from_numpy(rng.normal(size=(1, 3, 4, 5)))
    a, b = torch.from_numpy(rng.integers(0, 3, (2, 1, 1, 4, 5)))
    loss_a, loss_b = F.cross_entropy(logits, a[:, 0]), F.cross_entropy(logits, b[:, 0])
    loss = weighted_selective_loss(logits, torch.cat([a, a, b], 1), sharpness=0)
    assert loss.item() == pytest.approx((2 * loss_a + loss_b).item() / 3, rel=1e-6)

    weights = seed_weights(logits, torch.cat([a, a, b], 1), sharpness=1)
    torch.testing.assert_close(weights[:, 0], weights[:, 1])
    agrees_a, agrees_b = (seed[:, 0] == logits.argmax(1) for seed in (a, b))
    expected = 2 * torch.exp(agrees_a.double()) / torch.exp(agrees_b.double())
    torch.testing.assert_close((weights[:, 0] + weights[:, 1]) / weights[:, 2], expected)


@pytest.mark.parametrize(
    ("threshold", "crf", "predicted", "counted", "left_out"),
    [
        (1, 1, 1, (0.5, 0.5), (0.5, 0.5)),
        (UNKNOWN, 1, 1, (0, 0.731), (0, 1)),
        (UNKNOWN, 1, 0, (0, 0.5), (0, 1)),
        (1, 0, 1, (0.731, 0.269), (0.731, 0.269)),
        (1, 2, 0, (0.5, 0.5), (0.5, 0.5)),
        (UNKNOWN, UNKNOWN, 0, (0, 0), (0, 0)),
    ],
)
def test_weights_of_two_seeds(
    threshold: int,
    crf: int,
    predicted: int,
    counted: tuple[float, float],
    left_out: tuple[float, float],
) -> None:
    logits = F.one_hot(torch.tensor(predicted), 3).float().view(1, 3, 1, 1)
    seeds = torch.tensor([threshold, crf]).view(1, 2, 1, 1)
    weights = seed_weights(logits, seeds, unknown="counted")
    assert weights.flatten().tolist() == pytest.approx(counted, abs=5e-4)
    assert torch.equal(seed_weights(logits, seeds), weights)
    weights = seed_weights(logits, seeds, unknown="left_out")
    assert weights.flatten().tolist() == pytest.approx(left_out, abs=5e-4)


@settings(deadline=None, max_examples=30)
@given(cases(), SHARPNESS)
def test_weights_sum_to_one_where_nothing_is_unknown(
    case: tuple[Tensor, Tensor], sharpness: float
) -> None:
    logits, seeds = case
    weights = seed_weights(logits, seeds, sharpness=sharpness)
    assert weights.shape == seeds.shape
    assert (weights >= 0).all()
    total, complete = weights.sum(1), (seeds != UNKNOWN).all(1)
    torch.testing.assert_close(total[complete], torch.ones_like(total[complete]))
    assert (total <= 1 + 1e-6).all()


@settings(deadline=None, max_examples=30)
@given(cases(), SHARPNESS)
def test_weights_of_labelled_seeds_sum_to_one_if_the_unknown_are_left_out(
    case: tuple[Tensor, Tensor], sharpness: float
) -> None:
    logits, seeds = case
    weights = seed_weights(logits, seeds, sharpness=sharpness, unknown="left_out")
    known = seeds != UNKNOWN
    assert (weights[~known] == 0).all()
    torch.testing.assert_close(weights.sum(1), known.any(1).float())


# --- the fast path against the plain one ----------------------------------------------------


def plain_loss(logits: Tensor, seeds: Tensor, sharpness: float, unknown: Unknown) -> Tensor:
    """K calls of cross_entropy, weighed by Eq. 6 and 7 as anyone would write them."""
    agrees = (seeds == logits.detach().argmax(1, keepdim=True)).to(logits.dtype)
    if unknown == "left_out":
        agrees = agrees.masked_fill(seeds == UNKNOWN, -torch.inf)
    scores = agrees * sharpness if sharpness else agrees.clamp(max=0)
    weights = torch.softmax(scores, 1).nan_to_num(0)
    losses = [
        weights[:, k] * F.cross_entropy(logits, seed, ignore_index=UNKNOWN, reduction="none")
        for k, seed in enumerate(seeds.long().unbind(1))
    ]
    return torch.stack(losses).sum() / any_labelled(seeds)


def assert_as_plain(logits: Tensor, seeds: Tensor, sharpness: float, unknown: Unknown) -> None:
    logits = logits.double().requires_grad_()
    plain = plain_loss(logits, seeds, sharpness, unknown)
    fast = weighted_selective_loss(logits, seeds, sharpness=sharpness, unknown=unknown)
    torch.testing.assert_close(fast, plain, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(
        gradient(fast, logits), gradient(plain, logits), rtol=1e-10, atol=1e-15
    )


@pytest.mark.parametrize("unknown", get_args(Unknown))
@pytest.mark.parametrize("sharpness", [0.0, 1.0, 5.0])
def test_fast_is_plain_on_random_seeds(sharpness: float, unknown: Unknown) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(2, 21, 9, 9, generator=generator)
    seeds = torch.randint(0, 21, (2, 12, 9, 9), generator=generator)
    seeds[torch.rand(seeds.shape, generator=generator) < 0.3] = UNKNOWN
    assert_as_plain(logits, seeds, sharpness, unknown)


@pytest.mark.parametrize("unknown", get_args(Unknown))
def test_fast_is_plain_on_noisy_masks_of_photos(voc_mini: Path, unknown: Unknown) -> None:
    rng = np.random.default_rng(0)
    truth = []
    for path in sorted((voc_mini / "SegmentationClass").glob("*.png"))[:4]:
        truth.append(np.asarray(Image.open(path).resize((41, 41), Image.Resampling.NEAREST)))
    masks = np.stack(truth)[:, None].repeat(12, 1)
    labels = np.unique(masks[masks != UNKNOWN])
    spoilt = rng.random(masks.shape) < 0.3
    masks = np.where(spoilt, rng.choice([*labels, UNKNOWN], masks.shape), masks).astype(np.uint8)
    right = np.where(np.stack(truth) == UNKNOWN, 0, np.stack(truth))
    logits = F.one_hot(torch.from_numpy(right).long(), int(labels.max()) + 1).permute(0, 3, 1, 2)
    noise = torch.from_numpy(rng.normal(size=logits.shape))
    assert_as_plain(2 * logits + noise, torch.from_numpy(masks), 1.0, unknown)


@pytest.mark.parametrize("unknown", get_args(Unknown))
def test_gradient_is_that_of_finite_differences(unknown: Unknown) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 3, 3, generator=generator).double().requires_grad_()
    seeds = torch.randint(0, 4, (2, 3, 3, 3), generator=generator)
    seeds[torch.rand(seeds.shape, generator=generator) < 0.3] = UNKNOWN
    assert torch.autograd.gradcheck(
        lambda each: weighted_selective_loss(each, seeds, unknown=unknown), logits
    )


def test_a_gradient_can_be_asked_for_twice() -> None:
    logits = torch.randn(1, 3, 2, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss = weighted_selective_loss(logits, torch.ones(1, 2, 2, 2, dtype=torch.uint8))
    (once,) = torch.autograd.grad(loss, logits, retain_graph=True)
    assert torch.equal(gradient(2 * loss, logits), 2 * once)


def test_of_equal_logits_the_first_is_predicted() -> None:
    logits = torch.tensor([0.0, 1.0, 1.0, 1.0]).view(1, 4, 1, 1)
    seeds = torch.tensor([2, 1, 3]).view(1, 3, 1, 1)
    weights = seed_weights(logits, seeds, sharpness=50.0).flatten()
    assert weights.tolist() == pytest.approx([0, 1, 0])


def test_not_a_number_stays_what_it_is() -> None:
    logits = torch.tensor([0.0, math.nan]).view(1, 2, 1, 1)
    seeds = torch.tensor([0, 1]).view(1, 2, 1, 1)
    assert weighted_selective_loss(logits, seeds).isnan()


def test_more_seeds_than_a_byte_counts() -> None:
    logits = torch.zeros(1, 2, 1, 1)
    seeds = torch.ones(1, 300, 1, 1, dtype=torch.uint8)
    assert count_votes(seeds, 2).flatten().tolist() == [0, 300]
    assert weighted_selective_loss(logits, seeds).item() == pytest.approx(math.log(2))


def test_at_its_peak_the_loss_holds_less_than_two_copies_of_the_logits() -> None:
    logits = torch.zeros(4, 21, 41, 41, requires_grad=True)
    seeds = torch.zeros(4, 12, 41, 41, dtype=torch.uint8)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        value = gradient(weighted_selective_loss(logits, seeds), logits)
    events = [e for e in seen.profiler.kineto_results.events() if e.name() == "[memory]"]
    sizes = [e.nbytes() for e in sorted(events, key=lambda e: e.start_ns())]
    assert value.nbytes < max(accumulate(sizes)) < 2 * value.nbytes


# --- borders -------------------------------------------------------------------------------


@pytest.mark.parametrize("sharpness", [0.0, 1.0, 7.0])
def test_all_unknown_is_zero_with_zero_gradient(sharpness: float) -> None:
    logits = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    logits.requires_grad_()
    loss = weighted_selective_loss(logits, torch.full((2, 2, 4, 5), UNKNOWN), sharpness=sharpness)
    assert loss.item() == 0
    assert torch.equal(gradient(loss, logits), torch.zeros_like(logits))


def test_unknown_pixels_get_no_gradient_and_do_not_dilute() -> None:
    logits = torch.randn(1, 3, 1, 4, generator=torch.Generator().manual_seed(0))
    logits.requires_grad_()
    seeds = torch.tensor([[[[0, UNKNOWN, UNKNOWN, 2]], [[1, UNKNOWN, UNKNOWN, 2]]]])
    loss = weighted_selective_loss(logits, seeds)
    assert torch.equal(gradient(loss, logits)[..., 1:3], torch.zeros(1, 3, 1, 2))
    alone = weighted_selective_loss(logits[..., [0, 3]], seeds[..., [0, 3]])
    assert loss.item() == pytest.approx(alone.item())


@settings(deadline=None, max_examples=20)
@given(cases(), SHARPNESS, READINGS)
def test_parts_of_a_batch_add_up(
    case: tuple[Tensor, Tensor], sharpness: float, unknown: Unknown
) -> None:
    logits, seeds = case
    parts = [
        weighted_selective_sum(each, maps, sharpness=sharpness, unknown=unknown)
        for each, maps in zip(logits.split(1), seeds.split(1), strict=True)
    ]
    total, labelled = (torch.stack(each).sum() for each in zip(*parts, strict=True))
    whole = weighted_selective_loss(logits, seeds, sharpness=sharpness, unknown=unknown)
    assert (total / labelled.clamp(min=1)).item() == pytest.approx(whole.item(), rel=1e-5)
    assert labelled == any_labelled(seeds)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_any_integer_dtype_of_seeds(dtype: torch.dtype) -> None:
    logits = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    seeds = torch.randint(0, 3, (2, 2, 4, 5), generator=torch.Generator().manual_seed(1))
    seeds[:, :, 0] = UNKNOWN
    given = seeds.to(dtype)
    assert weighted_selective_loss(logits, given) == weighted_selective_loss(logits, seeds)
    assert torch.equal(seed_weights(logits, given), seed_weights(logits, seeds))
    assert torch.equal(given, seeds.to(dtype)), "the seeds were written to"


@pytest.mark.parametrize("ignore_index", [-1, -100, 254])
def test_another_ignore_index(ignore_index: int) -> None:
    logits = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    seeds = torch.randint(0, 3, (2, 2, 4, 5), generator=torch.Generator().manual_seed(1))
    seeds[:, 1, 0] = UNKNOWN
    other = seeds.masked_fill(seeds == UNKNOWN, ignore_index)
    loss = weighted_selective_loss(logits, other, ignore_index=ignore_index)
    assert loss == weighted_selective_loss(logits, seeds)
    weights = seed_weights(logits, other, ignore_index=ignore_index)
    assert torch.equal(weights, seed_weights(logits, seeds))


def test_an_unknown_pixel_agrees_with_nothing_though_its_number_is_a_label() -> None:
    logits = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)).double()
    seeds = torch.randint(0, 3, (2, 4, 4, 5), generator=torch.Generator().manual_seed(1))
    loss = weighted_selective_loss(logits, seeds, ignore_index=0)
    torch.testing.assert_close(loss, reference_loss(logits, seeds, ignore_index=0))
    log_p = logits.log_softmax(1).gather(1, seeds)
    weights = seed_weights(logits, seeds, ignore_index=0)
    summed = (weights * -log_p).sum() / (seeds != 0).any(1).sum()
    torch.testing.assert_close(loss, summed)


def test_half_precision_logits_lose_only_their_own_precision() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 21, 8, 8, generator=generator).bfloat16().requires_grad_()
    seeds = torch.randint(0, 21, (2, 12, 8, 8), generator=generator)
    loss = weighted_selective_loss(logits, seeds)
    assert loss.dtype == torch.float32
    exact = weighted_selective_loss(logits.float(), seeds)
    assert loss.item() == pytest.approx(exact.item(), rel=1e-6)
    assert gradient(loss, logits).dtype == torch.bfloat16
    weights = seed_weights(logits, seeds)
    torch.testing.assert_close(
        weights.float(), seed_weights(logits.float(), seeds), rtol=0.01, atol=0.001
    )


def test_autocast_changes_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 5, 8, 8, generator=generator)
    seeds = torch.randint(0, 5, (2, 3, 8, 8), generator=generator)
    with torch.autocast("cpu", torch.bfloat16):
        loss = weighted_selective_loss(logits, seeds)
        weights = seed_weights(logits, seeds)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(weighted_selective_loss(logits, seeds).item(), rel=1e-6)
    torch.testing.assert_close(weights, seed_weights(logits, seeds))


def test_large_logits_stay_finite() -> None:
    logits = torch.tensor([1e4, -1e4, 0.0]).view(1, 3, 1, 1).requires_grad_()
    loss = weighted_selective_loss(logits, torch.tensor([1, 0]).view(1, 2, 1, 1))
    assert loss.isfinite()
    assert gradient(loss, logits).isfinite().all()


# --- votes and refusals --------------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(cases())
def test_votes_are_summed_one_hot_maps(case: tuple[Tensor, Tensor]) -> None:
    logits, seeds = case
    labels = logits.shape[1]
    votes = count_votes(seeds, labels)
    expected = torch.stack([(seeds == c).sum(1) for c in range(labels)], 1).byte()
    assert torch.equal(votes, expected)


@pytest.mark.parametrize("bad", [-1, 3, 4, 21, 254])
def test_a_label_out_of_range_is_refused(bad: int) -> None:
    seeds = torch.zeros(1, 2, 2, 2, dtype=torch.long)
    seeds[0, 1, 1, 1] = bad
    with pytest.raises(InputError, match=rf"label {bad};.*3 logits.*0 to 2 and 255"):
        weighted_selective_loss(torch.zeros(1, 3, 2, 2), seeds)


@pytest.mark.parametrize(
    ("logits", "seeds"),
    [
        ((1, 3, 4, 4), (1, 4, 4)),
        ((1, 3, 4, 4), (2, 1, 4, 4)),
        ((1, 3, 4, 4), (1, 1, 4, 5)),
        ((1, 3, 4, 4), (1, 0, 4, 4)),
        ((3,), (1,)),
    ],
)
@pytest.mark.parametrize("function", [weighted_selective_loss, seed_weights])
def test_shapes_that_do_not_fit_are_quoted(function, logits, seeds) -> None:
    with pytest.raises(InputError) as caught:
        function(torch.zeros(logits), torch.zeros(seeds, dtype=torch.long))
    assert str(logits) in str(caught.value)
    assert str(seeds) in str(caught.value)


@pytest.mark.parametrize("sharpness", [-0.1, -math.inf, math.nan])
@pytest.mark.parametrize("function", [weighted_selective_loss, seed_weights])
def test_a_sharpness_that_is_no_sharpness_is_refused(function, sharpness: float) -> None:
    with pytest.raises(InputError, match="sharpness"):
        function(
            torch.zeros(1, 2, 1, 1), torch.zeros(1, 1, 1, 1, dtype=torch.long), sharpness=sharpness
        )


@pytest.mark.parametrize("function", [weighted_selective_loss, seed_weights])
def test_an_unknown_reading_is_refused(function) -> None:
    with pytest.raises(InputError, match="unknown is 'ignored'; choose one of 'counted'"):
        function(torch.zeros(1, 2, 1, 1), torch.zeros(1, 1, 1, 1).long(), unknown="ignored")


@settings(deadline=None, max_examples=30)
@given(cases(most_seeds=4), st.sampled_from([90.0, 120.0, 1e3, 1e30]))
def test_a_huge_sharpness_is_a_hard_choice(case: tuple[Tensor, Tensor], sharpness: float) -> None:
    logits, seeds = case
    logits.requires_grad_()
    loss = weighted_selective_loss(logits, seeds, sharpness=sharpness)
    hard = weighted_selective_loss(logits, seeds, sharpness=60.0)
    assert loss.item() == pytest.approx(hard.item(), rel=1e-6)
    assert gradient(loss, logits).isfinite().all()
    assert seed_weights(logits, seeds, sharpness=sharpness).isfinite().all()


# --- composition ---------------------------------------------------------------------------


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 5, 6, generator=generator, dtype=torch.float64)
    seeds = torch.randint(0, 4, (2, 3, 5, 6), generator=generator)
    seeds[torch.rand(seeds.shape, generator=generator) < 0.3] = UNKNOWN
    return logits, seeds


@settings(deadline=None, max_examples=40)
@given(cases(), SHARPNESS)
def test_fast_is_the_reference(case: tuple[Tensor, Tensor], sharpness: float) -> None:
    logits, seeds = case[0].double().requires_grad_(), case[1]
    fast = weighted_selective_loss(logits, seeds, sharpness=sharpness)
    plain = reference_loss(logits, seeds, sharpness)
    torch.testing.assert_close(fast, plain)
    torch.testing.assert_close(gradient(fast, logits), gradient(plain, logits))


@pytest.mark.parametrize("space", [(), (30,), (5, 6), (5, 3, 2), (5, 1, 3, 2)])
def test_any_number_of_spatial_dimensions(batch, space) -> None:
    logits, seeds = (each.reshape(2, -1, *space) if space else each[..., 0, 0] for each in batch)
    torch.testing.assert_close(
        weighted_selective_loss(logits, seeds), reference_loss(logits, seeds)
    )


def test_transforms_of_functions(batch) -> None:
    logits, seeds = batch

    def one(each: Tensor, maps: Tensor) -> Tensor:
        return weighted_selective_loss(each[None], maps[None])

    def slow(each: Tensor, maps: Tensor) -> Tensor:
        return reference_loss(each[None], maps[None])

    torch.testing.assert_close(
        torch.func.vmap(torch.func.grad(one))(logits, seeds),
        torch.func.vmap(torch.func.grad(slow))(logits, seeds),
    )
    twice = torch.func.jacrev(torch.func.jacrev(lambda each: one(each, seeds[0, :, :2, :2])))
    small = logits[0, :, :2, :2]
    expected = torch.func.jacrev(torch.func.jacrev(lambda each: slow(each, seeds[0, :, :2, :2])))
    torch.testing.assert_close(twice(small), expected(small))


def test_factors_alone_can_be_mapped_over(batch) -> None:
    logits, seeds = batch
    weights = torch.rand(3, logits.shape[1], generator=torch.Generator().manual_seed(0))

    def one(factors: Tensor) -> Tensor:
        return weighted_selective_loss(logits, seeds, class_weights=factors)

    torch.testing.assert_close(torch.func.vmap(one)(weights), torch.stack([*map(one, weights)]))

    def other(factors: Tensor) -> Tensor:
        return weighted_selective_loss(logits, seeds, priors=factors)

    priors = 1 + torch.rand(3, seeds.shape[1], generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(torch.func.vmap(other)(priors), torch.stack([*map(other, priors)]))


@pytest.mark.parametrize("seeds_of", [1, 3])
def test_classes_that_are_ruled_out_cost_nothing(batch, seeds_of) -> None:
    """As `cross_entropy` has it: a logit of -inf is a class that no seed names."""
    logits, seeds = batch
    last, few = logits.shape[1] - 1, seeds[:, :seeds_of]
    few = torch.where(few == last, 0, few)
    without = logits.clone().index_fill_(1, torch.tensor(last), -math.inf).requires_grad_()
    left = logits[:, :last].clone().requires_grad_()
    losses = [weighted_selective_loss(each, few) for each in (without, left)]
    torch.testing.assert_close(*losses)
    grown, expected = (gradient(*each) for each in zip(losses, (without, left), strict=True))
    torch.testing.assert_close(grown[:, :last], expected)
    assert not grown[:, last].any()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"priors": torch.ones(9)}, r"priors \(9,\) do not fit; give \("),
        ({"class_weights": torch.ones(2, 1)}, r"class_weights \(2, 1\) do not fit; give \("),
        (
            {"class_weights": "learnt"},
            "class_weights ask for a gradient and get none here; detach them",
        ),
        ({"priors": "learnt"}, "priors ask for a gradient"),
        ({"priors": "negative"}, "priors are -1 to -1; they are positive and finite"),
        ({"priors": "infinite"}, "priors are 1 to inf; they are positive"),
    ],
)
def test_factors_that_cannot_be_used_are_refused(batch, given, says) -> None:
    logits, seeds = batch
    (name, factors), *_ = given.items()
    if isinstance(factors, str):
        made = torch.ones(logits.shape[1] if name == "class_weights" else seeds.shape[1])
        made[-1] = math.inf if factors == "infinite" else 1
        factors = -made if factors == "negative" else made.requires_grad_(factors == "learnt")
    with pytest.raises(InputError, match=says):
        weighted_selective_loss(logits, seeds, **{name: factors})


def test_a_second_backward_pass(batch) -> None:
    logits, seeds = batch[0].requires_grad_(), batch[1]
    assert torch.autograd.gradgradcheck(lambda each: weighted_selective_loss(each, seeds), logits)


def test_gradients_in_batches(batch) -> None:
    logits, seeds = batch
    small, maps = logits[..., :2, :2], seeds[..., :2, :2]

    def loss(each: Tensor) -> Tensor:
        return weighted_selective_loss(each, maps, reduction="none")

    jacobian = torch.autograd.functional.jacobian
    torch.testing.assert_close(
        jacobian(loss, small, vectorize=True), jacobian(loss, small, vectorize=False)
    )


@pytest.mark.slow
def test_exported_for_any_number_of_images(batch) -> None:
    logits, seeds = batch[0].float(), batch[1]
    some = {0: torch.export.Dim("images", min=2, max=64)}
    program = torch.export.export(
        WeightedSelectiveLoss(), (logits, seeds), dynamic_shapes={"logits": some, "seeds": some}
    )
    twice = torch.cat([logits, logits]), torch.cat([seeds, seeds])
    torch.testing.assert_close(program.module()(*twice), weighted_selective_loss(*twice))


@pytest.mark.slow
def test_compiled_in_one_graph_and_exported(batch) -> None:
    logits, seeds = batch[0].float(), batch[1]
    compiled = torch.compile(weighted_selective_loss, fullgraph=True)
    ours, theirs = (logits.clone().requires_grad_() for _ in range(2))
    torch.testing.assert_close(
        gradient(compiled(ours, seeds), ours),
        gradient(weighted_selective_loss(theirs, seeds), theirs),
    )
    for strict in (False, True):
        program = torch.export.export(WeightedSelectiveLoss(), (logits, seeds), strict=strict)
        torch.testing.assert_close(
            program.module()(logits, seeds), weighted_selective_loss(logits, seeds)
        )


def test_meta_tensors_have_no_labels_to_look_at(batch) -> None:
    logits, seeds = (each.to("meta") for each in batch)
    assert weighted_selective_loss(logits, seeds).shape == ()
    assert weighted_selective_loss(logits, seeds, reduction="none").shape == (2, 5, 6)


def test_factors_go_where_the_module_goes(batch) -> None:
    logits, seeds = (each.to("meta") for each in batch)
    factors = {
        "class_weights": torch.arange(1.0, logits.shape[1] + 1),
        "priors": torch.arange(1.0, seeds.shape[1] + 1),
    }
    criterion = WeightedSelectiveLoss(sharpness=2.0, **factors)
    expected = weighted_selective_loss(*batch, sharpness=2.0, **factors)
    torch.testing.assert_close(criterion(*batch), expected)
    assert criterion.to("meta")(logits, seeds).device.type == "meta"


def test_one_tensor_may_be_both_factors(batch) -> None:
    logits, seeds = batch
    seeds = torch.cat([seeds, seeds[:, :1]], dim=1)  # as many seeds as labels
    factors = dict.fromkeys(("class_weights", "priors"), torch.arange(1.0, logits.shape[1] + 1))
    expected = weighted_selective_loss(logits, seeds, **factors)
    torch.testing.assert_close(WeightedSelectiveLoss(**factors)(logits, seeds), expected)


def test_reductions(batch) -> None:
    logits, seeds = batch
    each = weighted_selective_loss(logits, seeds, reduction="none")
    total = weighted_selective_loss(logits, seeds, reduction="sum")
    torch.testing.assert_close(each.sum(), total)
    torch.testing.assert_close(total / any_labelled(seeds), weighted_selective_loss(logits, seeds))
    with pytest.raises(InputError, match="reduction is 'max'"):
        weighted_selective_loss(logits, seeds, reduction="max")  # type: ignore[arg-type]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_class_weights_of_one_seed_are_those_of_cross_entropy(batch, reduction) -> None:
    logits, seeds = batch[0].requires_grad_(), batch[1][:, :1]
    weights = torch.tensor([0.2, 1.0, 3.0, 0.5], dtype=torch.float64)
    ours = weighted_selective_loss(logits, seeds, class_weights=weights, reduction=reduction)
    theirs = F.cross_entropy(
        logits, seeds[:, 0], weight=weights, ignore_index=UNKNOWN, reduction=reduction
    )
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(gradient(ours.sum(), logits), gradient(theirs.sum(), logits))


def test_equal_class_weights_change_no_mean(batch) -> None:
    logits, seeds = batch
    torch.testing.assert_close(
        weighted_selective_loss(logits, seeds, class_weights=torch.full((4,), 7.0)),
        weighted_selective_loss(logits, seeds),
    )


@pytest.mark.parametrize("unknown", get_args(Unknown))
def test_a_seed_of_prior_two_counts_as_two(batch, unknown: Unknown) -> None:
    logits, seeds = batch
    torch.testing.assert_close(
        weighted_selective_loss(
            logits, seeds, priors=torch.tensor([2.0, 1.0, 1.0]), unknown=unknown
        ),
        weighted_selective_loss(logits, torch.cat([seeds, seeds[:, :1]], 1), unknown=unknown),
    )


@pytest.mark.parametrize("dtype", [torch.float64, torch.int64])
def test_factors_of_another_type_do_not_widen_the_loss(batch, dtype: torch.dtype) -> None:
    logits, seeds = batch[0].float(), batch[1]
    factors = {"priors": torch.tensor([2, 1, 1]), "class_weights": torch.tensor([1, 2, 3, 4])}
    wide = {name: factor.to(dtype) for name, factor in factors.items()}
    same = {name: factor.float() for name, factor in factors.items()}
    loss = weighted_selective_loss(logits, seeds, **wide)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, weighted_selective_loss(logits, seeds, **same))


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.bool, torch.complex64, torch.uint16]
)
@pytest.mark.parametrize("function", [weighted_selective_loss, seed_weights])
def test_seeds_that_are_no_integers_are_refused(function, dtype: torch.dtype) -> None:
    with pytest.raises(InputError, match=f"seeds are {dtype}; give integer labels"):
        function(torch.zeros(1, 2, 3), torch.zeros(1, 1, 3, dtype=dtype))
