"""Numbers that prose quotes are those of the records, so that a stale one is found."""

import json
import re
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wsss import Lab
from wsss.models.weights import WEIGHTS
from wsss.pages.claims import ClaimResult, judge_claims, judged, median_spread
from wsss.pages.photos import CLEAN, TWELVE
from wsss.pages.sharpness import ROWS as SHARP_ROWS
from wsss.pages.sharpness import by_sharpness
from wsss.pages.text import render, spread
from wsss.pages.verdict import reach
from wsss.paper import BOUNDS, CLAIMS, EVERYTHING, TABLES, get_table
from wsss.paper.claims import NAUGHT
from wsss.plan import COSTS, counts, kind_of
from wsss.plan.budget import IN_RUNS, LEARNT
from wsss.stages import Stage, graph

ROOT = Path(__file__).resolve().parents[2]
ROWS = {  # of README's table: the cell that each shows
    "threshold seed (T)": ("table2", "VGG16", "Threshold (T)"),
    "CRF seed (C)": ("table2", "VGG16", "CRF (C)"),
    "both (T + C)": ("table2", "VGG16", "Both (T + C)"),
    "twelve seeds with WST": ("table5", "12: types x scales x networks", "With WST"),
    "*true masks*": ("table1", "0 (ground truth)", "One label"),
}
COUNTS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
WORDS = dict(enumerate(COUNTS)) | {14: "fourteen", 20: "twenty", 30: "thirty"}


@cache
def csv(name: str) -> pd.DataFrame:
    return pd.read_csv(ROOT / "results" / name)


def cell_of(profile: str, key: tuple[str, ...], figure: str = "miou") -> pd.Series:
    """Figure of a recorded cell by random seed, as the profile tests its segmenters."""
    scores = csv(f"{profile}/scores.csv")
    found = scores[(scores[["table", "row", "column"]] == list(key)).all(axis=1)]
    assert found["rng_seed"].duplicated().sum() == 0
    return pd.Series(found.set_index("rng_seed")[figure])


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
    told = re.search(r"narrow ResNet38; (\w+) random seeds", (ROOT / "README.md").read_text())
    counts = {len(cell_of("demo", key)) for key in ROWS.values()}
    assert told
    assert {told[1]} == {WORDS.get(count, str(count)) for count in counts}


def test_the_page_on_tables_shows_how_intervals_shrink() -> None:
    """With the median spread of the paired differences that are recorded."""
    spreads = {profile: median_spread(claims(profile)) for profile in ("demo", "photo")}
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


def prose(page: str) -> str:
    """What people read of a page, white space aside: no code, and no HTML of a picture."""
    text = (ROOT / page).read_text(encoding="utf-8")
    if page.endswith(".ipynb"):
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return " ".join(re.sub(r"^```.*?^```|^<.*?>$", "", text, flags=re.M | re.S).split())


def number(value: float) -> str:
    """Write a figure as prose does."""
    return f"{round(value, 1) + 0.0:.1f}".replace("-", "−")


def pm(values: pd.Series) -> str:
    """Mean and standard deviation as prose writes them."""
    return spread(values).replace("-0.0 ", "0.0 ").replace("-", "−")


def lab(profile: str, *rng_seeds: int) -> Lab:
    """Of records alone: nothing is computed, and no run folder is there."""
    return Lab(profile, rng_seeds=rng_seeds or None, compute="none", runs=ROOT / "no-runs")


@cache
def claims(profile: str) -> list[ClaimResult]:
    return judge_claims(lab(profile))


def difference(claim: int, name: str) -> pd.Series:
    """Recorded differences of photos: of the comparison of a claim whose name opens so."""
    lines = claims("photo")[claim - 1].differences
    (found,) = [line for line in lines.index if line.lower().startswith(name.lower())]
    return lines.loc[found]


def count(claim: int, verdict: str) -> str:
    """How many comparisons of photos have a verdict, as prose says it."""
    judgement = claims("photo")[claim - 1].judgement
    assert judgement
    verdicts = [found.verdict for found in judgement.findings]
    return f"{COUNTS[verdicts.count(verdict)]} of {COUNTS[len(verdicts)]}"


