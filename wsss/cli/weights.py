"""The commands ``wsss weights fetch`` and ``wsss weights check`` (not in the paper)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from wsss.errors import InputError

if TYPE_CHECKING:
    from wsss.models.weights import Found

weights_app = typer.Typer(
    no_args_is_help=True, help="Download and check the weights that others published."
)


@weights_app.command("fetch")
def fetch_weights(
    names: Annotated[list[str], typer.Argument(help="vgg16, resnet38, resnet101.")],
    source: Annotated[
        str | None, typer.Option(help="Address or file to take instead of the known sources.")
    ] = None,
) -> None:
    """Download ImageNet weights into $WSSS_WEIGHTS and check them to the last bit."""
    from wsss.models.weights import fetch

    if source and len(names) > 1:
        raise InputError(f"--source {source}: one source holds one file; name one network")
    for name in names:
        typer.echo(f"{name}: {fetch(name, source)}")


@weights_app.command("check")
def check_weights(
    names: Annotated[list[str] | None, typer.Argument(help="Some of them; default: all.")] = None,
) -> None:
    """Say which weights are present, absent or damaged, and load those of networks to be sure.

    The status is 1 if one is damaged, or if one that was named is not there.
    """
    from wsss.models.weights import WEIGHTS, look, weight_file

    files = [weight_file(name) for name in names or WEIGHTS]
    wrong = False
    for file in files:
        state, detail = _loaded(look(file.name))
        typer.echo(f"{file.name:<18} {state:<8} {file.licence}: {detail}")
        wrong |= state == "damaged" or (bool(names) and state == "absent")
    if wrong:
        raise typer.Exit(1)


def _loaded(found: Found) -> tuple[str, str]:
    """Say in which state weights are, and "loaded n of m" after loading those of a network."""
    from wsss.models import NETWORKS, get_model

    file = found.file
    if found.problem:
        return found.state, f"{found.problem}; {file.remedy}"
    if file.name not in NETWORKS:
        return "present", str(found.path)
    source = found.path if file.place == "shipped" else "imagenet"
    try:
        network = get_model(file.name, head="cam", num_classes=1, weights=source)
    except InputError as error:
        return "damaged", str(error)
    return "present", network.initialisation
