"""The API reference and what users read beside it are built without a warning."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import wsss

ROOT = Path(__file__).resolve().parents[2]
EXTENSIONS = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
PAGES = ["how_to.md", "loss.md"]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """What Sphinx warns of in a build of these pages alone, and their text."""
    source = tmp_path_factory.mktemp("pages") / "book"
    shutil.copytree(ROOT / "book" / "api", source / "api")
    (source.parent / "wsss").symlink_to(ROOT / "wsss")  # pages quote it
    for page in PAGES:
        shutil.copy(ROOT / "book" / page, source)
    (source / "index.md").write_text("# API\n\n```{toctree}\n:glob:\n*\napi/*\n```\n")
    book = yaml.safe_load((ROOT / "_config.yml").read_text())["sphinx"]["config"]
    kept = {key: book[key] for key in book if key.startswith(("napoleon_", "autodoc_"))}
    config = kept | {key: book[key] for key in ("default_role", "suppress_warnings")}
    config["extensions"] = EXTENSIONS
    config["myst_enable_extensions"] = ["dollarmath"]
    lines = [f"{key} = {value!r}\n" for key, value in config.items()]
    (source / "conf.py").write_text("".join(lines))
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "text", str(source), str(source / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    return done.stderr, "".join(path.read_text() for path in source.glob("out/**/*.txt"))


def test_no_docstring_breaks_the_book(build: tuple[str, str]) -> None:
    assert build[0] == ""


def test_every_public_name_has_an_entry(build: tuple[str, str]) -> None:
    assert not [name for name in wsss.__all__ if f".{name}" not in build[1]]


def test_the_page_of_the_loss_quotes_the_plain_version(build: tuple[str, str]) -> None:
    assert "weights = torch.softmax(sharpness * agrees" in build[1]
