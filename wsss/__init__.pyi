from .cam import class_activation_maps, merge_cams
from .crf import DenseCRF
from .errors import InputError
from .lab import Lab
from .losses import (
    WeightedSelectiveLoss,
    classification_loss,
    seed_weights,
    weighted_selective_loss,
    weighted_selective_sum,
)
from .metrics import confusion_matrix, iou
from .noise import block_noise
from .portable import load_segmenter
from .seeds import crf_seed, threshold_seed

__all__ = [
    "DenseCRF",
    "InputError",
    "Lab",
    "WeightedSelectiveLoss",
    "block_noise",
    "class_activation_maps",
    "classification_loss",
    "confusion_matrix",
    "crf_seed",
    "iou",
    "load_segmenter",
    "merge_cams",
    "seed_weights",
    "threshold_seed",
    "weighted_selective_loss",
    "weighted_selective_sum",
]
