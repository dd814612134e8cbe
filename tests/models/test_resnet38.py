"""ResNet38 against a second definition, written out block by block from the published table."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from wsss.models import get_model

# kernel, stride and dilation of each convolution of a block, in order
BASIC = [(3, 1, 1), (3, 1, 1)]
STRIDED = [(3, 2, 1), (3, 1, 1)]
A1 = {
    **{"b2": STRIDED, "b2_1": BASIC, "b2_2": BASIC},
    **{"b3": STRIDED, "b3_1": BASIC, "b3_2": BASIC},
    **{"b4": STRIDED, **{f"b4_{i}": BASIC for i in range(1, 6)}},
    "b5": [(3, 1, 1), (3, 1, 2)],
    "b5_1": [(3, 1, 2), (3, 1, 2)],
    "b5_2": [(3, 1, 2), (3, 1, 2)],
    "b6": [(1, 1, 1), (3, 1, 4), (1, 1, 1)],
    "b7": [(1, 1, 1), (3, 1, 4), (1, 1, 1)],
}
SCENES = {
    **{"b2": STRIDED, "b2_1": BASIC},
    **{"b3": STRIDED, "b3_1": BASIC, "b3_2": BASIC},
    **{"b4": BASIC, "b4_1": BASIC, "b4_2": BASIC},
}
PROJECTED = {"b2", "b3", "b4", "b5", "b6", "b7"}


def batchnorm_relu(features, norm):
    return F.batch_norm(
        *(features, norm.running_mean, norm.running_var, norm.weight, norm.bias)
    ).relu()


def block(features, module, convolutions, projected):
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    weights = [m.weight for m in module.residual if isinstance(m, nn.Conv2d)]
    activated = branch = batchnorm_relu(features, norms[0])
    steps = list(zip(weights, convolutions, strict=True))
    for i, (weight, (kernel, stride, dilation)) in enumerate(steps):
        assert weight.shape[2:] == (kernel, kernel)
        branch = batchnorm_relu(branch, norms[i]) if i else branch
        padding = dilation if kernel == 3 else 0
        branch = F.conv2d(branch, weight, stride=stride, padding=padding, dilation=dilation)
    if projected:
        features = F.conv2d(activated, module.projection.weight, stride=convolutions[0][1])
    return features + branch


@pytest.mark.parametrize(
    ("name", "table", "width"), [("resnet38", A1, 1 / 16), ("resnet38_scenes", SCENES, 1)]
)
def test_every_block_equals_the_table(name, table, width):
    torch.manual_seed(0)
    network = get_model(name, head="cam", num_classes=20, width=width).eval()
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            for tensor in (norm.weight.data, norm.running_var):
                tensor.uniform_(0.5, 1.5)
            for tensor in (norm.bias.data, norm.running_mean):
                tensor.normal_(std=0.2)
    layers = dict(network.trunk.named_children())
    assert [name for name in layers if name.startswith("b")] == list(table)
    with torch.inference_mode():
        images = torch.randn(2, 3, 33, 41)
        features = layers["conv1a"](images)
        expected = F.conv2d(images, layers["conv1a"].weight, padding=1)
        for key, convolutions in table.items():
            expected = block(expected, layers[key], convolutions, key in PROJECTED)
            features = layers[key](features)
            torch.testing.assert_close(features, expected)
        expected = batchnorm_relu(expected, layers["norm"])
        torch.testing.assert_close(network.trunk(images), expected)


@pytest.mark.parametrize(
    ("name", "expected"), [("resnet38", 105_070_912), ("resnet38_scenes", 164_136)]
)
def test_parameter_count_of_the_trunk(name, expected):
    with torch.device("meta"):
        trunk = get_model(name, head="cam", num_classes=20).trunk
    assert sum(parameter.numel() for parameter in trunk.parameters()) == expected


def test_channels_of_the_blocks():
    with torch.device("meta"):
        trunk = get_model("resnet38", head="cam", num_classes=20).trunk
    channels = [
        [trunk.get_submodule(name).residual[0].in_channels]
        + [m.out_channels for m in trunk.get_submodule(name).residual if isinstance(m, nn.Conv2d)]
        for name in ("b2", "b2_1", "b3", "b4", "b5", "b5_1", "b6", "b7")
    ]
    assert channels == [
        *([64, 128, 128], [128, 128, 128], [128, 256, 256], [256, 512, 512]),
        *([512, 512, 1024], [1024, 512, 1024]),
        *([1024, 512, 1024, 2048], [2048, 1024, 2048, 4096]),
    ]


def test_dropout_stands_before_the_last_two_convolutions_of_the_bottlenecks():
    trunk = get_model("resnet38", head="cam", num_classes=20, width=1 / 16).trunk
    rates = {
        name: [m.p for m in module.modules() if type(m) is nn.Dropout]
        for name, module in trunk.named_children()
    }
    assert {name: rate for name, rate in rates.items() if rate} == {
        "b6": [0.3, 0.3],
        "b7": [0.5, 0.5],
    }
