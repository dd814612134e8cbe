"""Run a graph of stages: in this process, on local workers, or on a Dask cluster."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from wsss.errors import InputError
from wsss.progress import heard_by
from wsss.stages.progress import Progress
from wsss.stages.stage import Stage
from wsss.stages.store import Store

if TYPE_CHECKING:
    from distributed import Client

Task = tuple[Stage, ...]
"""Stages that are computed in one go; most are alone."""

WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",  # two processes of one thread beat one of two by far
    "TQDM_DISABLE": "1",  # bars of several workers would overwrite one another
    # Dask makes workers hand memory back all the time, and a training step asks for the same memory
    # again: two fifths of the time went into the kernel.
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
}
"""What the local workers start with."""

SHARES = "wsss shares"
"""Topic under which workers tell the key of a task and how much of it is done."""


def graph(
    goals: Iterable[Stage], done: Callable[[Stage], bool] = lambda stage: False
) -> list[Stage]:
    """List the distinct stages that some goals need, each after the ones it reads.

    What `done` tells is there is left out, and so is what only it needed.

    Examples
    --------
    >>> from wsss.stages import Images, Scenes
    >>> train, val = (Images(source=Scenes(), split=split) for split in ("train", "val"))
    >>> [stage.name for stage in graph([train, val])]
    ['scenes', 'images', 'images']
    >>> [stage.name for stage in graph([train, val], done=lambda stage: stage is val)]
    ['scenes', 'images']
    """
    ordered: dict[str, Stage] = {}
    left_out: set[str] = set()

    def visit(stage: Stage) -> None:
        if stage.identity in ordered or stage.identity in left_out:
            return
        if done(stage):
            left_out.add(stage.identity)
            return
        for parent in stage.parents():
            visit(parent)
        ordered[stage.identity] = stage

    for goal in goals:
        visit(goal)
    return list(ordered.values())


def together(stages: Sequence[Stage]) -> list[Task]:
    """Gather stages, each listed after the ones it reads, into tasks: those that share work in one.

    Examples
    --------
    >>> from wsss import Lab
    >>> lab = Lab("demo")
    >>> blocks = [block for cams in lab.cams() for block in lab.seeds("T", cams).blocks]
    >>> {len(task) for task in together(blocks)}  # of three scales
    {3}
    """
    members: dict[str, list[Stage]] = defaultdict(list)
    for stage in stages:
        members[stage.shares or stage.identity].append(stage)
    wanted = {stage.identity for stage in stages}
    tasks: dict[str, Task] = {}

    def visit(stage: Stage) -> None:
        name = stage.shares or stage.identity
        if stage.identity in wanted and name not in tasks:
            for parent in (parent for member in members[name] for parent in member.parents()):
                visit(parent)
            tasks[name] = tuple(members[name])

    for stage in stages:
        visit(stage)
    return list(tasks.values())


def run(
    goals: Sequence[Stage],
    store: Store,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    quiet: bool = False,
    expected: Mapping[str, float] | None = None,
) -> None:
    """Compute what is missing of some goals and of all that they need.

    Parameters
    ----------
    goals : sequence of Stage
        What is wanted in the end.
    store : Store
        Where results lie; what is there is not computed again.
    workers : int, optional
        Local processes of one thread each, by default one a core. With 1 all runs in this process.
        Where there are GPUs, each belongs to one process, and stages that use one
        (`Stage.on_gpu`) run there, one at a time; the others work beside them.
    scheduler : str, optional
        Address of a Dask scheduler whose workers see the same files; no local ones are started.
        Workers of it that were started with ``--resources GPU=1`` get the stages for GPUs, those
        with ``--resources CPU=1`` the others.
    quiet : bool
        Show no progress.
    expected : mapping, optional
        Seconds by identity of a stage, from which the time that is left is estimated.

    Raises
    ------
    InputError
        The first one that a stage raised; what was finished before stays.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from wsss.stages import Scenes
    >>> scenes = Scenes(train=1, val=1, pilot=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = Store(pathlib.Path(folder))
    ...     run([scenes], store, workers=1, quiet=True)
    ...     store.done(scenes)
    True
    """
    todo = graph(goals, store.done)
    if not todo:
        return
    store.require_writable()
    for stage in todo:
        stage.check(store)
    tasks = together(todo)
    workers = min(workers or default_workers(), len(tasks))
    progress = Progress(todo, workers, quiet, expected)
    try:
        if workers == 1 and scheduler is None:
            _run_here(tasks, store, progress)
        else:
            with _client(workers, scheduler) as client:
                progress.note(f"Dask dashboard: {client.dashboard_link}")
                _run_on(client, tasks, store, progress)
    finally:
        progress.close()


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
    import torch

    count = torch.cuda.device_count()
    named = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(count))))
    return named.split(",")[:count]


def _run_here(tasks: Sequence[Task], store: Store, progress: Progress) -> None:
    for task in tasks:
        progress.runs(task, 0)
        with heard_by(partial(progress.runs, task)):
            progress.ends(task, _ensure(task, store))


def _run_on(client: Client, tasks: Sequence[Task], store: Store, progress: Progress) -> None:
    from distributed import KilledWorker, as_completed

    futures, offered = {}, _offered(client)
    for task in tasks:
        parents = {parent.identity: parent for stage in task for parent in stage.parents()}
        awaited = {futures[identity] for identity in parents if identity in futures}
        # Identity and folder are the task's key: two clients of one scheduler share the work.
        key = "-".join([task[0].name, *(stage.identity for stage in task), str(store.runs)])
        kind = "GPU" if task[0].on_gpu else "CPU"
        needs = {kind: 1} if kind in offered else None
        future = client.submit(
            _ensure_and_tell, task, store, list(awaited), key=key, resources=needs
        )
        futures |= {stage.identity: future for stage in task}
    of = {futures[task[0].identity].key: task for task in tasks}
    client.subscribe_topic(SHARES, lambda event: progress.runs(of.get(event[1][0]), event[1][1]))
    for future in as_completed(set(futures.values())):
        try:
            progress.ends(of[future.key], future.result())
        except KilledWorker as error:
            raise InputError(
                f"{of[future.key][0].name}: workers died {error.allowed_failures + 1} times at it, "
                "most likely for lack of memory; what is finished stays, try fewer --workers"
            ) from error


def _ensure(task: Task, store: Store, parents: Sequence[float] = ()) -> float:
    """Compute one task on one thread; `parents` only makes a worker wait for them.

    Sums over several threads round in another order, and results would depend on the machine.
    """
    import torch

    threads, started = torch.get_num_threads(), time.perf_counter()
    torch.set_num_threads(1)
    try:
        store.ensure_together(task)
    finally:
        torch.set_num_threads(threads)
    return time.perf_counter() - started


def _ensure_and_tell(task: Task, store: Store, parents: Sequence[float]) -> float:
    """Compute one task on a worker, which tells the clients now and then how much is done."""
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()
    with heard_by(lambda share: worker.log_event(SHARES, [key, share])):
        return _ensure(task, store, parents)


@contextmanager
def _client(workers: int, scheduler: str | None) -> Iterator[Client]:
    import dask.config
    from distributed import Client, Scheduler, SpecCluster

    if scheduler is not None:
        with Client(scheduler) as client:
            yield client
        return
    here = {"host": "127.0.0.1", "port": 0, "dashboard_address": "127.0.0.1:0"}
    environment = {"distributed.nanny.pre-spawn-environ": WORKER_ENVIRONMENT}
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(environment))
        stack.enter_context(_script_not_run_again())
        with _interruptions_kept_from_workers():
            cluster = SpecCluster(
                scheduler={"cls": Scheduler, "options": here},
                workers=local_workers(workers, visible_gpus()),
                silence_logs=logging.CRITICAL,  # pyright: ignore  (an error is told once, by us)
            )
            stack.enter_context(cluster)
        yield stack.enter_context(Client(cluster))


@contextmanager
def _interruptions_kept_from_workers() -> Iterator[None]:
    """Let processes that start meanwhile ignore Ctrl-C: this one ends them, without tracebacks."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are none of its business
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def local_workers(count: int, gpus: Sequence[str]) -> dict[int, dict[str, Any]]:
    """Describe the processes of this machine: the first ones own a GPU each, the others see none.

    Parameters
    ----------
    count : int
        How many.
    gpus : sequence of str
        Names of the GPUs, as CUDA_VISIBLE_DEVICES has them.
    """
    from distributed import Nanny

    options: dict[str, Any] = {
        "host": "127.0.0.1",
        "nthreads": 1,
        "dashboard": False,
        "memory_limit": None,  # a worker near the limit would be stopped, then killed
        "silence_logs": logging.CRITICAL,
    }
    described = {}
    for number in range(count):
        name = gpus[number] if number < len(gpus) else ""
        own = {"env": {"CUDA_VISIBLE_DEVICES": name}, "resources": {"GPU" if name else "CPU": 1}}
        described[number] = {"cls": Nanny, "options": options | (own if gpus else {})}
    return described


def _offered(client: Client) -> set[str]:
    """Kinds of work that some worker was started for."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return {kind for worker in workers for kind in worker["resources"]}


@contextmanager
def _script_not_run_again() -> Iterator[None]:
    """Keep new processes from running the script that started them, guarded or not.

    Multiprocessing runs a process's main module once more in each child, to find there what it
    defines. Workers need nothing of it: what a script defines is sent to them by value.
    """
    main = sys.modules["__main__"]
    hidden = {name: vars(main).pop(name) for name in ("__file__", "__spec__") if name in vars(main)}
    main.__spec__ = None
    try:
        yield
    finally:
        vars(main).update(hidden)
