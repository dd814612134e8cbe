"""An unpacked VOC 2012 and SBD become a data folder: on small ones that look like them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from scipy.sparse import csc_matrix

from wsss.data import voc_setup
from wsss.data.check import check_folder
from wsss.data.labels import VOC_CLASSES, read_labels
from wsss.data.pictures import read_mask_png, write_mask_png
from wsss.data.voc import Subset, VocFolder
from wsss.data.voc_setup import SbdFolder, adopt_voc
from wsss.errors import InputError

TRAIN = ["2007_000032", "2007_000039"]
VAL = ["2007_000033", "2008_000001"]
EXTRA = ["2008_000002", "2009_000003", "2009_000004"]
TEST = ["2008_000006"]
SHOWN = {
    "2007_000032": ["cat"],
    "2007_000039": ["tvmonitor"],
    "2007_000033": ["dog", "person"],
    "2008_000001": ["car"],
    "2008_000002": ["cat", "chair"],
    "2009_000003": ["dog"],
    "2009_000004": ["sofa"],
}
SIZE = (6, 8)


def write_list(path: Path, ids) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{each}\n" for each in ids))


def mask_of(image_id: str) -> np.ndarray:
    mask = np.zeros(SIZE, np.uint8)
    for row, name in enumerate(SHOWN[image_id]):
        mask[1 + row] = 1 + VOC_CLASSES.index(name)
    return mask


def annotate(path: Path, names, difficult=()) -> None:
    objects = "".join(
        f"<object><name>{name}</name><difficult>{int(name in difficult)}</difficult></object>"
        for name in names
    )
    path.write_text(f"<annotation>{objects}</annotation>")


@pytest.fixture
def devkit(tmp_path, rng) -> Path:
    root = tmp_path / "VOCdevkit" / "VOC2012"
    for folder in ("JPEGImages", "SegmentationClass", "Annotations"):
        (root / folder).mkdir(parents=True)
    for image_id in [*TRAIN, *VAL, *EXTRA]:
        picture = rng.integers(0, 256, (*SIZE, 3), np.uint8)
        Image.fromarray(picture).save(root / "JPEGImages" / f"{image_id}.jpg")
        difficult = ("chair",) if "chair" in SHOWN[image_id] else ()
        annotate(root / "Annotations" / f"{image_id}.xml", SHOWN[image_id], difficult)
    for image_id in [*TRAIN, *VAL]:
        mask = mask_of(image_id)
        mask[0] = 255
        write_mask_png(root / "SegmentationClass" / f"{image_id}.png", mask)
    for split, ids in {"train": TRAIN, "val": VAL}.items():
        write_list(root / "ImageSets" / "Segmentation" / f"{split}.txt", ids)
    return tmp_path / "VOCdevkit"


@pytest.fixture
def sbd(tmp_path) -> Path:
    """SBD's masks, also of images of VOC's train and val, where VOC's own count."""
    masks = tmp_path / "benchmark_RELEASE" / "dataset" / "cls"
    masks.mkdir(parents=True)
    for image_id in [*EXTRA, TRAIN[0], VAL[0]]:
        savemat(masks / f"{image_id}.mat", {"GTcls": {"Segmentation": mask_of(image_id)}})
    return tmp_path / "benchmark_RELEASE"


@pytest.fixture
def lists(tmp_path) -> Path:
    folder = tmp_path / "lists"
    for split, ids in {
        "train": TRAIN,
        "train_aug": [*TRAIN, *EXTRA],
        "val": VAL,
        "test": TEST,
    }.items():
        write_list(folder / f"{split}.txt", ids)
    return folder


def snapshot(root: Path) -> dict[str, bytes]:
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def test_the_whole_of_voc_and_sbd(devkit, sbd, tmp_path):
    assert VAL[0] in SbdFolder(sbd).ids()  # and never in train_aug
    before = snapshot(devkit), snapshot(sbd)
    adopted = adopt_voc(devkit, tmp_path / "voc", sbd=sbd)
    assert (snapshot(devkit), snapshot(sbd)) == before
    assert adopted.counts == {"train": (2, 2), "train_aug": (5, 5), "val": (2, 2)}
    folder = VocFolder(tmp_path / "voc")
    assert folder.ids("train_aug") == [*TRAIN, *EXTRA]
    assert folder.classes == VOC_CLASSES
    for image_id in EXTRA:
        np.testing.assert_array_equal(folder.mask(image_id), mask_of(image_id))
    for image_id in [*TRAIN, *VAL]:  # with the border that SBD lacks
        assert (folder.mask(image_id)[0] == 255).all()
    labels = folder.image_labels([*TRAIN, *VAL, *EXTRA])
    for row, image_id in zip(labels, [*TRAIN, *VAL, *EXTRA], strict=True):
        assert {VOC_CLASSES[c] for c in np.flatnonzero(row)} == set(SHOWN[image_id])
    assert check_folder(folder.root, folder.classes).ok


