"""Records: numbers of `results/` that a store reads where its run folder lacks them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from wsss import Lab
from wsss.errors import InputError
from wsss.pages.weights import trace_lines
from wsss.paper import EVERYTHING, TABLES
from wsss.stages import RESULTS, Records, keep_scores
from wsss.stages.records import keep_lines


def line(row: str, rng_seed: int, miou: float, identity: str = "x", **more: object) -> dict:
    return {
        "table": "table1", "row": row, "column": "One label", "testing": "single",
        "rng_seed": rng_seed, "miou": miou, "identity": identity, "images": "i",
    } | more  # fmt: skip


def test_lines_are_added_and_replace_those_of_the_same_identity(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    keep_scores(pd.DataFrame([line("0.1", 0, 50.0, "a"), line("0.3", 0, 40.0, "b")]), folder)
    keep_scores(pd.DataFrame([line("0.1", 1, 51.0, "c"), line("0.1", 0, 52.0, "a")]), folder)
    read = Records(folder).scores
    assert read[["row", "rng_seed", "miou"]].to_numpy().tolist() == [
        ["0.3", 0, 40.0],
        ["0.1", 0, 52.0],
        ["0.1", 1, 51.0],
    ]
    assert {each.name for each in folder.iterdir()} <= {"scores.csv", ".scores.csv.lock"}


def test_lines_of_any_table_are_replaced_by_their_key(tmp_path: Path) -> None:
    path = tmp_path / "new" / "traces.csv"
    for right in (0.5, 0.6):
        lines = pd.DataFrame({"identity": "a", "epoch": [1, 2], "right": right, "rng_seed": 1})
        keep_lines(lines, path, ["identity", "epoch"])
        keep_lines(lines.assign(identity="b", rng_seed=0)[:1], path, ["identity", "epoch"])
        keep_lines(lines[:0], path, ["identity", "epoch"])
    read = pd.read_csv(path)
    assert read[["identity", "epoch"]].to_numpy().tolist() == [["a", 1], ["a", 2], ["b", 1]]
    assert set(read["right"]) == {0.6}


def test_two_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "longer.csv"

    def write(number: int) -> None:
        for epoch in range(5):
            keep_lines(pd.DataFrame({"who": [number], "epoch": [epoch]}), path, ["who", "epoch"])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert len(pd.read_csv(path)) == 20


def test_other_profiles_images_and_settings_are_never_replaced(tmp_path: Path) -> None:
    """They have other identities, though table, row, column and random seed are the same."""
    keep_scores(pd.DataFrame([line("0.1", 0, 50.0, "of photos")]), tmp_path)
    keep_scores(pd.DataFrame([line("0.1", 0, 60.0, "of scenes")]), tmp_path)
    keep_scores(pd.DataFrame([line("0.1", 0, 61.0, "of scenes", testing="crf")]), tmp_path)
    records = Records(tmp_path)
    assert len(records.scores) == 3
    found = [records.find("of scenes", way) for way in ("single", "crf", "ms")]
    assert [each and each["miou"] for each in found] == [60.0, 61.0, None]


def test_no_folder_and_no_lines_hold_nothing(tmp_path: Path) -> None:
    for records in (Records(), Records(tmp_path / "absent")):
        assert records.scores.empty
        assert records.traces.empty
        assert records.find("x", "single") is None
        assert records.fingerprint is None
    keep_scores(pd.DataFrame(), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["scores", "traces", "seeds"])
@pytest.mark.parametrize(("text", "says"), [("", "cannot be read"), ("table,row\n1,2\n", "no col")])
def test_a_damaged_file_is_one_line(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / f"{name}.csv").write_text(text)
    with pytest.raises(InputError, match=rf"^{tmp_path}/{name}.csv: {says}"):
        getattr(Records(tmp_path), name)


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """The first two of Table 2's six scores."""
    asked = Lab("smoke").asked("table2")[:2]
    lines = [
        line(each.cell.row, 0, 60.0 + i, each.stage.identity, table="table2")
        for i, each in enumerate(asked)
    ]
    keep_scores(pd.DataFrame(lines), tmp_path / "results")
    return tmp_path


def lab_of(folder: Path, **how: object) -> Lab:
    return Lab("smoke", runs=folder / "runs", results=folder / "results", **how)  # pyright: ignore


