"""Packed arrays: what is written is read, and what does not fit is refused."""

from __future__ import annotations

import json
import pickle
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsss.data.packed import PackedArrays, pack
from wsss.errors import InputError

SHAPES = st.lists(st.lists(st.integers(0, 4), max_size=3).map(tuple), max_size=5)
DTYPES = st.sampled_from(["u1", "f2", "f4", "i8", "?", "<u2", ">u2"])


@settings(deadline=None, max_examples=30)
@given(SHAPES, DTYPES, st.integers(0, 2**32 - 1))
def test_reads_what_was_written(shapes: list[tuple], dtype: str, rng_seed: int) -> None:
    rng = np.random.default_rng(rng_seed)
    arrays = [np.asarray(rng.integers(0, 100, shape)).astype(dtype) for shape in shapes]
    with tempfile.TemporaryDirectory() as folder:
        packed = pack(Path(folder, "a"), iter(arrays))
        for opened in (packed, PackedArrays(Path(folder, "a"))):
            assert len(opened) == len(arrays)
            for index, (array, found) in enumerate(zip(arrays, opened, strict=True)):
                assert found.dtype == array.dtype
                assert opened.shape(index) == found.shape == array.shape
                assert np.array_equal(found, array)


@settings(deadline=None, max_examples=30)
@given(SHAPES, st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_runs_are_spread_out_again(shapes: list[tuple], labels: int, rng_seed: int) -> None:
    rng = np.random.default_rng(rng_seed)
    maps = [np.asarray(rng.integers(0, labels, shape), np.uint8) for shape in shapes]
    with tempfile.TemporaryDirectory() as folder:
        packed = pack(Path(folder, "a"), iter(maps), runs=True)
        for opened in (packed, pickle.loads(pickle.dumps(packed))):
            assert len(opened) == len(maps)
            for index, (one, found) in enumerate(zip(maps, opened, strict=True)):
                assert found.dtype == np.uint8
                assert opened.shape(index) == found.shape == one.shape
                assert np.array_equal(found, one)


@pytest.mark.parametrize(("kept", "once"), [(2**24, True), (5, False)])
def test_maps_of_small_files_are_spread_out_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int, once: bool
) -> None:
    monkeypatch.setattr("wsss.data.packed.KEPT", kept)
    packed = pack(tmp_path / "a", [np.full((2, 3), 7, np.uint8)], runs=True)
    assert (packed[0] is packed[-1]) == once
    assert np.array_equal(packed[0], np.full((2, 3), 7))
    with pytest.raises(ValueError, match="read-only"):  # another reader would see the change
        packed[0][0, 0] = 1


def test_runs_may_be_long_and_take_little(tmp_path: Path) -> None:
    label_map = np.full((400, 500), 255, np.uint8)
    label_map[100:300, 50:450] = 7
    found = pack(tmp_path / "a", [label_map, np.zeros((400, 500), np.uint8)], runs=True)
    assert np.array_equal(found[0], label_map)
    assert not found[1].any()
    # Two runs a row of the object, and one more each 65,535 pixels.
    assert (tmp_path / "a").stat().st_size <= 3 * (2 * 200 + 2 * 4 + 2)


def test_runs_are_of_label_maps_alone(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="float32 is no type of label maps"):
        pack(tmp_path / "a", [np.zeros(2, np.float32)], runs=True)
    pack(tmp_path / "a", [np.zeros((2, 3), np.uint8)], runs=True)
    index = tmp_path / "a.json"
    index.write_text(index.read_text().replace("|u1", "<f4"))
    with pytest.raises(InputError, match="runs of no label maps"):
        PackedArrays(tmp_path / "a")


def test_travels_to_another_process_as_a_path(tmp_path: Path) -> None:
    packed = pack(tmp_path / "a", [np.arange(100_000), np.arange(3)])
    sent = pickle.dumps(packed)
    assert len(sent) < 1000
    received = pickle.loads(sent)
    assert all(np.array_equal(a, b) for a, b in zip(packed, received, strict=True))


def test_arrays_may_lie_in_memory_in_any_way(tmp_path: Path, rng: np.random.Generator) -> None:
    array = rng.integers(0, 255, (4, 6, 3), np.uint8)
    views = [array[::-1, ::2], np.asfortranarray(array), array.transpose(2, 0, 1)]
    for view, found in zip(views, pack(tmp_path / "a", views), strict=True):
        assert np.array_equal(found, view)


def test_arrays_are_written_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "a"
    alive = []

    def arrays():
        for _ in range(4):
            alive.append(path.stat().st_size)
            yield np.zeros(100_000, np.uint8)

    pack(path, arrays())
    assert alive == sorted(alive)
    assert alive[-1] >= 200_000


def test_is_mapped_and_cannot_be_written_to(tmp_path: Path) -> None:
    packed = pack(tmp_path / "a", [np.arange(6, dtype=np.uint8).reshape(2, 3)])
    with pytest.raises(ValueError, match="read-only"):
        packed[0][0, 0] = 1
    with (tmp_path / "a").open("r+b") as file:
        file.write(b"\x2a")
    assert packed[0][0, 0] == 42  # the file's own pages, not a copy of them


def test_indices_and_slices_are_those_of_a_list(tmp_path: Path) -> None:
    packed = pack(tmp_path / "a", [np.full(2, value) for value in range(3)])
    assert [packed[i][0] for i in (-1, -2, -3, np.int64(1))] == [2, 1, 0, 1]
    for each, expected in (
        (packed, [0, 1, 2]), (reversed(packed), [2, 1, 0]), (packed[1:], [1, 2]),
        (packed[::-1], [2, 1, 0]),
    ):  # fmt: skip
        assert [array[0] for array in each] == expected
    for beyond in (3, -4):
        with pytest.raises(IndexError):
            packed[beyond]


def test_other_dtypes_do_not_mix(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"float64.*int64|int64.*float64"):
        pack(tmp_path / "a", [np.zeros(2), np.zeros(2, np.int64)])
    with pytest.raises(InputError, match="missing"):
        PackedArrays(tmp_path / "a")


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with pytest.raises(InputError, match=f"{path}"):
        PackedArrays(path)
    pack(path, [np.zeros(2)])
    (tmp_path / "a.json").unlink()
    with pytest.raises(InputError, match="missing"):
        PackedArrays(path)


@pytest.mark.parametrize("change", [b"", b"\0" * 17])
def test_a_file_of_another_length_is_refused(tmp_path: Path, change: bytes) -> None:
    path = tmp_path / "a"
    pack(path, [np.zeros(2), np.ones(3)])
    path.write_bytes(change)
    with pytest.raises(InputError, match=rf"{len(change)} bytes.*40"):
        PackedArrays(path)


def test_index_is_readable(tmp_path: Path) -> None:
    pack(tmp_path / "a", [np.zeros((2, 3), np.float16)])
    assert json.loads((tmp_path / "a.json").read_text()) == {"dtype": "<f2", "shapes": [[2, 3]]}
