"""Learn semantic segmentation from image-level labels with several seeds per image."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsss.cam import class_activation_maps, merge_cams
    from wsss.crf import DenseCRF
    from wsss.errors import InputError
    from wsss.losses import classification_loss, seed_weights, weighted_selective_loss
    from wsss.metrics import confusion_matrix, iou
    from wsss.noise import block_noise
    from wsss.seeds import crf_seed, threshold_seed

__all__ = [
    "DenseCRF",
    "InputError",
    "block_noise",
    "class_activation_maps",
    "classification_loss",
    "confusion_matrix",
    "crf_seed",
    "iou",
    "merge_cams",
    "seed_weights",
    "threshold_seed",
    "weighted_selective_loss",
]

_HOMES = {
    "cam": ("class_activation_maps", "merge_cams"),
    "crf": ("DenseCRF",),
    "errors": ("InputError",),
    "losses": ("classification_loss", "seed_weights", "weighted_selective_loss"),
    "metrics": ("confusion_matrix", "iou"),
    "noise": ("block_noise",),
    "seeds": ("crf_seed", "threshold_seed"),
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: `wsss --help` and the book need no torch."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"wsss.{module}"), name)
    raise AttributeError(f"module 'wsss' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
