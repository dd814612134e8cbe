"""Tests of wsss.tables.recorded: what results/ holds, and what that leaves to compute."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from wsss.errors import InputError
from wsss.pipeline import Pipeline
from wsss.profiles import get_profile
from wsss.stages import Store, WeightTrace
from wsss.tables import (
    EVERYTHING,
    RESULTS,
    TABLE1,
    TABLE2,
    TABLES_AND_CLAIM13,
    asked,
    keep,
    read_recorded,
    read_recorded_traces,
    reproduce,
    scores,
    to_compute,
)


def line(table: str, row: str, rng_seed: int, miou: float, identity: str = "x") -> dict:
    return {
        "table": table, "row": row, "column": "One label", "testing": "single",
        "rng_seed": rng_seed, "miou": miou, "identity": identity,
    }  # fmt: skip


def test_lines_are_added_and_replace_those_of_the_same_cell(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table1.csv"
    keep(pd.DataFrame([line("table1", "0.1", 0, 50.0), line("table1", "0.3", 0, 40.0)]), path)
    keep(pd.DataFrame([line("table1", "0.1", 1, 51.0), line("table1", "0.1", 0, 52.0)]), path)
    read = read_recorded(path.parent)
    assert read[["row", "rng_seed", "miou"]].to_numpy().tolist() == [
        ["0.3", 0, 40.0],
        ["0.1", 1, 51.0],
        ["0.1", 0, 52.0],
    ]
    assert [each.name for each in path.parent.iterdir()] == ["table1.csv"]


def test_a_folder_of_several_tables_is_one_frame_and_none_is_empty(tmp_path: Path) -> None:
    assert read_recorded(tmp_path / "absent").empty
    for table in ("table1", "table5"):
        keep(pd.DataFrame([line(table, "0.1", 0, 50.0)]), tmp_path / f"{table}.csv")
    keep(pd.DataFrame([line("claim13", "ResNet101", 0, 50.0)]), tmp_path / "claim13.csv")
    (tmp_path / "study.csv").write_text("anything\n1\n")
    assert read_recorded(tmp_path)["table"].tolist() == ["table1", "table5", "claim13"]


@pytest.mark.parametrize(
    ("text", "says"), [("", "cannot be read"), ("table,row\n1,2\n", "no column 'column'")]
)
def test_a_damaged_table_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "table2.csv").write_text(text)
    with pytest.raises(InputError, match=rf"^{tmp_path}/table2.csv: {says}"):
        read_recorded(tmp_path)


@pytest.fixture
def half(tmp_path: Path) -> tuple[Pipeline, Store, pd.DataFrame]:
    """An empty store, and the first two of Table 2's six scores recorded."""
    pipeline = Pipeline(get_profile("smoke"))
    stages = scores(TABLE2, pipeline, [0])[:2]
    recorded = [line("table2", "?", 0, 60.0 + i, s.identity) for i, s in enumerate(stages)]
    return pipeline, Store(tmp_path / "runs"), pd.DataFrame(recorded)


def test_what_is_left_to_compute(half: tuple[Pipeline, Store, pd.DataFrame]) -> None:
    pipeline, store, recorded = half
    wanted, stages = asked(TABLE2, pipeline, [0]), scores(TABLE2, pipeline, [0])
    assert to_compute(wanted, store, recorded, "missing") == stages[2:]
    assert to_compute(wanted, store, recorded, "none") == []
    assert to_compute(wanted, store, recorded, "all") == stages
    store.folder(stages[3]).mkdir(parents=True)
    assert to_compute(wanted, store, recorded, "missing") == [*stages[2:3], *stages[4:]]


def test_a_score_recorded_in_one_way_is_computed_for_another(tmp_path: Path) -> None:
    """With and without a CRF are read from one stage, so its identity alone says too little."""
    pipeline, store = Pipeline(get_profile("smoke")), Store(tmp_path)
    with_crf = scores(TABLE2, pipeline, [0], "crf")[:1]
    crf = pd.DataFrame([line("table2", "?", 0, 60.0, with_crf[0].identity)]).assign(testing="crf")
    assert to_compute(asked(TABLE2, pipeline, [0], "crf")[:1], store, crf, "missing") == []
    four = [each for each in asked(TABLE2, pipeline, [0], "all") if each.stage == with_crf[0]]
    assert [each.testing for each in four] == ["single", "crf"]
    assert to_compute(four, store, crf, "missing") == with_crf


def test_nothing_is_recorded_of_no_lines(tmp_path: Path) -> None:
    keep(pd.DataFrame(), tmp_path / "table1.csv")
    assert not list(tmp_path.iterdir())


def test_a_record_is_known_by_identity_alone(half: tuple[Pipeline, Store, pd.DataFrame]) -> None:
    pipeline, store, recorded = half
    frame = reproduce(TABLE2, pipeline, store, recorded=recorded, compute="none")
    assert frame["miou"].tolist() == [60.0, 61.0]
    assert frame["recorded"].all()
    assert not store.runs.exists()
    others = recorded.assign(identity=recorded["identity"].str.replace("^.", "-", regex=True))
    assert reproduce(TABLE2, pipeline, store, recorded=others, compute="none").empty
    assert reproduce(TABLE1, pipeline, store, recorded=recorded, compute="none").empty


def test_what_results_hold_of_photos_is_of_the_profile_as_it_is(voc_animals: Path) -> None:
    """A changed parameter makes other identities: then the results have to be made anew."""
    recorded = read_recorded(RESULTS / "photo")
    assert len(recorded)
    pipeline = Pipeline(get_profile("photo"), voc_animals)
    known = {
        (table.name, each.cell.row, each.cell.column, each.rng_seed): each.stage.identity
        for table in TABLES_AND_CLAIM13.values()
        for each in asked(table, pipeline, sorted(set(recorded["rng_seed"])))
    }
    for line in recorded.to_dict("records"):
        cell = tuple(line[key] for key in ("table", "row", "column", "rng_seed"))
        assert line["identity"] == known[cell], cell


def test_recorded_traces_are_of_the_profile_as_it_is(voc_animals: Path) -> None:
    recorded = read_recorded_traces(RESULTS / "photo")
    assert len(recorded)
    pipeline = Pipeline(get_profile("photo"), voc_animals)
    for rng_seed, lines in recorded.groupby("rng_seed"):
        segmenter = pipeline.segmenter(EVERYTHING, int(rng_seed))  # pyright: ignore
        assert set(lines["identity"]) == {WeightTrace(segmenter=segmenter).identity}
        assert list(lines["epoch"]) == list(range(1, len(lines) + 1))