def test_made_masks_are_palette_pngs(devkit, sbd, tmp_path):
    adopt_voc(devkit, tmp_path / "voc", sbd=sbd)
    with Image.open(tmp_path / "voc" / "SegmentationClass" / f"{EXTRA[0]}.png") as picture:
        assert picture.mode == "P"


def test_images_take_no_space(devkit, tmp_path):
    adopt_voc(devkit, tmp_path / "voc")
    name = f"JPEGImages/{TRAIN[0]}.jpg"
    assert (tmp_path / "voc" / name).samefile(devkit / "VOC2012" / name)


@pytest.mark.parametrize("possible", ["symbolic links", "copies"])
def test_where_links_are_impossible(devkit, tmp_path, monkeypatch, possible):
    def impossible(self, target):
        raise OSError("not here")

    monkeypatch.setattr(Path, "hardlink_to", impossible)
    if possible == "copies":
        monkeypatch.setattr(Path, "symlink_to", impossible)
    adopt_voc(devkit, tmp_path / "voc")
    image = tmp_path / "voc" / "JPEGImages" / f"{TRAIN[0]}.jpg"
    assert image.is_symlink() == (possible == "symbolic links")
    assert image.read_bytes() == (devkit / "VOC2012/JPEGImages" / image.name).read_bytes()


@pytest.mark.parametrize("place", ["..", ".", "VOC2012"])
def test_the_devkit_is_found_from_above(devkit, tmp_path, place):
    assert adopt_voc(devkit / place, tmp_path / "voc").counts["val"] == (2, 2)


def test_given_lists_come_first_and_may_be_psas(devkit, sbd, lists, tmp_path):
    lines = [f"/JPEGImages/{each}.jpg /SegmentationClassAug/{each}.png" for each in EXTRA[:2]]
    (lists / "train_aug.txt").write_text("\n".join(lines) + "\n\n")
    adopted = adopt_voc(devkit, tmp_path / "voc", sbd=sbd, lists=lists)
    assert VocFolder(tmp_path / "voc").ids("train_aug") == EXTRA[:2]
    assert adopted.counts["train_aug"] == (2, 2)


def test_without_sbd_training_goes_without_masks(devkit, lists, tmp_path):
    adopted = adopt_voc(devkit, tmp_path / "voc", lists=lists)
    assert adopted.counts["train_aug"] == (5, 2)
    assert "train_aug: 3 images without mask; training needs none" in adopted.notes
    assert VocFolder(tmp_path / "voc").image_labels(EXTRA).any(axis=1).all()


def test_without_sbd_and_lists_there_is_no_train_aug(devkit, tmp_path):
    adopted = adopt_voc(devkit, tmp_path / "voc")
    assert list(adopted.counts) == ["train", "val"]
    assert any(note.startswith("no train_aug") for note in adopted.notes)


def test_masks_of_val_are_never_sbds(devkit, sbd, tmp_path):
    (devkit / "VOC2012" / "SegmentationClass" / f"{VAL[0]}.png").unlink()
    assert adopt_voc(devkit, tmp_path / "voc", sbd=sbd).counts["val"] == (2, 1)


def test_a_ready_segmentation_class_aug_serves(devkit, lists, tmp_path):
    ready = devkit / "VOC2012" / "SegmentationClassAug"
    ready.mkdir()
    for image_id in EXTRA:
        write_mask_png(ready / f"{image_id}.png", mask_of(image_id))
    assert adopt_voc(devkit, tmp_path / "voc", lists=lists).counts["train_aug"] == (5, 5)


def test_test_images_come_with_the_test_devkit(devkit, lists, tmp_path):
    adopted = adopt_voc(devkit, tmp_path / "without", lists=lists)
    assert "test" not in adopted.counts
    assert any(note.startswith("no test") for note in adopted.notes)
    Image.new("RGB", SIZE[::-1]).save(devkit / "VOC2012" / "JPEGImages" / f"{TEST[0]}.jpg")
    adopted = adopt_voc(devkit, tmp_path / "with", lists=lists)
    assert adopted.counts["test"] == (1, 0)
    assert VocFolder(tmp_path / "with").size(TEST[0]) == SIZE


