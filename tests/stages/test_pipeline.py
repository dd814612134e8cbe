"""The whole path on a handful of noise images: from labels to mIoU, stage by stage."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import wsss.seeds.crf
import wsss.stages.segmenter
from wsss.cam import cam_at_pixels, infer_cams, merge_cams
from wsss.crf import DenseCRF
from wsss.data.affine import Augmentation
from wsss.data.labels import write_labels_csv
from wsss.data.voc import VocFolder
from wsss.errors import InputError
from wsss.files import seal
from wsss.inference import Protocol, predict
from wsss.metrics import iou, score
from wsss.models.network import Network
from wsss.saliency import BorderSaliency
from wsss.seeds import CrfSeed, ThresholdSeed, crf_seed, crf_seeds_of_image, threshold_seed
from wsss.stages import (
    CamBackground,
    Cams,
    Classifier,
    Images,
    LabelScore,
    MergedCams,
    NetworkSpec,
    NoisyLabels,
    Photos,
    Saliency,
    Scenes,
    Seeds,
    Segmenter,
    SegmenterScore,
    Stage,
    Store,
    TrueLabels,
    WeightTrace,
    run,
)
from wsss.training import Schedule
from wsss.training.tasks import segmenter_loss

MakeVoc = Callable[..., Path]
NETWORK = NetworkSpec(name="vgg16_scenes", width=0.125)
SCHEDULE = Schedule(epochs=2, batch_size=2, lr=0.01)
AUGMENTATION = Augmentation(crop=17, scales=(0.75, 1.25))
SIZE = (24, 32)


@pytest.fixture
def data(make_voc: MakeVoc) -> Path:
    return make_voc(6, size=SIZE)


@pytest.fixture
def store(tmp_path: Path, data: Path) -> Store:
    return Store(tmp_path / "runs", data)


@pytest.fixture
def train(data: Path) -> Images:
    return Images(source=Photos(("cat", "dog"), splits=("train", "val")).at(data), split="train")


@pytest.fixture
def val(train: Images) -> Images:
    return Images(source=train.source, split="val")


def classifier(train: Images) -> Classifier:
    return Classifier(
        images=train, network=NETWORK, schedule=SCHEDULE, augmentation=AUGMENTATION, rng_seed=0
    )


def cams(train: Images, scale: float = 1.0) -> Cams:
    return Cams(classifier=classifier(train), images=train, scale=scale)


def saliency(train: Images) -> Saliency:
    return Saliency.by_border(train)


def noisy(train: Images, copy_number: int = 0) -> NoisyLabels:
    return NoisyLabels(
        images=train, ratio=0.3, copy_number=copy_number, rng_seed=0, smallest=0.1, largest=0.5
    )


def segmenter(*labels: Stage, **changes: Any) -> Segmenter:
    fields = {
        "labels": labels,
        "network": NETWORK,
        "schedule": SCHEDULE,
        "augmentation": AUGMENTATION,
        "rng_seed": 0,
    }
    return Segmenter(**(fields | changes))


def weights(store: Store, stage: Segmenter | Classifier) -> dict[str, torch.Tensor]:
    return torch.load(store.folder(stage) / "model.pt", weights_only=True)


def equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


# --- from labels to mIoU -------------------------------------------------------------------


def test_the_whole_path(store: Store, train: Images, val: Images) -> None:
    merged = MergedCams(cams=(cams(train, 1.0), cams(train, 0.5)), how="max")
    labels = [
        Seeds(cams=cams(train), saliency=saliency(train), rule=ThresholdSeed()),
        Seeds(cams=cams(train), saliency=saliency(train), rule=CrfSeed()),
        Seeds(cams=merged, saliency=saliency(train), rule=ThresholdSeed()),
    ]
    goal = SegmenterScore(segmenter=segmenter(*labels), images=val)
    store.ensure(goal)
    found = goal.read(store)
    assert list(found["iou"]) == ["background", "cat", "dog"]
    assert 0 <= found["miou"] <= 100
    assert np.sum(found["confusion"]) == 3 * (SIZE[0] - 1) * SIZE[1]  # the first row is unknown

    history = json.loads((store.folder(goal.segmenter) / "history.json").read_text())
    assert len(history["loss"]) == SCHEDULE.epochs
    assert np.isfinite(history["loss"]).all()
    assert not list(store.runs.rglob("*.part"))
    assert not list(store.runs.rglob("checkpoint*"))

    # The score is that of the weights on disk.
    data = val.load(store)
    assert data.masks is not None
    confusion = score(predict(goal.segmenter.load(store), data.images), data.masks, 3)
    assert confusion.tolist() == found["confusion"]
    assert found["miou"] == pytest.approx(100 * iou(confusion)[:3].nanmean().item())


def test_a_score_with_crf_keeps_the_one_without(store: Store, train: Images, val: Images) -> None:
    tested = segmenter(TrueLabels(images=train))
    trained = store.ensure(tested) / "model.pt"
    state = torch.load(trained, weights_only=True)
    torch.manual_seed(0)
    state["classifier.weight"].normal_()  # so short a training finds background alone
    torch.save(state, trained)
    seal(trained.parent)
    crf = DenseCRF(gaussian_compat=0.01, bilateral_compat=0.02)
    plain, whole = (
        SegmenterScore(
            segmenter=tested, images=val, protocol=Protocol((0.75, 1.0), flip=True, crf=each)
        )
        for each in (None, crf)
    )
    for goal in (plain, whole):
        store.ensure(goal)
    found, before = whole.read(store), plain.read(store)
    assert found.pop("before_crf") == before
    data = val.load(store)
    assert data.masks is not None
    maps = predict(tested.load(store), data.images, whole.protocol)
    assert score(maps, data.masks, 3).tolist() == found["confusion"] != before["confusion"]


def test_the_same_pipeline_elsewhere_gives_the_same_bytes(
    tmp_path: Path, store: Store, train: Images, val: Images, contents: Callable[[Store], dict]
) -> None:
    seeds = Seeds(cams=cams(train), saliency=saliency(train), rule=ThresholdSeed())
    goal = SegmenterScore(segmenter=segmenter(seeds, noisy(train)), images=val)
    moved = tmp_path / "moved"
    shutil.copytree(store.data, moved)
    elsewhere = Store(tmp_path / "other", moved)
    torch.rand(5)
    for each in (store, elsewhere):
        each.ensure(goal)
    assert contents(store) == contents(elsewhere)
    assert equal(weights(store, goal.segmenter), weights(elsewhere, goal.segmenter))


# --- each stage does what its function does ------------------------------------------------


def test_images_are_those_of_the_folder(store: Store, train: Images, data: Path) -> None:
    store.ensure(train)
    loaded, folder = train.load(store), VocFolder(data)
    assert loaded.ids == folder.ids("train")
    assert loaded.classes == ("cat", "dog")
    assert loaded.masks is not None
    assert np.array_equal(loaded.present, folder.image_labels(loaded.ids))
    for i, image_id in enumerate(loaded.ids):
        assert np.array_equal(loaded.images[i], folder.image(image_id))
        assert np.array_equal(loaded.masks[i], folder.mask(image_id))


def test_labels_come_from_the_source_that_was_chosen(store: Store, data: Path) -> None:
    folder = VocFolder(data)
    ids = folder.ids("train")
    (data / "Annotations").mkdir()
    for image_id in ids:  # every image shows a cat and, "difficult", a dog
        objects = "".join(
            f"<object><name>{name}</name><difficult>{flag}</difficult></object>"
            for name, flag in (("cat", 0), ("dog", 1))
        )
        path = data / "Annotations" / f"{image_id}.xml"
        path.write_text(f"<annotation>{objects}</annotation>")
    write_labels_csv(data / "empty.csv", ids, ("cat", "dog"), np.zeros((len(ids), 2), bool))

    def images(**choice: Any) -> Images:
        return Images(
            source=Photos(("cat", "dog"), splits=("train",), **choice).at(data), split="train"
        )

    usual, kept, dropped, empty = every = [
        images(),
        images(labels="Annotations"),
        images(labels="Annotations", difficult="drop"),
        images(labels="empty.csv"),
    ]
    assert len({stage.identity for stage in every}) == 4
    for stage in every:
        store.ensure(stage)
    assert np.array_equal(usual.load(store).present, folder.image_labels(ids))
    assert kept.load(store).present.tolist() == [[True, True]] * len(ids)
    assert dropped.load(store).present.tolist() == [[True, False]] * len(ids)
    assert not empty.load(store).present.any()


def test_a_source_of_labels_outside_the_folder_is_refused(data: Path) -> None:
    for outside in (str(data / "labels.csv"), "../voc/labels.csv"):
        with pytest.raises(InputError, match="is outside"):
            Photos(("cat",), splits=("train",), labels=outside).at(data)


def test_classes_that_are_not_chosen_are_unknown(store: Store, data: Path) -> None:
    source = Photos(("dog",), splits=("train",)).at(data)
    images = Images(source=source, split="train")
    store.ensure(images)
    masks = images.load(store).masks
    assert masks is not None
    assert set(np.unique(np.stack(list(masks)))) <= {0, 1, 255}


def test_seeds_are_those_of_the_functions(store: Store, train: Images) -> None:
    maps = [cams(train, 1.0), cams(train, 0.5)]
    merged = MergedCams(cams=tuple(maps), how="mean")
    crf = DenseCRF(iterations=2)
    threshold = Seeds(
        cams=maps[0],
        saliency=saliency(train),
        rule=ThresholdSeed(foreground_above=0.5, background_below=0.3),
    )
    refined = Seeds(cams=merged, saliency=saliency(train), rule=CrfSeed(crf))
    for stage in (threshold, refined):
        store.ensure(stage)
    data, model = train.load(store), classifier(train).load(store)
    inferred = [infer_cams(model, data.images, data.present, scale=each.scale) for each in maps]
    for i, image in enumerate(data.images):
        salient = torch.from_numpy(np.rint(BorderSaliency()(image) * 255) / 255).float()[None]
        each = [stage.reader(store)(i) for stage in maps]
        for stage, cam, at_features in zip(maps, each, inferred, strict=True):
            plain = cam_at_pixels(
                at_features[i], data.present[i], SIZE, scale=stage.scale, output_stride=4
            )
            assert torch.equal(cam, plain)
        expected = threshold_seed(
            each[0][None], salient, foreground_above=0.5, background_below=0.3
        )
        assert np.array_equal(threshold.label_maps(store)[i], expected[0].numpy())

        cam = merged.reader(store)(i)
        absent = ~torch.from_numpy(data.present[i])
        assert cam[absent].eq(0).all()
        plain = merge_cams([each[0][None], each[1][None]], "mean")[0]
        torch.testing.assert_close(cam, plain, rtol=0, atol=1e-3)  # kept in float16
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]
        expected = crf_seed(pixels, cam[None], salient, crf=crf)[0].numpy()
        assert np.array_equal(refined.label_maps(store)[i], expected)


def test_other_readings_of_open_points_are_those_of_the_functions(
    store: Store, train: Images
) -> None:
    biased = [cams(train, scale).model_copy(update={"bias": True}) for scale in (1.0, 0.5)]
    merged = MergedCams(cams=tuple(biased), how="mean", renormalise=False)
    strict = Seeds(
        cams=merged,
        saliency=saliency(train),
        rule=ThresholdSeed(background_below=0.3, class_conflict="unknown"),
    )
    store.ensure(strict)
    data, salient = train.load(store), saliency(train).load(store)
    model = classifier(train).load(store)
    with torch.no_grad():
        assert model.classifier.bias is not None
        assert model.classifier.bias.any()
    inferred = [
        infer_cams(model, data.images, data.present, scale=each.scale, bias=True) for each in biased
    ]
    for i, shown in enumerate(data.present):
        each = [
            cam_at_pixels(maps[i], shown, SIZE, scale=stage.scale, output_stride=4)[None]
            for stage, maps in zip(biased, inferred, strict=True)
        ]
        cam = merged.reader(store)(i)
        plain = merge_cams(each, "mean", renormalise=False)[0]
        torch.testing.assert_close(cam, plain, rtol=0, atol=1e-3)  # kept in float16
        expected = threshold_seed(
            cam[None],
            torch.from_numpy(salient[i] / np.float32(255))[None],
            background_below=0.3,
            class_conflict="unknown",
        )
        assert np.array_equal(strict.label_maps(store)[i], expected[0].numpy())


def test_seeds_without_saliency_take_their_background_from_the_cams(
    store: Store, train: Images
) -> None:
    maps, background = cams(train), CamBackground(alpha=8)
    threshold = Seeds(cams=maps, saliency=background, rule=ThresholdSeed())
    refined = Seeds(cams=maps, saliency=background, rule=CrfSeed(DenseCRF(iterations=1)))
    for stage in (threshold, refined):
        store.ensure(stage)
    assert not (store.runs / "saliency").exists()
    for i, image in enumerate(train.load(store).images):
        cam = maps.reader(store)(i)[None]
        salient = 1 - (1 - cam.amax(1)) ** 8
        assert np.array_equal(threshold.label_maps(store)[i], threshold_seed(cam, salient)[0])
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]
        expected = crf_seed(pixels, cam, salient, crf=DenseCRF(iterations=1))[0]
        assert np.array_equal(refined.label_maps(store)[i], expected)


def test_crf_seeds_made_together_are_those_made_alone(
    tmp_path: Path, store: Store, train: Images, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crf, maps = DenseCRF(iterations=2), [cams(train, scale) for scale in (1.0, 0.75, 0.5)]
    every = [Seeds(cams=each, saliency=saliency(train), rule=CrfSeed(crf)) for each in maps]
    counts = []

    def counted(image: np.ndarray, cams: Sequence[torch.Tensor], *args: Any, **named: Any) -> Any:
        counts.append(len(cams))
        return crf_seeds_of_image(image, cams, *args, **named)

    monkeypatch.setattr(wsss.seeds.crf, "crf_seeds_of_image", counted)
    run(every, store, workers=1, quiet=True)
    assert counts == [3] * 3  # three images, each with all its maps
    alone = Store(tmp_path / "alone", data)
    for stage in every:
        alone.ensure(stage)
    assert counts == [3] * 3 + [1] * 9
    for stage in every:
        for each in (stage, *stage.blocks):
            labels = [(s.folder(each) / "labels").read_bytes() for s in (store, alone)]
            assert labels[0] == labels[1]
        assert len(stage.label_maps(store)) == 3


def test_noise_differs_between_copies_and_random_seeds(store: Store, train: Images) -> None:
    stages = [
        noisy(train),
        noisy(train, 1),
        NoisyLabels(images=train, ratio=0.3, copy_number=0, rng_seed=1, smallest=0.1, largest=0.5),
    ]
    for stage in stages:
        store.ensure(stage)
    masks = train.load(store).masks
    assert masks is not None
    maps = [np.stack(list(stage.label_maps(store))) for stage in stages]
    truth = np.stack(list(masks))
    for each in maps:
        for label_map, mask in zip(each, truth, strict=True):
            foreground = (mask != 0) & (mask != 255)
            assert (label_map != mask).sum() == round(0.3 * foreground.sum())
    assert not np.array_equal(maps[0], maps[1])
    assert not np.array_equal(maps[0], maps[2])


def test_score_of_labels(store: Store, train: Images) -> None:
    perfect = LabelScore(labels=TrueLabels(images=train), images=train)
    spoilt = LabelScore(labels=noisy(train), images=train)
    for goal in (perfect, spoilt):
        store.ensure(goal)
    assert perfect.read(store)["miou"] == 100
    assert 40 < spoilt.read(store)["miou"] < 90


def test_labels_are_scored_on_fewer_images_than_they_are_made_for(store: Store, data: Path) -> None:
    """As seeds of train_aug on VOC's own train, whose images stand elsewhere in its list."""
    lists = data / "ImageSets" / "Segmentation"
    ids = [*(lists / "train.txt").read_text().split(), *(lists / "val.txt").read_text().split()]
    (lists / "every.txt").write_text("\n".join(ids))
    (lists / "some.txt").write_text("\n".join([ids[4], ids[1]]))
    source = Photos(("cat", "dog"), splits=("every", "some", "val")).at(data)
    every, some, val = (Images(source=source, split=name) for name in ("every", "some", "val"))
    goal = LabelScore(labels=noisy(every), images=some)
    store.ensure(goal)
    maps, masks = noisy(every).label_maps(store), every.load(store).masks
    assert masks is not None
    expected = score([maps[4], maps[1]], [masks[4], masks[1]], 3)
    assert goal.read(store)["confusion"] == expected.tolist()

    few = LabelScore(labels=noisy(val), images=some)
    with pytest.raises(InputError, match=f"'some': 1 of its images have .* first is {ids[1]}"):
        store.ensure(few)


