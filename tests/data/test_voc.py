"""The reader of the VOC layout, on folders that are right and on folders that are not."""

from __future__ import annotations

import csv
import json
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image, ImageFile

from wsss import files
from wsss.data.check import check_folder
from wsss.data.labels import VOC_CLASSES
from wsss.data.pictures import shrink, voc_palette, write_mask_png
from wsss.data.suspicions import left_out
from wsss.data.voc import Subset, VocFolder
from wsss.errors import InputError

MakeVoc = Callable[..., Path]
LISTS = Path("ImageSets", "Segmentation")


def contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def refused(root: Path, act: Callable[[], object]) -> str:
    """Return the one line with which `act` is refused; nothing in `root` may change."""
    before = contents(root)
    with pytest.raises(InputError) as caught:
        act()
    assert contents(root) == before
    message = str(caught.value)
    assert message
    assert "\n" not in message
    return message


def write_xml(path: Path, names: Sequence[str]) -> None:
    objects = "".join(f"<object><name>{name}</name></object>" for name in names)
    path.write_text(f"<annotation>{objects}</annotation>")


# --- what is there -------------------------------------------------------------------------


def test_reads_what_is_there(make_voc: MakeVoc) -> None:
    folder = VocFolder(make_voc(5, size=(12, 16), classes=("cat", "dog", "cow")))
    assert folder.classes == ("cat", "dog", "cow")
    assert folder.splits() == ["train", "val"]
    assert folder.ids("train") == ["2007_000000", "2007_000001", "2007_000002"]
    assert folder.ids("val") == ["2007_000003", "2007_000004"]
    for image_id in folder.ids("train"):
        image, mask = folder.image(image_id), folder.mask(image_id)
        assert (image.shape, image.dtype) == ((12, 16, 3), np.uint8)
        assert (mask.shape, mask.dtype) == ((12, 16), np.uint8)
        assert folder.size(image_id) == (12, 16)
        assert folder.has_image(image_id)
        assert folder.has_mask(image_id)
        shown = np.isin([1, 2, 3], mask)
        np.testing.assert_array_equal(folder.image_labels([image_id]), shown[None])


def test_a_choice_of_classes_is_renumbered_and_the_rest_ignored(make_voc: MakeVoc) -> None:
    root = make_voc(6, classes=("cat", "dog", "cow", "hen"))
    whole, part = VocFolder(root), VocFolder(root, ["hen", "cat"])
    assert part.classes == ("hen", "cat")
    for image_id in whole.ids("train"):
        expected = np.full((12, 16), 255, np.uint8)
        for old, new in {0: 0, 4: 1, 1: 2}.items():
            expected[whole.mask(image_id) == old] = new
        np.testing.assert_array_equal(part.mask(image_id), expected)
    ids = whole.ids("train")
    np.testing.assert_array_equal(part.image_labels(ids), whole.image_labels(ids)[:, [3, 0]])


def test_blank_lines_and_spaces_in_a_split(make_voc: MakeVoc) -> None:
    root = make_voc(2)
    (root / LISTS / "odd.txt").write_text("\ufeff\n 2007_000001 \r\n\n2007_000000", "utf-8")
    assert VocFolder(root).ids("odd") == ["2007_000001", "2007_000000"]


def test_masks_may_be_grey_pngs_of_indices(make_voc: MakeVoc) -> None:
    root = make_voc(1)
    folder = VocFolder(root)
    before = folder.mask("2007_000000")
    path = root / "SegmentationClass" / "2007_000000.png"
    Image.fromarray(before).save(path)
    with Image.open(path) as picture:
        assert picture.mode == "L"
    np.testing.assert_array_equal(folder.mask("2007_000000"), before)


def test_grey_images_become_rgb(make_voc: MakeVoc) -> None:
    root = make_voc(1)
    Image.new("L", (16, 12), 7).save(root / "JPEGImages" / "2007_000000.jpg")
    assert VocFolder(root).image("2007_000000").shape == (12, 16, 3)


