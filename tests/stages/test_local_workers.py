"""Local workers: who owns a GPU, what runs there, what listens where, how an interruption ends."""

import os
import signal
import subprocess
import sys
import time
from typing import Literal

import psutil
import pytest

from wsss.errors import InputError
from wsss.stages import Stage, Store, engine, run
from wsss.stages.engine import local_workers


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

    def compute(self, folder, store):
        os.kill(os.getpid(), signal.SIGKILL)


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


def test_with_no_worker_beside_the_gpus_everything_runs_there():
    described = local_workers(2, ["0", "1"])
    assert [each["options"]["resources"] for each in described.values()] == [{"GPU": 1}] * 2
    assert "resources" not in local_workers(2, [])[0]["options"]


def test_workers_listen_on_this_machine_alone(tmp_path, monkeypatch):
    listening = set()

    class Listen(Look):
        pass

    real = engine._run_on

    def look(client, *rest):
        here = psutil.Process()
        for process in [here, *here.children(recursive=True)]:
            listening.update(
                each.laddr.ip
                for each in process.net_connections("inet")
                if each.status == psutil.CONN_LISTEN
            )
        real(client, *rest)

    monkeypatch.setattr(engine, "_run_on", look)
    run([Listen(number=i) for i in range(2)], Store(tmp_path), workers=2, quiet=True)
    assert listening == {"127.0.0.1"}


def test_a_stage_that_kills_its_workers_is_told_in_one_line(tmp_path):
    with pytest.raises(InputError, match=r"die: workers died \d times at it, .* fewer --workers$"):
        run([Die(number=i) for i in range(2)], Store(tmp_path), workers=2, quiet=True)


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
