"""The fourteen claims: all there, of cells that exist; and the way from scores to a page."""

import json
from collections import Counter
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from wsss import Lab
from wsss.pages.claims import (
    claim_numbers,
    count_verdicts,
    judge_claims,
    judged,
    median_spread,
    show_comparisons,
    show_verdicts,
)
from wsss.pages.forest import forest_plot
from wsss.paper import BOUNDS, CLAIMS, TABLES, Recipe, get_table
from wsss.paper.claims import PAPER
from wsss.plan import counts
from wsss.profiles import smoke
from wsss.stages import WeightTrace, graph

EXTRA = get_table("claim13").cells[0].recipe  # trained for claim 13 alone


def without_resnet(**how):
    profile = smoke()
    networks = {"plain": profile.classifier.networks["plain"]}
    return Lab(replace(profile, classifier=replace(profile.classifier, networks=networks)), **how)


def results_with(value, rng_seeds=(0, 1, 2)):
    rng = np.random.default_rng(0)
    frames = [
        pd.DataFrame(
            value(claim) + rng.normal(0, 0.1, (len(claim.comparisons), len(rng_seeds))),
            [comparison.name for comparison in claim.comparisons],
            rng_seeds,
        )
        for claim in CLAIMS
    ]
    return [judged(claim, frame) for claim, frame in zip(CLAIMS, frames, strict=True)]


def as_claimed(claim):
    return {"share": 90.0, "no gain": -1.0}.get(claim.kind, 2.0)


def test_there_are_fourteen():
    assert [claim.number for claim in CLAIMS] == list(range(1, 15))
    assert all(claim.section.startswith("Sec. ") for claim in CLAIMS)
    assert len({claim.text for claim in CLAIMS}) == 14
    assert Counter(claim.kind for claim in CLAIMS) == {
        "gain": 8, "no gain": 2, "share": 1, "growth": 1, "best": 1, "weights": 1,
    }  # fmt: skip
    assert set(BOUNDS) == {claim.kind for claim in CLAIMS}


def test_every_cell_exists():
    held = {cell.recipe for table in TABLES.values() for cell in table.cells}
    for claim in CLAIMS:
        names = [comparison.name for comparison in claim.comparisons]
        assert len(names) == len(set(names)) > 0
        for comparison in claim.comparisons:
            assert set(comparison.plus + comparison.minus) <= held | {EXTRA}


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1, [0.4, 0.9, 1.4]),
        (2, [89.875]),
        (3, [1.5, 0.3]),
        (4, [2.4, 0.9, 1.2, 0.9]),
        (5, [1.1, 0.6, 0.2]),
        (6, [2.3, 1.4, 1.0, 0.7, 0.3, 0.1]),
        (7, [-1.2, -0.3, -0.4, -0.1]),
        (8, [2.1, 1.2, 0.2, 0.5, 0.4, 0.7]),
        (9, [-0.1]),
        (10, [0.3, 0.5]),
        (11, [1.0, 0.9, 1.0]),
        (13, [np.nan]),
        (14, [np.nan]),
    ],
)
def test_differences_in_the_paper(number, expected):
    claim = CLAIMS[number - 1]
    found = [claim.in_paper(comparison) for comparison in claim.comparisons]
    assert found == pytest.approx(expected, abs=1e-3, nan_ok=True)


def test_the_best_is_compared_with_every_other_training_of_the_same_segmenter():
    claim = CLAIMS[11]
    same = {r for r in PAPER if isinstance(r, Recipe) and r.segmenter == "plain"}
    assert {c.minus[0] for c in claim.comparisons} | {claim.comparisons[0].plus[0]} == same
    assert len(claim.comparisons) == len(same) - 1 == 21


def test_what_is_needed_is_the_tables_one_more_training_and_the_traces():
    lab = Lab("smoke", rng_seeds=[0, 1])
    stages = Counter(stage.name for stage in graph(stage for stage, _ in claim_numbers(lab)))
    tables = counts(graph([each.stage for each in lab.asked(*TABLES)]))
    assert stages["segmenter"] == tables["trainings"] + 2
    assert stages["weight_trace"] == 2
    assert stages["classifier"] == tables["classifiers"]


