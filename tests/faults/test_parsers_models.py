"""Files of weights that hold anything: networks, checkpoints, what others published."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from fuzzing import EXAMPLES, Parser, require_a_value_or_one_line, text
from odd_inputs import JSONS, PICKLES, STATES

from wsss.files import seal
from wsss.models.loading import read_state_dict
from wsss.models.mxnet_params import read_params
from wsss.models.squeezenet import published_state
from wsss.portable import load_segmenter
from wsss.training.loop import _resume

ABOUT = '{"network": "vgg16_scenes", "classes": ["cat", "dog"], "longest_side": 64}'


def params(folder: Path) -> Path:
    arrays = struct.pack("<II", 1, 2) + struct.pack("<iii", 1, 0, 3) + bytes([7, 8])
    arrays += struct.pack("<IiIqq", 0xF993FAC9, 0, 2, 1, 2) + struct.pack("<iiiff", 1, 0, 0, 1, 2)
    arrays += struct.pack("<IIqiiif", 0xF993FAC8, 1, 1, 1, 0, 0, 3)
    names = [struct.pack("<Q", 5) + name for name in (b"arg:w", b"aux:m", b"aux:v")]
    head, count = struct.pack("<QQQ", 0x112, 0, 3), struct.pack("<Q", 3)
    (folder / "net.params").write_bytes(head + arrays + count + b"".join(names))
    return folder / "net.params"


def checkpoint(folder: Path) -> Path:
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(state | {"history": [0.5], "seconds": 1.0}, folder / "checkpoint.pt")
    return folder / "checkpoint.pt"


def resume(path: Path) -> None:
    """What cannot be gone on from is begun anew, with the weights that there were."""
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    before = model.weight.clone()
    history, _ = _resume(path, model, optimizer)  # pyright: ignore[reportArgumentType]
    assert history or torch.equal(model.weight, before)


def state_dict(folder: Path) -> Path:
    torch.save({"conv.weight": torch.ones(2, 3), "bias": torch.zeros(1)}, folder / "model.pt")
    return folder / "model.pt"


def legacy(folder: Path) -> Path:
    state = {"conv.weight": torch.ones(2, 3)}
    torch.save(state, folder / "old.pth", _use_new_zipfile_serialization=False)
    return folder / "old.pth"


def pickled(folder: Path) -> Path:
    (folder / "w.pkl").write_bytes(pickle.dumps({"conv1": (np.ones((2, 2), "f4"), np.zeros(2))}))
    return folder / "w.pkl"


def sealed(folder: Path) -> Path:
    text("model.json", ABOUT)(folder)
    torch.save({"classifier.weight": torch.zeros(3)}, folder / "model.pt")
    return folder / "model.json"


def segmenter(path: Path) -> None:
    seal(path.parent)  # by whom it was made, not damaged since
    load_segmenter(path.parent)


PARSERS = [
    Parser(".params", params, read_params),
    Parser("checkpoint.pt", checkpoint, resume, STATES, makes_room=True),
    Parser("model.pt", state_dict, read_state_dict, STATES, makes_room=True),
    Parser("old.pth", legacy, read_state_dict, STATES, makes_room=True),
    Parser("w.pkl", pickled, published_state, PICKLES),
    Parser("model.json", sealed, segmenter, JSONS),
]  # fmt: skip


@pytest.mark.parametrize("examples", EXAMPLES)
@pytest.mark.parametrize("parser", PARSERS, ids=str)
def test_a_value_or_one_line(parser: Parser, examples: int, tmp_path: Path) -> None:
    require_a_value_or_one_line(parser, examples, tmp_path)
