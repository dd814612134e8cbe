"""Random numbers that nothing outside of a training disturbs, nor it them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


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
    with torch.random.fork_rng(devices=_devices()):
        torch.manual_seed(rng_seed)
        yield


def _devices() -> list[int]:
    """Only the GPU that is used: torch warns of forking the generators of several unasked."""
    return [torch.cuda.current_device()] if torch.cuda.is_available() else []


def mix(*numbers: int) -> int:
    """One number from several, such that neighbouring random seeds share no epoch."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
