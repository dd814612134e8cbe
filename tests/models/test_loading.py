"""Published ImageNet weights in our networks: names, shapes, and the same features."""

import re

import numpy as np
import pytest
import torch
from params_files import FORMATS, write_params
from torch import nn
from torchvision.models import resnet101 as torchvision_resnet101
from torchvision.models import vgg16 as torchvision_vgg16

from wsss.errors import InputError
from wsss.models import get_model, resnet38, resnet101, vgg
from wsss.models.loading import load_trunk

NARROW = 1 / 16


def random_statistics(module: nn.Module) -> nn.Module:
    """Give BatchNorm something to get wrong."""
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5)
    return module


def weights_of(network) -> dict[str, torch.Tensor]:
    state = network.trunk.state_dict()
    return {name: value for name, value in state.items() if not name.endswith("tracked")}


# --- ResNet38 ----------------------------------------------------------------------------------


def narrow_resnet38():
    return resnet38.build(resnet38.RESNET38, head="cam", num_classes=3, width=NARROW)


def published_resnet38(network) -> dict[str, np.ndarray]:
    """Name a trunk's weights as MXNet has them, by the number of each block and convolution."""
    arrays = {"arg:conv1a_weight": network.trunk.conv1a.weight}

    def batchnorm(name, norm):
        arrays[f"arg:{name}_gamma"], arrays[f"arg:{name}_beta"] = norm.weight, norm.bias
        arrays[f"aux:{name}_moving_mean"] = norm.running_mean
        arrays[f"aux:{name}_moving_var"] = norm.running_var

    for level, blocks in {2: 3, 3: 3, 4: 6, 5: 3, 6: 1, 7: 1}.items():
        for number in range(blocks):
            block = getattr(network.trunk, f"b{level}_{number}" if number else f"b{level}")
            name = f"{level}b{number}" if number else f"{level}a"
            layers = [block.first_norm, *block.residual]
            norms = [block.first_norm[0]] + [x for x in layers if isinstance(x, nn.BatchNorm2d)]
            convolutions = [x for x in layers if isinstance(x, nn.Conv2d)]
            branches = ["branch2a", "branch2b1", "branch2b2"][: len(convolutions)]
            for branch, norm, convolution in zip(branches, norms, convolutions, strict=True):
                batchnorm(f"bn{name}_{branch}", norm)
                arrays[f"arg:res{name}_{branch}_weight"] = convolution.weight
            if number == 0:
                arrays[f"arg:res{name}_branch1_weight"] = block.projection.weight
    batchnorm("bn7", network.trunk.norm)
    arrays["arg:linear1000_weight"] = torch.zeros(1000, 256)
    arrays["arg:linear1000_bias"] = torch.zeros(1000)
    return {name: value.detach().numpy() for name, value in arrays.items()}


@pytest.mark.parametrize("form", FORMATS)
def test_resnet38_is_read_from_params_bit_by_bit(tmp_path, form):
    torch.manual_seed(0)
    source = random_statistics(narrow_resnet38())
    path = write_params(tmp_path / "a1.params", published_resnet38(source), form)
    network = narrow_resnet38()
    classifier = network.classifier.weight.clone()
    load_trunk(network, path, resnet38.read_imagenet)
    for name, value in weights_of(source).items():
        assert torch.equal(weights_of(network)[name], value), name
    assert torch.equal(network.classifier.weight, classifier)
    assert network.initialisation == "ImageNet, a1.params: loaded 191 of 191 trunk tensors"
    images = torch.randn(1, 3, 33, 33)
    torch.testing.assert_close(network.eval().trunk(images), source.eval().trunk(images))


def test_resnet38_names_follow_the_rule_of_psa():
    """Read each name as psa's converter does, and find the block and the tensor it means."""
    names = resnet38.published_names(narrow_resnet38().trunk)
    assert len(names) == len(set(names.values())) == len(weights_of(narrow_resnet38()))
    kinds = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "var": "running_var"}
    for theirs, ours in names.items():
        words = theirs.removeprefix("arg:").removeprefix("aux:").split("_")
        if words[0] in ("conv1a", "bn7"):
            assert ours.split(".")[0] == {"conv1a": "conv1a", "bn7": "norm"}[words[0]]
            continue
        kind, level, number = re.fullmatch(r"(res|bn)(\d)(?:a|b(\d))", words[0]).groups()
        block, *_, tensor = ours.split(".")
        assert block == (f"b{level}_{number}" if number else f"b{level}")
        assert tensor == ("weight" if kind == "res" else kinds[words[-1]])
        assert ("projection" in ours) == (words[1] == "branch1")
        assert ("first_norm" in ours) == (kind == "bn" and words[1] == "branch2a")


