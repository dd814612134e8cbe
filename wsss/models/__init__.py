"""The networks by name: two for CAMs, two segmenters (Sec. 5.2) and their smaller stand-ins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from wsss.errors import InputError, require_word
from wsss.models import efficientnet, resnet38, resnet101, squeezenet, vgg
from wsss.models.loading import Reader, load_trunk, load_weights
from wsss.models.network import Head, Network, parameter_groups
from wsss.models.weights import locate

__all__ = ["NETWORKS", "Head", "Network", "get_model", "network_entry", "parameter_groups"]


@dataclass(frozen=True)
class NetworkEntry:
    """All that is known of a network by its name."""

    title: str  # what people call it
    build: Callable[..., Network]  # takes `head`, `num_classes` and `width`
    imagenet: str | None = None  # name of its ImageNet weights in `wsss.models.weights.WEIGHTS`
    read: Reader | None = None  # of that file


NETWORKS = {
    "vgg16": NetworkEntry("VGG16", partial(vgg.build, vgg.VGG16), "vgg16", vgg.read_imagenet),
    "vgg16_scenes": NetworkEntry("VGG16 (narrow)", partial(vgg.build, vgg.VGG16_SCENES)),
    "resnet38": NetworkEntry(
        "ResNet38", partial(resnet38.build, resnet38.RESNET38), "resnet38", resnet38.read_imagenet
    ),
    "resnet38_scenes": NetworkEntry(
        "ResNet38 (narrow)", partial(resnet38.build, resnet38.RESNET38_SCENES)
    ),
    "resnet101": NetworkEntry(
        "ResNet101", partial(resnet101.build, resnet101.RESNET101),
        "resnet101", resnet101.read_imagenet,
    ),
    "resnet101_three_layers": NetworkEntry(
        "ResNet101 (three new layers)", partial(resnet101.build, resnet101.RESNET101_THREE_LAYERS),
        "resnet101", resnet101.read_imagenet,
    ),
    "resnet101_scenes": NetworkEntry(
        "ResNet101 (narrow)", partial(resnet101.build, resnet101.RESNET101_SCENES)
    ),
    "squeezenet1_1": NetworkEntry(
        "SqueezeNet 1.1", squeezenet.build, "squeezenet1_1", squeezenet.read_imagenet
    ),
    "efficientnet_lite0": NetworkEntry(
        "EfficientNet-Lite0", efficientnet.build, "efficientnet_lite0", efficientnet.read_imagenet
    ),
}  # fmt: skip
"""Networks by name; one more is one entry."""


def network_entry(name: str) -> NetworkEntry:
    """Find what is known of a network by its name.

    Raises
    ------
    InputError
        If the name is not in `NETWORKS`.

    Examples
    --------
    >>> network_entry("squeezenet1_1").title, sorted(NETWORKS)[-1]
    ('SqueezeNet 1.1', 'vgg16_scenes')
    """
    if name not in NETWORKS:
        raise InputError(f"unknown network {name!r}; choose one of {', '.join(sorted(NETWORKS))}")
    return NETWORKS[name]


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
        A key of `NETWORKS`. ``vgg16``, ``resnet38`` and ``resnet101`` are the paper's, with output
        stride 8 (``resnet101_three_layers`` is another reading of the last one's head); the
        ``_scenes`` ones have the same structure, fewer layers and channels and
        output stride 4, for the drawn scenes.
    head
        ``"cam"`` for class maps, ``"largefov"`` for a segmenter.
    num_classes
        Channels of the logits: C foreground classes for CAMs, L = C + 1 for a segmenter.
    weights
        None for random ones, ``"imagenet"`` for those that `locate` finds, or a file that
        ``torch.save(network.state_dict(), path)`` wrote, with the same head and classes, or the
        same of ``network.trunk``. ImageNet's and a trunk's file fill the trunk alone; the
        classifier, and layers beside it, are new then (Sec. 5.2). All is filled or nothing.
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
    entry, read = network_entry(name), None
    require_word("head", head, Head)
    if num_classes < 1 or not width > 0:
        raise InputError(
            f"{name}: num_classes and width must be positive, not {num_classes} and {width}"
        )
    if weights == "imagenet":
        if entry.imagenet is None:
            known = ", ".join(sorted(key for key, each in NETWORKS.items() if each.imagenet))
            raise InputError(
                f"there are no ImageNet weights for {name!r}, only for {known}; "
                "give the path of a file instead"
            )
        weights, read = locate(entry.imagenet), entry.read
    network = entry.build(head=head, num_classes=num_classes, width=width)
    if weights is not None and read is not None:
        load_trunk(network, weights, read)
    elif weights is not None:
        load_weights(network, weights)
    return network
