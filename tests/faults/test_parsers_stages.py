"""Results and records that hold anything: what a store keeps, what `results/` publishes."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pandas as pd
import pytest
from fuzzing import EXAMPLES, Parser, require_a_value_or_one_line, text
from odd_inputs import JSONS, TABLES

from wsss.errors import InputError
from wsss.pages.photos import show_longer, show_sizes
from wsss.stages import Records, Stage, Store

SCORES = (
    "identity,testing,table,row,column,rng_seed,miou,images\n"
    "aa,single,table5,T + C,With WST,0,50.5,ff\nbb,single,table5,T,Without,1,44.25,ff\n"
)
TRACES = "identity,rng_seed,epoch,right,wrong\naa,0,1,0.5,0.25\naa,0,2,0.75,0.25\n"
SIZES = "images,crop,epochs,steps,miou,seconds\n320,161,30,100,55.5,12.25\n"
CELL = "table1,0 (ground truth),One label,0"
LONGER = f"table,row,column,rng_seed,miou,times,identity\n{CELL},51.5,4,aa\n"
RECORDED = pd.read_csv(io.StringIO(f"table,row,column,rng_seed,miou\n{CELL},50.5\n"))


class Stored(Stage):
    """A result with a number in it."""

    stage: Literal["stored"] = "stored"
    version: Literal[1] = 1

    def compute(self, folder, store):
        (folder / "score.json").write_text(json.dumps({"miou": 50.0, "iou": {"cat": 50.0}}))


def stored(name: str) -> Callable[[Path], Path]:
    return lambda folder: Store(folder).ensure(Stored()) / name


def read_stored(path: Path) -> None:
    """A changed file is told by both who reads the result and who looks through the folder."""
    store = Store(path.parents[2])
    told = [damage for _, damage, _ in store.verify()]
    try:
        store.folder(Stored())
    except InputError:
        assert told != [None]
        raise
    assert told == [None]


def records(path: Path) -> None:
    found = Records(path.parent)
    found.find("aa", "single")
    _ = found.fingerprint


PARSERS = [
    Parser("score.json", stored("score.json"), read_stored, JSONS),
    Parser("provenance.json", stored("provenance.json"), read_stored, JSONS),
    Parser("SHA256SUMS", stored("SHA256SUMS"), read_stored, TABLES),
    Parser("scores.csv", text("scores.csv", SCORES), records, TABLES),
    Parser("traces.csv", text("traces.csv", TRACES), records, TABLES),
    Parser("seeds.csv", text("seeds.csv", "identity,mIoU\naa,33.5\nbb,\n"), records, TABLES),
    Parser("study.csv", text("study.csv", SIZES), lambda path: show_sizes(path.parent), TABLES),
    Parser("longer.csv", text("longer.csv", LONGER),
           lambda path: show_longer(path.parent, RECORDED), TABLES),
]  # fmt: skip


@pytest.mark.parametrize("examples", EXAMPLES)
@pytest.mark.parametrize("parser", PARSERS, ids=str)
def test_a_value_or_one_line(parser: Parser, examples: int, tmp_path: Path) -> None:
    require_a_value_or_one_line(parser, examples, tmp_path)
