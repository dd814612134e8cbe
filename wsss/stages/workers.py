"""Processes of this machine: how many, which of them own a GPU, and how they share the tasks."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from multiprocessing.connection import wait
from pathlib import Path

import torch

from wsss.errors import InputError
from wsss.processes import ProcessDiedError, Worker, tell_parent
from wsss.progress import heard_by
from wsss.stages.progress import Progress
from wsss.stages.schedule import Task, in_order
from wsss.stages.store import Store

WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",  # two processes of one thread beat one of two by far
    "TQDM_DISABLE": "1",  # bars of several workers would overwrite one another
    # A training step asks for the memory that the last one had: handed back to the kernel in
    # between, that took two fifths of the time.
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
}
"""What the local workers start with."""
DEATHS = 3
"""Workers that die over the same task before it is given up: the system kills some others' way."""


def default_workers() -> int:
    """One worker a core that this process may use, if each finds 2 GB; at least one a GPU.

    Examples
    --------
    >>> default_workers() >= 1
    True
    """
    from dask.system import CPU_COUNT
    from distributed.system import MEMORY_LIMIT

    return max(min(CPU_COUNT, int(MEMORY_LIMIT // 2e9)), len(visible_gpus()), 1)


def visible_gpus() -> list[str]:
    """Names by which CUDA_VISIBLE_DEVICES may ask for the GPUs that this process sees."""
    count = torch.cuda.device_count()
    named = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(count))))
    return named.split(",")[:count]


def local_workers(count: int, gpus: Sequence[str]) -> dict[Worker, str | None]:
    """Describe the processes of this machine: the first ones own a GPU each, the others see none.

    Parameters
    ----------
    count : int
        How many.
    gpus : sequence of str
        Names of the GPUs, as CUDA_VISIBLE_DEVICES has them.

    Returns
    -------
    mapping
        From a process, which starts with its first task, to the only kind of task it gets: "GPU",
        "CPU", or None for both.
    """
    workers: dict[Worker, str | None] = {}
    for name in (*gpus, *[""] * count)[:count]:
        kind = ("GPU" if name else "CPU") if 0 < len(gpus) < count else None
        # An optimiser asks for a GPU at every step, and Fabric has torch ask the driver's library:
        # told that there is none, it does not.
        workers[Worker(WORKER_ENVIRONMENT | {"CUDA_VISIBLE_DEVICES": name})] = kind
    return workers


def run_on_workers(
    workers: Mapping[Worker, str | None], tasks: Sequence[Task], store: Store, progress: Progress
) -> None:
    """Give each worker that has nothing to do the first task that waits for nothing."""
    order = in_order(tasks)
    ready: list[int] = []
    busy: dict[Worker, int] = {}
    deaths = Counter[int]()
    while order.is_active():
        ready = sorted([*ready, *order.get_ready()])
        for worker, kind in workers.items():
            wanted = (n for n in ready if kind in (None, "GPU" if tasks[n][0].on_gpu else "CPU"))
            if worker not in busy and (chosen := next(wanted, None)) is not None:
                ready.remove(chosen)
                busy[worker] = chosen
                worker.begin(_ensure_there, tasks[chosen], store)
                progress.runs(tasks[chosen], 0)
        answered = wait([worker.pipe for worker in busy])
        for worker in [each for each in busy if each.pipe in answered]:
            if (share := worker.told()) is not None:
                progress.runs(tasks[busy[worker]], share)
                continue
            n = busy.pop(worker)
            try:
                progress.ends(tasks[n], worker.result())
                order.done(n)
            except ProcessDiedError as error:
                ready.append(n)
                deaths[n] += 1
                if deaths[n] == DEATHS:
                    raise died(tasks[n], DEATHS) from error


def died(task: Task, times: int) -> InputError:
    """Say of a task that it is given up."""
    return InputError(
        f"{task[0].name}: workers died {times} times at it, most likely for lack of memory; what "
        "is finished stays, try fewer --workers"
    )


def ensure(task: Task, store: Store, parents: Sequence[float] = ()) -> float:
    """Compute one task on one thread; `parents` only makes a worker wait for them.

    Sums over several threads round in another order, and results would depend on the machine.
    """
    threads, started = torch.get_num_threads(), time.perf_counter()
    torch.set_num_threads(1)
    try:
        store.ensure_together(task)
    finally:
        torch.set_num_threads(threads)
    return time.perf_counter() - started


_stores: dict[Path, Store] = {}


def _ensure_there(task: Task, store: Store) -> float:
    """Compute a task with the store of this worker, which looks at each result once."""
    with heard_by(tell_parent):
        return ensure(task, _stores.setdefault(store.runs, store))
