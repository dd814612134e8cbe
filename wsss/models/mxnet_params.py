"""Reads MXNet's ``.params`` files without MXNet: ResNet38's ImageNet weights (Sec. 5.2).

ResNet38's authors published their weights in the format of MXNet, which was retired in 2023 and
does not install beside NumPy 2. All numbers of the format are little-endian::

    file    u64 0x112, u64 reserved, u64 count, arrays, u64 count, names
    name    u64 length, UTF-8
    array   shape, i32 device type, i32 device id, i32 dtype, values
    shape   u32 ndim, u32 sizes                                     MXNet before 0.9
            u32 0xF993FAC8, u32 ndim, i64 sizes                     from 0.9
            u32 0xF993FAC9, i32 storage type, u32 ndim, i64 sizes   from 1.0, storage type 0: dense

Source: ``NDArray::Load`` in MXNet's ``src/ndarray/ndarray.cc``.
"""

from __future__ import annotations

import mmap
import struct
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsss.errors import InputError

MAGIC = 0x112
WITH_INT64_SHAPE = 0xF993FAC8
WITH_STORAGE_TYPE = 0xF993FAC9
DENSE = 0
DTYPES = ("<f4", "<f8", "<f2", "u1", "<i4", "i1", "<i8")
"""NumPy's codes by MXNet's number of the type."""

# More than any network has; they keep a hostile header from costing time.
MOST_ARRAYS = 10_000
MOST_DIMENSIONS = 8
LONGEST_NAME = 1_000


def read_params(path: str | Path) -> dict[str, NDArray[np.generic]]:
    """Read every array of a ``.params`` file that ``mxnet.nd.save`` wrote, by name.

    The file is mapped into memory, not read, and every size is compared with what is left of the
    file before it is believed: a damaged or hostile file costs neither memory nor time. Names have
    a prefix, say ``"arg:conv1a_weight"`` (parameters) or ``"aux:bn7_moving_mean"`` (statistics);
    arrays are read-only views of the file, perhaps unaligned.

    Raises
    ------
    InputError
        If the file is absent, truncated, longer than its content, or not of this format.

    Examples
    --------
    >>> import tempfile
    >>> array = struct.pack("<II", 1, 2) + struct.pack("<iii", 1, 0, 3) + bytes([7, 8])
    >>> content = struct.pack("<QQQ", MAGIC, 0, 1) + array + struct.pack("<QQ", 1, 5) + b"arg:w"
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "net.params")
    ...     _ = path.write_bytes(content)
    ...     read_params(path)
    {'arg:w': array([7, 8], dtype=uint8)}
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():  # a pipe, say, would be waited for
            raise OSError(0, "no file")
        with path.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise InputError(f"{path}: is empty; fetch the weights again") from error
    return _Reader(path, content).read()


class _Reader:
    """A position in the mapped file; every step forward is checked against the file's end."""

    def __init__(self, path: Path, content: mmap.mmap) -> None:
        self.path = path
        self.content = content
        self.position = 0

    def read(self) -> dict[str, NDArray[np.generic]]:
        if self.number("Q", "the magic number") != MAGIC:
            raise self.error("does not begin as a .params file of MXNet")
        self.number("Q", "the reserved word")
        count = self.number("Q", "the number of arrays")
        if count > MOST_ARRAYS:
            raise self.error(f"claims to hold {count} arrays")
        arrays = [self.array(f"array {index + 1} of {count}") for index in range(count)]
        if (names := self.number("Q", "the number of names")) != count:
            raise self.error(f"holds {count} arrays but {names} names")
        named = {self.name(f"name {i} of {count}"): each for i, each in enumerate(arrays, 1)}
        if len(named) != count:
            raise self.error("gives two arrays the same name")
        if self.position != len(self.content):
            raise self.error(f"has {len(self.content) - self.position} bytes too many")
        return named

    def array(self, what: str) -> NDArray[np.generic]:
        first = self.number("I", what)
        if first == WITH_STORAGE_TYPE and self.number("i", what) != DENSE:
            raise self.error(f"holds a sparse array ({what})")
        modern = first in (WITH_INT64_SHAPE, WITH_STORAGE_TYPE)
        dimensions = self.number("I", what) if modern else first
        if not 1 <= dimensions <= MOST_DIMENSIONS:
            raise self.error(f"{what} has {dimensions} dimensions")
        shape = tuple(self.number("q" if modern else "I", what) for _ in range(dimensions))
        if min(shape) < 1:
            raise self.error(f"{what} has the shape {shape}")
        self.skip(8, what)  # the device the array was on
        kind = self.number("i", what)
        if not 0 <= kind < len(DTYPES):
            raise self.error(f"{what} is of the unknown type {kind}")
        dtype = np.dtype(DTYPES[kind])
        start = self.skip(prod(shape) * dtype.itemsize, f"{what} of shape {shape}")
        return np.frombuffer(self.content, dtype, prod(shape), start).reshape(shape)

    def name(self, what: str) -> str:
        length = self.number("Q", what)
        if length > LONGEST_NAME:
            raise self.error(f"{what} is {length} bytes long")
        start = self.skip(length, what)
        try:
            return self.content[start : self.position].decode()
        except UnicodeDecodeError as error:
            raise self.error(f"{what} is no text") from error

    def number(self, code: str, what: str) -> int:
        start = self.skip(struct.calcsize(f"<{code}"), what)
        return struct.unpack_from(f"<{code}", self.content, start)[0]

    def skip(self, size: int, what: str) -> int:
        """Step over `size` bytes and return where they begin."""
        start, left = self.position, len(self.content) - self.position
        if size > left:
            raise self.error(f"ends too early: {what} needs {size} bytes, {left} are left")
        self.position += size
        return start

    def error(self, reason: str) -> InputError:
        return InputError(f"{self.path}: {reason}; the file is damaged or no MXNet weights")
