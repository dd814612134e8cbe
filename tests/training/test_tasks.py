"""Training samples: one affine map against resizing, mirroring and cropping one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from wsss.data.affine import Augmentation, sample_image, sample_labels
from wsss.data.packed import pack
from wsss.data.voc import VocFolder
from wsss.training.tasks import classifier_sample, segmenter_sample

FILL = (124.0, 116.0, 104.0)
UNKNOWN = 255


class OnDisk(Sequence[np.ndarray]):
    """Decodes a picture whenever it is asked for."""

    def __init__(self, read: Callable[[str], np.ndarray], ids: list[str]) -> None:
        self.read, self.ids = read, ids

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: Any) -> Any:
        return self.read(self.ids[index])


def step_by_step(
    image: np.ndarray,
    label_maps: Sequence[np.ndarray],
    size: tuple[int, int],
    corner: tuple[int, int],
    mirrored: bool,
    crop: int,
    stride: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Resize whole image and label maps, mirror, pad, crop; then thin the labels out."""
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].double()
    resized = F.interpolate(pixels, size=size, mode="bilinear", align_corners=True)[0]
    nearest = [
        np.rint(np.linspace(0, length - 1, scaled)).astype(int)
        for length, scaled in zip(image.shape[:2], size, strict=True)
    ]
    stack = np.stack([label_map[np.ix_(*nearest)] for label_map in label_maps])
    labels = torch.from_numpy(stack).double()
    if mirrored:
        resized, labels = resized.flip(-1), labels.flip(-1)
    top, left = corner
    padding = (-left, left + crop - size[1], -top, top + crop - size[0])  # negative ones crop
    padded = torch.stack(
        [F.pad(channel, padding, value=value) for channel, value in zip(resized, FILL, strict=True)]
    )
    labels = F.pad(labels, padding, value=UNKNOWN)[:, ::stride, ::stride]
    return padded.permute(1, 2, 0).numpy(), labels.numpy().astype(np.uint8)


def in_one(
    shape: tuple[int, int], size: tuple[int, int], corner: tuple[int, int], mirrored: bool
) -> np.ndarray:
    """The affine map of these steps, from a crop's pixels to the image's."""
    (height, width), (top, left) = shape, corner
    down, right = (height - 1) / (size[0] - 1), (width - 1) / (size[1] - 1)
    if mirrored:
        return np.array([[-right, 0, width - 1 - left * right], [0, down, top * down]])
    return np.array([[right, 0, left * right], [0, down, top * down]])


