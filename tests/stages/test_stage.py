"""Identities: what changes one, and what must not."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import pickle
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import ValidationError

from wsss.crf import DenseCRF
from wsss.data.affine import Augmentation
from wsss.data.scene_look import SceneLook
from wsss.data.scenes import DRAWING_VERSION
from wsss.inference import Protocol
from wsss.seeds import CrfSeed, SeedRule, ThresholdSeed
from wsss.stages import (
    CamBackground,
    Cams,
    Classifier,
    GivenSeeds,
    Images,
    LabelScore,
    MergedCams,
    NetworkSpec,
    NoisyLabels,
    PhotoFolder,
    Saliency,
    Scenes,
    Seeds,
    Segmenter,
    SegmenterScore,
    Spec,
    Stage,
    TrueLabels,
    WeightTrace,
    canonical_json,
)
from wsss.training import Schedule

PHOTOS = PhotoFolder(fingerprint="0" * 64, classes=("cat", "dog"), splits=("train", "val"))
TRAIN, VAL = Images(source=PHOTOS, split="train"), Images(source=PHOTOS, split="val")
NETWORK = NetworkSpec(name="vgg16_scenes")
SALIENCY = Saliency.by_border(TRAIN)


def classifier(**changes: Any) -> Classifier:
    fields = {
        "images": TRAIN,
        "network": NETWORK,
        "schedule": Schedule(),
        "augmentation": Augmentation(),
        "rng_seed": 0,
    }
    return Classifier(**(fields | changes))


def cams(scale: float = 1.0) -> Cams:
    return Cams(classifier=classifier(), images=TRAIN, scale=scale)


def segmenter(*labels: Stage, **changes: Any) -> Segmenter:
    fields = {
        "labels": labels,
        "network": NETWORK,
        "schedule": Schedule(),
        "augmentation": Augmentation(),
        "rng_seed": 0,
    }
    return Segmenter(**(fields | changes))


T = Seeds(cams=cams(), saliency=SALIENCY, rule=ThresholdSeed())
C = Seeds(cams=cams(), saliency=SALIENCY, rule=CrfSeed())
MERGED = MergedCams(cams=(cams(1.0), cams(0.5)), how="max")
NOISY = NoisyLabels(images=TRAIN, ratio=0.1, copy_number=0, rng_seed=0)

TESTED = SegmenterScore(segmenter=segmenter(T, C), images=VAL)

EVERY = [
    Scenes(),
    PHOTOS,
    TRAIN,
    SALIENCY,
    classifier(),
    cams(),
    MERGED,
    T,
    C,
    C.blocks[0],
    Seeds(cams=MERGED, saliency=SALIENCY, rule=ThresholdSeed()),
    NOISY,
    TrueLabels(images=TRAIN),
    GivenSeeds(images=TRAIN, method="irn", sha256="1" * 64),
    segmenter(T, C),
    TESTED,
    TESTED.model_copy(update={"protocol": Protocol((0.75, 1.0), flip=True, crf=DenseCRF())}),
    LabelScore(labels=C, images=TRAIN),
    WeightTrace(segmenter=segmenter(T, C)),
]


def test_every_kind_of_stage_is_looked_at() -> None:
    kinds = [kind for kind in Stage.__subclasses__() if kind.__module__.startswith("wsss.")]
    assert {type(stage) for stage in EVERY} == set(kinds)
    names = [kind.model_fields["stage"].default for kind in kinds]
    assert len(set(names)) == len(names)
    assert not any(kind.__subclasses__() for kind in kinds)


# --- what an identity is -------------------------------------------------------------------


def test_golden_identity() -> None:
    """Whoever changes this throws away every result on every reader's disk."""
    stage = TrueLabels(images=TRAIN)
    expected = (
        '{"images":{"source":{"classes":["cat","dog"],"difficult":"keep","fingerprint":"'
        + "0" * 64
        + '","labels":null,"longest_side":null,"splits":["train","val"],"stage":"photos",'
        '"subset":null,"version":1},'
        '"split":"train","stage":"images","version":1},"stage":"true_labels","version":1}'
    )
    assert canonical_json(stage) == expected
    assert stage.identity == hashlib.sha256(expected.encode()).hexdigest()
    assert stage.identity == "275dbc02d3ae5612ea8baac3993eac374af829eda9fb175f5d2b66e0ac26e1f5"


