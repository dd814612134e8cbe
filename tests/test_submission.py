"""Archives for VOC's test server, and the validator that stands in for it."""

import contextlib
import io
import struct
import tarfile

import numpy as np
import pytest
from PIL import Image

from wsss.data.pictures import voc_palette
from wsss.data.voc import VocFolder
from wsss.errors import InputError
from wsss.submission import check_submission, write_submission

PLACE = "results/VOC2012/Segmentation/comp6_test_cls"
SIZES = {"2008_000006": (5, 7), "2008_000011": (7, 5), "2008_000012": (1, 300)}


@pytest.fixture
def label_maps(rng):
    return {i: rng.integers(0, 21, size).astype(np.uint8) for i, size in SIZES.items()}


def png(labels, mode="P", palette=None, **options) -> bytes:
    picture = Image.fromarray(labels)
    if mode == "P":
        picture.putpalette((voc_palette() if palette is None else palette).tobytes())
    else:
        picture = picture.convert(mode)
    stream = io.BytesIO()
    picture.save(stream, format=options.pop("format", "PNG"), **options)
    return stream.getvalue()


def pack(path, members) -> None:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


def test_the_archive_holds_every_label_map_where_the_server_looks(tmp_path, label_maps):
    archive = write_submission(label_maps.items(), SIZES, tmp_path)
    with tarfile.open(archive) as tar:
        assert sorted(tar.getnames()) == [f"{PLACE}/{i}.png" for i in sorted(SIZES)]
        for image_id, labels in label_maps.items():
            content = tar.extractfile(f"{PLACE}/{image_id}.png").read()
            assert content[:8] == b"\x89PNG\r\n\x1a\n"
            assert content[24:26] == b"\x08\x03"  # 8 bits, indexed
            picture = Image.open(io.BytesIO(content))
            np.testing.assert_array_equal(np.array(picture), labels)
            assert picture.getpalette() == voc_palette().flatten().tolist()
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == sorted(
        [archive.name, *(f"{i}.png" for i in SIZES)]
    )


def test_a_folder_of_test_images_gives_the_sizes(make_voc, tmp_path):
    folder = VocFolder(make_voc(4, splits={"test": range(4)}))
    sizes = {image_id: folder.size(image_id) for image_id in folder.ids("test")}
    maps = ((i, np.zeros(size, np.uint8)) for i, size in sizes.items())
    assert check_submission(write_submission(maps, sizes, tmp_path / "out"), sizes) == 4


def test_equal_labels_make_equal_bytes(tmp_path, label_maps):
    first = write_submission(label_maps.items(), SIZES, tmp_path / "a")
    backwards = list(label_maps.items())[::-1]
    second = write_submission(backwards, SIZES, tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda m: m.pop("2008_000011"), r"2008_000011\.png: 1 of 3 are missing"),
        (
            lambda m: m.update({"2007_000001": np.zeros((5, 7), np.uint8)}),
            r"2007_000001\.png: a la",
        ),
        (
            lambda m: m.update({"2008_000006": np.zeros((7, 5), np.uint8)}),
            r"2008_000006\.png: \(7, 5\) labels for 5 rows of 7 pixels",
        ),
        (
            lambda m: m.update({"2008_000006": np.full((5, 7), 255, np.uint8)}),
            r"2008_000006\.png: label 255; the server knows 0 to 20",
        ),
        (lambda m: m.update({"2008_000006": np.zeros((5, 7), np.int64)}), "of uint8"),
    ],
)
def test_label_maps_that_the_server_would_refuse_make_no_archive(
    tmp_path, label_maps, change, complaint
):
    change(label_maps)
    with pytest.raises(InputError, match=complaint) as caught:
        write_submission(label_maps.items(), SIZES, tmp_path)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("*.tar.gz"))


def test_two_label_maps_for_one_image_are_refused(tmp_path, label_maps):
    twice = [*label_maps.items(), ("2008_000006", label_maps["2008_000006"])]
    with pytest.raises(InputError, match=r"2008_000006\.png: two label maps"):
        write_submission(twice, SIZES, tmp_path)


