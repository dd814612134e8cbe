"""What a user can mend is told in one line; what is a mistake of the code stays a traceback."""

import errno
from dataclasses import replace
from types import SimpleNamespace

import pytest

from wsss.errors import InputError, room_told, told_in_one_line
from wsss.profiles import photo

FULL = "[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (InputError("val.txt, line 3: twice"), "val.txt, line 3: twice"),
        (OSError(errno.ENOSPC, "No space left", "/r/x"), "/r/x: its disk is full, "),
        (OSError(errno.EDQUOT, "Quota exceeded"), "what is written: its disk is full; make room"),
        (OSError("64 requested and 8 written"), "what is written: its disk is full; make room"),
        (RuntimeError(FULL), "what is written: its disk is full; make room"),
        (
            RuntimeError("CUDA out of memory. Tried"),
            "out of memory; in trainings WSSS_MICRO_BATCH=4",
        ),
        (MemoryError(), "out of memory; in trainings WSSS_MICRO_BATCH=4"),
        (FileNotFoundError(errno.ENOENT, "No such file", "/x"), "[Errno 2] No such file: '/x'"),
    ],
)
def test_one_line_and_status_2(error, says, capsys):
    with pytest.raises(SystemExit) as ended, told_in_one_line():
        raise error
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {says}")


@pytest.mark.parametrize(("needed", "says"), [(2_500_000, "2.5 MB"), (None, "more")])
def test_how_much_room_a_full_disk_has_and_how_much_is_needed(needed, says, tmp_path, monkeypatch):
    asked = []

    def usage(path):
        asked.append(path)
        return SimpleNamespace(free=1_040_000)

    monkeypatch.setattr("shutil.disk_usage", usage)
    path = tmp_path / "not yet" / "there"
    with pytest.raises(InputError) as told, room_told(path, needed):
        raise OSError(errno.ENOSPC, "No space left")
    assert str(told.value) == (
        f"{path}: its disk is full, 1.0 MB free and {says} needed; make room, or name a folder on "
        "another disk (WSSS_RUNS for results)"
    )
    assert asked == [tmp_path]


def test_a_choice_of_a_profile_that_a_stage_refuses_is_one_line(capsys):
    photos = replace(photo().data.source, difficult="drop it")
    with pytest.raises(SystemExit), told_in_one_line():
        photos.at(None)
    told = capsys.readouterr().err
    assert told == "error: PhotoFolder.difficult is 'drop it': Input should be 'keep' or 'drop'\n"


def test_other_errors_pass_with_a_path(tmp_path):
    with pytest.raises(PermissionError, match="'/r/x'"), room_told(tmp_path):
        raise PermissionError(errno.EACCES, "Permission denied", "/r/x")
    with pytest.raises(OSError, match=f"File too large: '{tmp_path}'"), room_told(tmp_path):
        raise OSError(errno.EFBIG, "File too large")
    with pytest.raises(RuntimeError, match="shapes differ"), room_told(tmp_path):
        raise RuntimeError("shapes differ")


def test_a_mistake_of_the_code_is_not_hidden():
    with pytest.raises(RuntimeError, match="shapes"), told_in_one_line():
        raise RuntimeError("shapes differ")


def test_debug_shows_the_traceback(monkeypatch):
    monkeypatch.setenv("WSSS_DEBUG", "1")
    with pytest.raises(InputError, match="twice"), told_in_one_line():
        raise InputError("val.txt, line 3: twice")
