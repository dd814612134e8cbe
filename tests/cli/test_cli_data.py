"""The command ``wsss data voc``."""

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from wsss.cli.data import data_app
from wsss.data.pictures import write_mask_png
from wsss.data.voc import VocFolder
from wsss.errors import InputError


@pytest.fixture
def devkit(tmp_path):
    root = tmp_path / "VOC2012"
    for folder in ("JPEGImages", "SegmentationClass", "Annotations", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    for split, image_id, name in (("train", "2007_000001", "cat"), ("val", "2007_000002", "dog")):
        Image.new("RGB", (4, 3)).save(root / "JPEGImages" / f"{image_id}.jpg")
        write_mask_png(root / "SegmentationClass" / f"{image_id}.png", np.zeros((3, 4), np.uint8))
        (root / "Annotations" / f"{image_id}.xml").write_text(
            f"<annotation><object><name>{name}</name></object></annotation>"
        )
        (root / "ImageSets" / "Segmentation" / f"{split}.txt").write_text(f"{image_id}\n")
    return root


def run(*arguments):
    return CliRunner().invoke(data_app, list(map(str, arguments)))


def test_prints_counts_and_makes_the_folder(devkit, tmp_path):
    out = tmp_path / "voc"
    options = ["--classes", "cat, dog", "--difficult", "drop"]
    result = run("voc", "--devkit", devkit, "--out", out, *options)
    assert result.exit_code == 0, result.output
    assert "train               1 images      1 masks" in result.stdout
    assert result.stdout.endswith(f"{out}\n")
    assert VocFolder(out).ids("val") == ["2007_000002"]


def test_bad_input_is_one_line(devkit, tmp_path):
    result = run("voc", "--devkit", tmp_path / "x", "--out", tmp_path / "o")
    assert isinstance(result.exception, InputError)
    assert run("voc", "--devkit", devkit, "--out", tmp_path, "--difficult", "maybe").exit_code == 2


def test_all_classes_may_be_said(devkit, tmp_path):
    told = []
    for given in ([], ["--classes", "all"]):
        made = run("voc", "--devkit", devkit, "--out", tmp_path / "voc", *given)
        assert made.exit_code == 0, made.output
        told += [made.output, run("check", "--data", tmp_path / "voc", *given).output]
    assert told[:2] == told[2:]
