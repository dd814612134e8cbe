"""Image-level labels: three sources, one answer, and nothing in a pickle is executed."""

from __future__ import annotations

import builtins
import operator
import os
import pickle
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsss.data.labels import (
    VOC_CLASSES,
    read_labels,
    write_labels_csv,
)
from wsss.errors import InputError


def one_line(caught: pytest.ExceptionInfo[InputError]) -> str:
    message = str(caught.value)
    assert message
    assert "\n" not in message
    return message


def write_npy(path: Path, payload: object) -> Path:
    np.save(path, np.array(payload, object))
    return path


def write_pickle(path: Path, pickled: bytes) -> Path:
    """Write raw pickle bytes behind the header of an array of objects."""
    header = {"descr": "|O", "fortran_order": False, "shape": ()}
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        stream.write(pickled)
    return path


# --- CSV -----------------------------------------------------------------------------------


def test_csv_finds_columns_by_name_and_rows_by_id(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("dog,note,id,cat\n1,sunny,b,0\n\n0,rain,a,1\n")
    np.testing.assert_array_equal(
        read_labels(path, ["a", "b", "a"], ["cat", "dog"]), [[1, 0], [0, 1], [1, 0]]
    )
    assert read_labels(path, [], ["cat", "dog"]).shape == (0, 2)


def test_csv_written_by_a_spreadsheet(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes("\ufeffid, cat\r\na, 1\r\n".encode())
    assert read_labels(path, ["a"], ["cat"]).tolist() == [[True]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "'id' occurs 0 times"),
        ("id,dog\na,1\n", "'cat' occurs 0 times"),
        ("id,cat,cat\na,1,0\n", "'cat' occurs 2 times"),
        ("id,cat\na,2\n", "line 2: label '2' of image 'a'"),
        ("id,cat\na,\n", "write 0 or 1"),
        ("id,cat\na,1,0\n", "line 2: 3 values under 2"),
        ("id,cat\na,1\na,1\n", "line 3: image 'a' has labels twice"),
        ("id,cat\nb,1\n", "no labels for image 'a'"),
        ('id,cat\n"a,1\n', "cannot be read as a CSV"),
        ("id,cat\na,\xff\n", "cannot be read as a CSV"),
    ],
)
def test_bad_csv(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(text.encode("latin1"))
    with pytest.raises(InputError) as caught:
        read_labels(path, ["a"], ["cat"])
    message = one_line(caught)
    assert str(path) in message
    assert says in message


def test_missing_ids_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("id,cat\na,1\n")
    with pytest.raises(InputError, match="image 'b' and 2 more; add them"):
        read_labels(path, ["a", "b", "c", "d"], ["cat"])


@settings(max_examples=30, deadline=None)
@given(data=st.data(), n=st.integers(0, 5), c=st.integers(1, 4))
def test_csv_round_trip(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, n: int, c: int
) -> None:
    path = tmp_path_factory.mktemp("csv") / "labels.csv"
    names = st.text(st.characters(categories=("L", "N", "P")), min_size=1)
    classes = data.draw(
        st.lists(names.filter(lambda name: name != "id"), min_size=c, max_size=c, unique=True)
    )
    ids = data.draw(st.lists(names, min_size=n, max_size=n, unique=True))
    present = np.array(data.draw(st.lists(st.booleans(), min_size=n * c, max_size=n * c)), bool)
    write_labels_csv(path, ids, classes, present.reshape(n, c))
    np.testing.assert_array_equal(read_labels(path, ids, classes), present.reshape(n, c))


def test_refused_labels_leave_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("old")
    with pytest.raises(InputError) as caught:
        write_labels_csv(path, ["a", "b"], ["cat"], np.ones((1, 1), bool))
    one_line(caught)
    assert [each.name for each in tmp_path.iterdir()] == ["labels.csv"]
    assert path.read_text() == "old"


# --- XML -----------------------------------------------------------------------------------


def write_xml(folder: Path, image_id: str, *objects: tuple[str, int | None]) -> None:
    folder.mkdir(exist_ok=True)
    inside = "".join(
        f"<object><name>{name}</name><part><name>head</name></part>"
        + ("" if difficult is None else f"<difficult>{difficult}</difficult>")
        + "</object>"
        for name, difficult in objects
    )
    (folder / f"{image_id}.xml").write_text(f"<annotation>{inside}</annotation>")


@pytest.fixture
def xml_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "Annotations"
    write_xml(folder, "mixed", ("cat", 1), ("dog", 0), ("dog", 1), ("head", None))
    write_xml(folder, "only_difficult", ("cat", 1), ("dog", 1))
    write_xml(folder, "unmarked", ("cat", None))
    write_xml(folder, "empty")
    return folder


IDS = ["mixed", "only_difficult", "unmarked", "empty"]


def test_xml_keeps_difficult_objects(xml_folder: Path) -> None:
    labels = read_labels(xml_folder, IDS, ["dog", "cat"])
    np.testing.assert_array_equal(labels, [[1, 1], [1, 1], [0, 1], [0, 0]])


def test_xml_drops_difficult_objects_unless_there_are_no_others(xml_folder: Path) -> None:
    labels = read_labels(xml_folder, IDS, ["dog", "cat"], difficult="drop")
    np.testing.assert_array_equal(labels, [[1, 0], [1, 1], [0, 1], [0, 0]])


def test_whether_others_are_there_does_not_depend_on_the_chosen_classes(xml_folder: Path) -> None:
    assert not read_labels(xml_folder, ["mixed"], ["cat"], difficult="drop").any()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "no labels for image 'a'"),
        ("<annotation>", "cannot be read as XML"),
        ("<html></html>", "<html> is not a VOC annotation"),
        ("<annotation><object/></annotation>", "has no <name>"),
    ],
)
def test_bad_xml(tmp_path: Path, text: str | None, says: str) -> None:
    if text is not None:
        (tmp_path / "a.xml").write_text(text)
    with pytest.raises(InputError) as caught:
        read_labels(tmp_path, ["a"], ["cat"])
    message = one_line(caught)
    assert str(tmp_path) in message
    assert says in message


