"""Pickles of arrays: what is needed is read, nothing is executed."""

import io
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from wsss.pickles import read_arrays


class Hostile:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_hostile_pickle_is_refused_and_not_run(tmp_path, protocol):
    canary = tmp_path / "canary"
    hostile = {"kernel": np.zeros(2), "more": Hostile(Path.touch, canary)}
    with pytest.raises(pickle.UnpicklingError, match="only arrays are read"):
        read_arrays(io.BytesIO(pickle.dumps(hostile, protocol)))
    assert not canary.exists()


@pytest.mark.parametrize(
    "attack",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"cnumpy.testing\nmeasure\n(S'1'\ntR.",
        b"\x80\x04\x8c\x05numpy\x8c\x0cndarray.dump\x93.",
    ],
)
def test_functions_of_other_modules_and_of_numpy_itself_are_refused(attack):
    with pytest.raises(pickle.UnpicklingError, match="only arrays are read"):
        read_arrays(io.BytesIO(attack))


@pytest.mark.parametrize("damage", [b"", b"no pickle", pickle.dumps(np.arange(99))[:-50]])
def test_a_damaged_pickle_is_one_clear_line(damage):
    with pytest.raises(pickle.UnpicklingError, match="not a readable pickle") as error:
        read_arrays(io.BytesIO(damage))
    assert "\n" not in str(error.value)


def test_arrays_of_all_kinds_are_read():
    content = {"conv": [np.arange(6.0).reshape(2, 3), np.array([True, False])], "step": 3}
    read = read_arrays(io.BytesIO(pickle.dumps(content, protocol=4)))
    assert read["step"] == 3
    for array, expected in zip(read["conv"], content["conv"], strict=True):
        np.testing.assert_array_equal(array, expected)
        assert array.dtype == expected.dtype


def test_the_module_names_of_numpy_1_are_read():
    new = pickle.dumps(np.arange(3), protocol=3)
    assert b"numpy._core" in new
    read = read_arrays(io.BytesIO(new.replace(b"numpy._core", b"numpy.core")))
    np.testing.assert_array_equal(read, np.arange(3))


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(4, dtype=">i2"),
        np.zeros((1, 3), np.float16),
        np.array(7, np.uint64),
        np.int32(7),
    ],
)
def test_orders_shapes_and_numbers_are_kept(protocol, array):
    read = read_arrays(io.BytesIO(pickle.dumps(array, protocol)))
    np.testing.assert_array_equal(read, array)
    assert (type(read), read.shape) == (type(array), array.shape)
    assert read.dtype == array.dtype.newbyteorder("=")


def test_arrays_of_objects_hold_what_is_read():
    content = np.empty(2, object)
    content[:] = [{"a": np.arange(2)}, None]
    read = read_arrays(io.BytesIO(pickle.dumps(content)))
    np.testing.assert_array_equal(read[0]["a"], np.arange(2))
    assert read[1] is None


def test_what_a_pickle_says_twice_is_built_once():
    nested = [np.arange(2)]
    for _ in range(60):
        nested = [nested, nested]  # 2**60 leaves, if each were built anew
    read = read_arrays(io.BytesIO(pickle.dumps(nested)))
    assert read[0] is read[1]


def test_a_truth_value_is_zero_or_one():
    raw = pickle.dumps(np.array([True, False]), protocol=4)
    at = raw.index(b"\x01\x00\x94t")
    with pytest.raises(pickle.UnpicklingError, match="neither 0 nor 1"):
        read_arrays(io.BytesIO(raw[:at] + b"\x02" + raw[at + 1 :]))


def test_a_list_that_holds_itself_is_one_clear_line():
    nested = []
    nested.append(nested)
    with pytest.raises(pickle.UnpicklingError, match="not a readable pickle"):
        read_arrays(io.BytesIO(pickle.dumps(nested)))


def test_a_pickle_that_asks_for_more_room_than_it_fills_is_refused_before_it_gets_it():
    raw = b"\x80\x02]r\xff\xff\xff\x7f."  # an empty list, kept at place 2**31 - 1
    with pytest.raises(pickle.UnpicklingError, match="2147483647 places"):
        read_arrays(io.BytesIO(raw))


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (0, (10**12,), (1,)), (0, (10**12,), (0,)), (1000, (2,), (1,)), (1, (2,), (1,)),
        (0, (2,), (3 * 10**8,)), (-1, (2,), (1,)), (0, (-1,), (1,)), (0, (2, 2), (1, 1)),
    ],
)  # fmt: skip
def test_a_tensor_claims_no_more_than_it_holds(offset, size, stride):
    """Torch by itself would make room for it, and show what lay there before."""

    class Claim:
        def __reduce__(self):
            storage = torch.zeros(2).storage()
            return torch._utils._rebuild_tensor_v2, (storage, offset, size, stride, False, {})

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # typed storages
        pickled = pickle.dumps(Claim())
    with pytest.raises(pickle.UnpicklingError, match="2 values are no tensor of shape"):
        read_arrays(io.BytesIO(pickled))


def test_numbers_that_do_not_fill_their_shape_are_refused():
    raw = pickle.dumps(np.arange(6).reshape(2, 3), protocol=2)
    changed = raw.replace(b"K\x02K\x03", b"K\x02K\x02")
    assert changed != raw
    with pytest.raises(pickle.UnpicklingError, match="no array of shape"):
        read_arrays(io.BytesIO(changed))


@pytest.mark.parametrize("content", [np.zeros(2, "M8[s]"), {1, 2}])
def test_what_is_neither_numbers_nor_a_plain_container_is_refused(content):
    with pytest.raises(pickle.UnpicklingError):
        read_arrays(io.BytesIO(pickle.dumps(content)))
