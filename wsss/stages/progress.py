"""What of a run is done, what is left and how long that may take, on the terminal."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Sequence

from tqdm import tqdm

from wsss.stages.stage import Stage


class Progress:
    """A bar, and lines beside it."""

    def __init__(self, todo: Sequence[Stage], workers: int, quiet: bool) -> None:
        self._left = Counter(stage.name for stage in todo)
        self._seconds: dict[str, list[float]] = defaultdict(list)
        self._workers = workers
        self._bar = tqdm(
            total=len(todo), desc="stages", unit="stage", disable=quiet,
            bar_format="{desc}: {n_fmt}/{total_fmt} |{bar}| {elapsed}{postfix}", file=sys.stderr,
        )  # fmt: skip

    def note(self, text: str) -> None:
        """Write a line above the bar."""
        if not self._bar.disable:
            self._bar.write(text, file=sys.stderr)

    def starts(self, task: Sequence[Stage]) -> None:
        """Say what is being computed."""
        self._bar.set_postfix_str(task[0].name)

    def ends(self, task: Sequence[Stage], seconds: float) -> None:
        """Count what is done, and say what it took."""
        name = task[0].name
        self._left[name] -= len(task)
        self._seconds[name] += [seconds / len(task)] * len(task)
        self._bar.set_postfix_str(f"{name} {seconds:.0f} s{self._estimate()}")
        self._bar.update(len(task))

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()

    def _estimate(self) -> str:
        """Seconds left, once every kind of stage that is left has been seen."""
        kinds = [kind for kind, count in self._left.items() if count]
        if not kinds or any(kind not in self._seconds for kind in kinds):
            return ""
        means = {kind: sum(self._seconds[kind]) / len(self._seconds[kind]) for kind in kinds}
        left = sum(self._left[kind] * means[kind] for kind in kinds) / self._workers
        return f", about {left:.0f} s left"
