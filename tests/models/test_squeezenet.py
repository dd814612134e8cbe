import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torchvision.models import EfficientNet_B0_Weights, squeezenet1_1

from wsss.errors import InputError
from wsss.models import get_model, parameter_groups, squeezenet
from wsss.models.loading import load_trunk
from wsss.models.weights import locate

try:
    locate("squeezenet1_1")
except InputError as error:
    pytestmark = pytest.mark.skip(reason=str(error))

# Indices of ImageNet's classes for what VOC calls by one name.
CATS = range(281, 286)
DOGS = range(151, 269)
SHEEP = range(348, 351)
COWS = range(345, 348)


def imagenet_network(output_stride=16):
    network = squeezenet.build(head="cam", num_classes=1000, output_stride=output_stride)
    load_trunk(network, locate("squeezenet1_1"), squeezenet.read_imagenet)
    state = squeezenet.published_state(locate("squeezenet1_1"))
    network.classifier.load_state_dict(
        {name: state[f"classifier.1.{name}"] for name in ("weight", "bias")}
    )
    return network.eval()


@pytest.fixture(scope="module")
def reference():
    network = squeezenet1_1(weights=None)
    network.load_state_dict(
        squeezenet.published_state(locate("squeezenet1_1"))
    )  # strict: every name and shape
    return network.eval()


@pytest.fixture(scope="module")
def images():
    return 60 * torch.randn(2, 3, 321, 241, generator=torch.Generator().manual_seed(0))


def test_logits_equal_torchvisions_away_from_the_borders(reference, images):
    # torchvision's features stand on pixel 16 j + 15; 15 pixels in front move them to ours
    logits = imagenet_network()(images)
    expected = reference.classifier[1](reference.features(F.pad(images, (15, 15, 15, 15))))
    inside = np.s_[..., 7:14, 7:9]  # 7 features are half the receptive field
    torch.testing.assert_close(logits[inside], expected[inside], rtol=1e-4, atol=1e-3)


def test_stride_8_holds_the_features_of_stride_16_and_three_more_between(images):
    native, dilated = (imagenet_network(stride).trunk(images) for stride in (16, 8))
    assert dilated.shape[-2:] == (41, 31)
    torch.testing.assert_close(dilated[..., ::2, ::2], native, rtol=1e-4, atol=1e-2)


def test_the_classifier_is_new_and_the_rest_is_loaded():
    network = get_model("squeezenet1_1", head="largefov", num_classes=7, weights="imagenet")
    assert network.output_stride == 8
    assert network.classifier.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert not network.classifier.bias.any()
    new = set(parameter_groups(network)["new"])
    assert new == {
        parameter for name, parameter in network.named_parameters() if "trunk" not in name
    }
    assert network.classifier.fov.weight in new
    assert "loaded 50 of 50 trunk tensors" in network.initialisation
    expected = squeezenet.published_state(locate("squeezenet1_1"))["features.0.weight"]
    assert torch.equal(network.trunk.get_parameter("features.0.weight"), expected)


def test_dropout_acts_in_training_alone():
    network = squeezenet.build(head="cam", num_classes=3)
    image = torch.randn(1, 3, 65, 65)
    assert not torch.equal(network(image), network(image))
    network.eval()
    assert torch.equal(network(image), network(image))


def probabilities(network, inputs):
    with torch.no_grad():
        return network(inputs).mean((2, 3))[0].softmax(0)


def test_class_indices_are_the_ones_meant():
    names = EfficientNet_B0_Weights.IMAGENET1K_V1.meta["categories"]
    ends = {(names[indices[0]], names[indices[-1]]) for indices in (CATS, DOGS, SHEEP, COWS)}
    assert ends == {
        ("tabby", "Egyptian cat"),
        ("Chihuahua", "Mexican hairless"),
        ("ram", "ibex"),
        ("ox", "bison"),
    }


@pytest.mark.parametrize(("voc_class", "classes"), [(8, CATS), (12, DOGS), (17, SHEEP)])
def test_most_photos_are_recognised(photos_of, voc_class, classes):
    network = imagenet_network()
    recognised = []
    for photo in photos_of(voc_class):
        top5 = probabilities(network, network.normalisation(photo)).topk(5).indices.tolist()
        recognised.append(bool(set(top5) & set(classes)))
    assert len(recognised) == 12
    assert np.mean(recognised) >= 0.6


def test_the_wrong_channel_order_costs_confidence(photos_of):
    network = imagenet_network()
    right, wrong = [], []
    for voc_class, classes in ((17, SHEEP), (10, COWS)):
        for photo in photos_of(voc_class):
            inputs = network.normalisation(photo)
            right.append(probabilities(network, inputs)[list(classes)].sum())
            wrong.append(probabilities(network, inputs.flip(1))[list(classes)].sum())
    assert np.mean(right) > 1.15 * np.mean(wrong)