def of_photos(*key: str, figure: str = "miou") -> pd.Series:
    return cell_of("photo", key, figure)


def minutes(lab: Lab, stages: list[Stage]) -> float:
    """What stages and their inputs take two cores, as `wsss plan` estimates it."""
    costs = pd.read_csv(COSTS).query("profile == @lab.profile.name").set_index("kind")["seconds"]
    return sum(costs[kind_of(each)] for each in graph(stages)) / 60 / 2


def of_readme() -> list[str]:
    makefile, one = (ROOT / "Makefile").read_text(), lab("demo", 0)
    (room,) = re.findall(r"^DISK := (\d+)", makefile, flags=re.M)
    scores = [each.stage for each in one.asked(*TABLES, "claim13")]
    demo = minutes(one, [*scores, one.trace(EVERYTHING, 0)])
    photo = minutes(lab("photo"), [each.stage for each in lab("photo").asked(*TABLES)])
    weights = sum(WEIGHTS[name].size or 0 for name in ("vgg16", "resnet38", "resnet101"))
    assert f"(about 2 minutes and {int(room) / 1e3:.0f} GB the first time)" in makefile
    return [
        f"some two minutes and {int(room) / 1e3:.0f} GB on the installation",
        f"2 CPU cores, one random seed in some {demo:.0f} minutes",
        f"{LEARNT:,} VOC 2012 photos of six classes",
        f"2 CPU cores, all tables with {WORDS[len(of_photos(*TWELVE))]} random seeds in some "
        f"{photo / 60:.0f} hours",
        f"some {weights / 1e9:.1f} GB of ImageNet weights",
        f"{WORDS[len(TABLES)]} tables, the figures and {WORDS[len(CLAIMS)]} claims",
        f"on {LEARNT:,} VOC photos of six classes (the profile `photo` below, "
        f"{WORDS[len(of_photos(*TWELVE))]} random seeds): "
        f"T alone {pm(of_photos(*ROWS['threshold seed (T)']))} mIoU, C alone "
        f"{pm(of_photos(*ROWS['CRF seed (C)']))}, all twelve {pm(of_photos(*TWELVE))}.",
        f"EfficientNet's T and C reach {pm(of_photos('table2', 'RES38', 'Both (T + C)'))}.",
    ]


def of_own_pictures() -> list[str]:
    t, c = (of_photos(*ROWS[name]) for name in ("threshold seed (T)", "CRF seed (C)"))
    return [
        f"recorded with {WORDS[len(t)]} random seeds: from {LEARNT:,} photos of six classes "
        f"a threshold seed alone teaches {pm(t)} mIoU, a CRF seed alone {pm(c)}, all twelve "
        f"{pm(of_photos(*TWELVE))}, and true masks {pm(of_photos(*CLEAN))}."
    ]


def of_records() -> list[str]:
    return [f"every cell with {WORDS[len(of_photos(*TWELVE))]} random seeds"]


def of_changelog() -> list[str]:
    return [f"in `results/photo`, {WORDS[len(of_photos(*TWELVE))]} random seeds a cell"]


def of_recipe() -> list[str]:
    """Of this book's own scenes: those of the choice are not recorded, as the page says."""
    two = cell_of("demo", ("table1", "0.3", "Two labels"))
    assert two.idxmin() == 2
    others, all_seeds = two.drop(2), lab("demo").rng_seeds
    kept = lab("demo", *(n for n in all_seeds if n not in (10, 11, 12)))
    assert [e.verdict for e in judge_claims(kept)] == [e.verdict for e in claims("demo")]
    first = judged(CLAIMS[0], claims("demo")[0].differences.drop(columns=2))
    return [
        f"random seeds 0 to {all_seeds[-1]}; without the three of the choice every claim has the "
        "same verdict",
        f"the median spread is {median_spread(claims('demo')):.1f} over twenty random seeds",
        f"random seed 2: {two[2]:.1f}, the others {others.min():.1f} to {others.max():.1f})",
        f"makes the first claim {claims('demo')[0].verdict}: without that random seed it is "
        f"{first.verdict}.",
    ]


