"""Tests of ``wsss export-voc-test``: from a trained segmenter to the server's archive."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from wsss.choices import DataChoices
from wsss.cli import app
from wsss.data.pictures import shrink
from wsss.data.voc import VocFolder
from wsss.errors import InputError
from wsss.inference import predict
from wsss.paper import Recipe
from wsss.pipeline import Pipeline
from wsss.profiles import PROFILES, smoke
from wsss.stages import Photos, Store

MakeVoc = Callable[..., Path]
CELL = ("table2", "--row", "VGG16", "--column", "Threshold (T)")


@pytest.fixture
def data(make_voc: MakeVoc, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Photos of cats and dogs with a test set that has neither masks nor labels."""
    root = make_voc(14, size=(24, 32), splits={"train": range(8), "val": [8], "test": range(9, 14)})
    for image_id in VocFolder(root).ids("test"):
        (root / "SegmentationClass" / f"{image_id}.png").unlink()
    labels = root / "labels.csv"
    labels.write_text("".join(labels.read_text().splitlines(keepends=True)[:10]))

    profile = replace(smoke(), name="tiny", data=DataChoices(Photos(longest_side=16)))
    monkeypatch.setitem(PROFILES, "tiny", lambda: profile)
    return root


def export(*arguments: str | Path) -> str:
    """Run the command in this process, which knows the profile "tiny"; return what it prints."""
    line = ["export-voc-test", *map(str, arguments), "--workers", "1"]
    return CliRunner().invoke(app, line, catch_exceptions=False).output


def test_the_archive_holds_what_the_segmenter_says(data: Path, tmp_path: Path) -> None:
    runs, out = tmp_path / "runs", tmp_path / "out"
    options = ("--profile", "tiny", "--data", data, "--runs", runs, "--out", out)
    printed = export(*CELL, *options, "--testing", "ms")
    archive = out / "comp6_test_cls.tar.gz"
    assert f"{archive}: 5 label maps, checked" in printed

    photos, store = VocFolder(data), Store(runs, data)
    ids = photos.ids("test")
    pipeline, recipe = Pipeline(PROFILES["tiny"](), data), Recipe(("T",))
    assert store.done(pipeline.segmenter(recipe, 0))
    model = pipeline.segmenter(recipe, 0).load(store)
    small = [shrink(photos.image(image_id), 16) for image_id in ids]
    expected = predict(model, small, pipeline.protocol(recipe, "ms"))
    assert {labels.shape for labels in expected} == {(12, 16)}  # the photos are 24 x 32
    with tarfile.open(archive) as tar:
        assert len(tar.getnames()) == 5
        for image_id, labels in zip(ids, expected, strict=True):
            content = tar.extractfile(
                f"results/VOC2012/Segmentation/comp6_test_cls/{image_id}.png"
            ).read()
            stored = np.array(Image.open(io.BytesIO(content)))
            known = np.array([0, 8, 12])[labels]  # cat and dog, by VOC's numbers
            np.testing.assert_array_equal(stored, known.repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("table2",), "6 cells are meant.*--row 'VGG16' --column 'Threshold"),
        (("table2", "--row", "VGG"), "0 cells"),
        (("table8",), "unknown table"),
        ((*CELL, "--testing", "all"), "four archives"),
        ((*CELL, "--split", "exam"), "no split 'exam'"),
        ((*CELL, "--profile", "smoke"), "reads no photos; choose another"),
    ],
)
def test_what_cannot_be_exported(
    data: Path, tmp_path: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    runs, out = tmp_path / "runs", tmp_path / "out"
    profile = () if "--profile" in arguments else ("--profile", "tiny")
    with pytest.raises(InputError, match=complaint) as caught:
        export(*arguments, *profile, "--data", data, "--runs", runs, "--out", out)
    assert "\n" not in str(caught.value)
    assert not out.exists()
    assert not (runs / "segmenter").exists()
