"""Every file of a run is the same to the last byte with any number of threads and of workers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from wsss import Lab
from wsss.stages import LabelScore, Stage, Store

Contents = Callable[[Store], dict[str, bytes]]


def goals(lab: Lab) -> list[Stage]:
    """Scores of a segmenter by all means, of merged maps, and of each seed itself."""
    twelve = lab.asked("table5", testing="ms+crf")[-1].stage
    merged = [each.stage for each in lab.asked("table3") if "Merged" in each.cell.column][:1]
    return [twelve, *merged, *map(lab.label_score, twelve.segmenter.labels), lab.trace(lab.richest)]


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    lab = Lab("smoke", runs=tmp_path_factory.mktemp("one"), workers=1, quiet=True)
    assert torch.get_num_threads() == 1
    lab.run(goals(lab))
    return lab


def agree(one: Lab, other: Lab, contents: Contents) -> None:
    other.run(goals(other))
    wanted, found = contents(one.store), contents(other.store)
    kinds = {name.split("/")[0] for name in wanted}
    assert {"cams", "merged_cams", "seeds", "label_score", "segmenter_score"} <= kinds
    assert [each for each in goals(one) if isinstance(each, LabelScore)]
    assert wanted.keys() == found.keys()
    assert [name for name in wanted if wanted[name] != found[name]] == []


def test_with_two_threads(one: Lab, tmp_path, contents: Contents) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        agree(one, Lab("smoke", runs=tmp_path, workers=1, quiet=True), contents)
    finally:
        torch.set_num_threads(before)


@pytest.mark.slow
def test_with_two_workers(one: Lab, tmp_path, contents: Contents) -> None:
    agree(one, Lab("smoke", runs=tmp_path, workers=2, quiet=True), contents)
