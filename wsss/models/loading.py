"""Files of weights: written whole, and filled into trunks completely or not at all (Sec. 5.2).

A network's own saved trunk has its names. What others published is brought under them by the
reader in the network's module: every tensor of such a file is either used, or left out by name
(the 1000-way classifier and BatchNorm's counters), or an error; so is every one that it lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from wsss.errors import InputError, room_told
from wsss.models.network import Network

COUNTER = ".num_batches_tracked"

Reader = Callable[[Path, nn.Module], dict[str, Tensor]]
"""Takes a published file and a trunk, and returns the trunk's tensors by the trunk's names."""

Values = TypeVar("Values")


HEAD = ("classifier.", "hidden.")


def load_weights(network: Network, path: str | Path) -> None:
    """Fill a network from a file of its own kind: wholly, or its trunk if that is all there is.

    Parameters
    ----------
    path
        What ``torch.save(network.state_dict(), path)`` wrote, or the same of ``network.trunk``.

    Raises
    ------
    InputError
        If the file is missing or unreadable, or if any name or shape differs: of a head, too, which
        would otherwise stay random without a word.
    """
    state = read_state_dict(Path(path))
    held = {name: value.shape for name, value in state.items() if name.startswith(HEAD)}
    if held:
        own = network.state_dict()
        wanted = {name: value.shape for name, value in own.items() if name.startswith(HEAD)}
        if held != wanted:
            raise InputError(
                f"{path}: holds a head {_shapes(held)} and this network has {_shapes(wanted)}; ask "
                "for the same classes and head, or save network.trunk.state_dict() for its trunk"
            )
    load_trunk(network, path)
    if held:
        network.load_state_dict({name: state[name] for name in held}, strict=False)
        network.initialisation += ", and the head"


def _shapes(head: Mapping[str, torch.Size]) -> str:
    return ", ".join(f"{name} {tuple(shape)}" for name, shape in head.items())


def load_trunk(network: Network, path: str | Path, read: Reader | None = None) -> None:
    """Fill the trunk from a file, completely or not at all.

    `network.initialisation` becomes the report "<file>: loaded n of m trunk tensors", to be kept
    with every result. Nothing but tensors is unpickled, and new layers are never read.

    Parameters
    ----------
    path
        Without a reader, what ``torch.save(network.state_dict(), path)`` wrote for the same
        network, with either head.
    read
        Of a file with ImageNet weights, as it is published, which fits at this width.

    Raises
    ------
    InputError
        If the file is missing or unreadable, or if any name or shape differs from the trunk's.
    """
    path = Path(path)
    found = (read or _read_own)(path, network.trunk)
    wanted = {
        name: tensor
        for name, tensor in network.trunk.state_dict().items()
        if name in found or not name.endswith(COUNTER)
    }
    differences = [f"{name} is missing" for name in wanted if name not in found]
    differences += [
        f"{name} is {tuple(value.shape)} instead of {tuple(wanted[name].shape)}"
        for name, value in found.items()
        if value.shape != wanted[name].shape
    ]
    if differences:
        raise _misfit(path, len(wanted) - len(differences), len(wanted), differences)
    network.trunk.load_state_dict(found, strict=False)  # all but BatchNorm's counters
    count = f"loaded {len(found)} of {len(wanted)} trunk tensors"
    network.initialisation = f"{'ImageNet, ' if read else ''}{path.name}: {count}"


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read a file of named tensors, without executing what a pickle may ask for."""
    if not path.is_file():
        raise InputError(f"{path}: no such file of weights")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load's own errors range from KeyError to UnpicklingError
        raise InputError(f"{path}: torch.load cannot read it; give a saved state_dict") from error
    if not isinstance(state, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise InputError(
            f"{path}: holds no state_dict (names to tensors); save one with torch.save"
        )
    return dict(state)


def write_state(state: Mapping[str, Any], path: Path) -> None:
    """Write tensors as torch does, and say of a full disk how much they need.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_state({"bias": torch.zeros(2)}, Path(folder, "model.pt"))
    ...     read_state_dict(Path(folder, "model.pt"))
    {'bias': tensor([0., 0.])}
    """
    with room_told(path, _bytes(state)):
        try:
            torch.save(state, path)
        except Exception:
            path.unlink(missing_ok=True)  # before it is said how much room there is
            raise


def _bytes(state: Any) -> int:
    if isinstance(state, Mapping):
        return sum(map(_bytes, state.values()))
    return state.nbytes if isinstance(state, Tensor) else 0


def rename(
    published: Mapping[str, Values],
    names: Mapping[str, str],
    path: Path,
    left_out: Callable[[str], bool] = lambda _: False,
) -> dict[str, Values]:
    """Return what was published by our names, complete and with nothing to spare.

    Parameters
    ----------
    names
        Ours by the published ones.
    left_out
        Whether a published name may stay unused; BatchNorm's counters always may.

    Raises
    ------
    InputError
        If a name is missing or unknown.

    Examples
    --------
    >>> rename({"features.0": 1, "bn.num_batches_tracked": 2}, {"features.0": "conv1"}, Path("w"))
    {'conv1': 1}
    """
    missing = [f"{name} is missing" for name in names if name not in published]
    unknown = [
        f"{name} is unknown"
        for name in published
        if name not in names and not name.endswith(COUNTER) and not left_out(name)
    ]
    if missing or unknown:
        raise _misfit(path, len(names) - len(missing), len(names), missing + unknown)
    return {ours: published[theirs] for theirs, ours in names.items()}


def learnt_names(trunk: nn.Module) -> list[str]:
    """Return the names of a trunk's tensors but for BatchNorm's counters."""
    return [name for name in trunk.state_dict() if not name.endswith(COUNTER)]


def _read_own(path: Path, trunk: nn.Module) -> dict[str, Tensor]:
    state = {
        name.removeprefix("trunk."): value
        for name, value in read_state_dict(path).items()
        if not name.startswith(HEAD)
    }
    return rename(state, {name: name for name in trunk.state_dict()}, path)


def _misfit(path: Path, fitting: int, wanted: int, differences: list[str]) -> InputError:
    shown = "; ".join(differences[:3]) + ("; ..." if len(differences) > 3 else "")
    return InputError(
        f"{path}: only {fitting} of {wanted} trunk tensors fit, nothing was loaded ({shown}): "
        "give the weights of this network at this width"
    )
