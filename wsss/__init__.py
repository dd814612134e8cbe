"""Learn semantic segmentation from image-level labels with several seeds per image."""

import lazy_loader

# Imported when they are first used: `wsss --help` and the paper's facts need no torch.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "cam": ["class_activation_maps", "merge_cams"],
        "crf": ["DenseCRF"],
        "errors": ["InputError"],
        "lab": ["Lab"],
        "losses": ["classification_loss", "seed_weights", "weighted_selective_loss"],
        "metrics": ["confusion_matrix", "iou"],
        "noise": ["block_noise"],
        "seeds": ["crf_seed", "threshold_seed"],
    },
)
