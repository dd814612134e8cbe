"""Saliency of one split: computed, read from files, or taken from the CAMs (Sec. 4.2 and 5.1)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from PIL import Image
from pydantic import Field

from wsss.data.packed import PackedArrays, pack
from wsss.data.voc import VocFolder
from wsss.errors import InputError, require_word
from wsss.models.weights import WEIGHTS
from wsss.progress import tell
from wsss.saliency import (
    MAPS,
    BorderSaliency,
    U2NetP,
    check_saliency,
    maps_fingerprint,
    read_saliency,
    require_bright,
)
from wsss.stages.images import Images, PhotoFolder
from wsss.stages.stage import Results, Spec, Stage


class Saliency(Stage):
    """Saliency maps of one split, 8 bits a pixel like the community's.

    Attributes
    ----------
    images : Images
        The split.
    border : BorderSaliency or None
        Compare with the border's colours by these parameters.
    weights_sha256 : str or None
        Run U2-Net-p with the weights of this checksum.
    maps_sha256 : str or None
        Read the maps of this fingerprint from the data folder's ``saliency_aug``.

    Examples
    --------
    >>> from wsss.stages import Scenes
    >>> str(Saliency.by_border(Images(source=Scenes(), split="train")))
    "distance from the border's colours"
    """

    stage: Literal["saliency"] = "saliency"
    version: Literal[1] = 1
    images: Images
    border: BorderSaliency | None = None
    weights_sha256: str | None = None
    maps_sha256: str | None = None

    @classmethod
    def by_border(cls, images: Images) -> Saliency:
        """Compare with the border's colours; nothing is learnt."""
        return cls(images=images, border=BorderSaliency())

    @classmethod
    def by_u2netp(cls, images: Images) -> Saliency:
        """U2-Net-p, with the checksum of its weights in the identity."""
        sha256 = WEIGHTS["u2netp"].checksum.removeprefix("sha256:")
        return cls(images=images, weights_sha256=sha256)

    @classmethod
    def by_maps(cls, images: Images, data: Path) -> Saliency:
        """Take the maps that lie in the data folder, known by their content."""
        if not isinstance(images.source, PhotoFolder):
            raise InputError("drawn scenes have no saliency maps to read; choose another source")
        ids = images.source.folder(data).ids(images.split)
        return cls(images=images, maps_sha256=maps_fingerprint(data / MAPS, ids))

    def __str__(self) -> str:
        if self.maps_sha256:
            return f"maps of the data folder, {MAPS}/"
        return "U2-Net-p" if self.border is None else "distance from the border's colours"

    @property
    def reads_what_is_given(self) -> bool:  # pyright: ignore
        """Whether these are maps of the data folder."""
        return self.maps_sha256 is not None

    def look_ahead(self, store: Results) -> None:
        """Refuse to start without U2-Net-p's weights and what runs it."""
        if self.weights_sha256 is not None:
            U2NetP()

    def compute(self, folder: Path, store: Results) -> None:
        """Make or read one map an image."""
        pack(folder / "maps", self._stored(store) if self.maps_sha256 else self._computed(store))

    def load(self, store: Results) -> PackedArrays:
        """Open the maps (H, W) uint8, 255 the most salient."""
        return PackedArrays(store.folder(self) / "maps")

    def _computed(self, store: Results) -> Iterator[np.ndarray]:
        method = self.border or U2NetP()
        images = self.images.load(store).images
        for done, image in enumerate(images):
            tell(done, len(images))
            yield np.rint(method(image) * 255).astype(np.uint8)

    def _stored(self, store: Results) -> Iterator[np.ndarray]:
        loaded, maps = self.images.load(store), store.data / MAPS
        photos, highest = self.images.source.open(store), []
        for index, image_id in enumerate(loaded.ids):
            stored = read_saliency(maps, image_id, photos.size(image_id))
            highest.append(float(stored.max()))
            saliency = Image.fromarray(stored)
            height, width = loaded.images.shape(index)[:2]  # smaller, if photos are shrunk
            resized = saliency.resize((width, height), Image.Resampling.BILINEAR)
            yield np.rint(np.asarray(resized) * 255).astype(np.uint8)
        if maps_fingerprint(maps, loaded.ids) != self.maps_sha256:  # what was read is what it is
            raise InputError(f"{maps}: its content changed meanwhile; start again")
        require_bright(maps, highest)