def test_full_size_resnet38_has_a_name_for_every_tensor():
    with torch.device("meta"):
        network = get_model("resnet38", head="cam", num_classes=20)
    names = resnet38.published_names(network.trunk)
    assert set(names.values()) == set(weights_of(network))
    assert names["arg:res7a_branch2b2_weight"] == "b7.residual.8.weight"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda a: a.pop("arg:bn3b2_branch2a_gamma"), "arg:bn3b2_branch2a_gamma is missing"),
        (lambda a: a.update({"arg:extra": np.zeros(1)}), "arg:extra is unknown"),
        (
            lambda a: a.update({"arg:conv1a_weight": np.zeros((8, 3, 5, 5))}),
            r"conv1a.weight is \(8, 3, 5, 5\) instead of \(8, 3, 3, 3\)",
        ),
    ],
)
def test_resnet38_weights_that_do_not_fit_change_nothing(tmp_path, change, complaint):
    network = narrow_resnet38()
    arrays = published_resnet38(narrow_resnet38())
    change(arrays)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(InputError, match=complaint) as caught:
        load_trunk(network, write_params(tmp_path / "a1.params", arrays), resnet38.read_imagenet)
    assert "\n" not in str(caught.value)
    assert re.search(r"only \d+ of 191 trunk tensors fit, nothing was loaded", str(caught.value))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert network.initialisation == "random"


# --- VGG16 -------------------------------------------------------------------------------------


def narrow_vgg16(width=NARROW):
    return vgg.build(vgg.VGG16, head="cam", num_classes=3, width=width)


def torchvision_state(network, full=256) -> dict[str, torch.Tensor]:
    """Make a state_dict of torchvision's vgg16 with a trunk's channels and `full` in fc6."""
    convolutions = [x for n, x in network.trunk.named_children() if re.fullmatch(r"conv\d_\d", n)]
    places = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    state = {}
    for place, convolution in zip(places, convolutions, strict=True):
        state[f"features.{place}.weight"] = torch.randn_like(convolution.weight)
        state[f"features.{place}.bias"] = torch.randn_like(convolution.bias)
    channels = convolutions[-1].out_channels
    for place, shape in {0: (full, channels * 49), 3: (full, full), 6: (1000, full)}.items():
        state[f"classifier.{place}.weight"] = torch.randn(shape)
        state[f"classifier.{place}.bias"] = torch.randn(shape[0])
    return state


def test_vgg16_takes_the_convolutions_and_subsamples_fc6_and_fc7(tmp_path):
    network = narrow_vgg16()
    state = torchvision_state(network)
    torch.save(state, tmp_path / "vgg16.pth")
    load_trunk(network, tmp_path / "vgg16.pth", vgg.read_imagenet)
    trunk = network.trunk
    assert torch.equal(trunk.conv1_1.weight, state["features.0.weight"])
    assert torch.equal(trunk.conv5_3.bias, state["features.28.bias"])
    fc6, fc7 = state["classifier.0.weight"], state["classifier.3.weight"]
    for out, channel, row, column in [(0, 0, 0, 0), (1, 2, 1, 2), (63, 31, 2, 0)]:
        flat = channel * 49 + 3 * row * 7 + 3 * column
        assert trunk.fc6.weight[out, channel, row, column] == fc6[4 * out, flat]
        assert trunk.fc6.bias[out] == state["classifier.0.bias"][4 * out]
        assert trunk.fc7.weight[out, channel, 0, 0] == fc7[4 * out, 4 * channel]
        assert trunk.fc7.bias[out] == state["classifier.3.bias"][4 * out]
    assert network.initialisation == "ImageNet, vgg16.pth: loaded 30 of 30 trunk tensors"


def test_vgg16_convolutions_match_torchvision_layer_by_layer(tmp_path):
    """With torchvision's pools in place of DeepLab's, the features are the same."""
    torch.manual_seed(0)
    network = narrow_vgg16()
    state = torchvision_state(network)
    torch.save(state, tmp_path / "vgg16.pth")
    load_trunk(network, tmp_path / "vgg16.pth", vgg.read_imagenet)
    with torch.device("meta"):
        reference = torchvision_vgg16().features
    ours = theirs = torch.randn(1, 3, 16, 16)
    layers = iter(reference.named_children())
    for name, layer in network.trunk.named_children():
        if name == "conv5_1" or name.startswith("fc"):  # dilated from here on
            break
        place, reference_layer = next(layers)
        if isinstance(layer, nn.Conv2d):
            assert isinstance(reference_layer, nn.Conv2d)
            weight, bias = (state[f"features.{place}.{part}"] for part in ("weight", "bias"))
            ours, theirs = layer(ours), nn.functional.conv2d(theirs, weight, bias, padding=1)
        else:
            assert type(layer) is type(reference_layer)
            ours, theirs = ours.relu(), theirs.relu()
        torch.testing.assert_close(ours, theirs)


