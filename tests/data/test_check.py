"""`wsss data check` finds every kind of fault in one pass: file, reason and remedy of each."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from wsss.cli import app
from wsss.data.check import check_folder
from wsss.data.pictures import voc_palette, write_mask_png
from wsss.data.voc import VocFolder
from wsss.errors import InputError

CLASSES = ("cat", "dog")
XML = "<annotation><object><name>{}</name></object></annotation>"


def image_of(root, k):
    return root / "JPEGImages" / f"2007_{k:06d}.jpg"


def mask_of(root, k):
    return root / "SegmentationClass" / f"2007_{k:06d}.png"


def relabel(root, k, row):
    path = root / "labels.csv"
    lines = [
        f"2007_{k:06d},{row}" if line.startswith(f"2007_{k:06d}") else line
        for line in path.read_text().splitlines()
    ]
    path.write_text("\n".join(lines) + "\n")


def sixteen_bits(root):
    deep = np.full((12, 16), 40_000, np.uint16)
    Image.fromarray(deep).save(image_of(root, 0), format="PNG")
    return "error", image_of(root, 0), "more than 8 bits", "save it with 8"


def turned(root):
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (16, 12)).save(image_of(root, 0), exif=exif)
    return "warning", image_of(root, 0), "EXIF orientation 6 is not applied", "turn image and mask"


def wrong_size(root):
    write_mask_png(mask_of(root, 0), np.zeros((16, 12), np.uint8))
    return "error", mask_of(root, 0), "the mask is 12 x 16 pixels, its image 16 x 12", "resize"


def rgb_mask(root):
    Image.new("RGB", (16, 12)).save(mask_of(root, 0))
    return "error", mask_of(root, 0), "a mask of mode RGB", "save class indices"


def binary_mask(root):
    mask = np.zeros((12, 16), np.uint8)
    mask[3:6, 3:6] = 255
    write_mask_png(mask_of(root, 0), mask)
    return "error", mask_of(root, 0), "holds 0 and 255 only", "write the class's index"


def renumbered(root):
    indices = np.zeros((12, 16), np.uint8)
    indices[3:6, 3:6] = 1
    picture = Image.fromarray(indices)
    palette = voc_palette()
    palette[1] = palette[2]  # what was index 2 became 1, with its colour
    picture.putpalette(palette.tobytes())
    picture.save(mask_of(root, 0))
    relabel(root, 0, "1,0")  # nothing else gives it away
    return "error", mask_of(root, 0), "index 1 has the colour of VOC's index 2", "save it with"


def labels_deny_the_mask(root):
    write_mask_png(mask_of(root, 0), np.ones((12, 16), np.uint8))
    relabel(root, 0, "0,1")
    return "error", mask_of(root, 0), "shows 'cat', the labels say dog", "correct one"


def mask_lacks_a_label(root):
    write_mask_png(mask_of(root, 0), np.ones((12, 16), np.uint8))
    relabel(root, 0, "1,1")
    return "warning", mask_of(root, 0), "shows no 'dog', which the labels name", "look at both"


def no_label(root):
    write_mask_png(mask_of(root, 0), np.zeros((12, 16), np.uint8))
    relabel(root, 0, "0,0")
    return "warning", root / "labels.csv", "1 of the 3 images of 'train' have no class", "label"


def no_label_at_all(root):
    for k in range(3):
        mask_of(root, k).unlink()
        relabel(root, k, "0,0")
    return "error", root / "labels.csv", "all of the 3 images of 'train' have no class", "label"


def misspelt(root):
    (root / "labels.csv").unlink()
    (root / "Annotations").mkdir()
    folder = VocFolder(root)
    for k in range(6):
        mask_of(root, k).unlink()
        name = "dgo" if k == 4 else folder.classes[k % 2]
        (root / "Annotations" / f"2007_{k:06d}.xml").write_text(XML.format(name))
    path = root / "Annotations" / "2007_000004.xml"
    return "error", path, "<name>'dgo' is no class of the folder", "write 'dog'"


def shared(root):
    path = root / "ImageSets" / "Segmentation" / "val.txt"
    path.write_text(path.read_text() + "2007_000001\n")
    return "error", path, "1 of 4 images are in train too, the first '2007_000001'", "take them"


def macos(root):
    stray = mask_of(root, 0).with_name("._2007_000000.png")
    stray.write_bytes(b"Mac OS X")
    (root / "ImageSets" / "Segmentation" / "._val.txt").write_bytes(b"\x00\x05\x16\x07")
    return "warning", stray, "files named ._* are macOS's notes", "delete them"


def other_ending(root):
    image_of(root, 0).rename(image_of(root, 0).with_suffix(".JPG"))
    return "error", image_of(root, 0), "no such image", "it is there as 2007_000000.JPG, rename it"


def bomb(root):
    header = Image.new("1", (39_677, 26_564))  # one bit a pixel: a small file
    header.save(image_of(root, 0), format="PNG")
    return "error", image_of(root, 0), "exceeds limit", "shrink it"


def pipe(root):
    import os

    image_of(root, 0).unlink()
    os.mkfifo(image_of(root, 0))
    return "error", image_of(root, 0), "no such image", "add it"


def postscript(root):
    image_of(root, 0).write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 16 12\n")
    return "error", image_of(root, 0), "none of JPEG, PNG, BMP, WEBP", "replace the file"


FAULTS = [
    sixteen_bits, turned, wrong_size, rgb_mask, binary_mask, renumbered, labels_deny_the_mask,
    mask_lacks_a_label, no_label, no_label_at_all, misspelt, shared, macos, other_ending, bomb,
    pipe, postscript,
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_each_fault_has_file_reason_and_remedy(make_voc, fault):
    root = make_voc(6, classes=CLASSES)
    assert check_folder(root).findings == ()
    level, file, reason, remedy = fault(root)
    report = check_folder(root)
    of_file = [each for each in report.findings if each.file.startswith(str(file))]
    (found,) = [each for each in of_file if reason in each.reason]
    assert found.level == level
    assert remedy in found.remedy
    assert report.ok is (level == "warning")
    assert "\n" not in str(found)


def test_one_pass_finds_all_and_json_names_them(make_voc):
    root = make_voc(6, classes=CLASSES)
    write_mask_png(mask_of(root, 2), np.zeros((5, 5), np.uint8))
    expected = [str(fault(root)[1]) for fault in (sixteen_bits, shared, macos)]
    saliency = root / "saliency_aug"
    saliency.mkdir()
    for k in range(6):
        size = (9, 9) if k == 1 else (16, 12)
        Image.new("L" if k else "RGB", size).save(saliency / f"2007_{k:06d}.png")
    check = "data", "check", "--data", str(root)
    told = CliRunner().invoke(app, [*check, "--json"])
    assert told.exit_code == 1
    report = json.loads(told.stdout)
    assert report["ok"] is False
    assert "train: 3 saliency maps for 3 images" in report["notes"]
    plainly = CliRunner().invoke(app, check).stdout
    assert "\nnote: train: 3 saliency maps for 3 images\n" in plainly
    files = [each["file"] for each in report["findings"]]
    for path in [
        *expected,
        str(mask_of(root, 2)),
        *(str(saliency / f"2007_00000{k}.png") for k in (0, 1)),
    ]:
        assert path in files
    assert all(each["reason"] and each["remedy"] for each in report["findings"])
    levels = {each["kind"]: each["level"] for each in report["findings"]}
    assert levels["side file"] == "warning"
    assert levels["shared ids"] == "error"


def test_many_of_a_kind_are_counted(make_voc):
    root = make_voc(24, classes=CLASSES)
    for k in range(24):
        mask_of(root, k).write_bytes(b"")
    lines = str(check_folder(root)).splitlines()
    assert sum("the mask is damaged" in line for line in lines) == 10
    assert "problem: 14 more of these; --json names them all" in lines


def test_a_choice_of_classes_makes_no_contradiction(make_voc):
    root = make_voc(6, classes=CLASSES)
    report = check_folder(root, ["dog"])
    assert report.findings == ()
    assert [split.segmented for split in report.splits] == [
        split.labelled for split in report.splits
    ]


@pytest.mark.parametrize("name", ["a\x1b[31mb", "x" * 300])
def test_ids_that_no_file_or_terminal_bears(make_voc, name):
    root = make_voc(2)
    (root / "ImageSets" / "Segmentation" / "train.txt").write_text(name + "\n")
    with pytest.raises(InputError, match="is no id") as refused:
        VocFolder(root).ids("train")
    assert "\x1b" not in str(refused.value)
    assert len(str(refused.value)) < 300
