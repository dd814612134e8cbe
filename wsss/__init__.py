"""Learn semantic segmentation from image-level labels with several seeds per image.

=====================  ==========================================================================
maps                   `class_activation_maps`, `cam_at_pixels`, `merge_cams`, `U2NetP` (saliency)
seeds                  `threshold_seed`, `crf_seed`, `crf_seeds_of_image`, `DenseCRF`, `block_noise`
losses                 `weighted_selective_loss`, its sum `weighted_selective_sum` and module
                       `WeightedSelectiveLoss`, `seed_weights`, `classification_loss`
masks and their score  `load_segmenter`, `predict`, `confusion_matrix`, `iou`
the paper              `Lab`: its tables, claims and pictures
bad input              `InputError`
=====================  ==========================================================================

Its names stand in ``__init__.pyi`` and are imported when they are first used: ``wsss --help`` and
the paper's facts need no torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
