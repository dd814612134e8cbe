"""The cost page of the book shows what `wsss plan` calculates."""

from pathlib import Path

from wsss.engine import graph
from wsss.pipeline import Pipeline
from wsss.plan import calculation
from wsss.profiles import get_profile
from wsss.tables import TABLES, render, scores

PAGE = Path(__file__).resolve().parents[2] / "book" / "cost.md"


def test_the_page_shows_the_calculation() -> None:
    pipeline = Pipeline(get_profile("paper"))
    goals = [stage for table in TABLES.values() for stage in scores(table, pipeline, [0])]
    table = calculation(graph(goals), pipeline)
    table["count"] = table["count"].map(str)
    table["PFLOP"], table["hours"] = (
        table[column].map(form.format)
        for column, form in (("PFLOP", "{:.1f}"), ("hours", "{:.2f}"))
    )
    page = PAGE.read_text(encoding="utf-8")
    assert render(table, "markdown") in page
    assert "Nothing on this page was timed" in page
