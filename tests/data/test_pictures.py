"""A picture is as it was written, or refused."""

import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from wsss.data.pictures import TURNED, read_image, read_mask_png, write_mask_png
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


def test_a_photo_with_odd_tags_is_turned(tmp_path):
    """Cameras write tags of types that Pillow cannot write again."""
    tags = [(TURNED, 3, 1, struct.pack("<HH", 6, 0)), (0x02BC, 3, 1, b"abc\0")]
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(tags))
    exif += b"".join(struct.pack("<HHI", *tag[:3]) + tag[3] for tag in tags) + bytes(4)
    Image.new("RGB", (24, 16)).save(tmp_path / "a.jpg", exif=exif)
    with Image.open(tmp_path / "a.jpg") as stored, pytest.raises(Exception, match=r".+"):
        ImageOps.exif_transpose(stored)
    assert read_image(tmp_path / "a.jpg", turned=True).shape == (24, 16, 3)


def test_what_pillow_only_warns_of_is_read_in_silence(tmp_path):
    pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    broken = b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01\x03\0\x01\0\0\0\x06\0"  # tags cut off
    Image.fromarray(pixels).save(tmp_path / "tags.png", exif=broken)
    Image.fromarray(pixels).quantize(4).save(tmp_path / "clear.png", transparency=bytes(4))
    read = (
        "import sys; from pathlib import Path; from PIL import Image; "
        "from wsss.data.pictures import read_image; Image.MAX_IMAGE_PIXELS = 15; "
        "print(*(read_image(Path(each), turned=True).sum() for each in sys.argv[1:]))"
    )
    files = [tmp_path / "tags.png", tmp_path / "clear.png"]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", read, *files], capture_output=True, text=True
    )
    assert not done.stderr
    assert done.stdout.split() == [str(read_image(each).sum()) for each in files]


def test_a_mask_that_was_a_jpeg_is_refused(tmp_path):
    Image.fromarray(np.eye(8, dtype=np.uint8)).save(tmp_path / "a.png", format="JPEG")
    with pytest.raises(InputError, match=r"a\.png: JPEG changes indices; save the mask anew"):
        read_mask_png(tmp_path / "a.png")


@pytest.mark.parametrize("value", range(1, 9))
def test_all_eight_ways_to_hold_a_camera(tmp_path, rng, value):
    picture, tags = Image.fromarray(rng.integers(0, 256, (5, 7, 3), np.uint8)), Image.Exif()
    tags[TURNED] = value
    picture.save(tmp_path / "a.png", exif=tags)
    with Image.open(tmp_path / "a.png") as stored:
        expected = np.array(ImageOps.exif_transpose(stored))
    assert np.array_equal(read_image(tmp_path / "a.png", turned=True), expected)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_grey_masks_keep_their_indices(tmp_path, bits):
    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    row = {2: b"\x1b", 4: b"\x01\x23", 8: b"\x00\x01\x02\x03"}[bits]  # 0, 1, 2, 3
    header = struct.pack(">IIBBBBB", 4, 1, bits, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" + row)), (b"IEND", b"")]
    content = b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)
    (tmp_path / "a.png").write_bytes(content)
    assert read_mask_png(tmp_path / "a.png").tolist() == [[0, 1, 2, 3]]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (PermissionError(13, "Permission denied"), "no permission to read the image"),
        (Image.DecompressionBombError("200 pixels exceeds limit"), "the image is too large"),
        (OSError("broken data stream"), "the image is damaged"),
    ],
)
def test_what_is_wrong_with_a_picture_is_told_apart(tmp_path, monkeypatch, error, says):
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")

    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Image, "open", fails)
    with pytest.raises(InputError, match=says):
        read_image(tmp_path / "a.png")
