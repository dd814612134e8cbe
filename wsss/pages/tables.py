"""Tables of a page: paper, ours and the difference; paired differences; other works (Sec. 5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd
from IPython.display import Markdown
from pandas.io.formats.style import Styler

from wsss.pages.text import render, signed, spread, summary, uneven_means
from wsss.paper import WORKS, Table, get_table
from wsss.pipeline import Pipeline
from wsss.stages import RESULTS, Records

Pairs = Sequence[tuple[str, str]]
TINY = 1e-6  # a difference of the paper below this is none
PHOTOS = "photo"  # the profile whose recorded figures stand beside another's


def show_table(lab: Pipeline, table: str | Table) -> Styler | Markdown:
    """Show a table: the paper's figures, ours with their spread, and the difference.

    Figures that are recorded of photos, tested in the same way, get a last column, in which a dash
    is a cell that is not recorded.
    """
    scores, profile, found = lab.scores(table), lab.profile.name, get_table(table)
    if scores.empty:
        return Markdown(f"Profile {profile} computes no cell of this table.")
    lines = summary(scores, found, profile)
    theirs = Records(RESULTS / PHOTOS).scores
    theirs = theirs[(theirs["table"] == found.name) & theirs["testing"].isin(scores["testing"])]
    if profile != PHOTOS and not theirs.empty:
        cells = {
            (str(row), str(column)): spread(pd.Series(cell["miou"]))
            for (row, column), cell in theirs.groupby(["row", "column"])  # pyright: ignore
        }
        cells_of = scores.groupby(["row", "column", "testing"], sort=False)  # as `summary` does
        lines[PHOTOS] = [cells.get(key[:2], "–") for key, _ in cells_of]  # pyright: ignore
    shown, uneven = plain(lines, found.name), uneven_means(scores)
    return shown.set_caption(uneven) if uneven else shown


def show_differences(lab: Pipeline, table: str | Table, pairs: Pairs) -> Styler | Markdown:
    """Compare columns of a table within each row and random seed.

    Parameters
    ----------
    lab : Pipeline
        Profile and results.
    table : str or Table
        Which table.
    pairs : sequence of (str, str)
        Columns a and b; shown is a - b. What a row lacks is left out.

    Returns
    -------
    pandas.io.formats.style.Styler
        The paper's difference, ours as mean ± standard deviation, the difference of the two, and
        in how many random seeds ours is above 0.
    """
    lines = [
        {
            "": row,
            "compared": f"{a} − {b}",
            "paper": signed(paper),
            "ours": spread(ours, signed),
            "ours − paper": signed(ours.mean() - paper),
            "above 0": f"{(ours > 0).sum()} of {len(ours)}",
        }
        for row, a, b, paper, ours in _paired(lab.scores(table), pairs)
    ]
    if not lines:
        return Markdown("This profile has no two of these cells to compare.")
    return plain(pd.DataFrame(lines), "paired")


def count_signs(lab: Pipeline, table: str | Table, pairs: Pairs) -> Markdown | None:
    """Say in words how often the differences go the paper's way, where it has a difference.

    Returns
    -------
    IPython.display.Markdown or None
        None if there is nothing to compare.
    """
    products = [
        (ours * paper).tolist()
        for _, _, _, paper, ours in _paired(lab.scores(table), pairs)
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


def show_shares(lab: Pipeline, table: str | Table, row: str, column: str) -> Styler:
    """Show every cell of a table as a share of one, in percent: the paper's figures and ours.

    Ours is divided by the cell with the same random seed: mean ± standard deviation.
    """
    scores = lab.scores(table)
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
            "ours − paper": signed(ours.mean() - paper),
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


def show_literature(lab: Pipeline, table: str) -> TextTable:
    """Put other works, as the paper quotes them, above the paper and this run (Tables 6 and 7).

    Our figure has a column of its own, for it is of another data set.
    """
    scores, works, profile = lab.scores(table), WORKS[table], lab.profile.name
    ours = f"{profile}, val"
    rows = [
        {
            "method": work.name,
            "published": work.venue,
            "VOC 2012, val": f"{work.val:.1f}",
            "VOC 2012, test": f"{work.test:.1f}",
        }
        for work in works
    ]
    reached = "left out" if scores.empty else spread(pd.Series(scores["miou"]))
    lines = pd.DataFrame([*rows, {"method": "This run", ours: reached}]).fillna("")
    cited = [f"{work.name} {{cite:p}}`{work.key}`" for work in works]
    return TextTable(lines, lines.assign(method=[*cited, "This run"]))


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


def show_left_out(lab: Pipeline, *tables: str) -> Markdown | None:
    """Name the cells of some tables that need a network which the profile does not cast.

    Returns
    -------
    IPython.display.Markdown or None
        None if nothing is missing, so that a page shows nothing.
    """
    missing = [
        f"{name_of(table)}: {cell.row}, {cell.column}"
        for table in map(get_table, tables)
        for cell in table.cells
        if not lab.profile.casts(cell.recipe)
    ]
    if not missing:
        return None
    return Markdown(
        f"Profile {lab.profile.name} lacks networks of the paper, so these cells are left out: "
        f"{'; '.join(missing)}."
    )


def name_of(table: Table | str) -> str:
    """Name a table as people do.

    Examples
    --------
    >>> name_of("table2"), name_of("claim13")
    ('Table 2', 'Claim 13')
    """
    name = table if isinstance(table, str) else table.name
    return name.replace("table", "Table ").replace("claim", "Claim ")
