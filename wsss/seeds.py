"""The two types of seeds: by threshold and by CRF (Sec. 4.2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from wsss.crf import DenseCRF
from wsss.errors import InputError

ClassConflict = Literal["argmax", "unknown"]

SMALLEST_SCORE = 1e-5  # the unary energy of a score of zero is -log of this


def threshold_seed(
    cam: Tensor,
    saliency: Tensor,
    *,
    foreground_above: float = 0.1,
    background_below: float = 0.06,
    class_conflict: ClassConflict = "argmax",
    ignore_index: int = 255,
) -> Tensor:
    """Seed by thresholds: a class where its CAM is high, background where nothing is salient.

    A pixel that is both or neither is unknown.

    Parameters
    ----------
    cam : (N, C, H, W) float
        Normalised class activation maps at image resolution, zero for absent classes.
    saliency : (N, H, W) float
        In [0, 1], high on what stands out.
    foreground_above : float
        CAM threshold (Sec. 4.2: 0.1).
    background_below : float
        Saliency threshold (Sec. 4.2: 0.06).
    class_conflict : {"argmax", "unknown"}
        What becomes of a pixel where two classes pass the threshold. The paper's "conflict" may
        mean these or only foreground against background. "argmax" gives it to the larger one, as
        the authors' ICD code does; "unknown" is the strict reading, under which a threshold of 0.1
        leaves little of an image with two classes. Not settled by the paper; low to medium
        confidence.
    ignore_index : int
        Label of unknown pixels.

    Returns
    -------
    (N, H, W) uint8
        0 background, 1 to C the classes, `ignore_index` unknown.

    Raises
    ------
    InputError
        If the shapes do not fit or `class_conflict` is neither.

    Examples
    --------
    >>> cam = torch.tensor([[[[0.9, 0.0, 0.9, 0.0]]]])  # (1, 1, 1, 4)
    >>> saliency = torch.tensor([[[0.8, 0.0, 0.0, 0.8]]])
    >>> threshold_seed(cam, saliency)
    tensor([[[  1,   0, 255, 255]]], dtype=torch.uint8)
    >>> cam = torch.tensor([[[[0.9, 0.0]], [[0.2, 0.9]]]])  # (1, 2, 1, 2)
    >>> threshold_seed(cam, torch.ones(1, 1, 2), class_conflict="unknown")
    tensor([[[255,   2]]], dtype=torch.uint8)

    References
    ----------
    Fan et al., Sec. 4.2, second paragraph.
    """
    _check(cam, saliency)
    if class_conflict not in get_args(ClassConflict):
        raise InputError(
            f"threshold_seed: class_conflict is {class_conflict!r}; choose 'argmax' or 'unknown'"
        )
    score, label = cam.max(1)
    foreground, background = score > foreground_above, saliency < background_below
    seed = torch.where(foreground, label + 1, 0)
    unknown = foreground == background
    if class_conflict == "unknown":
        unknown |= (cam > foreground_above).sum(1) > 1
    return seed.masked_fill(unknown, ignore_index).to(torch.uint8)


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
        Parameters and backend; `DenseCRF()` by default (those of psa, DSRG and the authors' ICD).
    cam_floor : float
        As in `crf_seeds_of_image`.

    Returns
    -------
    (N, H, W) uint8
        0 background, 1 to C the classes.

    Raises
    ------
    InputError
        If the shapes do not fit.

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
    _check(cam, saliency)
    if image.shape != (len(cam), 3, *cam.shape[2:]):
        raise InputError(
            f"crf_seed: image {tuple(image.shape)} and CAM {tuple(cam.shape)} do not fit; they "
            "are (N, 3, H, W) and (N, C, H, W)"
        )
    seeds = [
        crf_seeds_of_image(
            pixels.permute(1, 2, 0).numpy(), [maps], salient, crf=crf, cam_floor=cam_floor
        )[0]
        for pixels, maps, salient in zip(image, cam, saliency, strict=True)
    ]
    return torch.stack(seeds)


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
        Parameters and backend.
    cam_floor : float
        What a present class scores at least (not in the paper). Eq. 3 gives a zero to every pixel
        whose map is negative, and -log makes of this zero a veto: where a map is sparse, the
        middle of an object turns to background though saliency sees it. With a floor of
        `foreground_above`, a value too low to make a threshold seed says nothing here either, and
        saliency decides. In [0, 1).

    Returns
    -------
    list of (H, W) uint8
        K seeds.

    Examples
    --------
    >>> image = np.zeros((8, 8, 3), np.uint8)
    >>> cams = [torch.zeros(2, 8, 8), torch.ones(2, 8, 8) * torch.tensor([0., 1.])[:, None, None]]
    >>> [int(seed[0, 0]) for seed in crf_seeds_of_image(image, cams, torch.full((8, 8), 0.9))]
    [0, 2]
    """
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
    return seeds


def _check(cam: Tensor, saliency: Tensor) -> None:
    if cam.ndim != 4 or saliency.shape != (len(cam), *cam.shape[2:]):
        raise InputError(
            f"CAM {tuple(cam.shape)} and saliency {tuple(saliency.shape)} do not fit; they are "
            "(N, C, H, W) and (N, H, W)"
        )