def test_difficult_objects_are_kept_or_dropped(devkit, sbd, tmp_path):
    for difficult, expected in (("keep", {"cat", "chair"}), ("drop", {"cat"})):
        out = tmp_path / difficult
        adopt_voc(devkit, out, sbd=sbd, difficult=difficult)
        (row,) = read_labels(out / "labels.csv", ["2008_000002"], VOC_CLASSES)
        assert {VOC_CLASSES[c] for c in np.flatnonzero(row)} == expected


def test_classes_restrict_as_the_photo_profile_reads_it(devkit, sbd, tmp_path):
    adopted = adopt_voc(devkit, tmp_path / "pets", sbd=sbd, classes=["cat", "dog"])
    folder = VocFolder(tmp_path / "pets", ["cat", "dog"])
    assert folder.ids("train") == ["2007_000032", "2008_000002", "2009_000003"]
    assert folder.ids("train_official") == ["2007_000032"]
    assert folder.ids("val") == ["2007_000033"]
    assert adopted.counts == {"train": (3, 3), "train_official": (1, 1), "val": (1, 1)}
    assert len(list((tmp_path / "pets" / "JPEGImages").iterdir())) == 4
    assert (folder.mask("2008_000002") == 255).any()  # the chair
    assert check_folder(folder.root, folder.classes).ok


def test_the_whole_of_voc_is_seen_as_a_prepared_subset_is(devkit, sbd, tmp_path):
    """Ids, sizes, pixels and masks of photos that somebody else selected and resized."""
    animals = ("cat", "cow", "dog", "horse", "sheep", "person")
    root = adopt_voc(devkit, tmp_path / "voc", sbd=sbd, classes=animals[:5]).root
    subset = Subset("train", "train_official", 1)
    folder = VocFolder(root, animals, longest_side=4, subset=subset)
    assert folder.ids("train") == ["2007_000032", "2009_000003"]  # cats are full
    assert folder.ids("train_official") == ["2007_000032"]
    assert folder.ids("val") == ["2007_000033"]
    for image_id in ("2009_000003", "2007_000033"):
        with Image.open(devkit / "VOC2012" / "JPEGImages" / f"{image_id}.jpg") as photo:
            expected = np.array(photo.resize((4, 3), Image.Resampling.LANCZOS))
        np.testing.assert_array_equal(folder.image(image_id), expected)
    mask = Image.fromarray(mask_of("2009_000003")).resize((4, 3), Image.Resampling.NEAREST)
    dogs = np.where(np.array(mask) == 1 + VOC_CLASSES.index("dog"), 3, 0)
    np.testing.assert_array_equal(folder.mask("2009_000003"), dogs)
    assert dogs.any()


def test_counts_are_compared_with_the_usual_ones(devkit, sbd, tmp_path):
    adopted = adopt_voc(devkit, tmp_path / "voc", sbd=sbd)
    assert "train_aug: 5 images; the usual list has 10582" in adopted.notes
    assert "train_aug           5 images      5 masks" in str(adopted)
    restricted = adopt_voc(devkit, tmp_path / "cats", sbd=sbd, classes=["cat", "dog"])
    assert not any("usual" in note for note in restricted.notes)


def test_repeating_changes_nothing(devkit, sbd, lists, tmp_path):
    first = adopt_voc(devkit, tmp_path / "voc", sbd=sbd, lists=lists)
    before = snapshot(tmp_path / "voc")
    assert adopt_voc(devkit, tmp_path / "voc", sbd=sbd, lists=lists) == first
    assert snapshot(tmp_path / "voc") == before


def test_an_interrupted_call_goes_on(devkit, sbd, tmp_path, monkeypatch):
    wanted = adopt_voc(devkit, tmp_path / "whole", sbd=sbd)

    def interrupted(path, mask):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(voc_setup, "write_mask_png", interrupted)
        with pytest.raises(KeyboardInterrupt):
            adopt_voc(devkit, tmp_path / "voc", sbd=sbd)
    assert list((tmp_path / "voc" / "ImageSets" / "Segmentation").iterdir()) == []
    assert adopt_voc(devkit, tmp_path / "voc", sbd=sbd).counts == wanted.counts
    assert snapshot(tmp_path / "voc") == snapshot(tmp_path / "whole")


def test_sbd_that_comes_later_adds_its_masks(devkit, sbd, lists, tmp_path):
    adopt_voc(devkit, tmp_path / "voc", lists=lists)
    assert adopt_voc(devkit, tmp_path / "voc", lists=lists, sbd=sbd).counts["train_aug"] == (5, 5)


