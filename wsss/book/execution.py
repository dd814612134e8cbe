"""Execute one notebook by papermill, with the kernel of this environment."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wsss.book.pages import read_notebook

KERNEL = {"display_name": "Python 3", "language": "python"}


@contextmanager
def own_kernel() -> Iterator[None]:
    """Let the kernel "python3" be this environment's, whatever else is on the way to it."""
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


def execute(notebook: Path, partial: Path, given: Mapping[str, Any], log: Path) -> None:
    """Run a notebook by papermill; in a process that runs others before and after it.

    To import papermill takes a second and a half of a core, a fifth of what a page takes.
    """
    from papermill import execute_notebook

    with log.open("w", encoding="utf-8") as stream:
        for each in (sys.stdout, sys.stderr):  # the kernel's too: it inherits them
            os.dup2(stream.fileno(), each.fileno())
        execute_notebook(
            notebook, partial, given, kernel_name="python3", progress_bar=False,
            stdout_file=stream, stderr_file=stream,
        )  # fmt: skip


def failure(executed: Path, told: str) -> tuple[str, str]:
    """Say in one line why a notebook failed, and what there is to read of it."""
    cells = read_notebook(executed)["cells"] if executed.is_file() else []
    for cell in cells:
        for output in cell.get("outputs", ()):
            if output["output_type"] == "error":
                told = "\n".join([*output["traceback"], "The cell:", "".join(cell["source"])])
                reason = f"{output['ename']}: {_first_line(output['evalue'])}"
                return f"{reason} (cell {cell['execution_count']})", _plain(told)
    return _first_line(told), _plain(told)


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _first_line(text: str) -> str:
    return _plain(text).strip().split("\n")[0]
