"""The reader of SBD's MATLAB masks."""

import numpy as np
import pytest
from scipy.io import savemat
from scipy.sparse import csc_matrix

from wsss.data.voc_setup import SbdFolder
from wsss.errors import InputError


def write_sbd(path, mask):
    """Write a mask as SBD does, with its boundaries and the list of its classes."""
    shown = [int(each) for each in np.unique(mask) if each]
    boundaries = np.empty((20, 1), object)
    for index in range(20):
        boundaries[index, 0] = csc_matrix(mask == index + 1, dtype=float)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"Boundaries": boundaries, "Segmentation": mask, "CategoriesPresent": shown}
    savemat(path, {"GTcls": content}, do_compression=True)
    return path


@pytest.mark.parametrize("place", [".", "cls", "dataset/cls", "benchmark_RELEASE/dataset/cls"])
def test_masks_are_found_and_read_exactly(tmp_path, rng, place):
    mask = rng.integers(0, 21, (7, 9)).astype(np.uint8)
    write_sbd(tmp_path / place / "2008_000002.mat", mask)
    write_sbd(tmp_path / place / "2008_000001.mat", mask.T.copy())
    folder = SbdFolder(tmp_path)
    assert folder.ids() == ["2008_000001", "2008_000002"]
    assert folder.has_mask("2008_000002")
    assert not folder.has_mask("2008_000003")
    read = folder.mask("2008_000002")
    np.testing.assert_array_equal(read, mask)
    assert read.dtype == np.uint8


def test_a_mask_of_one_row_or_one_pixel_keeps_its_shape(tmp_path):
    for shape in ((1, 5), (5, 1), (1, 1)):
        write_sbd(tmp_path / "2008_000001.mat", np.ones(shape, np.uint8))
        assert SbdFolder(tmp_path).mask("2008_000001").shape == shape


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"GTcls": {"Segmentation": np.full((2, 2), 21, np.uint8)}}, "mask value 21"),
        ({"GTcls": {"Segmentation": np.full((2, 2), -1, np.int16)}}, "labels are 0 to 20"),
        ({"GTcls": {"Segmentation": np.zeros((2, 2, 3), np.uint8)}}, r"\(2, 2, 3\) of uint8"),
        ({"GTcls": {"Segmentation": np.zeros((2, 2))}}, "of float64, not a map"),
        ({"GTcls": {"Boundaries": np.zeros((2, 2))}}, "no mask of SBD can be read"),
        ({"GTinst": 1}, "no mask of SBD can be read"),
    ],
)
def test_other_content_is_refused(tmp_path, content, complaint):
    savemat(tmp_path / "2008_000001.mat", content)
    with pytest.raises(InputError, match=complaint) as caught:
        SbdFolder(tmp_path).mask("2008_000001")
    assert "2008_000001.mat" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_damaged_files_are_refused(tmp_path):
    path = write_sbd(tmp_path / "2008_000001.mat", np.ones((40, 40), np.uint8))
    good = path.read_bytes()
    for content in (b"", b"no matlab", good[:100], good[: len(good) // 2]):
        path.write_bytes(content)
        with pytest.raises(InputError, match="no mask of SBD can be read"):
            SbdFolder(tmp_path).mask("2008_000001")
    path.unlink()
    with pytest.raises(InputError, match="give the folder that holds cls"):
        SbdFolder(tmp_path)
