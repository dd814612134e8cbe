"""Results on disk: one folder a stage, named by the stage's identity, whole or not there at all."""

from __future__ import annotations

import json
import platform
import resource
import shutil
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock

from wsss.errors import InputError
from wsss.stages.stage import Stage

RECORDED_PACKAGES = ("wsss", "torch", "torchvision", "numpy", "opencv-python-headless")


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
    """

    def __init__(self, runs: Path, data: Path | None = None) -> None:
        self.runs = runs.absolute()  # workers elsewhere may stand in another folder
        self._data = data and data.absolute()

    @property
    def data(self) -> Path:
        """Data folder; an `InputError` tells how to name it if there is none."""
        if self._data is None:
            raise InputError("this profile reads photos: name their folder by --data or WSSS_DATA")
        return self._data

    def folder(self, stage: Stage) -> Path:
        """Where the result of a stage lies, or will."""
        return self.runs / stage.name / stage.identity[:20]

    def done(self, stage: Stage) -> bool:
        """Whether the result is there."""
        return self.folder(stage).is_dir()

    def ensure(self, stage: Stage) -> Path:
        """Compute a stage and what it needs, unless they are there; return its folder.

        Raises
        ------
        InputError
            If an input is bad; what was computed before stays.
        """
        self.ensure_together([stage])
        return self.folder(stage)

    def ensure_together(self, stages: Sequence[Stage]) -> None:
        """Compute several stages of the same `Stage.shares` in one go, as `ensure` does one."""
        missing = [stage for stage in stages if not self.done(stage)]
        for stage in missing:
            for parent in stage.parents():
                self.ensure(parent)
        with ExitStack() as locks:
            # In the same order everywhere, so that no two processes wait for each other.
            for stage in sorted(missing, key=lambda stage: stage.identity):
                self.folder(stage).parent.mkdir(parents=True, exist_ok=True)
                locks.enter_context(FileLock(self._beside(stage, ".lock")))
            missing = [stage for stage in missing if not self.done(stage)]  # others were faster
            if missing:
                self._compute(missing)

    def _compute(self, stages: Sequence[Stage]) -> None:
        parts = [self._beside(stage, ".part") for stage in stages]
        for stage, part in zip(stages, parts, strict=True):
            _keep_only(part, stage.resumes_from)
            (part / "spec.json").write_text(stage.model_dump_json(indent=2) + "\n")
        started, clock = datetime.now(UTC), time.perf_counter()
        before = type(stages[0]).compute_together(stages, parts, self) or 0.0
        seconds = (before + time.perf_counter() - clock) / len(stages)  # each one's share
        for stage, part in zip(stages, parts, strict=True):
            _write_provenance(part, stage, started, seconds)
            part.replace(self.folder(stage))
            # Until here a kill would have found the training at its last epoch.
            (self.folder(stage) / "checkpoint.pt").unlink(missing_ok=True)

    def _beside(self, stage: Stage, suffix: str) -> Path:
        folder = self.folder(stage)
        return folder.with_name(folder.name + suffix)

    def provenance(self, stage: Stage) -> dict:
        """Read what was recorded when a stage was computed."""
        return json.loads((self.folder(stage) / "provenance.json").read_text())


def _write_provenance(part: Path, stage: Stage, started: datetime, seconds: float) -> None:
    record = {
        "identity": stage.identity,
        "parents": [parent.identity for parent in stage.parents()],
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "process_peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        **environment(),
    }
    (part / "provenance.json").write_text(json.dumps(record, indent=2) + "\n")


def _keep_only(part: Path, patterns: Sequence[str]) -> None:
    """Make the folder, and drop what a killed run left that no stage goes on from."""
    part.mkdir(exist_ok=True)
    kept = {path for pattern in patterns for path in part.glob(pattern)}
    for path in part.iterdir():
        if path not in kept:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@cache
def environment() -> dict:
    """Commit, versions and hardware of this process."""
    return {
        "commit": commit(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in RECORDED_PACKAGES},
        "processor": _processor(),
        "device": _device(),
        "threads": _threads(),
    }


def commit() -> str:
    """Commit of the source, with a "+" if files differ from it; "unknown" outside a checkout."""
    here = Path(__file__).parent
    try:
        _git("ls-files", "--error-unmatch", __file__, where=here)  # in a checkout of ours?
        head = _git("rev-parse", "--short=12", "HEAD", where=here)
        sources = [":/", *(f":(top,exclude){made}" for made in ("results", "benchmarks/results"))]
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", *sources, where=here)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("+" if changed else "")


def _git(*arguments: str, where: Path) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=where, capture_output=True, text=True, check=True
    ).stdout.strip()


def _threads() -> int:
    import torch

    return torch.get_num_threads()


def _device() -> str:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]} x {len(names)}" if names else "unknown"
