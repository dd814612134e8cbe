"""Tests of wsss.plan.counting: how much work the tables share."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from wsss import Lab
from wsss.data.scenes import write_scenes
from wsss.paper import EVERYTHING, TABLES
from wsss.pipeline import Pipeline
from wsss.plan import COSTS, counts, edges, estimate, expected_seconds, kind_of, plan
from wsss.profiles import own
from wsss.stages import Stage, graph, keep_scores


def stages_of(*tables: str, rng_seeds: tuple[int, ...] = (0,)) -> list[Stage]:
    asked = Lab("demo", rng_seeds=rng_seeds).asked(*(tables or TABLES))
    return graph(each.stage for each in asked)


def test_42_cells_are_30_trainings_of_16_seed_sets() -> None:
    assert counts(stages_of()) == {
        "classifiers": 2,
        "CAM sets": 8,
        "seed sets": 16,
        "trainings": 30,
    }


def test_each_table_adds_only_what_is_new() -> None:
    """New trainings per table in reading order: the rest is shared with an earlier table."""
    seen, new = set(), []
    for table in TABLES:
        found = {stage.identity for stage in stages_of(table) if stage.name == "segmenter"}
        new.append(len(found - seen))
        seen |= found
    assert new == [7, 6, 9, 3, 4, 0, 1]


def test_random_seeds_share_only_the_images() -> None:
    one, two = (counts(stages_of(rng_seeds=seeds)) for seeds in ((0,), (0, 1)))
    assert two == {kind: 2 * count for kind, count in one.items()}


def test_plan_runs_nothing(tmp_path: Path) -> None:
    text = plan(Lab("demo", rng_seeds=[0, 1], runs=tmp_path / "runs"))
    assert "42 cells of 7 tables" in text
    assert "60 trainings (30 a random seed)" in text
    assert not (tmp_path / "runs").exists()


def test_a_plan_tells_what_is_recorded(tmp_path: Path) -> None:
    def record(*tables: str) -> Path:
        folder = tmp_path / "-".join(tables)
        lines = [
            {
                "table": each.table.name, "row": each.cell.row, "column": each.cell.column,
                "testing": each.testing, "rng_seed": 0, "identity": each.stage.identity,
                "miou": 50.0, "images": "x",
            }
            for each in Lab("demo", rng_seeds=[0]).asked(*tables)
        ]  # fmt: skip
        keep_scores(pd.DataFrame(lines), folder)
        return folder

    def planned(results: Path, rng_seed: int = 0) -> str:
        return plan(Lab("demo", rng_seeds=[rng_seed], runs=tmp_path / "runs", results=results))

    recorded = record(*[name for name in TABLES if name != "table1"])
    assert planned(recorded).splitlines()[-5:] == [
        "23 of 30 scores are not there, but recorded",
        f"without them, {estimate(stages_of('table1'), 'demo')}",
        "",
        "with them (wsss reproduce --compute all):",
        estimate(stages_of(), "demo"),
    ]
    assert "without them" not in planned(record(*TABLES))
    assert "recorded" not in planned(recorded, rng_seed=1)


def test_the_estimate_adds_up_and_names_what_nobody_measured(tmp_path: Path) -> None:
    stages = stages_of("table2")
    costs = pd.read_csv(COSTS).query("profile == 'demo'").set_index("kind")["seconds"]
    expected = sum(costs[kind_of(stage)] for stage in stages) / 60
    assert estimate(stages, "demo").startswith(f"estimate for what is missing: {expected:.0f} min")
    assert estimate([], "demo").startswith("estimate for what is missing: 0 min")
    assert estimate(stages, "nobody's").startswith("no estimate: nothing of what is missing")


def test_the_graph_has_a_line_a_kind_each_after_what_it_reads() -> None:
    stages = stages_of("table2")
    lines = edges(stages)
    kinds = [line.split(" x ")[1].split(" <- ")[0] for line in lines]
    assert sum(int(line.split(" x ")[0]) for line in lines) == len(stages)
    assert len(set(kinds)) == len(kinds)
    assert "cams resnet38_scenes <- classifier resnet38_scenes, images" in "\n".join(lines)


def test_all_of_a_run_on_own_photos_was_timed_and_grows_with_it(tmp_path: Path) -> None:
    photos = write_scenes(tmp_path, train=1, val=1, pilot=1, rng_seed=0)
    stages = graph([Pipeline(own(), photos).score(EVERYTHING)])
    size = {"photos": 288, "held_out": 12, "steps": 400}
    timed = pd.read_csv(COSTS).query("profile == 'own'").set_index("kind")["seconds"]
    assert expected_seconds(stages, **size) == {e.identity: timed[kind_of(e)] for e in stages}

    def grown(**changed: int) -> set[str]:
        longer = expected_seconds(stages, **{**size, **changed})
        return {each.name for each in stages if longer[each.identity] > timed[kind_of(each)]}

    assert grown(steps=401) == {"classifier", "segmenter"}
    assert grown(held_out=13) == {"segmenter_score"}
    assert {"saliency", "cams", "seed_block", "seeds"} <= grown(photos=289)
