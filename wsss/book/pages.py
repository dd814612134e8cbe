"""From an executed notebook to a page of the book."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from wsss.book.files import read_notebook, write_whole


def publish_notebook(executed: Path, page: Path) -> bool:
    """Copy an executed notebook into the book, without what a reader has no use for.

    The two cells of parameters are tagged ``remove-cell``. What changes from run to run without
    changing the page (times, paths) is dropped, and the page is written only if its text differs,
    so Sphinx reads again only what moved.

    Parameters
    ----------
    executed, page : Path
        From where to where.

    Returns
    -------
    bool
        Whether the page was written.
    """
    notebook = read_notebook(executed)
    notebook["metadata"].pop("papermill", None)
    for cell in notebook["cells"]:
        # nbformat gives an injected cell a new random id at each run.
        cell.pop("id", None)
        metadata = cell["metadata"]
        for volatile in ("papermill", "execution"):
            metadata.pop(volatile, None)
        tags = metadata.get("tags", [])
        if {"parameters", "injected-parameters"} & set(tags):
            metadata["tags"] = [*tags, "remove-cell"]
    notebook["nbformat_minor"] = 4  # the last minor version in which cells need no id
    text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    if page.exists() and page.read_text(encoding="utf-8") == text:
        return False
    page.parent.mkdir(parents=True, exist_ok=True)
    write_whole(page, text)
    return True


def remove_orphans(folder: Path, notebooks: Sequence[Path]) -> None:
    """Remove the published pages whose source is gone.

    Parameters
    ----------
    folder : Path
        Of the pages.
    notebooks : sequence of Path
        Sources; all notebooks that lie beside them count as well.
    """
    sources = {source.name for n in notebooks for source in n.parent.glob("*.ipynb")}
    for page in folder.glob("*.ipynb"):
        if page.name not in sources:
            page.unlink()
