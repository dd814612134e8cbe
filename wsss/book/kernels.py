"""Kernels of this environment, with nothing to import: forks of a process that has done it.

To import torch and matplotlib takes a kernel four seconds of a core, more than a page itself. A
fork begins where the imports end; every page still has a process of its own.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import (
    Process,
    active_children,
    forkserver,
    get_context,
    set_start_method,
)
from pathlib import Path
from typing import Any

from jupyter_client.manager import AsyncKernelManager

from wsss.processes import end_with_parent, environment, interruptions_kept_away, starting

FORKS = sys.platform == "linux"
"""Elsewhere not every library that is loaded outlives a fork, so kernels start as usual."""
IMPORTED = ["ipykernel.kernelapp", "matplotlib.pyplot", "wsss.lab"]
LAUNCHER = "ipykernel_launcher"


@contextmanager
def own_kernel() -> Iterator[None]:
    """Let the kernel "python3" be this environment's, whatever else is on the way to it.

    What kernels are forks of lives on until this process ends, and knows the code as it was.
    """
    if FORKS:  # the process that kernels are forks of: it imports while this one goes on
        get_context("forkserver").set_forkserver_preload(IMPORTED)
        with starting(), interruptions_kept_away():
            forkserver.ensure_running()
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder, "kernels", "python3", "kernel.json")
        spec.parent.mkdir(parents=True)
        # A fork's matplotlib does not find out by itself that it draws for a notebook.
        argv = [sys.executable, "-m", LAUNCHER, "-f", "{connection_file}", "--matplotlib=inline"]
        kernel = {"argv": argv, "display_name": "Python 3", "language": "python"}
        spec.write_text(json.dumps(kernel))
        path = os.pathsep.join(filter(None, [folder, os.environ.get("JUPYTER_PATH")]))
        try:
            with environment({"JUPYTER_PATH": path}):
                yield
        except BaseException:  # a second Ctrl-C, while pages are waited for
            for kernel in active_children():
                if kernel.name.startswith(LAUNCHER):
                    kernel.kill()
            raise


def kernel_manager(log: Path) -> type[AsyncKernelManager]:
    """Class of the managers of kernels, forks where they can be, which write into a log."""
    return type("Logged", (_Logged,), {"said": log})


class _Logged(AsyncKernelManager):
    said: Path

    async def _async_launch_kernel(self, kernel_cmd: list[str], **given: Any) -> None:
        if not FORKS:
            with self.said.open("a") as stream:
                kept = {"stdout": stream, "stderr": stream}
                await super()._async_launch_kernel(kernel_cmd, **given | kept)
            return
        argv = kernel_cmd[kernel_cmd.index(LAUNCHER) + 1 :]
        process: Any = get_context("forkserver").Process(
            target=_serve,
            args=(argv, dict(given["env"]), self.said),
            name=f"{LAUNCHER} {self.said}",
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


def _serve(argv: list[str], variables: Mapping[str, str], log: Path) -> None:
    """Be a kernel: in a session of its own, which a Ctrl-C in the terminal does not reach."""
    from ipykernel.kernelapp import IPKernelApp

    end_with_parent()
    os.setsid()
    os.environ.clear()
    os.environ.update(variables)
    sys.argv[1:] = []
    set_start_method(None, force=True)  # a page's own processes start as they do elsewhere
    with log.open("a") as stream:
        for number in (1, 2):
            os.dup2(stream.fileno(), number)
    # It has a parent, so it need not tell its log how to connect to it.
    IPKernelApp.launch_instance(argv=[*argv, "--IPKernelApp.parent_handle=1"])
