"""Photos and labels as people have them."""

import numpy as np
import pytest
from PIL import Image

from wsss.data.own import adopt_photos, find_photos, upright
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
    assert str(found) == ("5 photos, 3 to learn from and 2 held out; 2 classes: owl 2, rail 3")
    folder = VocFolder(tmp_path / "data")
    assert folder.classes == ("owl", "rail")
    ids = folder.ids("train") + folder.ids("val")
    assert sorted(ids) == sorted(found.files)
    assert folder.image_labels(ids).sum(0).tolist() == [2, 3]
    for image_id, path in found.files.items():  # pixel for pixel, whatever they were stored as
        assert np.array_equal(folder.image(image_id), np.array(upright(path)))
    assert adopt_photos(photos, tmp_path / "data", val=0.4) == found


@pytest.mark.parametrize(
    "text",
    [
        "file,owl,rail\na 1.jpg,1,0\nÜbung.PNG,1,1\nb.JPEG,0,1\nc,0,1\nrail/d.webp,0,1\n",
        "file;labels\na 1;owl\nÜbung;owl|rail\nb;rail\nrail/deep/c;rail\nd;rail\n",
        "file,labels\na 1.jpg,owl\nÜbung.PNG,owl rail\nb.JPEG,rail\nc.bmp,rail\nd.webp,rail\n",
    ],
)
def test_tables_of_labels(photos, tmp_path, text):
    labels = tmp_path / "labels.csv"
    labels.write_text(text, encoding="utf-8")
    found = adopt_photos(photos, tmp_path / "data", labels=labels)
    assert dict(found.counts) == {"owl": 2, "rail": 4}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("owl\n", "its first line, 'owl', has no comma"),
        ("file,labels\na 1,owl\n", "4 photos have no label"),
        ("file,labels\nx,owl\n", "1 of its names are no photos, the first 'x'"),
        ("file,owl,rail\na 1,1,2\n", "give 0 and 1, or one column of labels"),
        ("file,owl,rail\na 1,1\n", "line 2: 2 cells under 3 titles"),
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
    with pytest.raises(InputError, match=r"it fits the photo before the camera's rotation"):
        adopt_photos(root.parent, tmp_path / "data", masks=masks)
    Image.fromarray(np.ones((20, 12), np.uint8)).save(masks / "turned.png")
    (image_id,) = adopt_photos(root.parent, tmp_path / "data", masks=masks, val=0.01).files
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
    with pytest.raises(InputError, match=r"deep\.png: I;16 has more than 8 bits"):
        adopt_photos(tmp_path, tmp_path / "data")
    (root / "deep.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n")
    with pytest.raises(InputError, match=r"deep\.png: the photo is damaged"):
        adopt_photos(tmp_path, tmp_path / "data")
    (root / "deep.png").unlink()
    Image.new("RGB", (4, 4)).save(tmp_path / "bare.jpg")
    with pytest.raises(InputError, match=r"bare\.jpg: no label; put each class's photos"):
        adopt_photos(tmp_path, tmp_path / "data")
