"""The numbers of the page that goes through the loss by hand."""

from __future__ import annotations

import doctest
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from wsss import seed_weights
from wsss.losses import weighted_selective_loss

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "book" / "loss.md").read_text()
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def examples() -> tuple[doctest.TestResults, dict]:
    """Run the page's examples in turn; the names they leave."""
    code = "\n".join(re.findall(r"```python\n(.*?)```", TEXT, re.S))
    test = doctest.DocTestParser().get_doctest(code, {}, "loss.md", "loss.md", 0)
    results = doctest.DocTestRunner(optionflags=OPTIONS).run(test, clear_globs=False)
    return results, test.globs


def test_every_example_gives_what_the_page_says() -> None:
    results, names = examples()
    assert results.attempted > 20
    assert results.failed == 0
    for s in (0.0, 1.0):
        assert torch.allclose(
            weighted_selective_loss(names["logits"], names["seeds"], sharpness=s),
            names["plain"] if s == 0 else names["loss"],
        )


def test_the_table_is_what_the_examples_compute_with() -> None:
    names = examples()[1]
    rows = re.findall(r"^\| ([abcd]) \| (.*) \|$", TEXT, re.M)
    for i, (_, row) in enumerate(rows):
        cells = [255.0 if cell == "unknown" else float(cell) for cell in row.split(" | ")]
        pixel = [*names["p"][0, :, i], names["predicted"][0, 0, i], *names["seeds"][0, :, i]]
        assert torch.allclose(torch.tensor(cells), torch.tensor([float(x) for x in pixel]))
    assert [name for name, _ in rows] == list("abcd")


def test_the_plain_version_is_quoted_from_the_package() -> None:
    source = (ROOT / "wsss" / "losses" / "equations.py").read_text()
    start, end = (re.findall(rf"^:{key}-at: (.*)$", TEXT, re.M)[0] for key in ("start", "end"))
    lines = source[source.index(start) : source.index(end)].splitlines()
    assert source.count(start) == 1 == source.count(end)
    assert len([line for line in lines if line.strip()]) + 1 == 6  # "in six lines"


def test_the_table_over_s_is_what_the_loss_gives() -> None:
    names = examples()[1]
    rows = re.findall(r"^\| (\d) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", TEXT, re.M)
    assert [row[0] for row in rows] == ["0", "1", "2", "4"]
    for row in rows:
        s, *told = map(float, row)
        weights = seed_weights(names["logits"], names["seeds"], sharpness=s)
        losses = (weights * names["costs"]).sum(1)[0]
        mean = weighted_selective_loss(names["logits"], names["seeds"], sharpness=s)
        found = [weights[0, 0, 1], weights[0, 1, 1], losses[1], mean]
        assert [round(each.item(), 3) for each in found] == told


@pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine")
def test_the_slider_shows_the_loss_for_every_s(tmp_path: Path) -> None:
    """The script of the page, alone in a browser, with the handle moved to three places."""
    (block,) = re.findall(r"```\{raw\} html\n(.*?)```", TEXT, re.S)
    assert "http" not in block
    move = """<script>
    const input = document.querySelector("input"), told = [];
    for (const s of [0, 1.5, 6]) {
      input.value = s;
      input.dispatchEvent(new Event("input"));
      told.push(document.querySelector(".mean").textContent);
    }
    document.title = told;
    </script>"""
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><meta charset=utf-8><title>none</title>{block}{move}")
    command = [
        str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
        f"--user-data-dir={tmp_path / 'profile'}", page.as_uri(),
    ]  # fmt: skip
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    (title,) = re.findall("<title>(.*?)</title>", shown)
    names = examples()[1]
    for s, told in zip((0.0, 1.5, 6.0), title.split(","), strict=True):
        loss = weighted_selective_loss(names["logits"], names["seeds"], sharpness=s)
        assert abs(float(told) - loss.item()) < 1e-4
    assert "hidden" not in re.findall("<figure.*?>", shown)[0]


@pytest.mark.parametrize("page", sorted((ROOT / "book").glob("*.md")), ids=lambda page: page.stem)
def test_no_line_of_code_is_wider_than_its_box(page: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.S | re.M)
    assert [line for block in blocks for line in block.splitlines() if len(line) > 76] == []
