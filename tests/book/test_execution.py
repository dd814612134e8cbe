"""Executing notebooks: several at once, what their logs hold, and how their kernels die."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from wsss.book.execution import execute, failure
from wsss.book.kernels import own_kernel


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


def said_at_last(executed: Path) -> str:
    return "".join(json.loads(executed.read_text())["cells"][-1]["outputs"][0]["text"])


def test_several_at_once_and_each_log_is_its_own(tmp_path):
    def one(name: str) -> None:
        source = write(tmp_path / f"{name}.ipynb", f"print('said by {name}')", "1 + 1")
        execute(source, tmp_path / f"{name}.out.ipynb", {}, tmp_path / f"{name}.log")

    with own_kernel(), ThreadPoolExecutor(3) as pool:
        list(pool.map(one, "abc"))
    for name in "abc":
        log = (tmp_path / f"{name}.log").read_text()
        assert [each for each in "abc" if f"said by {each}" in log] == [name]
        assert (tmp_path / f"{name}.out.ipynb").is_file()


@pytest.mark.skipif(sys.platform != "linux", reason="kernels are forks on Linux alone")
def test_a_kernel_begins_with_everything_imported_and_nothing_else(tmp_path, monkeypatch):
    left = "import sys, os; found = 'left' in globals(); left = 1"
    told = "print('torch' in sys.modules, 'wsss.lab' in sys.modules, found, os.environ['GIVEN'])"
    with own_kernel():
        for number in "12":
            monkeypatch.setenv("GIVEN", number)  # after the first kernel there is what forks
            source = write(tmp_path / "a.ipynb", left, told)
            execute(source, tmp_path / f"{number}.out.ipynb", {}, tmp_path / "a.log")
            assert said_at_last(tmp_path / f"{number}.out.ipynb") == f"True True False {number}\n"


def test_what_a_kernel_says_past_python_is_in_its_log(tmp_path):
    source = write(tmp_path / "a.ipynb", "import os; os.write(2, b'from a library in C')")
    with own_kernel():
        execute(source, tmp_path / "a.out.ipynb", {}, tmp_path / "a.log")
    assert "from a library in C" in (tmp_path / "a.log").read_text()


def test_a_kernel_that_dies_ends_neither_the_others_nor_what_was_said(tmp_path):
    dies = (
        "import os, sys; print('before', flush=True); sys.stdout.flush(); os.kill(os.getpid(), 9)"
    )
    bad = write(tmp_path / "bad.ipynb", "print('first')", dies)
    good = write(tmp_path / "good.ipynb", "1 + 1")
    with own_kernel():
        with pytest.raises(Exception, match="ernel died"):
            execute(bad, tmp_path / "bad.out.ipynb", {}, tmp_path / "bad.log")
        execute(good, tmp_path / "good.out.ipynb", {}, tmp_path / "good.log")
    assert "first" in (tmp_path / "bad.log").read_text()
    assert json.loads((tmp_path / "good.out.ipynb").read_text())["cells"][-1]["outputs"]


def test_a_notebook_that_never_ran_fails_with_what_was_told(tmp_path):
    assert failure(tmp_path / "none.ipynb", "no such kernel\nat all") == (
        "no such kernel",
        "no such kernel\nat all",
    )
