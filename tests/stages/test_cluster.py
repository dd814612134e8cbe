"""A scheduler and workers as the book starts them on Slurm: what runs beside what, and scores."""

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from itertools import combinations, product
from pathlib import Path
from typing import Literal

import pytest

from wsss import Lab
from wsss.stages import Stage, Store, run

GPUS = 2
SLURM = {
    "JOB_ID": "1", "JOB_NAME": "wsss", "NTASKS": str(GPUS), "NPROCS": str(GPUS), "NNODES": "1",
    "NODEID": "0", "STEP_NODELIST": "localhost", "JOB_NODELIST": "localhost",
    "STEP_NUM_TASKS": str(GPUS), "TASKS_PER_NODE": str(GPUS),
}  # fmt: skip


class Timed(Stage):
    """Writes down which worker it was on, and from when to when."""

    stage: Literal["timed"] = "timed"
    version: Literal[1] = 1
    number: int

    def compute(self, folder, store):
        started = time.monotonic()
        time.sleep(0.3)
        task = os.environ["SLURM_PROCID"]
        (folder / "interval").write_text(json.dumps([task, started, time.monotonic()]))


class TimedOnGpu(Timed):
    on_gpu = True


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """Address of a scheduler with two workers, each a task of a Slurm job with a GPU pretended."""
    file = tmp_path_factory.mktemp("cluster") / "scheduler.json"
    dask = [sys.executable, "-m", "dask"]
    # Workers are to find this module, as they would find a package that is installed.
    found = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    plain = os.environ | {"PYTHONPATH": found, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    with ExitStack() as stack:

        def start(*command, **extra):
            process = subprocess.Popen(
                [*dask, *command, "--scheduler-file", str(file), "--no-dashboard"],
                env=plain | extra, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            stack.enter_context(process)
            stack.callback(process.terminate)

        start("scheduler", "--host", "127.0.0.1", "--port", "0")
        for task in map(str, range(GPUS)):
            job = {f"SLURM_{name}": value for name, value in SLURM.items()}
            job |= {"SLURM_PROCID": task, "SLURM_LOCALID": task}
            start("worker", "--nthreads", "2", "--memory-limit", "0", "--resources", "GPU=1", **job)
        deadline = time.monotonic() + 60
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]
        from distributed import Client

        with Client(address) as client:
            client.wait_for_workers(GPUS, timeout=60)
        yield address


def together(first, second):
    return max(first[1], second[1]) < min(first[2], second[2])


def test_a_gpu_has_one_stage_at_a_time_and_others_run_beside_it(tmp_path, scheduler):
    on_gpu, others = ([kind(number=n) for n in range(8)] for kind in (TimedOnGpu, Timed))
    store = Store(tmp_path / "runs")
    run([*on_gpu, *others], store, scheduler=scheduler, quiet=True)
    there, elsewhere = (
        [json.loads((store.folder(stage) / "interval").read_text()) for stage in stages]
        for stages in (on_gpu, others)
    )
    assert {task for task, *_ in there} == {"0", "1"}  # both GPUs have work
    same_worker = [(a, b) for a, b in combinations(there, 2) if a[0] == b[0]]
    assert not [pair for pair in same_worker if together(*pair)]
    assert [1 for a, b in product(there, elsewhere) if a[0] == b[0] and together(a, b)]


@pytest.mark.slow
def test_a_table_on_a_cluster_has_the_files_of_one_process(tmp_path, scheduler, contents):
    here = Lab("smoke", runs=tmp_path / "here", workers=1, quiet=True)
    there = Lab("smoke", runs=tmp_path / "there", scheduler=scheduler, quiet=True)
    for lab in (here, there):
        run([each.stage for each in lab.asked("table7")], lab.store, **lab._how)
    expected = contents(here.store)
    assert {"cams", "seeds", "saliency", "segmenter_score"} <= {n.split("/")[0] for n in expected}
    assert contents(there.store) == expected
    score = there.asked("table7")[0].stage
    assert there.store.provenance(score)["threads"] == 1
