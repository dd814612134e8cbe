from .cam import cam_at_pixels, class_activation_maps, merge_cams
from .crf import DenseCRF
from .errors import InputError
from .inference import predict
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
from .saliency import U2NetP
from .seeds import crf_seed, crf_seeds_of_image, threshold_seed

__all__ = [
    "DenseCRF",
    "InputError",
    "Lab",
    "U2NetP",
    "WeightedSelectiveLoss",
    "block_noise",
    "cam_at_pixels",
    "class_activation_maps",
    "classification_loss",
    "confusion_matrix",
    "crf_seed",
    "crf_seeds_of_image",
    "iou",
    "load_segmenter",
    "merge_cams",
    "predict",
    "seed_weights",
    "threshold_seed",
    "weighted_selective_loss",
    "weighted_selective_sum",
]
