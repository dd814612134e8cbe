"""What is finished is not trusted blindly: checksums, ``wsss verify``."""

import numpy as np
import pytest
from typer.testing import CliRunner

from wsss import Lab
from wsss.cli import app
from wsss.errors import InputError
from wsss.paper import Recipe
from wsss.stages import Store


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    runs = tmp_path_factory.mktemp("finished")
    lab = Lab("smoke", runs=runs, workers=1, quiet=True)
    lab.read(lab.score(Recipe(("T", "C"))))
    return runs


def files(runs):
    return sorted(p for p in runs.glob("*/*/**/*") if p.is_file())


@pytest.fixture
def copy(finished, tmp_path):
    import shutil

    return shutil.copytree(finished, tmp_path / "runs")


def verify(runs, *arguments):
    return CliRunner().invoke(app, ["verify", "--runs", str(runs), *arguments])


def test_a_sound_folder_is_sound(finished):
    told = verify(finished)
    assert told.exit_code == 0
    assert told.output.endswith(" 0 damaged\n")


def test_one_flipped_byte_in_any_file_is_found(copy):
    rng = np.random.default_rng(0)
    for path in rng.permutation(np.array(files(copy), object))[:60]:
        content = path.read_bytes()
        if not content:
            continue
        at = int(rng.integers(len(content)))
        flipped = bytearray(content)
        flipped[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        told = verify(copy)
        assert told.exit_code == 1, path
        assert " 1 damaged" in told.output
        path.write_bytes(content)


@pytest.mark.parametrize("spoil", ["flip", "cut", "empty", "remove"])
def test_damaged_inputs_are_named_and_never_used(copy, spoil):
    lab = Lab("smoke", runs=copy, workers=1, quiet=True)
    score = lab.score(Recipe(("T", "C")))
    wanted = lab.read(score)["miou"]
    import shutil

    shutil.rmtree(lab.store.path(score))  # so that it is computed from its inputs again
    path = lab.store.path(score.segmenter) / "model.pt"
    content = bytearray(path.read_bytes())
    if spoil == "flip":
        content[len(content) // 2] ^= 1
    path.write_bytes({"flip": content, "cut": content[:-7]}.get(spoil, b""))
    if spoil == "remove":
        path.unlink()
    with pytest.raises(InputError, match=r"this segmenter is damaged, .*wsss verify --repair"):
        Lab("smoke", runs=copy, workers=1, quiet=True).read(score)

    told = verify(copy, "--repair")
    assert told.exit_code == 0
    assert "1 damaged and removed" in told.output
    assert Lab("smoke", runs=copy, workers=1, quiet=True).read(score)["miou"] == wanted


def test_two_results_in_one_anothers_place_are_found(copy):
    lab = Lab("smoke", runs=copy, workers=1, quiet=True)
    first, second = (lab.store.path(lab.images(split)) for split in ("train", "val"))
    for source, target in ((first, copy / "x"), (second, first), (copy / "x", second)):
        source.rename(target)
    told = verify(copy)
    assert told.exit_code == 1
    assert f"{first}: it is the result of {second.name}, moved here" in told.output
    assert " 2 damaged" in told.output
    with pytest.raises(InputError, match=r"this images is damaged, it is the result of"):
        lab.provide([(lab.score(Recipe(("T", "C"))), None)])


def test_a_checkpoint_that_a_kill_left_is_no_damage(copy):
    (next((copy / "segmenter").glob("*[0-9a-f]")) / "checkpoint.pt").write_bytes(b"left")
    assert verify(copy).exit_code == 0


def test_each_result_is_looked_at_once(copy, monkeypatch):
    import wsss.stages.store

    looked = []
    real = wsss.stages.store.find_damage
    monkeypatch.setattr(
        wsss.stages.store, "find_damage", lambda path, *a: looked.append(path) or real(path, *a)
    )
    store = Store(copy)
    score = Lab("smoke", runs=copy).score(Recipe(("T", "C")))
    for _ in range(3):
        store.folder(score)
    assert len(looked) == 1