def test_an_unknown_rule_for_difficult_objects(xml_folder: Path) -> None:
    with pytest.raises(InputError, match="choose one of 'keep', 'drop'"):
        read_labels(xml_folder, IDS, ["cat"], difficult="maybe")  # type: ignore[arg-type]


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=5), min_size=1)
)
def test_kept_labels_are_those_of_npy_and_dropping_only_takes_away(
    shown: list[list[tuple[str, bool]]],
) -> None:
    classes, ids = list("dbca"), [f"2008_{index:06d}" for index in range(len(shown))]
    with tempfile.TemporaryDirectory() as root:
        folder, rows = Path(root, "Annotations"), {}
        folder.mkdir()
        for image_id, objects in zip(ids, shown, strict=True):
            write_xml(folder, image_id, *((name, int(hard)) for name, hard in objects))
            named = {name for name, _ in objects}  # the rule of psa's make_cls_labels
            rows[int(image_id.replace("_", ""))] = np.array([float(c in named) for c in classes])
        npy = write_npy(Path(root, "cls_labels.npy"), rows)
        boxed = read_labels(npy, ids, classes, columns=classes)
        kept, dropped = (
            read_labels(folder, ids, classes, difficult=rule) for rule in ("keep", "drop")
        )
    assert np.array_equal(kept, boxed)
    assert not (dropped & ~kept).any()
    assert np.array_equal(dropped.any(1), kept.any(1)), "an image lost all its labels"
    for objects, before, after in zip(shown, kept, dropped, strict=True):
        easy = {name for name, hard in objects if not hard}
        expected = np.array([c in easy for c in classes]) if easy else before
        assert np.array_equal(after, expected)


def test_only_xml_can_drop_difficult_objects(tmp_path: Path) -> None:
    table, array = tmp_path / "labels.csv", tmp_path / "labels.npy"
    table.write_text("id,cat\n2007_000032,1\n")
    write_npy(array, {2007000032: np.array([1])})
    for source in (table, array):
        assert read_labels(source, ["2007_000032"], ["cat"], columns=["cat"]).all()
        with pytest.raises(InputError, match=f"^{source}: difficult='drop' needs .* XML"):
            read_labels(source, ["2007_000032"], ["cat"], columns=["cat"], difficult="drop")


