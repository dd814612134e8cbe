"""Tests of wsss.plan.budget: what the paper's setting takes, by what was measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from wsss.paper import TABLES, Recipe
from wsss.pipeline import Pipeline
from wsss.plan import budget, plan
from wsss.plan.budget import TIMED, mapped_bytes
from wsss.profiles import VOC_CLASSES
from wsss.stages import Images, Stage, graph, run

PIXELS = 375 * 500


@pytest.fixture(scope="module")
def paper() -> Pipeline:
    return Pipeline("paper", rng_seeds=[0])


def of(lab: Pipeline, *stages: Stage) -> dict[str, Any]:
    return dict(budget(stages, lab).iloc[-1])


def test_hours_are_steps_and_images_times_what_one_took(paper: Pipeline) -> None:
    timed = pd.read_csv(TIMED, dtype=str, keep_default_na=False)
    timed = timed[timed["unit"].str.startswith("ms")]

    def last(case: str, way: str) -> float:
        found = timed.query("case == @case and way == @way")["value"]
        return float(list(found)[-1]) / 1e3

    steps = 20 * (10_582 // 16)  # Sec. 5.2
    segmenter = paper.segmenter(Recipe(("T", "C")), 0)
    found, case = of(paper, segmenter), "vgg16 largefov, 12 seeds, tf32"
    assert found["GPU hours"] == pytest.approx(steps * last(case, "fit") / 3600)
    drawn = last(case, "samples of a step drawn by one core")
    assert found["core hours"] == pytest.approx(steps * drawn / 3600)
    found = of(paper, paper.score(Recipe(("T",)), 0))
    case = "vgg16 largefov, 12 seeds, three scales and flip"
    assert found["GPU hours"] == pytest.approx(1_449 * last(case, "tf32, logits") / 3600)
    crf = last("vgg16 largefov, three scales and flip", "CRF on 1 threads")
    assert found["core hours"] == pytest.approx(1_449 * crf / 3600)


@pytest.mark.parametrize(
    ("asked", "way"), [("bf16", "bf16-mixed"), ("tf32", "tf32"), ("32", "fp32, as built")]
)
def test_the_hours_are_those_of_the_precision(asked: Any, way: str) -> None:
    lab = Pipeline("paper", rng_seeds=[0], precision=asked)
    timed = pd.read_csv(TIMED, dtype=str).query("unit == 'ms a step'")
    named = timed["case"] + ", " + timed["way"]
    case = "vgg16 largefov, 12 seeds, " + (way if asked == "32" else f"{way}, fit")
    step = float(list(timed[named == case]["value"])[-1]) / 1e3
    found = of(lab, lab.segmenter(Recipe(("T", "C")), 0))["GPU hours"]
    assert found == pytest.approx(20 * (10_582 // 16) * step / 3600)


def test_disk_and_memory_are_those_of_the_files(paper: Pipeline) -> None:
    seeds = paper.labels(Recipe(("T",)), 0)[0]
    assert of(paper, seeds)["disk GB"] == pytest.approx(10_582 * PIXELS / 19 / 1e9)
    assert of(paper, paper.images("val"))["disk GB"] == pytest.approx(1_449 * PIXELS * 4 / 1e9)
    twelve = paper.segmenter(
        Recipe(("T", "C"), scales="multi", cam_networks=("plain", "residual")), 0
    )
    assert len(twelve.labels) == 12
    mapped = mapped_bytes([twelve], paper)
    assert mapped == pytest.approx(10_582 * PIXELS * (3 + 12 / 19))
    assert mapped_bytes([seeds], paper) == 0


def test_images_take_on_disk_what_is_told(tmp_path: Path, make_voc: Callable[..., Path]) -> None:
    splits = {"train_aug": [0, 1, 2], "train": [0], "val": [3]}
    data = make_voc(4, size=(375, 500), classes=VOC_CLASSES, splits=splits)
    lab = Pipeline("paper", data, runs=tmp_path / "runs", quiet=True)
    images: Images = lab.train_images
    run([images], lab.store, workers=1, quiet=True)
    folder = lab.store.folder(images)
    written = sum((folder / name).stat().st_size for name in ("images", "masks"))
    assert of(lab, images)["disk GB"] == pytest.approx(written / 1e9)


def test_what_was_not_timed_is_not_told(paper: Pipeline) -> None:
    small = paper.classifier("plain", 0)
    small = small.model_copy(update={"augmentation": {"crop": 161}})
    assert np.isnan(budget([small], paper)["GPU hours"][0])


def test_the_plan_tells_hours_disk_and_memory_for_a_number_of_cores(tmp_path: Path) -> None:
    lab = Pipeline("paper", rng_seeds=[0, 1, 2], runs=tmp_path)
    stages = graph(each.stage for each in lab.asked(*TABLES))
    total = of(lab, *stages)
    for cores, hours in ((1, total["core hours"]), (64, total["GPU hours"])):
        text = plan(lab, cores=cores)
        assert f"by what was measured, with {cores} cores beside one GPU" in text
        assert f"at least {hours:.1f} h" in text
    for source in ("h200.csv, NVIDIA H200, TF32", "costs.csv", "from shapes"):
        assert source in text
    assert f"{total['disk GB']:.2f}" in text
    assert "a training maps up to 7.2 GB" in text
    assert "not measured at this size: nothing" in text
    page = " ".join((Path(__file__).parents[2] / "book" / "cost.md").read_text("utf-8").split())
    disk = budget(stages, lab).set_index("stage")["disk GB"]
    labels = disk[disk.index.str.match(r"(seeds .|noisy_labels)$")].sum()
    assert (
        f"{total['GPU hours']:.1f} hours of that GPU in TF32, {total['core hours']:.0f} hours of a "
        f"core beside it, {total['disk GB']:.0f} GB, of which {disk['merged_cams']:.0f} are merged "
        f"CAMs in float16 and {labels:.0f} label maps, and up to "
        f"{mapped_bytes(stages, lab) / 1e9:.0f} GB of files" in page
    )
    assert "cores beside one GPU" not in plan(Pipeline("smoke", runs=tmp_path))
