"""The shell that all networks share: a trunk and one new classifier (Sec. 4.1 and 5.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from wsss.errors import InputError

Head = Literal["cam", "largefov"]


@dataclass(frozen=True)
class Normalisation:
    """How RGB pixels become a network's input: ``(x - mean) / std``, then the channel order.

    Parameters
    ----------
    mean, std
        Per channel, in R, G, B order whatever `bgr` says, on the 0..255 scale.
    bgr
        Reverse the channels after the arithmetic, for weights that come from Caffe. The wrong
        order costs accuracy without any error message.

    Examples
    --------
    >>> caffe = Normalisation(mean=(124.0, 117.0, 104.0), std=(1.0, 1.0, 1.0), bgr=True)
    >>> caffe(torch.tensor([125, 119, 107], dtype=torch.uint8).view(1, 3, 1, 1)).flatten().tolist()
    [3.0, 2.0, 1.0]
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    bgr: bool = False

    def __call__(self, images: Tensor) -> Tensor:
        """Normalise RGB `images` ``(N, 3, H, W)``, 0..255 of any dtype; float32 comes back."""
        mean = torch.tensor(self.mean, device=images.device).view(3, 1, 1)
        std = torch.tensor(self.std, device=images.device).view(3, 1, 1)
        normalised = (images.float() - mean) / std
        return normalised.flip(-3) if self.bgr else normalised


IMAGENET = Normalisation(mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))
"""The statistics torchvision's ImageNet weights were trained with (0.485, 0.229, ... times 255)."""

SCENES = Normalisation(mean=(127.5, 127.5, 127.5), std=(63.75, 63.75, 63.75))
"""The drawn scenes: ``(x / 255 - 0.5) * 4``. Not in the paper."""


