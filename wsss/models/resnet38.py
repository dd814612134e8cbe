"""ResNet38 (Wider-ResNet-38, Model A1) as the second CAM network (Sec. 4.4 and 5.2)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from wsss.errors import InputError
from wsss.models.loading import rename
from wsss.models.mxnet_params import read_params
from wsss.models.network import IMAGENET, SCENES, Head, Network, Normalisation, initialise, scaled


@dataclass(frozen=True)
class Stage:
    """Residual blocks of one width."""

    blocks: int
    widths: tuple[int, ...]  # after each convolution of a block: 3x3, 3x3 or 1x1, 3x3, 1x1
    stride: int = 1  # of the first block's first convolution
    dilation: int = 1  # of the 3x3 convolutions, but for the very first one of a stage of pairs
    dropout: float = 0.0  # before the second and the third convolution of a bottleneck


@dataclass(frozen=True)
class ResNet38Architecture:
    """The stem's channels, the stages, how BatchNorm is trained and the input's normalisation."""

    stem: int
    stages: tuple[Stage, ...]
    freeze_batchnorm: bool
    normalisation: Normalisation


RESNET38 = ResNet38Architecture(
    stem=64,
    stages=(
        Stage(3, (128, 128), stride=2),
        Stage(3, (256, 256), stride=2),
        Stage(6, (512, 512), stride=2),
        Stage(3, (512, 1024), dilation=2),
        Stage(1, (512, 1024, 2048), dilation=4, dropout=0.3),
        Stage(1, (1024, 2048, 4096), dilation=4, dropout=0.5),
    ),
    freeze_batchnorm=True,
    normalisation=IMAGENET,
)
"""The paper's: 105.07 million parameters in the trunk, output stride 8.

psa's ``resnet38d``, ademxapp's ``rna_feat_a1(inv_resolution=8)`` and CIAN's ``wide_resnet`` agree
on it, high confidence, but for dropout: element-wise before the last two convolutions of a
bottleneck in CIAN, the first author's own, which is followed here; whole channels in psa; before
the last convolution only in ademxapp.
"""

RESNET38_SCENES = ResNet38Architecture(
    stem=8,
    stages=(Stage(2, (16, 16), stride=2), Stage(3, (32, 32), stride=2), Stage(3, (32, 64))),
    freeze_batchnorm=False,
    normalisation=SCENES,
)
"""For drawn scenes of 64 pixels: output stride 4. Not in the paper.

It departs from A1 in its number of blocks and channels, in having neither dilation nor the two
bottlenecks with their dropout, and in training BatchNorm with batch statistics: frozen ones cost a
VGG 4 to 5 points of mIoU in a trial on such scenes.
"""


class ResidualBlock(nn.Module):
    """Pre-activation residual block: BatchNorm and ReLU come before every convolution.

    Where the shape changes, the shortcut is a 1x1 convolution of the first BatchNorm-ReLU's
    output; elsewhere it is the block's untouched input.

    Examples
    --------
    >>> import torch
    >>> block = ResidualBlock(8, (8, 16), stride=2, dilations=(1, 2))
    >>> block(torch.zeros(1, 8, 10, 10)).shape
    torch.Size([1, 16, 5, 5])
    """

    def __init__(
        self, channels: int, widths: tuple[int, ...], *, stride: int, dilations: tuple[int, ...],
        dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        kernels = {2: (3, 3), 3: (1, 3, 1)}[len(widths)]
        inputs = (channels, *widths[:-1])
        strides = (stride, *[1] * (len(widths) - 1))
        convolutions = [
            nn.Conv2d(before, after, kernel, step, kernel // 2 * dilation, dilation, bias=False)
            for before, after, kernel, step, dilation in zip(
                inputs, widths, kernels, strides, dilations, strict=True
            )
        ]
        self.first_norm = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True))
        self.residual = nn.Sequential(convolutions[0])
        for before, convolution in zip(widths, convolutions[1:], strict=False):
            self.residual.extend([nn.BatchNorm2d(before), nn.ReLU(inplace=True)])
            if dropout:
                self.residual.append(nn.Dropout(dropout))
            self.residual.append(convolution)
        same_shape = stride == 1 and channels == widths[-1]
        self.projection = (
            None if same_shape else nn.Conv2d(channels, widths[-1], 1, stride=stride, bias=False)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(N, channels, h, w)`` to ``(N, widths[-1], h / stride, w / stride)``."""
        activated = self.first_norm(features)
        shortcut = features if self.projection is None else self.projection(activated)
        return shortcut + self.residual(activated)


