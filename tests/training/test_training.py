"""The training loop on a tiny problem: it learns, it resumes, and nothing outside disturbs it."""

from __future__ import annotations

import itertools
import traceback
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.multiprocessing.spawn import ProcessRaisedException

from wsss.data.affine import Augmentation
from wsss.errors import InputError
from wsss.losses import Unknown, classification_loss, weighted_selective_loss
from wsss.models import get_model
from wsss.models.network import SCENES, Network
from wsss.training import Loss, Schedule, fit, isolated_randomness
from wsss.training.loop import Work, _drawn
from wsss.training.precision import Precision
from wsss.training.tasks import classifier_loss, classifier_sample, segmenter_loss, segmenter_sample

COUNT, SIDE = 10, 17
SCHEDULE = Schedule(epochs=4, batch_size=4, lr=0.05, head_multiplier=10, weight_decay=0)


def tiny_network(labels: int = 2, *, dropout: float = 0.2) -> Network:
    """Stride 2, BatchNorm with batch statistics, dropout: all that could go wrong in resuming."""
    with isolated_randomness(0):
        trunk = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1),
            nn.BatchNorm2d(8, momentum=0.5),
            nn.ReLU(),
            nn.Dropout(dropout),
        )
        return Network(trunk, nn.Conv2d(8, labels, 1), output_stride=2, normalisation=SCENES)


