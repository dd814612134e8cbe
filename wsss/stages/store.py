"""Results on disk: one folder a stage, named by the stage's identity, whole or not there at all."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from wsss.errors import InputError, room_told
from wsss.files import find_damage, flush_names, remove, seal
from wsss.paper import Testing
from wsss.stages.provenance import write_provenance
from wsss.stages.records import CLONE, CLONED, Records
from wsss.stages.stage import Stage, canonical_json
from wsss.training.precision import arithmetic

CHECKPOINT = "checkpoint.pt"
IDENTITY = re.compile("[0-9a-f]{20}")
"""What a folder of a result is called; locks and unfinished ones have an ending."""

PATIENCE = 10.0
"""Seconds after which a process says for which other one it waits."""

State = Literal["computed", "recorded", "missing"]


@dataclass(frozen=True)
class Origin:
    """Where a number comes from; the one answer for commands, pages, claims and plans.

    Attributes
    ----------
    state : {"computed", "recorded", "missing"}
        In the run folder, in the records of ``results/``, or nowhere.
    made : mapping
        How it was made, as far as that is known: seconds, process_peak_memory_mb, commit, python,
        wsss, torch, numpy, processor, device, arithmetic, day.

    Examples
    --------
    >>> Origin("recorded", {"day": "2026-01-01"}).made["day"]
    '2026-01-01'
    """

    state: State
    made: Mapping[str, Any] = field(default_factory=dict)


class Store:
    """Results of stages under one folder, shared safely by several processes.

    A result is computed in ``<identity>.part`` and renamed when complete, so that a folder that is
    there is whole. A lock makes two processes never compute the same thing; the operating system
    releases it if the process dies, and the next one goes on from the checkpoint it left.

    Parameters
    ----------
    runs : Path
        Folder of the results, created when needed.
    data : Path, optional
        Data folder, for stages that read photos.
    records : Records, optional
        What ``results/`` holds, read where the run folder lacks a number.

    Examples
    --------
    >>> import tempfile
    >>> from wsss.stages import Scenes
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = Store(Path(folder))
    ...     store.done(Scenes()), store.origin(Scenes()).state
    (False, 'missing')
    """

    def __init__(
        self, runs: Path, data: Path | None = None, records: Records | None = None
    ) -> None:
        self.runs = runs.absolute()  # workers elsewhere may stand in another folder
        self.records = records or Records()
        self._data = data and data.absolute()
        self._sound: set[Path] = set()

    @property
    def data(self) -> Path:
        """Data folder; a `wsss.errors.InputError` tells how to name it if there is none."""
        if self._data is None:
            raise InputError("this profile reads photos: name their folder by --data or WSSS_DATA")
        return self._data

    def path(self, stage: Stage) -> Path:
        """Where the result of a stage lies, or will."""
        return self.runs / stage.name / stage.identity[:20]

    def done(self, stage: Stage) -> bool:
        """Whether the result is there."""
        return self.path(stage).is_dir()

    def folder(self, stage: Stage) -> Path:
        """Folder of a result that is there.

        Raises
        ------
        InputError
            If it is not, or is not as it was written.
        """
        path = self.path(stage)
        if not self.done(stage):
            raise InputError(f"{path}: this {stage.name} is not computed yet; `Lab.run` does it")
        if path not in self._sound:  # once a process
            if damage := find_damage(path, [CHECKPOINT]) or _misplaced(path):
                raise InputError(
                    f"{path}: this {stage.name} is damaged, {damage}; `wsss verify --repair --runs "
                    f"{shlex.quote(str(self.runs))}` takes it away, and what needs it computes it "
                    "again"
                )
            self._sound.add(path)
        return path

    def origin(self, stage: Stage, testing: Testing | None = None) -> Origin:
        """Say where the number that a stage stands for comes from.

        Parameters
        ----------
        stage : Stage
            A score, say, or a trace.
        testing : str, optional
            Which of the numbers of a score, see `wsss.stages.SegmenterScore`.
        """
        if self.done(stage):
            return Origin("computed", self._made(stage.maker))
        recorded = self.records.of(stage, testing)
        return Origin("missing") if recorded is None else Origin("recorded", recorded)

    def missing(self, stage: Stage, testing: Testing | None = None) -> bool:
        """Whether its number is neither computed nor recorded."""
        return self.origin(stage, testing).state == "missing"

    def read(self, stage: Stage, testing: Testing | None = None) -> dict[str, Any] | None:
        """Read the numbers of a stage: computed ones, else recorded ones, else None.

        Returns
        -------
        dict or None
            What `Stage.figures` names and `Origin.made` holds, with ``identity`` and ``origin``.
        """
        origin = self.origin(stage, testing)
        if origin.state == "missing":
            return None
        computed = stage.figures(self, testing) if origin.state == "computed" else {}
        known = {"identity": stage.identity, "origin": origin.state}
        return {**computed, **origin.made, **known}

    def _made(self, stage: Stage) -> dict[str, Any]:
        if not self.done(stage):  # copied from elsewhere without what it was made of
            return {}
        found = self.provenance(stage)
        packages = {name: found["packages"].get(name) for name in ("wsss", "torch", "numpy")}
        kept = ("seconds", "process_peak_memory_mb", "commit", "python", "processor", "device")
        told = {"arithmetic": found.get("arithmetic"), "day": found["started"][:10]}
        return {key: found[key] for key in kept} | packages | told

    def ensure(self, stage: Stage) -> Path:
        """Compute a stage and what it needs, unless they are there; return its folder.

        Raises
        ------
        InputError
            If an input is bad; what was computed before stays.
        """
        self.ensure_together([stage])
        return self.path(stage)

    def ensure_together(self, stages: Sequence[Stage]) -> None:
        """Compute several stages of the same `Stage.shares` in one go, as `ensure` does one."""
        missing = [stage for stage in stages if not self.done(stage)]
        for stage in missing:
            for parent in stage.parents():
                self.ensure(parent)
        with ExitStack() as locks:
            # In the same order everywhere, so that no two processes wait for each other.
            for stage in sorted(missing, key=lambda stage: stage.identity):
                self.path(stage).parent.mkdir(parents=True, exist_ok=True)
                locks.enter_context(_lock(self._beside(stage, ".lock"), stage.name))
            missing = [stage for stage in missing if not self.done(stage)]  # others were faster
            if missing:
                with room_told(self._beside(missing[0], ".part")):
                    self._compute(missing)

    def _compute(self, stages: Sequence[Stage]) -> None:
        parts = [self._beside(stage, ".part") for stage in stages]
        for stage, part in zip(stages, parts, strict=True):
            part.mkdir(exist_ok=True)
            _keep_only(part, stage.resumes_from)
            spec = json.dumps(json.loads(canonical_json(stage)), indent=2)
            (part / "spec.json").write_text(spec + "\n")
        try:
            self._fill(stages, parts)
        except Exception:  # half a result only takes room
            for stage, part in zip(stages, parts, strict=True):
                with suppress(OSError):
                    _keep_only(part, stage.resumes_from)
            raise

    def _fill(self, stages: Sequence[Stage], parts: Sequence[Path]) -> None:
        started, clock = datetime.now(UTC), time.perf_counter()
        parents = [parent for stage in stages for parent in stage.parents()]
        inputs = Inputs(self, parents, of=stages[0].name)
        # One that runs no network leaves the arithmetic to a training in another thread.
        with arithmetic(precision) if (precision := stages[0].precision) else nullcontext():
            before = type(stages[0]).compute_together(stages, parts, inputs) or 0.0
        seconds = (before + time.perf_counter() - clock) / len(stages)  # each one's share
        for stage, part in zip(stages, parts, strict=True):
            write_provenance(part, stage, started, seconds)
            seal(part, leave_out=[CHECKPOINT])
            part.replace(self.path(stage))
            flush_names(self.path(stage).parent)
            # Until here a kill would have found the training at its last epoch.
            (self.path(stage) / CHECKPOINT).unlink(missing_ok=True)

    def _beside(self, stage: Stage, suffix: str) -> Path:
        path = self.path(stage)
        return path.with_name(path.name + suffix)

    def verify(self) -> Iterator[tuple[Path, str | None, list[Path]]]:
        """Look through all results, whatever they are: where, what is wrong, what was made of it.

        What was made of something that is damaged now was made of what was sound then.
        """
        found = [path for path in sorted(self.runs.glob("*/*")) if IDENTITY.fullmatch(path.name)]
        made_of: dict[str, list[Path]] = {}
        for path in found:
            with suppress(OSError, ValueError, KeyError, TypeError):  # damaged itself
                for parent in json.loads((path / "provenance.json").read_text())["parents"]:
                    made_of.setdefault(parent[:20], []).append(path)
        for path in found:
            damage = find_damage(path, [CHECKPOINT]) or _misplaced(path)
            yield path, damage, made_of.get(path.name, [])

    def provenance(self, stage: Stage) -> dict:
        """Read what was written down when a stage was computed."""
        return json.loads((self.folder(stage) / "provenance.json").read_text())


class Inputs:
    """What a stage may read while it computes: the results of its parents, and the data folder."""

    def __init__(self, store: Store, parents: Iterable[Stage], *, of: str) -> None:
        self._store, self._of = store, of
        self._parents = {parent.identity for parent in parents}

    @property
    def data(self) -> Path:
        """Data folder."""
        return self._store.data

    def done(self, stage: Stage) -> bool:
        """Whether a result is there."""
        return self._store.done(stage)

    def folder(self, stage: Stage) -> Path:
        """Folder of a parent's result; anything else is a mistake in the stage."""
        if stage.identity not in self._parents:
            raise LookupError(f"{self._of} reads a {stage.name} that is not among its parents()")
        return self._store.folder(stage)


