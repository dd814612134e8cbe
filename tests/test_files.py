"""A folder that was sealed tells by itself what happened to it since."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from wsss.files import find_damage, seal


def flip(folder: Path) -> None:
    (folder / "deep" / "b").write_bytes(b"\0\3")


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "gone": (lambda folder: (folder / "a").unlink(), "'a' is missing"),
    "new": (lambda folder: (folder / "c").touch(), "'c' is not among its files"),
    "changed": (flip, "deep/b has changed since it was written"),
    "unsealed": (lambda folder: (folder / "SHA256SUMS").unlink(), "SHA256SUMS cannot be read"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_of_a_sealed_folder_is_named(tmp_path: Path, damage: str) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a").write_bytes(b"\1")
    (tmp_path / "deep" / "b").write_bytes(b"\0\2")
    seal(tmp_path)
    assert find_damage(tmp_path) is None
    happens, said = DAMAGES[damage]
    happens(tmp_path)
    assert said in (find_damage(tmp_path) or "")


def test_what_is_left_out_may_change(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\1")
    seal(tmp_path)
    (tmp_path / "checkpoint.pt").touch()
    assert find_damage(tmp_path, ["checkpoint.pt"]) is None