# --- cls_labels.npy ------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.int64, bool, ">f4"])
@pytest.mark.parametrize(
    "key", [2007000032, "2007_000032", np.int64(2007000032), np.int32(2007000032)]
)
def test_npy_keys_and_numbers(tmp_path: Path, dtype: type, key: object) -> None:
    path = write_npy(tmp_path / "labels.npy", {key: np.array([0, 1, 1], dtype)})
    labels = read_labels(path, ["2007_000032"], ["c", "a"], columns=["a", "b", "c"])
    assert labels.tolist() == [[True, False]]


@pytest.mark.parametrize("protocol", range(5))
def test_npy_of_every_pickle_protocol(tmp_path: Path, protocol: int) -> None:
    mapping = {index: np.arange(20, dtype=np.float32) % (index + 2) == 0 for index in range(3)}
    content = np.array({key: row.astype(np.float32) for key, row in mapping.items()}, object)
    path = write_pickle(tmp_path / "labels.npy", pickle.dumps(content, protocol))
    ids = [f"0000_{index:06d}" for index in range(3)]
    np.testing.assert_array_equal(
        read_labels(path, ids, VOC_CLASSES), np.stack(list(mapping.values()))
    )


def test_npy_as_python_2_wrote_it(tmp_path: Path) -> None:
    def dtype(code: bytes, order: bytes, flags: bytes) -> bytes:
        made = b"cnumpy\ndtype\n(U\x02" + code + b"I0\nI1\ntR"
        return made + b"(I3\nU\x01" + order + b"NNNI-1\nI-1\nI" + flags + b"\ntb"

    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntU\x01btR"
    raw = np.array([0, 1], "<f4").tobytes()
    row = array + b"(I1\n(I2\nt" + dtype(b"f4", b"<", b"0") + b"I00\nU\x08" + raw + b"tb"
    mapping = b"(dI2007000032\n" + row + b"s"
    outer = array + b"(I1\n(t" + dtype(b"O8", b"|", b"63") + b"I00\n(l" + mapping + b"atb."
    path = write_pickle(tmp_path / "labels.npy", b"\x80\x02" + outer)
    trusted = np.load(path, allow_pickle=True, encoding="latin1").item()
    assert trusted[2007000032].tolist() == [0, 1]
    labels = read_labels(path, ["2007_000032"], ["a", "b"], columns=["a", "b"])
    assert labels.tolist() == [[False, True]]


class Calls:
    """Pickles as a call of `function`."""

    def __init__(self, function: Callable[..., object], *args: object) -> None:
        self.call = (function, args)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def touch(path: Path) -> str:
    return f"open({str(path)!r}, 'w').close()"


HOSTILE = {
    "system": lambda mark: Calls(os.system, f"touch {mark}"),
    "eval": lambda mark: Calls(builtins.eval, touch(mark)),
    "exec": lambda mark: Calls(builtins.exec, touch(mark)),
    "methodcaller": lambda mark: Calls(operator.methodcaller("touch"), mark),
    "subprocess": lambda mark: Calls(subprocess.check_call, ["touch", str(mark)]),
    "numpy": lambda mark: Calls(np.savetxt, str(mark), [0]),
    "numpy loader": lambda mark: Calls(np.load, str(mark)),
    "codecs": lambda mark: Calls(__import__("codecs").open, str(mark), "w"),
}


@pytest.mark.parametrize("where", ["content", "key", "row", "inside row"])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_are_refused(tmp_path: Path, name: str, where: str) -> None:
    mark = tmp_path / "executed"
    payload = HOSTILE[name](mark)
    row = np.zeros(20, np.float32)
    content = {
        "content": payload,
        "key": {payload: row},
        "row": {1: row, 2: payload},
        "inside row": {1: np.array([payload] * 20, object)},
    }[where]
    path = write_npy(tmp_path / "cls_labels.npy", content)
    with pytest.raises(InputError) as caught:
        read_labels(path, ["0000_000001"], VOC_CLASSES)
    message = one_line(caught)
    assert str(path) in message
    assert "refused" in message
    assert not mark.exists()


GETATTR_CHAIN = (
    b"cbuiltins\ngetattr\n(cbuiltins\n__import__\n(X\x02\x00\x00\x00ostRX\x06\x00\x00\x00systemtR"
    b"(X%b%btR."
)


