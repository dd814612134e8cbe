"""The store: results whole or not at all, computed once, and picked up after a kill."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import pytest
from filelock import FileLock

from wsss.errors import InputError
from wsss.stages import Stage, Store, provenance

PATIENCE = 120.0  # seconds; other processes import torch first, perhaps on a busy machine


class Logged(Stage):
    """Appends a line to a file whenever it is computed; goes on from what it finds."""

    resumes_from = ("checkpoint",)

    stage: Literal["logged"] = "logged"
    version: Literal[1] = 1
    where: str
    number: int = 0
    parent: Logged | None = None

    @property
    def log(self) -> Path:
        return Path(self.where, f"log{self.number}")

    @property
    def gate(self) -> Path:
        """While this file is there, a computation hangs half way."""
        return Path(self.where, f"gate{self.number}")

    def compute(self, folder: Path, store: Store) -> None:
        with self.log.open("a") as log:
            log.write(f"{os.getpid()}\n")
        checkpoint = folder / "checkpoint"
        if not checkpoint.is_file():
            checkpoint.write_text(f"{os.getpid()}")
        if (bad := Path(self.where, f"bad{self.number}")).is_file():
            raise InputError(f"{bad}: bad")
        while self.gate.is_file():
            time.sleep(0.02)
        came = "" if self.parent is None else (store.folder(self.parent) / "result").read_text()
        (folder / "result").write_text(f"{came}{self.number}")


def runs_of(stage: Logged) -> int:
    return len(stage.log.read_text().splitlines()) if stage.log.is_file() else 0


def ensure(stage: Stage, store: Store) -> None:
    store.ensure(stage)


def wait_for(condition: Callable[[], bool], process: BaseProcess | None = None) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        assert process is None or process.is_alive(), "the process ended early"
        time.sleep(0.02)


@contextmanager
def another_process(stage: Stage, store: Store) -> Iterator[BaseProcess]:
    process = multiprocessing.get_context("spawn").Process(target=ensure, args=(stage, store))
    process.start()
    try:
        yield process
        process.join(PATIENCE)
    finally:
        process.kill()
        process.join()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture
def logged(tmp_path: Path) -> Logged:
    return Logged(where=str(tmp_path))


# --- one process ---------------------------------------------------------------------------


def test_computes_once_and_returns_the_folder(store: Store, logged: Logged) -> None:
    assert not store.done(logged)
    folder = store.ensure(logged)
    assert folder == store.folder(logged) == store.runs / "logged" / logged.identity[:20]
    assert store.done(logged)
    assert (folder / "result").read_text() == "0"
    assert store.ensure(logged) == folder
    assert Store(store.runs).ensure(logged) == folder
    assert runs_of(logged) == 1


def test_computes_what_is_needed_first(tmp_path: Path, store: Store) -> None:
    stage = Logged(where=str(tmp_path))
    for number in (1, 2):
        stage = Logged(where=str(tmp_path), number=number, parent=stage)
    assert (store.ensure(stage) / "result").read_text() == "012"
    other = Logged(where=str(tmp_path), number=3, parent=stage)
    assert (store.ensure(other) / "result").read_text() == "0123"
    assert stage.parent is not None
    assert [runs_of(each) for each in (stage.parent, stage, other)] == [1, 1, 1]


class Nosy(Logged):
    """Reads what it does not name among its parents."""

    stage: Literal["nosy"] = "nosy"
    number: int = 9

    def compute(self, folder: Path, store: Store) -> None:
        store.folder(Logged(where=self.where))


def test_a_stage_can_only_read_its_declared_parents(store: Store, logged: Logged) -> None:
    store.ensure(logged)
    with pytest.raises(LookupError, match=r"nosy reads a logged that is not among its parents\(\)"):
        store.ensure(Nosy(where=logged.where))


def test_a_missing_result_is_told_as_such(store: Store, logged: Logged) -> None:
    with pytest.raises(InputError, match=r"logged/\w+: this logged is not computed yet"):
        store.folder(logged)


def test_records_what_was_computed_and_how(tmp_path: Path, store: Store) -> None:
    parent = Logged(where=str(tmp_path))
    stage = Logged(where=str(tmp_path), number=1, parent=parent)
    folder = store.ensure(stage)
    spec = (folder / "spec.json").read_text()
    assert Logged.model_validate_json(spec) == stage
    record = store.provenance(stage)
    assert record["identity"] == stage.identity
    assert record["parents"] == [parent.identity]
    assert 0 <= record["seconds"] < PATIENCE
    assert record["process_peak_memory_mb"] > 10
    assert {"wsss", "torch", "numpy"} <= set(record["packages"])
    for what in ("commit", "python", "processor", "device", "started"):
        assert isinstance(record[what], str)
    assert str(tmp_path) not in json.dumps(record)


@pytest.mark.parametrize(
    ("status", "platform", "most"),
    [
        ("Name:\tpython\nVmHWM:\t    3000 kB\nVmRSS:\t    2000 kB\n", "linux", 3000 * 1024),
        ("Name:\tpython\n", "linux", 5000 * 1024),  # a sandbox that leaves it out
        (None, "freebsd14", 5000 * 1024),
        (None, "darwin", 5000),
    ],
)
def test_peak_memory_is_in_bytes_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: str | None, platform: str, most: int
) -> None:
    if status is not None:
        (tmp_path / "status").write_text(status)
    used = SimpleNamespace(RUSAGE_SELF=0, getrusage=lambda _: SimpleNamespace(ru_maxrss=5000))
    monkeypatch.setattr(provenance, "STATUS", tmp_path / "status")
    monkeypatch.setattr(provenance, "resource", used)
    monkeypatch.setattr("sys.platform", platform)
    assert provenance.peak_memory() == most


def test_a_computation_that_fails_leaves_no_result(store: Store, logged: Logged) -> None:
    bad = Path(logged.where, "bad0")
    bad.touch()
    with pytest.raises(InputError, match="bad0"):
        store.ensure(logged)
    assert not store.done(logged)
    assert not store.path(logged).exists()
    bad.unlink()
    store.ensure(logged)
    assert runs_of(logged) == 2
    assert [path.name for path in store.folder(logged).parent.iterdir() if path.is_dir()] == [
        store.folder(logged).name
    ]


def test_a_failure_keeps_what_came_before(tmp_path: Path, store: Store) -> None:
    parent = Logged(where=str(tmp_path))
    stage = Logged(where=str(tmp_path), number=1, parent=parent)
    Path(tmp_path, "bad1").touch()
    for _ in range(2):
        with pytest.raises(InputError, match="bad1"):
            store.ensure(stage)
    assert store.done(parent)
    assert runs_of(parent) == 1


def test_without_data_folder_one_line_says_how_to_name_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--data or WSSS_DATA"):
        _ = Store(tmp_path).data
    assert Store(tmp_path, tmp_path / "data").data == tmp_path / "data"


# --- several processes ---------------------------------------------------------------------


def test_two_processes_compute_once(store: Store, logged: Logged) -> None:
    logged.gate.touch()
    with another_process(logged, store) as other:
        wait_for(lambda: runs_of(logged) == 1, other)
        assert not store.done(logged)
        opening = threading.Timer(0.3, logged.gate.unlink)
        opening.start()
        folder = store.ensure(logged)  # waits for the other's lock, then finds the result
        opening.join()
        assert (folder / "result").read_text() == "0"
        assert logged.log.read_text() == f"{other.pid}\n"
    assert other.exitcode == 0


def test_who_waits_for_another_process_says_so(
    store: Store,
    logged: Logged,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("wsss.stages.store.PATIENCE", 0.1)
    path = store.path(logged)
    path.parent.mkdir(parents=True)
    held = threading.Event()

    def hold() -> None:
        with FileLock(f"{path}.lock"):
            held.set()
            time.sleep(1)

    other = threading.Thread(target=hold)
    other.start()
    held.wait()
    store.ensure(logged)
    assert capsys.readouterr().err.startswith("waiting for another process at this logged: ")
    other.join()
    with FileLock(f"{path}.lock", timeout=0):  # nobody holds it any more
        assert store.done(logged)


def test_a_killed_computation_is_picked_up(store: Store, logged: Logged) -> None:
    logged.gate.touch()
    with another_process(logged, store) as process:
        wait_for(lambda: runs_of(logged) == 1, process)
        part = store.path(logged).with_name(store.path(logged).name + ".part")
        wait_for((part / "checkpoint").is_file, process)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        killed = process.pid
    (part / "half a result").touch()  # nothing goes on from this
    assert not store.done(logged)
    logged.gate.unlink()
    folder = store.ensure(logged)
    assert (folder / "checkpoint").read_text() == str(killed), "it started from scratch"
    assert (folder / "result").read_text() == "0"
    assert not (folder / "half a result").exists()
    assert runs_of(logged) == 2
    assert not part.exists()
