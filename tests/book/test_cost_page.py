"""The cost page of the book shows what `wsss plan` calculates."""

from pathlib import Path

from wsss.pages.text import render
from wsss.paper import TABLES
from wsss.pipeline import Pipeline
from wsss.plan import calculation
from wsss.stages import graph

PAGE = Path(__file__).resolve().parents[2] / "book" / "cost.md"


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
    assert "Nothing on this page was timed" in page