def build(
    architecture: ResNet38Architecture, *, head: Head, num_classes: int, width: float = 1.0
) -> Network:
    """Build a ResNet38 with random weights and the 1x1 classifier of CAM; see `get_model`.

    The classifier has a bias, as the first author's CAM classifiers have (ICD, MCIC); psa's has
    none: medium confidence. In channels-last memory, torch 2.14.1 crashed in the backward pass of
    this network on a CPU.

    Raises
    ------
    InputError
        For head ``"largefov"``: the paper makes no segmenter of it.

    Examples
    --------
    >>> network = build(RESNET38, head="cam", num_classes=20, width=1 / 16)
    >>> network.classifier
    Conv2d(256, 20, kernel_size=(1, 1), stride=(1, 1))
    """
    if head != "cam":
        raise InputError(
            f"ResNet38 has no head {head!r}: the paper uses it for CAMs only (Sec. 4.4); "
            "choose vgg16 or resnet101 for the segmenter"
        )
    channels = scaled(architecture.stem, width)
    layers: list[tuple[str, nn.Module]] = [
        ("conv1a", nn.Conv2d(3, channels, 3, padding=1, bias=False))
    ]
    for number, stage in enumerate(architecture.stages, start=2):
        widths = tuple(scaled(out, width) for out in stage.widths)
        for index in range(stage.blocks):
            pair = (stage.dilation if index else 1, stage.dilation)
            block = ResidualBlock(
                channels,
                widths,
                stride=1 if index else stage.stride,
                dilations=pair if len(widths) == 2 else (1, stage.dilation, 1),
                dropout=stage.dropout,
            )
            layers.append((f"b{number}_{index}" if index else f"b{number}", block))
            channels = widths[-1]
    layers += [("norm", nn.BatchNorm2d(channels)), ("relu", nn.ReLU(inplace=True))]
    trunk = nn.Sequential(OrderedDict(layers))
    initialise(trunk)
    return Network(
        trunk,
        nn.Conv2d(channels, num_classes, 1),
        output_stride=prod(stage.stride for stage in architecture.stages),
        normalisation=architecture.normalisation,
        freeze_batchnorm=architecture.freeze_batchnorm,
    )


def read_imagenet(path: Path, trunk: nn.Module) -> dict[str, Tensor]:
    """Read the authors' MXNet weights, without MXNet."""
    names = published_names(trunk)
    arrays = rename(read_params(path), names, path, lambda name: name.startswith("arg:linear1000_"))
    return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}


def published_names(trunk: nn.Module) -> dict[str, str]:
    """Return the trunk's names by those of the ``.params`` file.

    There the first block of level 2 is ``2a`` and the next ones ``2b1``, ``2b2``; a block's
    convolutions are ``branch2a``, ``branch2b1``, ``branch2b2`` and its shortcut ``branch1``; they
    begin with ``res``, and the BatchNorm before each with ``bn``. Source: ``res_block`` in
    ademxapp's ``util/symbol/resnet_v2.py``.

    Examples
    --------
    >>> names = published_names(build(RESNET38, head="cam", num_classes=20, width=1 / 16).trunk)
    >>> names["arg:res4b5_branch2b1_weight"], names["aux:bn7_moving_var"]
    ('b4_5.residual.3.weight', 'norm.running_var')
    """
    names = {"arg:conv1a_weight": "conv1a.weight"}
    norms = {"bn7": "norm"}  # modules, ours by theirs
    for ours, block in trunk.named_children():
        if not isinstance(block, ResidualBlock):
            continue
        level, _, number = ours.removeprefix("b").partition("_")
        theirs = f"{level}b{number}" if number else f"{level}a"
        branch, last = "branch2a", 0
        norms[f"bn{theirs}_{branch}"] = f"{ours}.first_norm.0"
        for place, layer in block.residual.named_children():
            if isinstance(layer, nn.BatchNorm2d):
                last += 1
                branch = f"branch2b{last}"
                norms[f"bn{theirs}_{branch}"] = f"{ours}.residual.{place}"
            elif isinstance(layer, nn.Conv2d):
                names[f"arg:res{theirs}_{branch}_weight"] = f"{ours}.residual.{place}.weight"
        if block.projection is not None:
            names[f"arg:res{theirs}_branch1_weight"] = f"{ours}.projection.weight"
    for theirs, ours in norms.items():
        names[f"arg:{theirs}_gamma"], names[f"arg:{theirs}_beta"] = f"{ours}.weight", f"{ours}.bias"
        names[f"aux:{theirs}_moving_mean"] = f"{ours}.running_mean"
        names[f"aux:{theirs}_moving_var"] = f"{ours}.running_var"
    return names
