"""Files that crash, hang, name what is outside or talk to the terminal end in one line."""

import json
import os
import signal

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from wsss.data import sbd
from wsss.data.labels import find_labels, object_names
from wsss.data.own import adopt_photos
from wsss.data.own_files import find_photos
from wsss.data.packed import PackedArrays, pack
from wsss.data.sbd import SbdFolder
from wsss.data.voc import VocFolder
from wsss.errors import InputError
from wsss.files import seal
from wsss.models.mxnet_params import read_params
from wsss.portable import load_segmenter
from wsss.submission import write_submission


@pytest.fixture(autouse=True)
def soon():
    """End what hangs."""

    def late(*_):
        pytest.fail("it hangs")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(240)  # processes start slowly on a busy machine
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


# --- SBD: a process of its own -------------------------------------------------------------


def read_or_crash(path):
    """Stands for SciPy's reader, which some damaged bytes make the system kill."""
    if "000002" in path.name:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "000003" in path.name:
        raise MemoryError
    return np.full((2, 2), os.getpid() % 2, np.uint8)


def test_a_mask_that_crashes_the_reader_is_named_and_the_next_one_read(tmp_path, monkeypatch):
    for k in range(5):
        (tmp_path / f"2008_{k:06d}.mat").write_bytes(b"x")
    monkeypatch.setattr(sbd, "_read_segmentation", read_or_crash)
    folder = SbdFolder(tmp_path)
    for k, says in ((2, r"a process died \(signal 11\)"), (3, "MemoryError")):
        assert folder.mask("2008_000001").shape == (2, 2)
        with pytest.raises(InputError, match=rf"2008_00000{k}\.mat: no mask of SBD .*{says}"):
            folder.mask(f"2008_00000{k}")
    assert folder.mask("2008_000004").shape == (2, 2)


def test_a_mask_that_keeps_the_reader_busy_is_given_up(tmp_path, monkeypatch):
    (tmp_path / "2008_000001.mat").write_bytes(b"x")
    monkeypatch.setattr(sbd, "_read_segmentation", sleep)
    monkeypatch.setattr(sbd, "SECONDS", 3)
    with pytest.raises(InputError, match="it was ended after 3 seconds"):
        SbdFolder(tmp_path).mask("2008_000001")


def sleep(path):
    signal.pause()


def test_one_changed_byte_never_ends_this_process(tmp_path, rng):
    path = tmp_path / "2008_000001.mat"
    mask = rng.integers(0, 21, (9, 7)).astype(np.uint8)
    savemat(path, {"GTcls": {"Segmentation": mask, "CategoriesPresent": [1, 2]}})
    good, folder, told = path.read_bytes(), SbdFolder(tmp_path), 0
    for at in range(128, len(good), 5):
        path.write_bytes(good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :])
        try:
            folder.mask("2008_000001")
        except InputError:
            told += 1
    assert told > 10
    path.write_bytes(good)
    np.testing.assert_array_equal(folder.mask("2008_000001"), mask)


# --- pipes: whoever opens one waits --------------------------------------------------------

PIPES = {
    "JPEGImages/2007_000000.jpg": "no such image",
    "SegmentationClass/2007_000000.png": None,  # as if there were none
    "labels.csv": "cannot be read",
    "classes.txt": "cannot be read as text",
    "ImageSets/Segmentation/train.txt": "cannot be read as text",
}


@pytest.mark.parametrize("name", PIPES)
def test_a_pipe_in_a_data_folder_is_not_waited_for(make_voc, name):
    root, says = make_voc(2), PIPES[name]
    (root / name).unlink()
    os.mkfifo(root / name)
    if says is None:
        VocFolder(root).fingerprint(["train"])
        return
    with pytest.raises(InputError, match=says) as told:
        VocFolder(root).fingerprint(["train"])
    assert str(root / name) in str(told.value)


