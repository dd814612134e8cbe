"""How long a graph of stages takes with some workers."""

from typing import Literal

from wsss.stages import Stage, together, wall_seconds


class Step(Stage):
    stage: Literal["step"] = "step"
    version: Literal[1] = 1
    number: int
    after: tuple[Stage, ...] = ()
    group: str | None = None

    @property
    def shares(self):
        return self.group


def wall(stages, seconds, workers):
    takes = {each.identity: one for each, one in zip(stages, seconds, strict=True)}
    return wall_seconds(together(stages), takes, workers)


def test_a_chain_takes_as_long_with_any_number_of_workers():
    first = Step(number=1)
    second = Step(number=2, after=(first,))
    chain = [first, second, Step(number=3, after=(second,))]
    assert [wall(chain, [3, 4, 5], workers) for workers in (1, 2, 9)] == [12, 12, 12]


def test_workers_take_the_first_that_waits_for_nothing():
    short, long, other = (Step(number=n) for n in range(3))
    last = Step(number=3, after=(short,))
    stages = [short, long, other, last]
    assert wall(stages, [1, 10, 2, 4], workers=1) == 17
    assert wall(stages, [1, 10, 2, 4], workers=2) == 10  # the others fit beside the long one
    assert wall([short, other, long, last], [1, 2, 10, 4], workers=2) == 11  # it begins late


def test_what_is_computed_in_one_go_has_one_worker():
    pair = [Step(number=n, group="a") for n in range(2)]
    assert wall(pair, [2, 3], workers=2) == 5


def test_nothing_takes_no_time():
    assert wall_seconds([], {}, workers=2) == 0
