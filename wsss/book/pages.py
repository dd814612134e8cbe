"""Pages: an executed notebook without what a reader has no use for, pictures, status, speed."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from wsss.book.speed import speed_tables
from wsss.errors import InputError
from wsss.files import atomic_write

HEAD = """## The pages

*Written by the runner of the notebooks after each run.* A notebook that failed keeps the page of
its last good run, if there is one. Seconds are those of the run that made the page: results that
were there already were only read.

| Page | Verdict | Seconds | Profile | Device | Commit | Day |
|:--|:--|--:|:--|:--|:--|:--|
"""

GALLERY = """# Pictures

*Every picture that the notebooks draw, as they drew it when these pages were built. A click leads
to the page that explains it.*
"""
SUM = "sha256"
"""Of what a page shows and says of its run."""
GRID = "\n````{grid} 1 2 2 3\n:gutter: 2\n"


def read_notebook(path: Path) -> dict[str, Any]:
    """Content of an .ipynb file, without the second that importing nbformat would take.

    Raises
    ------
    InputError
        If the file cannot be read or is not a notebook.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not a notebook: {error}") from error
    if not isinstance(content, dict) or not content.keys() >= {"cells", "metadata"}:
        raise InputError(f"{path} is not a notebook of nbformat 4: it lacks cells or metadata")
    return content


def publish(executed: Path, page: Path, origin: Mapping[str, Any]) -> None:
    """Copy an executed notebook into the book, with its origin as metadata.

    The two cells of parameters are tagged ``remove-cell``; the code of the others is folded, unless
    a tag says otherwise, say ``show-input``; times and paths of the run are dropped. A checksum
    tells `read_origin` whether the page is as it was published.
    """
    notebook = read_notebook(executed)
    notebook["metadata"].pop("papermill", None)
    notebook["metadata"].setdefault("language_info", {"name": "python"})  # else cells become .txt
    for cell in notebook["cells"]:
        cell.pop("id", None)  # nbformat gives an injected cell a new random id at each run
        metadata = cell["metadata"]
        for volatile in ("papermill", "execution"):
            metadata.pop(volatile, None)
        tags = metadata.get("tags", [])
        if {"parameters", "injected-parameters"} & set(tags):
            metadata["tags"] = [*tags, "remove-cell"]
        elif cell["cell_type"] == "code" and not any(tag.endswith("-input") for tag in tags):
            metadata["tags"] = [*tags, "hide-input"]
    notebook["nbformat_minor"] = 4  # the last minor version in which cells need no id
    notebook["metadata"]["wsss"] = {**origin, SUM: _checksum(origin, notebook["cells"])}
    write_if_new(page, json.dumps(notebook, indent=1, ensure_ascii=False, default=str) + "\n")


def read_origin(page: Path) -> dict[str, Any]:
    """Read what a published page says of its run; nothing where there is none, or it is damaged.

    Examples
    --------
    >>> read_origin(Path("no-such-page.ipynb"))
    {}
    """
    try:
        notebook = read_notebook(page)
        origin = dict(notebook["metadata"]["wsss"])
        return origin if origin.pop(SUM) == _checksum(origin, notebook["cells"]) else {}
    except (InputError, KeyError, TypeError, ValueError):  # it is made again
        return {}


def _checksum(origin: Mapping[str, Any], cells: Any) -> str:
    text = json.dumps([dict(origin), cells], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def write_status(
    origins: Mapping[Path, Mapping[str, Any]], failures: Mapping[Path, str], page: Path
) -> None:
    """Write the page that says of every notebook how its last run went.

    Parameters
    ----------
    origins, failures : mapping from a notebook
        What its page says of its run, and why its last run failed.
    page : Path
        The page, beside the published notebooks. What ``agreement.md`` there says of recomputed
        scores and their records goes on top.
    """
    lines = []
    for notebook, origin in origins.items():
        title = _title(notebook)
        cells = [
            f"[{title}]({notebook.name})" if origin else title,
            f"**failed**: {_cell(failures[notebook])}" if notebook in failures else "ran",
            f"{origin['seconds']:.0f}" if origin else "",
            origin.get("profile", ""),
            origin.get("device", ""),
            origin.get("commit", ""),
            origin.get("started", "")[:10],
        ]
        lines.append(f"| {' | '.join(cells)} |\n")
    agreement = page.with_name("agreement.md")
    told = agreement.read_text(encoding="utf-8").strip() if agreement.is_file() else ""
    again = f"## Does it come out again?\n\n{told}\n\n" if told else ""
    write_if_new(page, "".join(["# Status\n\n", again, HEAD, *lines]))


def write_gallery(pages: Iterable[Path], folder: Path) -> None:
    """Write the page that shows every picture of some pages and leads to them.

    Parameters
    ----------
    pages : iterable of Path
        Published notebooks. A picture is the PNG of a cell whose metadata has its alternative text,
        ``{"mystnb": {"image": {"alt": "..."}}}``.
    folder : Path
        Gets ``gallery.md``, and the pictures in ``gallery/``.
    """
    cards, kept = [], set()
    for page in pages:
        for number, (alt, picture) in enumerate(_pictures(page)):
            file = folder / "gallery" / f"{page.stem}-{number}.png"
            kept.add(file)
            write_if_new(file, picture)
            cards.append(
                f"\n```{{grid-item-card}} {_title(page)}\n:link: {page.stem}\n:link-type: doc\n"
                f":img-top: gallery/{file.name}\n:img-alt: {alt}\n\n{_cell(alt)}\n```\n"
            )
    for file in {*folder.glob("gallery/*.png")} - kept:
        file.unlink()
    grid = [GRID, *cards, "````\n"] if cards else ["\nNone has drawn any.\n"]
    write_if_new(folder / "gallery.md", "".join([GALLERY, *grid]))


def _pictures(page: Path) -> Iterator[tuple[str, bytes]]:
    for cell in read_notebook(page)["cells"]:
        alt = cell["metadata"].get("mystnb", {}).get("image", {}).get("alt")
        for output in cell.get("outputs", ()) if alt else ():
            if png := output.get("data", {}).get("image/png"):
                yield alt, base64.b64decode("".join(png))


def write_speed(results: Path, fragment: Path) -> None:
    """Write the tables that the page on speed includes, a part for every CSV of results."""
    parts = []
    for file in sorted(results.glob("*.csv")):
        with file.open(encoding="utf-8", newline="") as lines:
            parts.append(speed_tables(list(csv.DictReader(lines))))
    if parts:
        write_if_new(fragment, "\n".join(parts))


def write_if_new(file: Path, content: str | bytes) -> None:
    """Write a file only if its content differs, so that Sphinx reads again only what moved."""
    content = content.encode() if isinstance(content, str) else content
    if file.is_file() and file.read_bytes() == content:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(file) as aside:
        aside.write_bytes(content)


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
