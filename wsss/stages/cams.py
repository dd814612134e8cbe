"""Class activation maps of a whole split, at one scale or merged over several (Sec. 4.1, 4.3)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from wsss.cam import cam_at_pixels, infer_cams, merge_cams
from wsss.data.packed import PackedArrays, pack
from wsss.stages.classifier import Classifier
from wsss.stages.images import Images
from wsss.stages.stage import Results, Stage
from wsss.training.precision import Precision, inference_precision

CamReader = Callable[[int], Tensor]
"""Index of an image to its CAMs (C, H, W) at its pixels, zero for absent classes."""


class Cams(Stage):
    """CAMs at one input scale (Eq. 2-3), kept at the resolution of the features.

    Attributes
    ----------
    bias : bool
        Whether the classifier's bias is added, see `wsss.cam.class_activation_maps`.

    Examples
    --------
    >>> from wsss import Lab
    >>> lab = Lab("demo")
    >>> [cams.scale for cams in lab.cams("plain")]
    [2.0, 1.5, 1.25]
    """

    on_gpu = True
    stage: Literal["cams"] = "cams"
    version: Literal[1] = 1
    classifier: Classifier
    images: Images
    scale: float
    bias: bool = False

    @property
    def rng_seed(self) -> int:
        """Random seed of the classifier."""
        return self.classifier.rng_seed

    @property
    def precision(self) -> Precision:
        """As the classifier was trained; after bfloat16 the usual one."""
        return inference_precision(self.classifier.precision)

    def compute(self, folder: Path, store: Results) -> None:
        """Run the classifier over the split."""
        model, data = self.classifier.load(store), self.images.load(store)
        cams = infer_cams(model, data.images, data.present, scale=self.scale, bias=self.bias)
        pack(folder / "maps", cams)
        (folder / "output_stride.json").write_text(json.dumps(model.output_stride))

    def reader(self, store: Results) -> CamReader:
        """Open the maps."""
        folder, data = store.folder(self), self.images.load(store)
        maps = PackedArrays(folder / "maps")
        output_stride = json.loads((folder / "output_stride.json").read_text())

        def read(index: int) -> Tensor:
            height, width = data.images.shape(index)[:2]
            return cam_at_pixels(
                maps[index],
                data.present[index],
                (height, width),
                scale=self.scale,
                output_stride=output_stride,
            )

        return read


class MergedCams(Stage):
    """CAMs of several scales merged into one, at image resolution (Table 3, "Merge-Scale").

    Attributes
    ----------
    renormalise : bool
        Whether merged maps are normalised once more, see `wsss.cam.merge_cams`.

    Examples
    --------
    >>> from wsss import Lab
    >>> lab = Lab("demo")
    >>> merged, = lab.cams("plain", "max")
    >>> merged.how, len(merged.cams)
    ('max', 3)
    """

    stage: Literal["merged_cams"] = "merged_cams"
    version: Literal[1] = 1
    cams: tuple[Cams, ...]
    how: Literal["max", "mean"]
    renormalise: bool = True

    @property
    def images(self) -> Images:
        """The split the maps belong to."""
        return self.cams[0].images

    @property
    def rng_seed(self) -> int:
        """Random seed of the classifier."""
        return self.cams[0].rng_seed

    def parents(self) -> list[Stage]:
        """Return the maps and their images."""
        return [*self.cams, self.images]

    def compute(self, folder: Path, store: Results) -> None:
        """Merge image by image."""
        present = self.images.load(store).present
        readers = [cams.reader(store) for cams in self.cams]

        def merged(index: int) -> np.ndarray:
            every = [read(index)[None] for read in readers]
            cam = merge_cams(every, self.how, renormalise=self.renormalise)[0]
            return cam[torch.from_numpy(present[index])].half().numpy()

        pack(folder / "maps", (merged(index) for index in range(len(present))))

    def reader(self, store: Results) -> CamReader:
        """Open the maps."""
        maps = PackedArrays(store.folder(self) / "maps")
        present = torch.from_numpy(self.images.load(store).present)

        def read(index: int) -> Tensor:
            values = torch.from_numpy(maps[index].astype(np.float32))
            cam = torch.zeros(present.shape[1], *values.shape[1:])
            cam[present[index]] = values
            return cam

        return read


AnyCams = Annotated[Cams | MergedCams, Field(discriminator="stage")]
