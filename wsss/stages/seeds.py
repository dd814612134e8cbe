"""Label maps to train a segmenter on: seeds (Sec. 4.2), hand-made noise (Sec. 3), the truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from wsss.crf import DenseCRF
from wsss.data.packed import PackedArrays, pack
from wsss.errors import InputError
from wsss.noise import block_noise
from wsss.saliency import cam_background
from wsss.seeds import ClassConflict, crf_seeds_of_image, threshold_seed
from wsss.stages.cams import AnyCams
from wsss.stages.images import Images
from wsss.stages.saliency import AnySaliency, CamBackground
from wsss.stages.stage import Stage

if TYPE_CHECKING:
    from wsss.stages.store import Store


class ThresholdSeeds(Stage):
    """Seeds by threshold ("T"); the thresholds are those of Sec. 4.2.

    Attributes
    ----------
    class_conflict : {"argmax", "unknown"}
        What becomes of a pixel where two classes pass, see `wsss.seeds.threshold_seed`.
    """

    stage: Literal["threshold_seeds"] = "threshold_seeds"
    version: Literal[1] = 1
    cams: AnyCams
    saliency: AnySaliency
    foreground_above: float = 0.1
    background_below: float = 0.06
    class_conflict: ClassConflict = "argmax"

    @property
    def images(self) -> Images:
        """The split the seeds belong to."""
        return self.cams.images

    def compute(self, folder: Path, store: Store) -> None:
        """Make one seed an image."""
        read, salient = self.cams.reader(store), _saliency_reader(self.saliency, store)

        def seed(index: int) -> np.ndarray:
            cam = read(index)
            return threshold_seed(
                cam[None],
                salient(index, cam)[None],
                foreground_above=self.foreground_above,
                background_below=self.background_below,
                class_conflict=self.class_conflict,
            )[0].numpy()

        count = len(self.images.load(store).ids)
        pack(folder / "labels", (seed(index) for index in range(count)))

    def label_maps(self, store: Store) -> PackedArrays:
        """Seeds (H, W) uint8 of the split."""
        return PackedArrays(store.folder(self) / "labels")


class CrfSeeds(Stage):
    """Seeds by dense CRF ("C")."""

    stage: Literal["crf_seeds"] = "crf_seeds"
    version: Literal[1] = 1
    cams: AnyCams
    saliency: AnySaliency
    crf: DenseCRF = DenseCRF()
    cam_floor: float = Field(0.0, ge=0, lt=1)

    @property
    def images(self) -> Images:
        """The split the seeds belong to."""
        return self.cams.images

    def compute(self, folder: Path, store: Store) -> None:
        """Make one seed an image."""
        read, salient = self.cams.reader(store), _saliency_reader(self.saliency, store)
        images = self.images.load(store).images

        def seed(index: int) -> np.ndarray:
            cam = read(index)
            seeds = crf_seeds_of_image(
                images[index],
                [cam],
                salient(index, cam),
                crf=self.crf,
                cam_floor=self.cam_floor,
            )
            return seeds[0].numpy()

        pack(folder / "labels", (seed(index) for index in range(len(images))))

    def label_maps(self, store: Store) -> PackedArrays:
        """Seeds (H, W) uint8 of the split."""
        return PackedArrays(store.folder(self) / "labels")


class NoisyLabels(Stage):
    """The truth with blocks of its foreground turned to background (Sec. 3, Fig. 2)."""

    stage: Literal["noisy_labels"] = "noisy_labels"
    version: Literal[1] = 1
    images: Images
    ratio: float
    copy_number: int
    rng_seed: int
    smallest: float = 0.05
    largest: float = 0.3
    least_pixels: int = 8

    def compute(self, folder: Path, store: Store) -> None:
        """Spoil every mask by a generator of its own."""
        masks = _masks(self.images, store)

        def noisy(index: int) -> np.ndarray:
            rng = np.random.default_rng([self.rng_seed, self.copy_number, index])
            return block_noise(
                masks[index],
                self.ratio,
                rng,
                smallest=self.smallest,
                largest=self.largest,
                least_pixels=self.least_pixels,
            )

        pack(folder / "labels", (noisy(index) for index in range(len(masks))))

    def label_maps(self, store: Store) -> PackedArrays:
        """Noisy labels (H, W) uint8 of the split."""
        return PackedArrays(store.folder(self) / "labels")


class TrueLabels(Stage):
    """The masks themselves: the fully supervised upper bound."""

    stage: Literal["true_labels"] = "true_labels"
    version: Literal[1] = 1
    images: Images

    def compute(self, folder: Path, store: Store) -> None:
        """Check that there are masks; they are decoded already."""
        _masks(self.images, store)

    def label_maps(self, store: Store) -> PackedArrays:
        """Masks (H, W) uint8 of the split."""
        return _masks(self.images, store)


Labels = Annotated[
    ThresholdSeeds | CrfSeeds | NoisyLabels | TrueLabels, Field(discriminator="stage")
]


def _masks(images: Images, store: Store) -> PackedArrays:
    masks = images.load(store).masks
    if masks is None:
        raise InputError(f"split '{images.split}' has no masks, and these labels are made of them")
    return masks


def _saliency_reader(saliency: AnySaliency, store: Store) -> Callable[[int, Tensor], Tensor]:
    """Index of an image and its CAMs (C, H, W) to its saliency (H, W), float32 in [0, 1]."""
    if isinstance(saliency, CamBackground):
        return lambda _, cam: cam_background(cam[None], saliency.alpha)[0]
    maps = saliency.load(store)
    return lambda index, _: torch.from_numpy(maps[index].astype(np.float32) / 255)
