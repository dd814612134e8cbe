"""The one visible training loop (Sec. 5.2)."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zipfile import ZipFile

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, default_collate
from tqdm import tqdm

from wsss.errors import InputError
from wsss.models.loading import write_state
from wsss.models.network import Network
from wsss.processes import cores
from wsss.progress import tell
from wsss.training.precision import arithmetic
from wsss.training.schedule import Schedule

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Sample = Callable[[int, np.random.Generator], tuple[np.ndarray, ...]]
Loss = Callable[..., tuple[Tensor, Tensor | int]]
AfterEpoch = Callable[[int, Network], None]
THREADS, AHEAD = 4, 2
"""Beside a GPU so many threads draw samples, and so many batches before they are needed."""


@contextmanager
def isolated_randomness(rng_seed: int) -> Iterator[None]:
    """Seed torch's global generator inside the block and leave it untouched outside.

    Examples
    --------
    >>> with isolated_randomness(0):
    ...     first = torch.rand(1)
    >>> with isolated_randomness(0):
    ...     bool(first == torch.rand(1))
    True
    """
    # Only the GPU that is used: torch warns of forking the generators of several unasked.
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(rng_seed)
        yield


def mix(*numbers: int) -> int:
    """One number from several, such that neighbouring random seeds share no epoch."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


class History(NamedTuple):
    """What a training did.

    Attributes
    ----------
    loss : list of float
        Mean loss of every epoch, of what a killed process did as well.
    steps : int
        Steps of the optimiser that this call made.
    seconds : float
        What they took, samples included.
    seconds_before : float
        What the epochs took that were there already.
    first : float
        What the first of these steps took: memory is found, kernels are chosen.

    Examples
    --------
    >>> History([0.7, 0.6], steps=20, seconds=4.0, seconds_before=0.0).loss[-1]
    0.6
    """

    loss: list[float]
    steps: int
    seconds: float
    seconds_before: float
    first: float = 0.0


@dataclass(frozen=True)
class Work:
    """What `fit` was asked for, as every process needs it."""

    loss: Loss
    sample: Sample
    count: int
    schedule: Schedule
    rng_seed: int
    checkpoint: Path | None
    after_epoch: AfterEpoch | None
    title: str
    micro_batch: int
    max_steps: int | None
    names: Sequence[str] | None = None


