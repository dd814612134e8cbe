"""Label maps to train a segmenter on: seeds (Sec. 4.2), hand-made noise (Sec. 3), the truth."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

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

CRF_BLOCKS = 8
"""Blocks that the images of a split are cut into, so that the CRF spreads over workers."""


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
    """Seeds by dense CRF ("C"), put together from blocks of images."""

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

    @cached_property
    def blocks(self) -> tuple[CrfBlock, ...]:
        """Where the seeds come from; in how many blocks changes neither them nor the identity."""
        return tuple(
            CrfBlock(
                version=self.version,  # blocks are not in the identity: both rise together
                cams=self.cams,
                saliency=self.saliency,
                crf=self.crf,
                cam_floor=self.cam_floor,
                block=block,
            )
            for block in range(CRF_BLOCKS)
        )

    def parents(self) -> list[Stage]:
        """Return the blocks, which read the maps."""
        return list(self.blocks)

    def compute(self, folder: Path, store: Store) -> None:
        """Put the blocks one after the other."""
        pack(folder / "labels", (each for block in self.blocks for each in block.labels(store)))

    def label_maps(self, store: Store) -> PackedArrays:
        """Seeds (H, W) uint8 of the split."""
        return PackedArrays(store.folder(self) / "labels")


class CrfBlock(Stage):
    """The CRF seeds of a block of images, computed with those of other scales and networks.

    The lattices of a CRF depend on the image alone, so blocks of the same images share them. Those
    of different random seeds do not wait for one another: beyond eight seeds little is saved.
    """

    stage: Literal["crf_block"] = "crf_block"
    version: Literal[1] = 1
    cams: AnyCams
    saliency: AnySaliency
    crf: DenseCRF
    cam_floor: float
    block: int
    blocks: int = CRF_BLOCKS

    @property
    def shares(self) -> str | None:
        """Images, saliency, the random seed of the maps, CRF with its floor, and block."""
        if isinstance(self.saliency, CamBackground):
            return None  # each set of maps has a background of its own
        inputs = self.saliency.identity, self.images.identity, self.cams.rng_seed
        return f"{inputs}, {self.crf}, {self.cam_floor}, {self.block} of {self.blocks}"

    @property
    def images(self) -> Images:
        """The split that is cut into blocks."""
        return self.cams.images

    def compute(self, folder: Path, store: Store) -> None:
        """Make the seeds of one set of maps."""
        self.compute_together([self], [folder], store)

    @classmethod
    def compute_together(cls, stages: Sequence[Any], folders: Sequence[Path], store: Store) -> None:
        """Make the seeds of all sets of maps, image by image; compressed, for they are copied."""
        first = stages[0]
        images, salient = first.images.load(store).images, _saliency_reader(first.saliency, store)
        readers = [stage.cams.reader(store) for stage in stages]
        compressed: list[list[np.ndarray]] = [[] for _ in stages]
        for index in first.indices(len(images)):
            cams = [read(index) for read in readers]
            seeds = crf_seeds_of_image(
                images[index],
                cams,
                salient(index, cams[0]),
                crf=first.crf,
                cam_floor=first.cam_floor,
            )
            for made, seed in zip(compressed, seeds, strict=True):
                made.append(np.frombuffer(zlib.compress(seed.numpy().tobytes(), 1), np.uint8))
        for folder, made in zip(folders, compressed, strict=True):
            pack(folder / "labels", made)

    def labels(self, store: Store) -> Iterator[np.ndarray]:
        """Seeds (H, W) uint8 of the block, one after the other."""
        images = self.images.load(store).images
        compressed = PackedArrays(store.folder(self) / "labels")
        for index, made in zip(self.indices(len(images)), compressed, strict=True):
            labels = np.frombuffer(zlib.decompress(made.tobytes()), np.uint8)
            yield labels.reshape(images.shape(index)[:2])

    def indices(self, count: int) -> range:
        """Which of `count` images the block holds."""
        return range(count * self.block // self.blocks, count * (self.block + 1) // self.blocks)


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