def test_scenes_as_a_source(store: Store) -> None:
    scenes = Scenes(train=2, val=1, pilot=1)
    train = Images(source=scenes, split="train")
    store.ensure(train)
    loaded = train.load(store)
    assert loaded.ids == ["scene_train_0000", "scene_train_0001"]
    assert loaded.images.shape(0) == (64, 64, 3)
    assert len(scenes.open(store).ids("val")) == 1


def test_random_seeds_give_other_weights_and_sharpness_does_too(
    store: Store, train: Images
) -> None:
    labels = (noisy(train), noisy(train, 1))
    every = [
        segmenter(*labels, sharpness=0.0),
        segmenter(*labels, sharpness=5.0),
        segmenter(*labels, sharpness=0.0, rng_seed=1),
    ]
    for stage in every:
        store.ensure(stage)
    first, *others = (weights(store, stage) for stage in every)
    assert not any(equal(first, other) for other in others)


def test_choices_of_the_loss_reach_the_training(
    store: Store, train: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Reached(Exception):
        pass

    def loss(*choices: Any) -> None:
        raise Reached(*choices)

    monkeypatch.setattr(wsss.stages.segmenter, "segmenter_loss", loss)
    with pytest.raises(Reached) as reached:
        store.ensure(segmenter(noisy(train), noisy(train, 1), sharpness=3.0, unknown="left_out"))
    assert reached.value.args == (3.0, "left_out")


# --- interruptions and bad input -----------------------------------------------------------


def test_a_training_that_is_interrupted_goes_on(
    tmp_path: Path, store: Store, train: Images, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = segmenter(TrueLabels(images=train))
    steps = 0

    def interrupted(*choices: Any) -> Callable[..., torch.Tensor]:
        def loss(model: Network, *batch: torch.Tensor) -> tuple[torch.Tensor, Any]:
            nonlocal steps
            steps += 1
            if steps == 2:  # one step makes an epoch
                raise KeyboardInterrupt
            return segmenter_loss(*choices)(model, *batch)

        return loss

    with monkeypatch.context() as patch:
        patch.setattr(wsss.stages.segmenter, "segmenter_loss", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.ensure(stage)
    assert not store.done(stage)
    (checkpoint,) = store.runs.rglob("checkpoint.pt")
    state = torch.load(checkpoint, weights_only=True)
    assert len(state["history"]) == 1
    torch.save(state | {"seconds": 1000.0}, checkpoint)  # as if that epoch had taken so long

    store.ensure(stage)
    whole = Store(tmp_path / "other", data)
    whole.ensure(stage)
    assert equal(weights(store, stage), weights(whole, stage))
    records = [(each.folder(stage) / "history.json").read_text() for each in (store, whole)]
    assert records[0] == records[1]
    seconds = [each.provenance(stage)["seconds"] for each in (store, whole)]
    assert seconds[0] > 1000 > seconds[1]


@pytest.mark.parametrize("trained", ["classifier", "segmenter"])
def test_a_trained_network_is_loaded_to_the_accelerator(
    store: Store, train: Images, monkeypatch: pytest.MonkeyPatch, trained: str
) -> None:
    """Torch's device "meta", which holds no values, plays the accelerator."""
    stage = {"classifier": classifier(train), "segmenter": segmenter(TrueLabels(images=train))}
    store.ensure(stage[trained])
    assert {p.device.type for p in stage[trained].load(store).parameters()} == {"cpu"}
    monkeypatch.setattr("lightning_fabric.Fabric.device", torch.device("meta"))
    model = stage[trained].load(store)
    assert {p.device.type for p in model.parameters()} == {"meta"}
    assert not model.training


@pytest.mark.slow
def test_two_processes_make_one_result(
    store: Store, train: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One holds the lock and starts the two, one of which writes; a trace is as picklable."""
    network = NetworkSpec(name="vgg16", width=0.03)
    stage = WeightTrace(segmenter=segmenter(TrueLabels(images=train), network=network))
    monkeypatch.setenv("WSSS_PROCESSES", "2")
    store.ensure(stage)
    assert sorted(path.name for path in store.folder(stage).iterdir()) == [
        "SHA256SUMS", "epoch_0001.npz", "epoch_0002.npz", "history.json", "model.pt",
        "provenance.json", "spec.json",
    ]  # fmt: skip
    history = json.loads((store.folder(stage) / "history.json").read_text())
    assert len(history["loss"]) == SCHEDULE.epochs
    store.ensure(stage.segmenter)
    first, second = (torch.load(store.folder(s) / "model.pt") for s in (stage, stage.segmenter))
    assert equal(first, second)


def test_no_masks_no_score_but_training_needs_none(store: Store, data: Path) -> None:
    shutil.rmtree(data / "SegmentationClass")
    (data / "SegmentationClass").mkdir()
    train = Images(source=Photos(("cat", "dog"), splits=("train",)).at(data), split="train")
    seeds = Seeds(cams=cams(train), saliency=saliency(train), rule=ThresholdSeed())
    store.ensure(segmenter(seeds))
    for goal in (
        LabelScore(labels=seeds, images=train),
        SegmenterScore(segmenter=segmenter(seeds), images=train),
        TrueLabels(images=train),
        noisy(train),
    ):
        with pytest.raises(InputError, match="'train' has no masks"):
            store.ensure(goal)
        assert not store.done(goal)


def test_a_data_folder_that_changed_is_refused(store: Store, data: Path, train: Images) -> None:
    Image.new("RGB", (SIZE[1], SIZE[0])).save(data / "JPEGImages" / "2007_000000.jpg")
    with pytest.raises(InputError, match=f"{data}.*changed"):
        store.ensure(train)
    assert not store.done(train)
    again = Photos(("cat", "dog"), splits=("train", "val")).at(data)
    assert again.identity != train.source.identity
    store.ensure(Images(source=again, split="train"))


def test_an_unknown_split_is_refused(store: Store, train: Images) -> None:
    missing = Images(source=train.source, split="trian")
    with pytest.raises(InputError, match="'trian'"):
        store.ensure(missing)
    assert not store.done(missing)
