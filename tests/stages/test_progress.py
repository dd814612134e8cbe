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
    first, second = stages = [Tells(number=n) for n in range(2)]
    expected = {first.identity: 300.0, second.identity: 100.0}
    progress = Progress(stages, workers=2, quiet=False, expected=expected)

    def says(text):
        assert text in capsys.readouterr().err.rpartition("\r")[2]

    progress.runs([first], 0.05)  # 15 of 400 seconds: too little to know the pace
    says("tells 5%, about 3 min left")
    now = 60.0
    progress.runs([first], 0.5)  # 150 seconds of work in 60, 250 are left
    says("tells 50%, about 2 min left")
    progress.runs([second], 0.8)
    says("tells 50%, tells 80%, about 44 s left")
    progress.ends([first], 70)
    says("about 3 s left")
    progress.runs([first], 0.9)  # told too late
    progress.runs(None, 0.9)  # of another client
    assert not capsys.readouterr().err
    progress.ends([second], 80)
    progress.close()
    assert "left" not in capsys.readouterr().err


def test_without_expectation_a_kind_takes_what_it_took(capsys):
    stages = [Tells(number=n) for n in range(3)]
    progress = Progress(stages, workers=1, quiet=False)
    progress.runs(stages[:1], 0.5)
    assert "left" not in capsys.readouterr().err
    progress.ends(stages[:1], 40)
    progress.runs(stages[1:2], 0.25)
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
