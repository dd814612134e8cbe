"""What is done, what is left and how long that may take, on the terminal (not in the paper)."""

from __future__ import annotations

import sys
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence

from tqdm import tqdm

from wsss.stages.schedule import Task, wall_seconds


class Progress:
    """A bar of stages, which says how far the running ones are and how long the rest may take.

    Parameters
    ----------
    tasks : sequence of Task
        All that is to be computed, in the order in which workers take it.
    workers : int
        How many work at once.
    quiet : bool
        Show nothing.
    expected : mapping, optional
        Seconds of a core that stages are expected to take, by identity; what is not named takes
        none. Without it a kind of stage is expected to take what it took so far.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        workers: int,
        quiet: bool,
        expected: Mapping[str, float] | None = None,
    ) -> None:
        self._left = {task[0].identity: task for task in tasks}
        self._seconds: dict[str, list[float]] = defaultdict(list)
        self._running: dict[str, float] = {}
        self._workers, self._expected = workers, expected
        self._all = wall_seconds(tasks, expected, workers) if expected else 0.0
        self._started, self._lock = time.perf_counter(), threading.Lock()
        self._bar = tqdm(
            total=sum(map(len, tasks)), desc="stages", unit="stage", disable=quiet,
            bar_format="{desc}: {n_fmt}/{total_fmt} |{bar}| {elapsed}{postfix}", file=sys.stderr,
        )  # fmt: skip

    def note(self, text: str) -> None:
        """Write a line above the bar."""
        if not self._bar.disable:
            self._bar.write(text, file=sys.stderr)

    def runs(self, task: Task | None, share: float) -> None:
        """Show how much of a task is done, from 0 to 1; another thread may call it, and late."""
        with self._lock:
            if not task or task[0].identity not in self._left:  # of another client, or ended
                return
            self._running[task[0].identity] = share
            told = {f"{self._left[each][0].name} {of:.0%}": 0 for each, of in self._running.items()}
            self._bar.set_postfix_str(", ".join(told) + self._estimate())

    def ends(self, task: Task, seconds: float) -> None:
        """Count a task that took so long."""
        with self._lock:
            self._running.pop(task[0].identity, None)
            del self._left[task[0].identity]
            self._seconds[task[0].name] += [seconds / len(task)] * len(task)
            self._bar.set_postfix_str(f"{task[0].name} {seconds:.0f} s{self._estimate()}")
            self._bar.update(len(task))

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()

    def _estimate(self) -> str:
        """Time left, once every kind of stage that is left is expected to take some."""
        if self._bar.disable or not self._left:
            return ""
        seen = {name: sum(took) / len(took) for name, took in self._seconds.items()}
        takes: dict[str, float] = {}
        for identity, task in self._left.items():
            for stage in task:
                if self._expected is not None:
                    seconds = self._expected.get(stage.identity, 0.0)
                elif stage.name in seen:
                    seconds = seen[stage.name]
                else:
                    return ""
                takes[stage.identity] = seconds * (1 - self._running.get(identity, 0.0))
        left = wall_seconds(list(self._left.values()), takes, self._workers)
        done = self._all - left
        if done > self._all / 20:  # at the pace of this machine
            left *= (time.perf_counter() - self._started) / done
        return f", about {_told(left)} left"


def _told(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
