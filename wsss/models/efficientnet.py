"""EfficientNet-Lite0, the photo profile's residual network: the part of ResNet38 and ResNet101.

Not in the paper.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from wsss.errors import InputError
from wsss.models.loading import learnt_names, read_state_dict, rename
from wsss.models.network import Head, LargeFOVClassifier, Network, Normalisation, initialise

LITE = Normalisation(mean=(127.0, 127.0, 127.0), std=(128.0, 128.0, 128.0))
"""What EfficientNet-Lite's published weights expect, in RGB order."""

STEM = 32
TOP = 1280
BLOCKS = (
    # repeats, kernel, stride of the first, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""EfficientNet-B0's, as in its Table 1."""

PUBLISHED_LAYERS = {
    "stem": ("_conv_stem", "_bn0"),
    "expand": ("_expand_conv", "_bn0"),
    "depthwise": ("_depthwise_conv", "_bn1"),
    "project": ("_project_conv", "_bn2"),
    "top": ("_conv_head", "_bn1"),
}
"""Convolution and BatchNorm of each of our layers, as the package's file names them."""


def build(
    *, head: Head, num_classes: int, width: float = 1.0, output_stride: int | None = None
) -> Network:
    """Build an EfficientNet-Lite0 with random weights.

    Like ResNet38 and ResNet101 it is residual and has BatchNorm, which stays frozen. It is
    EfficientNet-B0 without squeeze-and-excitation and with ReLU6, so nothing in its trunk looks at
    the whole image at once. The last 1x1 convolution, to 1280 channels, is the CAM's feature as it
    is the published classifier's; the segmenter leaves it out, as DeepLab does in MobileNetV2, and
    puts a `LargeFOVClassifier` on the 320 channels before it.

    Parameters
    ----------
    head, num_classes, width
        See `wsss.models.get_model`. ``"cam"`` has a 1x1 classifier on 1280 channels, ``"largefov"``
        a `LargeFOVClassifier` on 320; the width must be 1, the published network's.
    output_stride
        32, 16 or 8; by default 16 for CAMs, SqueezeNet's, and 8 for LargeFOV. The network's own is
        32; less is reached as in DeepLab: the last strides become dilations.

    Raises
    ------
    InputError
        If the width is not 1, or the output stride none of 32, 16 and 8.

    Examples
    --------
    >>> build(head="cam", num_classes=6)(torch.zeros(1, 3, 96, 64)).shape
    torch.Size([1, 6, 6, 4])
    >>> build(head="largefov", num_classes=7)(torch.zeros(1, 3, 96, 64)).shape
    torch.Size([1, 7, 12, 8])

    References
    ----------
    Tan and Le, EfficientNet, ICML 2019. Liu, EfficientNet-Lite, TensorFlow blog, 2020 (no
    squeeze-and-excitation, ReLU6, fixed stem and top).
    """
    stride = output_stride or {"cam": 16, "largefov": 8}[head]
    if width != 1:
        raise InputError(f"efficientnet_lite0: width {width}; the published network has width 1")
    if stride not in (8, 16, 32):
        raise InputError(f"efficientnet_lite0: output stride {stride}; give 32, 16 or 8")
    layers = _layers(stride)
    if head == "cam":
        layers["top"] = conv_norm(BLOCKS[-1][-1], TOP, 1)
        layers["dropout"] = nn.Dropout(0.2)
        classifier: nn.Conv2d = nn.Conv2d(TOP, num_classes, 1)
    else:
        classifier = LargeFOVClassifier(BLOCKS[-1][-1], num_classes)
    trunk = nn.Sequential(layers)
    initialise(trunk)
    network = Network(
        trunk, classifier, output_stride=stride, normalisation=LITE, freeze_batchnorm=True
    )
    # A step of the segmenter on 8 crops of 161 takes a core 1.4 s, 2.3 s in torch's usual order.
    return network.to(memory_format=torch.channels_last)


def read_imagenet(path: Path, trunk: nn.Module) -> dict[str, Tensor]:
    """Read a state_dict under the names of the weights' package, for either head."""
    unused = {"_fc", *(() if hasattr(trunk, "top") else PUBLISHED_LAYERS["top"])}
    names = {}
    for name in learnt_names(trunk):
        module, _, part = name.rpartition(".")
        names[f"{published_module(module)}.{part}"] = name
    return rename(
        read_state_dict(path), names, path, lambda name: name.rpartition(".")[0] in unused
    )


def published_module(ours: str) -> str:
    """Return the name that a module of the trunk has in the package's file.

    Examples
    --------
    >>> published_module("stem.1"), published_module("block3.depthwise.0")
    ('_bn0', '_blocks.3._depthwise_conv')
    """
    *block, layer, place = ours.split(".")
    theirs = PUBLISHED_LAYERS[layer][int(place)]
    return f"_blocks.{block[0].removeprefix('block')}.{theirs}" if block else theirs


class InvertedResidual(nn.Module):
    """Widen by `expansion`, filter each channel by itself, narrow; add the input if `residual`."""

    def __init__(
        self, inputs: int, outputs: int, *, expansion: int, kernel: int, stride: int, dilation: int,
        residual: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        inside = inputs * expansion
        self.expand = conv_norm(inputs, inside, 1) if expansion > 1 else nn.Identity()
        self.depthwise = conv_norm(
            inside, inside, kernel, stride=stride, dilation=dilation, groups=inside
        )
        self.project = conv_norm(inside, outputs, 1, activation_layer=None)
        self.residual = residual

    def forward(self, features: Tensor) -> Tensor:
        """Map features ``(N, inputs, h, w)`` to ``(N, outputs, ceil(h / s), ceil(w / s))``."""
        new = self.project(self.depthwise(self.expand(features)))
        return features + new if self.residual else new


NORM = partial(nn.BatchNorm2d, eps=1e-3)


def conv_norm(inputs: int, outputs: int, kernel: int, **how: Any) -> nn.Sequential:
    """Stack a convolution padded by half its extent, BatchNorm and, unless it is None, ReLU6.

    TensorFlow pads an input of even length by less in front than behind, so that a feature of the
    published network stands up to 31 pixels behind its pixel. Padded by half, feature i lies on
    pixel ``i * output_stride`` at every length; at lengths of 32 k + 1 both are the same.
    """
    from torchvision.ops import Conv2dNormActivation  # takes a while, and tables need no network

    how = {"norm_layer": NORM, "activation_layer": nn.ReLU6} | how
    return Conv2dNormActivation(inputs, outputs, kernel, **how)


def _layers(output_stride: int) -> OrderedDict[str, nn.Module]:
    """Stem and blocks; a stride beyond the output stride dilates all that follows it instead."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(stem=conv_norm(3, STEM, 3, stride=2))
    reached, dilation, channels = 2, 1, STEM
    for repeats, kernel, stride, expansion, outputs in BLOCKS:
        for repeat in range(repeats):
            wanted = stride if repeat == 0 else 1
            kept = wanted if reached < output_stride else 1
            layers[f"block{len(layers) - 1}"] = InvertedResidual(
                channels, outputs, expansion=expansion, kernel=kernel, stride=kept,
                dilation=dilation, residual=wanted == 1 and channels == outputs,
            )  # fmt: skip
            reached, channels = reached * kept, outputs
            dilation *= wanted // kept
    return layers
