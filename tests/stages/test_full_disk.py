"""A full disk: what was computed stays, what was half written goes, and one line says how much."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from wsss.data.packed import pack
from wsss.errors import InputError
from wsss.models.loading import write_state
from wsss.stages import Stage, Store

FULL = Path("/dev/full")
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="needs a disk that is always full")


def numpy(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros(9))


WRITERS = {
    "text": lambda path: path.write_text("x"),
    "numpy": numpy,
    "packed": lambda path: pack(path, [np.zeros(9)] * 999),
    "torch": lambda path: write_state({"weight": torch.zeros(250_000)}, path),
}


class Large(Stage):
    """Writes half of itself, something to go on from, and a file on a disk that is full."""

    resumes_from = ("checkpoint",)

    stage: Literal["large"] = "large"
    version: Literal[1] = 1
    how: str

    def compute(self, folder: Path, store: Store) -> None:
        (folder / "half").write_bytes(b"x" * 1000)
        (folder / "checkpoint").write_text(f"{os.getpid()}")
        (folder / "a").symlink_to(FULL)
        WRITERS[self.how](folder / "a")


@pytest.mark.parametrize("how", WRITERS)
def test_one_line_says_where_and_how_much(tmp_path: Path, how: str) -> None:
    store, stage = Store(tmp_path), Large(how=how)
    part = store.path(stage).with_name(f"{store.path(stage).name}.part")
    needed = "1.0 MB" if how == "torch" else "more"
    where = part / "a" if how == "torch" else part
    says = rf"^{where}: its disk is full, [0-9.]+ MB free and {needed} needed; make room, or name"
    with pytest.raises(InputError, match=says):
        store.ensure(stage)
    assert [path.name for path in part.iterdir()] == ["checkpoint"]
    assert FULL.is_char_device()
