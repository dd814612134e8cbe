"""Local workers: who owns a GPU, what runs there, that none listens, how a death or Ctrl-C ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

import psutil
import pytest

from wsss.errors import InputError
from wsss.processes import Worker
from wsss.stages import Stage, Store, engine, run
from wsss.stages.workers import local_workers


class Look(Stage):
    stage: Literal["look"] = "look"
    version: Literal[1] = 1
    number: int

    def compute(self, folder, store):
        time.sleep(0.1)
        (folder / "gpu").write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "not set"))


class LookOnGpu(Look):
    on_gpu = True


class Die(Stage):
    stage: Literal["die"] = "die"
    version: Literal[1] = 1
    number: int
    times: int = 99
    tried: str

    def compute(self, folder, store):
        tried = Path(self.tried) / str(self.number)
        with tried.open("a") as file:
            file.write("x")
        if tried.stat().st_size <= self.times:
            os.kill(os.getpid(), signal.SIGKILL)


def mistaken():
    raise KeyError("a mistake of the code")


class OddError(Exception):
    """Goes into a pickle and does not come out again."""

    def __init__(self, number, name):
        super().__init__(f"{number} {name}")


def odd():
    raise OddError(7, "owls")


def seen(stage, store):
    return (store.folder(stage) / "gpu").read_text()


def test_one_worker_owns_the_gpu_and_the_others_see_none(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "visible_gpus", lambda: ["7"])
    store = Store(tmp_path)
    assert Look(number=0).identity != LookOnGpu(number=0).identity  # a subclass is another stage
    there, elsewhere = [LookOnGpu(number=i) for i in range(3)], [Look(number=i) for i in range(6)]
    run([*elsewhere, *there], store, workers=3, quiet=True)
    assert {seen(stage, store) for stage in there} == {"7"}
    assert {seen(stage, store) for stage in elsewhere} == {""}


def test_without_a_gpu_workers_are_told_so(tmp_path, monkeypatch):
    """Else each step of an optimiser looks for one."""
    monkeypatch.setattr(engine, "visible_gpus", list)
    store, stages = Store(tmp_path), [LookOnGpu(number=i) for i in range(2)]
    run(stages, store, workers=2, quiet=True)
    assert {seen(stage, store) for stage in stages} == {""}


def test_with_no_worker_beside_the_gpus_everything_runs_there():
    assert list(local_workers(3, ["0", "1"]).values()) == ["GPU", "GPU", "CPU"]
    assert list(local_workers(2, ["0", "1"]).values()) == [None, None]
    assert list(local_workers(2, []).values()) == [None, None]


def test_workers_open_no_port_and_no_socket_that_has_a_name(tmp_path):
    """Who is on the same machine, as another user or the same, finds nothing to connect to."""
    command = [
        sys.executable, "-c", "from wsss.cli import main; main()", "reproduce", "table2",
        "--profile", "smoke", "--compute", "all", "--workers", "2", "--runs", str(tmp_path),
    ]  # fmt: skip
    listening, workers = set(), 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as ran:
        main = psutil.Process(ran.pid)
        while ran.poll() is None:
            with suppress(psutil.Error):
                every = [main, *main.children(recursive=True)]
                workers = max(workers, len(every) - 1)
                for process in every:
                    listening |= set(map(str, named_sockets(process)))
            time.sleep(0.2)
    assert ran.returncode == 0
    assert workers >= 2
    assert listening == set()


def named_sockets(process):
    """What others could connect to."""
    for each in process.net_connections("all"):
        if each.family == socket.AF_UNIX:
            if each.laddr:
                yield each.laddr
        elif each.status in (psutil.CONN_LISTEN, psutil.CONN_NONE):  # TCP that waits, or UDP
            yield each.laddr


def test_a_stage_that_kills_its_workers_is_told_in_one_line_and_the_others_stay(tmp_path):
    store, others = Store(tmp_path / "runs"), [Look(number=i) for i in range(2)]
    dying = [Die(number=i, tried=str(tmp_path)) for i in range(2)]
    with pytest.raises(InputError, match=r"^die: workers died 3 times at it, .* fewer --workers$"):
        run([*others, *dying], store, workers=2, quiet=True)
    assert all(store.done(each) for each in others)
    assert "xxx" in [(tmp_path / name).read_text() for name in "01"]


def test_a_worker_that_was_killed_is_replaced_and_its_task_done_again(tmp_path):
    store, killed = Store(tmp_path / "runs"), [Die(number=0, times=1, tried=str(tmp_path))]
    run([Look(number=1), *killed], store, workers=2, quiet=True)
    assert store.done(killed[0])
    assert (tmp_path / "0").read_text() == "xx"


def test_a_mistake_in_a_worker_keeps_its_traceback():
    with Worker() as worker:
        with pytest.raises(KeyError, match="a mistake of the code") as raised:
            worker.call(mistaken)
        assert "in mistaken" in raised.value.__notes__[0]
        with pytest.raises(RuntimeError, match=r"OddError\('7 owls'\) cannot be sent"):
            worker.call(odd)
        assert worker.call(divmod, 7, 2) == (3, 1)


def test_workers_end_with_the_process_that_started_them(tmp_path):
    """Killed at once, it leaves nobody behind who goes on computing or holds a lock."""
    script = (
        "import time\n"
        "from wsss.processes import Worker\n"
        "worker = Worker()\n"
        "worker.begin(time.sleep, 600)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script]) as ran:
        found = []
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not found:
            time.sleep(0.2)
            found = [
                p for p in psutil.Process(ran.pid).children() if "spawn_main" in str(p.cmdline())
            ]
        time.sleep(1)  # it is at its task
        ran.kill()
    _, alive = psutil.wait_procs(found, timeout=20)
    assert found
    assert not alive


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_interruption_is_told_in_one_line(tmp_path, workers):
    command = [
        sys.executable,
        "-c",
        "from wsss.cli import main; main()",
        "reproduce",
        "table2",
        "--compute",
        "all",
    ]
    with subprocess.Popen(
        [*command, "--rng-seeds", "0", "--workers", workers, "--runs", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # as a terminal, which interrupts workers too
    ) as process:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("images/*[0-9a-f]")) and time.monotonic() < deadline:
            time.sleep(0.2)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "interrupted: what is finished is kept, the same command goes on" in err
    assert "Traceback" not in err + out