def squares() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Bright squares on a dark ground, and the label maps that say so."""
    rng = np.random.default_rng(0)
    images, labels = [], []
    for _ in range(COUNT):
        label = np.zeros((SIDE, SIDE), np.uint8)
        top, left = rng.integers(0, 9, 2)
        label[top : top + 8, left : left + 8] = 1
        noise = rng.integers(0, 40, (SIDE, SIDE, 3))
        images.append((np.where(label[..., None] == 1, 200, 30) + noise).astype(np.uint8))
        labels.append(label)
    return images, labels


IMAGES, LABELS = squares()
SAMPLE = partial(
    segmenter_sample,
    images=IMAGES,
    seeds=[LABELS, LABELS],
    augmentation=Augmentation(SIDE, (0.75, 1.25)),
    fill=(127.5, 127.5, 127.5),
    output_stride=2,
)


def train(
    schedule: Schedule = SCHEDULE, *, loss: Loss | None = None, rng_seed: int = 0, **how: Any
) -> tuple[Network, list[float]]:
    model, loss = tiny_network(), loss or segmenter_loss(1.0)
    history = fit(model, loss, SAMPLE, COUNT, schedule, rng_seed=rng_seed, **how)
    return model, history.loss


def same(first: Network, second: Network) -> bool:
    pairs = zip(first.state_dict().items(), second.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


@pytest.fixture(scope="module")
def uninterrupted() -> tuple[Network, list[float]]:
    return train()


# --- it learns -----------------------------------------------------------------------------


def test_the_loss_falls(uninterrupted: tuple[Network, list[float]]) -> None:
    _, history = uninterrupted
    assert len(history) == SCHEDULE.epochs
    assert history[-1] < 0.6 * history[0]
    assert history[-1] < 0.45 < np.log(2)


def test_the_model_comes_back_on_the_cpu_ready_to_predict(
    uninterrupted: tuple[Network, list[float]],
) -> None:
    model, _ = uninterrupted
    assert not model.training
    assert {p.device.type for p in model.parameters()} == {"cpu"}
    with torch.inference_mode():
        batch = torch.from_numpy(np.stack(IMAGES)).permute(0, 3, 1, 2)
        guess = model(model.normalisation(batch)).argmax(1).numpy()
    assert (guess == np.stack(LABELS)[:, ::2, ::2]).mean() > 0.9


def test_the_loss_of_a_classifier_falls() -> None:
    bright = np.arange(COUNT) % 2 == 0
    images = [np.full((9, 9, 3), 200 if each else 40, np.uint8) for each in bright]
    present = np.stack([bright, ~bright], 1)
    sample = partial(
        classifier_sample,
        images=images,
        present=present,
        augmentation=Augmentation(9),
        fill=(127.5, 127.5, 127.5),
    )
    schedule = replace(SCHEDULE, epochs=6)
    model = tiny_network(dropout=0)
    history = fit(model, classifier_loss, sample, COUNT, schedule, rng_seed=0).loss
    assert history[0] == pytest.approx(2 * np.log(2), rel=0.4)
    assert history[-1] < 0.5 * history[0]


# --- it is reproducible --------------------------------------------------------------------


def test_same_random_seed_same_weights_another_seed_others(
    uninterrupted: tuple[Network, list[float]],
) -> None:
    model, history = train()
    assert same(model, uninterrupted[0])
    assert history == uninterrupted[1]
    assert not same(train(rng_seed=1)[0], model)


def test_the_global_generators_neither_matter_nor_change(
    uninterrupted: tuple[Network, list[float]],
) -> None:
    torch.manual_seed(123)
    torch.rand(7)
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002
    model, _ = train()
    assert same(model, uninterrupted[0])
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002


def test_an_error_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError, match="stop"):
        train(loss=raise_at_step(3))
    assert torch.equal(torch.get_rng_state(), before)


def test_what_happens_after_an_epoch_does_not_matter(
    uninterrupted: tuple[Network, list[float]],
) -> None:
    seen = []

    def look(epoch: int, model: Network) -> None:
        seen.append(epoch)
        model.eval()
        torch.rand(3)

    model, _ = train(after_epoch=look)
    assert seen == [1, 2, 3, 4]
    assert same(model, uninterrupted[0])


# --- precision -----------------------------------------------------------------------------


def test_bfloat16_stays_in_the_network() -> None:
    """Its convolutions run in bfloat16; logits, loss, weights and their gradients do not."""
    inside, outside = set(), set()

    def loss(model: Network, *batch: Tensor) -> tuple[Tensor, int]:
        images, seeds = batch
        logits = model(model.normalisation(images.permute(0, 3, 1, 2)))
        value = weighted_selective_loss(logits, seeds)
        outside.update((logits.dtype, value.dtype))
        return value, 1

    model = tiny_network()
    model.trunk[0].register_forward_hook(lambda module, given, out: inside.add(out.dtype))
    fit(model, loss, SAMPLE, COUNT, replace(SCHEDULE, precision="bf16-mixed"), rng_seed=0)
    assert inside == {torch.bfloat16}
    assert outside == {torch.float32}
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_bfloat16_learns_nearly_the_same(uninterrupted: tuple[Network, list[float]]) -> None:
    """bfloat16 has 8 bits: a relative error of 0.4 % an operation."""
    _, history = train(replace(SCHEDULE, precision="bf16-mixed"))
    assert history != uninterrupted[1]
    assert history == pytest.approx(uninterrupted[1], rel=0.02)


@pytest.mark.parametrize(("precision", "rounds"), [("32-true", False), ("tf32", True)])
def test_convolutions_may_round_to_tf32_as_the_schedule_says(
    monkeypatch: pytest.MonkeyPatch, precision: Precision, rounds: bool
) -> None:
    """What a CPU would refuse, is pretended."""
    for room in ("fitting", "precision"):
        monkeypatch.setattr(f"wsss.training.{room}.require_precision", lambda _: None)
    seen = []

    def loss(model: Network, *batch: Tensor) -> tuple[Tensor, Tensor | int]:
        seen.append(torch.backends.cudnn.allow_tf32)
        return segmenter_loss(1.0)(model, *batch)

    train(replace(SCHEDULE, epochs=1, precision=precision), loss=loss)
    assert set(seen) == {rounds}


def test_tf32_is_refused_where_there_is_none() -> None:
    with pytest.raises(InputError, match="no GPU is here"):
        train(replace(SCHEDULE, precision="tf32"))


# --- it resumes ----------------------------------------------------------------------------


def raise_at_step(step: int) -> Loss:
    done = 0

    def loss(model: Network, *batch: Tensor) -> tuple[Tensor, Tensor | int]:
        nonlocal done
        done += 1
        if done == step:
            raise RuntimeError("stop")
        return segmenter_loss(1.0)(model, *batch)

    return loss


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("step", [1, 2, 3, 6, 8])  # two steps make an epoch
def test_a_killed_training_ends_with_the_same_weights(tmp_path: Path, step: int, optimizer) -> None:
    schedule = replace(SCHEDULE, optimizer=optimizer, warmup=0.3, decay_every="step", clip_norm=1)
    checkpoint = tmp_path / "checkpoint.pt"
    with pytest.raises(RuntimeError, match="stop"):
        train(schedule, loss=raise_at_step(step), checkpoint=checkpoint)
    assert checkpoint.is_file() == (step > 2)
    torch.rand(step)
    resumed, history = train(schedule, checkpoint=checkpoint)
    whole, expected = train(schedule)
    assert same(resumed, whole)
    assert history == expected


def test_a_kill_between_epochs(tmp_path: Path, uninterrupted: tuple[Network, list[float]]) -> None:
    checkpoint = tmp_path / "checkpoint.pt"

    def stop(epoch: int, model: Network) -> None:
        if epoch == 3:
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            train(checkpoint=checkpoint, after_epoch=stop)
    assert len(torch.load(checkpoint, weights_only=True)["history"]) == 2
    resumed, history = train(checkpoint=checkpoint)
    assert same(resumed, uninterrupted[0])
    assert history == uninterrupted[1]


def test_a_complete_checkpoint_trains_nothing(
    tmp_path: Path, uninterrupted: tuple[Network, list[float]]
) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    train(checkpoint=checkpoint)
    again, history = train(checkpoint=checkpoint, loss=raise_at_step(1))
    assert same(again, uninterrupted[0])
    assert history == uninterrupted[1]
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


# --- a batch in parts ----------------------------------------------------------------------


def steady_network() -> Network:
    """Like the paper's networks BatchNorm is frozen; unlike them there is no dropout.

    Dropout draws other masks for a batch in parts, so only without it can curves be compared.
    """
    with isolated_randomness(0):
        trunk = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        return Network(
            trunk, nn.Conv2d(8, 2, 1), output_stride=2, normalisation=SCENES, freeze_batchnorm=True
        )


def mostly_unknown() -> list[np.ndarray]:
    """The label maps of `squares`, of which all but every third know only a corner."""
    maps = [label.copy() for label in LABELS]
    for index, label in enumerate(maps):
        if index % 3:
            label[4:] = label[:, 4:] = 255
    return maps


UNEVEN = partial(SAMPLE.func, **SAMPLE.keywords | {"seeds": [mostly_unknown()] * 2})
PARTED = replace(SCHEDULE, lr=0.2, clip_norm=1.0)


def train_steadily(loss: Loss | None = None, **how: Any) -> tuple[Network, list[float]]:
    model = steady_network()
    loss = loss or segmenter_loss(1.0)
    history = fit(model, loss, UNEVEN, COUNT, PARTED, rng_seed=0, **how)
    return model, history.loss


@pytest.fixture(scope="module")
def at_once() -> tuple[Network, list[float]]:
    model, history = train_steadily()
    assert history[-1] < 0.8 * history[0]  # something was learnt, so that something can differ
    return model, history


def nearly_same(first: Network, second: Network) -> None:
    torch.testing.assert_close(first.state_dict(), second.state_dict(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("micro_batch", [1, 3, 100])
def test_micro_batches_give_the_same_curve(
    at_once: tuple[Network, list[float]], micro_batch: int
) -> None:
    model, history = train_steadily(micro_batch=micro_batch)
    assert history == pytest.approx(at_once[1], rel=0, abs=1e-5)
    nearly_same(model, at_once[0])


def test_a_mean_of_means_would_be_another_curve(at_once: tuple[Network, list[float]]) -> None:
    """The labelled pixels are so uneven that the two tests around this one can fail."""

    def mean(model: Network, *batch: Tensor) -> tuple[Tensor, int]:
        total, labelled = segmenter_loss(1.0)(model, *batch)
        return total / labelled, 1

    assert train_steadily(mean)[1] == pytest.approx(at_once[1], rel=0, abs=1e-5)
    _, history = train_steadily(mean, micro_batch=2)
    assert max(abs(a - b) for a, b in zip(history, at_once[1], strict=True)) > 0.01


def test_two_processes_give_the_same_curve(
    tmp_path: Path, at_once: tuple[Network, list[float]]
) -> None:
    """Two processes (gloo) share each batch of 4: in parts of 1 and 1, and in a third epoch alone.

    The first one writes the checkpoint; one process can go on from it.
    """
    checkpoint = tmp_path / "checkpoint.pt"
    model, history = train_steadily(processes=2, checkpoint=checkpoint)
    assert history == pytest.approx(at_once[1], rel=0, abs=1e-5)
    nearly_same(model, at_once[0])
    assert not model.training
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]
    again, read = train_steadily(checkpoint=checkpoint)
    assert read == history
    assert same(again, model)


def test_what_is_wrong_in_one_of_two_processes_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def launch(*_: Any) -> None:  # as torch tells what a process raised
        try:
            raise InputError("toy: the loss is nan")
        except InputError:
            told = f"\n\n-- Process 1 terminated with:\n{traceback.format_exc()}\n"
        raise ProcessRaisedException(told, error_index=1, error_pid=2)

    monkeypatch.setattr("lightning_fabric.Fabric.launch", launch)
    with pytest.raises(InputError, match=r"^toy: the loss is nan$"):
        train_steadily(processes=2)


def test_batch_statistics_need_the_whole_batch() -> None:
    for how in ({"micro_batch": 2}, {"processes": 2}):
        with pytest.raises(InputError, match="BatchNorm uses the statistics of the whole batch"):
            fit(tiny_network(), segmenter_loss(1.0), SAMPLE, COUNT, SCHEDULE, rng_seed=0, **how)


def test_the_environment_says_how_where_the_caller_does_not(
    monkeypatch: pytest.MonkeyPatch, at_once: tuple[Network, list[float]]
) -> None:
    sizes = set()

    def loss(model: Network, *batch: Tensor) -> tuple[Tensor, Tensor | int]:
        sizes.add(len(batch[0]))
        return segmenter_loss(1.0)(model, *batch)

    monkeypatch.setenv("WSSS_MICRO_BATCH", "3")
    train_steadily(loss, max_steps=1)
    assert sizes == {3, 1}
    sizes.clear()
    train_steadily(loss, max_steps=1, micro_batch=2)
    assert sizes == {2}
    for wrong in ("0", "-1", "two", "1.5"):
        monkeypatch.setenv("WSSS_MICRO_BATCH", wrong)
        with pytest.raises(InputError, match=f"WSSS_MICRO_BATCH: '{wrong}'"):
            train_steadily()


def test_more_processes_than_samples_in_a_batch_are_refused() -> None:
    with pytest.raises(InputError, match="5 processes cannot share a batch of 4"):
        train_steadily(processes=5)


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = steady_network()
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(InputError, match="2 processes need a GPU each, and there are 1"):
        fit(model, segmenter_loss(1.0), UNEVEN, COUNT, PARTED, rng_seed=0, processes=2)


# --- a few steps ---------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 2, 3, 100])  # two steps make an epoch, eight the training
def test_a_training_can_be_cut_short(
    tmp_path: Path, steps: int, uninterrupted: tuple[Network, list[float]]
) -> None:
    seen = []
    history = fit(
        tiny_network(),
        segmenter_loss(1.0),
        SAMPLE,
        COUNT,
        SCHEDULE,
        rng_seed=0,
        checkpoint=tmp_path / "checkpoint.pt",
        after_epoch=lambda epoch, model: seen.append(epoch),
        max_steps=steps,
    )
    whole = min(steps, 8) // 2
    assert history.steps == min(steps, 8)
    assert history.loss[:whole] == uninterrupted[1][:whole]
    assert len(history.loss) == whole + (steps == 1 or steps == 3)
    assert history.seconds > 0
    assert seen == list(range(1, whole + 1))
    resumed, losses = train(checkpoint=tmp_path / "checkpoint.pt")
    assert same(resumed, uninterrupted[0])
    assert losses == uninterrupted[1]


def test_of_a_longer_training_a_shorter_one_takes_no_step(tmp_path: Path) -> None:
    checkpoint = tmp_path / "new" / "checkpoint.pt"  # the folder is made
    _, losses = train(checkpoint=checkpoint)
    model, shorter = tiny_network(), replace(SCHEDULE, epochs=1)
    loss = segmenter_loss(1.0)
    history = fit(model, loss, SAMPLE, COUNT, shorter, rng_seed=0, checkpoint=str(checkpoint))
    assert history.steps == 0
    assert history.loss == losses
    with pytest.raises(InputError, match="max_steps is -1"):
        train(max_steps=-1)


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    train(checkpoint=checkpoint, max_steps=2)
    with pytest.raises(InputError, match=r"checkpoint\.pt: of another network or optimiser"):
        train(replace(SCHEDULE, optimizer="adamw"), checkpoint=checkpoint)
    adamw = tmp_path / "adamw.pt"
    train(replace(SCHEDULE, optimizer="adamw", lr=1e-3), checkpoint=adamw, max_steps=2)
    with pytest.raises(InputError, match=r"adamw\.pt: of another network or optimiser"):
        train(checkpoint=adamw)
    other = tiny_network(labels=3)
    with pytest.raises(InputError, match=r"checkpoint\.pt: of another network or optimiser"):
        fit(other, segmenter_loss(1.0), SAMPLE, COUNT, SCHEDULE, rng_seed=0, checkpoint=checkpoint)


def test_want_of_memory_is_no_other_training(tmp_path: Path, monkeypatch) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    train(checkpoint=checkpoint, max_steps=2)

    def fail(*_: Any) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(torch.optim.SGD, "load_state_dict", fail)
    with pytest.raises(torch.OutOfMemoryError):
        train(checkpoint=checkpoint)


def test_of_small_terms_the_quotient_is_minimised() -> None:
    whole = segmenter_loss(1.0)

    def small(model: Network, *batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        total, counted = whole(model, *batch)
        return total * 2**-20, torch.as_tensor(counted) * 2**-20

    assert train(loss=small)[1] == pytest.approx(train()[1], rel=1e-5)


def test_seconds_of_a_killed_training_are_kept(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    histories = [
        fit(
            tiny_network(), segmenter_loss(1.0), SAMPLE, COUNT, SCHEDULE, rng_seed=0,
            checkpoint=checkpoint, max_steps=2,
        )
        for _ in range(3)
    ]  # fmt: skip
    assert histories[0].seconds_before == 0
    for earlier, later in itertools.pairwise(histories):
        spent = earlier.seconds_before + earlier.seconds
        assert 0.5 * spent < later.seconds_before <= spent


# --- the schedule --------------------------------------------------------------------------


def test_poly_decay_by_epoch_is_that_of_section_5_2() -> None:
    schedule = Schedule()
    factors = [schedule.factor(step, 661) for step in range(20 * 661)]
    for epoch in range(20):
        assert set(factors[epoch * 661 : (epoch + 1) * 661]) == {(1 - epoch / 20) ** 0.9}


def test_poly_decay_by_step() -> None:
    schedule = Schedule(epochs=3, decay_every="step")
    factors = [schedule.factor(step, 5) for step in range(15)]
    assert factors == pytest.approx([(1 - step / 15) ** 0.9 for step in range(15)])


def test_warmup_rises_linearly_and_then_does_nothing() -> None:
    warm, cold = Schedule(epochs=4, warmup=0.25), Schedule(epochs=4)
    ratio = [warm.factor(step, 5) / cold.factor(step, 5) for step in range(20)]
    assert ratio == pytest.approx([0.2, 0.4, 0.6, 0.8] + [1.0] * 16)


@pytest.mark.parametrize("decay_every", ["epoch", "step"])
def test_every_step_uses_its_rate_and_the_head_learns_faster(decay_every) -> None:
    """With a loss whose gradient is 1 everywhere, plain SGD moves each weight by the rate."""
    schedule = Schedule(
        epochs=3, batch_size=4, lr=0.01, head_multiplier=10, momentum=0, weight_decay=0,
        decay_every=decay_every,
    )  # fmt: skip

    def total(model: Network, *batch: Tensor) -> tuple[Tensor, int]:
        return sum((p.sum() for p in model.parameters()), torch.zeros(())), 1

    model, before = tiny_network(), tiny_network().state_dict()
    fit(model, total, SAMPLE, COUNT, schedule, rng_seed=0)
    moved = 0.01 * sum(schedule.factor(step, 2) for step in range(6))
    for name, after in model.named_parameters():
        rate = 10 if name.startswith("classifier") else 1
        torch.testing.assert_close(
            before[name] - after.detach(), torch.full_like(after, rate * moved)
        )


def test_weight_decay_and_momentum_reach_the_optimizer() -> None:
    schedule = Schedule()
    for group in schedule.make_optimizer(tiny_network()).param_groups:
        assert (group["momentum"], group["weight_decay"]) == (0.9, 5e-4)
    adamw = replace(schedule, optimizer="adamw", weight_decay=0.1)
    optimizer = adamw.make_optimizer(tiny_network())
    assert isinstance(optimizer, torch.optim.AdamW)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.1]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"optimizer": "adam"}, "optimizer is 'adam'; choose one of 'sgd', 'adamw'"),
        ({"decay_every": "steps"}, "decay_every is 'steps'; choose one of 'epoch', 'step'"),
        ({"precision": "bf16"}, "precision is 'bf16'; .* '32-true', 'tf32', 'bf16-mixed'"),
        ({"epochs": 1.5}, "epochs is 1.5; give a whole number from 1 on"),
        ({"steps": 0}, "steps is 0; give a whole number from 1 on"),
        ({"lr": -1.0}, "lr is -1.0; give a number, 0 to inf"),
        ({"lr": "a"}, "lr is 'a'; give a number, 0 to inf"),
        ({"power": float("nan")}, "power is nan; give a number, 0 to inf"),
        ({"warmup": 1.5}, "warmup is 1.5; give a number, 0 to 1"),
        ({"clip_norm": 0.0}, "clip_norm is 0.0; None clips nothing"),
    ],
)
def test_what_a_schedule_does_not_know_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=f"^Schedule: {says}$"):
        replace(SCHEDULE, **wrong)


def test_gradients_are_clipped() -> None:
    schedule = Schedule(
        epochs=1, batch_size=10, lr=1.0, head_multiplier=1, momentum=0, weight_decay=0,
        clip_norm=0.5,
    )  # fmt: skip

    def steep(model: Network, *batch: Tensor) -> tuple[Tensor, int]:
        return 1000 * sum((p.sum() for p in model.parameters()), torch.zeros(())), 1

    model, before = tiny_network(), tiny_network()
    fit(model, steep, SAMPLE, COUNT, schedule, rng_seed=0)
    pairs = zip(model.parameters(), before.parameters(), strict=True)
    moved = torch.cat([(a - b).flatten() for a, b in pairs]).norm()
    assert moved.item() == pytest.approx(0.5, rel=1e-4)


def test_the_incomplete_batch_is_dropped_and_each_epoch_is_shuffled() -> None:
    drawn: list[int] = []

    def sample(index: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        drawn.append(index)
        return SAMPLE(index, rng)

    fit(tiny_network(), segmenter_loss(1.0), sample, COUNT, SCHEDULE, rng_seed=0)
    epochs = [drawn[start : start + 8] for start in range(0, 32, 8)]
    assert len(drawn) == 32  # 4 epochs of 2 batches of 4, 2 of 10 samples left out
    assert all(len(set(epoch)) == 8 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(InputError, match="3 samples do not fill a batch of 4"):
        fit(tiny_network(), segmenter_loss(1.0), SAMPLE, 3, SCHEDULE, rng_seed=0)


# --- samples and losses --------------------------------------------------------------------


def test_losses_see_normalised_images_and_the_labels() -> None:
    model = tiny_network(dropout=0)
    images = torch.from_numpy(np.stack(IMAGES[:2]))
    logits = model((images.permute(0, 3, 1, 2).float() / 255 - 0.5) * 4)
    present = torch.tensor([[True, False], [False, True]])
    expected = classification_loss(logits.mean((2, 3)), present)
    total, count = classifier_loss(model, images, present)
    assert count == 2
    torch.testing.assert_close(total / count, expected)

    seeds = torch.from_numpy(np.stack(LABELS[:4])[:, ::2, ::2]).reshape(2, 2, 9, 9)
    seeds[:, 0, :3] = 255
    for sharpness in (0.0, 1.0, 5.0):
        for unknown in get_args(Unknown):
            expected = weighted_selective_loss(logits, seeds, sharpness=sharpness, unknown=unknown)
            total, labelled = segmenter_loss(sharpness, unknown)(model, images, seeds)
            assert labelled == (seeds != 255).any(1).sum()
            torch.testing.assert_close(total / labelled, expected)


@pytest.mark.parametrize("clip_norm", [None, 1.0])
@pytest.mark.parametrize("epoch", [0, 1])
def test_a_loss_that_is_not_finite_stops_the_training_and_names_the_images(
    tmp_path, epoch, clip_norm
) -> None:
    def sample(index: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        return np.zeros((9, 9, 3), np.uint8), np.array([index == 0])

    seen = []

    def loss(model, images, present):
        seen.append(present)
        total = model(model.normalisation(images.permute(0, 3, 1, 2))).sum()
        bad = present.any() and len(seen) > 2 * epoch
        return total * (torch.nan if bad else 1), len(images)

    model = get_model("vgg16_scenes", head="cam", num_classes=1, width=1 / 16)
    schedule = Schedule(epochs=2, batch_size=2, lr=1e-3, clip_norm=clip_norm)
    checkpoint = tmp_path / "checkpoint.pt"
    message = rf"toy: the loss is nan at epoch {epoch + 1}, step \d, on the images .*zero"
    with pytest.raises(InputError, match=message):
        fit(
            model, loss, sample, 4, schedule, rng_seed=0, title="toy", checkpoint=checkpoint,
            names=["zero", "one", "two", "three"],
        )  # fmt: skip
    assert checkpoint.is_file() == (epoch == 1)


@pytest.mark.parametrize("damage", ["cut", "empty", "flip"])
def test_a_damaged_checkpoint_costs_the_training_and_nothing_else(tmp_path, damage, capsys) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    wanted, _ = train(checkpoint=checkpoint)
    content = bytearray(checkpoint.read_bytes())
    content[content.index(wanted.classifier.weight.detach().numpy().tobytes())] ^= 1
    spoilt = {"cut": content[: len(content) // 3], "empty": b"", "flip": content}[damage]
    checkpoint.write_bytes(spoilt)
    again, _ = train(checkpoint=checkpoint)
    assert "the training starts anew" in capsys.readouterr().err
    assert same(again, wanted)


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_samples_are_the_same_whoever_draws_them(threads: int) -> None:
    def sample(index: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        return (np.array([index, rng.integers(10**9)]),)

    work = Work(
        loss=classifier_loss, sample=sample, count=9, schedule=Schedule(), rng_seed=3,
        checkpoint=None, after_epoch=None, title="toy", micro_batch=4, max_steps=None,
    )  # fmt: skip
    batches = [[4, 1], [8, 0], [2, 3], [5, 6]]
    drawn = list(_drawn(work, 7, batches, threads))
    assert [[int(each[0][0]) for each in batch] for batch in drawn] == batches
    expected = [
        [np.random.default_rng([3, 7, index]).integers(10**9) for index in batch]
        for batch in batches
    ]
    assert [[each[0][1] for each in batch] for batch in drawn] == expected


def test_the_tasks_of_a_slurm_job_are_trainings_of_their_own(
    monkeypatch: pytest.MonkeyPatch, uninterrupted: tuple[Network, list[float]]
) -> None:
    slurm = {"NTASKS": "4", "JOB_ID": "1", "JOB_NAME": "x", "PROCID": "2", "LOCALID": "2",
             "NODEID": "0", "NNODES": "1", "STEP_NODELIST": "a"}  # fmt: skip
    for name, value in slurm.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    assert same(train()[0], uninterrupted[0])