@pytest.mark.parametrize(
    "read",
    [
        lambda path: SbdFolder(path.parent).mask(path.stem),
        object_names,
        lambda path: find_labels(path, [], ["cat"]),
        read_params,
    ],
)
@pytest.mark.parametrize("ending", ["mat", "xml", "npy"])
def test_a_pipe_elsewhere_is_not_waited_for(tmp_path, read, ending):
    os.mkfifo(tmp_path / f"a.{ending}")
    with pytest.raises(InputError):
        read(tmp_path / f"a.{ending}")


# --- names ---------------------------------------------------------------------------------


@pytest.mark.parametrize("image_id", ["../../x", "../x", "a/../../x", "/x", "..", ".x", "a/b"])
def test_an_archive_is_written_nowhere_but_in_its_folder(tmp_path, image_id):
    out, label_map = tmp_path / "a" / "b", np.zeros((2, 3), np.uint8)
    with pytest.raises(InputError, match="is no id, but a way out of the folder"):
        write_submission([(image_id, label_map)], {image_id: (2, 3)}, out)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_what_a_file_is_called_is_not_obeyed_by_the_terminal(tmp_path):
    photo = tmp_path / "owl" / "a\x1b]0;owned\x07\nerror: none.jpg"
    photo.parent.mkdir()
    photo.write_bytes(b"no photo")
    with pytest.raises(InputError) as told:
        adopt_photos(tmp_path, tmp_path / "data", val=0)
    assert str(told.value).isprintable()
    assert r"a\x1b]0;owned\x07\nerror: none.jpg: the image is damaged" in str(told.value)


@pytest.mark.parametrize("name", ["\x1b[31mowl", "o\nwl", "x" * 101, "background"])
def test_what_a_class_is_called_is_not_obeyed_by_the_terminal(tmp_path, make_voc, name):
    (tmp_path / "photos" / name).mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "photos" / name / "a.jpg")
    with pytest.raises(InputError, match=r"is no name of a class|no photo shows any class") as told:
        adopt_photos(tmp_path / "photos", tmp_path / "data", val=0)
    assert str(told.value).isprintable()
    root = make_voc(2)
    (root / "classes.txt").unlink()
    (root / "labels.csv").write_text(f'id,cow,"{name}"\n', newline="")
    with pytest.raises(InputError, match=r"new to VOC|is no name of a class|is no|foreground"):
        VocFolder(root)


def test_photos_in_folders_of_long_names_get_ids_that_files_can_have(tmp_path):
    deep = tmp_path.joinpath("photos", *["very long name of a folder" * 4] * 3)
    deep.mkdir(parents=True)
    for name in "ab":
        Image.new("RGB", (8, 8)).save(deep / f"{name}.jpg")
    first, second = find_photos(tmp_path / "photos")
    assert len(first) == len(second) == 64
    assert first != second


# --- tables, descriptions, indices ---------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (",,\n", "cannot be read as a table"),
        ("file,labels\n", "1 photos have no label"),
        ("file,labels\na," + "x" * 200_000 + "\n", r"cannot be read as a table \(field larger"),
        ("file,o\x1bwl,rail\na,1,0\n", r"'o\\x1bwl' is no name of a class"),
        ("file,owl,owl\na,1,0\n", "each once"),
        ("file;background\na;1\n", "no photo shows any class"),
    ],
)
def test_odd_tables_of_labels_are_one_line(tmp_path, text, says):
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "photos" / "a.jpg")
    labels = tmp_path / "labels.csv"
    labels.write_text(text)
    with pytest.raises(InputError, match=says) as told:
        adopt_photos(tmp_path / "photos", tmp_path / "data", labels=labels, val=0)
    assert str(told.value).startswith(f"{labels}: ")
    assert str(told.value).isprintable()


