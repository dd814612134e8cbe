"""Tests of wsss.profiles: from the paper's words to stages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from wsss.data.affine import Augmentation
from wsss.data.voc import VOC_CLASSES, Subset
from wsss.errors import InputError
from wsss.models.weights import WEIGHTS
from wsss.pipeline import PilotRecipe, Pipeline, Recipe, SeedType
from wsss.profiles import ANIMALS, PROFILES, get_profile
from wsss.stages import (
    CrfSeeds,
    MergedCams,
    NetworkSpec,
    NoisyLabels,
    PhotoFolder,
    ThresholdSeeds,
    TrueLabels,
)
from wsss.tables import TABLES
from wsss.training import Schedule


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(get_profile("demo"))


def test_every_profile_carries_its_own_name() -> None:
    assert [PROFILES[name]().name for name in PROFILES] == list(PROFILES)


def test_an_unknown_profile_is_one_line() -> None:
    with pytest.raises(InputError, match=r"^unknown profile 'big'; there are demo, "):
        get_profile("big")


def test_twelve_seeds_are_two_types_three_scales_two_networks(pipeline: Pipeline) -> None:
    recipe = Recipe(("T", "C"), "multi", ("vgg16", "resnet38"))
    labels = pipeline.labels(recipe, 0)
    assert len({label.identity for label in labels}) == 12
    assert sum(isinstance(label, ThresholdSeeds) for label in labels) == 6
    assert sum(isinstance(label, CrfSeeds) for label in labels) == 6


def test_single_scale_is_the_first(pipeline: Pipeline) -> None:
    (label,) = pipeline.labels(Recipe(("C",)), 0)
    assert isinstance(label, CrfSeeds)
    assert not isinstance(label.cams, MergedCams)
    assert label.cams.scale == pipeline.profile.scales[0]


def test_merged_scales_make_one_seed(pipeline: Pipeline) -> None:
    (label,) = pipeline.labels(Recipe(("T",), "max"), 0)
    assert isinstance(label, ThresholdSeeds)
    assert isinstance(label.cams, MergedCams)
    assert len(label.cams.cams) == 3


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"class_conflict": "unknown"}, "T"),
        ({"cam_bias": True}, "C"),
        ({"renormalise_merged": False}, "C"),
    ],
)
def test_a_reading_of_an_open_point_reaches_the_seeds(
    pipeline: Pipeline, change: dict[str, Any], kind: SeedType
) -> None:
    other = Pipeline(replace(pipeline.profile, **change))
    recipe = Recipe((kind,), "mean")
    (usual,), (changed,) = pipeline.labels(recipe, 0), other.labels(recipe, 0)
    assert usual.identity != changed.identity
    assert pipeline.classifier("vgg16", 0) == other.classifier("vgg16", 0)


def test_the_random_seed_reaches_the_classifier(pipeline: Pipeline) -> None:
    assert pipeline.classifier("vgg16", 0) != pipeline.classifier("vgg16", 1)
    first, second = (pipeline.labels(Recipe(("T",)), rng_seed)[0] for rng_seed in (0, 1))
    assert first.identity != second.identity


def test_pilot(pipeline: Pipeline) -> None:
    (truth,) = pipeline.labels(PilotRecipe(0.0), 0)
    assert isinstance(truth, TrueLabels)
    two = pipeline.labels(PilotRecipe(0.3, copies=2), 0)
    assert all(isinstance(label, NoisyLabels) for label in two)
    assert pipeline.segmenter(PilotRecipe(0.3, copies=2), 0).sharpness == 0


def test_weights_of_eq_6_can_be_switched_off(pipeline: Pipeline) -> None:
    assert pipeline.segmenter(Recipe(("T", "C")), 0).sharpness == 1
    assert pipeline.segmenter(Recipe(("T", "C"), weighted=False), 0).sharpness == 0


def test_the_reading_of_unknown_pixels_reaches_the_segmenter() -> None:
    profile = get_profile("demo")
    for unknown in ("counted", "left_out"):
        pipeline = Pipeline(replace(profile, unknown=unknown))
        assert pipeline.segmenter(Recipe(("T", "C")), 0).unknown == unknown


def test_cells_of_uncast_networks_are_left_out() -> None:
    profile = get_profile("photo")
    alone = replace(
        profile,
        cam_networks={"vgg16": profile.cam_networks["vgg16"]},
        segmenters={"vgg16": profile.segmenters["vgg16"]},
    )
    assert alone.casts(Recipe(("T",)))
    assert not alone.casts(Recipe(("T",), cam_networks=("resnet38",)))
    assert not alone.casts(Recipe(("T",), segmenter="resnet101"))
    assert all(profile.casts(cell.recipe) for table in TABLES.values() for cell in table.cells)


def test_the_fully_supervised_photos_are_those_the_seeds_are_made_for(make_voc) -> None:
    root = make_voc(8, classes=ANIMALS, splits={"train": range(6), "val": [6, 7]})
    photos = Pipeline(get_profile("photo"), root)
    truth, seeds = (photos.segmenter(r, 0) for r in (PilotRecipe(0.0), Recipe(("T",))))
    assert truth.labels == (TrueLabels(images=seeds.images),)
    same = {"network", "schedule", "augmentation", "rng_seed"}
    assert all(getattr(truth, name) == getattr(seeds, name) for name in same)


def test_photos_of_any_size_and_number_are_seen_alike(make_voc) -> None:
    root = make_voc(8, classes=ANIMALS, splits={"train": range(6), "val": [6, 7]})
    source = Pipeline(get_profile("photo"), root).source
    assert isinstance(source, PhotoFolder)
    assert (source.longest_side, source.subset) == (320, Subset("train", "train_official", 250))
    larger = source.model_copy(update={"longest_side": 500})
    more = source.model_copy(update={"subset": Subset("train", "train_official", 300)})
    assert len({source.identity, larger.identity, more.identity}) == 3


# --- the paper's own ------------------------------------------------------------------------


def test_the_paper_profile_trains_as_sec_5_2_says() -> None:
    profile = get_profile("paper")
    schedule = profile.classifier_schedule
    assert schedule == Schedule()  # its defaults are Sec. 5.2's
    assert (schedule.optimizer, schedule.epochs, schedule.batch_size) == ("sgd", 20, 16)
    assert (schedule.lr, schedule.head_multiplier, schedule.power) == (1e-3, 10, 0.9)
    assert schedule.decay_every == "epoch"
    assert profile.classifier_augmentation == Augmentation(crop=321, scales=(0.5, 1.5), mirror=True)
    assert profile.scales == (1.0, 0.75, 0.5)
    assert (profile.foreground_above, profile.background_below) == (0.1, 0.06)
    assert profile.sharpness == 1
    assert profile.testing == "ms+crf"


def test_the_paper_profile_plans_every_cell_without_data() -> None:
    pipeline = Pipeline(get_profile("paper"))
    score = pipeline.score(Recipe(("T", "C"), "multi", ("vgg16", "resnet38")), 0)
    assert len(score.segmenter.labels) == 12
    assert score.segmenter.images.split == "train_aug"
    assert score.images.split == "val"
    assert pipeline.images("val").source.classes == VOC_CLASSES
    assert pipeline.label_score(score.segmenter.labels[0]).images.split == "train"
    assert pipeline.labels(PilotRecipe(0.1), 0)[0].images.split == "train_aug"


def test_only_resnet101_learns_at_half_the_rate() -> None:
    pipeline = Pipeline(get_profile("paper"))
    assert pipeline.segmenter(Recipe(("T",)), 0).schedule.lr == 1e-3
    assert pipeline.segmenter(Recipe(("T",), segmenter="resnet101"), 0).schedule.lr == 5e-4
    assert pipeline.segmenter(PilotRecipe(0.1), 0).schedule.lr == 1e-3


def test_downloaded_weights_are_in_the_identity() -> None:
    checksums = {
        name: spec.weights_checksum
        for name, spec in Pipeline(get_profile("paper")).profile.cam_networks.items()
    }
    assert checksums == {
        "vgg16": WEIGHTS["vgg16"].checksum,
        "resnet38": WEIGHTS["resnet38"].checksum,
    }
    spec = NetworkSpec.imagenet("resnet101")
    assert (spec.random.weights, spec.random.weights_checksum) == (None, None)


def test_a_paper_run_without_its_weights_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WSSS_WEIGHTS", str(tmp_path))
    with pytest.raises(InputError, match="run: wsss weights fetch vgg16"):
        NetworkSpec.imagenet("vgg16").build("cam", 20, 0)


def test_a_paper_run_needs_its_splits(make_voc: Callable[..., Path]) -> None:
    root = make_voc(4)
    (root / "classes.txt").unlink()
    with pytest.raises(InputError, match="no split 'train_aug'; there are train, val"):
        Pipeline(get_profile("paper"), root)


def test_photos_score_their_seeds_on_official_masks_if_they_are_told_apart(
    make_voc: Callable[..., Path],
) -> None:
    plain = Pipeline(get_profile("photo"), make_voc(4, classes=ANIMALS, name="plain"))
    splits = {"train": [0, 1], "train_official": [1], "val": [2, 3]}
    told = Pipeline(get_profile("photo"), make_voc(4, classes=ANIMALS, name="told", splits=splits))
    for pipeline, split in ((plain, "train"), (told, "train_official")):
        (label,) = pipeline.labels(Recipe(("T",)), 0)
        assert pipeline.label_score(label).images.split == split
