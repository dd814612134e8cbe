"""One random byte of a finished run folder flipped, 200 times: found before a number is printed."""

import shutil

import numpy as np
import pytest

from wsss import Lab
from wsss.errors import InputError
from wsss.paper import Cell, Recipe, Table

TABLE = Table(
    "tiny", "One score", "", "Seeds", "Training", (Cell("T + C", "x", 0.0, Recipe(("T", "C"))),)
)


def lab_of(runs):
    return Lab("smoke", runs=runs, results=None, compute="missing", workers=1, quiet=True)


def shown(lab):
    """Read the table as `wsss reproduce` does."""
    lab.provide((each.stage, each.testing) for each in lab.asked(TABLE))
    return lab.scores(TABLE)


@pytest.mark.slow
def test_200_of_200_flips_are_found(tmp_path):
    lab = lab_of(tmp_path / "runs")
    assert len(shown(lab)) > 0
    results = [path for path in (tmp_path / "runs").glob("*/*") if path.is_dir()]
    files = [each for path in results for each in path.rglob("*") if each.is_file()]
    files = [each for each in files if each.stat().st_size]
    assert len({each.parent.parent.name for each in files}) > 5  # kinds of stages
    rng = np.random.default_rng(0)
    for _ in range(200):
        path = files[rng.integers(len(files))]
        content = path.read_bytes()
        at = int(rng.integers(len(content)))
        flipped = bytearray(content)
        flipped[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        with pytest.raises(InputError, match=r"is damaged, .*wsss verify --repair"):
            shown(lab_of(tmp_path / "runs"))
        path.write_bytes(content)
    assert len(shown(lab_of(tmp_path / "runs"))) > 0
    shutil.rmtree(tmp_path / "runs")
