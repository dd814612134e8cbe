"""What a user can mend is told in one line; what is a mistake of the code stays a traceback."""

import errno

import pytest

from wsss.errors import InputError, told_in_one_line

FULL = "[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (InputError("val.txt, line 3: twice"), "val.txt, line 3: twice"),
        (OSError(errno.ENOSPC, "No space left", "/r/x"), "no space left on the disk of /r/x; make"),
        (RuntimeError(FULL), "no space left on the disk of the run folder; make room"),
        (RuntimeError("CUDA out of memory. Tried"), "out of memory; WSSS_MICRO_BATCH=4 puts fewer"),
        (MemoryError(), "out of memory; WSSS_MICRO_BATCH=4"),
        (FileNotFoundError(errno.ENOENT, "No such file", "/x"), "[Errno 2] No such file: '/x'"),
    ],
)
def test_one_line_and_status_2(error, says, capsys):
    with pytest.raises(SystemExit) as ended, told_in_one_line():
        raise error
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {says}")


def test_a_mistake_of_the_code_is_not_hidden():
    with pytest.raises(RuntimeError, match="shapes"), told_in_one_line():
        raise RuntimeError("shapes differ")


def test_debug_shows_the_traceback(monkeypatch):
    monkeypatch.setenv("WSSS_DEBUG", "1")
    with pytest.raises(InputError, match="twice"), told_in_one_line():
        raise InputError("val.txt, line 3: twice")
