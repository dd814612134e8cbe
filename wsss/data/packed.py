"""Many arrays of different shapes in one memory-mapped file: decoded images, CAMs, seeds."""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import overload

import numpy as np

from wsss.errors import InputError

RUN, LONGEST = 3, 2**16 - 1
"""Bytes of a run, two of its length, which is at most so long, and its label."""
NUMBERS = re.compile(r"[<>|][biuf][0-9]{1,2}")
"""How an index names a dtype."""
KEPT = 2**24
"""Bytes of label maps that are kept once they were spread out; a training reads each ten times."""


class PackedArrays(Sequence[np.ndarray]):
    """Read-only list of arrays of one dtype, laid end to end in a file and mapped into memory.

    Opening costs nothing, reading one array touches only its own bytes, and several processes
    that read the same file share its pages. Label maps may be stored in runs of equal labels, which
    take about a twentieth of the room and are spread out again when a map is read; of small files
    each map stays so.

    Parameters
    ----------
    path : Path
        File written by `pack`; its index lies beside it as ``<path>.json``.

    Raises
    ------
    InputError
        If the file or its index is missing or the two do not fit.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     arrays = pack(Path(folder) / "a", [np.arange(6).reshape(2, 3), np.arange(2)])
    ...     len(arrays), arrays[0].shape, arrays[1].tolist()
    (2, (2, 3), [0, 1])
    """

    def __init__(self, path: Path) -> None:
        index = _index(path)
        if not path.is_file() or not index.is_file():
            raise InputError(f"{path}: no packed arrays here (the file or its .json is missing)")
        self._path = path
        try:
            described = json.loads(index.read_text())
            if not NUMBERS.fullmatch(described["dtype"]):  # NumPy would parse a whole language
                raise ValueError("no arrays of numbers")
            self._dtype = np.dtype(described["dtype"])
            self._shapes = [tuple(map(operator.index, shape)) for shape in described["shapes"]]
            self._in_runs = "runs" in described
            stored = [math.prod(shape) for shape in self._shapes]
            if self._in_runs:
                stored = [RUN * operator.index(count) for count in described["runs"]]
                if self._dtype != np.uint8 or len(stored) != len(self._shapes):
                    raise ValueError("runs of no label maps")
            if any(side < 0 for shape in self._shapes for side in shape):
                raise ValueError("a negative side")
            self._starts = np.array([0, *accumulate(stored)], np.int64)
            spread = sum(math.prod(shape) for shape in self._shapes)
            self._kept: dict[int, np.ndarray] | None = (
                {} if self._in_runs and spread <= KEPT else None
            )
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise InputError(
                f"{index}: no index of packed arrays ({' '.join(str(error).split()):.80}); delete "
                "the folder it lies in and compute it again"
            ) from None
        expected = int(self._starts[-1]) * self._dtype.itemsize
        if path.stat().st_size != expected:
            raise InputError(
                f"{path}: {path.stat().st_size} bytes, but its index speaks of {expected}; "
                "delete the folder it lies in and compute it again"
            )
        # An empty file cannot be mapped. Slices of a plain view are made faster than memmaps.
        self._values = (
            np.asarray(np.memmap(path, self._dtype, mode="r"))
            if expected
            else np.empty(0, self._dtype)
        )

    def __reduce__(self) -> tuple[type[PackedArrays], tuple[Path]]:
        """Travel to another process as a path: it maps the same file."""
        return PackedArrays, (self._path,)

    def __len__(self) -> int:
        return len(self._shapes)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> list[np.ndarray]: ...
    def __getitem__(self, index: int | slice) -> np.ndarray | list[np.ndarray]:
        numbers = range(len(self))[index]  # negative ones, slices and IndexError as in any list
        if isinstance(numbers, range):
            return [self[number] for number in numbers]
        if self._kept is not None and numbers in self._kept:
            return self._kept[numbers]
        array = self._values[self._starts[numbers] : self._starts[numbers + 1]]
        if self._in_runs:
            array = _spread(array)
            array.flags.writeable = False
        array = array.reshape(self._shapes[numbers])
        if self._kept is not None:
            self._kept[numbers] = array
        return array

    def shape(self, index: int) -> tuple[int, ...]:
        """Shape of one array, without touching its bytes."""
        return self._shapes[index]


def pack(path: Path, arrays: Iterable[np.ndarray], *, runs: bool = False) -> PackedArrays:
    """Write arrays one after the other, never holding more than one, and open the file.

    Parameters
    ----------
    path : Path
        File to write.
    arrays : iterable of ndarray
        All of one dtype.
    runs : bool
        Store runs of equal values, of label maps, uint8.

    Raises
    ------
    InputError
        If the dtypes differ, or runs of others than uint8 are asked for.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pack(Path(folder) / "a", iter([np.zeros((2, 3)), np.ones(1)])).shape(0)
    (2, 3)
    """
    shapes: list[list[int]] = []
    counts: list[int] = []
    dtype: np.dtype | None = None
    with path.open("wb") as file:
        for array in arrays:
            if dtype is not None and array.dtype != dtype:
                raise InputError(f"{path}: arrays of {dtype} and of {array.dtype} do not mix")
            dtype = array.dtype
            shapes.append(list(array.shape))
            if runs:
                if dtype != np.uint8:
                    raise InputError(f"{path}: {dtype} is no type of label maps, uint8 is")
                array = _gather(array)
                counts.append(len(array) // RUN)
            file.write(np.ascontiguousarray(array).data)
    described = {"dtype": np.dtype(dtype or "u1").str, "shapes": shapes}
    _index(path).write_text(json.dumps(described | ({"runs": counts} if runs else {})))
    return PackedArrays(path)


def _gather(labels: np.ndarray) -> np.ndarray:
    """Find the runs of a label map, row after row: their lengths, then their labels, as bytes.

    Examples
    --------
    >>> _gather(np.array([[5, 5], [5, 7]], np.uint8)).tolist()
    [3, 0, 1, 0, 5, 7]
    """
    flat = np.ravel(labels)
    starts = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.union1d(starts, np.arange(0, len(flat), LONGEST))
    lengths = np.diff(starts, append=len(flat)).astype("<u2")
    return np.concatenate([lengths.view(np.uint8), flat[starts]])


def _spread(stored: np.ndarray) -> np.ndarray:
    """Undo `_gather`, (P,) uint8.

    Examples
    --------
    >>> _spread(np.array([3, 0, 1, 0, 5, 7], np.uint8)).tolist()
    [5, 5, 5, 7]
    """
    lengths, labels = np.split(stored, [len(stored) // RUN * 2])
    return np.repeat(labels, lengths.view("<u2"))


def _index(path: Path) -> Path:
    return path.with_name(path.name + ".json")
