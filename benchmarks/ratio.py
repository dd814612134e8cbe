"""The frame of all benchmarks: the usual way and ours in turn, in one process, on one thread.

A time is CPU time and a ratio is the median of the rounds' ratios: each round runs both, one right
after the other, so that other processes slow both alike. Absolute times are those of the machine
as loaded as it was (its load is recorded); compare them with the limit, which the same run
measures, and not with another run. Importing this module first keeps libraries to one thread.
"""

from __future__ import annotations

import os

for library in ("OMP", "MKL", "OPENBLAS", "NUMBA"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.profiler import ProfilerActivity, profile

from wsss.files import atomic_write
from wsss.stages.provenance import environment

RESULTS = Path(__file__).parent / "results"
Run = Callable[[], object]


@dataclass(frozen=True)
class Work:
    """Least work that any way must do: bytes read and written in memory, float32 operations.

    An addition and a multiplication are two operations, as in a matrix product.
    """

    bytes: float = 0
    flops: float = 0

    def seconds(self) -> float:
        """Time that this core needs for it: the longer of moving and computing."""
        return max(self.bytes / copy_speed(), self.flops / matmul_speed())


@dataclass(frozen=True)
class Row:
    """One line of a result.

    Attributes
    ----------
    case : str
        What was measured, a few words; rows of one table of growth share it.
    unit : str
        Of `usual` and `ours`: ``s`` or ``MB``.
    ours, usual : float
        Medians over the rounds; `usual` is NaN where only ours was measured.
    ratio, low, high : float
        Usual divided by ours: median and quartiles over the rounds.
    rounds : int
        How many.
    limit : float
        Least that this machine needs, in `unit`; NaN where none is stated.
    grows, at : str, float
        For a table of growth, what grows ("seeds") and its value here; else empty and NaN.
    """

    case: str
    unit: str
    ours: float
    usual: float = np.nan
    ratio: float = np.nan
    low: float = np.nan
    high: float = np.nan
    rounds: int = 1
    limit: float = np.nan
    grows: str = ""
    at: float = np.nan
    work: Work | None = field(default=None, repr=False)


def compare(
    case: str,
    *,
    ours: Run,
    usual: Run | None = None,
    rounds: int = 9,
    work: Work | None = None,
    clock: Callable[[], float] = time.process_time,
    grows: str = "",
    at: float = np.nan,
) -> Row:
    """Time both ways in turn, after one run of each to warm up.

    Parameters
    ----------
    case, grows, at
        See `Row`.
    ours, usual : callable
        Both do the whole work on the same input; without `usual`, only ours is timed.
    rounds : int
        Runs of each; the order within a round alternates.
    work : Work, optional
        What gives the limit.
    clock : callable
        CPU time of this process, or ``time.perf_counter`` for several processes or threads.
    """
    ways = [ours] if usual is None else [ours, usual]
    for way in ways:
        way()
    times = np.empty((rounds, len(ways)))
    for round_ in range(rounds):
        for i in range(len(ways))[:: -1 if round_ % 2 else 1]:
            started = clock()
            ways[i]()
            times[round_, i] = clock() - started
    limit = np.nan if work is None else work.seconds()
    return summarise(case, "s", *times.T, limit=limit, work=work, grows=grows, at=at)


def summarise(
    case: str,
    unit: str,
    ours: Sequence[float] | np.ndarray,
    usual: Sequence[float] | np.ndarray | None = None,
    **others: Any,
) -> Row:
    """Medians and quartiles of measurements that belong together in pairs, as a `Row`."""
    row: dict[str, Any] = {"ours": float(np.median(ours)), "rounds": len(ours), **others}
    if usual is not None:
        low, middle, high = np.percentile(np.asarray(usual) / np.asarray(ours), (25, 50, 75))
        row |= {"usual": float(np.median(usual)), "ratio": middle, "low": low, "high": high}
    return Row(case, unit, **row)


def compare_memory(case: str, *, ours: Run, usual: Run, **others: Any) -> Row:
    """Peak extra memory of both ways in MB, by `peak_bytes`; it varies too little for rounds."""
    ways = [peak_bytes(way) / 1e6 for way in (ours, usual)]
    return summarise(case, "MB", *([value] for value in ways), **others)


def peak_bytes(run: Run) -> int:
    """Most memory that a call holds at a time beyond what was there before it.

    The sum of two peaks, which may be of different moments: that of torch's CPU allocator, from
    every allocation and release its profiler sees, and that of numpy and Python, from tracemalloc.
    Memory that a library allocates for itself (C++ scratch, numba inside a function) is not seen.
    """
    run()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        run()
    events = seen.profiler.kineto_results.events()
    moves = [(e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]"]
    tensors = max(
        accumulate(size for _, size in sorted(moves, key=lambda move: move[0])), default=0
    )
    tracemalloc.start()
    try:
        run()
        arrays = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return max(tensors, 0) + arrays


@cache
def copy_speed() -> float:
    """Bytes a second that this core reads and writes while it copies 64 MB."""
    source, target = np.ones((2, 1 << 26), np.uint8)
    return 2 * source.nbytes / _least_seconds(lambda: np.copyto(target, source))


@cache
def matmul_speed() -> float:
    """Operations a second of a float32 product of two 1024 x 1024 matrices."""
    a, b = torch.ones(2, 1024, 1024)
    return 2 * 1024**3 / _least_seconds(lambda: a @ b)


def _least_seconds(run: Run) -> float:
    def seconds() -> float:
        started = time.process_time()
        run()
        return time.process_time() - started

    return min(seconds() for _ in range(9))


def write(part: str, rows: Sequence[Row], *, ours: str, usual: str = "") -> None:
    """Print the rows and write ``results/<part>.csv``: a line a row, each with where it is from.

    Parameters
    ----------
    part : str
        Name of the script.
    rows : sequence of Row
        The result.
    ours, usual : str
        What the two ways are, a few words each.
    """
    origin = environment()
    lines = [
        {"part": part}
        | {name: value for name, value in vars(row).items() if name != "work"}
        | {
            "way_ours": ours,
            "way_usual": usual,
            "work_bytes": row.work.bytes if row.work else np.nan,
            "work_flops": row.work.flops if row.work else np.nan,
            "copy_bytes_per_s": copy_speed(),
            "matmul_flops_per_s": matmul_speed(),
            "load": os.getloadavg()[0],
            "commit": origin["commit"],
            "python": origin["python"],
            **origin["packages"],
            "processor": origin["processor"],
            "threads": origin["threads"],
            "day": time.strftime("%Y-%m-%d"),
        }
        for row in rows
    ]
    table = pd.DataFrame(lines)
    shown = ["case", "grows", "at", "unit", "usual", "ours", "ratio", "low", "high", "limit"]
    print(f"{part}: {usual or 'no other way'} / {ours}, {origin['processor']}")
    print(table[shown].to_string(index=False, float_format="{:.4g}".format, na_rep=""))
    RESULTS.mkdir(exist_ok=True)
    with atomic_write(RESULTS / f"{part}.csv") as aside:
        table.to_csv(aside, index=False, float_format="%.6g")
