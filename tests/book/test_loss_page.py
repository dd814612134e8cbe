"""The numbers of the page that goes through the loss by hand."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import torch

from wsss.losses import weighted_selective_loss

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "book" / "loss.md").read_text()
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