def damage(devkit: Path, sbd: Path, lists: Path, what: str) -> None:
    voc = devkit / "VOC2012"
    if what == "image":
        (voc / "JPEGImages" / f"{EXTRA[0]}.jpg").unlink()
    elif what == "annotation":
        (voc / "Annotations" / f"{EXTRA[0]}.xml").unlink()
    elif what == "leak":
        write_list(lists / "train_aug.txt", [*TRAIN, VAL[0]])
    elif what == "id":
        write_list(lists / "val.txt", ["../../etc/passwd"])
    elif what == "twice":
        write_list(lists / "val.txt", [VAL[0], VAL[0]])
    elif what == "empty":
        write_list(lists / "val.txt", [])
    elif what == "list":
        (lists / "val.txt").unlink()
        (voc / "ImageSets" / "Segmentation" / "val.txt").unlink()
    elif what == "size":
        masks = sbd / "dataset" / "cls"
        wrong = {"GTcls": {"Segmentation": np.ones((8, 6), np.uint8)}}
        savemat(masks / f"{EXTRA[0]}.mat", wrong)


@pytest.mark.parametrize(
    ("what", "complaint"),
    [
        ("image", r"1 of 7 listed images are missing, the first is 2008_000002\.jpg"),
        ("annotation", "no labels for image '2008_000002'"),
        ("leak", "train_aug and val share 1 images, say 2007_000033"),
        ("id", "'passwd' is no id of VOC"),
        ("twice", "names an image twice"),
        ("empty", "names no image"),
        ("list", r"val\.txt: no such list"),
        ("size", r"2008_000002\.mat: the mask is 6 x 8 pixels, its image 8 x 6"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(devkit, sbd, lists, tmp_path, what, complaint):
    damage(devkit, sbd, lists, what)
    with pytest.raises(InputError, match=complaint) as caught:
        adopt_voc(devkit, tmp_path / "voc", sbd=sbd, lists=lists)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "voc").rglob("*.txt"))  # no list: no data folder yet


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"devkit": "nowhere"}, "no VOC 2012; give the folder"),
        ({"classes": ["cats"]}, "unknown class 'cats'; choose out of aeroplane"),
        ({"classes": ["boat"]}, "no image of train shows boat"),
        ({"lists": "nowhere"}, "nowhere: no such folder of lists"),
        ({"sbd": "nowhere"}, "no masks of SBD"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_made(devkit, tmp_path, settings, complaint):
    with pytest.raises(InputError, match=complaint):
        adopt_voc(**({"devkit": devkit, "out": tmp_path / "voc"} | settings))
    assert not (tmp_path / "voc").exists()


def test_other_folders_are_left_alone(devkit, tmp_path):
    before = snapshot(devkit)
    with pytest.raises(InputError, match="holds other files; give a new folder"):
        adopt_voc(devkit, devkit / "VOC2012")
    assert snapshot(devkit) == before


def other_sbd(sbd: Path) -> Path:
    """Another SBD with the same images."""
    path = sbd / "dataset" / "cls" / f"{EXTRA[0]}.mat"
    savemat(path, {"GTcls": {"Segmentation": np.full(SIZE, 20, np.uint8)}, "Version": 2})
    return sbd


def fewer_in(lists: Path) -> Path:
    """Lists with one image less to train on."""
    write_list(lists / "train_aug.txt", [*TRAIN, *EXTRA[1:]])
    return lists


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda _: {"difficult": "drop"}, r"labels\.csv: .* other labels of 2008_000002; .*--diff"),
        (
            lambda given: {"sbd": other_sbd(given["sbd"])},
            "voc: has masks of another SBD; give that",
        ),
        (lambda given: {"lists": fewer_in(given["lists"])}, r"train_aug\.txt: made of other lists"),
        (
            lambda given: {"sbd": None, "lists": None},
            r"train_aug\.txt: made of other lists or anoth",
        ),
        (
            lambda _: {"classes": ["cat", "dog"]},
            "voc: was made for other classes; give a new folder",
        ),
    ],
    ids=["difficult", "sbd", "lists", "neither", "classes"],
)
def test_an_existing_folder_is_never_rewritten(devkit, sbd, lists, tmp_path, change, complaint):
    given = {"sbd": sbd, "lists": lists}
    adopt_voc(devkit, tmp_path / "voc", **given)
    before = snapshot(tmp_path / "voc")
    with pytest.raises(InputError, match=complaint) as caught:
        adopt_voc(devkit, tmp_path / "voc", **(given | change(given)))
    assert "\n" not in str(caught.value)
    assert snapshot(tmp_path / "voc") == before


