"""What every page says about itself: where its numbers are from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import pandas as pd
from IPython.display import HTML, Markdown
from pandas.io.formats.style import Styler

from wsss.pages.tables import name_of, plain
from wsss.paper import TABLES
from wsss.pipeline import Pipeline
from wsss.stages import graph
from wsss.stages.records import CLONE

ERRORS = ("missed", "confused", "spilled")
EQUAL = 0.0051  # of recorded numbers there are two decimals
CELL = ["table", "row", "column"]
NOTHING = "No score on photos is recorded yet."


def show_provenance(lab: Pipeline) -> HTML | Markdown:
    """Say where the numbers of a page come from: of all that it asked its lab for so far.

    Returns
    -------
    IPython.display.HTML or Markdown
        Profile, random seeds; seconds of computing (of all that the page rests on, whoever
        computed it), processor, device, commit, torch, day; how many results are recorded ones.
    """
    goals = {stage: lab.store.origin(stage, way).state for stage, way in lab.used.values()}
    here = graph(stage for stage, state in goals.items() if state == "computed")
    made = [lab.store.provenance(stage) for stage in here if lab.store.done(stage)]
    read, name = list(goals.values()).count("recorded"), escape(lab.profile.name)
    folder = lab.records.folder or Path()
    folder = folder.relative_to(CLONE) if folder.is_relative_to(CLONE) else folder
    parts = [
        f"profile <b>{name}</b> ({escape(lab.profile.summary)})",
        f"random seeds {', '.join(map(str, lab.rng_seeds))}",
        f"{read} of {len(goals)} results read from {escape(folder.as_posix())}" if read else "",
        *(_computed(made) if made else []),
    ]
    return HTML(f'<p class="provenance">{" · ".join(filter(None, parts))}</p>')


def agreement(lab: Pipeline) -> pd.DataFrame:
    """Set what was computed here beside what is recorded of the very same trainings.

    Returns
    -------
    pandas.DataFrame
        One line a score of which there is both: ``table``, ``cell``, ``rng_seed``; ``recorded``,
        ``here`` and ``difference`` in mIoU; ``same``, whether every figure that is recorded of it
        came out again (mIoU, IoU of each label, shares of errors, all to two decimals);
        ``processors``, where it was computed and where recorded.
    """
    lines = {}
    for each in lab.asked(*TABLES, "claim13"):
        recorded = lab.records.of(each.stage, each.testing)
        here = lab.store.read(each.stage, each.testing)
        if recorded is None or here is None or here["origin"] != "computed":
            continue
        figures = [n for n in recorded if n in ERRORS or n == "miou" or str(n).startswith("iou ")]
        lines[each.stage.identity] = {
            "table": name_of(each.table),
            "cell": f"{each.cell.row}, {each.cell.column}",
            "rng_seed": each.rng_seed,
            "recorded": recorded["miou"],
            "here": here["miou"],
            "difference": here["miou"] - recorded["miou"],
            "same": all(abs(here[name] - recorded[name]) < EQUAL for name in figures),
            "processors": f"here {here['processor']}, recorded on {recorded['processor']}",
        }
    return pd.DataFrame(list(lines.values()))


def tell_agreement(found: pd.DataFrame) -> str:
    """Say in a sentence how many recomputed scores equal their record, and how far the rest."""
    if found.empty:
        return "Nothing that was computed here is recorded."
    apart = found["difference"].abs().to_numpy()
    equal = apart < EQUAL
    told = (
        f"{equal.sum()} of {len(found)} recomputed scores equal their record to the second "
        f"decimal, {found['same'].sum()} in every figure that is recorded with it"
    )
    if not equal.all():
        rest = apart[~equal]
        told += f"; the other {len(rest)} differ by {rest.mean():.2f} on average, {rest.max():.2f} "
        told += (
            f"at most, and the mean of all differences is {found['difference'].mean():+.2f} mIoU"
        )
    return f"{told} ({'; '.join(sorted(set(found['processors'])))})."


def show_agreement(lab: Pipeline) -> Styler | Markdown:
    """Show `agreement`, one line a score, under the sentence that sums it up."""
    found = agreement(lab)
    if found.empty:
        return Markdown(tell_agreement(found))
    figures = found[["recorded", "here", "difference"]].map("{:z.2f}".format)
    shown = found[["table", "cell", "rng_seed"]].join(figures)
    shown = shown.rename(columns={"rng_seed": "random seed"})
    return plain(shown, "agreement").set_caption(tell_agreement(found))


def recorded_line(lines: pd.DataFrame, images: str) -> HTML | Markdown:
    """Say where recorded numbers come from, as `show_provenance` does of computed ones.

    Parameters
    ----------
    lines : pandas.DataFrame
        With the columns ``rng_seed``, ``identity``, ``seconds``, ``commit`` and ``day``; lines
        without seconds are of no training.
    images : str
        Which images they are of.
    """
    if lines.empty:
        return Markdown(NOTHING)
    trainings = lines.dropna(subset="seconds").drop_duplicates("identity")
    parts = [
        escape(images),
        f"random seeds {', '.join(map(str, sorted(set(lines['rng_seed']))))}",
        f"{trainings['seconds'].sum():.0f} s of training segmenters",
        f"commit {_distinct(lines['commit'])}",
        _days(trainings["day"]),
    ]
    return HTML(f'<p class="provenance">{" · ".join(parts)}</p>')


def show_missing_cells(scores: pd.DataFrame) -> Markdown:
    """Say what of the paper's 42 cells is there, and name the cells that are not."""
    in_tables = scores[scores["table"].isin(list(TABLES))]
    seen = in_tables.groupby(CELL)["rng_seed"].nunique()
    absent = [
        f"{name_of(table)}: {cell.row}, {cell.column}"
        for table in TABLES.values()
        for cell in table.cells
        if (table.name, cell.row, cell.column) not in seen.index
    ]
    if scores.empty:
        return Markdown(NOTHING)
    total = sum(len(table.cells) for table in TABLES.values())
    counts = sorted(set(seen)) or [0]
    least, most = counts[0], counts[-1]
    seeds = f"{most}" if least == most else f"{least} to {most}"
    noun = "random seed" if most == 1 else "random seeds"
    text = f"{total - len(absent)} of {total} cells are recorded, with {seeds} {noun} each."
    return Markdown(text + (f" Still missing: {'; '.join(absent)}." if absent else ""))