def test_xml_of_an_unknown_encoding_is_one_line(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text('<?xml version="1.0" encoding="klingon"?><annotation/>')
    with pytest.raises(InputError, match=r"a\.xml: cannot be read as XML"):
        object_names(path)


SOUND = {"network": "vgg16_scenes", "classes": ["cat", "dog"], "longest_side": None}


@pytest.mark.parametrize(
    ("about", "says"),
    [
        ("", "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        ("[]", "is to say network"),
        ({"network": None}, "is to say network"),
        ({"network": 7}, "is to say network"),
        ({"network": "vgg99"}, "there is no network 'vgg99' in this version"),
        ({"classes": None}, "is to say network"),
        ({"classes": "cat"}, "is to say network"),
        ({"classes": ["cat", 7]}, "is to say network"),
        ({"classes": []}, "name 1 to 254 foreground classes"),
        ({"classes": ["cat", "cat"]}, "each once"),
        ({"longest_side": "large"}, "is to say network"),
        ({"longest_side": -1}, "is to say network"),
        ({"longest_side": 0.5}, "is to say network"),
        ({"longest_side": True}, "is to say network"),
        ({}, "holds no state_dict"),
    ],
)
def test_a_saved_segmenter_with_another_description_is_one_line(tmp_path, about, says):
    changed = about if isinstance(about, str) else json.dumps({**SOUND, **about})
    (tmp_path / "model.json").write_text(changed)
    torch.save([1], tmp_path / "model.pt")
    seal(tmp_path)  # written so, and not damaged
    with pytest.raises(InputError, match=says) as told:
        load_segmenter(tmp_path)
    assert str(told.value).startswith(str(tmp_path))
    assert len(str(told.value)) < 400


@pytest.mark.parametrize("absent", ["network", "classes", "longest_side"])
def test_a_saved_segmenter_whose_description_lacks_something_is_one_line(tmp_path, absent):
    rest = {key: value for key, value in SOUND.items() if key != absent}
    (tmp_path / "model.json").write_text(json.dumps(rest))
    seal(tmp_path)
    with pytest.raises(InputError, match="is to say network"):
        load_segmenter(tmp_path)


def test_weights_of_another_network_are_one_line(tmp_path):
    (tmp_path / "model.json").write_text(json.dumps(SOUND))
    torch.save({"classifier.weight": torch.zeros(3)}, tmp_path / "model.pt")
    seal(tmp_path)
    with pytest.raises(InputError, match=r"model\.pt: no weights of a vgg16_scenes of 2 classes"):
        load_segmenter(tmp_path)


NO_NUMBERS = (",", ",<f2", "<f2,", "O", "<U3", "f2, 3i4", "<c8", "<f99")


@pytest.mark.parametrize(
    "index",
    [
        "", "[]", "{}", "null", "[" * 100_000, '{"dtype": "<f4"}', '{"dtype": "<f4", "shapes": 7}',
        '{"dtype": "O", "shapes": []}', '{"dtype": "nonsense", "shapes": []}',
        '{"dtype": "<f4", "shapes": [[-1, -2]]}', '{"dtype": "<f4", "shapes": [["2"]]}',
        '{"dtype": "<f4", "shapes": [[1.5]]}', '{"dtype": "<f4", "shapes": [[1e400]]}',
        '{"dtype": "<f4", "shapes": [[' + "9" * 30 + "]]}", '{"dtype": 7, "shapes": []}',
        '{"dtype": "<f4", "shapes": [[100000000000]]}', '{"dtype": {"a": 1}, "shapes": []}',
        *(f'{{"dtype": "{each}", "shapes": [[2]]}}' for each in NO_NUMBERS),
    ],
)  # fmt: skip
def test_a_damaged_index_of_packed_arrays_is_one_line(tmp_path, index):
    pack(tmp_path / "a", [np.zeros(2, np.float32)])
    (tmp_path / "a.json").write_text(index)
    with pytest.raises(InputError, match="compute it again") as told:
        PackedArrays(tmp_path / "a")
    assert str(tmp_path) in str(told.value)
