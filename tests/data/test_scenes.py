"""The drawn scenes: reproducible, as rich as the demo needs, and readable as a VOC folder."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_erosion

from wsss.data import scenes as scenes_module
from wsss.data.labels import read_labels
from wsss.data.scene_look import (
    CLASSES,
    PATTERNS,
    PRETRAINING_CLASSES,
    SIDE,
    SceneClass,
    SceneLook,
)
from wsss.data.scenes import draw_object, draw_scene, write_scenes
from wsss.data.voc import VocFolder
from wsss.errors import InputError

NAMES = [kind.name for kind in CLASSES]
SMALL: dict[str, Any] = {"train": 6, "val": 3, "pilot": 2}


def draw(count: int, look: SceneLook = SceneLook()) -> tuple[np.ndarray, np.ndarray]:  # noqa: B008
    pairs = [draw_scene(np.random.default_rng([7, i]), look=look) for i in range(count)]
    images, masks = zip(*pairs, strict=True)
    return np.stack(images), np.stack(masks)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def many() -> tuple[np.ndarray, np.ndarray]:
    return draw(300)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_scenes(tmp_path / "scenes", **SMALL)


# --- one scene ------------------------------------------------------------------------------


def test_same_generator_same_pixels() -> None:
    first, second = draw(5), draw(5)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert len({image.tobytes() for image in first[0]}) == 5


def test_shapes_and_types(many: tuple[np.ndarray, np.ndarray]) -> None:
    images, masks = many
    assert images.shape == (300, SIDE, SIDE, 3)
    assert masks.shape == (300, SIDE, SIDE)
    assert images.dtype == masks.dtype == np.uint8
    assert set(np.unique(masks)) == set(range(len(CLASSES) + 1))


def test_a_fifth_is_foreground_and_classes_are_balanced(
    many: tuple[np.ndarray, np.ndarray],
) -> None:
    share = np.bincount(many[1].ravel(), minlength=6) / many[1].size
    assert 0.17 < 1 - share[0] < 0.25
    assert share[1:].max() < 1.6 * share[1:].min()


def test_every_scene_shows_an_object_and_some_show_several(
    many: tuple[np.ndarray, np.ndarray],
) -> None:
    shown = np.array([[(mask == c).sum() >= 20 for c in range(1, 6)] for mask in many[1]])
    assert shown.any(axis=1).all()
    assert 0.2 < (shown.sum(axis=1) > 1).mean() < 0.5


def test_sizes_span_a_factor_of_four_in_area() -> None:
    _, masks = draw(200, SceneLook(object_counts=(1.0,), centre=(0.5, 0.5)))
    least, greatest = np.quantile((masks > 0).sum(axis=(1, 2)), (0.05, 0.95))
    assert greatest > 4 * least


def test_the_body_has_the_colour_of_its_class(many: tuple[np.ndarray, np.ndarray]) -> None:
    images, masks = many
    for label, kind in enumerate(CLASSES, start=1):
        colour = images[masks == label].mean(axis=0) / 255
        distances = [np.linalg.norm(colour - other.hue) for other in CLASSES]
        assert CLASSES[int(np.argmin(distances))] is kind


@pytest.mark.parametrize("kind", CLASSES + PRETRAINING_CLASSES, ids=lambda kind: kind.name)
def test_the_head_is_a_small_part_of_the_body(kind: SceneClass) -> None:
    one = SceneLook(object_counts=(1.0,), centre=(0.5, 0.5), length=(20.0, 20.0))
    with_head, mask = draw_scene(np.random.default_rng(3), [kind], one)
    without, _ = draw_scene(np.random.default_rng(3), [kind], replace(one, pattern_contrast=0.0))
    head = np.abs(with_head.astype(int) - without).max(axis=-1) > 25
    assert not head[mask == 0].any()
    assert 0.08 < head.sum() / (mask > 0).sum() < 0.40


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_has_light_and_dark_parts(name: str) -> None:
    y, x = (np.mgrid[:SIDE, :SIDE] - SIDE / 2) / 6
    light = PATTERNS[name](x, y, np.random.default_rng(0))
    assert light.shape == (SIDE, SIDE)
    assert 0.2 < light.mean() < 0.8


def test_patterns_differ() -> None:
    y, x = (np.mgrid[:SIDE, :SIDE] - SIDE / 2) / 6
    drawn = {pattern(x, y, np.random.default_rng(0)).tobytes() for pattern in PATTERNS.values()}
    assert len(drawn) == len(PATTERNS)


# --- looks ----------------------------------------------------------------------------------


def contrast_at_the_outline(images: np.ndarray, masks: np.ndarray) -> float:
    """Mean colour distance between neighbours, one in an object and one in the background."""
    colours = images.astype(float)
    pairs = (masks[:, :, 1:] > 0) != (masks[:, :, :-1] > 0)
    return float(np.linalg.norm(colours[:, :, 1:] - colours[:, :, :-1], axis=-1)[pairs].mean())


@pytest.mark.parametrize(
    ("harder", "ratio"), [({"camouflage": 1.0}, 0.6), ({"touching": 1.0}, 0.96)], ids=str
)
def test_objects_stand_out_less(harder: dict[str, Any], ratio: float) -> None:
    plain, plain_masks = draw(60)
    images, masks = draw(60, SceneLook(**harder))
    np.testing.assert_array_equal(masks, plain_masks)
    assert contrast_at_the_outline(images, masks) < ratio * contrast_at_the_outline(plain, masks)


@pytest.mark.parametrize("harder", [{"camouflage": 1.0}, {"touching": 1.0}], ids=str)
def test_without_likeness_colours_are_not_pulled(harder: dict[str, Any]) -> None:
    plain, masks = draw(20)
    images, _ = draw(20, SceneLook(**harder, likeness=0.0))
    # Three pixels from the outline the lens no longer mixes in what lies outside.
    interior = np.stack([binary_erosion(mask > 0, iterations=3) for mask in masks]).astype(bool)
    np.testing.assert_array_equal(images[interior], plain[interior])


def test_other_fields_show() -> None:
    plain, masks = draw(20)
    noisy, _ = draw(20, SceneLook(pixel_noise=0.1))
    assert np.diff(noisy.astype(int), axis=1).std() > 1.5 * np.diff(plain.astype(int), axis=1).std()
    _, small = draw(20, SceneLook(length=(6.0, 8.0)))
    assert (small > 0).mean() < 0.3 * (masks > 0).mean()
    _, three = draw(20, SceneLook(object_counts=(0.0, 0.0, 1.0)))
    assert (three > 0).mean() > 1.5 * (masks > 0).mean()


# --- scenes of other classes ----------------------------------------------------------------


def test_pretraining_classes_are_other_classes() -> None:
    assert len(PRETRAINING_CLASSES) == len({kind.name for kind in PRETRAINING_CLASSES}) == 24
    for attribute in ("name", "hue", "pattern"):
        ours = {getattr(kind, attribute) for kind in CLASSES}
        theirs = {getattr(kind, attribute) for kind in PRETRAINING_CLASSES}
        assert len(ours) == len(CLASSES)
        assert not ours & theirs


def test_objects_cover_all_pretraining_classes() -> None:
    drawn = [draw_object(np.random.default_rng([0, i])) for i in range(300)]
    assert {index for _, index in drawn} == set(range(24))
    again, index = draw_object(np.random.default_rng([0, 5]))
    assert index == drawn[5][1]
    np.testing.assert_array_equal(again, drawn[5][0])


# --- the folder -----------------------------------------------------------------------------


def test_same_arguments_same_bytes(tmp_path: Path, folder: Path) -> None:
    assert digests(write_scenes(tmp_path / "again", **SMALL)) == digests(folder)


def test_other_random_seed_shares_no_scene(tmp_path: Path, folder: Path) -> None:
    other = write_scenes(tmp_path / "other", **SMALL, rng_seed=2)
    images = [
        {digest for name, digest in digests(each).items() if name.endswith(".jpg")}
        for each in (folder, other)
    ]
    assert len(images[0]) == len(images[1]) == 9
    assert not images[0] & images[1]


def test_more_scenes_begin_with_the_same_ones(tmp_path: Path, folder: Path) -> None:
    more = digests(write_scenes(tmp_path / "more", train=8, val=5, pilot=2))
    for name, digest in digests(folder).items():
        if name.endswith((".jpg", ".png")):
            assert more[name] == digest


def test_the_reader_reads_it_back(folder: Path) -> None:
    voc = VocFolder(folder)
    assert list(voc.classes) == NAMES
    assert voc.ids("train") == [f"scene_train_{i:04d}" for i in range(6)]
    assert voc.ids("val") == [f"scene_val_{i:04d}" for i in range(3)]
    assert voc.ids("pilot") == voc.ids("train")[:2]
    for number, split in enumerate(("train", "val")):
        for i, image_id in enumerate(voc.ids(split)):
            image, mask = draw_scene(np.random.default_rng([1, number, i]))
            np.testing.assert_array_equal(voc.mask(image_id), mask)
            error = voc.image(image_id).astype(int) - image
            assert np.sqrt(np.mean(error**2)) < 6


def test_labels_are_what_the_masks_show(folder: Path) -> None:
    ids = sorted(path.stem for path in folder.glob("SegmentationClass/*.png"))
    labels = read_labels(folder / "labels.csv", ids, NAMES)
    for image_id, row in zip(ids, labels, strict=True):
        with Image.open(folder / "SegmentationClass" / f"{image_id}.png") as png:
            assert png.mode == "P"
            mask = np.asarray(png)
        assert row.tolist() == [bool((mask == c).sum() >= 20) for c in range(1, 6)]
    np.testing.assert_array_equal(VocFolder(folder).image_labels(ids), labels)


def test_colour_keeps_full_resolution(folder: Path) -> None:
    with Image.open(folder / "JPEGImages" / "scene_val_0000.jpg") as jpeg:
        assert [layer[1:3] for layer in jpeg.layer] == [(1, 1)] * 3  # pyright: ignore


def test_a_repeated_call_touches_nothing(folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert write_scenes(folder, **SMALL) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_an_empty_folder_is_used(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert digests(write_scenes(tmp_path / "empty", **SMALL)) == digests(folder)


@pytest.mark.parametrize("other", [{"rng_seed": 2}, {"look": SceneLook(camouflage=0.5)}], ids=str)
def test_other_scenes_are_refused(folder: Path, other: dict[str, Any]) -> None:
    before = digests(folder)
    with pytest.raises(InputError, match="other arguments"):
        write_scenes(folder, **SMALL, **other)
    assert digests(folder) == before


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(InputError, match="something else"):
        write_scenes(tmp_path, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("place", ["file", "file/scenes"])
def test_a_file_in_the_way_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        write_scenes(tmp_path / place, **SMALL)


@pytest.mark.parametrize(
    "numbers", [{"train": 0}, {"val": 0}, {"pilot": 7}, {"pilot": -1}, {"rng_seed": -1}], ids=str
)
def test_impossible_numbers_are_refused(tmp_path: Path, numbers: dict[str, int]) -> None:
    with pytest.raises(InputError, match=next(iter(numbers))):
        write_scenes(tmp_path / "scenes", **{**SMALL, **numbers})
    assert not any(tmp_path.iterdir())


def test_an_interrupted_call_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(scenes_module, "write_labels_csv", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_scenes(tmp_path / "scenes", **SMALL)
    assert not any(tmp_path.iterdir())


def test_two_at_once_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, write_labels = tmp_path / "scenes", scenes_module.write_labels_csv

    def overtaken(*arguments: Any) -> None:
        write_labels(*arguments)
        monkeypatch.setattr(scenes_module, "write_labels_csv", write_labels)
        write_scenes(first, **SMALL)

    monkeypatch.setattr(scenes_module, "write_labels_csv", overtaken)
    assert write_scenes(first, **SMALL) == first
    assert [path.name for path in tmp_path.iterdir()] == ["scenes"]


def test_the_record_tells_how(folder: Path) -> None:
    record = json.loads((folder / "scenes.json").read_text())
    assert (record["train"], record["rng_seed"], record["look"]["camouflage"]) == (6, 1, 0.0)
