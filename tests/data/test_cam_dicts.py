"""Seeds as dictionaries of maps."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wsss.data.cam_dicts import dict_to_seed, read_dict_seed, seed_to_dict, write_dict_seed
from wsss.errors import InputError
from wsss.pickles import read_npy


def irn_labels(cam_dict):
    """The step from CAMs to labels in irn, without its CRF: two arg maxima, two thresholds."""
    keys = np.pad(cam_dict["keys"] + 1, (1, 0))
    confident = [
        keys[np.pad(cam_dict["high_res"], ((1, 0), (0, 0), (0, 0)), constant_values=t).argmax(0)]
        for t in (0.30, 0.05)
    ]
    labels = confident[0].copy()
    labels[confident[0] == 0] = 255
    labels[(confident[0] + confident[1]) == 0] = 0
    return labels


@given(arrays(np.uint8, (5, 7), elements=st.sampled_from([0, 2, 9, 255])))
def test_irn_and_we_read_back_what_was_written(seed):
    made = seed_to_dict(seed, [9, 2])
    assert np.array_equal(irn_labels(made), seed)
    assert np.array_equal(dict_to_seed(made, seed.shape), seed)
    by_class = dict(zip(made["keys"].tolist(), made["high_res"], strict=True))  # as psa has it
    assert np.array_equal(dict_to_seed(by_class, seed.shape), seed)


def test_files(tmp_path, rng):
    seed = rng.choice([0, 1, 255], (4, 6)).astype(np.uint8)
    write_dict_seed(tmp_path / "a.npy", seed, [1], "irn")
    stored = np.load(tmp_path / "a.npy", allow_pickle=True).item()  # as irn does
    assert stored["cam"].cpu().shape == (1, 1, 2)  # a tensor, as its random walk wants it
    assert np.array_equal(read_dict_seed(tmp_path / "a.npy", (4, 6)), seed)
    write_dict_seed(tmp_path / "c.npy", seed, [1], "psa")
    scores = np.zeros((3, 4, 6), np.float32)
    for k, v in np.load(tmp_path / "c.npy", allow_pickle=True).item().items():  # as psa does
        scores[k + 1] = v
    assert np.array_equal(scores[1] == 1, seed == 1)
    assert np.array_equal(read_dict_seed(tmp_path / "c.npy", (4, 6)), seed)
    assert not dict_to_seed({}, (4, 6)).any()
    np.save(tmp_path / "b.npy", np.array({"keys": np.arange(2), "cam": 1}, object))
    with pytest.raises(InputError, match=r"b\.npy: not maps by class as psa and irn"):
        read_dict_seed(tmp_path / "b.npy", (4, 6))


def test_what_irn_itself_wrote_is_read(tmp_path, rng):
    """It leaves classes and small maps as tensors, one of them a view, the large maps as arrays."""
    maps = torch.from_numpy(rng.random((5, 4, 6)).astype(np.float32))
    made = {"keys": torch.tensor([3, 7]), "cam": maps[1:3, ::2], "high_res": maps[1:3].numpy()}
    np.save(tmp_path / "a.npy", made)  # pyright: ignore
    expected = dict_to_seed({3: maps[1].numpy(), 7: maps[2].numpy()}, (4, 6))
    assert np.array_equal(read_dict_seed(tmp_path / "a.npy", (4, 6)), expected)
    read = read_npy(tmp_path / "a.npy")
    assert np.array_equal(read["cam"], made["cam"].numpy())


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        (0, 1e300, "a map that is not finite"),
        (0, np.nan, "a map that is not finite"),
        (254, 0.9, "class 254"),  # would be 255, unknown
        (300, 0.9, "class 300"),  # would be 45
        (1.5, 0.9, "class 1.5"),
        (-1, 0.9, "class -1"),
    ],
)
def test_maps_of_no_class_or_number_are_one_line(tmp_path, key, value, says):
    np.save(tmp_path / "a.npy", np.array({key: np.array([[value]])}, object))
    with pytest.raises(InputError, match=rf"a\.npy: not maps by class .*\({says}\)"):
        read_dict_seed(tmp_path / "a.npy", (1, 1))
