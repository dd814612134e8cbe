"""Photos and labels as people have them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsss.data.cam_dicts import write_dict_seed
from wsss.data.own import adopt_photos, adopt_seeds
from wsss.data.own_files import find_photos
from wsss.data.pictures import read_image, write_mask_png
from wsss.data.voc import VocFolder
from wsss.errors import InputError


@pytest.fixture
def photos(tmp_path, rng):
    """Five photos of two classes, each stored in another way."""
    root = tmp_path / "photos"
    for name in ("owl/a 1.jpg", "owl/Übung.PNG", "rail/b.JPEG", "rail/deep/c.bmp", "rail/d.webp"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(rng.integers(0, 256, (12, 20, 3)).astype(np.uint8))
        picture.save(path, format={"jpg": "JPEG"}.get(path.suffix[1:].lower()))
    (root / "owl" / "._a 1.jpg").write_bytes(b"macOS")
    return root


def test_a_folder_a_class_is_understood(photos, tmp_path):
    found = adopt_photos(photos, tmp_path / "data", val=0.4)
    assert str(found) == (
        "5 photos, 3 to learn from and 2 held out; 2 classes: owl 2, rail 1\n"
        "on fewer than 5 photos, too few to learn well: owl, rail"
    )
    folder = VocFolder(tmp_path / "data")
    assert folder.classes == ("owl", "rail")
    ids = folder.ids("train") + folder.ids("val")
    assert sorted(ids) == sorted(found.files)
    assert folder.image_labels(ids).sum(0).tolist() == [2, 3]
    for image_id, path in found.files.items():  # pixel for pixel, whatever they were stored as
        assert np.array_equal(folder.image(image_id), read_image(path, turned=True))
    assert adopt_photos(photos, tmp_path / "data", val=0.4) == found


@pytest.mark.parametrize(
    "text",
    [
        "file,owl,rail\na 1.jpg,1,0\nÜbung.PNG,1,1\nb.JPEG,0,1\nc,0,1\nrail/d.webp,0,1\n",
        "file;labels\na 1;owl\nÜbung;owl|rail\nb;rail\nrail/deep/c;rail\nd;rail\n",
        'file;labels\na 1;owl\nÜbung;"owl\n rail"\nb;rail\nc;rail\nd;rail\n',
        "sep=;\nfile;labels\na 1;owl\nÜbung;owl,rail\nb;rail\nc;rail\nd;rail\n",
        "file,labels\na 1.jpg,owl\nÜbung.PNG,owl rail\nb.JPEG,rail\nc.bmp,rail\nd.webp,rail\n",
    ],
)
def test_tables_of_labels(photos, tmp_path, text):
    labels = tmp_path / "labels.csv"
    labels.write_text(text, encoding="utf-8")
    found = adopt_photos(photos, tmp_path / "data", labels=labels)
    assert VocFolder(tmp_path / "data").image_labels(list(found.files)).sum(0).tolist() == [2, 4]


@pytest.mark.parametrize("space", [" ", "\u00a0", "\t", "  "])
def test_words_of_a_label_may_be_parted_by_any_space(photos, tmp_path, space):
    label = f"barn{space}owl"
    text = f"file;labels\na 1;{label}\nÜbung;{label}\nb;rail\nc;rail\nd;rail\n"
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
    found = adopt_photos(photos, tmp_path / "data", labels=tmp_path / "labels.csv")
    assert found.classes == ("barn owl", "rail")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("owl\n", "its first line, 'owl', has no comma"),
        ("file,labels\na 1,owl\n", "4 photos have no label"),
        ("file,owl,rail\na 1,1,2\n", "line 2: '2' under 'rail'; give 0 and 1 in each column, or"),
        ("file,owl,rail\na 1,1\n", "line 2: 2 cells under 3 titles$"),
        ("file;labels\na 1;owl;rail\n", r"line 2: 3 cells under 2 titles; write \| between"),
        ("file,labels\na 1\n", "line 2: 1 cells under 2 titles$"),
        (
            "file,owl,owl\n" + "".join(f"{n},1,0\n" for n in ("a 1", "Übung", "b", "c", "d")),
            "labels.csv: 'owl'; name 1 to 254 foreground classes, each once",
        ),
        ("file,labels\na 1,owl\na 1,owl\n", "line 3: 'a 1' stands there twice"),
    ],
)
def test_labels_that_do_not_fit_are_one_line(photos, tmp_path, text, says):
    labels = tmp_path / "labels.csv"
    labels.write_text(text)
    with pytest.raises(InputError, match=says) as caught:
        adopt_photos(photos, tmp_path / "data", labels=labels)
    assert "\n" not in str(caught.value)


def test_a_photo_is_turned_as_its_camera_says(tmp_path, rng):
    root = tmp_path / "photos" / "owl"
    root.mkdir(parents=True)
    exif = Image.Exif()
    exif[274] = 6  # held upright
    pixels = rng.integers(0, 256, (12, 20, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(root / "turned.jpg", exif=exif)
    masks = tmp_path / "masks"
    masks.mkdir()
    Image.fromarray(np.ones((12, 20), np.uint8)).save(masks / "turned.png")
    with pytest.raises(InputError, match=r"or turn it as the camera's EXIF orientation says"):
        adopt_photos(root.parent, tmp_path / "data", masks=masks, val=0)
    Image.fromarray(np.ones((20, 12), np.uint8)).save(masks / "turned.png")
    (image_id,) = adopt_photos(root.parent, tmp_path / "data", masks=masks, val=0).files
    folder = VocFolder(tmp_path / "data")
    assert folder.image(image_id).shape == (20, 12, 3)
    assert folder.mask(image_id).tolist() == [[1] * 12] * 20


def test_what_is_no_photo_is_one_line(tmp_path, rng):
    with pytest.raises(InputError, match="no such folder of photos"):
        find_photos(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"no photo; \.jpg, "):
        find_photos(tmp_path)
    root = tmp_path / "owl"
    root.mkdir()
    deep = Image.fromarray(rng.integers(0, 2**16, (4, 4)).astype(np.uint16))
    deep.save(root / "deep.png")
    with pytest.raises(InputError, match=r"deep\.png: mode I;16 is more than 8 bits"):
        adopt_photos(tmp_path, tmp_path / "data", val=0)
    (root / "deep.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n")
    with pytest.raises(InputError, match=r"deep\.png: the image is damaged"):
        adopt_photos(tmp_path, tmp_path / "data", val=0)
    (root / "deep.png").unlink()
    Image.new("RGB", (4, 4)).save(tmp_path / "bare.jpg")
    with pytest.raises(InputError, match=r"bare\.jpg: no label; put each class's photos"):
        adopt_photos(tmp_path, tmp_path / "data", val=0)


@pytest.fixture
def ten(tmp_path, rng):
    """Ten photos in one folder, named p0 to p9."""
    root = tmp_path / "ten"
    root.mkdir()
    for number in range(10):
        pixels = rng.integers(0, 256, (6, 8, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(root / f"p{number}.png")
    return root


def table(path, rows, header="file,owl,rail"):
    path.write_text("\n".join([header, *(f"p{i},{row}" for i, row in enumerate(rows))]))
    return path


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (["1,0"] * 9 + ["0,1"], "9 to learn from"),
        (["1,0"] * 10, "on every photo: owl; a classifier has nothing to tell it from"),
        (["1,0"] * 10, "on no photo, and never predicted: rail"),
        (["1,0"] * 5 + ["0,0"] * 5, "photos show none of them and are learnt as background"),
        (["1,0"] * 8 + ["0,1"] * 2, "on fewer than 5 photos, too few to learn well: rail"),
    ],
)
def test_what_may_go_wrong_is_said_before(ten, tmp_path, rows, says):
    labels = table(tmp_path / "labels.csv", rows)
    assert says in str(adopt_photos(ten, tmp_path / "data", labels=labels, val=0.1))


def test_of_no_class_the_last_photo_is_held_out(ten, tmp_path):
    labels = table(tmp_path / "labels.csv", ["0,1", *["1,0"] * 9])
    for val in (0.2, 0.5, 0.9):
        found = adopt_photos(ten, tmp_path / "data", labels=labels, val=val)
        assert "p0" in found.train
        assert len(found.val) == min(round(10 * val), 8)


def test_one_name_is_one_class_however_its_umlaut_is_written(ten, tmp_path):
    rows = [*["K\u00e4uzchen"] * 5, *["Ka\u0308uzchen"] * 3, "rail", "rail"]
    labels = table(tmp_path / "labels.csv", rows, "file,labels")
    found = adopt_photos(ten, tmp_path / "data", labels=labels)
    assert found.classes == ("K\u00e4uzchen", "rail")
    for number, name in enumerate(rows):
        (ten / name).mkdir(exist_ok=True)
        (ten / f"p{number}.png").rename(ten / name / f"p{number}.png")
    assert adopt_photos(ten, tmp_path / "data").classes == found.classes


def test_classes_that_only_capitals_tell_apart_are_named(ten, tmp_path):
    labels = table(tmp_path / "labels.csv", [*["owl"] * 4, *["Owl"] * 4, "rail", ""], "file,labels")
    told = str(adopt_photos(ten, tmp_path / "data", labels=labels))
    assert "told apart by capitals alone: Owl, owl; spell alike" in told


def test_columns_that_were_emptied_do_not_count(ten, tmp_path):
    labels = table(tmp_path / "labels.csv", [",owl,"] * 5 + [",rail,"] * 5, "file,,labels,")
    assert adopt_photos(ten, tmp_path / "data", labels=labels).classes == ("owl", "rail")


def test_where_nothing_can_be_written_another_folder_is_asked_for(ten, tmp_path):
    labels = table(tmp_path / "labels.csv", ["1,0", "0,1"] * 5)
    with pytest.raises(InputError, match=r"labels\.csv/.*; name another folder by --out"):
        adopt_photos(ten, labels / "data", labels=labels)


def test_masks_of_a_few_photos_are_held_out_first(ten, tmp_path):
    labels = table(tmp_path / "labels.csv", ["1,0", "0,1"] * 5)
    masks = tmp_path / "masks"
    masks.mkdir()
    for name in ("p3", "p4"):
        Image.fromarray(np.full((6, 8), 2, np.uint8)).save(masks / f"{name}.png")
    found = adopt_photos(ten, tmp_path / "data", labels=labels, masks=masks, val=0.5)
    assert found.val == ("p3", "p4")
    assert "8 to learn from and 2 held out with 2 masks" in str(found)
    assert "not used" not in str(found)
    (masks / "p3_mask.png").write_bytes((masks / "p3.png").read_bytes())
    found = adopt_photos(ten, tmp_path / "data", labels=labels, masks=masks)
    assert f"{masks}: PNGs not used, named like no photo or like several: 1" in str(found)
    listed = tmp_path / "val.txt"
    listed.write_text("p1\n")
    with pytest.raises(InputError, match="no mask of 1 photos held out, the first p1"):
        adopt_photos(ten, tmp_path / "data", labels=labels, masks=masks, val=listed)


@pytest.mark.parametrize(
    "text",
    [
        "p1\np2\n",
        "p1  1\np2  1\np3 -1\n",
        "p1.png\np2.png",
        "/JPEGImages/p1.jpg /S/p1_m.png\na/p2.png 1",
        "p1\t1\n/a/p2",
    ],
)
def test_lists_as_people_have_them(ten, tmp_path, text):
    labels = table(tmp_path / "labels.csv", ["1,0", "0,1"] * 5)
    listed = tmp_path / "val.txt"
    listed.write_text(text)
    found = adopt_photos(ten, tmp_path / "data", labels=labels, val=listed)
    assert found.val == ("p1", "p2")
    listed.write_text("p1\nnowhere\n")
    with pytest.raises(InputError, match=r"val\.txt, line 2: 'nowhere' is none of the photos"):
        adopt_photos(ten, tmp_path / "data", labels=labels, val=listed)


@pytest.mark.parametrize("line", ["p1 2.png", "p1 2", "p1 copy"])
def test_a_name_with_a_space_is_not_the_photo_of_its_first_word(ten, tmp_path, line):
    labels = table(tmp_path / "labels.csv", ["1,0", "0,1"] * 5)
    (tmp_path / "val.txt").write_text(line)
    with pytest.raises(InputError, match=f"line 1: '{line}' is none of the photos"):
        adopt_photos(ten, tmp_path / "data", labels=labels, val=tmp_path / "val.txt")
    (ten / "p3.png").rename(ten / "p 3 -1.png")
    labels = table(tmp_path / "labels.csv", ["1,0", "0,1"] * 5)
    labels.write_text(labels.read_text().replace("p3", "p 3 -1"))
    (tmp_path / "val.txt").write_text("p 3 -1\np4 -1\n")
    found = adopt_photos(ten, tmp_path / "data", labels=labels, val=tmp_path / "val.txt")
    assert [found.files[each].name for each in found.val] == ["p 3 -1.png"]


def test_two_files_of_one_photo_are_refused(ten, tmp_path):
    labels = table(tmp_path / "labels.csv", ["1,0", "0,1"] * 5)
    for folder in ("instances", "semantic"):
        (tmp_path / "masks" / folder).mkdir(parents=True)
        write_mask_png(tmp_path / "masks" / folder / "p1.PNG", np.zeros((6, 8), np.uint8))
    with pytest.raises(InputError, match=r"p1\.PNG and .*p1\.PNG: both are of one photo"):
        adopt_photos(ten, tmp_path / "data", labels=labels, masks=tmp_path / "masks")
    (tmp_path / "masks" / "semantic" / "p1.PNG").rename(tmp_path / "masks" / "p1.PNG")
    found = adopt_photos(ten, tmp_path / "data", labels=labels, masks=tmp_path / "masks", val=0.1)
    assert found.val == ("p1",)  # the one at the photo's own path
    (tmp_path / "masks" / "deep").mkdir()
    (ten / "deep").mkdir()
    (ten / "p2.png").rename(ten / "deep" / "p2.png")
    for value, folder in ((1, "deep"), (2, ".")):  # the photo's path before its name alone
        mask = np.full((6, 8), value, np.uint8)
        write_mask_png(tmp_path / "masks" / folder / "p2.png", mask)
    found = adopt_photos(ten, tmp_path / "data", labels=labels, masks=tmp_path / "masks", val=0.2)
    assert "deep_p2" in found.val
    assert VocFolder(tmp_path / "data").mask("deep_p2").max() == 1
    labels.write_text(labels.read_text() + "\np1.png,1,0\n")
    with pytest.raises(InputError, match=r"'p1.png' is a photo that has a row already"):
        adopt_photos(ten, tmp_path / "data", labels=labels)


def test_xml_lies_as_the_photos_do_or_side_by_side(tmp_path, rng):
    photos, labels = tmp_path / "photos", tmp_path / "labels"
    for name, kind in (("a/1", "owl"), ("b/1", "rail"), ("b/2", "owl")):
        for path in (photos / f"{name}.png", labels / f"{name}.xml"):
            path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).save(photos / f"{name}.png")
        xml = f"<annotation><object><name>{kind}</name></object></annotation>"
        (labels / f"{name}.xml").write_text(xml)
    (labels / "b" / "2.xml").rename(labels / "2.xml")
    shown = adopt_photos(photos, tmp_path / "data", labels=labels, val=0).shown
    assert shown == {"a_1": ["owl"], "b_1": ["rail"], "b_2": ["owl"]}
    (labels / "a" / "1.xml").rename(labels / "1.xml")
    with pytest.raises(InputError, match="no such file, and several photos are called 1"):
        adopt_photos(photos, tmp_path / "data", labels=labels, val=0)


@pytest.mark.parametrize("header", ["file,label", "file,Class"])
def test_a_column_of_numbers_is_no_class_called_label(ten, tmp_path, header):
    labels = table(tmp_path / "labels.csv", ["1", "0"] * 5, header=header)
    with pytest.raises(InputError, match="one column of 0 and 1; give it the class's name"):
        adopt_photos(ten, tmp_path / "data", labels=labels)
    labels = table(tmp_path / "labels.csv", ["1,0", "0,1"] * 5, header="file,id,owl")
    with pytest.raises(InputError, match="a class cannot be called 'id'"):
        adopt_photos(ten, tmp_path / "data", labels=labels)


def test_photos_are_found_where_people_have_them(ten, tmp_path, rng):
    """In linked folders, once where links go in circles; not where systems keep their own."""
    for name in (".thumbnails/1.png", "@eaDir/2.jpg", "._p1.png"):
        (ten / name).parent.mkdir(exist_ok=True)
        (ten / name).write_bytes((ten / "p1.png").read_bytes())
    (tmp_path / "elsewhere").mkdir()
    (ten / "p9.png").rename(tmp_path / "elsewhere" / "p9.png")
    (ten / "linked").symlink_to(tmp_path / "elsewhere")
    (ten / "again").symlink_to(tmp_path / "elsewhere" / ".")
    (tmp_path / "elsewhere" / "circle").symlink_to(ten)
    Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).save(ten / "p8.jfif", format="JPEG")
    names = [path.relative_to(ten).as_posix() for path in find_photos(ten).values()]
    assert sorted(names) == sorted(["again/p9.png", *(f"p{n}.png" for n in range(9)), "p8.jfif"])


def test_what_is_left_of_a_long_name_is_no_hidden_file(tmp_path):
    """Else nobody would see the seeds that are called so."""
    for name in (f"IMG.{'b' * 63}", f"IMG{'.' * 70}"):
        (tmp_path / f"{name}.png").touch()
    assert sorted(find_photos(tmp_path)) == ["_", "b" * 63]


def test_a_disk_without_links_gets_copies(ten, tmp_path, rng, monkeypatch):
    Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).save(ten / "p8.jpg")
    (ten / "p8.png").unlink()
    labels = table(tmp_path / "labels.csv", ["1,0", "0,1"] * 5)

    def refused(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(Path, "symlink_to", refused)
    adopt_photos(ten, tmp_path / "data", labels=labels)
    stored = tmp_path / "data" / "JPEGImages" / "p8.jpg"
    assert stored.read_bytes() == (ten / "p8.jpg").read_bytes()
    assert not stored.is_symlink()
    inode = stored.stat().st_ino
    adopt_photos(ten, tmp_path / "data", labels=labels)
    assert stored.stat().st_ino == inode


def test_what_is_there_already_is_not_written_again(ten, tmp_path, rng):
    """So that another process that reads it never finds it missing, nor with other bytes."""
    Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).save(ten / "p8.jpg")
    (ten / "p8.png").unlink()
    labels, stored = table(tmp_path / "labels.csv", ["1,0", "0,1"] * 5), tmp_path / "data"
    inodes = []
    for _ in range(2):
        adopt_photos(ten, stored, labels=labels)
        found = sorted((stored / "JPEGImages").iterdir())
        inodes.append([path.lstat().st_ino for path in found])
    assert inodes[0] == inodes[1]
    (stored / "JPEGImages" / "p1.png").write_bytes(b"damaged")
    Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).save(ten / "p2.png")
    (ten / "p8.jpg").rename(tmp_path / "p8.jpg")
    (ten / "p8.jpg").symlink_to(tmp_path / "p8.jpg")
    understood = adopt_photos(ten, stored, labels=labels)
    for image_id, path in understood.files.items():
        assert np.array_equal(VocFolder(stored).image(image_id), read_image(path))


def test_columns_number_the_masks(ten, tmp_path):
    """A column that no photo shows keeps its number, so that the masks keep theirs."""
    rows = ["0,1,0", "0,0,1"] * 5
    labels = table(tmp_path / "labels.csv", rows, header="file,zebra,rail,owl")
    found = adopt_photos(ten, tmp_path / "data", labels=labels)
    assert found.classes == ("zebra", "rail", "owl")
    assert VocFolder(tmp_path / "data").classes == ("zebra", "rail", "owl")


def test_nothing_is_left_to_learn_from(ten, tmp_path):
    labels, listed = table(tmp_path / "labels.csv", ["1,0"] * 10), tmp_path / "val.txt"
    listed.write_text("".join(f"p{i}\n" for i in range(10)))
    with pytest.raises(InputError, match="0 photos to learn from and 10 held out"):
        adopt_photos(ten, tmp_path / "data", labels=labels, val=listed)


def test_seeds_of_others_become_index_maps(ten, tmp_path, rng):
    labels = table(tmp_path / "labels.csv", ["1,1"] * 10)
    data, given = tmp_path / "data", tmp_path / "irn"
    found = adopt_photos(ten, data, labels=labels, val=0.2)
    given.mkdir()
    with pytest.raises(InputError, match=r"no ID\.png nor ID\.npy of a photo"):
        adopt_seeds(given, data, found)
    seeds = {name: rng.choice([0, 1, 2, 255], (6, 8)).astype(np.uint8) for name in found.train[:3]}
    for (name, seed), as_dict in zip(seeds.items(), (True, True, False), strict=True):
        if as_dict:
            write_dict_seed(given / f"{name}.NPY", seed, [1, 2], "irn")
        else:
            Image.fromarray(seed).save(given / f"{name}.png")
    assert adopt_seeds(given, data, found) == "seeds of irn for 3 of 8 photos to learn from"
    for name in found.train:
        read = np.array(Image.open(data / "seeds" / "irn" / f"{name}.png"))
        assert np.array_equal(read, seeds.get(name, np.full((6, 8), 255)))
    denying = table(tmp_path / "labels.csv", ["1,0"] * 10)
    told = adopt_seeds(given, data, adopt_photos(ten, data, labels=denying, val=0.2))
    assert ": shows 'rail', the labels say owl; correct one of them (and 2 more such seeds)" in told
    assert told.endswith("\nin seeds 0 is background, 1 owl, 2 rail")
    for wrong, says in (
        (np.full((6, 8), 3, np.uint8), "mask value 3; use 0 to 2, or 255"),
        (np.zeros((8, 6), np.uint8), "the mask is 6 x 8 pixels, its image 8 x 6"),
    ):
        Image.fromarray(wrong).save(given / f"{found.train[3]}.png")
        with pytest.raises(InputError, match=says):
            adopt_seeds(given, data, found)
    (given / f"{found.train[0]}.NPY").write_bytes(b"no array")
    with pytest.raises(InputError, match=r"not a readable \.npy") as caught:
        adopt_seeds(given, data, found)
    assert "\n" not in str(caught.value)


def test_a_name_that_two_photos_have_names_neither(ten, tmp_path):
    first, second = sorted(ten.glob("*"))[:2]
    (ten / "deep").mkdir()
    second.rename(ten / "deep" / first.name)
    rows = [f"{path.name},owl" for path in sorted(ten.glob("*.png"))]
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join(["file,labels", *rows, f"deep/{first.name},rail"]))
    with pytest.raises(InputError, match=f"or several in sub-folders, the first '{first.name}'"):
        adopt_photos(ten, tmp_path / "data", labels=labels)


def test_vocs_own_labels_may_name_more_photos_than_there_are(ten, tmp_path):
    names = [path.stem for path in sorted(ten.glob("*"))]
    row = np.eye(20, dtype=np.float32)[7]
    np.save(tmp_path / "cls_labels.npy", {name: row for name in [*names, "2007_000032"]})  # pyright: ignore
    found = adopt_photos(ten, tmp_path / "data", labels=tmp_path / "cls_labels.npy")
    assert found.counts["cat"] == len(found.train) == 8


def test_masks_of_an_earlier_call_do_not_stay(ten, tmp_path):
    labels, masks = tmp_path / "labels.csv", tmp_path / "masks"
    names = [path.name for path in sorted(ten.glob("*"))]
    labels.write_text("\n".join(["file,labels", *(f"{name},owl" for name in names)]))
    masks.mkdir()
    for name in names:
        Image.fromarray(np.ones((6, 8), np.uint8)).save(masks / f"{name[:-4]}.png")
    stored = tmp_path / "data" / "SegmentationClass"
    adopt_photos(ten, tmp_path / "data", labels=labels, masks=masks)
    assert len(list(stored.iterdir())) == 10
    (masks / f"{names[0][:-4]}.png").unlink()
    adopt_photos(ten, tmp_path / "data", labels=labels, masks=masks)
    assert len(list(stored.iterdir())) == 9
