"""What a trained network says about images: CAMs (Sec. 4.1) and tested label maps (Sec. 5.1)."""

from __future__ import annotations

import os
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from wsss.cam import class_activation_maps
from wsss.crf import DenseCRF
from wsss.errors import InputError
from wsss.grid import feature_spacing, padded_length, scaled_length, to_pixels
from wsss.models.network import Network

BATCH_SIZE = 4
"""Images at once. On a CPU the first layers of larger batches do not fit its cache."""


@torch.inference_mode()
def infer_cams(
    model: Network,
    images: Sequence[np.ndarray],
    present: np.ndarray,
    *,
    scale: float,
    bias: bool = False,
    batch_size: int = BATCH_SIZE,
) -> list[np.ndarray]:
    """Class activation maps of many images at one input scale.

    Parameters
    ----------
    model : Network
        A classifier (head "cam").
    images : sequence of (H, W, 3) uint8
        RGB, of any sizes; those that become inputs of one size go through the network together.
    present : (N, C) bool
        Image-level labels.
    scale : float
        Each image is resized by it first (Sec. 4.3: 1, 0.75, 0.5).
    bias : bool
        Whether the classifier's bias is added, see `wsss.cam.class_activation_maps`.
    batch_size : int
        Most images at once.

    Returns
    -------
    list of (P, h, w) float16
        For every image the normalised maps of its P present classes, at the features. The last
        feature may lie up to a stride beyond the image (see `wsss.grid`), and the maximum on it.
    """
    prepare(model)
    weight = model.classifier.weight.flatten(1)
    added = model.classifier.bias if bias else None
    cams: list[np.ndarray] = [np.empty(0)] * len(images)
    shapes = [_input_lengths(image, [scale], model.output_stride) for image in images]
    for indices in batches_of_one_shape(shapes, batch_size):
        features = model.trunk(network_input(model, [images[i] for i in indices], scale))
        for i, one in zip(indices, features, strict=True):
            shown = torch.from_numpy(present[i]).to(weight.device)  # the rest is never computed
            cam = class_activation_maps(
                one[None],
                weight[shown],
                shown[shown][None],
                bias=None if added is None else added[shown],
            )
            cams[i] = cam[0].half().cpu().numpy()
    return cams


def prepare(model: Network) -> Network:
    """Switch a network to evaluation and lay its weights out channels last, in place.

    The layout changes results by rounding alone and makes convolutions on a CPU faster
    (``benchmarks/cams.py``).
    """
    return model.eval().to(memory_format=torch.channels_last)


def cam_at_pixels(
    maps: np.ndarray,
    present: np.ndarray,
    size: tuple[int, int],
    *,
    scale: float,
    output_stride: int,
) -> Tensor:
    """Interpolate one image's stored CAMs to its pixels and give absent classes their zeros.

    Parameters
    ----------
    maps : (P, h, w) float16
        As `infer_cams` returns.
    present : (C,) bool
        Image-level labels.
    size : (int, int)
        H and W of the image.
    scale, output_stride : float, int
        How the maps were made.

    Returns
    -------
    (C, H, W) float32
        In [0, 1].
    """
    cam = torch.zeros(len(present), *size)
    values = torch.from_numpy(np.array(maps, np.float32))
    cam[torch.from_numpy(present)] = _at_pixels(values, size, scale, output_stride)
    return cam


@dataclass(frozen=True)
class Protocol:
    """How a segmenter is tested; the default is one scale, no flip and no CRF.

    The paper does not say how it tests. Its figures are the authors' with all of it, most likely:
    fully supervised, VGG16-LargeFOV is published with 65 to 66 mIoU at one scale without CRF and
    with 69 to 70 with it, and the paper's upper bound (Table 1) is 72.1. `SCALES` and the flip are
    those of the authors' MCIC and CIAN; for the CRF see `wsss.crf.PRESETS`.

    Attributes
    ----------
    scales : tuple of float
        Each image is resized by each of them.
    flip : bool
        Whether each is seen mirrored too.
    crf : DenseCRF or None
        Its unary energies are the negative averaged logits, as in MCIC and CIAN.

    Raises
    ------
    InputError
        If there is no scale, or one is not positive.

    Examples
    --------
    >>> Protocol(SCALES, flip=True)
    Protocol(scales=(0.75, 1.0, 1.25), flip=True, crf=None)
    """

    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    crf: DenseCRF | None = None

    def __post_init__(self) -> None:
        """Check the scales."""
        if not self.scales or min(self.scales) <= 0:
            raise InputError(f"Protocol: scales {self.scales}; give at least one, all positive")