def step_on_gpu(case: str) -> dict[str, float]:
    """Milliseconds of a step alone, by what it computes in."""
    steps = csv("gpu/h200.csv").query("part == 'steps' and unit == 'ms a step' and case == @case")
    took = steps.set_index("way")["value"].astype(float)
    return {name: took[f"{name}, as built"] for name in ("fp32", "tf32", "bf16")}


def of_claims() -> list[str]:
    *first, last = (str(claim.number) for claim in CLAIMS if claim.naught is None)
    return [
        f"lies within ±{NAUGHT} mIoU (an equivalence test at 5 %; not asked of claims "
        f"{', '.join(first)} and {last}",
        f"means less than +{BOUNDS['no gain'][1]} mIoU",
        "means {:.0f} to {:.0f} %".format(*BOUNDS["share"]),
    ]


def of_cost() -> list[str]:
    vgg, res = step_on_gpu("vgg16 largefov, 12 seeds"), step_on_gpu("resnet38 cam")
    return [
        f"the default without one | {vgg['fp32']:.0f} ms, {res['fp32'] / 1e3:.1f} s |",
        f"on a GPU | {vgg['tf32']:.0f} ms, {res['tf32'] / 1e3:.2f} s |",
        f"as by default | {vgg['bf16']:.0f} ms, {res['bf16'] / 1e3:.2f} s |",
        f"they take a {1 / IN_RUNS:.0f}th of a byte a pixel",
    ]


def of_cluster() -> list[str]:
    fp32, tf32, _ = step_on_gpu("resnet38 cam").values()
    return [f"up to {fp32 / tf32:.0f} times as long as their TF32"]


def of_speed() -> list[str]:
    work = counts(graph(e.stage for e in Lab("paper", rng_seeds=[0]).asked(*TABLES)))
    return [
        f"some {round(work['seed sets'] * 10_582, -4):,} seeds",
        f"{WORDS[work['trainings']]} trainings",
    ]


def of_wst_page() -> list[str]:
    scores = csv("demo/scores.csv").query("table == 'wst_hurts'")
    table = scores.pivot(index="rng_seed", columns=["row", "column"], values="miou")
    gain = {row: table[row]["WST"] - table[row]["plain"] for row in scores["row"].unique()}
    worse = {row: (each < 0).sum() for row, each in gain.items()}
    assert table.xs("WST", axis=1, level="column").filter(like="0.5").max(axis=None) < 13.5
    few, many = "untrained, noise 0.3, 2 labels", "untrained, noise 0.3, 6 labels"
    half = ["untrained, noise 0.5, 2 labels", "initial weights, noise 0.5, 2 labels"]
    helped = "initial weights, noise 0.3, 2 labels"
    assert worse[helped] == 0
    return [
        f"worse in {worse[half[0]]} and {worse[half[1]]} of {len(table)} random seeds",
        f"in every one, by {pm(gain[helped])};",
        f"decide nothing ({pm(gain[few])})",
        f"six change it by {pm(gain[many])}, for the worse in {worse[many]} of {len(table)}.",
    ]


