"""What is recorded of photos, as pages show it."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from wsss import Lab
from wsss.errors import InputError
from wsss.pages import tables
from wsss.pages.photos import (
    by_class,
    figure_teaching,
    join_segmenters,
    seeds_and_segmenters,
    show_errors,
    show_longer,
    show_sizes,
    sum_up,
)
from wsss.pages.provenance import recorded_line, show_missing_cells, show_origins
from wsss.paper import TABLES, get_table
from wsss.stages import keep_scores


@pytest.fixture
def recorded() -> pd.DataFrame:
    """The fully supervised row, and one recipe that Tables 2 and 3 share; two random seeds."""
    cells = [("table1", "0 (ground truth)", "One label", 50.0, "a"),
             ("table2", "VGG16", "Threshold (T)", 40.0, "b"),
             ("table3", "Threshold (T)", "Single-scale", 40.0, "b")]  # fmt: skip
    return pd.DataFrame([
        {
            "profile": "photo", "table": table, "row": row, "column": column, "testing": "single",
            "rng_seed": rng_seed, "miou": miou + rng_seed, "iou cat": miou - 10,
            "missed": 20 + 4 * rng_seed, "confused": 10.0, "spilled": 5.0,
            "identity": f"{identity}{rng_seed}", "seconds": 1800, "process_peak_memory_mb": 1500,
            "commit": "abc", "torch": "2", "processor": "any", "day": "2026-11-23",
        }
        for table, row, column, miou, identity in cells
        for rng_seed in (0, 1)
    ])  # fmt: skip


def test_recorded_figures_have_a_column_of_their_own(
    recorded: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = pd.DataFrame([
        {"table": "table2", "row": cell.row, "column": cell.column, "seeds": 1,
         "paper": cell.paper, "testing": "single", "rng_seed": 0, "miou": 70.0}
        for cell in get_table("table2").cells
    ])  # fmt: skip
    monkeypatch.setattr(Lab, "scores", lambda *_, **__: ours)

    def shown(lines: pd.DataFrame, profile: str = "demo") -> pd.DataFrame:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        keep_scores(lines.assign(images="x"), folder / "photo")
        monkeypatch.setattr(tables, "RESULTS", folder)
        return Lab(profile).table("table2").data  # pyright: ignore

    lines = shown(recorded)
    assert list(lines["photo"]) == ["40.5 ± 0.7", "–", "–", "–", "–", "–"]
    assert list(lines["demo"]) == ["70.0"] * 6
    with_crf = recorded.assign(testing="crf", miou=90.0)
    both = shown(pd.concat([recorded, with_crf]))
    assert list(both["photo"]) == list(lines["photo"])  # ways of testing are not averaged
    assert len(shown(recorded, "photo").columns) == 6
    assert len(shown(recorded.assign(table="table3")).columns) == 6


def test_what_is_missing_is_named(recorded: pd.DataFrame) -> None:
    said = show_missing_cells(recorded).data
    total = sum(len(table.cells) for table in TABLES.values())
    assert said is not None
    assert said.startswith(f"3 of {total} cells are recorded, with 2 random seeds each.")
    assert "Table 2: VGG16, CRF (C);" in said
    assert "Table 2: VGG16, Threshold (T)" not in said


def test_a_recipe_counts_once(recorded: pd.DataFrame) -> None:
    (line,) = show_origins(recorded).data.to_dict("records")  # pyright: ignore
    assert (line["trainings"], line["hours of training"]) == ("4", "2.0")
    said = str(recorded_line(recorded, "photos").data)
    assert "photos · random seeds 0, 1 · 7200 s of training segmenters · commit abc" in said
    errors = show_errors(recorded).data  # pyright: ignore
    assert list(errors["trained on"]) == [
        "Table 1: 0 (ground truth), One label",
        "Table 2: VGG16, Threshold (T)",
    ]
    assert list(errors["missed"]) == ["22.0", "22.0"]
    lines = by_class(recorded).data  # pyright: ignore
    assert list(lines["trained on"]) == list(errors["trained on"])
    assert list(lines["cat"]) == ["40.0", "30.0"]
    assert list(lines["share of clean"]) == ["100.0 %", "80.2 %"]  # mean of 40/50 and 41/51


def test_another_segmenter_has_no_share_and_is_none_of_the_cells(recorded: pd.DataFrame) -> None:
    single = recorded.query("table == 'table2'").assign(table="claim13", identity=["c", "d"])
    lines = by_class(pd.concat([recorded, single])).data  # pyright: ignore
    assert list(lines["trained on"])[-1] == "Claim 13: VGG16, Threshold (T)"
    assert list(lines["share of clean"]) == ["100.0 %", "80.2 %", "–"]
    assert str(show_missing_cells(pd.concat([recorded, single])).data).startswith("3 of 42 cells")
    assert str(show_missing_cells(single).data).startswith("0 of 42 cells")


def test_pages_say_so_if_nothing_is_recorded(recorded: pd.DataFrame) -> None:
    assert "No score on photos" in str(recorded_line(recorded.iloc[:0], "photos").data)
    for show in (show_missing_cells, show_origins, by_class, show_errors):
        assert "No score on photos" in str(show(recorded.iloc[:0]).data)  # pyright: ignore


def test_seeds_stand_beside_their_segmenters_best_first(recorded: pd.DataFrame) -> None:
    names = ["mIoU", "precision", "recall", "missed", "unknown"]
    seeds = pd.DataFrame([
        {"table": table, "row": row, "column": column, "rng_seed": rng_seed}
        | {"identity": f"{figure}{rng_seed}"}
        | dict.fromkeys(names, figure + rng_seed)
        for table, row, column, figure in (
            ("table2", "VGG16", "Threshold (T)", 30.0),
            ("table1", "0 (ground truth)", "One label", 20.0),
            ("table3", "Threshold (T)", "Single-scale", 30.0),  # the same seed as Table 2's
            ("table2", "VGG16", "CRF (C)", 10.0),
        )
        for rng_seed in (1, 2)
    ])  # fmt: skip
    lines = seeds_and_segmenters(join_segmenters(seeds, recorded)).data  # pyright: ignore
    assert lines.to_numpy().tolist() == [
        ["Table 1: 0 (ground truth), One label", "51.0", *["21.0"] * 5],
        ["Table 2: VGG16, Threshold (T)", "41.0", *["31.0"] * 5],
    ]
    of_table3 = seeds[seeds["table"] == "table3"]
    trained = recorded.assign(rng_seed=recorded["rng_seed"] + 1)
    assert len(join_segmenters(seeds, trained[trained["table"] == "table3"])) == len(of_table3)
    assert "No score" in str(seeds_and_segmenters(join_segmenters(pd.DataFrame(), recorded)).data)


def test_sizes_are_shown_as_the_study_wrote_them(tmp_path: Path) -> None:
    assert "No score" in str(show_sizes(tmp_path).data)
    text = "per class,crop,images,epochs,steps,miou,seconds\n250,161,1261,5,785,48.63,202.5\n"
    (tmp_path / "study.csv").write_text(text)
    (line,) = show_sizes(tmp_path).data.to_dict("records")  # pyright: ignore
    assert line == {"images": "1261", "crop": "161", "epochs": "5", "steps": "785",
                    "mIoU": "48.63", "seconds": "202"}  # fmt: skip


def test_longer_trainings_stand_beside_those_of_the_tables(
    recorded: pd.DataFrame, tmp_path: Path
) -> None:
    assert "No score" in str(show_longer(tmp_path, recorded).data)
    longer = recorded.query("rng_seed == 1 and table != 'table3'").copy()
    longer["miou"] += [9.0, 4.0]
    longer.assign(times=3).to_csv(tmp_path / "longer.csv", index=False)
    lines = show_longer(tmp_path, recorded).data  # pyright: ignore
    assert lines.to_numpy().tolist() == [
        ["Table 1: 0 (ground truth), One label", "51.0", "60.0", "+9.0", "100.0 %", "100.0 %"],
        ["Table 2: VGG16, Threshold (T)", "41.0", "45.0", "+4.0", "80.4 %", "75.0 %"],
    ]
    assert lines.columns[2] == "3 x as long"
    longer = recorded.query("table != 'table3'").copy()
    longer["miou"] += [9.0, 9.0, 3.0, 5.0]
    longer.assign(times=3).to_csv(tmp_path / "longer.csv", index=False)
    lines = show_longer(tmp_path, recorded).data  # pyright: ignore
    assert lines.to_numpy().tolist()[1] == [
        "Table 2: VGG16, Threshold (T)", "40.5 ± 0.7", "44.5 ± 2.1", "+4.0 ± 1.4",
        f"{50 * (40 / 50 + 41 / 51):.1f} %", f"{50 * (43 / 59 + 46 / 60):.1f} %"]  # fmt: skip
    longer.assign(times=[2, 3, 3, 3]).to_csv(tmp_path / "longer.csv", index=False)
    with pytest.raises(InputError, match=r"longer\.csv: `times` differs"):
        show_longer(tmp_path, recorded)
    longer.assign(times=3).to_csv(tmp_path / "longer.csv", index=False)
    without_masks = recorded.query("table != 'table1'")
    assert "No score" in str(show_longer(tmp_path, without_masks).data)


def test_twelve_seeds_are_held_against_the_best_others_and_the_masks() -> None:
    cells = [("table1", "0 (ground truth)", "One label", 1, 50.0),
             ("table2", "VGG16", "CRF (C)", 1, 40.0),
             ("table2", "RES38", "CRF (C)", 1, 42.0),
             ("table2", "RES38", "Both (T + C)", 2, 48.0),
             ("table5", "12: types x scales x networks", "With WST", 12, 45.0)]  # fmt: skip
    recorded = pd.DataFrame([
        {"table": table, "row": row, "column": column, "seeds": seeds, "rng_seed": rng_seed,
         "miou": miou + rng_seed * (seeds == 1)}
        for table, row, column, seeds, miou in cells
        for rng_seed in (0, 5)
    ])  # fmt: skip
    lucky = {"table": "table3", "row": "CRF (C)", "column": "Merged by max", "seeds": 1,
             "rng_seed": 0, "miou": 99.0}  # fmt: skip
    stronger = [
        {"table": "claim13", "row": "ResNet101-LargeFOV", "column": "CRF (C)", "seeds": 1,
         "rng_seed": n, "miou": 90.0}
        for n in (0, 1)
    ]  # fmt: skip
    more = pd.DataFrame([lucky, *stronger])  # fewer random seeds; another segmenter
    said = str(sum_up(pd.concat([recorded, more])).data)
    assert "single seed recorded (Table 2: RES38, CRF (C)): 44.5 ± 3.5; " in said
    assert "ahead by **+0.5 ± 3.5** within a random seed, in 1 of 2" in said
    assert "fewer seeds recorded (Table 2: RES38, Both (T + C)): 48.0 ± 0.0; " in said
    assert "ahead by **−3.0 ± 0.0** within a random seed, in 0 of 2" in said
    assert "**85.9 %**" in said  # mean of 45/50 and 45/55
    assert "%" not in str(sum_up(recorded[recorded["table"] != "table1"]).data)
    alone = str(sum_up(recorded[recorded["seeds"] == 12]).data)
    assert alone == "- Twelve seeds with WST reach **45.0 ± 0.0**."
    assert "No score" in str(sum_up(pd.DataFrame(columns=["miou"])).data)


def test_teaching_ranks_seeds_by_each_quality() -> None:
    cells = [("table2", "VGG16", "Threshold (T)"), ("table2", "VGG16", "CRF (C)"),
             ("table3", "CRF (C)", "Merged by max")]  # fmt: skip
    qualities = {
        "mIoU": [1, 2, 3],
        "precision": [3, 2, 1],
        "missed": [1, 3, 2],
        "unknown": [2, 1, 3],
    }
    lines = pd.DataFrame(cells, columns=["table", "row", "column"]).assign(
        **qualities, segmenter=[40.0, 50.0, 60.0]
    )
    figure = figure_teaching(lines)
    assert figure is not None
    figure.canvas.draw()
    ranks = ["+1.00", "−1.00", "+0.50", "+0.50"]
    assert [ax.get_title("left") for ax in figure.axes] == [f"rank correlation {r}" for r in ranks]
    assert [len(dots.get_offsets()) for dots in figure.axes[0].collections] == [1, 2]  # pyright: ignore
    assert figure_teaching(lines.iloc[:0]) is None
    alone = figure_teaching(lines.iloc[:1])
    assert alone is not None
    assert {ax.get_title("left") for ax in alone.axes} == {"no rank correlation"}
    plt.close("all")
