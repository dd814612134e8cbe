"""Tables of a page: paper, ours and the difference; paired differences; other works (Sec. 5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd
from IPython.display import Markdown
from pandas.io.formats.style import Styler

from wsss.literature import Work
from wsss.tables import Table, render, spread, summary

Pairs = Sequence[tuple[str, str]]
TINY = 1e-6  # a difference of the paper below this is none


def show_table(
    scores: pd.DataFrame, table: Table, profile: str, recorded: pd.DataFrame | None = None
) -> Styler | Markdown:
    """Show a table: the paper's figures, ours with their spread, and the difference.

    Parameters
    ----------
    scores : pandas.DataFrame
        As `wsss.tables.reproduce` returns.
    table : Table
        The table it belongs to.
    profile : str
        Heads the column of our figures.
    recorded : pandas.DataFrame, optional
        As `wsss.tables.read_recorded` returns: figures of another profile, tested in the same way,
        get a last column, in which a dash is a cell that is not recorded.
    """
    if scores.empty:
        return Markdown(f"Profile {profile} computes no cell of this table.")
    lines = summary(scores, table, profile)
    if recorded is not None and not recorded.empty:
        alike = (recorded["table"] == table.name) & recorded["testing"].isin(scores["testing"])
        for other, theirs in recorded[alike].groupby("profile"):
            if other != profile:
                cells = {
                    (str(row), str(column)): spread(pd.Series(cell["miou"]))
                    for (row, column), cell in theirs.groupby(["row", "column"])  # pyright: ignore
                }
                keys = zip(lines[table.row_title], lines[table.column_title], strict=True)
                lines[str(other)] = [cells.get(key, "–") for key in keys]
    return plain(lines, table.name)


def paired_differences(scores: pd.DataFrame, pairs: Pairs) -> Styler | Markdown:
    """Compare columns of a table within each row and random seed.

    Parameters
    ----------
    scores : pandas.DataFrame
        As `wsss.tables.reproduce` returns.
    pairs : sequence of (str, str)
        Columns a and b; shown is a - b. What a row lacks is left out.

    Returns
    -------
    pandas.io.formats.style.Styler
        The paper's difference, ours as mean ± standard deviation, the difference of the two, and
        ours for each random seed.
    """
    lines = [
        {
            "": row,
            "compared": f"{a} − {b}",
            "paper": _signed(paper),
            "ours": _signed(ours.mean()) + (f" ± {ours.std():.1f}" if len(ours) > 1 else ""),
            "ours − paper": _signed(ours.mean() - paper),
            "each random seed": "  ".join(_signed(value) for value in ours),
        }
        for row, a, b, paper, ours in _paired(scores, pairs)
    ]
    if not lines:
        return Markdown("This profile has no two of these cells to compare.")
    return plain(pd.DataFrame(lines), "paired")


def count_signs(scores: pd.DataFrame, pairs: Pairs) -> Markdown | None:
    """Say in words how often the differences go the paper's way, where it has a difference.

    Parameters
    ----------
    scores, pairs
        As in `paired_differences`.

    Returns
    -------
    IPython.display.Markdown or None
        None if there is nothing to compare.

    Examples
    --------
    >>> scores = pd.DataFrame({
    ...     "row": "VGG16", "column": ["T", "C"] * 2, "paper": [61.4, 62.9] * 2,
    ...     "rng_seed": [0, 0, 1, 1], "miou": [60.0, 61.0, 60.0, 59.0]})
    >>> count_signs(scores, [("C", "T")]).data
    "Of 2 paired differences, 1 has the sign of the paper's difference. In 0 of 1 comparisons..."
    """
    products = [
        (ours * paper).tolist()
        for _, _, _, paper, ours in _paired(scores, pairs)
        if abs(paper) > TINY
    ]
    if not products:
        return None
    total, hits = sum(map(len, products)), sum(value > 0 for each in products for value in each)
    agree = sum(all(value > 0 for value in each) for each in products)
    contradict = sum(all(value < 0 for value in each) for each in products)
    return Markdown(
        f"Of {total} paired differences, {hits} {'has' if hits == 1 else 'have'} the sign of the "
        f"paper's difference. In {agree} of {len(products)} comparisons every random seed agrees "
        f"with the paper, in {contradict} every one contradicts it."
    )


def shares_of(scores: pd.DataFrame, row: str, column: str) -> Styler:
    """Show every cell as a share of one cell, the paper's figures and ours.

    Parameters
    ----------
    scores : pandas.DataFrame
        As `wsss.tables.reproduce` returns.
    row, column : str
        The cell that is 100 percent; ours is divided by the one with the same random seed.

    Returns
    -------
    pandas.io.formats.style.Styler
        In percent; ours as mean ± standard deviation over random seeds.
    """
    cells = {
        names: cell.set_index("rng_seed")
        for names, cell in scores.groupby(["row", "column"], sort=False)
    }
    whole = cells.pop((row, column))
    lines = []
    for (name, title), cell in cells.items():  # pyright: ignore[reportGeneralTypeIssues]
        ours = pd.Series(100 * cell["miou"] / whole["miou"])
        paper = 100 * cell["paper"].iloc[0] / whole["paper"].iloc[0]
        lines.append({
            "": name,
            "share of": title,
            "paper": f"{paper:.1f}",
            "ours": spread(ours),
            "ours − paper": _signed(ours.mean() - paper),
        })  # fmt: skip
    return plain(pd.DataFrame(lines), "shares")


@dataclass(frozen=True)
class TextTable:
    """A table in two forms: HTML for a notebook, Markdown with citations for the book."""

    lines: pd.DataFrame
    cited: pd.DataFrame

    def _repr_html_(self) -> str:
        return plain(self.lines, "works").to_html()

    def _repr_markdown_(self) -> str:
        return render(self.cited, "markdown")


def literature_table(works: Sequence[Work], scores: pd.DataFrame, profile: str) -> TextTable:
    """Put other works, as the paper quotes them, above the paper and this run.

    Parameters
    ----------
    works : sequence of Work
        Rows of Table 6 or 7.
    scores : pandas.DataFrame
        As `wsss.tables.reproduce` returns for that table; may be empty.
    profile : str
        Heads the column of our figure, which stands alone: it is of another data set.

    Returns
    -------
    TextTable
    """
    ours = f"{profile}, val"
    lines = pd.DataFrame([
        {
            "method": work.name,
            "published": work.venue,
            "VOC 2012, val": f"{work.val:.1f}",
            "VOC 2012, test": f"{work.test:.1f}",
            ours: "",
        }
        for work in works
    ])  # fmt: skip
    last = {"method": "This run", "published": "", "VOC 2012, val": "", "VOC 2012, test": ""}
    lines.loc[len(lines)] = last | {
        ours: "left out" if scores.empty else spread(pd.Series(scores["miou"]))
    }
    cited = lines.copy()
    cited["method"] = [
        *(f"{work.name} {{cite:p}}`{work.key}`" for work in works),
        "This run",
    ]
    return TextTable(lines, cited)


def plain(lines: pd.DataFrame, name: str) -> Styler:
    """Show without the index; a fixed name keeps a page the same from run to run."""
    return lines.style.hide(axis="index").set_uuid(name)


def _paired(scores: pd.DataFrame, pairs: Pairs) -> Iterator[tuple[str, str, str, float, pd.Series]]:
    """Row, a, b, the paper's a - b, and ours for each random seed."""
    if scores.empty:
        return
    for row, here in scores.groupby("row", sort=False):
        ours = here.pivot_table(index="rng_seed", columns="column", values="miou")
        paper = dict(zip(here["column"], here["paper"], strict=True))
        for a, b in pairs:
            if {a, b} <= set(ours.columns):
                yield str(row), a, b, paper[a] - paper[b], pd.Series(ours[a] - ours[b])


def _signed(value: float) -> str:
    """Write a difference with its sign; what the paper does not give is a dash.

    Examples
    --------
    >>> _signed(-1.0), _signed(-0.01), _signed(float("nan"))
    ('−1.0', '+0.0', '–')
    """
    return "–" if pd.isna(value) else f"{value:+z.1f}".replace("-", "−")
