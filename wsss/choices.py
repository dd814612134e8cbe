"""What a profile is: every choice that tells the demo from photos and from the paper, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from numbers import Real

from wsss.data.affine import Augmentation
from wsss.errors import InputError, require_word
from wsss.losses import Unknown
from wsss.paper import Part, PilotRecipe, Recipe, Testing
from wsss.seeds import SEED_TYPES, SeedRule
from wsss.stages import NetworkSpec, Photos, SaliencyName, Scenes
from wsss.training import Schedule


@dataclass(frozen=True)
class DataChoices:
    """Which images.

    Attributes
    ----------
    source : Scenes or Photos
        Drawn scenes, or how a folder is read; see `wsss.stages.Photos`.
    train : str
        Split whose images and image-level labels are learnt from, and that seeds are made for.
    seeds_scored_on : str
        Part of it whose masks score the seeds; where a data folder has no such split, all of it.

    Examples
    --------
    >>> DataChoices(Scenes(), train="pilot").seeds_scored_on
    'train'
    """

    source: Scenes | Photos
    train: str = "train"
    seeds_scored_on: str = "train"


@dataclass(frozen=True)
class Training:
    """Which networks learn, and how.

    Attributes
    ----------
    networks : mapping
        From a part to the network that plays it; cells of the tables that need one that is missing
        are left out.
    schedule, augmentation : Schedule, Augmentation
        How they are trained, and how their samples are varied.
    other_schedules : mapping
        Of parts that are not trained by `schedule`.

    Examples
    --------
    >>> usual, longer = (Schedule(steps=n, batch_size=4, lr=0.01) for n in (10, 20))
    >>> training = Training({}, usual, Augmentation(crop=65), {"residual": longer})
    >>> training.schedule_of("plain").steps, training.schedule_of("residual").steps
    (10, 20)
    """

    networks: Mapping[Part, NetworkSpec]
    schedule: Schedule
    augmentation: Augmentation
    other_schedules: Mapping[Part, Schedule] = field(default_factory=dict)

    def schedule_of(self, part: Part) -> Schedule:
        """Return how the network in a part is trained."""
        return self.other_schedules.get(part, self.schedule)


@dataclass(frozen=True)
class CamChoices:
    """How class activation maps are made.

    Attributes
    ----------
    scales : tuple of float
        Input scales; the first is "single-scale" (Sec. 5.3: 1, 0.75, 0.5).
    bias : bool
        Whether maps hold the classifier's bias. Not in the paper, whose Eq. 2 has none; the
        authors' ICD and MCIC code adds it.
    renormalise : bool
        Whether maps merged over scales are divided by their maximum once more, so that a threshold
        keeps its meaning. Not in the paper; irn's code does so with the sum of its scales.

    Raises
    ------
    InputError
        If `scales` is empty or one is not positive.

    Examples
    --------
    >>> CamChoices(scales=(1.0, 0.5)).renormalise
    True
    """

    scales: tuple[float, ...] = (1.0, 0.75, 0.5)
    bias: bool = False
    renormalise: bool = True

    def __post_init__(self) -> None:
        fine = isinstance(self.scales, Sequence) and len(self.scales) > 0
        if not fine or not all(isinstance(each, Real) and 0 < each < inf for each in self.scales):
            raise InputError(
                f"CamChoices: scales is {self.scales!r}; give a tuple of positive ones"
            )


@dataclass(frozen=True)
class SeedChoices:
    """How seeds are made.

    Attributes
    ----------
    saliency : str
        Where it comes from, see `wsss.stages.choose_saliency`.
    rules : tuple of SeedRule
        Types of seeds with their parameters; a type that is not named has its defaults. In
        `wsss.seeds.ThresholdSeed`, where two classes pass the threshold is not settled by the paper
        ("conflict" is not explained); the authors' ICD code takes the larger one.
    """

    saliency: SaliencyName = "auto"
    rules: tuple[SeedRule, ...] = ()

    def __post_init__(self) -> None:
        require_word("SeedChoices: saliency", self.saliency, SaliencyName)

    def rule(self, letter: str) -> SeedRule:
        """Look a type up by its letter.

        Raises
        ------
        InputError
            If there is none.

        Examples
        --------
        >>> from wsss.seeds import CrfSeed
        >>> SeedChoices(rules=(CrfSeed(cam_floor=0.1),)).rule("C").cam_floor
        0.1
        """
        rules = {rule.letter: rule for rule in self.rules}
        if letter not in rules and letter not in SEED_TYPES:
            known = ", ".join(dict.fromkeys([*SEED_TYPES, *rules]))
            raise InputError(f"no type of seed has the letter '{letter}'; there are {known}")
        return rules[letter] if letter in rules else SEED_TYPES[letter]()


@dataclass(frozen=True)
class Weighting:
    """How the seeds of a pixel are weighed (Sec. 4.5).

    Attributes
    ----------
    sharpness : float
        s of Eq. 6 (Sec. 4.5: 1).
    unknown : {"counted", "left_out"}
        What a seed that does not know a pixel does to the others (not in the paper).

    Examples
    --------
    >>> Weighting(unknown="left_out")
    Weighting(sharpness=1.0, unknown='left_out')
    """

    sharpness: float = 1.0
    unknown: Unknown = "counted"

    def __post_init__(self) -> None:
        require_word("Weighting: unknown", self.unknown, Unknown)
        if not 0 <= self.sharpness < inf:
            raise InputError(f"Weighting: sharpness is {self.sharpness}; it is finite, 0 or more")


@dataclass(frozen=True)
class PilotChoices:
    """The pilot experiment (Sec. 3).

    Attributes
    ----------
    schedule : Schedule
        How its segmenters are trained.
    split : str
        Split whose masks are spoiled.
    blocks : (float, float)
        Sides of the noise's blocks, as shares of the square root of the foreground's area.

    Examples
    --------
    >>> PilotChoices(Schedule(steps=10, batch_size=4, lr=0.01)).blocks
    (0.05, 0.3)
    """

    schedule: Schedule
    split: str = "train"
    blocks: tuple[float, float] = (0.05, 0.3)


@dataclass(frozen=True)
class Profile:
    """All choices, in the order in which they are made.

    Attributes
    ----------
    name, summary : str
        Name on the command line, and one sentence.
    rng_seeds : tuple of int
        Random seeds of the runs; each gives its own classifiers, segmenters and noise.
    data, classifier, cams, seeds, segmenter, weighting, pilot
        See their types.
    testing : {"single", "crf", "ms", "ms+crf"}
        How the segmenters of all tables are tested.

    Examples
    --------
    >>> from wsss.paper import get_table
    >>> from wsss.profiles import demo
    >>> all(demo().casts(cell.recipe) for cell in get_table("table5").cells)
    True
    """

    name: str
    summary: str
    rng_seeds: tuple[int, ...]
    data: DataChoices
    classifier: Training
    segmenter: Training
    pilot: PilotChoices
    cams: CamChoices = CamChoices()
    seeds: SeedChoices = SeedChoices()
    weighting: Weighting = Weighting()
    testing: Testing = "single"

    def __post_init__(self) -> None:
        require_word("Profile: testing", self.testing, Testing)

    def casts(self, recipe: Recipe | PilotRecipe) -> bool:
        """Whether every network that a recipe needs is played by one."""
        cams = recipe.cam_networks if isinstance(recipe, Recipe) else ()
        return recipe.segmenter in self.segmenter.networks and all(
            part in self.classifier.networks for part in cams
        )
