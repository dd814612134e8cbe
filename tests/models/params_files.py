"""Writes MXNet's ``.params`` files for tests, from the description of the format."""

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

KINDS = ["float32", "float64", "float16", "uint8", "int32", "int8", "int64"]
FORMATS = ("legacy", "int64 shape", "storage type")


def array_bytes(array: np.ndarray, form: str) -> bytes:
    sizes = struct.pack(
        f"<I{array.ndim}{'I' if form == 'legacy' else 'q'}", array.ndim, *array.shape
    )
    magic = {
        "legacy": b"",
        "int64 shape": struct.pack("<I", 0xF993FAC8),
        "storage type": struct.pack("<Ii", 0xF993FAC9, 0),
    }[form]
    device_and_kind = struct.pack("<iii", 1, 0, KINDS.index(array.dtype.name))
    return magic + sizes + device_and_kind + array.astype(array.dtype.newbyteorder("<")).tobytes()


def params_bytes(arrays: Mapping[str, np.ndarray], form: str = "storage type") -> bytes:
    content = struct.pack("<QQQ", 0x112, 0, len(arrays))
    content += b"".join(array_bytes(array, form) for array in arrays.values())
    content += struct.pack("<Q", len(arrays))
    for name in arrays:
        content += struct.pack("<Q", len(name.encode())) + name.encode()
    return content


def write_params(path: Path, arrays: Mapping[str, np.ndarray], form: str = "storage type") -> Path:
    path.write_bytes(params_bytes(arrays, form))
    return path
