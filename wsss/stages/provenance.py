"""How a result came about: seconds, memory, commit, versions and hardware, kept with it."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from contextlib import suppress
from datetime import datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path

import torch

from wsss.stages.stage import Stage
from wsss.training.precision import NAMES

try:
    import resource
except ImportError:  # Windows has none
    resource = None

RECORDED_PACKAGES = ("wsss", "torch", "torchvision", "numpy", "opencv-python-headless")
STATUS = Path("/proc/self/status")


def write_provenance(part: Path, stage: Stage, started: datetime, seconds: float) -> None:
    """Write ``provenance.json``; a parent is named by its identity."""
    peak = peak_memory()
    record = {
        "identity": stage.identity,
        "parents": [parent.identity for parent in stage.parents()],
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "process_peak_memory_mb": peak and peak // 2**20,
        "arithmetic": stage.precision and NAMES[stage.precision],
        **environment(),
    }
    (part / "provenance.json").write_text(json.dumps(record, indent=2) + "\n")


def peak_memory() -> int | None:
    """Most bytes that this process has held; None where the system does not say.

    Examples
    --------
    >>> (peak_memory() or 2**30) > 10 * 2**20  # Python alone
    True
    """
    with suppress(OSError):
        if found := re.search(r"^VmHWM:\s+(\d+) kB", STATUS.read_text(), re.MULTILINE):
            return int(found[1]) * 1024
    if resource is None:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    # On Linux, which says it above, this would count the memory of a parent too.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def environment() -> dict:
    """Commit, versions and hardware of this process."""
    used = torch.cuda.is_initialized()  # to ask for its name would wake a GPU that sleeps
    return {**_unchanging(), "device": torch.cuda.get_device_name() if used else "cpu"}


@cache
def _unchanging() -> dict:
    return {
        "commit": commit(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in RECORDED_PACKAGES},
        "processor": _processor(),
        "threads": torch.get_num_threads(),
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


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]} x {len(names)}" if names else "unknown"
