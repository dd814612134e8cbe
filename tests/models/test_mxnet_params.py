"""The reader of ``.params`` files: exact on good ones, quick and frugal on all others."""

import re
import struct
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from params_files import FORMATS, KINDS, array_bytes, params_bytes, write_params

from wsss.errors import InputError
from wsss.models.mxnet_params import read_params

HEAD = struct.pack("<QQQ", 0x112, 0, 1)
TAIL = struct.pack("<QQ", 1, 1) + b"w"
LEGACY_ONE = struct.pack("<II", 1, 1) + struct.pack("<iiif", 1, 0, 0, 2.5)


@pytest.fixture
def refused(tmp_path):
    """Read bytes that must be refused by one line, at once and without memory for them."""

    def read(content: bytes) -> str:
        path = tmp_path / "bad.params"
        path.write_bytes(content)
        tracemalloc.start()
        start = time.perf_counter()
        with pytest.raises(InputError) as caught:
            read_params(path)
        seconds, (_, peak) = time.perf_counter() - start, tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert seconds < 1
        assert peak < 1_000_000
        message = str(caught.value)
        assert "\n" not in message
        assert message.startswith(str(path))
        return message

    return read


def some_arrays(rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {
        "arg:conv1a_weight": rng.normal(size=(4, 3, 3, 3)).astype(np.float32),
        "aux:bn7_moving_mean": rng.normal(size=5).astype(np.float32),
        "arg:label": np.array([[3]], np.int64),
    }


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_read_back_exactly(tmp_path, rng, form):
    written = some_arrays(rng)
    read = read_params(write_params(tmp_path / "net.params", written, form))
    assert list(read) == list(written)
    for name, array in written.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == array.dtype


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_any_array_is_read_back_bit_by_bit(tmp_path_factory, form, kind, data):
    array = data.draw(arrays_of.arrays(kind, arrays_of.array_shapes(max_dims=5, max_side=4)))
    path = write_params(tmp_path_factory.mktemp("any") / "net.params", {"w": array}, form)
    read = read_params(path)["w"]
    assert (read.dtype, read.shape) == (array.dtype, array.shape)
    assert read.tobytes() == array.tobytes()


def test_arrays_of_different_formats_may_share_a_file(tmp_path):
    array = np.arange(4, dtype=np.float32)
    content = struct.pack("<QQQ", 0x112, 0, 3) + b"".join(array_bytes(array, f) for f in FORMATS)
    content += struct.pack("<Q", 3) + b"".join(struct.pack("<Q", 1) + c for c in (b"a", b"b", b"c"))
    (tmp_path / "net.params").write_bytes(content)
    assert set(read_params(tmp_path / "net.params")) == {"a", "b", "c"}


def test_arrays_outlive_the_file_and_cannot_change_it(tmp_path, rng):
    path = write_params(tmp_path / "net.params", some_arrays(rng))
    array = read_params(path)["aux:bn7_moving_mean"]
    path.unlink()
    assert not array.flags.writeable
    np.testing.assert_array_equal(
        array, some_arrays(np.random.default_rng(0))["aux:bn7_moving_mean"]
    )


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_that_ends_anywhere_too_early_is_refused(tmp_path, form):
    content = params_bytes({"a": np.arange(3.0), "b": np.ones((1, 2), np.float32)}, form)
    path = tmp_path / "cut.params"
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match=r"ends too early|is empty"):
            read_params(path)


def test_a_file_that_goes_on_is_refused(refused):
    good = params_bytes({"a": np.arange(3.0)})
    assert "has 1 bytes too many" in refused(good + b"\0")
    assert f"has {len(good)} bytes too many" in refused(good + good)


def test_another_file_is_refused(refused):
    assert "does not begin as" in refused(b"PK\x03\x04" + bytes(100))
    assert "is empty" in refused(b"")


def test_what_is_no_file_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InputError, match="cannot be read"):
            read_params(path)


HUGE = 2**60


def shape(magic: int, code: str, *sizes: int, ndim: int | None = None) -> bytes:
    parts = struct.pack("<I", magic) if magic else b""
    parts += struct.pack("<i", 0) if magic == 0xF993FAC9 else b""
    return parts + struct.pack(
        f"<I{len(sizes)}{code}", len(sizes) if ndim is None else ndim, *sizes
    )


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        (shape(0xF993FAC9, "q", HUGE), "ends too early"),
        (shape(0xF993FAC8, "q", HUGE, HUGE, HUGE), "ends too early"),
        (shape(0, "I", 2**32 - 1, 2**32 - 1), "ends too early"),
        (shape(0xF993FAC9, "q", 2**62, 4), "ends too early"),  # the product is 0 in 64 bits
        (shape(0xF993FAC9, "q", -1), r"has the shape \(-1,\)"),
        (shape(0xF993FAC9, "q", -2, -2), "has the shape"),
        (shape(0xF993FAC9, "q", -HUGE), "has the shape"),
        (shape(0, "I", 0), "has the shape"),
        (shape(0xF993FAC8, "q", ndim=0), "has 0 dimensions"),
        (shape(0, "I", ndim=0), "has 0 dimensions"),
        (shape(0xF993FAC9, "q", ndim=2**32 - 1), "dimensions"),
        (struct.pack("<I", 0xF993FACA), "dimensions"),  # a later format than any of these weights
        (struct.pack("<I", 0xFFFFFFFF), "dimensions"),
        (struct.pack("<Iii", 0xF993FAC9, 1, 1), "sparse"),
    ],
)
def test_hostile_shapes_are_refused(refused, header, complaint):
    rest = struct.pack("<iii", 1, 0, 0) + bytes(64)
    message = refused(HEAD + header + rest + TAIL)
    assert re.search(complaint, message)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (struct.pack("<QQQ", 0x112, 0, HUGE) + bytes(64), "claims to hold"),
        (struct.pack("<QQQ", 0x112, 0, 2**64 - 1), "claims to hold"),
        (struct.pack("<QQQ", 0x112, 0, 5) + LEGACY_ONE + TAIL, "shape (0,)"),
        (HEAD + LEGACY_ONE + struct.pack("<QQ", HUGE, 1) + b"w", "names"),
        (HEAD + LEGACY_ONE + struct.pack("<Q", 0), "1 arrays but 0 names"),
        (HEAD + LEGACY_ONE + struct.pack("<QQ", 1, HUGE) + b"w", "bytes long"),
        (HEAD + LEGACY_ONE + struct.pack("<QQ", 1, 999) + b"w", "ends too early"),
        (HEAD + LEGACY_ONE + struct.pack("<QQ", 1, 1) + b"\xff", "no text"),
        (HEAD + struct.pack("<IIiii", 1, 1, 1, 0, 7) + bytes(8) + TAIL, "type 7"),
        (HEAD + struct.pack("<IIiii", 1, 1, 1, 0, -1) + bytes(8) + TAIL, "type -1"),
    ],
)
def test_hostile_counts_names_and_types_are_refused(refused, content, complaint):
    assert complaint in refused(content)


def test_two_arrays_of_one_name_are_refused(refused):
    content = struct.pack("<QQQ", 0x112, 0, 2) + LEGACY_ONE * 2
    content += struct.pack("<Q", 2) + (struct.pack("<Q", 1) + b"w") * 2
    assert "the same name" in refused(content)
