"""The command ``wsss data voc``."""

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from wsss.cli.data import data_app, data_voc
from wsss.data.pictures import write_mask_png
from wsss.data.voc import VocFolder
from wsss.errors import InputError

app = typer.Typer()
app.command()(data_voc)


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


def test_prints_counts_and_makes_the_folder(devkit, tmp_path):
    out = tmp_path / "voc"
    options = ["--classes", "cat, dog", "--difficult", "drop"]
    result = CliRunner().invoke(app, ["--devkit", str(devkit), "--out", str(out), *options])
    assert result.exit_code == 0, result.output
    assert "train               1 images      1 masks" in result.stdout
    assert result.stdout.endswith(f"{out}\n")
    assert VocFolder(out).ids("val") == ["2007_000002"]


def test_bad_input_is_one_line(devkit, tmp_path):
    result = CliRunner().invoke(
        app, ["--devkit", str(tmp_path / "x"), "--out", str(tmp_path / "o")]
    )
    assert isinstance(result.exception, InputError)
    options = ["--devkit", str(devkit), "--out", str(tmp_path / "o"), "--difficult", "maybe"]
    assert CliRunner().invoke(app, options).exit_code == 2


def test_all_classes_may_be_said(devkit, tmp_path):
    where = ["--data", str(tmp_path / "voc")]
    told = []
    for given in ([], ["--classes", "all"]):
        run = CliRunner().invoke(
            app, ["--devkit", str(devkit), "--out", str(tmp_path / "voc"), *given]
        )
        assert run.exit_code == 0, run.output
        told += [run.output, CliRunner().invoke(data_app, ["check", *where, *given]).output]
    assert told[:2] == told[2:]
