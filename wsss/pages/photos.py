"""What ``results/`` holds of real photos, on pages that are built without any photo."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pandas.io.formats.style import Styler
from scipy import stats

from wsss.errors import InputError
from wsss.pages.provenance import CELL, NOTHING
from wsss.pages.style import SMALL, WIDTH, tidy
from wsss.pages.tables import name_of, plain
from wsss.pages.text import signed, spread
from wsss.seeds import SEED_TYPES
from wsss.stages import Records

TWELVE = ("table5", "12: types x scales x networks", "With WST")
CLEAN = ("table1", "0 (ground truth)", "One label")
STRONGER = ("table7", "claim13")  # of another segmenter: their scores compare with no others


def sum_up(recorded: pd.DataFrame) -> Markdown:
    """Set twelve seeds with WST against the best single seed, the best fewer and masks (Sec. 5.4).

    Best is the cell with the largest mean among those recorded with all the random seeds that the
    twelve have.
    """
    if recorded.empty or (twelve := _scores(recorded, TWELVE)).empty:
        return Markdown(NOTHING)
    clean, numbers = _scores(recorded, CLEAN), list(twelve.index)
    cells = {
        tuple(str(line[name]) for name in CELL): int(line["seeds"])
        for line in recorded.drop_duplicates(CELL).to_dict("records")
        if line["table"] not in (CLEAN[0], *STRONGER)
    }
    lines = [f"Twelve seeds with WST reach **{spread(twelve)}**."]
    for title, counts in (("single seed", {1}), ("fewer seeds", set(range(2, 12)))):
        found = {
            cell: _scores(recorded, cell).reindex(numbers)
            for cell, count in cells.items()
            if count in counts
        }
        full = {cell: scores for cell, scores in found.items() if scores.notna().all()}
        if not full:
            continue
        best = max(full, key=lambda cell: float(full[cell].mean()))
        ahead = twelve - full[best]
        lines.append(
            f"The best {title} recorded ({_title(best)}): "
            f"{spread(full[best])}; twelve are ahead by **{spread(ahead, signed)}** within a "
            f"random seed, in {sum(ahead > 0)} of {len(ahead)}."
        )
    if len(share := (twelve / clean).dropna()):
        lines.append(
            f"True masks of the same photos teach {spread(clean)}, so twelve seeds reach "
            f"**{100 * share.mean():.1f} %** of that; in the paper it is 64.6 / 72.1 = 89.6 %."
        )
    return Markdown("\n".join(f"- {line}" for line in lines))


def by_class(recorded: pd.DataFrame) -> Styler | Markdown:
    """Show the IoU of every label in percent, each recipe once, means over random seeds.

    The share is that of the fully supervised row, over the random seeds of both; a dash stands
    where the segmenter is another one.
    """
    if recorded.empty:
        return Markdown(NOTHING)
    labels = [name for name in recorded.columns if name.startswith("iou ")]
    first = recorded.drop_duplicates(["identity", "testing"])
    clean = _scores(first, CLEAN)
    lines = []
    for key, each in first.groupby(CELL, sort=False):
        of = clean[:0] if key[0] in STRONGER else clean  # pyright: ignore
        lines.append(
            {"trained on": _title(key)}  # pyright: ignore
            | {"mIoU": spread(pd.Series(each["miou"]))}
            | {"share of clean": _share(_scores(each, key), of)}  # pyright: ignore
            | {name.removeprefix("iou "): f"{each[name].mean():.1f}" for name in labels}
        )
    narrow = [  # ten columns beside long names: as wide as the page, and a line each
        {"selector": "", "props": "font-size: 0.72em"},
        {"selector": "td, th", "props": "padding: 0.3em"},
        {"selector": "td", "props": "white-space: nowrap"},
    ]
    shown = plain(pd.DataFrame(lines), "by_class")
    return shown.set_table_styles(narrow, overwrite=False)  # pyright: ignore[reportArgumentType]


def show_errors(recorded: pd.DataFrame) -> Styler | Markdown:
    """Show what kind of errors each recipe's segmenters make: see `wsss.metrics.error_shares`."""
    if recorded.empty:
        return Markdown(NOTHING)
    kinds = ["missed", "confused", "spilled"]
    first = recorded.drop_duplicates(["identity", "testing"])
    means = pd.DataFrame(first.groupby(CELL, sort=False)[kinds].mean())
    return plain(_titled(means), "errors")


