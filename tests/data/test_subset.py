"""Tests of wsss.data.subset, and of shrinking: a data folder seen smaller than it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from wsss.data.pictures import shrink
from wsss.data.voc import Subset, VocFolder

MakeVoc = Callable[..., Path]


@given(
    arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12)),
    st.integers(0, 5),
    st.data(),
)
def test_every_class_is_full_or_exhausted_and_no_image_is_idle(present, per_class, data) -> None:
    ids = [str(index) for index in range(len(present))]
    kept = data.draw(st.sets(st.sampled_from(ids)))
    chosen = Subset("train", "official", per_class).choose(ids, kept, present)
    assert chosen == [each for each in ids if each in set(chosen)]
    assert kept <= set(chosen)
    rows = [int(each) for each in chosen]
    assert (present[rows].sum(0) >= np.minimum(present.sum(0), per_class)).all()
    for place, row in enumerate(rows):
        if str(row) not in kept:
            before = {int(each) for each in kept} | set(rows[:place])
            assert (present[row] & (present[sorted(before)].sum(0) < per_class)).any()


def test_a_folder_shows_the_chosen_images_of_that_split_alone(make_voc: MakeVoc) -> None:
    root = make_voc(8, splits={"train": range(6), "official": [4], "val": [6, 7]})
    whole = VocFolder(root)
    folder = VocFolder(root, subset=Subset("train", "official", 2))
    chosen, labels = folder.ids("train"), whole.image_labels(whole.ids("train"))
    assert chosen == Subset("train", "", 2).choose(
        whole.ids("train"), whole.ids("official"), labels
    )
    assert whole.ids("official")[0] in chosen
    assert 2 <= len(chosen) < 6
    assert folder.ids("val") == whole.ids("val")
    assert folder.fingerprint(["train"]) != whole.fingerprint(["train"])


def test_a_folder_without_the_split_to_keep_starts_from_nothing(make_voc: MakeVoc) -> None:
    root = make_voc(8, splits={"train": range(8)})
    chosen = VocFolder(root, subset=Subset("train", "train_official", 1)).ids("train")
    assert chosen[0] == VocFolder(root).ids("train")[0]
    assert len(chosen) <= 2


def test_image_and_mask_shrink_together(make_voc: MakeVoc) -> None:
    root = make_voc(2, size=(30, 40))
    folder, (image_id, *_) = VocFolder(root, longest_side=20), VocFolder(root).ids("train")
    assert folder.image(image_id).shape == (15, 20, 3)
    with Image.open(root / "JPEGImages" / f"{image_id}.jpg") as picture:
        expected = np.array(picture.resize((20, 15), Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(folder.image(image_id), expected)
    mask, stored = folder.mask(image_id), VocFolder(root).mask(image_id)
    np.testing.assert_array_equal(mask, stored[1::2, 1::2])  # a mask invents no class
    np.testing.assert_array_equal(VocFolder(root, longest_side=40).mask(image_id), stored)


@pytest.mark.parametrize(
    ("size", "longest", "expected"),
    [((500, 375), 320, (320, 240)), ((1, 999), 10, (1, 10)), ((8, 9), None, (8, 9))],
)
def test_sizes(size: tuple[int, int], longest: int | None, expected: tuple[int, int]) -> None:
    assert shrink(np.zeros(size, np.uint8), longest).shape == expected
