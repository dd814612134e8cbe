"""Images as inputs of a network, and its maps back at their pixels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from wsss.errors import InputError
from wsss.grid import feature_spacing, padded_length, scaled_length, to_pixels
from wsss.models.network import Network

BATCH_SIZE = 4
"""Images at once. On a CPU the first layers of larger batches do not fit its cache."""


def prepare(model: Network) -> Network:
    """Switch a network to evaluation and lay its weights out channels last, in place.

    The layout changes results by rounding alone and makes convolutions on a CPU faster
    (``benchmarks/cams.py``).

    Examples
    --------
    >>> from wsss.models import get_model
    >>> prepare(get_model("vgg16_scenes", head="cam", num_classes=3)).training
    False
    """
    with torch.inference_mode(mode=False):  # else it could never be trained again
        return model.eval().to(memory_format=torch.channels_last)


def require_image(image: np.ndarray) -> np.ndarray:
    """Refuse what is no image: numbers in [0, 1], say, would be labelled like a black one.

    Examples
    --------
    >>> require_image(np.zeros((64, 80)))
    Traceback (most recent call last):
    wsss.errors.InputError: an image is float64 (64, 80); give an array (H, W, 3) of uint8, RGB
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.shape[2:] != (3,):
        given = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image)
        raise InputError(f"an image is {given}; give an array (H, W, 3) of uint8, RGB")
    return image


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


def input_lengths(
    image: np.ndarray, scales: Sequence[float], output_stride: int
) -> tuple[int, ...]:
    """Heights and widths of an image's inputs: images that share them share their batches.

    Raises
    ------
    InputError
        If it is none, see `require_image`.

    Examples
    --------
    >>> input_lengths(np.zeros((64, 80, 3), np.uint8), [1.0, 0.5], output_stride=8)
    (65, 81, 33, 41)
    """
    require_image(image)
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

    Examples
    --------
    >>> from wsss.models import get_model
    >>> model = get_model("vgg16_scenes", head="cam", num_classes=3)
    >>> network_input(model, [np.zeros((64, 80, 3), np.uint8)], 0.5).shape
    torch.Size([1, 3, 33, 41])
    """
    height, width = input_lengths(images[0], [scale], model.output_stride)
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


def at_pixels(maps: Tensor, size: tuple[int, int], scale: float, output_stride: int) -> Tensor:
    """Interpolate the maps of a network that saw an image resized by `scale` to its pixels.

    Examples
    --------
    >>> at_pixels(torch.tensor([[0.0, 1.0]]), (2, 5), scale=1.0, output_stride=4)[0]
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    rows, columns = (feature_spacing(length, scale, output_stride) for length in size)
    return to_pixels(maps, (rows, columns), size)
