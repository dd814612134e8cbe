"""Executing notebooks: processes that run several, what their logs hold, and how they die."""

import json
from pathlib import Path

import pytest

from wsss.book.execution import execute, failure, own_kernel
from wsss.processes import ProcessDiedError, Worker


def write(path: Path, *sources: str) -> Path:
    cells = [
        {
            "cell_type": "code",
            "execution_count": None,
            "metadata": {},
            "outputs": [],
            "source": each,
        }
        for each in sources
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    content = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 4}
    path.write_text(json.dumps(content))
    return path


def test_one_process_runs_several_and_each_log_is_its_own(tmp_path):
    with own_kernel(), Worker() as worker:
        for name in ("a", "b"):
            source = write(tmp_path / f"{name}.ipynb", f"print('said by {name}')", "import os")
            worker.call(execute, source, tmp_path / f"{name}.out", {}, tmp_path / f"{name}.log")
    for name, other in (("a", "b"), ("b", "a")):
        log = (tmp_path / f"{name}.log").read_text()
        assert f"said by {name}" in log
        assert f"said by {other}" not in log
        assert (tmp_path / f"{name}.out").is_file()


def test_a_kernel_that_dies_ends_neither_the_process_nor_what_was_said(tmp_path):
    dies = (
        "import os, sys; print('before', flush=True); sys.stdout.flush(); os.kill(os.getpid(), 9)"
    )
    bad = write(tmp_path / "bad.ipynb", "print('first')", dies)
    good = write(tmp_path / "good.ipynb", "1 + 1")
    with own_kernel(), Worker() as worker:
        with pytest.raises(Exception, match="ernel died"):
            worker.call(execute, bad, tmp_path / "bad.out", {}, tmp_path / "bad.log")
        worker.call(execute, good, tmp_path / "good.out", {}, tmp_path / "good.log")
    assert "first" in (tmp_path / "bad.log").read_text()
    assert json.loads((tmp_path / "good.out").read_text())["cells"][-1]["outputs"]


def test_a_process_that_dies_is_told(tmp_path):
    with Worker() as worker, pytest.raises(ProcessDiedError) as caught:
        worker.call(__import__("os")._exit, 3)
    assert failure(tmp_path / "none.ipynb", str(caught.value)) == (
        "a process died (status 3)",
        "a process died (status 3)",
    )
