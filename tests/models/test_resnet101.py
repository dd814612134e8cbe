"""ResNet101 against torchvision's own, layer by layer on shared random weights."""

import pytest
import torch
from torch import nn
from torchvision.models import resnet101

from wsss.models import get_model

LAYERS = ["conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"]


def test_every_layer_equals_torchvision():
    torch.manual_seed(0)
    with torch.device("meta"):
        reference = resnet101(replace_stride_with_dilation=[False, True, True]).eval()
    network = get_model("resnet101", head="largefov", num_classes=21).eval()
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            for tensor in (norm.weight.data, norm.running_var):
                tensor.uniform_(0.3, 1)
            for tensor in (norm.bias.data, norm.running_mean):
                tensor.normal_(std=0.2)
    missing, unexpected = reference.load_state_dict(
        network.trunk.state_dict(), strict=False, assign=True
    )
    assert missing == ["fc.weight", "fc.bias"]
    assert not unexpected
    assert [name for name, _ in network.trunk.named_children()] == LAYERS
    features = expected = torch.randn(1, 3, 65, 49)
    with torch.inference_mode():
        for name in LAYERS:
            features = network.trunk.get_submodule(name)(features)
            expected = reference.get_submodule(name)(expected)
            torch.testing.assert_close(features, expected)
    assert features.shape == (1, 2048, 9, 7)


@pytest.mark.parametrize(
    ("name", "num_classes", "expected"),
    [("resnet101", 21, 42_887_253), ("resnet101_scenes", 6, 203_350)],
)
def test_parameter_count(name, num_classes, expected):
    with torch.device("meta"):
        network = get_model(name, head="largefov", num_classes=num_classes)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


@pytest.mark.parametrize(("name", "dilation"), [("resnet101", 12), ("resnet101_scenes", 3)])
def test_the_largefov_classifier_is_one_dilated_convolution(name, dilation):
    with torch.device("meta"):
        classifier = get_model(name, head="largefov", num_classes=21).classifier
    assert (classifier.kernel_size, classifier.dilation) == ((3, 3), (dilation, dilation))