@pytest.mark.parametrize("stage", EVERY, ids=lambda stage: stage.name)
def test_defaults_are_written_out_to_the_last(stage: Stage) -> None:
    def compare(value: Any, written: Any) -> None:
        if isinstance(value, Spec):
            assert set(written) == set(type(value).model_fields)
            for name in type(value).model_fields:
                compare(getattr(value, name), written[name])
        elif dataclasses.is_dataclass(value):
            names = {field.name for field in dataclasses.fields(value)}
            assert set(written) == names | ({"type"} if isinstance(value, SeedRule) else set())
            for field in dataclasses.fields(value):
                compare(getattr(value, field.name), written[field.name])
        elif isinstance(value, tuple):
            assert len(written) == len(value)
            for item, item_written in zip(value, written, strict=True):
                compare(item, item_written)
        else:
            assert written == value

    compare(stage, json.loads(canonical_json(stage)))


@pytest.mark.parametrize("stage", EVERY, ids=lambda stage: stage.name)
def test_defaults_given_in_words_change_nothing(stage: Stage) -> None:
    fields = {name: getattr(stage, name) for name in type(stage).model_fields}
    again = type(stage)(**fields)
    assert again.identity == stage.identity
    assert again == stage
    assert hash(again) == hash(stage)


@pytest.mark.parametrize("stage", EVERY, ids=lambda stage: stage.name)
def test_survives_the_way_to_another_process(stage: Stage) -> None:
    travelled = pickle.loads(pickle.dumps(stage))
    assert travelled == stage
    assert travelled.identity == stage.identity


def test_every_stage_differs_from_every_other() -> None:
    assert len({stage.identity for stage in EVERY}) == len(EVERY)
    assert all(len(stage.identity) == 64 for stage in EVERY)


# --- what changes it -----------------------------------------------------------------------

SOURCE = '''
class Blur(Stage):
    """{docstring}"""

    stage: Literal["blur"] = "blur"
    version: Literal[{version}] = {version}
    images: Images
    {first}
    {second}

    def compute(self, folder, store):
        """{docstring}"""
        {body}
'''
ORIGINAL = {
    "docstring": "Blur the images.",
    "version": 1,
    "first": "radius: float = 2.0",
    "second": "passes: int = 1",
    "body": "pass",
}


def blur(**edits: Any) -> Stage:
    """A stage from edited source code, with nothing but its input given."""
    names: dict[str, Any] = {"Stage": Stage, "Literal": Literal, "Images": Images}
    source = SOURCE.format(**(ORIGINAL | edits))
    exec(compile(source, "edited", "exec", dont_inherit=True), names)
    return names["Blur"](images=TRAIN)


@pytest.mark.parametrize(
    "edits",
    [
        {"docstring": "Smooth the pictures, slowly."},
        {"body": "renamed = 1"},
        {"first": "passes: int = 1", "second": "radius: float = 2.0"},
        {"first": "radius: float = 2"},
    ],
    ids=["docstring", "body", "order", "same value"],
)
def test_edits_that_change_nothing(edits: dict[str, Any]) -> None:
    assert blur(**edits).identity == blur().identity


@pytest.mark.parametrize(
    "edits",
    [
        {"first": "radius: float = 2.5"},
        {"first": "radius: int = 2"},
        {"version": 2},
        {"second": "passes: int = 1; wrap: bool = False"},
    ],
    ids=["default", "type", "version", "new field"],
)
def test_edits_that_change_the_identity(edits: dict[str, Any]) -> None:
    assert blur(**edits).identity != blur().identity