def test_training_needs_no_masks_and_evaluation_no_labels(make_voc: MakeVoc) -> None:
    root = make_voc(2)
    shutil.rmtree(root / "SegmentationClass")
    folder = VocFolder(root)
    assert folder.image_labels(folder.ids("train")).any()
    assert not folder.has_mask("2007_000000")
    message = refused(root, lambda: folder.mask("2007_000000"))
    assert "evaluation needs masks, training does not" in message

    root = make_voc(2, name="unlabelled")
    (root / "labels.csv").unlink()
    folder = VocFolder(root)
    assert folder.mask("2007_000000").any()
    message = refused(root, lambda: folder.image_labels(["2007_000000"]))
    assert "training needs labels.csv, cls_labels.npy or Annotations/" in message


def test_sources_of_labels_in_their_order(make_voc: MakeVoc) -> None:
    root = make_voc(1)
    ids = ["2007_000000"]
    (root / "labels.csv").write_text("id,dog,cat\n2007_000000,0,0\n")
    np.save(root / "cls_labels.npy", np.array({2007000000: np.array([0.0, 1.0])}, object))
    (root / "Annotations").mkdir()
    write_xml(root / "Annotations" / "2007_000000.xml", ["cat"])
    (root / "other.csv").write_text("id,dog,cat\n2007_000000,1,1\n")

    assert VocFolder(root, labels=root / "other.csv").image_labels(ids).tolist() == [[1, 1]]
    assert VocFolder(root).image_labels(ids).tolist() == [[0, 0]]
    (root / "labels.csv").unlink()
    assert VocFolder(root).image_labels(ids).tolist() == [[0, 1]]
    (root / "cls_labels.npy").unlink()
    assert VocFolder(root).image_labels(ids).tolist() == [[1, 0]]


# --- what is wrong -------------------------------------------------------------------------


def test_not_a_data_folder(tmp_path: Path, make_voc: MakeVoc) -> None:
    assert "no such folder" in refused(tmp_path, lambda: VocFolder(tmp_path / "nowhere"))
    message = refused(tmp_path, lambda: VocFolder(tmp_path))
    assert "expected JPEGImages/ID.jpg" in message
    assert "found nothing" in message
    root = make_voc(1)
    shutil.rmtree(root / "JPEGImages")
    message = refused(root, lambda: VocFolder(root))
    assert "found ImageSets, SegmentationClass, classes.txt, labels.csv" in message
    assert "no such folder" in refused(root, lambda: VocFolder(root / "labels.csv"))


@pytest.mark.parametrize(
    ("classes", "says"),
    [
        (["zebra"], "unknown class 'zebra'; name each once, out of cat, dog"),
        (["background"], "unknown class 'background'"),
        (["cat", "cat"], "classes ('cat', 'cat'); name each once"),
        ([], "classes ()"),
    ],
)
def test_bad_choice_of_classes(make_voc: MakeVoc, classes: list[str], says: str) -> None:
    root = make_voc(1)
    assert says in refused(root, lambda: VocFolder(root, classes))


@pytest.mark.parametrize(
    "text", ["", "cat\ncat\n", "background\ncat\n", "".join(f"class{i}\n" for i in range(255))]
)
def test_bad_classes_txt(make_voc: MakeVoc, text: str) -> None:
    root = make_voc(1)
    (root / "classes.txt").write_text(text)
    assert "classes.txt: " in refused(root, lambda: VocFolder(root))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no image"),
        ("a\n\na\n", "line 3: 'a' is on line 1 too"),
        ("a\nb 1\n", "line 2: 'b 1' is no id"),
        ("../../a\n", "line 1: '../../a' is no id"),
        ("\udcff", "cannot be read as text"),
    ],
)
def test_bad_split(make_voc: MakeVoc, text: str, says: str) -> None:
    root = make_voc(1)
    (root / LISTS / "odd.txt").write_text(text, encoding="utf-8", errors="surrogateescape")
    message = refused(root, lambda: VocFolder(root).ids("odd"))
    assert "odd.txt" in message
    assert says in message


@pytest.mark.parametrize("split", ["test", "../Segmentation/train", ""])
def test_missing_split(make_voc: MakeVoc, split: str) -> None:
    root = make_voc(2)
    message = refused(root, lambda: VocFolder(root).ids(split))
    assert f"no split {split!r}; there are train, val" in message


