"""Tests of wsss.stages.saliency: where a split's saliency comes from, and that results know it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsss.errors import InputError
from wsss.saliency import MAPS
from wsss.stages import (
    CamBackground,
    Images,
    Photos,
    Saliency,
    Store,
    check_maps,
    choose_saliency,
)

MakeVoc = Callable[..., Path]
CLASSES = ("cat", "dog")


@pytest.fixture
def data(make_voc: MakeVoc) -> Path:
    return make_voc(4)


@pytest.fixture
def train(data: Path) -> Images:
    return Images(source=Photos(CLASSES, splits=("train", "val")).at(data), split="train")


def write_maps(data: Path, ids: list[str], rng: np.random.Generator) -> list[np.ndarray]:
    (data / MAPS).mkdir(exist_ok=True)
    maps = [rng.integers(0, 256, (12, 16), np.uint8) for _ in ids]
    for image_id, values in zip(ids, maps, strict=True):
        Image.fromarray(values).save(data / MAPS / f"{image_id}.png")
    return maps


@pytest.fixture
def maps(data: Path, rng: np.random.Generator) -> list[np.ndarray]:
    """Maps of the two training images, none of the others."""
    return write_maps(data, ["2007_000000", "2007_000001"], rng)


def test_maps_of_the_folder_are_kept_as_they_are(
    tmp_path: Path, data: Path, train: Images, maps: list[np.ndarray]
) -> None:
    store, stage = Store(tmp_path / "runs", data), choose_saliency("auto", train, data)
    assert isinstance(stage, Saliency)
    assert stage == choose_saliency("maps", train, data)
    assert str(stage) == "maps of the data folder, saliency_aug/"
    store.ensure(stage)
    for found, expected in zip(stage.load(store), maps, strict=True):
        assert np.array_equal(found, expected)


def test_maps_are_known_by_their_content(
    tmp_path: Path, data: Path, train: Images, maps: list[np.ndarray]
) -> None:
    first = Saliency.by_maps(train, data)
    moved = shutil.copytree(data, tmp_path / "moved")
    assert Saliency.by_maps(train, moved) == first
    write_maps(data, ["2007_000003"], np.random.default_rng(1))  # not of this split
    assert Saliency.by_maps(train, data) == first
    write_maps(data, ["2007_000001"], np.random.default_rng(1))
    assert Saliency.by_maps(train, data) != first
    with pytest.raises(InputError, match="saliency_aug: its content changed meanwhile"):
        Store(tmp_path / "runs", data).ensure(first)


def test_a_missing_map_is_named_before_anything_runs(
    data: Path, train: Images, maps: list[np.ndarray]
) -> None:
    (data / MAPS / "2007_000001.png").unlink()
    with pytest.raises(InputError, match=r"^2007_000001: no saliency map .*2007_000001\.png"):
        choose_saliency("auto", train, data)


def test_a_map_of_another_size_is_refused(
    tmp_path: Path, data: Path, train: Images, maps: list[np.ndarray]
) -> None:
    Image.new("L", (4, 4)).save(data / MAPS / "2007_000001.png")
    store, stage = Store(tmp_path / "runs", data), Saliency.by_maps(train, data)
    with pytest.raises(InputError, match="4 x 4 pixels"):
        store.ensure(stage)
    assert not store.done(stage)


def test_without_maps_comes_u2netp_or_what_was_asked_for(data: Path, train: Images) -> None:
    assert choose_saliency("auto", train, data) == Saliency.by_u2netp(train)
    assert choose_saliency("u2netp", train, None) == Saliency.by_u2netp(train)
    assert choose_saliency("border", train, data) == Saliency.by_border(train)
    assert choose_saliency("cams", train, data) == CamBackground()
    with pytest.raises(InputError, match="no saliency map"):
        choose_saliency("maps", train, data)
    with pytest.raises(InputError, match="give --data"):
        choose_saliency("maps", train, None)
    with pytest.raises(InputError, match="saliency is 'x'; choose one of 'auto', 'maps'"):
        choose_saliency("x", train, data)  # pyright: ignore[reportArgumentType]


def test_u2netp_can_be_asked_for_although_there_are_maps(
    data: Path, train: Images, maps: list[np.ndarray]
) -> None:
    assert choose_saliency("u2netp", train, data) == Saliency.by_u2netp(train)


def test_check_counts_maps_and_reads_every_one(
    data: Path, maps: list[np.ndarray], rng: np.random.Generator
) -> None:
    notes, problems = check_maps(data)
    assert notes == ["train: 2 saliency maps for 2 images", "val: 0 saliency maps for 2 images"]
    assert problems == []
    write_maps(data, ["2007_000003"], rng)
    Image.new("RGB", (16, 12)).save(data / MAPS / "2007_000000.png")
    few, colour = check_maps(data)[1]
    assert few.startswith("val: 1 of 2 images are without a saliency map, the first is 2007_000002")
    assert "2007_000000.png: mode RGB" in colour


def test_check_says_what_comes_in_the_place_of_maps(data: Path) -> None:
    (note,), problems = check_maps(data)
    assert "U2-Net-p" in note
    assert problems == []
