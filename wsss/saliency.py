"""Saliency maps: computed without training, by U2-Net-p, read from files, or from CAMs (Sec. 4.2).

The paper takes its maps from another network, DSS (Sec. 4.2), and the community shares them as
8-bit files. The other ways are for where those files are not (not in the paper).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from wsss.data.pictures import opened
from wsss.errors import InputError
from wsss.models.weights import locate

MAPS = "saliency_aug"
"""Where a data folder holds its maps, by the community's name for those of the 10,582 images."""


@dataclass(frozen=True)
class BorderSaliency:
    """Saliency as the distance from the colours that the image's border predicts.

    Nothing is learnt: the demo must not smuggle in pixel labels. A quadratic polynomial in x and y
    for each colour channel is fitted to a ring along the border, and refitted with weights
    1 / (1 + (residual / tolerance)²), so that an object that touches the border counts little.
    Where it fails: objects of the background's colour, and distractors, which are salient too.
    Not in the paper.

    Attributes
    ----------
    border : int
        Width of the ring in pixels. The default suits 64-pixel scenes.
    tolerance : float
        Residual in [0, 1] RGB units at which a pixel's weight is a half.
    passes : int
        Reweighted fits after the first.
    smoothing : float
        Standard deviation in pixels of the Gaussian that blurs the distance.
    margin : float
        Saliency is 0 up to this many times the median distance: the background's own noise.
    contrast : float
        Saliency 1 stands at the 99th percentile of the distance, but at least this far above
        0 (RGB units), so that an image without any object stays dark.
    saturation : float
        Divides the way from saliency 0 to saliency 1, so that more of an object is fully salient,
        as in the nearly binary maps of learned methods.

    Examples
    --------
    >>> image = np.full((32, 32, 3), 90, np.uint8)
    >>> image[10:20, 10:20] = 200, 60, 40
    >>> saliency = BorderSaliency()(image)
    >>> saliency[15, 15] > 0.9, saliency[3, 3] < 0.01
    (np.True_, np.True_)

    References
    ----------
    The idea that the border is background: Wei et al., Geodesic saliency using background priors,
    ECCV 2012.
    """

    border: int = 5
    tolerance: float = 0.08
    passes: int = 2
    smoothing: float = 1.0
    margin: float = 1.2
    contrast: float = 0.12
    saturation: float = 1.5

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Map an RGB image ``(H, W, 3)`` to its saliency ``(H, W)``, float32 in [0, 1].

        `InputError` if the image is not RGB or smaller than two borders.
        """
        if image.ndim != 3 or image.shape[2] != 3 or min(image.shape[:2]) <= 2 * self.border:
            raise InputError(
                f"border saliency: an image of shape {image.shape}; it must be (H, W, 3) with both "
                f"sides above {2 * self.border} pixels"
            )
        height, width = image.shape[:2]
        colours = image.reshape(-1, 3).astype(np.float32) / 255
        basis, ring = _quadratic_basis(height, width, self.border)
        inputs, targets = basis[ring], colours[ring]
        weights = np.ones((len(inputs), 1), np.float32)
        coefficients = _weighted_fit(inputs, targets, weights)
        for _ in range(self.passes):
            squared = np.square(targets - inputs @ coefficients).sum(1, keepdims=True)
            weights = 1 / (1 + squared / self.tolerance**2)
            coefficients = _weighted_fit(inputs, targets, weights)
        distance = np.sqrt(np.square(colours - basis @ coefficients).sum(1)).reshape(height, width)
        rows, columns = (_blur_matrix(side, self.smoothing) for side in (height, width))
        distance = rows @ distance @ columns.T
        dark = self.margin * np.median(distance)
        far = max(np.quantile(distance, 0.99) - dark, self.contrast)
        bright = dark + far / self.saturation
        return np.clip((distance - dark) / (bright - dark), 0, 1).astype(np.float32)


class U2NetP:
    """Saliency by U2-Net-p, a small network trained on the masks of DUTS (not in the paper).

    DUTS holds pixel masks of salient objects, no class and no VOC label: the same kind of outside
    supervision as the paper's own maps, which come from DSS, trained on the masks of MSRA-B.

    The network is run by ONNX Runtime in one thread, on the image resized to 320 x 320; its
    output is resized back, both bilinearly.

    The network's sigmoid stays as it is, because the seeds compare saliency with absolute
    thresholds (Sec. 4.2): stretching every map to [0, 1], as rembg, the tool known for these
    weights, does, finds something salient even in an image that shows nothing.

    Raises
    ------
    InputError
        If the weights' package or onnxruntime is not installed, or the file differs.

    Examples
    --------
    >>> U2NetP()(np.zeros((40, 60, 3), np.uint8)).shape
    (40, 60)
    """

    SIDE = 320
    MEAN = np.array([0.485, 0.456, 0.406], np.float32)
    STD = np.array([0.229, 0.224, 0.225], np.float32)

    def __init__(self) -> None:
        path = locate("u2netp")
        try:  # only the photo and paper profiles need it, so the demo runs without
            import onnxruntime
        except ImportError:
            raise InputError("U2-Net-p needs ONNX Runtime; run: pip install onnxruntime") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Map an RGB image ``(H, W, 3)`` to its saliency ``(H, W)``, float32 in [0, 1]."""
        if image.ndim != 3 or image.shape[2] != 3:
            raise InputError(f"U2-Net-p: an image of shape {image.shape}; it must be (H, W, 3)")
        height, width = image.shape[:2]
        resized = Image.fromarray(image).resize((self.SIDE, self.SIDE), Image.Resampling.BILINEAR)
        pixels = np.asarray(resized, np.float32)
        pixels = (pixels / max(pixels.max(), 1) - self.MEAN) / self.STD
        batch = pixels.transpose(2, 0, 1)[None]
        saliency = np.asarray(self._session.run(None, {self._input: batch})[0])[0, 0]
        back = Image.fromarray(saliency).resize((width, height), Image.Resampling.BILINEAR)
        return np.clip(np.asarray(back), 0, 1)


