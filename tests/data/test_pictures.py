"""A picture is as it was written, or refused."""

import numpy as np
import pytest
from PIL import Image

from wsss.data.pictures import read_image, read_mask_png, write_mask_png
from wsss.errors import InputError


@pytest.mark.parametrize("kind", ["mask", "image"])
def test_no_flipped_bit_of_a_png_shows_other_pixels(tmp_path, rng, kind):
    """Pillow alone reads pixels at the end of a file without comparing any checksum."""
    path, mask = tmp_path / "a.png", np.kron(rng.integers(0, 4, (6, 8)), np.ones((9, 9), int))
    if kind == "mask":
        write_mask_png(path, mask.astype(np.uint8))
    else:
        Image.fromarray(rng.integers(0, 256, (9, 7, 3), np.uint8)).save(path)
    read = read_mask_png if kind == "mask" else read_image
    content, expected, refused = path.read_bytes(), read(path), 0
    for at in range(len(content)):
        flipped = bytearray(content)
        flipped[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        try:
            np.testing.assert_array_equal(read(path), expected)
        except InputError:
            refused += 1
    assert refused > 0.9 * len(content)
