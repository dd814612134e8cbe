"""The registry, the shell, and the files it loads."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn

from wsss.errors import InputError
from wsss.grid import feature_pixels
from wsss.models import NETWORKS, Network, efficientnet, get_model, parameter_groups, squeezenet
from wsss.models.network import LargeFOVClassifier
from wsss.models.weights import WEIGHTS

PAPER = ["vgg16", "resnet38", "resnet101"]
SCENES = [f"{name}_scenes" for name in PAPER]


def heads(name):
    return ["cam"] if name.startswith("resnet38") else ["cam", "largefov"]


CASES = [(name, head) for name in PAPER + SCENES for head in heads(name)]
PHOTOS = [(name, head) for name in ("squeezenet1_1", "efficientnet_lite0") for head in heads(name)]


def tiny(name, head="cam", num_classes=5, **settings):
    width = 1 / 16 if name in PAPER + SCENES else 1
    return get_model(name, head=head, num_classes=num_classes, width=width, **settings)


def batchnorms(network):
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]


@pytest.mark.parametrize(("name", "head"), CASES)
def test_output_has_the_stride_it_states(name, head):
    with torch.device("meta"):
        network = get_model(name, head=head, num_classes=21)
        assert network.output_stride == (8 if name in PAPER else 4)
        for side in (321, 513) if name in PAPER else (64, 65):
            features = {321: 41, 513: 65, 64: 16, 65: 17}[side]
            logits = network(torch.empty(1, 3, side, side - 8 * network.output_stride))
            assert logits.shape == (1, 21, features, features - 8)


@pytest.mark.parametrize(("name", "head"), PHOTOS)
@pytest.mark.parametrize("length", [64, 65, 79, 80, 81, 161])
def test_there_is_one_feature_for_every_pixel_of_the_grid(name, head, length):
    network = tiny(name, head).eval()
    size = network(torch.zeros(1, 3, length, 33)).shape[-2:]
    assert size == tuple(len(feature_pixels(n, network.output_stride)) for n in (length, 33))


@pytest.mark.parametrize(("name", "head"), CASES + PHOTOS)
def test_features_lie_on_pixels_of_their_stride(name, head):
    # with symmetric kernels, an image whose ends both lie on the grid can be mirrored
    torch.manual_seed(0)
    network = tiny(name, head).eval()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = (module.weight.data + module.weight.data.flip(-1)) / 2
    images = torch.randn(1, 3, 17, 33)
    with torch.inference_mode():
        torch.testing.assert_close(network(images.flip(-1)), network(images).flip(-1))


@pytest.mark.parametrize(("name", "head"), CASES)
def test_gradient_reaches_every_parameter(name, head):
    torch.manual_seed(0)
    network = tiny(name, head)
    network(torch.randn(2, 3, 33, 33)).square().sum().backward()
    for group in parameter_groups(network).values():
        for parameter in group:
            assert parameter.grad is not None
            assert parameter.grad.isfinite().all()
            assert parameter.grad.any()


@pytest.mark.parametrize(("name", "head"), CASES)
def test_the_new_group_is_the_classifier(name, head):
    network = tiny(name, head)
    groups = parameter_groups(network)
    assert set(groups["new"]) == set(network.classifier.parameters())
    assert len(groups["new"]) == 2
    trainable = {p for p in network.parameters() if p.requires_grad}
    assert set(groups["pretrained"]) == trainable - set(groups["new"])


@pytest.mark.parametrize("name", PAPER + SCENES)
def test_new_layer_is_drawn_from_the_global_generator(name):
    def classifier():
        torch.manual_seed(3)
        return tiny(name, num_classes=200).classifier

    first, second = classifier(), classifier()
    assert torch.equal(first.weight, second.weight)
    assert first.weight.std().item() == pytest.approx(0.01, rel=0.1)
    assert first.bias is not None
    assert not first.bias.any()


@pytest.mark.parametrize("name", ["resnet38", "resnet101", "efficientnet_lite0"])
def test_batchnorm_is_frozen(name):
    network = tiny(name).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    assert network.training
    assert network.trunk.training
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, weight_decay=0.1)
    network(torch.randn(2, 3, 33, 33)).sum().backward()
    optimizer.step()
    after = network.state_dict()
    norms = {name for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)}
    assert norms
    for key, value in before.items():
        frozen = key.rpartition(".")[0] in norms
        assert torch.equal(value, after[key]) == frozen, key


@pytest.mark.parametrize("name", SCENES)
def test_the_scenes_batchnorm_follows_the_batch(name):
    network = tiny(name)
    network(torch.randn(2, 3, 32, 32))
    norms = batchnorms(network)
    assert norms
    for norm in norms:
        assert norm.running_mean is not None
        assert norm.running_mean.any()
        assert norm.weight.requires_grad
    assert not any(norm.training for norm in batchnorms(network.eval()))
    assert all(norm.training for norm in batchnorms(network.train()))


@pytest.mark.parametrize("name", ["vgg16", "resnet38_scenes", "resnet101_scenes", "squeezenet1_1"])
def test_weights_of_the_cam_network_fill_the_segmenters_trunk(name, tmp_path):
    saved = tiny(name)
    path = tmp_path / "cam.pt"
    torch.save(saved.trunk.state_dict(), path)
    loaded = tiny(name, heads(name)[-1], num_classes=7, weights=path)
    count = len(saved.trunk.state_dict())
    assert loaded.initialisation == f"cam.pt: loaded {count} of {count} trunk tensors"
    for key, value in saved.trunk.state_dict().items():
        assert torch.equal(value, loaded.trunk.state_dict()[key])


def test_a_head_is_loaded_or_refused_and_never_random(tmp_path):
    saved = tiny("vgg16_scenes")
    nn.init.ones_(saved.classifier.weight)
    torch.save(saved.state_dict(), tmp_path / "cam.pt")
    loaded = tiny("vgg16_scenes", weights=str(tmp_path / "cam.pt"))
    assert loaded.initialisation == "cam.pt: loaded 72 of 72 trunk tensors, and the head"
    for key, value in saved.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[key])
    with pytest.raises(InputError, match=r"cam\.pt: holds a head classifier.weight .* and this"):
        tiny("vgg16_scenes", num_classes=9, weights=tmp_path / "cam.pt")


def test_half_precision_files_become_float32(tmp_path):
    saved = tiny("vgg16_scenes")
    torch.save(saved.half().state_dict(), tmp_path / "half.pt")
    loaded = tiny("vgg16_scenes", weights=tmp_path / "half.pt")
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}


def broken(change):
    state = tiny("vgg16_scenes").state_dict()
    change(state)
    return state


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (broken(lambda s: s.pop("trunk.fc6.weight")), r"only 71 of 72 .*fc6.weight is missing"),
        (broken(lambda s: s.update(extra=torch.ones(1))), r"only 72 of 72 .*extra is unknown"),
        (
            broken(lambda s: s.update({"trunk.fc7.weight": torch.ones(8, 8)})),
            r"fc7.weight is \(8, 8\) instead of \(8, 8, 1, 1\)",
        ),
        ({"classifier.weight": torch.ones(1)}, r"holds a head classifier.weight \(1,\) and this"),
        ({"fc6": torch.ones(1)}, r"only 0 of 72 .*is missing; .*; \.\.\.\)"),
        ([torch.ones(1)], "holds no state_dict"),
        ({"trunk": {"fc6": torch.ones(1)}}, "holds no state_dict"),
    ],
)
def test_weights_that_do_not_fit_are_refused(content, message, tmp_path):
    path = tmp_path / "weights.pt"
    torch.save(content, path)
    with pytest.raises(InputError, match=message) as caught:
        tiny("vgg16_scenes", weights=path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unreadable_weights_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        tiny("vgg16_scenes", weights=tmp_path / "absent.pt")
    whole = tmp_path / "whole.pt"
    torch.save(tiny("vgg16_scenes").state_dict(), whole)
    for content in (b"", b"not weights", whole.read_bytes()[:2000], pickle.dumps(np.eye(2))):
        path = tmp_path / "broken.pt"
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"broken.pt: torch.load cannot read it"):
            tiny("vgg16_scenes", weights=path)


def test_a_file_that_wants_to_run_something_is_refused(tmp_path):
    class Hostile:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").touch, ())

    torch.save({"trunk": Hostile()}, tmp_path / "hostile.pt")
    with pytest.raises(InputError, match="cannot read it"):
        tiny("vgg16_scenes", weights=tmp_path / "hostile.pt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "vgg19"}, "unknown network 'vgg19'; choose one of .*vgg16"),
        ({"head": "fcn"}, "head is 'fcn'; choose one of 'cam', 'largefov'"),
        ({"num_classes": 0}, "num_classes and width must be positive, not 0 and 1.0"),
        ({"width": 0}, "num_classes and width must be positive, not 20 and 0"),
        ({"width": float("nan")}, "must be positive"),
        (
            {"name": "vgg16_scenes", "weights": "imagenet"},
            "'vgg16_scenes', only for efficientnet_lite0, resnet101, resnet101_three_layers",
        ),
        ({"name": "resnet38", "head": "largefov"}, "CAMs only"),
        ({"name": "squeezenet1_1", "width": 0.5}, r"squeezenet1_1: width 0\.5"),
        ({"name": "efficientnet_lite0", "width": 0.5}, r"efficientnet_lite0: width 0\.5"),
    ],
)
def test_what_does_not_exist_is_refused(settings, message):
    with pytest.raises(InputError, match=message) as caught:
        get_model(**({"name": "vgg16", "head": "cam", "num_classes": 20} | settings))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("photos", [squeezenet, efficientnet])
def test_a_stride_that_is_not_to_be_had_is_refused(photos):
    with pytest.raises(InputError, match="output stride 4"):
        photos.build(head="cam", num_classes=2, output_stride=4)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_every_name_makes_a_network(name):
    with torch.device("meta"):
        network = get_model(name, head="cam", num_classes=20)
    assert isinstance(network, Network)
    assert network.initialisation == "random"
    assert network.training


@pytest.mark.parametrize("name", PAPER + SCENES)
def test_normalisation_centres_the_pixels(name):
    with torch.device("meta"):
        normalise = tiny(name).normalisation
    mean = torch.tensor(normalise.mean).view(1, 3, 1, 1).expand(2, 3, 4, 5)
    assert not normalise(mean).any()
    pixels = torch.arange(256, dtype=torch.uint8).repeat(3).view(1, 3, 16, 16)
    for channel in range(3):
        expected = (torch.arange(256) - normalise.mean[channel]) / normalise.std[channel]
        torch.testing.assert_close(normalise(pixels)[0, channel].flatten(), expected)


def test_the_field_of_view_is_six_features_each_way():
    classifier = LargeFOVClassifier(512, 2).eval()
    features = torch.zeros(1, 512, 17, 17, requires_grad=True)
    with torch.no_grad():
        classifier.fov.bias.fill_(1)  # so that no ReLU blocks the gradient
    classifier(features)[0, 0, 8, 8].backward()
    seen = features.grad.abs().sum((0, 1)).nonzero()
    assert seen.unique().tolist() == [2, 8, 14]


def test_every_network_has_a_title_of_its_own_and_weights_that_are_known():
    titles = {entry.title for entry in NETWORKS.values()}
    assert len(titles) == len(NETWORKS)
    assert {"SqueezeNet 1.1", "EfficientNet-Lite0", "VGG16", "VGG16 (narrow)"} < titles
    for entry in NETWORKS.values():
        assert (entry.imagenet is None) == (entry.read is None)
        assert entry.imagenet is None or entry.imagenet in WEIGHTS
