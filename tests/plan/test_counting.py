"""Tests of wsss.plan.counting: how much work the tables share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from wsss.engine import graph
from wsss.pipeline import Pipeline
from wsss.plan import COSTS, counts, edges, estimate, kind_of, plan
from wsss.profiles import get_profile
from wsss.stages import Store
from wsss.tables import TABLES, Table, asked, scores


def test_42_cells_are_30_trainings_of_16_seed_sets() -> None:
    assert counts(Pipeline(get_profile("demo")), [0]) == {
        "classifiers": 2,
        "CAM sets": 8,
        "seed sets": 16,
        "trainings": 30,
    }


def test_each_table_adds_only_what_is_new() -> None:
    """New trainings per table in reading order: the rest is shared with an earlier table."""
    pipeline, seen, new = Pipeline(get_profile("demo")), set(), []
    for table in TABLES.values():
        found = {s.identity for s in graph(scores(table, pipeline, [0])) if s.name == "segmenter"}
        new.append(len(found - seen))
        seen |= found
    assert new == [7, 6, 9, 3, 4, 0, 1]


def test_random_seeds_share_only_the_images() -> None:
    one, two = (counts(Pipeline(get_profile("demo")), seeds) for seeds in ([0], [0, 1]))
    assert two == {kind: 2 * count for kind, count in one.items()}


def test_plan_runs_nothing(tmp_path: Path) -> None:
    text = plan(Pipeline(get_profile("demo")), Store(tmp_path / "runs"), [0, 1])
    assert "42 cells of 7 tables" in text
    assert "60 trainings (30 a random seed)" in text
    assert not (tmp_path / "runs").exists()


def recorded_of(pipeline: Pipeline, tables: Iterable[Table]) -> pd.DataFrame:
    return pd.DataFrame([
        {"testing": each.testing, "identity": each.stage.identity, "miou": 50.0}
        for table in tables
        for each in asked(table, pipeline, [0])
    ])  # fmt: skip


def test_a_plan_tells_what_is_recorded(tmp_path: Path) -> None:
    pipeline, store = Pipeline(get_profile("demo")), Store(tmp_path)
    others = (table for table in TABLES.values() if table.name != "table1")
    recorded = recorded_of(pipeline, others)
    lines = plan(pipeline, store, [0], recorded=recorded).splitlines()
    rest = [s for s in graph(scores(TABLES["table1"], pipeline, [0])) if not store.done(s)]
    everything = graph(s for t in TABLES.values() for s in scores(t, pipeline, [0]))
    assert lines[-5:] == [
        "23 of 30 scores are not there, but recorded",
        f"without them, {estimate(rest, 'demo')}",
        "",
        "with them (wsss reproduce --compute all):",
        estimate(everything, "demo"),
    ]
    whole = recorded_of(pipeline, TABLES.values())
    assert "without them" not in plan(pipeline, store, [0], recorded=whole)
    assert "recorded" not in plan(pipeline, store, [1], recorded=recorded)


def test_the_estimate_adds_up_and_names_what_nobody_measured(tmp_path: Path) -> None:
    pipeline = Pipeline(get_profile("demo"))
    stages = graph(scores(TABLES["table2"], pipeline, [0]))
    costs = pd.read_csv(COSTS).query("profile == 'demo'").set_index("kind")["seconds"]
    expected = sum(costs[kind_of(stage)] for stage in stages) / 60
    assert estimate(stages, "demo").startswith(f"estimate for what is missing: {expected:.0f} min")
    assert estimate([], "demo").startswith("estimate for what is missing: 0 min")
    assert estimate(stages, "nobody's").startswith("no estimate: nothing of what is missing")


def test_the_graph_has_a_line_a_kind_each_after_what_it_reads() -> None:
    stages = graph(scores(TABLES["table2"], Pipeline(get_profile("demo")), [0]))
    lines = edges(stages)
    kinds = [line.split(" x ")[1].split(" <- ")[0] for line in lines]
    assert sum(int(line.split(" x ")[0]) for line in lines) == len(stages)
    assert len(set(kinds)) == len(kinds)
    assert "cams <- classifier resnet38_scenes, classifier vgg16_scenes, images" in "\n".join(lines)
