"""The cost page of the book shows what `wsss plan` calculates."""

from pathlib import Path

import pandas as pd

from wsss.pages.text import render
from wsss.paper import TABLES
from wsss.pipeline import Pipeline
from wsss.plan import calculation
from wsss.stages import graph

ROOT = Path(__file__).resolve().parents[2]
PAGE, GPU = ROOT / "book" / "cost.md", ROOT / "results" / "gpu" / "h200.csv"


def test_the_page_shows_the_calculation() -> None:
    lab = Pipeline("paper", rng_seeds=[0])
    table = calculation(graph(each.stage for each in lab.asked(*TABLES)), lab)
    table["count"] = table["count"].map(str)
    table["PFLOP"], table["hours"] = (
        table[column].map(form.format)
        for column, form in (("PFLOP", "{:.1f}"), ("hours", "{:.2f}"))
    )
    page = PAGE.read_text(encoding="utf-8")
    assert render(table, "markdown") in page
    assert "The profile itself was not run" in page


def test_what_was_timed_is_what_is_recorded() -> None:
    """Both columns of the table, and the scores beside those of a CPU."""
    measured = pd.read_csv(GPU, dtype=str, keep_default_na=False)
    page = PAGE.read_text(encoding="utf-8")
    lines = [line.strip("| \n").split(" | ") for line in page.splitlines() if "| ms a" in line]
    assert len(lines) == 9
    times = set(
        measured[measured["unit"].isin(["ms a step", "ms an image"])]["value"]
        .astype(float)
        .map("{:.1f}".format)
    )
    for *_, before, now in lines:
        assert {before, now} <= times
    scores = measured[measured["unit"] == "mIoU"]
    for way in ("here", "recorded on a CPU"):
        for value in scores[scores["way"] == way]["value"].astype(float):
            assert f"{value:.1f}" in page
