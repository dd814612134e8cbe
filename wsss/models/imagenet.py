"""ImageNet weights under the names of our networks, from published files (Sec. 5.2).

Every tensor of a file is either used, or one of those that are left out by name (the 1000-way
classifier and BatchNorm's counters), or an error; so is every tensor of the trunk that the file
lacks. `Network.initialisation` reports what was loaded, to be kept with every result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from wsss.downloads import find
from wsss.errors import InputError
from wsss.models.network import Network, read_state_dict
from wsss.models.resnet38 import ResidualBlock
from wsss.models.vgg import VGG16
from wsss.mxnet_params import read_params
from wsss.weights import locate

COUNTER = ".num_batches_tracked"

EFFICIENTNET_LAYERS = {
    "stem": ("_conv_stem", "_bn0"),
    "expand": ("_expand_conv", "_bn0"),
    "depthwise": ("_depthwise_conv", "_bn1"),
    "project": ("_project_conv", "_bn2"),
    "top": ("_conv_head", "_bn1"),
}
"""Convolution and BatchNorm of each of our layers, as the package's file names them."""

Values = TypeVar("Values")


def load_vgg16(network: Network, path: str | Path | None = None) -> None:
    """Fill a VGG16's trunk from torchvision's VGG16, reduced to the form of ``vgg16_20M``.

    DeepLab's ``vgg16_20M``, which the authors' related code starts from, keeps every third row and
    column of fc6's 7x7 kernel and every fourth channel of fc6 and fc7; the same is done here, with
    fc6 and fc7 choosing the same channels. torchvision's weights were trained anew, on RGB with
    ImageNet's mean and standard deviation, and DeepLab's were tuned after the reduction: not the
    same weights as the paper's, but all of them learnt, as there.

    Parameters
    ----------
    network
        Of `wsss.models.vgg.build` without BatchNorm, at any width that the file fits.
    path
        A state_dict of torchvision's ``vgg16``; by default the downloaded one.

    Raises
    ------
    InputError
        If the file is absent or differs, or if any name or shape does not fit.
    """
    path = find("vgg16") if path is None else Path(path)
    names, index = {}, 0
    for stage, depth in enumerate(VGG16.depths, start=1):
        for number in range(1, depth + 1):
            names[f"features.{index}"] = f"conv{stage}_{number}"
            index += 2  # a convolution and its ReLU
        index += 1  # the pool
    names |= {"classifier.0": "fc6", "classifier.3": "fc7"}
    parts = {
        f"{old}.{part}": f"{new}.{part}"
        for old, new in names.items()
        for part in ("weight", "bias")
    }
    state = _rename(
        read_state_dict(path), parts, lambda name: name.startswith("classifier.6."), path
    )
    width, channels = network.trunk.state_dict()["fc6.weight"].shape[:2]
    _fill(network, _reduce_fc(state, width, channels, path), path)


def load_resnet101(network: Network, path: str | Path | None = None) -> None:
    """Fill a ResNet101's trunk from torchvision's ResNet101, whose names it shares.

    Parameters
    ----------
    network
        Of `wsss.models.resnet101.build`.
    path
        A state_dict of torchvision's ``resnet101``; by default the downloaded one. ImageNet alone,
        as the paper says; weights tuned on COCO, which older DeepLab code starts from without
        saying so, do not fit by their names.

    Raises
    ------
    InputError
        If the file is absent or differs, or if any name or shape does not fit.
    """
    path = find("resnet101") if path is None else Path(path)
    names = {name: name for name in _wanted(network)}
    state = _rename(
        read_state_dict(path),
        names,
        lambda name: name.startswith("fc.") or name.endswith(COUNTER),
        path,
    )
    _fill(network, state, path)


def load_resnet38(network: Network, path: str | Path | None = None) -> None:
    """Fill a ResNet38's trunk from its authors' MXNet weights, without MXNet.

    Parameters
    ----------
    network
        Of `wsss.models.resnet38.build`.
    path
        ``ilsvrc-cls_rna-a1_cls1000_ep-0001.params``; by default the downloaded one.

    Raises
    ------
    InputError
        If the file is absent or differs, or if any name or shape does not fit.
    """
    path = find("resnet38") if path is None else Path(path)
    arrays = _rename(
        read_params(path),
        resnet38_names(network.trunk),
        lambda name: name.startswith("arg:linear1000_"),
        path,
    )
    _fill(network, {name: torch.from_numpy(np.array(a)) for name, a in arrays.items()}, path)


def load_efficientnet_lite0(network: Network, path: str | Path | None = None) -> None:
    """Fill an EfficientNet-Lite0's trunk from the weights that `wsss.weights` knows.

    Parameters
    ----------
    network
        Of `wsss.models.efficientnet.build`, with either head, at any output stride.
    path
        A state_dict under the names of the package; by default the installed one.

    Raises
    ------
    InputError
        If the package is not installed, or its file differs, or any name or shape does not fit.
    """
    path = locate("efficientnet_lite0") if path is None else Path(path)
    unused = {"_fc", *(() if hasattr(network.trunk, "top") else EFFICIENTNET_LAYERS["top"])}
    names = {
        f"{efficientnet_module(module)}.{part}": name
        for name in _wanted(network)
        for module, _, part in [name.rpartition(".")]
    }
    state = _rename(
        read_state_dict(path),
        names,
        lambda name: name.endswith(COUNTER) or name.rpartition(".")[0] in unused,
        path,
    )
    _fill(network, state, path)


