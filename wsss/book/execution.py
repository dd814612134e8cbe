"""Execute one notebook by papermill."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from jupyter_core.utils import ensure_event_loop
from papermill import execute_notebook

from wsss.book.kernels import kernel_manager
from wsss.book.pages import read_notebook


def execute(notebook: Path, partial: Path, given: Mapping[str, Any], log: Path) -> None:
    """Run a notebook by papermill; what it prints and what its kernel says go into a log."""
    # Jupyter makes an event loop for every thread that runs something, and leaves it open.
    with closing(ensure_event_loop()), log.open("a", encoding="utf-8") as stream:
        execute_notebook(
            notebook, partial, given, kernel_name="python3", progress_bar=False,
            stdout_file=stream, stderr_file=stream, kernel_manager_class=kernel_manager(log),
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
