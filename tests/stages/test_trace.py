"""The trace of a training: the same training, and weights that tell right labels from wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import wsss.stages.trace
from wsss.data.affine import Augmentation
from wsss.errors import InputError
from wsss.inference import predict
from wsss.losses import seed_weights
from wsss.models.network import Network
from wsss.stages import (
    Images,
    NetworkSpec,
    NoisyLabels,
    Photos,
    Segmenter,
    Store,
    TrueLabels,
    WeightTrace,
    at_features,
    run,
)
from wsss.training import Schedule

MakeVoc = Callable[..., Path]
SIZE = (24, 32)


@pytest.fixture
def data(make_voc: MakeVoc) -> Path:
    return make_voc(6, size=SIZE)


@pytest.fixture
def store(tmp_path: Path, data: Path) -> Store:
    return Store(tmp_path / "runs", data)


@pytest.fixture
def trace(data: Path) -> WeightTrace:
    source = Photos(("cat", "dog"), splits=("train", "val")).at(data)
    images = Images(source=source, split="train")
    noisy = NoisyLabels(
        images=images, ratio=0.5, copy_number=0, rng_seed=0, smallest=0.3, largest=0.6
    )
    segmenter = Segmenter(
        labels=(TrueLabels(images=images), noisy),
        network=NetworkSpec(name="vgg16_scenes", width=0.125),
        schedule=Schedule(epochs=3, batch_size=2, lr=0.01),
        augmentation=Augmentation(crop=17, scales=(0.75, 1.25)),
        rng_seed=0,
    )
    return WeightTrace(segmenter=segmenter, shown=2)


def test_it_is_the_training_of_the_segmenter(store: Store, trace: WeightTrace) -> None:
    store.ensure(trace)
    assert not store.done(trace.segmenter)  # the look into a training does not train it twice
    store.ensure(trace.segmenter)
    segmenter = trace.segmenter.load(store)
    again = torch.load(store.folder(trace) / "model.pt", weights_only=True)
    assert all(torch.equal(value, again[name]) for name, value in segmenter.state_dict().items())

    # What was seen last is what the segmenter predicts: its pixels at the features.
    assert [seen["epoch"] for seen in trace.lines(store)] == [1, 2, 3]
    assert trace.figures(store) == trace.lines(store)[-1]
    assert not (store.folder(trace) / "checkpoint.pt").exists()
    images = trace.segmenter.images.load(store).images
    for predicted, shown in zip(predict(segmenter, images[:2]), trace.pictures(store), strict=True):
        expected = at_features(predicted, segmenter.output_stride)
        assert shown["predictions"].shape == (3, *expected.shape)
        assert shown["weights"].shape == (3, 2, *expected.shape)
        assert np.array_equal(shown["predictions"][-1], expected)


def test_one_training_serves_the_segmenter_and_its_trace(
    tmp_path: Path, store: Store, trace: WeightTrace, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same weights as apart, and every other file but the times."""
    apart, train, trainings = Store(tmp_path / "apart", data), Segmenter.train, []
    apart.ensure(trace.segmenter)
    apart.ensure(trace)

    def counted(stage: Segmenter, *arguments: Any, **options: Any) -> Any:
        trainings.append(stage)
        return train(stage, *arguments, **options)

    monkeypatch.setattr(Segmenter, "train", counted)
    run([trace.segmenter, trace], store, workers=1, quiet=True)
    assert trainings == [trace.segmenter]
    for stage in (trace, trace.segmenter):
        names = {path.name for path in apart.path(stage).iterdir()}
        assert {path.name for path in store.folder(stage).iterdir()} == names
    assert trace.lines(store) == trace.lines(apart)
    history = [each.folder(trace.segmenter) / "history.json" for each in (store, apart)]
    assert history[0].read_bytes() == history[1].read_bytes()
    weights = [trace.segmenter.load(each).state_dict() for each in (store, apart)]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_a_network_that_knows_the_truth_trusts_right_labels(
    store: Store, trace: WeightTrace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With logits that are the truth, right labels weigh e / (1 + e) where the seeds differ."""
    store.ensure(trace.segmenter)
    for source in trace.segmenter.labels:
        store.ensure(source)
    loaded = trace.segmenter.images.load(store)
    assert loaded.masks is not None
    seeds = [source.label_maps(store) for source in trace.segmenter.labels]

    def perfect(model: Network, images: Any) -> Any:
        for i in range(len(images)):
            truth = torch.from_numpy(at_features(loaded.masks[i], 4)).long()
            one_hot = torch.nn.functional.one_hot(truth.where(truth != 255, 0), 3)
            yield [i], one_hot.permute(2, 0, 1)[None].float()

    monkeypatch.setattr(wsss.stages.trace, "_logits", perfect)
    found = wsss.stages.trace._look(
        trace.segmenter.load(store), loaded.images, seeds, loaded.masks, trace.segmenter, shown=1
    )
    assert found["accuracy"] == 1
    assert found["wrong"] == pytest.approx(1 / (1 + np.e))
    assert 0.5 < found["right"] < np.e / (1 + np.e)

    _, logits = next(perfect(trace.segmenter.load(store), loaded.images))
    votes = torch.from_numpy(np.stack([at_features(maps[0], 4) for maps in seeds]))
    expected = seed_weights(logits, votes[None])[0].numpy().astype(np.float16)
    assert np.array_equal(found["weights_0"], expected)


def test_an_interrupted_trace_goes_on(
    tmp_path: Path, store: Store, trace: WeightTrace, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, calls = wsss.stages.trace._look, []

    def interrupted(*arguments: Any, **options: Any) -> dict[str, Any]:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return look(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(wsss.stages.trace, "_look", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.ensure(trace)
    assert not store.done(trace)

    store.ensure(trace)
    whole = Store(tmp_path / "other", data)
    whole.ensure(trace)
    assert trace.lines(store) == trace.lines(whole)
    pictures = trace.pictures(store), trace.pictures(whole)
    for first, second in zip(*pictures, strict=True):
        assert all(np.array_equal(first[name], second[name]) for name in first)


def test_without_masks_nobody_knows_what_is_right(
    tmp_path: Path, store: Store, trace: WeightTrace
) -> None:
    images = trace.segmenter.images
    store.ensure(images)
    for file in store.folder(images).glob("masks*"):
        file.unlink()
    with pytest.raises(InputError, match="'train' has no masks"):
        trace.compute(tmp_path, store)
