"""Tests of wsss.plan.trial: every stage is tried, with what is there, and nothing is kept."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import wsss.plan.trial
from wsss.choices import PilotChoices, SeedChoices, Training
from wsss.crf import DenseCRF
from wsss.data.affine import Augmentation
from wsss.data.voc import VOC_CLASSES
from wsss.errors import InputError
from wsss.paper import TABLES
from wsss.pipeline import Pipeline
from wsss.plan import Trial, dry_run
from wsss.plan.trial import by_kind
from wsss.profiles import Profile, paper
from wsss.seeds import CrfSeed
from wsss.stages import NetworkSpec, graph
from wsss.training import Schedule
from wsss.training.tasks import classifier_loss

MakeVoc = Callable[..., Path]


class Here:
    """Stands in for the pool of one process, whose start takes seconds."""

    def __init__(self, *_: object) -> None: ...

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *_: object) -> None: ...

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(function(*arguments))
        return future


@pytest.fixture
def small() -> Profile:
    """The paper's profile with everything narrow, short and small."""
    narrow = {"width": 1 / 16, "weights": "imagenet", "weights_checksum": "sha256:0"}
    vgg16, resnet38 = (NetworkSpec(name=name, **narrow) for name in ("vgg16", "resnet38"))
    schedule, augmentation = Schedule(batch_size=2), Augmentation(crop=17)
    return replace(
        paper(),
        classifier=Training({"plain": vgg16, "residual": resnet38}, schedule, augmentation),
        seeds=SeedChoices("border", (CrfSeed(DenseCRF(iterations=1)),)),
        segmenter=Training({"plain": vgg16}, schedule, augmentation),
        pilot=PilotChoices(schedule, "train_aug"),
    )


@pytest.fixture
def mini(make_voc: MakeVoc) -> Path:
    """A folder that lacks the list train_aug, as the shared photos do."""
    return make_voc(8, size=(18, 24), classes=VOC_CLASSES)


def test_every_stage_is_tried_and_nothing_is_kept(
    small: Profile, mini: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "aside").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "aside"))
    monkeypatch.setattr(wsss.plan.trial, "ProcessPoolExecutor", Here)
    monkeypatch.setenv("WSSS_WEIGHTS", str(tmp_path / "none"))  # no weights are asked for
    before = sorted(mini.rglob("*"))
    table = replace(TABLES["table5"], cells=TABLES["table5"].cells[-1:])  # all twelve seeds
    remark, stand_in, *trials = dry_run(Pipeline(small, mini), [table], 2)
    assert "random initial weights" in str(remark)
    assert stand_in == f"{mini}: no list 'train_aug', so images of 'train' stand in"
    tried = {trial.kind: trial for trial in trials if isinstance(trial, Trial)}
    assert len(tried) == len(trials)
    iterations = {kind: trial.iterations for kind, trial in tried.items()}
    assert iterations == {
        "photos": 1,
        "images": 2 + 2,
        "saliency": 2,
        "classifier vgg16": 2,
        "classifier resnet38": 2,
        "cams vgg16": 3 * 2,
        "cams resnet38": 3 * 2,
        "seed_block T": 6 * 2,
        "seeds T": 6 * 2,
        "seed_block C": 6 * 2,
        "seeds C": 6 * 2,
        "segmenter vgg16": 2,
        "segmenter_score vgg16": 2,
    }
    assert all(trial.seconds > 0 and trial.peak_gb > 0.05 for trial in tried.values())
    left = [path.name for path in (tmp_path / "aside").iterdir()]
    torchs = "torchinductor_"  # torch's own, with the user's name, made once a process
    assert [name for name in left if not name.startswith(torchs)] == []
    assert sorted(mini.rglob("*")) == before


def test_seconds_leave_out_warm_up_and_checkpoints(
    small: Profile, make_voc: MakeVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make_voc(
        5, classes=VOC_CLASSES, splits={"train_aug": range(4), "train": [0], "val": [4]}
    )
    small = replace(small, classifier=wsss.plan.trial._untrained(small.classifier))
    lab = Pipeline(small, data, runs=tmp_path / "runs", precision="32")
    stage = lab.classifier()
    lab.store.ensure(stage.images)
    calls = []

    def slow_at_first(*batch: Any) -> Any:
        if not calls:
            time.sleep(1)
        calls.append(batch)
        return classifier_loss(*batch)

    monkeypatch.setattr("wsss.stages.classifier.classifier_loss", slow_at_first)
    monkeypatch.setattr("wsss.training.loop._save", lambda *_: pytest.fail("a checkpoint"))
    trial = wsss.plan.trial._try("classifier", [stage], lab.store, 4)
    assert trial.iterations == 4  # two epochs and a half, with the first step
    assert 0 < trial.seconds < 0.2


def test_a_batch_is_cut_to_one_image_where_that_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("WSSS_MICRO_BATCH", raising=False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    cut = wsss.plan.trial._micro_batch
    assert cut(NetworkSpec(name="resnet38", width=1 / 16)) == 1
    assert cut(NetworkSpec(name="vgg16", width=1 / 16)) == 1
    assert cut(NetworkSpec.shipped("resnet38_scenes")) is None
    monkeypatch.setenv("WSSS_MICRO_BATCH", "4")
    assert cut(NetworkSpec(name="resnet38", width=1 / 16)) is None


def test_kinds_come_after_what_they_read() -> None:
    goals = [each.stage for each in Pipeline("paper", rng_seeds=[0]).asked(*TABLES)]
    groups = by_kind(graph(goals))
    seen: set[str] = set()
    for kind, stages in groups.items():
        seen |= {stage.identity for stage in stages}
        assert {parent.identity for stage in stages for parent in stage.parents()} <= seen, kind
    assert sum(map(len, groups.values())) == len(graph(goals))


def test_photos_must_be_named_and_enough(small: Profile, mini: Path) -> None:
    with pytest.raises(InputError, match="--data or WSSS_DATA"):
        list(dry_run(Pipeline("photo"), [TABLES["table2"]], 1))
    with pytest.raises(InputError, match="no such folder"):
        list(dry_run(Pipeline(small, mini / "nowhere"), [TABLES["table2"]], 1))


@pytest.mark.slow
def test_each_kind_has_a_process_of_its_own(small: Profile, mini: Path) -> None:
    table = replace(TABLES["table2"], cells=TABLES["table2"].cells[:1])
    held = bytearray(3 * 2**29)  # 1.6 gigabytes of this process are none of theirs
    held[::4096] = b"1" * len(held[::4096])
    trials = [
        each for each in dry_run(Pipeline(small, mini), [table], 1) if isinstance(each, Trial)
    ]
    assert len(trials) == 9
    assert all(trial.peak_gb < 1.5 for trial in trials), f"{len(held)} {os.getpid()}"