def test_a_stray_file_of_an_earlier_call_is_refused(tmp_path, label_maps):
    write_submission(label_maps.items(), SIZES, tmp_path)
    fewer = {image_id: SIZES[image_id] for image_id in ("2008_000006", "2008_000011")}
    maps = iter([(image_id, label_maps[image_id]) for image_id in fewer])
    stray = tmp_path / PLACE / "2008_000012.png"
    with pytest.raises(InputError, match=f"^{stray}: a label map of no image"):
        write_submission(maps, fewer, tmp_path)
    assert len(list(maps)) == 2, "label maps were asked for in vain"


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("2008_000006.png", lambda m: png(m.T.copy()), "5 x 7 pixels, its image 7 x 5"),
        ("2008_000006.png", lambda m: png(m, "L"), "not an 8-bit indexed PNG, but 8-bit of type 0"),
        ("2008_000006.png", lambda m: png(m, "RGB"), "8-bit of type 2"),
        ("2008_000006.png", lambda m: png(m % 2, bits=4), "not an 8-bit indexed PNG"),
        (
            "2008_000006.png",
            lambda m: png(m, palette=np.repeat(np.arange(256, dtype=np.uint8), 3)),
            "its palette is not VOC's",
        ),
        (
            "2008_000006.png",
            lambda m: png(m % 2, palette=voc_palette()[:2], bits=8),
            "its palette is not",
        ),
        ("2008_000006.png", lambda m: png(np.full_like(m, 255)), "label 255"),
        ("2008_000006.png", lambda m: png(m, format="BMP"), "not a PNG"),
        ("2008_000006.png", lambda m: png(m)[:-40], "a damaged PNG"),
        ("2008_000006.png", lambda m: b"", "not a PNG"),
        ("2008_000006.png", lambda m: png(m)[:20], "not a PNG"),
        (
            "2008_000006.png",
            lambda m: png(m).replace(struct.pack(">II", 7, 5), b"\x7f\xff\xff\xff" * 2),
            "2147483647 x 2147483647 pixels",
        ),
        ("2008_000006.png", lambda m: bytes(10_000_001), "too many for a label map"),
        ("2007_000001.png", lambda m: png(m), "a label map of no image of the test set"),
        ("2008_000006.jpg", lambda m: png(m), "not a file results/VOC2012"),
        ("../2008_000006.png", lambda m: png(m), "not a file results/VOC2012"),
    ],
)
def test_the_validator_names_the_file_it_refuses(tmp_path, label_maps, name, content, complaint):
    members = {f"{PLACE}/{i}.png": png(m) for i, m in label_maps.items() if i != "2008_000006"}
    members[f"{PLACE}/{name}"] = content(label_maps["2008_000006"])
    pack(tmp_path / "a.tar.gz", members)
    with pytest.raises(InputError, match=complaint) as caught:
        check_submission(tmp_path / "a.tar.gz", SIZES)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_label_map_is_named(tmp_path, label_maps):
    members = {f"{PLACE}/{i}.png": png(m) for i, m in label_maps.items()}
    del members[f"{PLACE}/2008_000012.png"]
    pack(tmp_path / "a.tar.gz", members)
    with pytest.raises(InputError, match=r"2008_000012\.png: missing; 2 label maps for 3 images"):
        check_submission(tmp_path / "a.tar.gz", SIZES)


def test_links_in_an_archive_are_refused(tmp_path):
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        entry = tarfile.TarInfo(f"{PLACE}/2008_000006.png")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(entry)
    with pytest.raises(InputError, match="not a file results"):
        check_submission(tmp_path / "a.tar.gz", SIZES)


def test_what_is_no_archive_is_refused(tmp_path, label_maps):
    archive = write_submission(label_maps.items(), SIZES, tmp_path / "good")
    good = archive.read_bytes()
    for content in (b"", b"no archive", good[: len(good) // 2]):
        (tmp_path / "bad.tar.gz").write_bytes(content)
        with pytest.raises(InputError, match=r"cannot be read as a tar\.gz") as caught:
            check_submission(tmp_path / "bad.tar.gz", SIZES)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="cannot be read"):
        check_submission(tmp_path / "absent.tar.gz", SIZES)


def test_damaged_archives_end_in_one_line(tmp_path, label_maps, rng):
    good = write_submission(label_maps.items(), SIZES, tmp_path / "good").read_bytes()
    for place in rng.integers(0, len(good), 60):
        damaged = bytearray(good)
        damaged[place] ^= 0x55
        (tmp_path / "bad.tar.gz").write_bytes(damaged)
        with contextlib.suppress(InputError):  # a bit of the header may not matter
            assert check_submission(tmp_path / "bad.tar.gz", SIZES) == 3