def show_sizes(folder: Path) -> Styler | Markdown:
    """Show ``study.csv`` of a results folder, as ``scripts/study_photos.py`` writes it."""
    columns = ["images", "crop", "epochs", "steps", "miou", "seconds"]
    lines = pd.DataFrame(Records(folder).table("study.csv", columns)[columns])
    if lines.empty:
        return Markdown(NOTHING)
    seconds = pd.Series(pd.to_numeric(lines["seconds"], errors="coerce"))
    lines["seconds"] = seconds.map("{:.0f}".format)
    return plain(lines.astype(str).rename(columns={"miou": "mIoU"}), "sizes")


def show_longer(folder: Path, recorded: pd.DataFrame) -> Styler | Markdown:
    """Show ``longer.csv`` of a results folder, as ``scripts/study_longer.py`` writes it.

    Parameters
    ----------
    folder : Path
        The results folder.
    recorded : pandas.DataFrame
        As `wsss.pipeline.Pipeline.scores` returns: the same cells trained as the tables have them.

    Returns
    -------
    pandas.io.formats.style.Styler or IPython.display.Markdown
        One line a cell, over the random seeds of both: mIoU as in the tables, after the longer
        training, the difference, and the share of true masks before and after.

    Raises
    ------
    InputError
        If the trainings are not all so many times as long.
    """
    keys = [*CELL, "rng_seed"]
    longer = Records(folder).table("longer.csv", [*keys, "miou", "times"])
    if longer.empty or recorded.empty:
        return Markdown(NOTHING)
    if len(set(longer["times"])) > 1:
        raise InputError(f"{folder / 'longer.csv'}: `times` differs; keep trainings of one length")
    text = dict.fromkeys(keys, str)  # an odd line fits none
    short = recorded[[*keys, "miou"]].astype(text)
    both = longer.astype(text).merge(short, on=keys, suffixes=("", " short"))
    before = both.assign(miou=both["miou short"])
    if (masks := _scores(before, CLEAN)).empty:
        return Markdown(NOTHING)
    lines = []
    for cell in both[CELL].drop_duplicates().itertuples(index=False, name=None):
        usual, long = _scores(before, cell), _scores(both, cell)
        lines.append({
            "trained on": _title(cell),
            "as in the tables": spread(usual),
            f"{both['times'].iloc[0]} x as long": spread(long),
            "difference": spread(long - usual, signed),
            "share of clean": _share(usual, masks),
            "share after": _share(long, _scores(both, CLEAN)),
        })  # fmt: skip
    return plain(pd.DataFrame(lines), "longer")


def join_segmenters(seeds: pd.DataFrame, recorded: pd.DataFrame) -> pd.DataFrame:
    """Put the quality of single seeds beside the mIoU of the segmenters trained on them.

    Parameters
    ----------
    seeds : pandas.DataFrame
        ``seeds.csv``, see `wsss.stages.Records`.
    recorded : pandas.DataFrame
        As `wsss.pipeline.Pipeline.scores` returns.

    Returns
    -------
    pandas.DataFrame
        The lines of `seeds` whose segmenter is recorded, each seed once, with its mIoU in percent
        as ``segmenter``; empty if there is none.
    """
    if seeds.empty or recorded.empty:
        return pd.DataFrame()
    trained = recorded[[*CELL, "rng_seed"]].assign(segmenter=recorded["miou"])
    return seeds.merge(trained, on=[*CELL, "rng_seed"]).drop_duplicates("identity")


