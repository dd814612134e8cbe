"""Masks of the Semantic Boundaries Dataset (SBD), which make VOC's train into train_aug (Sec. 5.1).

The paper trains on the 10,582 images of "train_aug". For 9,118 of them the masks are SBD's
(Hariharan et al., ICCV 2011): MATLAB files ``cls/ID.mat`` whose ``GTcls.Segmentation`` holds 0 for
background and 1..20 for VOC's classes, with no pixel to ignore.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsss.errors import InputError

CLASSES = 20


class SbdFolder:
    """The masks of SBD, wherever in the unpacked archive they lie.

    Parameters
    ----------
    root
        ``benchmark_RELEASE``, its ``dataset``, or the folder of the ``.mat`` files.

    Raises
    ------
    InputError
        If there is no ``.mat`` file in any of these places.

    Examples
    --------
    >>> SbdFolder("nowhere")
    Traceback (most recent call last):
    wsss.errors.InputError: nowhere: no masks of SBD; give the folder that holds cls/ID.mat
    """

    def __init__(self, root: str | Path) -> None:
        for place in (".", "cls", "dataset/cls", "benchmark_RELEASE/dataset/cls"):
            self.masks = Path(root) / place
            if self.masks.is_dir() and any(self.masks.glob("*.mat")):
                return
        raise InputError(f"{root}: no masks of SBD; give the folder that holds cls/ID.mat")

    def ids(self) -> list[str]:
        """Return the ids of all images that have a mask, sorted."""
        return sorted(path.stem for path in self.masks.glob("*.mat"))

    def has_mask(self, image_id: str) -> bool:
        """Whether there is a mask for the image."""
        return (self.masks / f"{image_id}.mat").is_file()

    def mask(self, image_id: str) -> NDArray[np.uint8]:
        """Return the mask (H, W) uint8: 0 background, 1..20 VOC's classes.

        Raises
        ------
        InputError
            If the file is missing, damaged, or holds anything but a map of such labels.
        """
        from scipy.io import loadmat  # scipy.io takes a while to import

        path = self.masks / f"{image_id}.mat"
        try:
            content = loadmat(path, variable_names=["GTcls"])
            mask = np.asarray(content["GTcls"]["Segmentation"][0, 0])
        except Exception as error:  # damaged bytes end MATLAB's reader in any way
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputError(
                f"{path}: no mask of SBD can be read ({reason:.200}); replace the file"
            ) from error
        if mask.ndim != 2 or mask.dtype.kind not in "ui" or mask.size == 0:
            raise InputError(
                f"{path}: GTcls.Segmentation is {mask.shape} of {mask.dtype}, not a map of labels"
            )
        if (highest := int(mask.max())) > CLASSES or int(mask.min()) < 0:
            raise InputError(f"{path}: mask value {highest}; SBD's labels are 0 to {CLASSES}")
        return mask.astype(np.uint8)
