"""What the runner writes beside the notebooks: the status, the pictures, folded code."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pytest

from wsss.book.pages import publish, read_origin, write_gallery, write_status

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


def cell(source: str, png: bytes | None = None, **metadata: object) -> dict:
    data = {} if png is None else {"image/png": base64.b64encode(png).decode()}
    outputs = [{"output_type": "display_data", "data": data, "metadata": {}}]
    return {"cell_type": "code", "metadata": metadata, "outputs": outputs, "source": source}


def test_the_gallery_shows_what_has_an_alternative_text_and_leads_to_its_page(
    notebook: Path, tmp_path: Path
) -> None:
    content = json.loads(notebook.read_text())
    alt = {"image": {"alt": "Two lines."}}
    content["cells"] += [cell("draw()", b"one", mystnb=alt), cell("table()"), cell("x()", b"two")]
    notebook.write_text(json.dumps(content))
    folder = tmp_path / "book"
    write_gallery([notebook], folder)
    text = (folder / "gallery.md").read_text()
    assert ":link: 01_one\n" in text
    assert ":img-alt: Two lines.\n" in text
    assert {path.name: path.read_bytes() for path in (folder / "gallery").iterdir()} == {
        "01_one-0.png": b"one"
    }
    write_gallery([], folder)
    assert not list((folder / "gallery").iterdir())
    assert "grid" not in (folder / "gallery.md").read_text()


def test_code_is_folded_unless_a_tag_says_otherwise(notebook: Path, tmp_path: Path) -> None:
    content = json.loads(notebook.read_text())
    tags = [[], ["show-input"], ["remove-input"], ["answer"], ["parameters"]]
    content["cells"] += [cell("x", tags=each) for each in tags]
    notebook.write_text(json.dumps(content))
    publish(notebook, tmp_path / "page.ipynb", {})
    published = json.loads((tmp_path / "page.ipynb").read_text())["cells"][1:]
    assert [each["metadata"]["tags"] for each in published] == [
        ["hide-input"],
        ["show-input"],
        ["remove-input"],
        ["answer", "hide-input"],
        ["parameters", "remove-cell"],
    ]


def test_a_page_is_only_known_while_it_is_as_it_was_published(
    notebook: Path, tmp_path: Path, rng: np.random.Generator
) -> None:
    page, content = tmp_path / "page.ipynb", json.loads(notebook.read_text())
    content["cells"].append(cell("mIoU 77.0 ± 2.3"))
    notebook.write_text(json.dumps(content))
    publish(notebook, page, ORIGIN)
    assert read_origin(page) == ORIGIN
    whole = page.read_bytes()
    assert "77.0" in whole.decode()
    names = (b'"language_info"', b'"wsss"', b'"nbformat_minor"')
    first, second, last = map(whole.index, names)
    for at in rng.permutation(len(whole))[:200].tolist():
        if first <= at < second or at >= last or not whole[at : at + 1].strip():
            continue  # spaces, and how cells are coloured
        page.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert read_origin(page) != ORIGIN, at
    page.write_bytes(whole.replace(b"77.0", b"87.0"))
    assert read_origin(page) == {}
    page.write_bytes(b"\xff")  # no text at all
    assert read_origin(page) == {}
    publish(notebook, page, ORIGIN)
    assert page.read_bytes() == whole
    page.unlink()
    assert read_origin(page) == {}


def test_how_well_records_came_out_again_stands_on_top(notebook: Path, tmp_path: Path) -> None:
    page = tmp_path / "status.md"
    write_status({notebook: ORIGIN}, {}, page)
    assert "come out again" not in page.read_text()
    (tmp_path / "agreement.md").write_text("31 of 31 recomputed scores equal their record.")
    write_status({notebook: ORIGIN}, {}, page)
    told = page.read_text()
    assert told.index("31 of 31 recomputed scores") < told.index("One")