def default_runs() -> Path:
    """Return the folder of results: WSSS_RUNS, else ``runs`` in the clone, else ``runs`` here.

    A notebook opened in Jupyter stands in ``notebooks/`` and must find what the command computed.

    Examples
    --------
    >>> default_runs() == Path(os.environ.get("WSSS_RUNS", CLONE / "runs" if CLONED else "runs"))
    True
    """
    if named := os.environ.get("WSSS_RUNS"):
        return Path(named)
    return CLONE / "runs" if CLONED else Path("runs")


def _lock(path: Path, name: str) -> AbstractContextManager[object]:
    """Lock a result, and say so where another process has it."""
    lock = FileLock(path)
    try:
        return lock.acquire(timeout=PATIENCE)
    except Timeout:
        print(f"waiting for another process at this {name}: {path}", file=sys.stderr, flush=True)
        return lock.acquire()


def _misplaced(path: Path) -> str | None:
    """Say whether a folder, sound in itself, holds the result of another stage."""
    try:
        found = json.loads((path / "provenance.json").read_text())["identity"]
    except FileNotFoundError:  # a trial's
        return None
    named = found[:20] if isinstance(found, str) else "none"
    return None if named == path.name else f"it is the result of {named}, moved here"


def _keep_only(part: Path, patterns: Sequence[str]) -> None:
    """Drop of a folder what a killed run left that no stage goes on from."""
    kept = {path for pattern in patterns for path in part.glob(pattern)}
    for path in part.iterdir():
        if path not in kept:
            remove(path)
