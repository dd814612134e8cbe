"""Run a graph of stages: in this process, on others of this machine, or on a Dask cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from wsss.errors import require_writable
from wsss.progress import heard_by
from wsss.stages.progress import Progress
from wsss.stages.schedule import Task, graph, together
from wsss.stages.stage import Stage
from wsss.stages.store import Store
from wsss.stages.workers import (
    default_workers,
    died,
    ensure,
    local_workers,
    run_on_workers,
    visible_gpus,
)
from wsss.training.precision import require_precision

if TYPE_CHECKING:
    from distributed import Client

SHARES = "wsss shares"
"""Topic under which workers of a cluster tell the key of a task and how much of it is done."""


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
        Local processes of one thread each, by default one a core; they are told what to do through
        pipes and listen on no port. With 1 all runs in this process.
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
        The first one that a stage raised, before the first training if it is about what was given;
        or if workers die over a stage again and again. What was finished before stays.

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
    require_writable(store.runs, "results", by="--runs or WSSS_RUNS")
    if scheduler is None and not visible_gpus():  # said now, not after hours of other stages
        for stage in todo:
            require_precision(stage.precision or "32-true")
    tasks = together(todo)
    workers = min(workers or default_workers(), len(tasks))
    progress = Progress(tasks, workers, quiet, expected)
    with ExitStack() as stack:
        stack.callback(progress.close)
        if scheduler is not None:
            from distributed import Client

            client = stack.enter_context(Client(scheduler))
            progress.note(f"Dask dashboard: {client.dashboard_link}")
            compute = partial(_run_on_cluster, client)
        elif workers > 1:
            here = local_workers(workers, visible_gpus())
            for worker in here:
                stack.enter_context(worker)
            compute = partial(run_on_workers, here)
        else:
            compute = _run_here
        # All that was given is read, and looked at, before the first training.
        compute([task for task in tasks if task[0].reads_what_is_given], store, progress)
        for stage in todo:
            stage.look_ahead(store)
        compute([task for task in tasks if not task[0].reads_what_is_given], store, progress)


def _run_here(tasks: Sequence[Task], store: Store, progress: Progress) -> None:
    for task in tasks:
        progress.runs(task, 0)
        with heard_by(partial(progress.runs, task)):
            progress.ends(task, ensure(task, store))


def _run_on_cluster(
    client: Client, tasks: Sequence[Task], store: Store, progress: Progress
) -> None:
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
            raise died(of[future.key], error.allowed_failures + 1) from error


def _ensure_and_tell(task: Task, store: Store, parents: Sequence[float]) -> float:
    """Compute one task on a worker of a cluster, which tells the clients how much is done."""
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()
    with heard_by(lambda share: worker.log_event(SHARES, [key, share])):
        return ensure(task, store, parents)


def _offered(client: Client) -> set[str]:
    """Kinds of work that some worker was started for."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return {kind for worker in workers for kind in worker["resources"]}
