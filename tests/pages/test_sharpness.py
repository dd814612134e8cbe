"""The page on s of Eq. 6: what it says of made-up and of recorded scores."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from wsss import Lab
from wsss.pages.sharpness import (
    QUESTIONS,
    ROWS,
    SHARPNESS,
    answer,
    as_good,
    by_sharpness,
    figure_sharpness,
    slide_sharpness,
    tell_sharpness,
)


def made_up(gains: dict[str, float], spread: float = 0.1) -> pd.DataFrame:
    """Scores of five random seeds around 70, with a gain for each sharpness."""
    rng, rows = np.random.default_rng(0), list(ROWS)
    return pd.DataFrame([
        {"row": row, "column": s, "rng_seed": n, "miou": 70 + n + gain + spread * rng.normal()}
        for row in rows for s, gain in gains.items() for n in range(5)
    ])  # fmt: skip


def test_the_best_is_told_with_those_that_are_as_good() -> None:
    scores = made_up({"0": 0.0, "1": 1.0, "2": 3.0, "4": 3.0})
    table = by_sharpness(scores, next(iter(ROWS)))
    assert list(table) == ["0", "1", "2", "4"]
    best = str(table.mean().idxmax())
    assert as_good(table, best) == [{"2": "4", "4": "2"}[best]]
    told = tell_sharpness(scores).data
    assert told.count("5 random seeds, s = 0, 1, 2, 4") == len(ROWS)
    assert "; +2.0 ± 0.2 over the paper's s = 1; +3.0 ± 0.1 over no weights" in told


def test_random_seeds_that_lack_a_sharpness_are_left_out() -> None:
    scores = made_up({"0": 0.0, "1": 1.0, "2": 3.0})
    table = by_sharpness(scores.query("column != '2' or rng_seed < 2"), next(iter(ROWS)))
    assert list(table) == ["0", "1", "2"]
    assert list(table.index) == [0, 1]
    papers = scores.query("column != '2'")
    assert len(by_sharpness(papers, next(iter(ROWS)))) == 5
    assert figure_sharpness([("photos", papers)]) is None  # nothing beside the paper's own
    assert tell_sharpness(scores.iloc[:0]).data == "No score is recorded yet."


def test_the_picture_has_a_row_for_each_kind_of_images() -> None:
    pair = [(name, made_up(dict.fromkeys(SHARPNESS, 1.0))) for name in "ab"]
    figure = figure_sharpness(pair)
    assert figure is not None
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles == [f"{name}, {count} seeds" for name in "ab" for count in ROWS.values()]


def test_the_slider_tells_what_each_s_brought() -> None:
    scores = made_up({"0": 0.0, "1": 1.0, "2": 3.0, "4": -2.0}, spread=0)
    html = slide_sharpness([("scenes", scores), ("photos", scores.query("column in ('0', '1')"))])
    drawn, told = str(html.data).split("</svg>")
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", str(html.data))
    steps = range(1, len(SHARPNESS))
    bands = [f"sharp-{n}-{panel}" for panel in range(len(ROWS)) for n in steps]
    assert re.findall(r'id="(sharp-\d-\d)"', drawn) == bands
    lines = re.findall(r'<div id="sharp-(\d)">(.*?)</div>', told)
    assert [int(n) for n, _ in lines] == [*steps]
    for (_, line), gain in zip(lines, ("–", "+1.0", "+3.0", "−2.0", "–"), strict=True):
        if gain == "–":
            assert line.endswith("scenes, –")
            continue
        many = 5 if gain.startswith("+") else 0
        part = f"seeds {gain} [{gain}, {gain}] (of 5 random seeds {many} gain)"
        assert line.count(part) == len(ROWS)
        assert "photos" not in line
    assert slide_sharpness([]).data == "No score is recorded yet."


def test_the_answer_is_the_largest_mean() -> None:
    scores = made_up({"0": 0.0, "1": 1.0, "2": 3.0}, spread=0)
    told = answer([("scenes", scores), ("photos", scores.query("row == @scores.row.iloc[0]"))]).data
    assert "On scenes (5 random seeds) it is 2 with 2 seeds, 2 with 6 seeds, 2 with 12" in str(told)
    assert (
        "On photos (5 random seeds) it is 2 with 2 seeds, over the paper's s = 1 a gain of 2.0"
        in (str(told))
    )
    assert answer([]).data == "No score is recorded yet."


def test_each_number_of_seeds_is_asked_twice() -> None:
    assert [len(each.comparisons) for each in QUESTIONS] == [5, 5, 5, 3, 3, 3]
    first = QUESTIONS[0].comparisons[1]
    assert first.name == "2 seeds: s = 1 - s = 0"
    assert np.isfinite(QUESTIONS[0].in_paper(first))  # Table 5 has it


def test_what_the_page_says_of_errors_is_what_is_recorded(tmp_path: Path) -> None:
    """Weights spill less and miss more, none falls behind no weights; of twelve 2 is the best."""
    scores = Lab("demo", compute="none", runs=tmp_path).scores("sharpness")
    for row, count in ROWS.items():
        miou, spilled, missed = (
            by_sharpness(scores, row, figure).mean() for figure in ("miou", "spilled", "missed")
        )
        assert list(miou.index) == SHARPNESS
        assert (miou >= miou["0"]).all()
        assert (spilled[1:] < spilled["0"]).all()
        assert (missed[1:] > missed["0"]).all()
        assert count != "12" or miou.idxmax() == "2"
