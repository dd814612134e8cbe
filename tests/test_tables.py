"""Tests of wsss.tables: the paper's figures, and what a cell is made of."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from wsss.errors import InputError
from wsss.pipeline import PilotRecipe, Recipe
from wsss.tables import TABLES, get_table, render, spread, summary

# Typed from the paper once more, cell by cell, in reading order.
PAPER = {
    "table1": [72.1, 70.6, 71.0, 68.1, 69.0, 64.8, 66.2],
    "table2": [61.4, 62.9, 63.8, 62.3, 62.6, 63.5],
    "table3": [61.4, 62.5, 60.2, 61.1, 62.9, 63.5, 62.5, 62.8, 63.8, 64.0, 63.7, 63.9],
    "table4": [61.4, 62.3, 63.5, 62.9, 62.6, 63.1, 63.8, 63.5, 64.2],
    "table5": [63.9, 63.8, 63.8, 64.0, 63.9, 64.6],
    "table6": [64.6],
    "table7": [67.2],
}


def test_every_figure_is_the_papers() -> None:
    assert {name: [cell.paper for cell in t.cells] for name, t in TABLES.items()} == PAPER


def test_there_are_42_cells() -> None:
    assert sum(len(table.cells) for table in TABLES.values()) == 42


def test_equal_recipes_have_equal_figures() -> None:
    """Where the paper repeats a cell in another table it repeats the figure."""
    figures: dict[Recipe | PilotRecipe, set[float]] = {}
    for table in TABLES.values():
        for cell in table.cells:
            figures.setdefault(cell.recipe, set()).add(cell.paper)
    assert all(len(values) == 1 for values in figures.values())


def test_cells_of_a_table_are_distinct() -> None:
    for table in TABLES.values():
        assert len({(cell.row, cell.column) for cell in table.cells}) == len(table.cells)
        assert len({cell.recipe for cell in table.cells}) == len(table.cells)


def test_an_unknown_table_is_one_line() -> None:
    with pytest.raises(InputError, match=r"^unknown table 'table8'; there are table1, .*claim13$"):
        get_table("table8")


def test_claim_13_needs_a_cell_that_the_paper_has_not() -> None:
    (cell,) = get_table("claim13").cells
    assert cell.recipe not in {each.recipe for table in TABLES.values() for each in table.cells}
    own = frame({(cell.row, cell.column): [50, 52]}).assign(paper=cell.paper)
    (line,) = summary(own, get_table("claim13"), "demo").to_dict("records")
    assert (line["paper"], line["demo"], line["demo - paper"]) == ("–", "51.0 ± 1.4", "–")


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
        "CAM network", "Seed type", "Seeds", "paper", "demo", "demo - paper",
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


def test_one_random_seed_has_no_spread() -> None:
    assert spread(pd.Series([3.14])) == "3.1"


@pytest.mark.parametrize("how", ["text", "csv", "markdown", "latex"])
def test_every_format_holds_every_number(how) -> None:
    lines = summary(frame({("b", "x"): [50, 52]}), get_table("table2"), "demo")
    text = render(lines, how)
    assert {"60.0", "51.0", "1.4", "9.0"} <= set(re.findall(r"\d+\.\d", text))
    assert not text.endswith("\n")
