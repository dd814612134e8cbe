"""Tables and sentences of the pages, on made-up scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from IPython.display import Markdown

from wsss import Lab
from wsss.choices import Profile
from wsss.pages.provenance import agreement, tell_agreement
from wsss.paper import EVERYTHING, TABLES, Table, get_table
from wsss.stages import Store, graph, keep_scores
from wsss.stages.scores import LabelScore

BOTH = [("Two labels", "One label")]
TABLE1, TABLE6 = TABLES["table1"], TABLES["table6"]


def made_up(table: Table, **ours: list[float]) -> pd.DataFrame:
    """Scores of a table: the paper's, lowered by 10, plus what is given for a column."""
    return pd.DataFrame([
        {
            "table": table.name, "row": cell.row, "column": cell.column, "seeds": 1,
            "paper": cell.paper, "testing": "single", "rng_seed": rng_seed,
            "miou": cell.paper - 10 + extra,
        }
        for cell in table.cells
        for rng_seed, extra in enumerate(ours.get(cell.column.split()[0], [0.0, 0.0]))
    ])  # fmt: skip


def text(shown: object) -> str:
    return shown.data if isinstance(shown, Markdown) else shown.to_html()  # pyright: ignore


@pytest.fixture
def showing(monkeypatch: pytest.MonkeyPatch) -> Callable[[pd.DataFrame], Lab]:
    """Make a lab whose scores are these."""

    def lab(scores: pd.DataFrame, profile: str = "demo") -> Lab:
        monkeypatch.setattr(Lab, "scores", lambda *_, **__: scores)
        return Lab(profile)

    return lab