def train(fabric: Fabric, model: Network, work: Work) -> History:
    """Train in this process, which may be one of several."""
    schedule = work.schedule
    bare, optimizer = model, schedule.make_optimizer(model)
    model, optimizer = fabric.setup(model, optimizer)  # pyright: ignore[reportAssignmentType]
    base_rates = [group["lr"] for group in optimizer.param_groups]
    history, seconds_before = _resume(work.checkpoint, bare, optimizer)

    steps = work.count // schedule.batch_size  # of one epoch
    first, last = len(history) * steps, schedule.epochs_of(steps) * steps
    if work.max_steps is not None:
        last = min(last, first + work.max_steps)
    last = max(first, last)  # of a longer training that is there
    started, warm = time.perf_counter(), 0.0
    others: dict[str, Any] = (
        {} if fabric.is_global_zero else {"disable": True}
    )  # one bar for all processes
    progress = tqdm(total=last, initial=first, desc=work.title, **others)
    with progress, isolated_randomness(work.rng_seed), arithmetic(schedule.precision):
        for epoch in range(len(history), -(-last // steps)):
            torch.manual_seed(mix(work.rng_seed, epoch, fabric.global_rank))
            model.train()
            losses = []
            for parts in _batches(fabric, work, epoch, steps=min(steps, last - epoch * steps)):
                factor = schedule.factor(epoch * steps + len(losses), steps)
                for group, rate in zip(optimizer.param_groups, base_rates, strict=True):
                    group["lr"] = rate * factor
                optimizer.zero_grad()
                losses.append(_backward(fabric, model, work.loss, parts))
                if schedule.clip_norm:
                    fabric.clip_gradients(  # what is not finite is told after the epoch
                        model, optimizer, max_norm=schedule.clip_norm, error_if_nonfinite=False
                    )
                optimizer.step()
                if not warm:
                    losses[0].item()  # wait for a GPU, once
                    warm = time.perf_counter() - started
                progress.update()
                tell(epoch * steps + len(losses), last)
            _refuse_not_finite(work, epoch, torch.stack(losses))
            history.append(torch.stack(losses).mean().item())
            progress.set_postfix(loss=f"{history[-1]:.3f}")
            if len(losses) < steps or not fabric.is_global_zero:
                continue
            if work.after_epoch:
                work.after_epoch(epoch + 1, bare)
            if work.checkpoint:
                seconds = seconds_before + time.perf_counter() - started
                _save(work.checkpoint, bare, optimizer, history, seconds)
    if not all(value.isfinite().all() for value in bare.parameters()):
        raise InputError(f"{work.title}: weights are not finite; lower the learning rate")
    return History(history, last - first, time.perf_counter() - started, seconds_before, warm)


def _refuse_not_finite(work: Work, epoch: int, losses: Tensor) -> None:
    """Stop where a loss is no number: nothing of the epoch is kept, and no result made of it."""
    if losses.isfinite().all():
        return
    step = int((~losses.isfinite()).nonzero()[0])
    batch = next(islice(_order(work, epoch), step, None))
    names = [str(work.names[index]) if work.names else str(index) for index in batch]
    raise InputError(
        f"{work.title}: the loss is {losses[step].item()} at epoch {epoch + 1}, step {step + 1}, "
        f"on the images {', '.join(names)}; lower the learning rate, or look at these"
    )


def _backward(fabric: Fabric, model: Network, loss: Loss, parts: list[Any]) -> Tensor:
    """Leave the gradient of the mean loss over the whole global batch; return that mean, ().

    Labelled pixels are unevenly spread over the parts and processes, so a mean of their means would
    be another loss. Gradients of sums are summed, and divided once.
    """
    sums = torch.zeros(2, device=fabric.device)
    for left, part in zip(reversed(range(len(parts))), parts, strict=True):
        with fabric.no_backward_sync(model, enabled=left > 0):  # pyright: ignore[reportArgumentType]
            total, counted = loss(model, *fabric.to_device(part))
            fabric.backward(total)
        sums[0] += total.detach()
        sums[1] += counted
    total, counted = fabric.all_reduce(sums, reduce_op="sum")
    counted = counted + (counted == 0)  # where nothing is, zero by one
    factor = fabric.world_size / counted  # DDP took the mean over the processes
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.grad *= factor
    return total / counted


def _batches(fabric: Fabric, work: Work, epoch: int, *, steps: int) -> Iterator[list[Any]]:
    """Yield this process's share of every global batch, cut into micro-batches."""
    rank, world = fabric.global_rank, fabric.world_size
    shares = (batch[rank::world] for batch in islice(_order(work, epoch), steps))
    beside = 0 if fabric.device.type == "cpu" else min(THREADS, cores())
    for drawn in _drawn(work, epoch, shares, beside):
        yield [
            default_collate(drawn[start : start + work.micro_batch])
            for start in range(0, len(drawn), work.micro_batch)
        ]


def _drawn(
    work: Work, epoch: int, batches: Iterable[list[int]], threads: int
) -> Iterator[list[tuple[np.ndarray, ...]]]:
    """Draw the samples of each batch; with threads some batches ahead, while a GPU computes.

    A sample is the same whoever draws it and when: each has random numbers of its own.
    """

    def draw(index: int) -> tuple[np.ndarray, ...]:
        return work.sample(index, np.random.default_rng([work.rng_seed, epoch, index]))

    if not threads:
        yield from ([draw(index) for index in batch] for batch in batches)
        return
    ahead: deque[list[Future[tuple[np.ndarray, ...]]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for batch in batches:
            ahead.append([pool.submit(draw, index) for index in batch])
            if len(ahead) > AHEAD:
                yield [each.result() for each in ahead.popleft()]
        yield from ([each.result() for each in batch] for batch in ahead)


def _order(work: Work, epoch: int) -> Iterator[list[int]]:
    """Yield the samples of every global batch of an epoch."""
    yield from DataLoader(
        range(work.count),  # pyright: ignore[reportArgumentType]
        work.schedule.batch_size,
        shuffle=True,
        drop_last=True,
        collate_fn=list,
        generator=torch.Generator().manual_seed(mix(work.rng_seed, epoch)),
    )


def _resume(
    checkpoint: Path | None, model: Network, optimizer: torch.optim.Optimizer
) -> tuple[list[float], float]:
    """Take over what a killed training left: the loss of its epochs, and their seconds."""
    if checkpoint is None or not checkpoint.is_file():
        return [], 0.0
    try:
        with ZipFile(checkpoint) as archive:
            if damaged := archive.testzip():  # torch itself does not compare checksums
                raise ValueError(damaged)
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        kept = [state[name] for name in ("model", "optimizer", "history", "seconds")]
    except Exception as error:  # torch has no error of its own for a file that is cut or spoilt
        tqdm.write(f"{checkpoint}: {type(error).__name__}, the training starts anew", sys.stderr)
        return [], 0.0
    weights, steps, history, seconds = kept
    try:
        model.load_state_dict(weights)
        optimizer.load_state_dict(steps)
        foreign = optimizer.defaults.keys() - optimizer.param_groups[0].keys()
    except torch.OutOfMemoryError:
        raise
    except (KeyError, RuntimeError, ValueError):  # torch lists every name that differs
        foreign = True
    if foreign:
        raise InputError(
            f"{checkpoint}: of another network or optimiser; delete it, or name another"
        )
    return history, seconds


def _save(
    checkpoint: Path,
    model: Network,
    optimizer: torch.optim.Optimizer,
    history: list[float],
    seconds: float,
) -> None:
    """Write aside and rename, so that a killed process leaves the previous epoch whole."""
    aside = checkpoint.with_name(checkpoint.name + ".part")
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "history": history,
        "seconds": seconds,
    }
    write_state(state, aside)
    aside.replace(checkpoint)
