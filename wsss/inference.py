"""What a trained segmenter says about images: logits and label maps, as tested (Sec. 5.1)."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from wsss.crf import DenseCRF
from wsss.errors import InputError
from wsss.inputs import (
    BATCH_SIZE,
    at_pixels,
    batches_of_one_shape,
    input_lengths,
    network_input,
    prepare,
)
from wsss.models.network import Network
from wsss.processes import cores


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
        if not self.scales or not all(0 < scale < math.inf for scale in self.scales):
            raise InputError(
                f"Protocol: scales {self.scales}; give at least one, all finite and positive"
            )


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
        A segmenter (head "largefov"); left in evaluation mode.
    images : sequence of (H, W, 3) uint8
        RGB, of any sizes.
    protocol : Protocol, optional
        By default one scale, no flip and no CRF.
    batch_size : int
        Most images at once.

    Returns
    -------
    list of (H, W) uint8

    Raises
    ------
    InputError
        If an image is none, or the network has more labels than a mask of bytes holds.

    Examples
    --------
    >>> from wsss.models import get_model
    >>> model = get_model("vgg16_scenes", head="largefov", num_classes=3)
    >>> photos = [np.zeros((64, 64, 3), np.uint8), np.zeros((40, 64, 3), np.uint8)]
    >>> [labels.shape for labels in predict(model, photos, Protocol((1.0, 0.5), flip=True))]
    [(64, 64), (40, 64)]
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

    Examples
    --------
    >>> from wsss.models import get_model
    >>> model = get_model("vgg16_scenes", head="largefov", num_classes=3)
    >>> photos = [np.zeros((64, 64, 3), np.uint8), np.zeros((40, 64, 3), np.uint8)]
    >>> sorted(i for i, before, after in infer_labels(model, photos, Protocol()))
    [0, 1]
    """
    on_gpu = model.classifier.weight.device.type != "cpu"
    threads = threads or (cores() if on_gpu and protocol.crf else 1)

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
    shapes = (input_lengths(image, protocol.scales, stride) for image in images)

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

    Examples
    --------
    >>> from wsss.models import get_model
    >>> model = get_model("vgg16_scenes", head="largefov", num_classes=3)
    >>> photos = [np.zeros((64, 64, 3), np.uint8), np.zeros((40, 64, 3), np.uint8)]
    >>> {i: tuple(logits.shape) for i, logits in infer_logits(model, photos, Protocol())}
    {0: (3, 64, 64), 1: (3, 40, 64)}
    """
    prepare(model)
    stride, device = model.output_stride, model.classifier.weight.device
    shapes = [input_lengths(image, protocol.scales, stride) for image in images]
    for indices in batches_of_one_shape(shapes, batch_size):
        chosen = [images[i] for i in indices]
        views = {
            (scale, flip): model(network_input(model, chosen, scale, flip)).float()
            for flip in (False, True)[: 1 + protocol.flip]
            for scale in protocol.scales
        }
        for n, i in enumerate(indices):
            height, width = images[i].shape[:2]
            own = {way: maps[n] for way, maps in views.items()}
            with torch.autocast(device.type, enabled=False):  # it is for the network
                mean = average_views(own, (height, width), protocol, stride)
            yield i, mean.cpu()  # averaged where the network is


def average_views(
    views: Mapping[tuple[float, bool], Tensor],
    size: tuple[int, int],
    protocol: Protocol,
    output_stride: int,
) -> Tensor:
    """Interpolate logits to the pixels and average them over scales and flips.

    Parameters
    ----------
    views : mapping
        From each scale, and whether it is mirrored, to logits (..., L, h, w).
    size : (int, int)
        H and W of the image.
    protocol : Protocol
        Its scales and its flip; see `infer_logits` for the average.
    output_stride : int
        The network's.

    Returns
    -------
    Tensor
        Logits (..., L, H, W).

    Examples
    --------
    >>> views = {(1.0, False): torch.tensor([[[0.0, 1.0]]]), (1.0, True): torch.ones(1, 1, 2)}
    >>> average_views(views, (2, 5), Protocol(flip=True), output_stride=4)[0, 0]
    tensor([0.5000, 0.6250, 0.7500, 0.8750, 1.0000])
    """
    mirrors = []
    for flip in (False, True)[: 1 + protocol.flip]:
        maps = torch.stack([
            at_pixels(views[scale, flip], size, scale, output_stride)
            for scale in protocol.scales
        ])  # fmt: skip
        mean = (maps.sum(0) + maps.amax(0)) / (len(maps) + 1)
        mirrors.append(mean.flip(-1) if flip else mean)
    return torch.stack(mirrors).mean(0)


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

    Raises
    ------
    InputError
        If there are more labels than a mask of bytes holds beside 255, unknown.

    Examples
    --------
    >>> label_map(torch.tensor([[[1., 0.]], [[0., 1.]]]), np.zeros((1, 2, 3), np.uint8))
    array([[0, 1]], dtype=uint8)
    """
    scores = logits.numpy()
    if len(scores) > 255:
        raise InputError(f"logits of {len(scores)} labels; a mask of uint8 holds 255, and unknown")
    if crf is not None:
        scores = crf(image, -scores[None])[0]
    return scores.argmax(0).astype(np.uint8)
