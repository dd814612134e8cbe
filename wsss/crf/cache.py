"""Where compiled kernels are kept: numba refuses to compile what it can keep nowhere.

In a container that is run as some user, the code may belong to another one and there may be no
home: then they are kept in a folder of this process alone, since numba trusts what it finds.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from numba import config


def keep_somewhere() -> None:
    """Choose a folder where neither the user did, nor code or home can be written."""
    if config.CACHE_DIR or _writable(Path(__file__).parent / "__pycache__"):  # pyright: ignore
        return
    try:
        home = Path("~/.cache/numba").expanduser()
    except RuntimeError:  # who has none
        home = Path("/")
    if not _writable(home):
        own = tempfile.mkdtemp(prefix="wsss-numba-")
        config.CACHE_DIR = own  # pyright: ignore
        atexit.register(shutil.rmtree, own, ignore_errors=True)


def _writable(folder: Path) -> bool:
    """Whether a folder can be written, or made."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    return os.access(there, os.W_OK | os.X_OK)