def test_full_size_vgg16_fits_torchvisions_shapes():
    """Without the memory of 138 million parameters: every element is the same zero."""
    with torch.device("meta"):
        reference = torchvision_vgg16().state_dict()
    state = {name: torch.zeros(1).expand(value.shape) for name, value in reference.items()}
    fc = {"fc6": "classifier.0", "fc7": "classifier.3"}
    published = {
        f"{ours}.{part}": state[f"{theirs}.{part}"]
        for ours, theirs in fc.items()
        for part in ("weight", "bias")
    }
    reduced = vgg._reduced_fc(published, 1024, 512, None)
    assert reduced["fc6.weight"].shape == (1024, 512, 3, 3)
    assert reduced["fc7.weight"].shape == (1024, 1024, 1, 1)
    assert reduced["fc6.bias"].shape == reduced["fc7.bias"].shape == (1024,)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda s: s.pop("features.28.bias"), "features.28.bias is missing"),
        (
            lambda s: s.update({"features.30.weight": torch.zeros(1)}),
            "features.30.weight is unknown",
        ),
        (lambda s: s.update({"classifier.3.weight": torch.zeros(256, 255)}), "cannot be reduced"),
        (lambda s: s.update({"classifier.0.weight": torch.zeros(256, 7)}), "cannot be reduced"),
        (lambda s: s.update({"classifier.0.bias": torch.zeros(())}), "cannot be reduced"),
        (lambda s: s.update({"features.0.weight": torch.zeros(8, 3, 1, 1)}), "conv1_1.weight is"),
    ],
)
def test_vgg16_weights_that_do_not_fit_change_nothing(tmp_path, change, complaint):
    network = narrow_vgg16()
    state = torchvision_state(network)
    change(state)
    torch.save(state, tmp_path / "vgg16.pth")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(InputError, match=complaint):
        load_trunk(network, tmp_path / "vgg16.pth", vgg.read_imagenet)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


# --- ResNet101 ---------------------------------------------------------------------------------


def test_resnet101_names_are_torchvisions():
    with torch.device("meta"):
        network = get_model("resnet101", head="largefov", num_classes=21)
        state = torchvision_resnet101().state_dict()
    wanted = weights_of(network)
    published = {n: v for n, v in state.items() if not n.endswith("tracked") and n[:3] != "fc."}
    assert {n: v.shape for n, v in published.items()} == {n: v.shape for n, v in wanted.items()}


@pytest.mark.parametrize("counters", [True, False])
def test_resnet101_is_loaded_with_and_without_counters(tmp_path, counters):
    torch.manual_seed(0)
    source = random_statistics(get_model("resnet101", head="cam", num_classes=2, width=NARROW))
    state = {**source.trunk.state_dict(), "fc.weight": torch.zeros(9), "fc.bias": torch.zeros(9)}
    if not counters:
        state = {name: value for name, value in state.items() if not name.endswith("tracked")}
    torch.save(state, tmp_path / "r.pth")
    network = get_model("resnet101", head="largefov", num_classes=2, width=NARROW)
    load_trunk(network, tmp_path / "r.pth", resnet101.read_imagenet)
    assert all(torch.equal(weights_of(network)[n], v) for n, v in weights_of(source).items())
    assert network.initialisation == "ImageNet, r.pth: loaded 520 of 520 trunk tensors"


def test_resnet101_weights_of_a_deeplab_are_refused(tmp_path):
    network = get_model("resnet101", head="largefov", num_classes=2, width=NARROW)
    state = {f"backbone.{name}": value for name, value in network.trunk.state_dict().items()}
    torch.save(state, tmp_path / "coco.pth")
    with pytest.raises(InputError, match="only 0 of 520 trunk tensors fit"):
        load_trunk(network, tmp_path / "coco.pth", resnet101.read_imagenet)


# --- by name -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vgg16", "resnet38", "resnet101"])
def test_absent_weights_say_how_to_fetch_them(tmp_path, monkeypatch, name):
    monkeypatch.setenv("WSSS_WEIGHTS", str(tmp_path / "none"))
    with pytest.raises(InputError, match=f"is missing; run: wsss weights fetch {name}$") as caught:
        get_model(name, head="cam", num_classes=1, weights="imagenet")
    assert "\n" not in str(caught.value)
