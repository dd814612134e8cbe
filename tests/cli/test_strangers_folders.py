"""What a stranger's folder may be like: before any training a line says what comes, or why not."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from wsss.cli import app
from wsss.data.own_files import mark as take
from wsss.pipeline import Pipeline


class Train(Exception):
    """Now the training would start."""


@pytest.fixture(autouse=True)
def no_training(monkeypatch, tmp_path):
    def run(*_):
        raise Train

    monkeypatch.setattr(Pipeline, "run", run)
    monkeypatch.chdir(tmp_path)


def wsss(*arguments):
    """Run a command; return all it says, the error among it, and whether training would start."""
    done = CliRunner().invoke(app, list(map(str, arguments)))
    ready = isinstance(done.exception, Train)
    assert ready or type(done.exception).__name__ == "InputError", done.exception
    assert ready or "\n" not in str(done.exception)
    return done.output + ("" if ready else str(done.exception)), ready


def photo(name, size=(12, 8), mode="RGB", value: int | tuple[int, ...] = 90, **save):
    path = Path("photos", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = {".jpg": "JPEG", ".jpeg": "JPEG"}.get(path.suffix.lower())
    Image.new(mode, size, value).save(path, format=kind, **save)


def photos(count=10):
    for number in range(count):
        photo(f"p{number}.png")


def table(rows, header="file,labels", encoding="utf-8", name="labels.csv"):
    Path(name).write_text("\n".join([header, *rows]) + "\n", encoding=encoding)


def mask(name, values, size=(12, 8), folder="masks", mode="L"):
    Path(folder).mkdir(exist_ok=True)
    pixels = np.resize(np.array(values, np.uint8), size[::-1])
    Image.fromarray(pixels).convert(mode).save(Path(folder, name))


TWO = [*(f"p{i},owl" for i in range(5)), *(f"p{i},rail" for i in range(5, 10))]
UNDERSTOOD = "10 photos, 8 to learn from and 2 held out; 2 classes: owl 5, rail 3"
WITH_MASKS = "--labels", "labels.csv", "--masks", "masks"


@pytest.mark.parametrize(
    ("rows", "header", "encoding"),
    [
        (TWO, "file,labels", "utf-8-sig"),
        ([row.replace(",", ";") for row in TWO], "Datei;Labels", "utf-8"),
        ([row.replace(",", "\t") for row in TWO], "file\tlabels", "utf-8"),
        ([row.replace(",", " , ") + " " for row in TWO], " file , labels ", "utf-8"),
        ([",".join(reversed(row.split(","))) for row in TWO], "labels,file", "utf-8"),
        (TWO[1:], TWO[0], "utf-8"),  # no header
        ([row.replace("p", "PHOTOS/p".removeprefix("PHOTOS/")) for row in TWO], "file,l", "utf-8"),
        ([f"./{row}" for row in TWO], "file,labels", "utf-8"),
        (["", *TWO, ""], "file,labels", "utf-8"),
        ([row.replace("owl", '"owl,"') for row in TWO], "file,labels", "utf-8"),
        ([f"p{i},{i < 5:d}.0,{i >= 5:d}.0" for i in range(10)], "file, owl ,rail", "utf-8"),
        ([f"p{i},{i < 5},{i >= 5}" for i in range(10)], "file,owl,rail", "utf-8"),
        ([f"p{i},{i < 5:d},{i >= 5:d},0" for i in range(10)], "f,owl,rail,Background", "utf-8"),
    ],
)
def test_a_table_may_be_written_in_many_ways(rows, header, encoding):
    photos()
    table(rows, header, encoding)
    told, ready = wsss("train", "photos", "--labels", "labels.csv", "--out", "out")
    assert told.splitlines()[0] == UNDERSTOOD
    assert ready


@pytest.mark.parametrize(
    ("cells", "classes"),
    [
        (["owl rail", "owl", "rail"], ["owl", "rail"]),
        (["polar bear", "owl", "owl"], ["owl", "polar bear"]),
        (["polar bear;owl", "owl", "brown bear"], ["brown bear", "owl", "polar bear"]),
        (["owl|rail", "owl,rail", ""], ["owl", "rail"]),
        (["0", "1", "2"], ["0", "1", "2"]),
        (["Übung", "owl", "Zaun"], ["owl", "Zaun", "Übung"]),
        (["owl rail", "owl", "owl"], "'owl rail' may be one label or several; write ; between"),
        (["cat owl", "owl rail", "cat rail"], "'cat owl' may be one label or several"),
    ],
)
def test_spaces_are_part_of_a_label_unless_its_words_are_labels(cells, classes):
    photos(len(cells))
    table([f'p{i},"{cell}"' for i, cell in enumerate(cells)])
    told, ready = wsss("seeds", "photos", "--labels", "labels.csv", "--out", "out")
    if isinstance(classes, str):
        assert not ready
        assert classes in told
    else:
        assert Path("out", "data", "classes.txt").read_text().splitlines() == classes


def few():
    photos(5)
    table([*TWO[:3], "p3,rail", "p4,rail"])


def masks_of_two():
    photos()
    table(TWO)
    mask("p1.png", 1)
    mask("p7.png", [0, 2])


def black_and_white():
    photos()
    table(TWO)
    mask("p1.png", [0, 255])
    mask("p7.png", [0, 255])


def numbered_otherwise():
    photos()
    table(TWO)
    mask("p1.png", [0, 2])
    mask("p7.png", [0, 1])


def a_class_each():
    for number in range(10):
        photo(f"{'owl' if number < 5 else 'rail '}/{number}.JPG")
    for number in range(5):
        photo(f"background/none {number}.jpeg")


def all_sorts():
    photos(4)
    photo("p4.jpg", mode="CMYK", value=(1, 2, 3, 4))
    photo("p5.webp", save_all=True, append_images=[Image.new("RGB", (12, 8), i) for i in (1, 2)])
    photo("p6.png", mode="LA", value=(9, 99))
    photo("p7.BMP")
    photo("p8.jpg", (6000, 400))
    photo("p9.PNG", mode="P")
    photo("moving.gif")
    Path("photos", "p10.heic").write_bytes(b"ftypheic")
    Path("photos", "._p1.png").write_bytes(b"macOS")
    table(TWO)


def everything_in_one_place():
    """The folder for the results, and the masks, lie among the photos."""
    photos()
    table(TWO)
    for number in range(10):
        mask(f"p{number}.png", 1 if number < 5 else 2, folder="photos/masks")
        mask(f"{number}.png", 1, folder="photos/extra")
    take(Path("photos", "out", "data"), by="--out")
    photo("out/data/p0.png")


def masks_beside_sub_folders():
    for number in range(10):
        photo(f"{'owl' if number < 5 else 'rail'}/ein Bild {number % 5}.jpg")
    Path("masks", "rail").mkdir(parents=True)
    mask("rail/ein Bild 1.png", [0, 2])
    mask("ein Bild 2.png", [0, 1])  # of either: taken for none


BY_TABLE = "--labels", "labels.csv"


@pytest.mark.parametrize(
    ("make", "given", "says"),
    [
        (few, BY_TABLE, "5 photos, 4 to learn from and 1 held out; 2 classes: "),
        (masks_of_two, WITH_MASKS, "8 to learn from and 2 held out with 2 masks"),
        (black_and_white, WITH_MASKS, "masks/p1.png: holds 0 and 255 only; 255 is ignored"),
        (black_and_white, WITH_MASKS, "(and 1 more such masks)"),
        (numbered_otherwise, WITH_MASKS, "shows 'rail', the labels say owl"),
        (numbered_otherwise, WITH_MASKS, "in masks 0 is background, 1 owl, 2 rail; another order"),
        (a_class_each, (), "photos show none of them and are learnt as background"),
        (all_sorts, BY_TABLE, f"{UNDERSTOOD}\nnot read: 1 .heic, 1 .gif; convert what are photos"),
        (masks_beside_sub_folders, ("--masks", "masks"), "and 1 held out with 1 masks"),
    ],
)
def test_what_will_be_done_is_said_before(make, given, says):
    make()
    told, ready = wsss("train", "photos", *given, "--out", "out")
    assert says in told
    assert ready
    assert re.search(r"takes about \d+ min with \d+ processes", told)


def test_results_and_masks_may_lie_among_the_photos():
    everything_in_one_place()
    for _ in range(2):
        told, ready = wsss(
            *("train", "photos", "--out", "photos/out", "--labels", "labels.csv"),
            *("--masks", "photos/masks", "--extra-seeds", "photos/extra"),
        )
        assert "10 photos, 8 to learn from and 2 held out with 2 masks" in told
        assert "no ID.png" in told
        assert not ready


@pytest.mark.parametrize(
    ("photo_folder", "out"),
    [(".", "out"), ("photos", "photos/out"), ("photos", "."), ("photos", "photos")],
)
def test_the_same_command_goes_on_wherever_out_lies(photo_folder, out):
    """What the first call left, links to photos among it, is no photo to the second."""
    for number in range(10):
        photo(f"{'owl' if number < 5 else 'rail'}/p{number}.jpg")
    for name in ("owl", "rail"):
        if photo_folder == ".":
            Path("photos", name).rename(name)
    found = [wsss("train", photo_folder, "--out", out) for _ in range(2)]
    assert found[0] == found[1]
    assert "10 photos, 8 to learn from and 2 held out; 2 classes: " in found[1][0]


def test_what_an_earlier_run_wrote_among_the_photos_is_no_photo():
    for number in range(10):
        photo(f"{'owl' if number < 5 else 'rail'}/p{number}.jpg")
    wsss("train", "photos", "--out", "photos/first")
    told, _ = wsss("train", "photos", "--out", "second")
    assert "10 photos, 8 to learn from and 2 held out; 2 classes: owl " in told


@pytest.mark.parametrize(
    ("command", "name"),
    [
        *(("train", name) for name in ("data", "masks", "model", "seeds")),
        ("seeds", "data"),
        ("seeds", "seeds"),
    ],
)
@pytest.mark.parametrize("given", ["photos", "masks", "marked"])
def test_nothing_that_wsss_did_not_write_is_replaced(command, name, given):
    """Neither what was given, photos or true masks, nor what happens to lie in OUT."""
    for number in range(10):
        photo(f"{'owl' if number < 5 else 'rail'}/p{number}.png")
    folder, says = "photos", f"{name}: holds files that wsss did not write, the first p1.png"
    if given == "masks":
        Path(name).mkdir()
        Path(name, "p1.png").write_bytes(b"drawn by hand")
    else:  # even where an earlier run has written
        Path("photos").rename(name)
        folder, says = name, f"{name}: lies where results are written ({name}); name another"
    if given == "marked":
        take(Path(name), by="--out")
    before = {path: path.is_dir() or path.read_bytes() for path in Path.cwd().rglob("*")}
    told, ready = wsss(command, folder, "--out", ".")
    assert says in told
    assert not ready
    assert {path: path.is_dir() or path.read_bytes() for path in Path.cwd().rglob("*")} == before


def test_masks_that_an_earlier_run_predicted_are_no_truth_to_be_replaced():
    photos()
    table(TWO)
    take(Path("out", "masks"), by="--out")
    for number in range(10):
        mask(f"p{number}.png", 1 if number < 5 else 2, folder="out/masks")
    given = ("--labels", "labels.csv", "--masks", "out/masks")
    told, ready = wsss("train", "photos", "--out", "out", *given)
    assert "out/masks: lies where results are written (out/masks)" in told
    assert not ready


def nothing():
    Path("photos").mkdir()


def packed():
    nothing()
    Path("photos", "all.zip").write_bytes(b"PK")


def absent_photos():
    photos()
    table([*TWO, "p77.jpg,owl"])


def all_zero():
    photos()
    table([f"p{i}," for i in range(10)])


def no_masks():
    photos()
    table(TWO)
    mask("other.png", 1)


def coloured_masks():
    masks_of_two()
    mask("p1.png", 1, mode="RGB")


def same_stem():
    photos()
    photo("p3.jpg")
    table(TWO)


def from_excel():
    photos()
    table([*TWO[:9], "p9,Übung"], encoding="latin-1")


def commas():
    photos()
    table([*TWO[:9], "p9,owl,rail"])


def one_photo():
    photos(1)
    table(TWO[:1])


def tiny():
    photos()
    photo("p3.png", (1, 1))
    table(TWO)


@pytest.mark.parametrize(
    ("make", "given", "says"),
    [
        (lambda: None, (), r"photos: no such folder of photos"),
        (nothing, (), r"photos: no photo; \.jpg, .* are read, in sub-folders too$"),
        (packed, (), r"no photo; .*; not read: 1 \.zip"),
        (photos, (), r"p0\.png: no label; put each class's photos into a folder of its name"),
        (photos, BY_TABLE, r"labels\.csv: no such labels"),
        (one_photo, BY_TABLE, "1 photos to learn from and 0 held out .* add photos or choose"),
        (absent_photos, BY_TABLE, r"1 of its names are no photo, .* the first 'p77\.jpg'"),
        (all_zero, BY_TABLE, "labels.csv: no photo shows any class"),
        (no_masks, WITH_MASKS, "masks: no PNG is named like one of the photos"),
        (no_masks, (*BY_TABLE, "--masks", "nowhere"), "nowhere: no such folder"),
        (coloured_masks, WITH_MASKS, r"p1\.png: a mask of mode RGB; save class indices"),
        (same_stem, BY_TABLE, r"or several in sub-folders, the first 'p3'"),
        (from_excel, BY_TABLE, r"labels\.csv: no table .*; save it as CSV in UTF-8"),
        (commas, BY_TABLE, "line 11: 3 cells under 2 titles; write ; between the labels"),
        (tiny, BY_TABLE, r"p3\.png: 1 x 1 pixels; such a photo cannot be learnt from"),
    ],
)
def test_what_will_not_do_is_said_in_one_line(make, given, says):
    make()
    told, ready = wsss("train", "photos", *given, "--out", "out")
    assert re.search(says, told), told
    assert not ready


def test_a_table_that_needs_masks_says_so_before_any_training():
    photos()
    table(TWO)
    wsss("train", "photos", *BY_TABLE, "--out", "out")
    asked = ("reproduce", "table2", "--profile", "photo", "--classes", "all", "--workers", 1)
    told, _ = wsss(*asked, "--data", "out/data", "--runs", "runs")
    assert "split 'val' has no masks; training needs none, but scoring does" in told
    assert not list(Path("runs").glob("classifier/*"))
