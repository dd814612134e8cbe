"""Images and masks as files: JPEG in, palette PNG in and out, one clear line if damaged."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from wsss.errors import InputError
from wsss.files import atomic_write

FORMATS = ("JPEG", "PNG", "BMP", "WEBP")
"""What Pillow may read a file as; some of its other formats start programs or fetch files."""
TURNED = 274
"""The EXIF tag that says how a camera was held; 1 is upright."""
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What sets each other value of `TURNED` upright."""
GREYS = {"L;2": 85, "L;4": 17}
"""What Pillow multiplies grey values of 2 and 4 bits by, which are indices here."""
# What it reads all the same: odd tags, many pixels.
warnings.filterwarnings("ignore", module=r"PIL\.")

_UNREADABLE = (
    *(OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error),
    *(IndexError, KeyError, TypeError, OverflowError, RuntimeError),  # Pillow, of hostile chunks
    Image.DecompressionBombError,
)


@contextmanager
def opened(what: str, path: Path) -> Iterator[Image.Image]:
    """Open a picture; whatever goes wrong with it meanwhile is one `InputError`.

    Parameters
    ----------
    what : str
        What the error calls it: an image, a mask.
    path : Path
        A file in one of `FORMATS`.
    """
    if not path.is_file():  # a pipe, say, would be waited for
        raise unreadable(what, path, OSError("no file"))
    try:
        with Image.open(path, formats=FORMATS) as picture:
            if picture.format == "PNG":  # Pillow compares no checksum of what it decodes
                with Image.open(path, formats=["PNG"]) as again:
                    again.verify()
            yield picture
    except InputError:
        raise
    except UnidentifiedImageError as error:
        raise unreadable(what, path, ValueError(f"none of {', '.join(FORMATS)}")) from error
    except _UNREADABLE as error:
        raise unreadable(what, path, error) from error


def read_image(path: Path, *, turned: bool = False) -> NDArray[np.uint8]:
    """Read an image (H, W, 3) uint8 RGB as stored, or turned as the camera says (EXIF).

    `InputError` if it is missing, damaged, too large or of more than 8 bits a channel.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("L", (4, 2), 7).save(Path(folder, "a.png"))
    ...     read_image(Path(folder, "a.png")).shape
    (2, 4, 3)
    """
    with opened("image", path) as picture:
        if picture.mode.startswith("I") or picture.mode == "F":
            raise InputError(f"{path}: mode {picture.mode} is more than 8 bits; save it with 8")
        # Pillow's own way writes all tags anew and fails at the odd ones of some cameras.
        turn = TURNS.get(picture.getexif().get(TURNED, 1)) if turned else None
        return np.array((picture if turn is None else picture.transpose(turn)).convert("RGB"))


def read_image_size(path: Path) -> tuple[int, int]:
    """Read height and width of an image in pixels from its header, without decoding it."""
    with opened("image", path) as picture:
        return picture.height, picture.width