class Network(nn.Module):
    """A trunk and a classifier that is applied at every position of its features.

    With head ``"cam"`` the logits are the class maps whose spatial mean is the image's score
    (Sec. 4.1; a bias and a 1x1 convolution commute with the mean). With head ``"largefov"`` they
    are the segmentation logits.

    The classifier is the only new layer, unless there are `hidden` ones: its weights are drawn from
    Normal(0, 0.01), its bias is 0 (Sec. 5.2 and the authors' related code), from torch's global
    generator, so that ``torch.manual_seed(rng_seed)`` fixes them.

    Parameters
    ----------
    trunk
        Normalised images ``(N, 3, H, W)`` to features ``(N, D, h, w)``.
    hidden
        New layers between the two, none by default.
    classifier
        Features to logits ``(N, num_classes, h, w)``.
    output_stride
        Pixels from one feature to the next; feature i lies on pixel ``i * output_stride``, so that
        321 pixels make 41 features at stride 8.
    normalisation
        What the trunk expects of its input.
    freeze_batchnorm
        Keep BatchNorm's statistics, and do not train its gamma and beta. The paper is silent. The
        statistics are frozen in all the code of its first author (CIAN, MCIC) and in psa: high
        confidence. Gamma and beta are fixed in CIAN and psa and trained in MCIC: medium
        confidence. ``requires_grad_(True)`` on them gives MCIC's reading.

    Attributes
    ----------
    initialisation : str
        Where the trunk's weights came from, to be kept with every result.

    Examples
    --------
    >>> trunk = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8))
    >>> network = Network(trunk, nn.Conv2d(8, 5, 1), output_stride=2, normalisation=IMAGENET,
    ...                   freeze_batchnorm=True)
    >>> network(torch.zeros(1, 3, 6, 8)).shape
    torch.Size([1, 5, 3, 4])
    >>> network.train().trunk[1].training
    False
    >>> network.initialisation
    'random'
    """

    def __init__(
        self,
        trunk: nn.Module,
        classifier: nn.Conv2d,
        *,
        output_stride: int,
        normalisation: Normalisation,
        freeze_batchnorm: bool = False,
        hidden: nn.Sequential | None = None,
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.hidden = nn.Sequential() if hidden is None else hidden
        self.classifier = classifier
        self.output_stride = output_stride
        self.normalisation = normalisation
        self.freeze_batchnorm = freeze_batchnorm
        self.initialisation = "random"
        for layer in (*self.hidden, classifier):
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=0.01)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        if freeze_batchnorm:
            for norm in self._batchnorms():
                norm.requires_grad_(False)
        self.train()

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images ``(N, 3, H, W)`` to logits ``(N, num_classes, h, w)``."""
        return self.classifier(self.hidden(self.trunk(images)))

    def train(self, mode: bool = True) -> Network:
        """Switch to training, leaving frozen BatchNorm in evaluation; see `freeze_batchnorm`."""
        super().train(mode)
        if self.freeze_batchnorm:
            for norm in self._batchnorms():
                norm.eval()
        return self

    def _batchnorms(self) -> list[nn.BatchNorm2d]:
        return [module for module in self.modules() if isinstance(module, nn.BatchNorm2d)]


def parameter_groups(model: Network) -> dict[str, list[nn.Parameter]]:
    """Split the trainable parameters into the trunk's and those of the new layers.

    Sec. 5.2: a new layer learns ten times as fast. Its bias belongs to the same group as its
    weight, and no bias has a rate of its own: so in the authors' related code (ICD, MCIC), unlike
    Caffe's habit of doubling it.

    Examples
    --------
    >>> network = Network(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 5, 1), output_stride=1,
    ...                   normalisation=IMAGENET)
    >>> {name: len(parameters) for name, parameters in parameter_groups(network).items()}
    {'pretrained': 2, 'new': 2}
    """
    return {
        "pretrained": [p for p in model.trunk.parameters() if p.requires_grad],
        "new": [
            p
            for new in (model.hidden, model.classifier)
            for p in new.parameters()
            if p.requires_grad
        ],
    }


def load_trunk(model: Network, path: str | Path) -> None:
    """Fill the trunk from a file, completely or not at all.

    The file is what ``torch.save(network.state_dict(), path)`` writes for the same network at the
    same width, with either head; nothing but tensors is unpickled. Its new layers, if it has
    any, are never read (Sec. 5.2). `model.initialisation` becomes the
    report "<file>: loaded n of m trunk tensors".

    Raises
    ------
    InputError
        If the file is missing or no state_dict, or if any name or shape differs from the trunk's.
    """
    path = Path(path)
    state = read_state_dict(path)
    wanted = model.trunk.state_dict()
    found = {
        name.removeprefix("trunk."): value
        for name, value in state.items()
        if not name.startswith(("classifier.", "hidden."))
    }
    differences = [f"{name} is missing" for name in wanted if name not in found]
    differences += [f"{name} is unknown" for name in found if name not in wanted]
    differences += [
        f"{name} is {tuple(found[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in found and found[name].shape != tensor.shape
    ]
    if differences:
        fitting = sum(
            name in found and found[name].shape == tensor.shape for name, tensor in wanted.items()
        )
        raise InputError(
            f"{path}: only {fitting} of {len(wanted)} trunk tensors fit, nothing was loaded "
            f"({'; '.join(differences[:3])}{'; ...' if len(differences) > 3 else ''}): "
            "give the weights of the same network at the same width"
        )
    model.trunk.load_state_dict(found)
    model.initialisation = f"{path.name}: loaded {len(found)} of {len(wanted)} trunk tensors"


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read a file of named tensors, without executing what a pickle may ask for."""
    if not path.is_file():
        raise InputError(f"{path}: no such file of weights")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load's own errors range from KeyError to UnpicklingError
        raise InputError(f"{path}: torch.load cannot read it; give a saved state_dict") from error
    if not isinstance(state, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise InputError(
            f"{path}: holds no state_dict (names to tensors); save one with torch.save"
        )
    return dict(state)


def initialise_trunk(trunk: nn.Module) -> None:
    """Draw a trunk's convolutions from Kaiming's normal distribution, in place, biases 0.

    The paper starts from ImageNet weights; this is only what stands there before they are loaded,
    and what a network without them learns from. BatchNorm keeps torch's gamma 1 and beta 0.
    """
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def scaled(channels: int, width: float) -> int:
    """Multiply a channel count by `width`, to the nearest multiple of 8, at least 8.

    Examples
    --------
    >>> [scaled(channels, 0.25) for channels in (8, 64, 80, 1024)]
    [8, 16, 24, 256]
    """
    return max(8, int(channels * width / 8 + 0.5) * 8)
