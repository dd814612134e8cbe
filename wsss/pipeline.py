"""From the paper's words to stages: recipes, the choices of a profile, and the graph they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from wsss.crf import PRESETS, DenseCRF
from wsss.data.affine import Augmentation
from wsss.inference import SCALES, Protocol
from wsss.losses import Unknown
from wsss.seeds import ClassConflict
from wsss.stages import (
    AnyCams,
    AnySaliency,
    Cams,
    Classifier,
    CrfSeeds,
    Images,
    Labels,
    LabelScore,
    MergedCams,
    NetworkSpec,
    NoisyLabels,
    PhotoFolder,
    SaliencyName,
    Scenes,
    Segmenter,
    SegmenterScore,
    ThresholdSeeds,
    TrueLabels,
    choose_saliency,
)
from wsss.training import Schedule

SeedType = Literal["T", "C"]
Scales = Literal["single", "multi", "max", "mean"]
CamNetwork = Literal["vgg16", "resnet38"]
SegmenterNetwork = Literal["vgg16", "resnet101"]
Testing = Literal["single", "crf", "ms", "ms+crf"]
"""At one scale or at three with flip ("ms"), without or with a CRF after it."""


@dataclass(frozen=True)
class Recipe:
    """What a segmenter of the paper is trained on, in the paper's words.

    Attributes
    ----------
    types : tuple of {"T", "C"}
        Threshold seeds, CRF seeds (Sec. 4.2).
    scales : {"single", "multi", "max", "mean"}
        The first scale, every scale on its own, or all merged into one map (Table 3).
    cam_networks : tuple of {"vgg16", "resnet38"}
        Whose part the profile's networks play (Sec. 4.4).
    weighted : bool
        With the weights of Eq. 6, or plain (Eq. 4).
    segmenter : {"vgg16", "resnet101"}
        Whose part the profile's segmenter plays.
    """

    types: tuple[SeedType, ...]
    scales: Scales = "single"
    cam_networks: tuple[CamNetwork, ...] = ("vgg16",)
    weighted: bool = True
    segmenter: SegmenterNetwork = "vgg16"


@dataclass(frozen=True)
class PilotRecipe:
    """Hand-made noise of the pilot experiment (Sec. 3): so many labels at such a ratio."""

    ratio: float
    copies: int = 1


@dataclass(frozen=True)
class Profile:
    """All choices of a profile.

    Attributes
    ----------
    name : str
        Name on the command line.
    summary : str
        One sentence.
    source : callable
        Data folder (or None) to the source of images. The choice among sources of image-level
        labels, and whether "difficult" objects count, are made here: see `PhotoFolder.at`.
    rng_seeds : tuple of int
        Random seeds of the runs; each gives its own classifiers, segmenters and noise.
    cam_networks, segmenters : mapping
        From the network of the paper to the one that plays its part; cells of the tables that
        need one that is missing are left out.
    classifier_schedule, segmenter_schedule : Schedule
        How they are trained.
    classifier_augmentation, segmenter_augmentation : Augmentation
        How their samples are varied.
    scales : tuple of float
        Input scales of the CAMs; the first is "single-scale" (Sec. 5.3: 1, 0.75, 0.5).
    saliency : str
        Where it comes from, see `wsss.stages.choose_saliency`.
    foreground_above, background_below : float
        Thresholds of Sec. 4.2.
    crf : DenseCRF
        The CRF of Sec. 4.2.
    pilot_split : str
        Split whose masks the pilot experiment spoils.
    pilot_schedule : Schedule
        How the pilot's segmenters are trained.
    pilot_blocks : (float, float)
        Sides of the noise's blocks, as shares of the square root of the foreground's area.
    sharpness : float
        s of Eq. 6 (Sec. 4.5: 1).
    cam_floor : float
        What a present class scores at least in the CRF seeds (not in the paper: 0).
    class_conflict : {"argmax", "unknown"}
        Where two classes pass the threshold, the larger one or unknown. Not settled by the paper
        ("conflict" is not explained); the authors' ICD code takes the larger one.
    cam_bias : bool
        Whether CAMs hold the classifier's bias. Not in the paper, whose Eq. 2 has none; the
        authors' ICD and MCIC code adds it.
    renormalise_merged : bool
        Whether maps merged over scales are divided by their maximum once more, so that a threshold
        keeps its meaning. Not in the paper; irn's code does so with the sum of its scales.
    unknown : {"counted", "left_out"}
        What a seed that does not know a pixel does to the others (not in the paper).
    testing : {"single", "crf", "ms", "ms+crf"}
        How the segmenters of all tables are tested.
    train_split : str
        Split whose images and image-level labels are learnt from, and that seeds are made for.
    seed_score_split : str
        Part of it whose masks score the seeds; where a data folder has no such split, all of it.
    other_schedules : mapping
        For segmenters that are not trained by `segmenter_schedule`.
    """

    name: str
    summary: str
    source: Callable[[Path | None], Scenes | PhotoFolder]
    rng_seeds: tuple[int, ...]
    cam_networks: Mapping[CamNetwork, NetworkSpec]
    segmenters: Mapping[SegmenterNetwork, NetworkSpec]
    classifier_schedule: Schedule
    classifier_augmentation: Augmentation
    segmenter_schedule: Schedule
    segmenter_augmentation: Augmentation
    scales: tuple[float, ...]
    saliency: SaliencyName
    foreground_above: float
    background_below: float
    crf: DenseCRF
    pilot_split: str
    pilot_schedule: Schedule
    pilot_blocks: tuple[float, float]
    sharpness: float = 1.0
    cam_floor: float = 0.0
    class_conflict: ClassConflict = "argmax"
    cam_bias: bool = False
    renormalise_merged: bool = True
    unknown: Unknown = "counted"
    testing: Testing = "single"
    train_split: str = "train"
    seed_score_split: str = "train"
    other_schedules: Mapping[SegmenterNetwork, Schedule] = field(default_factory=dict)

    def casts(self, recipe: Recipe | PilotRecipe) -> bool:
        """Whether every network that a recipe needs is played by one."""
        if isinstance(recipe, PilotRecipe):
            return "vgg16" in self.segmenters
        return recipe.segmenter in self.segmenters and all(
            network in self.cam_networks for network in recipe.cam_networks
        )


class Pipeline:
    """A profile on a data folder: from the paper's words to stages.

    Parameters
    ----------
    profile : Profile
        The choices.
    data : Path, optional
        Data folder, if the profile reads one.
    """

    def __init__(self, profile: Profile, data: Path | None = None) -> None:
        self.profile = profile
        self.data = data
        self.source = profile.source(data)

    @property
    def train_images(self) -> Images:
        """The images that are learnt from."""
        return self.images(self.profile.train_split)

    @cached_property
    def saliency(self) -> AnySaliency:
        """Saliency of the images that are learnt from; maps are read once, to know them."""
        return choose_saliency(self.profile.saliency, self.train_images, self.data)

    def images(self, split: str) -> Images:
        """Return a split of the data."""
        return Images(source=self.source, split=split)

    def classifier(self, network: CamNetwork, rng_seed: int) -> Classifier:
        """Return the classifier in the part of a network."""
        return Classifier(
            images=self.train_images,
            network=self.profile.cam_networks[network],
            schedule=self.profile.classifier_schedule,
            augmentation=self.profile.classifier_augmentation,
            rng_seed=rng_seed,
        )

    def cams(self, network: CamNetwork, scales: Scales, rng_seed: int) -> list[AnyCams]:
        """Return the maps of one network: one set, one a scale, or one merged."""
        classifier, images = self.classifier(network, rng_seed), self.train_images
        every = [
            Cams(classifier=classifier, images=images, scale=scale, bias=self.profile.cam_bias)
            for scale in self.profile.scales
        ]
        if scales == "single":
            return [every[0]]
        if scales == "multi":
            return list(every)
        renormalise = self.profile.renormalise_merged
        return [MergedCams(cams=tuple(every), how=scales, renormalise=renormalise)]

    def seeds(self, kind: SeedType, cams: AnyCams) -> ThresholdSeeds | CrfSeeds:
        """Return the seeds of one type from one set of maps."""
        if kind == "C":
            return CrfSeeds(
                cams=cams,
                saliency=self.saliency,
                crf=self.profile.crf,
                cam_floor=self.profile.cam_floor,
            )
        return ThresholdSeeds(
            cams=cams,
            saliency=self.saliency,
            foreground_above=self.profile.foreground_above,
            background_below=self.profile.background_below,
            class_conflict=self.profile.class_conflict,
        )

    def label_score(self, labels: Labels) -> LabelScore:
        """Return the score of label maps themselves."""
        split = self.profile.seed_score_split
        if isinstance(self.source, PhotoFolder) and split not in self.source.splits:
            split = self.profile.train_split
        return LabelScore(labels=labels, images=self.images(split))

    def labels(self, recipe: Recipe | PilotRecipe, rng_seed: int) -> tuple[Labels, ...]:
        """Return all label maps of a recipe."""
        if isinstance(recipe, PilotRecipe):
            return self._pilot_labels(recipe, rng_seed)
        return tuple(
            self.seeds(kind, cams)
            for network in recipe.cam_networks
            for cams in self.cams(network, recipe.scales, rng_seed)
            for kind in recipe.types
        )

    def segmenter(self, recipe: Recipe | PilotRecipe, rng_seed: int) -> Segmenter:
        """Return the segmenter trained on a recipe's label maps."""
        pilot = isinstance(recipe, PilotRecipe)
        profile, network = self.profile, "vgg16" if pilot else recipe.segmenter
        usual = profile.other_schedules.get(network, profile.segmenter_schedule)
        return Segmenter(
            labels=self.labels(recipe, rng_seed),
            network=profile.segmenters[network],
            schedule=profile.pilot_schedule if pilot else usual,
            augmentation=profile.segmenter_augmentation,
            # The pilot comes before WST in the paper: its two labels are averaged (Eq. 4).
            sharpness=0.0 if pilot or not recipe.weighted else profile.sharpness,
            unknown=profile.unknown,
            rng_seed=rng_seed,
        )

    def protocol(self, recipe: Recipe | PilotRecipe, testing: Testing | None = None) -> Protocol:
        """Return how a recipe's segmenter is tested, by default the profile's way."""
        testing = testing or self.profile.testing
        network = "vgg16" if isinstance(recipe, PilotRecipe) else recipe.segmenter
        return Protocol(
            scales=SCALES if testing.startswith("ms") else (1.0,),
            flip=testing.startswith("ms"),
            crf=PRESETS[f"{network}_test"] if testing.endswith("crf") else None,
        )

    def score(
        self, recipe: Recipe | PilotRecipe, rng_seed: int, testing: Testing | None = None
    ) -> SegmenterScore:
        """Return the score of that segmenter on the validation images."""
        return SegmenterScore(
            segmenter=self.segmenter(recipe, rng_seed),
            images=self.images("val"),
            protocol=self.protocol(recipe, testing),
        )

    def _pilot_labels(self, recipe: PilotRecipe, rng_seed: int) -> tuple[Labels, ...]:
        images = self.images(self.profile.pilot_split)
        if recipe.ratio == 0:
            return (TrueLabels(images=images),)
        smallest, largest = self.profile.pilot_blocks
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
