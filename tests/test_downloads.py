"""Downloads of weights: whole, checked and never half there; sources are local addresses."""

import hashlib
import re
from dataclasses import replace

import pytest
from torchvision.models import ResNet101_Weights, VGG16_Weights

from wsss import downloads
from wsss.downloads import DOWNLOADS, fetch, find, look
from wsss.errors import InputError

CONTENT = b"weights" * 1000


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A source of one small file called toy, and an empty folder of weights."""
    monkeypatch.setenv("WSSS_WEIGHTS", str(tmp_path / "cache" / "weights"))
    source = tmp_path / "server" / "toy.pth"
    source.parent.mkdir()
    source.write_bytes(CONTENT)
    file = replace(
        DOWNLOADS["vgg16"],
        name="toy",
        filename="toy.pth",
        sources=(source.as_uri(),),
        checksum=f"sha256:{hashlib.sha256(CONTENT).hexdigest()}",
        size=len(CONTENT),
    )
    monkeypatch.setitem(DOWNLOADS, "toy", file)
    return source


def change(monkeypatch, **fields):
    monkeypatch.setitem(DOWNLOADS, "toy", replace(DOWNLOADS["toy"], **fields))


def files_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_the_folder_is_the_users_choice(monkeypatch, tmp_path):
    monkeypatch.setenv("WSSS_WEIGHTS", str(tmp_path))
    assert downloads.weights_folder() == tmp_path
    monkeypatch.delenv("WSSS_WEIGHTS")
    assert downloads.weights_folder().parts[-3:] == (".cache", "wsss", "weights")
    assert downloads.weights_folder().is_absolute()


def test_known_files_are_torchvisions_and_ademxapps():
    for name, weights in {
        "vgg16": VGG16_Weights.IMAGENET1K_V1,
        "resnet101": ResNet101_Weights.IMAGENET1K_V1,
    }.items():
        file = DOWNLOADS[name]
        assert file.sources == (weights.url,)
        assert weights.url.endswith(f"/{file.filename}")
        short = re.fullmatch(r".*-([0-9a-f]{8})\.pth", file.filename).group(1)
        assert file.checksum.startswith(f"sha256:{short}")
        published = weights.meta["_file_size"] * 2**20  # rounded to a thousandth
        assert abs(file.size - published) <= 0.0006 * 2**20
        assert abs(file.size - published) <= max(file.tolerance, 600)
    assert DOWNLOADS["resnet38"].checksum == "md5:ff21f45d6bf03284100dcbec571edfad"


def test_every_file_has_an_origin_a_licence_and_a_digest():
    for name, file in DOWNLOADS.items():
        assert file.name == name
        assert file.licence
        assert file.origin.startswith("https://")
        assert all(source.startswith("https://") for source in file.sources)
        algorithm, _, digest = file.checksum.partition(":")
        assert len(bytes.fromhex(digest)) == hashlib.new(algorithm).digest_size


def test_fetch_then_find(served, tmp_path):
    assert look("toy").state == "absent"
    path = fetch("toy")
    assert path == find("toy") == tmp_path / "cache" / "weights" / "toy.pth"
    assert path.read_bytes() == CONTENT
    assert look("toy").state == "present"
    assert files_in(tmp_path / "cache") == ["toy.pth"]


def test_what_is_present_is_not_fetched_again(served):
    path = fetch("toy")
    served.unlink()
    assert fetch("toy") == path


def test_a_damaged_file_is_found_out_and_replaced(served):
    path = fetch("toy")
    path.write_bytes(CONTENT[:-1] + b"!")
    assert look("toy").state == "damaged"
    with pytest.raises(
        InputError, match=r"has SHA256 .* instead of .*; run: wsss weights fetch toy"
    ):
        find("toy")
    fetch("toy")
    assert find("toy").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (CONTENT[:-1], "has 6999 bytes instead of 7000"),
        (CONTENT + b"!", "sends more than the 7000 bytes"),
        (b"!" + CONTENT[1:], "has SHA256"),
        (b"", "has 0 bytes"),
    ],
)
def test_other_bytes_are_refused_and_leave_no_trace(served, tmp_path, content, complaint):
    served.write_bytes(content)
    with pytest.raises(InputError, match=complaint) as caught:
        fetch("toy")
    assert "\n" not in str(caught.value)
    assert files_in(tmp_path / "cache") == []


def test_a_failed_fetch_keeps_what_was_there(served, tmp_path):
    path = fetch("toy")
    path.write_bytes(b"old")
    served.unlink()
    with pytest.raises(InputError):
        fetch("toy")
    assert path.read_bytes() == b"old"
    assert files_in(tmp_path / "cache") == ["toy.pth"]


def test_sources_are_tried_in_turn(served, monkeypatch, tmp_path):
    gone = (tmp_path / "gone.pth").as_uri()
    change(monkeypatch, sources=(gone, served.as_uri()))
    assert fetch("toy").read_bytes() == CONTENT


def test_offline_is_one_line_that_says_what_to_do(served, monkeypatch):
    change(monkeypatch, sources=("https://localhost:1/toy.pth", "http://[broken/toy.pth"))
    with pytest.raises(InputError, match=r"wsss weights fetch toy --source FILE$") as caught:
        fetch("toy")
    message = str(caught.value)
    assert "\n" not in message
    assert "localhost:1" in message
    assert "[broken" in message


def test_a_file_at_hand_serves_as_source(served, monkeypatch, tmp_path):
    change(monkeypatch, sources=())
    monkeypatch.chdir(served.parent)
    assert fetch("toy", "toy.pth").read_bytes() == CONTENT


def test_a_rounded_size_is_a_bound(served, monkeypatch):
    change(monkeypatch, size=len(CONTENT) + 5, tolerance=5)
    fetch("toy")
    change(monkeypatch, size=len(CONTENT) + 6)
    assert "instead of about 7006" in look("toy").problem


def test_an_authors_md5_is_checked(served, monkeypatch):
    change(monkeypatch, checksum=f"md5:{hashlib.md5(CONTENT).hexdigest()}")
    fetch("toy")
    change(monkeypatch, checksum=f"md5:{hashlib.md5(b'').hexdigest()}")
    assert "has MD5" in look("toy").problem


def test_unknown_names_are_refused(served):
    for act in (look, find, fetch):
        with pytest.raises(InputError, match="no weights named 'vgg19' to download; known: vgg16"):
            act("vgg19")