def test_what_is_made_later_agrees_with_what_is_there(devkit, sbd, tmp_path):
    """Without SBD first, then with it: a list more, and no label but new ones."""
    adopt_voc(devkit, tmp_path / "voc")
    before = (tmp_path / "voc" / "labels.csv").read_text().splitlines()
    adopt_voc(devkit, tmp_path / "voc", sbd=sbd)
    assert set(before) < set((tmp_path / "voc" / "labels.csv").read_text().splitlines())
    with pytest.raises(InputError, match="other labels of"):
        adopt_voc(devkit, tmp_path / "voc", sbd=sbd, difficult="drop")
    (tmp_path / "voc" / "ImageSets" / "Segmentation" / "mine.txt").write_text(EXTRA[0])
    adopt_voc(devkit, tmp_path / "voc", sbd=sbd)


def test_real_masks_survive_the_way_through_matlab(voc_mini, tmp_path):
    """SBD's masks in the mini set, written as SBD had them, come back pixel by pixel."""
    ids = VocFolder(voc_mini).ids("train")[:3]
    for image_id in ids:
        mask = read_mask_png(voc_mini / "SegmentationClass" / f"{image_id}.png")
        mask = np.where(mask == 255, 0, mask)
        savemat(tmp_path / f"{image_id}.mat", {"GTcls": {"Segmentation": mask}})
        np.testing.assert_array_equal(SbdFolder(tmp_path).mask(image_id), mask)


# --- SBD's masks ---------------------------------------------------------------------------


def write_sbd(path, mask):
    """Write a mask as SBD does, with its boundaries and the list of its classes."""
    shown = [int(each) for each in np.unique(mask) if each]
    boundaries = np.empty((20, 1), object)
    for index in range(20):
        boundaries[index, 0] = csc_matrix(mask == index + 1, dtype=float)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"Boundaries": boundaries, "Segmentation": mask, "CategoriesPresent": shown}
    savemat(path, {"GTcls": content}, do_compression=True)
    return path


@pytest.mark.parametrize("place", [".", "cls", "dataset/cls", "benchmark_RELEASE/dataset/cls"])
def test_masks_are_found_and_read_exactly(tmp_path, rng, place):
    mask = rng.integers(0, 21, (7, 9)).astype(np.uint8)
    write_sbd(tmp_path / place / "2008_000002.mat", mask)
    write_sbd(tmp_path / place / "2008_000001.mat", mask.T.copy())
    folder = SbdFolder(tmp_path)
    assert folder.ids() == ["2008_000001", "2008_000002"]
    assert folder.has_mask("2008_000002")
    assert not folder.has_mask("2008_000003")
    read = folder.mask("2008_000002")
    np.testing.assert_array_equal(read, mask)
    assert read.dtype == np.uint8


def test_a_mask_of_one_row_or_one_pixel_keeps_its_shape(tmp_path):
    for shape in ((1, 5), (5, 1), (1, 1)):
        write_sbd(tmp_path / "2008_000001.mat", np.ones(shape, np.uint8))
        assert SbdFolder(tmp_path).mask("2008_000001").shape == shape


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"GTcls": {"Segmentation": np.full((2, 2), 21, np.uint8)}}, "mask value 21"),
        ({"GTcls": {"Segmentation": np.full((2, 2), -1, np.int16)}}, "labels are 0 to 20"),
        ({"GTcls": {"Segmentation": np.zeros((2, 2, 3), np.uint8)}}, r"\(2, 2, 3\) of uint8"),
        ({"GTcls": {"Segmentation": np.zeros((2, 2))}}, "of float64, not a map"),
        ({"GTcls": {"Boundaries": np.zeros((2, 2))}}, "no mask of SBD can be read"),
        ({"GTinst": 1}, "no mask of SBD can be read"),
    ],
)
def test_other_content_is_refused(tmp_path, content, complaint):
    savemat(tmp_path / "2008_000001.mat", content)
    with pytest.raises(InputError, match=complaint) as caught:
        SbdFolder(tmp_path).mask("2008_000001")
    assert "2008_000001.mat" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_damaged_files_are_refused(tmp_path):
    path = write_sbd(tmp_path / "2008_000001.mat", np.ones((40, 40), np.uint8))
    good = path.read_bytes()
    for content in (b"", b"no matlab", good[:100], good[: len(good) // 2]):
        path.write_bytes(content)
        with pytest.raises(InputError, match="no mask of SBD can be read"):
            SbdFolder(tmp_path).mask("2008_000001")
    path.unlink()
    with pytest.raises(InputError, match="give the folder that holds cls"):
        SbdFolder(tmp_path)
