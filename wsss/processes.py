"""Processes of this machine that do what they are told through a pipe: no port, and no password.

A pipe has no name that anyone else could connect to, and it ends with either of the two that hold
it. Not in the paper.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any

import cloudpickle


def cores() -> int:
    """Count the cores that this process may use: a job of a queue has some of its machine's.

    Examples
    --------
    >>> 1 <= cores() <= (os.cpu_count() or 1)
    True
    """
    own = getattr(os, "sched_getaffinity", None)  # not every system has it
    return len(own(0)) if own else os.cpu_count() or 1


class ProcessDiedError(RuntimeError):
    """A process ended while it was at something: killed, out of memory or crashed."""


class Worker:
    """One process of one's own, which computes one call at a time.

    It starts with the first call, and anew with the first one after its death. Started by the main
    thread it ignores Ctrl-C. It ends when this process does, whichever way.

    Parameters
    ----------
    environment : mapping, optional
        What it finds in its environment, beside what this process does.

    Examples
    --------
    >>> with Worker() as worker:
    ...     worker.call(divmod, 7, 2)
    (3, 1)
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = dict(environment or {})
        self._process: Any = None
        self._pipe: Connection | None = None
        self._answer: tuple[bool, Any] | None = None
        self._busy = False

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pipe(self) -> Connection:
        """To wait for, with others: once it can be read, `result` returns at once."""
        if self._pipe is None:
            self._start()
        assert self._pipe is not None
        return self._pipe

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Compute something there: `begin` and `result` in one."""
        self.begin(function, *arguments)
        return self.result()

    def begin(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Have something computed there; what a script defines is sent by value."""
        sent = cloudpickle.dumps((function, arguments))
        self._busy = True
        with suppress(OSError):  # it died since; `result` says so
            self.pipe.send_bytes(sent)

    def told(self) -> Any:
        """Take what has come: what `tell_parent` was given there, or None for what `result` has."""
        with suppress(EOFError, OSError):  # it died; `result` says so
            return self._receive(self.pipe)
        return None

    def result(self, seconds: float | None = None) -> Any:
        """Wait for what was begun and return it, or raise what it raised.

        Raises
        ------
        ProcessDiedError
            If the process died over it, or was ended since it took more than some seconds.
        """
        pipe = self.pipe  # `close` by another thread ends the wait, and starts no other process
        process = self._process
        try:
            while self._answer is None:
                if not pipe.poll(seconds):
                    self.close()
                    raise ProcessDiedError(f"it was ended after {seconds} seconds")
                self._receive(pipe)
        except (EOFError, OSError) as error:
            process.join(5)  # its end of the pipe closes a little before it is gone
            self.close()
            raise ProcessDiedError(f"a process died ({_how(process.exitcode)})") from error
        good, value = self._answer
        self._answer, self._busy = None, False
        if not good:
            raise value
        return value

    def _receive(self, pipe: Connection) -> Any:
        """Keep an answer for `result`; return what was told before it."""
        good, value = pickle.loads(pipe.recv_bytes())  # of our own process, by our own pipe
        if good is None:
            return value
        self._answer = good, value
        return None

    def close(self) -> None:
        """End the process, whatever it is at."""
        process, pipe = self._process, self._pipe
        self._process = self._pipe = self._answer = None
        if process is None or pipe is None:
            return
        pipe.close()
        if not self._busy:  # it sees that, and goes as a process should
            process.join(5)
        self._busy = False
        process.terminate()
        process.join(5)
        if process.exitcode is None:
            process.kill()
            process.join()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")  # threads of this one do not fork well
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        with starting(), environment(self._environment), interruptions_kept_away():
            self._process.start()
        theirs.close()  # so that its end is seen


def _how(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"status {code}"


_one_at_a_time = threading.Lock()
_to_parent: Connection | None = None


def tell_parent(value: Any) -> None:
    """Tell the process that asked for this call something small, before the call returns."""
    if _to_parent is not None:
        _to_parent.send_bytes(pickle.dumps((None, value)))


def _serve(pipe: Connection) -> None:
    global _to_parent
    _to_parent = pipe
    end_with_parent()
    while True:
        try:
            function, arguments = pickle.loads(pipe.recv_bytes())
            answer = True, function(*arguments)
        except EOFError:
            return
        except Exception as error:
            answer = False, error
            error.add_note(f"In a process of its own:\n{traceback.format_exc()}")
        try:
            sent = cloudpickle.dumps(answer)
            if not answer[0]:
                pickle.loads(sent)  # some errors go in and do not come out again
        except Exception as error:  # what cannot travel is told in words
            sent = pickle.dumps((False, RuntimeError(f"{answer[1]!r} cannot be sent: {error}")))
        pipe.send_bytes(sent)


def end_with_parent() -> None:
    """End this process when the one that started it has ended, whichever way."""

    def watch() -> None:
        parent = multiprocessing.parent_process()
        assert parent is not None
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def environment(added: Mapping[str, str]) -> Iterator[None]:
    """Have some variables in this process's environment, and what was there again afterwards."""
    before = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def interruptions_kept_away() -> Iterator[None]:
    """Let a process that starts meanwhile ignore Ctrl-C: this one ends it, without tracebacks."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are none of its business
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


@contextmanager
def starting() -> Iterator[None]:
    """Start one process at a time, and keep it from running the script that started it.

    Multiprocessing runs a process's main module once more in each child, guarded or not, to find
    there what it defines. None is needed here: what a script defines is sent by value.
    """
    main = sys.modules["__main__"]
    with _one_at_a_time:
        held = {n: vars(main).pop(n) for n in ("__file__", "__spec__") if n in vars(main)}
        main.__spec__ = None
        try:
            yield
        finally:
            vars(main).update(held)
