"""The networks by name: two for CAMs, two segmenters (Sec. 5.2) and their smaller stand-ins."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import get_args

from wsss.errors import InputError
from wsss.models import efficientnet, imagenet, resnet38, resnet101, squeezenet, vgg
from wsss.models.network import Head, Network, Normalisation, load_trunk, parameter_groups

__all__ = ["BUILDERS", "Head", "Network", "Normalisation", "get_model", "parameter_groups"]

BUILDERS: dict[str, Callable[..., Network]] = {
    "vgg16": partial(vgg.build, vgg.VGG16),
    "vgg16_scenes": partial(vgg.build, vgg.VGG16_SCENES),
    "resnet38": partial(resnet38.build, resnet38.RESNET38),
    "resnet38_scenes": partial(resnet38.build, resnet38.RESNET38_SCENES),
    "resnet101": partial(resnet101.build, resnet101.RESNET101),
    "resnet101_three_layers": partial(resnet101.build, resnet101.RESNET101_THREE_LAYERS),
    "resnet101_scenes": partial(resnet101.build, resnet101.RESNET101_SCENES),
    "squeezenet1_1": squeezenet.build,
    "efficientnet_lite0": efficientnet.build,
}
"""Each takes ``head``, ``num_classes`` and ``width`` and returns a `Network`."""

IMAGENET_LOADERS: dict[str, Callable[[Network], None]] = {
    "vgg16": imagenet.load_vgg16,
    "resnet38": imagenet.load_resnet38,
    "resnet101": imagenet.load_resnet101,
    "resnet101_three_layers": imagenet.load_resnet101,
    "squeezenet1_1": squeezenet.load_imagenet,
    "efficientnet_lite0": imagenet.load_efficientnet_lite0,
}
"""Each fills a network's trunk with ImageNet weights, downloaded or from an installed package."""


TITLES = {
    "vgg16": "VGG16",
    "vgg16_scenes": "VGG16 (narrow)",
    "resnet38": "ResNet38",
    "resnet38_scenes": "ResNet38 (narrow)",
    "resnet101": "ResNet101",
    "resnet101_three_layers": "ResNet101 (three new layers)",
    "resnet101_scenes": "ResNet101 (narrow)",
    "squeezenet1_1": "SqueezeNet 1.1",
    "efficientnet_lite0": "EfficientNet-Lite0",
}


def network_title(name: str) -> str:
    """Name a network as people do."""
    return TITLES.get(name, name)


def get_model(
    name: str,
    *,
    head: Head,
    num_classes: int,
    weights: str | Path | None = None,
    width: float = 1.0,
) -> Network:
    """Build a network by name.

    Random numbers, of the classifier and of a trunk without weights, come from torch's global
    generator: call ``torch.manual_seed(rng_seed)`` before.

    Parameters
    ----------
    name
        A key of `BUILDERS`. ``vgg16``, ``resnet38`` and ``resnet101`` are the paper's, with output
        stride 8 (``resnet101_three_layers`` is another reading of the last one's head); the
        ``_scenes`` ones have the same structure, fewer layers and channels and
        output stride 4, for the drawn scenes.
    head
        ``"cam"`` for class maps, ``"largefov"`` for a segmenter.
    num_classes
        Channels of the logits: C foreground classes for CAMs, L = C + 1 for a segmenter.
    weights
        None for random ones, ``"imagenet"`` for those that come with a package, or a file that
        ``torch.save(network.state_dict(), path)`` wrote. Only the trunk is filled, completely or
        not at all; the classifier, and layers beside it, are always new (Sec. 5.2).
    width
        Multiplies the trunk's channel counts, to the nearest multiple of 8.

    Returns
    -------
    Network
        In training mode; `Network.initialisation` says what was loaded.

    Raises
    ------
    InputError
        If the name, the head or a number is not one of the above, or the weights do not fit.

    Examples
    --------
    >>> import torch
    >>> network = get_model("vgg16_scenes", head="largefov", num_classes=6)
    >>> network(torch.zeros(2, 3, 64, 64)).shape
    torch.Size([2, 6, 16, 16])
    >>> get_model("vgg19", head="cam", num_classes=20)
    Traceback (most recent call last):
    ...
    wsss.errors.InputError: unknown network 'vgg19'; choose one of efficientnet_lite0, ...
    """
    if name not in BUILDERS:
        raise InputError(f"unknown network {name!r}; choose one of {', '.join(sorted(BUILDERS))}")
    if head not in get_args(Head):
        raise InputError(f"unknown head {head!r}; choose one of {', '.join(get_args(Head))}")
    if num_classes < 1 or not width > 0:
        raise InputError(
            f"{name}: num_classes and width must be positive, not {num_classes} and {width}"
        )
    if weights == "imagenet" and name not in IMAGENET_LOADERS:
        raise InputError(
            f"there are no ImageNet weights for {name!r}, only for "
            f"{', '.join(sorted(IMAGENET_LOADERS))}; give the path of a file instead"
        )
    network = BUILDERS[name](head=head, num_classes=num_classes, width=width)
    if weights == "imagenet":
        IMAGENET_LOADERS[name](network)
    elif weights is not None:
        load_trunk(network, weights)
    return network
