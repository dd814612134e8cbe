"""The masks of SBD, the larger part of train_aug (Sec. 5.1), out of their MATLAB files."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsss.data.labels import VOC_CLASSES
from wsss.errors import InputError
from wsss.processes import Worker

SECONDS, MEMORY = 60, 2**33
"""What one file may take of time and address space: a real one takes milliseconds and kilobytes."""


class SbdFolder:
    """The masks of SBD (Hariharan et al., ICCV 2011), wherever in the unpacked archive they lie.

    For 9,118 images of train_aug these are the masks: MATLAB files ``cls/ID.mat`` whose
    ``GTcls.Segmentation`` holds 0 for background and 1..20 for VOC's classes, and no pixel to
    ignore.

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
        self._reader = Worker()
        for place in (".", "cls", "dataset/cls", "benchmark_RELEASE/dataset/cls"):
            self.masks = Path(root) / place
            if self.masks.is_dir() and any(self.masks.glob("[!.]*.mat")):
                return
        raise InputError(f"{root}: no masks of SBD; give the folder that holds cls/ID.mat")

    def ids(self) -> list[str]:
        """Return the ids of all images that have a mask, sorted."""
        return sorted(path.stem for path in self.masks.glob("[!.]*.mat"))

    def fingerprint(self) -> str:
        """Tell one SBD from another by the names and sizes of its files, without reading them."""
        files = sorted((path.name, path.stat().st_size) for path in self.masks.glob("[!.]*.mat"))
        return hashlib.sha256(repr(files).encode()).hexdigest()

    def has_mask(self, image_id: str) -> bool:
        """Whether there is a mask for the image."""
        return (self.masks / f"{image_id}.mat").is_file()

    def mask(self, image_id: str) -> NDArray[np.uint8]:
        """Return the mask (H, W) uint8: 0 background, 1..20 VOC's classes.

        SciPy's reader may crash on damaged bytes, so it has a process of its own, and limits.

        Raises
        ------
        InputError
            If the file is missing, damaged, or holds anything but a map of such labels.
        """
        path = self.masks / f"{image_id}.mat"
        try:
            if not path.is_file():  # a pipe, say, would be waited for
                raise FileNotFoundError("no file")
            self._reader.begin(_read_segmentation, path)
            mask = self._reader.result(SECONDS)
        except Exception as error:  # damaged bytes end MATLAB's reader in any way
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputError(
                f"{path}: no mask of SBD can be read ({reason:.200}); replace the file"
            ) from error
        if mask.ndim != 2 or mask.dtype.kind not in "ui" or mask.size == 0:
            raise InputError(
                f"{path}: GTcls.Segmentation is {mask.shape} of {mask.dtype}, not a map of labels"
            )
        if (highest := int(mask.max())) > len(VOC_CLASSES) or int(mask.min()) < 0:
            raise InputError(
                f"{path}: mask value {highest}; SBD's labels are 0 to {len(VOC_CLASSES)}"
            )
        return mask.astype(np.uint8)


def _read_segmentation(path: Path) -> NDArray[np.generic]:
    from scipy.io import loadmat  # takes a while to import

    with suppress(ImportError):  # Windows has no such limits
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, most))
    content = loadmat(path, variable_names=["GTcls"])
    return np.asarray(content["GTcls"]["Segmentation"][0, 0])
