"""VGG16 against torchvision's convolutions and a literal reading of DeepLab's layers."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models.vgg import cfgs, make_layers

from wsss.models import get_model


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("name", "head", "num_classes", "expected"),
    [
        ("vgg16", "cam", 20, 20_504_404),
        ("vgg16", "largefov", 21, 20_505_429),
        ("vgg16_scenes", "cam", 5, 56_365),
    ],
)
def test_parameter_count(name, head, num_classes, expected):
    with torch.device("meta"):
        assert count(get_model(name, head=head, num_classes=num_classes)) == expected


@pytest.mark.parametrize(("head", "dilation"), [("cam", 1), ("largefov", 12)])
def test_every_layer_equals_torchvision_with_deeplabs_pools(head, dilation):
    torch.manual_seed(0)
    network = get_model("vgg16", head=head, num_classes=20).eval()
    reference = make_layers(cfgs["D"])
    pools = [i for i, layer in enumerate(reference) if isinstance(layer, nn.MaxPool2d)]
    for i, stride in zip(pools, (2, 2, 2, 1, 1), strict=True):
        reference[i] = nn.MaxPool2d(3, stride, padding=1)
    for layer in reference[pools[3] :]:
        if isinstance(layer, nn.Conv2d):
            layer.dilation = layer.padding = (2, 2)
    ours = list(network.trunk)
    for mine, theirs in zip(ours, reference, strict=False):
        if isinstance(theirs, nn.Conv2d):
            nn.init.normal_(mine.bias)
            theirs.load_state_dict(mine.state_dict())
    features = expected = torch.randn(1, 3, 33, 41)
    with torch.inference_mode():
        for mine, theirs in zip(ours, reference, strict=False):
            features, expected = mine(features), theirs(expected)
            torch.testing.assert_close(features, expected)
        expected = F.avg_pool2d(expected, 3, 1, padding=1)
        fc6, fc7 = network.trunk.fc6, network.trunk.fc7
        expected = F.conv2d(expected, fc6.weight, fc6.bias, padding=dilation, dilation=dilation)
        expected = F.conv2d(expected.relu(), fc7.weight, fc7.bias).relu()
        for layer in ours[len(reference) :]:
            features = layer(features)
        torch.testing.assert_close(features, expected)


def test_dropout_is_element_wise_after_fc6_and_fc7():
    network = get_model("vgg16", head="cam", num_classes=20, width=1 / 16)
    names = [name for name, layer in network.trunk.named_children() if type(layer) is nn.Dropout]
    assert names == ["fc6_dropout", "fc7_dropout"]
    assert {network.trunk.get_submodule(name).p for name in names} == {0.5}


def test_scenes_layers():
    trunk = get_model("vgg16_scenes", head="largefov", num_classes=6).trunk
    convolutions = [layer for layer in trunk if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == (
        [8, 8, 16, 16, 24, 24, 24, 24, 32, 32, 48, 48]
    )
    assert [layer.dilation[0] for layer in convolutions] == [1] * 10 + [3, 1]
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in trunk) == 12
    assert [name for name, layer in trunk.named_children() if isinstance(layer, nn.MaxPool2d)] == [
        "pool1",
        "pool2",
    ]
