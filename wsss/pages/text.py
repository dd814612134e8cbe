"""A table as text: the paper's figures, ours with their spread, and the difference."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan
from typing import Literal

import numpy as np
import pandas as pd

from wsss.paper import Table


def summary(frame: pd.DataFrame, table: Table, profile: str) -> pd.DataFrame:
    """Put the paper's figure, ours (mean ± standard deviation) and the difference side by side.

    A column says how the segmenters were tested, if that differs within the table.

    Parameters
    ----------
    frame : pandas.DataFrame
        As `wsss.pipeline.Pipeline.scores` returns.
    table : Table
        The table it belongs to.
    profile : str
        Heads the column of our figures.

    Returns
    -------
    pandas.DataFrame
        One line a cell and way of testing, all text.

    Examples
    --------
    >>> from wsss.paper.tables import TABLE2
    >>> frame = pd.DataFrame({
    ...     "row": ["VGG16"] * 2, "column": ["CRF (C)"] * 2, "seeds": 1, "paper": 62.9,
    ...     "testing": "single", "rng_seed": [0, 1], "miou": [60.0, 61.0]})
    >>> print(summary(frame, TABLE2, "demo").to_string(index=False))
    CAM network Seed type paper       demo demo - paper Seeds
          VGG16   CRF (C)  62.9 60.5 ± 0.7         -2.4     1
    """
    lines, several = [], len(set(frame["testing"])) > 1
    for _, cell in frame.groupby(["row", "column", "testing"], sort=False):
        first, miou = cell.iloc[0], pd.Series(cell["miou"])
        lines.append({
            table.row_title: first["row"],
            table.column_title: first["column"],
            **({"Testing": first["testing"]} if several else {}),
            "paper": _or_dash(first["paper"], ".1f"),
            profile: spread(miou),
            f"{profile} - paper": _or_dash(miou.mean() - first["paper"], "+.1f"),
            "Seeds": str(first["seeds"]),
        })  # fmt: skip
    return pd.DataFrame(lines)


def p_value(p: float) -> str:
    """Write a p, which is never zero.

    Examples
    --------
    >>> p_value(0.0412), p_value(0.0007)
    ('0.041', '&lt;0.001')
    """
    return "&lt;0.001" if p < 0.001 else f"{p:.3f}"


def spread(values: pd.Series, write: Callable[[float], str] = "{:.1f}".format) -> str:
    """Mean, written by `write`, ± standard deviation; a single value stands alone.

    Examples
    --------
    >>> spread(pd.Series([60.0, 61.0])), spread(pd.Series([60.0])), spread(pd.Series([0.2]), signed)
    ('60.5 ± 0.7', '60.0', '+0.2')
    """
    return write(values.mean()) + (f" ± {values.std():.1f}" if len(values) > 1 else "")


def signed(value: float) -> str:
    """Write a difference with its sign; what is not known is a dash.

    Examples
    --------
    >>> signed(-1.0), signed(-0.01), signed(float("nan"))
    ('−1.0', '+0.0', '–')
    """
    return _or_dash(value, "+z.1f").replace("-", "−")


def uneven_means(frame: pd.DataFrame) -> str:
    """Say which figures are means over fewer labels than their neighbours; empty if none is.

    VOC's mIoU leaves out a label that an image set does not show, unless it is predicted.

    Examples
    --------
    >>> frame = pd.DataFrame({
    ...     "row": ["T", "C"], "column": "x", "rng_seed": 0, "miou": 50.0,
    ...     "iou cat": [50.0, 50.0], "iou cow": [float("nan"), 50.0]})
    >>> uneven_means(frame)
    "1 of 2 is a mean without 'cow', which no image shows and nothing predicts there: T, x"
    """
    names = [str(name) for name in frame if str(name).startswith("iou ")]
    known = frame[names].notna().to_numpy(bool)
    # What no line has is a label of other data; lines that have none are older records.
    lacking = ~known & known.any(0, keepdims=True) & known.any(1, keepdims=True)
    uneven = np.flatnonzero(lacking.any(1))
    if not uneven.size:
        return ""
    absent = [repr(names[k].removeprefix("iou ")) for k in np.flatnonzero(lacking.any(0))]
    cells = [f"{row}, {column}" for row, column in zip(frame["row"], frame["column"], strict=True)]
    where = dict.fromkeys(cells[k] for k in uneven)
    return (
        f"{uneven.size} of {len(frame)} {'is a mean' if uneven.size == 1 else 'are means'} "
        f"without {', '.join(absent)}, which no image shows and nothing predicts there: "
        f"{'; '.join(where)}"
    )


def _or_dash(value: float, form: str) -> str:
    """Write what is known; the paper has no figure for claim 13's cell."""
    return "–" if isnan(value) else format(value, form)


Format = Literal["text", "csv", "markdown", "latex"]


def render(lines: pd.DataFrame, how: Format) -> str:
    """Write a table of text as plain text, CSV, Markdown or LaTeX.

    In CSV standard deviations, if there are any, have a column of their own, and a dash is an
    empty cell.

    Examples
    --------
    >>> print(render(pd.DataFrame({"paper": ["62.9"], "demo": ["60.5 ± 0.7"]}), "csv"))
    paper,demo,demo sd
    62.9,60.5,0.7
    >>> print(render(pd.DataFrame({"paper": ["62.9"], "demo": ["60.5 ± 0.7"]}), "markdown"))
    | paper   | demo       |
    |:--------|:-----------|
    | 62.9    | 60.5 ± 0.7 |
    """
    if how == "csv":
        return _numbers(lines).to_csv(index=False).rstrip("\n")
    if how == "latex":
        text = lines.map(lambda value: value.replace("±", r"$\pm$"))
        return text.to_latex(index=False, escape=False).rstrip("\n")
    if how == "markdown":
        return lines.to_markdown(index=False, disable_numparse=True)
    return lines.to_string(index=False)


def _numbers(lines: pd.DataFrame) -> pd.DataFrame:
    """Take means and standard deviations apart."""
    columns: dict[str, pd.Series] = {}
    for name in lines:
        parts = lines[name].replace("–", "").str.split(" ± ", expand=True)
        columns[str(name)] = parts[0]
        if 1 in parts:
            columns[f"{name} sd"] = parts[1]
    return pd.DataFrame(columns)
