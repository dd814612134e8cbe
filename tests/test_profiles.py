"""Tests of wsss.profiles: from the paper's words to stages."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wsss.choices import CamChoices, SeedChoices, Weighting
from wsss.data.affine import Augmentation
from wsss.data.voc import VOC_CLASSES, Subset, VocFolder
from wsss.errors import InputError
from wsss.models.weights import WEIGHTS
from wsss.paper import TABLES, PilotRecipe, Recipe
from wsss.pipeline import Pipeline
from wsss.profiles import ANIMALS, PROFILES, get_profile
from wsss.seeds import ThresholdSeed
from wsss.stages import MergedCams, NetworkSpec, NoisyLabels, PhotoFolder, TrueLabels
from wsss.training import Schedule


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline("demo")


def test_every_profile_carries_its_own_name() -> None:
    assert [PROFILES[name]().name for name in PROFILES] == list(PROFILES)


def test_an_unknown_profile_is_one_line() -> None:
    with pytest.raises(InputError, match=r"^unknown profile 'big'; there are demo, "):
        get_profile("big")


def test_a_file_may_hold_a_profile(tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(
        "from dataclasses import replace\nfrom wsss.profiles import demo\n"
        "profile = replace(demo(), name='mine')\n"
    )
    assert Pipeline(str(mine)).profile.name == "mine"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "no such file"),
        ("profil = 1", "gives the name 'profile' to no wsss.profiles.Profile"),
        ("1 / 0", r"cannot be run as a profile \(ZeroDivisionError: division by zero\)"),
    ],
)
def test_a_file_that_holds_none_is_one_line(tmp_path: Path, text: str | None, says: str) -> None:
    mine = tmp_path / "mine.py"
    if text is not None:
        mine.write_text(text)
    with pytest.raises(InputError, match=rf"^{mine}: {says}"):
        get_profile(mine)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        *((none, get_profile("demo").rng_seeds) for none in (None, [], "", "[]")),
        (0, (0,)), ([0], (0,)), ("0", (0,)), ("[0, 1]", (0, 1)), ("2 1", (2, 1)), ((1, 1), (1,)),
        (np.arange(2), (0, 1)),
    ],
)  # fmt: skip
def test_random_seeds_as_people_write_them(given, expected) -> None:
    assert Pipeline("demo", rng_seeds=given).rng_seeds == expected


@pytest.mark.parametrize("given", ["one", [-1], [0.5, "x"], [0.5], "0;1", 2**63])
def test_random_seeds_that_are_none_are_one_line(given) -> None:
    with pytest.raises(InputError, match=r"rng_seeds is .*; give whole numbers, for example"):
        Pipeline("demo", rng_seeds=given)


def test_a_letter_without_a_type_is_one_line(pipeline: Pipeline) -> None:
    with pytest.raises(InputError, match="no type of seed has the letter 'X'; there are T, C"):
        pipeline.labels(Recipe(("X",)))


def test_classes_are_chosen_or_all_that_the_folder_names(make_voc) -> None:
    root = make_voc(6, classes=("cat", "dog", "owl"))
    chosen = Pipeline("photo", root, classes=["owl"])
    assert chosen.source.classes == ("owl",)
    assert "2 of 3 classes are left out (cat, dog)" in chosen.classes_left_out()
    every = Pipeline("photo", root, classes=[])
    assert every.source.classes == ("cat", "dog", "owl")
    assert every.classes_left_out() == ""


def test_photos_are_not_read_again_unless_they_changed(
    make_voc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, runs = make_voc(4, classes=ANIMALS), tmp_path / "runs"
    for path in root.rglob("*"):
        os.utime(path, (1e9, 1e9))
    monkeypatch.setattr("wsss.files.SETTLED", -1e9)  # they were changed long ago
    first = Pipeline("photo", root, runs=runs).source
    monkeypatch.setattr(VocFolder, "_read_fingerprint", lambda *_: pytest.fail("read again"))
    assert Pipeline("photo", root, runs=runs).source == first


def test_twelve_seeds_are_two_types_three_scales_two_networks(pipeline: Pipeline) -> None:
    recipe = Recipe(("T", "C"), "multi", ("plain", "residual"))
    labels = pipeline.labels(recipe, 0)
    assert len({label.identity for label in labels}) == 12
    assert [label.rule.letter for label in labels].count("T") == 6
    assert [label.rule.letter for label in labels].count("C") == 6


def test_single_scale_is_the_first(pipeline: Pipeline) -> None:
    (label,) = pipeline.labels(Recipe(("C",)), 0)
    assert not isinstance(label.cams, MergedCams)
    assert label.cams.scale == pipeline.profile.cams.scales[0]


def test_merged_scales_make_one_seed(pipeline: Pipeline) -> None:
    (label,) = pipeline.labels(Recipe(("T",), "max"), 0)
    assert isinstance(label.cams, MergedCams)
    assert len(label.cams.cams) == 3


@pytest.mark.parametrize(
    ("change", "letter"),
    [
        ({"seeds": SeedChoices("border", (ThresholdSeed(class_conflict="unknown"),))}, "T"),
        ({"cams": CamChoices((2.0, 1.5, 1.25), bias=True)}, "C"),
        ({"cams": CamChoices((2.0, 1.5, 1.25), renormalise=False)}, "C"),
    ],
)
def test_a_reading_of_an_open_point_reaches_the_seeds(
    pipeline: Pipeline, change: dict[str, Any], letter: str
) -> None:
    other = Pipeline(replace(pipeline.profile, **change))
    recipe = Recipe((letter,), "mean")
    (usual,), (changed,) = pipeline.labels(recipe, 0), other.labels(recipe, 0)
    assert usual.identity != changed.identity
    assert pipeline.classifier("plain", 0) == other.classifier("plain", 0)


def test_the_random_seed_reaches_the_classifier(pipeline: Pipeline) -> None:
    assert pipeline.classifier("plain", 0) != pipeline.classifier("plain", 1)
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
        pipeline = Pipeline(replace(profile, weighting=Weighting(unknown=unknown)))
        assert pipeline.segmenter(Recipe(("T", "C")), 0).unknown == unknown


def test_cells_of_uncast_networks_are_left_out() -> None:
    profile = get_profile("photo")

    def plain_alone(training):
        return replace(training, networks={"plain": training.networks["plain"]})

    alone = replace(
        profile,
        classifier=plain_alone(profile.classifier),
        segmenter=plain_alone(profile.segmenter),
    )
    assert alone.casts(Recipe(("T",)))
    assert not alone.casts(Recipe(("T",), cam_networks=("residual",)))
    assert not alone.casts(Recipe(("T",), segmenter="residual"))
    assert all(profile.casts(cell.recipe) for table in TABLES.values() for cell in table.cells)


def test_the_fully_supervised_photos_are_those_the_seeds_are_made_for(make_voc) -> None:
    root = make_voc(8, classes=ANIMALS, splits={"train": range(6), "val": [6, 7]})
    photos = Pipeline("photo", root)
    truth, seeds = (photos.segmenter(r, 0) for r in (PilotRecipe(0.0), Recipe(("T",))))
    assert truth.labels == (TrueLabels(images=seeds.images),)
    same = {"network", "schedule", "augmentation", "rng_seed"}
    assert all(getattr(truth, name) == getattr(seeds, name) for name in same)


def test_photos_of_any_size_and_number_are_seen_alike(make_voc) -> None:
    root = make_voc(8, classes=ANIMALS, splits={"train": range(6), "val": [6, 7]})
    source = Pipeline("photo", root).source
    assert isinstance(source, PhotoFolder)
    assert (source.longest_side, source.subset) == (320, Subset("train", "train_official", 250))
    larger = source.model_copy(update={"longest_side": 500})
    more = source.model_copy(update={"subset": Subset("train", "train_official", 300)})
    assert len({source.identity, larger.identity, more.identity}) == 3


# --- the paper's own ------------------------------------------------------------------------


def test_the_paper_profile_trains_as_sec_5_2_says() -> None:
    profile = get_profile("paper")
    schedule = profile.classifier.schedule
    assert schedule == Schedule()  # its defaults are Sec. 5.2's
    assert (schedule.optimizer, schedule.epochs, schedule.batch_size) == ("sgd", 20, 16)
    assert (schedule.lr, schedule.head_multiplier, schedule.power) == (1e-3, 10, 0.9)
    assert schedule.decay_every == "epoch"
    assert profile.classifier.augmentation == Augmentation(crop=321, scales=(0.5, 1.5), mirror=True)
    assert profile.cams.scales == (1.0, 0.75, 0.5)
    assert profile.seeds.rule("T") == ThresholdSeed(foreground_above=0.1, background_below=0.06)
    assert profile.weighting.sharpness == 1
    assert profile.testing == "ms+crf"


def test_the_paper_profile_plans_every_cell_without_data() -> None:
    pipeline = Pipeline("paper")
    score = pipeline.score(Recipe(("T", "C"), "multi", ("plain", "residual")), 0)
    assert len(score.segmenter.labels) == 12
    assert score.segmenter.images.split == "train_aug"
    assert score.images.split == "val"
    assert pipeline.images("val").source.classes == VOC_CLASSES
    assert pipeline.label_score(score.segmenter.labels[0]).images.split == "train"
    assert pipeline.labels(PilotRecipe(0.1), 0)[0].images.split == "train_aug"


def test_only_resnet101_learns_at_half_the_rate() -> None:
    pipeline = Pipeline("paper")
    assert pipeline.segmenter(Recipe(("T",)), 0).schedule.lr == 1e-3
    assert pipeline.segmenter(Recipe(("T",), segmenter="residual"), 0).schedule.lr == 5e-4
    assert pipeline.segmenter(PilotRecipe(0.1), 0).schedule.lr == 1e-3


def test_downloaded_weights_are_in_the_identity() -> None:
    checksums = {
        name: spec.weights_checksum
        for name, spec in Pipeline("paper").profile.classifier.networks.items()
    }
    assert checksums == {
        "plain": WEIGHTS["vgg16"].checksum,
        "residual": WEIGHTS["resnet38"].checksum,
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
        _ = Pipeline("paper", root).source


def test_photos_score_their_seeds_on_official_masks_if_they_are_told_apart(
    make_voc: Callable[..., Path],
) -> None:
    plain = Pipeline("photo", make_voc(4, classes=ANIMALS, name="plain"))
    splits = {"train": [0, 1], "train_official": [1], "val": [2, 3]}
    told = Pipeline("photo", make_voc(4, classes=ANIMALS, name="told", splits=splits))
    for pipeline, split in ((plain, "train"), (told, "train_official")):
        (label,) = pipeline.labels(Recipe(("T",)), 0)
        assert pipeline.label_score(label).images.split == split


def test_random_seeds_of_a_profile_are_read_as_given_ones_are() -> None:
    profile = get_profile("demo")
    assert Pipeline(replace(profile, rng_seeds=1)).rng_seeds == (1,)  # pyright: ignore
    with pytest.raises(InputError, match="the profile demo names no random seeds"):
        Pipeline(replace(profile, rng_seeds=()))
    with pytest.raises(InputError, match=r"rng_seeds is .*; give whole numbers"):
        Pipeline(replace(profile, rng_seeds=("a",)))  # pyright: ignore


@pytest.mark.parametrize("scales", [(), 2.0, (0.0,), ("1",)])
def test_scales_that_make_no_cam_are_refused(scales) -> None:
    with pytest.raises(InputError, match=r"CamChoices: scales is .*; give a tuple"):
        CamChoices(scales=scales)
