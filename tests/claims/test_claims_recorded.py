"""The claims judged by recorded scores, against the same scores judged by hand."""

import numpy as np
import pandas as pd
import pytest

from wsss.claims import (
    CLAIMS,
    claim_lines,
    evaluate,
    judge_recorded,
    known_figures,
    stages_missing,
)
from wsss.claims.fourteen import PAPER
from wsss.claims.recorded import recorded_figures
from wsss.pipeline import Pipeline
from wsss.profiles import get_profile
from wsss.stages import Store, WeightTrace
from wsss.tables import CLAIM13, EVERYTHING, TABLES, TABLES_AND_CLAIM13, asked


@pytest.fixture
def recorded() -> pd.DataFrame:
    """Every cell of the paper, three times, with a spread of its own."""
    rng = np.random.default_rng(0)
    shifts = {recipe: rng.normal(0, 0.05, 3) for recipe in PAPER}
    return pd.DataFrame([
        {
            "table": table.name, "row": cell.row, "column": cell.column, "rng_seed": rng_seed,
            "testing": "single", "miou": cell.paper - 20 + shifts[cell.recipe][rng_seed],
        }
        for table in TABLES.values()
        for cell in table.cells
        for rng_seed in range(3)
    ])  # fmt: skip


def test_figures_are_found_by_recipe(recorded) -> None:
    figures = recorded_figures(recorded)
    assert set(figures) == set(PAPER)
    assert all(abs(f[0] - (PAPER[recipe] - 20)) < 1 for recipe, f in figures.items())


def test_claim_13_is_judged_where_its_own_cell_is_recorded(recorded) -> None:
    seventh = recorded[recorded["table"] == "table7"]
    (cell,) = CLAIM13.cells
    single = seventh.assign(
        table="claim13", row=cell.row, column=cell.column, miou=seventh["miou"] - [1.0, 1.2, 0.9]
    )
    result = judge_recorded(CLAIMS, pd.concat([recorded, single]))[12]
    assert result.differences.loc["ResNet101: 12 seeds - one CRF seed"].tolist() == pytest.approx(
        [1.0, 1.2, 0.9]
    )
    assert result.verdict == "supported"


def test_claim_14_is_judged_by_the_last_epoch_of_recorded_traces(recorded) -> None:
    traces = pd.DataFrame([
        {"rng_seed": n, "epoch": epoch, "right": 0.08 + 0.001 * n, "wrong": 0.04 * epoch}
        for n in range(3)
        for epoch in (2, 1)
    ])  # fmt: skip
    result = judge_recorded(CLAIMS, recorded, traces)[13]
    assert result.differences.columns.tolist() == [0, 1, 2]
    assert result.differences.iloc[0].tolist() == pytest.approx([0.0, 0.1, 0.2])
    assert judge_recorded(CLAIMS, recorded, traces.iloc[:0])[13].verdict == "not asked"


def test_claims_over_recorded_cells_are_judged_over_the_shared_random_seeds(recorded) -> None:
    fewer = recorded[(recorded["table"] != "table1") | (recorded["rng_seed"] != 1)]
    for whole, part in zip(
        judge_recorded(CLAIMS, recorded), judge_recorded(CLAIMS, fewer), strict=True
    ):
        if whole.claim.number in (13, 14):  # neither is recorded here
            assert whole.verdict == part.verdict == "not asked"
            continue
        seeds = [0, 2] if whole.claim.section.endswith("Table 1") else [0, 1, 2]
        assert list(part.differences.columns) == seeds
        assert len(part.differences) == len(whole.claim.comparisons)
        for each in whole.claim.comparisons:
            found, paper = whole.differences.loc[each.name], whole.claim.in_paper(each)
            if whole.claim.kind != "share":
                assert found.mean() == pytest.approx(paper, abs=0.3)
    verdicts = {result.claim.number: result.verdict for result in judge_recorded(CLAIMS, recorded)}
    assert verdicts[1] == "supported"  # +0.4, +0.9 and +1.4 with a spread of 0.07


