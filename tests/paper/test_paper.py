"""The paper's figures, and what a cell is made of."""

from __future__ import annotations

import subprocess
import sys
from math import isnan

import pytest

from wsss.errors import InputError
from wsss.paper import TABLES, get_table
from wsss.paper.claims import PAPER as ONE_FIGURE

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


def test_where_the_paper_repeats_a_cell_it_repeats_the_figure() -> None:
    for table in TABLES.values():
        for cell in table.cells:
            assert ONE_FIGURE[cell.recipe] == cell.paper


def test_cells_of_a_table_are_distinct() -> None:
    for table in TABLES.values():
        assert len({(cell.row, cell.column) for cell in table.cells}) == len(table.cells)
        assert len({cell.recipe for cell in table.cells}) == len(table.cells)


def test_an_unknown_table_is_one_line() -> None:
    with pytest.raises(InputError, match=r"^unknown table 'table8'; there are table1, .*claim13"):
        get_table("table8")


def test_claim_13_needs_a_cell_that_the_paper_has_not() -> None:
    (cell,) = get_table("claim13").cells
    assert cell.recipe not in {each.recipe for table in TABLES.values() for each in table.cells}
    assert isnan(cell.paper)


def test_facts_need_no_torch_and_a_misspelt_table_waits_for_none() -> None:
    script = (
        "import sys\nimport wsss.paper\nassert 'torch' not in sys.modules\n"
        "sys.argv = ['wsss', 'reproduce', 'table9']\nfrom wsss.cli import main\n"
        "try: main()\nfinally: print('torch' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (2, "False\n")
    assert ended.stderr.startswith("error: unknown table 'table9'; there are table1, ")


def test_a_table_of_ones_own_goes_wherever_a_name_does() -> None:
    table = TABLES["table2"].only(["RES38"])
    assert get_table(table) is table
