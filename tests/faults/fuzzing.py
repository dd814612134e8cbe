"""Whatever a file holds, its parser returns a value or one line that names the file (fuzzing).

`make test` feeds each parser the same few hundred inputs, `make test-all` thousands of others. For
a million in all: ``WSSS_FUZZ=30000 pytest -m slow tests/faults -k a_value_or_one_line``.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odd_inputs import changed, mutations

from wsss.errors import InputError

resource: Any = pytest.importorskip("resource")

QUICK, MANY = 150, int(os.environ.get("WSSS_FUZZ", "1500"))
EXAMPLES = [QUICK, pytest.param(MANY, marks=pytest.mark.slow)]
MEMORY, SECONDS = 512 * 2**20, 5.0
"""What one small file may take: far more than any honest one does, far less than it may claim."""


@dataclass(frozen=True)
class Parser:
    """A file as it should be, how it is read, and what else it may be made of."""

    name: str
    write: Callable[[Path], Path]
    read: Callable[[Path], Any]
    made_of: st.SearchStrategy[bytes] | None = None
    makes_room: bool = False
    """Whether it asks for the room a file claims to need, which is none until it is filled."""

    def __str__(self) -> str:
        return self.name


def text(name: str, content: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
        return folder / name

    return write


class TooSlowError(BaseException):
    """No `Exception`, so that no parser takes it for damage."""


@contextmanager
def bounded() -> Iterator[None]:
    """Allow so much more address space and processor time than there is in use."""

    def late(*_: object) -> None:
        raise TooSlowError

    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc").is_dir() else 0
    limits = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    if pages:
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def require_one_line(parser: Parser, error: InputError, path: Path) -> None:
    message = str(error)
    assert len(message.splitlines()) == 1
    assert len(message) < 1500
    assert str(path) in message or str(path.parent) in message
    if not parser.makes_room:
        assert not any(isinstance(each, MemoryError) for each in causes(error))


def require_a_value_or_one_line(parser: Parser, examples: int, tmp_path: Path) -> None:
    path = parser.write(tmp_path)
    valid = path.read_bytes()
    made = [mutations(valid), st.binary(max_size=200)]
    if parser.made_of is not None:
        made += [parser.made_of, st.builds(changed, parser.made_of, st.just([("cut", 7, 9, b"")]))]

    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=examples == QUICK,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.one_of(*made))
    def holds(content: bytes) -> None:
        path.write_bytes(content)
        with bounded():
            try:
                parser.read(path)
            except InputError as error:
                require_one_line(parser, error, path)

    holds()