def of_sharpness() -> list[str]:
    """Of photos, of the random seeds for which every s is recorded; and that no s gains much."""
    found, gains = {}, {}
    for profile in ("demo", "photo"):
        scores = lab(profile).scores("sharpness")
        tables = [by_sharpness(scores, row) for row in SHARP_ROWS]
        assert max((t.mean() - t["1"].mean()).max() for t in tables) < 1
        assert profile == "photo" or all((t.mean() >= t["0"].mean()).all() for t in tables)
        gains[profile] = [t.sub(t["0"], axis=0) for t in tables]
        *_, twelve = SHARP_ROWS
        found[profile] = {f: by_sharpness(scores, twelve, f).mean() for f in ("missed", "spilled")}
    two, six, twelve = gains["photo"]
    assert (twelve[["4", "8"]] < 0).all(axis=None)
    missed, spilled = found["photo"].values()
    return [
        f"$s = 4$ teaches {pm(-twelve['4'])} and $s = 8$ teaches {pm(-twelve['8'])} mIoU less than "
        f"no weights, in every one of {WORDS[len(twelve)]} random seeds; the paper's $s = 1$ "
        f"brings {pm(twelve['1'])}.",
        f"{missed['8']:.1f} % of the foreground at $s = 8$ and {missed['0']:.1f} % at $s = 0$",
        f"{spilled['8']:.1f} % of the background and {spilled['0']:.1f} %.",
        f"moves a random seed by more than {pd.concat([two, six]).abs().max(axis=None):.1f},",
    ]


def of_intro() -> list[str]:
    found = {name: Counter(each.verdict for each in claims(name)) for name in ("demo", "photo")}
    scenes, photos = found["demo"], found["photo"]
    assert (scenes["contradicted"], photos["contradicted"]) == (0, 1)
    assert all(claims(name)[n - 1].verdict == "supported" for name in found for n in (4, 13))
    assert (scenes["none to speak of"], photos["none to speak of"]) == (0, 1)
    merged = cell_of("demo", ("table3", "CRF (C)", "Merged by max"))
    gains = {
        name: cell_of(name, TWELVE) - cell_of(name, (*TWELVE[:2], "Without WST"))
        for name in ("demo", "photo")
    }
    return [
        f"{COUNTS[scenes['supported']]} are supported on scenes and "
        f"{COUNTS[photos['supported']]} on photos; one is contradicted, on photos: noise of 30 % "
        f"costs {100 - difference(2, 'noise').mean():.0f} % of the score, not about a tenth.",
        f"{COUNTS[scenes['mixed']].title()} on scenes and {COUNTS[photos['mixed']]} on photos are "
        "mixed",
        f"merged over three scales teaches as well as twelve seeds ({pm(merged)}) on scenes",
        f"WST adds {pm(gains['demo'])} mIoU to twelve seeds on scenes and {pm(gains['photo'])} on "
        "photos.",
    ]


