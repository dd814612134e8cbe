"""What is wrong with the data is told before anything is trained, and what changes is not taken."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from wsss import Lab
from wsss.choices import Weighting
from wsss.data.affine import Augmentation
from wsss.data.labels import write_labels_csv
from wsss.data.pictures import voc_palette, write_mask_png
from wsss.data.voc import VocFolder
from wsss.errors import InputError
from wsss.profiles import smoke
from wsss.seeds import ThresholdSeed
from wsss.stages import (
    Cams,
    Classifier,
    GivenSeeds,
    Images,
    LabelScore,
    NetworkSpec,
    Photos,
    Saliency,
    Seeds,
    Segmenter,
    SegmenterScore,
    Store,
    run,
)
from wsss.training import Schedule

IMAGE, MASK = "JPEGImages/2007_000004.jpg", "SegmentationClass/2007_000004.png"
HOW = {
    "network": NetworkSpec(name="vgg16_scenes", width=0.125),
    "schedule": Schedule(epochs=1, batch_size=2),
    "augmentation": Augmentation(crop=17),
    "rng_seed": 0,
}


@pytest.fixture
def data(make_voc):
    return make_voc(6, size=(24, 32))  # 0, 1, 2 are train, 3, 4, 5 val


def score_of(data, saliency=Saliency.by_border, **how):
    """The score on val of a segmenter that was trained on seeds: all stages that there are."""
    source = Photos(("cat", "dog"), splits=("train", "val")).at(data)
    train, val = (Images(source=source, split=split) for split in ("train", "val"))
    classifier = Classifier(images=train, **HOW)
    cams = Cams(classifier=classifier, images=train, scale=1.0)
    seeds = Seeds(cams=cams, saliency=saliency(train), rule=ThresholdSeed())
    return SegmenterScore(segmenter=Segmenter(labels=(seeds,), **HOW | how), images=val)


def missing_mask(data):
    (data / MASK).unlink()
    return f"split 'val' lacks 1 of 3 masks, the first {data / MASK}"


def no_masks(data):
    for k in (3, 4, 5):
        (data / MASK.replace("4", str(k))).unlink()
    return "split 'val' has no masks; training needs none, but scoring does"


def binary_masks(data):
    for k in (3, 4, 5):
        mask = np.zeros((24, 32), np.uint8)
        mask[2:9, 3:9] = 255
        write_mask_png(data / MASK.replace("4", str(k)), mask)
    return "split 'val': its masks hold 0 and 255 only, so nothing is scored"


def no_labels(data):
    lines = (data / "labels.csv").read_text().splitlines()
    empty = [f"{line.split(',')[0]},0,0" for line in lines[1:]]
    (data / "labels.csv").write_text("\n".join([lines[0], *empty]))
    return "split 'train': no image is labelled with any class"


def damaged_mask(data):
    (data / MASK).write_bytes((data / MASK).read_bytes()[:90])
    return f"{data / MASK}: the mask is damaged"


def coloured_mask(data):
    Image.new("RGB", (32, 24)).save(data / MASK)
    return f"{data / MASK}: a mask of mode RGB"


def small_mask(data):
    write_mask_png(data / MASK, np.zeros((12, 16), np.uint8))
    return f"{data / MASK}: the mask is 16 x 12 pixels, its image 32 x 24"


def strange_mask(data):
    write_mask_png(data / MASK, np.full((24, 32), 7, np.uint8))
    return f"{data / MASK}: mask value 7"


def renumbered_mask(data):
    picture, palette = Image.new("P", (32, 24), 1), voc_palette()
    palette[1] = palette[2]
    picture.putpalette(palette.tobytes())
    picture.save(data / MASK)
    return f"{data / MASK}: index 1 has the colour of VOC's index 2"


def damaged_image(data):
    (data / IMAGE).write_bytes((data / IMAGE).read_bytes()[:400])
    return f"{data / IMAGE}: the image is damaged"


def deep_image(data):
    Image.new("I;16", (32, 24)).save(data / IMAGE, format="PNG")
    return f"{data / IMAGE}: mode I;16 is more than 8 bits"


def shared_image(data):
    path = data / "ImageSets" / "Segmentation" / "val.txt"
    path.write_text(path.read_text() + "2007_000001\n")
    return "split 'val': 1 of its 4 images are in 'train' too, the first 2007_000001"


def unlabelled_image(data):
    lines = (data / "labels.csv").read_text().splitlines()
    (data / "labels.csv").write_text("\n".join(lines[:-1]))
    return f"{data / 'labels.csv'}: no labels for image '2007_000005'"


def misspelt_class(data):
    (data / "labels.csv").unlink()
    (data / "Annotations").mkdir()
    for k in range(6):
        name = "cta" if k == 5 else "cat"
        text = f"<annotation><object><name>{name}</name></object></annotation>"
        (data / "Annotations" / f"2007_{k:06d}.xml").write_text(text)
    return f"{data / 'Annotations' / '2007_000005.xml'}: <name>'cta' is no class of the folder"


FAULTS = [
    missing_mask, no_masks, binary_masks, no_labels, damaged_mask, coloured_mask, small_mask,
    strange_mask, renumbered_mask, damaged_image, deep_image, shared_image, unlabelled_image,
    misspelt_class,
]  # fmt: skip


def trained(store):
    return [path for path in store.runs.glob("classifier/*") if path.suffix != ".lock"]


@pytest.mark.parametrize(("fault", "workers"), [*((each, 1) for each in FAULTS), (damaged_mask, 2)])
def test_a_fault_of_val_is_told_before_the_first_training(tmp_path, data, fault, workers):
    says, store = fault(data), Store(tmp_path / "runs", data)
    with pytest.raises(InputError) as told:
        run([score_of(data)], store, workers=workers, quiet=True)
    assert str(told.value).startswith(says)
    assert not trained(store)


def test_a_damaged_saliency_map_or_seed_of_others_is_told_before_too(tmp_path, data):
    for folder in ("saliency_aug", "seeds/theirs"):
        (data / folder).mkdir(parents=True)
        for k in range(3):
            Image.new("L", (32, 24), 255).save(data / folder / f"2007_{k:06d}.png")
    store = Store(tmp_path / "runs", data)
    by_maps = score_of(data, lambda train: Saliency.by_maps(train, data))
    Image.new("RGB", (32, 24)).save(data / "saliency_aug" / "2007_000002.png")
    coloured = score_of(data, lambda train: Saliency.by_maps(train, data))
    with pytest.raises(InputError, match="mode RGB; a saliency map is 8-bit grey"):
        run([coloured], store, workers=1)
    theirs = data / "seeds" / "theirs" / "2007_000002.png"
    Image.new("L", (9, 9)).save(theirs)
    given = GivenSeeds.of(by_maps.segmenter.images, data, "theirs")
    both = Segmenter(labels=(*score_of(data).segmenter.labels, given), **HOW)
    with pytest.raises(InputError, match=f"{theirs}: the mask is 9 x 9 pixels"):
        run([SegmenterScore(segmenter=both, images=by_maps.images)], store, workers=1)
    assert not trained(store)


def test_saliency_maps_of_0_and_1_are_told_before_too(tmp_path, data):
    """A seed would have no foreground that is salient, and nobody would say so."""
    (data / "saliency_aug").mkdir()
    for k in range(3):
        Image.new("L", (32, 24), k % 2).save(data / "saliency_aug" / f"2007_{k:06d}.png")
    store = Store(tmp_path / "runs", data)
    with pytest.raises(InputError, match=r"saliency_aug: no map holds more than 1, so nothing is"):
        run([score_of(data, lambda train: Saliency.by_maps(train, data))], store, workers=1)
    assert not trained(store)


def test_a_segmenter_without_network_weights_or_batch_is_told_before_its_classifier_is_trained(
    tmp_path, data, monkeypatch
):
    monkeypatch.setenv("WSSS_WEIGHTS", str(tmp_path / "nowhere"))
    store = Store(tmp_path / "runs", data)
    with pytest.raises(InputError, match=r"weights 'vgg16': .* missing; run: wsss weights fetch"):
        run([score_of(data, network=NetworkSpec.imagenet("vgg16"))], store, workers=1, quiet=True)
    for weights in (None, "imagenet", "shipped"):
        unknown = NetworkSpec(name="vgg19", weights=weights)
        with pytest.raises(InputError, match="unknown network 'vgg19'; choose one of efficient"):
            run([score_of(data, network=unknown)], store, workers=1, quiet=True)
    large = Schedule(epochs=1, batch_size=4)
    with pytest.raises(InputError, match="split 'train': 3 images do not fill a batch of 4"):
        run([score_of(data, schedule=large)], store, workers=1, quiet=True)
    assert not trained(store)


def test_labels_that_are_not_made_of_some_images_are_told_before_too(tmp_path, data):
    score = score_of(data)
    (seeds,) = score.segmenter.labels
    store = Store(tmp_path / "runs", data)
    with pytest.raises(InputError, match="split 'val': 3 of its images have no label map"):
        run([LabelScore(labels=seeds, images=score.images)], store, workers=1, quiet=True)
    assert not trained(store)


# --- changed underneath --------------------------------------------------------------------


def other_image(data):
    Image.new("RGB", (32, 24), (1, 2, 3)).save(data / IMAGE)


def other_mask(data):
    write_mask_png(data / MASK, np.ones((24, 32), np.uint8))


def other_labels(data):
    path = data / "labels.csv"
    ids = [f"2007_{k:06d}" for k in range(6)]
    write_labels_csv(path, ids, ["cat", "dog"], np.ones((6, 2), bool))


@pytest.mark.parametrize("change", [other_image, other_mask, other_labels])
def test_what_changed_after_it_was_described_is_not_taken(tmp_path, data, change):
    store, val = Store(tmp_path / "runs", data), score_of(data).images
    store.ensure(val.source)  # the folder is as it was described
    change(data)
    with pytest.raises(InputError, match=f"^{data}: its content changed meanwhile; start again$"):
        store.ensure(val)
    assert not store.done(val)


@pytest.mark.parametrize("change", [other_image, other_mask])
def test_what_changes_while_it_is_decoded_is_not_taken(tmp_path, data, change, monkeypatch):
    store, val, real = Store(tmp_path / "runs", data), score_of(data).images, VocFolder.image

    def image(folder, image_id):
        if image_id.endswith("3"):  # the first
            change(data)
        return real(folder, image_id)

    monkeypatch.setattr(VocFolder, "image", image)
    with pytest.raises(InputError, match="its content changed meanwhile"):
        store.ensure(val)
    assert not store.done(val)


@pytest.mark.parametrize("folder", ["saliency_aug", "seeds/theirs"])
def test_maps_and_seeds_that_change_while_they_are_read_are_not_taken(
    tmp_path, data, folder, monkeypatch
):
    (data / folder).mkdir(parents=True)
    for k in range(3):
        Image.new("L", (32, 24), 255).save(data / folder / f"2007_{k:06d}.png")
    images, store = score_of(data).segmenter.images, Store(tmp_path / "runs", data)
    of_maps = folder == "saliency_aug"
    stage = Saliency.by_maps(images, data) if of_maps else GivenSeeds.of(images, data, "theirs")
    real = VocFolder.size

    def size(photos, image_id):
        Image.new("L", (32, 24), 0).save(data / folder / "2007_000002.png")
        return real(photos, image_id)

    store.ensure(images)
    monkeypatch.setattr(VocFolder, "size", size)
    with pytest.raises(InputError, match="its content changed meanwhile"):
        store.ensure(stage)
    assert not store.done(stage)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: Lab(replace(smoke(), testing="CRF")).asked("table5"), "testing is 'CRF'; choose"),
        (lambda: Lab("smoke").asked("table5", testing="MS"), "'single', 'crf', 'ms', 'ms.crf'"),
        (lambda: Lab("smoke", precision="fp32"), "precision is 'fp32'; choose one of '32', 'tf32'"),
        (lambda: Lab("smoke", compute="nothing"), "compute is 'nothing'; choose one of 'missing'"),
        (lambda: Weighting(unknown="ignored"), "Weighting: unknown is 'ignored'; choose"),
        (lambda: ThresholdSeed(class_conflict="max"), "class_conflict is 'max'; choose one of"),
    ],
)
def test_words_that_are_none_of_an_option_are_told_before_too(ask, message):
    """Each was once taken for another word, or refused by what comes after hours."""
    with pytest.raises(InputError, match=message):
        ask()