SCALES = (0.75, 1.0, 1.25)
"""Scales of multi-scale testing in the authors' MCIC and CIAN. Not in the paper."""


def predict(
    model: Network,
    images: Sequence[np.ndarray],
    protocol: Protocol | None = None,
    *,
    batch_size: int = BATCH_SIZE,
) -> list[np.ndarray]:
    """Label maps of a segmenter.

    Parameters
    ----------
    model : Network
        A segmenter (head "largefov").
    images : sequence of (H, W, 3) uint8
        RGB, of any sizes.
    protocol : Protocol, optional
        By default one scale, no flip and no CRF.
    batch_size : int
        Most images at once.

    Returns
    -------
    list of (H, W) uint8
    """
    protocol = protocol or Protocol()
    labels: list[np.ndarray] = [np.empty(0)] * len(images)
    for i, _, after in infer_labels(model, images, protocol, batch_size=batch_size):
        labels[i] = after
    return labels


def infer_labels(
    model: Network,
    images: Sequence[np.ndarray],
    protocol: Protocol,
    *,
    batch_size: int = BATCH_SIZE,
    threads: int | None = None,
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Label maps of a segmenter before and after the CRF, as they come.

    Parameters
    ----------
    model, images, protocol, batch_size
        As in `predict`.
    threads : int, optional
        How many work at once, which changes no label: by default one a core at the CRFs beside a
        GPU, which would wait for them, and one on a CPU, whose cores have stages of their own.

    Yields
    ------
    (int, (H, W) uint8, (H, W) uint8)
        Index of an image, and its labels; every image once, not in order.
    """
    on_gpu = model.classifier.weight.device.type != "cpu"
    threads = threads or ((os.cpu_count() or 1) if on_gpu and protocol.crf else 1)

    def both(i: int, logits: Tensor) -> tuple[int, np.ndarray, np.ndarray]:
        before = label_map(logits, images[i])
        return i, before, label_map(logits, images[i], protocol.crf) if protocol.crf else before

    every = infer_logits(model, images, protocol, batch_size=batch_size)
    if threads == 1:
        yield from (both(i, logits) for i, logits in every)
        return
    if not on_gpu:
        yield from _spread(model, images, protocol, batch_size, threads, both)
        return
    pending: deque[Future[tuple[int, np.ndarray, np.ndarray]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for i, logits in every:
            pending.append(pool.submit(both, i, logits))
            if len(pending) > 2 * threads:  # logits are large: the GPU waits in the end
                yield pending.popleft().result()
        yield from (each.result() for each in pending)


def _spread(
    model: Network,
    images: Sequence[np.ndarray],
    protocol: Protocol,
    batch_size: int,
    threads: int,
    both: Callable[[int, Tensor], tuple[int, np.ndarray, np.ndarray]],
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Let each thread take whole batches, the same as one would: sums round as they do there."""
    stride = prepare(model).output_stride
    shapes = (_input_lengths(image, protocol.scales, stride) for image in images)

    def one(batch: list[int]) -> list[tuple[int, np.ndarray, np.ndarray]]:
        chosen = [images[i] for i in batch]
        found = infer_logits(model, chosen, protocol, batch_size=batch_size)
        return [both(batch[n], logits) for n, logits in found]

    own = {"initializer": torch.set_num_threads, "initargs": (torch.get_num_threads(),)}
    with ThreadPoolExecutor(threads, **own) as pool:
        for found in pool.map(one, batches_of_one_shape(shapes, batch_size)):
            yield from found


@torch.inference_mode()
def infer_logits(
    model: Network,
    images: Sequence[np.ndarray],
    protocol: Protocol,
    *,
    batch_size: int = BATCH_SIZE,
) -> Iterator[tuple[int, Tensor]]:
    """Logits of a segmenter at the pixels, averaged over scales and flips; the CRF comes after.

    As in the authors' MCIC and CIAN the average is that of the maps of all scales and of their
    pixel-wise maximum, then of the image and its mirror. They pad every image to 513 pixels; here
    it is padded to the next length that ends on a feature, as everywhere (not in the paper).

    Parameters
    ----------
    model : Network
        A segmenter (head "largefov").
    images : sequence of (H, W, 3) uint8
        RGB, of any sizes; those that become inputs of one size go through the network together.
    protocol : Protocol
        Its scales and its flip.
    batch_size : int
        Most images at once.

    Yields
    ------
    (int, (L, H, W) float32)
        Index of an image and its logits; every image once, not in order.
    """
    prepare(model)
    stride = model.output_stride
    shapes = [_input_lengths(image, protocol.scales, stride) for image in images]
    for indices in batches_of_one_shape(shapes, batch_size):
        chosen = [images[i] for i in indices]
        views = {
            (scale, flip): model(network_input(model, chosen, scale, flip)).float()
            for flip in (False, True)[: 1 + protocol.flip]
            for scale in protocol.scales
        }
        for n, i in enumerate(indices):
            height, width = images[i].shape[:2]
            mirrors = []
            for flip in (False, True)[: 1 + protocol.flip]:
                maps = torch.stack([
                    _at_pixels(views[scale, flip][n], (height, width), scale, stride)
                    for scale in protocol.scales
                ])  # fmt: skip
                mean = (maps.sum(0) + maps.amax(0)) / (len(maps) + 1)
                mirrors.append(mean.flip(-1) if flip else mean)
            yield i, torch.stack(mirrors).mean(0).cpu()  # averaged where the network is


def label_map(logits: Tensor, image: np.ndarray, crf: DenseCRF | None = None) -> np.ndarray:
    """Choose a label for every pixel, after a CRF if there is one.

    Parameters
    ----------
    logits : (L, H, W) float32
        As `infer_logits` yields; negative, they are the unary energies.
    image : (H, W, 3) uint8
        RGB.
    crf : DenseCRF, optional
        What refines them.

    Returns
    -------
    (H, W) uint8

    Examples
    --------
    >>> label_map(torch.tensor([[[1., 0.]], [[0., 1.]]]), np.zeros((1, 2, 3), np.uint8))
    array([[0, 1]], dtype=uint8)
    """
    scores = logits.numpy()
    if crf is not None:
        scores = crf(image, -scores[None])[0]
    return scores.argmax(0).astype(np.uint8)


def batches_of_one_shape(shapes: Iterable[tuple[int, ...]], batch_size: int) -> Iterator[list[int]]:
    """Group indices by shape, at most `batch_size` in a group.

    Examples
    --------
    >>> list(batches_of_one_shape([(2, 3), (4, 3), (2, 3)], 8))
    [[0, 2], [1]]
    """
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for i, shape in enumerate(shapes):
        groups[shape].append(i)
    for group in groups.values():
        for start in range(0, len(group), batch_size):
            yield group[start : start + batch_size]


def _input_lengths(
    image: np.ndarray, scales: Sequence[float], output_stride: int
) -> tuple[int, ...]:
    """Heights and widths of an image's inputs: images that share them share their batches."""
    return tuple(
        padded_length(scaled_length(length, scale), output_stride)
        for scale in scales
        for length in image.shape[:2]
    )


def network_input(
    model: Network, images: Sequence[np.ndarray], scale: float, flip: bool = False
) -> Tensor:
    """Normalise, resize, mirror and pad (with the mean) images whose inputs have one shape.

    They come back on the network's device, channels last.
    """
    height, width = _input_lengths(images[0], [scale], model.output_stride)
    device = model.classifier.weight.device  # bytes travel, and become floats there
    batch = torch.zeros(len(images), 3, height, width, device=device)  # 0 is the mean
    for image, place in zip(images, batch, strict=True):
        stored = torch.from_numpy(np.array(image)).to(device)
        pixels = model.normalisation(stored.permute(2, 0, 1)[None])
        if scale != 1:
            size = [scaled_length(n, scale) for n in image.shape[:2]]
            pixels = F.interpolate(pixels, size, mode="bilinear", align_corners=True)
        pixels = pixels.flip(-1) if flip else pixels
        place[:, : pixels.shape[2], : pixels.shape[3]] = pixels[0]
    return batch.contiguous(memory_format=torch.channels_last)


def _at_pixels(maps: Tensor, size: tuple[int, int], scale: float, output_stride: int) -> Tensor:
    """Interpolate the maps of a network that saw an image resized by `scale` to its pixels."""
    rows, columns = (feature_spacing(length, scale, output_stride) for length in size)
    return to_pixels(maps, (rows, columns), size)
