"""A dry run: every stage of a profile once on a few images, at full size, with time and memory."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from wsss.choices import Training
from wsss.data.voc import VocFolder
from wsss.errors import InputError
from wsss.files import seal
from wsss.paper import Table, Testing
from wsss.pipeline import Pipeline
from wsss.plan.flops import kind_of
from wsss.profiles import Profile
from wsss.stages import (
    Classifier,
    Images,
    NetworkSpec,
    SeedBlock,
    Segmenter,
    Stage,
    Store,
    graph,
    together,
)
from wsss.stages.provenance import peak_memory

LISTS = Path("ImageSets") / "Segmentation"


@dataclass(frozen=True)
class Trial:
    """What all stages of one kind took.

    Attributes
    ----------
    kind : str
        What they do, by which network.
    iterations : int
        Optimiser steps of a training; images of anything else.
    seconds : float
        Of one iteration. Reading, building and writing are in it, except for trainings.
    peak_gb, gpu_gb : float
        Most memory of the process that ran them, and most that its tensors took on a GPU.

    Examples
    --------
    >>> print(Trial("cams vgg16", 4, 0.25, 1.5, 0.0))
    cams vgg16                      4 x     0.25 s   1.50 GB
    """

    kind: str
    iterations: int
    seconds: float
    peak_gb: float
    gpu_gb: float

    def __str__(self) -> str:
        on_gpu = f" + {self.gpu_gb:.2f} GB of the GPU" if self.gpu_gb else ""
        return (
            f"{self.kind:<28} {self.iterations:>4} x {self.seconds:8.2f} s "
            f"{self.peak_gb:6.2f} GB{on_gpu}"
        )


def dry_run(
    lab: Pipeline,
    tables: Sequence[Table],
    steps: int,
    testing: Testing | Literal["all"] | None = None,
) -> Iterator[str | Trial]:
    """Run every stage that some tables need on a few images, in a folder that is then removed.

    Nothing of it is a result: networks start from random weights, so that none need be downloaded,
    and trainings stop after a few steps. Each kind of stage runs in a process of its own, so that
    its memory can be told.

    Parameters
    ----------
    lab : Pipeline
        A profile, at its own sizes of networks, crops and batches. Without a GPU a batch goes
        through the network an image at a time, unless WSSS_MICRO_BATCH says otherwise: the same
        step in less memory. Of its data folder, if there is one, a batch of the training images and
        `steps` of val are taken; where it lacks a list, images of another one stand in.
    tables : sequence of Table
        Which tables.
    steps : int
        Optimiser steps of each training.
    testing
        As in `wsss.pipeline.Pipeline.asked`.

    Yields
    ------
    str or Trial
        Remarks, then one trial a kind of stage, as they end.

    Raises
    ------
    InputError
        If the folder holds fewer images than a batch, or what a stage reads is bad.

    Examples
    --------
    >>> next(dry_run(Pipeline("smoke"), [], steps=1))
    'a dry run: random initial weights, a few images, and nothing of it is kept'
    """
    yield "a dry run: random initial weights, a few images, and nothing of it is kept"
    profile, data = lab.profile, lab.data
    few = replace(
        profile,
        classifier=_untrained(profile.classifier),
        segmenter=_untrained(profile.segmenter),
    )
    with tempfile.TemporaryDirectory(prefix="wsss-dry-run-") as folder:
        if data is not None:
            yield from _link_few(data, Path(folder) / "data", profile, steps)
            data = Path(folder) / "data"
        runs = Path(folder) / "runs"
        trial = Pipeline(few, data, rng_seeds=[0], runs=runs, precision=lab.precision)
        store = trial.store
        goals = [each.stage for each in trial.asked(*tables, testing=testing)]
        for kind, stages in by_kind(graph(goals)).items():
            # A new process for each, since memory that one has freed may stay its own.
            try:
                with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
                    yield process.submit(_try, kind, stages, store, steps).result()
            except BrokenProcessPool:
                raise InputError(
                    f"{kind}: its process was killed, most likely for want of memory; "
                    "WSSS_MICRO_BATCH=1 needs the least"
                ) from None


def _untrained(training: Training) -> Training:
    return replace(training, networks={p: n.random for p, n in training.networks.items()})


def by_kind(stages: Sequence[Stage]) -> dict[str, list[Stage]]:
    """Group stages by what they do and by which network, each kind after those that it reads.

    Examples
    --------
    >>> from wsss.stages import Scenes
    >>> train, val = (Images(source=Scenes(), split=split) for split in ("train", "val"))
    >>> {kind: len(found) for kind, found in by_kind([train, val, Scenes()]).items()}
    {'scenes': 1, 'images': 2}
    """
    groups: dict[str, list[Stage]] = defaultdict(list)
    parents: dict[str, set[str]] = defaultdict(set)
    for stage in stages:
        kind = kind_of(stage)
        groups[kind].append(stage)
        parents[kind] |= {kind_of(parent) for parent in stage.parents()} - {kind}
    return {kind: groups[kind] for kind in TopologicalSorter(parents).static_order()}


def _link_few(data: Path, few: Path, profile: Profile, steps: int) -> Iterator[str]:
    """Make a data folder of links with short lists, and say what stands in for what."""
    folder = VocFolder(data)
    few.mkdir()
    for path in folder.root.absolute().iterdir():
        if path.name != LISTS.parts[0]:
            (few / path.name).symlink_to(path)
    (few / LISTS).mkdir(parents=True)
    schedules = [profile.pilot.schedule]
    for training in (profile.classifier, profile.segmenter):
        schedules += [training.schedule, *training.other_schedules.values()]
    batch = max(each.batch_size for each in schedules)
    trained = (profile.data.train, profile.pilot.split, profile.data.seeds_scored_on)
    here = folder.splits()
    for split, count in {**dict.fromkeys(trained, batch), "val": steps}.items():
        found = split if split in here else "train"
        if found != split:
            yield f"{data}: no list '{split}', so images of '{found}' stand in"
        ids = folder.ids(found)[:count]
        (few / LISTS / f"{split}.txt").write_text("".join(f"{each}\n" for each in ids))


def _try(kind: str, stages: Sequence[Stage], store: Store, steps: int) -> Trial:
    """Compute stages in this process, trainings for some steps only."""
    count, seconds = 0, 0.0
    for task in together(stages):
        stage = task[0]
        if isinstance(stage, Classifier | Segmenter):
            folder = store.path(stage)
            folder.mkdir(parents=True)
            history = stage.train(
                folder, store, micro_batch=_micro_batch(stage.network), max_steps=steps + 1
            )
            seal(folder)
            left_out = history.steps > 1  # the first one warms up
            count += history.steps - left_out
            seconds += history.seconds - history.first * left_out
        else:
            started = time.perf_counter()
            store.ensure_together(task)
            seconds += time.perf_counter() - started
            count += len(task) * _images_of(stage, store)
    gpu = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    return Trial(kind, count, seconds / count, (peak_memory() or 0) / 1e9, gpu / 1e9)


def _images_of(stage: Stage, store: Store) -> int:
    """How many images a stage goes through."""
    images = stage if isinstance(stage, Images) else getattr(stage, "images", None)
    if images is None:
        return 1
    count = len(images.load(store).ids)
    return len(stage.indices(count)) if isinstance(stage, SeedBlock) else count


def _micro_batch(network: NetworkSpec) -> int | None:
    """One image at a time without a GPU, except where BatchNorm must see the whole batch."""
    if torch.cuda.is_available() or os.environ.get("WSSS_MICRO_BATCH"):
        return None
    with torch.device("meta"):
        model = network.random.build("cam", 1, 0)
    whole = any(isinstance(each, nn.BatchNorm2d) and each.training for each in model.modules())
    return None if whole else 1
