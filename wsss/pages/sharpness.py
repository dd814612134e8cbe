"""How sharp the weights of Eq. 6 should be, read from what is recorded (not in the paper)."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler
from scipy import stats

from wsss.pages.style import BLUE, GREY, ORANGE, SMALL, WIDTH, tidy
from wsss.pages.tables import plain
from wsss.pages.text import p_value, signed, spread
from wsss.pages.verdict import compare, holm, t_interval
from wsss.paper import Claim, Comparison, Recipe, get_table
from wsss.pipeline import Pipeline

TABLE = get_table("sharpness")
ROWS = {cell.row: cell.row.partition(":")[0] for cell in TABLE.cells}
SHARPNESS = list(dict.fromkeys(cell.column for cell in TABLE.cells))
RECIPES = {(cell.row, cell.column): cell.recipe for cell in TABLE.cells}
NOTHING = "No score is recorded yet."


def _questions() -> tuple[Claim, ...]:
    """Two questions for each number of seeds, judged as the paper's claims are."""
    found = []
    for text, than, others in (
        ("some sharpness beats none (s = 0)", "0", SHARPNESS[1:]),
        ("sharper is better than the paper's s = 1", "1", SHARPNESS[3:]),
    ):
        for row, count in ROWS.items():
            pairs = tuple(
                Comparison(
                    f"{count} seeds: s = {s} - s = {than}",
                    (RECIPES[row, s],),
                    (RECIPES[row, than],),
                )
                for s in others
            )
            number = len(found) + 1
            found.append(Claim(number, f"With {count} seeds {text}.", "Eq. 6", "gain", pairs))
    return tuple(found)


QUESTIONS = _questions()


def by_sharpness(scores: pd.DataFrame, row: str, figure: str = "miou") -> pd.DataFrame:
    """One line a random seed, one column a sharpness: those random seeds that have the most."""
    table = scores[scores["row"] == row].pivot(index="rng_seed", columns="column", values=figure)
    table = table.reindex(columns=[s for s in SHARPNESS if s in table.columns])
    counts = table.notna().sum(axis=1)
    return pd.DataFrame(table[counts == counts.max()].dropna(axis=1))


def whole(scores: pd.DataFrame) -> list[int]:
    """List the random seeds of which every cell of the table is there.

    Examples
    --------
    >>> whole(pd.DataFrame({"rng_seed": [0] * 18 + [1] * 6}))
    [0]
    """
    counts = Counter(map(int, scores["rng_seed"]))
    return [rng_seed for rng_seed, count in sorted(counts.items()) if count == len(TABLE.cells)]


def answer(labs: Sequence[tuple[str, pd.DataFrame]]) -> Markdown:
    """Say in a sentence which s has the largest mean, and what it gains over the paper's s = 1."""
    told = []
    for name, tables in _shown(labs):
        means = {ROWS[row]: table.mean() for row, table in tables.items() if "1" in table}
        best = ", ".join(f"{mean.idxmax()} with {count} seeds" for count, mean in means.items())
        gains = [mean.max() - mean["1"] for mean in means.values()]
        many = max(len(table) for table in tables.values())
        told.append(
            f"On {name} ({many} random seeds) it is {best}, over the paper's s = 1 a gain of "
            f"{min(gains):.1f} to {max(gains):.1f} mIoU."
        )
    answered = f"**Which s has the largest mean? {' '.join(told)}**"
    return Markdown(
        f"{answered} The lists below say which others are as good." if told else NOTHING
    )


def tell_sharpness(scores: pd.DataFrame) -> Markdown:
    """Say for each number of seeds which s is best, by how much, and which are as good."""
    lines = []
    for row, count in ROWS.items():
        table = by_sharpness(scores, row)
        if table.empty or "1" not in table or "0" not in table:
            continue
        best = str(table.mean().idxmax())
        score = spread(pd.Series(table[best]))
        line = f"**{count} seeds**: the largest mean is that of s = {best}, {score}"
        for s, name in (("1", "the paper's s = 1"), ("0", "no weights")):
            if s != best:
                line += f"; {spread(pd.Series(table[best] - table[s]), signed)} over {name}"
        rest = as_good(table, best)
        if rest and len(table) > 1:
            line += f"; not clearly behind: s = {', '.join(rest)}"
        lines.append(f"- {line} ({len(table)} random seeds, s = {', '.join(table)}).")
    return Markdown("\n".join(lines) or NOTHING)