def assert_same(
    image: np.ndarray,
    label_maps: Sequence[np.ndarray],
    size: tuple[int, int],
    corner: tuple[int, int],
    mirrored: bool,
    crop: int,
    stride: int,
) -> None:
    pixels, labels = step_by_step(image, label_maps, size, corner, mirrored, crop, stride)
    affine = in_one(image.shape[:2], size, corner, mirrored)
    fast_pixels = sample_image(image, affine, crop, FILL)
    fast_labels = sample_labels(label_maps, affine, crop, stride)

    # Along the border of the image the one map mixes the colour outside in, the steps do not.
    columns, rows = (affine[axis, axis] * np.arange(crop) + affine[axis, 2] for axis in range(2))
    height, width = image.shape[:2]
    inside = np.ix_((rows >= 0) & (rows <= height - 1), (columns >= 0) & (columns <= width - 1))
    outside = np.ones((crop, crop), bool)
    outside[np.ix_((rows > -1) & (rows < height), (columns > -1) & (columns < width))] = False
    # OpenCV places a pixel to 1/32 of a pixel, and rounds.
    assert np.abs(fast_pixels[inside] - pixels[inside]).max(initial=0) <= 255 * 2 / 64 + 1
    assert np.array_equal(fast_pixels[outside], pixels[outside])

    # Half-way between two pixels the nearest one hangs on the last bit; within half a pixel of the
    # border the one map still reads the border's label.
    def decided(position: np.ndarray, length: int) -> np.ndarray:
        position = position[::stride]
        half_way = np.abs(position - np.floor(position) - 0.5) < 1e-6
        beside = (position < 0) & (position > -0.6) | (
            (position > length - 1) & (position < length - 0.4)
        )
        return ~(half_way | beside)

    sure = (slice(None), *np.ix_(decided(rows, height), decided(columns, width)))
    assert np.array_equal(fast_labels[sure], labels[sure])


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_one_map_is_resizing_mirroring_and_cropping(data: st.DataObject) -> None:
    side = st.integers(9, 50)
    shape, size = (data.draw(side), data.draw(side)), (data.draw(side), data.draw(side))
    stride = data.draw(st.sampled_from([1, 2, 4, 8]))
    crop = stride * data.draw(st.integers(1, 32 // stride)) + 1
    top, left = (
        data.draw(st.integers(min(0, scaled - crop), max(0, scaled - crop))) for scaled in size
    )
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    image = rng.integers(0, 256, (*shape, 3), np.uint8)
    maps = list(rng.integers(0, 21, (data.draw(st.integers(1, 4)), *shape), np.uint8))
    assert_same(image, maps, size, (top, left), data.draw(st.booleans()), crop, stride)


def test_one_map_is_the_steps_on_photos(voc_mini: Path, rng: np.random.Generator) -> None:
    voc = VocFolder(voc_mini)
    for image_id in voc.ids("train")[:6]:
        image, mask = voc.image(image_id), voc.mask(image_id)
        for mirrored in (False, True):
            scale = rng.uniform(0.5, 1.5)
            size = (round(image.shape[0] * scale), round(image.shape[1] * scale))
            top, left = (
                int(rng.integers(min(0, scaled - 161), max(0, scaled - 161) + 1)) for scaled in size
            )
            maps = [mask, (mask == 0) * np.uint8(7)]
            assert_same(image, maps, size, (top, left), mirrored, 161, 8)


def test_samples_from_packed_arrays_are_those_from_files(voc_mini: Path, tmp_path: Path) -> None:
    voc = VocFolder(voc_mini)
    ids = voc.ids("train")[:3]
    packed = (
        pack(tmp_path / "images", map(voc.image, ids)),
        pack(tmp_path / "m", map(voc.mask, ids)),
    )
    decoded = OnDisk(voc.image, ids), OnDisk(voc.mask, ids)
    for index in range(len(ids)):
        first, again = (
            segmenter_sample(
                index,
                np.random.default_rng(index),
                images=images,
                seeds=[masks] * 3,
                augmentation=Augmentation(161),
                fill=FILL,
                output_stride=8,
            )
            for images, masks in (packed, decoded)
        )
        assert first[0].shape == (161, 161, 3)
        assert first[1].shape == (3, 21, 21)
        for one, other in zip(first, again, strict=True):
            assert np.array_equal(one, other)


def test_both_tasks_see_the_image_alike(rng: np.random.Generator) -> None:
    images = list(rng.integers(0, 256, (2, 30, 40, 3), np.uint8))
    present = np.array([[True, False], [True, True]])
    augmentation = Augmentation(17)
    for index in range(2):
        pixels, labels = classifier_sample(
            index,
            np.random.default_rng(5),
            images=images,
            present=present,
            augmentation=augmentation,
            fill=FILL,
        )
        also, _ = segmenter_sample(
            index,
            np.random.default_rng(5),
            images=images,
            seeds=[[np.zeros((30, 40), np.uint8)] * 2],
            augmentation=augmentation,
            fill=FILL,
            output_stride=8,
        )
        assert np.array_equal(pixels, also)
        assert labels.tolist() == present[index].tolist()


@pytest.mark.parametrize("seeds", [1, 12])
def test_a_sample_reads_each_seed_once(rng: np.random.Generator, seeds: int) -> None:
    reads = []

    def read(name: str) -> np.ndarray:
        reads.append(name)
        return np.full((20, 20), int(name), np.uint8)

    _, labels = segmenter_sample(
        0,
        rng,
        images=[np.zeros((20, 20, 3), np.uint8)],
        seeds=[OnDisk(read, [str(k)]) for k in range(seeds)],
        augmentation=Augmentation(17, (1, 1)),
        fill=FILL,
        output_stride=8,
    )
    assert reads == [str(k) for k in range(seeds)]
    assert [np.unique(each).tolist() for each in labels] == [[k] for k in range(seeds)]