@pytest.mark.parametrize("start", [b"", b"cnumpy\ndtype\n0"])
def test_a_chain_of_getattr_is_refused(tmp_path: Path, start: bytes) -> None:
    mark = tmp_path / "executed"
    command = f"touch {mark}".encode()
    chain = start + GETATTR_CHAIN % (len(command).to_bytes(4, "little"), command)
    path = write_pickle(tmp_path / "cls_labels.npy", chain)
    with pytest.raises(InputError) as caught:
        read_labels(path, ["0000_000001"], VOC_CLASSES)
    assert "builtins.getattr, refused" in one_line(caught)
    assert not mark.exists()
    np.load(path, allow_pickle=True)
    assert mark.exists(), "the pickle would not have done anything anyway"


@pytest.mark.parametrize(
    "pickled",
    [
        # A stand-in called, changed or inherited from, instead of just an array built.
        b"cnumpy\nndarray\n(tR.",
        b"cnumpy\ndtype\n}X\x08\x00\x00\x00__call__Nsb.",
        b"cnumpy\ndtype\nN}X\x08\x00\x00\x00__code__Ns\x86b.",
        b"\x80\x02cnumpy\ndtype\n)\x81.",
        b"c_codecs\nencode\n(X\x02\x00\x00\x00osX\x03\x00\x00\x00rottR.",
        b"c_codecs\nencode\n(NNtR.",
        # Escapes by a dotted name, the extension registry and persistent ids.
        b"\x80\x04\x8c\x05numpy\x8c\x12os.system.__class__\x93.",
        b"\x80\x04\x8c\x16numpy.core.multiarray.x\x8c\x05dtype\x93.",
        b"\x82\x01.",
        b"Pos\n.",
        # Damage.
        b"",
        b".",
        b"N.",
        b"}.",
        b"]\x94h\x00a.",
        b"\x80\xff.",
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"(" * 5000 + b"t" * 5000,
    ],
)
def test_damaged_pickles_are_refused(tmp_path: Path, pickled: bytes) -> None:
    path = write_pickle(tmp_path / "cls_labels.npy", pickled)
    with pytest.raises(InputError) as caught:
        read_labels(path, ["0000_000001"], VOC_CLASSES)
    assert str(path) in one_line(caught)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_damage_is_taken_for_anything_but_labels(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("npy") / "cls_labels.npy"
    write_npy(path, {1: np.ones(3, np.float32), "b": np.zeros(3, np.float32)})
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    message, labels = "", np.zeros((1, 2), bool)
    try:
        labels = read_labels(path, ["0000_000001"], ["x", "z"], columns=["x", "y", "z"])
    except InputError as error:
        message = str(error)
    assert "\n" not in message
    assert (labels.shape, labels.dtype) == ((1, 2), bool)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({1: np.zeros(19, np.float32)}, "not 20 zeros and ones"),
        ({1: np.zeros((1, 20), np.float32)}, "no array of numbers with one dimension"),
        ({1: np.full(20, 0.5)}, "not 20 zeros and ones"),
        ({1: np.full(20, np.nan)}, "not 20 zeros and ones"),
        ({1: [0] * 20}, "no array of numbers"),
        ({1: np.array([None] * 20)}, "no array of numbers"),
        ({-1: np.zeros(20)}, "no image id"),
        ({10**5000: np.zeros(20)}, "no image id"),
        ({None: np.zeros(20)}, "no image id"),
        ({np.float32(1): np.zeros(20)}, "no image id"),
        ({1: np.zeros(20), "0000_000001": np.zeros(20)}, "labels twice"),
        ({2: np.zeros(20)}, "no labels for image '0000_000001'"),
        ([1, 2], "holds no dict"),
    ],
)
def test_bad_npy(tmp_path: Path, content: object, says: str) -> None:
    path = write_npy(tmp_path / "cls_labels.npy", content)
    with pytest.raises(InputError) as caught:
        read_labels(path, ["0000_000001"], VOC_CLASSES)
    message = one_line(caught)
    assert str(path) in message
    assert says in message


def test_npy_of_plain_numbers_and_of_other_classes(tmp_path: Path) -> None:
    path = tmp_path / "cls_labels.npy"
    np.save(path, np.zeros((2, 20)))
    with pytest.raises(InputError, match="write the labels as a CSV"):
        read_labels(path, ["a"], VOC_CLASSES)
    write_npy(path, {"a": np.zeros(20)})
    with pytest.raises(InputError, match=r"no column for class 'zebra'.*aeroplane, bicycle"):
        read_labels(path, ["a"], ["zebra"])


