"""Tests of the command ``wsss``: what it prints, and one clear line for bad input."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wsss.profiles import get_profile


def wsss(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from wsss.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=300)


def refused(*arguments: str | Path) -> str:
    """Run a command that must fail by one line; return the line."""
    done = wsss(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert "Traceback" not in done.stderr
    return lines[0]


@pytest.mark.parametrize("arguments", [[], ["reproduce"], ["plan"], ["data"], ["data", "demo"]])
def test_help_is_everywhere(arguments: list[str]) -> None:
    done = wsss(*arguments, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout


def test_unknown_names() -> None:
    assert "unknown table 'table9'" in refused("reproduce", "table9")
    assert "unknown profile 'x'; there are demo" in refused("reproduce", "table2", "--profile", "x")


def test_what_no_device_here_has_is_refused_at_once(tmp_path: Path) -> None:
    given = ("--profile", "smoke", "--runs", tmp_path / "runs", "--precision", "tf32")
    assert "precision tf32: no GPU is here" in refused("reproduce", "table5", *given)


def test_a_profile_of_ones_own_on_a_folder_with_classes_of_its_own(tmp_path: Path) -> None:
    """On a folder that the package has never seen, twelve seeds and all."""
    data = tmp_path / "birds"
    wsss("data", "demo", "--out", data, "--train", "8", "--val", "4", "--seed", "5")
    table = (data / "labels.csv").read_text().splitlines()
    names = ["heron", "owl", "wren", "swift", "rail"]
    (data / "labels.csv").write_text("\n".join([f"id,{','.join(names)}", *table[1:]]) + "\n")
    (data / "classes.txt").write_text("\n".join(names) + "\n")
    mine = tmp_path / "my.py"
    mine.write_text(
        "from dataclasses import replace\n"
        "from wsss.choices import DataChoices\n"
        "from wsss.profiles import smoke\n"
        "from wsss.stages import Photos\n"
        "base = smoke()\n"
        "profile = replace(base, name='birds', data=DataChoices(Photos()))\n"
    )
    line = ("reproduce", "table5", "--profile", mine, "--data", data, "--runs", tmp_path / "runs")
    done = wsss(*line, "--workers", "2")
    assert done.returncode == 0, done.stderr
    header, *rows = done.stdout.splitlines()[1:]
    assert "birds - paper" in header
    assert sum("With WST" in row for row in rows) == 3
    assert "left out" not in done.stderr
    some = wsss(*line[:4], *line[4:6], "--runs", tmp_path / "some", "--classes", "owl,rail",
                "--dry-run", "1", "--workers", "1")  # fmt: skip
    assert some.returncode == 0, some.stderr


def test_a_folder_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    smoke = ("reproduce", "table6", "--profile", "smoke", "--runs", tmp_path / "runs")
    assert str(file) in refused(*smoke, "--record", file)
    (tmp_path / "scores.csv").write_text("table\n")  # told before anything is computed
    assert "scores.csv: no column" in refused(*smoke, "--record", tmp_path)
    assert not (tmp_path / "runs").exists()


def test_the_photo_profile_needs_photos(tmp_path: Path) -> None:
    photo = ("reproduce", "table2", "--profile", "photo", "--runs", tmp_path / "runs")
    read = wsss(*photo)  # what is recorded is shown without any
    count = 6 * len(get_profile("photo").rng_seeds)
    assert f"{count} of {count} figures are from" in read.stdout
    assert "--data or WSSS_DATA" in refused(*photo, "--compute", "all", "--workers", "1")
    assert "not a data folder" in refused(
        "reproduce", "table2", "--profile", "photo", "--data", tmp_path
    )


def test_smoke_table_twice_in_every_format(tmp_path: Path) -> None:
    """The whole path: images, classifier, CAMs, seeds, segmenters, scores, a table."""
    line = (
        "reproduce",
        "table2",
        "--profile",
        "smoke",
        "--runs",
        tmp_path / "runs",
        "--rng-seeds",
        "0",
    )
    first = wsss(*line, "1", "--workers", "1")
    assert first.returncode == 0, first.stderr
    assert "random seeds 0, 1" in first.stdout
    again = wsss(*line, "1")
    assert again.stdout == first.stdout
    assert "stages:" in first.stderr
    assert "stages:" not in again.stderr  # nothing was left to do
    recorded = wsss(*line, "1", "--record", tmp_path / "results")
    assert recorded.stdout == first.stdout
    rows = (tmp_path / "results" / "scores.csv").read_text().splitlines()
    assert rows[0].startswith("profile,table,row,column,seeds,testing,rng_seed,")
    assert len(rows) == 1 + 6 * 2
    elsewhere = [*line[:4], "--runs", tmp_path / "none", "--results", tmp_path / "results"]
    read = wsss(*elsewhere, "--compute", "none", "--rng-seeds", "0", "1")
    assert read.stdout == first.stdout + (
        f"12 of 12 figures are from {tmp_path / 'results'}; --compute all makes them anew\n"
    )
    assert read.stdout == wsss(*elsewhere, "--rng-seeds", "0", "1").stdout  # nothing was missing
    more = wsss(
        *elsewhere, "--compute", "none", "--rng-seeds", "0", "2", "--record", tmp_path / "new"
    )
    assert more.stderr == (
        "table2: 6 of 12 figures are neither computed nor recorded for these images and settings; "
        "--compute missing makes them: VGG16, Threshold (T); VGG16, CRF (C); VGG16, Both (T + C); "
        "RES38, Threshold (T); RES38, CRF (C); RES38, Both (T + C)\n"
    )
    part = wsss(*line[:4], "--runs", tmp_path / "runs", "--results", tmp_path / "results",
                "--rng-seeds", "0", "2", "--row", "VGG16", "--workers", "1")  # fmt: skip
    assert part.stderr.startswith("computing 3 of 6 scores; --compute none prints those of ")
    nothing = wsss(*elsewhere, "--compute", "none", "--rng-seeds", "2")
    assert nothing.stderr.startswith("table2: 6 of 6 figures are neither computed nor recorded")
    assert nothing.stdout == ""
    assert not list((tmp_path / "new").iterdir())  # no score of this run folder
    one = wsss(*elsewhere, "--compute", "none", "--rng-seeds", "1", "--row", "RES38").stdout
    assert "VGG16" not in one
    assert "3 of 3 figures" in one
    assert not (tmp_path / "none").exists()
    assert "no row 'x'; it has VGG16, RES38" in refused(*elsewhere, "--row", "x")
    assert "/nowhere: no such folder; leave it out" in refused(*line, "--results", "/nowhere")
    both = wsss("reproduce", "all", *elsewhere[2:], "--compute", "none", "--rng-seeds", "0",
                "--format", "markdown").stdout  # fmt: skip
    assert "**table2: Seeds of two types**\n\n| CAM network" in both
    csv = wsss(*line, "1", "--format", "csv").stdout.splitlines()
    assert csv[0] == "CAM network,Seed type,paper,smoke,smoke sd,smoke - paper,Seeds"
    assert len(csv) == 7


def test_four_ways_of_testing(tmp_path: Path) -> None:
    """Two stages hold all four: what comes before the CRF is kept."""
    line = ("reproduce", "table6", "--profile", "smoke", "--runs", tmp_path, "--workers", "1")
    done = wsss(*line, "--testing", "all", "--format", "csv")
    assert done.returncode == 0, done.stderr
    header, *rows = (row.split(",") for row in done.stdout.splitlines())
    ways = [row[header.index("Testing")] for row in rows]
    assert ways == ["single", "crf", "ms", "ms+crf"]
    assert len([path for path in (tmp_path / "segmenter_score").iterdir() if path.is_dir()]) == 2
    alone = wsss(*line, "--testing", "ms+crf").stdout.splitlines()
    assert "with flip, with CRF" in alone[0]
    assert alone[-1].split()[-2:] == rows[-1][-2:]


def test_bad_photos_are_named_and_what_was_there_stays(tmp_path: Path, voc_mini: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(voc_mini, data)
    photo = next((data / "JPEGImages").glob("2007*.jpg"))
    photo.write_bytes(photo.read_bytes()[:2000])
    before = sorted(path.name for path in data.rglob("*"))
    line = refused(
        "reproduce", "table2", "--profile", "photo", "--data", data, "--runs", tmp_path / "runs",
        "--workers", "1",
    )  # fmt: skip
    assert photo.name in line
    assert sorted(path.name for path in data.rglob("*")) == before
    images = [path for path in (tmp_path / "runs" / "images").iterdir() if path.is_dir()]
    assert [path.suffix for path in images] == [".part"]  # nothing that looks like a result


def test_data_demo_is_the_same_twice(tmp_path: Path) -> None:
    for name in ("a", "b"):
        done = wsss("data", "demo", "--out", tmp_path / name, "--train", "3", "--val", "2")
        assert done.returncode == 0, done.stderr
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*"))
    assert len(files) > 10
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert "no problems" in wsss("data", "check", "--data", tmp_path / "a").stdout


def test_saliency_can_be_chosen(tmp_path: Path) -> None:
    plan = ("plan", "--profile", "smoke", "--runs", tmp_path / "runs")
    assert "saliency: distance from the border's colours" in wsss(*plan).stdout
    chosen = wsss(*plan, "--saliency", "cams").stdout
    assert "saliency: none, background by the CAMs (alpha 4)" in chosen
    assert "give --data" in refused(*plan, "--saliency", "maps")


def test_the_paper_profile_is_planned_without_data_and_not_run(tmp_path: Path) -> None:
    done = wsss(
        "plan", "--profile", "paper", "--rng-seeds", "0", "--runs", tmp_path, "--tflops", "156",
        "--cores", "4",
    )  # fmt: skip
    assert "30 trainings" in done.stdout
    assert "with 4 cores beside one GPU" in done.stdout
    assert "nothing was timed: networks at 40% of 156 TFLOP/s" in done.stdout
    line = refused(
        "reproduce", "table6", "--profile", "paper", "--runs", tmp_path, "--workers", "1"
    )  # fmt: skip
    assert "--data or WSSS_DATA" in line


@pytest.mark.slow
def test_a_dry_run_leaves_no_results(tmp_path: Path) -> None:
    done = wsss(
        "reproduce", "table2", "--profile", "smoke", "--dry-run", "1", "--runs", tmp_path / "runs"
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    kinds = [line.split()[0] for line in done.stdout.splitlines()[1:]]
    assert {"scenes", "classifier", "cams", "seeds", "segmenter"} <= set(kinds)
    assert not (tmp_path / "runs").exists()
