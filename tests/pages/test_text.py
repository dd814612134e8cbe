"""A table as text: means with their spread, the difference, four formats."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from wsss.pages.text import render, summary
from wsss.paper import get_table


def frame(
    values: dict[tuple[str, str], list[float]], ways: tuple[str, ...] = ("single",)
) -> pd.DataFrame:
    return pd.DataFrame([
        {
            "row": row, "column": column, "seeds": 1, "paper": 60.0,
            "testing": testing, "rng_seed": i, "miou": value,
        }
        for (row, column), miou in values.items()
        for testing in ways
        for i, value in enumerate(miou)
    ])  # fmt: skip


def test_summary_keeps_paper_and_ours_apart() -> None:
    lines = summary(
        frame({("b", "x"): [50, 52], ("a", "y"): [61, 61]}), get_table("table2"), "demo"
    )
    assert list(lines.columns) == [
        "CAM network", "Seed type", "paper", "demo", "demo - paper", "Seeds",
    ]  # fmt: skip
    assert lines["paper"].tolist() == ["60.0", "60.0"]
    assert lines["demo"].tolist() == ["51.0 ± 1.4", "61.0 ± 0.0"]
    assert lines["demo - paper"].tolist() == ["-9.0", "+1.0"]
    assert lines["CAM network"].tolist() == ["b", "a"]  # the order of the table, not the alphabet's


def test_ways_of_testing_stand_in_lines_of_their_own() -> None:
    values = frame({("b", "x"): [50, 52]}, ("single", "ms+crf"))
    values.loc[values["testing"] == "ms+crf", "miou"] += 3
    lines = summary(values, get_table("table2"), "demo")
    assert lines["Testing"].tolist() == ["single", "ms+crf"]
    assert lines["demo"].tolist() == ["51.0 ± 1.4", "54.0 ± 1.4"]


@pytest.mark.parametrize("how", ["text", "csv", "markdown", "latex"])
def test_every_format_holds_every_number(how) -> None:
    lines = summary(frame({("b", "x"): [50, 52]}), get_table("table2"), "demo")
    text = render(lines, how)
    assert {"60.0", "51.0", "1.4", "9.0"} <= set(re.findall(r"\d+\.\d", text))
    assert not text.endswith("\n")


def test_what_the_paper_has_not_is_a_dash() -> None:
    (cell,) = get_table("claim13").cells
    own = frame({(cell.row, cell.column): [50, 52]}).assign(paper=cell.paper)
    (line,) = summary(own, get_table("claim13"), "demo").to_dict("records")
    assert (line["paper"], line["demo"], line["demo - paper"]) == ("–", "51.0 ± 1.4", "–")
