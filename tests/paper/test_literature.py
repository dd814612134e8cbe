"""The literature's rows are those that the paper prints."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from wsss.paper import TABLES, WORKS
from wsss.paper.literature import RESNET101_WORKS, VGG16_WORKS

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^([\w-]+)(?: \[\d+\])?\t(\w*)\t(.+)\t(.+)$", re.MULTILINE)


def printed() -> list[tuple[str, str, float, float]]:
    """Rows of Tables 6 and 7 as they stand in the paper's text."""
    paper = Path(os.environ.get("WSSS_SHARED", ROOT.parent / "shared")) / "paper.md"
    if not paper.is_file():
        pytest.skip(f"needs the paper's text at {paper}")
    text = re.sub(r"<sup>\d</sup>|</?b>", "", paper.read_text())
    found = [match.groups() for match in ROW.finditer(text)]
    return [(n, v, float(a), float(b)) for n, v, a, b in found if re.match(r"\d\d\.\d$", a)]


def test_rows_are_those_of_the_paper() -> None:
    ours = [(w.name, w.venue, w.val, w.test) for w in (*VGG16_WORKS, *RESNET101_WORKS)]
    renamed = [("Ours", "", *row[2:]) if row[0] == "The paper" else row for row in ours]
    assert renamed == printed()
    assert len(VGG16_WORKS) == 19
    assert len(RESNET101_WORKS) == 8


def test_every_work_is_in_the_bibliography() -> None:
    entries = set(re.findall(r"@\w+\{(\w+),", (ROOT / "book" / "references.bib").read_text()))
    assert {work.key for works in WORKS.values() for work in works} <= entries


def test_the_paper_s_own_rows_are_the_cells_of_the_tables() -> None:
    for name, works in WORKS.items():
        assert TABLES[name].cells[0].paper == works[-1].val
