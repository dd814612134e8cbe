"""Numbers that prose quotes are those of the records, so that a stale one is found."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from wsss import Lab
from wsss.pages.claims import judge_claims, median_spread
from wsss.pages.text import render, spread
from wsss.pages.verdict import reach
from wsss.paper import get_table

ROOT = Path(__file__).resolve().parents[2]
ROWS = {  # of README's table: the cell that each shows
    "threshold seed (T)": ("table2", "VGG16", "Threshold (T)"),
    "CRF seed (C)": ("table2", "VGG16", "CRF (C)"),
    "both (T + C)": ("table2", "VGG16", "Both (T + C)"),
    "twelve seeds with WST": ("table5", "12: types x scales x networks", "With WST"),
    "*true masks*": ("table1", "0 (ground truth)", "One label"),
}
WORDS = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 10: "ten", 20: "twenty"}


def cell_of(profile: str, key: tuple[str, ...]) -> pd.Series:
    """MIoU of a recorded cell, one a random seed, as the profile tests its segmenters."""
    scores = pd.read_csv(ROOT / "results" / profile / "scores.csv")
    found = scores[(scores[["table", "row", "column"]] == list(key)).all(axis=1)]
    assert found["rng_seed"].duplicated().sum() == 0
    return pd.Series(found["miou"])


def rows_of(page: Path, title: str) -> dict[str, list[str]]:
    """Lines of the Markdown table whose header opens with `title`, by their first cell."""
    table = re.search(rf"^\| {title} +\|.*\n\|[-:| ]+\n((?:\|.*\n)+)", page.read_text(), re.M)
    assert table, f"no table that opens with {title}"
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table[1].splitlines()]
    return {line[0]: line[1:] for line in cells}


def test_the_table_of_readme_shows_the_records() -> None:
    shown = rows_of(ROOT / "README.md", "trained on")
    assert shown == {name: [spread(cell_of("demo", key))] for name, key in ROWS.items()}


def test_readme_says_how_many_random_seeds_its_table_has() -> None:
    told = re.search(r"as classifier, (\w+) random seeds", (ROOT / "README.md").read_text())
    counts = {len(cell_of("demo", key)) for key in ROWS.values()}
    assert told
    assert {told[1]} == {WORDS.get(count, str(count)) for count in counts}


def test_the_page_on_tables_shows_how_intervals_shrink(tmp_path: Path) -> None:
    """With the median spread of the paired differences that are recorded."""
    spreads = {
        profile: median_spread(judge_claims(Lab(profile, compute="none", runs=tmp_path)))
        for profile in ("demo", "photo")
    }
    lines = pd.DataFrame(
        {
            "random seeds": str(count),
            "in standard deviations": f"± {reach(count):.2f}",
            **{
                f"{profile}: mIoU, spread {value:.1f}": f"± {value * reach(count):.1f}"
                for profile, value in spreads.items()
            },
        }
        for count in (2, 3, 4, 5, 10, 20, 40)
    )
    assert np.isfinite(list(spreads.values())).all()
    page = (ROOT / "book" / "reading.md").read_text(encoding="utf-8")
    expected = render(lines, "markdown")
    assert expected in page, f"the page should have\n{expected}"


QUOTED = {  # on the page of photos: sentence, claim, its comparisons in this order
    "by {}, {} and {} at 10, 20 and 30 %": (1, ("noise 0.1", "noise 0.2", "noise 0.3")),
    "threshold seeds gain {} from three scales": (5, ("threshold",)),
    "threshold seeds gain {} (max) and {} (mean)": (
        7,
        ("threshold (t): merged by max", "threshold (t): merged by mean"),
    ),
}


def test_the_page_of_photos_quotes_its_records(tmp_path: Path) -> None:
    cells = json.loads((ROOT / "notebooks" / "07_photos.ipynb").read_text())["cells"]
    text = " ".join(" ".join("".join(cell["source"]) for cell in cells).split())
    results = judge_claims(Lab("photo", compute="none", runs=tmp_path))
    for sentence, (number, names) in QUOTED.items():
        lines = results[number - 1].differences
        figures = [spread(lines[lines.index.str.lower().str.startswith(n)].iloc[0]) for n in names]
        quoted = sentence.format(*figures).replace("-0.0", "0.0").replace("-", "−")
        assert quoted in text, f"the records say: {quoted}"


def test_the_picture_of_page_10_is_of_the_demo_as_it_is() -> None:
    """Drawn once: it names the segmenters whose predictions it shows."""
    lab = Lab("demo", rng_seeds=[0])
    shown = [
        lab.segmenter(cell.recipe).identity
        for cell in get_table("wst_hurts").cells
        if cell.row.endswith("noise 0.3, 2 labels")
    ]
    with Image.open(ROOT / "results" / "demo" / "wst_hurts.png") as picture:
        assert picture.info["Comment"].split() == shown
