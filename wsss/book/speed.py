"""The tables of the page on speed, from what the benchmarks wrote (not in the paper)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import groupby

Line = dict[str, str]
TITLES = {"cams": "CAMs", "crf": "CRF"}


def speed_tables(lines: list[Line]) -> str:
    """One part as Markdown: what was compared and where, the ratios, how the cost grows.

    Examples
    --------
    >>> quantity("0.0123", "s"), quantity("652.46", "s"), quantity("35.29", "MB"), quantity("", "s")
    ('12.3 ms', '652 s', '35.3 MB', '')
    """
    first = lines[0]
    compared = f"*Usual*: {first['way_usual']}. " if first["way_usual"] else ""
    text = [
        f"## {TITLES.get(first['part'], first['part'].capitalize())}\n\n",
        f"{compared}*Ours*: {first['way_ours']}.\n\n",
        f"{first['processor']}, threads: {first['threads']}, load {_round(first['load'])}; ",
        f"copies {_round(first['copy_bytes_per_s'], 1e9)} GB/s, multiplies matrices at ",
        f"{_round(first['matmul_flops_per_s'], 1e9)} GFLOP/s; Python {first['python']}, ",
        f"torch {first['torch']}, numpy {first['numpy']}; commit {first['commit']}, ",
        f"{first['day']}; `python benchmarks/{first['part']}.py`\n\n",
    ]
    fixed = [line for line in lines if not line["grows"]]
    if fixed:
        text += _table("case", ((line["case"], line) for line in fixed))
    growing = (line for line in lines if line["grows"])
    for (case, grows), group in groupby(growing, key=lambda line: (line["case"], line["grows"])):
        text.append(f"{case}:\n\n")
        text += _table(grows, ((_round(line["at"]), line) for line in group))
    return "".join(text)


def quantity(cell: str, unit: str) -> str:
    """Time (below ten seconds in milliseconds) or memory in three digits; nothing if empty."""
    if not cell:
        return ""
    short = unit == "s" and float(cell) < 10
    return f"{_round(cell, 1e-3)} ms" if short else f"{_round(cell)} {unit}"


def _table(heading: str, rows: Iterable[tuple[str, Line]]) -> list[str]:
    """Lines of a table, without the columns that hold nothing."""
    head = [heading, "usual", "ours", "usual ÷ ours", "quartiles", "limit", "ours ÷ limit"]
    table = []
    for name, line in rows:
        ours, limit = line["ours"], line["limit"]
        usual, ours_shown, limit_shown = (
            quantity(line[column], line["unit"]) for column in ("usual", "ours", "limit")
        )
        spread = f"{_round(line['low'])} – {_round(line['high'])}" if line["low"] else ""
        above = _round(str(float(ours) / float(limit))) if limit else ""
        table.append([name, usual, ours_shown, _round(line["ratio"]), spread, limit_shown, above])
    kept = [n for n in range(len(head)) if any(cells[n] for cells in table)]
    lines = [head, [":--", *["--:"] * (len(head) - 1)], *table]
    return [*(f"| {' | '.join(cells[n] for n in kept)} |\n" for cells in lines), "\n"]


def _round(cell: str, unit: float = 1) -> str:
    """Three digits, without an exponent; nothing for an empty cell."""
    if not cell:
        return ""
    value = float(cell) / unit
    digits = 0 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
