"""Whatever a file holds, its parser returns a value or one line that names the file (fuzzing).

`make test` feeds each parser the same few hundred inputs, `make test-all` thousands of others. For
a million in all: ``WSSS_FUZZ=30000 pytest -m slow tests/faults/test_parsers.py``.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import signal
import struct
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from odd_inputs import JSONS, NPYS, PICKLES, PNGS, STATES, TABLES, XMLS, changed, mutations
from PIL import Image
from scipy.io import savemat

from wsss.data.cam_dicts import read_dict_seed, write_dict_seed
from wsss.data.labels import VOC_CLASSES, find_labels, object_names
from wsss.data.own import _listed
from wsss.data.own_labels import read_own_labels
from wsss.data.packed import PackedArrays, pack
from wsss.data.pictures import read_image, read_mask_png, write_mask_png
from wsss.data.voc import VocFolder
from wsss.data.voc_setup import SbdFolder, _mark, _read_list
from wsss.errors import InputError
from wsss.files import remembered, seal
from wsss.models.loading import read_state_dict
from wsss.models.mxnet_params import read_params
from wsss.models.squeezenet import published_state
from wsss.pages.photos import show_longer, show_sizes
from wsss.portable import load_segmenter
from wsss.saliency import read_saliency
from wsss.stages import Records, Stage, Store
from wsss.submission import FOLDER, write_submission
from wsss.training.loop import _resume

resource: Any = pytest.importorskip("resource")

QUICK, MANY = 150, int(os.environ.get("WSSS_FUZZ", "1500"))
MEMORY, SECONDS = 512 * 2**20, 5.0
"""What one small file may take: far more than any honest one does, far less than it may claim."""

# --- parsers -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Parser:
    """A file as it should be, how it is read, and what else it may be made of."""

    name: str
    write: Callable[[Path], Path]
    read: Callable[[Path], Any]
    made_of: st.SearchStrategy[bytes] | None = None
    makes_room: bool = False
    """Whether it asks for the room a file claims to need, which is none until it is filled."""

    def param(self) -> Any:
        return pytest.param(self, id=self.name)


class Stored(Stage):
    """A result with a number in it."""

    stage: Literal["stored"] = "stored"
    version: Literal[1] = 1

    def compute(self, folder, store):
        (folder / "score.json").write_text(json.dumps({"miou": 50.0, "iou": {"cat": 50.0}}))


def text(name: str, content: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
        return folder / name

    return write


def voc(name: str, content: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        for each in ("JPEGImages", "ImageSets/Segmentation"):
            (folder / each).mkdir(parents=True)
        return text(name, content)(folder)

    return write


def stored(name: str) -> Callable[[Path], Path]:
    return lambda folder: Store(folder).ensure(Stored()) / name


def read_stored(path: Path) -> None:
    """A changed file is told by both who reads the result and who looks through the folder."""
    store = Store(path.parents[2])
    told = [damage for _, damage, _ in store.verify()]
    try:
        store.folder(Stored())
    except InputError:
        assert told != [None]
        raise
    assert told == [None]


def npy(folder: Path) -> Path:
    labels = {2007_000032: np.eye(20, dtype=np.int64)[7], 2007_000039: np.ones(20, np.int64)}
    np.save(folder / "cls_labels.npy", np.array(labels, object))
    return folder / "cls_labels.npy"


def irn(folder: Path) -> Path:
    seed = np.array([[0, 3, 255], [3, 3, 0]], np.uint8)
    write_dict_seed(folder / "a.npy", seed, [3])
    return folder / "a.npy"


def params(folder: Path) -> Path:
    arrays = struct.pack("<II", 1, 2) + struct.pack("<iii", 1, 0, 3) + bytes([7, 8])
    arrays += struct.pack("<IiIqq", 0xF993FAC9, 0, 2, 1, 2) + struct.pack("<iiiff", 1, 0, 0, 1, 2)
    names = struct.pack("<QQ", 2, 5) + b"arg:w" + struct.pack("<Q", 5) + b"aux:m"
    (folder / "net.params").write_bytes(struct.pack("<QQQ", 0x112, 0, 2) + arrays + names)
    return folder / "net.params"


def mat(folder: Path) -> Path:
    mask = np.zeros((6, 8), np.uint8)
    savemat(folder / "2008_000002.mat", {"GTcls": {"Segmentation": mask, "Present": [1]}})
    return folder / "2008_000002.mat"


def packed(folder: Path) -> Path:
    pack(folder / "a", [np.zeros((2, 3), np.float16), np.ones(4, np.float16)])
    return folder / "a.json"


def read_packed(path: Path) -> None:
    for each in PackedArrays(path.with_suffix("")):
        each.sum(dtype=np.float64)


def grey(folder: Path) -> Path:
    Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6)).save(folder / "a.png")
    return folder / "a.png"


def mask(folder: Path) -> Path:
    write_mask_png(folder / "a.png", np.eye(4, 6, dtype=np.uint8))
    return folder / "a.png"


def photo(ending: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        pixels = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
        Image.fromarray(pixels).save(folder / f"a.{ending}")
        return folder / f"a.{ending}"

    return write


SCORES = (
    "identity,testing,table,row,column,rng_seed,miou,images\n"
    "aa,single,table5,T + C,With WST,0,50.5,ff\nbb,single,table5,T,Without,1,44.25,ff\n"
)
TRACES = "identity,rng_seed,epoch,right,wrong\naa,0,1,0.5,0.25\naa,0,2,0.75,0.25\n"
SIZES = "images,crop,epochs,steps,miou,seconds\n320,161,30,100,55.5,12.25\n"
CELL = "table1,0 (ground truth),One label,0"
LONGER = f"table,row,column,rng_seed,miou,times,identity\n{CELL},51.5,4,aa\n"
RECORDED = pd.read_csv(io.StringIO(f"table,row,column,rng_seed,miou\n{CELL},50.5\n"))
XML = "<annotation><object><name>cat</name><difficult>0</difficult></object></annotation>"
OWN = "file,labels\na.jpg,cat;dog\nb.jpg,dog\n"
ABOUT = '{"network": "vgg16_scenes", "classes": ["cat", "dog"], "longest_side": 64}'


def own(path: Path) -> None:
    photos = path.parent
    read_own_labels({"a": photos / "a.jpg", "b": photos / "b.jpg"}, photos, path)


def records(path: Path) -> None:
    found = Records(path.parent)
    found.find("aa", "single")
    _ = found.fingerprint


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
    Parser("labels.csv", text("labels.csv", "id,cat,dog\na,1,0\nb,0,1\n"),
           lambda path: find_labels(path, [], ["dog", "cat"]), TABLES),
    Parser("own table", text("labels.csv", OWN), own, TABLES),
    Parser("header", voc("labels.csv", "id,cat,dog\na,1,0\n"),
           lambda path: VocFolder(path.parent), TABLES),
    Parser("classes.txt", voc("classes.txt", "cat\ndog\n"),
           lambda path: VocFolder(path.parent), TABLES),
    Parser("xml", text("a.xml", XML), lambda path: object_names(path, "drop"), XMLS),
    Parser("split", voc("ImageSets/Segmentation/train.txt", "2007_000032\n2007_000039\n"),
           lambda path: VocFolder(path.parents[2]).ids("train"), TABLES),
    Parser("psa list", text("train.txt", "/JPEGImages/2007_000032.jpg /Aug/2007_000032.png\n"),
           _read_list, TABLES),
    Parser("own list", text("val.txt", "a\nb  1\nc -1\n"),
           lambda path: _listed(path, {"a": "a", "b": "b"}), TABLES),
    Parser("cls_labels.npy", npy, lambda path: find_labels(path, [], VOC_CLASSES), NPYS),
    Parser("irn.npy", irn, lambda path: read_dict_seed(path, (2, 3)), NPYS),
    Parser(".params", params, read_params),
    Parser(".mat", mat, lambda path: SbdFolder(path.parent).mask(path.stem)),
    Parser("packed index", packed, read_packed, JSONS),
    Parser("saliency", grey, lambda path: read_saliency(path.parent, "a", (4, 6)), PNGS),
    Parser("mask", mask, read_mask_png, PNGS),
    Parser("jpg", photo("jpg"), read_image),
    Parser("png", photo("png"), read_image, PNGS),
    Parser("bmp", photo("bmp"), read_image),
    Parser("webp", photo("webp"), read_image),
    Parser("score.json", stored("score.json"), read_stored, JSONS),
    Parser("provenance.json", stored("provenance.json"), read_stored, JSONS),
    Parser("SHA256SUMS", stored("SHA256SUMS"), read_stored, TABLES),
    Parser("scores.csv", text("scores.csv", SCORES), records, TABLES),
    Parser("traces.csv", text("traces.csv", TRACES), records, TABLES),
    Parser("seeds.csv", text("seeds.csv", "identity,mIoU\naa,33.5\nbb,\n"), records, TABLES),
    Parser("study.csv", text("study.csv", SIZES), lambda path: show_sizes(path.parent), TABLES),
    Parser("longer.csv", text("longer.csv", LONGER),
           lambda path: show_longer(path.parent, RECORDED), TABLES),
    Parser("checkpoint.pt", checkpoint, resume, STATES, makes_room=True),
    Parser("model.pt", state_dict, read_state_dict, STATES, makes_room=True),
    Parser("old.pth", legacy, read_state_dict, STATES, makes_room=True),
    Parser("w.pkl", pickled, published_state, PICKLES),
    Parser("model.json", sealed, segmenter, JSONS),
    Parser("cache", text("cache.json", '{"a": "b"}'),
           lambda path: remembered(path, "what", [], lambda: "computed"), JSONS),
    Parser("adopted.json", text("adopted.json", '{"dataset": "VOC 2012", "classes": null}'),
           lambda path: _mark(path.parent, None, None), JSONS),
]  # fmt: skip

# --- the property --------------------------------------------------------------------------


class TooSlowError(BaseException):
    """No `Exception`, so that no parser takes it for damage."""


@contextmanager
def bounded() -> Iterator[None]:
    """Allow so much more address space and processor time than there is in use."""

    def late(*_: object) -> None:
        raise TooSlowError

    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc").is_dir() else 0
    limits = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    if pages:
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def require_one_line(parser: Parser, error: InputError, path: Path) -> None:
    message = str(error)
    assert len(message.splitlines()) == 1
    assert len(message) < 1500
    assert str(path) in message or str(path.parent) in message
    if not parser.makes_room:
        assert not any(isinstance(each, MemoryError) for each in causes(error))


@pytest.mark.parametrize("examples", [QUICK, pytest.param(MANY, marks=pytest.mark.slow)])
@pytest.mark.parametrize("parser", [each.param() for each in PARSERS])
def test_a_value_or_one_line(parser: Parser, examples: int, tmp_path: Path) -> None:
    path = parser.write(tmp_path)
    valid = path.read_bytes()
    made = [mutations(valid), st.binary(max_size=200)]
    if parser.made_of is not None:
        made += [parser.made_of, st.builds(changed, parser.made_of, st.just([("cut", 7, 9, b"")]))]

    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=examples == QUICK,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.one_of(*made))
    def holds(content: bytes) -> None:
        path.write_bytes(content)
        with bounded():
            try:
                parser.read(path)
            except InputError as error:
                require_one_line(parser, error, path)

    holds()


IDS = st.text(max_size=6) | st.sampled_from(
    ["a", "../x", "/x", ".x", "x" * 300, "a\nb", "a/b", "\0"]
)
MAPS = arrays_of.arrays("u1", st.tuples(st.integers(0, 3), st.integers(0, 3)))


@settings(max_examples=QUICK, deadline=None, derandomize=True)
@given(st.lists(st.tuples(IDS, MAPS), max_size=3), st.booleans())
def test_an_archive_holds_what_was_asked_for_or_is_not_written(tmp_path_factory, maps, fits):
    out = tmp_path_factory.mktemp("submission")
    sizes = {image_id: label_map.shape if fits else (2, 2) for image_id, label_map in maps}
    with suppress(InputError):
        write_submission(maps, sizes, out)
    for archive in out.glob("*.gz"):
        with tarfile.open(archive) as tar:
            assert sorted(tar.getnames()) == sorted(str(FOLDER / f"{each}.png") for each in sizes)
    written = {each.parent for each in out.rglob("*") if each.is_file()}
    assert written <= {out, out / FOLDER}