def test_a_missing_cell_leaves_out_its_comparisons_and_says_so(recorded) -> None:
    gone = recorded[(recorded["table"] != "table3") | (recorded["column"] != "Merged by max")]
    results = judge_recorded(CLAIMS, gone)
    lines = claim_lines(results).set_index("number")
    assert lines.loc[12, "verdict"] == "not asked"  # best of all, but for some
    for number, left in ((6, 3), (7, 2)):
        made = results[number - 1].differences.index
        assert len(made) == left
        assert not any("max" in name for name in made)
        assert "; without " in lines.loc[number, "reason"]
    assert "merged by max" in lines.loc[6, "reason"]
    assert "without" not in lines.loc[5, "reason"]
    nothing = judge_recorded(CLAIMS, recorded.iloc[:0])
    assert {result.verdict for result in nothing} == {"not asked"}


def test_a_comparison_with_fewer_random_seeds_does_not_cost_the_others_theirs(recorded) -> None:
    late = (recorded["table"] == "table1") & (recorded["row"] == "0.2")
    results = judge_recorded(CLAIMS, recorded[~late | (recorded["rng_seed"] == 0)])
    assert list(results[0].differences.index) == ["noise 0.1: two - one", "noise 0.3: two - one"]
    assert list(results[0].differences.columns) == [0, 1, 2]
    assert "; without noise 0.2: two - one" in claim_lines(results)["reason"][0]
    best = (recorded["table"] == "table3") & (recorded["column"] == "Merged by max")
    twelfth = judge_recorded(CLAIMS, recorded[~best | (recorded["rng_seed"] == 1)])[11]
    assert list(twelfth.differences.columns) == [1]  # every rival counts


def test_no_shared_random_seed_is_no_verdict(recorded) -> None:
    clean = (recorded["table"] == "table1") & (recorded["row"] == "0 (ground truth)")
    apart = recorded[clean == (recorded["rng_seed"] == 0)]
    assert judge_recorded(CLAIMS, apart)[1].verdict == "not asked"


def test_an_empty_store_and_recorded_scores_give_the_verdicts_of_the_scores_alone(tmp_path) -> None:
    pipeline, store = Pipeline(get_profile("smoke")), Store(tmp_path / "runs")
    rng, rng_seeds = np.random.default_rng(1), [0, 1, 2]
    wanted = [
        (table.name, each)
        for table in TABLES_AND_CLAIM13.values()
        for each in asked(table, pipeline, rng_seeds)
    ]
    mious = {each.stage.identity: rng.normal(50, 5) for _, each in wanted}
    recorded = pd.DataFrame([
        {
            "table": name, "row": each.cell.row, "column": each.cell.column,
            "testing": each.testing, "rng_seed": each.rng_seed,
            "identity": each.stage.identity, "miou": mious[each.stage.identity],
        }
        for name, each in wanted
    ])  # fmt: skip
    traces = pd.DataFrame([
        {
            "rng_seed": rng_seed, "epoch": epoch, "right": 0.1 * epoch, "wrong": 0.01 * rng_seed,
            "identity": WeightTrace(segmenter=pipeline.segmenter(EVERYTHING, rng_seed)).identity,
        }
        for rng_seed in rng_seeds
        for epoch in (2, 1)
    ])  # fmt: skip
    known = known_figures(pipeline, recorded, traces)
    results = evaluate(CLAIMS, pipeline, store, rng_seeds=rng_seeds, known=known)
    for ours, alone in zip(results, judge_recorded(CLAIMS, recorded, traces), strict=True):
        pd.testing.assert_frame_equal(ours.differences, alone.differences, check_like=True)
        assert ours.verdict == alone.verdict
    assert not store.runs.exists()
    left = stages_missing(CLAIMS, pipeline, store, rng_seeds, known_figures(pipeline, recorded))
    assert [stage.name for stage in left] == ["weight_trace"] * 3
    assert known_figures(pipeline, recorded.assign(testing="crf")) == {}
