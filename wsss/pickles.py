"""Reads arrays out of pickles that others made, without executing them.

``pickle.load`` and ``numpy.load(..., allow_pickle=True)`` run whatever a file asks for. Here every
name that a pickled array needs resolves to an inert stand-in, which only remembers what it was
given; any other name is refused. NumPy 1's, NumPy 2's and Python 2's pickles are read, and torch's
tensors in them, whose numbers `torch.load` reads as weights alone.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

CODES = ("b1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8")
"""The types that are read, as a pickled dtype spells them."""


def read_arrays(file: BinaryIO) -> Any:
    """Read a pickle of numeric arrays in plain containers.

    Parameters
    ----------
    file
        At the start of the pickle.

    Returns
    -------
    object
        What was pickled: arrays in dicts, lists and tuples, with strings and numbers.

    Raises
    ------
    pickle.UnpicklingError
        If the pickle asks for anything else, or is damaged.

    Examples
    --------
    >>> import io
    >>> read_arrays(io.BytesIO(pickle.dumps({"bias": np.arange(3)})))
    {'bias': array([0, 1, 2])}
    >>> read_arrays(io.BytesIO(pickle.dumps(print)))
    Traceback (most recent call last):
    ...
    _pickle.UnpicklingError: <file>: the pickle asks for builtins.print, refused; ...
    """
    where = getattr(file, "name", "<file>")
    try:
        content = file.read()
        _require_honest(content)
        return _plain(_InertUnpickler(io.BytesIO(content), encoding="latin1").load(), {})
    except _RefusedError as error:
        raise pickle.UnpicklingError(f"{where}: {error}; only arrays are read") from None
    except Exception as error:  # damaged or hostile bytes may end an unpickler in any way
        reason = " ".join(str(error).split()) or type(error).__name__
        raise pickle.UnpicklingError(
            f"{where}: not a readable pickle of arrays ({reason:.200})"
        ) from None


def read_npy(path: Path) -> Any:
    """Read the one object that ``numpy.save`` pickled into a ``.npy``.

    Raises
    ------
    pickle.UnpicklingError
        If it is damaged or holds anything but arrays in plain containers.
    """
    try:
        if not path.is_file():  # a pipe, say, would be waited for
            raise FileNotFoundError("no file")
        with path.open("rb") as stream:
            np.lib.format.read_magic(stream)
            np.lib.format.read_array_header_1_0(stream)
            content = read_arrays(stream)
    except pickle.UnpicklingError:
        raise
    except Exception as error:  # numpy's reader of the header ends in many ways
        reason = " ".join(str(error).split()) or type(error).__name__
        raise pickle.UnpicklingError(f"{path}: not a readable .npy ({reason:.200})") from error
    return content.item() if isinstance(content, np.ndarray) and content.size == 1 else content


def _require_honest(content: bytes) -> None:
    """Refuse a pickle that claims more than it holds: an unpickler makes room before it reads."""
    for opcode, argument, _ in pickletools.genops(content):  # compares lengths with what is left
        if opcode.name.endswith("PUT") and argument is not None and argument > len(content):
            raise _RefusedError(f"the pickle asks for {argument} places in its memory")


class _RefusedError(pickle.UnpicklingError):
    """The pickle asks for, or consists of, what is no array of numbers in plain containers."""


class _Inert:
    """Remembers what a pickle passed for an array, a number or a dtype, and does nothing."""

    __slots__ = ("args", "state")

    def __init__(self, *args: object) -> None:
        self.args = args
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


class _InertUnpickler(pickle.Unpickler):
    """Knows the names that a pickled array or number consists of, each as a stand-in."""

    def find_class(self, module_name: str, global_name: str, /) -> object:
        # A new function each time: a pickle may set attributes on what it gets.
        match module_name.replace("numpy.core", "numpy._core"), global_name:
            case ("numpy._core.multiarray", "_reconstruct" | "scalar") | ("numpy", "dtype"):
                return lambda *args: _Inert(*args)
            case "numpy", "ndarray":
                return "ndarray"
            case "_codecs", "encode":
                return lambda text, _: text.encode("latin1")
            case "torch._utils", "_rebuild_tensor_v2":
                return lambda *args: _tensor(*args)
            case "torch.storage", "_load_from_bytes":
                return lambda raw: torch.load(io.BytesIO(raw), "cpu", weights_only=True)
            case "collections", "OrderedDict":  # of a tensor's hooks, empty
                return lambda: {}
        raise _RefusedError(f"the pickle asks for {module_name}.{global_name}, refused")


def _tensor(
    storage: torch.TypedStorage,
    offset: int,
    size: tuple[int, ...],
    stride: tuple[int, ...],
    *_: Any,
) -> NDArray[Any]:
    """Build a tensor's array; torch itself would make room for more than there is, and show it."""
    # Its public form warns that typed storages are to go.
    stored, empty = storage._untyped_storage, torch.tensor([], dtype=storage.dtype)
    count = stored.nbytes() // empty.itemsize
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if min(offset, *size, *stride) < 0 or prod(size) > count or (prod(size) and last >= count):
        raise _RefusedError(f"{count} values are no tensor of shape {tuple(size)}")
    return empty.set_(stored, offset, size, stride).contiguous().numpy()


def _plain(value: object, done: dict[int, Any]) -> Any:
    """Replace the stand-ins by arrays; what is referred to twice is built once."""
    if id(value) not in done:
        done[id(value)] = _built(value, done)
    return done[id(value)]


def _built(value: object, done: dict[int, Any]) -> Any:
    match value:
        case None | bool() | int() | float() | str() | bytes() | np.ndarray():
            return value
        case dict():
            return {_plain(k, done): _plain(v, done) for k, v in value.items()}
        case list():
            return [_plain(each, done) for each in value]
        case tuple():
            return tuple(_plain(each, done) for each in value)
        case _Inert(state=(_, tuple(shape), dtype, fortran, raw)):
            if isinstance(raw, list):  # an array of objects
                flat = np.fromiter((_plain(each, done) for each in raw), object, len(raw))
            else:
                flat = _numbers(dtype, raw)
            if flat.size != prod(shape):
                raise _RefusedError(f"{flat.size} values are no array of shape {shape}")
            return flat.reshape(shape, order="F" if fortran else "C")
        case _Inert(args=(_Inert() as dtype, raw)):
            return _numbers(dtype, raw).reshape(())[()]
    raise _RefusedError("a value is no array of numbers, nor a plain container")


def _numbers(dtype: object, raw: object) -> NDArray[Any]:
    """Decode bytes as numbers in this machine's order (n,)."""
    match dtype, raw:
        case _Inert(
            args=(str(code), *_), state=(_, ("<" | ">" | "|") as order, *_)
        ), bytes() | str() if code in CODES:
            # Python 2 wrote bytes as a string, which the unpickler has read as latin1.
            content = raw if isinstance(raw, bytes) else raw.encode("latin1")
            stored = np.dtype(code).newbyteorder(order)
            numbers = np.frombuffer(content, stored)
            if code == "b1" and (numbers.view("u1") > 1).any():
                raise _RefusedError("a truth value is neither 0 nor 1")
            return numbers.astype(stored.newbyteorder("="))
    raise _RefusedError("a value is no array of numbers")
