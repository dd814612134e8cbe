"""How long and how fast a network learns: rates, decay and optimiser (Sec. 5.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from numbers import Integral
from typing import Any, Literal, get_origin, get_type_hints

import torch

from wsss.errors import InputError, require_word
from wsss.models import parameter_groups
from wsss.models.network import Network
from wsss.training.precision import Precision

_MOST = dict.fromkeys(("lr", "head_multiplier", "power", "weight_decay"), math.inf)
_MOST |= {"momentum": 1, "warmup": 1}


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
    precision : {"32-true", "tf32", "bf16-mixed"}
        Of the network's arithmetic (not in the paper). "32-true" is float32 on a GPU too, "tf32"
        what torch does there by default; with bfloat16 the weights, the logits that the loss sees
        and the loss stay in float32. It changes the numbers, so it belongs here. A
        `wsss.wiring.Wiring` takes "tf32" for "32-true" on a GPU unless it is told otherwise.

    Raises
    ------
    InputError
        If `decay_every`, `optimizer` or `precision` is none of its words, or a number out of range.
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
    precision: Precision = "32-true"

    def __post_init__(self) -> None:
        for name, words in _words().items():
            require_word(f"Schedule: {name}", getattr(self, name), words)
        for name in ("epochs", "batch_size", "steps"):
            number = 1 if name == "steps" and self.steps is None else getattr(self, name)
            if not isinstance(number, Integral) or number < 1:
                raise InputError(f"Schedule: {name} is {number!r}; give a whole number from 1 on")
        for name, most in _MOST.items():
            number = getattr(self, name)
            if not (isinstance(number, int | float) and 0 <= number <= most and number < math.inf):
                raise InputError(f"Schedule: {name} is {number!r}; give a number, 0 to {most:g}")
        norm = 1 if self.clip_norm is None else self.clip_norm
        if not (isinstance(norm, int | float) and norm > 0):
            raise InputError(f"Schedule: clip_norm is {norm!r}; None clips nothing")

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


@cache
def _words() -> dict[str, Any]:
    """Fields of a schedule that are one of some words: looked up once."""
    hints = get_type_hints(Schedule)
    return {name: words for name, words in hints.items() if get_origin(words) is Literal}