def as_good(table: pd.DataFrame, best: str) -> list[str]:
    """List the sharpnesses that paired t tests do not tell from the best, Holm among them.

    The best was picked by looking, so a test against it speaks a little too often.
    """
    others = [str(s) for s in table if s != best]
    if len(table) < 2 or not others:
        return others
    ahead = table[[best]].to_numpy() - table[others].to_numpy()
    verdicts = compare(ahead.mean(0), ahead.std(0, ddof=1), len(ahead), (0, np.inf))[1]
    return [s for s, verdict in zip(others, verdicts, strict=True) if verdict != "supported"]


def show_scores(scores: pd.DataFrame, figure: str = "miou") -> Styler | Markdown:
    """Show one figure of the segmenters for each number of seeds and s, mean ± sd."""
    lines = []
    for row in ROWS:
        table = by_sharpness(scores, row, figure)
        if len(table):
            cells = {f"s = {s}": spread(pd.Series(table[s])) for s in table}
            lines.append({"seeds": row, **cells, "random seeds": str(len(table))})
    if not lines:
        return Markdown(NOTHING)
    return plain(pd.DataFrame(lines).fillna("–"), f"sharpness-{figure}")


def figure_sharpness(labs: Sequence[tuple[str, pd.DataFrame]]) -> Figure | None:
    """Draw what weights bring over none, against s: one row a data set, one column a seed count.

    Parameters
    ----------
    labs : sequence of (str, DataFrame)
        What the images are called, and their scores. Images of which only s = 0 and 1 are recorded
        are left out.

    Returns
    -------
    matplotlib.figure.Figure or None
        A thin line a random seed, the mean with its 95 % t interval, the paper's s marked. None if
        there is nothing to draw.
    """
    shown = _shown(labs)
    if not shown:
        return None
    figure, axes = plt.subplots(
        len(shown), len(ROWS), figsize=(1.2 * WIDTH, 2.9 * len(shown)), sharex=True, sharey="row",
        squeeze=False, dpi=160, facecolor="white", layout="constrained",
    )  # fmt: skip
    for (name, tables), row_of_axes in zip(shown, axes, strict=True):
        for (row, table), ax in zip(tables.items(), row_of_axes, strict=True):
            tidy(ax, f"{name}, {ROWS[row]} seeds", "s of Eq. 6")
            _draw(ax, table)
        row_of_axes[0].set_ylabel("mIoU over no weights (s = 0)", fontsize=SMALL)
    plt.close(figure)
    return figure


def slide_sharpness(labs: Sequence[tuple[str, pd.DataFrame]]) -> HTML | Markdown:
    """Let a reader move s over the picture of `figure_sharpness` and say what each s brought.

    Nothing is loaded and nothing computed: all is in the page, and the slider chooses what shows.
    """
    shown, figure = _shown(labs), figure_sharpness(labs)
    if figure is None:
        return Markdown(NOTHING)
    steps = range(1, len(SHARPNESS))
    for panel, ax in enumerate(figure.axes):
        for n in steps:
            ax.axvspan(n - 0.3, n + 0.3, color=ORANGE, alpha=0.25, lw=0, gid=f"sharp-{n}-{panel}")
    file = io.StringIO()
    nothing = dict.fromkeys(["Creator", "Date", "Format", "Type"])
    with plt.rc_context({"svg.hashsalt": "sharpness"}):  # the same bytes for the same picture
        figure.savefig(file, format="svg", metadata=nothing)
    drawn = file.getvalue()
    told = "".join(
        f'<div id="sharp-{n}"><b>s = {SHARPNESS[n]}</b> over s = 0, mean [95 % interval]:'
        + "".join(f"<br>{name}, {_tell_gains(tables, SHARPNESS[n])}" for name, tables in shown)
        + "</div>"
        for n in steps
    )
    chosen = ",".join(
        f'.steps[data-at="{n}"] :is([id="sharp-{n}"],[id^="sharp-{n}-"])' for n in steps
    )
    start = SHARPNESS.index("1")
    return HTML(
        f'<figure class="steps" data-at="{start}" style="margin:1rem 0"><style>'
        '.steps svg{width:100%;height:auto}.steps [id^="sharp-"]{display:none}'
        f"{chosen}{{display:revert}}</style>"
        '<svg role="img" aria-label="what each s brings, which is told below" '
        f"{drawn[drawn.index('<svg') + 4 :]}"
        f'<label>s of Eq. 6 <input type="range" min="1" max="{steps[-1]}" value="{start}" '
        'autocomplete="off" style="width:min(20rem,60vw);vertical-align:middle" '
        f'aria-valuetext="{SHARPNESS[start]}" oninput="'
        f"this.setAttribute('aria-valuetext', {SHARPNESS}[this.value]); "
        "this.closest('figure').dataset.at = this.value\"></label>"
        f'<figcaption aria-live="polite" style="text-align:left">{told}</figcaption></figure>'
    )


