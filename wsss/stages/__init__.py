"""The pipeline as values: stages that name their inputs, a store that keeps results, an engine."""

from wsss.stages.cams import AnyCams, CamReader, Cams, MergedCams
from wsss.stages.classifier import Classifier, NetworkSpec
from wsss.stages.engine import run
from wsss.stages.images import Images, PhotoFolder, Photos, Scenes
from wsss.stages.records import RESULTS, Records, keep_scores
from wsss.stages.saliency import (
    AnySaliency,
    CamBackground,
    Saliency,
    SaliencyName,
    check_maps,
    choose_saliency,
)
from wsss.stages.schedule import graph, together, wall_seconds
from wsss.stages.scores import LabelScore, SegmenterScore
from wsss.stages.seeds import GivenSeeds, Labels, NoisyLabels, SeedBlock, Seeds, TrueLabels
from wsss.stages.segmenter import Segmenter
from wsss.stages.stage import Spec, Stage, canonical_json
from wsss.stages.store import Origin, Store, default_runs
from wsss.stages.trace import WeightTrace, at_features
from wsss.stages.workers import default_workers

__all__ = [
    "RESULTS",
    "AnyCams",
    "AnySaliency",
    "CamBackground",
    "CamReader",
    "Cams",
    "Classifier",
    "GivenSeeds",
    "Images",
    "LabelScore",
    "Labels",
    "MergedCams",
    "NetworkSpec",
    "NoisyLabels",
    "Origin",
    "PhotoFolder",
    "Photos",
    "Records",
    "Saliency",
    "SaliencyName",
    "Scenes",
    "SeedBlock",
    "Seeds",
    "Segmenter",
    "SegmenterScore",
    "Spec",
    "Stage",
    "Store",
    "TrueLabels",
    "WeightTrace",
    "at_features",
    "canonical_json",
    "check_maps",
    "choose_saliency",
    "default_runs",
    "default_workers",
    "graph",
    "keep_scores",
    "run",
    "together",
    "wall_seconds",
]
