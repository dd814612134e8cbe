"""Machines that lack what ours have: the module `resource`, a home, folders that may be written.

A container that is run with ``-u 12345`` has code that belongs to root, and no home.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[2]

WITHOUT_RESOURCE = """
import sys
sys.modules["resource"] = None  # Windows has none
from pathlib import Path
from wsss.data.sbd import SbdFolder
from wsss.plan import dry_run
from wsss.stages import Images, Scenes, Store, provenance, run
provenance.STATUS = Path("/nowhere")  # nor this
store = Store(Path(sys.argv[1]))
images = Images(source=Scenes(train=1, val=1, pilot=1), split="train")
run([images], store, workers=1, quiet=True)
print(store.provenance(images)["process_peak_memory_mb"])
"""


def test_a_run_without_the_module_resource(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_RESOURCE, str(tmp_path)], capture_output=True, text=True
    )
    assert (ran.stdout, ran.stderr, ran.returncode) == ("None\n", "", 0)


@pytest.fixture(params=[None, "/", "/nowhere"], ids=["no home", "root's home", "absent home"])
def stranger(request, tmp_path_factory):
    """Run the command as a user who may read everything and write in one folder alone."""
    if not shutil.which("setpriv") or not hasattr(os, "geteuid") or os.geteuid():
        pytest.skip("only root may be somebody else, by setpriv")
    here = tmp_path_factory.mktemp("stranger")
    for folder in (here, *here.parents[:3]):  # pytest's own are for one user
        folder.chmod(folder.stat().st_mode | 0o011)
    here.chmod(0o777)
    right = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    somebody = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", *right]
    left_out = ("HOME", "WSSS_WEIGHTS", "WSSS_RUNS", "NUMBA_CACHE_DIR", "MPLCONFIGDIR")
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in left_out and not name.startswith("COVERAGE")  # it would write and warn
    }
    environment |= {"TMPDIR": str(here), "PYTHONPATH": str(REPOSITORY), "PYTHONWARNINGS": ""}
    environment |= {"HOME": request.param} if request.param else {}

    def run(*arguments):
        command = [*somebody, sys.executable, "-m", "wsss", *map(str, arguments)]
        return subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True)

    return run, here


def test_somebody_without_a_home_is_helped(stranger):
    run, _ = stranger
    assert "Usage" in run("--help").stdout


def test_weights_have_nowhere_to_be(stranger):
    run, here = stranger
    told = run("weights", "fetch", "vgg16", "--source", here / "absent")
    assert told.returncode == 2
    (line,) = told.stderr.splitlines()
    assert line.startswith("error: ")
    assert line.endswith("by WSSS_WEIGHTS")


@pytest.mark.slow
@pytest.mark.parametrize("stranger", ["/nowhere"], indirect=True)
def test_kernels_are_compiled_where_code_belongs_to_others(stranger):
    run, here = stranger
    Image.new("RGB", (64, 48), (200, 90, 30)).save(here / "photo.png")
    ran = run("look", here / "photo.png", "--to", here / "look.png")
    assert ran.returncode == 0, ran.stderr
    assert (here / "look.png").stat().st_size
    assert not list(here.glob("wsss-numba-*"))
