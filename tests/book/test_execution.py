"""Executing notebooks: several at once, what their logs hold, and how their kernels die."""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from wsss.book.execution import execute, failure
from wsss.book.kernels import own_kernel


def write(path: Path, *sources: str) -> Path:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    cells = list(map(new_code_cell, sources))
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)
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


def test_figures_are_pictures(tmp_path):
    drawn = "import matplotlib.pyplot as plt\nplt.subplots();"
    made = "from matplotlib.figure import Figure\nfigure = Figure(); figure.subplots(); figure"
    source = write(tmp_path / "a.ipynb", drawn, made, "figure.savefig; 1")
    with own_kernel():
        execute(source, tmp_path / "a.out.ipynb", {}, tmp_path / "a.log")
    cells = json.loads((tmp_path / "a.out.ipynb").read_text())["cells"]
    shown = ["image/png" in cell["outputs"][-1]["data"] for cell in cells if cell["outputs"]]
    assert shown == [True, True, False]
    assert (tmp_path / "a.log").read_text() == ""  # nor does a kernel tell how to connect to it


def test_a_page_leaves_nothing_in_the_history_of_who_runs_it(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    source = write(tmp_path / "a.ipynb", "1 + 1")
    with own_kernel():
        execute(source, tmp_path / "a.out.ipynb", {}, tmp_path / "a.log")
    assert not list(tmp_path.rglob("history.sqlite"))


def test_kernels_end_with_the_process_that_started_them(tmp_path):
    script = (
        "import sys; from pathlib import Path\n"
        "from wsss.book.execution import execute\n"
        "from wsss.book.kernels import own_kernel\n"
        "with own_kernel():\n"
        "    execute(*map(Path, sys.argv[1:3]), {}, Path(sys.argv[3]))\n"
    )
    source = write(
        tmp_path / "a.ipynb",
        f"import os, pathlib, time; told = pathlib.Path({str(tmp_path / 'pid')!r})",
        "told.write_text(str(os.getpid())); time.sleep(600)",
    )
    given = [source, tmp_path / "a.out.ipynb", tmp_path / "a.log"]
    with subprocess.Popen([sys.executable, "-c", script, *map(str, given)]) as ran:
        try:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and not (tmp_path / "pid").is_file():
                time.sleep(0.2)
            kernel = psutil.Process(int((tmp_path / "pid").read_text()))
        finally:  # else a kernel that is late is waited for
            ran.kill()
    _, alive = psutil.wait_procs([kernel], timeout=20)
    assert not alive


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
