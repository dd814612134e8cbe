"""The page that says how every notebook ran."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wsss.book.running import NotebookResult
from wsss.book.status import write_status


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    cells = [{"cell_type": "markdown", "metadata": {}, "source": ["# One | two\n", "\n", "Text."]}]
    path = tmp_path / "notebooks" / "01_one.ipynb"
    path.parent.mkdir()
    path.write_text(json.dumps({"cells": cells, "metadata": {}}))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "notebooks" / "demo"
    folder.mkdir(parents=True)
    return folder


def record(folder: Path) -> None:
    origin = {"seconds": 12.3, "device": "cpu", "commit": "abc", "started": "2026-11-23T10:00:00"}
    (folder / "01_one.json").write_text(json.dumps(origin))


def row(page: Path) -> list[str]:
    last = page.read_text().splitlines()[-1]
    return [cell.strip() for cell in last.replace("\\|", "¦").strip("|").split("|")]


def test_a_page_that_ran_is_linked_with_its_origin(notebook: Path, folder: Path) -> None:
    page = notebook.parents[1] / "book" / "notebooks" / "status.md"
    record(folder)
    page.parent.mkdir(parents=True)
    (page.parent / "01_one.ipynb").touch()
    results = [NotebookResult(notebook, "ran", 12.3)]
    assert write_status(results, folder, page)
    expected = ["[One ¦ two](01_one.ipynb)", "ran", "12", "demo", "cpu", "abc", "2026-11-23"]
    assert row(page) == expected
    assert not write_status([NotebookResult(notebook, "unchanged")], folder, page)


def test_a_failure_is_said_and_breaks_no_table(notebook: Path, folder: Path) -> None:
    page = notebook.parents[1] / "book" / "notebooks" / "status.md"
    result = NotebookResult(notebook, "failed", 1.0, "ValueError: a|b <c> (cell 2)")
    assert write_status([result], folder, page)
    failed = "**failed**: ValueError: a¦b \\<c\\> (cell 2)"
    assert row(page) == ["One ¦ two", failed, "", "demo", "", "", ""]