@pytest.fixture
def with_scores(tmp_path, monkeypatch):
    """Let every score lie in the run folder already, made up from its recipe's number of seeds."""
    monkeypatch.setattr("wsss.pipeline.run", lambda goals, store, **options: None)
    monkeypatch.setattr("wsss.stages.store.find_damage", lambda *_: None)

    def write(lab):
        for stage, _ in claim_numbers(lab):
            folder = lab.store.path(stage)
            folder.mkdir(parents=True)
            if isinstance(stage, WeightTrace):
                for epoch, right in ((1, 0.1), (2, 0.2)):
                    means = {"right": right, "wrong": 0.05, "accuracy": 0.9}
                    np.savez(folder / f"epoch_{epoch:04d}.npz", **means)
                record = {"identity": stage.identity, "seconds": 1.0, "packages": {}}
                record["started"] = "2026-01-01"
                record |= dict.fromkeys(
                    ("process_peak_memory_mb", "commit", "python", "processor", "device"), ""
                )
                (folder / "provenance.json").write_text(json.dumps(record))
                continue
            miou = 50.0 + len(stage.segmenter.labels) + 0.1 * stage.segmenter.rng_seed
            score = {"miou": miou, "iou": {}, "confusion": [[1, 0, 0], [0, 1, 0], [0, 0, 0]]}
            (folder / "score.json").write_text(json.dumps(score))
        return lab

    return write


def test_from_scores_to_results(tmp_path, with_scores):
    lab = with_scores(Lab("smoke", rng_seeds=[0, 1], runs=tmp_path))
    by_number = {result.claim.number: result for result in judge_claims(lab)}
    assert by_number[1].differences.loc["noise 0.1: two - one"].tolist() == pytest.approx([1, 1])
    assert by_number[1].judgement.reason == "the random seeds do not differ"
    shares = [100 * 51 / 51, 100 * 51.1 / 51.1]
    assert by_number[2].differences.iloc[0].tolist() == pytest.approx(shares)
    assert by_number[13].differences.iloc[0].tolist() == pytest.approx([11, 11])
    assert by_number[14].differences.iloc[0].tolist() == pytest.approx([15, 15])  # last epoch
    assert list(by_number[5].differences.columns) == [0, 1]


def test_what_cannot_be_asked_is_said(tmp_path, with_scores):
    results = judge_claims(with_scores(without_resnet(rng_seeds=[0], runs=tmp_path)))
    verdicts = {result.claim.number: result.verdict for result in results}
    not_asked = [number for number, verdict in verdicts.items() if verdict == "not asked"]
    assert not_asked == [8, 12, 13, 14]
    assert set(verdicts.values()) == {"not asked", "undecided"}
    compared = {result.claim.number: len(result.differences) for result in results}
    assert (compared[3], compared[4], compared[10], compared[11]) == (1, 2, 1, 2)
    assert results[2].paper == pytest.approx(1.5)  # of VGG16 alone, like ours
    assert "4 not asked" in count_verdicts(results)
    assert "not asked" in show_verdicts(results).to_html()
    plt.close(forest_plot(results))


def test_all_as_claimed_and_all_the_other_way():
    assert {result.verdict for result in results_with(as_claimed)} == {"supported"}
    against = results_with(lambda claim: {"share": 60.0, "no gain": 3.0}.get(claim.kind, -2.0))
    assert {result.verdict for result in against} == {"contradicted"}


def test_median_spread_counts_pairs_in_miou_once():
    results = results_with(lambda claim: 0.0)
    for result in results:
        result.differences.loc[:] = [-1.0, 0.0, 1.0]
        if result.claim.kind in ("share", "growth", "weights"):
            result.differences.loc[:] = [-50.0, 0.0, 50.0]
    assert median_spread(results) == 1.0


def test_page_and_figure():
    results = results_with(as_claimed)
    html = show_verdicts(results).to_html()
    assert html == show_verdicts(results).to_html()  # no random names
    assert html.count(">supported</span>") == 14
    shown = show_comparisons(results).to_html()
    assert shown.count("<tr>") - 1 == sum(len(claim.comparisons) for claim in CLAIMS)
    assert "&lt;0.001" in shown
    assert "0.000" not in shown
    figure = forest_plot(results)
    assert [ax.get_xlabel() for ax in figure.axes] == [
        "difference in mIoU",
        "%",
        "% of all weights",
    ]
    named = [text for ax in figure.axes for text in ax.texts]
    assert len(named) == len(CLAIMS)
    assert all(text.get_window_extent().x1 < text.axes.bbox.x1 for text in named)
    plt.close(figure)
