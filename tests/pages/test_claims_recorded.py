"""The claims judged by recorded scores alone, of a run folder that is empty."""

import numpy as np
import pandas as pd
import pytest

from wsss import Lab
from wsss.errors import InputError
from wsss.pages.claims import claim_lines, judge_claims
from wsss.paper import EVERYTHING, TABLES, get_table
from wsss.paper.claims import PAPER
from wsss.stages import keep_scores

LABELS = (("Two", "s"), ("One", ""))


@pytest.fixture
def recorded() -> pd.DataFrame:
    """Every cell of the paper, three times, with a spread of its own."""
    lab, rng = Lab("smoke", rng_seeds=range(3)), np.random.default_rng(0)
    shifts = {recipe: rng.normal(0, 0.05, 3) for recipe in PAPER}
    return pd.DataFrame([
        {
            "table": each.table.name, "row": each.cell.row, "column": each.cell.column,
            "rng_seed": each.rng_seed, "testing": each.testing, "images": "x",
            "identity": each.stage.identity,
            "miou": each.cell.paper - 20 + shifts[each.cell.recipe][each.rng_seed],
        }
        for each in lab.asked(*TABLES)
    ])  # fmt: skip


@pytest.fixture
def judge(tmp_path):
    """Judge the claims by lines of ``scores.csv`` and ``traces.csv``."""

    def judge_by(scores: pd.DataFrame, traces: pd.DataFrame | None = None):
        folder = tmp_path / "results"
        (folder / "scores.csv").unlink(missing_ok=True)
        keep_scores(scores, folder)
        if traces is not None:
            traces.to_csv(folder / "traces.csv", index=False)
        lab = Lab(
            "smoke", rng_seeds=range(3), results=folder, runs=tmp_path / "runs", compute="none"
        )
        results = judge_claims(lab)
        assert not lab.store.runs.exists()
        return results

    return judge_by


def test_claim_13_is_judged_where_its_own_cell_is_recorded(recorded, judge) -> None:
    seventh = recorded[recorded["table"] == "table7"]
    lab = Lab("smoke", rng_seeds=range(3))
    identities = [each.stage.identity for each in lab.asked("claim13")]
    (cell,) = get_table("claim13").cells
    single = seventh.assign(
        table="claim13",
        row=cell.row,
        column=cell.column,
        miou=seventh["miou"] - [1.0, 1.2, 0.9],
        identity=identities,
    )
    result = judge(pd.concat([recorded, single]))[12]
    assert result.differences.loc["ResNet101: 12 seeds - one CRF seed"].tolist() == pytest.approx(
        [1.0, 1.2, 0.9]
    )
    assert result.verdict == "supported"


def test_claim_14_is_judged_by_the_last_epoch_of_recorded_traces(recorded, judge) -> None:
    lab = Lab("smoke")
    traces = pd.DataFrame([
        {
            "rng_seed": n, "epoch": epoch, "right": 0.08 + 0.001 * n, "wrong": 0.04 * epoch,
            "identity": lab.trace(EVERYTHING, n).identity,
        }
        for n in range(3)
        for epoch in (1, 2)
    ])  # fmt: skip
    result = judge(recorded, traces)[13]
    assert result.differences.columns.tolist() == [0, 1, 2]
    assert result.differences.iloc[0].tolist() == pytest.approx([0.0, 0.1, 0.2])
    assert judge(recorded, traces.iloc[:0])[13].verdict == "not asked"


def test_claims_over_recorded_cells_are_judged_over_the_shared_random_seeds(
    recorded, judge
) -> None:
    fewer = recorded[(recorded["table"] != "table1") | (recorded["rng_seed"] != 1)]
    for whole, part in zip(judge(recorded), judge(fewer), strict=True):
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
    verdicts = {result.claim.number: result.verdict for result in judge(recorded)}
    assert verdicts[1] == "supported"  # +0.4, +0.9 and +1.4 with a spread of 0.07


def test_a_missing_cell_leaves_out_its_comparisons_and_says_so(recorded, judge) -> None:
    gone = recorded[(recorded["table"] != "table3") | (recorded["column"] != "Merged by max")]
    results = judge(gone)
    lines = claim_lines(results).set_index("number")
    assert lines.loc[12, "verdict"] == "not asked"  # best of all, but for some
    for number, left in ((6, 3), (7, 2)):
        made = results[number - 1].differences.index
        assert len(made) == left
        assert not any("max" in name for name in made)
        assert "; without " in lines.loc[number, "reason"]
    assert "merged by max" in lines.loc[6, "reason"]
    assert "without" not in lines.loc[5, "reason"]
    nothing = judge(recorded.iloc[:0])
    assert {result.verdict for result in nothing} == {"not asked"}


def test_a_comparison_with_fewer_random_seeds_does_not_cost_the_others_theirs(
    recorded, judge
) -> None:
    late = (recorded["table"] == "table1") & (recorded["row"] == "0.2")
    results = judge(recorded[~late | (recorded["rng_seed"] == 0)])
    assert list(results[0].differences.index) == ["noise 0.1: two - one", "noise 0.3: two - one"]
    assert list(results[0].differences.columns) == [0, 1, 2]
    assert "; without noise 0.2: two - one" in claim_lines(results)["reason"][0]
    best = (recorded["table"] == "table3") & (recorded["column"] == "Merged by max")
    twelfth = judge(recorded[~best | (recorded["rng_seed"] == 1)])[11]
    assert list(twelfth.differences.columns) == [1]  # every rival counts


def test_no_shared_random_seed_is_no_verdict(recorded, judge) -> None:
    clean = (recorded["table"] == "table1") & (recorded["row"] == "0 (ground truth)")
    apart = recorded[clean == (recorded["rng_seed"] == 0)]
    assert judge(apart)[1].verdict == "not asked"


def test_scores_tested_otherwise_are_not_taken(recorded, judge) -> None:
    results = judge(recorded.assign(testing="crf"))
    assert {result.verdict for result in results} == {"not asked"}


def test_a_page_opens_with_a_verdict_and_the_number_behind_it(recorded, tmp_path) -> None:
    keep_scores(recorded, tmp_path / "results")
    folders = {"results": tmp_path / "results", "runs": tmp_path / "runs"}
    lab = Lab("smoke", rng_seeds=range(3), compute="none", **folders)
    pilot = recorded[(recorded["table"] == "table1") & (recorded["row"] != "0 (ground truth)")]
    two, one = (pilot.loc[pilot["column"] == f"{n} label{s}", "miou"].mean() for n, s in LABELS)
    assert lab.answer(1).data == (
        "**Two noisy labels beat one, whatever the ratio of noise: supported** on the images of "
        f"the profile `smoke`, with a mean difference of **+{two - one:.1f}** mIoU."
    )
    assert str(lab.answer(2).data).endswith("with a share of **85.9 %**.")  # 44.8 / 52.1
    assert "**Weights do better: " in str(lab.answer(10, "Weights do better.").data)
    assert "have no numbers for it" in str(lab.answer(14).data)
    with pytest.raises(InputError, match="there is no claim 15; they are 1 to 14"):
        lab.answer(15)
    assert not lab.store.runs.exists()
