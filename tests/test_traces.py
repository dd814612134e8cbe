"""Tests of wsss.tables.traces: what traces saw, as lines, written and read again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from wsss.data.affine import Augmentation
from wsss.errors import InputError
from wsss.stages import (
    Images,
    NetworkSpec,
    NoisyLabels,
    PhotoFolder,
    Segmenter,
    Store,
    TrueLabels,
    WeightTrace,
    read_trace,
)
from wsss.tables import read_recorded_traces, reproduce_traces, trace_lines
from wsss.training import Schedule


@pytest.fixture
def traces(make_voc: Callable[..., Path]) -> tuple[list[WeightTrace], Path]:
    data = make_voc(4, size=(24, 32))
    images = Images(source=PhotoFolder.at(data, ("cat",), ("train", "val")), split="train")
    noisy = NoisyLabels(
        images=images, ratio=0.5, copy_number=0, rng_seed=0, smallest=0.3, largest=0.6
    )
    return [
        WeightTrace(
            segmenter=Segmenter(
                labels=(TrueLabels(images=images), noisy),
                network=NetworkSpec(name="vgg16_scenes", width=0.125),
                schedule=Schedule(epochs=2, batch_size=2, lr=0.01),
                augmentation=Augmentation(crop=17, scales=(0.75, 1.25)),
                rng_seed=rng_seed,
            )
        )
        for rng_seed in (3, 5)
    ], data


def test_lines_hold_what_the_traces_saw(
    traces: tuple[list[WeightTrace], Path], tmp_path: Path
) -> None:
    store = Store(tmp_path / "runs", traces[1])
    for trace in traces[0]:
        store.ensure(trace)
    lines = trace_lines(traces[0], store)
    assert list(lines["rng_seed"]) == [3, 3, 5, 5]
    assert list(lines["epoch"]) == [1, 2, 1, 2]
    assert set(lines["seeds"]) == {2}
    seen = [each for trace in traces[0] for each in read_trace(store, trace)["epochs"]]
    for name in ("right", "wrong", "accuracy"):
        assert lines[name].tolist() == pytest.approx([each[name] for each in seen], nan_ok=True)
    lines.to_csv(tmp_path / "traces.csv", index=False)
    read = read_recorded_traces(tmp_path)
    pd.testing.assert_frame_equal(read, lines, check_dtype=False)


def test_what_is_recorded_is_not_computed(
    traces: tuple[list[WeightTrace], Path], tmp_path: Path
) -> None:
    first, second = traces[0]
    store = Store(tmp_path / "runs", traces[1])
    recorded = pd.DataFrame([
        {"rng_seed": 5, "epoch": epoch, "seeds": 2, "right": 0.6, "wrong": 0.4, "accuracy": 0.5,
         "identity": identity}
        for identity in (second.identity, "another")
        for epoch in (1, 2)
    ])  # fmt: skip
    lines = reproduce_traces([second, first], store, recorded)
    assert store.done(first)
    assert not store.done(second)
    assert list(lines["rng_seed"]) == [3, 3, 5, 5]
    assert list(lines["epoch"]) == [1, 2, 1, 2]
    assert list(lines["right"][2:]) == [0.6, 0.6]
    assert len(reproduce_traces([first], store)) == 2


def test_a_folder_without_traces_holds_none(tmp_path: Path) -> None:
    assert read_recorded_traces(tmp_path).empty


@pytest.mark.parametrize(
    ("text", "says"), [("", "cannot be read"), ("epoch,seeds,right\n1,2,3\n", "no column 'acc")]
)
def test_a_damaged_file_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "traces.csv").write_text(text)
    with pytest.raises(InputError, match=rf"^{tmp_path}/traces.csv: {says}"):
        read_recorded_traces(tmp_path)