def of_photo_page() -> list[str]:
    study = csv("photo/study.csv").query("images == 1261").set_index(["crop", "epochs"])
    miou, steps = study["miou"], study["steps"]
    longer = csv("photo/longer.csv").set_index(["table", "row", "column", "rng_seed"])["miou"]
    usual = pd.Series({key: of_photos(*key[:3])[key[3]] for key in longer.index})
    long, short = (each.unstack().T.dropna() for each in (longer, usual))
    assert long.shape == (len(longer) / 5, 5), "every cell with the same random seeds"
    crf, both = (("table2", "RES38", column) for column in ("CRF (C)", "Both (T + C)"))
    plain = (*TWELVE[:2], "Without WST")
    gained = (long - short).mean()
    assert [*long.mean().sort_values().index] == [*short.mean().sort_values().index]

    def ahead(of: tuple[str, ...], key: tuple[str, ...] = TWELVE) -> list[str]:
        return [pm(each[key] - each[of]) for each in (long, short)]

    wst = [
        of_photos("table5", row, "With WST") - of_photos("table5", row, "Without WST")
        for row in dict.fromkeys(cell.row for cell in get_table("table5").cells)
    ]
    decided = {result.claim.number: result.verdict for result in claims("photo")}
    carried = {number for number, verdict in decided.items() if verdict == "supported"}
    assert carried == {3, 4, 5, 8, 9, 11, 13, 14}, "the page parts the claims so"
    assert {n for n in decided if decided[n] == "undecided"} == {1, 7}
    assert decided[2] == "contradicted"
    assert decided[6] == decided[12] == "mixed"
    assert decided[10] == "none to speak of"
    assert [abs(np.sign(each).sum()) == len(each) for each in wst] == [True, False, False]
    figures = {(c.row, c.column): c.paper for c in get_table("table5").cells}
    in_paper = [
        figures[row, "With WST"] - figures[row, "Without WST"]
        for row in dict.fromkeys(row for row, _ in figures)
    ]
    stronger_key = ("table7", "ResNet101-LargeFOV", "val")
    stronger = of_photos(*stronger_key)
    single = of_photos("claim13", "ResNet101-LargeFOV", "CRF (C)")
    best = difference(12, "12 seeds - Table 2: VGG16, CRF")
    two = difference(12, "12 seeds - Table 2: VGG16, Both") - difference(
        12, "12 seeds - Table 2: RES38, Both"
    )
    own = {e.stage.identity for e in lab("photo").asked("wst_hurts")}
    own -= {e.stage.identity for e in lab("photo").asked(*TABLES, "claim13")}
    merged = [
        difference(6, f"threshold (t): three scales - merged by {n}") for n in ("max", "mean")
    ]
    quality = csv("photo/seeds.csv").query("table == 'table2' and row == 'VGG16'")
    quality = quality.groupby("column")["mIoU"].mean()
    confused = of_photos(*CLEAN, figure="confused").mean()
    assert round(confused / of_photos(*stronger_key, figure="confused").mean()) == 3
    last = csv("photo/traces.csv").query("epoch == epoch.max()")
    assert (12 * (last["right"] - last["wrong"])).mean().round(1) == 0.1
    assert of_photos("table1", "0.3", "One label", figure="missed").mean() == pytest.approx(
        50, abs=3
    )
    assert of_photos(*CLEAN, figure="missed").mean() == pytest.approx(100 / 6, abs=2)
    t, c = (of_photos("table2", "VGG16", n, figure="missed") for n in ("Threshold (T)", "CRF (C)"))
    return [
        f"trains {len(own)} segmenters itself",
        f"some {round(quality['CRF (C)'] - quality['Threshold (T)'], -1):.0f} points below",
        f"some {round(confused, -1):.0f} % of the foreground that is found go to another class",
        f"epochs instead of five cost {miou[161, 5] - miou[161, 3]:.1f}",
        f"seed is the best single one. {WORDS[len(long)].title()} random seeds",
        f"Everything gains {gained.min():.1f} to {gained.max():.1f} mIoU, and the order stays.",
        "best single one by {} in place of {}".format(*ahead(crf)),
        "two of EfficientNet teach {} more than the twelve, where they taught {} more.".format(
            *ahead(TWELVE, both)
        ),
        "WST adds {} to the twelve, {} in the tables.".format(*ahead(plain)),
        "the more there are: {} mIoU with two, {} with six, {} with twelve (claim 11)".format(
            *(number(difference(11, f"{n} seeds, plain").mean()) for n in (2, 6, 12))
        ),
        f"EfficientNet reaches {stronger.mean():.1f} with the twelve seeds and {single.mean():.1f} "
        f"with one CRF seed of SqueezeNet's maps, a gain of {(stronger - single).mean():.1f} where "
        f"SqueezeNet gains {best.mean():.1f}, although it learns for "
        f"{steps[161, 3]} steps, not {steps[161, 5]}.",
        f"(claim 3) too, but by {count(3, 'supported')} comparisons: "
        f"by {pm(difference(3, 'RES38'))} with EfficientNet's maps, by "
        f"{pm(difference(3, 'VGG16'))} with SqueezeNet's.",
        f"miss {c.mean():.0f} % of the foreground, those of threshold seeds {t.mean():.0f} %.",
        f"Two networks beat either (claim 8) by {count(8, 'supported')} comparisons:",
        f"(claim 2, contradicted): here about {difference(2, 'noise').mean():.0f} %.",
        "by {}, {} and {} at 10, 20 and 30 %".format(
            *(pm(difference(1, f"noise 0.{n}")) for n in (1, 2, 3))
        ),
        "Noise of 20 % leaves "
        f"{100 * (of_photos('table1', '0.2', 'One label') / of_photos(*CLEAN)).mean():.0f} %,",
        f"(claim 5) by {count(5, 'supported')} comparisons: threshold seeds gain "
        f"{pm(difference(5, 'threshold'))}, both types {pm(difference(5, 'both'))},",
        f"teach {merged[1].mean():.1f} to {merged[0].mean():.1f} more than merged ones,",
        "threshold seeds gain {} (max) and {} (mean), CRF seeds {} and {}.".format(
            *(pm(difference(7, f"{name}: merged by {n}"))
              for name in ("threshold (t)", "crf (c)") for n in ("max", "mean"))
        ),
        "threshold seeds of both teach {} and {} more than those of one.".format(
            *(number(difference(8, f"threshold (t): both networks - {n}").mean())
              for n in ("VGG16", "RES38"))
        ),
        "nothing to EfficientNet's ({} and {}).".format(
            *(pm(difference(8, f"{n}: both networks - RES38")) for n in ("crf (c)", "both (t + c)"))
        ),
        "(claim 10, none to speak of): {} mIoU with two, {} with six, {} with twelve, where the "
        "paper has {}, {} and {}.".format(
            *(number(each.mean()) for each in wst), *map(number, in_paper)
        ),
        f"gain falls by {pm(-difference(10, 'gain with 6'))} from two to six and rises by "
        f"{pm(difference(10, 'gain with 12'))} from six to twelve",
        f"teach as well ({pm(-difference(12, '12 seeds - Table 2: RES38, Both'))} ahead).",
        f"two seeds of one teach {two.mean():.1f} mIoU more than two of the other",
    ]  # fmt: skip


