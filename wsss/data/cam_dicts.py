"""Seeds as the dictionaries that psa and irn keep CAMs in, and back (not in the paper)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from wsss.errors import InputError
from wsss.files import atomic_write
from wsss.pickles import read_npy

FOREGROUND, BACKGROUND = 0.30, 0.05
"""Above and below which irn takes a CAM's pixel for its class and for background."""
BETWEEN = 0.15
"""Written for unknown pixels: irn's step from CAMs to labels makes it 255."""


def seed_to_dict(seed: NDArray[np.uint8], present: Sequence[int]) -> dict[str, Any]:
    """Write a seed as irn's dictionary of an image: 1 where a class is, 0.15 where it is unknown.

    Parameters
    ----------
    seed : (H, W) uint8
        0 background, 1 to C classes, 255 unknown.
    present : sequence of int
        The image's labels, 1 to C, all of the seed among them.

    Returns
    -------
    dict
        ``keys`` (P,) int64, classes from 0; ``high_res`` (P, H, W) float32, and ``cam``, every
        fourth pixel of it.

    Examples
    --------
    >>> made = seed_to_dict(np.array([[0, 3, 255]], np.uint8), [3])
    >>> made["keys"].tolist(), made["high_res"].round(2).tolist()
    ([2], [[[0.0, 1.0, 0.15000000596046448]]])
    """
    labels = np.array(sorted(present), np.int64)
    high_res = (seed == labels[:, None, None]).astype(np.float32)
    high_res[:, seed == 255] = BETWEEN
    return {"keys": labels - 1, "cam": high_res[:, ::4, ::4].copy(), "high_res": high_res}


def dict_to_seed(found: Mapping[Any, Any], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Read irn's dictionary, or psa's of one map a class, by irn's two thresholds.

    Parameters
    ----------
    found : mapping
        ``keys`` and ``high_res``, or from a class, counted from 0, to its map (H, W).
    size : (int, int)
        Height and width of the image, for one that shows nothing.

    Examples
    --------
    >>> dict_to_seed({2: np.array([[0.0, 0.9, 0.2]])}, (1, 3)).tolist()
    [[0, 3, 255]]
    """
    if "keys" in found:
        found = dict(zip(np.asarray(found["keys"]).tolist(), found["high_res"], strict=True))
    if not found:
        return np.zeros(size, np.uint8)
    if strange := [key for key in found if int(key) != key or not 0 <= key < 254]:
        raise ValueError(f"class {strange[0]}")
    with np.errstate(over="ignore"):
        maps = np.stack([np.asarray(each, np.float32) for each in found.values()])
    if not np.isfinite(maps).all():
        raise ValueError("a map that is not finite")
    best = np.array(list(found), np.int64)[maps.argmax(0)] + 1
    highest = maps.max(0)
    unsure = np.where(highest < BACKGROUND, 0, 255)
    return np.where(highest > FOREGROUND, best, unsure).astype(np.uint8)


def read_dict_seed(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Read a seed (H, W) uint8 from the ``.npy`` of an image.

    Raises
    ------
    InputError
        If it is damaged, or holds anything else.
    """
    try:
        return dict_to_seed(read_npy(path), size)
    except UnpicklingError as error:
        raise InputError(str(error)) from None
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path}: not maps by class as psa and irn write them ({reason})"
        ) from None


def write_dict_seed(
    path: Path, seed: NDArray[np.uint8], present: Sequence[int], form: Literal["irn", "psa"]
) -> None:
    """Write a seed as the ``.npy`` that irn reads, or psa: there a class, from 0, has its map."""
    made: Any = seed_to_dict(seed, present)
    if form == "psa":
        made = dict(zip(made["keys"].tolist(), made["high_res"], strict=True))
    else:
        made["cam"] = torch.from_numpy(made["cam"])  # irn's random walk takes it to its GPU
    with atomic_write(path) as aside, aside.open("wb") as file:
        np.save(file, made)