def _tell_gains(tables: dict[str, pd.DataFrame], s: str) -> str:
    """Say what one s brought over none, for each number of seeds."""
    told = []
    for row, table in tables.items():
        if {"0", s} <= set(table):
            gain = (table[s] - table["0"]).to_numpy()
            low, high = map(signed, t_interval(gain))
            told.append(
                f"{ROWS[row]} seeds {signed(gain.mean())} [{low}, {high}] "
                f"(of {len(gain)} random seeds {(gain > 0).sum()} gain)"
            )
    return "; ".join(told) or "–"


def _shown(labs: Sequence[tuple[str, pd.DataFrame]]) -> list[tuple[str, dict[str, pd.DataFrame]]]:
    """Tables by number of seeds, of images of which more than s = 0 and 1 is recorded."""
    named = [(name, {row: by_sharpness(scores, row) for row in ROWS}) for name, scores in labs]
    return [
        (name, tables)
        for name, tables in named
        if any({"0", "1"} < set(table) for table in tables.values())
    ]


def _draw(ax: Axes, table: pd.DataFrame) -> None:
    ax.set_xticks(range(len(SHARPNESS)), SHARPNESS)
    ax.axhline(0, color=GREY, lw=1)
    ax.axvline(SHARPNESS.index("1"), color=ORANGE, lw=1, ls=(0, (2, 2)))
    if "0" not in table:
        return
    gains = table.sub(table["0"], axis=0).drop(columns="0")
    places = [SHARPNESS.index(str(s)) for s in gains]
    ax.plot(places, gains.to_numpy().T, color=GREY, lw=0.6, alpha=0.5)
    means = gains.mean().to_numpy()
    reaches = [np.subtract(t_interval(gains[s].to_numpy())[1], gains[s].mean()) for s in gains]
    ax.errorbar(places, means, np.nan_to_num(reaches), color=BLUE, lw=2, marker="o", ms=5)


def show_noise(lab: Pipeline, scores: pd.DataFrame) -> Styler | Markdown:
    """Ask whether sharper weights bring more where the seeds are better or worse.

    Over random seeds, whose classifiers make better and worse seeds: the rank correlation
    (Spearman) of a quality of the seeds, averaged over those of a training, with the gain of the
    largest s over none. P is corrected by Holm over the whole table.
    """
    qualities = {"mIoU": "mIoU", "precision": "precision", "missed": "foreground missed"}
    found = []
    for row, count in ROWS.items():
        table = by_sharpness(scores, row)
        if len(table) < 4 or len(table.columns) < 3:
            continue
        sharpest, recipe = str(list(table)[-1]), RECIPES[row, "1"]
        gain = (table[sharpest] - table["0"]).to_numpy()
        means = pd.DataFrame(
            [_quality(lab, recipe, int(rng_seed), list(qualities)) for rng_seed in table.index]
        )
        for name, title in qualities.items():
            if np.isfinite(means[name].to_numpy(float)).all():
                rank, p = stats.spearmanr(means[name], gain)
                found.append((count, sharpest, title, means[name].mean(), rank, p))
    if not found:
        return Markdown("Too few random seeds are recorded to ask this.")
    corrected = holm(np.array([each[-1] for each in found]))
    return plain(
        pd.DataFrame(
            {
                "seeds": count,
                "their": title,
                "mean": f"{mean:.1f} %",
                f"gain of s = {sharpest} over 0: rank correlation": f"{rank:+.2f}",
                "p (Holm)": p_value(corrected),
            }
            for (count, sharpest, title, mean, rank, _), corrected in zip(
                found, corrected, strict=True
            )
        ),
        "noise",
    )


def _quality(lab: Pipeline, recipe: object, rng_seed: int, names: list[str]) -> pd.Series:
    """Mean qualities of the seeds of a training, NaN if one is not recorded."""
    assert isinstance(recipe, Recipe)
    scores = map(lab.label_score, lab.labels(recipe, rng_seed))
    lines = [lab.records.of(each) or {} for each in scores]
    return pd.DataFrame(lines, columns=names).mean(skipna=False)
