"""The page that says how every notebook ran."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wsss.book.pages import write_status

ORIGIN = {
    "seconds": 12.3, "profile": "demo", "device": "cpu", "commit": "abc",
    "started": "2026-11-23T10:00:00",
}  # fmt: skip


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    cells = [{"cell_type": "markdown", "metadata": {}, "source": ["# One | two\n", "\n", "Text."]}]
    path = tmp_path / "notebooks" / "01_one.ipynb"
    path.parent.mkdir()
    path.write_text(json.dumps({"cells": cells, "metadata": {}}))
    return path


def row(page: Path) -> list[str]:
    last = page.read_text().splitlines()[-1]
    return [cell.strip() for cell in last.replace("\\|", "¦").strip("|").split("|")]


def test_a_page_that_ran_is_linked_with_its_origin(notebook: Path, tmp_path: Path) -> None:
    page = tmp_path / "book" / "status.md"
    write_status({notebook: ORIGIN}, {}, page)
    expected = ["[One ¦ two](01_one.ipynb)", "ran", "12", "demo", "cpu", "abc", "2026-11-23"]
    assert row(page) == expected
    written = page.stat().st_mtime_ns
    write_status({notebook: ORIGIN}, {}, page)
    assert page.stat().st_mtime_ns == written


def test_a_failure_is_said_and_breaks_no_table(notebook: Path, tmp_path: Path) -> None:
    page = tmp_path / "status.md"
    write_status({notebook: {}}, {notebook: "ValueError: a|b <c> (cell 2)"}, page)
    failed = "**failed**: ValueError: a¦b \\<c\\> (cell 2)"
    assert row(page) == ["One ¦ two", failed, "", "", "", "", ""]


def test_how_well_records_came_out_again_stands_on_top(notebook: Path, tmp_path: Path) -> None:
    page = tmp_path / "status.md"
    write_status({notebook: ORIGIN}, {}, page)
    assert "come out again" not in page.read_text()
    (tmp_path / "agreement.md").write_text("31 of 31 recomputed scores equal their record.")
    write_status({notebook: ORIGIN}, {}, page)
    told = page.read_text()
    assert told.index("31 of 31 recomputed scores") < told.index("One")