def shrink(pixels: NDArray[np.uint8], longest_side: int | None) -> NDArray[np.uint8]:
    """Resize an image (H, W, 3), or a mask (H, W), whose longer side is larger than that.

    Images by Lanczos' filter, masks by the nearest pixel. None leaves all as they are.

    Examples
    --------
    >>> shrink(np.zeros((375, 500, 3), np.uint8), 320).shape
    (240, 320, 3)
    >>> shrink(np.zeros((240, 320), np.uint8), 500).shape
    (240, 320)
    """
    height, width = pixels.shape[:2]
    if longest_side is None or max(height, width) <= longest_side:
        return pixels
    scale = longest_side / max(height, width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    how = Image.Resampling.LANCZOS if pixels.ndim == 3 else Image.Resampling.NEAREST
    return np.array(Image.fromarray(pixels).resize(size, how))


def read_mask_png(path: Path, classes: int | None = None) -> NDArray[np.uint8]:
    """Read the indices (H, W) uint8 that a palette PNG, or a grey one, stores.

    Parameters
    ----------
    path : Path
        The file.
    classes : int, optional
        How many foreground classes it may show: then indices whose colours are those of other
        ones among them, in VOC's palette, are refused: an editor has renumbered them.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_mask_png(Path(folder, "a.png"), np.array([[0, 255]], np.uint8))
    ...     read_mask_png(Path(folder, "a.png"))
    array([[  0, 255]], dtype=uint8)
    """
    with opened("mask", path) as picture:
        if picture.format == "JPEG":
            raise InputError(f"{path}: JPEG changes indices; save the mask anew as a PNG")
        tiles = getattr(picture, "tile", ())
        raw = tiles[0].args if tiles else None
        mode, stored = picture.mode, np.array(picture)
        palette = picture.getpalette("RGB") if mode == "P" else None
    if mode not in ("P", "L"):
        raise InputError(
            f"{path}: a mask of mode {mode}; save class indices as a palette or grey PNG"
        )
    if isinstance(raw, str):
        stored //= GREYS.get(raw, 1)
    if palette and classes is not None:
        _require_indices(path, np.reshape(palette, (-1, 3)), stored, classes)
    return stored


def _require_indices(
    path: Path, palette: NDArray[np.integer], stored: NDArray[np.uint8], classes: int
) -> None:
    usual = voc_palette()
    if np.array_equal(palette, usual[: len(palette)]):
        return
    index_of = {tuple(colour): index for index, colour in enumerate(usual.tolist())}
    shown = [k for k in np.unique(stored).tolist() if k < len(palette)]
    meant = {k: index_of.get(tuple(palette[k].tolist())) for k in shown}
    moved = {k: to for k, to in meant.items() if to != k}
    if moved and all(to is not None and to in (*range(classes + 1), 255) for to in meant.values()):
        index, to = next(iter(moved.items()))
        raise InputError(
            f"{path}: index {index} has the colour of VOC's index {to}, as if an editor had "
            "renumbered the palette; save it with the indices it had"
        )


def write_mask_png(path: str | Path, mask: NDArray[np.uint8]) -> None:
    """Write a mask (H, W) uint8 as a PNG of indices with VOC's colours, all or nothing.

    Raises
    ------
    InputError
        The array is no mask; whatever was at `path` stays.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_mask_png(Path(folder, "a.png"), np.array([[0, 15]], np.uint8))
    ...     np.array(Image.open(Path(folder, "a.png")).convert("RGB"))[0, 1].tolist()
    [192, 128, 128]
    """
    if mask.ndim != 2 or mask.dtype != np.uint8 or not mask.size:
        raise InputError(f"{path}: a mask is (H, W) of uint8, this is {mask.shape} of {mask.dtype}")
    picture = Image.fromarray(mask)
    picture.putpalette(voc_palette().tobytes())
    with atomic_write(path) as aside:
        save(picture, aside, format="PNG")


def save(picture: Image.Image, path: Path, **how: Any) -> None:
    """Write a picture as Pillow does, which by itself takes no notice of a disk that is full."""
    held = io.BytesIO()
    picture.save(held, **how)
    path.write_bytes(held.getvalue())


def voc_palette() -> NDArray[np.uint8]:
    """Return VOC's colours (256, 3) uint8 RGB: the bits of an index, dealt to the channels.

    Bits 0, 1, 2 of the index become the highest bits of red, green, blue; bits 3, 4, 5 the
    next lower ones, and so on. Not in the paper; PASCAL VOC's development kit.

    Examples
    --------
    >>> voc_palette()[[0, 1, 15, 255]].tolist()
    [[0, 0, 0], [128, 0, 0], [192, 128, 128], [224, 224, 192]]
    """
    index = np.arange(256)[:, None] >> np.arange(3)
    bits = [(index >> 3 * depth & 1) << 7 - depth for depth in range(3)]
    return np.sum(bits, axis=0).astype(np.uint8)


def unreadable(what: str, path: Path, error: BaseException) -> InputError:
    """Return the error that says whether the file `what` is missing or damaged."""
    if not path.is_file():
        if other := next((each for each in _siblings(path) if each.is_file()), None):
            return InputError(f"{path}: no such {what}; it is there as {other.name}, rename it")
        return InputError(f"{path}: no such {what}; add it or take its id out of the split")
    reason = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, PermissionError):
        return InputError(
            f"{path}: no permission to read the {what}; give it, and repeat the command"
        )
    if isinstance(error, Image.DecompressionBombError):
        return InputError(f"{path}: the {what} is too large ({reason}); shrink it")
    return InputError(f"{path}: the {what} is damaged ({reason}); replace the file")


def _siblings(path: Path) -> Iterator[Path]:
    """Where the same picture may lie under another ending."""
    for ending in ("jpg", "jpeg", "png", "bmp", "webp"):
        yield from (path.with_name(f"{path.stem}.{each}") for each in (ending, ending.upper()))
