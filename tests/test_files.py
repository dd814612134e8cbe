"""A folder that was sealed tells by itself what happened to it since."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from wsss.files import atomic_write, files_below, find_damage, seal


def flip(folder: Path) -> None:
    (folder / "deep" / "b").write_bytes(b"\0\3")


def vertical_tab(folder: Path, which: int = 0) -> None:
    """One bit makes this of a line's end, and to some it is one as well."""
    sums = bytearray((folder / "SHA256SUMS").read_bytes())
    ends = [at for at, each in enumerate(sums) if each == ord("\n")]
    sums[ends[which]] ^= 1
    (folder / "SHA256SUMS").write_bytes(sums)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "gone": (lambda folder: (folder / "a").unlink(), "'a' is missing"),
    "new": (lambda folder: (folder / "c").touch(), "'c' is not among its files"),
    "changed": (flip, "deep/b has changed since it was written"),
    "a line's end": (vertical_tab, "is missing"),
    "the last end": (lambda folder: vertical_tab(folder, -1), "SHA256SUMS has changed"),
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


def write_on_a_full_disk(path: Path) -> None:
    with atomic_write(path) as aside:
        aside.symlink_to("/dev/full")
        aside.write_text("x")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_a_full_disk_is_said_of_the_file_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with pytest.raises(OSError, match="Errno 28") as told:
        write_on_a_full_disk(path)
    assert told.value.filename == str(path)
    assert not list(tmp_path.iterdir())


def test_what_is_left_out_may_change(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\1")
    seal(tmp_path)
    (tmp_path / "checkpoint.pt").touch()
    assert find_damage(tmp_path, ["checkpoint.pt"]) is None


def test_what_systems_leave_is_no_damage_and_is_not_sealed(tmp_path: Path) -> None:
    (tmp_path / "score.json").write_text("{}")
    (tmp_path / "desktop.ini").touch()
    seal(tmp_path)
    (tmp_path / "desktop.ini").unlink()
    (tmp_path / ".DS_Store").touch()
    assert find_damage(tmp_path) is None
    (tmp_path / "model.onnx").touch()
    assert find_damage(tmp_path) == "'model.onnx' is not among its files"
    assert find_damage(tmp_path, strange_too=False) is None


def test_a_name_may_be_as_long_as_the_system_has_them(tmp_path: Path) -> None:
    path = tmp_path / ("鳥" * 83 + ".png")  # 253 bytes
    with atomic_write(path) as aside:
        aside.touch()
    assert path.is_file()


def test_a_folder_that_cannot_be_read_is_not_passed_over(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "shut").mkdir()
    scandir = os.scandir

    def some(path: str):
        if Path(path).name == "shut":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", some)
    with pytest.raises(PermissionError, match="shut"):
        files_below(tmp_path)
    assert files_below(tmp_path / "open") == files_below(tmp_path / "absent") == []
