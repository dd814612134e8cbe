"""The page that says of every notebook how its last run went."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wsss.book.files import read_notebook, write_whole

if TYPE_CHECKING:
    from wsss.book.running import NotebookResult

HEAD = """# Status of the pages

*Written by the runner of the notebooks after each run.* A notebook that failed keeps the page of
its last good run, if there is one. Seconds are those of the run that made the page: results that
were there already were only read.

| Page | Verdict | Seconds | Profile | Device | Commit | Day |
|:--|:--|--:|:--|:--|:--|:--|
"""


def write_status(results: Sequence[NotebookResult], folder: Path, page: Path) -> bool:
    """Write the status page from what the runs of the notebooks left behind.

    Parameters
    ----------
    results : sequence of NotebookResult
        What `wsss.book.run_notebooks` returns.
    folder : Path
        ``runs/notebooks/<profile>`` with the provenance of every page.
    page : Path
        The page, beside the published notebooks; written only if its text differs.

    Returns
    -------
    bool
        Whether it was written.
    """
    text = HEAD + "".join(_line(result, folder, page.parent) for result in results)
    if page.exists() and page.read_text(encoding="utf-8") == text:
        return False
    page.parent.mkdir(parents=True, exist_ok=True)
    write_whole(page, text)
    return True


def _line(result: NotebookResult, folder: Path, published: Path) -> str:
    notebook = result.notebook
    record = folder / f"{notebook.stem}.json"
    origin = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    title = _title(notebook)
    cells = [
        f"[{title}]({notebook.name})" if (published / notebook.name).exists() else title,
        f"**failed**: {_cell(result.error)}" if result.status == "failed" else "ran",
        f"{origin['seconds']:.0f}" if origin else "",
        folder.name,
        origin.get("device", ""),
        origin.get("commit", ""),
        origin.get("started", "")[:10],
    ]
    return f"| {' | '.join(cells)} |\n"


def _title(notebook: Path) -> str:
    """First heading of a notebook, or else its name."""
    for cell in read_notebook(notebook)["cells"]:
        for line in "".join(cell["source"]).splitlines():
            if cell["cell_type"] == "markdown" and line.startswith("# "):
                return _cell(line[2:].strip())
    return notebook.stem


def _cell(text: str) -> str:
    """Text that breaks no table: bars and what Markdown would read as markup are escaped."""
    return "".join(f"\\{sign}" if sign in "|*_`[]<>{}$" else sign for sign in text)
