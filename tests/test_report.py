"""Tables and sentences of the pages, on made-up scores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from IPython.display import Markdown

from wsss.crf import DenseCRF
from wsss.engine import graph, run
from wsss.literature import VGG16_WORKS
from wsss.pipeline import Pipeline
from wsss.profiles import get_profile
from wsss.report import (
    count_signs,
    each_seed_quality,
    left_out,
    literature_table,
    paired_differences,
    provenance_line,
    quality,
    seed_quality,
    shares_of,
    show_table,
)
from wsss.stages import Scenes, Store
from wsss.tables import TABLE1, TABLE2, TABLE4, TABLE6, Table, reproduce
from wsss.training import Schedule

SHORT = Schedule(epochs=1, batch_size=4)
BOTH = [("Two labels", "One label")]


def made_up(table: Table, **ours: list[float]) -> pd.DataFrame:
    """Scores of a table: the paper's, lowered by 10, plus what is given for a column."""
    return pd.DataFrame([
        {
            "row": cell.row, "column": cell.column, "seeds": 1, "paper": cell.paper,
            "testing": "single", "rng_seed": rng_seed, "miou": cell.paper - 10 + extra,
        }
        for cell in table.cells
        for rng_seed, extra in enumerate(ours.get(cell.column.split()[0], [0.0, 0.0]))
    ])  # fmt: skip


def text(shown: object) -> str:
    return shown.data if isinstance(shown, Markdown) else shown.to_html()  # pyright: ignore


@pytest.fixture(scope="module")
def small() -> Pipeline:
    profile = replace(
        get_profile("smoke"),
        source=lambda data: Scenes(train=4, val=2, pilot=4),
        crf=DenseCRF(iterations=1),
        scales=(1.5, 1.125, 0.75),
        classifier_schedule=SHORT,
        segmenter_schedule=SHORT,
        pilot_schedule=SHORT,
    )
    return Pipeline(profile)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("runs"))


def test_a_table_shows_paper_ours_and_the_difference() -> None:
    html = text(show_table(made_up(TABLE1, One=[0.0, 1.0]), TABLE1, "demo"))
    for cell in ("72.1", "62.6 ± 0.7", "-9.5", "66.2", "56.2 ± 0.0"):
        assert cell in html
    assert "no cell" in text(show_table(pd.DataFrame(), TABLE6, "photo"))


def test_differences_are_paired_and_skip_what_is_missing() -> None:
    frame = made_up(TABLE1, Two=[0.0, 2.0])
    lines = paired_differences(frame, BOTH).data  # pyright: ignore
    assert list(lines[""]) == ["0.1", "0.2", "0.3"]  # the truth has no second label
    assert list(lines["paper"]) == ["+0.4", "+0.9", "+1.4"]
    assert list(lines["ours"]) == ["+1.4 ± 1.4", "+1.9 ± 1.4", "+2.4 ± 1.4"]
    assert list(lines["ours − paper"]) == ["+1.0"] * 3
    assert lines["each random seed"][0] == "+0.4  +2.4"
    assert "no two" in text(paired_differences(frame, [("One label", "Three labels")]))
    assert "no two" in text(paired_differences(pd.DataFrame(), BOTH))
    assert count_signs(pd.DataFrame(), BOTH) is None


def test_what_the_paper_does_not_give_is_a_dash_and_counts_for_nothing() -> None:
    frame = made_up(TABLE1, Two=[0.0, 2.0])
    frame.loc[frame["row"] == "0.1", "paper"] = np.nan
    lines = paired_differences(frame, BOTH).data  # pyright: ignore
    assert lines["paper"][0] == lines["ours − paper"][0] == "–"
    assert text(count_signs(frame, BOTH)).startswith("Of 4 paired differences, 4 have the sign")


@pytest.mark.parametrize(
    ("two", "hits", "agree", "contradict"),
    [([0.0, 0.0], 6, 3, 0), ([-9.0, -9.0], 0, 0, 3), ([0.0, -9.0], 3, 0, 0)],
)
def test_signs_are_counted(two: list[float], hits: int, agree: int, contradict: int) -> None:
    said = text(count_signs(made_up(TABLE1, Two=two), BOTH))
    assert said.startswith(f"Of 6 paired differences, {hits} ha")
    assert f"In {agree} of 3 comparisons every random seed agrees" in said
    assert f"in {contradict} every one contradicts" in said


def test_a_difference_of_zero_is_no_contradiction() -> None:
    frame = made_up(TABLE1)
    frame["miou"] = 50.0
    assert "in 0 every one contradicts" in text(count_signs(frame, BOTH))


