"""One visible training loop for the classifier and the segmenter (Sec. 5.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from wsss.errors import InputError
from wsss.models import parameter_groups
from wsss.models.network import Network

Sample = Callable[[int, np.random.Generator], tuple[np.ndarray, ...]]
Loss = Callable[..., Tensor]
AfterEpoch = Callable[[int, Network], None]


@dataclass(frozen=True)
class Schedule:
    """How a network is trained; the defaults are those of Sec. 5.2.

    Attributes
    ----------
    epochs, batch_size : int
        Sec. 5.2: 20 and 16. The batch is the global one, over all devices; the last incomplete
        batch of an epoch is dropped.
    steps : int or None
        Instead of `epochs`: as many whole epochs as take at least so many steps, so that a small
        set of images is trained on for as long as a large one.
    lr : float
        Initial learning rate of the pretrained layers (Sec. 5.2: 0.001).
    head_multiplier : float
        New layers learn this many times faster (Sec. 5.2: 10).
    power : float
        Poly decay: the rate is multiplied by (1 - progress) ** power (Sec. 5.2: 0.9).
    decay_every : {"epoch", "step"}
        When progress counts. Sec. 5.2 says every epoch; DeepLab decays every few steps.
    optimizer : {"sgd", "adamw"}
        Sec. 5.2: SGD.
    momentum, weight_decay : float
        Not in the paper: DeepLab's values, and those of the authors' other code.
    warmup : float
        Share of the training over which the rate rises linearly from zero (not in the paper).
    clip_norm : float or None
        Largest norm of the gradient (not in the paper).
    precision : {"32-true", "bf16-mixed"}
        Of the network's arithmetic (not in the paper). With bfloat16 the weights, the logits that
        the loss sees and the loss stay in float32. It changes the numbers, so it belongs here.
    """

    epochs: int = 20
    batch_size: int = 16
    steps: int | None = None
    lr: float = 1e-3
    head_multiplier: float = 10.0
    power: float = 0.9
    decay_every: Literal["epoch", "step"] = "epoch"
    optimizer: Literal["sgd", "adamw"] = "sgd"
    momentum: float = 0.9
    weight_decay: float = 5e-4
    warmup: float = 0.0
    clip_norm: float | None = None
    precision: Literal["32-true", "bf16-mixed"] = "32-true"

    def epochs_of(self, steps_per_epoch: int) -> int:
        """Epochs that the training lasts.

        Examples
        --------
        >>> Schedule(epochs=20).epochs_of(100), Schedule(steps=250).epochs_of(100)
        (20, 3)
        """
        return self.epochs if self.steps is None else -(-self.steps // steps_per_epoch)

    def factor(self, step: int, steps_per_epoch: int) -> float:
        """Compute what the learning rate is multiplied by at a step.

        Examples
        --------
        >>> schedule = Schedule(epochs=2, power=1.0)
        >>> [schedule.factor(step, 2) for step in range(4)]
        [1.0, 1.0, 0.5, 0.5]
        >>> schedule = Schedule(epochs=2, power=1.0, decay_every="step", warmup=0.5)
        >>> [schedule.factor(step, 2) for step in range(4)]
        [0.5, 0.75, 0.5, 0.25]
        """
        total = self.epochs_of(steps_per_epoch) * steps_per_epoch
        done = step if self.decay_every == "step" else step // steps_per_epoch * steps_per_epoch
        rise = min(1.0, (step + 1) / (self.warmup * total)) if self.warmup else 1.0
        return rise * (1 - done / total) ** self.power

    def make_optimizer(self, model: Network) -> torch.optim.Optimizer:
        """Optimizer over the model's two groups of parameters, new layers at their own rate."""
        groups = parameter_groups(model)
        rates = [
            {"params": groups["pretrained"], "lr": self.lr},
            {"params": groups["new"], "lr": self.lr * self.head_multiplier},
        ]
        if self.optimizer == "adamw":
            return torch.optim.AdamW(rates, weight_decay=self.weight_decay, fused=True)
        return torch.optim.SGD(
            rates, momentum=self.momentum, weight_decay=self.weight_decay, fused=True
        )


