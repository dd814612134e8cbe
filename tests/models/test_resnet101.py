"""ResNet101 against torchvision's own, layer by layer on shared random weights."""

import pytest
import torch
from torch import nn
from torchvision.models import resnet101

from wsss.models import NETWORKS, get_model, parameter_groups
from wsss.models.loading import load_trunk

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
    [
        ("resnet101", 21, 42_887_253),
        ("resnet101_three_layers", 21, 62_446_677),
        ("resnet101_scenes", 6, 203_350),
    ],
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


def test_three_layers_are_all_new_and_end_in_a_1x1_classifier(tmp_path):
    def build(**settings):
        torch.manual_seed(0)
        return get_model(
            "resnet101_three_layers", head="largefov", num_classes=21, width=1 / 16, **settings
        )

    network = build()
    first, second = (layer for layer in network.hidden if isinstance(layer, nn.Conv2d))
    assert (first.in_channels, first.kernel_size, first.dilation) == (128, (3, 3), (12, 12))
    assert (second.kernel_size, network.classifier.kernel_size) == ((1, 1), (1, 1))
    new = [p for layer in (first, second, network.classifier) for p in layer.parameters()]
    groups = parameter_groups(network)
    assert [id(p) for p in groups["new"]] == [id(p) for p in new]
    assert not {id(p) for p in new} & {id(p) for p in groups["pretrained"]}
    for layer in (first, second):
        assert layer.weight.std().item() == pytest.approx(0.01, rel=0.1)
        assert not layer.bias.any()

    images = torch.randn(2, 3, 65, 49)
    network.eval()
    with torch.inference_mode():
        features = network.trunk(images)
        for layer in (first, second):
            features = layer(features).clamp(min=0)
        torch.testing.assert_close(network(images), network.classifier(features))
        assert network(images).shape == (2, 21, 9, 7)
        network.train()
        assert (network.hidden(network.trunk(images)).amax((2, 3)) == 0).float().mean() > 0.3

    torch.save(
        {name: value + 1 for name, value in network.trunk.state_dict().items()}, tmp_path / "w.pt"
    )
    loaded = build(weights=tmp_path / "w.pt")
    conv = "conv1.weight"
    assert torch.equal(loaded.trunk.get_parameter(conv), network.trunk.get_parameter(conv) + 1)
    assert torch.equal(loaded.hidden[0].weight, network.hidden[0].weight), "a new layer was read"


def test_three_layers_start_from_the_same_imagenet_weights_as_one(tmp_path):
    one, three = (
        get_model(name, head="largefov", num_classes=21, width=1 / 16)
        for name in ("resnet101", "resnet101_three_layers")
    )
    torch.save(one.trunk.state_dict(), tmp_path / "r.pth")
    load_trunk(three, tmp_path / "r.pth", NETWORKS["resnet101_three_layers"].read)
    for name, value in one.trunk.state_dict().items():
        assert torch.equal(three.trunk.state_dict()[name], value)