def seeds_and_segmenters(lines: pd.DataFrame) -> Styler | Markdown:
    """Show how good seeds are beside how well they teach.

    Parameters
    ----------
    lines : pandas.DataFrame
        As `join_segmenters` returns.

    Returns
    -------
    pandas.io.formats.style.Styler or IPython.display.Markdown
        One line a kind of seed, the best segmenter first; means over random seeds.
    """
    if lines.empty:
        return Markdown(NOTHING)
    figures = ["segmenter", "mIoU", "precision", "recall", "missed", "unknown"]
    means = pd.DataFrame(lines.groupby(CELL)[figures].mean())
    means = means.sort_values("segmenter", ascending=False)
    return plain(_titled(means), "seeds_and_segmenters")


def _title(cell: tuple[str, ...]) -> str:
    """Name a cell as people do.

    Examples
    --------
    >>> _title(("table2", "VGG16", "CRF (C)"))
    'Table 2: VGG16, CRF (C)'
    """
    table, row, column = cell
    return f"{name_of(table)}: {row}, {column}"


def _titled(means: pd.DataFrame) -> pd.DataFrame:
    """Write means by cell with one decimal, the name of the cell in front."""
    lines = pd.DataFrame(means.map("{:.1f}".format))
    lines.insert(0, "trained on", [_title(cell) for cell in means.index])
    return lines


def _scores(recorded: pd.DataFrame, key: tuple[str, ...]) -> pd.Series:
    """MIoU by random seed of one cell."""
    of_cell = (recorded[CELL] == list(key)).all(axis=1)
    return pd.Series(recorded[of_cell].set_index("rng_seed")["miou"])


def _share(scores: pd.Series, clean: pd.Series) -> str:
    """Mean share of what true masks teach, over the random seeds of both."""
    shares = (100 * scores / clean).dropna()
    return f"{shares.mean():.1f} %" if len(shares) else "–"


QUALITIES = {
    "mIoU": "mIoU of the seeds",
    "precision": "precision of their foreground",
    "missed": "foreground called background",
    "unknown": "pixels left unknown",
}


def figure_teaching(lines: pd.DataFrame) -> Figure | None:
    """Draw the mIoU of segmenters over four qualities of the seeds that taught them.

    Parameters
    ----------
    lines : pandas.DataFrame
        One line a seed: ``row``, ``column``, ``segmenter`` and the keys of `QUALITIES`, all in
        percent.

    Returns
    -------
    matplotlib.figure.Figure or None
        One dot a seed; above each panel Spearman's rank correlation. None without any line.
    """
    if lines.empty:
        return None
    figure, axes = plt.subplots(
        2, 2, figsize=(WIDTH, 5.4), dpi=160, facecolor="white", layout="constrained"
    )
    plt.close(figure)
    names = (lines["row"] + lines["column"]).str.lower()
    kinds = {each: names.str.contains(each.title.lower()) for each in SEED_TYPES.values()}
    for ax, (key, xlabel) in zip(axes.flat, QUALITIES.items(), strict=True):
        for kind, chosen in kinds.items():
            here, style = lines[chosen], {"s": 26, "color": kind.colour}
            ax.scatter(here[key], here["segmenter"], edgecolor="white", lw=0.5, **style)
        tidy(ax, _ranks(lines[[key, "segmenter"]].to_numpy()), f"{xlabel} (%)")
        ax.set_ylabel("segmenter (mIoU)", fontsize=SMALL)
    handles = [
        Line2D([], [], color=kind.colour, marker="o", linestyle="", label=f"{kind.title} seeds")
        for kind in kinds
    ]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=SMALL
    )
    return figure


def _ranks(pairs: np.ndarray) -> str:
    """Spearman's correlation of two columns, in words; equal values have no order."""
    if (np.ptp(pairs, axis=0) == 0).any():
        return "no rank correlation"
    rank, _ = stats.spearmanr(pairs)
    return f"rank correlation {rank:+.2f}".replace("-", "−")