def test_missing_image(make_voc: MakeVoc) -> None:
    root = make_voc(2)
    path = root / "JPEGImages" / "2007_000001.jpg"
    path.unlink()
    folder = VocFolder(root)
    for act in (folder.image, folder.size, folder.mask):
        message = refused(root, lambda act=act: act("2007_000001"))
        assert f"{path}: no such image" in message
    assert str(path) in refused(root, lambda: folder.fingerprint(["val"]))


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.9, 0.99])
def test_truncated_image(make_voc: MakeVoc, kept: float) -> None:
    root = make_voc(1, size=(60, 80))
    path = root / "JPEGImages" / "2007_000000.jpg"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    message = refused(root, lambda: VocFolder(root).image("2007_000000"))
    assert f"{path}: the image is damaged" in message
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_an_image_that_is_none(make_voc: MakeVoc) -> None:
    root = make_voc(1)
    path = root / "JPEGImages" / "2007_000000.jpg"
    path.write_text("<html>\n404\n</html>")
    assert "the image is damaged" in refused(root, lambda: VocFolder(root).image("2007_000000"))


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.8])
def test_truncated_mask(make_voc: MakeVoc, kept: float, rng: np.random.Generator) -> None:
    root = make_voc(1, size=(60, 80))
    path = root / "SegmentationClass" / "2007_000000.png"
    write_mask_png(path, rng.integers(0, 3, (60, 80), np.uint8))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    message = refused(root, lambda: VocFolder(root).mask("2007_000000"))
    assert f"{path}: the mask is damaged" in message


def test_a_mask_of_another_size(make_voc: MakeVoc) -> None:
    root = make_voc(1, size=(12, 16))
    path = root / "SegmentationClass" / "2007_000000.png"
    write_mask_png(path, np.zeros((16, 12), np.uint8))
    message = refused(root, lambda: VocFolder(root).mask("2007_000000"))
    assert f"{path}: the mask is 12 x 16 pixels, its image 16 x 12" in message


def test_a_mask_of_colours_or_of_other_values(make_voc: MakeVoc) -> None:
    root = make_voc(1)
    path = root / "SegmentationClass" / "2007_000000.png"
    Image.new("RGB", (16, 12)).save(path)
    assert "mode RGB" in refused(root, lambda: VocFolder(root).mask("2007_000000"))
    for value in (3, 254):
        write_mask_png(path, np.full((12, 16), value, np.uint8))
        message = refused(root, lambda: VocFolder(root).mask("2007_000000"))
        assert f"mask value {value}; use 0 to 2, or 255 for ignore" in message


def test_images_without_labels(make_voc: MakeVoc) -> None:
    root = make_voc(3)
    (root / "labels.csv").write_text("id,cat,dog\n2007_000000,1,0\n")
    folder = VocFolder(root)
    message = refused(root, lambda: folder.image_labels(folder.ids("train")))
    assert "labels.csv: no labels for image '2007_000001'; add them" in message
    message = refused(root, lambda: VocFolder(root, labels=root / "none.csv"))
    assert "none.csv: no such source of image-level labels" in message


# --- masks as files ------------------------------------------------------------------------


def test_palette_is_vocs() -> None:
    palette = voc_palette()
    assert (palette.shape, palette.dtype) == ((256, 3), np.uint8)
    for index in range(256):
        colour, rest = [0, 0, 0], index
        for place in range(7, -1, -1):
            for channel in range(3):
                colour[channel] |= (rest >> channel & 1) << place
            rest >>= 3
        assert palette[index].tolist() == colour
    assert len(np.unique(palette, axis=0)) == 256


def test_masks_written_are_masks_read(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    mask = np.arange(256, dtype=np.uint8).reshape(8, 32)
    for _ in range(2):  # the second time over the first
        write_mask_png(path, mask)
    with Image.open(path) as picture:
        assert picture.mode == "P"
        np.testing.assert_array_equal(np.array(picture), mask)
        np.testing.assert_array_equal(np.array(picture.convert("RGB")), voc_palette()[mask])
    assert [each.name for each in tmp_path.iterdir()] == ["mask.png"]


@pytest.mark.parametrize("bad", [np.zeros((2, 2)), np.zeros((2, 2, 3), np.uint8)])
def test_bad_masks_are_not_written(tmp_path: Path, bad: np.ndarray) -> None:
    path = tmp_path / "mask.png"
    write_mask_png(path, np.ones((2, 2), np.uint8))
    assert "a mask is (H, W) of uint8" in refused(tmp_path, lambda: write_mask_png(path, bad))


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mask.png"
    write_mask_png(path, np.ones((2, 2), np.uint8))
    before = contents(tmp_path)

    def half(self: Path, content: bytes) -> None:
        with self.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OSError, match="disk full"):
        write_mask_png(path, np.zeros((2, 2), np.uint8))
    assert contents(tmp_path) == before


