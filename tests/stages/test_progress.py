"""What the bar says inside a long stage: how far it is, and how long all that is left may take."""

import time
from typing import Literal

import pytest

from wsss.progress import heard_by, tell
from wsss.stages import Stage, Store, run
from wsss.stages.progress import Progress


class Tells(Stage):
    stage: Literal["tells"] = "tells"
    version: Literal[1] = 1
    number: int

    def compute(self, folder, store):
        tell(1, 4)
        time.sleep(0.2)  # the bar is drawn ten times a second at most


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stage_is_heard_in_this_process_and_from_workers(tmp_path, capsys, workers):
    run([Tells(number=n) for n in range(3)], Store(tmp_path), workers=workers)
    assert "tells 25%" in capsys.readouterr().err


def test_time_left_is_expected_time_at_this_machines_pace(monkeypatch, capsys):
    now = 0.0
    monkeypatch.setattr("wsss.stages.progress.time.perf_counter", lambda: now)
    first, second, third = tasks = [(Tells(number=n),) for n in range(3)]
    takes = zip(tasks, (300.0, 100.0, 40.0), strict=True)
    expected = {stage.identity: seconds for (stage,), seconds in takes}
    progress = Progress(tasks, workers=2, quiet=False, expected=expected)

    def says(text):
        assert text in capsys.readouterr().err.rpartition("\r")[2]

    progress.runs(first, 0.04)  # 12 of 300 seconds: too little to know the pace
    says("tells 4%, about 5 min left")
    now = 60.0
    progress.runs(first, 0.5)  # of 300 seconds half in 60; the others fit beside them
    says("tells 50%, about 60 s left")
    progress.runs(second, 0.8)
    says("tells 50%, tells 80%, about 60 s left")
    progress.ends(first, 70)
    says("about 9 s left")  # 40 of 300, at the same pace
    progress.runs(first, 0.9)  # told too late
    progress.runs(None, 0.9)  # of another client
    assert not capsys.readouterr().err
    progress.ends(second, 80)
    says("about 9 s left")
    progress.ends(third, 9)
    progress.close()
    assert "left" not in capsys.readouterr().err


def test_without_expectation_a_kind_takes_what_it_took(capsys):
    tasks = [(Tells(number=n),) for n in range(3)]
    progress = Progress(tasks, workers=1, quiet=False)
    progress.runs(tasks[0], 0.5)
    assert "left" not in capsys.readouterr().err
    progress.ends(tasks[0], 40)
    progress.runs(tasks[1], 0.25)
    assert "tells 25%, about 70 s left" in capsys.readouterr().err
    progress.close()


def test_shares_reach_the_innermost_listener():
    outer, inner = [], []
    with heard_by(outer.append):
        with heard_by(inner.append):
            tell(1, 2)
        tell(3, 4)
    tell(1, 1)
    assert (outer, inner) == ([0.75], [0.5])