# --- any source ----------------------------------------------------------------------------


def test_the_three_sources_agree(tmp_path: Path) -> None:
    write_xml(tmp_path / "Annotations", "2007_000032", ("cat", 0), ("dog", 1))
    row = np.isin(VOC_CLASSES, ["cat", "dog"]).astype(np.float32)
    sources = [
        tmp_path / "Annotations",
        write_npy(tmp_path / "cls_labels.npy", {2007000032: row}),
        tmp_path / "labels.csv",
    ]
    write_labels_csv(sources[2], ["2007_000032"], VOC_CLASSES, row[None] == 1)
    for source in sources:
        labels = read_labels(source, ["2007_000032"], ["dog", "cow", "cat"])
        assert labels.tolist() == [[True, False, True]]


@pytest.mark.parametrize("name", ["labels.csv", "cls_labels.npy", "labels.txt", "Annotations"])
def test_an_absent_source(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError) as caught:
        read_labels(tmp_path / name, ["a"], ["cat"])
    assert name in one_line(caught)


def test_real_npy_equals_numpys_own_reading(voc_mini: Path) -> None:
    path = voc_mini / "cls_labels.npy"
    trusted = np.load(path, allow_pickle=True).item()
    labels = read_labels(path, list(trusted), VOC_CLASSES)
    np.testing.assert_array_equal(labels, np.stack(list(trusted.values())) == 1)


def test_real_npy_names_at_least_what_the_masks_show(voc_mini: Path) -> None:
    ids = list(np.load(voc_mini / "cls_labels.npy", allow_pickle=True).item())
    boxed = read_labels(voc_mini / "cls_labels.npy", ids, VOC_CLASSES)
    segmented = read_labels(voc_mini / "cls_labels_from_masks.csv", ids, VOC_CLASSES)
    assert not (segmented & ~boxed).any()
    rarely = (boxed & ~segmented).any(axis=1).mean()
    assert rarely < 0.05


@pytest.mark.parametrize(
    ("split", "differing", "unseen"),
    [
        (
            "train",
            190,
            {
                "bicycle": 2, "bird": 2, "boat": 1, "bottle": 6, "bus": 1, "car": 7, "cat": 1,
                "chair": 37, "cow": 1, "diningtable": 3, "dog": 3, "person": 86,
                "pottedplant": 1, "sheep": 1, "sofa": 54, "tvmonitor": 2,
            },
        ),
        ("train_official", 0, {}),
        ("val", 0, {}),
    ],
)  # fmt: skip
def test_labels_that_no_mask_shows(
    voc_mini: Path, split: str, differing: int, unseen: dict[str, int]
) -> None:
    """The images of animals among the 817 of train_aug whose masks lack a class of the boxes."""
    root = voc_mini.parent / "voc12_animals"
    if not root.is_dir():
        pytest.skip("needs the photos of animals")
    ids = (root / "ImageSets" / "Segmentation" / f"{split}.txt").read_text().split()
    boxed = read_labels(voc_mini.parent / "lists" / "cls_labels.npy", ids, VOC_CLASSES)
    segmented = read_labels(root / "cls_labels_from_masks.csv", ids, VOC_CLASSES)
    assert np.array_equal(read_labels(root / "cls_labels.npy", ids, VOC_CLASSES), boxed)
    assert not (segmented & ~boxed).any()
    assert (segmented != boxed).any(1).sum() == differing
    counts = dict(zip(VOC_CLASSES, (boxed & ~segmented).sum(0).tolist(), strict=True))
    assert {name: count for name, count in counts.items() if count} == unseen


def test_the_fields_own_file(voc_mini: Path) -> None:
    lists = voc_mini.parent / "lists"
    if not lists.is_dir():
        pytest.skip("needs the field's lists")
    ids = (lists / "train_aug.txt").read_text().split()
    trusted = np.load(lists / "cls_labels.npy", allow_pickle=True).item()
    labels = read_labels(lists / "cls_labels.npy", ids, VOC_CLASSES)
    assert len(ids) == 10582
    expected = np.stack([trusted[int(each.replace("_", ""))] for each in ids])
    np.testing.assert_array_equal(labels, expected == 1)