class CamBackground(Spec):
    """No saliency maps: what the CAM leaves over is background (not in the paper).

    Attributes
    ----------
    alpha : float
        See `wsss.saliency.cam_background`. psa uses 4 to 32; at 4 background wins in a CRF seed's
        scores where the largest CAM is below 0.28.

    Examples
    --------
    >>> str(CamBackground())
    'none, background by the CAMs (alpha 4)'
    """

    alpha: Annotated[float, Field(gt=0)] = 4.0

    def __str__(self) -> str:
        return f"none, background by the CAMs (alpha {self.alpha:g})"


AnySaliency = Saliency | CamBackground
SaliencyName = Literal["auto", "maps", "u2netp", "border", "cams"]


def choose_saliency(name: SaliencyName, images: Images, data: Path | None) -> AnySaliency:
    """Choose where the saliency of a split comes from.

    Parameters
    ----------
    name : {"auto", "maps", "u2netp", "border", "cams"}
        Maps of the data folder's ``saliency_aug``, U2-Net-p, the border's colours, or none and the
        CAMs in their place. "auto": the folder's maps if it has them, else U2-Net-p.
    images : Images
        The split.
    data : Path or None
        Data folder, if there is one.

    Raises
    ------
    InputError
        If maps are asked for and there are none, or one is missing.

    Examples
    --------
    >>> from wsss.stages import Scenes
    >>> print(choose_saliency("border", Images(source=Scenes(), split="train"), None))
    distance from the border's colours
    """
    require_word("saliency", name, SaliencyName)
    if name == "cams":
        return CamBackground()
    if name == "border":
        return Saliency.by_border(images)
    found = data is not None and (data / MAPS).is_dir()
    if data is not None and (found or name == "maps") and name != "u2netp":
        return Saliency.by_maps(images, data)
    if name == "maps":
        raise InputError(f"saliency maps are read from {MAPS}/ in the data folder: give --data")
    return Saliency.by_u2netp(images)


def check_maps(data: Path) -> tuple[list[str], list[str]]:
    """Say which splits of a data folder have saliency maps, and what is wrong with the maps.

    Returns
    -------
    notes, problems : list of str
        One line each. That a split has no map at all is no problem: only what is trained on
        needs any.

    Examples
    --------
    >>> import tempfile
    >>> from wsss.data.scenes import write_scenes
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_scenes(Path(folder), train=1, val=1, pilot=1, rng_seed=0)
    ...     notes, problems = check_maps(Path(folder))
    >>> notes[0].partition(":")[0], problems
    ('no saliency_aug/ID.png', [])
    """
    folder, maps = VocFolder(data), data / MAPS
    if not maps.is_dir():
        return [
            f"no {MAPS}/ID.png: photos get their saliency from U2-Net-p; the maps that the paper "
            "takes are named in the README of the OAA project"
        ], []
    notes, problems, checked = [], [], {}
    for split in folder.splits():
        try:
            ids = [each for each in folder.ids(split) if folder.has_image(each)]
        except InputError:  # said by the check of the folder
            continue
        lacking = [each for each in ids if not (maps / f"{each}.png").is_file()]
        notes.append(f"{split}: {len(ids) - len(lacking)} saliency maps for {len(ids)} images")
        if 0 < len(lacking) < len(ids):
            problems.append(
                f"{split}: {len(lacking)} of {len(ids)} images are without a saliency map, the "
                f"first is {lacking[0]}; training on this split needs all or none"
            )
        checked |= dict.fromkeys(set(ids) - set(lacking))
    sizes = {}
    for each in sorted(checked):
        with suppress(InputError):  # a damaged image: said there, too
            sizes[each] = folder.size(each)
    return notes, problems + check_saliency(maps, sizes)
