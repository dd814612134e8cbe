"""Archives for VOC's test server."""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from wsss.data.pictures import voc_palette
from wsss.errors import InputError
from wsss.submission import write_submission

PLACE = "results/VOC2012/Segmentation/comp6_test_cls"
SIZES = {"2008_000006": (5, 7), "2008_000011": (7, 5), "2008_000012": (1, 300)}


@pytest.fixture
def label_maps(rng):
    return {i: rng.integers(0, 21, size).astype(np.uint8) for i, size in SIZES.items()}


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
