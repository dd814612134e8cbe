"""Files of ImageNet weights that must be downloaded (Sec. 5.2), checked to the last bit.

The paper starts from networks trained on ImageNet. No installable package holds the three of its
full-size experiment, so they are downloaded once, by ``wsss weights fetch``, into
``$WSSS_WEIGHTS`` (default ``~/.cache/wsss/weights``); nothing here downloads unasked.
"""

from __future__ import annotations

import hashlib
import http.client
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from urllib.request import urlopen

from tqdm import tqdm

from wsss.errors import InputError
from wsss.files import atomic_write

TIMEOUT = 30.0  # seconds without a byte
CHUNK = 1 << 20


@dataclass(frozen=True)
class Download:
    """One file of weights on the web.

    Parameters
    ----------
    name
        Name of the network whose trunk it fills.
    filename
        As it is published, and in the folder of weights.
    sources
        Addresses, tried in this order.
    checksum
        Algorithm and hexadecimal digest, ``"sha256:..."`` or ``"md5:..."``.
    size, tolerance
        Bytes, and by how much the true size may differ where only a rounded one is published.
    licence
        Of the weights.
    origin
        Their publication, where to look if all sources are gone.
    """

    name: str
    filename: str
    sources: tuple[str, ...]
    checksum: str
    size: int
    tolerance: int
    licence: str
    origin: str


@dataclass(frozen=True)
class Found:
    """What is known about one file on this machine; `problem` is empty if it is present."""

    file: Download
    path: Path
    state: Literal["present", "absent", "damaged"]
    problem: str


DOWNLOADS = {
    file.name: file
    for file in (
        Download(
            name="vgg16",
            filename="vgg16-397923af.pth",
            sources=("https://download.pytorch.org/models/vgg16-397923af.pth",),
            checksum="sha256:397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
            size=553_433_881,
            tolerance=0,
            licence="BSD-3-Clause (torchvision); the terms of ImageNet",
            origin="https://docs.pytorch.org/vision/stable/models/vgg.html",
        ),
        Download(
            name="resnet38",
            filename="ilsvrc-cls_rna-a1_cls1000_ep-0001.params",
            sources=(
                "https://ktse.oss-cn-shanghai.aliyuncs.com/ilsvrc-cls_rna-a1_cls1000_ep-0001.params",
            ),
            checksum="md5:ff21f45d6bf03284100dcbec571edfad",
            size=436_874_000,
            tolerance=1_000_000,
            licence="Apache-2.0 (ademxapp); the terms of ImageNet",
            origin="https://github.com/itijyou/ademxapp",
        ),
        Download(
            name="resnet101",
            filename="resnet101-63fe2227.pth",
            sources=("https://download.pytorch.org/models/resnet101-63fe2227.pth",),
            checksum="sha256:63fe2227b86e8f1f2063f43a75c84d195911b6a0eace650907dd3dc62dd49a0a",
            size=178_793_742,
            tolerance=1_000,
            licence="BSD-3-Clause (torchvision); the terms of ImageNet",
            origin="https://docs.pytorch.org/vision/stable/models/resnet.html",
        ),
    )
}
"""By network.

Evidence. torchvision's file names carry the first eight digits of their SHA-256, and its table of
weights their sizes, rounded to a thousandth of 2**20 bytes. ResNet101 is its first version, trained
as in 2015; the second, ``resnet101-cd907fc2.pth``, learnt by a recipe of 2021 that the paper could
not use. ResNet38's MD5 is the one in its authors' ``models/checksum.md5`` and no SHA-256 of it is
published; the size is computed from the network (issue 24 of ademxapp shows 416 MB). Its first host
closed in December 2023 (issue 53); the source above is a copy named by the authors of KTSE, further
copies are named in the READMEs of EPS, SEAM, ACR and L2G.
"""


def weights_folder() -> Path:
    """Return the folder of downloaded weights: ``$WSSS_WEIGHTS`` or ``~/.cache/wsss/weights``."""
    chosen = os.environ.get("WSSS_WEIGHTS")
    return Path(chosen or "~/.cache/wsss/weights").expanduser()


def look(name: str) -> Found:
    """Say whether the weights of a network are on this machine, and whole to the last bit.

    Raises
    ------
    InputError
        If no file of that name is known.

    Examples
    --------
    >>> look("vgg19")
    Traceback (most recent call last):
    ...
    wsss.errors.InputError: no weights named 'vgg19' to download; known: vgg16, resnet38, resnet101
    """
    if name not in DOWNLOADS:
        raise InputError(f"no weights named '{name}' to download; known: {', '.join(DOWNLOADS)}")
    file = DOWNLOADS[name]
    path = weights_folder() / file.filename
    if not path.is_file():
        return Found(file, path, "absent", f"{path} is missing")
    difference = _difference(path, file)
    return Found(file, path, "damaged" if difference else "present", difference)


def find(name: str) -> Path:
    """Return the path of a network's downloaded weights, whole to the last bit.

    Raises
    ------
    InputError
        If no file of that name is known, or it is absent or differs from the published one.
    """
    found = look(name)
    if found.problem:
        raise InputError(f"weights '{name}': {found.problem}; run: wsss weights fetch {name}")
    return found.path


def fetch(name: str, source: str | None = None) -> Path:
    """Download the weights of a network, unless they are there already.

    Parameters
    ----------
    name
        A key of `DOWNLOADS`.
    source
        An address, or a file on this machine, to take instead of the known sources. It must hold
        the same bytes.

    Returns
    -------
    Path
        The file, whole to the last bit.

    Raises
    ------
    InputError
        If no source delivers the published file; a file that was there before stays.
    """
    found = look(name)
    if found.state == "present":
        return found.path
    failures = []
    for address in (source,) if source else found.file.sources:
        try:
            found.path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(found.path) as path:
                _receive(address, path, found.file)
                if difference := _difference(path, found.file):
                    raise InputError(difference.replace(str(path), "what it sent"))
            return found.path
        except (OSError, ValueError, http.client.HTTPException) as error:  # InputError is a value's
            failures.append(f"{address}: {' '.join(str(error).split()) or type(error).__name__}")
    raise InputError(
        f"weights '{name}' could not be fetched ({'; '.join(failures)}); "
        f"get {found.file.filename} in another way, see {found.file.origin}, and run: "
        f"wsss weights fetch {name} --source FILE"
    )


def _receive(address: str, path: Path, file: Download) -> None:
    """Copy what an address sends into a file, up to the size that is expected."""
    scheme = urlsplit(address).scheme
    url = address if scheme in ("http", "https", "file") else Path(address).resolve().as_uri()
    limit = file.size + file.tolerance
    bar = tqdm(total=file.size, unit="B", unit_scale=True, desc=file.filename, disable=None)
    with urlopen(url, timeout=TIMEOUT) as answer, path.open("wb") as out, bar:
        received = 0
        while chunk := answer.read(CHUNK):
            received += len(chunk)
            if received > limit:
                raise InputError(f"sends more than the {limit} bytes of {file.filename}")
            out.write(chunk)
            bar.update(len(chunk))


def _difference(path: Path, file: Download) -> str:
    """Say in what a file differs from the published one; empty if in nothing."""
    if abs((size := path.stat().st_size) - file.size) > file.tolerance:
        about = "about " if file.tolerance else ""
        return f"{path} has {size} bytes instead of {about}{file.size}"
    algorithm, _, expected = file.checksum.partition(":")
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, algorithm).hexdigest()
    if digest != expected:
        return f"{path} has {algorithm.upper()} {digest[:12]}... instead of {expected[:12]}..."
    return ""
