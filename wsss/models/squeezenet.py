"""SqueezeNet 1.1, the photo profile's plain network: VGG16's part on a CPU (not in the paper)."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import torch
from torch import Tensor, nn

from wsss.errors import InputError
from wsss.models.loading import rename
from wsss.models.network import Head, LargeFOVClassifier, Network, Normalisation, initialise
from wsss.pickles import read_arrays

CAFFE = Normalisation(mean=(123.68, 116.779, 103.939), std=(1.0, 1.0, 1.0), bgr=True)
"""What SqueezeNet's published weights expect; RGB order costs accuracy without any error."""

FEATURES = 512
LAST_POOL = 8
FIRES = dict(zip(range(2, 10), (3, 4, 6, 7, 9, 10, 11, 12), strict=True))
"""The published names fire2 to fire9, and where torchvision's ``features`` holds them."""


def build(
    *, head: Head, num_classes: int, width: float = 1.0, output_stride: int | None = None
) -> Network:
    """Build a SqueezeNet 1.1 with random weights.

    Like VGG16 it is plain: convolutions, ReLU and pools, no BatchNorm, no residuals, and a native
    CAM, since its own classifier is a 1x1 convolution before global average pooling. Its trunk has
    0.7 M parameters, the segmenter 1.9 M; VGG16's has 20.5 M. Dropout of 0.5 before the classifier
    is its authors'; the ReLU they have after it is left out: scores may be negative (Eq. 1).

    Parameters
    ----------
    head, num_classes, width
        See `wsss.models.get_model`. ``"cam"`` has a 1x1 classifier, ``"largefov"`` a
        `LargeFOVClassifier`; the width must be 1, the published network's.
    output_stride
        16 or 8; by default 16 for CAMs, the network's own, and 8 for LargeFOV. 8 is reached as in
        DeepLab: the last pool keeps the resolution and what follows is dilated by 2.

    Raises
    ------
    InputError
        If the width is not 1, or the output stride neither 16 nor 8.

    Examples
    --------
    >>> build(head="cam", num_classes=6)(torch.zeros(1, 3, 96, 64)).shape
    torch.Size([1, 6, 6, 4])
    >>> build(head="largefov", num_classes=7)(torch.zeros(1, 3, 96, 64)).shape
    torch.Size([1, 7, 12, 8])

    References
    ----------
    Iandola et al., SqueezeNet, 2016 (version 1.1: the authors' repository). Chen et al., DeepLab,
    TPAMI 2018.
    """
    stride = output_stride or {"cam": 16, "largefov": 8}[head]
    if width != 1:
        raise InputError(f"squeezenet1_1: width {width}; the published network has width 1 alone")
    if stride not in (8, 16):
        raise InputError(f"squeezenet1_1: output stride {stride}; give 16 or 8")
    classifier = (
        nn.Conv2d(FEATURES, num_classes, 1)
        if head == "cam"
        else LargeFOVClassifier(FEATURES, num_classes)
    )
    return Network(_trunk(stride), classifier, output_stride=stride, normalisation=CAFFE)


def read_imagenet(path: Path, trunk: nn.Module) -> dict[str, Tensor]:
    """Read the published file for a trunk of either stride; inputs as `CAFFE` makes them."""
    names = {name: name for name in trunk.state_dict()}
    return rename(published_state(path), names, path, lambda name: name.startswith("classifier."))


def published_state(path: Path) -> dict[str, Tensor]:
    """Read the published file, a pickle, under the names of torchvision's ``squeezenet1_1``."""
    try:
        with path.open("rb") as file:
            published = read_arrays(file)
    except UnpicklingError as error:
        raise InputError(str(error)) from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if not isinstance(published, dict) or not all(map(_is_layer, published.items())):
        raise InputError(f"{path}: holds other things than a kernel and a bias for each layer")
    modules = {"conv1": "features.0", "conv10": "classifier.1"}
    for fire, index in FIRES.items():
        for part, size in (("squeeze", "1x1"), ("expand1x1", ""), ("expand3x3", "")):
            modules[f"fire{fire}/{part}{size}"] = f"features.{index}.{part}"
    state = {}
    for module, (kernel, bias) in rename(published, modules, path).items():
        # published as (height, width, in, out)
        state[f"{module}.weight"] = torch.from_numpy(kernel).permute(3, 2, 0, 1).contiguous()
        state[f"{module}.bias"] = torch.from_numpy(bias)
    return state


def _is_layer(named: tuple[object, object]) -> bool:
    match named:
        case str(), [np.ndarray(ndim=4, dtype=kernel), np.ndarray(ndim=1, dtype=bias)]:
            return kernel == bias == np.float32
    return False


def _trunk(output_stride: int) -> nn.Sequential:
    """Take torchvision's features, put them on the grid of `wsss.grid`, and end with dropout.

    The published network pads neither its first convolution nor its pools, so that its feature j
    stands for pixel 16 j + 15 and a CAM would lie a whole stride off. Padded by half a kernel,
    feature j stands for pixel 16 j; away from the borders its values stay the same.
    """
    from torchvision.models import squeezenet1_1  # takes a while, and tables need no network
    from torchvision.models.squeezenet import Fire

    features = squeezenet1_1(weights=None).features
    for index, layer in enumerate(features):
        if isinstance(layer, nn.Conv2d):
            layer.padding = (1, 1)
        elif isinstance(layer, nn.MaxPool2d):
            features[index] = nn.MaxPool2d(3, stride=2, padding=1)
        elif isinstance(layer, Fire) and index > LAST_POOL and output_stride == 8:
            layer.expand3x3.dilation = layer.expand3x3.padding = (2, 2)
    if output_stride == 8:
        features[LAST_POOL] = nn.MaxPool2d(3, stride=1, padding=1)
    trunk = nn.Sequential(OrderedDict(features=features, dropout=nn.Dropout(0.5)))
    initialise(trunk)
    return trunk