def show_origins(scores: pd.DataFrame) -> Styler | Markdown:
    """Show where scores come from: machine, commit, day, hours, memory."""
    if scores.empty:
        return Markdown(NOTHING)
    trainings = scores.drop_duplicates("identity")  # a recipe stands in several tables
    made = ["commit", "day", "processor", "torch"]
    lines = [
        dict(zip(made, map(str, key), strict=True))  # pyright: ignore[reportArgumentType]
        | {"trainings": str(len(each))}
        | {"hours of training": f"{each['seconds'].sum() / 3600:.1f}"}
        | {"peak memory": f"{each['process_peak_memory_mb'].max() / 1000:.1f} GB"}
        for key, each in trainings.groupby(made)
    ]
    return plain(pd.DataFrame(lines), "origins")


def _computed(records: Sequence[dict]) -> list[str]:
    """Say what computing took, and where it was."""
    networks = _distinct(r["arithmetic"] for r in records if r.get("arithmetic"))
    return [
        f"{sum(record['seconds'] for record in records):.0f} s of computing on "
        f"{_distinct(r['processor'] for r in records)}, {_distinct(r['device'] for r in records)}",
        f"networks in {networks}" if networks else "",
        f"commit {_distinct(r['commit'] for r in records)}",
        f"torch {_distinct(r['packages']['torch'] for r in records)}",
        _days(r["started"][:10] for r in records),
    ]


def _distinct(values: Iterable[str]) -> str:
    return escape(", ".join(sorted(set(values))))


def _days(days: Iterable[str]) -> str:
    """First and last day.

    Examples
    --------
    >>> _days(["2026-11-24", "2026-11-23"]), _days([])
    ('2026-11-23 to 2026-11-24', '')
    """
    known = sorted(set(days))
    return " to ".join(dict.fromkeys([known[0], known[-1]])) if known else ""
