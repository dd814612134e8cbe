"""ResNet101-LargeFOV, the stronger segmenter of Table 7 (Sec. 5.2)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

from torch import Tensor, nn

from wsss.models.loading import learnt_names, read_state_dict, rename
from wsss.models.network import IMAGENET, SCENES, Head, Network, Normalisation, initialise, scaled


@dataclass(frozen=True)
class ResNet101Architecture:
    """The numbers that make one ResNet of bottlenecks; tuples have one entry per stage."""

    stem: int  # channels of the first convolution
    stem_kernel: int  # its size; its stride is 2
    stem_pool: bool  # whether a 3x3 max-pool of stride 2 follows it
    depths: tuple[int, ...]  # bottlenecks
    planes: tuple[int, ...]  # their inner channels; they put out four times as many
    strides: tuple[int, ...]  # of the first one
    dilations: tuple[int, ...]  # of all but the first one, which keeps the stage before's
    largefov_dilation: int  # of the 3x3 convolution of LargeFOV
    largefov_hidden: int | None  # channels of hidden layers; None: it is the classifier
    freeze_batchnorm: bool  # see `Network`
    normalisation: Normalisation  # of the input


RESNET101 = ResNet101Architecture(
    stem=64, stem_kernel=7, stem_pool=True, depths=(3, 4, 23, 3), planes=(64, 128, 256, 512),
    strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4), largefov_dilation=12, largefov_hidden=None,
    freeze_batchnorm=True, normalisation=IMAGENET,
)  # fmt: skip
"""The paper's: 42.9 million parameters with 21 classes, output stride 8.

The trunk is torchvision's ``resnet101(replace_stride_with_dilation=[False, True, True])``, name by
name, without its pool and its linear layer. The classifier is one convolution, as in CIAN
``resnet101_largefov`` and MCIC ``_ResLargeFov``, medium to high confidence.
"""

RESNET101_THREE_LAYERS = replace(RESNET101, largefov_hidden=1024)
"""The other reading of ResNet101-LargeFOV: the three new layers of L2G's ``DeepLabV1_largeFOV``.

A dilated 3x3 and a 1x1 convolution to 1024 channels, with ReLU and dropout of whole channels after
each, then a 1x1 classifier: VGG16-LargeFOV's form on another trunk. 62.4 million parameters.
"""

RESNET101_SCENES = ResNet101Architecture(
    stem=16, stem_kernel=3, stem_pool=False, depths=(2, 2, 4, 2), planes=(8, 16, 32, 48),
    strides=(1, 2, 1, 1), dilations=(1, 1, 1, 1), largefov_dilation=3, largefov_hidden=None,
    freeze_batchnorm=False, normalisation=SCENES,
)  # fmt: skip
"""For drawn scenes of 64 pixels: output stride 4. Not in the paper.

It departs from ResNet101 in its number of blocks and channels, in a 3x3 stem without a pool, in
having no dilation in the trunk, and in training BatchNorm with batch statistics: frozen ones cost
a VGG 4 to 5 points of mIoU in a trial on such scenes.
"""


def build(
    architecture: ResNet101Architecture, *, head: Head, num_classes: int, width: float = 1.0
) -> Network:
    """Build a ResNet101 with random weights; see `wsss.models.get_model`.

    With head ``"largefov"`` the classifier is one dilated 3x3 convolution, or three layers that
    begin with it; with ``"cam"`` one 1x1 convolution.

    Examples
    --------
    >>> network = build(RESNET101_SCENES, head="largefov", num_classes=6)
    >>> network.classifier
    Conv2d(192, 6, kernel_size=(3, 3), stride=(1, 1), padding=(3, 3), dilation=(3, 3))
    """
    trunk = _trunk(architecture, width)
    features = 4 * scaled(architecture.planes[-1], width)
    dilation, hidden = architecture.largefov_dilation, None
    if head == "cam":
        classifier = nn.Conv2d(features, num_classes, 1)
    elif architecture.largefov_hidden is None:
        classifier = nn.Conv2d(features, num_classes, 3, padding=dilation, dilation=dilation)
    else:
        channels = scaled(architecture.largefov_hidden, width)
        hidden = nn.Sequential(
            nn.Conv2d(features, channels, 3, padding=dilation, dilation=dilation),
            *(nn.ReLU(inplace=True), nn.Dropout2d(0.5)),
            nn.Conv2d(channels, channels, 1),
            *(nn.ReLU(inplace=True), nn.Dropout2d(0.5)),
        )
        classifier = nn.Conv2d(channels, num_classes, 1)
    return Network(
        trunk,
        classifier,
        output_stride=2 * (2 if architecture.stem_pool else 1) * prod(architecture.strides),
        normalisation=architecture.normalisation,
        freeze_batchnorm=architecture.freeze_batchnorm,
        hidden=hidden,
    )


def read_imagenet(path: Path, trunk: nn.Module) -> dict[str, Tensor]:
    """Read torchvision's ResNet101, whose names the trunk shares.

    ImageNet alone, as the paper says; weights tuned on COCO, which older DeepLab code starts from
    without saying so, do not fit by their names.
    """
    names = {name: name for name in learnt_names(trunk)}
    return rename(read_state_dict(path), names, path, lambda name: name.startswith("fc."))


def _trunk(architecture: ResNet101Architecture, width: float) -> nn.Sequential:
    """Stack torchvision's layers under torchvision's names."""
    from torchvision.models.resnet import Bottleneck  # takes a while, and tables need no network

    a = architecture
    channels, kernel = scaled(a.stem, width), a.stem_kernel
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(3, channels, kernel, stride=2, padding=kernel // 2, bias=False),
        bn1=nn.BatchNorm2d(channels),
        relu=nn.ReLU(inplace=True),
    )
    if a.stem_pool:
        layers["maxpool"] = nn.MaxPool2d(3, stride=2, padding=1)
    previous_dilation = 1
    stages = zip(a.depths, a.planes, a.strides, a.dilations, strict=True)
    for stage, (depth, stage_planes, stride, dilation) in enumerate(stages, start=1):
        planes = scaled(stage_planes, width)
        out = planes * Bottleneck.expansion
        # The first one changes the shape and so projects its shortcut.
        projection = nn.Sequential(
            nn.Conv2d(channels, out, 1, stride=stride, bias=False), nn.BatchNorm2d(out)
        )
        blocks = [Bottleneck(channels, planes, stride, projection, dilation=previous_dilation)]
        channels = out
        blocks += [Bottleneck(channels, planes, dilation=dilation) for _ in range(1, depth)]
        layers[f"layer{stage}"] = nn.Sequential(*blocks)
        previous_dilation = dilation
    trunk = nn.Sequential(layers)
    initialise(trunk)
    return trunk
