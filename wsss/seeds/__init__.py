"""Types of seeds: pseudo-masks made from class activation maps (Sec. 4.2)."""

from wsss.seeds.crf import CrfSeed, crf_seed, crf_seeds_of_image
from wsss.seeds.rule import SeedRule
from wsss.seeds.threshold import ClassConflict, ThresholdSeed, threshold_seed

SEED_TYPES: dict[str, type[SeedRule]] = {
    "T": ThresholdSeed,
    "C": CrfSeed,
}
"""By letter; a new type is one line here."""

__all__ = [
    "SEED_TYPES",
    "ClassConflict",
    "CrfSeed",
    "SeedRule",
    "ThresholdSeed",
    "crf_seed",
    "crf_seeds_of_image",
    "threshold_seed",
]
