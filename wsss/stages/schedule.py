"""What is computed after what, and how long all of it takes (not in the paper)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from graphlib import TopologicalSorter
from heapq import heappop, heappush

from wsss.stages.stage import Stage

Task = tuple[Stage, ...]
"""Stages that are computed in one go; most are alone."""


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


def in_order(tasks: Sequence[Task]) -> TopologicalSorter[int]:
    """Prepare to hand out tasks, by their places in the list, each after the ones it reads.

    Examples
    --------
    >>> from wsss.stages import Images, Scenes
    >>> scenes = Scenes()
    >>> in_order([(Images(source=scenes, split="train"),), (scenes,)]).get_ready()
    (1,)
    """
    number = {stage.identity: n for n, task in enumerate(tasks) for stage in task}
    order = TopologicalSorter()
    for n, task in enumerate(tasks):
        parents = {parent.identity for stage in task for parent in stage.parents()}
        order.add(n, *({number[each] for each in parents if each in number} - {n}))
    order.prepare()
    return order


def wall_seconds(tasks: Sequence[Task], takes: Mapping[str, float], workers: int) -> float:
    """Seconds until all tasks are done: each worker takes the first one that waits for nothing.

    Parameters
    ----------
    tasks : sequence of Task
        In the order in which they are preferred.
    takes : mapping
        Seconds of a core by identity of a stage; what is not named takes none.
    workers : int
        How many work at once.

    Examples
    --------
    >>> from wsss.stages import Images, Scenes
    >>> scenes = Scenes()
    >>> read = [Images(source=scenes, split=split) for split in ("train", "val")]
    >>> takes = {scenes.identity: 5, read[0].identity: 2, read[1].identity: 1}
    >>> wall_seconds([(each,) for each in (scenes, *read)], takes, workers=2)
    7.0
    """
    order, now = in_order(tasks), 0.0
    ready: list[int] = []
    running: list[tuple[float, int]] = []
    while order.is_active():
        for each in order.get_ready():
            heappush(ready, each)
        while ready and len(running) < workers:
            task = heappop(ready)
            seconds = sum(takes.get(stage.identity, 0.0) for stage in tasks[task])
            heappush(running, (now + seconds, task))
        now, task = heappop(running)
        order.done(task)
    return now
