"""Kernels of this environment, with nothing to import: forks of a process that has done it.

To import torch and matplotlib takes a kernel four seconds of a core, twice what a page takes. A
fork begins where the imports end; every page still has a process of its own.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import Process, forkserver, get_context
from pathlib import Path
from typing import Any

from jupyter_client.manager import AsyncKernelManager

from wsss.processes import end_with_parent, interruptions_kept_away, starting

KERNEL = {"display_name": "Python 3", "language": "python"}
FORKS = sys.platform == "linux"
"""Elsewhere not every library that is loaded outlives a fork, so kernels start as usual."""
IMPORTED = ["ipykernel.kernelapp", "matplotlib_inline.backend_inline", "wsss.lab"]


@contextmanager
def own_kernel() -> Iterator[None]:
    """Let the kernel "python3" be this environment's, whatever else is on the way to it."""
    if FORKS:
        _prepare_forks()
    before = os.environ.get("JUPYTER_PATH")
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder, "kernels", "python3", "kernel.json")
        spec.parent.mkdir(parents=True)
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec.write_text(json.dumps({"argv": argv, **KERNEL}))
        os.environ["JUPYTER_PATH"] = os.pathsep.join([folder, *([before] if before else [])])
        try:
            yield
        finally:
            del os.environ["JUPYTER_PATH"]
            if before:
                os.environ["JUPYTER_PATH"] = before


def kernel_manager(log: Path) -> type[AsyncKernelManager]:
    """Class of the managers of kernels that are forks, and whose processes write into a log."""
    return type("Forks", (_Forks,), {"said": log}) if FORKS else AsyncKernelManager


def _prepare_forks() -> None:
    """Start the process that kernels are forks of; it imports while this one goes on."""
    get_context("forkserver").set_forkserver_preload(IMPORTED)
    with starting(), interruptions_kept_away():
        forkserver.ensure_running()


class _Forks(AsyncKernelManager):
    said: Path

    async def _async_launch_kernel(self, kernel_cmd: list[str], **given: Any) -> None:
        process: Any = get_context("forkserver").Process(
            target=_serve, args=(self.connection_file, dict(given["env"]), self.said)
        )
        with starting():
            process.start()
        local: Any = self.provisioner
        local.process, local.pid, local.pgid = _AsPopen(process), process.pid, process.pid


class _AsPopen:
    """A process with the methods of a `subprocess.Popen` that Jupyter uses."""

    stdin = stdout = stderr = None

    def __init__(self, process: Process) -> None:
        self._process = process
        self.kill, self.terminate = process.kill, process.terminate

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int | None:
        self._process.join()
        return self.poll()

    def send_signal(self, number: int) -> None:
        if self._process.pid and self.poll() is None:
            os.kill(self._process.pid, number)


def _serve(connection_file: str, environment: Mapping[str, str], log: Path) -> None:
    """Be a kernel: in a session of its own, which a Ctrl-C in the terminal does not reach."""
    from ipykernel.kernelapp import IPKernelApp

    end_with_parent()
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    with log.open("a") as stream:
        for number in (1, 2):
            os.dup2(stream.fileno(), number)
    IPKernelApp.launch_instance(argv=["-f", connection_file])