def test_a_number_is_computed_recorded_or_missing(half: Path) -> None:
    lab = lab_of(half)
    asked = lab.asked("table2")
    states = [lab.store.origin(each.stage, each.testing).state for each in asked]
    assert states == ["recorded"] * 2 + ["missing"] * 4
    lab.store.path(asked[3].stage).mkdir(parents=True)
    assert lab.store.origin(asked[3].stage, "single").state == "computed"
    assert lab.store.missing(asked[0].stage, "crf")  # recorded without
    assert not lab.store.runs.joinpath("images").exists()


@pytest.mark.parametrize(("compute", "count"), [("missing", 4), ("none", 0), ("all", 6)])
def test_what_is_left_to_compute(half: Path, monkeypatch, compute, count) -> None:
    goals: list = []
    monkeypatch.setattr("wsss.pipeline.run", lambda stages, *_, **__: goals.extend(stages))
    frame = lab_of(half, compute=compute).scores("table2")
    assert len(goals) == count
    assert frame["miou"].tolist() == ([] if compute == "all" else [60.0, 61.0])
    assert set(frame["origin"]) <= {"recorded"}


def test_what_is_recorded_of_photos_is_of_the_profile_as_it_is(voc_animals: Path) -> None:
    """A changed parameter makes other identities: then the results have to be made anew."""
    recorded = Records(RESULTS / "photo").scores
    lab = Lab("photo", voc_animals, rng_seeds=sorted(set(recorded["rng_seed"])))
    assert lab.source.fingerprint == Records(RESULTS / "photo").fingerprint
    papers, beside = (
        {
            (each.table.name, each.cell.row, each.cell.column, each.rng_seed): each.stage.identity
            for each in lab.asked(*tables)
        }
        for tables in ((*TABLES, "claim13"), ("sharpness",))
    )
    cells = recorded.set_index(["table", "row", "column", "rng_seed"])["identity"].to_dict()
    assert len(cells) == len(recorded), "a cell is there twice"
    assert cells.keys() >= papers.keys(), "every cell of the paper: record.py --paper-alone"
    known = papers | beside
    assert cells == {cell: known.get(cell) for cell in cells}


def test_without_photos_a_pipeline_has_the_identities_of_those_that_are_recorded() -> None:
    lab = Lab("photo", compute="none")
    scores = lab.scores(*TABLES, "claim13")
    assert len(scores) == len(lab.asked(*TABLES, "claim13"))
    assert set(scores["origin"]) == {"recorded"}


def test_what_is_recorded_of_scenes_is_of_the_profile_as_it_is() -> None:
    """So that nothing but the first random seed is computed for the book."""
    recorded = Records(RESULTS / "demo")
    rng_seeds = sorted(set(recorded.scores["rng_seed"]))
    lab = Lab("demo", rng_seeds=rng_seeds, compute="none")
    scores = lab.scores(*TABLES, "claim13", "wst_hurts", "sharpness")
    assert set(lab.rng_seeds) >= set(Lab("demo").rng_seeds)
    assert len(scores) == len(lab.asked(*TABLES, "claim13", "wst_hurts", "sharpness"))
    assert len(trace_lines(lab)) == len(recorded.traces)


def test_recorded_traces_are_of_the_profile_as_it_is() -> None:
    lab = Lab("photo", compute="none")
    lines = trace_lines(lab)
    assert set(lines["rng_seed"]) == set(lab.rng_seeds)
    for rng_seed, seen in lines.groupby("rng_seed"):
        assert set(seen["identity"]) == {lab.trace(EVERYTHING, int(rng_seed)).identity}  # pyright: ignore
        assert list(seen["epoch"]) == list(range(1, len(seen) + 1))


@pytest.mark.parametrize("value", ["999", "-5", "inf", "nan", "", "many"])
def test_scores_that_cannot_be_are_refused(half: Path, value: str) -> None:
    path = half / "results" / "scores.csv"
    text = path.read_text()
    assert text.count("61.0") == 1
    path.write_text(text.replace("61.0", value))
    with pytest.raises(InputError, match=rf"^{path}, line 3: miou is .* not from 0 to 100"):
        lab_of(half).read(lab_of(half).asked("table2")[0].stage)


def test_a_score_that_stands_there_twice_is_refused(half: Path) -> None:
    path = half / "results" / "scores.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[1].replace("60.0", "70.0")]) + "\n")
    with pytest.raises(InputError, match=rf"^{path}, line 4: .* stands there twice"):
        lab_of(half).read(lab_of(half).asked("table2")[0].stage)