@pytest.mark.parametrize(
    "changes",
    [
        {"rng_seed": 1},
        {"images": VAL},
        {"network": NetworkSpec(name="vgg16_scenes", width=0.5)},
        {"network": NetworkSpec(name="vgg16_scenes", weights_checksum="sha256:" + "1" * 64)},
        {"schedule": Schedule(head_multiplier=9)},
        {"schedule": Schedule(clip_norm=1.0)},
        {"augmentation": Augmentation(mirror=False)},
        {"augmentation": Augmentation(scales=(0.5, 1.4))},
    ],
    ids=str,
)
def test_a_change_reaches_everything_that_depends_on_it(changes: dict[str, Any]) -> None:
    def score(first: Classifier) -> SegmenterScore:
        maps = Cams(classifier=first, images=TRAIN, scale=1.0)
        labels = Seeds(cams=maps, saliency=SALIENCY, rule=ThresholdSeed())
        return SegmenterScore(segmenter=segmenter(labels), images=VAL)

    assert score(classifier()).identity == score(classifier()).identity
    assert score(classifier(**changes)).identity != score(classifier()).identity


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Scenes(), Scenes(look=SceneLook(camouflage=0.5))),
        (Scenes(), Scenes(drawing_version=DRAWING_VERSION + 1)),
        (C, Seeds(cams=cams(), saliency=SALIENCY, rule=CrfSeed(DenseCRF(iterations=9)))),
        (SALIENCY, Saliency.by_u2netp(TRAIN)),
        (SALIENCY, Saliency(images=TRAIN, maps_sha256="2" * 64)),
        (T, Seeds(cams=cams(), saliency=CamBackground(), rule=ThresholdSeed())),
        (
            Seeds(cams=cams(), saliency=CamBackground(), rule=ThresholdSeed()),
            Seeds(cams=cams(), saliency=CamBackground(alpha=8), rule=ThresholdSeed()),
        ),
        (LabelScore(labels=C, images=TRAIN), LabelScore(labels=C, images=VAL)),
        (T, Seeds(cams=cams(0.5), saliency=SALIENCY, rule=ThresholdSeed())),
        (T, Seeds(cams=cams(), saliency=SALIENCY, rule=ThresholdSeed(background_below=0.05))),
        (NOISY, NoisyLabels(images=TRAIN, ratio=0.1, copy_number=1, rng_seed=0)),
        (MERGED, MergedCams(cams=MERGED.cams, how="mean")),
        (TESTED, TESTED.model_copy(update={"protocol": Protocol((0.75, 1.0))})),
        (TESTED, TESTED.model_copy(update={"protocol": Protocol(flip=True)})),
        (TESTED, TESTED.model_copy(update={"protocol": Protocol(crf=DenseCRF())})),
    ],
    ids=lambda stage: stage.name,
)
def test_every_choice_counts(first: Stage, second: Stage) -> None:
    assert first.identity != second.identity


def test_whole_numbers_and_fractions_of_the_same_value_are_the_same() -> None:
    assert cams(1).identity == cams(1.0).identity
    assert (
        classifier(schedule=Schedule(lr=1)).identity
        == classifier(schedule=Schedule(lr=1.0)).identity
    )


@dataclasses.dataclass(frozen=True)
class CarefulSeed(ThresholdSeed):
    """A type of somebody's own."""

    margin: float = 0.5


def test_a_value_of_a_subclass_brings_its_own_fields_into_the_identity() -> None:
    every = [
        Seeds(cams=cams(), saliency=SALIENCY, rule=rule)
        for rule in (ThresholdSeed(), CarefulSeed(), CarefulSeed(margin=0.4))
    ]
    assert len({each.identity for each in every}) == 3
    assert len({segmenter(each, C).identity for each in every}) == 3


def test_a_subclass_of_a_stage_is_another_stage() -> None:
    class Sharper(Cams):
        """Computes something else from the same fields."""

    fields = {name: getattr(cams(), name) for name in Cams.model_fields}
    assert Sharper(**fields).identity != cams().identity


# --- segmenters that must come out the same ------------------------------------------------


def test_labels_are_a_sorted_set() -> None:
    labels = [T, C, Seeds(cams=cams(0.5), saliency=SALIENCY, rule=ThresholdSeed())]
    whole = segmenter(*labels)
    for order in itertools.permutations(labels):
        assert segmenter(*order) == whole
        assert segmenter(*order).identity == whole.identity
    assert segmenter(*labels, T, C).identity == whole.identity
    assert segmenter(T, C).identity != whole.identity


@pytest.mark.parametrize("labels", [(T,), (T, T)])
def test_one_label_map_has_sharpness_zero(labels: tuple[Stage, ...]) -> None:
    every = [segmenter(*labels, sharpness=s) for s in (0.0, 1.0, 5.0)] + [segmenter(*labels)]
    assert [each.sharpness for each in every] == [0, 0, 0, 0]
    assert len({each.identity for each in every}) == 1


def test_one_label_map_has_one_reading_of_unknown_pixels() -> None:
    assert segmenter(T, unknown="left_out") == segmenter(T)
    assert segmenter(T, C, unknown="left_out").identity != segmenter(T, C).identity
    with pytest.raises(ValidationError, match="unknown"):
        segmenter(T, C, unknown="ignored")


