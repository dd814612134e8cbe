"""The engine: every stage once and after its parents, in this process as on Dask workers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from wsss.errors import InputError
from wsss.stages import Stage, Store, default_runs, graph, run, together
from wsss.stages.workers import default_workers, visible_gpus


class Sum(Stage):
    """Adds its number to what its parents made, and logs who did it."""

    stage: Literal["sum"] = "sum"
    version: Literal[1] = 1
    number: int
    parents_: tuple[Sum, ...] = ()
    log: str
    bad: bool = False
    friends: str | None = None

    @property
    def shares(self) -> str | None:
        return self.friends

    @classmethod
    def compute_together(
        cls, stages: Sequence[Any], folders: Sequence[Path], store: Store
    ) -> float | None:
        with Path(stages[0].log).open("a") as log:
            log.write(f"0 {os.getpid()}\n" * (len(stages) > 1))
        return super().compute_together(stages, folders, store)

    def compute(self, folder: Path, store: Store) -> None:
        with Path(self.log).open("a") as log:
            log.write(f"{self.number} {os.getpid()}\n")
        if self.bad:
            raise InputError(f"number {self.number} is bad; give another")
        came = [int((store.folder(each) / "sum").read_text()) for each in self.parents_]
        (folder / "sum").write_text(str(self.number + sum(came)))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def diamond(log: Path) -> Sum:
    """1 → (2, 3) → 4"""
    first = Sum(number=1, log=str(log))
    middle = tuple(Sum(number=n, parents_=(first,), log=str(log)) for n in (2, 3))
    return Sum(number=4, parents_=middle, log=str(log))


def numbers(log: Path) -> list[int]:
    return [int(line.split()[0]) for line in log.read_text().splitlines()]


def result(store: Store, stage: Sum) -> int:
    return int((store.folder(stage) / "sum").read_text())


def test_graph_is_every_stage_once_after_its_parents(log: Path) -> None:
    goal = diamond(log)
    order = graph([goal, goal.parents_[1], goal])
    assert [stage.number for stage in order if isinstance(stage, Sum)] == [1, 2, 3, 4]
    assert graph([]) == []


def test_stages_that_share_work_are_one_task_after_all_they_read(log: Path) -> None:
    first, second = (Sum(number=n, log=str(log)) for n in (1, 2))
    third = Sum(number=3, parents_=(first,), log=str(log), friends="a")
    early = Sum(number=4, parents_=(third,), log=str(log))
    fifth = Sum(number=5, parents_=(second,), log=str(log), friends="a")
    alone = Sum(number=6, log=str(log), friends="b")
    tasks = together(graph([early, fifth, alone]))
    found = [[stage.number for stage in task if isinstance(stage, Sum)] for task in tasks]
    assert found == [[1], [2], [3, 5], [4], [6]]
    assert together([third]) == [(third,)]


def test_what_only_a_finished_stage_needed_is_left_out(log: Path) -> None:
    goal = diamond(log)
    second, third = goal.parents_
    assert graph([goal], done=lambda stage: stage in (second, third)) == [goal]
    assert graph([goal], done=lambda stage: stage is goal) == []
    assert graph([goal, second], done=lambda stage: stage is goal)[-1] == second


def test_a_finished_stage_alone_is_enough(tmp_path: Path, store: Store, log: Path) -> None:
    """Who copies a result from elsewhere computes nothing below it again."""
    goal = diamond(log)
    run([goal], store, workers=1, quiet=True)
    copied = Store(tmp_path / "copied")
    shutil.copytree(store.path(goal), copied.path(goal))
    log.unlink()
    run([goal], copied, workers=1, quiet=True)
    assert not log.exists()
    assert result(copied, goal) == 11


@pytest.mark.slow
def test_a_plain_script_may_start_workers(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\n"
        "from wsss.stages import Scenes, Store, run\n"
        "goals = [Scenes(train=2, val=1, pilot=1, rng_seed=n) for n in (1, 2)]\n"
        f"run(goals, Store(Path({str(tmp_path)!r}, 'runs')), workers=2, quiet=True)\n"
        "print('done')\n"
    )
    ended = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, timeout=120
    )
    assert (ended.returncode, ended.stdout) == (0, "done\n"), ended.stderr


# --- in this process -----------------------------------------------------------------------


def test_computes_what_is_missing_and_no_more(store: Store, log: Path) -> None:
    goal = diamond(log)
    run([goal.parents_[0]], store, workers=1, quiet=True)
    assert numbers(log) == [1, 2]
    run([goal], store, workers=1, quiet=True)
    assert numbers(log) == [1, 2, 3, 4]
    assert result(store, goal) == 11
    run([goal], store, quiet=True)
    run([], store, quiet=True)
    assert numbers(log) == [1, 2, 3, 4]
    assert {line.split()[1] for line in log.read_text().splitlines()} == {str(os.getpid())}


def test_what_shares_work_is_computed_together_and_once(store: Store, log: Path) -> None:
    first = Sum(number=1, log=str(log))
    friends = [Sum(number=n, parents_=(first,), log=str(log), friends="a") for n in (2, 3, 4)]
    run(friends[:1], store, workers=1, quiet=True)
    assert numbers(log) == [1, 2]
    run(friends, store, workers=1, quiet=True)  # 0: the two that were missing, together
    assert numbers(log) == [1, 2, 0, 3, 4]
    assert [result(store, each) for each in friends] == [3, 4, 5]
    assert not list(store.runs.rglob("*.part"))


def test_what_shares_work_fails_together(store: Store, log: Path) -> None:
    friends = [Sum(number=n, log=str(log), bad=n == 2, friends="a") for n in (1, 2)]
    with pytest.raises(InputError, match="number 2 is bad"):
        run(friends, store, workers=1, quiet=True)
    assert not any(store.done(each) for each in friends)


def test_an_input_error_arrives_and_what_was_finished_stays(store: Store, log: Path) -> None:
    good = Sum(number=1, log=str(log))
    bad = Sum(number=2, parents_=(good,), log=str(log), bad=True)
    never = Sum(number=3, parents_=(bad,), log=str(log))
    with pytest.raises(InputError, match=r"^number 2 is bad; give another$"):
        run([never], store, workers=1, quiet=True)
    assert numbers(log) == [1, 2]
    assert [store.done(stage) for stage in (good, bad, never)] == [True, False, False]


def test_progress_is_shown_unless_quiet(
    store: Store, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run([diamond(log)], store, workers=1)
    shown = capsys.readouterr()
    assert "4/4" in shown.err
    assert shown.out == ""
    run([Sum(number=9, log=str(log))], store, workers=1, quiet=True)
    assert capsys.readouterr() == ("", "")


def test_folders_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WSSS_RUNS", raising=False)
    assert default_runs() == Path(__file__).resolve().parents[2] / "runs"
    monkeypatch.setenv("WSSS_RUNS", "/somewhere")
    assert default_runs() == Path("/somewhere")


# --- on Dask workers -----------------------------------------------------------------------


@pytest.mark.slow
def test_two_workers_make_what_one_process_makes(
    tmp_path: Path, log: Path, contents: Callable[[Store], dict[str, bytes]]
) -> None:
    goals = [diamond(log), *(Sum(number=n, log=str(log), friends="a") for n in (5, 6))]
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    run(goals, here, workers=1, quiet=True)
    run(goals, there, workers=2, quiet=True)
    assert contents(here) == contents(there)
    assert sorted(numbers(log)) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]
    by_process = {line.split()[1] for line in log.read_text().splitlines()}
    assert len(by_process - {str(os.getpid())}) in (1, 2)
    assert there.provenance(goals[0])["threads"] == 1


@pytest.mark.slow
def test_an_input_error_in_a_worker_is_one_input_error_here(store: Store, log: Path) -> None:
    good = Sum(number=1, log=str(log))
    bad = Sum(number=2, parents_=(good,), log=str(log), bad=True)
    later = [Sum(number=n, parents_=(bad,), log=str(log)) for n in (3, 4)]
    with pytest.raises(InputError) as told:
        run(later, store, workers=2, quiet=True)
    assert str(told.value) == "number 2 is bad; give another"
    assert numbers(log) == [1, 2]
    assert [store.done(stage) for stage in (good, bad, *later)] == [True, False, False, False]


@pytest.mark.parametrize(
    ("count", "named", "expected"),
    [
        (0, None, []),
        (0, "", []),
        (0, "-1", []),
        (2, None, ["0", "1"]),
        (2, "2,GPU-5ab", ["2", "GPU-5ab"]),
        (1, "2,-1,0", ["2"]),
    ],
)
def test_gpus_that_this_process_sees(
    monkeypatch: pytest.MonkeyPatch, count: int, named: str | None, expected: list[str]
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if named is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert visible_gpus() == expected
    assert default_workers() >= max(count, 1)