# --- fingerprint ---------------------------------------------------------------------------


def test_fingerprint_ignores_the_place_and_what_is_not_listed(make_voc: MakeVoc) -> None:
    here = VocFolder(make_voc(4, name="here"))
    root = make_voc(4, name="there")
    there = VocFolder(root)
    assert here.fingerprint(["train", "val"]) == there.fingerprint(["val", "train", "val"])
    (root / "README").write_text("more")
    (root / "JPEGImages" / "unlisted.jpg").write_bytes(b"")
    with (root / "labels.csv").open("a") as stream:
        stream.write("unlisted,1,1\n")
    assert here.fingerprint(["train", "val"]) == there.fingerprint(["train", "val"])
    assert len(here.fingerprint(["train"])) == 64


def swap_ids(root: Path) -> None:
    path = root / LISTS / "train.txt"
    path.write_text("".join(f"{line}\n" for line in reversed(path.read_text().split())))


def flip_label(root: Path) -> None:
    path = root / "labels.csv"
    text = path.read_text()
    path.write_text(text.replace("000000,1", "000000,X").replace("000000,0", "000000,1"))
    path.write_text(path.read_text().replace("000000,X", "000000,0"))


def touch_image(root: Path) -> None:
    with (root / "JPEGImages" / "2007_000000.jpg").open("ab") as stream:
        stream.write(b"\0")


def empty_mask(root: Path) -> None:
    write_mask_png(root / "SegmentationClass" / "2007_000000.png", np.zeros((12, 16), np.uint8))


def remove_mask(root: Path) -> None:
    (root / "SegmentationClass" / "2007_000000.png").unlink()


def test_fingerprint_depends_on_the_choice_of_classes(make_voc: MakeVoc) -> None:
    root = make_voc(4)
    prints = {VocFolder(root, classes).fingerprint(["train"]) for classes in (None, ["cat"])}
    assert len(prints) == 2


