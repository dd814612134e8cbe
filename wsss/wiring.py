"""From the paper's words to stages: which stages stand for a recipe under a profile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property, wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from wsss.crf import PRESETS
from wsss.data.suspicions import left_out
from wsss.errors import require_word
from wsss.inference import SCALES, Protocol
from wsss.paper import (
    AnyRecipe,
    Cell,
    Part,
    PilotRecipe,
    Recipe,
    Scales,
    Table,
    Testing,
    get_table,
)
from wsss.profiles import Profile
from wsss.stages import (
    AnyCams,
    AnySaliency,
    Cams,
    Classifier,
    GivenSeeds,
    Images,
    Labels,
    LabelScore,
    MergedCams,
    NoisyLabels,
    PhotoFolder,
    Scenes,
    Seeds,
    Segmenter,
    SegmenterScore,
    TrueLabels,
    WeightTrace,
    choose_saliency,
)
from wsss.training import Schedule
from wsss.training.precision import PRECISIONS, PrecisionName, usual_precision

P = ParamSpec("P")
T = TypeVar("T")

TEST_CRF: Mapping[Part, str] = {"plain": "vgg16_test", "residual": "resnet101_test"}
"""Which of `wsss.crf.PRESETS` comes after a segmenter, if one does."""


def _once(method: Callable[Concatenate[Wiring, P], T]) -> Callable[Concatenate[Wiring, P], T]:
    """Make each stage once: tables share most of theirs, and finding an identity takes a while."""

    @wraps(method)
    def remembered(self: Wiring, *given: P.args, **named: P.kwargs) -> T:
        key = method.__name__, given, tuple(sorted(named.items()))
        if key not in self.made:
            self.made[key] = method(self, *given, **named)
        return self.made[key]

    return remembered


class Wiring:
    """A profile on a data folder: what its classifiers, seeds and segmenters are as stages.

    Nothing is computed here; a stage is a value that says how a result would be.

    Parameters
    ----------
    profile : Profile
        All choices.
    data : Path, optional
        Data folder, if the profile reads one.
    precision : {"32", "tf32", "bf16"}, optional
        In what the networks compute instead of the profile's float32: that, TF32 in the
        convolutions of a GPU, or bfloat16. Each has results of its own. By default TF32 where this
        process sees a GPU, as torch has it, else float32.

    Examples
    --------
    >>> from wsss.profiles import get_profile
    >>> demo = Wiring(get_profile("demo"))
    >>> [cams.scale for cams in demo.cams("plain")]
    [2.0, 1.5, 1.25]
    """

    def __init__(
        self, profile: Profile, data: Path | None = None, precision: PrecisionName | None = None
    ) -> None:
        if precision is not None:
            require_word("precision", precision, PrecisionName)
        self.profile = profile
        self.data = data
        self.precision: PrecisionName | None = precision
        self._usual = usual_precision()
        self.made: dict[Any, Any] = {}

    @cached_property
    def source(self) -> Scenes | PhotoFolder:
        """Where the images come from; a folder is read once, to know it."""
        return self.profile.data.source.at(self.data)

    @property
    def train_images(self) -> Images:
        """The images that are learnt from."""
        return self.images(self.profile.data.train)

    @cached_property
    def saliency(self) -> AnySaliency:
        """Saliency of the images that are learnt from; maps are read once, to know them."""
        return choose_saliency(self.profile.seeds.saliency, self.train_images, self.data)

    def images(self, split: str) -> Images:
        """Return a split of the data."""
        return Images(source=self.source, split=split)

    @_once
    def classifier(self, part: Part = "plain", rng_seed: int = 0) -> Classifier:
        """Return the classifier in a part."""
        training = self.profile.classifier
        return Classifier(
            images=self.train_images,
            network=training.networks[part],
            schedule=self._precise(training.schedule_of(part)),
            augmentation=training.augmentation,
            rng_seed=rng_seed,
        )

    @_once
    def cams(
        self, part: Part = "plain", scales: Scales = "multi", rng_seed: int = 0
    ) -> list[AnyCams]:
        """Return the maps of one network: one set, one a scale, or one merged."""
        classifier, choices = self.classifier(part, rng_seed), self.profile.cams
        every = [
            Cams(classifier=classifier, images=self.train_images, scale=scale, bias=choices.bias)
            for scale in choices.scales
        ]
        if scales in ("single", "multi"):
            return list(every[: 1 if scales == "single" else None])
        return [MergedCams(cams=tuple(every), how=scales, renormalise=choices.renormalise)]

    def seeds(self, letter: str, cams: AnyCams) -> Seeds:
        """Return the seeds of one type from one set of maps."""
        rule = self.profile.seeds.rule(letter)
        return Seeds(cams=cams, saliency=self.saliency, rule=rule)

    @_once
    def labels(self, recipe: AnyRecipe, rng_seed: int = 0) -> tuple[Labels, ...]:
        """Return all label maps of a recipe."""
        if isinstance(recipe, PilotRecipe):
            return self._pilot_labels(recipe, rng_seed)
        ours = (
            self.seeds(letter, cams)
            for part in recipe.cam_networks
            for cams in self.cams(part, recipe.scales, rng_seed)
            for letter in recipe.types
        )
        given = (GivenSeeds.of(self.train_images, self.data, each) for each in recipe.given)
        return *ours, *given

    def label_score(self, labels: Labels) -> LabelScore:
        """Return the score of label maps themselves."""
        choices = self.profile.data
        split = choices.seeds_scored_on
        return LabelScore(
            labels=labels,
            images=self.images(split if split in self.source.splits else choices.train),
        )

    @_once
    def segmenter(self, recipe: AnyRecipe, rng_seed: int = 0) -> Segmenter:
        """Return the segmenter trained on a recipe's label maps."""
        profile, pilot = self.profile, isinstance(recipe, PilotRecipe)
        training, weighting = profile.segmenter, profile.weighting
        network, sharpness = training.networks[recipe.segmenter], weighting.sharpness
        if isinstance(recipe, PilotRecipe) and recipe.untrained:
            network = network.random
        if isinstance(recipe, Recipe) and recipe.sharpness is not None:
            sharpness = recipe.sharpness
        schedule = profile.pilot.schedule if pilot else training.schedule_of(recipe.segmenter)
        return Segmenter(
            labels=self.labels(recipe, rng_seed),
            network=network,
            schedule=self._precise(schedule),
            augmentation=training.augmentation,
            sharpness=sharpness if recipe.weighted else 0,
            unknown=weighting.unknown,
            rng_seed=rng_seed,
        )

    def _precise(self, schedule: Schedule) -> Schedule:
        """Put what was asked for in place of the schedule's arithmetic, or what is usual here."""
        if self.precision is not None:
            return replace(schedule, precision=PRECISIONS[self.precision])
        usual = schedule.precision == "32-true"
        return replace(schedule, precision=self._usual) if usual else schedule

    def trace(self, recipe: AnyRecipe, rng_seed: int = 0) -> WeightTrace:
        """Return the look into that segmenter's training (Fig. 4)."""
        return WeightTrace(segmenter=self.segmenter(recipe, rng_seed))

    def protocol(self, recipe: AnyRecipe, testing: Testing | None = None) -> Protocol:
        """Return how a recipe's segmenter is tested, by default the profile's way."""
        testing = testing or self.profile.testing
        require_word("testing", testing, Testing)
        return Protocol(
            scales=SCALES if testing.startswith("ms") else (1.0,),
            flip=testing.startswith("ms"),
            crf=PRESETS[TEST_CRF[recipe.segmenter]] if testing.endswith("crf") else None,
        )

    @_once
    def score(
        self, recipe: AnyRecipe, rng_seed: int = 0, testing: Testing | None = None
    ) -> SegmenterScore:
        """Return the score of that segmenter on the validation images."""
        return SegmenterScore(
            segmenter=self.segmenter(recipe, rng_seed),
            images=self.images("val"),
            protocol=self.protocol(recipe, testing),
        )

    def _pilot_labels(self, recipe: PilotRecipe, rng_seed: int) -> tuple[Labels, ...]:
        choices = self.profile.pilot
        images, (smallest, largest) = self.images(choices.split), choices.blocks
        if recipe.ratio == 0:
            return (TrueLabels(images=images),)
        return tuple(
            NoisyLabels(
                images=images,
                ratio=recipe.ratio,
                copy_number=copy_number,
                rng_seed=rng_seed,
                smallest=smallest,
                largest=largest,
            )
            for copy_number in range(recipe.copies)
        )

    def cells(self, table: Table) -> list[Cell]:
        """List the cells of a table whose networks the profile has."""
        return [cell for cell in table.cells if self.profile.casts(cell.recipe)]

    @property
    def richest(self) -> Recipe:
        """The recipe of the most seeds that the profile's networks make, the paper's twelve."""
        recipe = self.cells(get_table("table5"))[-1].recipe
        assert isinstance(recipe, Recipe)
        return recipe

    def classes_left_out(self) -> str:
        """Say which of a data folder's classes are not learnt; empty if all are."""
        if self.data is None or not isinstance(self.source, PhotoFolder):
            return ""
        return left_out(self.source.folder(self.data), self.profile.data.train)
