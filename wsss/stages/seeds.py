"""Label maps to train a segmenter on: seeds (Sec. 4.2), hand-made noise (Sec. 3), the truth."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field, InstanceOf
from torch import Tensor

from wsss.data.packed import PackedArrays, pack
from wsss.data.voc import SEEDS
from wsss.errors import InputError
from wsss.noise import block_noise
from wsss.progress import tell
from wsss.saliency import cam_background, maps_fingerprint
from wsss.seeds import SeedRule
from wsss.stages.cams import AnyCams
from wsss.stages.images import Images, PhotoFolder
from wsss.stages.saliency import AnySaliency, CamBackground
from wsss.stages.stage import Results, Stage

BLOCKS = 8
"""Blocks that the images of a split are cut into, so that making seeds spreads over workers."""


class Seeds(Stage):
    """Seeds of one type from one set of maps, put together from blocks of images.

    Attributes
    ----------
    rule : SeedRule
        The type of seed with its parameters, see `wsss.seeds`.

    Examples
    --------
    >>> from wsss import Lab
    >>> lab = Lab("demo")
    >>> seeds = lab.seeds("C", lab.cams()[0])
    >>> seeds.rule.title, seeds.images.split
    ('CRF', 'train')
    """

    stage: Literal["seeds"] = "seeds"
    version: Literal[1] = 1
    cams: AnyCams
    saliency: AnySaliency
    rule: InstanceOf[SeedRule]

    @property
    def images(self) -> Images:
        """The split the seeds belong to."""
        return self.cams.images

    @cached_property
    def blocks(self) -> tuple[SeedBlock, ...]:
        """Where the seeds come from; in how many blocks changes neither them nor the identity."""
        return tuple(
            SeedBlock(
                version=self.version,  # blocks are not in the identity: both rise together
                cams=self.cams,
                saliency=self.saliency,
                rule=self.rule,
                block=block,
            )
            for block in range(BLOCKS)
        )

    def parents(self) -> list[Stage]:
        """Return the blocks, which read the maps, and the images, which tell sizes."""
        return [*self.blocks, self.images]

    def compute(self, folder: Path, store: Results) -> None:
        """Put the blocks one after the other."""
        made = (each for block in self.blocks for each in block.labels(store))
        pack(folder / "labels", made, runs=True)

    def label_maps(self, store: Results) -> PackedArrays:
        """Seeds (H, W) uint8 of the split."""
        return PackedArrays(store.folder(self) / "labels")


class SeedBlock(Stage):
    """The seeds of a block of images, computed with those of other scales and networks.

    The lattices of a CRF depend on the image alone, so blocks of the same images share them. Those
    of different random seeds do not wait for one another: beyond eight seeds little is saved.

    Examples
    --------
    >>> from wsss import Lab
    >>> lab = Lab("demo")
    >>> [list(block.indices(10)) for block in lab.seeds("T", lab.cams()[0]).blocks][:4]
    [[0], [1], [2], [3, 4]]
    """

    stage: Literal["seed_block"] = "seed_block"
    version: Literal[1] = 1
    cams: AnyCams
    saliency: AnySaliency
    rule: InstanceOf[SeedRule]
    block: int
    blocks: int = BLOCKS

    @property
    def shares(self) -> str | None:
        """Images, saliency, the random seed of the maps, the type of seed, and block."""
        if isinstance(self.saliency, CamBackground):
            return None  # each set of maps has a background of its own
        inputs = self.saliency.identity, self.images.identity, self.cams.rng_seed
        return f"{inputs}, {self.rule}, {self.block} of {self.blocks}"

    @property
    def images(self) -> Images:
        """The split that is cut into blocks."""
        return self.cams.images

    def parents(self) -> list[Stage]:
        """Return maps, images and, unless it is taken from the maps, saliency."""
        saliency = [self.saliency] if isinstance(self.saliency, Stage) else []
        return [self.cams, self.images, *saliency]

    def compute(self, folder: Path, store: Results) -> None:
        """Make the seeds of one set of maps."""
        self.compute_together([self], [folder], store)

    @classmethod
    def compute_together(
        cls, stages: Sequence[Any], folders: Sequence[Path], store: Results
    ) -> None:
        """Make the seeds of all sets of maps, image by image; compressed, for they are copied."""
        first = stages[0]
        images, salient = first.images.load(store).images, _saliency_reader(first.saliency, store)
        readers = [stage.cams.reader(store) for stage in stages]
        compressed: list[list[np.ndarray]] = [[] for _ in stages]
        block = first.indices(len(images))
        for done, index in enumerate(block):
            tell(done, len(block))
            cams = [read(index) for read in readers]
            seeds = first.rule(images[index], cams, salient(index, cams[0]))
            for made, seed in zip(compressed, seeds, strict=True):
                made.append(np.frombuffer(zlib.compress(seed.numpy().tobytes(), 1), np.uint8))
        for folder, made in zip(folders, compressed, strict=True):
            pack(folder / "labels", made)

    def labels(self, store: Results) -> Iterator[np.ndarray]:
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
    """The truth with blocks of its foreground turned to background (Sec. 3, Fig. 2).

    Examples
    --------
    >>> from wsss import Lab
    >>> lab = Lab("demo")
    >>> from wsss.paper import PilotRecipe
    >>> [noisy.copy_number for noisy in lab.labels(PilotRecipe(0.3, copies=2))]
    [0, 1]
    """

    stage: Literal["noisy_labels"] = "noisy_labels"
    version: Literal[1] = 1
    images: Images
    ratio: float
    copy_number: int
    rng_seed: int
    smallest: float = 0.05
    largest: float = 0.3
    least_pixels: int = 8

    def look_ahead(self, store: Results) -> None:
        """Refuse images without masks."""
        _masks(self.images, store)

    def compute(self, folder: Path, store: Results) -> None:
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

        pack(folder / "labels", (noisy(index) for index in range(len(masks))), runs=True)

    def label_maps(self, store: Results) -> PackedArrays:
        """Noisy labels (H, W) uint8 of the split."""
        return PackedArrays(store.folder(self) / "labels")


class TrueLabels(Stage):
    """The masks themselves: the fully supervised upper bound.

    Examples
    --------
    >>> from wsss.stages import Scenes
    >>> TrueLabels(images=Images(source=Scenes(), split="pilot")).name
    'true_labels'
    """

    stage: Literal["true_labels"] = "true_labels"
    version: Literal[1] = 1
    images: Images

    def look_ahead(self, store: Results) -> None:
        """Refuse images without masks."""
        _masks(self.images, store)

    def compute(self, folder: Path, store: Results) -> None:
        """Check that there are masks; they are decoded already."""
        _masks(self.images, store)

    def label_maps(self, store: Results) -> PackedArrays:
        """Masks (H, W) uint8 of the split."""
        return _masks(self.images, store)


class GivenSeeds(Stage):
    """Seeds of another method, or scribbles, read from the data folder (not in the paper).

    Attributes
    ----------
    method : str
        They are ``seeds/METHOD/ID.png`` of the data folder: 0 background, 1 to C classes, or 255,
        unknown.
    sha256 : str
        Fingerprint of their content.

    Examples
    --------
    >>> from wsss.stages import Scenes
    >>> GivenSeeds.of(Images(source=Scenes(), split="train"), None, "scribbles")
    Traceback (most recent call last):
    ...
    wsss.errors.InputError: only a folder of photos (--data) has seeds to read
    """

    reads_what_is_given = True
    stage: Literal["given_seeds"] = "given_seeds"
    version: Literal[1] = 1
    images: Images
    method: str
    sha256: str

    @classmethod
    def of(cls, images: Images, data: Path | None, method: str) -> GivenSeeds:
        """Take those of a data folder, known by their content."""
        if data is None or not isinstance(images.source, PhotoFolder):
            raise InputError("only a folder of photos (--data) has seeds to read")
        ids = images.source.folder(data).ids(images.split)
        return cls(
            images=images, method=method, sha256=maps_fingerprint(data / SEEDS / method, ids)
        )

    def compute(self, folder: Path, store: Results) -> None:
        """Read one seed an image, numbered and shrunk as masks are."""
        loaded, given = self.images.load(store), store.data / SEEDS / self.method
        photos = self.images.source.open(store)
        maps = (photos.index_map(given / f"{i}.png", i) for i in loaded.ids)
        pack(folder / "labels", maps, runs=True)
        if maps_fingerprint(given, loaded.ids) != self.sha256:  # what was read is what it is
            raise InputError(f"{given}: its content changed meanwhile; start again")

    def label_maps(self, store: Results) -> PackedArrays:
        """Seeds (H, W) uint8 of the split."""
        return PackedArrays(store.folder(self) / "labels")


Labels = Annotated[Seeds | NoisyLabels | TrueLabels | GivenSeeds, Field(discriminator="stage")]


def _masks(images: Images, store: Results) -> PackedArrays:
    return images.masks(store, "these labels are made of them")


def _saliency_reader(saliency: AnySaliency, store: Results) -> Callable[[int, Tensor], Tensor]:
    """Index of an image and its CAMs (C, H, W) to its saliency (H, W), float32 in [0, 1]."""
    if isinstance(saliency, CamBackground):
        return lambda _, cam: cam_background(cam[None], saliency.alpha)[0]
    maps = saliency.load(store)
    return lambda index, _: torch.from_numpy(maps[index].astype(np.float32) / 255)