def older(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the files of a test count as if they had been there for long."""
    monkeypatch.setattr(files, "SETTLED", -60.0)


def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """No image, mask or label may be read from now on."""

    def refuse(*_: object) -> None:
        raise AssertionError("read again")

    for name in ("_read_fingerprint", "find_labels", "image_labels"):
        monkeypatch.setattr(VocFolder, name, refuse)


def test_what_has_not_changed_is_not_read_again(
    make_voc: MakeVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, cache = make_voc(4), tmp_path / "runs" / "fingerprints.json"
    choice = Subset("train", "val", 1)
    plain = VocFolder(root, subset=choice).fingerprint(["train", "val"])
    older(monkeypatch)
    assert VocFolder(root, subset=choice).fingerprint(["train", "val"], cache) == plain
    unread(monkeypatch)
    assert VocFolder(root, subset=choice).fingerprint(["val", "train"], cache) == plain
    assert list(json.loads(cache.read_text()).values()) == [plain]
    with pytest.raises(AssertionError, match="read again"):
        VocFolder(root, subset=choice, difficult="drop").fingerprint(["train"], cache)


@pytest.mark.parametrize("change", [swap_ids, flip_label, touch_image, empty_mask, remove_mask])
def test_a_fingerprint_notices_cached_or_not(
    make_voc: MakeVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable
) -> None:
    root, cache = make_voc(4), tmp_path / "fingerprints.json"
    older(monkeypatch)
    before, other = (VocFolder(root).fingerprint([split], cache) for split in ("train", "val"))
    change(root)
    after = VocFolder(root).fingerprint(["train"], cache)
    assert after == VocFolder(root).fingerprint(["train"]) != before
    assert VocFolder(root).fingerprint(["val"]) == other != before


def test_the_xml_of_labels_is_looked_at_too(
    make_voc: MakeVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, cache = make_voc(1), tmp_path / "fingerprints.json"
    (root / "labels.csv").unlink()
    (root / "Annotations").mkdir()
    older(monkeypatch)
    prints = []
    for name in ("cat", "dog"):
        write_xml(root / "Annotations" / "2007_000000.xml", [name])
        prints.append(VocFolder(root).fingerprint(["train"], cache))
        assert prints[-1] == VocFolder(root).fingerprint(["train"])
    assert len(set(prints)) == 2


def test_files_that_have_just_changed_are_not_remembered(make_voc: MakeVoc, tmp_path: Path) -> None:
    """They could change again without another time of change."""
    cache = tmp_path / "fingerprints.json"
    VocFolder(make_voc(1)).fingerprint(["train"], cache)
    assert not cache.exists()


@pytest.mark.parametrize("damaged", ["", "{", "[1]", '{"a": 1}', "\0"])
def test_a_damaged_cache_is_as_good_as_none(
    make_voc: MakeVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damaged: str
) -> None:
    root, cache = make_voc(1), tmp_path / "fingerprints.json"
    older(monkeypatch)
    cache.write_text(damaged)
    expected = VocFolder(root).fingerprint(["train"])
    assert VocFolder(root).fingerprint(["train"], cache) == expected
    unread(monkeypatch)
    assert VocFolder(root).fingerprint(["train"], cache) == expected  # mended


def test_a_cache_that_cannot_be_written_stops_nobody(
    make_voc: MakeVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_voc(1)
    older(monkeypatch)
    (tmp_path / "file").write_text("")
    cache = tmp_path / "file" / "fingerprints.json"
    assert len(VocFolder(root).fingerprint(["train"], cache)) == 64


# --- classes of one's own ------------------------------------------------------------------


def test_the_table_of_labels_names_the_classes(make_voc: MakeVoc) -> None:
    root = make_voc(4, classes=("oak", "elm"))
    named = VocFolder(root)
    (root / "classes.txt").unlink()
    folder = VocFolder(root)
    assert folder.classes == folder.every_class == ("oak", "elm")
    ids = folder.ids("train")
    np.testing.assert_array_equal(folder.image_labels(ids), named.image_labels(ids))
    np.testing.assert_array_equal(folder.mask(ids[0]), named.mask(ids[0]))
    assert folder.fingerprint(["train"]) == named.fingerprint(["train"])
    assert check_folder(root).ok


@pytest.mark.parametrize("header", ["id,dog,cat", f"id,place,{','.join(VOC_CLASSES)}"])
def test_a_table_with_vocs_classes_means_vocs_masks(make_voc: MakeVoc, header: str) -> None:
    root = make_voc(1)
    (root / "classes.txt").unlink()
    (root / "labels.csv").write_text(header + "\n")
    assert VocFolder(root).classes == VOC_CLASSES


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("id,cat,elm", "names VOC's 'cat' and, new to VOC, 'elm'; write the classes of the masks"),
        ("oak,elm", "'id' occurs 0 times"),
        ("id,oak,oak", "name 1 to 254 foreground classes, each once"),
        ("id", "name 1 to 254 foreground classes"),
    ],
)
def test_tables_that_name_no_classes(make_voc: MakeVoc, header: str, says: str) -> None:
    root = make_voc(1)
    (root / "classes.txt").unlink()
    (root / "labels.csv").write_text(header + "\n")
    message = refused(root, lambda: VocFolder(root))
    assert f"{root / 'labels.csv'}: " in message
    assert says in message


def test_what_is_left_out_is_said(make_voc: MakeVoc) -> None:
    root = make_voc(6, classes=("oak", "elm", "ash"), splits={"train": range(6)})
    folder = VocFolder(root, ["elm"])
    none = int((~folder.image_labels(folder.ids("train"))).sum())
    line = (
        f"{root}: 2 of 3 classes are left out (oak, ash); {none} of the 6 images of 'train' show "
        "none of the others"
    )
    assert 0 < none < 6
    assert left_out(folder, "train") == line
    assert check_folder(root, ["elm"]).notes == (line,)
    assert left_out(VocFolder(root), "train") == ""


# --- check ---------------------------------------------------------------------------------


def test_check_of_a_good_folder(make_voc: MakeVoc) -> None:
    root = make_voc(6)
    before = contents(root)
    report = check_folder(root)
    assert report.ok
    assert report.problems == report.notes == ()
    assert [len(split.ids) for split in report.splits] == [3, 3]
    for split in report.splits:
        assert split.labelled == split.segmented
        assert sum(split.labelled.values()) > 0
    assert "no problems in 2 splits" in str(report)
    assert contents(root) == before


def test_check_finds_every_problem_once(make_voc: MakeVoc) -> None:
    root = make_voc(8, splits={"train": range(6), "some": range(4), "val": [6, 7]})
    ids = [f"2007_{index:06d}" for index in range(8)]
    images, masks = root / "JPEGImages", root / "SegmentationClass"
    (images / f"{ids[0]}.jpg").unlink()
    (images / f"{ids[1]}.jpg").write_bytes((images / f"{ids[1]}.jpg").read_bytes()[:400])
    write_mask_png(masks / f"{ids[2]}.png", np.zeros((5, 5), np.uint8))
    write_mask_png(masks / f"{ids[3]}.png", np.full((12, 16), 9, np.uint8))
    (masks / f"{ids[4]}.png").unlink()
    for image_id in ids[6:]:
        (masks / f"{image_id}.png").unlink()
    lines = (root / "labels.csv").read_text().splitlines(keepends=True)
    (root / "labels.csv").write_text("".join(lines[:6]))
    (root / LISTS / "odd.txt").write_text("a b\n")
    before = contents(root)

    report = check_folder(root)

    assert contents(root) == before
    assert not report.ok
    assert all("\n" not in line for line in (*report.problems, *report.notes))
    for expected in (
        f"{ids[0]}.jpg: no such image",
        f"{ids[1]}.jpg: the image is damaged",
        f"{ids[2]}.png: the mask is 5 x 5 pixels, its image 16 x 12",
        f"{ids[3]}.png: mask value 9",
        f"train: 1 of 6 images are without a mask, the first is {ids[4]}; evaluation needs masks",
        f"train: 1 of 6 images are without labels that can be read, the first is {ids[5]}",
        "odd.txt, line 1: 'a b' is no id",
    ):
        assert sum(expected in problem for problem in report.problems) == 1
    assert len(report.problems) == 7
    assert report.notes == (
        "val: no image has a mask; evaluation needs masks, training does not",
        "val: no image has labels that can be read; training needs labels, evaluation does not",
    )
    train = next(split for split in report.splits if split.name == "train")
    assert train.missing_images == (ids[0],)
    assert train.damaged == tuple(ids[1:4])
    assert train.missing_masks == (ids[4],)
    assert train.missing_labels == (ids[5],)
    assert "train: 6 images, 1 missing, 3 damaged, 1 without labels, 1 without mask" in str(report)
    assert "7 problems in 3 splits" in str(report)


def test_check_of_damaged_labels(make_voc: MakeVoc) -> None:
    root = make_voc(2)
    (root / "labels.csv").write_text("id,cat,dog\n2007_000000,1,maybe\n")
    (problem,) = check_folder(root).problems
    assert "labels.csv, line 2: label 'maybe'" in problem


def test_check_of_a_folder_without_splits(make_voc: MakeVoc) -> None:
    root = make_voc(2)
    for path in (root / LISTS).iterdir():
        path.unlink()
    (problem,) = check_folder(root).problems
    assert "lists no split" in problem
    message = refused(root, lambda: VocFolder(root).ids("train"))
    assert "no split 'train'; there are none" in message


# --- real photos ---------------------------------------------------------------------------


def test_real_counts_are_those_of_the_readme(voc_mini: Path) -> None:
    documented: dict[str, list[int]] = {}
    for line in (voc_mini / "README.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] in VOC_CLASSES:
            documented[cells[0]] = [int(cell) for cell in cells[1:]]
    assert len(documented) == 20

    report = check_folder(voc_mini)
    assert report.ok
    assert report.notes == ()
    splits = {split.name: split for split in report.splits}
    assert {name: len(split.ids) for name, split in splits.items()} == {
        "train": 160,
        "train_official": 160,
        "val": 60,
    }
    counted = {
        name: [splits["train"].segmented[name], splits["val"].segmented[name]]
        for name in VOC_CLASSES
    }
    assert counted == documented


def test_real_masks_show_what_their_table_says(voc_mini: Path) -> None:
    folder = VocFolder(voc_mini)
    with (voc_mini / "cls_labels_from_masks.csv").open() as stream:
        table = {row["id"]: row for row in csv.DictReader(stream)}
    for image_id in folder.ids("val"):
        values = set(np.unique(folder.mask(image_id)).tolist())
        expected = {i + 1 for i, name in enumerate(VOC_CLASSES) if table[image_id][name] == "1"}
        assert values - {0, 255} == expected


def test_real_animals_and_person(voc_mini: Path) -> None:
    names = ["cat", "cow", "dog", "horse", "sheep", "person"]
    folder = VocFolder(voc_mini, names)
    values = set()
    for image_id in folder.ids("val"):
        values |= set(np.unique(folder.mask(image_id)).tolist())
    assert values == {0, 1, 2, 3, 4, 5, 6, 255}
    assert folder.image_labels(folder.ids("val")).sum(axis=0).tolist() == [12, 12, 12, 12, 12, 8]


def test_real_photos_are_read_quickly(voc_mini: Path) -> None:
    folder = VocFolder(voc_mini)
    begin = time.process_time()
    images = [folder.image(image_id) for image_id in folder.ids("train")]
    assert time.process_time() - begin < 1
    assert all(max(image.shape) == 224 for image in images)
    assert [image.shape[:2] for image in images] == [folder.size(i) for i in folder.ids("train")]


# --- some images, and smaller ones ----------------------------------------------------------


@given(
    arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12)),
    st.integers(0, 5),
    st.data(),
)
def test_every_class_is_full_or_exhausted_and_no_image_is_idle(present, per_class, data) -> None:
    ids = [str(index) for index in range(len(present))]
    kept = data.draw(st.sets(st.sampled_from(ids)))
    chosen = Subset("train", "official", per_class).choose(ids, kept, present)
    assert chosen == [each for each in ids if each in set(chosen)]
    assert kept <= set(chosen)
    rows = [int(each) for each in chosen]
    assert (present[rows].sum(0) >= np.minimum(present.sum(0), per_class)).all()
    for place, row in enumerate(rows):
        if str(row) not in kept:
            before = {int(each) for each in kept} | set(rows[:place])
            assert (present[row] & (present[sorted(before)].sum(0) < per_class)).any()


def test_a_folder_shows_the_chosen_images_of_that_split_alone(make_voc: MakeVoc) -> None:
    root = make_voc(8, splits={"train": range(6), "official": [4], "val": [6, 7]})
    whole = VocFolder(root)
    folder = VocFolder(root, subset=Subset("train", "official", 2))
    chosen, labels = folder.ids("train"), whole.image_labels(whole.ids("train"))
    assert chosen == Subset("train", "", 2).choose(
        whole.ids("train"), whole.ids("official"), labels
    )
    assert whole.ids("official")[0] in chosen
    assert 2 <= len(chosen) < 6
    assert folder.ids("val") == whole.ids("val")
    assert folder.fingerprint(["train"]) != whole.fingerprint(["train"])


def test_a_folder_without_the_split_to_keep_starts_from_nothing(make_voc: MakeVoc) -> None:
    root = make_voc(8, splits={"train": range(8)})
    chosen = VocFolder(root, subset=Subset("train", "train_official", 1)).ids("train")
    assert chosen[0] == VocFolder(root).ids("train")[0]
    assert len(chosen) <= 2


def test_image_and_mask_shrink_together(make_voc: MakeVoc) -> None:
    root = make_voc(2, size=(30, 40))
    folder, (image_id, *_) = VocFolder(root, longest_side=20), VocFolder(root).ids("train")
    assert folder.image(image_id).shape == (15, 20, 3)
    with Image.open(root / "JPEGImages" / f"{image_id}.jpg") as picture:
        expected = np.array(picture.resize((20, 15), Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(folder.image(image_id), expected)
    mask, stored = folder.mask(image_id), VocFolder(root).mask(image_id)
    np.testing.assert_array_equal(mask, stored[1::2, 1::2])  # a mask invents no class
    np.testing.assert_array_equal(VocFolder(root, longest_side=40).mask(image_id), stored)


@pytest.mark.parametrize(
    ("size", "longest", "expected"),
    [((500, 375), 320, (320, 240)), ((1, 999), 10, (1, 10)), ((8, 9), None, (8, 9))],
)
def test_sizes(size: tuple[int, int], longest: int | None, expected: tuple[int, int]) -> None:
    assert shrink(np.zeros(size, np.uint8), longest).shape == expected
