"""Seeds by dense CRF, "C" (Sec. 4.2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from wsss.crf import DenseCRF
from wsss.errors import InputError
from wsss.seeds.rule import check_maps

SMALLEST_SCORE = 1e-5  # the unary energy of a score of zero is -log of this


@dataclass(frozen=True)
class CrfSeed:
    """The type "C": `crf_seeds_of_image` and its parameters.

    Raises
    ------
    InputError
        If the floor is not in [0, 1).

    Examples
    --------
    >>> image, cam = np.zeros((4, 4, 3), np.uint8), torch.ones(1, 4, 4)
    >>> CrfSeed(cam_floor=0.1)(image, [cam], torch.ones(4, 4))[0].unique()
    tensor([1], dtype=torch.uint8)
    """

    letter: ClassVar[str] = "C"
    title: ClassVar[str] = "CRF"
    colour: ClassVar[str] = "#0072B2"

    crf: DenseCRF = field(default_factory=DenseCRF)
    cam_floor: float = 0.0

    def __post_init__(self) -> None:
        _require_floor(self.cam_floor)

    def __call__(self, image: np.ndarray, cams: Sequence[Tensor], saliency: Tensor) -> list[Tensor]:
        """Make a seed of each map of an image, see `wsss.seeds.SeedRule`."""
        return crf_seeds_of_image(image, cams, saliency, crf=self.crf, cam_floor=self.cam_floor)


def crf_seed(
    image: Tensor,
    cam: Tensor,
    saliency: Tensor,
    *,
    crf: DenseCRF | None = None,
    cam_floor: float = 0.0,
) -> Tensor:
    """Seed by dense CRF over [1 - saliency; CAM]: every pixel gets a label, none is unknown.

    The scores are turned into energies by -log, as the authors' ICD code does with scores of this
    kind. Only background and the classes the image shows take part: an absent class, with a score
    of zero everywhere, would win nowhere and cost time.

    Parameters
    ----------
    image : (N, 3, H, W) uint8
        RGB.
    cam : (N, C, H, W) float
        Normalised class activation maps at image resolution, zero for absent classes.
    saliency : (N, H, W) float
        In [0, 1], high on what stands out.
    crf : DenseCRF, optional
        Its parameters; `DenseCRF()` by default (those of psa, DSRG and the authors' ICD).
    cam_floor : float
        As in `crf_seeds_of_image`.

    Returns
    -------
    (N, H, W) uint8
        0 background, 1 to C the classes, on the device of the saliency. The CRF itself runs on the
        CPU, and no gradient flows.

    Raises
    ------
    InputError
        If the shapes do not fit, C is over 254, a map holds NaN, saliency is not float in [0, 1],
        or `cam_floor` is out of range.

    Examples
    --------
    >>> image = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    >>> image[..., 4:] = 255
    >>> cam = torch.full((1, 1, 8, 8), 0.1)
    >>> cam[..., 4:] = 0.9
    >>> crf_seed(image, cam, cam[:, 0])[0, 0]
    tensor([0, 0, 0, 0, 1, 1, 1, 1], dtype=torch.uint8)

    References
    ----------
    Fan et al., Sec. 4.2, third paragraph; Krähenbühl and Koltun, NIPS 2011.
    """
    check_maps(cam, saliency)
    if image.shape != (len(cam), 3, *cam.shape[2:]):
        raise InputError(
            f"crf_seed: image {tuple(image.shape)} and CAM {tuple(cam.shape)} do not fit; they "
            "are (N, 3, H, W) and (N, C, H, W)"
        )
    seeds = [
        crf_seeds_of_image(
            pixels.permute(1, 2, 0).cpu().numpy(), [maps], salient, crf=crf, cam_floor=cam_floor
        )[0]
        for pixels, maps, salient in zip(image, cam, saliency, strict=True)
    ]
    return torch.stack(seeds) if seeds else saliency.to(torch.uint8)  # (0, H, W)


def crf_seeds_of_image(
    image: np.ndarray,
    cams: Sequence[Tensor],
    saliency: Tensor,
    *,
    crf: DenseCRF | None = None,
    cam_floor: float = 0.0,
) -> list[Tensor]:
    """All CRF seeds of one image (several scales, several networks), sharing one CRF.

    The lattices of the dense CRF depend on the image alone, so K seeds built together cost far
    less than K seeds one by one; the result is the same to the last bit.

    Parameters
    ----------
    image : (H, W, 3) uint8
        RGB.
    cams : sequence of (C, H, W) float
        K normalised class activation maps at image resolution.
    saliency : (H, W) float
        In [0, 1].
    crf : DenseCRF, optional
        Its parameters.
    cam_floor : float
        What a present class scores at least (not in the paper). Eq. 3 gives a zero to every pixel
        whose map is negative, and -log makes of this zero a veto: where a map is sparse, the
        middle of an object turns to background though saliency sees it. With a floor of
        `foreground_above`, a value too low to make a threshold seed says nothing here either, and
        saliency decides. In [0, 1).

    Returns
    -------
    list of (H, W) uint8
        K seeds, on the device of the saliency.

    Raises
    ------
    InputError
        As `crf_seed`.

    Examples
    --------
    >>> image = np.zeros((8, 8, 3), np.uint8)
    >>> cams = [torch.zeros(2, 8, 8), torch.ones(2, 8, 8) * torch.tensor([0., 1.])[:, None, None]]
    >>> [int(seed[0, 0]) for seed in crf_seeds_of_image(image, cams, torch.full((8, 8), 0.9))]
    [0, 2]
    """
    _require_floor(cam_floor)
    for cam in cams:
        check_maps(cam[None], saliency[None])
    device, saliency = saliency.device, saliency.detach().cpu()
    cams = [cam.detach().cpu() for cam in cams]
    seeds = [torch.zeros(saliency.shape, dtype=torch.uint8) for _ in cams]
    background = (1 - saliency)[None]
    seen = [(cam.amax((1, 2)) > 0).nonzero()[:, 0] for cam in cams]
    # A seed comes out the same in whatever company: only those of the same classes go together.
    together: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for k, present in enumerate(seen):
        if len(present):
            together[tuple(present.tolist())].append(k)
    for members in together.values():
        present = seen[members[0]]
        foreground = [cams[k][present].clamp(min=cam_floor) for k in members]
        scores = torch.stack([torch.cat([background, maps]) for maps in foreground])
        unary = -scores.clamp(min=SMALLEST_SCORE).log()  # (K, M, H, W)
        probabilities = (crf or DenseCRF())(image, unary.float().numpy())
        labels = torch.cat([torch.zeros(1, dtype=torch.long), present + 1]).to(torch.uint8)
        for k, each in zip(members, probabilities, strict=True):
            seeds[k] = labels[torch.from_numpy(each).argmax(0)]
    return [seed.to(device) for seed in seeds]


def _require_floor(floor: float) -> None:
    if not 0 <= floor < 1:
        raise InputError(f"CRF seeds: cam_floor is {floor}; it is in [0, 1)")
