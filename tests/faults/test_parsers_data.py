"""Files of data, given or kept, that hold anything: labels, lists, masks, pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fuzzing import EXAMPLES, Parser, require_a_value_or_one_line, text
from odd_inputs import JSONS, NPYS, PNGS, TABLES, XMLS
from PIL import Image
from scipy.io import savemat

from wsss.data.cam_dicts import read_dict_seed, write_dict_seed
from wsss.data.labels import VOC_CLASSES, find_labels, object_names
from wsss.data.own_files import read_photo_list
from wsss.data.own_labels import read_own_labels
from wsss.data.packed import PackedArrays, pack
from wsss.data.pictures import read_image, read_mask_png, write_mask_png
from wsss.data.voc import VocFolder
from wsss.data.voc_setup import SbdFolder, _mark, _read_list
from wsss.files import remembered
from wsss.saliency import read_saliency

XML = "<annotation><object><name>cat</name><difficult>0</difficult></object></annotation>"
OWN = "file,labels\na.jpg,cat;dog\nb.jpg,dog\n"


def voc(name: str, content: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        for each in ("JPEGImages", "ImageSets/Segmentation"):
            (folder / each).mkdir(parents=True)
        return text(name, content)(folder)

    return write


def npy(folder: Path) -> Path:
    labels = {2007_000032: np.eye(20, dtype=np.int64)[7], 2007_000039: np.ones(20, np.int64)}
    np.save(folder / "cls_labels.npy", np.array(labels, object))
    return folder / "cls_labels.npy"


def irn(folder: Path) -> Path:
    seed = np.array([[0, 3, 255], [3, 3, 0]], np.uint8)
    write_dict_seed(folder / "a.npy", seed, [3], "irn")
    return folder / "a.npy"


def mat(folder: Path) -> Path:
    mask = np.zeros((6, 8), np.uint8)
    savemat(folder / "2008_000002.mat", {"GTcls": {"Segmentation": mask, "Present": [1]}})
    return folder / "2008_000002.mat"


def packed(folder: Path) -> Path:
    pack(folder / "a", [np.zeros((2, 3), np.float16), np.ones(4, np.float16)])
    return folder / "a.json"


def read_packed(path: Path) -> None:
    for each in PackedArrays(path.with_suffix("")):
        each.sum(dtype=np.float64)


def grey(folder: Path) -> Path:
    Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6)).save(folder / "a.png")
    return folder / "a.png"


def mask(folder: Path) -> Path:
    write_mask_png(folder / "a.png", np.eye(4, 6, dtype=np.uint8))
    return folder / "a.png"


def photo(ending: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        pixels = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
        Image.fromarray(pixels).save(folder / f"a.{ending}")
        return folder / f"a.{ending}"

    return write


def own(path: Path) -> None:
    photos = path.parent
    read_own_labels({"a": photos / "a.jpg", "b": photos / "b.jpg"}, photos, path)


PARSERS = [
    Parser("labels.csv", text("labels.csv", "id,cat,dog\na,1,0\nb,0,1\n"),
           lambda path: find_labels(path, [], ["dog", "cat"]), TABLES),
    Parser("own table", text("labels.csv", OWN), own, TABLES),
    Parser("header", voc("labels.csv", "id,cat,dog\na,1,0\n"),
           lambda path: VocFolder(path.parent), TABLES),
    Parser("classes.txt", voc("classes.txt", "cat\ndog\n"),
           lambda path: VocFolder(path.parent), TABLES),
    Parser("xml", text("a.xml", XML), lambda path: object_names(path, "drop"), XMLS),
    Parser("split", voc("ImageSets/Segmentation/train.txt", "2007_000032\n2007_000039\n"),
           lambda path: VocFolder(path.parents[2]).ids("train"), TABLES),
    Parser("psa list", text("train.txt", "/JPEGImages/2007_000032.jpg /Aug/2007_000032.png\n"),
           _read_list, TABLES),
    Parser("own list", text("val.txt", "a\nb  1\nc -1\n"),
           lambda path: read_photo_list(path, {"a": "a", "b": "b"}), TABLES),
    Parser("cls_labels.npy", npy, lambda path: find_labels(path, [], VOC_CLASSES), NPYS),
    Parser("irn.npy", irn, lambda path: read_dict_seed(path, (2, 3)), NPYS),
    Parser(".mat", mat, lambda path: SbdFolder(path.parent).mask(path.stem),
           makes_room=True),  # in a process of its own, which is kept small
    Parser("packed index", packed, read_packed, JSONS),
    Parser("cache", text("cache.json", '{"a": "b"}'),
           lambda path: remembered(path, "what", [], lambda: "computed"), JSONS),
    Parser("adopted.json", text("adopted.json", '{"dataset": "VOC 2012", "classes": null}'),
           lambda path: _mark(path.parent, None, None), JSONS),
    Parser("saliency", grey, lambda path: read_saliency(path.parent, "a", (4, 6)), PNGS),
    Parser("mask", mask, read_mask_png, PNGS),
    Parser("jpg", photo("jpg"), read_image),
    Parser("png", photo("png"), read_image, PNGS),
    Parser("bmp", photo("bmp"), read_image),
    Parser("webp", photo("webp"), read_image),
]  # fmt: skip


@pytest.mark.parametrize("examples", EXAMPLES)
@pytest.mark.parametrize("parser", PARSERS, ids=str)
def test_a_value_or_one_line(parser: Parser, examples: int, tmp_path: Path) -> None:
    require_a_value_or_one_line(parser, examples, tmp_path)