@pytest.fixture(scope="module")
def small(tiny: Profile, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(tiny, runs=tmp_path_factory.mktemp("runs"), workers=1, quiet=True)


def test_a_table_shows_paper_ours_and_the_difference(showing) -> None:
    html = text(showing(made_up(TABLE1, One=[0.0, 1.0])).table("table1"))
    for cell in ("72.1", "62.6 ± 0.7", "-9.5", "66.2", "56.2 ± 0.0"):
        assert cell in html
    assert "no cell" in text(showing(pd.DataFrame(), "photo").table("table6"))


def test_differences_are_paired_and_skip_what_is_missing(showing) -> None:
    frame = made_up(TABLE1, Two=[0.0, 2.0])
    lines = showing(frame).differences("table1", BOTH).data  # pyright: ignore
    assert list(lines[""]) == ["0.1", "0.2", "0.3"]  # the truth has no second label
    assert list(lines["paper"]) == ["+0.4", "+0.9", "+1.4"]
    assert list(lines["ours"]) == ["+1.4 ± 1.4", "+1.9 ± 1.4", "+2.4 ± 1.4"]
    assert list(lines["ours − paper"]) == ["+1.0"] * 3
    assert list(lines["above 0"]) == ["2 of 2"] * 3
    assert "no two" in text(showing(frame).differences("table1", [("One label", "Three labels")]))
    assert "no two" in text(showing(pd.DataFrame()).differences("table1", BOTH))
    assert showing(pd.DataFrame()).signs("table1", BOTH) is None


def test_what_the_paper_does_not_give_is_a_dash_and_counts_for_nothing(showing) -> None:
    frame = made_up(TABLE1, Two=[0.0, 2.0])
    frame.loc[frame["row"] == "0.1", "paper"] = np.nan
    lines = showing(frame).differences("table1", BOTH).data  # pyright: ignore
    assert lines["paper"][0] == lines["ours − paper"][0] == "–"
    assert text(showing(frame).signs("table1", BOTH)).startswith(
        "Of 4 paired differences, 4 have the sign"
    )


@pytest.mark.parametrize(
    ("two", "hits", "agree", "contradict"),
    [([0.0, 0.0], 6, 3, 0), ([-9.0, -9.0], 0, 0, 3), ([0.0, -9.0], 3, 0, 0)],
)
def test_signs_are_counted(
    showing, two: list[float], hits: int, agree: int, contradict: int
) -> None:
    said = text(showing(made_up(TABLE1, Two=two)).signs("table1", BOTH))
    assert said.startswith(f"Of 6 paired differences, {hits} ha")
    assert f"In {agree} of 3 comparisons every random seed agrees" in said
    assert f"in {contradict} every one contradicts" in said


def test_a_difference_of_zero_is_no_contradiction(showing) -> None:
    frame = made_up(TABLE1)
    frame["miou"] = 50.0
    assert "in 0 every one contradicts" in text(showing(frame).signs("table1", BOTH))


def test_shares_are_those_of_the_same_random_seed(showing) -> None:
    frame = made_up(TABLE1)
    frame["miou"] = np.where(frame["row"] == "0 (ground truth)", 50.0, 40.0) * (
        1 + frame["rng_seed"]
    )
    lines = showing(frame).shares("table1", "0 (ground truth)", "One label").data  # pyright: ignore
    assert len(lines) == 6
    assert set(lines["ours"]) == {"80.0 ± 0.0"}
    last = lines[(lines[""] == "0.3") & (lines["share of"] == "One label")]
    assert last["paper"].item() == "89.9"


def test_the_literature_and_this_run_share_no_column(showing) -> None:
    shown = showing(made_up(TABLE6)).literature("table6")
    assert list(shown.lines.columns[2:]) == ["VOC 2012, val", "VOC 2012, test", "demo, val"]
    last = shown.lines.iloc[-1]
    assert last["demo, val"] == "54.6 ± 0.0"
    assert last["VOC 2012, val"] == ""
    assert (shown.lines["demo, val"][:-1] == "").all()
    assert "OAA {cite:p}`jiang2019oaa`" in shown._repr_markdown_()
    assert "cite" not in shown._repr_html_()
    assert "left out" in showing(pd.DataFrame(), "photo").literature("table6")._repr_html_()


def test_what_a_profile_lacks_is_named(small: Lab) -> None:
    assert small.left_out("table4", "table6") is None
    networks = {"plain": small.profile.classifier.networks["plain"]}
    poorer = replace(small.profile.classifier, networks=networks)
    said = text(Lab(replace(small.profile, classifier=poorer)).left_out("table2", "table6"))
    assert "Table 2: RES38, Threshold (T)" in said
    assert "Table 6: VGG16-LargeFOV, val" in said
    assert "Table 2: VGG16" not in said


def test_provenance_names_all_that_the_page_rests_on(small: Lab) -> None:
    lab = Lab(small.profile, runs=small.store.runs, workers=1, quiet=True)
    lab.scores("table6")
    extra = lab.images("pilot")
    lab.run([extra])
    line = lab.provenance().data or ""
    stages = graph([*(each.stage for each in lab.asked("table6")), extra])
    seconds = [lab.store.provenance(stage)["seconds"] for stage in stages]
    assert line.startswith('<p class="provenance">')
    assert f"{sum(seconds):.0f} s of computing" in line
    for part in ("profile <b>smoke</b>", "random seeds 0", "commit ", "torch ", "202"):
        assert part in line


def test_provenance_tells_recorded_scores_from_computed_ones(small: Lab, tmp_path: Path) -> None:
    (asked,) = Lab(small.profile, rng_seeds=[8]).asked("table6")
    line = {
        "table": "table6", "row": asked.cell.row, "column": asked.cell.column, "rng_seed": 8,
        "testing": "single", "miou": 50.0, "images": "x", "identity": asked.stage.identity,
    }  # fmt: skip
    keep_scores(pd.DataFrame([line]), tmp_path)
    where = {"runs": small.store.runs, "results": tmp_path}
    lab = Lab(small.profile, rng_seeds=[8], **where, workers=1, quiet=True)
    assert lab.scores("table6")["origin"].tolist() == ["recorded"]
    alone = lab.provenance().data or ""
    assert f"1 of 1 results read from {tmp_path}" in alone
    lab.run([lab.images("pilot")])
    both = lab.provenance().data or ""
    assert f"1 of 2 results read from {tmp_path}" in both
    assert "s of computing" in both


def test_quality_of_seeds(small: Lab) -> None:
    lines = small.seed_quality("table2").data  # pyright: ignore
    assert list(lines["Seed type"]) == ["Threshold (T)", "CRF (C)"] * 2  # not "both"
    assert list(lines["unknown"][lines["Seed type"] == "CRF (C)"]) == ["0.0", "0.0"]
    lines = small.each_seed(EVERYTHING).data  # pyright: ignore
    assert len(lines) == 12
    assert list(lines["scale"][:3]) == ["1.5", "1.125", "0.75"]


def test_quality_by_hand(small: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows truth, columns seed: background, class 1, class 2, unknown."""
    stage = small.label_score(small.labels(get_table("table2").cells[0].recipe)[0])

    def quality(confusion: list[list[int]]) -> dict[str, float]:
        monkeypatch.setattr(LabelScore, "read", lambda *_: {"miou": 1.0, "confusion": confusion})
        return stage.figures(Store(tmp_path))

    found = quality([[50, 5, 0, 5], [4, 10, 2, 4], [6, 1, 12, 1], [0, 0, 0, 0]])
    assert found["precision"] == pytest.approx(100 * 22 / 30)
    assert found["recall"] == pytest.approx(100 * 22 / 40)
    assert found["missed"] == pytest.approx(100 * 10 / 40)
    assert found["unknown"] == pytest.approx(100 * 10 / 100)
    assert np.isnan(quality([[5, 0, 0], [5, 0, 0], [0, 0, 0]])["precision"])


def test_pages_are_the_same_from_run_to_run(showing) -> None:
    frame = made_up(TABLE1)
    first, second = (text(showing(frame).differences("table1", BOTH)) for _ in range(2))
    assert first == second


def test_records_stand_beside_what_came_out_here(small: Lab, tmp_path: Path) -> None:
    lab = Lab(small.profile, runs=small.store.runs, workers=1, quiet=True)
    scores = lab.scores("table6")
    assert "Nothing that was computed here is recorded" in text(lab.agreement())
    lab.record(scores.assign(miou=scores["miou"] + 0.5), tmp_path)
    how = {"runs": small.store.runs, "results": tmp_path, "workers": 1, "quiet": True}
    shown = Lab(small.profile, **how).agreement()
    assert shown.data["difference"].tolist() == ["-0.50"]  # pyright: ignore
    told = text(shown)
    assert "0 of 1 recomputed scores equal their record to the second decimal, 0 in every" in told
    assert "the other 1 differ by 0.50 on average, 0.50 at most" in told

    # Recorded are two decimals, and one of another figure may differ where mIoU does not.
    lab.record(scores, tmp_path)
    found = agreement(Lab(small.profile, **how))  # pyright: ignore
    assert found["same"].tolist() == [True]
    assert tell_agreement(found).startswith("1 of 1 recomputed scores equal their record")
    assert "the other" not in tell_agreement(found)
    lab.record(scores.assign(missed=scores["missed"] + 1), tmp_path)
    found = agreement(Lab(small.profile, **how))  # pyright: ignore
    assert found["same"].tolist() == [False]
    assert "1 of 1" in tell_agreement(found)
    assert "0 in every figure" in tell_agreement(found)


def test_a_table_whose_rows_are_called_seeds_finds_what_is_recorded_of_photos() -> None:
    """There the number of seeds takes the place of the row's name."""
    shown = pd.DataFrame(Lab("demo", compute="none").table("table5").data)  # pyright: ignore
    twelve = shown[shown["Seeds"] == "12"]
    assert len(twelve) == 2
    assert "–" not in set(twelve["photo"])
