"""EfficientNet-Lite0: the published network on our grid, and what ImageNet's classes say of it."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models import efficientnet_b0

from wsss.errors import InputError
from wsss.models import efficientnet, get_model, parameter_groups
from wsss.models.loading import load_trunk, read_state_dict
from wsss.models.weights import locate

try:
    locate("efficientnet_lite0")
except InputError as error:
    pytestmark = pytest.mark.skip(reason=str(error))

CATS = slice(281, 286)  # ImageNet's classes for what VOC calls by one name
DOGS = slice(151, 269)
SHEEP = slice(348, 351)


@pytest.fixture(scope="module")
def published():
    return read_state_dict(locate("efficientnet_lite0"))


@pytest.fixture(scope="module")
def images():
    return torch.randn(2, 3, 129, 193, generator=torch.Generator().manual_seed(0))


def imagenet_network(published, output_stride=16):
    network = efficientnet.build(head="cam", num_classes=1000, output_stride=output_stride)
    load_trunk(network, locate("efficientnet_lite0"), efficientnet.read_imagenet)
    network.classifier.weight.data = published["_fc.weight"][:, :, None, None]
    network.classifier.bias.data = published["_fc.bias"]
    return network.eval()


def convolve(features, weight, stride=1, groups=1):
    """Convolve with TensorFlow's "same" padding, which is uneven at even lengths."""
    padding = []
    for length in features.shape[:1:-1]:
        total = max((-(-length // stride) - 1) * stride + weight.shape[-1] - length, 0)
        padding += [total // 2, total - total // 2]
    return F.conv2d(F.pad(features, padding), weight, stride=stride, groups=groups)


def published_features(state, images):
    """The published network, written from its paper's table and its file's names alone."""

    def norm(features, name):
        mean, variance, scale, shift = (
            state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(features, mean, variance, scale, shift, eps=1e-3)

    strides = {1: 2, 3: 2, 5: 2, 11: 2}
    x = norm(convolve(images, state["_conv_stem.weight"], 2), "_bn0").clamp(0, 6)
    for number in range(16):
        block, inputs = f"_blocks.{number}.", x
        if number:
            x = norm(convolve(x, state[f"{block}_expand_conv.weight"]), f"{block}_bn0").clamp(0, 6)
        weight = state[f"{block}_depthwise_conv.weight"]
        x = convolve(x, weight, strides.get(number, 1), groups=len(weight))
        x = norm(x, f"{block}_bn1").clamp(0, 6)
        x = norm(convolve(x, state[f"{block}_project_conv.weight"]), f"{block}_bn2")
        x = x + inputs if x.shape == inputs.shape else x
    return norm(convolve(x, state["_conv_head.weight"]), "_bn1").clamp(0, 6)


def test_features_equal_the_published_networks(published, images):
    ours = imagenet_network(published, 32).trunk(images)
    torch.testing.assert_close(ours, published_features(published, images), rtol=1e-4, atol=1e-4)


def test_at_even_lengths_they_lie_31_pixels_behind_ours(published):
    images = torch.randn(1, 3, 992, 33, generator=torch.Generator().manual_seed(0))
    columns = F.pad(images, (0, 0, 31, 1))  # 1024 rows: theirs 0 is centred on row 31, our first
    theirs = published_features(published, columns)
    ours = imagenet_network(published, 32).trunk(images)
    assert theirs.shape[2] == 32
    inside = slice(12, 20)  # half the receptive field is under 12 features
    torch.testing.assert_close(ours[:, :, inside], theirs[:, :, inside], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("stride", [16, 8])
def test_dilation_keeps_the_features_and_puts_more_between(published, images, stride):
    native, dilated = (imagenet_network(published, s).trunk(images) for s in (32, stride))
    step = 32 // stride
    torch.testing.assert_close(dilated[..., ::step, ::step], native, rtol=1e-4, atol=1e-4)


def test_it_is_efficientnet_b0_without_squeeze_and_excitation():
    with torch.device("meta"):
        reference = efficientnet_b0().features
        network = efficientnet.build(head="cam", num_classes=2)
    for module in reference.modules():
        for name, child in module.named_children():
            if type(child).__name__ == "SqueezeExcitation":
                setattr(module, name, nn.Identity())

    def layers(trunk):
        return [
            (m.in_channels, m.out_channels, m.kernel_size, m.groups)
            for m in trunk.modules()
            if isinstance(m, nn.Conv2d)
        ]

    assert layers(network.trunk) == layers(reference)


@pytest.mark.parametrize(("head", "count"), [("cam", 245), ("largefov", 240)])
def test_all_of_the_trunk_is_loaded_and_the_classifier_is_new(published, head, count):
    torch.manual_seed(0)
    network = get_model("efficientnet_lite0", head=head, num_classes=7, weights="imagenet")
    assert network.initialisation.endswith(f"pth: loaded {count} of {count} trunk tensors")
    state = network.trunk.state_dict()
    for ours, theirs in {
        "stem.0.weight": "_conv_stem.weight",
        "block0.depthwise.1.running_var": "_blocks.0._bn1.running_var",
        "block15.project.0.weight": "_blocks.15._project_conv.weight",
    }.items():
        assert torch.equal(state[ours], published[theirs])
    assert network.classifier.weight.std().item() == pytest.approx(0.01, rel=0.05)
    new = set(parameter_groups(network)["new"])
    assert new == {p for name, p in network.named_parameters() if "trunk" not in name}


def test_a_file_that_lacks_a_tensor_changes_nothing(published, tmp_path):
    state = dict(published)
    state["_blocks.3._bn7.weight"] = state.pop("_blocks.3._bn1.weight")
    torch.save(state, tmp_path / "lite0.pth")
    network = efficientnet.build(head="cam", num_classes=2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(InputError, match=r"only 244 of 245 trunk tensors fit.*_bn1.weight is miss"):
        load_trunk(network, tmp_path / "lite0.pth", efficientnet.read_imagenet)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def share_recognised(network, inputs, breeds):
    """Share of photos whose likeliest of ImageNet's 1000 classes is one of the breeds."""
    with torch.no_grad():
        likeliest = [network(each).mean((2, 3))[0].argmax().item() for each in inputs]
    return np.mean([breeds.start <= each < breeds.stop for each in likeliest])


@pytest.mark.parametrize(
    ("voc_class", "breeds", "least"), [(8, CATS, 0.6), (12, DOGS, 0.9), (17, SHEEP, 0.5)]
)
def test_photos_are_recognised(photos_of, published, voc_class, breeds, least):
    network = imagenet_network(published)
    inputs = [network.normalisation(photo) for photo in photos_of(voc_class)]
    assert share_recognised(network, inputs, breeds) >= least  # chance: 0.005, 0.118 and 0.003


def test_sheep_tell_another_channel_order_and_range(photos_of, published):
    network = imagenet_network(published)
    inputs = [network.normalisation(photo) for photo in photos_of(17)]
    right = share_recognised(network, inputs, SHEEP)
    assert right >= 1.5 * share_recognised(network, [each.flip(1) for each in inputs], SHEEP)
    assert right >= 1.5 * share_recognised(network, [each / 2 for each in inputs], SHEEP)