def read_saliency(folder: str | Path, image_id: str, size: tuple[int, int]) -> NDArray[np.float32]:
    """Read one saliency map from the 8-bit grey PNGs that the community shares.

    Parameters
    ----------
    folder : str or Path
        Holds ``<id>.png`` for every image, say the ``saliency_aug`` of the OAA project.
    image_id : str
        The image's id.
    size : (int, int)
        (H, W) of the image.

    Returns
    -------
    (H, W) float32
        In [0, 1]: the stored value over 255.

    Raises
    ------
    InputError
        If the file is missing, damaged, not 8-bit grey, or of another size than the image.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("L", (3, 1), 51).save(Path(folder, "a.png"))
    ...     read_saliency(folder, "a", (1, 3))
    array([[0.2, 0.2, 0.2]], dtype=float32)
    """
    path = _map_path(folder, image_id)
    with opened("saliency map", path) as file:
        mode, found = file.mode, (file.height, file.width)
        saliency = np.asarray(file, np.float32) if mode == "L" else None
    if saliency is None:
        raise InputError(f"{path}: mode {mode}; a saliency map is 8-bit grey (mode L); convert it")
    if found != tuple(size):
        raise InputError(
            f"{path}: the map has {found[0]} x {found[1]} pixels (height x width), "
            f"its image {size[0]} x {size[1]}; make it anew for this image"
        )
    return saliency / np.float32(255)


def maps_fingerprint(folder: str | Path, image_ids: Iterable[str]) -> str:
    """Return the SHA-256 of the maps of some images, whatever else the folder holds.

    `InputError` if a map is missing.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.png").write_bytes(b"map")
    ...     maps_fingerprint(folder, ["a"])[:8]
    '1997a67f'
    """
    digest = hashlib.sha256()
    for image_id in image_ids:
        content = _map_path(folder, image_id).read_bytes()
        digest.update(f"{image_id} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def check_saliency(folder: str | Path, sizes: Mapping[str, tuple[int, int]]) -> list[str]:
    """Read the map of every image of a size (H, W), and list what is wrong, a line each.

    Examples
    --------
    >>> check_saliency("nowhere", {"2007_000032": (281, 500)})
    ['2007_000032: no saliency map nowhere/2007_000032.png; make it, or name the right folder']
    """
    problems, highest = [], []
    for image_id, size in sizes.items():
        try:
            highest.append(float(read_saliency(folder, image_id, size).max()))
        except InputError as error:
            problems.append(str(error))
    try:
        require_bright(folder, highest)
    except InputError as error:
        problems.append(str(error))
    return problems


def require_bright(folder: str | Path, highest: Sequence[float]) -> None:
    """Refuse maps of 0 and 1 in place of 0 to 255, by the `highest` saliency of each.

    Examples
    --------
    >>> require_bright("saliency_aug", [0.0, 1 / 255])
    Traceback (most recent call last):
    wsss.errors.InputError: saliency_aug: no map holds more than 1, so nothing is salient; ...
    """
    if len(highest) and max(highest) < 1.5 / 255:
        raise InputError(
            f"{folder}: no map holds more than 1, so nothing is salient; 8-bit maps go from 0 to "
            "255: multiply these by 255"
        )


def cam_background(cam: Tensor, alpha: float) -> Tensor:
    """Saliency from the CAMs alone: one minus the background score of psa.

    The background score is (1 - max_c cam)^alpha, so the larger alpha, the more is salient. For
    photos without saliency maps; not in the paper.

    Parameters
    ----------
    cam : (N, C, H, W) float
        Normalised maps in [0, 1] (Eq. 3), zero for absent classes.
    alpha : float
        psa uses 4 to 32.

    Returns
    -------
    (N, H, W) float
        In [0, 1].

    Examples
    --------
    >>> import torch
    >>> cam_background(torch.tensor([[[[0.0, 0.5, 1.0]]]]), alpha=4)
    tensor([[[0.0000, 0.9375, 1.0000]]])

    References
    ----------
    Ahn and Kwak, Learning pixel-level semantic affinity with image-level supervision, CVPR 2018.
    """
    return 1 - (1 - cam.amax(1)) ** alpha


def _map_path(folder: str | Path, image_id: str) -> Path:
    path = Path(folder) / f"{image_id}.png"
    if not path.is_file():
        raise InputError(f"{image_id}: no saliency map {path}; make it, or name the right folder")
    return path


@lru_cache(maxsize=16)
def _quadratic_basis(
    height: int, width: int, border: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """1, x, y, x², xy, y² of every pixel, (H * W, 6), and which pixels are the ring, (H * W,)."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    basis = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).astype(np.float32)
    ring = np.ones((height, width), bool)
    ring[border:-border, border:-border] = False
    return basis.reshape(-1, 6), ring.reshape(-1)


def _weighted_fit(
    inputs: NDArray[np.floating], targets: NDArray[np.floating], weights: NDArray[np.floating]
) -> NDArray[np.floating]:
    weighted = inputs * weights
    return np.linalg.solve(weighted.T @ inputs, weighted.T @ targets)


@lru_cache(maxsize=16)
def _blur_matrix(size: int, sigma: float) -> NDArray[np.float32]:
    """Gaussian blur along one axis as a matrix whose rows sum to 1; borders are not darkened."""
    offset = np.arange(size)[:, None] - np.arange(size)
    kernel = np.exp(-0.5 * np.square(offset / sigma))
    return (kernel / kernel.sum(1, keepdims=True)).astype(np.float32)
