"""The pipeline as values: stages that name their inputs, and a store that keeps their results."""

from wsss.stages.cams import AnyCams, Cams, MergedCams
from wsss.stages.classifier import Classifier, NetworkSpec
from wsss.stages.images import Images, PhotoFolder, Scenes
from wsss.stages.saliency import (
    AnySaliency,
    CamBackground,
    Saliency,
    SaliencyName,
    check_maps,
    choose_saliency,
)
from wsss.stages.seeds import CrfBlock, CrfSeeds, Labels, NoisyLabels, ThresholdSeeds, TrueLabels
from wsss.stages.segmenter import LabelScore, Segmenter, SegmenterScore, read_score
from wsss.stages.stage import Spec, Stage, canonical_json
from wsss.stages.store import Store
from wsss.stages.trace import WeightTrace, at_features, read_trace

__all__ = [
    "AnyCams",
    "AnySaliency",
    "CamBackground",
    "Cams",
    "Classifier",
    "CrfBlock",
    "CrfSeeds",
    "Images",
    "LabelScore",
    "Labels",
    "MergedCams",
    "NetworkSpec",
    "NoisyLabels",
    "PhotoFolder",
    "Saliency",
    "SaliencyName",
    "Scenes",
    "Segmenter",
    "SegmenterScore",
    "Spec",
    "Stage",
    "Store",
    "ThresholdSeeds",
    "TrueLabels",
    "WeightTrace",
    "at_features",
    "canonical_json",
    "check_maps",
    "choose_saliency",
    "read_score",
    "read_trace",
]
