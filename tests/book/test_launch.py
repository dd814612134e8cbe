"""The buttons that open a notebook elsewhere, once the repository's address is configured."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from wsss.book.sphinx_hook import hide_buttons

ROOT = Path(__file__).resolve().parents[2]
BUILD = [str(Path(sys.executable).parent / "jupyter-book"), "build", "-q", "."]


@pytest.fixture
def config() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "_config.yml").read_text())


@pytest.mark.parametrize("address", ["", "https://github.com/somebody/wsss"])
def test_there_are_buttons_only_if_the_address_is_known(config, address: str) -> None:
    assert config["repository"]["url"] == ""  # until somebody publishes it
    buttons = config["launch_buttons"]
    options = {"html_theme_options": {"repository_url": address, "launch_buttons": buttons}}
    told = SimpleNamespace(**options)
    hide_buttons(None, told)  # pyright: ignore[reportArgumentType]
    assert told.html_theme_options.get("launch_buttons") == (buttons if address else None)


def test_a_button_opens_the_source_of_a_notebook(tmp_path: Path, config) -> None:
    """A page is built from a copy in the book's folder; the button must not lead there."""
    kept = {key: config[key] for key in ("title", "execute", "launch_buttons", "repository")}
    kept["repository"]["url"] = "https://github.com/somebody/wsss"
    (tmp_path / "_config.yml").write_text(yaml.safe_dump(kept))
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: notebooks/01_one\n")
    cells = [{"cell_type": "markdown", "metadata": {}, "source": "# One"}]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "01_one.ipynb").write_text(json.dumps(notebook))
    built = subprocess.run(BUILD, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    page = (tmp_path / "_build" / "html" / "notebooks" / "01_one.html").read_text()
    source = "somebody/wsss/main?urlpath=lab/tree/notebooks/01_one.ipynb"
    assert re.findall(r'href="(https://mybinder[^"]*)"', page) == [
        f"https://mybinder.org/v2/gh/{source}"
    ]
