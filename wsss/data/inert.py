"""Reads a dict of arrays out of a pickled ``.npy`` without executing the pickle.

``numpy.load(..., allow_pickle=True)`` runs whatever the file asks for. Here every name in the
pickle resolves to an inert stand-in that only remembers what it was given; a name that plain
arrays do not need is refused.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsss.errors import InputError

_NUMBERS = {code: code for code in ("i1", "u1", "i2", "i4", "i8", "f2", "f4", "f8")} | {"b1": "u1"}
"""Codes of the dtypes that are read, and how; a byte of any value is no bool."""


def read_npy_dict(path: Path) -> dict[str | int, NDArray[np.generic]]:
    """Read what ``numpy.save(path, {key: array, ...})`` wrote.

    Keys are strings or integers up to ten digits, arrays have one dimension.

    Raises
    ------
    InputError
        The file is damaged, holds anything else, or its pickle asks for anything else.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "cls_labels.npy")
    ...     np.save(path, np.array({2007000032: np.array([0, 1], np.uint8)}, object))
    ...     read_npy_dict(path)
    {2007000032: array([0, 1], dtype=uint8)}
    """
    try:
        with path.open("rb") as stream:
            np.lib.format.read_magic(stream)
            np.lib.format.read_array_header_1_0(stream)
            content = _InertUnpickler(stream, encoding="latin1").load()
    except Exception as error:  # damaged or hostile bytes may end an unpickler in any way
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{path}: not an array of objects that holds a dict of arrays ({reason:.200}); "
            "write the labels as a CSV instead"
        ) from error
    match content:
        case _Inert(state=(_, (), _, _, [dict(mapping)])):
            return {_key(path, key): _row(path, row) for key, row in mapping.items()}
    raise InputError(f"{path}: holds no dict; write the labels as a CSV instead")


class _Inert:
    """Remembers what a pickle passed for an array or a dtype, and does nothing with it."""

    __slots__ = ("args", "state")

    def __init__(self, args: tuple[object, ...]) -> None:
        self.args = args
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


class _InertUnpickler(pickle.Unpickler):
    """Knows the names that a pickled array or number consists of, each as a stand-in."""

    def find_class(self, module_name: str, global_name: str, /) -> object:
        # A new function each time: a pickle may set attributes on what it gets.
        match module_name.replace("numpy.core", "numpy._core"), global_name:
            case "numpy._core.multiarray", "_reconstruct" | "scalar":
                return lambda *args: _Inert(args)
            case "numpy", "dtype":
                return lambda *args: _Inert(args)
            case "numpy", "ndarray":
                return "ndarray"
            case "_codecs", "encode":
                return lambda text, _: text.encode("latin1")
        raise pickle.UnpicklingError(f"it asks for {module_name}.{global_name}, refused")


def _key(path: Path, key: object) -> str | int:
    match key:
        case _Inert(args=(dtype, raw)):
            numbers = _numbers(dtype, raw)
            if numbers is not None and numbers.size == 1 and numbers.dtype.kind in "iu":
                return _key(path, numbers.item())
        case str():
            return key
        case int() if 0 <= key < 10**10:
            return key
    raise InputError(f"{path}: a key is no image id such as '2007_000032' or 2007000032")


def _row(path: Path, value: object) -> NDArray[np.generic]:
    match value:
        case _Inert(state=(_, (length,), dtype, _, raw)):
            numbers = _numbers(dtype, raw)
            if numbers is not None and numbers.shape == (length,):
                return numbers
    raise InputError(f"{path}: a value is no array of numbers with one dimension")


def _numbers(dtype: object, raw: object) -> NDArray[np.generic] | None:
    """Decode bytes as plain numbers (n,); anything else is None."""
    match dtype, raw:
        case _Inert(
            args=(str(code), *_), state=(_, ("<" | ">" | "|") as order, *_)
        ), bytes() | str() if code in _NUMBERS:
            # Python 2 wrote bytes as a string, which the unpickler has read as latin1.
            content = raw if isinstance(raw, bytes) else raw.encode("latin1", "replace")
            plain = np.dtype(_NUMBERS[code]).newbyteorder(order)
            if len(content) % plain.itemsize == 0:
                return np.frombuffer(content, plain)
    return None
