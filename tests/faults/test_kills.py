"""Kills, full disks, rivals and damage: what a rerun makes is bit-equal to an undisturbed run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wsss import Lab
from wsss.errors import InputError, told_in_one_line
from wsss.paper import Cell, Recipe, Table
from wsss.stages import Store, graph

resource: Any = pytest.importorskip("resource")
FILE_SIZE = resource.RLIMIT_FSIZE
pytestmark = pytest.mark.slow

TABLE = Table(
    "tiny", "One score", "", "Seeds", "Training", (Cell("T + C", "x", 0.0, Recipe(("T", "C"))),)
)
KILLS, SIZES, RIVALS = 50, 10, 8
TOUCHING = ("open", "os.rename", "os.mkdir", "os.remove")


def lab_of(runs: Path, compute: Any = "missing") -> Lab:
    return Lab("smoke", runs=runs, results=None, compute=compute, workers=1, quiet=True)


def compute(runs: Path) -> None:
    lab = lab_of(runs)
    lab.provide((each.stage, each.testing) for each in lab.asked(TABLE))


def start(runs: Path, before: Callable[[], object] = lambda: None) -> int:
    """Compute in a process that is a copy of this one, so that it need not import anything."""
    if pid := os.fork():
        return pid
    try:
        before()
        with told_in_one_line():
            compute(runs)
    except SystemExit as ended:
        os._exit(int(str(ended.code)))
    except BaseException:
        traceback.print_exc()
        os._exit(99)
    os._exit(0)


def ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def killed_when_touching(runs: Path, moment: int) -> Callable[[], None]:
    """Kill -9 just before the process touches a file of the run folder for the n-th time."""
    left = moment

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in TOUCHING and str(arguments[0]).startswith(str(runs)):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return lambda: sys.addaudithook(hook)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    runs = tmp_path_factory.mktemp("undisturbed") / "runs"
    assert ended(start(runs)) == 0
    return runs


@pytest.fixture
def same(undisturbed, contents):
    """Whether a run folder holds, bit by bit, what the undisturbed one does."""
    return lambda runs: contents(Store(runs)) == contents(Store(undisturbed))


def test_50_kills_at_random_moments(tmp_path, same):
    rng, kills, round_ = np.random.default_rng(0), 0, 0
    while kills < KILLS:
        runs, code = tmp_path / str(round_), -9
        while code:
            # The process that goes on touches the results that are there, too.
            code = ended(start(runs, killed_when_touching(runs, int(rng.integers(1, 400)))))
            assert code in (0, -9)
            kills += code == -9
        assert same(runs)
        shutil.rmtree(runs)
        round_ += 1


def test_files_that_may_not_grow_at_ten_sizes(tmp_path, same):
    """Where nobody may mount a disk: no file may be larger than that."""
    told = []
    for size in np.geomspace(200, 200_000, SIZES).astype(int).tolist():
        limits = (size, resource.RLIM_INFINITY)
        told.append(ended(start(tmp_path, partial(resource.setrlimit, FILE_SIZE, limits))))
    assert set(told) <= {0, 2}
    assert told[0] == 2
    assert ended(start(tmp_path)) == 0
    assert same(tmp_path)


def test_disks_that_are_full_at_ten_sizes(tmp_path, same):
    def mount(*options: str) -> int:
        command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "none", str(tmp_path)]
        return subprocess.run(command, capture_output=True, check=False).returncode

    if not shutil.which("mount") or mount("size=64k"):
        pytest.skip("nothing can be mounted here")
    try:
        told = []
        for size in np.geomspace(64, 4096, SIZES).astype(int).tolist():
            mount("remount", f"size={size}k")
            told.append(ended(start(tmp_path / "runs")))
        assert set(told) <= {0, 2}
        assert told[0] == 2
        mount("remount", "size=1g")
        assert ended(start(tmp_path / "runs")) == 0
        assert same(tmp_path / "runs")
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_eight_processes_on_one_run_folder(tmp_path, same):
    rivals = [start(tmp_path) for _ in range(RIVALS)]
    assert [ended(each) for each in rivals] == [0] * RIVALS
    assert same(tmp_path)


@pytest.mark.parametrize("spoil", ["cut", "empty", "remove"])
def test_every_artefact_spoilt_is_found_and_made_again(undisturbed, tmp_path, same, spoil):
    runs = shutil.copytree(undisturbed, tmp_path / "runs")
    results = {path for path, _, _ in Store(runs).verify()}
    files = {path.name: path for each in results for path in each.rglob("*") if path.is_file()}
    assert len(files) > 10
    for path in files.values():  # one of each name
        content = path.read_bytes()
        if spoil == "remove":
            path.unlink()
        else:
            path.write_bytes(content[: len(content) // 2] if spoil == "cut" else b"")
        if not content and spoil != "remove":
            continue
        damaged = [each for each, damage, _ in Store(runs).verify() if damage]
        assert [each for each in results if each in path.parents] == damaged
        path.write_bytes(content)
    for path in files.values():
        path.unlink()
    damaged = [each for each, damage, _ in Store(runs).verify() if damage]
    with pytest.raises(InputError, match="is damaged"):
        open_damaged(runs, damaged[0])
    for each in damaged:
        shutil.rmtree(each)  # as `wsss verify --repair` does
    assert ended(start(runs)) == 0
    assert same_where_both(runs, undisturbed)


def open_damaged(runs: Path, damaged: Path) -> None:
    lab = lab_of(runs)
    for stage in graph([each.stage for each in lab.asked(TABLE)]):
        if lab.store.path(stage) == damaged:
            lab.store.folder(stage)


def same_where_both(runs: Path, undisturbed: Path) -> bool:
    """Compare what was made again; what nothing needs any more is left out."""
    found = {path.relative_to(runs): path for path in runs.glob("*/*/score.json")}
    return bool(found) and all(
        path.read_bytes() == (undisturbed / name).read_bytes() for name, path in found.items()
    )


def test_a_run_folder_copied_elsewhere_is_read_there(undisturbed, tmp_path):
    runs = shutil.copytree(undisturbed, tmp_path / "elsewhere")
    here, there = (lab_of(each, "none").scores(TABLE) for each in (undisturbed, runs))
    assert here["miou"].tolist() == there["miou"].tolist()
    assert list(there["origin"]) == ["computed"] * len(there)