def efficientnet_module(ours: str) -> str:
    """Return the name that a module of EfficientNet-Lite0's trunk has in the package's file.

    Examples
    --------
    >>> efficientnet_module("stem.1"), efficientnet_module("block3.depthwise.0")
    ('_bn0', '_blocks.3._depthwise_conv')
    """
    *block, layer, place = ours.split(".")
    theirs = EFFICIENTNET_LAYERS[layer][int(place)]
    return f"_blocks.{block[0].removeprefix('block')}.{theirs}" if block else theirs


def resnet38_names(trunk: nn.Module) -> dict[str, str]:
    """Return the trunk's names by those of the ``.params`` file.

    There the first block of level 2 is ``2a`` and the next ones ``2b1``, ``2b2``; a block's
    convolutions are ``branch2a``, ``branch2b1``, ``branch2b2`` and its shortcut ``branch1``; they
    begin with ``res``, and the BatchNorm before each with ``bn``. Source: ``res_block`` in
    ademxapp's ``util/symbol/resnet_v2.py``.

    Examples
    --------
    >>> from wsss.models.resnet38 import RESNET38, build
    >>> names = resnet38_names(build(RESNET38, head="cam", num_classes=20, width=1 / 16).trunk)
    >>> names["arg:res4b5_branch2b1_weight"], names["aux:bn7_moving_var"]
    ('b4_5.residual.3.weight', 'norm.running_var')
    """
    names = {"arg:conv1a_weight": "conv1a.weight"} | _batchnorm_names("bn7", "norm")
    for ours, block in trunk.named_children():
        if not isinstance(block, ResidualBlock):
            continue
        level, _, number = ours.removeprefix("b").partition("_")
        theirs = f"{level}b{number}" if number else f"{level}a"
        names |= _batchnorm_names(f"bn{theirs}_branch2a", f"{ours}.first_norm.0")
        branch, last = "branch2a", 0
        for place, layer in block.residual.named_children():
            if isinstance(layer, nn.BatchNorm2d):
                last += 1
                branch = f"branch2b{last}"
                names |= _batchnorm_names(f"bn{theirs}_{branch}", f"{ours}.residual.{place}")
            elif isinstance(layer, nn.Conv2d):
                names[f"arg:res{theirs}_{branch}_weight"] = f"{ours}.residual.{place}.weight"
        if block.projection is not None:
            names[f"arg:res{theirs}_branch1_weight"] = f"{ours}.projection.weight"
    return names


def _batchnorm_names(theirs: str, ours: str) -> dict[str, str]:
    return {
        f"arg:{theirs}_gamma": f"{ours}.weight",
        f"arg:{theirs}_beta": f"{ours}.bias",
        f"aux:{theirs}_moving_mean": f"{ours}.running_mean",
        f"aux:{theirs}_moving_var": f"{ours}.running_var",
    }


def _reduce_fc(
    state: dict[str, Tensor], width: int, channels: int, path: Path
) -> dict[str, Tensor]:
    """Subsample fc6 and fc7, matrices in the file, to convolutions of `width` channels."""
    full = state["fc6.bias"].numel()
    shapes = {
        "fc6.weight": (full, channels * 7 * 7),
        "fc6.bias": (full,),
        "fc7.weight": (full, full),
        "fc7.bias": (full,),
    }
    if full < width or full % width or any(state[n].shape != s for n, s in shapes.items()):
        found = ", ".join(str(tuple(state[name].shape)) for name in shapes)
        raise InputError(
            f"{path}: classifier.0 and classifier.3 have the shapes {found}, which cannot be "
            f"reduced to {width} channels; give torchvision's vgg16"
        )
    every = full // width
    return state | {
        "fc6.weight": state["fc6.weight"].view(full, channels, 7, 7)[::every, :, ::3, ::3],
        "fc6.bias": state["fc6.bias"][::every],
        "fc7.weight": state["fc7.weight"][::every, ::every, None, None],
        "fc7.bias": state["fc7.bias"][::every],
    }


def _rename(
    published: Mapping[str, Values],
    names: Mapping[str, str],
    left_out: Callable[[str], bool],
    path: Path,
) -> dict[str, Values]:
    """Return what was published under the trunk's names, complete and with nothing to spare."""
    missing = [f"{name} is missing" for name in names if name not in published]
    unknown = [
        f"{name} is unknown" for name in published if name not in names and not left_out(name)
    ]
    if missing or unknown:
        raise _misfit(path, len(names) - len(missing), len(names), missing + unknown)
    return {ours: published[theirs] for theirs, ours in names.items()}


def _fill(network: Network, found: Mapping[str, Tensor], path: Path) -> None:
    """Fill the trunk, completely or not at all."""
    wanted = _wanted(network)
    differences = [
        f"{name} is {tuple(found[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if found[name].shape != tensor.shape
    ]
    if differences:
        raise _misfit(path, len(wanted) - len(differences), len(wanted), differences)
    network.trunk.load_state_dict(found, strict=False)  # all but BatchNorm's counters
    network.initialisation = (
        f"ImageNet, {path.name}: loaded {len(found)} of {len(wanted)} trunk tensors"
    )


def _wanted(network: Network) -> dict[str, Tensor]:
    state = network.trunk.state_dict()
    return {name: tensor for name, tensor in state.items() if not name.endswith(COUNTER)}


def _misfit(path: Path, fitting: int, wanted: int, differences: list[str]) -> InputError:
    shown = "; ".join(differences[:3]) + ("; ..." if len(differences) > 3 else "")
    return InputError(
        f"{path}: only {fitting} of {wanted} trunk tensors fit, nothing was loaded ({shown}): "
        "give the published weights of this network"
    )