def fit(
    model: Network,
    loss: Loss,
    sample: Sample,
    count: int,
    schedule: Schedule,
    *,
    rng_seed: int,
    checkpoint: Path | None = None,
    after_epoch: AfterEpoch | None = None,
    title: str = "training",
) -> list[float]:
    """Train a network in place.

    Everything random in an epoch follows from (`rng_seed`, epoch) and, for a sample, its index: a
    training that is killed and started again ends with the same weights as one that is not, on
    one thread of a CPU.

    Parameters
    ----------
    model : Network
        Trained in place.
    loss : callable
        ``loss(model, *batch) -> ()`` tensor.
    sample : callable
        ``sample(index, rng) -> arrays``: one augmented training sample; batches stack them.
    count : int
        Number of samples.
    schedule : Schedule
        How to train.
    rng_seed : int
        Random seed.
    checkpoint : Path, optional
        Written after every epoch; if it is there, training goes on from it.
    after_epoch : callable, optional
        ``after_epoch(epoch, model)`` is called with the number of epochs done.
    title : str
        Shown at the progress bar.

    Returns
    -------
    list of float
        Mean loss of every epoch.

    Raises
    ------
    InputError
        If there are fewer samples than a batch holds.
    """
    from lightning_fabric import Fabric  # its import takes seconds that reading results never needs

    steps = count // schedule.batch_size  # of one epoch
    if not steps:
        raise InputError(f"{title}: {count} samples do not fill a batch of {schedule.batch_size}")
    fabric = Fabric(accelerator="auto", devices=1, precision=schedule.precision)
    bare, optimizer = model, schedule.make_optimizer(model)
    model, optimizer = fabric.setup(model, optimizer)  # pyright: ignore[reportAssignmentType]
    base_rates = [group["lr"] for group in optimizer.param_groups]
    history = _resume(checkpoint, bare, optimizer)

    epochs = schedule.epochs_of(steps)
    progress = tqdm(total=epochs * steps, initial=len(history) * steps, desc=title)
    with progress, isolated_randomness(rng_seed):
        for epoch in range(len(history), epochs):
            torch.manual_seed(_mix(rng_seed, epoch))
            model.train()
            losses = []
            for batch in fabric.setup_dataloaders(
                _batches(sample, count, schedule, rng_seed, epoch)
            ):
                factor = schedule.factor(epoch * steps + len(losses), steps)
                for group, rate in zip(optimizer.param_groups, base_rates, strict=True):
                    group["lr"] = rate * factor
                optimizer.zero_grad()
                value = loss(model, *batch)
                fabric.backward(value)
                if schedule.clip_norm:
                    fabric.clip_gradients(model, optimizer, max_norm=schedule.clip_norm)
                optimizer.step()
                losses.append(value.detach())
                progress.update()
            history.append(torch.stack(losses).mean().item())
            progress.set_postfix(loss=f"{history[-1]:.3f}")
            if after_epoch:
                after_epoch(epoch + 1, bare)
            if checkpoint:
                _save(checkpoint, bare, optimizer, history)
    bare.to("cpu").eval()
    return history


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
    with torch.random.fork_rng():
        torch.manual_seed(rng_seed)
        yield


class _Epoch(Dataset[Any]):
    """Samples of one epoch, each with a generator of its own."""

    def __init__(self, sample: Sample, count: int, rng_seed: int, epoch: int) -> None:
        self.sample, self.count, self.rng_seed, self.epoch = sample, count, rng_seed, epoch

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        return self.sample(index, np.random.default_rng([self.rng_seed, self.epoch, index]))


def _batches(
    sample: Sample, count: int, schedule: Schedule, rng_seed: int, epoch: int
) -> DataLoader[Any]:
    return DataLoader(
        _Epoch(sample, count, rng_seed, epoch),
        schedule.batch_size,
        shuffle=True,
        drop_last=True,
        generator=torch.Generator().manual_seed(_mix(rng_seed, epoch)),
    )


def _mix(rng_seed: int, epoch: int) -> int:
    """One number from two, such that neighbouring random seeds share no epoch."""
    return int(np.random.SeedSequence([rng_seed, epoch]).generate_state(1)[0])


def _resume(
    checkpoint: Path | None, model: Network, optimizer: torch.optim.Optimizer
) -> list[float]:
    if checkpoint is None or not checkpoint.is_file():
        return []
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return state["history"]


def _save(
    checkpoint: Path, model: Network, optimizer: torch.optim.Optimizer, history: list[float]
) -> None:
    """Write aside and rename, so that a killed process leaves the previous epoch whole."""
    aside = checkpoint.with_name(checkpoint.name + ".part")
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "history": list(history),
    }
    torch.save(state, aside)
    aside.replace(checkpoint)