def test_shares_are_those_of_the_same_random_seed() -> None:
    frame = made_up(TABLE1)
    frame["miou"] = np.where(frame["row"] == "0 (ground truth)", 50.0, 40.0) * (
        1 + frame["rng_seed"]
    )
    lines = shares_of(frame, "0 (ground truth)", "One label").data  # pyright: ignore
    assert len(lines) == 6
    assert set(lines["ours"]) == {"80.0 ± 0.0"}
    last = lines[(lines[""] == "0.3") & (lines["share of"] == "One label")]
    assert last["paper"].item() == "89.9"


def test_the_literature_and_this_run_share_no_column() -> None:
    shown = literature_table(VGG16_WORKS, made_up(TABLE6), "demo")
    assert list(shown.lines.columns[2:]) == ["VOC 2012, val", "VOC 2012, test", "demo, val"]
    last = shown.lines.iloc[-1]
    assert last["demo, val"] == "54.6 ± 0.0"
    assert last["VOC 2012, val"] == ""
    assert (shown.lines["demo, val"][:-1] == "").all()
    assert "OAA {cite:p}`jiang2019oaa`" in shown._repr_markdown_()
    assert "cite" not in shown._repr_html_()
    assert "left out" in literature_table(VGG16_WORKS, pd.DataFrame(), "photo")._repr_html_()


def test_what_a_profile_lacks_is_named(small: Pipeline) -> None:
    assert left_out(small, TABLE4, TABLE6) is None
    profile = replace(small.profile, cam_networks={"vgg16": small.profile.cam_networks["vgg16"]})
    said = text(left_out(Pipeline(profile), TABLE2, TABLE6))
    assert "Table 2: RES38, Threshold (T)" in said
    assert "Table 6: VGG16-LargeFOV, val" in said
    assert "Table 2: VGG16" not in said


def test_provenance_names_all_that_the_page_rests_on(small: Pipeline, store: Store) -> None:
    scores = reproduce(TABLE6, small, store, workers=1, quiet=True)
    extra = small.images("pilot")
    run([extra], store, workers=1, quiet=True)
    line = provenance_line(scores, small, store, more=[extra]).data or ""
    seconds = [store.provenance(s)["seconds"] for s in graph([*scores["stage"], extra])]
    assert line.startswith('<p class="provenance">')
    assert f"{sum(seconds):.0f} s of computing" in line
    for part in ("profile <b>smoke</b>", "random seeds 0", "commit ", "torch ", "202"):
        assert part in line
    empty = provenance_line(pd.DataFrame(), small, store, more=[extra]).data or ""
    assert "random seeds" not in empty


def test_provenance_tells_recorded_scores_from_computed_ones(small: Pipeline, store: Store) -> None:
    extra = small.images("pilot")
    run([extra], store, workers=1, quiet=True)
    recorded = pd.DataFrame({"rng_seed": [8], "stage": [small.score(TABLE6.cells[0].recipe, 8)]})
    line = provenance_line(recorded, small, store, more=[extra]).data or ""
    assert "random seeds 8 · 1 of 2 results read from results/smoke · " in line
    assert "s of computing" in line
    alone = provenance_line(recorded, small, store).data or ""
    assert "1 of 1 results read from results/smoke</p>" in alone


def test_quality_of_seeds(small: Pipeline, store: Store) -> None:
    lines = seed_quality(small, store, TABLE2, rng_seeds=[0]).data  # pyright: ignore
    assert list(lines["Seed type"]) == ["Threshold (T)", "CRF (C)"] * 2  # not "both"
    assert list(lines["unknown"][lines["Seed type"] == "CRF (C)"]) == ["0.0", "0.0"]
    recipe = TABLE6.cells[0].recipe
    lines = each_seed_quality(small, store, recipe, rng_seeds=[0]).data  # pyright: ignore
    assert len(lines) == 12
    assert list(lines["scale"][:3]) == ["1.5", "1.125", "0.75"]


def test_quality_by_hand() -> None:
    """Rows truth, columns seed: background, class 1, class 2, unknown."""
    confusion = [[50, 5, 0, 5], [4, 10, 2, 4], [6, 1, 12, 1], [0, 0, 0, 0]]
    found = quality({"miou": 1.0, "confusion": confusion})
    assert found["precision"] == pytest.approx(100 * 22 / 30)
    assert found["recall"] == pytest.approx(100 * 22 / 40)
    assert found["missed"] == pytest.approx(100 * 10 / 40)
    assert found["unknown"] == pytest.approx(100 * 10 / 100)
    nothing = quality({"miou": 1.0, "confusion": [[5, 0, 0], [5, 0, 0], [0, 0, 0]]})
    assert np.isnan(nothing["precision"])


def test_pages_are_the_same_from_run_to_run(tmp_path: Path) -> None:
    frame = made_up(TABLE1)
    first, second = (text(paired_differences(frame, BOTH)) for _ in range(2))
    assert first == second