def of_seeds_on_photos() -> list[str]:
    trained = csv("photo_seeds.csv").query("what == 'training'")
    table = trained.pivot_table(index="rng_seed", columns="labels", values="miou")
    t, c, both = (table[n] for n in ("T", "C, widths and floor 0.1", "T + C, widths and floor 0.1"))
    gain = (c - table["C, preset"]).round(2)
    return [
        f"teaches {pm(gain)} mIoU more than with the preset (mean and standard deviation of "
        f"differences within a random seed; {gain[0]:.1f} and {gain[1]:.1f} with the two that "
        "confirm)",
        f"as well as the threshold seed ({pm(c - t)}), not better",
        f"{pm(both - c)} above the CRF seed and {pm(both - t)} above the threshold seed",
    ]


HELD = {
    "README.md": of_readme,
    "CHANGELOG.md": of_changelog,
    "results/README.md": of_records,
    "book/intro.md": of_intro,
    "notebooks/08_claims.ipynb": of_claims,
    "notebooks/10_when_wst_hurts.ipynb": of_wst_page,
    "notebooks/12_how_sharp.ipynb": of_sharpness,
    "book/own_pictures.md": of_own_pictures,
    "book/recipe.md": of_recipe,
    "book/cost.md": of_cost,
    "book/cluster.md": of_cluster,
    "book/speed.md": of_speed,
    "notebooks/07_photos.ipynb": of_photo_page,
    "notebooks/11_photo_seeds.ipynb": of_seeds_on_photos,
}


@pytest.mark.parametrize("page", HELD)
def test_prose_quotes_the_records(page: str) -> None:
    text = prose(page)
    stale = [sentence for sentence in HELD[page]() if sentence not in text]
    assert stale == [], "the records say so"


def test_no_other_score_is_quoted() -> None:
    """With a spread or in mIoU; tables and made-up lines aside, the choice and others' works."""
    quoted = re.compile(r"(?<![|>] )(?<![\d.+±])\d+\.\d (?:± \d|mIoU)")
    pages = [ROOT / "README.md", *ROOT.glob("book/*.md"), *ROOT.glob("notebooks/*.ipynb")]
    loose = {}
    for page in sorted(path.relative_to(ROOT).as_posix() for path in pages):
        text = prose(page)
        for sentence in HELD.get(page, list)():
            text = text.replace(sentence, "")
        loose[page] = quoted.findall(text)
    others = {"book/recipe.md", "book/open_points.md"}
    assert {page: found for page, found in loose.items() if found and page not in others} == {}
