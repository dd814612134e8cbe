"""VGG16 in DeepLab's reduced form, for CAMs and as LargeFOV segmenter (Sec. 5.2)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch
from torch import Tensor, nn

from wsss.errors import InputError
from wsss.models.loading import read_state_dict, rename
from wsss.models.network import IMAGENET, SCENES, Head, Network, Normalisation, initialise, scaled


@dataclass(frozen=True)
class VggArchitecture:
    """The numbers that make one VGG; each tuple has one entry per stage."""

    depths: tuple[int, ...]  # convolutions of the stage
    widths: tuple[int, ...]  # their channels
    pool_strides: tuple[int, ...]  # of the 3x3 max-pool that ends the stage, 0 for none
    dilations: tuple[int, ...]  # of the convolutions
    average_pool: bool  # whether a 3x3 one of stride 1 (pool5a) comes before fc6
    fc_width: int  # channels of fc6 (3x3) and fc7 (1x1)
    largefov_dilation: int  # of fc6 in the segmenter; for CAMs it is 1
    batchnorm: bool  # in place of the bias of every convolution
    dropout: float  # probability after fc6 and fc7, element-wise
    normalisation: Normalisation  # of the input


VGG16 = VggArchitecture(
    depths=(2, 2, 3, 3, 3), widths=(64, 128, 256, 512, 512), pool_strides=(2, 2, 2, 1, 1),
    dilations=(1, 1, 1, 1, 2), average_pool=True, fc_width=1024, largefov_dilation=12,
    batchnorm=False, dropout=0.5, normalisation=IMAGENET,
)  # fmt: skip
"""The paper's: 20 504 404 parameters with 20 classes, output stride 8.

Layers as in the authors' related code (ICD ``vgg16_deeplab``, MCIC ``_VGG16_Base``) and OAA's
``train.prototxt``, high confidence; they agree with DeepLab's ``vgg16_20M``.
"""

VGG16_SCENES = VggArchitecture(
    depths=(2, 2, 2, 2, 2), widths=(8, 16, 24, 24, 32), pool_strides=(2, 2, 0, 0, 0),
    dilations=(1, 1, 1, 1, 1), average_pool=False, fc_width=48, largefov_dilation=3,
    batchnorm=True, dropout=0.0, normalisation=SCENES,
)  # fmt: skip
"""For drawn scenes of 64 pixels: output stride 4. Not in the paper.

It departs from VGG16 where a trial on such scenes gained by it. BatchNorm, trained with batch
statistics: 50 to 52 mIoU in place of 39 without, 55 in place of 50 with frozen ones. No pools of
stride 1 and no dilation in the trunk: 68 in place of 60, the largest single step. The dilation 3
of its LargeFOV and the lack of dropout are the trial's too, but nothing else was compared.
"""


def build(
    architecture: VggArchitecture, *, head: Head, num_classes: int, width: float = 1.0
) -> Network:
    """Build a VGG with random weights, for CAMs with fc6 undilated; see `wsss.models.get_model`.

    Examples
    --------
    >>> network = build(VGG16, head="cam", num_classes=20, width=1 / 16)
    >>> network.trunk.fc6
    Conv2d(32, 64, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    """
    trunk = _trunk(architecture, architecture.largefov_dilation if head == "largefov" else 1, width)
    network = Network(
        trunk,
        nn.Conv2d(scaled(architecture.fc_width, width), num_classes, 1),
        output_stride=prod(stride for stride in architecture.pool_strides if stride),
        normalisation=architecture.normalisation,
    )
    # a training step on drawn scenes takes 7 instead of 10 ms of a core
    return network.to(memory_format=torch.channels_last)


def read_imagenet(path: Path, trunk: nn.Module) -> dict[str, Tensor]:
    """Read torchvision's VGG16, reduced to the form of ``vgg16_20M``, for `VGG16` at any width.

    DeepLab's ``vgg16_20M``, which the authors' related code starts from, keeps every third row and
    column of fc6's 7x7 kernel and every fourth channel of fc6 and fc7; the same is done here, with
    fc6 and fc7 choosing the same channels. torchvision's weights were trained anew, on RGB with
    ImageNet's mean and standard deviation, and DeepLab's were tuned after the reduction: not the
    same weights as the paper's, but all of them learnt, as there.
    """
    modules, index = {}, 0
    for stage, depth in enumerate(VGG16.depths, start=1):
        for number in range(1, depth + 1):
            modules[f"features.{index}"] = f"conv{stage}_{number}"
            index += 2  # a convolution and its ReLU
        index += 1  # the pool
    modules |= {"classifier.0": "fc6", "classifier.3": "fc7"}
    names = {f"{old}.{p}": f"{new}.{p}" for old, new in modules.items() for p in ("weight", "bias")}
    state = rename(
        read_state_dict(path), names, path, lambda name: name.startswith("classifier.6.")
    )
    width, channels = trunk.get_parameter("fc6.weight").shape[:2]
    return state | _reduced_fc(state, width, channels, path)


def _reduced_fc(
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
    return {
        "fc6.weight": state["fc6.weight"].view(full, channels, 7, 7)[::every, :, ::3, ::3],
        "fc6.bias": state["fc6.bias"][::every],
        "fc7.weight": state["fc7.weight"][::every, ::every, None, None],
        "fc7.bias": state["fc7.bias"][::every],
    }


def _trunk(architecture: VggArchitecture, fc6_dilation: int, width: float) -> nn.Sequential:
    """Stack convolutions, pools, fc6 and fc7, under the names the literature gives them."""
    a, batchnorm = architecture, architecture.batchnorm
    fc_width = scaled(a.fc_width, width)
    layers: dict[str, nn.Module] = {}
    channels = 3
    stages = zip(a.depths, a.widths, a.dilations, a.pool_strides, strict=True)
    for stage, (depth, stage_width, dilation, pool_stride) in enumerate(stages, start=1):
        out = scaled(stage_width, width)
        for index in range(1, depth + 1):
            name = f"conv{stage}_{index}"
            layers |= _convolution(name, channels, out, 3, dilation, batchnorm)
            channels = out
        if pool_stride:
            layers[f"pool{stage}"] = nn.MaxPool2d(3, stride=pool_stride, padding=1)
    if a.average_pool:
        layers["pool5a"] = nn.AvgPool2d(3, stride=1, padding=1)
    layers |= _convolution("fc6", channels, fc_width, 3, fc6_dilation, batchnorm)
    layers["fc6_dropout"] = nn.Dropout(a.dropout)
    layers |= _convolution("fc7", fc_width, fc_width, 1, 1, batchnorm)
    layers["fc7_dropout"] = nn.Dropout(a.dropout)
    trunk = nn.Sequential(OrderedDict(layers))
    initialise(trunk)
    return trunk


def _convolution(
    name: str, channels: int, out: int, kernel: int, dilation: int, batchnorm: bool
) -> dict[str, nn.Module]:
    """Name the layers of one step: a size-keeping convolution, BatchNorm if asked for, ReLU."""
    padding = kernel // 2 * dilation
    convolution = nn.Conv2d(
        channels, out, kernel, padding=padding, dilation=dilation, bias=not batchnorm
    )
    norm = {f"{name}_bn": nn.BatchNorm2d(out)} if batchnorm else {}
    return {name: convolution, **norm, f"{name}_relu": nn.ReLU(inplace=True)}