def test_with_several_the_sharpness_counts() -> None:
    every = [segmenter(T, C, sharpness=s) for s in (0.0, 1.0, 5.0)]
    assert [each.sharpness for each in every] == [0, 1, 5]
    assert len({each.identity for each in every}) == 3
    assert segmenter(T, C).sharpness == 1


def test_labels_that_cannot_be_trained_on_are_refused() -> None:
    with pytest.raises(ValidationError, match="at least one source of labels"):
        segmenter()
    with pytest.raises(ValidationError, match="same images"):
        segmenter(TrueLabels(images=TRAIN), TrueLabels(images=VAL))
    with pytest.raises(ValidationError):
        segmenter(SALIENCY)


# --- a stage as a value --------------------------------------------------------------------


def test_parents_are_the_stages_it_reads() -> None:
    assert PHOTOS.parents() == []
    assert TRAIN.parents() == [PHOTOS]
    assert T.parents() == [*T.blocks, TRAIN]
    assert T.blocks[0].parents() == [cams(), TRAIN, SALIENCY]
    assert MERGED.parents() == [cams(1.0), cams(0.5), TRAIN]
    assert sorted(p.name for p in segmenter(T, C).parents()) == ["images", "seeds", "seeds"]
    assert classifier().parents() == [TRAIN]


def test_who_shares_work() -> None:
    assert len({block.shares for block in C.blocks}) == len(C.blocks)
    for maps in (cams(0.5), MERGED):
        other = Seeds(cams=maps, saliency=SALIENCY, rule=CrfSeed())
        assert [block.shares for block in other.blocks] == [block.shares for block in C.blocks]
        assert other.blocks[0].identity != C.blocks[0].identity
    elsewhere = Cams(classifier=classifier(rng_seed=1), images=TRAIN, scale=1.0)
    for apart in (
        Seeds(cams=cams(), saliency=SALIENCY, rule=CrfSeed(DenseCRF(iterations=9))),
        Seeds(cams=cams(), saliency=Saliency.by_u2netp(TRAIN), rule=CrfSeed()),
        Seeds(cams=elsewhere, saliency=SALIENCY, rule=CrfSeed()),
    ):
        assert apart.blocks[0].shares != C.blocks[0].shares
    trained = segmenter(T, C).shares  # one training serves the segmenter and its trace
    assert WeightTrace(segmenter=segmenter(T, C)).shares == trained != segmenter(T).shares
    assert {stage.shares for stage in EVERY} == {None, trained, C.blocks[0].shares}
    assert T.blocks[0].shares != C.blocks[0].shares


def test_is_frozen_and_refuses_unknown_fields() -> None:
    stage = cams()
    with pytest.raises(ValidationError, match="frozen"):
        stage.scale = 2.0
    with pytest.raises(ValidationError, match="sharpnes"):
        segmenter(T, C, sharpnes=0.0)
    with pytest.raises(ValidationError):
        Images(source=PHOTOS, split=3)  # pyright: ignore[reportArgumentType]


def test_images_of_labels_are_those_of_their_maps() -> None:
    for labels in (T, C, NOISY, Seeds(cams=MERGED, saliency=SALIENCY, rule=ThresholdSeed())):
        assert labels.images == TRAIN
    assert segmenter(T, C).images == TRAIN


def test_a_stage_without_compute_says_so(tmp_path: Path) -> None:
    class Empty(Stage):
        stage: Literal["empty"] = "empty"

    with pytest.raises(TypeError, match="Empty"):
        Empty().compute(tmp_path, None)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    "stage",
    [stage for stage in EVERY if '"rule"' not in canonical_json(stage)],  # of whatever type
    ids=lambda stage: stage.name,
)
def test_survives_the_way_through_its_spec(stage: Stage) -> None:
    read = type(stage).model_validate_json(stage.model_dump_json(indent=2))
    assert read == stage
    assert read.identity == stage.identity


def test_a_changed_copy_is_checked_and_has_its_own_identity() -> None:
    whole = segmenter(T, C)
    assert whole.identity  # computed before the copy is made
    assert whole.model_copy(update={"rng_seed": 1}).identity == segmenter(T, C, rng_seed=1).identity
    alone = whole.model_copy(update={"labels": (T,)})
    assert alone == segmenter(T)
    assert alone.sharpness == 0
    with pytest.raises(ValidationError, match="sharpnes"):
        whole.model_copy(update={"sharpnes": 0.0})
    with pytest.raises(ValidationError, match="sharpness"):
        segmenter(T, C, sharpness=-1.0)
